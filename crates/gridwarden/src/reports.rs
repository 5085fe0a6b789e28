//! `gridwarden report`: case, shift hand-over, weekly operations and network performance as HTML, CSV and JSON.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use clap::{Args, ValueEnum};
use report::ops::{self, Document, Ground, Rows};
use respond::{Case, Device, Finding};
use serde_json::Value;

use crate::say::say;

/// Reports for people: a case, the shift, the week, the network.
#[derive(Args, Clone)]
pub struct ReportArgs {
    /// Which.
    #[arg(value_enum)]
    what: Which,
    /// Folder that `analyze` wrote.
    dir: PathBuf,
    /// The case, for `case`.
    case: Option<String>,
    /// Where to: the name before `.html`, `.json` and `-SECTION.csv`.
    #[arg(short = 'o', long)]
    output: PathBuf,
    /// Forms.
    #[arg(long, value_enum, value_delimiter = ',', default_value = "html,csv,json")]
    format: Vec<Form>,
    /// The week before, to stand beside (`network`): a folder that `analyze` wrote.
    #[arg(long)]
    before: Option<PathBuf>,
    /// Site marking at the head and foot of the page.
    #[arg(long, default_value = "")]
    marking: String,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Which {
    Case,
    Handover,
    Weekly,
    Network,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Form {
    Html,
    Csv,
    Json,
}

/// Runs it.
pub fn run(args: &ReportArgs) -> anyhow::Result<u8> {
    let findings = Finding::read_all(&args.dir.join("alerts.ndjson"))?;
    let devices = Device::read_all(&args.dir.join("assets.ndjson"))?;
    let cases = cases(&args.dir)?;
    let at = args.dir.join("summary.json");
    let summary = std::fs::read_to_string(&at).with_context(|| format!("cannot read `{}`", at.display()))?;
    let summary: Value = serde_json::from_str(&summary).with_context(|| format!("`{}`", at.display()))?;
    let ground =
        Ground { findings: &findings, devices: &devices, cases: &cases, summary: &summary, marking: &args.marking };
    let document = match args.what {
        Which::Case => {
            let Some(id) = &args.case else { bail!("name the case: `gridwarden case list` lists them") };
            let case = cases.iter().find(|c| c.id == *id).with_context(|| format!("there is no case `{id}`"))?;
            ops::case(case, &ground)
        }
        Which::Handover => ops::handover(&ground),
        Which::Weekly => ops::weekly(&ground),
        Which::Network => {
            let rows = rows(&args.dir)?;
            let before = args.before.as_deref().map(rows_of).transpose()?;
            ops::network(&rows, before.as_ref(), &ground)
        }
    };
    write(args, &document)
}

fn rows_of(dir: &Path) -> anyhow::Result<Rows> {
    rows(dir)
}

fn cases(dir: &Path) -> anyhow::Result<Vec<Case>> {
    let at = dir.join("cases.ndjson");
    if !at.exists() {
        return Ok(Vec::new());
    }
    let text = std::fs::read_to_string(&at).with_context(|| format!("cannot read `{}`", at.display()))?;
    let lines = text.lines().filter(|l| !l.trim().is_empty());
    lines.map(|l| serde_json::from_str(l).with_context(|| format!("`{}`", at.display()))).collect()
}

/// Records of an analysis that the network report counts.
fn rows(dir: &Path) -> anyhow::Result<Rows> {
    let at = dir.join("records");
    let list = std::fs::read_dir(&at)
        .with_context(|| format!("cannot read `{}`: analyse with `--logs parquet`", at.display()))?;
    let mut files: Vec<PathBuf> =
        list.filter_map(|e| Some(e.ok()?.path())).filter(|p| p.extension().is_some_and(|e| e == "parquet")).collect();
    files.sort();
    let mut out = Rows::default();
    for file in files {
        let Some(kind) = file.file_stem().and_then(|s| s.to_str()).map(str::to_owned) else { continue };
        let mut text = Vec::new();
        lake::cut(&file, &lake::Select::default(), lake::Format::Ndjson, &mut text)
            .with_context(|| format!("`{}`", file.display()))?;
        for line in text.split(|b| *b == b'\n').filter(|l| !l.is_empty()) {
            let row: Value = serde_json::from_slice(line)?;
            match kind.as_str() {
                "conn" => out.conn.push(row),
                "point" => out.point.push(row),
                _ if row["response_time"].is_number() || row["rtt"].is_number() => out.timed.push((kind.clone(), row)),
                _ => {}
            }
        }
    }
    Ok(out)
}

fn write(args: &ReportArgs, document: &Document) -> anyhow::Result<u8> {
    let named = |ending: &str| {
        let mut name = args.output.as_os_str().to_owned();
        name.push(ending);
        PathBuf::from(name)
    };
    let put = |path: PathBuf, text: &str| -> anyhow::Result<()> {
        std::fs::write(&path, text).with_context(|| format!("cannot write `{}`", path.display()))?;
        say!("{}", path.display());
        Ok(())
    };
    for form in &args.format {
        match form {
            Form::Html => put(named(".html"), &ops::html(document))?,
            Form::Json => put(named(".json"), &ops::json(document))?,
            Form::Csv => {
                for (section, text) in ops::csv(document) {
                    put(named(&format!("-{section}.csv")), &text)?;
                }
            }
        }
    }
    Ok(0)
}
