//! Turns the paths of a command line into inputs: files, folders, patterns and standard input.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use gwcore::Limits;

use crate::block::Block;
use crate::error::Error;
use crate::format;
use crate::glob;
use crate::report::{Compression, Status};
use crate::source;

/// Bytes read of a file in a folder to see what it is.
const PROBE: usize = 4 << 10;

/// The inputs of a run. A frame's `file` is an index in this list.
#[derive(Clone, Debug, Default)]
pub struct Inputs {
    /// In the order of the paths, within a folder in the order of their bytes; no path twice.
    pub list: Vec<Input>,
}

/// One file, or standard input.
#[derive(Clone, Debug)]
pub struct Input {
    /// The path as found under the path that was asked for; `-` for standard input.
    pub path: PathBuf,
    /// What the search found out. A file that was named is `Capture` until it is opened.
    pub status: Status,
}

impl Inputs {
    /// Expands `paths`. Nothing fails here: what cannot be read is an input with that status.
    ///
    /// A folder is walked to its leaves; links to folders inside it are not followed. Its files are opened to see whether they
    /// begin like a capture, also after unpacking. Files that are named are not opened, since a pipe can be read only once.
    pub fn find(paths: &[PathBuf], limits: &Limits) -> Inputs {
        let mut search = Search { limits, seen: BTreeSet::new(), list: Vec::new() };
        for path in paths {
            search.argument(path);
        }
        Inputs { list: search.list }
    }
}

struct Search<'a> {
    limits: &'a Limits,
    seen: BTreeSet<PathBuf>,
    list: Vec<Input>,
}

impl Search<'_> {
    fn argument(&mut self, path: &Path) {
        if path.as_os_str() != "-" && !path.exists() && glob::is_pattern(path) {
            let found = glob::expand(path);
            if found.is_empty() {
                self.add(path.to_owned(), Status::Unreadable(Error::NoMatch));
            }
            for path in found {
                self.named(path);
            }
        } else {
            self.named(path.to_owned());
        }
    }

    fn named(&mut self, path: PathBuf) {
        if path.as_os_str() == "-" {
            return self.add(path, Status::Capture);
        }
        match fs::metadata(&path) {
            Ok(meta) if meta.is_dir() => self.folder(path),
            Ok(_) => self.add(path, Status::Capture),
            Err(err) => self.add(path, Status::Unreadable(Error::open(&err))),
        }
    }

    fn folder(&mut self, top: PathBuf) {
        let mut found = Vec::new();
        let mut folders = vec![top];
        while let Some(folder) = folders.pop() {
            let entries = match fs::read_dir(&folder) {
                Ok(entries) => entries,
                Err(err) => {
                    found.push((folder, Some(Error::open(&err))));
                    continue;
                }
            };
            for entry in entries.flatten() {
                match entry.file_type() {
                    Ok(kind) if kind.is_dir() => folders.push(entry.path()),
                    _ => found.push((entry.path(), None)),
                }
            }
        }
        found.sort_unstable_by(|(a, _), (b, _)| a.as_os_str().as_encoded_bytes().cmp(b.as_os_str().as_encoded_bytes()));
        for (path, failure) in found {
            let status = failure.map_or_else(|| self.leaf(&path), Status::Unreadable);
            self.add(path, status);
        }
    }

    /// What a file in a folder is. Pipes and devices are not opened: that could wait for ever.
    fn leaf(&self, path: &Path) -> Status {
        match fs::metadata(path) {
            Ok(meta) if meta.is_file() => self.probe(path),
            _ => Status::NotCapture,
        }
    }

    fn probe(&self, path: &Path) -> Status {
        let source = match source::open(path, self.limits) {
            Ok(source) => source,
            Err(err) => return Status::Unreadable(err),
        };
        let packed = source.compression != Compression::None;
        let mut block = Block::new(source.bytes, PROBE);
        block.fill(format::HEAD);
        match format::detect(block.bytes()) {
            Ok(_) => Status::Capture,
            Err(Error::Empty) if block.failure().is_some() && !packed => {
                Status::Unreadable(Error::Read("the first bytes cannot be read".into()))
            }
            Err(Error::Empty | Error::NotCapture | Error::Packed(_)) => Status::NotCapture,
            Err(err) => Status::Unreadable(err),
        }
    }

    fn add(&mut self, path: PathBuf, status: Status) {
        if self.seen.insert(path.clone()) {
            self.list.push(Input { path, status });
        }
    }
}
