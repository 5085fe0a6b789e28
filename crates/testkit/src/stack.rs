//! Layers written from the outside in, put together from the inside out.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::layers::*;
use crate::{checksum, transport_checksum};

/// A frame as layers; see the crate's page.
#[derive(Clone, Debug, Default)]
pub struct Stack {
    layers: Vec<Layer>,
}

impl Stack {
    /// No layers yet.
    pub fn new() -> Stack {
        Stack::default()
    }

    /// Puts a layer inside what is there.
    #[allow(clippy::should_implement_trait)]
    pub fn add(mut self, layer: impl Into<Layer>) -> Stack {
        self.layers.push(layer.into());
        self
    }

    /// Ethernet from `src` to `dst`.
    pub fn eth(self, src: [u8; 6], dst: [u8; 6]) -> Stack {
        self.add(Eth { src, dst, ethertype: None })
    }

    /// An 802.1Q tag.
    pub fn vlan(self, vid: u16) -> Stack {
        self.add(Vlan { vid, ..Vlan::default() })
    }

    /// IPv4 from `src` to `dst`.
    pub fn ipv4(self, src: impl Into<Ipv4Addr>, dst: impl Into<Ipv4Addr>) -> Stack {
        self.add(Ipv4 { src: src.into(), dst: dst.into(), ..Ipv4::default() })
    }

    /// IPv6 from `src` to `dst`.
    pub fn ipv6(self, src: impl Into<Ipv6Addr>, dst: impl Into<Ipv6Addr>) -> Stack {
        self.add(Ipv6 { src: src.into(), dst: dst.into(), ..Ipv6::default() })
    }

    /// IPv4 or IPv6 by the addresses, which must be of one family.
    pub fn ip(self, src: IpAddr, dst: IpAddr) -> Stack {
        match (src, dst) {
            (IpAddr::V4(src), IpAddr::V4(dst)) => self.ipv4(src, dst),
            (IpAddr::V6(src), IpAddr::V6(dst)) => self.ipv6(src, dst),
            _ => panic!("`{src}` and `{dst}` are of two families"),
        }
    }

    /// TCP with the ACK flag; for more use `add(Tcp { … })`.
    pub fn tcp(self, src: u16, dst: u16) -> Stack {
        self.add(Tcp { src, dst, ..Tcp::default() })
    }

    /// UDP.
    pub fn udp(self, src: u16, dst: u16) -> Stack {
        self.add(Udp { src, dst, ..Udp::default() })
    }

    /// ICMP or ICMPv6 with zero in the four bytes after the checksum.
    pub fn icmp(self, kind: u8, code: u8) -> Stack {
        self.add(Icmp { kind, code, ..Icmp::default() })
    }

    /// Bytes as they are.
    pub fn payload(self, bytes: &[u8]) -> Stack {
        self.add(bytes)
    }

    /// The frame, without padding to 60 bytes.
    pub fn bytes(&self) -> Vec<u8> {
        build(&self.layers)
    }

    /// The frame cut at its first IP layer into fragments of `size` bytes (rounded down to a multiple of 8) of IP payload.
    ///
    /// IPv4 uses the header's `id`; IPv6 gets a fragment header with identification 7.
    pub fn fragments(&self, size: usize) -> Vec<Vec<u8>> {
        let at = self.layers.iter().position(|l| l.pair().is_some()).expect("an IP layer");
        let (outer, inner) = (&self.layers[..=at], &self.layers[at + 1..]);
        let v6 = matches!(self.layers[at], Layer::Ipv6(_));
        let proto = inner.first().map_or(253, |l| l.ip_proto(v6));
        let payload = build_from(&self.layers, at + 1);
        let size = (size / 8 * 8).max(8);
        let pieces = payload.chunks(size).enumerate();
        pieces
            .map(|(i, piece)| {
                let (offset, more) = ((i * size / 8) as u16, (i + 1) * size < payload.len());
                let mut layers = outer.to_vec();
                match &mut layers[at] {
                    Layer::Ipv4(ip) => {
                        (ip.offset, ip.mf, ip.proto) = (offset, more, Some(ip.proto.unwrap_or(proto)));
                    }
                    _ => layers.push(Extension::Fragment { offset, more, id: 7, next: Some(proto) }.into()),
                }
                layers.push(Layer::Bytes(piece.to_vec()));
                build(&layers)
            })
            .collect()
    }
}

