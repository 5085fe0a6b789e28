//! The buffer and the file of one kind.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::path::Path;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use gwcore::{AnyRows, Kind, Names, Out};
use parquet::arrow::ArrowWriter;

use crate::column::ColumnBuf;
use crate::common::{CommonBuf, Seen};
use crate::schema;

/// Rows of one kind that wait for their row group, and the file they go to.
pub(crate) struct KindTable {
    pub(crate) kind: &'static Kind,
    /// Bytes counted for the waiting rows.
    pub(crate) bytes: usize,
    schema: SchemaRef,
    common: CommonBuf,
    columns: Vec<ColumnBuf>,
    writer: ArrowWriter<File>,
}

impl KindTable {
    /// Creates the kind's file in a folder.
    pub(crate) fn create(folder: &Path, kind: &'static Kind) -> io::Result<KindTable> {
        std::fs::create_dir_all(folder)?;
        let file = File::create(folder.join(format!("{}.parquet", kind.name)))?;
        let schema = schema::arrow_schema(kind);
        let writer =
            ArrowWriter::try_new(file, schema.clone(), Some(schema::properties(kind))).map_err(io::Error::other)?;
        let columns = kind.fields.iter().map(|f| ColumnBuf::new(f.ty)).collect();
        Ok(KindTable { kind, bytes: 0, schema, common: CommonBuf::default(), columns, writer })
    }

    /// Appends some rows of a batch.
    pub(crate) fn append(&mut self, out: &Out, rows: &dyn AnyRows, range: Range<usize>, seen: &mut Seen) {
        self.common.append(out, rows, range.clone(), seen);
        for (buf, column) in self.columns.iter_mut().zip(rows.columns()) {
            buf.append(column, range.start, range.end);
        }
    }

    /// Writes the waiting rows as one row group.
    pub(crate) fn flush(&mut self, names: Names<'_>) -> io::Result<()> {
        if self.common.len() == 0 {
            return Ok(());
        }
        self.bytes = 0;
        let mut arrays = self.common.finish(names).map_err(io::Error::other)?;
        for column in &mut self.columns {
            arrays.extend(column.finish().map_err(io::Error::other)?);
        }
        let batch = RecordBatch::try_new(self.schema.clone(), arrays).map_err(io::Error::other)?;
        self.writer.write(&batch).map_err(io::Error::other)?;
        drop(batch);
        self.writer.flush().map_err(io::Error::other)
    }

    /// Writes what waits and closes the file.
    pub(crate) fn close(mut self, names: Names<'_>) -> io::Result<()> {
        self.flush(names)?;
        self.writer.close().map_err(io::Error::other)?;
        Ok(())
    }
}
