//! What `learn` reads: captures that can be read several times, and what of them is not to be learned.

use std::collections::BTreeSet;
use std::fs::{File, OpenOptions};
use std::io::Read;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use anyhow::Context;
use capture::{Inputs, Status};
use detect::{Maintenance, Source, Window};
use gwcore::Limits;
use report::Hashed;

use crate::cli::Learn;
use crate::knowledge;
use crate::origin::hashed;

/// Labels of frames that are learned.
const BENIGN: &[&str] = &["", "0", "benign", "normal"];
/// How a column of frame numbers may be headed: by us, by Wireshark's field, by Wireshark's list.
const FRAME: &[&str] = &["frame", "frame.number", "no."];

/// Captures and exclusions.
pub struct Input {
    pub inputs: Inputs,
    /// What the user calls each input.
    pub names: Vec<String>,
    /// Windows that are not learned.
    pub exclude: Maintenance,
    /// Frames that are not learned.
    pub frames: BTreeSet<u64>,
    /// What the user should know of the input.
    pub notes: Vec<String>,
    /// Copies of pipes, gone with this.
    _spools: Vec<Spool>,
}

impl Input {
    /// Finds the captures; what can be read only once is copied beside the baseline first.
    pub fn open(args: &Learn, limits: &Limits) -> anyhow::Result<Input> {
        let mut inputs = Inputs::find(&args.paths, limits);
        if let Some(bad) = inputs.list.iter().find(|i| matches!(i.status, Status::Unreadable(_))) {
            let Status::Unreadable(why) = &bad.status else { anyhow::bail!("cannot read an input") };
            anyhow::bail!("cannot read `{}`: {why}", bad.path.display());
        }
        inputs.list.retain(|i| matches!(i.status, Status::Capture));
        let (mut notes, mut spools) = (Vec::new(), Vec::new());
        once(&mut inputs, &mut notes);
        let names: Vec<String> = inputs.list.iter().map(|i| name(&i.path)).collect();
        for input in inputs.list.iter_mut().filter(|i| !is_file(&i.path)) {
            let spool = Spool::of(&input.path, &args.baseline, spools.len())?;
            input.path.clone_from(&spool.0);
            spools.push(spool);
        }
        anyhow::ensure!(!inputs.list.is_empty(), "no capture among the inputs");
        let (exclude, frames) = exclusions(&args.exclude, inputs.list.len())?;
        Ok(Input { inputs, names, exclude, frames, notes, _spools: spools })
    }

    /// The captures with what tells them from any other.
    pub fn sources(&self) -> Vec<Source> {
        let all = self.inputs.list.iter().zip(&self.names);
        let source = |(input, name): (&capture::Input, &String)| {
            let Hashed { bytes, sha256, .. } = hashed(&input.path);
            Source { name: name.clone(), bytes, sha256 }
        };
        let mut sources: Vec<Source> = all.map(source).collect();
        // The order in which they were named says nothing.
        sources.sort_by(|a, b| (&a.name, &a.sha256).cmp(&(&b.name, &b.sha256)));
        sources
    }
}

fn name(path: &Path) -> String {
    if path.as_os_str() == "-" { "standard input".to_owned() } else { path.display().to_string() }
}

/// Anything else can be read once only.
fn is_file(path: &Path) -> bool {
    path.as_os_str() != "-" && std::fs::metadata(path).is_ok_and(|m| m.is_file())
}

/// Leaves out files that are there already, by another path or as a copy: what they hold would count twice.
fn once(inputs: &mut Inputs, notes: &mut Vec<String>) {
    let mut kept: Vec<(PathBuf, u64)> = Vec::new();
    inputs.list.retain(|input| {
        if !is_file(&input.path) {
            return true;
        }
        let len = std::fs::metadata(&input.path).map_or(0, |m| m.len());
        let twin = kept.iter().find(|(path, l)| *l == len && same(path, &input.path).unwrap_or(false));
        if let Some((first, _)) = twin {
            notes.push(format!("`{}` holds the same bytes as `{}`: read once", input.path.display(), first.display()));
            return false;
        }
        kept.push((input.path.clone(), len));
        true
    });
}

/// Whether two files hold the same bytes.
fn same(a: &Path, b: &Path) -> std::io::Result<bool> {
    let (mut a, mut b) = (File::open(a)?, File::open(b)?);
    let (mut left, mut right) = (vec![0; 1 << 16], vec![0; 1 << 16]);
    loop {
        let n = a.read(&mut left)?;
        let (Some(l), Some(r)) = (left.get(..n), right.get_mut(..n)) else { return Ok(false) };
        if n == 0 {
            return Ok(b.read(&mut right)? == 0);
        }
        b.read_exact(r)?;
        if l != r {
            return Ok(false);
        }
    }
}

/// A copy of what can be read only once; removed at the end.
struct Spool(PathBuf);