fn build(layers: &[Layer]) -> Vec<u8> {
    build_from(layers, 0)
}

/// The bytes of the layers from `from` on; those before give only their addresses.
fn build_from(layers: &[Layer], from: usize) -> Vec<u8> {
    let mut inner = Vec::new();
    for at in (from..layers.len()).rev() {
        let next = layers.get(at + 1).filter(|l| !matches!(l, Layer::Prp(_))).or_else(|| layers.get(at + 2));
        let outer_ip = layers[..at].iter().rev().find(|l| l.pair().is_some());
        inner = wrap(&layers[at], next, outer_ip, inner);
    }
    inner
}

fn wrap(layer: &Layer, next: Option<&Layer>, outer_ip: Option<&Layer>, inner: Vec<u8>) -> Vec<u8> {
    let ethertype = |fixed: Option<u16>| fixed.or(next.map(Layer::ethertype)).unwrap_or(0xffff).to_be_bytes();
    let mut out = Vec::with_capacity(64 + inner.len());
    match layer {
        Layer::Eth(eth) => {
            out.extend_from_slice(&eth.dst);
            out.extend_from_slice(&eth.src);
            let llc = matches!(next, Some(Layer::Llc(_) | Layer::Snap(_)));
            out.extend_from_slice(&ethertype(eth.ethertype.or(llc.then_some(inner.len() as u16))));
        }
        Layer::Vlan(tag) => {
            out.extend_from_slice(&(u16::from(tag.pcp) << 13 | tag.vid & 0xfff).to_be_bytes());
            let llc = matches!(next, Some(Layer::Llc(_) | Layer::Snap(_)));
            out.extend_from_slice(&ethertype(tag.ethertype.or(llc.then_some(inner.len() as u16))));
        }
        Layer::Mpls(mpls) => {
            let bottom = u32::from(!matches!(next, Some(Layer::Mpls(_))));
            out.extend_from_slice(&(mpls.label << 12 | bottom << 8 | u32::from(mpls.ttl)).to_be_bytes());
        }
        Layer::Pppoe(p) => {
            out.extend_from_slice(&[0x11, 0]);
            out.extend_from_slice(&p.session.to_be_bytes());
            out.extend_from_slice(&(inner.len() as u16).to_be_bytes());
        }
        Layer::Ppp(ppp) => {
            if ppp.hdlc {
                out.extend_from_slice(&[0xff, 0x03]);
            }
            let proto = ppp.proto.or(next.map(Layer::ppp_proto)).unwrap_or(0xc021);
            out.extend_from_slice(&proto.to_be_bytes());
        }
        Layer::Llc(llc) => out.extend_from_slice(&[llc.dsap, llc.ssap, llc.control]),
        Layer::Snap(snap) => {
            out.extend_from_slice(&[0xaa, 0xaa, 3]);
            out.extend_from_slice(&snap.oui);
            out.extend_from_slice(&ethertype(snap.ethertype));
        }
        Layer::Hsr(tag) => {
            let size = inner.len() as u16 + 6;
            out.extend_from_slice(&(u16::from(tag.path) << 12 | size & 0xfff).to_be_bytes());
            out.extend_from_slice(&tag.seq.to_be_bytes());
            out.extend_from_slice(&ethertype(tag.ethertype));
        }
        Layer::Prp(prp) => {
            let size = prp.size.unwrap_or(inner.len() as u16 + 6);
            let trailer = [prp.seq, u16::from(prp.lan) << 12 | size & 0xfff, 0x88fb].map(u16::to_be_bytes);
            return [inner, trailer.concat()].concat();
        }
        Layer::Ipv4(ip) => ipv4(&mut out, ip, next, inner.len()),
        Layer::Ipv6(ip) => {
            out.extend_from_slice(&(6 << 28 | u32::from(ip.class) << 20 | ip.label & 0xf_ffff).to_be_bytes());
            out.extend_from_slice(&ip.payload_len.unwrap_or(inner.len() as u16).to_be_bytes());
            out.extend_from_slice(&[ip.next.or(next.map(|l| l.ip_proto(true))).unwrap_or(59), ip.hops]);
            out.extend_from_slice(&ip.src.octets());
            out.extend_from_slice(&ip.dst.octets());
        }
        Layer::Extension(header) => extension(&mut out, header, next),
        Layer::Tcp(tcp) => return seal(tcp_header(tcp), inner, 16, 6, tcp.checksum, outer_ip),
        Layer::Udp(udp) => {
            let len = udp.len.unwrap_or(inner.len() as u16 + 8);
            let header = [udp.src, udp.dst, len, 0].map(u16::to_be_bytes).concat();
            return seal(header, inner, 6, 17, udp.checksum, outer_ip);
        }
        Layer::Icmp(icmp) => {
            let header = [&[icmp.kind, icmp.code, 0, 0][..], &icmp.rest].concat();
            let v6 = matches!(outer_ip, Some(Layer::Ipv6(_)));
            return seal(header, inner, 2, if v6 { 58 } else { 1 }, icmp.checksum, outer_ip);
        }
        Layer::Arp(arp) => {
            out.extend_from_slice(&[0, 1, 8, 0, 6, 4]);
            out.extend_from_slice(&arp.op.to_be_bytes());
            out.extend_from_slice(&arp.sender_mac);
            out.extend_from_slice(&arp.sender_ip);
            out.extend_from_slice(&arp.target_mac);
            out.extend_from_slice(&arp.target_ip);
        }
        Layer::Gre(gre) => gre_header(&mut out, gre, ethertype(gre.ethertype), &inner),
        Layer::Vxlan(v) => {
            out.extend_from_slice(&[8, 0, 0, 0]);
            out.extend_from_slice(&(v.vni << 8).to_be_bytes());
        }
        Layer::Geneve(g) => {
            let options = padded(&g.options, 4);
            out.extend_from_slice(&[(options.len() / 4) as u8, 0]);
            out.extend_from_slice(&ethertype(g.ethertype));
            out.extend_from_slice(&(g.vni << 8).to_be_bytes());
            out.extend_from_slice(&options);
        }
        Layer::Bytes(bytes) => out.extend_from_slice(bytes),
    }
    out.extend_from_slice(&inner);
    out
}

