//! A column chunk written from keys that are known already: its pages are laid out here, so that nothing is hashed a second time.
//!
//! The layout is Parquet's (format 2.x, "Data Pages" and "RLE/Bit-Packing Hybrid"): a dictionary page and pages of keys, or, where most
//! values stand once, pages of plain values.

use arrow::buffer::NullBuffer;
use bytes::Bytes;
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::column::page::{CompressedPage, Page, PageWriter};
use parquet::column::writer::ColumnCloseResult;
use parquet::errors::{ParquetError, Result};
use parquet::file::metadata::ColumnChunkMetaData;
use parquet::file::statistics::Statistics;
use parquet::file::writer::{SerializedPageWriter, TrackedWrite};
use parquet::schema::types::ColumnDescPtr;

/// Rows of one data page.
const PAGE_ROWS: usize = 20_000;
/// Equal values in a row from which a run is shorter than packed bits.
const RUN: usize = 8;

/// A column as a key a row and each value once.
#[derive(Default)]
pub(crate) struct Coded {
    /// One a row; rows that hold nothing may have any.
    keys: Vec<u32>,
    nulls: Option<NullBuffer>,
    /// The values in Parquet's plain encoding, and where each ends.
    plain: Vec<u8>,
    ends: Vec<u32>,
    /// Whether the values are numbers, and the least and greatest of these.
    numeric: bool,
    range: Option<(i32, i32)>,
}

impl Coded {
    /// A column of these keys and no values yet.
    pub(crate) fn new(keys: Vec<u32>, nulls: Option<NullBuffer>) -> Coded {
        Coded { keys, nulls, ..Coded::default() }
    }

    /// Adds the texts that the keys stand for.
    pub(crate) fn texts(mut self, values: impl Iterator<Item = String>) -> Coded {
        for text in values {
            // A text is far below 4 GB: every text column has a limit.
            self.plain.extend_from_slice(&u32::try_from(text.len()).unwrap_or(u32::MAX).to_le_bytes());
            self.plain.extend_from_slice(text.as_bytes());
            self.end_value();
        }
        self
    }

    /// Adds the numbers that the keys stand for; every one is used by a row.
    pub(crate) fn numbers(mut self, values: impl Iterator<Item = i32>) -> Coded {
        self.numeric = true;
        for n in values {
            self.plain.extend_from_slice(&n.to_le_bytes());
            self.end_value();
            self.range = Some(self.range.map_or((n, n), |(least, greatest)| (least.min(n), greatest.max(n))));
        }
        self
    }

    fn end_value(&mut self) {
        self.ends.push(u32::try_from(self.plain.len()).unwrap_or(u32::MAX));
    }

    fn value(&self, key: u32) -> &[u8] {
        let end_of = |n: usize| n.checked_sub(1).and_then(|i| self.ends.get(i)).map_or(0, |e| *e as usize);
        let key = key as usize;
        self.plain.get(end_of(key)..end_of(key + 1)).unwrap_or_default()
    }

    /// Whether a dictionary would be most of the column.
    fn is_mostly_unique(&self) -> bool {
        self.ends.len() > self.keys.len() / 2
    }

    /// Lays the chunk out.
    pub(crate) fn chunk(&self, column: &ColumnDescPtr, squeeze: &mut Squeeze) -> Result<(Bytes, ColumnCloseResult)> {
        let mut sink = TrackedWrite::new(Vec::new());
        let mut pages = Pages { writer: SerializedPageWriter::new(&mut sink), squeeze, packed: 0, whole: 0 };
        let unique = self.is_mostly_unique();
        let dictionary = if unique { None } else { Some(self.write_dictionary(&mut pages)?) };
        let encoding = if unique { Encoding::PLAIN } else { Encoding::RLE_DICTIONARY };
        let mut first = None;
        for from in (0..self.keys.len()).step_by(PAGE_ROWS) {
            let rows = from..self.keys.len().min(from + PAGE_ROWS);
            let count = rows.len() as u32;
            let body = self.body(rows, column.max_def_level() > 0, unique);
            let at = pages.write(&body, |buf| Page::DataPage {
                buf,
                num_values: count,
                encoding,
                def_level_encoding: Encoding::RLE,
                rep_level_encoding: Encoding::RLE,
                statistics: None,
            })?;
            first = first.or(Some(at));
        }
        let (packed, whole) = (pages.packed, pages.whole);
        let rows = self.keys.len() as u64;
        let mut metadata = ColumnChunkMetaData::builder(column.clone())
            .set_compression(squeeze.compression())
            .set_encodings(vec![Encoding::PLAIN, Encoding::RLE, encoding])
            .set_num_values(rows as i64)
            .set_total_compressed_size(packed as i64)
            .set_total_uncompressed_size(whole as i64)
            .set_data_page_offset(first.unwrap_or(0))
            .set_dictionary_page_offset(dictionary);
        if self.numeric {
            let absent = self.nulls.as_ref().map_or(0, |n| n.null_count() as u64);
            let (least, greatest) = self.range.unzip();
            metadata = metadata.set_statistics(Statistics::new(least, greatest, None, Some(absent), false));
        }
        let closed = ColumnCloseResult {
            bytes_written: packed,
            rows_written: rows,
            metadata: metadata.build()?,
            bloom_filter: None,
            column_index: None,
            offset_index: None,
        };
        Ok((sink.into_inner()?.into(), closed))
    }

