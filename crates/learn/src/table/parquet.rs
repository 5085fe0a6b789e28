//! Parquet tables in and out, by arrow.

use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use ::parquet::arrow::ArrowWriter;
use ::parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use ::parquet::basic::Compression;
use ::parquet::file::properties::WriterProperties;
use arrow::array::{Array, ArrayRef, AsArray, Float64Array, StringArray};
use arrow::datatypes::{DataType, Field, Float64Type, Schema, TimeUnit};
use arrow::record_batch::RecordBatch;

use super::{Cell, Column, Table, distinct, number_text};
use crate::error::{Error, Result};

/// Rows written at a time.
const BATCH: usize = 65_536;
/// Where a table of `gridwarden features` names the columns that say which row it is.
const IDENTITY: &str = "gridwarden.identity";

/// Reads a table; nested columns are left out.
pub fn read(path: &Path, bytes: Vec<u8>) -> Result<Table> {
    let wrong = |e: &dyn std::fmt::Display| Error::file(path, e);
    let builder = ParquetRecordBatchReaderBuilder::try_new(bytes::Bytes::from(bytes)).map_err(|e| wrong(&e))?;
    let fields = builder.schema().fields().clone();
    let flat: Vec<usize> = (0..fields.len()).filter(|&i| !fields[i].data_type().is_nested()).collect();
    let names = distinct(flat.iter().map(|&i| fields[i].name().trim().to_owned()).collect());
    let mut table = Table { columns: vec![Column::default(); names.len()], names, ..Table::default() };
    let metadata = builder.metadata().file_metadata().key_value_metadata();
    let identity = metadata.into_iter().flatten().find(|kv| kv.key == IDENTITY).and_then(|kv| kv.value.clone());
    table.identity = identity.into_iter().flat_map(|v| v.split(',').map(str::to_owned).collect::<Vec<_>>()).collect();
    for batch in builder.with_batch_size(8192).build().map_err(|e| wrong(&e))? {
        let batch = batch.map_err(|e| wrong(&e))?;
        for (column, &at) in table.columns.iter_mut().zip(&flat) {
            append(column, batch.column(at)).map_err(|e| wrong(&e))?;
        }
        table.rows += batch.num_rows();
    }
    Ok(table)
}

/// Appends an array: numbers, booleans as 0 and 1, times as seconds, all else as a field of a text file would be read.
fn append(column: &mut Column, array: &ArrayRef) -> Result<(), arrow::error::ArrowError> {
    use arrow::compute::cast;
    let kind = array.data_type();
    let per_second = match kind {
        DataType::Timestamp(TimeUnit::Second, _) => Some(1.0),
        DataType::Timestamp(TimeUnit::Millisecond, _) => Some(1e3),
        DataType::Timestamp(TimeUnit::Microsecond, _) => Some(1e6),
        DataType::Timestamp(TimeUnit::Nanosecond, _) => Some(1e9),
        _ => None,
    };
    if let Some(per_second) = per_second {
        let whole = cast(array, &DataType::Int64)?;
        let whole = whole.as_primitive::<arrow::datatypes::Int64Type>();
        for row in 0..whole.len() {
            column.push_number(if whole.is_null(row) { f64::NAN } else { whole.value(row) as f64 / per_second });
        }
    } else if kind.is_numeric() || *kind == DataType::Boolean {
        let numbers = cast(array, &DataType::Float64)?;
        let numbers = numbers.as_primitive::<Float64Type>();
        for row in 0..numbers.len() {
            column.push_number(if numbers.is_null(row) { f64::NAN } else { numbers.value(row) });
        }
    } else {
        let texts = cast(array, &DataType::Utf8)?;
        let texts = texts.as_string::<i32>();
        for row in 0..texts.len() {
            if texts.is_null(row) { column.push_missing() } else { column.push_field(texts.value(row), false) }
        }
    }
    Ok(())
}

/// Writes a table: columns without any text as numbers, others as texts.
pub fn write(table: &Table, path: &Path) -> Result<()> {
    let wrong = |e: &dyn std::fmt::Display| Error::file(path, e);
    let is_text: Vec<bool> = table
        .columns
        .iter()
        .map(|c| c.text_count() > 0 && (0..table.rows).any(|r| matches!(c.cell(r), Cell::Text(_))))
        .collect();
    let kind = |text: bool| if text { DataType::Utf8 } else { DataType::Float64 };
    let fields: Vec<Field> =
        table.names.iter().zip(&is_text).map(|(name, &text)| Field::new(name, kind(text), true)).collect();
    let schema = Arc::new(Schema::new(fields));
    let file = File::create(path).map_err(|e| wrong(&e))?;
    let identity = (!table.identity.is_empty())
        .then(|| vec![::parquet::file::metadata::KeyValue::new(IDENTITY.to_owned(), table.identity.join(","))]);
    let properties = WriterProperties::builder()
        .set_compression(Compression::ZSTD(Default::default()))
        .set_key_value_metadata(identity)
        .build();
    let mut writer = ArrowWriter::try_new(file, schema.clone(), Some(properties)).map_err(|e| wrong(&e))?;
    for start in (0..table.rows).step_by(BATCH) {
        let rows = start..table.rows.min(start + BATCH);
        let arrays = table
            .columns
            .iter()
            .zip(&is_text)
            .map(|(column, &text)| -> ArrayRef {
                if text {
                    Arc::new(rows.clone().map(|r| cell_text(column.cell(r))).collect::<StringArray>())
                } else {
                    Arc::new(
                        rows.clone().map(|r| Some(column.number(r)).filter(|x| !x.is_nan())).collect::<Float64Array>(),
                    )
                }
            })
            .collect();
        let batch = RecordBatch::try_new(schema.clone(), arrays).map_err(|e| wrong(&e))?;
        writer.write(&batch).map_err(|e| wrong(&e))?;
    }
    writer.close().map_err(|e| wrong(&e))?;
    Ok(())
}

fn cell_text(cell: Cell<'_>) -> Option<String> {
    match cell {
        Cell::Missing => None,
        Cell::Number(x) => Some(number_text(x)),
        Cell::Text(t) => Some(t.to_owned()),
    }
}
