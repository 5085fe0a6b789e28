//! Appending: one process at a time holds the folder's lock; each entry is synced before `append` returns.

use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use gwcore::Ts;
use serde_json::Value;

use crate::entry::Entry;
use crate::head::Head;
use crate::{Error, now, verify};

/// The ledger of one data folder. Several processes may hold one: each append takes the folder's lock and follows what others wrote.
pub struct Ledger {
    dir: PathBuf,
    lock: Mutex<File>,
}

impl Ledger {
    /// Opens or begins the ledger in this folder. What a power loss left half-written after the last acknowledged entry is removed, and an
    /// entry says so. A chain that does not hold at its end is refused; `verify` looks at the whole of it.
    pub fn open(dir: &Path) -> Result<Ledger, Error> {
        make_private(dir)?;
        let path = dir.join("lock");
        let lock = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&path)
            .map_err(|e| Error::io("open", &path, e))?;
        let ledger = Ledger { dir: dir.to_owned(), lock: Mutex::new(lock) };
        let removed = ledger.locked(repair)?;
        if removed > 0 {
            ledger.append("ledger.repaired", "system", &serde_json::json!({ "removed_bytes": removed }))?;
        }
        Ok(ledger)
    }

    /// Where it lies.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Appends an entry at the machine's time. When this returns it is on the disk.
    pub fn append(&self, kind: &str, actor: &str, data: &Value) -> Result<Entry, Error> {
        self.append_at(now(), kind, actor, data)
    }

    /// Appends an entry at a given time. An entry never goes before the day of the one before it, whatever the clock says.
    pub fn append_at(&self, at: Ts, kind: &str, actor: &str, data: &Value) -> Result<Entry, Error> {
        self.locked(|dir| {
            let head = match Head::read(dir)? {
                None => Head::empty(),
                Some(head) => head.map_err(Error::Broken)?,
            };
            let at = at.to_string();
            let day = format!("{}.ndjson", at.get(..10).unwrap_or("0000-00-00"));
            let name = if day > head.file { day } else { head.file.clone() };
            let path = dir.join(&name);
            let is_new = !path.exists();
            let (entry, line) = Entry::make(head.n + 1, at, kind, actor, data, &head.hash);
            let mut file = private(OpenOptions::new().create(true).append(true))
                .open(&path)
                .map_err(|e| Error::io("open", &path, e))?;
            let before = file.metadata().map_err(|e| Error::io("read", &path, e))?.len();
            let written = file.write_all(line.as_bytes()).and_then(|()| file.sync_data());
            if let Err(e) = written {
                // Half a line would stand before the next entry.
                let _ = file.set_len(before);
                return Err(Error::io("append to", &path, e));
            }
            if is_new {
                sync_dir(dir)?;
            }
            let head = Head { n: entry.n, hash: entry.hash.clone(), file: name };
            if let Err(e) = head.write(dir) {
                // On a full disk: an entry that was refused must not stand there, the next one would take its number.
                let _ = file.set_len(before).and_then(|()| file.sync_data());
                return Err(e);
            }
            Ok(entry)
        })
    }

    fn locked<T>(&self, f: impl FnOnce(&Path) -> Result<T, Error>) -> Result<T, Error> {
        let file = self.lock.lock().unwrap_or_else(PoisonError::into_inner);
        let path = self.dir.join("lock");
        file.lock().map_err(|e| Error::io("lock", &path, e))?;
        let result = f(&self.dir);
        file.unlock().map_err(|e| Error::io("unlock", &path, e))?;
        result
    }
}

/// Brings `head` to the end of the newest file and removes a half-written last line after it; the bytes removed.
fn repair(dir: &Path) -> Result<u64, Error> {
    let head = match Head::read(dir)? {
        None => Head::empty(),
        Some(head) => head.map_err(Error::Broken)?,
    };
    let mut now = head.clone();
    let mut removed = 0;
    for name in verify::files(dir)?.into_iter().filter(|n| *n >= head.file) {
        let path = dir.join(&name);
        let mut file =
            OpenOptions::new().read(true).write(true).open(&path).map_err(|e| Error::io("open", &path, e))?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).map_err(|e| Error::io("read", &path, e))?;
        let whole = bytes.iter().rposition(|b| *b == b'\n').map_or(0, |at| at + 1);
        for line in bytes[..whole].split(|b| *b == b'\n').filter(|l| !l.is_empty()) {
            let entry = Entry::read(line).map_err(|what| Error::Broken(format!("{name}: {what}")))?;
            if entry.n == now.n + 1 && entry.prev == now.hash {
                now = Head { n: entry.n, hash: entry.hash, file: name.clone() };
            } else if entry.n > now.n {
                return Err(Error::Broken(format!("{name}, entry {}: it does not follow entry {}", entry.n, now.n)));
            }
        }
        if whole < bytes.len() {
            removed += (bytes.len() - whole) as u64;
            file.set_len(whole as u64).map_err(|e| Error::io("shorten", &path, e))?;
            file.seek(SeekFrom::End(0)).map_err(|e| Error::io("read", &path, e))?;
            file.sync_all().map_err(|e| Error::io("sync", &path, e))?;
        }
    }
    if now != head {
        now.write(dir)?;
    }
    Ok(removed)
}

fn sync_dir(dir: &Path) -> Result<(), Error> {
    File::open(dir).and_then(|d| d.sync_all()).map_err(|e| Error::io("sync", dir, e))
}

/// The folder, readable by this user alone.
fn make_private(dir: &Path) -> Result<(), Error> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(dir).map_err(|e| Error::io("create", dir, e))
}

fn private(options: &mut OpenOptions) -> &mut OpenOptions {
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(options, 0o600);
    options
}
