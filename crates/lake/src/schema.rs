//! Arrow schema, metadata and writer settings of a kind's file.

use std::sync::Arc;

use arrow::datatypes::{DataType as Arrow, Field as ArrowField, Fields, Schema, SchemaRef, TimeUnit};
use gwcore::{COMMON, DataType, Field, Kind};
use parquet::basic::{Compression, Encoding};
use parquet::file::metadata::KeyValue;
use parquet::file::properties::{EnabledStatistics, WriterProperties, WriterPropertiesBuilder};
use parquet::schema::types::ColumnPath;

use crate::coded::zstd_level;

/// Version of the files' layout, in their metadata under `gridwarden.format_version`.
pub const FORMAT_VERSION: u32 = 1;

/// Time zone of moments.
pub(crate) const UTC: &str = "UTC";

/// Bytes of one data page before compression.
const PAGE_BYTES: usize = 256 * 1024;
/// Bytes of one dictionary page; beyond it a chunk goes on without dictionary.
const DICTIONARY_BYTES: usize = 512 * 1024;

/// The Arrow schema of a kind: the common fields, then its own. A moment is two columns: `NAME` in microseconds and `NAME_ns`, the
/// nanoseconds beyond, because several readers refuse nanoseconds.
pub fn arrow_schema(kind: &Kind) -> SchemaRef {
    let fields: Vec<ArrowField> = COMMON.iter().chain(kind.fields).flat_map(fields).collect();
    Arc::new(Schema::new(Fields::from(fields)))
}

fn fields(field: &Field) -> Vec<ArrowField> {
    let common_word =
        matches!(field.name, "uid" | "file" | "interface") && COMMON.iter().any(|c| std::ptr::eq(c, field));
    let ty = if common_word { words() } else { arrow_type(&field.ty) };
    let mut all = vec![ArrowField::new(field.name, ty, field.nullable)];
    if field.ty == DataType::Ts {
        all.push(ArrowField::new(format!("{}_ns", field.name), Arrow::UInt16, field.nullable));
    }
    all
}

fn arrow_type_of(field: &Field) -> Arrow {
    let common_word =
        matches!(field.name, "uid" | "file" | "interface") && COMMON.iter().any(|c| std::ptr::eq(c, field));
    if common_word { words() } else { arrow_type(&field.ty) }
}

fn arrow_type(ty: &DataType) -> Arrow {
    match ty {
        DataType::Bool => Arrow::Boolean,
        DataType::U8 => Arrow::UInt8,
        DataType::U16 => Arrow::UInt16,
        DataType::U32 => Arrow::UInt32,
        DataType::U64 => Arrow::UInt64,
        DataType::I64 => Arrow::Int64,
        DataType::F64 | DataType::Span => Arrow::Float64,
        DataType::Text | DataType::Hex => Arrow::Utf8,
        DataType::Sym | DataType::Addr | DataType::Mac => words(),
        DataType::Ts => Arrow::Timestamp(TimeUnit::Microsecond, Some(UTC.into())),
        DataType::List(of) => Arrow::List(Arc::new(list_item(of))),
    }
}

fn words() -> Arrow {
    Arrow::Dictionary(Box::new(Arrow::Int32), Box::new(Arrow::Utf8))
}

/// The element field of a list.
pub(crate) fn list_item(of: &DataType) -> ArrowField {
    ArrowField::new("element", arrow_type(of), false)
}

/// Key-value metadata of a kind's file: format version, kind, and for every field its unit and documentation.
pub fn file_metadata(kind: &Kind) -> Vec<(String, String)> {
    let mut all = vec![
        ("gridwarden.format_version".to_owned(), FORMAT_VERSION.to_string()),
        ("gridwarden.kind".to_owned(), kind.name.to_owned()),
        ("gridwarden.doc".to_owned(), kind.doc.trim().to_owned()),
    ];
    for field in COMMON.iter().chain(kind.fields) {
        all.push((format!("gridwarden.doc.{}", field.name), field.doc.trim().to_owned()));
        let unit = if field.ty == DataType::Span { "s" } else { field.unit };
        if !unit.is_empty() {
            all.push((format!("gridwarden.unit.{}", field.name), unit.to_owned()));
        }
    }
    all
}

/// How a kind's file is written. A small one is not compressed: the compressors of its columns would cost more than all else.
pub(crate) fn properties(kind: &Kind, small: bool) -> WriterProperties {
    let metadata = file_metadata(kind).into_iter().map(|(k, v)| KeyValue::new(k, v)).collect();
    let mut props = WriterProperties::builder()
        .set_compression(if small { Compression::UNCOMPRESSED } else { zstd_level() })
        .set_data_page_size_limit(PAGE_BYTES)
        .set_dictionary_page_size_limit(DICTIONARY_BYTES)
        .set_statistics_enabled(EnabledStatistics::Chunk)
        .set_offset_index_disabled(true)
        .set_max_row_group_row_count(None)
        .set_key_value_metadata(Some(metadata));
    // Times and frames rise: differences are small where a dictionary would only be filled in vain.
    for name in ["ts", "frame"] {
        let path = ColumnPath::from(name);
        props = props
            .set_column_dictionary_enabled(path.clone(), false)
            .set_column_encoding(path, Encoding::DELTA_BINARY_PACKED);
    }
    // Least and greatest of words prune nothing and cost two comparisons a value.
    let words = COMMON.iter().chain(kind.fields).filter(|f| matches!(arrow_type_of(f), Arrow::Dictionary(..)));
    for field in words {
        props = props.set_column_statistics_enabled(ColumnPath::from(field.name), EnabledStatistics::None);
    }
    let floats = COMMON.iter().chain(kind.fields).filter(|f| arrow_type_of(f).is_floating()).map(|f| f.name);
    no_statistics(props, floats).build()
}

/// Columns of floating-point numbers have no least and greatest value: NaN does not count for these, and readers then leave out rows that hold one
/// or take it for its neighbour (DataFusion 55, DuckDB 2; `findings/datafusion-nan-becomes-a-neighbour.sh`).
pub(crate) fn no_statistics<'a>(
    props: WriterPropertiesBuilder,
    floats: impl Iterator<Item = &'a str>,
) -> WriterPropertiesBuilder {
    floats
        .fold(props, |props, name| props.set_column_statistics_enabled(ColumnPath::from(name), EnabledStatistics::None))
}

/// The columns of floating-point numbers of a file that is written anew.
pub(crate) fn floats(schema: &Schema) -> impl Iterator<Item = &str> {
    schema.fields().iter().filter(|f| f.data_type().is_floating()).map(|f| f.name().as_str())
}
