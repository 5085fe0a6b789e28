//! Deletions on their way into the ledger: noted on the disk before they happen, then one entry a kind, reason and round.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};

use lake::{Deleted, Hour};
use ledger::Ledger;
use serde_json::{Value, json};

use crate::say::complaint;
use crate::sensor::keep::DELETED;

/// The kind of entry.
const KIND: &str = "retention.deleted";
/// Notes of deletions that are not in the ledger yet.
const NOTES: &str = "lake-deleted.ndjson";

/// Writes deletions into the ledger; what it cannot take now waits.
pub struct Told {
    sensor: PathBuf,
    ledger: Ledger,
    waiting: BTreeMap<(String, String), Sum>,
    /// What the sensor noted waits already, its file is still there.
    has_taken: bool,
}

#[derive(Clone, Debug, Default)]
struct Sum {
    class: &'static str,
    first: String,
    last: String,
    rows: u64,
    bytes: u64,
    files: u64,
    held_rows: u64,
    unreadable: u64,
    from: String,
    to: String,
    authority: String,
}

impl Told {
    /// Over the data of a platform; takes up what an earlier process noted and did not bring into the ledger.
    pub fn open(data: &Path, ledger: Ledger) -> Told {
        let mut told = Told { sensor: data.join("sensor"), ledger, waiting: BTreeMap::new(), has_taken: false };
        for line in fs::read_to_string(told.sensor.join(NOTES)).unwrap_or_default().lines() {
            if let Ok(note) = serde_json::from_str::<Value>(line) {
                told.add(&note, "records");
            }
        }
        told
    }

    /// Notes a deletion in the lake that comes next.
    pub fn deleted(&mut self, hour: &Hour, d: &Deleted, why: &str, authority: &str) {
        let note = json!({ "what": hour.kind, "rows": d.rows, "bytes": d.bytes, "files": d.files, "held_rows": d.held_rows,
            "unreadable": d.unreadable, "from": hour.start().to_string(), "to": hour.end().to_string(), "why": why, "authority": authority });
        let path = self.sensor.join(NOTES);
        // On a full disk the room comes from this very deletion: it is told from memory then.
        let _ = File::options().create(true).append(true).open(path).and_then(|mut file| {
            file.write_all(format!("{note}\n").as_bytes())?;
            file.sync_data()
        });
        self.add(&note, "records");
    }

    /// Takes over what the sensor deleted from its ring.
    pub fn ring(&mut self, authority: &str) {
        let (new, taken) = (self.sensor.join(DELETED), self.sensor.join("deleted.taken"));
        // The sensor may still write to what was just renamed: it is read a round later.
        if let Ok(text) = fs::read_to_string(&taken) {
            // What a full disk kept out of the ledger is not counted once more.
            let lines = if self.has_taken { "" } else { text.as_str() };
            self.has_taken = true;
            for line in lines.lines() {
                if let Ok(mut note) = serde_json::from_str::<Value>(line) {
                    note["files"] = json!(1);
                    note["authority"] = json!(authority);
                    if note["held"] == json!(true) {
                        let why = note["why"].as_str().unwrap_or_default().to_owned();
                        note["why"] = json!(format!("{why}; packets of findings were in it"));
                    }
                    self.add(&note, "packets");
                }
            }
            if !self.flush() {
                return;
            }
            self.has_taken = fs::remove_file(&taken).is_err();
        }
        let _ = fs::rename(new, taken);
    }

    fn add(&mut self, note: &Value, class: &'static str) {
        let text = |name: &str| note[name].as_str().unwrap_or_default().to_owned();
        let number = |name: &str| note[name].as_u64().unwrap_or(0);
        let of = if class == "packets" { "ring".to_owned() } else { text("what") };
        let sum = self.waiting.entry((of, text("why"))).or_default();
        let earlier =
            |a: &str, b: String| if a.is_empty() || (!b.is_empty() && b.as_str() < a) { b } else { a.to_owned() };
        sum.class = class;
        sum.first = earlier(&sum.first, text("what"));
        sum.last = std::mem::take(&mut sum.last).max(text("what"));
        sum.from = earlier(&sum.from, text("from"));
        sum.to = std::mem::take(&mut sum.to).max(text("to"));
        sum.authority = text("authority");
        sum.rows = sum.rows.saturating_add(number("rows"));
        sum.bytes = sum.bytes.saturating_add(number("bytes"));
        sum.files = sum.files.saturating_add(number("files"));
        sum.held_rows = sum.held_rows.saturating_add(number("held_rows"));
        sum.unreadable = sum.unreadable.saturating_add(number("unreadable"));
    }

