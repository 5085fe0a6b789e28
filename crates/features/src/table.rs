//! Rows of a family as a Parquet table that says of every column what it means.

use std::collections::HashMap;
use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Builder, StringBuilder, TimestampMicrosecondBuilder};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use arrow::record_batch::RecordBatch;
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::metadata::KeyValue;
use parquet::file::properties::WriterProperties;

use crate::family::{Family, Row, Type, Value, address};

/// Version of the table's layout, under `gridwarden.format_version`.
pub const FORMAT_VERSION: u32 = 1;
/// Columns that name a row and are never features: under `gridwarden.identity`, with commas between.
pub const IDENTITY: &[(&str, &str)] = &[
    ("ts", "Beginning of what the row describes."),
    ("end", "End of it."),
    ("src", "The device, or the originator or client: its IP address, or its MAC address where it has none."),
    ("dst", "The responder or server; empty where the row is about one device."),
    ("uid", "The conversation, where the row is about one."),
    ("frame", "The last frame that went into it; 0 for none."),
];
/// The benign event that a row fell into: identity, never a feature.
const SITUATION: (&str, &str) = ("situation", "The unusual benign event that the row fell into, from the label file.");
/// The column that `--labels` gives.
pub const LABEL: &str = "label";
/// Rows of a row group.
const GROUP: usize = 65_536;

/// Writes rows.
pub struct TableWriter {
    family: Family,
    schema: SchemaRef,
    labelled: bool,
    writer: ArrowWriter<File>,
    rows: Vec<(Row, String, String)>,
    written: u64,
}

/// An error of the file or of the format.
pub type Result<T> = std::result::Result<T, parquet::errors::ParquetError>;

impl TableWriter {
    /// Creates the file.
    pub fn create(path: &Path, family: &Family, labelled: bool) -> Result<TableWriter> {
        let schema = schema(family, labelled);
        let props = WriterProperties::builder()
            .set_compression(Compression::ZSTD(ZstdLevel::try_new(3)?))
            .set_key_value_metadata(Some(metadata(family, labelled)))
            .build();
        let writer = ArrowWriter::try_new(File::create(path)?, schema.clone(), Some(props))?;
        Ok(TableWriter { family: family.clone(), schema, labelled, writer, rows: Vec::new(), written: 0 })
    }

    /// Appends a row with its label and benign event; both are left out where the table has no labels.
    pub fn push(&mut self, row: Row, label: &str, situation: &str) -> Result<()> {
        self.rows.push((row, label.to_owned(), situation.to_owned()));
        if self.rows.len() >= GROUP { self.flush() } else { Ok(()) }
    }

    /// Writes what is left. The number of rows.
    pub fn finish(mut self) -> Result<u64> {
        self.flush()?;
        self.writer.close()?;
        Ok(self.written)
    }

    fn flush(&mut self) -> Result<()> {
        let rows = std::mem::take(&mut self.rows);
        self.written += rows.len() as u64;
        let time = |of: fn(&Row) -> gwcore::Ts| -> ArrayRef {
            let mut b = TimestampMicrosecondBuilder::new().with_timezone("UTC");
            rows.iter().for_each(|(r, ..)| b.append_value(of(r).0.div_euclid(1_000)));
            Arc::new(b.finish())
        };
        let text = |of: &dyn Fn(&Row) -> Option<String>| -> ArrayRef {
            let mut b = StringBuilder::new();
            rows.iter().for_each(|(r, ..)| b.append_option(of(r)));
            Arc::new(b.finish())
        };
        let mut columns: Vec<ArrayRef> = vec![
            time(|r| r.identity.ts),
            time(|r| r.identity.end),
            text(&|r| Some(address(r.identity.src))),
            text(&|r| (!r.identity.dst.is_none()).then(|| address(r.identity.dst))),
            text(&|r| r.identity.uid.map(|u| u.to_string())),
            {
                let mut b = Float64Builder::new();
                rows.iter().for_each(|(r, ..)| b.append_value(r.identity.frame.1 as f64));
                Arc::new(b.finish())
            },
        ];
        for (i, feature) in self.family.features.iter().enumerate() {
            let value = |r: &Row| r.values.get(i).copied().unwrap_or(Value::Null);
            columns.push(match feature.ty {
                Type::Number => {
                    let mut b = Float64Builder::new();
                    for (r, ..) in &rows {
                        match value(r) {
                            Value::Number(x) if x.is_finite() => b.append_value(x),
                            _ => b.append_null(),
                        }
                    }
                    Arc::new(b.finish())
                }
                Type::Word => text(&|r| match value(r) {
                    Value::Word(w) => Some(w.to_owned()),
                    _ => None,
                }),
            });
        }
        if self.labelled {
            for of in [|r: &(Row, String, String)| r.2.clone(), |r: &(Row, String, String)| r.1.clone()] {
                let mut b = StringBuilder::new();
                rows.iter().for_each(|r| b.append_value(of(r)));
                columns.push(Arc::new(b.finish()));
            }
        }
        self.writer.write(&RecordBatch::try_new(self.schema.clone(), columns)?)
    }
}

fn schema(family: &Family, labelled: bool) -> SchemaRef {
    let utc = DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
    let field = |name: &str, ty: DataType, role: &str, unit: &str, doc: &str, source: &str| {
        let all = [("role", role), ("unit", unit), ("doc", doc), ("source", source)];
        let meta = all.iter().filter(|(_, v)| !v.is_empty());
        let meta: HashMap<String, String> = meta.map(|(k, v)| (format!("gridwarden.{k}"), (*v).to_owned())).collect();
        Field::new(name, ty, !matches!(role, "label") && !matches!(name, "ts" | "end" | "src" | "frame" | "situation"))
            .with_metadata(meta)
    };
    let mut fields: Vec<Field> = Vec::new();
    for (name, doc) in IDENTITY {
        let ty = match *name {
            "ts" | "end" => utc.clone(),
            "frame" => DataType::Float64,
            _ => DataType::Utf8,
        };
        fields.push(field(name, ty, "identity", "", doc, ""));
    }
    for f in &family.features {
        let ty = if f.ty == Type::Word { DataType::Utf8 } else { DataType::Float64 };
        fields.push(field(&f.name, ty, "feature", &f.unit, &f.doc, &f.source));
    }
    if labelled {
        fields.push(field(SITUATION.0, DataType::Utf8, "identity", "", SITUATION.1, ""));
        fields.push(field(LABEL, DataType::Utf8, "label", "", "The attack, or `normal`.", ""));
    }
    Arc::new(Schema::new(fields))
}

fn metadata(family: &Family, labelled: bool) -> Vec<KeyValue> {
    let mut identity: Vec<&str> = IDENTITY.iter().map(|(n, _)| *n).collect();
    if labelled {
        identity.push(SITUATION.0);
    }
    let all = [
        ("gridwarden.format_version", FORMAT_VERSION.to_string()),
        ("gridwarden.features", family.name.to_owned()),
        ("gridwarden.features_version", family.version.to_string()),
        ("gridwarden.doc", family.doc.to_owned()),
        ("gridwarden.identity", identity.join(",")),
    ];
    all.into_iter().map(|(k, v)| KeyValue::new(k.to_owned(), v)).collect()
}
