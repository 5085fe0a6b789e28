//! The record of a TLS session; fields named as in Zeek's ssl.log.

use gwcore::{List, Text, Ts};

gwcore::record! {
    /// One TLS or SSL session as its handshake shows it (RFC 8446, RFC 5246, RFC 6101).
    pub struct TlsRecord, TlsColumns = "tls", Transaction {
        /// Version chosen by the server, else the highest that the client offered: `TLSv12`, `TLSv13` ….
        version: Option<Text>,
        /// Cipher suite chosen by the server (IANA name).
        cipher: Option<Text>,
        /// Group of the key exchange (IANA name; RFC 8422, RFC 8446 §4.2.7).
        curve: Option<Text>,
        /// Server name that the client asked for (RFC 6066 §3).
        server_name: Option<Text>,
        /// Whether an earlier session was resumed.
        resumed: bool,
        /// Last alert that was readable (RFC 8446 §6).
        last_alert: Option<Text>,
        /// Application protocol chosen by the server, where readable (RFC 7301).
        next_protocol: Option<Text>,
        /// Whether both sides finished the handshake.
        established: bool,
        /// Subject of the server's certificate (RFC 2253 order).
        subject: Option<Text>,
        /// Issuer of the server's certificate.
        issuer: Option<Text>,
        /// Subject of the client's certificate.
        client_subject: Option<Text>,
        /// Issuer of the client's certificate.
        client_issuer: Option<Text>,
        /// Serial number of the server's certificate, hexadecimal.
        serial: Option<Text>,
        /// The server's certificate is not valid before.
        not_before: Option<Ts>,
        /// The server's certificate is not valid after.
        not_after: Option<Ts>,
        /// DNS names of the server's certificate (RFC 5280 §4.2.1.6).
        san_dns: Option<List<Text>>,
        /// SHA-256 of each certificate of the server, its own first, hexadecimal.
        cert_fps: Option<List<Text>>,
        /// SHA-1 of the server's certificate, hexadecimal.
        cert_sha1: Option<Text>,
        /// Key algorithm of the server's certificate: `rsa`, `ecdsa`, `dsa`, `ed25519` …, else its object identifier.
        cert_key_alg: Option<Text>,
        /// Key length of the server's certificate.
        cert_key_length: Option<u32> ["bit"],
        /// Certificates that the server sent.
        chain_len: Option<u16>,
        /// JA3 of the client.
        ja3: Option<Text>,
        /// JA3S of the server.
        ja3s: Option<Text>,
        /// JA4 of the client.
        ja4: Option<Text>,
        /// Versions that the client offered, in its order.
        client_versions: Option<List<Text>>,
        /// Application protocols that the client offered, in its order.
        client_alpns: Option<List<Text>>,
        /// Frame that completed the first ClientHello.
        client_frame: Option<u64>,
        /// Frame that completed the HelloRetryRequest.
        retry_frame: Option<u64>,
        /// JA3S of the HelloRetryRequest.
        retry_ja3s: Option<Text>,
        /// Frame that completed the second ClientHello, which answers a HelloRetryRequest.
        retry_client_frame: Option<u64>,
        /// JA3 of that ClientHello.
        retry_ja3: Option<Text>,
        /// JA4 of that ClientHello.
        retry_ja4: Option<Text>,
        /// Frame that completed the ServerHello.
        server_frame: Option<u64>,
    }
}
