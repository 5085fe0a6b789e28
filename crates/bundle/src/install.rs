//! The store of bundles: each version in a folder of its own, one link that says which is in force.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::{Bundle, Error, Manifest};

/// Version of the state file.
const FORMAT: u32 = 1;

/// What is in force under a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Installed {
    /// Its list.
    pub manifest: Manifest,
    /// Where its files lie.
    pub path: PathBuf,
    /// Serial of what was in force before, where it is still there.
    pub before: Option<u64>,
}

/// What is remembered of a name beside the folders: the highest serial that was ever in force.
#[derive(Serialize, Deserialize)]
struct Kept {
    format_version: u32,
    highest: u64,
}

/// A folder with all bundles: `NAME/SERIAL/…`, `NAME/current` and `NAME/before` (links), `NAME/state.json`.
pub struct Store {
    root: PathBuf,
    /// File operations left before the store stops as if the machine had, for tests.
    left: Option<std::cell::Cell<usize>>,
}

impl Store {
    /// A store in a folder, which need not exist.
    pub fn new(root: &Path) -> Store {
        Store { root: root.to_path_buf(), left: None }
    }

    /// The same, but after so many file operations each further one fails.
    #[doc(hidden)]
    pub fn stopping_after(root: &Path, operations: usize) -> Store {
        Store { root: root.to_path_buf(), left: Some(std::cell::Cell::new(operations)) }
    }

    /// Names in the store.
    pub fn names(&self) -> Vec<String> {
        let dirs = std::fs::read_dir(&self.root).into_iter().flatten().flatten();
        let mut names: Vec<String> = dirs.filter_map(|e| e.file_name().into_string().ok()).collect();
        names.retain(|n| self.root.join(n).join("current").exists());
        names.sort();
        names
    }

    /// What is in force under a name.
    pub fn installed(&self, name: &str) -> Option<Installed> {
        let dir = self.root.join(name);
        let path = dir.join("current");
        let manifest = serde_json::from_slice(&std::fs::read(path.join("bundle.json")).ok()?).ok()?;
        let target = std::fs::read_link(dir.join("before")).ok();
        let before = target.and_then(|t| t.to_str()?.parse().ok()).filter(|s: &u64| dir.join(s.to_string()).is_dir());
        Some(Installed { manifest, path, before })
    }

    /// Puts a bundle in force. An older one than ever was in force is refused; the same as was gone back from may be taken again.
    pub fn install(&self, bundle: &Bundle) -> Result<Installed, Error> {
        let m = &bundle.manifest;
        let dir = self.root.join(&m.name);
        let now = self.installed(&m.name).map(|i| i.manifest.serial);
        let highest = self.kept(&dir)?;
        let floor = now.map_or(highest, |n| if n < highest { highest - 1 } else { n });
        if m.serial <= floor && (now.is_some() || highest > 0) {
            return Err(Error::Downgrade { offered: m.serial, installed: floor.max(now.unwrap_or(0)) });
        }
        self.make_dir(&dir)?;
        let staged = dir.join(format!("{}.partial", m.serial));
        if staged.exists() {
            self.step(&staged)?;
            std::fs::remove_dir_all(&staged).map_err(io(&staged))?;
        }
        self.make_dir(&staged)?;
        let list = serde_json::to_vec_pretty(m).map_err(|e| Error::Unsound(e.to_string()))?;
        self.write(&staged.join("bundle.json"), &list)?;
        for (path, bytes) in &bundle.files {
            let to = staged.join(path);
            if let Some(parent) = to.parent() {
                self.make_dir(parent)?;
            }
            self.write(&to, bytes)?;
        }
        self.sync_dirs(&staged)?;
        let whole = dir.join(m.serial.to_string());
        if whole.exists() {
            // Left over from a version that was gone back from, or from a stop between this and the link.
            self.step(&whole)?;
            std::fs::remove_dir_all(&whole).map_err(io(&whole))?;
        }
        self.step(&whole)?;
        std::fs::rename(&staged, &whole).map_err(io(&whole))?;
        self.sync(&dir)?;
        self.keep(&dir, highest.max(m.serial))?;
        if let Some(now) = now {
            self.link(&dir, "before", now)?;
        }
        self.link(&dir, "current", m.serial)?;
        self.tidy(&dir);
        self.installed(&m.name).ok_or_else(|| Error::Unsound("it is not there after it was written".into()))
    }