impl Spool {
    fn of(path: &Path, beside: &Path, number: usize) -> anyhow::Result<Spool> {
        let mut to = beside.as_os_str().to_owned();
        to.push(format!(".{}-{number}.spool", std::process::id()));
        let to = PathBuf::from(to);
        let cannot = || format!("cannot copy {} to `{}`", name(path), to.display());
        // Captures hold what others should not read.
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&to).with_context(cannot)?;
        let spool = Spool(to.clone());
        let copied = if path.as_os_str() == "-" {
            std::io::copy(&mut std::io::stdin().lock(), &mut file)
        } else {
            File::open(path).and_then(|mut from| std::io::copy(&mut from, &mut file))
        };
        anyhow::ensure!(copied.with_context(cannot)? > 0, "{} is empty", name(path));
        Ok(spool)
    }
}

impl Drop for Spool {
    fn drop(&mut self) {
        // It may be gone already; there is nobody to tell.
        let _ = std::fs::remove_file(&self.0);
    }
}

fn exclusions(paths: &[PathBuf], captures: usize) -> anyhow::Result<(Maintenance, BTreeSet<u64>)> {
    let (mut windows, mut frames): (Vec<Window>, _) = (Vec::new(), BTreeSet::new());
    for path in paths {
        let text = knowledge::read(path)?;
        if heading(&text).first().is_some_and(|f| FRAME.contains(&f.as_str())) {
            anyhow::ensure!(
                captures == 1,
                "`{}` names frames, which need exactly one capture, not {captures}",
                path.display()
            );
            frames.extend(labelled(&text).with_context(|| format!("`{}`", path.display()))?);
        } else {
            windows.extend(knowledge::maintenance(path)?.windows().iter().cloned());
        }
    }
    Ok((Maintenance::new(windows), frames))
}

fn heading(text: &str) -> Vec<String> {
    let first = text.trim_start_matches('\u{feff}').lines().next().unwrap_or_default();
    first.split(',').map(|f| bare(f).to_ascii_lowercase()).collect()
}

/// A field without the quotes and blanks around it.
fn bare(field: &str) -> &str {
    field.trim().trim_matches('"').trim()
}

/// Frames that a table of labels names as anything but benign. The label stands in the column of that name, else in the second.
fn labelled(text: &str) -> anyhow::Result<BTreeSet<u64>> {
    let column = heading(text).iter().position(|f| f == "label").unwrap_or(1).max(1);
    let mut frames = BTreeSet::new();
    for (i, line) in text.lines().enumerate().skip(1).filter(|(_, l)| !l.trim().is_empty()) {
        let fields: Vec<&str> = line.split(',').map(bare).collect();
        let label = fields.get(column).with_context(|| format!("line {} has no label", i + 1))?;
        let frame = fields.first().copied().unwrap_or_default();
        let number: u64 = frame
            .parse()
            .ok()
            .filter(|n| *n > 0)
            .with_context(|| format!("line {}: `{frame}` is no frame number (they count from 1)", i + 1))?;
        if !BENIGN.contains(&label.to_ascii_lowercase().as_str()) {
            frames.insert(number);
        }
    }
    Ok(frames)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_say_what_is_not_learned() {
        let check = |text: &str, expect: &[u64]| {
            assert_eq!(labelled(text).unwrap().into_iter().collect::<Vec<_>>(), expect, "{text}");
        };
        check("frame,label\n1,0\n2,1\n3,benign\n4,nmap\n5,\n", &[2, 4]);
        check("\u{feff}Frame,\"Label\"\r\n1,\"Normal\"\r\n2,\"scan\"\r\n", &[2]);
        check("frame.number,time,label\n7,1475568034.3,nmap\n8,1475568035.0,0\n", &[7]);
        let wrong = |text: &str, part: &str| {
            let said = labelled(text).unwrap_err().to_string();
            assert!(said.contains(part), "{said}");
        };
        wrong("frame,label\n1,0\nx,1", "line 3: `x`");
        wrong("frame,label\n7", "line 2 has no label");
        wrong("frame,label\n0,1", "line 2: `0`");
    }

    #[test]
    fn files_that_hold_the_same_are_read_once() {
        let dir = tempfile::tempdir().unwrap();
        let file = |name: &str, bytes: &[u8]| {
            let path = dir.path().join(name);
            std::fs::write(&path, bytes).unwrap();
            path
        };
        let long = vec![7; 200_000];
        let mut other = long.clone();
        other[199_999] = 8;
        let paths = [file("a", &long), file("b", &long), file("c", &other), file("d", b"short")];
        let mut inputs = Inputs::find(&paths, &Limits::default());
        let mut notes = Vec::new();
        once(&mut inputs, &mut notes);
        let left: Vec<_> = inputs.list.iter().filter_map(|i| i.path.file_name()?.to_str()).collect();
        assert_eq!((left, notes.len()), (vec!["a", "c", "d"], 1));
    }
}
