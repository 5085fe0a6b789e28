//! The file `head`: the last entry of the chain, so that removing the newest lines shows.

use std::path::{Path, PathBuf};

use crate::Error;
use crate::entry::GENESIS;

/// The last entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Head {
    /// Its number; 0 before the first.
    pub n: u64,
    /// Its hash.
    pub hash: String,
    /// File it stands in; empty before the first.
    pub file: String,
}

impl Head {
    /// Of an empty ledger.
    pub fn empty() -> Head {
        Head { n: 0, hash: GENESIS.to_owned(), file: String::new() }
    }

    pub fn path(dir: &Path) -> PathBuf {
        dir.join("head")
    }

    /// Reads it; none where there is no such file. The inner error says what is wrong with its text.
    pub fn read(dir: &Path) -> Result<Option<Result<Head, String>>, Error> {
        let path = Head::path(dir);
        match std::fs::read(&path) {
            Ok(bytes) => Ok(Some(Head::parse(&bytes))),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(e) => Err(Error::io("read", &path, e)),
        }
    }

    fn parse(bytes: &[u8]) -> Result<Head, String> {
        let bad = || "the file `head` is not in its form (number, hash, file)".to_owned();
        let text = std::str::from_utf8(bytes).map_err(|_| bad())?.strip_suffix('\n').ok_or_else(bad)?;
        let mut words = text.split(' ');
        let (Some(n), Some(hash), Some(file), None) = (words.next(), words.next(), words.next(), words.next()) else {
            return Err(bad());
        };
        let n: u64 = n.parse().map_err(|_| bad())?;
        // What reads differently from how it would be written was changed.
        let head = Head { n, hash: hash.to_owned(), file: file.to_owned() };
        if head.text().as_bytes() == bytes { Ok(head) } else { Err(bad()) }
    }

    fn text(&self) -> String {
        format!("{} {} {}\n", self.n, self.hash, self.file)
    }

    /// Writes it beside, syncs, renames.
    pub fn write(&self, dir: &Path) -> Result<(), Error> {
        use std::io::Write;
        let (path, new) = (Head::path(dir), dir.join("head.new"));
        let mut file = std::fs::File::create(&new).map_err(|e| Error::io("create", &new, e))?;
        file.write_all(self.text().as_bytes()).map_err(|e| Error::io("write", &new, e))?;
        file.sync_data().map_err(|e| Error::io("sync", &new, e))?;
        std::fs::rename(&new, &path).map_err(|e| Error::io("rename", &path, e))
    }
}
