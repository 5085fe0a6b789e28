//! The walk through the headers of one frame, from the outside in.

use capture::{Frame, LinkType};
use gwcore::{Addr, Mac};

use crate::cursor::Cursor;
use crate::{Anomalies, Link, Packet, Transport};

/// What comes next, or how the walk ended. Every step passes over bytes, turns to another layer's rules, or ends.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Next {
    /// An Ethernet header.
    Ethernet,
    /// What this EtherType announces.
    Ethertype(u16),
    /// An IEEE 802.2 LLC header.
    Llc,
    /// An MPLS label stack.
    Mpls,
    /// A PPP protocol field.
    Ppp,
    /// IP of either version.
    Ip,
    /// What this IP protocol number announces.
    Proto(u8),
    /// The end: the cursor stands on the payload.
    Done,
    /// The end: the cursor stands on the bytes of a fragment, which `Walk::piece` describes.
    Fragment,
    /// The end: more tunnels than the limit.
    TooDeep,
    /// The end: nothing can be said about the frame.
    Undecoded(&'static str),
}

/// An IP fragment.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Piece {
    pub src: Addr,
    pub dst: Addr,
    pub vlans: [u16; 2],
    pub id: u32,
    pub v6: bool,
    /// Protocol of IPv4, next header of the fragment header of IPv6.
    pub proto: u8,
    /// Place in the datagram in bytes.
    pub offset: u32,
    /// More fragments follow.
    pub more: bool,
    /// Not all of it was captured.
    pub cut: bool,
    /// Bytes of IP header before the fragment's bytes.
    pub header_len: u32,
}

/// The outermost IP packet of a frame and the MACs around it.
pub(crate) struct FirstIp {
    pub mac_src: Mac,
    pub mac_dst: Mac,
    pub start: usize,
    pub end: usize,
}

/// State of the walk.
pub(crate) struct Walk {
    pub packet: Packet,
    pub anomalies: Anomalies,
    /// Whether the link names a station or a line, so that a frame without IP is still a packet.
    pub has_link: bool,
    pub first_ip: Option<FirstIp>,
    /// The fragment that the walk ended at.
    pub piece: Option<Piece>,
    pub(crate) verify: bool,
    /// Whether the innermost IP packet is IPv6.
    pub(crate) v6: bool,
    /// Whether the pseudo header can be computed from the addresses (not under a routing header with segments left).
    pub(crate) pseudo: bool,
    /// Extension headers passed in the innermost IP packet.
    pub(crate) extensions: u8,
    /// Length of the innermost IP header with its extension headers so far.
    pub(crate) header_len: u32,
    depth: usize,
    /// A tunnel header was read; it counts once the header inside is valid.
    pending: Option<&'static str>,
    /// The VLAN that a mirror took off the frame inside, 0xffff for none.
    pub(crate) mirrored_vlan: u16,
}

impl Walk {
    pub fn new(frame: &Frame<'_>, verify: bool, depth: usize) -> Walk {
        Walk {
            packet: Packet {
                seq: frame.seq,
                ts: frame.ts,
                file: frame.file,
                number: frame.number,
                interface: frame.interface,
                wire_len: frame.wire_len,
                link: Link::default(),
                src: Addr::NONE,
                dst: Addr::NONE,
                ip_proto: 0,
                ttl: 0,
                ip_id: 0,
                ip_len: 0,
                transport: Transport::None,
                payload_len: 0,
                checksum_ok: None,
                checksum_left_to_card: false,
                twin: false,
                tunnels: 0,
                tunnel: "",
                outer: None,
                fragments: 0,
            },
            anomalies: Anomalies::default(),
            has_link: false,
            first_ip: None,
            piece: None,
            verify,
            v6: false,
            pseudo: true,
            extensions: 0,
            header_len: 0,
            depth,
            pending: None,
            mirrored_vlan: 0xffff,
        }
    }

    /// Walks a frame of this link type.
    pub fn start(&mut self, link: LinkType, c: &mut Cursor<'_>) -> Next {
        let first = self.link_header(link, c);
        self.run(c, first)
    }

    /// Walks from `next` to the end.
    pub fn run(&mut self, c: &mut Cursor<'_>, mut next: Next) -> Next {
        loop {
            next = match next {
                Next::Ethernet => self.ethernet(c),
                Next::Ethertype(kind) => self.ethertype(c, kind),
                Next::Llc => self.llc(c),
                Next::Mpls => self.mpls(c),
                Next::Ppp => self.ppp(c),
                Next::Ip => self.ip(c),
                Next::Proto(proto) => self.proto(c, proto),
                Next::Done => {
                    if self.packet.transport == Transport::None || self.packet.transport == Transport::Other {
                        self.packet.payload_len = c.said() as u32;
                    }
                    return Next::Done;
                }
                end => return end,
            };
        }
    }

    /// Goes on with a datagram put together from fragments.
    pub fn join(&mut self, piece: &Piece, fragments: u16, len: usize) {
        self.packet.fragments = fragments;
        self.packet.ip_len = piece.header_len.saturating_add(len as u32);
    }

    /// A tunnel header called `name` was read; what is inside follows.
    pub fn tunnel(&mut self, name: &'static str, inside: Next) -> Next {
        if self.pending.is_some() && !self.enter() {
            return Next::TooDeep;
        }
        self.pending = Some(name);
        inside
    }

    /// The header inside a tunnel is valid: the tunnel counts. False when there are too many.
    pub fn enter(&mut self) -> bool {
        let Some(name) = self.pending.take() else { return true };
        if usize::from(self.packet.tunnels) >= self.depth {
            return false;
        }
        self.packet.tunnels = self.packet.tunnels.saturating_add(1);
        if self.packet.tunnel.is_empty() {
            self.packet.tunnel = name;
        }
        if self.packet.outer.is_none() && !self.packet.src.is_none() {
            self.packet.outer = Some((self.packet.src, self.packet.dst));
        }
        true
    }

    /// The next header is broken: the payload begins there, as that of the layer before.
    pub fn broken(&mut self, reason: &'static str) -> Next {
        self.anomalies.push(reason);
        self.opaque()
    }

    /// The next header is unknown: the payload begins there, as that of the layer before.
    pub fn opaque(&mut self) -> Next {
        self.pending = None;
        self.packet.transport = if self.packet.ip_len > 0 { Transport::Other } else { Transport::None };
        Next::Done
    }

    /// Forgets the IP header outside, for a frame inside a tunnel.
    pub fn leave_ip(&mut self) {
        let p = &mut self.packet;
        (p.src, p.dst, p.ip_proto, p.ttl, p.ip_id, p.ip_len) = (Addr::NONE, Addr::NONE, 0, 0, 0, 0);
        p.transport = Transport::None;
    }
}
