//! IPv4 and IPv6 with options and extension headers.

use gwcore::Addr;

use crate::checksum;
use crate::cursor::{Cursor, array};
use crate::walk::{FirstIp, Next, Piece, Walk};

/// Extension headers passed in one IPv6 packet; a longer chain is left as it is (RFC 8200 §4.1 names at most 8).
const MAX_EXTENSIONS: u8 = 16;

impl Walk {
    /// IP of the version that the first nibble says.
    pub(crate) fn ip(&mut self, c: &mut Cursor<'_>) -> Next {
        match c.rest().first().map(|b| b >> 4) {
            Some(4) => self.ipv4(c),
            Some(6) => self.ipv6(c),
            Some(_) => self.broken("bad_ip_version"),
            None => self.broken("truncated_ip"),
        }
    }

    /// IPv4 (RFC 791). A total length of zero comes from segmentation offload: the packet reaches to the end of the frame.
    fn ipv4(&mut self, c: &mut Cursor<'_>) -> Next {
        let rest = c.rest();
        let Some(h) = array::<20>(rest, 0) else { return self.broken("truncated_ipv4") };
        let header_len = usize::from(h[0] & 15) * 4;
        let total = match usize::from(u16::from_be_bytes([h[2], h[3]])) {
            0 => c.said(),
            total => total,
        };
        if header_len < 20 {
            return self.broken("bad_ipv4_header_length");
        }
        let Some(header) = rest.get(..header_len) else { return self.broken("truncated_ipv4") };
        if total < header_len {
            return self.broken("bad_ipv4_length");
        }
        if total > c.said() {
            self.anomalies.push("ipv4_length_beyond_frame");
        }
        // A checksum of zero is what checksum offload leaves in packets captured on their sender.
        if self.verify && [h[10], h[11]] != [0, 0] && !checksum::is_right(header) {
            self.anomalies.push("bad_ipv4_checksum");
        }
        if let Some(options) = header.get(20..).filter(|o| !o.is_empty()) {
            self.ipv4_options(options);
        }
        let src = Addr::v4([h[12], h[13], h[14], h[15]]);
        let dst = Addr::v4([h[16], h[17], h[18], h[19]]);
        c.cap(total);
        if !self.enter_ip(c, src, dst, false, header_len, total) {
            return Next::TooDeep;
        }
        self.packet.ttl = h[8];
        self.packet.ip_id = u16::from_be_bytes([h[4], h[5]]);
        self.packet.ip_proto = h[9];
        c.skip(header_len);
        let fragment = u16::from_be_bytes([h[6], h[7]]);
        if fragment & 0x3fff == 0 {
            return Next::Proto(h[9]);
        }
        let id = u32::from(self.packet.ip_id);
        self.fragment(c, h[9], id, u32::from(fragment & 0x1fff) * 8, fragment & 0x2000 != 0)
    }

    /// Options (RFC 791 §3.1): the lengths must add up; source routes are named.
    fn ipv4_options(&mut self, mut options: &[u8]) {
        while let [kind, rest @ ..] = options {
            options = match (kind, rest) {
                (0, _) => return,
                (1, rest) => rest,
                (kind, [len, ..]) if *len >= 2 && usize::from(*len) <= options.len() => {
                    if matches!(kind, 0x83 | 0x89) {
                        self.anomalies.push("ipv4_source_route");
                    }
                    options.get(usize::from(*len)..).unwrap_or_default()
                }
                _ => return self.anomalies.push("bad_ipv4_options"),
            };
        }
    }

