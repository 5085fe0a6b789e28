//! Upkeep of the lake: the small files of an hour become few large sorted ones, and hours that are over their time or their room are deleted,
//! save the rows that something holds.

use std::collections::HashSet;
use std::fs::{self, File};
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use arrow::array::{Array, AsArray, BooleanArray, RecordBatch, UInt32Array};
use arrow::compute::{SortColumn, cast, concat_batches, filter_record_batch, lexsort_to_indices, take_record_batch};
use arrow::datatypes::{DataType, SchemaRef};
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::{ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder};
use parquet::basic::Encoding;
use parquet::file::metadata::KeyValue;
use parquet::file::properties::WriterProperties;
use parquet::schema::types::ColumnPath;

use crate::coded::zstd_level;
use crate::hours::{COMPACT, HELD, Hour, footer};
use crate::schema::{floats, no_statistics};
use crate::swap::Exchange;

/// Bytes before compression of the files that one compacted file is made of: what compaction holds in memory is a small multiple of it.
const TARGET: u64 = 32 << 20;
/// Files of which one compacted file is made at most.
const MOST_FILES: usize = 1_024;
/// Rows of a row group: an address is looked up group by group.
const GROUP_ROWS: usize = 65_536;
/// Rows decoded at a time.
const BATCH: usize = 8_192;
/// Columns with a Bloom filter: what analysts look up.
const LOOKED_UP: [&str; 5] = ["uid", "src_ip", "dst_ip", "src_mac", "dst_mac"];

/// What a compaction did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Compacted {
    /// Files before.
    pub files: u64,
    /// Files that took their place.
    pub into: u64,
    /// Rows in them, all of them.
    pub rows: u64,
    /// Bytes on the disk before.
    pub bytes: u64,
    /// Bytes after.
    pub bytes_after: u64,
    /// Files that cannot be read; they stay as they are.
    pub unreadable: Vec<String>,
    /// Searches went on all the time: it is to be tried again.
    pub put_off: bool,
}

/// What a deletion did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Deleted {
    /// Files deleted.
    pub files: u64,
    /// Rows deleted; those of unreadable files are not known.
    pub rows: u64,
    /// Bytes that were freed.
    pub bytes: u64,
    /// Rows that were kept because something holds them.
    pub held_rows: u64,
    /// Files among them that could not be read.
    pub unreadable: u64,
    /// Searches went on all the time: it is to be tried again.
    pub put_off: bool,
}

/// A file made for an exchange, lying there under `.new`.
struct Made {
    name: String,
    rows: u64,
    bytes: u64,
}

/// Makes few large files of the many small ones of an hour: sorted by time, with statistics and Bloom filters. Rows are never lost: the old files
/// go when the new ones are on the disk. What cannot be read, and files of another layout, stay as they are.
pub fn compact(root: &Path, hour: &Hour, patience: Duration) -> io::Result<Compacted> {
    let mut done = Compacted::default();
    for group in groups(root, hour, &mut done.unreadable) {
        let now = Hour { files: files_now(root, hour)?, ..hour.clone() };
        let made = match merge(root, hour, &group, now.next_name(COMPACT)) {
            Ok(made) => made,
            Err(e) => {
                let _ = fs::remove_file(root.join(&hour.folder).join(now.next_name(COMPACT)).with_extension("new"));
                return Err(e);
            }
        };
        let Some(exchange) = Exchange::lock(root, patience)? else {
            fs::remove_file(root.join(&hour.folder).join(&made.name).with_extension("new"))?;
            done.put_off = true;
            break;
        };
        let old: Vec<String> = group.iter().map(|(name, _)| name.clone()).collect();
        exchange.exchange(&hour.folder, std::slice::from_ref(&made.name), &old)?;
        drop(exchange);
        done.files += group.len() as u64;
        done.into += 1;
        done.rows += made.rows;
        done.bytes += group.iter().map(|(_, bytes)| bytes).sum::<u64>();
        done.bytes_after += made.bytes;
    }
    Ok(done)
}

