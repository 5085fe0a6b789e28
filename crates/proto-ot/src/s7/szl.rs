//! What a controller says of itself in its system status lists (SIMATIC S7-300/400, System and Standard Functions, "System Status Lists":
//! W#16#xy11 module identification, W#16#xy1C component identification).

use gwcore::Body;
use proto::{Cursor, Cx};

use super::NAME;
use super::message::Message;

/// Group and subfunction of user data that reads a list.
const READ_LIST: (u8, Option<u8>) = (4, Some(1));
/// Octets of a list that are kept until its last part comes; the lists read here have some hundred.
const LONGEST: usize = 4_096;
/// Octets of the order number in a record of W#16#xy11, of a name in one of W#16#xy1C.
const ORDER_NUMBER: usize = 20;
const NAME_OCTETS: usize = 24;
const LONG_NAME_OCTETS: usize = 32;

/// The parts of a list that have come.
#[derive(Default)]
pub struct Parts {
    /// Number that the parts of one answer share.
    unit: u8,
    bytes: Vec<u8>,
}

impl Parts {
    /// Takes an answer; with its last part the list tells who its sender is.
    pub fn answer(&mut self, message: &Message<'_>, cx: &mut Cx<'_>) {
        if message.user != Some(READ_LIST) {
            return;
        }
        let Some((unit, is_last, part)) = part(message) else { return self.bytes.clear() };
        if unit != self.unit || unit == 0 {
            self.bytes.clear();
        }
        self.unit = unit;
        if self.bytes.is_empty() && is_last {
            return identity(part, cx);
        }
        if self.bytes.len() + part.len() > LONGEST {
            return self.bytes.clear();
        }
        self.bytes.extend_from_slice(part);
        if is_last {
            let whole = std::mem::take(&mut self.bytes);
            identity(&whole, cx);
        }
    }
}

/// Number of the answer, whether this part is its last, and what it carries; none where it refuses.
fn part<'a>(message: &Message<'a>) -> Option<(u8, bool, &'a [u8])> {
    let (unit, more) = (*message.parameters.get(8)?, *message.parameters.get(9)?);
    let mut c = Cursor::new(message.data);
    let (code, _, length) = (c.u8()?, c.u8()?, usize::from(c.u16()?));
    let carried = c.rest();
    (code == 0xff).then_some((unit, more == 0, carried.get(..length).unwrap_or(carried)))
}

fn identity(list: &[u8], cx: &mut Cx<'_>) {
    let mut c = Cursor::new(list);
    let mut head = || Some((c.u16()?, c.u16()?, usize::from(c.u16()?), usize::from(c.u16()?)));
    let Some((id, _, length, count)) = head() else { return };
    let rest = c.rest();
    if length < 2 {
        return;
    }
    for record in rest.chunks_exact(length).take(count) {
        let mut c = Cursor::new(record);
        let Some(index) = c.u16() else { return };
        let record = c.rest();
        match id & 0xff {
            0x11 => module(index, record, cx),
            0x1c => component(index, record, cx),
            _ => return,
        }
    }
}

/// Order number (20), type, release of the module or its firmware, release of its description: a record of W#16#xy11.
fn module(index: u16, record: &[u8], cx: &mut Cx<'_>) {
    let Some((order_number, rest)) = record.split_at_checked(ORDER_NUMBER) else { return };
    match (index, rest) {
        (1, _) => tell("model", order_number, cx),
        (7, [_, _, b'V', major, minor, patch, ..]) => {
            tell("firmware", format!("V{major}.{minor}.{patch}").as_bytes(), cx);
        }
        _ => {}
    }
}

/// A text of 24 or 32 octets: a record of W#16#xy1C.
fn component(index: u16, record: &[u8], cx: &mut Cx<'_>) {
    let (field, octets) = match index {
        1 => ("station", NAME_OCTETS),
        2 => ("module", NAME_OCTETS),
        3 => ("plant", LONG_NAME_OCTETS),
        5 => ("serial", NAME_OCTETS),
        7 => ("product", LONG_NAME_OCTETS),
        8 => ("memory_card", LONG_NAME_OCTETS),
        11 => ("location", LONG_NAME_OCTETS),
        _ => return,
    };
    tell(field, record.get(..octets).unwrap_or(record), cx);
}

fn tell(field: &'static str, value: &[u8], cx: &mut Cx<'_>) {
    let is_padding = |b: &u8| matches!(b, 0 | b' ');
    let end = value.iter().rposition(|b| !is_padding(b)).map_or(0, |at| at + 1);
    let value = value.get(..end).unwrap_or_default();
    if value.is_empty() {
        return;
    }
    cx.fact(Body::Identity { field, value: crate::fact_text(value), source: NAME });
}
