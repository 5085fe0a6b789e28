//! DNP3 frames (IEEE 1815-2012): link layer with checksums, one transport segment, application headers and objects.

use crate::time::{MS, Micros};

/// Application function codes (table 4-3).
pub(crate) mod function {
    pub(crate) const CONFIRM: u8 = 0;
    pub(crate) const READ: u8 = 1;
    pub(crate) const WRITE: u8 = 2;
    pub(crate) const SELECT: u8 = 3;
    pub(crate) const OPERATE: u8 = 4;
    pub(crate) const DIRECT_OPERATE: u8 = 5;
    pub(crate) const START_APPLICATION: u8 = 17;
    pub(crate) const STOP_APPLICATION: u8 = 18;
    pub(crate) const ENABLE_UNSOLICITED: u8 = 20;
    pub(crate) const DISABLE_UNSOLICITED: u8 = 21;
    pub(crate) const OPEN_FILE: u8 = 25;
    pub(crate) const CLOSE_FILE: u8 = 26;
    pub(crate) const ACTIVATE_CONFIGURATION: u8 = 31;
    pub(crate) const RESPONSE: u8 = 129;
    pub(crate) const UNSOLICITED: u8 = 130;
}

/// Application control: a whole fragment in one segment.
pub(crate) const FIR_FIN: u8 = 0xc0;
/// Application control: the sender wants a confirmation.
pub(crate) const CON: u8 = 0x20;
/// Application control: the fragment is unsolicited or confirms one.
pub(crate) const UNS: u8 = 0x10;

/// Internal indications, first octet in the high half (clause 4.2.2.6).
pub(crate) mod iin {
    pub(crate) const CLASS_1: u16 = 0x0200;
    pub(crate) const NEED_TIME: u16 = 0x1000;
    pub(crate) const RESTART: u16 = 0x8000;
    pub(crate) const NO_FUNCTION: u16 = 0x0001;
    pub(crate) const PARAMETER: u16 = 0x0004;
}

/// One end of a DNP3 association, counting what its frames must count.
#[derive(Clone, Debug)]
pub(crate) struct Station {
    /// Own link address.
    pub(crate) own: u16,
    /// The peer's link address.
    pub(crate) peer: u16,
    pub(crate) is_master: bool,
    /// Transport sequence, 0–63.
    pub(crate) transport: u8,
}

impl Station {
    /// A fragment as link frames: unconfirmed user data with DIR by the role and PRM set, up to 249 octets of it a frame.
    pub(crate) fn frames(&mut self, fragment: &[u8]) -> Vec<u8> {
        let control = if self.is_master { 0xc4 } else { 0x44 };
        let count = fragment.len().div_ceil(249);
        let mut out = Vec::new();
        for (i, piece) in fragment.chunks(249).enumerate() {
            let mut user = vec![u8::from(i + 1 == count) << 7 | u8::from(i == 0) << 6 | self.transport];
            self.transport = (self.transport + 1) & 0x3f;
            user.extend_from_slice(piece);
            out.extend(link(control, self.peer, self.own, &user));
        }
        out
    }
}

/// A request: application control, function, objects.
pub(crate) fn request(control: u8, function: u8, objects: &[u8]) -> Vec<u8> {
    [&[control, function][..], objects].concat()
}

/// A response with its internal indications.
pub(crate) fn response(control: u8, function: u8, iin: u16, objects: &[u8]) -> Vec<u8> {
    [&[control, function][..], &iin.to_be_bytes(), objects].concat()
}

/// Headers that ask for all objects of these classes (group 60; 1 is class 0).
pub(crate) fn classes(variations: &[u8]) -> Vec<u8> {
    variations.iter().flat_map(|v| [60, *v, 0x06]).collect()
}

/// Header with start and stop in one octet each.
pub(crate) fn range(group: u8, variation: u8, start: u8, values: &[Vec<u8>]) -> Vec<u8> {
    let stop = start + (values.len() as u8).saturating_sub(1);
    [&[group, variation, 0x00, start, stop][..], &values.concat()].concat()
}

