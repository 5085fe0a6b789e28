//! Vendor of a MAC address by its OUI, from the IEEE registry as Debian's `ieee-data` packages it (see `data/README.md`).

use std::io::Read;
use std::sync::OnceLock;

use gwcore::Mac;

/// Lines `AABBCC<tab>Vendor`, sorted, gzip.
static PACKED: &[u8] = include_bytes!("../data/oui.tsv.gz");

/// The vendor that the first three bytes of a universally administered address are assigned to.
pub(crate) fn vendor(mac: Mac) -> Option<&'static str> {
    static TABLE: OnceLock<Vec<(u32, &'static str)>> = OnceLock::new();
    if mac.is_none() || mac.0[0] & 2 == 2 {
        return None;
    }
    let table = TABLE.get_or_init(|| {
        let mut text = String::new();
        // The table is part of the program; if it cannot be read there are no vendors, and a test says so.
        let _ = flate2::read::GzDecoder::new(PACKED).read_to_string(&mut text);
        let text: &'static str = text.leak();
        text.lines()
            .filter_map(|l| l.split_once('\t'))
            .filter_map(|(h, v)| Some((u32::from_str_radix(h, 16).ok()?, v)))
            .collect()
    });
    let [a, b, c, ..] = mac.0;
    let key = u32::from_be_bytes([0, a, b, c]);
    table.binary_search_by_key(&key, |e| e.0).ok().and_then(|i| table.get(i)).map(|e| e.1)
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
}
