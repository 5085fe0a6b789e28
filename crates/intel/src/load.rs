//! Files and folders in: each is told by its content, read by its format, and reported.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use crate::formats::{csv, json, zeek};
use crate::pattern::Pattern;
use crate::store::{Allow, Builder, New, Store};
use crate::value::{Kind, Net, canonical, guess};

/// Something of a file that is not used, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// Line in the file, where it has lines.
    pub line: Option<u64>,
    /// What it is: the value, the id, the pattern; cut at 200 characters.
    pub what: String,
    /// Why it is not used.
    pub reason: String,
    /// Whether only a part of it is not used.
    pub in_part: bool,
}

/// What became of a file.
#[derive(Clone, Debug, Default)]
pub struct FileReport {
    /// Its path.
    pub path: PathBuf,
    /// How it was read: `stix`, `misp`, `zeek`, `recorded_future`, `csv`, `list`, `allow`, `own`.
    pub format: &'static str,
    /// Indicators taken by kind.
    pub indicators: BTreeMap<&'static str, u64>,
    /// STIX patterns that are evaluated as such.
    pub patterns: u64,
    /// Not used, the first 1,000.
    pub refused: Vec<Refused>,
    /// How many there are by reason.
    pub reasons: BTreeMap<String, u64>,
    /// Objects that are no indicators, by type: context, not dropped for a fault.
    pub context: BTreeMap<String, u64>,
}

impl FileReport {
    /// Indicators taken.
    pub fn taken(&self) -> u64 {
        self.indicators.values().sum::<u64>() + self.patterns
    }

    pub(crate) fn refuse(&mut self, line: Option<u64>, what: &str, reason: impl Into<String>, in_part: bool) {
        let reason = reason.into();
        if self.refused.len() < 1_000 {
            let what = what.chars().take(200).collect();
            self.refused.push(Refused { line, what, reason: reason.clone(), in_part });
        }
        if self.reasons.len() < 1_000 || self.reasons.contains_key(&reason) {
            *self.reasons.entry(reason).or_default() += 1;
        }
    }
}

/// What all files came to.
#[derive(Default)]
pub struct Intel {
    /// The indicators.
    pub store: Store,
    /// Patterns that are more than a list of values.
    pub patterns: Vec<Pattern>,
    pub(crate) allow: Allow,
    pub(crate) own: Vec<Net>,
    /// One a file.
    pub reports: Vec<FileReport>,
}

impl Default for Store {
    fn default() -> Self {
        Builder::default().finish()
    }
}

/// Why nothing could be loaded.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// A file or folder cannot be read.
    #[error("cannot read `{path}`: {error}")]
    Read {
        /// Which.
        path: PathBuf,
        /// Why.
        error: std::io::Error,
    },
    /// A file is damaged.
    #[error("`{path}`: {reason}")]
    Format {
        /// Which.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// There is nothing to load.
    #[error("no file under `{0}`")]
    Empty(PathBuf),
}

/// What a format's reader writes to.
pub(crate) struct Into_<'a> {
    pub(crate) builder: &'a mut Builder,
    pub(crate) patterns: &'a mut Vec<Pattern>,
    pub(crate) report: &'a mut FileReport,
}

impl Into_<'_> {
    /// Takes an indicator in or lists why not.
    pub(crate) fn add(&mut self, line: Option<u64>, kind: Kind, value: &str, new: &New<'_>) {
        match self.builder.add(kind, value, new) {
            Ok(()) => *self.report.indicators.entry(kind.name()).or_default() += 1,
            Err(reason) => self.report.refuse(line, value, reason, false),
        }
    }
}

