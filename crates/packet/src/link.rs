//! Link headers: Ethernet with its tags and trailers, LLC, cooked, loopback, PPP, frame relay, PPPoE, MPLS and RTAC serial.

use capture::LinkType;
use gwcore::Mac;

use crate::cursor::{Cursor, array, be16, be32};
use crate::walk::{Next, Walk};
use crate::{Link, Redundancy};

/// Length of the PRP redundancy control trailer (IEC 62439-3 §4.2.7).
const PRP_TRAILER: usize = 6;
/// Tags of port extenders: Cisco's VN-Tag (four bytes) and the E-Tag (IEEE 802.1BR §7.5, six bytes).
const VN_TAG: u16 = 0x8926;
const E_TAG: u16 = 0x893f;
/// Hardware types of Linux cooked capture whose addresses are MACs: Ethernet and loopback.
const ARPHRD_MAC: [u16; 2] = [1, 772];

impl Walk {
    /// The header that this link type begins with.
    pub(crate) fn link_header(&mut self, link: LinkType, c: &mut Cursor<'_>) -> Next {
        match link {
            LinkType::ETHERNET => Next::Ethernet,
            LinkType::RAW | LinkType::RAW_BSD | LinkType::RAW_OPENBSD | LinkType::IPV4 | LinkType::IPV6 => Next::Ip,
            LinkType::NULL | LinkType::LOOP => self.loopback(c),
            LinkType::PPP | LinkType::PPP_HDLC | LinkType::CISCO_HDLC => self.ppp_frame(c),
            LinkType::FRAME_RELAY => self.frame_relay(c),
            LinkType::NFLOG => self.nflog(c),
            LinkType::LINUX_SLL => self.cooked(c),
            LinkType::LINUX_SLL2 => self.cooked2(c),
            LinkType::RTAC_SERIAL => self.rtac(c),
            LinkType::IEEE802_11 => self.wlan(c),
            LinkType::RADIOTAP => self.radiotap(c),
            _ => Next::Undecoded("unsupported_link_type"),
        }
    }

    /// Ethernet II or IEEE 802.3, on the wire or in a tunnel.
    pub(crate) fn ethernet(&mut self, c: &mut Cursor<'_>) -> Next {
        let Some([d0, d1, d2, d3, d4, d5, s0, s1, s2, s3, s4, s5, kind @ ..]) = array::<14>(c.rest(), 0) else {
            let inside = self.packet.ip_len > 0 || self.has_link;
            return if inside { self.broken("truncated_ethernet") } else { Next::Undecoded("truncated_ethernet") };
        };
        if !self.enter() {
            return Next::TooDeep;
        }
        self.leave_ip();
        self.has_link = true;
        let (src, dst) = (Mac([s0, s1, s2, s3, s4, s5]), Mac([d0, d1, d2, d3, d4, d5]));
        self.packet.link = Link { src, dst, ..Link::default() };
        self.packet.link.vlans[0] = std::mem::replace(&mut self.mirrored_vlan, 0xffff);
        c.skip(14);
        Next::Ethertype(u16::from_be_bytes(kind))
    }

    /// What an EtherType (or a length below 1501) announces.
    pub(crate) fn ethertype(&mut self, c: &mut Cursor<'_>, kind: u16) -> Next {
        match kind {
            0x8100 | 0x88a8 | 0x9100 => return self.vlan(c, kind),
            0x892f => return self.hsr(c),
            VN_TAG => return self.port_tag(c, kind, 4),
            E_TAG => return self.port_tag(c, kind, 6),
            0..=1_500 => {
                self.prp(c, kind);
                c.cap(usize::from(kind));
                return Next::Llc;
            }
            _ => {}
        }
        self.packet.link.ethertype = kind;
        self.prp(c, kind);
        match kind {
            0x0800 | 0x86dd => Next::Ip,
            0x8847 | 0x8848 => Next::Mpls,
            0x8864 => self.pppoe(c),
            _ => self.opaque(),
        }
    }

