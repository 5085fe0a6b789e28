//! The `ftp` kind: one command with its replies, or replies that no command asked for.

use gwcore::{Addr, Span, Text};

gwcore::record! {
    /// A command of an FTP control connection (RFC 959 §4) and what came back. Named as Zeek's `ftp.log`.
    pub struct FtpRow, FtpColumns = "ftp", Transaction {
        /// Frame of the command.
        request_frame: Option<u64>,
        /// Frame of the first line of the reply.
        reply_frame: Option<u64>,
        /// Frame of its last line.
        reply_end_frame: Option<u64>,
        /// User of the session so far.
        user: Option<Text>,
        /// Command in capital letters; none for what a server says unasked, as its greeting.
        command: Option<Text>,
        /// Its argument; that of `PASS` and `ACCT` is not kept.
        arg: Option<Text>,
        /// Code of a reply that another follows (`1yz`).
        preliminary_code: Option<u16>,
        /// Frame of that one.
        preliminary_frame: Option<u64>,
        /// Code of the reply.
        reply_code: Option<u16>,
        /// Text of its last line.
        reply_msg: Option<Text>,
        /// Lines of the reply.
        reply_lines: u32,
        /// From the command to the end of the reply.
        response_time: Option<Span> ["ns"],
        /// Size of the file, where the server states it.
        file_size: Option<u64> ["bytes"],
        /// The data connection is opened by the client.
        data_passive: Option<bool>,
        /// Address that waits for the data connection.
        data_host: Option<Addr>,
        /// Its port.
        data_port: Option<u16>,
    }
}