fn padded(bytes: &[u8], unit: usize) -> Vec<u8> {
    let mut out = bytes.to_vec();
    out.resize(bytes.len().next_multiple_of(unit), 0);
    out
}

fn ipv4(out: &mut Vec<u8>, ip: &Ipv4, next: Option<&Layer>, inner_len: usize) {
    let options = padded(&ip.options, 4);
    let header_len = 20 + options.len();
    let proto = ip.proto.or(next.map(|l| l.ip_proto(false))).unwrap_or(253);
    let fragment = u16::from(ip.df) << 14 | u16::from(ip.mf) << 13 | ip.offset & 0x1fff;
    out.extend_from_slice(&[0x40 | (header_len / 4) as u8, ip.tos]);
    for field in [ip.total_len.unwrap_or((header_len + inner_len) as u16), ip.id, fragment] {
        out.extend_from_slice(&field.to_be_bytes());
    }
    out.extend_from_slice(&[ip.ttl, proto, 0, 0]);
    out.extend_from_slice(&ip.src.octets());
    out.extend_from_slice(&ip.dst.octets());
    out.extend_from_slice(&options);
    let sum = ip.checksum.unwrap_or_else(|| checksum(out));
    out[10..12].copy_from_slice(&sum.to_be_bytes());
}

fn extension(out: &mut Vec<u8>, header: &Extension, next: Option<&Layer>) {
    let proto = next.map_or(59, |l| l.ip_proto(true));
    match header {
        Extension::Options(_, body) => {
            let mut body = body.clone();
            body.resize((body.len() + 2).next_multiple_of(8) - 2, 0);
            out.extend_from_slice(&[proto, (body.len() / 8) as u8]);
            out.extend_from_slice(&body);
        }
        Extension::Fragment { offset, more, id, next } => {
            out.extend_from_slice(&[next.unwrap_or(proto), 0]);
            out.extend_from_slice(&(offset << 3 | u16::from(*more)).to_be_bytes());
            out.extend_from_slice(&id.to_be_bytes());
        }
        Extension::Auth(value) => {
            out.extend_from_slice(&[proto, (value.len() / 4 + 1) as u8, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1]);
            out.extend_from_slice(value);
        }
    }
}