    fn vlan(&mut self, c: &mut Cursor<'_>, kind: u16) -> Next {
        let Some([t0, t1, inner @ ..]) = array::<4>(c.rest(), 0) else {
            self.packet.link.ethertype = kind;
            return self.broken("truncated_vlan");
        };
        let tag = u16::from_be_bytes([t0, t1]);
        let link = &mut self.packet.link;
        link.pcp = (tag >> 13) as u8;
        // VID 0 carries a priority alone: the frame belongs to no VLAN by its tag (IEEE 802.1Q §9.6).
        if tag & 0xfff != 0 {
            let [outer, innermost] = &mut link.vlans;
            *(if *outer == 0xffff { outer } else { innermost }) = tag & 0xfff;
        }
        c.skip(4);
        Next::Ethertype(u16::from_be_bytes(inner))
    }

    /// The tag of a port extender names a virtual port and no VLAN: it is passed over.
    fn port_tag(&mut self, c: &mut Cursor<'_>, kind: u16, len: usize) -> Next {
        let Some(inner) = be16(c.rest(), len) else {
            self.packet.link.ethertype = kind;
            return self.broken("truncated_port_tag");
        };
        c.skip(len + 2);
        Next::Ethertype(inner)
    }

    /// HSR tag (IEC 62439-3 §5.7.1): path and size, sequence number, the EtherType of the frame.
    fn hsr(&mut self, c: &mut Cursor<'_>) -> Next {
        let Some([path, _, s0, s1, inner @ ..]) = array::<6>(c.rest(), 0) else {
            self.packet.link.ethertype = 0x892f;
            return self.broken("truncated_hsr");
        };
        let seq = u16::from_be_bytes([s0, s1]);
        self.packet.link.redundancy = Some(Redundancy { hsr: true, lan: path >> 4, seq });
        c.skip(6);
        Next::Ethertype(u16::from_be_bytes(inner))
    }

    /// Takes a PRP trailer off: suffix 0x88fb, LAN A or B, and a size that agrees (senders differ in whether VLAN tags count).
    ///
    /// An IP packet that by its own length reaches into the last six bytes has no trailer, whatever they look like.
    fn prp(&mut self, c: &mut Cursor<'_>, kind: u16) {
        let rest = c.rest();
        let Some(at) = rest.len().checked_sub(PRP_TRAILER).filter(|_| c.is_whole()) else { return };
        let Some([s0, s1, z0, z1, 0x88, 0xfb]) = array::<6>(rest, at) else { return };
        let size = usize::from(u16::from_be_bytes([z0 & 0x0f, z1]));
        let lan = z0 >> 4;
        let claimed = match kind {
            0x0800 => be16(rest, 2).map_or(0, usize::from),
            0x86dd => be16(rest, 4).map_or(0, |n| usize::from(n) + 40),
            0..=1_500 => usize::from(kind),
            _ => 0,
        };
        let sizes = [rest.len(), rest.len() + 4, rest.len() + 8];
        if !matches!(lan, 0xa | 0xb) || !sizes.contains(&size) || claimed > at {
            return;
        }
        self.packet.link.redundancy = Some(Redundancy { hsr: false, lan, seq: u16::from_be_bytes([s0, s1]) });
        c.drop_tail(PRP_TRAILER);
    }

    /// IEEE 802.2 LLC; SNAP with organisation zero is unwrapped to its EtherType.
    pub(crate) fn llc(&mut self, c: &mut Cursor<'_>) -> Next {
        let rest = c.rest();
        let Some([dsap, ssap, control]) = array::<3>(rest, 0) else { return self.broken("truncated_llc") };
        self.packet.link.llc = [dsap, ssap];
        self.packet.link.ethertype = 0;
        if (dsap, ssap, control) == (0xaa, 0xaa, 3)
            && let Some([0, 0, 0 | 0xf8, kind @ ..]) = array::<5>(rest, 3)
            && u16::from_be_bytes(kind) > 1_500
        {
            c.skip(8);
            return Next::Ethertype(u16::from_be_bytes(kind));
        }
        // Unnumbered frames have one control byte, the others two (IEEE 802.2 §5.3).
        c.skip(if control & 3 == 3 { 3 } else { 4 });
        self.opaque()
    }

