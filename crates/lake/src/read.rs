//! Rows out of a Parquet file again: those of certain conversations or a span of time, as Parquet, JSON lines or CSV.

use std::collections::HashSet;
use std::fs::File;
use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, BooleanArray, RecordBatch, StringArray, TimestampMicrosecondArray};
use arrow::compute::{cast, filter_record_batch};
use arrow::datatypes::{DataType, Schema};
use arrow::json::LineDelimitedWriter;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::file::properties::WriterProperties;

use crate::coded::zstd_level;
use crate::schema::{floats, no_statistics};

/// Rows decoded at a time.
const BATCH: usize = 8_192;

/// How rows are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// As they were.
    Parquet,
    /// One JSON object a line, moments in RFC 3339.
    Ndjson,
    /// RFC 4180 with a header; lists as JSON; no cell begins like a formula.
    Csv,
}

/// Which rows.
#[derive(Clone, Debug, Default)]
pub struct Select {
    /// Only rows of these conversations.
    pub uids: Option<HashSet<String>>,
    /// Only rows from this time on, µs since 1970.
    pub from: Option<i64>,
    /// Only rows before this time, µs since 1970.
    pub before: Option<i64>,
}

/// What a cut gave.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cut {
    /// Rows read.
    pub read: u64,
    /// Rows written.
    pub written: u64,
}

/// Copies the selected rows of the Parquet file `from` to `out`. The file's metadata (format version, units) goes along into Parquet.
///
/// A file without a column that the selection asks for gives no rows. CSV writes its header also for no rows.
pub fn cut<W: Write + Send>(from: &Path, select: &Select, format: Format, out: W) -> io::Result<Cut> {
    let builder = ParquetRecordBatchReaderBuilder::try_new(File::open(from)?).map_err(io::Error::other)?;
    let schema = builder.schema().clone();
    let metadata = builder.metadata().file_metadata().key_value_metadata().cloned();
    let reader = builder.with_batch_size(BATCH).build().map_err(io::Error::other)?;
    let mut sink = match format {
        Format::Parquet => {
            let properties = WriterProperties::builder().set_compression(zstd_level()).set_key_value_metadata(metadata);
            let properties = no_statistics(properties, floats(&schema)).build();
            Sink::Parquet(Box::new(
                ArrowWriter::try_new(out, schema.clone(), Some(properties)).map_err(io::Error::other)?,
            ))
        }
        Format::Ndjson => Sink::Ndjson(LineDelimitedWriter::new(out)),
        Format::Csv => Sink::Csv(csv_header(out, &schema)?),
    };
    let mut cut = Cut::default();
    for batch in reader {
        let batch = batch.map_err(io::Error::other)?;
        cut.read += batch.num_rows() as u64;
        let wanted = match wanted(&batch, select)? {
            None => batch,
            Some(mask) => filter_record_batch(&batch, &mask).map_err(io::Error::other)?,
        };
        if wanted.num_rows() == 0 {
            continue;
        }
        cut.written += wanted.num_rows() as u64;
        match &mut sink {
            Sink::Parquet(w) => w.write(&wanted).map_err(io::Error::other)?,
            Sink::Ndjson(w) => w.write(&wanted).map_err(io::Error::other)?,
            Sink::Csv(w) => csv_rows(w, &wanted)?,
        }
    }
    match sink {
        Sink::Parquet(w) => {
            w.close().map_err(io::Error::other)?;
        }
        Sink::Ndjson(mut w) => {
            w.finish().map_err(io::Error::other)?;
            w.into_inner().flush()?;
        }
        Sink::Csv(mut w) => w.flush()?,
    }
    Ok(cut)
}

enum Sink<W: Write + Send> {
    Parquet(Box<ArrowWriter<W>>),
    Ndjson(LineDelimitedWriter<W>),
    Csv(W),
}

/// The rows that are wanted; none where all are.
fn wanted(batch: &RecordBatch, select: &Select) -> io::Result<Option<BooleanArray>> {
    if select.uids.is_none() && select.from.is_none() && select.before.is_none() {
        return Ok(None);
    }
    let mut mask = vec![true; batch.num_rows()];
    if let Some(uids) = &select.uids {
        match batch.column_by_name("uid") {
            None => mask.fill(false),
            Some(column) => {
                let text: ArrayRef = cast(column, &DataType::Utf8).map_err(io::Error::other)?;
                let text =
                    text.as_any().downcast_ref::<StringArray>().ok_or_else(|| io::Error::other("uid is no text"))?;
                for (row, keep) in mask.iter_mut().enumerate() {
                    *keep &= text.is_valid(row) && uids.contains(text.value(row));
                }
            }
        }
    }
    if select.from.is_some() || select.before.is_some() {
        let times = batch.column_by_name("ts").and_then(|c| c.as_any().downcast_ref::<TimestampMicrosecondArray>());
        match times {
            None => mask.fill(false),
            Some(times) => {
                for (row, keep) in mask.iter_mut().enumerate() {
                    let at = times.value(row);
                    *keep &= times.is_valid(row)
                        && select.from.is_none_or(|from| at >= from)
                        && select.before.is_none_or(|before| at < before);
                }
            }
        }
    }
    Ok(Some(BooleanArray::from(mask)))
}

