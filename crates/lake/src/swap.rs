//! Exchanges files of the lake so that a search sees the old ones or the new ones, and a crash at any step leaves one or the other.
//!
//! Searches hold the lock of the lake shared ([`reading`]); an exchange holds it alone, for as long as a few renames take. The new files lie
//! whole and synced under names that end in `.new` before the file `swap` says what is exchanged; from then on the exchange is carried to its
//! end, after a crash by whoever takes the lock next.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// First line of the file `swap`.
const MAGIC: &str = "gridwarden swap 1";
/// Between two tries to take the lock.
const AGAIN: Duration = Duration::from_millis(20);

/// Keeps files of the lake where they are until it is dropped.
#[derive(Debug)]
pub struct Reading(#[expect(dead_code, reason = "the lock lies in the open file")] File);

/// Keeps the files of the lake below `root` in place while somebody reads them; none where there is no lake, or one that nobody
/// can write to. An exchange that
/// a crash interrupted is carried to its end first, where this user may.
pub fn reading(root: &Path) -> io::Result<Option<Reading>> {
    let path = root.join(".lock");
    // Made where it can be, so that the first exchange already waits for who reads; where nothing can be made nobody exchanges.
    let file = match File::open(&path) {
        Ok(file) => file,
        Err(e) if e.kind() == io::ErrorKind::NotFound => {
            match File::options().create(true).truncate(false).write(true).open(&path) {
                Ok(file) => file,
                Err(_) => return Ok(None),
            }
        }
        Err(e) => return Err(e),
    };
    file.lock_shared()?;
    if root.join("swap").exists() {
        file.unlock()?;
        // Taking the lock carries it to its end.
        drop(Exchange::lock(root, Duration::from_secs(5)));
        file.lock_shared()?;
    }
    Ok(Some(Reading(file)))
}

/// The lake's lock, held alone.
pub(crate) struct Exchange {
    root: PathBuf,
    _lock: File,
}

impl Exchange {
    /// Takes the lock, and ends what a crash interrupted. None if somebody still reads after `patience`.
    pub(crate) fn lock(root: &Path, patience: Duration) -> io::Result<Option<Exchange>> {
        let path = root.join(".lock");
        let lock = File::options().create(true).truncate(false).write(true).open(&path)?;
        let began = Instant::now();
        loop {
            match lock.try_lock() {
                Ok(()) => break,
                Err(fs::TryLockError::WouldBlock) if began.elapsed() < patience => std::thread::sleep(AGAIN),
                Err(fs::TryLockError::WouldBlock) => return Ok(None),
                Err(fs::TryLockError::Error(e)) => return Err(e),
            }
        }
        let exchange = Exchange { root: root.to_owned(), _lock: lock };
        exchange.recover()?;
        Ok(Some(exchange))
    }

    /// Without the lock, for a deletion that cannot wait for readers any longer.
    pub(crate) fn unlocked(root: &Path) -> io::Result<Exchange> {
        let lock = File::options().create(true).truncate(false).write(true).open(root.join(".lock"))?;
        Ok(Exchange { root: root.to_owned(), _lock: lock })
    }

    /// Puts the files `new` (lying there as `.new`, synced) in the place of the files `old` of one folder, named below the root.
    pub(crate) fn exchange(&self, folder: &Path, new: &[String], old: &[String]) -> io::Result<()> {
        if !new.is_empty() {
            let mut text = format!("{MAGIC}\n{}\n", folder.display());
            new.iter().for_each(|n| text.push_str(&format!("+{n}\n")));
            old.iter().for_each(|n| text.push_str(&format!("-{n}\n")));
            let temporary = self.root.join("swap.tmp");
            let mut file = File::create(&temporary)?;
            file.write_all(text.as_bytes())?;
            file.sync_all()?;
            fs::rename(&temporary, self.root.join("swap"))?;
            sync(&self.root)?;
        }
        self.carry_out(folder, new, old)?;
        if !new.is_empty() {
            fs::remove_file(self.root.join("swap"))?;
        }
        Ok(())
    }

    fn carry_out(&self, folder: &Path, new: &[String], old: &[String]) -> io::Result<()> {
        let folder = self.root.join(folder);
        for name in new {
            let from = folder.join(name).with_extension("new");
            if from.exists() {
                fs::rename(from, folder.join(name))?;
            }
        }
        sync(&folder)?;
        for name in old {
            match fs::remove_file(folder.join(name)) {
                Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
                _ => {}
            }
        }
        sync(&folder)
    }

    /// Carries an exchange to its end that was begun and not finished.
    fn recover(&self) -> io::Result<()> {
        let path = self.root.join("swap");
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(e) => return Err(e),
        };
        let mut lines = text.lines();
        if lines.next() == Some(MAGIC)
            && let Some(folder) = lines.next().map(Path::new).filter(|f| is_inside(f))
        {
            let (mut new, mut old) = (Vec::new(), Vec::new());
            for line in lines {
                match line.split_at_checked(1) {
                    Some(("+", name)) if is_inside(Path::new(name)) => new.push(name.to_owned()),
                    Some(("-", name)) if is_inside(Path::new(name)) => old.push(name.to_owned()),
                    _ => {}
                }
            }
            let there = |name: &String| {
                let path = self.root.join(folder).join(name);
                path.exists() || path.with_extension("new").exists()
            };
            // Old rows go only where the new ones are there.
            if new.iter().all(there) {
                self.carry_out(folder, &new, &old)?;
            }
        }
        fs::remove_file(path)
    }
}

