//! The baseline's file while it is made: begun before anything is read, so that what cannot be written is said at once, and never half there.

use std::ffi::OsString;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use anyhow::Context;
use detect::Baseline;

/// Written beside and renamed in the end; without that it is gone.
pub struct Target {
    beside: PathBuf,
    path: PathBuf,
    file: Option<File>,
}

impl Target {
    /// Begins the file.
    pub fn create(path: &Path) -> anyhow::Result<Target> {
        let mut beside: OsString = path.as_os_str().to_owned();
        beside.push(".part");
        let beside = PathBuf::from(beside);
        anyhow::ensure!(!path.is_dir(), "`{}` is a folder: name a file for the baseline", path.display());
        let file = File::create(&beside).with_context(|| format!("cannot write `{}`", path.display()))?;
        Ok(Target { beside, path: path.to_owned(), file: Some(file) })
    }

    /// Writes it and puts it in its place.
    pub fn write(mut self, baseline: &Baseline) -> anyhow::Result<()> {
        let cannot = || format!("cannot write `{}`", self.path.display());
        let mut file = BufWriter::new(self.file.take().with_context(cannot)?);
        baseline.write(&mut file).with_context(cannot)?;
        file.flush().with_context(cannot)?;
        drop(file);
        std::fs::rename(&self.beside, &self.path).with_context(cannot)
    }
}

impl Drop for Target {
    fn drop(&mut self) {
        // After a rename there is nothing there; there is nobody to tell of anything else.
        let _ = std::fs::remove_file(&self.beside);
    }
}
