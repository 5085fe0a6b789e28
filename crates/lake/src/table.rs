//! The buffer and the file of one kind.

use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};

use gwcore::{AnyRows, Kind, Names, Out};

use crate::column::ColumnBuf;
use crate::common::{CommonBuf, Seen};
use crate::group::KindFile;
use crate::schema;

/// Rows of one kind that wait for their row group, and the file they go to.
pub(crate) struct KindTable {
    pub(crate) kind: &'static Kind,
    /// Bytes counted for the waiting rows.
    pub(crate) bytes: usize,
    common: CommonBuf,
    columns: Vec<ColumnBuf>,
    path: PathBuf,
    /// Opened with the first row group.
    file: Option<KindFile>,
}

impl KindTable {
    /// An empty one, whose file will lie in a folder.
    pub(crate) fn new(folder: &Path, kind: &'static Kind) -> KindTable {
        KindTable {
            kind,
            bytes: 0,
            common: CommonBuf::default(),
            columns: kind.fields.iter().map(|f| ColumnBuf::new(f.ty)).collect(),
            path: folder.join(format!("{}.parquet", kind.name)),
            file: None,
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
        let file = match &mut self.file {
            Some(file) => file,
            empty => empty.insert(KindFile::create(&self.path, schema::arrow_schema(self.kind), self.kind, small)?),
        };
        let mut group = file.group()?;
        self.common.write(names, &mut group)?;
        for column in &mut self.columns {
            for values in column.take().map_err(io::Error::other)? {
                group.write(values)?;
            }
        }
        group.close()
    }

    /// Writes what waits and closes the file.
    pub(crate) fn close(mut self, names: Names<'_>) -> io::Result<()> {
        self.flush(names)?;
        self.file.map_or(Ok(()), KindFile::close)
    }
}

/// Bytes of a first row group below which a file is not compressed.
const SMALL: usize = 256 * 1024;
