//! LLDP frames (IEEE 802.1AB clause 8).

/// Nearest bridge.
pub(crate) const GROUP: [u8; 6] = [0x01, 0x80, 0xc2, 0, 0, 0x0e];
pub(crate) const ETHERTYPE: u16 = 0x88cc;

/// An advertisement of a system; `capabilities` 4 is a bridge, 128 a station.
pub(crate) fn advertisement(mac: [u8; 6], port: &str, name: &str, text: &str, capabilities: u16) -> Vec<u8> {
    let capability = capabilities.to_be_bytes();
    [
        tlv(1, &[&[4][..], &mac].concat()),
        tlv(2, &[&[5][..], port.as_bytes()].concat()),
        tlv(3, &120u16.to_be_bytes()),
        tlv(5, name.as_bytes()),
        tlv(6, text.as_bytes()),
        tlv(7, &[capability, capability].concat()),
        tlv(0, &[]),
    ]
    .concat()
}

fn tlv(kind: u16, value: &[u8]) -> Vec<u8> {
    [&(kind << 9 | value.len() as u16).to_be_bytes()[..], value].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_advertisement_by_hand() {
        let expect = [
            &[2, 7, 4, 1, 2, 3, 4, 5, 6, 4, 2, 5, b'p', 6, 2, 0, 120][..],
            &[10, 1, b'n', 12, 1, b't', 14, 4, 0, 4, 0, 4, 0, 0],
        ];
        assert_eq!(advertisement([1, 2, 3, 4, 5, 6], "p", "n", "t", 4), expect.concat());
    }
}
