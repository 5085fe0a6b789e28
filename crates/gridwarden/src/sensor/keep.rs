//! What the sensor keeps beside packets and records: the state of its ordered stage, and every finding with the packets that it holds.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use capture::store::DeletedSegment;
use gwcore::{Finding, Severity, State};
use serde_json::{Value, json};

/// Findings kept as files; of more, those that changed longest ago go.
const FINDINGS: usize = 20_000;
/// Files are counted anew after this many new ones.
const COUNT_EVERY: usize = 500;

/// File of deleted segments that are not in the ledger yet.
pub const DELETED: &str = "deleted.ndjson";

/// The sensor's own folder, `sensor/` below the data.
pub struct Kept {
    dir: PathBuf,
    since_count: usize,
}

impl Kept {
    /// Opens it.
    pub fn open(data: &Path) -> io::Result<Kept> {
        let dir = data.join("sensor");
        fs::create_dir_all(dir.join("findings"))?;
        let kept = Kept { dir, since_count: 0 };
        kept.trim()?;
        Ok(kept)
    }

    /// The state of the stage as it was kept last; none if there is none.
    pub fn state(&self) -> anyhow::Result<Option<State>> {
        match fs::read(self.dir.join("state")) {
            Ok(bytes) => Ok(Some(State::from_bytes(bytes)?)),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(e) => Err(e.into()),
        }
    }

    /// Puts aside a state that cannot be read, so that the sensor starts all the same.
    pub fn refuse_state(&self) {
        // If that fails too, the next state that is kept takes its place.
        let _ = fs::rename(self.dir.join("state"), self.dir.join("state.unreadable"));
    }

    /// Keeps the state: the old one stays until the new one is on the disk.
    pub fn keep_state(&self, state: &State) -> io::Result<()> {
        replace(&self.dir.join("state"), &state.to_bytes(), true)
    }

    /// Keeps a finding as it stands.
    pub fn keep_finding(&mut self, finding: &Finding) -> io::Result<()> {
        self.since_count += 1;
        if self.since_count >= COUNT_EVERY {
            self.since_count = 0;
            self.trim()?;
        }
        let name = format!("{}.json", finding.id);
        replace(&self.dir.join("findings").join(name), &serde_json::to_vec(finding)?, false)
    }

    /// Appends what the ring deleted to `deleted.ndjson`, from where the centre takes it into the ledger.
    pub fn keep_deleted(&self, deleted: &[DeletedSegment]) -> io::Result<()> {
        let mut text = String::new();
        for d in deleted {
            let (from, to) = d.span.map_or((None, None), |(a, b)| (Some(a.to_string()), Some(b.to_string())));
            let line = json!({ "what": d.name, "bytes": d.bytes, "rows": d.frames, "from": from, "to": to, "held": d.held, "why": d.why });
            text.push_str(&format!("{line}\n"));
        }
        let mut file = File::options().create(true).append(true).open(self.dir.join(DELETED))?;
        let before = file.metadata()?.len();
        let written = file.write_all(text.as_bytes()).and_then(|()| file.sync_data());
        // Half a line would stand before the next one.
        written.inspect_err(|_| drop(file.set_len(before)))
    }

    /// Segments in which packets of findings above `info` lie.
    pub fn held(&self) -> Vec<String> {
        let list = fs::read_dir(self.dir.join("findings")).into_iter().flatten().flatten();
        let mut held = std::collections::BTreeSet::new();
        for entry in list {
            let Some(finding) = read(&entry.path()) else { continue };
            if finding.get("severity").is_some_and(|s| s != Severity::Info.name()) {
                let packets = finding.get("packets").and_then(Value::as_array).into_iter().flatten();
                held.extend(packets.filter_map(|p| Some(p.get("file")?.as_str()?.to_owned())));
            }
        }
        held.into_iter().collect()
    }

    fn trim(&self) -> io::Result<()> {
        let mut all: Vec<(SystemTime, PathBuf)> = Vec::new();
        for entry in fs::read_dir(self.dir.join("findings"))? {
            let entry = entry?;
            all.push((entry.metadata()?.modified()?, entry.path()));
        }
        all.sort();
        let most = all.len().saturating_sub(FINDINGS);
        all.into_iter().take(most).try_for_each(|(_, path)| fs::remove_file(path))
    }
}

/// A finding that a sensor kept below `data`, as a line of `alerts.ndjson`.
pub fn finding(data: &Path, id: &str) -> Option<Value> {
    // An id is hexadecimal: nothing else becomes part of a path.
    let is_id = !id.is_empty() && id.bytes().all(|b| b.is_ascii_hexdigit());
    is_id.then(|| read(&data.join("sensor/findings").join(format!("{id}.json"))))?
}

fn read(path: &Path) -> Option<Value> {
    serde_json::from_slice(&fs::read(path).ok()?).ok()
}

fn replace(path: &Path, bytes: &[u8], sync: bool) -> io::Result<()> {
    let temporary = path.with_extension("tmp");
    let mut file = File::create(&temporary)?;
    file.write_all(bytes)?;
    if sync {
        file.sync_all()?;
    }
    fs::rename(temporary, path)
}