    /// IPv6 (RFC 8200). A payload length of zero is a jumbogram (RFC 2675) or offload: the packet reaches to the end of the frame.
    fn ipv6(&mut self, c: &mut Cursor<'_>) -> Next {
        let Some(h) = array::<40>(c.rest(), 0) else { return self.broken("truncated_ipv6") };
        let total = match usize::from(u16::from_be_bytes([h[4], h[5]])) {
            0 if h[6] != 59 => c.said(),
            len => len + 40,
        };
        if total > c.said() {
            self.anomalies.push("ipv6_length_beyond_frame");
        }
        let (src, dst) = (array(&h, 8).unwrap_or_default(), array(&h, 24).unwrap_or_default());
        c.cap(total);
        if !self.enter_ip(c, Addr(src), Addr(dst), true, 40, total) {
            return Next::TooDeep;
        }
        self.packet.ttl = h[7];
        self.packet.ip_id = 0;
        c.skip(40);
        if h[6] == 0 { self.extension(c, 0) } else { Next::Proto(h[6]) }
    }

    fn enter_ip(&mut self, c: &Cursor<'_>, src: Addr, dst: Addr, v6: bool, header_len: usize, total: usize) -> bool {
        if !self.enter() {
            return false;
        }
        if self.first_ip.is_none() {
            let (start, end) = c.range();
            let link = &self.packet.link;
            self.first_ip = Some(FirstIp { mac_src: link.src, mac_dst: link.dst, start, end });
        }
        (self.packet.src, self.packet.dst) = (src, dst);
        self.packet.ip_len = u32::try_from(total).unwrap_or(u32::MAX);
        self.packet.transport = crate::Transport::Other;
        (self.v6, self.pseudo, self.extensions, self.header_len) = (v6, true, 0, header_len as u32);
        true
    }

    /// An extension header of IPv6 (RFC 8200 §4), or AH of either version (RFC 4302): next header, length, body.
    pub(crate) fn extension(&mut self, c: &mut Cursor<'_>, proto: u8) -> Next {
        self.packet.ip_proto = proto;
        let Some([next, len, kind, left]) = array::<4>(c.rest(), 0) else { return self.broken("truncated_extension") };
        if self.extensions >= MAX_EXTENSIONS {
            return self.broken("too_many_extensions");
        }
        if proto == 0 && self.extensions > 0 {
            self.anomalies.push("hop_by_hop_not_first");
        }
        self.extensions += 1;
        if proto == 44 {
            return self.fragment_header(c, next);
        }
        if proto == 43 {
            // Under a routing header with segments left the checksum is over the final destination.
            self.pseudo &= left == 0;
            if kind == 0 {
                self.anomalies.push("ipv6_routing_type_0");
            }
        }
        let size = if proto == 51 { (usize::from(len) + 2) * 4 } else { (usize::from(len) + 1) * 8 };
        if size > c.rest().len() {
            return self.broken(if size > c.said() { "bad_extension_length" } else { "truncated_extension" });
        }
        c.skip(size);
        self.header_len += size as u32;
        Next::Proto(next)
    }

    /// Fragment header (RFC 8200 §4.5); one that is first and last at once is no fragment (RFC 6946).
    fn fragment_header(&mut self, c: &mut Cursor<'_>, next: u8) -> Next {
        let Some([_, _, o0, o1, i0, i1, i2, i3]) = array::<8>(c.rest(), 0) else {
            return self.broken("truncated_extension");
        };
        let place = u16::from_be_bytes([o0, o1]);
        c.skip(8);
        if place & 0xfff9 == 0 {
            self.header_len += 8;
            return Next::Proto(next);
        }
        self.packet.ip_proto = next;
        self.fragment(c, next, u32::from_be_bytes([i0, i1, i2, i3]), u32::from(place & 0xfff8), place & 1 == 1)
    }

    fn fragment(&mut self, c: &Cursor<'_>, proto: u8, id: u32, offset: u32, more: bool) -> Next {
        self.packet.transport = crate::Transport::Other;
        self.packet.payload_len = c.said() as u32;
        let p = &self.packet;
        let (vlans, v6, header_len) = (p.link.vlans, self.v6, self.header_len);
        self.piece =
            Some(Piece { src: p.src, dst: p.dst, vlans, id, v6, proto, offset, more, cut: !c.is_whole(), header_len });
        Next::Fragment
    }
}