/// Whether a path stays below where it starts.
fn is_inside(path: &Path) -> bool {
    path.components().all(|c| matches!(c, std::path::Component::Normal(_)))
}

fn sync(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(dir: &Path) -> Vec<String> {
        let mut all: Vec<String> =
            fs::read_dir(dir).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        all.sort();
        all
    }

    fn folder() -> (tempfile::TempDir, PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("conn/hour=01");
        fs::create_dir_all(&folder).unwrap();
        for name in ["1.parquet", "2.parquet", "c1.new"] {
            fs::write(folder.join(name), name).unwrap();
        }
        (dir, folder)
    }

    fn text(list: &[&str]) -> Vec<String> {
        list.iter().map(|s| (*s).to_owned()).collect()
    }

    #[test]
    fn a_crash_after_any_step_leaves_old_or_new() {
        let swap = format!("{MAGIC}\nconn/hour=01\n+c1.parquet\n-1.parquet\n-2.parquet\n");
        // Steps: nothing, `swap` written, new renamed, first old gone, second old gone.
        for step in 0..5 {
            let (dir, folder) = folder();
            if step > 0 {
                fs::write(dir.path().join("swap"), &swap).unwrap();
            }
            if step > 1 {
                fs::rename(folder.join("c1.new"), folder.join("c1.parquet")).unwrap();
            }
            (3..=step).for_each(|n| fs::remove_file(folder.join(format!("{}.parquet", n - 2))).unwrap());
            drop(Exchange::lock(dir.path(), Duration::ZERO).unwrap().unwrap());
            let expect: &[&str] = if step == 0 { &["1.parquet", "2.parquet", "c1.new"] } else { &["c1.parquet"] };
            assert_eq!(names(&folder), expect, "after step {step}");
            assert!(!dir.path().join("swap").exists());
        }
    }

    #[test]
    fn old_rows_stay_where_the_new_file_is_missing() {
        let (dir, folder) = folder();
        fs::remove_file(folder.join("c1.new")).unwrap();
        fs::write(dir.path().join("swap"), format!("{MAGIC}\nconn/hour=01\n+c1.parquet\n-1.parquet\n")).unwrap();
        drop(Exchange::lock(dir.path(), Duration::ZERO).unwrap().unwrap());
        assert_eq!(names(&folder), ["1.parquet", "2.parquet"]);
        // Paths that lead out of the lake are not followed.
        fs::write(dir.path().join("swap"), format!("{MAGIC}\n../x\n-1.parquet\n")).unwrap();
        drop(Exchange::lock(dir.path(), Duration::ZERO).unwrap().unwrap());
        assert_eq!(names(&folder), ["1.parquet", "2.parquet"]);
    }

    #[test]
    fn readers_keep_files_in_place_and_end_an_interrupted_exchange() {
        let (dir, folder) = folder();
        assert!(reading(&dir.path().join("no-lake")).unwrap().is_none());
        // Who reads before the first exchange is waited for too.
        let first = reading(dir.path()).unwrap().unwrap();
        assert!(Exchange::lock(dir.path(), Duration::ZERO).unwrap().is_none());
        drop(first);
        let reader = reading(dir.path()).unwrap();
        assert!(Exchange::lock(dir.path(), Duration::from_millis(50)).unwrap().is_none());
        drop(reader);
        let exchange = Exchange::lock(dir.path(), Duration::ZERO).unwrap().unwrap();
        exchange
            .exchange(Path::new("conn/hour=01"), &text(&["c1.parquet"]), &text(&["1.parquet", "2.parquet"]))
            .unwrap();
        drop(exchange);
        assert_eq!(names(&folder), ["c1.parquet"]);
        fs::write(folder.join("c2.new"), "x").unwrap();
        fs::write(dir.path().join("swap"), format!("{MAGIC}\nconn/hour=01\n+c2.parquet\n-c1.parquet\n")).unwrap();
        let _reader = reading(dir.path()).unwrap();
        assert_eq!(names(&folder), ["c2.parquet"]);
    }
}
