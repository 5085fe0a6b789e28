//! ICMP and ICMPv6 messages: echo, redirect, and the packet that an error quotes. Payloads begin after the checksum.

use gwcore::Addr;

use crate::cursor::{array, be16};

/// Echo request or reply (RFC 792, RFC 4443 §4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Echo<'a> {
    /// Identifier.
    pub id: u16,
    /// Sequence number.
    pub seq: u16,
    /// Data after them.
    pub data: &'a [u8],
}

/// The beginning of the packet that an error message quotes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quoted {
    /// Its sender.
    pub src: Addr,
    /// Its receiver.
    pub dst: Addr,
    /// Its IP protocol; extension headers are not followed.
    pub proto: u8,
    /// Ports of TCP, UDP or SCTP, if quoted.
    pub ports: Option<(u16, u16)>,
}

/// Reads an echo request or reply of either version.
pub fn echo(v6: bool, kind: u8, payload: &[u8]) -> Option<Echo<'_>> {
    let is_echo = if v6 { matches!(kind, 128 | 129) } else { matches!(kind, 0 | 8) };
    let data = payload.get(4..).filter(|_| is_echo)?;
    Some(Echo { id: be16(payload, 0)?, seq: be16(payload, 2)?, data })
}

/// The gateway of an IPv4 redirect (type 5, RFC 792); that of ICMPv6 is in [`crate::nd`].
pub fn redirect_gateway(kind: u8, payload: &[u8]) -> Option<Addr> {
    array(payload, 0).filter(|_| kind == 5).map(Addr::v4)
}

/// The packet quoted by an error: IPv4 types 3, 4, 5, 11 and 12, IPv6 types 1 to 4.
pub fn quoted(v6: bool, kind: u8, payload: &[u8]) -> Option<Quoted> {
    let is_error = if v6 { matches!(kind, 1..=4) } else { matches!(kind, 3 | 4 | 5 | 11 | 12) };
    let packet = payload.get(4..).filter(|_| is_error)?;
    let first = *packet.first()?;
    let (src, dst, proto, header, fragment) = match first >> 4 {
        4 => {
            let (src, dst) = (Addr::v4(array(packet, 12)?), Addr::v4(array(packet, 16)?));
            (src, dst, *packet.get(9)?, usize::from(first & 15) * 4, be16(packet, 6)? & 0x1fff)
        }
        6 => (Addr(array(packet, 8)?), Addr(array(packet, 24)?), *packet.get(6)?, 40, 0),
        _ => return None,
    };
    let has_ports = matches!(proto, 6 | 17 | 132) && header >= 20 && fragment == 0;
    let ports = be16(packet, header).zip(be16(packet, header + 2)).filter(|_| has_ports);
    Some(Quoted { src, dst, proto, ports })
}

#[cfg(test)]
mod tests {
    use super::*;
    use testkit::Stack;

    #[test]
    fn echo_request() {
        let bytes = [0x12, 0x34, 0, 9, b'x'];
        assert_eq!(echo(false, 8, &bytes), Some(Echo { id: 0x1234, seq: 9, data: b"x" }));
        assert_eq!(echo(true, 129, &bytes).map(|e| e.seq), Some(9));
        assert_eq!((echo(true, 8, &bytes), echo(false, 13, &bytes), echo(false, 8, &bytes[..3])), (None, None, None));
    }

    #[test]
    fn port_unreachable_quotes_the_datagram() {
        let inner = Stack::new().ipv4([10, 0, 0, 1], [10, 0, 0, 2]).udp(5_000, 161).bytes();
        let payload = [&[0; 4][..], &inner].concat();
        let want =
            Quoted { src: Addr::v4([10, 0, 0, 1]), dst: Addr::v4([10, 0, 0, 2]), proto: 17, ports: Some((5_000, 161)) };
        assert_eq!(quoted(false, 3, &payload), Some(want));
        assert_eq!(quoted(false, 8, &payload), None);
        assert_eq!(quoted(false, 3, &payload[..4 + 22]), Some(Quoted { ports: None, ..want }));
        assert_eq!(quoted(false, 3, &payload[..4 + 19]), None);
        let v6 = Stack::new().ipv6([1; 8], [2; 8]).tcp(7, 8).bytes();
        let got = quoted(true, 1, &[&[0; 4][..], &v6].concat()).unwrap();
        assert_eq!((got.src, got.proto, got.ports), (Addr([0, 1].repeat(8).try_into().unwrap()), 6, Some((7, 8))));
    }

    #[test]
    fn redirect() {
        assert_eq!(redirect_gateway(5, &[10, 0, 0, 254, 0]), Some(Addr::v4([10, 0, 0, 254])));
        assert_eq!(redirect_gateway(3, &[10, 0, 0, 254]), None);
    }
}
