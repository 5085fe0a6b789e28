//! The Internet checksum (RFC 1071), written apart from the product's own so that one can test the other.

use std::net::IpAddr;

/// Ones' complement of the ones' complement sum of big-endian 16-bit words; an odd last byte is padded with zero.
pub fn checksum(bytes: &[u8]) -> u16 {
    !fold(sum(bytes))
}

/// Checksum of a transport segment under the pseudo header of RFC 9293 §3.1 (IPv4) or RFC 8200 §8.1 (IPv6).
pub fn transport_checksum(src: IpAddr, dst: IpAddr, proto: u8, segment: &[u8]) -> u16 {
    let mut pseudo = Vec::new();
    for ip in [src, dst] {
        match ip {
            IpAddr::V4(a) => pseudo.extend_from_slice(&a.octets()),
            IpAddr::V6(a) => pseudo.extend_from_slice(&a.octets()),
        }
    }
    pseudo.extend_from_slice(&(segment.len() as u32).to_be_bytes());
    pseudo.extend_from_slice(&[0, 0, 0, proto]);
    !fold(sum(&pseudo) + sum(segment))
}

fn sum(bytes: &[u8]) -> u64 {
    bytes.chunks(2).map(|c| u64::from(c[0]) << 8 | u64::from(*c.get(1).unwrap_or(&0))).sum()
}

fn fold(mut sum: u64) -> u16 {
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    sum as u16
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rfc1071_section_3_example() {
        assert_eq!(checksum(&[0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7]), !0xddf2);
        assert_eq!(checksum(&[0xff]), !0xff00);
    }
}
