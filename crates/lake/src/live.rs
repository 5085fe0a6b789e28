//! The lake of a running sensor: a Parquet file a kind and hour at least every minute, whole or not there.
//!
//! Below the root lies `KIND/day=YYYY-MM-DD/hour=HH/NAME.parquet`, by the time of the rows. A file is written under a name that ends in `.tmp`,
//! synced and renamed; [`LiveLake::open`] removes what a crash left under such names. Rows are acknowledged by the [`Written`] of their
//! file, not before. Space for a file is reserved before its rows leave memory, so that a full disk costs nothing while they wait.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use gwcore::time::{HOUR, MINUTE, civil};
use gwcore::{AnyRows, Kind, Limit, Limits, Names, Out, Sink, Ts};

use crate::common::Seen;
use crate::size;
use crate::table::KindTable;

/// Rows wait for their file this long in packet time, in nanoseconds.
const ROLL: i64 = MINUTE;
/// Bytes of a file before compression at most.
const FILE_BYTES: usize = 64 << 20;
/// Waiting rows may take so many times the budget while the disk is full; after that the oldest are given up.
const PATIENCE: usize = 4;
/// Added to the reserved bytes of each file for footer and dictionaries.
const FOOTER: usize = 64 << 10;

/// A file of the lake that is on the disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    /// The kind of its rows.
    pub kind: &'static str,
    /// Where it lies below the root.
    pub path: PathBuf,
    /// Its rows.
    pub rows: u64,
    /// Its bytes.
    pub bytes: u64,
}

struct Held {
    table: KindTable,
    /// Packet time at which its first row came.
    since: Ts,
    temporary: PathBuf,
}

/// Writes the rows of a running sensor.
pub struct LiveLake {
    root: PathBuf,
    run: u64,
    files: u64,
    budget: usize,
    held: usize,
    now: Ts,
    /// By the kind's slot and the hour since 1970.
    tables: BTreeMap<(usize, i64), Held>,
    seen: Seen,
    written: Vec<Written>,
    given_up: u64,
}

impl LiveLake {
    /// Writes below `root`; `run` is a number that no earlier run over the same folder had. Also says how many unfinished files of earlier
    /// runs were removed.
    pub fn open(root: &Path, limits: &Limits, run: u64) -> io::Result<(LiveLake, u64)> {
        fs::create_dir_all(root)?;
        let removed = sweep(root)?;
        let budget = limits.get(Limit::RowGroupBytes).clamp(1 << 20, FILE_BYTES);
        let lake = LiveLake {
            root: root.to_owned(),
            run,
            files: 0,
            budget,
            held: 0,
            now: Ts(i64::MIN),
            tables: BTreeMap::new(),
            seen: Seen::default(),
            written: Vec::new(),
            given_up: 0,
        };
        Ok((lake, removed))
    }

    /// Packet time has reached `now`: what waited long enough is written. The files that are on the disk since the last call are told, also
    /// when writing failed: what failed waits and is tried again at the next call.
    pub fn roll(&mut self, now: Ts, names: Names<'_>) -> (Vec<Written>, io::Result<()>) {
        // Packet time may go back: then everything that seems to come from the future has waited long enough.
        self.now = now;
        let due = |h: &Held| now.since(h.since) >= ROLL || h.since > now;
        let keys: Vec<_> = self.tables.iter().filter(|(_, h)| due(h)).map(|(k, _)| *k).collect();
        let result = keys.into_iter().try_for_each(|key| self.write(key, names));
        (std::mem::take(&mut self.written), result)
    }

    /// Writes everything that waits.
    pub fn close(&mut self, names: Names<'_>) -> (Vec<Written>, io::Result<()>) {
        let keys: Vec<_> = self.tables.keys().copied().collect();
        let result = keys.into_iter().try_for_each(|key| self.write(key, names));
        (std::mem::take(&mut self.written), result)
    }

    /// Rows that were given up because the disk stayed full.
    pub fn given_up(&self) -> u64 {
        self.given_up
    }

    /// Bytes of rows that wait.
    pub fn held(&self) -> usize {
        self.held
    }

    fn append(&mut self, out: &Out, rows: &dyn AnyRows) {
        let stamps = rows.stamps();
        let hour = |at: usize| stamps.get(at).map(|s| s.ts.0.div_euclid(HOUR));
        let mut from = 0;
        while let Some(of) = hour(from) {
            let to = (from..stamps.len()).find(|at| hour(*at) != Some(of)).unwrap_or(stamps.len());
            let bytes = size::rows(rows, from, to);
            let mut seen = std::mem::take(&mut self.seen);
            seen.start(out);
            let held = self.table(rows.kind(), of);
            held.table.append(out, rows, from..to, &mut seen);
            held.table.bytes = held.table.bytes.saturating_add(bytes);
            self.held = self.held.saturating_add(bytes);
            (self.seen, from) = (seen, to);
        }
    }

