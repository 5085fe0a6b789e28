//! Indicators and rules of a running sensor: the centre copies them to where the confined sensor may read, and again when they change.
//!
//! A set is a numbered folder `sensor/known/N` with `intel/` and `rules/`, written whole before the sensor hears of it. The sensor says
//! whether it uses the set; only then the one before goes. A sensor that is started again begins with the set that was used last.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use anyhow::{Context, ensure};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::say::complaint;
use crate::sensor::Watch;

/// How often the files are looked at. What changed is copied once two looks agree, so that no half-written file is.
const LOOK: Duration = Duration::from_secs(1);
/// Files of a set at most.
const FILES: usize = 20_000;
/// Bytes of a set at most.
const BYTES: u64 = 2 << 30;
/// Folders within folders, as the loaders read them.
const DEPTH: usize = 8;
/// The two parts of a set.
const PARTS: [&str; 2] = ["intel", "rules"];

/// What tells that a file is another: its length and when it was written.
type Marks = BTreeMap<PathBuf, (u64, Option<SystemTime>)>;

/// Names and hashes of a set's contents.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hashes {
    /// SHA-256 over the indicator files, hexadecimal; empty for none.
    pub intel: String,
    /// SHA-256 over the rule files.
    pub rules: String,
}

/// Where sets lie below the data folder.
pub fn folder(data: &Path, set: u64) -> PathBuf {
    data.join("sensor/known").join(set.to_string())
}

/// The sets of one run.
pub struct Staged {
    data: PathBuf,
    from: [Vec<PathBuf>; 2],
    used: u64,
    hashes: Hashes,
    asked: Option<(u64, Hashes)>,
    marks: Marks,
    seen: Option<Marks>,
    looked: Instant,
    failed: String,
}

impl Staged {
    /// Copies what `--intel` and `--rules` name as the first set; none where nothing is named.
    pub fn open(watch: &Watch) -> anyhow::Result<Option<Staged>> {
        let root = watch.data.join("sensor/known");
        let from = [watch.intel.clone(), watch.rules.clone()];
        let old = numbers(&root);
        if from.iter().all(Vec::is_empty) {
            remove(&watch.data, &old);
            return Ok(None);
        }
        let marks = marks(&from).context("indicators and rules")?;
        let set = old.iter().max().map_or(1, |n| n + 1);
        let hashes = copy(&from, &folder(&watch.data, set)).context("indicators and rules")?;
        remove(&watch.data, &old);
        Ok(Some(Staged {
            data: watch.data.clone(),
            from,
            used: set,
            hashes,
            asked: None,
            marks,
            seen: None,
            looked: Instant::now(),
            failed: String::new(),
        }))
    }

    /// The set that a sensor begins with.
    pub fn used(&self) -> u64 {
        self.used
    }

    /// Hashes of the set in use.
    pub fn hashes(&self) -> &Hashes {
        &self.hashes
    }

    /// Looks whether a file changed; then there is a new set, and this is the command that tells the sensor.
    pub fn look(&mut self) -> Option<Value> {
        if self.looked.elapsed() < LOOK || self.asked.is_some() {
            return None;
        }
        self.looked = Instant::now();
        match self.changed() {
            Ok(command) => command,
            Err(e) => {
                let what = format!("{e:#}");
                if what != self.failed {
                    complaint(format_args!("indicators and rules stay as they are: {what}"));
                }
                self.failed = what;
                None
            }
        }
    }

    fn changed(&mut self) -> anyhow::Result<Option<Value>> {
        let now = marks(&self.from)?;
        if now == self.marks {
            self.seen = None;
            return Ok(None);
        }
        if self.seen.as_ref() != Some(&now) {
            self.seen = Some(now);
            return Ok(None);
        }
        let set = numbers(&self.data.join("sensor/known")).into_iter().max().unwrap_or(self.used) + 1;
        let hashes = copy(&self.from, &folder(&self.data, set)).inspect_err(|_| remove(&self.data, &[set]))?;
        // What changed while it was copied is seen by the next look.
        self.marks = now;
        self.seen = None;
        self.failed.clear();
        if hashes == self.hashes {
            remove(&self.data, &[set]);
            return Ok(None);
        }
        self.asked = Some((set, hashes));
        Ok(Some(json!({ "type": "known", "set": set })))
    }