/// Deletes an hour, save the rows of conversations that something holds. `force` goes on after `patience` although somebody still reads. `tell`
/// gets what is deleted before it is: a deletion that a crash hides does not exist.
pub fn delete(
    root: &Path,
    hour: &Hour,
    held: &HashSet<String>,
    (patience, force): (Duration, bool),
    tell: &mut dyn FnMut(&Deleted),
) -> io::Result<Deleted> {
    let mut done = Deleted::default();
    let folder = root.join(&hour.folder);
    let mut rows = 0;
    for (name, _) in &hour.files {
        match footer(&folder.join(name)) {
            Ok(meta) => rows += u64::try_from(meta.file_metadata().num_rows()).unwrap_or(0),
            Err(_) => done.unreadable += 1,
        }
    }
    let made = if held.is_empty() { Vec::new() } else { keep_held(root, hour, held)? };
    let kept: u64 = made.iter().map(|m| m.rows).sum();
    if kept == rows && done.unreadable == 0 && hour.is_held() && kept > 0 {
        // Nothing to delete: all of it is held, and in files of its own already.
        made.iter().try_for_each(|m| fs::remove_file(folder.join(&m.name).with_extension("new")))?;
        done.held_rows = kept;
        return Ok(done);
    }
    let exchange = match Exchange::lock(root, patience)? {
        Some(exchange) => exchange,
        None if force => Exchange::unlocked(root)?,
        None => {
            made.iter().try_for_each(|m| fs::remove_file(folder.join(&m.name).with_extension("new")))?;
            done.put_off = true;
            return Ok(done);
        }
    };
    let new: Vec<String> = made.iter().map(|m| m.name.clone()).collect();
    let old: Vec<String> = hour.files.iter().map(|(name, _)| name.clone()).collect();
    done.files = hour.files.len() as u64;
    done.rows = rows.saturating_sub(kept);
    done.bytes = hour.bytes().saturating_sub(made.iter().map(|m| m.bytes).sum());
    done.held_rows = kept;
    tell(&done);
    exchange.exchange(&hour.folder, &new, &old)?;
    drop(exchange);
    if new.is_empty() {
        // The sensor makes folders as it needs them; one that is not empty stays.
        let _ = fs::remove_dir(&folder);
        let _ = folder.parent().map(fs::remove_dir);
    }
    Ok(done)
}

fn files_now(root: &Path, hour: &Hour) -> io::Result<Vec<(String, u64)>> {
    let mut all = Vec::new();
    for entry in fs::read_dir(root.join(&hour.folder))? {
        let entry = entry?;
        if let Ok(name) = entry.file_name().into_string()
            && name.ends_with(".parquet")
        {
            all.push((name, entry.metadata()?.len()));
        }
    }
    Ok(all)
}

/// Which files become one: neighbours of one layout, together at most [`TARGET`] bytes.
fn groups(root: &Path, hour: &Hour, unreadable: &mut Vec<String>) -> Vec<Vec<(String, u64)>> {
    let mut known = Vec::new();
    for (name, bytes) in hour.files.iter().filter(|(name, _)| !name.starts_with(HELD)) {
        let path = root.join(&hour.folder).join(name);
        match builder(&path) {
            Ok(file) => {
                let size: i64 = file.metadata().row_groups().iter().map(|g| g.total_byte_size()).sum();
                known.push((file.schema().clone(), u64::try_from(size).unwrap_or(u64::MAX), (name.clone(), *bytes)));
            }
            Err(_) => unreadable.push(hour.folder.join(name).display().to_string()),
        }
    }
    let mut groups: Vec<Vec<(String, u64)>> = Vec::new();
    let mut open: Option<(SchemaRef, u64, Vec<(String, u64)>)> = None;
    for (schema, size, file) in known {
        match &mut open {
            Some((of, sum, files))
                if *of == schema && sum.saturating_add(size) <= TARGET && files.len() < MOST_FILES =>
            {
                *sum += size;
                files.push(file);
            }
            _ => {
                groups.extend(open.take().map(|(_, _, files)| files));
                open = Some((schema, size, vec![file]));
            }
        }
    }
    groups.extend(open.map(|(_, _, files)| files));
    groups.retain(|g| g.len() > 1);
    groups
}

fn builder(path: &Path) -> io::Result<ParquetRecordBatchReaderBuilder<File>> {
    ParquetRecordBatchReaderBuilder::try_new(File::open(path)?).map_err(io::Error::other)
}

fn reader(path: &Path) -> io::Result<(ParquetRecordBatchReader, SchemaRef, Option<Vec<KeyValue>>)> {
    let builder = builder(path)?;
    let (schema, metadata) =
        (builder.schema().clone(), builder.metadata().file_metadata().key_value_metadata().cloned());
    let reader = builder.with_batch_size(BATCH).build().map_err(io::Error::other)?;
    Ok((reader, schema, metadata))
}

/// One file of several, sorted by time; rows of one moment in the order of the files.
fn merge(root: &Path, hour: &Hour, group: &[(String, u64)], name: String) -> io::Result<Made> {
    let folder = root.join(&hour.folder);
    let (mut batches, mut layout, mut expected) = (Vec::new(), None, 0);
    for (name, _) in group {
        let (reader, schema, metadata) = reader(&folder.join(name))?;
        expected += u64::try_from(footer(&folder.join(name))?.file_metadata().num_rows()).unwrap_or(0);
        layout.get_or_insert((schema, metadata));
        for batch in reader {
            batches.push(batch.map_err(io::Error::other)?);
        }
    }
    let Some((schema, metadata)) = layout else { return Err(io::Error::other("no files to merge")) };
    let all = concat_batches(&schema, &batches).map_err(io::Error::other)?;
    drop(batches);
    let sorted = by_time(&all)?;
    drop(all);
    let mut writer = NewFile::create(&folder, name, schema, metadata)?;
    let mut at = 0;
    while at < sorted.num_rows() {
        let rows = BATCH.min(sorted.num_rows() - at);
        writer.write(&sorted.slice(at, rows))?;
        at += rows;
    }
    let made = writer.finish()?;
    if made.rows != expected {
        return Err(io::Error::other(format!("{} rows were read and {expected} are there", made.rows)));
    }
    Ok(made)
}

