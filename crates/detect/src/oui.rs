//! Vendor of a MAC address by the block it is of, from the IEEE registry as Debian's `ieee-data` packages it (see `data/README.md`).

use std::io::Read;
use std::sync::OnceLock;

use gwcore::Mac;

/// Lines `AABBCC<tab>Vendor`, sorted, gzip; of the smaller blocks 7 or 9 digits.
static PACKED: &[u8] = include_bytes!("../data/oui.tsv.gz");
/// Digits of a block (IEEE: MA-L, MA-M, MA-S), the smallest first: it lies within a larger one.
const DIGITS: [u32; 3] = [9, 7, 6];

/// Of a block of so many digits: its first 36 bits, then the number of digits.
fn key(block: u64, digits: u32) -> u64 {
    (block << (36 - 4 * digits)) << 8 | u64::from(digits)
}

/// The vendor that the block of a universally administered address is assigned to.
pub(crate) fn vendor(mac: Mac) -> Option<&'static str> {
    static TABLE: OnceLock<Vec<(u64, &'static str)>> = OnceLock::new();
    if mac.is_none() || mac.is_locally_administered() {
        return None;
    }
    let table = TABLE.get_or_init(|| {
        let mut text = String::new();
        // The table is part of the program; if it cannot be read there are no vendors, and a test says so.
        let _ = flate2::read::GzDecoder::new(PACKED).read_to_string(&mut text);
        let text: &'static str = text.leak();
        text.lines()
            .filter_map(|l| l.split_once('\t'))
            .filter_map(|(h, v)| Some((key(u64::from_str_radix(h, 16).ok()?, h.len() as u32), v)))
            .collect()
    });
    let [a, b, c, d, e, f] = mac.0;
    let address = u64::from_be_bytes([0, 0, a, b, c, d, e, f]);
    DIGITS.iter().find_map(|digits| {
        let key = key(address >> (48 - 4 * digits), *digits);
        table.binary_search_by_key(&key, |e| e.0).ok().and_then(|i| table.get(i)).map(|e| e.1)
    })
}

/// The redundancy protocol whose virtual MAC this is: several routers share it by design.
pub(crate) fn virtual_router(mac: Mac) -> Option<&'static str> {
    Some(match mac.0 {
        // RFC 5798 §7.3; CARP uses the same.
        [0x00, 0x00, 0x5e, 0x00, 0x01 | 0x02, _] => "vrrp",
        // RFC 2281 §2, version 2, and the one for IPv6.
        [0x00, 0x00, 0x0c, 0x07, 0xac, _] | [0x00, 0x00, 0x0c, 0x9f, 0xf0..=0xff, _] | [0x00, 0x05, 0x73, 0xa0, ..] => {
            "hsrp"
        }
        [0x00, 0x07, 0xb4, 0x00, ..] => "glbp",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_makers_of_relays() {
        assert_eq!(vendor(Mac([0x00, 0x30, 0xa7, 1, 2, 3])), Some("SCHWEITZER ENGINEERING"));
        assert_eq!(vendor(Mac([0x02, 0x30, 0xa7, 1, 2, 3])), None, "locally administered");
        assert_eq!(vendor(Mac::NONE), None);
    }

    #[test]
    fn small_blocks_within_a_large_one() {
        let of = |a: [u8; 6]| vendor(Mac(a));
        assert_eq!(of([0x20, 0x85, 0x93, 0xb1, 0, 1]), Some("IOG Products LLC"));
        assert_eq!(of([0x70, 0xb3, 0xd5, 0xf2, 0xf1, 1]), Some("TELEPLATFORMS"));
        assert_eq!(of([0x00, 0x50, 0xc2, 0x7d, 0x51, 1]), Some("DEUTA-WERKE GmbH"));
        assert_eq!(of([0x70, 0xb3, 0xd5, 0xff, 0xff, 1]).filter(|v| v.contains("IEEE")), None);
    }
}
