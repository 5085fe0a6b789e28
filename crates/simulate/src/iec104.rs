//! IEC 60870-5-104 frames (edition 2): APCI of the three formats and the ASDUs of a transmission substation.

use crate::time::{MS, Micros, SECOND, civil};

/// Unnumbered control functions (clause 5.1).
pub(crate) mod unnumbered {
    pub(crate) const START_ACT: u8 = 0x07;
    pub(crate) const START_CON: u8 = 0x0b;
    pub(crate) const STOP_ACT: u8 = 0x13;
    pub(crate) const STOP_CON: u8 = 0x23;
    pub(crate) const TEST_ACT: u8 = 0x43;
    pub(crate) const TEST_CON: u8 = 0x83;
}

/// Type identifications (IEC 60870-5-101 table 8 onwards).
pub(crate) mod kind {
    pub(crate) const SINGLE_POINT: u8 = 1;
    pub(crate) const DOUBLE_POINT: u8 = 3;
    pub(crate) const MEASURED_FLOAT: u8 = 13;
    pub(crate) const SINGLE_POINT_TIME: u8 = 30;
    pub(crate) const DOUBLE_POINT_TIME: u8 = 31;
    pub(crate) const MEASURED_FLOAT_TIME: u8 = 36;
    pub(crate) const SINGLE_COMMAND: u8 = 45;
    pub(crate) const DOUBLE_COMMAND: u8 = 46;
    pub(crate) const END_OF_INITIALISATION: u8 = 70;
    pub(crate) const INTERROGATION: u8 = 100;
    pub(crate) const CLOCK: u8 = 103;
}

/// Causes of transmission (IEC 60870-5-101 table 14).
pub(crate) mod cause {
    pub(crate) const SPONTANEOUS: u8 = 3;
    pub(crate) const INITIALISED: u8 = 4;
    pub(crate) const ACTIVATION: u8 = 6;
    pub(crate) const CONFIRMATION: u8 = 7;
    pub(crate) const TERMINATION: u8 = 10;
    pub(crate) const REMOTE_COMMAND: u8 = 11;
    pub(crate) const INTERROGATED: u8 = 20;
    /// With the negative bit: the type is not known.
    pub(crate) const UNKNOWN_TYPE: u8 = 0x40 | 44;
}

/// The numbers of one direction of a connection, 15 bits each.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Numbers {
    pub(crate) sent: u16,
    pub(crate) received: u16,
}

impl Numbers {
    /// An I-format frame with this ASDU; counts it.
    pub(crate) fn numbered(&mut self, asdu: &[u8]) -> Vec<u8> {
        let mut out = vec![0x68, 4 + asdu.len() as u8];
        out.extend_from_slice(&(self.sent << 1).to_le_bytes());
        out.extend_from_slice(&(self.received << 1).to_le_bytes());
        out.extend_from_slice(asdu);
        self.sent = (self.sent + 1) & 0x7fff;
        out
    }

    /// An S-format frame.
    pub(crate) fn supervisory(&self) -> Vec<u8> {
        let received = (self.received << 1).to_le_bytes();
        vec![0x68, 4, 1, 0, received[0], received[1]]
    }

    /// Counts an I-format frame of the peer.
    pub(crate) fn receive(&mut self) {
        self.received = (self.received + 1) & 0x7fff;
    }
}

/// A U-format frame.
pub(crate) fn unnumbered_frame(function: u8) -> Vec<u8> {
    vec![0x68, 4, function, 0, 0, 0]
}

/// An ASDU of single objects, each with its three-octet address; originator 0, common address in two octets.
pub(crate) fn asdu(kind: u8, cause: u8, common: u16, objects: &[(u32, Vec<u8>)]) -> Vec<u8> {
    let mut out = vec![kind, objects.len() as u8, cause, 0];
    out.extend_from_slice(&common.to_le_bytes());
    for (address, element) in objects {
        out.extend_from_slice(&address.to_le_bytes()[..3]);
        out.extend_from_slice(element);
    }
    out
}

/// Short float with quality 0.
pub(crate) fn float(value: f64) -> Vec<u8> {
    let mut out = (value as f32).to_le_bytes().to_vec();
    out.push(0);
    out
}

/// CP56Time2a: seven octets, UTC, valid, no summer time (IEC 60870-5-4 clause 6.8).
pub(crate) fn cp56(at: Micros) -> [u8; 7] {
    let c = civil(at);
    let ms = ((at % (60 * SECOND)) / MS) as u16;
    let [low, high] = ms.to_le_bytes();
    let day = c.day as u8 | (c.weekday as u8) << 5;
    [low, high, c.minute as u8, c.hour as u8, day, c.month as u8, (c.year % 100) as u8]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interrogation_by_hand() {
        let mut numbers = Numbers { sent: 1, received: 300 };
        let frame = numbers.numbered(&asdu(kind::INTERROGATION, cause::ACTIVATION, 7, &[(0, vec![20])]));
        assert_eq!(frame, [0x68, 14, 2, 0, 0x58, 2, 100, 1, 6, 0, 7, 0, 0, 0, 0, 20]);
        assert_eq!((numbers.sent, numbers.supervisory()), (2, vec![0x68, 4, 1, 0, 0x58, 2]));
    }

    #[test]
    fn numbers_wrap_at_fifteen_bits() {
        let mut numbers = Numbers { sent: 0x7fff, received: 0x7fff };
        assert_eq!(numbers.numbered(&[])[2..6], [0xfe, 0xff, 0xfe, 0xff]);
        numbers.receive();
        assert_eq!((numbers.sent, numbers.received), (0, 0));
    }

    #[test]
    fn a_time_by_hand() {
        // Sunday 1994-11-06 08:49:37.500.
        assert_eq!(cp56(784_111_777 * SECOND + 500 * MS), [0x7c, 0x92, 49, 8, 6 | 7 << 5, 11, 94]);
    }
}
