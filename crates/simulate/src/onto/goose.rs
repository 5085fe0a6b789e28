//! A foreign GOOSE message: its name, and the same message with another state.

use super::reader::array;

/// Tags of the PDU's members (IEC 61850-8-1 annex A).
const CONTROL_BLOCK: u8 = 0x80;
const TIME_ALLOWED: u8 = 0x81;
const CHANGED: u8 = 0x84;
const STATE: u8 = 0x85;
const SEQUENCE: u8 = 0x86;
const VALUES: u8 = 0xab;
/// Members of a message, and values of its data set, that are read at most: a frame holds no more.
const MEMBERS: usize = 1_600;
/// Structures within structures that are read.
const DEPTH: u8 = 4;
/// Octets of a frame that is read: more than Ethernet carries is none.
pub(super) const LONGEST: usize = 1_600;

/// The control block's reference in what follows the EtherType.
pub(super) fn name(body: &[u8]) -> Option<&[u8]> {
    let (_, pdu, _) = tlv(body.get(8..)?)?;
    members(pdu)?.into_iter().find(|member| member.0 == CONTROL_BLOCK).map(|member| member.1)
}

/// A publisher's frame as the start of a false state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Spoof {
    /// What stands before the PDU, from the destination's address on.
    head: Vec<u8>,
    /// Where the length of the application part stands in it.
    length_at: usize,
    members: Vec<(u8, Vec<u8>)>,
}

impl Spoof {
    /// Reads a whole frame whose body begins at `at`; none when it has no state, or no value that can be turned.
    pub(super) fn read(frame: &[u8], at: usize) -> Option<Spoof> {
        let (_, pdu, _) = tlv(frame.get(at + 8..).filter(|_| frame.len() <= LONGEST)?)?;
        let members: Vec<(u8, Vec<u8>)> =
            members(pdu)?.into_iter().map(|(tag, content)| (tag, content.to_vec())).collect();
        let mut spoof = Spoof { head: frame.get(..at + 8)?.to_vec(), length_at: at + 2, members };
        let (state, _) = (spoof.number(STATE)?, spoof.number(SEQUENCE)?);
        spoof.set(STATE, state.wrapping_add(1));
        spoof.set(SEQUENCE, 0);
        let values = spoof.members.iter_mut().find(|member| member.0 == VALUES)?;
        values.1 = turned(&values.1, DEPTH)?;
        Some(spoof)
    }

    /// The state changed at this time, nanoseconds since 1970.
    pub(super) fn change(&mut self, at: i64) {
        let seconds = u32::try_from(at / 1_000_000_000).unwrap_or(0).to_be_bytes();
        let fraction = (((at % 1_000_000_000).max(0) as u64) << 24) / 1_000_000_000;
        let [_, a, b, c] = (fraction as u32).to_be_bytes();
        if let Some(member) = self.members.iter_mut().find(|member| member.0 == CHANGED && member.1.len() == 8) {
            // The last octet, the clock's quality, stays the publisher's.
            member.1.splice(..7, seconds.into_iter().chain([a, b, c]));
        }
    }

    /// The frame, sent by this device, allowing so many milliseconds until the next; counts it.
    pub(super) fn frame(&mut self, sender: [u8; 6], allowed_ms: u32) -> Vec<u8> {
        self.set(TIME_ALLOWED, allowed_ms);
        let body: Vec<u8> = self.members.iter().flat_map(|(tag, content)| encoded(*tag, content)).collect();
        let pdu = encoded(0x61, &body);
        let mut out = self.head.clone();
        if let Some(place) = out.get_mut(6..12) {
            place.copy_from_slice(&sender);
        }
        if let Some(place) = out.get_mut(self.length_at..self.length_at + 2) {
            place.copy_from_slice(&((8 + pdu.len()) as u16).to_be_bytes());
        }
        out.extend(pdu);
        out.resize(out.len().max(60), 0);
        let sequence = self.number(SEQUENCE).unwrap_or(0);
        self.set(SEQUENCE, sequence.wrapping_add(1));
        out
    }

    fn number(&self, tag: u8) -> Option<u32> {
        let content = &self.members.iter().find(|member| member.0 == tag)?.1;
        (content.len() <= 5).then(|| content.iter().fold(0u64, |sum, octet| sum << 8 | u64::from(*octet)) as u32)
    }

