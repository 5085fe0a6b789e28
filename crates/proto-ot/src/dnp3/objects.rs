//! Object headers and the objects after them: qualifiers, ranges, prefixes, packed bits (IEEE 1815 §4.2.2.7).

use proto::Cursor;

use super::app::function;
use super::decode;
use super::record::Dnp3Object;
use super::table::{self, Layout};

/// What a header's range field says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Range {
    /// All points.
    All,
    /// Indexes from and to, both included.
    Span(u32, u32),
    /// So many objects.
    Count(u32),
}

impl Range {
    /// Reads the range field that a qualifier announces. Codes 3 to 5, virtual addresses, are read as from and to as well.
    fn read(qualifier: u8, c: &mut Cursor<'_>) -> Result<Range, Fault> {
        let code = qualifier & 0x0f;
        let size = 1 << (code % 3);
        let range = match code {
            0..=5 => int(c, size).zip(int(c, size)).map(|(a, b)| Range::Span(a, b)),
            6 => Some(Range::All),
            7..=9 => int(c, 1 << (code - 7)).map(Range::Count),
            11 => int(c, 1).map(Range::Count),
            _ => return Err(Fault("bad_qualifier")),
        };
        match range {
            Some(Range::Span(a, b)) if b < a => Err(Fault("range_reversed")),
            Some(range) => Ok(range),
            None => Err(Fault("object_header_cut")),
        }
    }
}

/// An object header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// Place among the headers of the fragment.
    pub number: u16,
    /// Object group.
    pub group: u8,
    /// Object variation.
    pub variation: u8,
    /// Qualifier octet; none when the fragment ends before it.
    pub qualifier: Option<u8>,
    /// Range field.
    pub range: Range,
}

impl Header {
    /// Reads a header; none when not even group and variation are there. The fault says what is wrong with the rest of it.
    fn read(c: &mut Cursor<'_>, number: u16) -> Option<(Header, Option<Fault>)> {
        let (group, variation) = (c.u8()?, c.u8()?);
        let qualifier = c.u8();
        let range = qualifier.ok_or(Fault("object_header_cut")).and_then(|q| Range::read(q, c));
        let fault = range.err();
        Some((Header { number, group, variation, qualifier, range: range.unwrap_or(Range::All) }, fault))
    }

    /// Octets of the prefix before each object, and whether it is a size rather than an index; none for the reserved code.
    fn prefix(&self) -> Option<(u8, bool)> {
        match self.qualifier.unwrap_or(0) >> 4 & 7 {
            0 => Some((0, false)),
            n @ 1..=3 => Some((1 << (n - 1), false)),
            n @ 4..=6 => Some((1 << (n - 4), true)),
            _ => None,
        }
    }

    /// A row of this header with nothing else in it.
    fn row<'a>(&self) -> Dnp3Object<'a> {
        let span = if let Range::Span(a, b) = self.range { Some((a, b)) } else { None };
        Dnp3Object::blank(
            self.number,
            (self.group, self.variation, self.qualifier),
            table::group_name(self.group),
            span,
        )
    }
}

/// Why decoding stopped: the reason of an anomaly.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault(pub &'static str);

/// What a walk over the objects of a fragment came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Walked {
    /// Object headers.
    pub headers: u16,
    /// Rows, those left out included.
    pub rows: u32,
    /// Rows left out.
    pub left_out: u32,
    /// Why it stopped before the end, if so.
    pub fault: Option<Fault>,
}

/// Visits the objects of a fragment in order, at most `cap` of them; headers without objects count as one.
pub fn walk<'a>(code: u8, body: &'a [u8], cap: usize, visit: &mut dyn FnMut(Dnp3Object<'a>)) -> Walked {
    let mut walk =
        Walk { code, cap: u32::try_from(cap).unwrap_or(u32::MAX), done: Walked::default(), occurrence: None, visit };
    let mut c = Cursor::new(body);
    while !c.is_empty() {
        let Some((header, fault)) = Header::read(&mut c, walk.done.headers) else {
            walk.done.fault = Some(Fault("object_header_cut"));
            break;
        };
        walk.done.headers = walk.done.headers.saturating_add(1);
        walk.done.fault = match fault {
            Some(_) => {
                walk.header_only(&header, None);
                fault
            }
            None => walk.objects(&header, &mut c).err(),
        };
        if walk.done.fault.is_some() {
            break;
        }
    }
    walk.done
}

struct Walk<'v, 'a> {
    code: u8,
    cap: u32,
    done: Walked,
    occurrence: Option<i64>,
    visit: &'v mut dyn FnMut(Dnp3Object<'a>),
}