    /// What the sensor said of a set (`{"type":"known",…}`); true where it now uses another one.
    pub fn answered(&mut self, message: &Value) -> bool {
        let Some((set, hashes)) = self.asked.take_if(|(set, _)| message["set"] == *set) else { return false };
        let is_used = message.get("refused").is_none();
        if is_used {
            remove(&self.data, &[self.used]);
            (self.used, self.hashes) = (set, hashes);
        } else {
            remove(&self.data, &[set]);
        }
        is_used
    }

    /// A sensor ended: what it was asked is asked of nobody any more.
    pub fn sensor_ended(&mut self) {
        if let Some((set, _)) = self.asked.take() {
            remove(&self.data, &[set]);
            self.marks.clear();
        }
    }
}

fn numbers(root: &Path) -> Vec<u64> {
    let list = std::fs::read_dir(root).into_iter().flatten().flatten();
    list.filter_map(|e| e.file_name().to_str()?.parse().ok()).collect()
}

/// Removes sets; what cannot be removed goes with the next start.
fn remove(data: &Path, sets: &[u64]) {
    for set in sets {
        let _ = std::fs::remove_dir_all(folder(data, *set));
    }
}

fn marks(from: &[Vec<PathBuf>; 2]) -> anyhow::Result<Marks> {
    let mut marks = Marks::new();
    for path in from.iter().flatten() {
        mark(path, 0, &mut marks)?;
    }
    Ok(marks)
}

fn mark(path: &Path, depth: usize, marks: &mut Marks) -> anyhow::Result<()> {
    let meta = std::fs::metadata(path).with_context(|| format!("cannot read `{}`", path.display()))?;
    if meta.is_dir() {
        for inside in within(path, depth)? {
            mark(&inside, depth + 1, marks)?;
        }
        return Ok(());
    }
    ensure!(marks.len() < FILES, "more than {FILES} files");
    marks.insert(path.to_owned(), (meta.len(), meta.modified().ok()));
    Ok(())
}

/// What the loaders would read of a folder: everything that is not hidden, in the order of the names.
fn within(dir: &Path, depth: usize) -> anyhow::Result<Vec<PathBuf>> {
    if depth >= DEPTH {
        return Ok(Vec::new());
    }
    let read = || format!("cannot read `{}`", dir.display());
    let list = std::fs::read_dir(dir).with_context(read)?;
    let mut all: Vec<PathBuf> = list.map(|e| e.map(|e| e.path())).collect::<Result<_, _>>().with_context(read)?;
    all.retain(|p| p.file_name().is_some_and(|n| !n.to_string_lossy().starts_with('.')));
    all.sort();
    Ok(all)
}

/// Copies all parts into a new folder; what each came to, as a hash over names and contents.
fn copy(from: &[Vec<PathBuf>; 2], to: &Path) -> anyhow::Result<Hashes> {
    let mut left = BYTES;
    let mut hashes = [String::new(), String::new()];
    for ((part, paths), hash) in PARTS.iter().zip(from).zip(&mut hashes) {
        let mut sum = Sha256::new();
        for (n, path) in paths.iter().enumerate() {
            let name = path.canonicalize().ok().and_then(|p| p.file_name().map(ToOwned::to_owned));
            let name = path.file_name().map(ToOwned::to_owned).or(name).unwrap_or_else(|| "files".into());
            let to = to.join(part).join(n.to_string());
            std::fs::create_dir_all(&to).with_context(|| format!("cannot make the folder `{}`", to.display()))?;
            copy_one(path, &to.join(&name), 0, &mut sum, &mut left)?;
        }
        if !paths.is_empty() {
            *hash = sum.finalize().iter().map(|b| format!("{b:02x}")).collect();
        }
    }
    let [intel, rules] = hashes;
    Ok(Hashes { intel, rules })
}