fn csv_header<W: Write>(mut out: W, schema: &Arc<Schema>) -> io::Result<W> {
    let names: Vec<String> = schema.fields().iter().map(|f| csv_cell(f.name())).collect();
    writeln!(out, "{}", names.join(","))?;
    Ok(out)
}

fn csv_rows(out: &mut impl Write, batch: &RecordBatch) -> io::Result<()> {
    let options = FormatOptions::new().with_null("").with_timestamp_tz_format(Some("%Y-%m-%dT%H:%M:%S%.6fZ"));
    let columns = batch
        .columns()
        .iter()
        .map(|c| ArrayFormatter::try_new(c.as_ref(), &options))
        .collect::<Result<Vec<_>, _>>()
        .map_err(io::Error::other)?;
    let is_text: Vec<bool> = batch.columns().iter().map(|c| !c.data_type().is_numeric()).collect();
    let mut line = String::new();
    for row in 0..batch.num_rows() {
        line.clear();
        for (at, column) in columns.iter().enumerate() {
            if at > 0 {
                line.push(',');
            }
            let cell = column.value(row).to_string();
            // A negative number is no formula.
            line.push_str(&if is_text[at] { csv_cell(&cell) } else { cell });
        }
        line.push('\n');
        out.write_all(line.as_bytes())?;
    }
    Ok(())
}

/// A cell of text: quoted where it must be, and with an apostrophe before what a spreadsheet would take for a formula (OWASP, "CSV Injection").
pub fn csv_cell(text: &str) -> String {
    let formula = text.starts_with(['=', '+', '-', '@', '\t', '\r']);
    let text = if formula { format!("'{text}") } else { text.to_owned() };
    if text.contains([',', '"', '\n', '\r']) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::{DictionaryArray, Int64Array};
    use arrow::datatypes::{Field, Int32Type, TimeUnit};

    fn file(dir: &Path) -> std::path::PathBuf {
        let utc = DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
        let words = DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8));
        let schema = Arc::new(Schema::new(vec![
            Field::new("ts", utc, false),
            Field::new("uid", words, true),
            Field::new("name", DataType::Utf8, true),
            Field::new("n", DataType::Int64, false),
        ]));
        let uids: DictionaryArray<Int32Type> = vec![Some("Ca"), Some("Cb"), None, Some("Ca")].into_iter().collect();
        let batch = RecordBatch::try_new(
            schema.clone(),
            vec![
                Arc::new(TimestampMicrosecondArray::from(vec![1, 2, 3, 1_500_000_000_000_000]).with_timezone("UTC")),
                Arc::new(uids),
                Arc::new(StringArray::from(vec![Some("=1+1"), Some("a,\"b\""), None, Some("-x")])),
                Arc::new(Int64Array::from(vec![1, -2, 3, 4])),
            ],
        )
        .unwrap();
        let path = dir.join("k.parquet");
        let mut w = ArrowWriter::try_new(File::create(&path).unwrap(), schema, None).unwrap();
        w.write(&batch).unwrap();
        w.close().unwrap();
        path
    }

    #[test]
    fn rows_of_a_conversation_and_of_a_span() {
        let dir = tempfile::tempdir().unwrap();
        let path = file(dir.path());
        let run = |select: &Select, format| {
            let mut out = Vec::new();
            let cut = cut(&path, select, format, &mut out).unwrap();
            (cut, String::from_utf8_lossy(&out).into_owned())
        };
        let a = Select { uids: Some(["Ca".to_owned()].into()), ..Select::default() };
        let (cut_, json) = run(&a, Format::Ndjson);
        assert_eq!(cut_, Cut { read: 4, written: 2 });
        let rows: Vec<&str> = json.lines().collect();
        assert!(rows[0].contains("\"uid\":\"Ca\"") && rows[1].contains("2017-07-14T02:40:00"), "{rows:?}");
        let (_, csv) = run(&Select { before: Some(3), ..Select::default() }, Format::Csv);
        assert_eq!(
            csv.lines().skip(1).collect::<Vec<_>>(),
            ["1970-01-01T00:00:00.000001Z,Ca,'=1+1,1", "1970-01-01T00:00:00.000002Z,Cb,\"a,\"\"b\"\"\",-2"]
        );
        let to = dir.path().join("cut.parquet");
        cut(&path, &a, Format::Parquet, File::create(&to).unwrap()).unwrap();
        let mut again = Vec::new();
        assert_eq!(cut(&to, &Select::default(), Format::Ndjson, &mut again).unwrap(), Cut { read: 2, written: 2 });
        assert_eq!(String::from_utf8_lossy(&again), json);
    }
}
