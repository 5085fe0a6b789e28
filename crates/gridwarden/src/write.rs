//! The files of a run beside its records: alerts, assets, summary.

use std::io::{BufWriter, Write};
use std::path::Path;

use anyhow::Context;
use detect::{AssetChange, Device};
use gwcore::Finding;
use report::{Origin, Overview, Summary};
use serde::Serialize;

/// A line with the file its world was made of, where each file is one.
#[derive(Serialize)]
struct Of<'a, T: Serialize> {
    #[serde(flatten)]
    value: &'a T,
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<&'a str>,
}

/// `alerts.ndjson`: findings by (`ts`, `id`).
pub fn alerts(dir: &Path, findings: &[(Option<String>, Finding)]) -> anyhow::Result<()> {
    lines(&dir.join("alerts.ndjson"), findings)
}

/// `assets.ndjson`: devices by id.
pub fn assets(dir: &Path, devices: &[(Option<String>, Device)]) -> anyhow::Result<()> {
    lines(&dir.join("assets.ndjson"), devices)
}

/// `asset-changes.ndjson`: which devices became one, which one became several.
pub fn changes(dir: &Path, changes: &[(Option<String>, AssetChange)]) -> anyhow::Result<()> {
    lines(&dir.join("asset-changes.ndjson"), changes)
}

/// `summary.json`.
pub fn summary(dir: &Path, summary: &Summary) -> anyhow::Result<()> {
    let path = dir.join("summary.json");
    let text = serde_json::to_string_pretty(summary)? + "\n";
    std::fs::write(&path, text).with_context(|| format!("cannot write `{}`", path.display()))
}

/// Devices and findings with the file of their world.
type Told<'a> = (&'a [(Option<String>, Device)], &'a [(Option<String>, Finding)]);

/// The report for people.
pub fn report(
    path: &Path,
    summary: &Summary,
    (devices, findings): Told<'_>,
    overview: Option<&Overview>,
    origin: &Origin,
) -> anyhow::Result<()> {
    let devices: Vec<Device> = devices.iter().map(|d| d.1.clone()).collect();
    let findings: Vec<Finding> = findings.iter().map(|f| f.1.clone()).collect();
    let page = report::html(&report::Page { summary, devices: &devices, findings: &findings, overview, origin });
    std::fs::write(path, page).with_context(|| format!("cannot write `{}`", path.display()))
}

fn lines<T: Serialize>(path: &Path, list: &[(Option<String>, T)]) -> anyhow::Result<()> {
    let file = std::fs::File::create(path).with_context(|| format!("cannot write `{}`", path.display()))?;
    let mut out = BufWriter::new(file);
    for (file, value) in list {
        serde_json::to_writer(&mut out, &Of { value, file: file.as_deref() })?;
        out.write_all(b"\n")?;
    }
    out.flush().with_context(|| format!("cannot write `{}`", path.display()))
}
