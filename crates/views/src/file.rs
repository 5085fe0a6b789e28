//! A text file written through a buffer that the views append to.

use std::fs::File;
use std::io::{self, Write};
use std::path::Path;

/// Bytes after which the buffer is written out.
const SPILL: usize = 256 * 1024;

/// A file and the text not yet written to it.
pub(crate) struct TextFile {
    /// Appended to by the views.
    pub(crate) buffer: Vec<u8>,
    file: File,
}

impl TextFile {
    /// Creates the file, and its folder where that is missing.
    pub(crate) fn create(folder: &Path, name: &str) -> io::Result<TextFile> {
        std::fs::create_dir_all(folder)?;
        Ok(TextFile { buffer: Vec::new(), file: File::create(folder.join(name))? })
    }

    /// Writes the buffer out when it is full; call it after each line.
    #[inline]
    pub(crate) fn spill(&mut self) -> io::Result<()> {
        if self.buffer.len() >= SPILL { self.finish() } else { Ok(()) }
    }

    /// Writes the buffer out.
    pub(crate) fn finish(&mut self) -> io::Result<()> {
        self.file.write_all(&self.buffer)?;
        self.buffer.clear();
        Ok(())
    }
}
