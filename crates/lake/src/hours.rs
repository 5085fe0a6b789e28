//! What the lake holds by kind and hour, and the names of its files.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use gwcore::Ts;
use gwcore::time::{HOUR, days_from_civil};
use parquet::file::metadata::{ParquetMetaData, ParquetMetaDataReader};

/// The files of one kind and hour.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hour {
    /// Kind of the rows.
    pub kind: String,
    /// Hours since 1970, UTC.
    pub hour: i64,
    /// Folder below the root.
    pub folder: PathBuf,
    /// Names and bytes of its files, in order of names.
    pub files: Vec<(String, u64)>,
    /// When a file was last added.
    pub changed: SystemTime,
}

impl Hour {
    /// Bytes of all files.
    pub fn bytes(&self) -> u64 {
        self.files.iter().map(|(_, bytes)| bytes).sum()
    }

    /// First moment of the hour.
    pub fn start(&self) -> Ts {
        Ts(self.hour.saturating_mul(HOUR))
    }

    /// First moment after it.
    pub fn end(&self) -> Ts {
        Ts(self.hour.saturating_add(1).saturating_mul(HOUR))
    }

    /// Whether only rows are left in it that something holds.
    pub fn is_held(&self) -> bool {
        self.files.iter().all(|(name, _)| name.starts_with(HELD))
    }

    /// A name for a further file that exchanges have made here, its place in their order rising.
    pub(crate) fn next_name(&self, prefix: char) -> String {
        let number = |(name, _): &(String, u64)| name.get(1..)?.strip_suffix(".parquet")?.parse::<u64>().ok();
        let made = self.files.iter().filter(|(n, _)| n.starts_with([COMPACT, HELD])).filter_map(number).max();
        format!("{prefix}{:08}.parquet", made.map_or(1, |n| n.saturating_add(1)))
    }
}

/// First letter of files that compaction made.
pub(crate) const COMPACT: char = 'c';
/// First letter of files with rows that something holds.
pub(crate) const HELD: char = 'h';

/// The hours of the lake below `root`, oldest first, kinds of one hour by name. Folders of another form are passed over.
pub fn hours(root: &Path) -> io::Result<Vec<Hour>> {
    let mut all = Vec::new();
    for kind in folders(root)? {
        for day in folders(&root.join(&kind))? {
            let Some(start) = day.strip_prefix("day=").and_then(day_of) else { continue };
            for name in folders(&root.join(&kind).join(&day))? {
                let hour = name.strip_prefix("hour=").and_then(|h| h.parse::<i64>().ok()).filter(|h| *h < 24);
                let Some(hour) = hour.map(|h| start * 24 + h) else { continue };
                let folder = Path::new(&kind).join(&day).join(&name);
                let (files, changed) = files(&root.join(&folder))?;
                if !files.is_empty() {
                    all.push(Hour { kind: kind.clone(), hour, folder, files, changed });
                }
            }
        }
    }
    all.sort_by(|a, b| (a.hour, &a.kind).cmp(&(b.hour, &b.kind)));
    Ok(all)
}

/// Removes files that a compaction left unfinished, and folders without files. Nothing else may exchange files meanwhile.
pub fn tidy(root: &Path) -> io::Result<u64> {
    let mut removed = 0;
    for kind in folders(root)? {
        for day in folders(&root.join(&kind))? {
            let day = root.join(&kind).join(day);
            for hour in folders(&day)? {
                let folder = day.join(hour);
                for entry in fs::read_dir(&folder)?.flatten() {
                    if entry.path().extension().is_some_and(|e| e == "new") {
                        fs::remove_file(entry.path())?;
                        removed += 1;
                    }
                }
            }
        }
    }
    Ok(removed)
}

/// What a Parquet file says of itself.
pub(crate) fn footer(path: &Path) -> io::Result<ParquetMetaData> {
    ParquetMetaDataReader::new().parse_and_finish(&File::open(path)?).map_err(io::Error::other)
}

fn folders(dir: &Path) -> io::Result<Vec<String>> {
    let mut all = Vec::new();
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        if entry.file_type()?.is_dir()
            && let Ok(name) = entry.file_name().into_string()
        {
            all.push(name);
        }
    }
    all.sort();
    Ok(all)
}

fn files(dir: &Path) -> io::Result<(Vec<(String, u64)>, SystemTime)> {
    let (mut all, mut changed) = (Vec::new(), SystemTime::UNIX_EPOCH);
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        let Ok(name) = entry.file_name().into_string() else { continue };
        if name.ends_with(".parquet") {
            let meta = entry.metadata()?;
            changed = changed.max(meta.modified()?);
            all.push((name, meta.len()));
        }
    }
    all.sort();
    Ok((all, changed))
}

/// `YYYY-MM-DD` as days since 1970.
fn day_of(text: &str) -> Option<i64> {
    let mut parts = text.splitn(3, '-').map(|p| p.parse::<i64>().ok());
    let (year, month, day) = (parts.next()??, parts.next()??, parts.next()??);
    ((1..=12).contains(&month) && (1..=31).contains(&day)).then(|| days_from_civil(year, month, day))
}

/// The newest `most` files of the lake: how many were looked at, and those whose footer cannot be read, named below the root.
pub fn unreadable(root: &Path, most: usize) -> io::Result<(usize, Vec<String>)> {
    let mut bad = Vec::new();
    let newest = hours(root)?.into_iter().rev().flat_map(|h| h.files.into_iter().map(move |(n, _)| h.folder.join(n)));
    let mut looked = 0;
    for file in newest.take(most) {
        looked += 1;
        if footer(&root.join(&file)).is_err() {
            bad.push(file.display().to_string());
        }
    }
    Ok((looked, bad))
}
