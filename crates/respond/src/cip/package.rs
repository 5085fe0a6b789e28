//! The package: report as JSON, CSV and text, every table as CSV, the ledger as it is, manifest, sums and a signature.

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

use gwcore::Ts;
use serde::Serialize;
use serde_json::{Value, json};

use crate::cip::{Facts, Part, STATEMENT, Status, assess, sign};
use crate::finding::Error;
use crate::manifest::{self, Manifest};

/// What was written.
#[derive(Clone, Debug, Serialize)]
pub struct Packed {
    /// Folder.
    pub dir: PathBuf,
    /// Parts with their rows.
    pub parts: Vec<Part>,
    /// Files.
    pub files: usize,
}

/// Writes the package into `to`, which must not exist yet. `ledger` is the folder of the chain, copied as it is; `key` signs.
pub fn write(
    facts: &Facts,
    ledger: Option<&Path>,
    to: &Path,
    by: &str,
    now: Ts,
    key: Option<&sign::Key>,
) -> Result<Packed, Error> {
    fs::create_dir_all(to.parent().unwrap_or(Path::new("."))).map_err(Error::file(to))?;
    fs::create_dir(to).map_err(Error::file(to))?;
    let parts = assess(facts);
    let mut counts: Vec<(String, u64)> = Vec::new();
    let put = |name: &str, text: String| fs::write(to.join(name), text).map_err(Error::file(&to.join(name)));

    let report = json!({
        "statement": STATEMENT, "entity": facts.scope.entity, "scope_source": facts.scope.source,
        "from": facts.from.to_string(), "to": facts.to.to_string(), "local_zone": facts.scope.time_zone, "parts": parts,
        "unread": facts.unread, "generated": now.to_string(), "by": by,
    });
    put("report.json", serde_json::to_string_pretty(&report).unwrap_or_default() + "\n")?;
    put("report.txt", page(facts, &parts))?;
    let status_rows: Vec<Value> = parts
        .iter()
        .flat_map(|p| {
            let head = json!({ "part": p.id, "status": p.status.name(), "rehearsal": p.rehearsal.name(), "row_status": "", "check": "", "object": "", "from": facts.from.to_string(), "to": facts.to.to_string(), "text": p.title });
            let rows = p.rows.iter().map(move |r| {
                json!({ "part": p.id, "status": p.status.name(), "rehearsal": p.rehearsal.name(), "row_status": r.status.name(), "check": r.check, "object": r.object, "from": r.from, "to": r.to, "text": r.text })
            });
            std::iter::once(head).chain(rows).collect::<Vec<_>>()
        })
        .collect();
    fs::create_dir(to.join("tables")).map_err(Error::file(to))?;
    for (name, rows) in [
        ("status", status_rows),
        ("feeds", values(&facts.scope.feed)),
        ("perimeters", values(&facts.scope.esp)),
        ("exclusions", values(&facts.scope.exclusion)),
        ("feed_minutes", values(&facts.minutes)),
        ("feed_gaps", values(&facts.gaps)),
        ("detection_changes", values(&facts.changes)),
        ("evaluations", values(&facts.findings)),
        ("holds", values(&facts.holds)),
        ("deletions", values(&facts.deletions)),
        ("unread", values(facts.unread.as_deref().unwrap_or_default())),
    ] {
        put(&format!("tables/{name}.csv"), csv(&rows))?;
        counts.push((format!("tables/{name}.csv"), rows.len() as u64));
    }
    if let Some(dir) = ledger {
        copy_ledger(dir, &to.join("ledger"))?;
    }
    if let Some(key) = key {
        put("signer.pub", format!("{}\n", key.public()))?;
    }
    let gaps = parts.iter().flat_map(|p| {
        p.rows
            .iter()
            .filter(|r| r.status == Status::Gap || r.status == Status::NoData)
            .map(|r| format!("{}: {}: {} {}..{}", p.id, r.object, r.text, r.from, r.to))
    });
    let human = parts.iter().flat_map(|p| {
        p.rows
            .iter()
            .filter(|r| r.status == Status::AttestationNeeded)
            .map(|r| format!("{}: {}: {}", p.id, r.object, r.text))
    });
    let head = Manifest {
        format: "gridwarden-cip-015-1".to_owned(),
        generator: format!("gridwarden {}", env!("CARGO_PKG_VERSION")),
        generated: now.to_string(),
        by: by.to_owned(),
        time_zone: format!("UTC; local {}", facts.scope.time_zone),
        scope: json!({ "from": facts.from.to_string(), "to": facts.to.to_string(), "ledger_entries": facts.ledger.entries, "ledger_hash": facts.ledger.hash, "filter": "findings above info raised in the period" }),
        gaps: gaps.collect(),
        human: human.collect(),
        files: Vec::new(),
    };
    let manifest = manifest::seal(to, head, &counts)?;
    if let Some(key) = key {
        let sums = fs::read(to.join(manifest::SUMS)).map_err(Error::file(to))?;
        put(sign::SIGNATURE, format!("{}\n", key.sign(&sums)))?;
    }
    Ok(Packed { dir: to.to_owned(), parts, files: manifest.files.len() })
}

