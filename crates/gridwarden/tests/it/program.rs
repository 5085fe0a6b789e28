//! Running the program and reading what it wrote.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

/// A run's output folder, gone with it.
pub struct Run {
    pub dir: tempfile::TempDir,
    pub output: Output,
}

/// `analyze PATHS ARGS` into a folder of its own.
pub fn analyze(paths: &[PathBuf], args: &[&str]) -> Run {
    let dir = tempfile::tempdir().unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_gridwarden"))
        .arg("analyze")
        .args(paths)
        .arg("-o")
        .arg(dir.path().join("out"))
        .args(args)
        .output()
        .unwrap();
    Run { dir, output }
}

impl Run {
    /// A file of the output.
    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join("out").join(name)
    }

    /// `summary.json`.
    pub fn summary(&self) -> Value {
        serde_json::from_slice(&std::fs::read(self.path("summary.json")).unwrap()).unwrap()
    }

    /// Lines of an NDJSON file; none when it was not written.
    pub fn lines(&self, name: &str) -> Vec<Value> {
        let Ok(text) = std::fs::read_to_string(self.path(name)) else { return Vec::new() };
        text.lines().map(|l| serde_json::from_str(l).unwrap()).collect()
    }
}

/// Every file below a folder, sorted.
pub fn files_below(dir: &Path) -> Vec<PathBuf> {
    let mut all = Vec::new();
    let mut open = vec![dir.to_path_buf()];
    while let Some(d) = open.pop() {
        for entry in std::fs::read_dir(&d).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() { open.push(path) } else { all.push(path) }
        }
    }
    all.sort();
    all
}

/// A simulated substation as a capture in `dir`.
pub fn substation(dir: &Path, seed: &str, minutes: &str, attacks: &[&str]) -> PathBuf {
    let pcap = dir.join(format!("day-{seed}-{}.pcap", attacks.join("-")));
    let status = Command::new(env!("CARGO_BIN_EXE_gridwarden"))
        .args(["simulate", "substation", "--quiet", "--seed", seed, "--minutes", minutes, "-o"])
        .arg(&pcap)
        .arg("--labels")
        .arg(pcap.with_extension("csv"))
        .args(attacks.iter().flat_map(|a| ["--attack", a]))
        .status()
        .unwrap();
    assert!(status.success());
    pcap
}
