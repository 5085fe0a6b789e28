//! TCP, UDP and ICMP headers, and what other IP protocol numbers lead to.

use crate::checksum;
use crate::cursor::{Cursor, array, be16};
use crate::walk::{Next, Walk};
use crate::{Tcp, Transport};

impl Walk {
    /// What an IP protocol number announces.
    pub(crate) fn proto(&mut self, c: &mut Cursor<'_>, proto: u8) -> Next {
        self.packet.ip_proto = proto;
        match proto {
            6 => self.tcp(c),
            17 => self.udp(c),
            1 if !self.v6 => self.icmp(c),
            58 if self.v6 => self.icmp(c),
            0 | 43 | 44 | 60 | 135 | 139 | 140 if self.v6 => self.extension(c, proto),
            51 => self.extension(c, proto),
            4 | 41 => self.ip_in_ip(c, proto),
            47 => self.gre(c),
            97 => self.etherip(c),
            137 => Next::Mpls,
            143 => self.tunnel("ethernet", Next::Ethernet),
            _ => self.opaque(),
        }
    }

    /// TCP (RFC 9293 §3.1).
    fn tcp(&mut self, c: &mut Cursor<'_>) -> Next {
        let rest = c.rest();
        let Some(h) = array::<20>(rest, 0) else {
            return self.broken(if c.said() < 20 { "bad_tcp_length" } else { "truncated_tcp" });
        };
        let header_len = usize::from(h[12] >> 4) * 4;
        if header_len < 20 || header_len > c.said() {
            return self.broken("bad_tcp_offset");
        }
        let mut tcp = Tcp {
            src_port: u16::from_be_bytes([h[0], h[1]]),
            dst_port: u16::from_be_bytes([h[2], h[3]]),
            seq: u32::from_be_bytes([h[4], h[5], h[6], h[7]]),
            ack: u32::from_be_bytes([h[8], h[9], h[10], h[11]]),
            flags: h[13],
            window: u16::from_be_bytes([h[14], h[15]]),
            urgent: u16::from_be_bytes([h[18], h[19]]),
            window_scale: None,
            mss: None,
            timestamps: None,
            options_len: (header_len - 20) as u8,
        };
        if let Some(options) = rest.get(20..header_len)
            && !tcp_options(&mut tcp, options)
        {
            self.anomalies.push("bad_tcp_options");
        }
        self.verify_transport(c, 6);
        self.packet.transport = Transport::Tcp(tcp);
        self.packet.payload_len = (c.said() - header_len) as u32;
        c.skip(header_len);
        Next::Done
    }

    /// UDP (RFC 768). A length of zero is that of a jumbogram (RFC 2675 §4).
    fn udp(&mut self, c: &mut Cursor<'_>) -> Next {
        let Some([s0, s1, d0, d1, l0, l1, k0, k1]) = array::<8>(c.rest(), 0) else {
            return self.broken(if c.said() < 8 { "bad_udp_length" } else { "truncated_udp" });
        };
        match usize::from(u16::from_be_bytes([l0, l1])) {
            0 if c.said() > 0xffff => {}
            len if len < 8 || len > c.said() => self.anomalies.push("bad_udp_length"),
            len => c.cap(len),
        }
        if [k0, k1] != [0, 0] || self.v6 {
            self.verify_transport(c, 17);
        }
        let (src_port, dst_port) = (u16::from_be_bytes([s0, s1]), u16::from_be_bytes([d0, d1]));
        self.packet.transport = Transport::Udp { src_port, dst_port };
        self.packet.payload_len = (c.said() - 8) as u32;
        c.skip(8);
        self.udp_tunnel(c, src_port, dst_port)
    }

    /// ICMP (RFC 792) or ICMPv6 (RFC 4443): type, code, checksum.
    fn icmp(&mut self, c: &mut Cursor<'_>) -> Next {
        let Some([kind, code, ..]) = array::<4>(c.rest(), 0) else {
            return self.broken(if c.said() < 4 { "bad_icmp_length" } else { "truncated_icmp" });
        };
        self.verify_transport(c, self.packet.ip_proto);
        self.packet.transport = Transport::Icmp { kind, code };
        self.packet.payload_len = (c.said() - 4) as u32;
        c.skip(4);
        Next::Done
    }

    fn verify_transport(&mut self, c: &Cursor<'_>, proto: u8) {
        (self.packet.checksum_ok, self.packet.checksum_left_to_card) = (None, false);
        if !self.verify || !c.is_whole() || !self.pseudo {
            return;
        }
        let (src, dst) = (&self.packet.src, &self.packet.dst);
        let right = match proto {
            1 => checksum::is_right(c.rest()),
            _ => checksum::is_right_under(src, dst, proto, c.rest()),
        };
        self.packet.checksum_ok = Some(right);
        let field = be16(c.rest(), 16).filter(|_| proto == 6 && !right);
        self.packet.checksum_left_to_card =
            field.is_some_and(|f| checksum::is_left_to_card(src, dst, proto, c.said(), f));
    }
}

/// Reads the options that matter (RFC 9293 §3.2, RFC 7323 §2); false when their lengths do not add up.
fn tcp_options(tcp: &mut Tcp, mut options: &[u8]) -> bool {
    while let [kind, rest @ ..] = options {
        if *kind == 0 {
            return true;
        }
        if *kind == 1 {
            options = rest;
            continue;
        }
        let Some(len) = rest.first().map(|n| usize::from(*n)).filter(|n| *n >= 2) else { return false };
        let Some(body) = options.get(2..len) else { return false };
        match (kind, body) {
            (2, [_, _]) => tcp.mss = be16(body, 0),
            (3, [scale]) => tcp.window_scale = Some(*scale),
            (8, [a, b, c, d, e, f, g, h]) => {
                tcp.timestamps = Some([[*a, *b, *c, *d], [*e, *f, *g, *h]].map(u32::from_be_bytes));
            }
            (2 | 3 | 8, _) => return false,
            _ => {}
        }
        options = options.get(len..).unwrap_or_default();
    }
    true
}
