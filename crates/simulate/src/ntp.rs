//! NTP version 4 packets (RFC 5905 §7.3).

use crate::time::{Micros, SECOND, fraction};

/// Seconds between 1900 and 1970.
const ERA: u64 = 2_208_988_800;

/// A client's request; `poll` is the logarithm of the interval.
pub(crate) fn request(poll: u8, transmit: Micros) -> Vec<u8> {
    let mut out = vec![0x23, 3, poll, 0xe9];
    out.extend_from_slice(&[0, 0, 0, 9, 0, 0, 0, 12, 10, 20, 1, 5]);
    out.extend_from_slice(&[0; 24]);
    out.extend_from_slice(&stamp(transmit));
    out
}

/// The answer of a stratum 1 server locked to GPS.
pub(crate) fn answer(poll: u8, origin: Micros, receive: Micros, transmit: Micros) -> Vec<u8> {
    let mut out = vec![0x24, 1, poll, 0xec];
    out.extend_from_slice(&[0, 0, 0, 0, 0, 0, 0, 3]);
    out.extend_from_slice(b"GPS\0");
    for at in [receive.saturating_sub(7 * SECOND), origin, receive, transmit] {
        out.extend_from_slice(&stamp(at));
    }
    out
}

fn stamp(at: Micros) -> [u8; 8] {
    let seconds = (at / SECOND + ERA) as u32;
    (u64::from(seconds) << 32 | u64::from(fraction(at))).to_be_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_are_forty_eight_octets_and_the_origin_comes_back() {
        let sent = 1_700_000_000 * SECOND + SECOND / 2;
        let (request, answer) = (request(6, sent), answer(6, sent, sent + 300, sent + 340));
        assert_eq!((request.len(), answer.len()), (48, 48));
        assert_eq!(request[40..], answer[24..32]);
        // 1 700 000 000 + 2 208 988 800 = 0xe8fe_6f80.
        assert_eq!(request[40..], [0xe8, 0xfe, 0x6f, 0x80, 0x80, 0, 0, 0]);
    }
}
