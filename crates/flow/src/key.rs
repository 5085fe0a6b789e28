//! The key of a flow, its identity, the shard it belongs to, and who is thought to have opened it.

use std::hash::{Hash, Hasher};

use gwcore::{FlowConst, Mac, Ts, Uid};
use packet::{Packet, Transport, flag};
use xxhash_rust::xxh3::xxh3_64;

use crate::Side;

/// EtherType of GOOSE (IEC 61850-8-1 Annex A); its APPID tells conversations apart.
const GOOSE: u16 = 0x88b8;
/// EtherType of sampled values (IEC 61850-9-2); likewise.
const SAMPLED_VALUES: u16 = 0x88ba;
/// Port of NTP, which both sides may use.
const NTP: u16 = 123;
/// SCTP (RFC 9260): its ports stand where those of UDP do.
const SCTP: u8 = 132;

/// Marks the flow of a TCP session beyond somebody who alters it.
const SECOND_LEG: u16 = 1;

/// What tells flows apart: both ends in a fixed order, protocol and VLANs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct FlowKey {
    /// The ends as numbers, which compare and hash faster than bytes.
    a: u128,
    b: u128,
    a_port: u16,
    b_port: u16,
    vlans: [u16; 2],
    /// EtherType without IP, else 0.
    ethertype: u16,
    /// APPID of GOOSE and sampled values, LLC access points, [`SECOND_LEG`], else 0.
    extra: u16,
    ip_proto: u8,
    /// Whether packets of the two directions never pair (one-way ICMP).
    one_way: bool,
}

/// A packet's flow key, its ports as its sender sees them, and whether the sender is end `a` of the key.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Keyed {
    pub key: FlowKey,
    pub forward: bool,
    pub src_port: u16,
    pub dst_port: u16,
}

/// The two MAC addresses that a packet went between, whichever way, as a number; 0 where it has none.
#[inline]
pub(crate) fn link_of(p: &Packet) -> u32 {
    let wide = |m: Mac| m.0.iter().fold(0_u64, |n, b| n << 8 | u64::from(*b));
    let both = wide(p.link.src) ^ wide(p.link.dst);
    (both ^ both >> 24) as u32
}

impl Hash for FlowKey {
    #[inline]
    fn hash<H: Hasher>(&self, h: &mut H) {
        h.write_u128(self.a);
        h.write_u128(self.b);
        let ports = u64::from(self.a_port) << 48 | u64::from(self.b_port) << 32;
        h.write_u64(ports | u64::from(self.vlans[0]) << 16 | u64::from(self.vlans[1]));
        let rest = u64::from(self.ethertype) << 32 | u64::from(self.extra) << 16;
        h.write_u64(rest | u64::from(self.ip_proto) << 8 | u64::from(self.one_way));
    }
}

impl FlowKey {
    /// The key that the same packet has without tags.
    pub(crate) fn without_vlans(self) -> FlowKey {
        FlowKey { vlans: [0xffff; 2], ..self }
    }

    /// Whether it names VLANs.
    pub(crate) fn is_tagged(self) -> bool {
        self.vlans != [0xffff; 2]
    }

    /// The key of a conversation that is kept apart from another with the same addresses and ports, by its VLANs or by having none.
    pub(crate) fn apart(self) -> FlowKey {
        FlowKey { vlans: if self.is_tagged() { self.vlans } else { [0xfffd; 2] }, ..self }
    }

    /// The key of the same session beyond somebody who alters it.
    pub(crate) fn second_leg(self) -> FlowKey {
        FlowKey { extra: SECOND_LEG, ..self }
    }

    /// Identity of the conversation: the key, who opened it and when; `counter` tells apart what would be equal.
    pub(crate) fn uid(&self, orig_is_a: bool, first: Ts, counter: u32) -> Uid {
        let mut bytes = Vec::with_capacity(64);
        bytes.extend_from_slice(&self.a.to_be_bytes());
        bytes.extend_from_slice(&self.b.to_be_bytes());
        for n in [self.a_port, self.b_port, self.vlans[0], self.vlans[1], self.ethertype, self.extra] {
            bytes.extend_from_slice(&n.to_be_bytes());
        }
        bytes.extend_from_slice(&[self.ip_proto, u8::from(self.one_way), u8::from(orig_is_a)]);
        bytes.extend_from_slice(&first.0.to_be_bytes());
        Uid::new(&bytes, counter)
    }
}

