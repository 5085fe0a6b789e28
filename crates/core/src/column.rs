//! Typed columns: what a record field is stored in between the wire and the edge, without any heavy library.
//!
//! A field's type is named by a marker (`u16`, `Text`, `Option<List<u16>>` …) that fixes three things: the value a parser hands over
//! (`Cell`), the column it is appended to (`Col`), and how the schema describes it (`TYPE`). Appending cannot fail.

use crate::{Addr, Limit, Mac, Ts};

/// How the schema names the type of a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DataType {
    /// True or false.
    Bool,
    /// Unsigned integer of 8 bits.
    U8,
    /// Unsigned integer of 16 bits.
    U16,
    /// Unsigned integer of 32 bits.
    U32,
    /// Unsigned integer of 64 bits.
    U64,
    /// Signed integer of 64 bits.
    I64,
    /// IEEE 754 double.
    F64,
    /// UTF-8 text; bytes that are not stand as `\xHH`.
    Text,
    /// One of a small fixed set of words.
    Sym,
    /// Bytes, written in hexadecimal.
    Hex,
    /// IP address.
    Addr,
    /// MAC address.
    Mac,
    /// Moment in packet time.
    Ts,
    /// Span of packet time; nanoseconds inside, seconds at the edge.
    Span,
    /// A list of the inner type.
    List(&'static DataType),
}

/// Nanoseconds between two moments.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Span(pub i64);