fn copy_ledger(from: &Path, to: &Path) -> Result<(), Error> {
    fs::create_dir(to).map_err(Error::file(to))?;
    let mut names: Vec<PathBuf> =
        fs::read_dir(from).map_err(Error::file(from))?.filter_map(|e| Some(e.ok()?.path())).collect();
    names.sort();
    for path in names.iter().filter(|p| p.is_file()) {
        let Some(name) =
            path.file_name().filter(|n| *n == "head" || Path::new(n).extension().is_some_and(|e| e == "ndjson"))
        else {
            continue;
        };
        fs::copy(path, to.join(name)).map_err(Error::file(path))?;
    }
    Ok(())
}

fn values<T: Serialize>(rows: &[T]) -> Vec<Value> {
    rows.iter().map(|r| serde_json::to_value(r).unwrap_or_default()).collect()
}

/// A table with the keys of the first row as its head; empty for no rows.
pub fn csv(rows: &[Value]) -> String {
    let Some(Value::Object(first)) = rows.first() else { return String::new() };
    let mut out = first.keys().map(|k| lake::csv_cell(k)).collect::<Vec<_>>().join(",") + "\n";
    for row in rows {
        let cells: Vec<String> = first
            .keys()
            .map(|k| match &row[k] {
                Value::Null => String::new(),
                Value::String(s) => lake::csv_cell(s),
                other => lake::csv_cell(&other.to_string()),
            })
            .collect();
        out += &cells.join(",");
        out.push('\n');
    }
    out
}

/// The page: status, scope, checks, gaps, human items, what is not shown, statement.
fn page(facts: &Facts, parts: &[Part]) -> String {
    let mut out = String::new();
    let mut line = |text: std::fmt::Arguments<'_>| {
        // Writing to a string cannot fail.
        let _ = writeln!(out, "{text}");
    };
    line(format_args!("{}", if facts.scope.entity.is_empty() { "(no entity declared)" } else { &facts.scope.entity }));
    line(format_args!("Period [{}, {})  local zone {}", facts.from, facts.to, facts.scope.time_zone));
    line(format_args!(
        "Population: {} perimeters, {} feeds, {} findings above info (scope: {}, approved by {})\n",
        facts.scope.esp.len(),
        facts.scope.feed.len(),
        facts.findings.len(),
        facts.scope.source,
        name(&facts.scope.approver)
    ));
    for p in parts {
        line(format_args!(
            "{}  {}  status: {}{}",
            p.id,
            p.title,
            p.status.name(),
            if p.status == Status::Future { format!(", rehearsal: {}", p.rehearsal.name()) } else { String::new() }
        ));
        line(format_args!("  mandatory from {}", p.mandatory_from));
        for (check, n) in &p.checks {
            let failed = p.rows.iter().filter(|r| r.check == *check).count();
            line(format_args!("  check {check}: {n} looked at, {failed} listed below"));
        }
        for r in p.rows.iter().filter(|r| matches!(r.status, Status::Gap | Status::NoData)) {
            line(format_args!(
                "  potential gap ({}): {}: {} [{}, {})",
                r.status.name(),
                r.object,
                r.text,
                r.from,
                r.to
            ));
        }
        for r in p.rows.iter().filter(|r| r.status == Status::AttestationNeeded) {
            line(format_args!("  needs a person: {}: {}", r.object, r.text));
        }
        line(format_args!(""));
    }
    line(format_args!("Acknowledged or recorded gaps of feeds: {}", facts.gaps.len()));
    for g in &facts.gaps {
        line(format_args!(
            "  {} [{}, {}) cause {}, acknowledged by {}",
            g.interface,
            g.from,
            g.to,
            g.cause,
            name(&g.acknowledged_by)
        ));
    }
    line(format_args!("\nNot shown by this product"));
    match &facts.unread {
        None => line(format_args!("  what was not read of the traffic is not recorded for this period")),
        Some(list) if list.is_empty() => line(format_args!("  no packet was left unread")),
        Some(list) => {
            for u in list {
                line(format_args!("  not read: {}: {} packets, {} bytes", u.what, u.packets, u.bytes));
            }
        }
    }
    line(format_args!("  segments without a feed; what is encrypted; hosts themselves"));
    line(format_args!(
        "\nLedger: {} entries, last hash {}, breaks: {}",
        facts.ledger.entries,
        facts.ledger.hash,
        if facts.ledger.broken.is_empty() { "none found" } else { &facts.ledger.broken }
    ));
    line(format_args!("{STATEMENT}"));
    out
}

fn name(text: &str) -> &str {
    if text.is_empty() { "nobody" } else { text }
}
