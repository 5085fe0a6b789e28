//! GOOSE frames (IEC 61850-8-1 edition 2, clause 18 and annex A): EtherType 0x88b8 with a BER body.

use crate::time::{Micros, SECOND};

/// A GOOSE control block and the state of its publisher.
#[derive(Debug)]
pub(crate) struct Message {
    pub(crate) app_id: u16,
    pub(crate) control_block: String,
    pub(crate) data_set: String,
    pub(crate) go_id: String,
    pub(crate) ttl_ms: u32,
    /// Time of the last change.
    pub(crate) changed: Micros,
    pub(crate) st_num: u32,
    pub(crate) sq_num: u32,
    pub(crate) conf_rev: u32,
    pub(crate) values: Vec<Value>,
}

/// A member of the data set.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Value {
    Boolean(bool),
    /// Double point: 1 open, 2 closed, two bits.
    Position(u8),
    /// Quality of thirteen bits, good.
    Good,
    Float(f32),
}

impl Message {
    /// Application header and PDU, what follows the EtherType.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        let values: Vec<u8> = self.values.iter().flat_map(|value| value.ber()).collect();
        let body = [
            tlv(0x80, self.control_block.as_bytes()),
            tlv(0x81, &unsigned(self.ttl_ms)),
            tlv(0x82, self.data_set.as_bytes()),
            tlv(0x83, self.go_id.as_bytes()),
            tlv(0x84, &utc(self.changed)),
            tlv(0x85, &unsigned(self.st_num)),
            tlv(0x86, &unsigned(self.sq_num)),
            tlv(0x87, &[0]),
            tlv(0x88, &unsigned(self.conf_rev)),
            tlv(0x89, &[0]),
            tlv(0x8a, &unsigned(self.values.len() as u32)),
            tlv(0xab, &values),
        ];
        let pdu = tlv(0x61, &body.concat());
        let mut out = self.app_id.to_be_bytes().to_vec();
        out.extend_from_slice(&(8 + pdu.len() as u16).to_be_bytes());
        out.extend_from_slice(&[0; 4]);
        out.extend_from_slice(&pdu);
        out
    }
}

impl Value {
    fn ber(self) -> Vec<u8> {
        match self {
            Value::Boolean(on) => tlv(0x83, &[u8::from(on)]),
            Value::Position(two) => tlv(0x84, &[6, two << 6]),
            Value::Good => tlv(0x84, &[3, 0, 0]),
            Value::Float(value) => {
                let bits = value.to_be_bytes();
                tlv(0x87, &[8, bits[0], bits[1], bits[2], bits[3]])
            }
        }
    }
}

fn tlv(tag: u8, content: &[u8]) -> Vec<u8> {
    let mut out = vec![tag];
    match content.len() {
        len @ 0..=127 => out.push(len as u8),
        len @ 128..=255 => out.extend_from_slice(&[0x81, len as u8]),
        len => {
            out.push(0x82);
            out.extend_from_slice(&(len as u16).to_be_bytes());
        }
    }
    out.extend_from_slice(content);
    out
}

/// The shortest two's complement of a number that is never negative.
fn unsigned(value: u32) -> Vec<u8> {
    let bytes = u64::from(value).to_be_bytes();
    let first = (0..7).find(|i| bytes[*i] != 0 || bytes[*i + 1] & 0x80 != 0).unwrap_or(7);
    bytes[first..].to_vec()
}

/// UtcTime: seconds, 24 bits of fraction, quality with 10 bits of accuracy.
fn utc(at: Micros) -> [u8; 8] {
    let seconds = ((at / SECOND) as u32).to_be_bytes();
    let part = crate::time::fraction(at).to_be_bytes();
    [seconds[0], seconds[1], seconds[2], seconds[3], part[0], part[1], part[2], 10]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_are_shortest_and_never_negative() {
        assert_eq!(unsigned(0), [0]);
        assert_eq!(unsigned(127), [127]);
        assert_eq!(unsigned(128), [0, 128]);
        assert_eq!(unsigned(2_000), [7, 0xd0]);
        assert_eq!(unsigned(u32::MAX), [0, 255, 255, 255, 255]);
    }

    #[test]
    fn a_message_by_hand() {
        let message = Message {
            app_id: 0x0001,
            control_block: "A".into(),
            data_set: "B".into(),
            go_id: "C".into(),
            ttl_ms: 2_000,
            changed: 1_500_000,
            st_num: 1,
            sq_num: 200,
            conf_rev: 1,
            values: vec![Value::Boolean(true), Value::Position(2), Value::Good],
        };
        let expect = [
            &[0, 1, 0, 66, 0, 0, 0, 0, 0x61, 56][..],
            &[0x80, 1, b'A', 0x81, 2, 7, 0xd0, 0x82, 1, b'B', 0x83, 1, b'C'],
            &[0x84, 8, 0, 0, 0, 1, 0x80, 0, 0, 10, 0x85, 1, 1, 0x86, 2, 0, 200, 0x87, 1, 0, 0x88, 1, 1, 0x89, 1, 0],
            &[0x8a, 1, 3, 0xab, 12, 0x83, 1, 1, 0x84, 2, 6, 0x80, 0x84, 3, 3, 0, 0],
        ];
        assert_eq!(message.bytes(), expect.concat());
    }
}