/// The key of a packet.
#[inline]
pub(crate) fn keyed(p: &Packet, payload: &[u8]) -> Keyed {
    let (src_port, dst_port, one_way) = ports(p, payload);
    let (mut src, mut dst, mut ethertype, mut extra) = (p.src, p.dst, 0, 0);
    let mut reverse = false;
    if is_link(p) {
        (src, dst, ethertype) = (p.link.src.padded(), p.link.dst.padded(), p.link.ethertype);
        extra = match (ethertype, payload) {
            (GOOSE | SAMPLED_VALUES, [a, b, ..]) => u16::from_be_bytes([*a, *b]),
            (0, _) => u16::from_be_bytes(p.link.llc),
            _ => 0,
        };
        // Both directions of a serial line have the same (no) addresses; the capture says which was received.
        reverse = p.link.rtac == Some(2);
    }
    let (src, dst) = (u128::from_be_bytes(src.0), u128::from_be_bytes(dst.0));
    let forward = one_way || (src, src_port) <= (dst, dst_port);
    let (a, b, a_port, b_port) = if forward { (src, dst, src_port, dst_port) } else { (dst, src, dst_port, src_port) };
    let key = FlowKey { a, b, a_port, b_port, vlans: p.link.vlans, ethertype, extra, ip_proto: p.ip_proto, one_way };
    Keyed { key, forward: forward != reverse, src_port, dst_port }
}

/// Whether the packet has no IP layer.
#[inline]
pub(crate) fn is_link(p: &Packet) -> bool {
    p.transport == Transport::None && p.src.is_none() && p.dst.is_none()
}

/// Ports as the sender sees them (Zeek: for ICMP the type and the type of its counterpart, or the code), and whether it is one-way.
#[inline]
fn ports(p: &Packet, payload: &[u8]) -> (u16, u16, bool) {
    match p.transport {
        Transport::Tcp(t) => (t.src_port, t.dst_port, false),
        Transport::Udp { src_port, dst_port } => (src_port, dst_port, false),
        Transport::Icmp { kind, code } => match icmp_counterpart(kind, p.src.is_v4()) {
            Some(other) => (kind.into(), other.into(), false),
            None => (kind.into(), code.into(), true),
        },
        Transport::Other => match (p.ip_proto, payload) {
            (SCTP, [a, b, c, d, ..]) => (u16::from_be_bytes([*a, *b]), u16::from_be_bytes([*c, *d]), false),
            _ => (0, 0, false),
        },
        Transport::None => (p.link.ethertype, p.link.ethertype, false),
    }
}

/// The ICMP type that answers or asks for `kind`; none for messages that stand alone (Community ID spec v1, Zeek `ICMP4_counterpart`).
pub(crate) fn icmp_counterpart(kind: u8, v4: bool) -> Option<u8> {
    const PAIRS: [(bool, u8, u8); 11] = [
        (true, 8, 0),
        (true, 13, 14),
        (true, 15, 16),
        (true, 10, 9),
        (true, 17, 18),
        (false, 128, 129),
        (false, 133, 134),
        (false, 135, 136),
        (false, 130, 131),
        (false, 139, 140),
        (false, 144, 145),
    ];
    let of_family = PAIRS.iter().filter(|(four, ..)| *four == v4);
    of_family.filter_map(|&(_, a, b)| if kind == a { Some(b) } else { (kind == b).then_some(a) }).next()
}

/// Who opened the flow, told by its first packet, and whether that is not its sender: a SYN-ACK comes from the responder, and so does a
/// packet in mid-stream from a port that usually serves to one that does not (Zeek's `likely_server_ports`).
///
/// A reply of ICMP comes from whom was asked, and so does an NTP server's or passive peer's message (RFC 5905 §3, modes 4 and 2).
pub(crate) fn originator_is_receiver(p: &Packet, payload: &[u8]) -> bool {
    match p.transport {
        Transport::Tcp(t) => match t.flags & (flag::SYN | flag::ACK) {
            flag::SYN => false,
            f if f & flag::SYN != 0 => true,
            _ => serves(t.src_port, true) && !serves(t.dst_port, true),
        },
        Transport::Udp { src_port: NTP, dst_port: NTP } => matches!(payload, [first, ..] if matches!(first & 7, 2 | 4)),
        Transport::Udp { src_port, dst_port } => serves(src_port, false) && !serves(dst_port, false),
        Transport::Icmp { kind, .. } if p.src.is_v4() => matches!(kind, 0 | 14 | 16 | 18),
        Transport::Icmp { kind, .. } => matches!(kind, 129 | 140),
        _ => false,
    }
}

