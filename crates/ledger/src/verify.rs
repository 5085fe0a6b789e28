//! Looking at the chain: the first place where it does not hold, and its entries for those who read them.

use std::path::Path;

use crate::Error;
use crate::entry::{Entry, GENESIS};
use crate::head::Head;

/// The first place where the chain does not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Break {
    /// File within the folder.
    pub file: String,
    /// Line in it, from 1; 0 for the file as a whole.
    pub line: u64,
    /// What is wrong, in words.
    pub what: String,
}

/// What `verify` saw.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Entries that hold, up to the first break.
    pub entries: u64,
    /// Files looked at.
    pub files: u64,
    /// Time of the first entry.
    pub first: Option<String>,
    /// Time of the last entry that holds.
    pub last: Option<String>,
    /// Its hash, to be kept elsewhere.
    pub hash: String,
    /// Where it breaks, if it does.
    pub broken: Option<Break>,
}

/// Recomputes the whole chain. An error is a file that cannot be read; a break is part of the report.
pub fn verify(dir: &Path) -> Result<Report, Error> {
    let mut report = Report { hash: GENESIS.to_owned(), ..Report::default() };
    let head = Head::read(dir)?;
    let (mut last_file, mut last_line) = (String::new(), 0);
    let mut at_head = false;
    for name in files(dir)? {
        report.files += 1;
        let path = dir.join(&name);
        let bytes = std::fs::read(&path).map_err(|e| Error::io("read", &path, e))?;
        let mut rest = bytes.as_slice();
        let mut line = 0;
        while !rest.is_empty() {
            line += 1;
            let broken = |what: String| Some(Break { file: name.clone(), line, what });
            let Some(end) = rest.iter().position(|b| *b == b'\n') else {
                report.broken = broken("the last line is not complete".to_owned());
                return Ok(report);
            };
            let entry = match Entry::read(&rest[..end]) {
                Ok(entry) => entry,
                Err(what) => {
                    report.broken = broken(what);
                    return Ok(report);
                }
            };
            if entry.n != report.entries + 1 || entry.prev != report.hash {
                report.broken = broken(format!(
                    "entry {} does not follow entry {}: lines were removed, added or exchanged",
                    entry.n, report.entries
                ));
                return Ok(report);
            }
            report.entries = entry.n;
            report.hash = entry.hash;
            report.first.get_or_insert_with(|| entry.at.clone());
            report.last = Some(entry.at);
            at_head |= matches!(&head, Some(Ok(h)) if h.n == entry.n && h.hash == report.hash && h.file == name);
            rest = rest.get(end + 1..).unwrap_or_default();
            last_line = line;
        }
        last_file = name;
    }
    let at_end = |what: String| Some(Break { file: last_file.clone(), line: last_line, what });
    report.broken = match head {
        None if report.entries == 0 => None,
        None => at_end("the file `head` is missing: lines after this one may have been removed".to_owned()),
        Some(Err(what)) => Some(Break { file: "head".to_owned(), line: 1, what }),
        Some(Ok(h)) if h.n > report.entries => at_end(format!(
            "the chain ends at entry {}, `head` names entry {}: the newest lines were removed",
            report.entries, h.n
        )),
        Some(Ok(_)) if !at_head && report.entries > 0 => Some(Break {
            file: "head".to_owned(),
            line: 1,
            what: "it names an entry that is not in the chain".to_owned(),
        }),
        Some(Ok(_)) => None,
    };
    Ok(report)
}

/// The entries of one file that can be read, oldest first.
fn read_file(path: &Path) -> Result<Vec<Entry>, Error> {
    let bytes = std::fs::read(path).map_err(|e| Error::io("read", path, e))?;
    Ok(bytes.split(|b| *b == b'\n').filter_map(|l| Entry::read(l).ok()).collect())
}

/// Entries of the UTC days `from` to `to` (`YYYY-MM-DD`, both included; an empty `to` is no limit), oldest first, at most `limit`.
pub fn entries(dir: &Path, from: &str, to: &str, limit: usize) -> Result<Vec<Entry>, Error> {
    let mut all = Vec::new();
    for name in files(dir)? {
        let day = name.get(..10).unwrap_or("");
        if day < from || (!to.is_empty() && day > to) {
            continue;
        }
        all.extend(read_file(&dir.join(&name))?);
        if all.len() >= limit {
            all.truncate(limit);
            break;
        }
    }
    Ok(all)
}

/// The newest entries before number `before` (0: from the end), newest first, at most `limit`, of those that `wanted` says yes to.
pub fn tail(dir: &Path, before: u64, limit: usize, wanted: impl Fn(&Entry) -> bool) -> Result<Vec<Entry>, Error> {
    let mut all = Vec::new();
    for name in files(dir)?.into_iter().rev() {
        for entry in read_file(&dir.join(&name))?.into_iter().rev() {
            if all.len() == limit {
                return Ok(all);
            }
            if (before == 0 || entry.n < before) && wanted(&entry) {
                all.push(entry);
            }
        }
    }
    Ok(all)
}