impl<'a> Walk<'_, 'a> {
    fn emit(&mut self, mut row: Dnp3Object<'a>) {
        row.place = self.done.rows;
        self.done.rows = self.done.rows.saturating_add(1);
        if row.place < self.cap {
            (self.visit)(row);
        } else {
            self.done.left_out = self.done.left_out.saturating_add(1);
        }
    }

    fn header_only(&mut self, h: &Header, count: Option<u32>) {
        let mut row = h.row();
        row.count = count;
        self.emit(row);
    }

    fn objects(&mut self, h: &Header, c: &mut Cursor<'a>) -> Result<(), Fault> {
        let (start, count) = match h.range {
            Range::All => {
                self.header_only(h, None);
                return Ok(());
            }
            Range::Span(a, b) => (Some(a), b.saturating_sub(a).saturating_add(1)),
            Range::Count(n) => (None, n),
        };
        let Some((prefix, is_size)) = h.prefix() else {
            self.header_only(h, None);
            return Err(Fault("bad_qualifier"));
        };
        let layout = table::layout(h.group, h.variation);
        let bare = !has_objects(self.code, h.group, is_size) || layout == Layout::None;
        let empty = layout == Layout::Octets && h.variation == 0;
        if count == 0 || prefix == 0 && (bare || empty) {
            self.header_only(h, if start.is_none() { Some(count) } else { None });
            return Ok(());
        }
        match layout {
            Layout::Bits(width) if !bare && prefix == 0 => self.bits(h, (start, count), width, c),
            Layout::Bits(_) if !bare && !is_size => {
                self.header_only(h, None);
                Err(Fault("bad_qualifier"))
            }
            Layout::Unknown if !bare && !is_size => {
                self.header_only(h, None);
                Err(Fault("unknown_object"))
            }
            Layout::Sized if !bare && !is_size => {
                self.header_only(h, None);
                Err(Fault("size_missing"))
            }
            _ => self.each(h, (start, count), (prefix, is_size), if bare { Layout::None } else { layout }, c),
        }
    }

    /// Objects one after the other, each behind its prefix; `Layout::None` when there are only prefixes.
    fn each(
        &mut self,
        h: &Header,
        (start, count): (Option<u32>, u32),
        (prefix, is_size): (u8, bool),
        layout: Layout,
        c: &mut Cursor<'a>,
    ) -> Result<(), Fault> {
        for i in 0..count {
            let before = c.left();
            let mut row = h.row();
            row.index = start.map(|s| s.saturating_add(i));
            let read = match (prefix, is_size) {
                (0, _) => decode::object(layout, c, &mut row, &mut self.occurrence),
                (_, false) => int(c, prefix).and_then(|index| {
                    row.index = Some(index);
                    if layout == Layout::None {
                        Some(())
                    } else {
                        decode::object(layout, c, &mut row, &mut self.occurrence)
                    }
                }),
                (_, true) => int(c, prefix).and_then(|size| c.sub(size as usize)).map(|mut sub| {
                    let whole = sub.rest();
                    let layout = if layout == Layout::Unknown { Layout::Sized } else { layout };
                    if decode::object(layout, &mut sub, &mut row, &mut self.occurrence).is_none() {
                        row.value_bytes = Some(whole);
                    }
                }),
            };
            if read.is_none() || c.left() == before {
                if i == 0 {
                    self.header_only(h, None);
                }
                return Err(Fault("objects_cut"));
            }
            self.emit(row);
        }
        Ok(())
    }

    /// Points packed into bits, lowest first, padded to an octet.
    fn bits(
        &mut self,
        h: &Header,
        (start, count): (Option<u32>, u32),
        width: u32,
        c: &mut Cursor<'a>,
    ) -> Result<(), Fault> {
        let per_octet = 8 / width;
        let wanted = count.div_ceil(per_octet) as usize;
        let bytes = c.take(wanted.min(c.left())).unwrap_or_default();
        let there = count.min(u32::try_from(bytes.len()).unwrap_or(u32::MAX).saturating_mul(per_octet));
        if there == 0 {
            self.header_only(h, None);
        }
        for i in 0..there {
            let octet = bytes.get((i / per_octet) as usize).copied().unwrap_or_default();
            let mut row = h.row();
            row.index = start.map(|s| s.saturating_add(i));
            row.value = Some(f64::from(octet >> (i % per_octet * width) & ((1 << width) - 1)));
            self.emit(row);
        }
        if there < count { Err(Fault("objects_cut")) } else { Ok(()) }
    }
}

fn int(c: &mut Cursor<'_>, size: u8) -> Option<u32> {
    match size {
        1 => c.u8().map(u32::from),
        2 => c.u16_le().map(u32::from),
        _ => c.u32_le(),
    }
}

/// Whether objects follow the headers of a function: answers and writes carry them, reads and freezes only name points. What a size
/// prefix announces is there in any function.
fn has_objects(code: u8, group: u8, is_size: bool) -> bool {
    match code {
        _ if is_size => true,
        function::FREEZE_AT_TIME | function::FREEZE_AT_TIME_NR => group == 50,
        function::READ => matches!(group, 70),
        function::WRITE..=function::DIRECT_OPERATE_NR | 15..=18 | function::OPEN_FILE..=function::AUTH_REQ_NO_ACK => {
            true
        }
        _ => code >= function::RESPONSE,
    }
}
