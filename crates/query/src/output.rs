//! A result written out: a table for people, CSV, JSON, Parquet or Arrow.

use std::io::Write;

use arrow::array::Array;
use arrow::datatypes::{DataType, SchemaRef};
use arrow::record_batch::RecordBatch;
use arrow::util::display::{ArrayFormatter, FormatOptions};

use crate::{Error, Result, Rows};

/// How a result is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Aligned columns.
    Table,
    /// RFC 4180, with a head; text that a spreadsheet would take for a formula gets an apostrophe before it.
    Csv,
    /// One array of objects.
    Json,
    /// An Apache Parquet file.
    Parquet,
    /// An Apache Arrow IPC file.
    Arrow,
}

/// What was written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Rows.
    pub rows: usize,
    /// Whether there were more than the limit.
    pub cut: bool,
}

/// Writes at most `limit` rows (0: all). Only `Table` holds them in memory, and there at most 100,000.
pub async fn write(rows: &mut Rows, format: Format, to: &mut (dyn Write + Send), limit: usize) -> Result<Summary> {
    let limit = match (format, limit) {
        (Format::Table, 0) => 100_000,
        (_, 0) => usize::MAX,
        (_, n) => n,
    };
    let schema = std::sync::Arc::clone(&rows.schema);
    let mut sink = Sink::new(format, to, &schema)?;
    let mut summary = Summary::default();
    while let Some(batch) = rows.next().await {
        let batch = batch?;
        let left = limit - summary.rows;
        if batch.num_rows() > left {
            sink.batch(&batch.slice(0, left))?;
            summary = Summary { rows: limit, cut: true };
            break;
        }
        summary.rows += batch.num_rows();
        sink.batch(&batch)?;
    }
    sink.finish()?;
    Ok(summary)
}

