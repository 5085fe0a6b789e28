//! A file of lines, for programs that tail: JSON, CEF, LEEF, OCSF or ECS.

use std::fs::OpenOptions;
use std::io::Write;
use std::path::PathBuf;

use crate::config::{self, Text};
use crate::dest::{Destination, text};
use crate::event::Sender;
use crate::queue::Item;
use crate::{Fault, FaultKind, Verdict};

/// Appends to one file, which may be moved away at any time.
pub struct ToFile {
    path: PathBuf,
    format: Text,
    sender: Sender,
}

impl ToFile {
    /// Opens it with the first line.
    pub fn new(c: &config::ToFile, sender: &Sender) -> ToFile {
        ToFile { path: c.path.clone(), format: c.format, sender: sender.clone() }
    }
}

impl Destination for ToFile {
    fn batch(&self) -> usize {
        1_000
    }

    fn send(&mut self, items: &[&Item]) -> Vec<Verdict> {
        let lines: Vec<Result<String, String>> = items.iter().map(|i| text(i, self.format, &self.sender)).collect();
        let mut all = String::new();
        for line in lines.iter().flatten() {
            all.push_str(line);
            all.push('\n');
        }
        let write = OpenOptions::new().create(true).append(true).open(&self.path).and_then(|mut f| {
            f.write_all(all.as_bytes())?;
            f.sync_data()
        });
        lines
            .into_iter()
            .map(|line| match (line, &write) {
                (Err(reason), _) => Verdict::Dead(reason),
                (Ok(_), Ok(())) => Verdict::Done,
                (Ok(_), Err(e)) => Verdict::Again(Fault::new(FaultKind::Unavailable, e.to_string())),
            })
            .collect()
    }

    fn probe(&mut self) -> Result<String, Fault> {
        let opened = OpenOptions::new().create(true).append(true).open(&self.path);
        opened
            .map(|_| format!("`{}` can be written", self.path.display()))
            .map_err(|e| Fault::new(FaultKind::Config, e.to_string()))
    }
}
