//! Variables that S7comm reads and writes: where they are, and their values.

use gwcore::PointId;
use proto::Cursor;

use super::table::{self, Size};

/// What a variable specification begins with.
const SPECIFICATION: u8 = 0x12;
/// Syntax of a variable by area and address, `S7ANY`.
const S7ANY: u8 = 0x10;
/// Return code of an item that went well.
pub const DONE: u8 = 0xff;

/// Where a variable is, in the only syntax that S7-300 and S7-400 controllers need.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// Kind of the variable's elements.
    pub size: u8,
    /// Number of elements.
    pub count: u16,
    /// Data block.
    pub db: u16,
    /// Memory area.
    pub area: u8,
    /// Bit address: byte times eight and bit; of timers and counters their number.
    pub address: u32,
}

/// A variable as a job names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spec {
    /// Syntax of the specification.
    pub syntax: u8,
    /// What it says; none of other syntaxes than `S7ANY`.
    pub place: Option<Place>,
}

/// An item of data: the value of a variable, or why there is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Datum<'a> {
    /// Return code: 0xff done; 0 in jobs.
    pub code: u8,
    /// The octets of its value.
    pub bytes: &'a [u8],
}

/// The variables that the parameters of a job name, after function and number; whether all of them are there.
pub fn specs(parameters: &[u8]) -> (Vec<Spec>, bool) {
    let mut c = Cursor::new(parameters.get(2..).unwrap_or_default());
    let stated = parameters.get(1).copied().unwrap_or(0);
    let mut all = Vec::new();
    for i in 0..stated {
        let Some(spec) = spec(&mut c, i + 1 == stated) else { return (all, false) };
        all.push(spec);
    }
    (all, true)
}

fn spec(c: &mut Cursor<'_>, is_last: bool) -> Option<Spec> {
    let (kind, length) = (c.u8()?, c.u8()?);
    let mut body = c.sub(usize::from(length)).filter(|_| kind == SPECIFICATION)?;
    if length % 2 == 1 && !is_last {
        c.u8();
    }
    let syntax = body.u8()?;
    let place = if syntax == S7ANY { place(&mut body) } else { None };
    Some(Spec { syntax, place })
}

fn place(c: &mut Cursor<'_>) -> Option<Place> {
    Some(Place { size: c.u8()?, count: c.u16()?, db: c.u16()?, area: c.u8()?, address: c.u24()? })
}

/// The items of a job's or an answer's data; whether all of them are there.
pub fn data(data: &[u8], stated: u8, is_answer: bool) -> (Vec<Datum<'_>>, bool) {
    let mut c = Cursor::new(data);
    let mut all = Vec::new();
    for i in 0..stated {
        let Some(datum) = datum(&mut c, is_answer, i + 1 == stated) else { return (all, false) };
        all.push(datum);
    }
    (all, true)
}

fn datum<'a>(c: &mut Cursor<'a>, is_answer: bool, is_last: bool) -> Option<Datum<'a>> {
    let (code, transport, length) = (c.u8()?, c.u8()?, usize::from(c.u16()?));
    // An item that failed has no data; some controllers state a length all the same.
    if is_answer && code != DONE {
        return Some(Datum { code, bytes: &[] });
    }
    // Bits, bytes and integers state their length in bits, everything else in bytes.
    let length = if matches!(transport, 3..=5) { length.div_ceil(8) } else { length };
    let bytes = c.take(length)?;
    if length % 2 == 1 && !is_last {
        c.u8();
    }
    Some(Datum { code, bytes })
}

/// The return codes of an answer to a write, one octet each.
pub fn codes(data: &[u8]) -> Vec<Datum<'_>> {
    data.iter().map(|code| Datum { code: *code, bytes: &[] }).collect()
}

impl Place {
    /// Whether it is a single bit, or an output: a command rather than a set point.
    pub fn is_command(&self) -> bool {
        self.size == table::BIT || self.area == table::OUTPUTS
    }

    /// Its values, where its elements are numbers; strings of bytes are none.
    pub fn values(&self, bytes: &[u8], into: &mut Vec<f64>) {
        into.clear();
        let Some(size) = table::size(self.size).filter(|s| s.octets > 0) else { return };
        let is_string = size.octets == 1 && self.size != table::BIT && self.count > 1;
        if !is_string && bytes.len().is_multiple_of(size.octets) {
            into.extend(bytes.chunks_exact(size.octets).map(|b| number(size, b)));
        }
    }

    /// The point of one of its elements.
    pub fn point(&self, element: usize) -> Option<PointId> {
        let size = table::size(self.size)?;
        let table = table::point_table(self.area, self.size)?;
        let step = if matches!(self.area, table::COUNTERS | table::TIMERS) || self.size == table::BIT {
            1
        } else {
            8 * size.octets as u32
        };
        let address = self.address.saturating_add(step.saturating_mul(element as u32));
        Some(PointId { table, unit: u32::from(self.db), address })
    }
}

fn number(size: &Size, bytes: &[u8]) -> f64 {
    let raw = bytes.iter().fold(0_u32, |n, b| n << 8 | u32::from(*b));
    match size.name {
        "int" => f64::from(raw as u16 as i16),
        "dint" | "time" => f64::from(raw as i32),
        "real" => f64::from(f32::from_bits(raw)),
        "counter" => f64::from(bcd(raw)),
        // S5TIME: three decimal digits, and a time base of 10 ms, 100 ms, 1 s or 10 s.
        "timer" | "s5time" => f64::from(bcd(raw)) * [0.01, 0.1, 1.0, 10.0][(raw >> 12 & 3) as usize],
        _ => f64::from(raw),
    }
}

/// Three decimal digits.
fn bcd(raw: u32) -> u32 {
    (raw >> 8 & 0xf) * 100 + (raw >> 4 & 0xf) * 10 + (raw & 0xf)
}