fn by_time(all: &RecordBatch) -> io::Result<RecordBatch> {
    let mut columns: Vec<SortColumn> = ["ts", "ts_ns"]
        .iter()
        .filter_map(|name| all.column_by_name(name))
        .map(|values| SortColumn { values: Arc::clone(values), options: None })
        .collect();
    let rows = u32::try_from(all.num_rows()).map_err(io::Error::other)?;
    // The sort itself keeps no order among equals.
    columns.push(SortColumn { values: Arc::new(UInt32Array::from_iter_values(0..rows)), options: None });
    let order = lexsort_to_indices(&columns, None).map_err(io::Error::other)?;
    take_record_batch(all, &order).map_err(io::Error::other)
}

/// Files with the held rows of an hour: one a layout.
fn keep_held(root: &Path, hour: &Hour, held: &HashSet<String>) -> io::Result<Vec<Made>> {
    let folder = root.join(&hour.folder);
    let mut writers: Vec<NewFile> = Vec::new();
    let mut names = hour.clone();
    for (name, _) in &hour.files {
        // What cannot be read holds nothing that could be shown.
        let Ok((reader, schema, metadata)) = reader(&folder.join(name)) else { continue };
        for batch in reader {
            let Ok(batch) = batch else { break };
            let mask = held_rows(&batch, held)?;
            if mask.true_count() == 0 {
                continue;
            }
            let wanted = filter_record_batch(&batch, &mask).map_err(io::Error::other)?;
            let at = match writers.iter().position(|w| w.schema == schema) {
                Some(at) => at,
                None => {
                    let name = names.next_name(HELD);
                    names.files.push((name.clone(), 0));
                    writers.push(NewFile::create(&folder, name, schema.clone(), metadata.clone())?);
                    writers.len() - 1
                }
            };
            if let Some(writer) = writers.get_mut(at) {
                writer.write(&wanted)?;
            }
        }
    }
    writers.into_iter().map(NewFile::finish).collect()
}

fn held_rows(batch: &RecordBatch, held: &HashSet<String>) -> io::Result<BooleanArray> {
    let Some(column) = batch.column_by_name("uid") else { return Ok(vec![false; batch.num_rows()].into()) };
    let text = cast(column, &DataType::Utf8).map_err(io::Error::other)?;
    let text = text.as_string::<i32>();
    Ok((0..text.len()).map(|row| Some(text.is_valid(row) && held.contains(text.value(row)))).collect())
}

/// A file that is written under `.new`.
struct NewFile {
    name: String,
    schema: SchemaRef,
    writer: ArrowWriter<File>,
    path: std::path::PathBuf,
    rows: u64,
}

impl NewFile {
    fn create(folder: &Path, name: String, schema: SchemaRef, metadata: Option<Vec<KeyValue>>) -> io::Result<NewFile> {
        let path = folder.join(&name).with_extension("new");
        let writer = ArrowWriter::try_new(File::create(&path)?, schema.clone(), Some(properties(&schema, metadata)))
            .map_err(io::Error::other)?;
        Ok(NewFile { name, schema, writer, path, rows: 0 })
    }

    fn write(&mut self, batch: &RecordBatch) -> io::Result<()> {
        self.rows += batch.num_rows() as u64;
        self.writer.write(batch).map_err(io::Error::other)
    }

    /// On the disk when this returns.
    fn finish(self) -> io::Result<Made> {
        let file = self.writer.into_inner().map_err(io::Error::other)?;
        file.sync_all()?;
        let written = footer(&self.path)?;
        if u64::try_from(written.file_metadata().num_rows()).ok() != Some(self.rows) {
            return Err(io::Error::other("the new file does not hold the rows that were written"));
        }
        Ok(Made { name: self.name, rows: self.rows, bytes: file.metadata()?.len() })
    }
}

fn properties(schema: &SchemaRef, metadata: Option<Vec<KeyValue>>) -> WriterProperties {
    // The writer adds the Arrow schema itself.
    let metadata =
        metadata.map(|all| all.into_iter().filter(|kv| kv.key != parquet::arrow::ARROW_SCHEMA_META_KEY).collect());
    let mut properties = WriterProperties::builder()
        .set_compression(zstd_level())
        .set_max_row_group_row_count(Some(GROUP_ROWS))
        .set_key_value_metadata(metadata);
    for name in LOOKED_UP.iter().filter(|name| schema.field_with_name(name).is_ok()) {
        let column = ColumnPath::from(*name);
        // Folded to what the values need once they are known.
        properties = properties
            .set_column_bloom_filter_enabled(column.clone(), true)
            .set_column_bloom_filter_max_ndv(column, GROUP_ROWS as u64);
    }
    // Times rise: their differences are small where a dictionary would only be filled in vain.
    let ts = ColumnPath::from("ts");
    no_statistics(properties, floats(schema))
        .set_column_dictionary_enabled(ts.clone(), false)
        .set_column_encoding(ts, Encoding::DELTA_BINARY_PACKED)
        .build()
}

#[cfg(test)]
mod tests;