/// Ports that usually serve: those that Zeek's analysers register, and those of the utility protocols.
fn serves(port: u16, tcp: bool) -> bool {
    match port {
        53 | 88 | 102 | 443 | 502 | 2222 | 3268 | 4059 | 4712 | 4713 | 5060 | 5353 | 5355 | 19_999 | 20_000
        | 34_980 => true,
        44_818 | 47_808..=47_823 => true,
        20..=23 | 25 | 80 | 81 | 110 | 111 | 135 | 139 | 143 | 445 | 465 | 563 | 585 | 587 | 614 | 631 | 636 => tcp,
        389 | 853 | 989 | 990 | 992 | 993 | 995 | 1080 | 1433 | 1434 | 1883 | 2404 | 3128 | 3306 | 3389 | 4840
        | 5223 => tcp,
        5432 | 5900..=5903 | 6379 | 6666..=6669 | 8000 | 8080 | 8443 | 8883 | 8888 | 9600 | 1911 | 4911 | 18_245 => tcp,
        67 | 69 | 123 | 137 | 161 | 162 | 319 | 320 | 514 | 1812 | 1813 | 1900 | 2123 | 2152 | 3544 | 4789 => !tcp,
        5072 | 5351 | 6081 => !tcp,
        _ => false,
    }
}

/// The shard of a packet, 0 to 31: a fixed hash of the unordered innermost IP pair (MAC pair and EtherType without IP), so that parallel
/// sessions of a pair meet. DHCP goes by its transaction id, mDNS and LLMNR by port and DNS id, since their addresses differ between
/// question and answer.
pub fn shard_of(p: &Packet, payload: &[u8]) -> u8 {
    let mut bytes = [0u8; 40];
    let ends = match p.transport {
        Transport::Udp { src_port, dst_port } => by_transaction(src_port, dst_port, payload),
        _ => None,
    };
    match ends {
        Some(transaction) => bytes[..8].copy_from_slice(&transaction.to_be_bytes()),
        None => {
            let link = is_link(p);
            let (x, y) = if link { (p.link.src.padded(), p.link.dst.padded()) } else { (p.src, p.dst) };
            let (x, y) = if x <= y { (x, y) } else { (y, x) };
            bytes[..16].copy_from_slice(&x.0);
            bytes[16..32].copy_from_slice(&y.0);
            if link {
                bytes[32..34].copy_from_slice(&p.link.ethertype.to_be_bytes());
            }
        }
    }
    (xxh3_64(&bytes) & 31) as u8
}

/// What the questions and answers of one transaction share, for protocols whose addresses do not.
fn by_transaction(src_port: u16, dst_port: u16, payload: &[u8]) -> Option<u64> {
    let has = |port| src_port == port || dst_port == port;
    if has(67) || has(68) {
        let xid: [u8; 4] = payload.get(4..8)?.try_into().ok()?;
        return Some(67 << 32 | u64::from(u32::from_be_bytes(xid)));
    }
    let port = [5353u16, 5355].into_iter().find(|p| has(*p))?;
    let id: [u8; 2] = payload.get(..2)?.try_into().ok()?;
    Some(u64::from(port) << 32 | u64::from(u16::from_be_bytes(id)))
}

/// The identity that a conversation would have whose first and only packet this is: for what belongs to no flow.
pub fn constant_of(p: &Packet) -> FlowConst {
    let k = keyed(p, &[]);
    k.constant(p, k.key.uid(k.forward, p.ts, 0))
}

impl Keyed {
    /// What is constant for a flow that this packet's sender opened.
    pub(crate) fn constant(&self, p: &Packet, uid: Uid) -> FlowConst {
        FlowConst {
            uid,
            src: p.src,
            dst: p.dst,
            src_port: self.src_port,
            dst_port: self.dst_port,
            src_mac: p.link.src,
            dst_mac: p.link.dst,
            vlans: p.link.vlans,
            ip_proto: p.ip_proto,
            interface: p.interface,
            file: p.file,
        }
    }

    /// The side of this packet's sender in a flow whose originator is end `a` or not.
    #[inline]
    pub(crate) fn side(&self, orig_is_a: bool) -> Side {
        if self.forward == orig_is_a { Side::Orig } else { Side::Resp }
    }
}
