//! A manifest: every file of a package with its hash, size and rows, so that anybody can check it with `sha256sum` alone.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::finding::Error;

/// Name of the manifest in its folder.
pub const MANIFEST: &str = "manifest.json";
/// Name of the list that `sha256sum -c` reads; it covers the manifest too.
pub const SUMS: &str = "SHA256SUMS";
/// Name of the signature over the list, where there is one.
pub const SIGNATURE: &str = "SHA256SUMS.sig";
/// Files of a package that are looked at.
const FILES: usize = 100_000;

/// A file of a package.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listed {
    /// Path in the package, with `/`.
    pub path: String,
    /// Size in bytes.
    pub bytes: u64,
    /// SHA-256, hex.
    pub sha256: String,
    /// Rows, where it has any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rows: Option<u64>,
}

/// What a package holds and what made it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Manifest {
    /// Format of the package, `gridwarden-case-1` or `gridwarden-cip-015-1`.
    pub format: String,
    /// Program and version.
    pub generator: String,
    /// When it was made, RFC 3339.
    pub generated: String,
    /// For whom or by whom.
    pub by: String,
    /// All times in the files are in this zone.
    pub time_zone: String,
    /// What it covers.
    pub scope: serde_json::Value,
    /// What is known to be missing.
    pub gaps: Vec<String>,
    /// What needs a person.
    pub human: Vec<String>,
    /// Its files, by path.
    pub files: Vec<Listed>,
}

/// What is wrong with a package.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub enum Fault {
    /// Listed, but not there.
    Missing(String),
    /// There, but not listed.
    Unlisted(String),
    /// Its bytes are not those that were listed.
    Changed {
        /// Path in the package.
        path: String,
        /// Hash listed.
        listed: String,
        /// Hash found.
        found: String,
    },
    /// The list of sums and the manifest disagree.
    Sums(String),
}

impl std::fmt::Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Fault::Missing(path) => write!(f, "`{path}` is listed but missing"),
            Fault::Unlisted(path) => write!(f, "`{path}` is there but not listed"),
            Fault::Changed { path, listed, found } => {
                write!(f, "`{path}` was changed: listed {listed}, found {found}")
            }
            Fault::Sums(what) => write!(f, "`{SUMS}` and `{MANIFEST}` disagree: {what}"),
        }
    }
}

/// SHA-256 of a file as hex, and its size.
pub fn hash_file(path: &Path) -> Result<(String, u64), Error> {
    let mut file = fs::File::open(path).map_err(Error::file(path))?;
    let mut hash = Sha256::new();
    let (mut buffer, mut bytes) = (vec![0; 64 << 10], 0);
    loop {
        let n = file.read(&mut buffer).map_err(Error::file(path))?;
        if n == 0 {
            break;
        }
        hash.update(&buffer[..n]);
        bytes += n as u64;
    }
    Ok((hex(&hash.finalize()), bytes))
}

/// Bytes as lower-case hex.
pub fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::new(), |mut out, b| {
        // Writing to a string cannot fail.
        let _ = write!(out, "{b:02x}");
        out
    })
}

/// Lists and hashes all files of a folder but the manifest itself, and writes `manifest.json` and `SHA256SUMS`.
pub fn seal(dir: &Path, mut manifest: Manifest, rows: &[(String, u64)]) -> Result<Manifest, Error> {
    manifest.files.clear();
    for path in walk(dir)? {
        let name = relative(dir, &path);
        if name == MANIFEST || name == SUMS || name == SIGNATURE {
            continue;
        }
        let (sha256, bytes) = hash_file(&path)?;
        let rows = rows.iter().find(|(n, _)| *n == name).map(|(_, n)| *n);
        manifest.files.push(Listed { path: name, bytes, sha256, rows });
    }
    manifest.files.sort_by(|a, b| a.path.cmp(&b.path));
    let at = dir.join(MANIFEST);
    let text = serde_json::to_string_pretty(&manifest).unwrap_or_default() + "\n";
    fs::write(&at, text).map_err(Error::file(&at))?;
    let mut sums: String = manifest.files.iter().map(|f| format!("{}  {}\n", f.sha256, f.path)).collect();
    sums += &format!("{}  {MANIFEST}\n", hash_file(&at)?.0);
    let at = dir.join(SUMS);
    fs::write(&at, sums).map_err(Error::file(&at))?;
    Ok(manifest)
}

/// Reads a manifest and compares every file with it.
pub fn verify(dir: &Path) -> Result<(Manifest, Vec<Fault>), Error> {
    let at = dir.join(MANIFEST);
    let text = fs::read_to_string(&at).map_err(Error::file(&at))?;
    let manifest: Manifest = serde_json::from_str(&text).map_err(|e| Error::Line {
        path: at.display().to_string(),
        line: e.line(),
        cause: e.to_string(),
    })?;
    let mut faults = Vec::new();
    let mut there: Vec<String> = walk(dir)?.iter().map(|p| relative(dir, p)).collect();
    there.retain(|n| n != MANIFEST && n != SUMS && n != SIGNATURE);
    let is_there: HashSet<&String> = there.iter().collect();
    let listed: HashSet<&String> = manifest.files.iter().map(|f| &f.path).collect();
    for file in &manifest.files {
        if !is_there.contains(&file.path) {
            faults.push(Fault::Missing(file.path.clone()));
            continue;
        }
        let (found, _) = hash_file(&dir.join(&file.path))?;
        if found != file.sha256 {
            faults.push(Fault::Changed { path: file.path.clone(), listed: file.sha256.clone(), found });
        }
    }
    for path in &there {
        if !listed.contains(path) {
            faults.push(Fault::Unlisted(path.clone()));
        }
    }
    // The sums also cover the manifest, so that a changed manifest is named unless both were changed.
    let at = dir.join(SUMS);
    match fs::read_to_string(&at) {
        Err(_) => faults.push(Fault::Missing(SUMS.to_owned())),
        Ok(sums) => {
            let own = hash_file(&dir.join(MANIFEST))?.0;
            let summed: HashMap<&str, &str> =
                sums.lines().filter_map(|l| l.split_once("  ")).map(|(h, p)| (p, h)).collect();
            match summed.get(MANIFEST) {
                Some(hash) if **hash == own => {}
                Some(hash) => {
                    let listed = (*hash).to_owned();
                    faults.push(Fault::Changed { path: MANIFEST.to_owned(), listed, found: own });
                }
                None => faults.push(Fault::Sums(format!("no line for {MANIFEST}"))),
            }
            for file in &manifest.files {
                if summed.get(file.path.as_str()) != Some(&file.sha256.as_str()) {
                    faults.push(Fault::Sums(file.path.clone()));
                }
            }
        }
    }
    Ok((manifest, faults))
}

fn relative(dir: &Path, path: &Path) -> String {
    let rest = path.strip_prefix(dir).unwrap_or(path);
    rest.components().map(|c| c.as_os_str().to_string_lossy()).collect::<Vec<_>>().join("/")
}

fn walk(dir: &Path) -> Result<Vec<PathBuf>, Error> {
    let (mut open, mut out) = (vec![dir.to_owned()], Vec::new());
    while let Some(dir) = open.pop() {
        for entry in fs::read_dir(&dir).map_err(Error::file(&dir))? {
            let path = entry.map_err(Error::file(&dir))?.path();
            let kind = fs::symlink_metadata(&path).map_err(Error::file(&path))?.file_type();
            if kind.is_dir() {
                open.push(path);
            } else if out.len() < FILES {
                out.push(path);
            }
        }
    }
    out.sort();
    Ok(out)
}
