//! `gridwarden check`: every problem of configuration, site file, point list, rules, indicators and playbooks, with its place.

mod lists;
mod place;
mod settings;

use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::{Args, ValueEnum};
use serde_json::json;

use crate::say::say;
pub use place::Problem;
pub use settings::config;

/// Files of a folder that are looked at.
const FILES: usize = 10_000;
/// Levels of folders.
const DEPTH: usize = 16;

/// Check files before they are used: configuration, site files, point lists, maintenance windows, Sigma rules, threat intelligence, playbooks. List
/// all problems at once, with line and column.
#[derive(Args, Clone)]
pub struct CheckArgs {
    /// Files or folders; default: /etc/gridwarden.
    pub paths: Vec<PathBuf>,
    /// Type of the files; default: detected by name and content.
    #[arg(long = "as", value_enum, value_name = "WHAT")]
    pub what: Option<What>,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}

/// What a file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum What {
    /// Configuration (TOML).
    Config,
    /// Site model (TOML).
    Site,
    /// A point list (CSV).
    Points,
    /// Maintenance windows (CSV).
    Maintenance,
    /// Sigma rules (YAML).
    Rules,
    /// Threat intelligence: STIX, MISP, Zeek intel, CSV, lists.
    Intel,
    /// CACAO 2.0 playbook (JSON).
    Playbook,
}

impl What {
    fn name(self) -> &'static str {
        match self {
            What::Config => "configuration",
            What::Site => "site",
            What::Points => "point list",
            What::Maintenance => "maintenance windows",
            What::Rules => "Sigma rules",
            What::Intel => "threat intelligence",
            What::Playbook => "playbook",
        }
    }
}

/// Checks: 0 where everything is right, 1 where something is not.
pub fn run(args: &CheckArgs) -> anyhow::Result<u8> {
    let mut files = Vec::new();
    let default = [PathBuf::from("/etc/gridwarden")];
    for path in if args.paths.is_empty() { &default[..] } else { &args.paths } {
        collect(path, 0, &mut files)?;
    }
    let (mut all, mut problems) = (Vec::new(), 0);
    for path in files {
        let named = args.paths.contains(&path);
        let Some((what, found)) = file(&path, args.what, named)? else { continue };
        problems += found.len();
        if !args.json {
            let shown = report::plain(&path.display().to_string());
            for p in &found {
                say!("{shown}:{}", report::plain(&p.to_string()));
            }
            if found.is_empty() {
                say!("{shown}: ok ({})", what.name());
            }
        }
        all.push(json!({ "file": path.display().to_string(), "what": what.name(), "problems": found }));
    }
    if args.json {
        say!("{}", serde_json::to_string_pretty(&json!({ "files": all, "problems": problems }))?);
    } else if problems > 0 {
        say!("{problems} problems in {} files", all.len());
    }
    anyhow::ensure!(!all.is_empty(), "nothing to check: name a file");
    Ok(u8::from(problems > 0))
}

fn collect(path: &Path, depth: usize, files: &mut Vec<PathBuf>) -> anyhow::Result<()> {
    if !path.is_dir() {
        anyhow::ensure!(path.exists(), "there is no `{}`", path.display());
        files.push(path.to_owned());
        return Ok(());
    }
    let entries = std::fs::read_dir(path).with_context(|| format!("cannot read `{}`", path.display()))?;
    let mut entries: Vec<PathBuf> = entries.filter_map(|e| Some(e.ok()?.path())).collect();
    entries.sort();
    for entry in entries {
        if depth < DEPTH && files.len() < FILES {
            collect(&entry, depth + 1, files)?;
        }
    }
    Ok(())
}

/// What a file is and what is wrong with it; none for what is none of ours in a folder.
fn file(path: &Path, asked: Option<What>, named: bool) -> anyhow::Result<Option<(What, Vec<Problem>)>> {
    let bytes = std::fs::read(path).with_context(|| format!("cannot read `{}`", path.display()))?;
    let text = match String::from_utf8(bytes) {
        Ok(text) => text,
        Err(e) => {
            let good = String::from_utf8_lossy(&e.as_bytes()[..e.utf8_error().valid_up_to()]).into_owned();
            let problem = Problem::at(&good, good.len(), "the file is not UTF-8 from here on");
            return Ok(named.then(|| (asked.unwrap_or(What::Config), vec![problem])));
        }
    };
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
    let Some(what) = asked.or_else(|| guess(path, text)) else {
        anyhow::ensure!(!named, "`{}`: unknown type of file: use --as WHAT", path.display());
        return Ok(None);
    };
    let problems = match what {
        What::Config => settings::config(text),
        What::Site => settings::site(text, path),
        What::Points => lists::points(text),
        What::Maintenance => lists::maintenance(text),
        What::Rules => lists::rules(path)?,
        What::Intel => lists::intel(path, text)?,
        What::Playbook => lists::playbook(text),
    };
    Ok(Some((what, problems)))
}

fn guess(path: &Path, text: &str) -> Option<What> {
    let suffix = path.extension().map(|s| s.to_string_lossy().to_lowercase()).unwrap_or_default();
    let first = text.lines().find(|l| !l.trim().is_empty() && !l.starts_with('#')).unwrap_or_default();
    match suffix.as_str() {
        "toml" => {
            let is_site = text.lines().any(|l| l.trim_start().starts_with("[[device"));
            Some(if is_site || path.file_stem().is_some_and(|s| s == "site") { What::Site } else { What::Config })
        }
        "yml" | "yaml" => Some(What::Rules),
        "json" if text.contains("\"cacao-") || text.contains("\"workflow_start\"") => Some(What::Playbook),
        "csv" if first.contains("unit_id") || first.starts_with("proto,") => Some(What::Points),
        "csv" if first.starts_with("start") => Some(What::Maintenance),
        "json" | "csv" | "intel" | "txt" | "stix" | "dat" => Some(What::Intel),
        _ => None,
    }
}

/// The name that was meant, where one of `known` is close.
pub fn nearest<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let near = known.map(|k| (strsim::jaro_winkler(&name.to_lowercase(), &k.to_lowercase()), k));
    near.filter(|(near, k)| *near > 0.8 && *k != name).max_by(|a, b| a.0.total_cmp(&b.0)).map(|(_, k)| k)
}

#[cfg(test)]
mod tests;
