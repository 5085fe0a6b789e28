//! Tunnels over IP and over UDP. A UDP port is only a hint: what does not look like the tunnel stays plain UDP.

use crate::cursor::{Cursor, array, be16};
use crate::link::{plausible_ethernet, plausible_ipv4, plausible_ipv6};
use crate::walk::{Next, Walk};

/// Ports of VXLAN: RFC 7348, its GPE variant, and what Linux used before.
const VXLAN: [u16; 3] = [4_789, 4_790, 8_472];
const GENEVE: u16 = 6_081;
const TEREDO: u16 = 3_544;
const GTP_U: u16 = 2_152;
const GRE_IN_UDP: u16 = 4_754;
const AYIYA: u16 = 5_072;

impl Walk {
    /// IPv4 (4) or IPv6 (41) in IP of either version (RFC 2003, 2473, 4213).
    pub(crate) fn ip_in_ip(&mut self, c: &Cursor<'_>, proto: u8) -> Next {
        let name = match (self.v6, proto) {
            (false, 4) => "ipip",
            (false, _) => "6in4",
            (true, 4) => "4in6",
            (true, _) => "6in6",
        };
        let version = if proto == 4 { 4 } else { 6 };
        match c.rest().first() {
            Some(first) if first >> 4 == version => self.tunnel(name, Next::Ip),
            _ => self.broken("bad_inner_ip_version"),
        }
    }

    /// EtherIP (RFC 3378): version 3 in 16 bits, then Ethernet.
    pub(crate) fn etherip(&mut self, c: &mut Cursor<'_>) -> Next {
        if !c.rest().starts_with(&[0x30, 0]) {
            return self.opaque();
        }
        c.skip(2);
        self.tunnel("etherip", Next::Ethernet)
    }

    /// GRE (RFC 2784, 2890) and the PPTP variant (RFC 2637). What it carries and we do not know stays the payload of GRE.
    pub(crate) fn gre(&mut self, c: &mut Cursor<'_>) -> Next {
        let rest = c.rest();
        let Some([bits, version, p0, p1]) = array::<4>(rest, 0) else { return self.broken("truncated_gre") };
        let (kind, sequenced) = (u16::from_be_bytes([p0, p1]), bits & 0x10 != 0);
        if bits & 0x40 != 0 {
            return self.broken("gre_source_route");
        }
        let mut len = 4 + if bits & 0x20 != 0 { 4 } else { 0 } + if sequenced { 4 } else { 0 };
        match version & 7 {
            0 => len += if bits & 0x80 != 0 { 4 } else { 0 },
            1 if kind == 0x880b => {
                len += if version & 0x80 != 0 { 4 } else { 0 };
                return match rest.len() > len {
                    true => {
                        c.skip(len);
                        self.tunnel("pptp", Next::Ppp)
                    }
                    false => self.opaque(),
                };
            }
            _ => return self.broken("bad_gre_version"),
        }
        if rest.len() < len {
            return self.broken("truncated_gre");
        }
        let inside = rest.get(len..).unwrap_or_default();
        let (name, more, next) = match kind {
            0x0800 | 0x86dd => ("gre", 0, Next::Ip),
            0x6558 => ("gre", 0, Next::Ethernet),
            0x8847 | 0x8848 => ("gre", 0, Next::Mpls),
            // ERSPAN type I has neither sequence number nor header (draft-foschiano-erspan-03 §4).
            0x88be if !sequenced => ("erspan", 0, Next::Ethernet),
            0x88be => ("erspan", 8, Next::Ethernet),
            0x22eb => ("erspan", erspan3(inside), Next::Ethernet),
            _ => return self.opaque(),
        };
        if inside.len() <= more {
            return self.opaque();
        }
        // The switch took the tag off and put its VLAN into the header (draft-foschiano-erspan-03 §4.2): version, then twelve bits.
        let mirrored =
            be16(inside, 0).map(|word| word & 0xfff).filter(|vlan| name == "erspan" && more > 0 && *vlan != 0);
        c.skip(len + more);
        self.mirrored_vlan = mirrored.unwrap_or(0xffff);
        self.tunnel(name, next)
    }

    /// A tunnel over UDP when the port and the bytes say so; the cursor stands on the UDP payload.
    pub(crate) fn udp_tunnel(&mut self, c: &mut Cursor<'_>, src_port: u16, dst_port: u16) -> Next {
        let found = match (src_port, dst_port) {
            (_, port) if VXLAN.contains(&port) => vxlan(c.rest()),
            (_, GENEVE) => geneve(c.rest()),
            (TEREDO, _) | (_, TEREDO) => teredo(c.rest()),
            (GTP_U, _) | (_, GTP_U) => gtp_u(c.rest()),
            (_, GRE_IN_UDP) => gre_in_udp(c.rest()),
            (AYIYA, _) | (_, AYIYA) => ayiya(c.rest()),
            _ => None,
        };
        let Some((name, len, inside)) = found else { return Next::Done };
        c.skip(len);
        (self.packet.checksum_ok, self.packet.checksum_left_to_card) = (None, false);
        self.tunnel(name, inside)
    }
}