    /// Brings what waits into the ledger; false if it cannot take it now.
    pub fn flush(&mut self) -> bool {
        while let Some(((of, why), sum)) = self.waiting.first_key_value() {
            let what = match sum.class {
                "packets" if sum.first == sum.last => sum.first.clone(),
                "packets" => format!("{} to {}", sum.first, sum.last),
                _ => of.clone(),
            };
            let data = json!({
                "class": sum.class, "what": what, "rows": sum.rows, "bytes": sum.bytes, "files": sum.files, "from": sum.from, "to": sum.to,
                "why": why, "held_rows": sum.held_rows, "unreadable_files": sum.unreadable, "authority": sum.authority,
            });
            if let Err(e) = self.ledger.append(KIND, "system", &data) {
                complaint(format_args!("deletions wait for the ledger: {e}"));
                return false;
            }
            self.waiting.pop_first();
        }
        match fs::remove_file(self.sensor.join(NOTES)) {
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
                complaint(format_args!("the notes of deletions stay and will be told again: {e}"));
            }
            _ => {}
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::SystemTime;

    fn entries(dir: &Path) -> Vec<Value> {
        let all = ledger::entries(&dir.join("ledger"), "", "", 100).unwrap();
        all.into_iter().filter(|e| e.kind == KIND).map(|e| e.data).collect()
    }

    fn hour(n: i64) -> Hour {
        Hour {
            kind: "conn".into(),
            hour: n,
            folder: PathBuf::new(),
            files: Vec::new(),
            changed: SystemTime::UNIX_EPOCH,
        }
    }

    #[test]
    fn an_entry_a_kind_and_reason_and_none_is_lost_by_a_crash() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("sensor")).unwrap();
        let open = || Told::open(dir.path(), Ledger::open(&dir.path().join("ledger")).unwrap());
        let d = Deleted { files: 1, rows: 10, bytes: 100, held_rows: 2, ..Deleted::default() };
        let mut told = open();
        told.deleted(&hour(1), &d, "older", "policy");
        told.deleted(&hour(2), &d, "older", "policy");
        told.deleted(&hour(2), &d, "room", "policy");
        // Ends without a flush: the next one takes up the notes.
        drop(told);
        assert!(open().flush());
        let all = entries(dir.path());
        assert_eq!(all.len(), 2);
        assert_eq!((all[0]["rows"].as_u64(), all[0]["held_rows"].as_u64()), (Some(20), Some(4)));
        assert_eq!(
            (all[0]["from"].as_str(), all[0]["to"].as_str()),
            (Some("1970-01-01T01:00:00.000000Z"), Some("1970-01-01T03:00:00.000000Z"))
        );
        assert!(open().flush());
        assert_eq!(entries(dir.path()).len(), 2, "nothing is told twice");
    }

    #[test]
    fn segments_of_the_ring_are_taken_over_a_round_later() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("sensor")).unwrap();
        let lines: Vec<String> = (7..9)
            .map(|n| json!({ "what": format!("ring/{n:08}.pcapng"), "bytes": 5, "rows": 3, "held": false, "why": "ring full" }).to_string())
            .collect();
        fs::write(dir.path().join("sensor").join(DELETED), lines.join("\n")).unwrap();
        let mut told = Told::open(dir.path(), Ledger::open(&dir.path().join("ledger")).unwrap());
        told.ring("policy");
        assert!(entries(dir.path()).is_empty());
        told.ring("policy");
        let all = entries(dir.path());
        assert_eq!(all[0]["what"], "ring/00000007.pcapng to ring/00000008.pcapng");
        assert_eq!((all[0]["rows"].as_u64(), all[0]["bytes"].as_u64()), (Some(6), Some(10)));
    }
}