    /// BSD loopback: the address family in the byte order of whoever wrote it.
    fn loopback(&mut self, c: &mut Cursor<'_>) -> Next {
        let Some(word) = be32(c.rest(), 0) else { return Next::Undecoded("truncated_loopback") };
        let family = if word > 0xffff { word.swap_bytes() } else { word };
        c.skip(4);
        match family {
            2 | 10 | 24 | 28 | 30 => Next::Ip,
            _ => Next::Undecoded("unknown_address_family"),
        }
    }

    /// Linux cooked capture v1: packet type, hardware type, address length, address, protocol.
    fn cooked(&mut self, c: &mut Cursor<'_>) -> Next {
        let rest = c.rest();
        let (Some(hardware), Some(address), Some(kind)) = (be16(rest, 2), array::<6>(rest, 6), be16(rest, 14)) else {
            return Next::Undecoded("truncated_cooked");
        };
        let len = be16(rest, 4).unwrap_or(0);
        c.skip(16);
        self.cooked_body(hardware, len, address, kind)
    }

    /// Linux cooked capture v2: protocol first, then interface, hardware type, packet type, address length and address.
    fn cooked2(&mut self, c: &mut Cursor<'_>) -> Next {
        let rest = c.rest();
        let (Some(kind), Some(hardware), Some(address), Some(_)) =
            (be16(rest, 0), be16(rest, 8), array::<6>(rest, 12), array::<20>(rest, 0))
        else {
            return Next::Undecoded("truncated_cooked");
        };
        let len = u16::from(rest.get(11).copied().unwrap_or(0));
        c.skip(20);
        self.cooked_body(hardware, len, address, kind)
    }

    fn cooked_body(&mut self, hardware: u16, len: u16, address: [u8; 6], kind: u16) -> Next {
        if ARPHRD_MAC.contains(&hardware) && len == 6 {
            self.packet.link.src = Mac(address);
            self.has_link = !self.packet.link.src.is_none();
        }
        match kind {
            0x0004 => Next::Llc,
            0..=1_500 => Next::Undecoded("unsupported_cooked_protocol"),
            kind => Next::Ethertype(kind),
        }
    }

    /// A PPP link: HDLC address and control (RFC 1662) or the Cisco header before an EtherType may come first.
    fn ppp_frame(&mut self, c: &mut Cursor<'_>) -> Next {
        match array::<4>(c.rest(), 0) {
            Some([0x0f | 0x8f, 0, kind @ ..]) => {
                c.skip(4);
                Next::Ethertype(u16::from_be_bytes(kind))
            }
            _ => Next::Ppp,
        }
    }

    /// Frame relay: an address of two to four bytes, then a network layer id (RFC 2427 §4) or Cisco's EtherType.
    fn frame_relay(&mut self, c: &mut Cursor<'_>) -> Next {
        let address = c.rest().iter().take(4).position(|b| b & 1 == 1);
        let Some(address) = address.filter(|last| *last > 0) else { return Next::Undecoded("bad_frame_relay_address") };
        c.skip(address + 1);
        if c.rest().first() != Some(&3) {
            let Some(kind) = be16(c.rest(), 0) else { return Next::Undecoded("truncated_frame_relay") };
            c.skip(2);
            return if kind > 1_500 { Next::Ethertype(kind) } else { self.opaque() };
        }
        // A byte of padding may follow the control byte.
        c.skip(if c.rest().get(1) == Some(&0) { 2 } else { 1 });
        match *c.rest() {
            [0xcc | 0x8e, ..] => {
                c.skip(1);
                Next::Ip
            }
            [0x80, 0, 0, 0, k0, k1, ..] => {
                c.skip(6);
                Next::Ethertype(u16::from_be_bytes([k0, k1]))
            }
            // A bridged Ethernet frame, with its check sequence at the end or without.
            [0x80, 0, 0x80, 0xc2, 0, 1 | 7, ..] => {
                c.skip(6);
                Next::Ethernet
            }
            _ => self.opaque(),
        }
    }