/// Length of an ERSPAN type III header: 12 bytes, 8 more when the O bit is set (draft-foschiano-erspan-03 §4.3).
fn erspan3(inside: &[u8]) -> usize {
    if inside.get(11).is_some_and(|b| b & 1 == 1) { 20 } else { 12 }
}

/// VXLAN (RFC 7348 §5) with the I bit, or GPE (draft-ietf-nvo3-vxlan-gpe) with a next protocol.
fn vxlan(rest: &[u8]) -> Option<(&'static str, usize, Next)> {
    let [flags, _, _, next, _, _, _, 0] = array::<8>(rest, 0)? else { return None };
    let inside = rest.get(8..)?;
    let (ok, what) = match (flags & 0x08 != 0, flags & 0x04 != 0, next) {
        (true, false, _) | (true, true, 3) => (plausible_ethernet(inside), Next::Ethernet),
        (true, true, 1) => (plausible_ipv4(inside), Next::Ip),
        (true, true, 2) => (plausible_ipv6(inside), Next::Ip),
        _ => return None,
    };
    ok.then_some(("vxlan", 8, what))
}

/// GENEVE (RFC 8926 §3.4), version 0.
fn geneve(rest: &[u8]) -> Option<(&'static str, usize, Next)> {
    let [first, _, p0, p1, _, _, _, 0] = array::<8>(rest, 0)? else { return None };
    let len = 8 + usize::from(first & 0x3f) * 4;
    let inside = rest.get(len..)?;
    let (ok, what) = match u16::from_be_bytes([p0, p1]) {
        0x6558 => (plausible_ethernet(inside), Next::Ethernet),
        0x0800 => (plausible_ipv4(inside), Next::Ip),
        0x86dd => (plausible_ipv6(inside), Next::Ip),
        _ => return None,
    };
    (first >> 6 == 0 && ok).then_some(("geneve", len, what))
}

/// Teredo (RFC 4380 §5.1.1): optional authentication and origin, then an IPv6 packet that fills the datagram exactly.
fn teredo(rest: &[u8]) -> Option<(&'static str, usize, Next)> {
    let mut len = 0;
    if let Some([0, 1, client, value]) = array::<4>(rest, len) {
        len += 13 + usize::from(client) + usize::from(value);
    }
    if rest.get(len..)?.starts_with(&[0, 0]) {
        len += 8;
    }
    let inside = rest.get(len..)?;
    let said = usize::from(be16(inside, 4)?) + 40;
    let teredo_or_local = |at| matches!(array::<4>(inside, at), Some([0x20, 0x01, 0, 0] | [0xfe, 0x80, _, _]));
    let ok = plausible_ipv6(inside) && said == inside.len() && (teredo_or_local(8) || teredo_or_local(24));
    ok.then_some(("teredo", len, Next::Ip))
}

/// GTP-U version 1 (3GPP TS 29.281 §5.1): a G-PDU, its optional fields and extension headers, then IP.
fn gtp_u(rest: &[u8]) -> Option<(&'static str, usize, Next)> {
    let [flags, 255, ..] = array::<8>(rest, 0)? else { return None };
    if flags & 0xf0 != 0x30 {
        return None;
    }
    let mut len = 8;
    if flags & 7 != 0 {
        let mut next = *rest.get(11)?;
        len = 12;
        while flags & 4 != 0 && next != 0 {
            let size = usize::from(*rest.get(len)?) * 4;
            next = *rest.get(len + size.checked_sub(1)?)?;
            len += size;
        }
    }
    let inside = rest.get(len..)?;
    (plausible_ipv4(inside) || plausible_ipv6(inside)).then_some(("gtp", len, Next::Ip))
}

/// GRE over UDP (RFC 8086): version 0, nothing reserved set, and inside what the protocol says.
fn gre_in_udp(rest: &[u8]) -> Option<(&'static str, usize, Next)> {
    let [bits, 0, p0, p1] = array::<4>(rest, 0)? else { return None };
    if bits & 0x4f != 0 {
        return None;
    }
    let len = 4 + [0x80, 0x20, 0x10].iter().filter(|bit| bits & **bit != 0).count() * 4;
    let inside = rest.get(len..)?;
    let (ok, what) = match u16::from_be_bytes([p0, p1]) {
        0x6558 => (plausible_ethernet(inside), Next::Ethernet),
        0x0800 => (plausible_ipv4(inside), Next::Ip),
        0x86dd => (plausible_ipv6(inside), Next::Ip),
        _ => return None,
    };
    ok.then_some(("gre", len, what))
}

/// AYIYA (draft-massar-v6ops-ayiya-02 §3): sizes of identity and signature, operation 1 forwards, next header, epoch time.
fn ayiya(rest: &[u8]) -> Option<(&'static str, usize, Next)> {
    let [identity, signature, operation, next] = array::<4>(rest, 0)?;
    let len = 8 + (1_usize << (identity >> 4)) + usize::from(signature >> 4) * 4;
    let inside = rest.get(len..)?;
    let ok = match next {
        4 => plausible_ipv4(inside),
        41 => plausible_ipv6(inside),
        _ => false,
    };
    (operation & 0x0f == 1 && ok).then_some(("ayiya", len, Next::Ip))
}