/// The day files in their order.
pub(crate) fn files(dir: &Path) -> Result<Vec<String>, Error> {
    let read = match std::fs::read_dir(dir) {
        Ok(read) => read,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(e) => return Err(Error::io("read", dir, e)),
    };
    let mut names: Vec<String> = read
        .filter_map(|e| e.ok()?.file_name().into_string().ok())
        .filter(|n| n.len() == 17 && n.ends_with(".ndjson"))
        .collect();
    names.sort();
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Ledger;
    use gwcore::Ts;
    use serde_json::json;

    const DAY: i64 = 86_400_000_000_000;

    fn filled() -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        let ledger = Ledger::open(dir.path()).unwrap();
        for n in 0..7 {
            ledger
                .append_at(Ts(n * DAY / 3), "finding.closed", "anna", &json!({ "id": n, "text": "wave \u{7} é" }))
                .unwrap();
        }
        dir
    }

    #[test]
    fn a_sound_chain_holds_over_days_and_processes() {
        let dir = filled();
        let report = verify(dir.path()).unwrap();
        assert_eq!((report.entries, report.files, report.broken), (7, 3, None));
        let second = Ledger::open(dir.path()).unwrap();
        let third = Ledger::open(dir.path()).unwrap();
        second.append_at(Ts(3 * DAY), "a", "b", &json!({})).unwrap();
        third.append_at(Ts(0), "the clock went back", "b", &json!({})).unwrap();
        let report = verify(dir.path()).unwrap();
        assert_eq!((report.entries, report.broken), (9, None));
        let newest = tail(dir.path(), 0, 2, |_| true).unwrap();
        assert_eq!(newest.iter().map(|e| e.n).collect::<Vec<_>>(), [9, 8]);
        assert_eq!(entries(dir.path(), "1970-01-02", "1970-01-02", 100).unwrap().len(), 3);
    }

    #[test]
    fn any_byte_flipped_is_named() {
        let dir = filled();
        for name in files(dir.path()).unwrap().into_iter().chain(["head".to_owned()]) {
            let path = dir.path().join(&name);
            let sound = std::fs::read(&path).unwrap();
            for at in 0..sound.len() {
                let mut bytes = sound.clone();
                bytes[at] ^= 1 << (at % 8);
                std::fs::write(&path, &bytes).unwrap();
                let broken =
                    verify(dir.path()).unwrap().broken.unwrap_or_else(|| panic!("byte {at} of {name} was not missed"));
                let line = 1 + sound[..at].iter().filter(|b| **b == b'\n').count() as u64;
                assert!(broken.file == name || name == "head", "byte {at} of {name}: {broken:?}");
                assert!(name == "head" || broken.line.abs_diff(line) <= 1, "byte {at} of {name}: {broken:?}");
            }
            std::fs::write(&path, &sound).unwrap();
        }
        assert_eq!(verify(dir.path()).unwrap().broken, None);
    }

    #[test]
    fn lines_removed_or_exchanged_are_named() {
        let dir = filled();
        for name in files(dir.path()).unwrap() {
            let path = dir.path().join(&name);
            let sound = std::fs::read_to_string(&path).unwrap();
            let lines: Vec<&str> = sound.lines().collect();
            for at in 0..lines.len() {
                let mut less = lines.clone();
                less.remove(at);
                std::fs::write(&path, less.iter().map(|l| format!("{l}\n")).collect::<String>()).unwrap();
                assert!(verify(dir.path()).unwrap().broken.is_some(), "line {at} of {name} was not missed");
                let mut swapped = lines.clone();
                swapped.swap(at, (at + 1) % lines.len());
                std::fs::write(&path, swapped.iter().map(|l| format!("{l}\n")).collect::<String>()).unwrap();
                let is_same = swapped == lines;
                assert_eq!(verify(dir.path()).unwrap().broken.is_none(), is_same, "line {at} of {name}");
            }
            std::fs::remove_file(&path).unwrap();
            assert!(verify(dir.path()).unwrap().broken.is_some(), "{name} was not missed");
            std::fs::write(&path, sound).unwrap();
        }
    }

    #[test]
    fn a_half_written_line_is_repaired_and_said() {
        let dir = filled();
        let last = files(dir.path()).unwrap().pop().unwrap();
        let path = dir.path().join(&last);
        let mut bytes = std::fs::read(&path).unwrap();
        bytes.extend_from_slice(b"{\"v\":1,\"n\":8,");
        std::fs::write(&path, bytes).unwrap();
        assert!(verify(dir.path()).unwrap().broken.is_some());
        Ledger::open(dir.path()).unwrap();
        let report = verify(dir.path()).unwrap();
        assert_eq!((report.entries, report.broken), (8, None));
        assert_eq!(tail(dir.path(), 0, 1, |_| true).unwrap()[0].kind, "ledger.repaired");
    }

    #[test]
    fn a_head_that_lags_after_a_power_loss_is_brought_up() {
        let dir = filled();
        let old = std::fs::read(dir.path().join("head")).unwrap();
        Ledger::open(dir.path()).unwrap().append_at(Ts(3 * DAY), "a", "b", &json!({})).unwrap();
        std::fs::write(dir.path().join("head"), old).unwrap();
        assert_eq!(verify(dir.path()).unwrap().broken, None);
        let ledger = Ledger::open(dir.path()).unwrap();
        assert_eq!(ledger.append_at(Ts(3 * DAY), "a", "b", &json!({})).unwrap().n, 9);
        assert_eq!(verify(dir.path()).unwrap().entries, 9);
    }
}
