//! A relay's breaker is published as open by somebody else, who counts on from the relay's own state number.
//!
//! The relay goes on, so its control block has two publishers for a while.

use testkit::{Stack, Vlan};

use super::{Cast, moment, share};
use crate::cx::Cx;
use crate::episode::{Episode, Fate};
use crate::goose::{Message, Value};
use crate::label::Label;
use crate::network::{Host, RELAYS};
use crate::plant::Plant;
use crate::rng::Rng;
use crate::time::{MINUTE, MS, Micros, SECOND};

/// First retransmission and steady state, as the relay has them.
const T1: Micros = 4 * MS;
const T0: Micros = SECOND;

pub(crate) struct GooseSpoof {
    cast: Cast,
    rng: Rng,
    begin: Micros,
    until: Micros,
    /// What the relay published last.
    heard: Option<Message>,
    /// What is published in its name.
    told: Option<Message>,
    wait: Micros,
}

impl GooseSpoof {
    /// Between half and seven tenths of the run, for up to a twentieth of it.
    pub(crate) fn new(cast: Cast, mut rng: Rng, plant: &Plant) -> GooseSpoof {
        let begin = moment(&mut rng, plant, 50, 70);
        let until = begin + share(plant, 20, (6 * SECOND, MINUTE));
        GooseSpoof { cast, rng, begin, until, heard: None, told: None, wait: T1 }
    }

    /// The relay's message with the next state: the breaker is elsewhere, protection has tripped it.
    fn turned(mut message: Message, now: Micros) -> Message {
        message.st_num += 1;
        message.sq_num = 0;
        message.changed = now - 2 * MS;
        for value in &mut message.values {
            match value {
                Value::Position(two) => *two = 3 - *two,
                Value::Boolean(on) => *on = !*on,
                Value::Good | Value::Float(_) => {}
            }
        }
        message
    }
}

impl Episode for GooseSpoof {
    fn label(&self) -> Label {
        self.cast.label()
    }

    fn parties(&self) -> (&'static Host, Vec<&'static Host>) {
        (self.cast.host, vec![&RELAYS[0]])
    }

    fn begin(&self) -> Micros {
        self.begin
    }

    fn wake(&mut self, now: Micros, cx: &mut Cx<'_>) -> Option<Micros> {
        let mut message = match self.told.take() {
            Some(told) => told,
            None => GooseSpoof::turned(self.heard.take()?, now),
        };
        message.ttl_ms = ((self.wait * 2 / MS) as u32).max(20);
        let tag = Vlan { vid: 100, pcp: 4, ethertype: Some(0x88b8), ..Vlan::default() };
        let group = [0x01, 0x0c, 0xcd, 0x01, 0, 1];
        cx.send(now, Stack::new().eth(self.cast.host.mac, group).add(tag).payload(&message.bytes()));
        message.sq_num += 1;
        self.told = Some(message);
        let next = now + self.wait + self.rng.between(0, 300);
        self.wait = (self.wait * 2).min(T0);
        (next < self.until).then_some(next)
    }

    fn frame(&mut self, at: Micros, bytes: &mut Vec<u8>) -> Fate {
        if at <= self.begin && bytes[6..12] == RELAYS[0].mac && bytes[16..18] == [0x88, 0xb8] {
            self.heard = heard(&bytes[18..]);
        }
        Fate::Pass
    }
}

/// Reads a message as [`Message::bytes`] writes it.
fn heard(bytes: &[u8]) -> Option<Message> {
    let app_id = u16::from_be_bytes([*bytes.first()?, *bytes.get(1)?]);
    let (_, pdu, _) = tlv(bytes.get(8..)?)?;
    let fields = members(pdu)?;
    let content = |tag: u8| fields.iter().find(|field| field.0 == tag).map(|field| field.1);
    let number = |tag| Some(content(tag)?.iter().fold(0u64, |sum, byte| sum << 8 | u64::from(*byte)) as u32);
    let text = |tag| Some(String::from_utf8_lossy(content(tag)?).into_owned());
    let values = members(content(0xab)?)?.into_iter().map(|(tag, content)| match (tag, content) {
        (0x83, [on]) => Some(Value::Boolean(*on != 0)),
        (0x84, [6, two]) => Some(Value::Position(two >> 6)),
        (0x84, [3, ..]) => Some(Value::Good),
        (0x87, [8, a, b, c, d]) => Some(Value::Float(f32::from_be_bytes([*a, *b, *c, *d]))),
        _ => None,
    });
    Some(Message {
        app_id,
        control_block: text(0x80)?,
        data_set: text(0x82)?,
        go_id: text(0x83)?,
        ttl_ms: number(0x81)?,
        changed: 0,
        st_num: number(0x85)?,
        sq_num: number(0x86)?,
        conf_rev: number(0x88)?,
        values: values.collect::<Option<_>>()?,
    })
}

/// Tag, content and what follows; lengths up to 65 535.
fn tlv(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (start, len) = match *bytes.get(1)? {
        0x81 => (3, usize::from(*bytes.get(2)?)),
        0x82 => (4, usize::from(u16::from_be_bytes([*bytes.get(2)?, *bytes.get(3)?]))),
        len => (2, usize::from(len)),
    };
    Some((bytes[0], bytes.get(start..start + len)?, &bytes[start + len..]))
}

fn members(mut bytes: &[u8]) -> Option<Vec<(u8, &[u8])>> {
    let mut out = Vec::new();
    while !bytes.is_empty() {
        let (tag, content, rest) = tlv(bytes)?;
        out.push((tag, content));
        bytes = rest;
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_heard_is_what_was_said() {
        let message = Message {
            app_id: 7,
            control_block: "RELAY01CTRL/LLN0$GO$gcbBreaker".into(),
            data_set: "D".into(),
            go_id: "G".into(),
            ttl_ms: 2_000,
            changed: 0,
            st_num: 41,
            sq_num: 300_000,
            conf_rev: 1,
            values: vec![Value::Position(2), Value::Good, Value::Boolean(false), Value::Float(1.5), Value::Good],
        };
        let copy = heard(&message.bytes()).unwrap();
        assert_eq!(copy.bytes(), message.bytes());
        let turned = GooseSpoof::turned(copy, SECOND);
        assert_eq!((turned.st_num, turned.sq_num, turned.values[0]), (42, 0, Value::Position(1)));
        assert_eq!(turned.values[2], Value::Boolean(true));
    }
}
