//! The `ntp` kind: one message, under Zeek's names.

use gwcore::{Hex, Sym, Text, Ts};

gwcore::record! {
    /// An NTP message: time (RFC 5905 §7.3), control (RFC 9327 §2) or private (mode 7 of ntpd), one row each. Named as Zeek's `ntp.log`.
    pub struct NtpRow, NtpColumns = "ntp", Transaction {
        /// Version.
        version: u8,
        /// Mode: 1 and 2 symmetric, 3 client, 4 server, 5 broadcast, 6 control, 7 private.
        mode: u8,
        /// Name of the mode.
        mode_name: Option<Sym>,
        /// Leap indicator: 1 and 2 a leap second is due, 3 the clock is not set. As the fields below absent in modes 6 and 7.
        leap: Option<u8>,
        /// Distance from the reference clock; 0 is a message to the client (`ref_id`), 16 not set.
        stratum: Option<u8>,
        /// Interval between messages.
        poll: Option<f64> ["s"],
        /// Precision of the clock.
        precision: Option<f64> ["s"],
        /// Round trip to the reference clock.
        root_delay: Option<f64> ["s"],
        /// Dispersion to the reference clock.
        root_disp: Option<f64> ["s"],
        /// Reference: four letters for stratum 0 and 1, else an IPv4 address (or what stands for an IPv6 one).
        ref_id: Option<Text>,
        /// When the clock was last set.
        ref_time: Option<Ts>,
        /// When the client sent its request, by its clock.
        org_time: Option<Ts>,
        /// When the server received it, by its clock.
        rec_time: Option<Ts>,
        /// When this message left, by the sender's clock.
        xmt_time: Option<Ts>,
        /// How far a server's clock was ahead of the capture when its message passed: `xmt_time` less the time of the packet (modes 4 and 5).
        offset_s: Option<f64> ["s"],
        /// Extension fields (RFC 7822).
        num_exts: u8,
        /// Key that authenticates the message.
        key_id: Option<u32>,
        /// Its digest.
        digest: Option<Hex>,
        /// Operation of a control message.
        opcode: Option<u8>,
        /// Name of the operation, where known.
        opcode_name: Option<Sym>,
        /// Request code of a private message; 20 and 42 list the server's peers (`monlist`).
        request_code: Option<u8>,
        /// Implementation a private message is meant for.
        implementation: Option<u8>,
        /// A control or private message is a response.
        is_response: Option<bool>,
        /// A control response tells of an error.
        is_error: Option<bool>,
        /// More of a control or private response follows.
        has_more: Option<bool>,
        /// Sequence number of a control or private message.
        sequence: Option<u16>,
        /// Status word of a control message.
        status: Option<u16>,
        /// Association of a control message.
        association_id: Option<u16>,
    }
}
