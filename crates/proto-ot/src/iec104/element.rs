//! Information elements: one object of an ASDU with its value, quality, qualifier and time (IEC 60870-5-101 §7.2.6).

use gwcore::Ts;
use proto::Cursor;

use super::table::{Element, Tag};
use super::time::{Cp56, cp24};

/// Bits of a quality, in the places of QDS, SIQ, DIQ, QDP and BCR; the last three beyond them.
pub const OVERFLOW: u16 = 0x01;
/// EI: elapsed time invalid.
pub const ELAPSED_INVALID: u16 = 0x08;
/// BL.
pub const BLOCKED: u16 = 0x10;
/// SB.
pub const SUBSTITUTED: u16 = 0x20;
/// NT.
pub const NOT_TOPICAL: u16 = 0x40;
/// IV.
pub const INVALID: u16 = 0x80;
/// CY of a counter.
pub const CARRY: u16 = 0x100;
/// CA of a counter.
pub const ADJUSTED: u16 = 0x200;
/// T of a step position.
pub const TRANSIENT: u16 = 0x400;

/// Quality words in the order they are written.
const WORDS: [(u16, &str); 9] = [
    (INVALID, "invalid"),
    (NOT_TOPICAL, "not_topical"),
    (SUBSTITUTED, "substituted"),
    (BLOCKED, "blocked"),
    (OVERFLOW, "overflow"),
    (ELAPSED_INVALID, "elapsed_time_invalid"),
    (CARRY, "carry"),
    (ADJUSTED, "adjusted"),
    (TRANSIENT, "transient"),
];

/// The words of a quality; `good` when no bit is set.
pub fn quality_words(bits: u16, into: &mut Vec<&'static str>) {
    into.clear();
    into.extend(WORDS.iter().filter(|(bit, _)| bits & bit != 0).map(|(_, word)| *word));
    if into.is_empty() {
        into.push("good");
    }
}

/// Whether a value of this quality may be believed: none of the bits that question it.
pub fn is_good(bits: u16) -> bool {
    bits & (OVERFLOW | ELAPSED_INVALID | BLOCKED | SUBSTITUTED | NOT_TOPICAL | INVALID) == 0
}

/// One information object.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Object<'a> {
    /// What it holds.
    pub element: Element,
    /// Information object address; none where the type has none.
    pub ioa: Option<u32>,
    /// Value as a number.
    pub value: Option<f64>,
    /// The integer on the wire.
    pub int: Option<i64>,
    /// Bytes that are not taken apart.
    pub bytes: Option<&'a [u8]>,
    /// Quality bits; none where the type has none.
    pub quality: Option<u16>,
    /// Time of CP56Time2a.
    pub time: Option<Ts>,
    /// The octets of CP56Time2a.
    pub octets: Option<&'a [u8]>,
    /// Milliseconds within the hour of CP24Time2a.
    pub hour_ms: Option<u32>,
    /// Whether the time tag is invalid; none where the type has none.
    pub time_invalid: Option<bool>,
    /// SU of CP56Time2a.
    pub summer: Option<bool>,
    /// QU, QL, QOI, QCC, QPM, COI …, or the sequence number of a counter.
    pub qualifier: Option<u8>,
    /// S/E: select rather than execute.
    pub select: Option<bool>,
    /// What the command does.
    pub action: Option<&'static str>,
    /// CP16Time2a in milliseconds.
    pub duration_ms: Option<u16>,
    /// Name of section of a file.
    pub section: Option<u8>,
}

impl Default for Object<'_> {
    fn default() -> Self {
        Object {
            element: Element::Empty,
            ioa: None,
            value: None,
            int: None,
            bytes: None,
            quality: None,
            time: None,
            octets: None,
            hour_ms: None,
            time_invalid: None,
            summer: None,
            qualifier: None,
            select: None,
            action: None,
            duration_ms: None,
            section: None,
        }
    }
}