enum Sink<'a> {
    Table { to: &'a mut (dyn Write + Send), head: Vec<String>, right: Vec<bool>, cells: Vec<Vec<String>> },
    Csv { to: &'a mut (dyn Write + Send) },
    Json(arrow::json::ArrayWriter<&'a mut (dyn Write + Send)>),
    Parquet(Box<parquet::arrow::ArrowWriter<&'a mut (dyn Write + Send)>>),
    Arrow(Box<arrow::ipc::writer::FileWriter<&'a mut (dyn Write + Send)>>),
}

impl<'a> Sink<'a> {
    fn new(format: Format, to: &'a mut (dyn Write + Send), schema: &SchemaRef) -> Result<Sink<'a>> {
        let names = schema.fields().iter().map(|f| f.name().clone());
        Ok(match format {
            Format::Table => Sink::Table {
                to,
                head: names.map(|n| plain(&n)).collect(),
                right: schema.fields().iter().map(|f| f.data_type().is_numeric()).collect(),
                cells: Vec::new(),
            },
            Format::Csv => {
                let head: Vec<String> = names.map(|n| csv_cell(&n, true)).collect();
                to.write_all((head.join(",") + "\r\n").as_bytes())?;
                Sink::Csv { to }
            }
            Format::Json => {
                let writer = arrow::json::WriterBuilder::new().with_explicit_nulls(true);
                Sink::Json(writer.build::<_, arrow::json::writer::JsonArray>(to))
            }
            Format::Parquet => {
                let writer = parquet::arrow::ArrowWriter::try_new(to, std::sync::Arc::clone(schema), None);
                Sink::Parquet(Box::new(writer.map_err(data)?))
            }
            Format::Arrow => Sink::Arrow(Box::new(arrow::ipc::writer::FileWriter::try_new(to, schema).map_err(data)?)),
        })
    }

    fn batch(&mut self, batch: &RecordBatch) -> Result<()> {
        match self {
            Sink::Table { cells, .. } => {
                let columns = formatters(batch)?;
                for row in 0..batch.num_rows() {
                    cells.push(columns.iter().map(|(f, _)| plain(&f.value(row).to_string())).collect());
                }
            }
            Sink::Csv { to } => {
                let columns = formatters(batch)?;
                for row in 0..batch.num_rows() {
                    let cells = columns.iter().map(|(f, is_text)| csv_cell(&f.value(row).to_string(), *is_text));
                    to.write_all((cells.collect::<Vec<_>>().join(",") + "\r\n").as_bytes())?;
                }
            }
            Sink::Json(writer) => writer.write(batch).map_err(data)?,
            Sink::Parquet(writer) => writer.write(batch).map_err(data)?,
            Sink::Arrow(writer) => writer.write(batch).map_err(data)?,
        }
        Ok(())
    }

    fn finish(self) -> Result<()> {
        match self {
            Sink::Table { to, head, right, cells } => {
                let width = |at: usize| {
                    let cells = cells.iter().filter_map(|row| row.get(at)).chain(head.get(at));
                    cells.map(|c| c.chars().count()).max().unwrap_or(0)
                };
                let widths: Vec<usize> = (0..head.len()).map(width).collect();
                for row in std::iter::once(&head).chain(&cells) {
                    let mut line = String::new();
                    for ((cell, width), right) in row.iter().zip(&widths).zip(&right) {
                        let gap = " ".repeat(width - cell.chars().count().min(*width));
                        line += &if *right { format!("{gap}{cell}  ") } else { format!("{cell}{gap}  ") };
                    }
                    to.write_all((line.trim_end().to_owned() + "\n").as_bytes())?;
                }
            }
            Sink::Csv { .. } => {}
            Sink::Json(mut writer) => {
                writer.finish().map_err(data)?;
                writer.into_inner().write_all(b"\n")?;
            }
            Sink::Parquet(writer) => {
                writer.close().map_err(data)?;
            }
            Sink::Arrow(mut writer) => writer.finish().map_err(data)?,
        }
        Ok(())
    }
}

fn data(e: impl std::fmt::Display) -> Error {
    Error::Data(e.to_string())
}

/// A formatter for each column, and whether it holds text. Times are RFC 3339.
fn formatters(batch: &RecordBatch) -> Result<Vec<(ArrayFormatter<'_>, bool)>> {
    const OPTIONS: FormatOptions<'static> =
        FormatOptions::new().with_timestamp_tz_format(Some("%Y-%m-%dT%H:%M:%S%.6fZ"));
    batch
        .columns()
        .iter()
        .map(|c| Ok((ArrayFormatter::try_new(c.as_ref(), &OPTIONS).map_err(data)?, is_text(c.data_type()))))
        .collect()
}

fn is_text(ty: &DataType) -> bool {
    match ty {
        DataType::Dictionary(_, value) => is_text(value),
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => true,
        DataType::List(_) => true,
        _ => false,
    }
}

/// Text for a terminal: control characters (also the C1 ones and those that turn the direction) as escapes.
fn plain(text: &str) -> String {
    let is_harmful = |c: char| {
        c.is_control() || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    if !text.contains(is_harmful) {
        return text.to_owned();
    }
    text.chars().map(|c| if is_harmful(c) { c.escape_unicode().to_string() } else { c.to_string() }).collect()
}

/// A cell of CSV; text is never a formula.
fn csv_cell(text: &str, is_text: bool) -> String {
    let guard = is_text && text.starts_with(['=', '+', '-', '@', '\t', '\r']);
    let text = if guard { format!("'{text}") } else { text.to_owned() };
    if text.contains(['"', ',', '\n', '\r']) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostile_text_stays_in_its_cell() {
        assert_eq!(csv_cell("=cmd()", true), "'=cmd()");
        assert_eq!(csv_cell("-7.5", false), "-7.5");
        assert_eq!(csv_cell("a,\"b\"\n", true), "\"a,\"\"b\"\"\n\"");
        assert_eq!(plain("a\u{1b}[31m\u{202e}"), "a\\u{1b}[31m\\u{202e}");
    }
}
