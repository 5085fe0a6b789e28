//! The layers a frame can be stacked from; every field is public and every default is valid.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Ethernet II header.
#[derive(Clone, Debug, Default)]
pub struct Eth {
    /// Sender.
    pub src: [u8; 6],
    /// Receiver.
    pub dst: [u8; 6],
    /// Type, or length for IEEE 802.3; from the next layer when none.
    pub ethertype: Option<u16>,
}

/// VLAN tag (IEEE 802.1Q); stack two for QinQ.
#[derive(Clone, Debug)]
pub struct Vlan {
    /// Tag protocol identifier: 0x8100, 0x88a8 or 0x9100.
    pub tpid: u16,
    /// VLAN id, 0–4095.
    pub vid: u16,
    /// Priority code point, 0–7.
    pub pcp: u8,
    /// Type of what follows; from the next layer when none.
    pub ethertype: Option<u16>,
}

impl Default for Vlan {
    fn default() -> Vlan {
        Vlan { tpid: 0x8100, vid: 1, pcp: 0, ethertype: None }
    }
}

/// MPLS label stack entry (RFC 3032); the bottom bit is set when the next layer is no label.
#[derive(Clone, Debug, Default)]
pub struct Mpls {
    /// Label, 20 bits.
    pub label: u32,
    /// Time to live.
    pub ttl: u8,
}

/// PPPoE session header (RFC 2516).
#[derive(Clone, Debug, Default)]
pub struct Pppoe {
    /// Session id.
    pub session: u16,
}

/// PPP protocol field (RFC 1661), two bytes.
#[derive(Clone, Debug, Default)]
pub struct Ppp {
    /// Protocol; from the next layer when none.
    pub proto: Option<u16>,
    /// Whether HDLC address and control (ff 03) come first.
    pub hdlc: bool,
}

/// IEEE 802.2 LLC header with a one-byte control field; the Ethernet header before it carries the length.
#[derive(Clone, Debug, Default)]
pub struct Llc {
    /// Destination service access point.
    pub dsap: u8,
    /// Source service access point.
    pub ssap: u8,
    /// Control byte; 3 is an unnumbered information frame.
    pub control: u8,
}

/// LLC with SNAP (RFC 1042).
#[derive(Clone, Debug, Default)]
pub struct Snap {
    /// Organisation; zero means that an EtherType follows.
    pub oui: [u8; 3],
    /// EtherType or protocol id; from the next layer when none.
    pub ethertype: Option<u16>,
}

/// HSR tag (IEC 62439-3 §5.7), 6 bytes with its EtherType 0x892f.
#[derive(Clone, Debug, Default)]
pub struct Hsr {
    /// Path identifier, 4 bits.
    pub path: u8,
    /// Sequence number.
    pub seq: u16,
    /// Type of what follows; from the next layer when none.
    pub ethertype: Option<u16>,
}

/// PRP trailer (IEC 62439-3 §4.2.7); stands right after the layer whose payload it closes, its bytes go to the end.
#[derive(Clone, Debug, Default)]
pub struct Prp {
    /// Sequence number.
    pub seq: u16,
    /// LAN identifier, 0xA or 0xB.
    pub lan: u8,
    /// LSDU size; counted when none.
    pub size: Option<u16>,
}

/// IPv4 header (RFC 791).
#[derive(Clone, Debug)]
pub struct Ipv4 {
    /// Sender.
    pub src: Ipv4Addr,
    /// Receiver.
    pub dst: Ipv4Addr,
    /// Type of service.
    pub tos: u8,
    /// Identification.
    pub id: u16,
    /// Don't fragment.
    pub df: bool,
    /// More fragments.
    pub mf: bool,
    /// Fragment offset in units of eight bytes.
    pub offset: u16,
    /// Time to live.
    pub ttl: u8,
    /// Protocol; from the next layer when none.
    pub proto: Option<u8>,
    /// Options, padded with zeros to a multiple of four.
    pub options: Vec<u8>,
    /// Total length; counted when none.
    pub total_len: Option<u16>,
    /// Header checksum; computed when none.
    pub checksum: Option<u16>,
}

impl Default for Ipv4 {
    fn default() -> Ipv4 {
        Ipv4 {
            src: Ipv4Addr::UNSPECIFIED,
            dst: Ipv4Addr::UNSPECIFIED,
            tos: 0,
            id: 0,
            df: false,
            mf: false,
            offset: 0,
            ttl: 64,
            proto: None,
            options: Vec::new(),
            total_len: None,
            checksum: None,
        }
    }
}

