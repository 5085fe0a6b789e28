//! `gridwarden export`: records, findings, devices and cases of an analysis or a data folder as CSV, JSON lines or Parquet, for scripts and ETL.

use std::collections::HashSet;
use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use clap::{Args, ValueEnum};

use crate::say::say;

/// Records, findings, devices and cases as CSV, JSON lines or Parquet.
#[derive(Args, Clone)]
pub struct Export {
    /// Folder that `analyze` wrote, or a data folder.
    dir: PathBuf,
    /// What: `findings`, `devices`, `cases`, or kinds of records (`modbus`, `conn` …); without it all.
    #[arg(long, value_delimiter = ',')]
    kind: Vec<String>,
    /// Format.
    #[arg(long, value_enum, default_value_t = As::Csv)]
    format: As,
    /// Folder for the files, one a kind.
    #[arg(short = 'o', long)]
    output: PathBuf,
    /// Only from this time on (RFC 3339).
    #[arg(long)]
    from: Option<String>,
    /// Only before this time (RFC 3339).
    #[arg(long)]
    to: Option<String>,
    /// Only these conversations.
    #[arg(long, value_delimiter = ',')]
    uid: Vec<String>,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum As {
    Csv,
    Ndjson,
    Parquet,
}

impl As {
    fn ending(self) -> &'static str {
        match self {
            As::Csv => "csv",
            As::Ndjson => "ndjson",
            As::Parquet => "parquet",
        }
    }
}

/// Runs it.
pub fn run(args: &Export) -> anyhow::Result<u8> {
    let time = |text: &Option<String>| -> anyhow::Result<Option<i64>> {
        let Some(text) = text else { return Ok(None) };
        let ts = gwcore::time::parse_rfc3339(text).with_context(|| format!("`{text}` is no RFC 3339 time"))?;
        Ok(Some(ts.0.div_euclid(1_000)))
    };
    let uids: HashSet<String> = args.uid.iter().cloned().collect();
    let select =
        lake::Select { uids: (!uids.is_empty()).then_some(uids), from: time(&args.from)?, before: time(&args.to)? };
    let wanted = |kind: &str| args.kind.is_empty() || args.kind.iter().any(|k| k == kind);
    fs::create_dir_all(&args.output).with_context(|| format!("cannot make `{}`", args.output.display()))?;
    let mut found = HashSet::new();
    // Upkeep of a running platform leaves files where they are meanwhile.
    let _reading = lake::reading(&args.dir.join("lake"))?;
    for (kind, files) in records(&args.dir)? {
        if wanted(&kind) {
            one_kind(args, &kind, &files, &select)?;
            found.insert(kind);
        }
    }
    for (kind, name) in [("findings", "alerts.ndjson"), ("devices", "assets.ndjson"), ("cases", "cases.ndjson")] {
        let path = args.dir.join(name);
        if wanted(kind) && path.exists() {
            lines(args, kind, &path, &select)?;
            found.insert(kind.to_owned());
        }
    }
    if let Some(missing) = args.kind.iter().find(|k| !found.contains(*k)) {
        bail!("there is no `{missing}` in `{}`", args.dir.display());
    }
    if found.is_empty() {
        bail!("`{}` holds nothing to export", args.dir.display());
    }
    Ok(0)
}

/// Parquet files by kind: `records/KIND.parquet` of an analysis, `lake/KIND/day=…/hour=…/*.parquet` of a data folder.
fn records(dir: &Path) -> anyhow::Result<Vec<(String, Vec<PathBuf>)>> {
    let mut out: Vec<(String, Vec<PathBuf>)> = Vec::new();
    let read = |at: &Path| -> anyhow::Result<Vec<PathBuf>> {
        if !at.is_dir() {
            return Ok(Vec::new());
        }
        let list = fs::read_dir(at).with_context(|| format!("cannot read `{}`", at.display()))?;
        let mut list: Vec<PathBuf> = list.filter_map(|e| Some(e.ok()?.path())).collect();
        list.sort();
        Ok(list)
    };
    let is_parquet = |p: &PathBuf| p.extension().is_some_and(|e| e == "parquet");
    for path in read(&dir.join("records"))?.into_iter().filter(is_parquet) {
        if let Some(kind) = path.file_stem().and_then(|s| s.to_str()) {
            out.push((kind.to_owned(), vec![path.clone()]));
        }
    }
    for kind in read(&dir.join("lake"))? {
        let mut files = Vec::new();
        for day in read(&kind)? {
            for hour in read(&day)? {
                files.extend(read(&hour)?.into_iter().filter(is_parquet));
            }
        }
        if let (Some(name), false) = (kind.file_name().and_then(|n| n.to_str()), files.is_empty()) {
            out.push((name.to_owned(), files));
        }
    }
    Ok(out)
}

