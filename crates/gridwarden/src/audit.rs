//! `gridwarden audit`: the ledger, looked at and verified.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use crate::say::{complaint, say};

/// Where the platform keeps its data without `--data`.
pub const DATA: &str = "/var/lib/gridwarden";

/// The record of what was done: shows it, and verifies that nothing in it was changed.
#[derive(Args, Clone)]
pub struct Audit {
    #[command(subcommand)]
    pub what: What,
}

#[derive(Subcommand, Clone)]
pub enum What {
    /// Recomputes the chain of hashes and names the first break.
    Verify {
        /// The ledger's folder, the data folder that holds it, or an evidence package.
        #[arg(default_value = DATA)]
        dir: PathBuf,
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
    /// Writes the evidence package for NERC CIP-015 of a period into a new folder: rows, a status word per requirement part, gaps, what was not
    /// seen, the ledger, hashes. It says what was recorded, and determines nothing.
    Evidence {
        /// The data folder.
        #[arg(long, default_value = DATA)]
        data: PathBuf,
        /// What people declare (TOML): perimeters, feeds with rationale, exclusions, targets.
        #[arg(long)]
        scope: PathBuf,
        /// Start of the period (RFC 3339).
        #[arg(long)]
        from: String,
        /// End of the period, not included (RFC 3339).
        #[arg(long)]
        to: String,
        /// The new folder.
        #[arg(short = 'o', long)]
        output: PathBuf,
        /// Who takes it.
        #[arg(long)]
        by: String,
        /// Where the hash of the ledger's last entry is kept elsewhere.
        #[arg(long, default_value = "")]
        anchor: String,
        /// Key that signs (made where it does not exist).
        #[arg(long)]
        key: Option<PathBuf>,
    },
    /// Prints entries, oldest first, one JSON object a line.
    Show {
        /// The ledger's folder, or the data folder that holds it.
        #[arg(default_value = DATA)]
        dir: PathBuf,
        /// First day (YYYY-MM-DD, UTC).
        #[arg(long, default_value = "")]
        from: String,
        /// Last day.
        #[arg(long, default_value = "")]
        to: String,
    },
}

/// Runs it: 0 where the chain holds, 1 where it breaks.
pub fn run(args: &Audit) -> anyhow::Result<u8> {
    match &args.what {
        What::Evidence { data, scope, from, to, output, by, anchor, key } => {
            crate::evidence::write(data, scope, (from, to), output, by, anchor, key.as_deref())
        }
        What::Verify { dir, json } if dir.join(respond::manifest::MANIFEST).exists() => {
            crate::evidence::verify(dir, *json)
        }
        What::Verify { dir, json } => verify(&ledger_of(dir)?, *json),
        What::Show { dir, from, to } => {
            for e in ledger::entries(&ledger_of(dir)?, from, to, usize::MAX)? {
                say!(
                    "{}",
                    serde_json::json!({ "n": e.n, "at": e.at, "kind": e.kind, "actor": e.actor, "data": e.data, "hash": e.hash })
                );
            }
            Ok(0)
        }
    }
}

fn ledger_of(dir: &std::path::Path) -> anyhow::Result<PathBuf> {
    let inner = dir.join("ledger");
    let dir = if inner.is_dir() { inner } else { dir.to_owned() };
    anyhow::ensure!(dir.is_dir(), "there is no ledger `{}`: name its folder", dir.display());
    Ok(dir)
}

fn verify(dir: &std::path::Path, json: bool) -> anyhow::Result<u8> {
    let report = ledger::verify(dir)?;
    if json {
        let broken =
            report.broken.as_ref().map(|b| serde_json::json!({ "file": b.file, "line": b.line, "what": b.what }));
        say!(
            "{}",
            serde_json::json!({ "entries": report.entries, "files": report.files, "first": report.first, "last": report.last,
                "hash": report.hash, "broken": broken })
        );
    } else if report.broken.is_none() {
        say!(
            "no alteration detected: {} entries in {} files, {} to {}\nhash of the last: {}",
            report.entries,
            report.files,
            report.first.as_deref().unwrap_or("-"),
            report.last.as_deref().unwrap_or("-"),
            report.hash
        );
    }
    match report.broken {
        None => Ok(0),
        Some(b) => {
            if !json {
                complaint(format_args!("the chain breaks at {}, line {}: {}", b.file, b.line, b.what));
                complaint(format_args!("{} entries before it hold", report.entries));
            }
            Ok(1)
        }
    }
}
