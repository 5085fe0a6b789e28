//! The Internet checksum (RFC 1071).

use gwcore::Addr;

/// Whether the ones' complement sum of `bytes`, checksum field included, is right.
pub(crate) fn is_right(bytes: &[u8]) -> bool {
    fold(sum(bytes)) == 0xffff
}

/// The same under the pseudo header of RFC 9293 §3.1 or RFC 8200 §8.1, whose sums agree for the same addresses.
pub(crate) fn is_right_under(src: &Addr, dst: &Addr, proto: u8, segment: &[u8]) -> bool {
    fold(pair(src, dst) + sum(segment) + u64::from(proto) + segment.len() as u64) == 0xffff
}

/// Whether a checksum field holds what a host leaves there for its network card: the sum of the pseudo header alone, with the length of the
/// segment or, where the card is to cut it up, without.
pub(crate) fn is_left_to_card(src: &Addr, dst: &Addr, proto: u8, len: usize, field: u16) -> bool {
    let addresses = pair(src, dst) + u64::from(proto);
    field == fold(addresses + len as u64) || field == fold(addresses)
}

fn pair(src: &Addr, dst: &Addr) -> u64 {
    match (src.as_v4(), dst.as_v4()) {
        (Some(a), Some(b)) => sum(&a) + sum(&b),
        _ => sum(&src.0) + sum(&dst.0),
    }
}

/// Sum of big-endian 32-bit words, which folds to the same 16 bits as that of 16-bit words (RFC 1071 §2); no overflow below 2^32 words.
fn sum(bytes: &[u8]) -> u64 {
    let (words, rest) = bytes.as_chunks::<4>();
    let mut last = [0; 4];
    for (to, from) in last.iter_mut().zip(rest) {
        *to = *from;
    }
    let whole: u64 = words.iter().map(|w| u64::from(u32::from_be_bytes(*w))).fold(0, u64::wrapping_add);
    whole + u64::from(u32::from_be_bytes(last))
}

fn fold(sum: u64) -> u16 {
    let sum = (sum & 0xffff_ffff) + (sum >> 32);
    let sum = (sum & 0xffff) + (sum >> 16 & 0xffff) + (sum >> 32);
    let sum = (sum & 0xffff) + (sum >> 16);
    let sum = (sum & 0xffff) + (sum >> 16);
    sum as u16
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn agrees_with_the_builder() {
        let (src, dst) = (Addr::v4([10, 0, 0, 1]), Addr::v4([10, 0, 0, 2]));
        for len in 0..70usize {
            let data: Vec<u8> = (0..len).map(|i| (i * 37 + 255) as u8).collect();
            let sum = testkit::checksum(&data).to_be_bytes();
            let padded = [&data[..], &[0; 1][..len % 2], &sum].concat();
            assert!(is_right(&padded), "{len}");
            assert!(!is_right(&[&padded[..], &[0, 1]].concat()), "{len}");
            let mut segment = [&[0, 0][..], &data].concat();
            let sum = testkit::transport_checksum(src.ip(), dst.ip(), 17, &segment);
            segment[..2].copy_from_slice(&sum.to_be_bytes());
            assert!(is_right_under(&src, &dst, 17, &segment), "{len}");
            assert!(!is_right_under(&src, &dst, 6, &segment), "{len}");
        }
    }
}