/// IPv6 header (RFC 8200).
#[derive(Clone, Debug)]
pub struct Ipv6 {
    /// Sender.
    pub src: Ipv6Addr,
    /// Receiver.
    pub dst: Ipv6Addr,
    /// Traffic class.
    pub class: u8,
    /// Flow label, 20 bits.
    pub label: u32,
    /// Hop limit.
    pub hops: u8,
    /// Next header; from the next layer when none.
    pub next: Option<u8>,
    /// Payload length; counted when none.
    pub payload_len: Option<u16>,
}

impl Default for Ipv6 {
    fn default() -> Ipv6 {
        Ipv6 {
            src: Ipv6Addr::UNSPECIFIED,
            dst: Ipv6Addr::UNSPECIFIED,
            class: 0,
            label: 0,
            hops: 64,
            next: None,
            payload_len: None,
        }
    }
}

/// IPv6 extension header (RFC 8200 §4) or AH (RFC 4302).
#[derive(Clone, Debug)]
pub enum Extension {
    /// Hop-by-hop options, destination options, routing or mobility by protocol number, with the bytes after next header and length.
    ///
    /// The bytes are padded with zeros to 6 + 8n.
    Options(u8, Vec<u8>),
    /// Fragment header.
    Fragment {
        /// Offset in units of eight bytes.
        offset: u16,
        /// More fragments.
        more: bool,
        /// Identification.
        id: u32,
        /// Next header; from the next layer when none.
        next: Option<u8>,
    },
    /// Authentication header with the given integrity value (multiple of four bytes).
    Auth(Vec<u8>),
}

/// TCP header (RFC 9293).
#[derive(Clone, Debug)]
pub struct Tcp {
    /// Sender's port.
    pub src: u16,
    /// Receiver's port.
    pub dst: u16,
    /// Sequence number.
    pub seq: u32,
    /// Acknowledgement number.
    pub ack: u32,
    /// Flags of [`crate::flag`].
    pub flags: u8,
    /// Window.
    pub window: u16,
    /// Urgent pointer.
    pub urgent: u16,
    /// Options, padded with zeros to a multiple of four.
    pub options: Vec<u8>,
    /// Data offset in units of four bytes; counted when none.
    pub data_offset: Option<u8>,
    /// Checksum; computed when none.
    pub checksum: Option<u16>,
}

impl Default for Tcp {
    fn default() -> Tcp {
        Tcp {
            src: 0,
            dst: 0,
            seq: 0,
            ack: 0,
            flags: crate::flag::ACK,
            window: 8_192,
            urgent: 0,
            options: Vec::new(),
            data_offset: None,
            checksum: None,
        }
    }
}

/// UDP header (RFC 768).
#[derive(Clone, Debug, Default)]
pub struct Udp {
    /// Sender's port.
    pub src: u16,
    /// Receiver's port.
    pub dst: u16,
    /// Length; counted when none.
    pub len: Option<u16>,
    /// Checksum; computed when none.
    pub checksum: Option<u16>,
}

/// ICMP or ICMPv6 header (RFC 792, RFC 4443), by the IP layer it stands on.
#[derive(Clone, Debug, Default)]
pub struct Icmp {
    /// Type.
    pub kind: u8,
    /// Code.
    pub code: u8,
    /// The four bytes after the checksum.
    pub rest: [u8; 4],
    /// Checksum; computed when none.
    pub checksum: Option<u16>,
}

/// ARP for Ethernet and IPv4 (RFC 826).
#[derive(Clone, Debug, Default)]
pub struct Arp {
    /// 1 request, 2 reply.
    pub op: u16,
    /// Sender's MAC.
    pub sender_mac: [u8; 6],
    /// Sender's address.
    pub sender_ip: [u8; 4],
    /// Target's MAC.
    pub target_mac: [u8; 6],
    /// Target's address.
    pub target_ip: [u8; 4],
}

/// GRE header (RFC 2784, RFC 2890), version 0.
#[derive(Clone, Debug, Default)]
pub struct Gre {
    /// Key.
    pub key: Option<u32>,
    /// Sequence number.
    pub seq: Option<u32>,
    /// Whether the checksum field is there.
    pub checksum: bool,
    /// Protocol; from the next layer when none.
    pub ethertype: Option<u16>,
}