/// Loads files and folders (not their sub-folders' hidden files). A file named `allow*` lists what is never bad, one named `own*` the
/// site's own ranges: indicators there are not matched.
pub fn load(paths: &[PathBuf]) -> Result<Intel, LoadError> {
    let mut files = Vec::new();
    for path in paths {
        let found = files.len();
        collect(path, 0, &mut files)?;
        if files.len() == found {
            return Err(LoadError::Empty(path.clone()));
        }
    }
    let mut builder = Builder::default();
    let mut intel = Intel::default();
    for path in files {
        let mut report = FileReport { path: path.clone(), ..FileReport::default() };
        one(&path, &mut builder, &mut intel, &mut report)?;
        intel.reports.push(report);
    }
    intel.store = builder.finish();
    Ok(intel)
}

fn collect(path: &Path, depth: usize, files: &mut Vec<PathBuf>) -> Result<(), LoadError> {
    let read = |error| LoadError::Read { path: path.to_path_buf(), error };
    if !std::fs::metadata(path).map_err(read)?.is_dir() {
        files.push(path.to_path_buf());
        return Ok(());
    }
    let mut inside: Vec<PathBuf> =
        std::fs::read_dir(path).map_err(read)?.map(|e| e.map(|e| e.path())).collect::<Result<_, _>>().map_err(read)?;
    inside.sort();
    let hidden = |p: &PathBuf| p.file_name().is_some_and(|n| n.to_string_lossy().starts_with('.'));
    for p in inside.iter().filter(|p| !hidden(p)) {
        if depth < 8 {
            collect(p, depth + 1, files)?;
        }
    }
    Ok(())
}

fn one(path: &Path, builder: &mut Builder, intel: &mut Intel, report: &mut FileReport) -> Result<(), LoadError> {
    let read = |error| LoadError::Read { path: path.to_path_buf(), error };
    let file = std::fs::File::open(path).map_err(read)?;
    let mut reader = BufReader::with_capacity(1 << 16, file);
    let start = reader.fill_buf().map_err(read)?;
    let start = start.strip_prefix(b"\xef\xbb\xbf").unwrap_or(start);
    let first = start.iter().find(|b| !b.is_ascii_whitespace()).copied();
    let name = path.file_name().map(|n| n.to_string_lossy().to_lowercase()).unwrap_or_default();
    let is_zeek = start.starts_with(b"#fields") || start.windows(8).any(|w| w == b"\n#fields");
    let is_json = matches!(first, Some(b'{')) || (first == Some(b'[') && name.ends_with(".json"));
    let bad = |reason: String| LoadError::Format { path: path.to_path_buf(), reason };
    if name.starts_with("allow") || name.starts_with("own") {
        return listed(&mut reader, name.starts_with("own"), intel, report).map_err(read);
    }
    let mut to = Into_ { builder, patterns: &mut intel.patterns, report };
    if is_json {
        json::read(&mut reader, &name, &mut to).map_err(bad)
    } else if is_zeek {
        zeek::read(&mut reader, &mut to).map_err(read)
    } else {
        csv::read(&mut reader, &name, &mut to).map_err(read)
    }
}

/// A list of what is never bad, or of the site's own ranges: one a line, `#` begins a comment.
fn listed(reader: &mut dyn BufRead, own: bool, intel: &mut Intel, report: &mut FileReport) -> std::io::Result<()> {
    report.format = if own { "own" } else { "allow" };
    let mut text = String::new();
    reader.take(64 << 20).read_to_string(&mut text)?;
    for (i, line) in text.lines().enumerate() {
        let value = line.split('#').next().unwrap_or_default().split(',').next().unwrap_or_default().trim();
        if value.is_empty() {
            continue;
        }
        let at = Some(i as u64 + 1);
        match (Net::parse(value), own) {
            (Some(net), true) => intel.own.push(net),
            (Some(net), false) => intel.allow.nets.push(net),
            (None, true) => report.refuse(at, value, "not an address or range", false),
            (None, false) => match guess(value).map(|kind| canonical(kind, value)) {
                Some(Ok(bytes)) => {
                    intel.allow.values.insert(bytes, ());
                }
                _ => report.refuse(at, value, "neither address, range, domain, URL, hash nor e-mail address", false),
            },
        }
        *report.indicators.entry(report.format).or_default() += 1;
    }
    Ok(())
}