/// Header with count and index prefix in one octet each.
pub(crate) fn indexed(group: u8, variation: u8, values: &[(u8, Vec<u8>)]) -> Vec<u8> {
    let mut out = vec![group, variation, 0x17, values.len() as u8];
    for (index, value) in values {
        out.push(*index);
        out.extend_from_slice(value);
    }
    out
}

/// Control relay output block (g12v1) for one index, with prefix and count of two octets as masters usually send it.
pub(crate) fn crob(index: u16, code: u8, on_ms: u32, status: u8) -> Vec<u8> {
    let mut out = vec![12, 1, 0x28, 1, 0];
    out.extend_from_slice(&index.to_le_bytes());
    out.extend_from_slice(&[code, 1]);
    out.extend_from_slice(&on_ms.to_le_bytes());
    out.extend_from_slice(&0u32.to_le_bytes());
    out.push(status);
    out
}

/// Header with one object of a size of its own (qualifier 0x5b), as file objects have it.
pub(crate) fn sized(group: u8, variation: u8, object: &[u8]) -> Vec<u8> {
    [&[group, variation, 0x5b, 1][..], &(object.len() as u16).to_le_bytes(), object].concat()
}

/// Absolute time: 48 bits of milliseconds since 1970.
pub(crate) fn time(at: Micros) -> [u8; 6] {
    let ms = (at / MS).to_le_bytes();
    [ms[0], ms[1], ms[2], ms[3], ms[4], ms[5]]
}

/// A link frame: header block, then blocks of up to sixteen octets, each with its checksum; `user` is at most 250 octets.
fn link(control: u8, to: u16, from: u16, user: &[u8]) -> Vec<u8> {
    let mut out = vec![0x05, 0x64, 5 + user.len() as u8, control];
    out.extend_from_slice(&to.to_le_bytes());
    out.extend_from_slice(&from.to_le_bytes());
    let sum = crc(&out);
    out.extend_from_slice(&sum.to_le_bytes());
    for block in user.chunks(16) {
        out.extend_from_slice(block);
        out.extend_from_slice(&crc(block).to_le_bytes());
    }
    out
}

/// CRC-16/DNP: polynomial 0x3d65, reflected, inverted at the end (clause 9.2.4.3).
pub(crate) fn crc(bytes: &[u8]) -> u16 {
    let mut sum = 0u16;
    for byte in bytes {
        sum ^= u16::from(*byte);
        for _ in 0..8 {
            sum = if sum & 1 == 1 { sum >> 1 ^ 0xa6bc } else { sum >> 1 };
        }
    }
    !sum
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_check_value_of_the_polynomial() {
        assert_eq!(crc(b"123456789"), 0xea82);
    }

    #[test]
    fn a_class_poll_by_hand() {
        let mut master = Station { own: 1, peer: 10, is_master: true, transport: 0 };
        let frame = master.frames(&request(FIR_FIN | 3, function::READ, &classes(&[2, 3, 4])));
        assert_eq!(frame[..8], [0x05, 0x64, 5 + 12, 0xc4, 10, 0, 1, 0]);
        assert_eq!(frame[10..22], [0xc0, 0xc3, 1, 60, 2, 6, 60, 3, 6, 60, 4, 6]);
        assert_eq!(frame.len(), 10 + 12 + 2);
        assert_eq!(master.transport, 1);
    }

    #[test]
    fn long_fragments_are_cut_and_their_blocks_sealed() {
        let mut station = Station { own: 10, peer: 1, is_master: false, transport: 63 };
        let out = station.frames(&[7; 250]);
        assert_eq!((out[2], out[10]), (255, 0x40 | 63));
        let second = &out[10 + 250 + 16 * 2..];
        assert_eq!((second[2], second[10], second[11]), (5 + 2, 0x80, 7));
        assert_eq!(second.len(), 10 + 2 + 2);
    }

    #[test]
    fn a_trip_by_hand() {
        assert_eq!(crob(2, 0x81, 100, 0), [12, 1, 0x28, 1, 0, 2, 0, 0x81, 1, 100, 0, 0, 0, 0, 0, 0, 0, 0]);
    }
}
