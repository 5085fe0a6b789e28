//! The buffer and the file of one kind.

use std::fs::File;
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
        KindTable::at(folder.join(format!("{}.parquet", kind.name)), kind)
    }

    /// An empty one of a file.
    pub(crate) fn at(path: PathBuf, kind: &'static Kind) -> KindTable {
        KindTable {
            kind,
            bytes: 0,
            common: CommonBuf::default(),
            columns: kind.fields.iter().map(|f| ColumnBuf::new(f.ty)).collect(),
            path,
            file: None,
        }
    }

    /// Rows that wait.
    pub(crate) fn len(&self) -> usize {
        self.common.len()
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
        if self.file.is_none() {
            self.create(small)?;
        }
        let Some(mut file) = self.file.take() else { return Ok(()) };
        let result = self.group(&mut file, names);
        self.file = Some(file);
        result
    }

    fn group(&mut self, file: &mut KindFile, names: Names<'_>) -> io::Result<()> {
        let mut group = file.group()?;
        self.common.write(names, &mut group)?;
        for column in &mut self.columns {
            for values in column.take().map_err(io::Error::other)? {
                group.write(values)?;
            }
        }
        group.close()
    }

    /// Creates the file; a small one is not compressed.
    pub(crate) fn create(&mut self, small: bool) -> io::Result<()> {
        self.file = Some(KindFile::create(&self.path, schema::arrow_schema(self.kind), self.kind, small)?);
        Ok(())
    }

    /// Writes what waits, compressed, to an empty file; complete then, but not yet on the disk.
    pub(crate) fn write_to(&mut self, file: File, names: Names<'_>) -> io::Result<File> {
        let mut file = KindFile::over(file, schema::arrow_schema(self.kind), self.kind, false)?;
        self.group(&mut file, names)?;
        file.into_file()
    }

    /// Writes what waits and closes the file.
    pub(crate) fn close(mut self, names: Names<'_>) -> io::Result<()> {
        self.flush(names)?;
        self.file.map_or(Ok(()), KindFile::close)
    }
}

/// Bytes of a first row group below which a file is not compressed.
const SMALL: usize = 256 * 1024;
