//! One own column of a kind between batches and row group: bulk copies in, Arrow arrays out without copying.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanArray, DictionaryArray, Float64Array, Int32Array, Int64Array, ListArray, NullBufferBuilder,
    PrimitiveArray, StringArray, TimestampMicrosecondArray, UInt8Array, UInt16Array, UInt32Array, UInt64Array,
};
use arrow::buffer::{BooleanBuffer, Buffer, NullBuffer, OffsetBuffer, ScalarBuffer};
use arrow::datatypes::{ArrowPrimitiveType, Int32Type};
use arrow::error::ArrowError;
use gwcore::{Addr, Column, ColumnData, DataType, Mac, Span, Table, Ts, common::split_micros};

use crate::coded::Coded;
use crate::group::Values;
use crate::{schema, size};

/// Values of one field.
pub(crate) struct ColumnBuf {
    store: Store,
    valid: NullBufferBuilder,
}

enum Store {
    Bool(Vec<bool>),
    U8(Vec<u8>),
    U16(Vec<u16>),
    U32(Vec<u32>),
    U64(Vec<u64>),
    I64(Vec<i64>),
    F64(Vec<f64>),
    Text(Texts),
    Hex(Texts),
    Sym(Words<&'static str>),
    Addr(Words<Addr>),
    Mac(Words<Mac>),
    Ts(Vec<Ts>),
    List { ends: Vec<i32>, inner: Box<ColumnBuf>, of: &'static DataType },
}

impl ColumnBuf {
    /// Empty, of a type.
    pub(crate) fn new(ty: DataType) -> ColumnBuf {
        let store = match ty {
            DataType::Bool => Store::Bool(Vec::new()),
            DataType::U8 => Store::U8(Vec::new()),
            DataType::U16 => Store::U16(Vec::new()),
            DataType::U32 => Store::U32(Vec::new()),
            DataType::U64 => Store::U64(Vec::new()),
            DataType::I64 => Store::I64(Vec::new()),
            DataType::F64 | DataType::Span => Store::F64(Vec::new()),
            DataType::Text => Store::Text(Texts::default()),
            DataType::Hex => Store::Hex(Texts::default()),
            DataType::Sym => Store::Sym(Words::default()),
            DataType::Addr => Store::Addr(Words::default()),
            DataType::Mac => Store::Mac(Words::default()),
            DataType::Ts => Store::Ts(Vec::new()),
            DataType::List(of) => Store::List { ends: vec![0], inner: Box::new(ColumnBuf::new(*of)), of },
        };
        ColumnBuf { store, valid: NullBufferBuilder::new(0) }
    }

    /// Appends values `from..to` of a column of the same type.
    pub(crate) fn append(&mut self, column: &dyn Column, from: usize, to: usize) {
        match column.validity().and_then(|v| v.get(from..to)) {
            Some(valid) => self.valid.append_buffer(&NullBuffer::new(BooleanBuffer::from(valid))),
            None => self.valid.append_n_non_nulls(to.saturating_sub(from)),
        }
        match (&mut self.store, column.data()) {
            (Store::Bool(to_), ColumnData::Bool(v)) => extend(to_, v, from, to),
            (Store::U8(to_), ColumnData::U8(v)) => extend(to_, v, from, to),
            (Store::U16(to_), ColumnData::U16(v)) => extend(to_, v, from, to),
            (Store::U32(to_), ColumnData::U32(v)) => extend(to_, v, from, to),
            (Store::U64(to_), ColumnData::U64(v)) => extend(to_, v, from, to),
            (Store::I64(to_), ColumnData::I64(v)) => extend(to_, v, from, to),
            (Store::F64(to_), ColumnData::F64(v)) => extend(to_, v, from, to),
            (Store::Ts(to_), ColumnData::Ts(v)) => extend(to_, v, from, to),
            (Store::F64(to_), ColumnData::Span(v)) => {
                to_.extend(v.get(from..to).unwrap_or_default().iter().map(|s| seconds(*s)));
            }
            (Store::Text(texts), ColumnData::Text { ends, bytes }) => texts.append(ends, bytes, from, to),
            (Store::Hex(texts), ColumnData::Hex { ends, bytes }) => texts.append_hex(ends, bytes, from, to),
            (Store::Sym(words), ColumnData::Sym(v)) => words.append(v.get(from..to).unwrap_or_default()),
            (Store::Addr(words), ColumnData::Addr(v)) => words.append(v.get(from..to).unwrap_or_default()),
            (Store::Mac(words), ColumnData::Mac(v)) => words.append(v.get(from..to).unwrap_or_default()),
            (Store::List { ends, inner, .. }, ColumnData::List { ends: from_ends, inner: elements }) => {
                let span = size::span(from_ends, from, to);
                append_ends(ends, from_ends.get(from..to).unwrap_or_default(), span.start);
                inner.append(elements, span.start, span.end);
            }
            _ => {}
        }
    }

    /// Takes the values as columns of the file: one, or two for a moment.
    pub(crate) fn take(&mut self) -> Result<Vec<Values>, ArrowError> {
        let nulls = match self.store {
            Store::Sym(_) | Store::Addr(_) | Store::Mac(_) => self.valid.finish(),
            _ => return Ok(self.finish()?.into_iter().map(Values::Array).collect()),
        };
        Ok(match &mut self.store {
            Store::Sym(w) => vec![std::mem::take(w).coded(nulls, |w| w.to_string())],
            Store::Addr(w) => vec![std::mem::take(w).coded(nulls, |a| a.to_string())],
            Store::Mac(w) => vec![std::mem::take(w).coded(nulls, |m| m.to_string())],
            _ => Vec::new(),
        })
    }

    /// Takes the values as Arrow arrays: one, or two for a moment.
    fn finish(&mut self) -> Result<Vec<ArrayRef>, ArrowError> {
        let nulls = self.valid.finish();
        Ok(vec![match &mut self.store {
            Store::Bool(v) => Arc::new(BooleanArray::new(BooleanBuffer::from(std::mem::take(v)), nulls)),
            Store::U8(v) => Arc::new(UInt8Array::new(std::mem::take(v).into(), nulls)),
            Store::U16(v) => Arc::new(UInt16Array::new(std::mem::take(v).into(), nulls)),
            Store::U32(v) => Arc::new(UInt32Array::new(std::mem::take(v).into(), nulls)),
            Store::U64(v) => Arc::new(UInt64Array::new(std::mem::take(v).into(), nulls)),
            Store::I64(v) => Arc::new(Int64Array::new(std::mem::take(v).into(), nulls)),
            Store::F64(v) => Arc::new(Float64Array::new(std::mem::take(v).into(), nulls)),
            Store::Text(t) | Store::Hex(t) => std::mem::take(t).finish(nulls)?,
            Store::Sym(w) => std::mem::take(w).finish(nulls, |w| w.to_string())?,
            Store::Addr(w) => std::mem::take(w).finish(nulls, |a| a.to_string())?,
            Store::Mac(w) => std::mem::take(w).finish(nulls, |m| m.to_string())?,
            Store::Ts(v) => return Ok(moments(&std::mem::take(v), nulls)),
            Store::List { ends, inner, of } => {
                let offsets = OffsetBuffer::new(std::mem::replace(ends, vec![0]).into());
                let mut values = inner.finish()?;
                let values = values.pop().ok_or_else(|| ArrowError::ComputeError("list without elements".into()))?;
                Arc::new(ListArray::try_new(Arc::new(schema::list_item(of)), offsets, values, nulls)?)
            }
        }])
    }
}

/// Seconds of a span, as every edge shows it.
pub(crate) fn seconds(span: Span) -> f64 {
    span.0 as f64 / 1e9
}

/// A moment as microseconds and the nanoseconds beyond.
pub(crate) fn moments(values: &[Ts], nulls: Option<NullBuffer>) -> Vec<ArrayRef> {
    let micros: Vec<i64> = values.iter().map(|t| split_micros(*t).0).collect();
    let nanos: Vec<u16> = values.iter().map(|t| split_micros(*t).1).collect();
    let micros = TimestampMicrosecondArray::new(micros.into(), nulls.clone()).with_timezone(schema::UTC);
    vec![Arc::new(micros), Arc::new(UInt16Array::new(nanos.into(), nulls))]
}

fn extend<T: Copy>(to: &mut Vec<T>, values: &[T], from: usize, end: usize) {
    to.extend_from_slice(values.get(from..end).unwrap_or_default());
}

/// Appends end offsets that were relative to `start` of another storage. The budget keeps a row group far below 2 GB.
fn append_ends(ends: &mut Vec<i32>, more: &[u32], start: usize) {
    let base = i64::from(ends.last().copied().unwrap_or(0)) - start as i64;
    ends.extend(more.iter().map(|e| i32::try_from(i64::from(*e) + base).unwrap_or(i32::MAX)));
}

/// Text laid out as Arrow wants it.
struct Texts {
    ends: Vec<i32>,
    bytes: Vec<u8>,
}

impl Default for Texts {
    fn default() -> Self {
        Texts { ends: vec![0], bytes: Vec::new() }
    }
}

impl Texts {
    fn append(&mut self, ends: &[u32], bytes: &[u8], from: usize, to: usize) {
        let span = size::span(ends, from, to);
        append_ends(&mut self.ends, ends.get(from..to).unwrap_or_default(), span.start);
        self.bytes.extend_from_slice(bytes.get(span).unwrap_or_default());
    }

    fn append_hex(&mut self, ends: &[u32], bytes: &[u8], from: usize, to: usize) {
        for row in from..to {
            let value = bytes.get(size::span(ends, row, row + 1)).unwrap_or_default();
            self.bytes.extend(value.iter().flat_map(|b| [hex_digit(b >> 4), hex_digit(b & 15)]));
            self.ends.push(i32::try_from(self.bytes.len()).unwrap_or(i32::MAX));
        }
    }

    fn finish(self, nulls: Option<NullBuffer>) -> Result<ArrayRef, ArrowError> {
        let offsets = OffsetBuffer::new(self.ends.into());
        Ok(Arc::new(StringArray::try_new(offsets, Buffer::from_vec(self.bytes), nulls)?))
    }
}

fn hex_digit(n: u8) -> u8 {
    if n < 10 { b'0' + n } else { b'a' + n - 10 }
}

/// Values of which few are different: a key a row, each value once.
struct Words<T> {
    keys: Vec<u32>,
    values: Vec<T>,
    known: Table<T, u32>,
    last: Option<(T, u32)>,
}

impl<T> Default for Words<T> {
    fn default() -> Self {
        Words { keys: Vec::new(), values: Vec::new(), known: Table::default(), last: None }
    }
}

impl<T: Copy + Eq + std::hash::Hash> Words<T> {
    fn append(&mut self, values: &[T]) {
        self.keys.reserve(values.len());
        for value in values {
            let key = match self.last {
                Some((last, key)) if last == *value => key,
                _ => self.key(*value),
            };
            self.keys.push(key);
        }
    }

    fn key(&mut self, value: T) -> u32 {
        let next = u32::try_from(self.values.len()).unwrap_or(u32::MAX);
        let key = *self.known.entry(value).or_insert(next);
        if key == next {
            self.values.push(value);
        }
        self.last = Some((value, key));
        key
    }

    fn coded(self, nulls: Option<NullBuffer>, text: impl Fn(&T) -> String) -> Values {
        Values::Coded(Coded::new(self.keys, nulls).texts(self.values.iter().map(text)))
    }

    /// A dictionary array, as the elements of lists are written. Rows that hold nothing may have any key.
    fn finish(self, nulls: Option<NullBuffer>, text: impl Fn(&T) -> String) -> Result<ArrayRef, ArrowError> {
        let values = StringArray::from_iter_values(self.values.iter().map(text));
        let keys: Vec<i32> = self.keys.iter().map(|k| i32::try_from(*k).unwrap_or(i32::MAX)).collect();
        Ok(Arc::new(DictionaryArray::<Int32Type>::try_new(Int32Array::new(keys.into(), nulls), Arc::new(values))?))
    }
}

/// A plain array of a Vec.
pub(crate) fn plain<T: ArrowPrimitiveType>(values: Vec<T::Native>, nulls: Option<NullBuffer>) -> ArrayRef {
    Arc::new(PrimitiveArray::<T>::new(ScalarBuffer::from(values), nulls))
}