    /// Writes the shortest two's complement of a number that is never negative.
    fn set(&mut self, tag: u8, value: u32) {
        let Some(member) = self.members.iter_mut().find(|member| member.0 == tag) else { return };
        let octets = u64::from(value).to_be_bytes();
        let first = 7 - (32 - value.leading_zeros() as usize) / 8;
        member.1 = octets.get(first..).unwrap_or_default().to_vec();
    }
}

/// The values with every Boolean and every double point the other way round; none when there is neither. Structures down to `depth`.
fn turned(values: &[u8], depth: u8) -> Option<Vec<u8>> {
    let (mut out, mut has_turned) = (Vec::new(), false);
    for (tag, content) in members(values)? {
        let other = match (tag, content) {
            (0x83, [on]) => Some(vec![u8::from(*on == 0)]),
            (0x84, [6, two @ (0x40 | 0x80)]) => Some(vec![6, two ^ 0xc0]),
            (0xa2, inside) if depth > 0 => turned(inside, depth - 1),
            _ => None,
        };
        has_turned |= other.is_some();
        out.extend(encoded(tag, &other.unwrap_or_else(|| content.to_vec())));
    }
    has_turned.then_some(out)
}

fn encoded(tag: u8, content: &[u8]) -> Vec<u8> {
    let mut out = vec![tag];
    match content.len() {
        len @ 0..=127 => out.push(len as u8),
        len @ 128..=255 => out.extend([0x81, len as u8]),
        len => {
            out.push(0x82);
            out.extend((len as u16).to_be_bytes());
        }
    }
    out.extend(content);
    out
}

/// Tag, content and what follows; lengths up to 65 535.
fn tlv(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (start, len) = match *bytes.get(1)? {
        0x81 => (3, usize::from(*bytes.get(2)?)),
        0x82 => (4, usize::from(u16::from_be_bytes(array(bytes, 2)?))),
        len @ 0..=127 => (2, usize::from(len)),
        _ => return None,
    };
    Some((*bytes.first()?, bytes.get(start..start + len)?, bytes.get(start + len..)?))
}

fn members(mut bytes: &[u8]) -> Option<Vec<(u8, &[u8])>> {
    let mut out = Vec::new();
    while !bytes.is_empty() && out.len() < MEMBERS {
        let (tag, content, rest) = tlv(bytes)?;
        out.push((tag, content));
        bytes = rest;
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::goose::{Message, Value};

    fn message(state: u32, sequence: u32, closed: bool) -> Message {
        Message {
            app_id: 7,
            control_block: "RELAY01CTRL/LLN0$GO$gcbBreaker".into(),
            data_set: "D".into(),
            go_id: "G".into(),
            ttl_ms: 2_000,
            changed: 1_500_000,
            st_num: state,
            sq_num: sequence,
            conf_rev: 1,
            values: vec![Value::Position(if closed { 2 } else { 1 }), Value::Good, Value::Boolean(!closed)],
        }
    }

    fn frame(message: &Message) -> Vec<u8> {
        let mut out = vec![1; 12];
        out.extend([0x88, 0xb8]);
        out.extend(message.bytes());
        out
    }

    #[test]
    fn a_spoofed_state_is_the_next_one_with_its_values_turned() {
        for state in [126, 127, 128, 255, 32_767, 32_768, 8_388_607] {
            let mut spoof = Spoof::read(&frame(&message(state, 300_000, true)), 14).unwrap();
            spoof.change(1_500_000_000);
            let mut expect = frame(&message(state + 1, 0, false));
            expect[6..12].fill(9);
            assert_eq!(spoof.frame([9; 6], 2_000), expect, "{state}");
            assert_ne!(spoof.frame([9; 6], 2_000), expect);
        }
    }

    #[test]
    fn a_message_that_cannot_be_turned_is_none() {
        let mut still = message(1, 1, true);
        still.values = vec![Value::Good, Value::Float(1.0)];
        assert_eq!(Spoof::read(&frame(&still), 14), None);
        let whole = frame(&message(1, 1, true));
        for cut in 0..whole.len() {
            assert_eq!(Spoof::read(&whole[..cut], 14), None, "{cut}");
        }
        assert_eq!(name(&message(1, 1, true).bytes()), Some(&b"RELAY01CTRL/LLN0$GO$gcbBreaker"[..]));
    }
}