    /// Goes back to what was in force before.
    pub fn revert(&self, name: &str) -> Result<Installed, Error> {
        let dir = self.root.join(name);
        let nothing = || Error::NothingBefore(name.to_owned());
        let before = self.installed(name).and_then(|i| i.before).ok_or_else(nothing)?;
        self.link(&dir, "current", before)?;
        let link = dir.join("before");
        self.step(&link)?;
        std::fs::remove_file(&link).map_err(io(&link))?;
        self.sync(&dir)?;
        self.installed(name).ok_or_else(nothing)
    }

    fn kept(&self, dir: &Path) -> Result<u64, Error> {
        let path = dir.join("state.json");
        let Ok(bytes) = std::fs::read(&path) else { return Ok(0) };
        let kept: Kept =
            serde_json::from_slice(&bytes).map_err(|e| Error::Unsound(format!("{}: {e}", path.display())))?;
        if kept.format_version > FORMAT { Err(Error::Newer(kept.format_version)) } else { Ok(kept.highest) }
    }

    fn keep(&self, dir: &Path, highest: u64) -> Result<(), Error> {
        let kept = Kept { format_version: FORMAT, highest };
        let bytes = serde_json::to_vec(&kept).map_err(|e| Error::Unsound(e.to_string()))?;
        let (partial, path) = (dir.join("state.json.partial"), dir.join("state.json"));
        self.write(&partial, &bytes)?;
        self.step(&path)?;
        std::fs::rename(&partial, &path).map_err(io(&path))?;
        self.sync(dir)
    }

    /// A link under another name, moved onto the old one: readers see one or the other.
    fn link(&self, dir: &Path, name: &str, serial: u64) -> Result<(), Error> {
        let (partial, path) = (dir.join(format!("{name}.partial")), dir.join(name));
        let _ = std::fs::remove_file(&partial);
        self.step(&partial)?;
        std::os::unix::fs::symlink(serial.to_string(), &partial).map_err(io(&partial))?;
        self.step(&path)?;
        std::fs::rename(&partial, &path).map_err(io(&path))?;
        self.sync(dir)
    }

    /// Removes versions that nothing refers to; what cannot be removed stays.
    fn tidy(&self, dir: &Path) {
        let refers = |name: &str| std::fs::read_link(dir.join(name)).ok().and_then(|t| t.to_str().map(str::to_owned));
        let kept = [refers("current"), refers("before")];
        for entry in std::fs::read_dir(dir).into_iter().flatten().flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            let is_version = name.trim_end_matches(".partial").bytes().all(|b| b.is_ascii_digit());
            if is_version && !kept.iter().flatten().any(|k| *k == name) && self.step(dir).is_ok() {
                let _ = std::fs::remove_dir_all(entry.path());
            }
        }
    }

    fn step(&self, path: &Path) -> Result<(), Error> {
        let Some(left) = &self.left else { return Ok(()) };
        let stopped = std::io::Error::other("stopped here by a test");
        left.set(left.get().checked_sub(1).ok_or(stopped).map_err(io(path))?);
        Ok(())
    }

    fn make_dir(&self, dir: &Path) -> Result<(), Error> {
        self.step(dir)?;
        std::fs::create_dir_all(dir).map_err(io(dir))
    }

    fn write(&self, path: &Path, bytes: &[u8]) -> Result<(), Error> {
        use std::io::Write;
        self.step(path)?;
        let mut file = std::fs::File::create(path).map_err(io(path))?;
        // A stop in the middle leaves half a file, which nothing refers to yet.
        let half = bytes.len() / 2;
        file.write_all(bytes.get(..half).unwrap_or_default()).map_err(io(path))?;
        self.step(path)?;
        file.write_all(bytes.get(half..).unwrap_or_default()).map_err(io(path))?;
        file.sync_all().map_err(io(path))
    }

    fn sync(&self, dir: &Path) -> Result<(), Error> {
        self.step(dir)?;
        std::fs::File::open(dir).and_then(|f| f.sync_all()).map_err(io(dir))
    }

    fn sync_dirs(&self, dir: &Path) -> Result<(), Error> {
        for entry in std::fs::read_dir(dir).map_err(io(dir))?.flatten() {
            if entry.path().is_dir() {
                self.sync_dirs(&entry.path())?;
            }
        }
        self.sync(dir)
    }
}

fn io(path: &Path) -> impl FnOnce(std::io::Error) -> Error + '_ {
    move |error| Error::Io { path: path.to_path_buf(), error }
}