fn copy_one(from: &Path, to: &Path, depth: usize, sum: &mut Sha256, left: &mut u64) -> anyhow::Result<()> {
    let read = || format!("cannot read `{}`", from.display());
    let write = || format!("cannot write `{}`", to.display());
    if std::fs::metadata(from).with_context(read)?.is_dir() {
        std::fs::create_dir_all(to).with_context(write)?;
        for inside in within(from, depth)? {
            let name = inside.file_name().unwrap_or_default();
            copy_one(&inside, &to.join(name), depth + 1, sum, left)?;
        }
        return Ok(());
    }
    let mut source = File::open(from).with_context(read)?;
    let mut target = File::create(to).with_context(write)?;
    let name = to.file_name().unwrap_or_default().to_string_lossy().into_owned();
    sum.update(name.as_bytes());
    sum.update([0]);
    let mut buffer = vec![0; 1 << 16];
    loop {
        let n = source.read(&mut buffer).with_context(read)?;
        let Some(bytes) = buffer.get(..n).filter(|b| !b.is_empty()) else { break };
        *left = left.checked_sub(n as u64).with_context(|| format!("more than {} MB", BYTES >> 20))?;
        sum.update(bytes);
        target.write_all(bytes).with_context(write)?;
    }
    sum.update([0]);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn watch(dir: &Path) -> Watch {
        use clap::Parser;
        #[derive(Parser)]
        struct Line {
            #[command(flatten)]
            watch: Watch,
        }
        let path = |name: &str| dir.join(name).display().to_string();
        let line = ["x", "-i", "lo", "--data", &path("data"), "--intel", &path("bad.csv"), "--rules", &path("rules")]
            .map(str::to_owned);
        Line::parse_from(line).watch
    }

    fn wait(staged: &mut Staged) -> Option<Value> {
        staged.looked = Instant::now().checked_sub(LOOK)?;
        staged.look()
    }

    #[test]
    fn a_set_is_copied_and_a_new_one_is_used_only_when_the_sensor_says_so() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("rules")).unwrap();
        std::fs::write(dir.path().join("rules/a.yml"), "title: a").unwrap();
        std::fs::write(dir.path().join("bad.csv"), "192.0.2.1\n").unwrap();
        let mut staged = Staged::open(&watch(dir.path())).unwrap().unwrap();
        let data = dir.path().join("data");
        let lies = |set: u64, name: &str| folder(&data, set).join(name).is_file();
        assert!(lies(1, "intel/0/bad.csv") && lies(1, "rules/0/rules/a.yml"));
        assert_eq!(wait(&mut staged), None);
        // A change is copied once it stands still, and the old set stays until the new one is used.
        std::fs::write(dir.path().join("bad.csv"), "192.0.2.1\n192.0.2.2\n").unwrap();
        assert_eq!(wait(&mut staged), None);
        assert_eq!(wait(&mut staged), Some(json!({ "type": "known", "set": 2 })));
        assert!(lies(1, "intel/0/bad.csv") && lies(2, "intel/0/bad.csv"));
        let before = staged.hashes().clone();
        assert!(!staged.answered(&json!({ "type": "known", "set": 2, "refused": "damaged" })));
        assert_eq!((staged.used(), lies(2, "intel/0/bad.csv")), (1, false));
        std::fs::write(dir.path().join("bad.csv"), "192.0.2.3\n").unwrap();
        assert_eq!(wait(&mut staged), None);
        assert!(wait(&mut staged).is_some());
        assert!(staged.answered(&json!({ "type": "known", "set": 2, "indicators": 1 })));
        assert_eq!((staged.used(), lies(1, "intel/0/bad.csv")), (2, false));
        assert!(staged.hashes().intel != before.intel && staged.hashes().rules == before.rules);
        // A file that is gone leaves the set as it is.
        std::fs::remove_file(dir.path().join("bad.csv")).unwrap();
        assert_eq!((wait(&mut staged), wait(&mut staged), staged.used()), (None, None, 2));
        // The next run begins with a number of its own.
        std::fs::write(dir.path().join("bad.csv"), "192.0.2.4\n").unwrap();
        assert_eq!(Staged::open(&watch(dir.path())).unwrap().unwrap().used(), 3);
    }
}
