//! The `dhcp` kind: one message, under Zeek's names.

use gwcore::{Addr, Hex, List, Mac, Span, Sym, Text};

gwcore::record! {
    /// A DHCP or BOOTP message (RFC 2131, 2132), one row each; an exchange is the rows of one `trans_id`. Named as Zeek's `dhcp.log`.
    pub struct DhcpRow, DhcpColumns = "dhcp", Transaction {
        /// Sent to a client (`BOOTREPLY`) rather than by one.
        is_reply: bool,
        /// Message type (option 53), where known; absent in BOOTP.
        msg_type: Option<Sym>,
        /// Number of the message type.
        msg_type_code: Option<u8>,
        /// Transaction id.
        trans_id: u32,
        /// The client's MAC address, where its hardware address is one (Ethernet, 6 bytes).
        mac: Option<Mac>,
        /// The client's hardware address as on the wire.
        client_chaddr: Option<Hex>,
        /// Address the client has (`ciaddr`).
        client_addr: Option<Addr>,
        /// Address the client gets (`yiaddr`).
        assigned_addr: Option<Addr>,
        /// The server that is meant or answers (option 54).
        server_addr: Option<Addr>,
        /// Server for the next step of a boot (`siaddr`).
        next_server: Option<Addr>,
        /// Relay agent (`giaddr`).
        relay_addr: Option<Addr>,
        /// Address the client asks for (option 50).
        requested_addr: Option<Addr>,
        /// Name of the client (option 12).
        host_name: Option<Text>,
        /// Full name of the client (option 81, RFC 4702).
        client_fqdn: Option<Text>,
        /// Domain of the client (option 15).
        domain: Option<Text>,
        /// How long the address is lent (option 51).
        lease_time: Option<Span> ["s"],
        /// Network mask (option 1).
        subnet_mask: Option<Addr>,
        /// Routers (option 3).
        router: List<Addr>,
        /// Name servers (option 6).
        dns_servers: List<Addr>,
        /// Time servers (option 42).
        ntp_servers: List<Addr>,
        /// Kind of the client (option 60), of the server in replies.
        vendor_class: Option<Text>,
        /// Identifier of the client (option 61).
        client_id: Option<Hex>,
        /// Options the client asks for, in its order (option 55): tells systems apart.
        param_list: List<u8>,
        /// What one side has to say (option 56).
        message: Option<Text>,
        /// Server that holds the boot file (option 66, or `sname`).
        boot_server: Option<Text>,
        /// Boot file (option 67, or `file`).
        boot_file: Option<Text>,
        /// Circuit the relay agent got it from (option 82.1, RFC 3046).
        circuit_id: Option<Text>,
        /// Far end of that circuit (option 82.2).
        agent_remote_id: Option<Text>,
        /// Subscriber (option 82.6, RFC 3993).
        subscriber_id: Option<Text>,
        /// How long the client has been trying.
        secs: u16 ["s"],
        /// The client wants broadcast answers.
        broadcast: bool,
    }
}