/// VXLAN header (RFC 7348); stands on UDP.
#[derive(Clone, Debug, Default)]
pub struct Vxlan {
    /// Network identifier, 24 bits.
    pub vni: u32,
}

/// GENEVE header (RFC 8926); stands on UDP.
#[derive(Clone, Debug, Default)]
pub struct Geneve {
    /// Network identifier, 24 bits.
    pub vni: u32,
    /// Options, padded with zeros to a multiple of four.
    pub options: Vec<u8>,
    /// Protocol; from the next layer when none.
    pub ethertype: Option<u16>,
}

/// One layer of a [`crate::Stack`].
#[derive(Clone, Debug)]
pub enum Layer {
    /// Ethernet.
    Eth(Eth),
    /// VLAN tag.
    Vlan(Vlan),
    /// MPLS label.
    Mpls(Mpls),
    /// PPPoE session; put [`Ppp`] after it.
    Pppoe(Pppoe),
    /// PPP protocol field.
    Ppp(Ppp),
    /// LLC.
    Llc(Llc),
    /// LLC with SNAP.
    Snap(Snap),
    /// HSR tag.
    Hsr(Hsr),
    /// PRP trailer.
    Prp(Prp),
    /// IPv4.
    Ipv4(Ipv4),
    /// IPv6.
    Ipv6(Ipv6),
    /// IPv6 extension header.
    Extension(Extension),
    /// TCP.
    Tcp(Tcp),
    /// UDP.
    Udp(Udp),
    /// ICMP or ICMPv6.
    Icmp(Icmp),
    /// ARP.
    Arp(Arp),
    /// GRE.
    Gre(Gre),
    /// VXLAN.
    Vxlan(Vxlan),
    /// GENEVE.
    Geneve(Geneve),
    /// Bytes as they are.
    Bytes(Vec<u8>),
}

macro_rules! layers {
    ($($name:ident)+) => { $(impl From<$name> for Layer { fn from(layer: $name) -> Layer { Layer::$name(layer) } })+ };
}
layers! { Eth Vlan Mpls Pppoe Ppp Llc Snap Hsr Prp Ipv4 Ipv6 Extension Tcp Udp Icmp Arp Gre Vxlan Geneve }

impl From<&[u8]> for Layer {
    fn from(bytes: &[u8]) -> Layer {
        Layer::Bytes(bytes.to_vec())
    }
}

impl Layer {
    /// The source and destination of an IP layer.
    pub(crate) fn pair(&self) -> Option<(IpAddr, IpAddr)> {
        match self {
            Layer::Ipv4(ip) => Some((ip.src.into(), ip.dst.into())),
            Layer::Ipv6(ip) => Some((ip.src.into(), ip.dst.into())),
            _ => None,
        }
    }

    /// The EtherType that announces this layer.
    pub(crate) fn ethertype(&self) -> u16 {
        match self {
            Layer::Ipv4(_) => 0x0800,
            Layer::Ipv6(_) => 0x86dd,
            Layer::Arp(_) => 0x0806,
            Layer::Vlan(tag) => tag.tpid,
            Layer::Mpls(_) => 0x8847,
            Layer::Pppoe(_) => 0x8864,
            Layer::Hsr(_) => 0x892f,
            Layer::Eth(_) => 0x6558,
            Layer::Ppp(_) => 0x880b,
            _ => 0xffff,
        }
    }

    /// The IP protocol number that announces this layer.
    pub(crate) fn ip_proto(&self, v6: bool) -> u8 {
        match self {
            Layer::Tcp(_) => 6,
            Layer::Udp(_) => 17,
            Layer::Icmp(_) => {
                if v6 {
                    58
                } else {
                    1
                }
            }
            Layer::Ipv4(_) => 4,
            Layer::Ipv6(_) => 41,
            Layer::Gre(_) => 47,
            Layer::Eth(_) => 143,
            Layer::Extension(Extension::Options(proto, _)) => *proto,
            Layer::Extension(Extension::Fragment { .. }) => 44,
            Layer::Extension(Extension::Auth(_)) => 51,
            _ => 253,
        }
    }

    /// The PPP protocol that announces this layer.
    pub(crate) fn ppp_proto(&self) -> u16 {
        match self {
            Layer::Ipv4(_) => 0x0021,
            Layer::Ipv6(_) => 0x0057,
            _ => 0xc021,
        }
    }
}
