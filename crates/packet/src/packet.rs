//! A decoded packet: the innermost addresses and transport header of a frame, without the bytes themselves.

use gwcore::{Addr, Mac, Ts};

/// What the link layer said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Link {
    /// Sender; all zero where the link has none.
    pub src: Mac,
    /// Receiver; all zero where the link has none.
    pub dst: Mac,
    /// The innermost EtherType after VLAN, PRP and HSR tags; 0 for LLC (`llc` tells) and for links without one.
    pub ethertype: u16,
    /// LLC destination and source service access point of an IEEE 802.3 frame, else 0.
    pub llc: [u8; 2],
    /// Outer and innermost VLAN id, 0xffff where there is none; a priority tag (VLAN 0) is none.
    pub vlans: [u16; 2],
    /// Priority code point of the innermost VLAN tag.
    pub pcp: u8,
    /// Redundancy: which of the two copies of a PRP or HSR pair this is.
    pub redundancy: Option<Redundancy>,
    /// Event type of an RTAC serial frame (1 sent, 2 received); the payload is bytes of the serial line.
    pub rtac: Option<u8>,
}

impl Default for Link {
    fn default() -> Link {
        Link {
            src: Mac::NONE,
            dst: Mac::NONE,
            ethertype: 0,
            llc: [0; 2],
            vlans: [0xffff; 2],
            pcp: 0,
            redundancy: None,
            rtac: None,
        }
    }
}

/// The redundancy control trailer of PRP or the tag of HSR (IEC 62439-3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Redundancy {
    /// HSR tag rather than PRP trailer.
    pub hsr: bool,
    /// LAN identifier (PRP: 0xA or 0xB) or path identifier (HSR).
    pub lan: u8,
    /// Sequence number of the pair.
    pub seq: u16,
}

/// The transport header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// TCP (RFC 9293).
    Tcp(Tcp),
    /// UDP (RFC 768).
    Udp {
        /// Sender's port.
        src_port: u16,
        /// Receiver's port.
        dst_port: u16,
    },
    /// ICMP or ICMPv6; `payload` begins after the four bytes of type, code and checksum.
    Icmp {
        /// ICMP type.
        kind: u8,
        /// ICMP code.
        code: u8,
    },
    /// Another IP protocol, or a header that was cut; `payload` is the IP payload.
    Other,
    /// No IP at all; `payload` follows the EtherType (or the LLC header).
    None,
}

/// TCP header fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tcp {
    /// Sender's port.
    pub src_port: u16,
    /// Receiver's port.
    pub dst_port: u16,
    /// Sequence number.
    pub seq: u32,
    /// Acknowledgement number.
    pub ack: u32,
    /// Flags, FIN in bit 0 to CWR in bit 7.
    pub flags: u8,
    /// Window as it stands in the header, unscaled.
    pub window: u16,
    /// Urgent pointer.
    pub urgent: u16,
    /// Window scale option (RFC 7323), if present.
    pub window_scale: Option<u8>,
    /// Maximum segment size option, if present.
    pub mss: Option<u16>,
    /// Timestamps option (RFC 7323 §3): value and echo reply, if present.
    pub timestamps: Option<[u32; 2]>,
    /// Length of the options in bytes.
    pub options_len: u8,
}

/// Names of the TCP flag bits.
pub mod flag {
    /// No more data from the sender.
    pub const FIN: u8 = 1;
    /// Synchronise sequence numbers.
    pub const SYN: u8 = 2;
    /// Reset.
    pub const RST: u8 = 4;
    /// Push.
    pub const PSH: u8 = 8;
    /// Acknowledgement field is valid.
    pub const ACK: u8 = 16;
    /// Urgent pointer is valid.
    pub const URG: u8 = 32;
}

/// A decoded packet. Its payload travels beside it as a slice.
#[derive(Clone, Copy, Debug)]
pub struct Packet {
    /// Place of the frame in the input.
    pub seq: u64,
    /// Time of the frame.
    pub ts: Ts,
    /// Index of the file.
    pub file: u32,
    /// Number of the frame in its file.
    pub number: u64,
    /// Index of the interface.
    pub interface: u32,
    /// Length of the frame on the wire in bytes.
    pub wire_len: u32,
    /// The innermost link header.
    pub link: Link,
    /// Innermost IP source; `Addr::NONE` without IP.
    pub src: Addr,
    /// Innermost IP destination.
    pub dst: Addr,
    /// IP protocol number after extension headers; 0 without IP.
    pub ip_proto: u8,
    /// Time to live or hop limit.
    pub ttl: u8,
    /// IPv4 identification; 0 for IPv6.
    pub ip_id: u16,
    /// Length of the IP packet in bytes as its header says (of the whole datagram when it was reassembled).
    pub ip_len: u32,
    /// The transport header.
    pub transport: Transport,
    /// Length of the transport payload in bytes as the headers say; the captured slice may be shorter.
    pub payload_len: u32,
    /// Whether the transport checksum is right; none where it was not computed (off, cut, or there is none).
    pub checksum_ok: Option<bool>,
    /// The wrong checksum of a TCP segment is the sum of the pseudo header: the capturing host had merged it from others on receipt, or left
    /// the checksum to its network card.
    pub checksum_left_to_card: bool,
    /// A mirrored copy of a frame seen just before.
    pub twin: bool,
    /// Encapsulations that were taken off, 0 for none.
    pub tunnels: u8,
    /// Name of the outermost tunnel (`gre`, `vxlan` …), empty for none.
    pub tunnel: &'static str,
    /// Outermost IP addresses when there is a tunnel.
    pub outer: Option<(Addr, Addr)>,
    /// IP fragments this packet was made of; 0 or 1 for none.
    pub fragments: u16,
}