/// One value of a column, read at the edge.
#[derive(Clone, Copy)]
pub enum Value<'a> {
    /// Nothing was seen.
    Null,
    /// True or false.
    Bool(bool),
    /// Unsigned integer.
    U64(u64),
    /// Signed integer.
    I64(i64),
    /// Double.
    F64(f64),
    /// Text.
    Text(&'a str),
    /// Bytes.
    Hex(&'a [u8]),
    /// IP address.
    Addr(Addr),
    /// MAC address.
    Mac(Mac),
    /// Moment.
    Ts(Ts),
    /// Span.
    Span(Span),
    /// Elements `from..to` of an inner column.
    List(&'a dyn Column, usize, usize),
}

/// The raw storage of a column, for conversion to Arrow without copying values one by one.
pub enum ColumnData<'a> {
    /// Booleans, one byte each.
    Bool(&'a [bool]),
    /// 8 bits.
    U8(&'a [u8]),
    /// 16 bits.
    U16(&'a [u16]),
    /// 32 bits.
    U32(&'a [u32]),
    /// 64 bits.
    U64(&'a [u64]),
    /// Signed 64 bits.
    I64(&'a [i64]),
    /// Doubles.
    F64(&'a [f64]),
    /// Text: `ends[i]` is where value i ends in `bytes` (valid UTF-8).
    Text {
        /// End offsets.
        ends: &'a [u32],
        /// All text.
        bytes: &'a [u8],
    },
    /// Words.
    Sym(&'a [&'static str]),
    /// Bytes, laid out as text is.
    Hex {
        /// End offsets.
        ends: &'a [u32],
        /// All bytes.
        bytes: &'a [u8],
    },
    /// IP addresses.
    Addr(&'a [Addr]),
    /// MAC addresses.
    Mac(&'a [Mac]),
    /// Moments.
    Ts(&'a [Ts]),
    /// Spans.
    Span(&'a [Span]),
    /// Lists: `ends[i]` is where list i ends in `inner`.
    List {
        /// End offsets.
        ends: &'a [u32],
        /// All elements.
        inner: &'a dyn Column,
    },
}

/// A column as the edge sees it.
pub trait Column: Send {
    /// Number of values.
    fn len(&self) -> usize;
    /// Whether there are none.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }
    /// Bytes held.
    fn bytes(&self) -> usize;
    /// The value in a row; `Null` beyond the end.
    fn value(&self, row: usize) -> Value<'_>;
    /// The raw storage.
    fn data(&self) -> ColumnData<'_>;
    /// Which rows hold a value, one bool a row; none when all do.
    fn validity(&self) -> Option<&[bool]> {
        None
    }
}

/// A column of which the concrete type is known.
pub trait TypedColumn: Column + Default {
    /// Appends row `row` of another column of the same type.
    fn append_from(&mut self, other: &Self, row: usize);
    /// Appends a value that stands for nothing.
    fn push_empty(&mut self);
    /// Forgets all values, keeps the memory.
    fn clear(&mut self);
}

/// The type of a record field; see the module.
pub trait FieldType {
    /// What a parser hands over.
    type Cell<'a>;
    /// What it is appended to.
    type Col: TypedColumn;
    /// How the schema names it.
    const TYPE: DataType;
    /// Whether it may be absent.
    const NULLABLE: bool = false;
    /// Appends one value; cannot fail.
    fn push(col: &mut Self::Col, cell: Self::Cell<'_>);
}

/// A column of plain values.
#[derive(Default)]
pub struct Plain<T>(Vec<T>);

macro_rules! plain {
    ($($t:ty, $variant:ident, $value:ident, $cast:expr;)+) => {$(
        impl Column for Plain<$t> {
            fn len(&self) -> usize { self.0.len() }
            fn bytes(&self) -> usize { self.0.len() * size_of::<$t>() }
            fn value(&self, row: usize) -> Value<'_> {
                let cast: fn($t) -> _ = $cast;
                self.0.get(row).map_or(Value::Null, |v| Value::$value(cast(*v)))
            }
            fn data(&self) -> ColumnData<'_> { ColumnData::$variant(&self.0) }
        }
        impl TypedColumn for Plain<$t> {
            fn append_from(&mut self, other: &Self, row: usize) { self.0.push(other.0.get(row).copied().unwrap_or_default()); }
            fn push_empty(&mut self) { self.0.push(<$t>::default()); }
            fn clear(&mut self) { self.0.clear(); }
        }
    )+};
}

plain! {
    bool, Bool, Bool, |v| v;
    u8, U8, U64, u64::from;
    u16, U16, U64, u64::from;
    u32, U32, U64, u64::from;
    u64, U64, U64, |v| v;
    i64, I64, I64, |v| v;
    f64, F64, F64, |v| v;
    &'static str, Sym, Text, |v| v;
    Addr, Addr, Addr, |v| v;
    Mac, Mac, Mac, |v| v;
    Ts, Ts, Ts, |v| v;
    Span, Span, Span, |v| v;
}

macro_rules! plain_fields {
    ($($t:ty, $type:ident;)+) => {$(
        impl FieldType for $t {
            type Cell<'a> = $t;
            type Col = Plain<$t>;
            const TYPE: DataType = DataType::$type;
            #[inline]
            fn push(col: &mut Self::Col, cell: $t) { col.0.push(cell); }
        }
    )+};
}

plain_fields! {
    bool, Bool; u8, U8; u16, U16; u32, U32; u64, U64; i64, I64; f64, F64; Addr, Addr; Mac, Mac; Ts, Ts; Span, Span;
}

/// Marker: one of a small fixed set of words.
pub struct Sym;

impl FieldType for Sym {
    type Cell<'a> = &'static str;
    type Col = Plain<&'static str>;
    const TYPE: DataType = DataType::Sym;
    #[inline]
    fn push(col: &mut Self::Col, cell: &'static str) {
        col.0.push(cell);
    }
}

/// Marker: text from the wire, given as bytes; cut at [`Limit::TextBytes`], what is not UTF-8 is written `\xHH`.
pub struct Text;

/// Marker: bytes, written in hexadecimal; cut at [`Limit::TextBytes`].
pub struct Hex;

/// Storage of text and bytes.
#[derive(Default)]
pub struct VarCol<const UTF8: bool> {
    ends: Vec<u32>,
    bytes: Vec<u8>,
}

impl<const UTF8: bool> VarCol<UTF8> {
    fn slice(&self, row: usize) -> Option<&[u8]> {
        let end = *self.ends.get(row)? as usize;
        let start = row.checked_sub(1).and_then(|r| self.ends.get(r)).map_or(0, |e| *e as usize);
        self.bytes.get(start..end)
    }

    fn end_value(&mut self) {
        self.ends.push(u32::try_from(self.bytes.len()).unwrap_or(u32::MAX));
    }
}

impl<const UTF8: bool> Column for VarCol<UTF8> {
    fn len(&self) -> usize {
        self.ends.len()
    }
    fn bytes(&self) -> usize {
        self.ends.len() * 4 + self.bytes.len()
    }
    fn value(&self, row: usize) -> Value<'_> {
        match self.slice(row) {
            None => Value::Null,
            Some(b) if UTF8 => Value::Text(std::str::from_utf8(b).unwrap_or_default()),
            Some(b) => Value::Hex(b),
        }
    }
    fn data(&self) -> ColumnData<'_> {
        if UTF8 {
            ColumnData::Text { ends: &self.ends, bytes: &self.bytes }
        } else {
            ColumnData::Hex { ends: &self.ends, bytes: &self.bytes }
        }
    }
}

impl<const UTF8: bool> TypedColumn for VarCol<UTF8> {
    fn append_from(&mut self, other: &Self, row: usize) {
        self.bytes.extend_from_slice(other.slice(row).unwrap_or_default());
        self.end_value();
    }
    fn push_empty(&mut self) {
        self.end_value();
    }
    fn clear(&mut self) {
        self.ends.clear();
        self.bytes.clear();
    }
}

impl FieldType for Text {
    type Cell<'a> = &'a [u8];
    type Col = VarCol<true>;
    const TYPE: DataType = DataType::Text;
    #[inline]
    fn push(col: &mut Self::Col, cell: &[u8]) {
        push_text(&mut col.bytes, cell);
        col.end_value();
    }
}

impl FieldType for Hex {
    type Cell<'a> = &'a [u8];
    type Col = VarCol<false>;
    const TYPE: DataType = DataType::Hex;
    #[inline]
    fn push(col: &mut Self::Col, cell: &[u8]) {
        col.bytes.extend_from_slice(cell.get(..Limit::TextBytes.default_value()).unwrap_or(cell));
        col.end_value();
    }
}

/// Appends wire text to `out` as UTF-8: cut at [`Limit::TextBytes`] (an ellipsis follows), other bytes as `\xHH`, and the backslash of a
/// literal `\x` as `\x5c`, so that the bytes can be had back.
pub fn push_text(out: &mut Vec<u8>, text: &[u8]) {
    let limit = Limit::TextBytes.default_value();
    let (text, cut) = match text.get(..limit) {
        Some(head) if text.len() > limit => (cut_at_character(head), true),
        _ => (text, false),
    };
    if text.is_ascii() && !text.contains(&b'\\') {
        out.extend_from_slice(text);
    } else {
        for chunk in text.utf8_chunks() {
            let mut rest = chunk.valid();
            while let Some(at) = rest.find("\\x") {
                let (before, after) = rest.split_at(at);
                out.extend_from_slice(before.as_bytes());
                out.extend_from_slice(b"\\x5c");
                rest = after.get(1..).unwrap_or_default();
            }
            out.extend_from_slice(rest.as_bytes());
            for b in chunk.invalid() {
                let digit = |n: u8| if n < 10 { b'0' + n } else { b'a' + n - 10 };
                out.extend_from_slice(&[b'\\', b'x', digit(b >> 4), digit(b & 15)]);
            }
        }
    }
    if cut {
        out.extend_from_slice("…".as_bytes());
    }
}

/// Drops a character that the cut went through, so that whole text stays whole.
fn cut_at_character(head: &[u8]) -> &[u8] {
    let back = head.iter().rev().take(3).take_while(|b| **b & 0xc0 == 0x80).count();
    let lead = head.len().checked_sub(back + 1);
    let whole = lead.and_then(|at| head.get(at)).is_none_or(|b| match b.leading_ones() {
        0 => true,
        n => n as usize == back + 1,
    });
    if whole { head } else { head.get(..lead.unwrap_or(0)).unwrap_or_default() }
}

/// A column whose values may be absent.
#[derive(Default)]
pub struct OptCol<C> {
    inner: C,
    valid: Vec<bool>,
    any_null: bool,
}

impl<C: Column> Column for OptCol<C> {
    fn len(&self) -> usize {
        self.inner.len()
    }
    fn bytes(&self) -> usize {
        self.inner.bytes() + self.valid.len()
    }
    fn value(&self, row: usize) -> Value<'_> {
        if self.valid.get(row).copied().unwrap_or(false) { self.inner.value(row) } else { Value::Null }
    }
    fn data(&self) -> ColumnData<'_> {
        self.inner.data()
    }
    fn validity(&self) -> Option<&[bool]> {
        self.any_null.then_some(&self.valid)
    }
}

impl<C: TypedColumn> TypedColumn for OptCol<C> {
    fn append_from(&mut self, other: &Self, row: usize) {
        let valid = other.valid.get(row).copied().unwrap_or(false);
        self.valid.push(valid);
        self.any_null |= !valid;
        self.inner.append_from(&other.inner, row);
    }
    fn push_empty(&mut self) {
        self.valid.push(false);
        self.any_null = true;
        self.inner.push_empty();
    }
    fn clear(&mut self) {
        self.inner.clear();
        self.valid.clear();
        self.any_null = false;
    }
}

impl<T: FieldType> FieldType for Option<T> {
    type Cell<'a> = Option<T::Cell<'a>>;
    type Col = OptCol<T::Col>;
    const TYPE: DataType = T::TYPE;
    const NULLABLE: bool = true;
    #[inline]
    fn push(col: &mut Self::Col, cell: Option<T::Cell<'_>>) {
        match cell {
            Some(v) => {
                T::push(&mut col.inner, v);
                col.valid.push(true);
            }
            None => col.push_empty(),
        }
    }
}

/// Marker: a list; at most [`Limit::ChildRows`] elements are kept.
pub struct List<T>(std::marker::PhantomData<T>);

/// Storage of lists.
#[derive(Default)]
pub struct ListCol<C> {
    ends: Vec<u32>,
    inner: C,
}

impl<C> ListCol<C> {
    fn range(&self, row: usize) -> Option<(usize, usize)> {
        let end = *self.ends.get(row)? as usize;
        Some((row.checked_sub(1).and_then(|r| self.ends.get(r)).map_or(0, |e| *e as usize), end))
    }
}

impl<C: TypedColumn> ListCol<C> {
    fn end_value(&mut self) {
        self.ends.push(u32::try_from(self.inner.len()).unwrap_or(u32::MAX));
    }
}

impl<C: TypedColumn> Column for ListCol<C> {
    fn len(&self) -> usize {
        self.ends.len()
    }
    fn bytes(&self) -> usize {
        self.ends.len() * 4 + self.inner.bytes()
    }
    fn value(&self, row: usize) -> Value<'_> {
        self.range(row).map_or(Value::Null, |(from, to)| Value::List(&self.inner, from, to))
    }
    fn data(&self) -> ColumnData<'_> {
        ColumnData::List { ends: &self.ends, inner: &self.inner }
    }
}

impl<C: TypedColumn> TypedColumn for ListCol<C> {
    fn append_from(&mut self, other: &Self, row: usize) {
        if let Some((from, to)) = other.range(row) {
            (from..to).for_each(|i| self.inner.append_from(&other.inner, i));
        }
        self.end_value();
    }
    fn push_empty(&mut self) {
        self.end_value();
    }
    fn clear(&mut self) {
        self.ends.clear();
        self.inner.clear();
    }
}

macro_rules! lists {
    ($($t:ty, $elem:ty, $inner:ident;)+) => {$(
        impl FieldType for List<$t> {
            type Cell<'a> = &'a [$elem];
            type Col = ListCol<<$t as FieldType>::Col>;
            const TYPE: DataType = DataType::List(&DataType::$inner);
            fn push(col: &mut Self::Col, cell: Self::Cell<'_>) {
                for v in cell.iter().take(Limit::ChildRows.default_value()) {
                    <$t as FieldType>::push(&mut col.inner, *v);
                }
                col.end_value();
            }
        }
    )+};
}

lists! { bool, bool, Bool; u8, u8, U8; u16, u16, U16; u32, u32, U32; u64, u64, U64; i64, i64, I64; f64, f64, F64; Text, &'a [u8], Text; Sym, &'static str, Sym; Span, Span, Span; Addr, Addr, Addr; }

#[cfg(test)]
mod tests {
    use super::*;

    fn text(cell: &[u8]) -> String {
        let mut col = VarCol::<true>::default();
        Text::push(&mut col, b"before");
        Text::push(&mut col, cell);
        match col.value(1) {
            Value::Text(t) => t.to_owned(),
            _ => panic!("text column gave no text"),
        }
    }

    #[test]
    fn text_can_be_had_back_and_is_cut() {
        assert_eq!(text(b"plain"), "plain");
        assert_eq!(text("naïve €".as_bytes()), "naïve €");
        assert_eq!(text(b"a\xff\x00b"), "a\\xff\u{0}b");
        assert_eq!(text(b"\\xff \\n"), "\\x5cxff \\n");
        assert_eq!(text(&[b'a'; 1024]).len(), 1024);
        assert_eq!(text(&[b'a'; 1025]), format!("{}…", "a".repeat(1024)));
        let mut split = vec![b'a'; 1023];
        split.extend_from_slice("€".as_bytes());
        assert_eq!(text(&split), format!("{}…", "a".repeat(1023)));
    }

    #[test]
    fn options_and_lists_append_from_each_other() {
        type F = Option<List<u16>>;
        let (mut a, mut b) = (<F as FieldType>::Col::default(), <F as FieldType>::Col::default());
        F::push(&mut a, Some(&[1, 2, 3]));
        F::push(&mut a, None);
        F::push(&mut a, Some(&[]));
        for row in [2, 1, 0] {
            b.append_from(&a, row);
        }
        let Value::List(inner, from, to) = b.value(2) else { panic!("no list") };
        assert_eq!((from, to, inner.len()), (0, 3, 3));
        assert!(matches!(b.value(1), Value::Null) && matches!(b.value(0), Value::List(_, 0, 0)));
        assert_eq!(b.validity(), Some(&[true, false, true][..]));
    }
}
