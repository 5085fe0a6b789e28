//! The buffer and the file of one kind.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};

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
    path: PathBuf,
    /// Opened with the first row group.
    writer: Option<ArrowWriter<File>>,
}

impl KindTable {
    /// An empty one, whose file will lie in a folder.
    pub(crate) fn new(folder: &Path, kind: &'static Kind) -> KindTable {
        KindTable {
            kind,
            bytes: 0,
            schema: schema::arrow_schema(kind),
            common: CommonBuf::default(),
            columns: kind.fields.iter().map(|f| ColumnBuf::new(f.ty)).collect(),
            path: folder.join(format!("{}.parquet", kind.name)),
            writer: None,
        }
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
        let small = std::mem::take(&mut self.bytes) < SMALL;
        let mut arrays = self.common.finish(names).map_err(io::Error::other)?;
        for column in &mut self.columns {
            arrays.extend(column.finish().map_err(io::Error::other)?);
        }
        let batch = RecordBatch::try_new(self.schema.clone(), arrays).map_err(io::Error::other)?;
        let writer = match &mut self.writer {
            Some(writer) => writer,
            empty => empty.insert(open(&self.path, self.schema.clone(), self.kind, small)?),
        };
        writer.write(&batch).map_err(io::Error::other)?;
        drop(batch);
        writer.flush().map_err(io::Error::other)
    }

    /// Writes what waits and closes the file.
    pub(crate) fn close(mut self, names: Names<'_>) -> io::Result<()> {
        self.flush(names)?;
        self.writer.map_or(Ok(()), |w| w.close().map(drop).map_err(io::Error::other))
    }
}

/// Bytes of a first row group below which a file is not compressed.
const SMALL: usize = 256 * 1024;

fn open(path: &Path, schema: SchemaRef, kind: &Kind, small: bool) -> io::Result<ArrowWriter<File>> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    let properties = Some(schema::properties(kind, small));
    ArrowWriter::try_new(File::create(path)?, schema, properties).map_err(io::Error::other)
}
