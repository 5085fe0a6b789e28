//! A row group while it is written: one column after the other, so that no more than one is held beside the waiting rows.

use std::fs::File;
use std::io;
use std::path::Path;

use arrow::array::ArrayRef;
use arrow::datatypes::SchemaRef;
use gwcore::Kind;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_writer::{ArrowColumnWriter, ArrowRowGroupWriterFactory, compute_leaves};
use parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};
use parquet::schema::types::ColumnDescPtr;

use crate::coded::{Coded, Squeeze};
use crate::schema;

/// One column of a row group.
pub(crate) enum Values {
    /// As an Arrow array.
    Array(ArrayRef),
    /// As keys and each value once.
    Coded(Coded),
}

/// The file of a kind.
pub(crate) struct KindFile {
    file: SerializedFileWriter<File>,
    factory: ArrowRowGroupWriterFactory,
    arrow: SchemaRef,
    columns: Vec<ColumnDescPtr>,
    squeeze: Squeeze,
    groups: usize,
}

impl KindFile {
    /// Creates it; a small one is not compressed.
    pub(crate) fn create(path: &Path, arrow: SchemaRef, kind: &Kind, small: bool) -> io::Result<KindFile> {
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder)?;
        }
        KindFile::over(File::create(path)?, arrow, kind, small)
    }

    /// Writes to an empty file.
    pub(crate) fn over(file: File, arrow: SchemaRef, kind: &Kind, small: bool) -> io::Result<KindFile> {
        let properties = Some(schema::properties(kind, small));
        let writer = ArrowWriter::try_new(file, arrow.clone(), properties).map_err(io::Error::other)?;
        let (file, factory) = writer.into_serialized_writer().map_err(io::Error::other)?;
        let squeeze = if small { Squeeze::default() } else { Squeeze::zstd()? };
        let columns = file.schema_descr().columns().to_vec();
        Ok(KindFile { file, factory, arrow, columns, squeeze, groups: 0 })
    }

    /// Begins a row group.
    pub(crate) fn group(&mut self) -> io::Result<Group<'_>> {
        let writers = self.factory.create_column_writers(self.groups).map_err(io::Error::other)?;
        self.groups += 1;
        let rows = self.file.next_row_group().map_err(io::Error::other)?;
        Ok(Group {
            rows,
            writers: writers.into_iter(),
            columns: &self.columns,
            arrow: &self.arrow,
            squeeze: &mut self.squeeze,
            at: 0,
        })
    }

    /// Writes the footer and gives the file back.
    pub(crate) fn into_file(self) -> io::Result<File> {
        self.file.into_inner().map_err(io::Error::other)
    }

    /// Writes the footer.
    pub(crate) fn close(self) -> io::Result<()> {
        self.file.close().map(drop).map_err(io::Error::other)
    }
}

/// A row group of which some columns are written.
pub(crate) struct Group<'a> {
    rows: SerializedRowGroupWriter<'a, File>,
    writers: std::vec::IntoIter<ArrowColumnWriter>,
    columns: &'a [ColumnDescPtr],
    arrow: &'a SchemaRef,
    squeeze: &'a mut Squeeze,
    at: usize,
}

impl Group<'_> {
    /// Writes the next column of the schema; every field of ours is one column of the file.
    pub(crate) fn write(&mut self, values: Values) -> io::Result<()> {
        let place = self.at;
        self.at += 1;
        let (Some(mut writer), Some(column)) = (self.writers.next(), self.columns.get(place)) else {
            return Err(io::Error::other("more columns than the schema has"));
        };
        match values {
            Values::Array(array) => {
                for leaf in compute_leaves(self.arrow.field(place), &array).map_err(io::Error::other)? {
                    writer.write(&leaf).map_err(io::Error::other)?;
                }
                let chunk = writer.close().map_err(io::Error::other)?;
                chunk.append_to_row_group(&mut self.rows).map_err(io::Error::other)
            }
            Values::Coded(coded) => {
                let (bytes, closed) = coded.chunk(column, self.squeeze).map_err(io::Error::other)?;
                self.rows.append_column(&bytes, closed).map_err(io::Error::other)
            }
        }
    }

    /// All columns are written.
    pub(crate) fn close(self) -> io::Result<()> {
        self.rows.close().map(drop).map_err(io::Error::other)
    }
}