    fn table(&mut self, kind: &'static Kind, hour: i64) -> &mut Held {
        let (run, now) = (self.run, self.now);
        let LiveLake { tables, files, root, .. } = self;
        tables.entry((kind.slot(), hour)).or_insert_with(|| {
            *files += 1;
            let temporary = folder(root, kind, hour).join(format!("{run:08}-{files:08}.tmp"));
            Held { table: KindTable::at(temporary.clone(), kind), since: now, temporary }
        })
    }

    /// Writes one file. When that fails before its rows left memory, they stay.
    fn write(&mut self, key: (usize, i64), names: Names<'_>) -> io::Result<()> {
        let Some(held) = self.tables.get_mut(&key) else { return Ok(()) };
        let (bytes, rows) = (held.table.bytes, held.table.len() as u64);
        if let Some(folder) = held.temporary.parent() {
            fs::create_dir_all(folder)?;
        }
        let file = reserved(&held.temporary, bytes.saturating_add(FOOTER))?;
        let done = held.table.write_to(file, names).and_then(|file| {
            // What was reserved beyond the end goes back.
            let len = file.metadata()?.len();
            file.set_len(len)?;
            file.sync_all()?;
            let path = held.temporary.with_extension("parquet");
            fs::rename(&held.temporary, &path)?;
            sync_folder(&path)?;
            Ok((path, len))
        });
        let kind = held.table.kind.name;
        let temporary = held.temporary.clone();
        self.tables.remove(&key);
        self.held = self.held.saturating_sub(bytes);
        match done {
            Ok((path, bytes)) => {
                let path = path.strip_prefix(&self.root).unwrap_or(&path).to_owned();
                self.written.push(Written { kind, path, rows, bytes });
                Ok(())
            }
            Err(e) => {
                let _ = fs::remove_file(temporary);
                self.given_up = self.given_up.saturating_add(rows);
                Err(e)
            }
        }
    }

    /// Makes room: the largest file is written first; what cannot be written waits until it is too much.
    fn relieve(&mut self, names: Names<'_>) {
        while self.held > self.budget {
            let largest =
                self.tables.iter().max_by_key(|(k, h)| (h.table.bytes, std::cmp::Reverse(**k))).map(|(k, _)| *k);
            let Some(key) = largest else { break };
            if self.write(key, names).is_err() {
                break;
            }
        }
        while self.held > self.budget.saturating_mul(PATIENCE) {
            let oldest = self.tables.iter().min_by_key(|(k, h)| (h.since, **k)).map(|(k, _)| *k);
            let Some(held) = oldest.and_then(|key| self.tables.remove(&key)) else { break };
            self.given_up = self.given_up.saturating_add(held.table.len() as u64);
            self.held = self.held.saturating_sub(held.table.bytes);
        }
    }
}

impl Sink for LiveLake {
    fn rows(&mut self, out: &Out, names: Names<'_>) -> io::Result<()> {
        for kind in out.kinds() {
            self.append(out, kind);
        }
        self.relieve(names);
        Ok(())
    }

    fn finish(&mut self, names: Names<'_>) -> io::Result<()> {
        let (written, result) = self.close(names);
        self.written = written;
        result
    }
}

/// `KIND/day=YYYY-MM-DD/hour=HH` of an hour since 1970.
fn folder(root: &Path, kind: &Kind, hour: i64) -> PathBuf {
    let (year, month, day) = civil(hour.div_euclid(24));
    let hour = hour.rem_euclid(24);
    root.join(kind.name).join(format!("day={year:04}-{month:02}-{day:02}")).join(format!("hour={hour:02}"))
}

/// Creates a file for which space on the disk is taken. Where the file system cannot, nothing is reserved.
fn reserved(path: &Path, bytes: usize) -> io::Result<File> {
    let file = File::create(path)?;
    match rustix::fs::fallocate(&file, rustix::fs::FallocateFlags::KEEP_SIZE, 0, bytes as u64) {
        Err(rustix::io::Errno::NOSPC | rustix::io::Errno::DQUOT) => {
            drop(file);
            let _ = fs::remove_file(path);
            Err(io::Error::new(io::ErrorKind::StorageFull, "no space for the records"))
        }
        _ => Ok(file),
    }
}

fn sync_folder(file: &Path) -> io::Result<()> {
    file.parent().map_or(Ok(()), |folder| File::open(folder)?.sync_all())
}

/// Removes unfinished files below a folder; how many.
fn sweep(root: &Path) -> io::Result<u64> {
    let (mut open, mut removed) = (vec![root.to_owned()], 0);
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(&folder)? {
            let entry = entry?;
            let path = entry.path();
            if entry.file_type()?.is_dir() {
                open.push(path);
            } else if path.extension().is_some_and(|e| e == "tmp") {
                fs::remove_file(path)?;
                removed += 1;
            }
        }
    }
    Ok(removed)
}