    fn write_dictionary(&self, pages: &mut Pages<'_>) -> Result<i64> {
        let num_values = self.ends.len() as u32;
        pages.write(&self.plain, |buf| Page::DictionaryPage {
            buf,
            num_values,
            encoding: Encoding::PLAIN,
            is_sorted: false,
        })
    }

    /// A data page: which rows hold a value, where some may not, then the keys or values of those that do.
    fn body(&self, rows: std::ops::Range<usize>, optional: bool, unique: bool) -> Vec<u8> {
        let nulls = self.nulls.as_ref().map(|n| n.slice(rows.start, rows.len())).filter(|n| n.null_count() > 0);
        let keys = self.keys.get(rows).unwrap_or_default();
        let mut page = Vec::with_capacity(keys.len() * 3);
        if optional {
            levels(&mut page, keys.len(), nulls.as_ref());
        }
        let present: Vec<u32>;
        let keys = match &nulls {
            Some(nulls) => {
                present = nulls.valid_indices().filter_map(|i| keys.get(i).copied()).collect();
                &present
            }
            None => keys,
        };
        if unique {
            keys.iter().for_each(|key| page.extend_from_slice(self.value(*key)));
        } else {
            let width = (u32::BITS - (self.ends.len() as u32).saturating_sub(1).leading_zeros()).max(1);
            page.push(width as u8);
            hybrid(&mut page, keys, width);
        }
        page
    }
}

/// Definition levels of a column without nesting: their length, then one bit a row.
fn levels(page: &mut Vec<u8>, rows: usize, nulls: Option<&NullBuffer>) {
    let mut bits = Vec::with_capacity(rows / 8 + 8);
    match nulls {
        None => run(&mut bits, rows, 1, 1),
        Some(nulls) => {
            varint(&mut bits, (rows.div_ceil(8) as u64) << 1 | 1);
            bits.extend_from_slice(nulls.inner().sliced().as_slice().get(..rows.div_ceil(8)).unwrap_or_default());
        }
    }
    page.extend_from_slice(&(bits.len() as u32).to_le_bytes());
    page.append(&mut bits);
}

/// Keys of `width` bits as runs where one repeats and packed elsewhere; packed stretches are whole groups of eight but for the last.
fn hybrid(out: &mut Vec<u8>, keys: &[u32], width: u32) {
    let (mut packed_from, mut at) = (0, 0);
    while let Some(key) = keys.get(at) {
        let same = keys.iter().skip(at).take_while(|k| *k == key).count();
        let fill = (at - packed_from).next_multiple_of(8) - (at - packed_from);
        if same >= fill + RUN {
            pack(out, keys.get(packed_from..at + fill).unwrap_or_default(), width);
            run(out, same - fill, *key, width);
            packed_from = at + same;
        }
        at += same;
    }
    pack(out, keys.get(packed_from..).unwrap_or_default(), width);
}

fn run(out: &mut Vec<u8>, length: usize, key: u32, width: u32) {
    varint(out, (length as u64) << 1);
    out.extend_from_slice(key.to_le_bytes().get(..width.div_ceil(8) as usize).unwrap_or_default());
}