impl<'a> Object<'a> {
    /// Reads the element and time tag of one object; none when it is cut.
    pub fn read(ioa: u32, element: Element, tag: Tag, c: &mut Cursor<'a>) -> Option<Object<'a>> {
        let mut o = Object { element, ioa: Some(ioa), ..Object::default() };
        match element.size() {
            Some(n) => {
                let mut own = c.sub(n + tag.size())?;
                o.fixed(&mut own)?;
                o.tag(tag, &mut own)?;
            }
            None => o.segment(c)?,
        }
        Some(o)
    }

    fn tag(&mut self, tag: Tag, c: &mut Cursor<'a>) -> Option<()> {
        match tag {
            Tag::None => {}
            Tag::Cp24 => {
                let (within, invalid) = cp24(c.array()?);
                (self.hour_ms, self.time_invalid) = (within, Some(invalid));
            }
            Tag::Cp56 => self.moment(c)?,
        }
        Some(())
    }

    fn moment(&mut self, c: &mut Cursor<'a>) -> Option<()> {
        let octets = c.take(7)?;
        let t = Cp56::read(octets.try_into().ok()?);
        self.octets = Some(octets);
        (self.time, self.time_invalid, self.summer) = (t.ts, Some(t.invalid), Some(t.summer));
        Some(())
    }

    fn fixed(&mut self, c: &mut Cursor<'a>) -> Option<()> {
        use Element::*;
        match self.element {
            Single | Double => self.state(c.u8()?),
            Step => self.step(c.u8()?, c.u8()?),
            Bits | PackedSingle => self.bits(c)?,
            Normalized | Scaled | Float => {
                self.measured(c)?;
                self.quality = Some(qds(c.u8()?));
            }
            NormalizedBare => self.measured(c)?,
            Counter => self.counter(c)?,
            SecurityCounter => {
                self.bytes = c.take(2);
                self.counter(c)?;
            }
            Protection | ProtectionStart | ProtectionOutput => self.protection(c)?,
            SingleCommand | DoubleCommand | StepCommand => self.command(c.u8()?),
            SetNormalized | SetScaled | SetFloat => {
                self.measured(c)?;
                let qos = c.u8()?;
                (self.qualifier, self.select) = (Some(qos & 0x7f), Some(qos & 0x80 != 0));
            }
            BitsCommand => self.number(i64::from(c.u32_le()?)),
            Qualifier => self.qualifier = Some(c.u8()?),
            Pattern => self.number(i64::from(c.u16_le()?)),
            Delay => self.duration_ms = Some(c.u16_le()?),
            ParameterNormalized | ParameterScaled | ParameterFloat => {
                self.measured(c)?;
                self.qualifier = Some(c.u8()?);
            }
            FileReady | SectionReady | FileCall | LastSection | Directory => self.file(c)?,
            QueryLog => {
                self.int = Some(i64::from(c.u16_le()?));
                self.bytes = Some(c.rest());
                self.moment(c)?;
            }
            Empty | Segment | Raw => {}
        }
        Some(())
    }

    fn number(&mut self, n: i64) {
        (self.value, self.int) = (Some(n as f64), Some(n));
    }

    /// SIQ (§7.2.6.1) and DIQ (§7.2.6.2).
    fn state(&mut self, b: u8) {
        let mask = if self.element == Element::Single { 1 } else { 3 };
        self.number(i64::from(b & mask));
        self.quality = Some(u16::from(b & 0xf0));
    }

    /// VTI (§7.2.6.5): seven bits with sign, and whether the equipment is in transit.
    fn step(&mut self, vti: u8, quality: u8) {
        self.number(i64::from(((vti << 1) as i8) >> 1));
        self.quality = Some(qds(quality) | if vti & 0x80 != 0 { TRANSIENT } else { 0 });
    }

    /// BSI (§7.2.6.13), SCD (§7.2.6.40): of the latter the status bits are the value, the whole with change bits the integer.
    fn bits(&mut self, c: &mut Cursor<'a>) -> Option<()> {
        let all = c.u32_le()?;
        self.number(i64::from(all));
        if self.element == Element::PackedSingle {
            self.value = Some(f64::from(all & 0xffff));
        }
        self.quality = Some(qds(c.u8()?));
        Some(())
    }

    /// NVA (§7.2.6.6), SVA (§7.2.6.7), IEEE STD 754 (§7.2.6.8).
    fn measured(&mut self, c: &mut Cursor<'a>) -> Option<()> {
        use Element::*;
        match self.element {
            Float | SetFloat | ParameterFloat => {
                self.value = Some(f64::from(f32::from_bits(c.u32_le()?)));
            }
            element => {
                let raw = i16::from_le_bytes(c.array()?);
                self.number(i64::from(raw));
                if matches!(element, Normalized | NormalizedBare | SetNormalized | ParameterNormalized) {
                    self.value = Some(f64::from(raw) / 32_768.0);
                }
            }
        }
        Some(())
    }

    /// BCR (§7.2.6.9).
    fn counter(&mut self, c: &mut Cursor<'a>) -> Option<()> {
        self.number(i64::from(i32::from_le_bytes(c.array()?)));
        let b = c.u8()?;
        let flag = |bit: u8, quality: u16| if b & bit != 0 { quality } else { 0 };
        self.qualifier = Some(b & 0x1f);
        self.quality = Some(flag(0x80, INVALID) | flag(0x40, ADJUSTED) | flag(0x20, CARRY));
        Some(())
    }

    /// SEP (§7.2.6.10), SPE (§7.2.6.11), OCI (§7.2.6.12), each with CP16Time2a.
    fn protection(&mut self, c: &mut Cursor<'a>) -> Option<()> {
        let b = c.u8()?;
        let quality = match self.element {
            Element::Protection => {
                self.number(i64::from(b & 3));
                b
            }
            element => {
                self.number(i64::from(b & if element == Element::ProtectionStart { 0x3f } else { 0x0f }));
                c.u8()?
            }
        };
        self.quality = Some(u16::from(quality & 0xf8));
        self.duration_ms = Some(c.u16_le()?);
        Some(())
    }

    /// SCO (§7.2.6.15), DCO (§7.2.6.16), RCO (§7.2.6.17).
    fn command(&mut self, b: u8) {
        let state = if self.element == Element::SingleCommand { b & 1 } else { b & 3 };
        self.number(i64::from(state));
        self.action = Some(match (self.element, state) {
            (Element::SingleCommand, 0) | (Element::DoubleCommand, 1) => "off",
            (Element::SingleCommand, _) | (Element::DoubleCommand, 2) => "on",
            (Element::StepCommand, 1) => "lower",
            (Element::StepCommand, 2) => "higher",
            _ => "not permitted",
        });
        (self.qualifier, self.select) = (Some((b >> 2) & 0x1f), Some(b & 0x80 != 0));
    }

    /// File transfer (§7.4.11): the name of the file is the integer, its length in octets the value.
    fn file(&mut self, c: &mut Cursor<'a>) -> Option<()> {
        self.int = Some(i64::from(c.u16_le()?));
        if !matches!(self.element, Element::FileReady | Element::Directory) {
            self.section = Some(c.u8()?);
        }
        if !matches!(self.element, Element::FileCall | Element::LastSection) {
            self.value = Some(f64::from(c.u24_le()?));
        }
        self.qualifier = Some(c.u8()?);
        if self.element == Element::LastSection {
            self.bytes = c.take(1);
        }
        Some(())
    }

    /// F_SG_NA_1 (§7.3.6.6): a stretch of a section, as long as it says.
    fn segment(&mut self, c: &mut Cursor<'a>) -> Option<()> {
        let mut ahead = *c;
        self.int = Some(i64::from(ahead.u16_le()?));
        self.section = Some(ahead.u8()?);
        let length = ahead.u8()?;
        self.value = Some(f64::from(length));
        self.bytes = ahead.take(usize::from(length).min(ahead.left()));
        *c = ahead;
        Some(())
    }
}

/// QDS (§7.2.6.3).
fn qds(b: u8) -> u16 {
    u16::from(b & 0xf1)
}
