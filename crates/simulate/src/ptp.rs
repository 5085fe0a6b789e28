//! PTP version 2 messages over Ethernet (IEEE 1588-2008 clause 13): a grandmaster in two-step mode and its end-to-end slaves.

use crate::time::{Micros, SECOND};

/// Multicast address of all messages but peer delay.
pub(crate) const GROUP: [u8; 6] = [0x01, 0x1b, 0x19, 0, 0, 0];
pub(crate) const ETHERTYPE: u16 = 0x88f7;

/// Seconds by which TAI is ahead of UTC since 2017.
const TAI_OFFSET: u64 = 37;

/// Kind of message with its length, flags and legacy control field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Sync = 0,
    DelayRequest = 1,
    FollowUp = 8,
    DelayResponse = 9,
    Announce = 11,
}

/// A message from the clock with this hardware address; `tail` follows the timestamp.
pub(crate) fn message(kind: Kind, mac: [u8; 6], sequence: u16, at: Option<Micros>, tail: &[u8]) -> Vec<u8> {
    let (flags, control, interval): (u16, u8, i8) = match kind {
        Kind::Sync => (0x0200, 0, 0),
        Kind::DelayRequest => (0, 1, 0x7f),
        Kind::FollowUp => (0, 2, 0),
        Kind::DelayResponse => (0, 3, 3),
        // PTP timescale, UTC offset valid, time and frequency traceable.
        Kind::Announce => (0x003c, 5, 0),
    };
    let length = 34 + 10 + tail.len();
    let mut out = vec![kind as u8, 2];
    out.extend_from_slice(&(length as u16).to_be_bytes());
    out.extend_from_slice(&[0, 0]);
    out.extend_from_slice(&flags.to_be_bytes());
    out.extend_from_slice(&[0; 12]);
    out.extend_from_slice(&port_identity(mac));
    out.extend_from_slice(&sequence.to_be_bytes());
    out.extend_from_slice(&[control, interval as u8]);
    out.extend_from_slice(&at.map_or([0; 10], timestamp));
    out.extend_from_slice(tail);
    out
}

/// What an announcement says of its grandmaster: locked to GPS, class 6, within 100 ns.
pub(crate) fn grandmaster(mac: [u8; 6]) -> Vec<u8> {
    let mut out = (TAI_OFFSET as u16).to_be_bytes().to_vec();
    out.extend_from_slice(&[0, 128, 6, 0x21, 0x4e, 0x5d, 128]);
    out.extend_from_slice(&port_identity(mac)[..8]);
    out.extend_from_slice(&[0, 0, 0x20]);
    out
}

/// Clock identity from a MAC (EUI-64) and port 1.
pub(crate) fn port_identity(mac: [u8; 6]) -> [u8; 10] {
    let [a, b, c, d, e, f] = mac;
    [a, b, c, 0xff, 0xfe, d, e, f, 0, 1]
}

fn timestamp(at: Micros) -> [u8; 10] {
    let seconds = (at / SECOND + TAI_OFFSET).to_be_bytes();
    let nanos = ((at % SECOND * 1_000) as u32).to_be_bytes();
    let [_, _, a, b, c, d, e, f] = seconds;
    [a, b, c, d, e, f, nanos[0], nanos[1], nanos[2], nanos[3]]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_and_a_timestamp_by_hand() {
        let mac = [1, 2, 3, 4, 5, 6];
        let announce = message(Kind::Announce, mac, 9, None, &grandmaster(mac));
        assert_eq!((announce.len(), &announce[..4]), (64, &[11, 2, 0, 64][..]));
        let follow = message(Kind::FollowUp, mac, 258, Some(SECOND + 2), &[]);
        assert_eq!(follow[20..34], [1, 2, 3, 0xff, 0xfe, 4, 5, 6, 0, 1, 1, 2, 2, 0]);
        assert_eq!(follow[34..], [0, 0, 0, 0, 0, 38, 0, 0, 7, 0xd0]);
    }
}