fn one_kind(args: &Export, kind: &str, files: &[PathBuf], select: &lake::Select) -> anyhow::Result<()> {
    let format = match args.format {
        As::Csv => lake::Format::Csv,
        As::Ndjson => lake::Format::Ndjson,
        As::Parquet => lake::Format::Parquet,
    };
    let mut written = 0;
    for (n, file) in files.iter().enumerate() {
        // Files of one kind may differ in their columns between versions: each is a file here too.
        let name = if files.len() == 1 { kind.to_owned() } else { format!("{kind}-{:05}", n + 1) };
        let to = args.output.join(format!("{name}.{}", args.format.ending()));
        let out = BufWriter::new(File::create(&to).with_context(|| format!("cannot write `{}`", to.display()))?);
        written += lake::cut(file, select, format, out)
            .with_context(|| format!("cannot export `{}`", file.display()))?
            .written;
    }
    say!("{kind}: {written} rows");
    Ok(())
}

/// Findings, devices and cases: lines of JSON, as CSV with what is nested as JSON in its cell.
fn lines(args: &Export, kind: &str, path: &Path, select: &lake::Select) -> anyhow::Result<()> {
    let text = fs::read_to_string(path).with_context(|| format!("cannot read `{}`", path.display()))?;
    let mut rows: Vec<serde_json::Map<String, serde_json::Value>> = Vec::new();
    for line in text.lines().filter(|l| !l.trim().is_empty()) {
        let row: serde_json::Map<_, _> = serde_json::from_str(line).with_context(|| format!("`{}`", path.display()))?;
        let ts = ["ts", "occurred", "first_seen"].iter().find_map(|k| row.get(*k)?.as_str());
        let at = ts.and_then(gwcore::time::parse_rfc3339).map(|t| t.0.div_euclid(1_000));
        let in_span = at.is_none_or(|at| select.from.is_none_or(|f| at >= f) && select.before.is_none_or(|b| at < b));
        let uids = row.get("uids").and_then(|u| u.as_array());
        let has_uid = select.uids.as_ref().is_none_or(|wanted| {
            uids.is_some_and(|list| list.iter().any(|u| u.as_str().is_some_and(|u| wanted.contains(u))))
        });
        if in_span && has_uid {
            rows.push(row);
        }
    }
    // Parquet has records only: lines stay lines there.
    let is_csv = args.format == As::Csv;
    let to = args.output.join(format!("{kind}.{}", if is_csv { "csv" } else { "ndjson" }));
    let mut out = BufWriter::new(File::create(&to).with_context(|| format!("cannot write `{}`", to.display()))?);
    if is_csv {
        let mut heads: Vec<&String> = Vec::new();
        for row in &rows {
            heads.extend(row.keys().filter(|k| !heads.contains(k)).collect::<Vec<_>>());
        }
        writeln!(out, "{}", heads.iter().map(|h| lake::csv_cell(h)).collect::<Vec<_>>().join(","))?;
        for row in &rows {
            let cells: Vec<String> = heads
                .iter()
                .map(|h| match row.get(*h) {
                    None | Some(serde_json::Value::Null) => String::new(),
                    Some(serde_json::Value::String(s)) => lake::csv_cell(s),
                    Some(number @ serde_json::Value::Number(_)) => number.to_string(),
                    Some(other) => lake::csv_cell(&other.to_string()),
                })
                .collect();
            writeln!(out, "{}", cells.join(","))?;
        }
    } else {
        for row in &rows {
            writeln!(out, "{}", serde_json::to_string(row)?)?;
        }
    }
    out.flush()?;
    say!("{kind}: {} rows", rows.len());
    Ok(())
}
