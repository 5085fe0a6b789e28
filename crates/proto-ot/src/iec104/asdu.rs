//! The ASDU: its data unit identifier and its information objects (IEC 60870-5-101 §7, sizes of IEC 60870-5-104: cause 2, address 2, IOA 3).

use proto::Cursor;

use super::element::Object;
use super::table::{Element, Tag, Type, type_of};

/// Octets of the data unit identifier.
const HEADER: usize = 6;
/// Octets of an information object address.
const IOA: usize = 3;

/// An ASDU.
#[derive(Clone, Copy, Debug)]
pub struct Asdu<'a> {
    /// Type identification.
    pub type_id: u8,
    /// What is known of the type.
    pub info: Option<Type>,
    /// SQ: one address for a sequence of elements.
    pub sq: bool,
    /// Number of objects or elements it states.
    pub count: u8,
    /// Cause of transmission.
    pub cause: u8,
    /// P/N.
    pub negative: bool,
    /// T.
    pub test: bool,
    /// Common address.
    pub ca: u16,
    /// What follows the data unit identifier.
    pub body: &'a [u8],
}

impl<'a> Asdu<'a> {
    /// Reads one; none when not even the identifier is there.
    pub fn parse(bytes: &'a [u8]) -> Option<Asdu<'a>> {
        let mut c = Cursor::new(bytes);
        let [type_id, vsq, cot, _originator] = c.array::<4>()?;
        let ca = c.u16_le()?;
        Some(Asdu {
            type_id,
            info: type_of(type_id),
            sq: vsq & 0x80 != 0,
            count: vsq & 0x7f,
            cause: cot & 0x3f,
            negative: cot & 0x40 != 0,
            test: cot & 0x80 != 0,
            ca,
            body: c.rest(),
        })
    }

    /// The element of its objects. Security statistics come with and without an association identifier: the length tells.
    fn element(&self, body: usize) -> Option<(Element, Tag)> {
        let info = self.info?;
        let bare = info.element == Element::SecurityCounter
            && self.expected(Element::SecurityCounter, info.tag) != Some(body)
            && self.expected(Element::Counter, info.tag) == Some(body);
        Some((if bare { Element::Counter } else { info.element }, info.tag))
    }

    /// Octets of all objects by the number stated; none when the element itself says.
    fn expected(&self, element: Element, tag: Tag) -> Option<usize> {
        let one = element.size()? + tag.size();
        let n = usize::from(self.count);
        Some(if self.sq { IOA + n * one } else { n * (IOA + one) })
    }

    /// Whether a head of an ASDU of `length` octets may be one: known type, possible cause, number of objects that fits.
    pub fn is_plausible(&self, length: usize) -> bool {
        let Some(body) = length.checked_sub(HEADER) else { return false };
        let Some((element, tag)) = self.element(body) else { return false };
        if !matches!(self.cause, 1..=16 | 20..=41 | 44..=47) {
            return false;
        }
        match self.expected(element, tag) {
            Some(n) => self.count > 0 && n == body,
            None => self.count <= 1,
        }
    }

    /// Whether its length proves its structure.
    pub fn is_framed(&self) -> bool {
        self.info.is_some_and(|t| t.element.size().is_some()) && self.is_plausible(self.body.len() + HEADER)
    }

    /// What is wrong with it; none when all of it was understood.
    pub fn fault(&self) -> Option<&'static str> {
        let Some((element, tag)) = self.element(self.body.len()) else { return Some("unknown_type") };
        match self.expected(element, tag) {
            Some(_) if self.count == 0 => Some("no_objects"),
            Some(n) if n > self.body.len() => Some("asdu_truncated"),
            Some(n) if n < self.body.len() => Some("trailing_bytes"),
            None if element == Element::Segment => {
                let stated = self.body.get(IOA + 3).map(|los| usize::from(*los) + IOA + 4);
                (stated != Some(self.body.len())).then_some("segment_length")
            }
            _ => None,
        }
    }

    /// Its objects, as far as they are whole.
    pub fn objects(&self) -> Objects<'a> {
        let element = self.element(self.body.len());
        let (element, tag) = element.unwrap_or((Element::Raw, Tag::None));
        let left = if element.size().is_some() { self.count } else { 1 };
        Objects { element, tag, sq: self.sq, left, ioa: None, rest: Cursor::new(self.body) }
    }

    /// The first object.
    pub fn first(&self) -> Option<Object<'a>> {
        self.objects().next()
    }
}

/// Iterates over the objects of an ASDU.
#[derive(Clone, Debug)]
pub struct Objects<'a> {
    element: Element,
    tag: Tag,
    sq: bool,
    left: u8,
    ioa: Option<u32>,
    rest: Cursor<'a>,
}

impl<'a> Iterator for Objects<'a> {
    type Item = Object<'a>;

    fn next(&mut self) -> Option<Object<'a>> {
        self.left = self.left.checked_sub(1)?;
        if self.element == Element::Raw {
            let bytes = self.rest.take(self.rest.left())?;
            return (!bytes.is_empty()).then(|| Object {
                element: Element::Raw,
                bytes: Some(bytes),
                ..Object::default()
            });
        }
        let ioa = match self.ioa {
            Some(before) if self.sq => before + 1,
            _ => {
                let mut ahead = self.rest;
                let ioa = ahead.array::<IOA>()?;
                self.rest = ahead;
                u32::from_le_bytes([ioa[0], ioa[1], ioa[2], 0])
            }
        };
        self.ioa = Some(ioa);
        Object::read(ioa, self.element, self.tag, &mut self.rest)
    }
}