fn pack(out: &mut Vec<u8>, keys: &[u32], width: u32) {
    if keys.is_empty() {
        return;
    }
    let groups = keys.len().div_ceil(8);
    varint(out, (groups as u64) << 1 | 1);
    let end = out.len() + groups * width as usize;
    let (mut word, mut filled) = (0_u64, 0);
    for key in keys {
        word |= u64::from(*key) << filled;
        filled += width;
        if filled >= 32 {
            out.extend_from_slice(&(word as u32).to_le_bytes());
            word >>= 32;
            filled -= 32;
        }
    }
    out.extend_from_slice(&word.to_le_bytes());
    out.resize(end, 0);
}

/// An unsigned LEB128 number.
fn varint(out: &mut Vec<u8>, mut n: u64) {
    while n >= 0x80 {
        out.push(n as u8 | 0x80);
        n >>= 7;
    }
    out.push(n as u8);
}

/// The compressor that all chunks share, or none.
#[derive(Default)]
pub(crate) struct Squeeze(Option<zstd::bulk::Compressor<'static>>);

/// The level at which everything is compressed.
const LEVEL: i32 = 1;

/// What compressed pages are marked with.
pub(crate) fn zstd_level() -> Compression {
    Compression::ZSTD(ZstdLevel::try_new(LEVEL).unwrap_or_default())
}

impl Squeeze {
    /// zstd.
    pub(crate) fn zstd() -> std::io::Result<Squeeze> {
        Ok(Squeeze(Some(zstd::bulk::Compressor::new(LEVEL)?)))
    }

    fn compression(&self) -> Compression {
        if self.0.is_some() { zstd_level() } else { Compression::UNCOMPRESSED }
    }

    fn page(&mut self, body: &[u8]) -> Result<Bytes> {
        match &mut self.0 {
            Some(zstd) => zstd.compress(body).map(Bytes::from).map_err(|e| ParquetError::External(Box::new(e))),
            None => Ok(Bytes::copy_from_slice(body)),
        }
    }
}

/// Pages on their way into a chunk, and their sizes with headers: as written and uncompressed.
struct Pages<'a> {
    writer: SerializedPageWriter<'a, Vec<u8>>,
    squeeze: &'a mut Squeeze,
    packed: u64,
    whole: u64,
}

impl Pages<'_> {
    /// Writes a page; gives back where it stands.
    fn write(&mut self, body: &[u8], page: impl FnOnce(Bytes) -> Page) -> Result<i64> {
        let written = self.writer.write_page(CompressedPage::new(page(self.squeeze.page(body)?), body.len()))?;
        self.packed += written.compressed_size as u64;
        self.whole += written.uncompressed_size as u64;
        Ok(written.offset as i64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(keys: &[u32], width: u32, expect: &[u8]) {
        let mut out = Vec::new();
        hybrid(&mut out, keys, width);
        assert_eq!(out, expect, "{keys:?}");
    }

    #[test]
    fn keys_are_packed_or_runs() {
        // The example of the format's page: 0 to 7 in three bits.
        check(&[0, 1, 2, 3, 4, 5, 6, 7], 3, &[0b11, 0b1000_1000, 0b1100_0110, 0b1111_1010]);
        check(&[5; 8], 3, &[16, 5]);
        check(&[5; 7], 3, &[0b11, 0b0110_1101, 0b1101_1011, 0b0001_0110]);
        check(&[300; 100], 9, &[200, 1, 44, 1]);
        check(&[], 1, &[]);
    }

    #[test]
    fn a_packed_stretch_before_a_run_is_filled_from_it() {
        // Seven of the run's 15 fill the group begun by the 1; with 14 too few would be left.
        let mut keys = vec![1];
        keys.extend([0; 15]);
        check(&keys, 1, &[0b11, 0b1, 16, 0]);
        keys.pop();
        check(&keys, 1, &[0b101, 0b1, 0]);
    }

    #[test]
    fn levels_are_a_run_or_bits() {
        let mut page = Vec::new();
        levels(&mut page, 3, None);
        assert_eq!(page, [2, 0, 0, 0, 6, 1]);
        let mut page = Vec::new();
        levels(&mut page, 3, Some(&NullBuffer::from(vec![true, false, true])));
        assert_eq!(page, [2, 0, 0, 0, 0b11, 0b101]);
    }
}