    /// PPP (RFC 1661): a protocol of two bytes, or of one when that is odd.
    pub(crate) fn ppp(&mut self, c: &mut Cursor<'_>) -> Next {
        if c.rest().starts_with(&[0xff, 0x03]) {
            c.skip(2);
        }
        let rest = c.rest();
        let (proto, len) = match (rest.first(), be16(rest, 0)) {
            (Some(odd), _) if odd & 1 == 1 => (u16::from(*odd), 1),
            (_, Some(proto)) => (proto, 2),
            _ => return self.broken("truncated_ppp"),
        };
        match proto {
            0x21 | 0x57 => {
                c.skip(len);
                Next::Ip
            }
            0x281 | 0x283 => {
                c.skip(len);
                Next::Mpls
            }
            _ => self.opaque(),
        }
    }

    /// PPPoE session (RFC 2516 §4): version and type 1, code 0, session, length.
    fn pppoe(&mut self, c: &mut Cursor<'_>) -> Next {
        let Some([0x11, 0, _, _, l0, l1]) = array::<6>(c.rest(), 0) else { return self.broken("bad_pppoe_header") };
        c.skip(6);
        c.cap(usize::from(u16::from_be_bytes([l0, l1])));
        self.tunnel("pppoe", Next::Ppp)
    }

    /// MPLS label stack (RFC 3032), then IP by its first nibble, or an Ethernet pseudowire (RFC 4448) with or without control word.
    pub(crate) fn mpls(&mut self, c: &mut Cursor<'_>) -> Next {
        loop {
            let Some([_, _, bottom, _]) = array::<4>(c.rest(), 0) else { return self.broken("truncated_mpls") };
            c.skip(4);
            if bottom & 1 == 1 {
                break;
            }
        }
        let rest = c.rest();
        match rest.first().map(|b| b >> 4) {
            Some(4) if plausible_ipv4(rest) => self.tunnel("mpls", Next::Ip),
            Some(6) if plausible_ipv6(rest) => self.tunnel("mpls", Next::Ip),
            Some(0) if rest.get(4..).is_some_and(plausible_ethernet) => {
                c.skip(4);
                self.tunnel("mpls", Next::Ethernet)
            }
            _ if plausible_ethernet(rest) => self.tunnel("mpls", Next::Ethernet),
            _ => self.broken("unknown_mpls_payload"),
        }
    }

    /// RTAC serial: time stamps, event type, control lines, two bytes of padding, then bytes of the line.
    fn rtac(&mut self, c: &mut Cursor<'_>) -> Next {
        let Some([_, _, _, _, _, _, _, _, event, ..]) = array::<12>(c.rest(), 0) else {
            return Next::Undecoded("truncated_rtac");
        };
        self.packet.link.rtac = Some(event);
        self.has_link = true;
        c.skip(12);
        self.opaque()
    }
}

/// Whether these bytes can begin an IPv4 packet.
pub(crate) fn plausible_ipv4(rest: &[u8]) -> bool {
    let Some([first, _, l0, l1, ..]) = array::<20>(rest, 0) else { return false };
    let (header, total) = (usize::from(first & 15) * 4, usize::from(u16::from_be_bytes([l0, l1])));
    first >> 4 == 4 && header >= 20 && header <= rest.len() && total >= header
}

/// Whether these bytes can begin an IPv6 packet.
pub(crate) fn plausible_ipv6(rest: &[u8]) -> bool {
    array::<40>(rest, 0).is_some_and(|[first, ..]| first >> 4 == 6)
}

/// Whether these bytes can begin an Ethernet frame: an EtherType that is common inside tunnels, or a length that fits.
pub(crate) fn plausible_ethernet(rest: &[u8]) -> bool {
    let Some(kind) = be16(rest, 12) else { return false };
    match kind {
        0x0800 | 0x86dd | 0x0806 | 0x8100 | 0x88a8 | 0x8847 | 0x8864 | 0x8863 | 0x88cc | 0x88b8 | 0x88ba | 0x892f
        | VN_TAG | E_TAG => true,
        0..=1_500 => usize::from(kind) >= 3 && usize::from(kind) <= rest.len().saturating_sub(14),
        _ => false,
    }
}