fn tcp_header(tcp: &Tcp) -> Vec<u8> {
    let options = padded(&tcp.options, 4);
    let offset = tcp.data_offset.unwrap_or((5 + options.len() / 4) as u8);
    let mut out = [tcp.src.to_be_bytes(), tcp.dst.to_be_bytes()].concat();
    out.extend_from_slice(&tcp.seq.to_be_bytes());
    out.extend_from_slice(&tcp.ack.to_be_bytes());
    out.extend_from_slice(&[offset << 4, tcp.flags]);
    out.extend_from_slice(&tcp.window.to_be_bytes());
    out.extend_from_slice(&[0, 0]);
    out.extend_from_slice(&tcp.urgent.to_be_bytes());
    out.extend_from_slice(&options);
    out
}

fn gre_header(out: &mut Vec<u8>, gre: &Gre, ethertype: [u8; 2], inner: &[u8]) {
    let bits = u8::from(gre.checksum) << 7 | u8::from(gre.key.is_some()) << 5 | u8::from(gre.seq.is_some()) << 4;
    out.extend_from_slice(&[bits, 0]);
    out.extend_from_slice(&ethertype);
    if gre.checksum {
        out.extend_from_slice(&[0; 4]);
    }
    for field in [gre.key, gre.seq].into_iter().flatten() {
        out.extend_from_slice(&field.to_be_bytes());
    }
    if gre.checksum {
        let sum = checksum(&[&out[..], inner].concat());
        out[4..6].copy_from_slice(&sum.to_be_bytes());
    }
}

/// Puts the checksum at `at` of the header; ICMP for IPv4 has no pseudo header, a UDP checksum of zero is sent as ffff.
fn seal(header: Vec<u8>, inner: Vec<u8>, at: usize, proto: u8, fixed: Option<u16>, ip: Option<&Layer>) -> Vec<u8> {
    let mut out = [header, inner].concat();
    let computed = match ip.and_then(Layer::pair) {
        Some((src, dst)) if proto != 1 => transport_checksum(src, dst, proto, &out),
        _ => checksum(&out),
    };
    let computed = if proto == 17 && computed == 0 { 0xffff } else { computed };
    out[at..at + 2].copy_from_slice(&fixed.unwrap_or(computed).to_be_bytes());
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ntp_sized_datagram_by_hand() {
        let frame = Stack::new()
            .eth([1; 6], [2; 6])
            .ipv4([192, 168, 0, 1], [192, 168, 0, 199])
            .udp(1, 2)
            .payload(b"hi")
            .bytes();
        // 4500 + 001e + 4011 + c0a8 + 0001 + c0a8 + 00c7 = 20747, folded 0749, inverted f8b6.
        assert_eq!(&frame[14..24], &[0x45, 0, 0, 30, 0, 0, 0, 0, 64, 17]);
        assert_eq!(frame[24..26], [0xf8, 0xb6]);
        assert_eq!(frame[12..14], [8, 0]);
        assert_eq!(frame.len(), 44);
    }

    #[test]
    fn fragments_join_to_the_whole() {
        let data: Vec<u8> = (0..100).collect();
        let stack = Stack::new().eth([1; 6], [2; 6]).ipv4([1, 1, 1, 1], [2, 2, 2, 2]).udp(5, 6).payload(&data);
        let pieces = stack.fragments(40);
        assert_eq!(pieces.len(), 3);
        let joined: Vec<u8> = pieces.iter().flat_map(|p| p[34..].to_vec()).collect();
        assert_eq!(joined, stack.bytes()[34..]);
        assert_eq!(pieces[1][20..22], [0x20, 5]);
        assert_eq!(pieces[2][20..22], [0, 10]);
    }

    #[test]
    fn prp_goes_to_the_end_and_counts_itself() {
        let frame = Stack::new()
            .eth([1; 6], [2; 6])
            .add(Prp { seq: 9, lan: 0xa, size: None })
            .ipv4([1; 4], [2; 4])
            .udp(5, 6)
            .bytes();
        assert_eq!(frame[12..14], [8, 0]);
        assert_eq!(frame[frame.len() - 6..], [0, 9, 0xa0, 34, 0x88, 0xfb]);
    }
}
