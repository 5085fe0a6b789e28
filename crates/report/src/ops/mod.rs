//! Reports for operations: one model for console, interface and file; written as HTML, CSV and JSON. Every figure is counted from rows.

mod case;
mod handover;
mod network;
#[cfg(test)]
mod tests;
mod weekly;
mod write;

use std::collections::BTreeMap;

use respond::{Case, Device, Finding};
use serde::Serialize;

pub use case::case;
pub use handover::handover;
pub use network::{Rows, network};
pub use weekly::weekly;
pub use write::{csv, html, json};

/// What reports are made from.
pub struct Ground<'a> {
    /// Findings.
    pub findings: &'a [Finding],
    /// Devices.
    pub devices: &'a [Device],
    /// Cases.
    pub cases: &'a [Case],
    /// `summary.json`.
    pub summary: &'a serde_json::Value,
    /// Site marking: a line at the head and foot of every page.
    pub marking: &'a str,
}

/// A report.
#[derive(Clone, Debug, Serialize)]
pub struct Document {
    /// `case`, `handover`, `weekly`, `network`.
    pub kind: &'static str,
    /// Title.
    pub title: String,
    /// What it covers, as a sentence.
    pub covers: String,
    /// Site marking.
    pub marking: String,
    /// The figures that matter, with their words.
    pub figures: Vec<(String, String)>,
    /// Sections in order.
    pub sections: Vec<Section>,
}

/// A section.
#[derive(Clone, Debug, Serialize)]
pub struct Section {
    /// Short name for files: letters and dashes.
    pub name: &'static str,
    /// Title.
    pub title: String,
    /// What it shows and how it is counted.
    pub note: String,
    /// Heads of the table.
    pub heads: Vec<&'static str>,
    /// Rows.
    pub rows: Vec<Vec<Cell>>,
    /// Rows that are left out in HTML; CSV and JSON have all.
    pub shown: usize,
    /// Bars beside the rows: the column whose numbers they show.
    pub bars: Option<usize>,
}

/// A cell.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Cell {
    /// Text, which may come from the wire.
    Text(String),
    /// A whole number.
    Count(u64),
    /// A measured number with its decimals when shown.
    Number(f64),
    /// Not measured.
    Missing,
}

impl From<&str> for Cell {
    fn from(text: &str) -> Cell {
        Cell::Text(text.to_owned())
    }
}

impl From<String> for Cell {
    fn from(text: String) -> Cell {
        Cell::Text(text)
    }
}

impl From<u64> for Cell {
    fn from(n: u64) -> Cell {
        Cell::Count(n)
    }
}

impl From<f64> for Cell {
    fn from(n: f64) -> Cell {
        if n.is_finite() { Cell::Number(n) } else { Cell::Missing }
    }
}

impl<T: Into<Cell>> From<Option<T>> for Cell {
    fn from(value: Option<T>) -> Cell {
        value.map_or(Cell::Missing, Into::into)
    }
}

impl Section {
    fn new(name: &'static str, title: &str, note: &str, heads: &[&'static str]) -> Section {
        Section {
            name,
            title: title.to_owned(),
            note: note.to_owned(),
            heads: heads.to_vec(),
            rows: Vec::new(),
            shown: 200,
            bars: None,
        }
    }

    fn row(&mut self, cells: Vec<Cell>) {
        debug_assert_eq!(cells.len(), self.heads.len());
        self.rows.push(cells);
    }
}

/// The span that a summary names: from, to.
fn span(ground: &Ground<'_>) -> (String, String) {
    let first = ground.findings.iter().map(|f| f.ts).min();
    let last = ground.findings.iter().map(|f| f.ts_end).max();
    let word = |keys: [&str; 2]| keys.iter().find_map(|k| ground.summary[*k].as_str()).map(str::to_owned);
    (
        word(["first", "from"]).or(first.map(|t| t.to_string())).unwrap_or_default(),
        word(["last", "to"]).or(last.map(|t| t.to_string())).unwrap_or_default(),
    )
}

/// What was not read, from `summary.json`: always a section of its own, also where nothing was left.
fn unread(ground: &Ground<'_>) -> Section {
    let mut s = Section::new(
        "unread",
        "Not read",
        "Traffic that no parser took: over it nothing can be said here.",
        &["What", "Packets", "Bytes"],
    );
    let list = ground.summary["unread"].as_array().cloned().unwrap_or_default();
    for u in &list {
        let text = |k: &str| u[k].as_str().unwrap_or("");
        let what = [text("protocol"), text("name"), text("what")]
            .iter()
            .filter(|t| !t.is_empty())
            .copied()
            .collect::<Vec<_>>()
            .join(" ");
        let port = u["port"].as_u64().map(|p| format!(" port {p}")).unwrap_or_default();
        s.row(vec![format!("{what}{port}").into(), u["packets"].as_u64().into(), u["bytes"].as_u64().into()]);
    }
    if let Some(reasons) = ground.summary["reasons"].as_object() {
        for (reason, n) in reasons {
            s.row(vec![format!("frames not decoded: {reason}").into(), n.as_u64().into(), Cell::Missing]);
        }
    }
    if list.is_empty() && ground.summary.get("unread").is_none() {
        s.note.push_str(" This analysis did not record it.");
    }
    s
}

/// Findings by severity, the gravest first.
fn by_severity(findings: &[Finding]) -> Vec<(&'static str, u64)> {
    let mut counts: BTreeMap<gwcore::Severity, u64> = BTreeMap::new();
    for f in findings {
        *counts.entry(f.severity).or_default() += 1;
    }
    counts.into_iter().rev().map(|(s, n)| (s.name(), n)).collect()
}
