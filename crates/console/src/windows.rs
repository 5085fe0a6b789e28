//! Declared work: windows of time, for a device or for all, in which what would be an alarm speaks one step lower. Kept in the state database;
//! read and written in the form that `--maintenance` takes.

use detect::{Maintenance, Window as Span};
use gwcore::Ts;
use serde::Serialize;
use serde_json::{Value, json};
use state::sql::{OptionalExtension, Row, params};
use state::{Db, Error, Filter, Module, Result, Store, Stored, random_hex};

/// Our table.
const MODULE: Module = Module {
    name: "maintenance",
    migrations: &["
CREATE TABLE maintenance_window (
    id TEXT PRIMARY KEY, start INTEGER NOT NULL, until INTEGER NOT NULL, device TEXT NOT NULL, reason TEXT NOT NULL,
    declared_by TEXT NOT NULL, declared INTEGER NOT NULL, withdrawn_by TEXT, withdrawn INTEGER
) STRICT, WITHOUT ROWID;
CREATE INDEX maintenance_window_until ON maintenance_window (until);
"],
};

/// Longest window (ns): longer work is declared anew.
const LONGEST: i64 = 31 * 86_400 * 1_000_000_000;
/// Windows that are kept.
const MOST: i64 = 100_000;
/// Findings of a window that are counted and can be closed together.
const FINDINGS: usize = 500;

/// A declared window.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Window {
    /// Its id.
    pub id: String,
    /// First moment, ns UTC.
    pub start: i64,
    /// Last moment, ns UTC.
    pub end: i64,
    /// The device it is for, by address, MAC, id or name; empty for all.
    pub device: String,
    /// Why.
    pub reason: String,
    /// Who declared it.
    pub declared_by: String,
    /// When, ns UTC.
    pub declared: i64,
    /// Who took it back.
    pub withdrawn_by: Option<String>,
}

impl Window {
    /// Whether a finding's document lies in it: its first packet, and for a device either end.
    fn covers(&self, finding: &Value) -> bool {
        let ts = finding["ts"].as_str().and_then(gwcore::time::parse_rfc3339);
        ts.is_some_and(|ts| (self.start..=self.end).contains(&ts.0))
            && (self.device.is_empty() || concerns(finding, &self.device))
    }
}

fn concerns(finding: &Value, device: &str) -> bool {
    let is = |v: &Value| v.as_str().is_some_and(|t| t.eq_ignore_ascii_case(device));
    ["src", "dst"].iter().any(|side| ["asset", "name", "ip", "mac"].iter().any(|k| is(&finding[*side][*k])))
}

const COLUMNS: &str = "id, start, until, device, reason, declared_by, declared, withdrawn_by";

fn row(r: &Row<'_>) -> state::sql::Result<Window> {
    Ok(Window {
        id: r.get(0)?,
        start: r.get(1)?,
        end: r.get(2)?,
        device: r.get(3)?,
        reason: r.get(4)?,
        declared_by: r.get(5)?,
        declared: r.get(6)?,
        withdrawn_by: r.get(7)?,
    })
}

/// The table in its newest form.
pub(crate) fn migrate(db: &Db) -> Result<()> {
    db.migrate(&MODULE)
}

/// All windows, the latest first.
pub(crate) fn list(db: &Db) -> Result<Vec<Window>> {
    db.read(|c| {
        let mut q = c.prepare(&format!("SELECT {COLUMNS} FROM maintenance_window ORDER BY start DESC, id"))?;
        let rows = q.query_map([], row)?;
        Ok(rows.collect::<std::result::Result<_, _>>()?)
    })
}

/// One window.
pub(crate) fn one(db: &Db, id: &str) -> Result<Window> {
    let sql = format!("SELECT {COLUMNS} FROM maintenance_window WHERE id = ?1");
    let found = db.read(|c| Ok(c.query_row(&sql, [id], row).optional()?))?;
    found.ok_or_else(|| Error::Missing(format!("window `{id}`")))
}

/// What is declared.
#[derive(Clone, Debug)]
pub(crate) struct New {
    pub start: i64,
    pub end: i64,
    pub device: String,
    pub reason: String,
}

/// Declares windows, all or none; their ids. One that is there already, in all its parts, is not declared twice.
pub(crate) fn declare(db: &Db, new: &[New], by: &str, now: i64) -> Result<Vec<String>> {
    for w in new {
        if w.end < w.start || w.end.saturating_sub(w.start) > LONGEST {
            return Err(Error::Refused("a window ends after it begins, within 31 days".to_owned()));
        }
        if w.reason.trim().is_empty() || w.reason.len() > 1_000 || w.device.len() > 200 {
            return Err(Error::Refused("a window needs a reason of at most 1,000 characters".to_owned()));
        }
    }
    db.write(|tx| {
        let kept: i64 = tx.query_row("SELECT count(*) FROM maintenance_window", [], |r| r.get(0))?;
        if kept.saturating_add(i64::try_from(new.len()).unwrap_or(i64::MAX)) > MOST {
            return Err(Error::Refused(format!("more than {MOST} windows")));
        }
        let mut ids = Vec::new();
        for w in new {
            let there: i64 = tx.query_row(
                "SELECT count(*) FROM maintenance_window WHERE start = ?1 AND until = ?2 AND device = ?3 AND reason = ?4 AND withdrawn IS NULL",
                params![w.start, w.end, w.device, w.reason.trim()],
                |r| r.get(0),
            )?;
            if there > 0 {
                continue;
            }
            let id = random_hex(6)?;
            tx.execute(
                "INSERT INTO maintenance_window (id, start, until, device, reason, declared_by, declared) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
                params![id, w.start, w.end, w.device, w.reason.trim(), by, now],
            )?;
            ids.push(id);
        }
        Ok(ids)
    })
}

/// Takes a window back: findings from then on speak as loudly as they would.
pub(crate) fn withdraw(db: &Db, id: &str, by: &str, now: i64) -> Result<()> {
    db.write(|tx| {
        let sql = "UPDATE maintenance_window SET withdrawn = ?2, withdrawn_by = ?3 WHERE id = ?1 AND withdrawn IS NULL";
        match tx.execute(sql, params![id, now, by])? {
            0 => Err(Error::Missing(format!("window `{id}` in force or to come"))),
            _ => Ok(()),
        }
    })
}

/// Windows from the text of a file as `--maintenance` takes it.
pub(crate) fn parse(text: &str) -> std::result::Result<Vec<New>, String> {
    let parsed = Maintenance::parse(text)?;
    let of = |w: &Span| {
        let reason = if w.reason.trim().is_empty() { "declared work".to_owned() } else { w.reason.clone() };
        New { start: w.start.0, end: w.end.0, device: w.asset.clone().unwrap_or_default(), reason }
    };
    Ok(parsed.windows().iter().map(of).collect())
}

/// The windows that hold, as a file that `--maintenance` takes.
pub(crate) fn csv(windows: &[Window]) -> String {
    // A blank before what a spreadsheet would take for a formula; readers of the file drop it.
    let cell = |text: &str| {
        let before = if text.starts_with(['=', '+', '-', '@', '\t']) { " " } else { "" };
        format!("\"{before}{}\"", text.replace('"', "\"\"").replace(['\n', '\r'], " "))
    };
    let mut text = "start,end,asset,reason\n".to_owned();
    for w in windows.iter().rev().filter(|w| w.withdrawn_by.is_none()) {
        text += &format!("{},{},{},{}\n", Ts(w.start), Ts(w.end), cell(&w.device), cell(&w.reason));
    }
    text
}

/// Stored findings, not closed, that lie in a window, at most 500.
pub(crate) fn inside(db: &Db, window: &Window) -> Result<Vec<Stored>> {
    // A finding's last packet is what the store knows by; one that began inside may have gone on.
    let filter = Filter {
        status: vec!["open".to_owned(), "acknowledged".to_owned()],
        from: Some(window.start),
        with_suppressed: true,
        ..Filter::default()
    };
    let (mut found, mut cursor) = (Vec::new(), None::<String>);
    loop {
        let page = db.findings(&filter, cursor.as_deref(), FINDINGS)?;
        found.extend(page.items.into_iter().filter(|f| window.covers(&f.finding)));
        cursor = page.next;
        if cursor.is_none() || found.len() >= FINDINGS {
            found.truncate(FINDINGS);
            return Ok(found);
        }
    }
}

/// A live finding as it is to be stored: one step lower, never below low, where a window that somebody declared here covers it and the sensor
/// did not know of any.
pub(crate) fn lowered(db: &Db, mut finding: Value) -> Result<Value> {
    if !finding["evidence"]["maintenance"].is_null() {
        return Ok(finding);
    }
    let Some(ts) = finding["ts"].as_str().and_then(gwcore::time::parse_rfc3339) else { return Ok(finding) };
    let sql = format!(
        "SELECT {COLUMNS} FROM maintenance_window WHERE start <= ?1 AND until >= ?1 AND withdrawn IS NULL ORDER BY start, id"
    );
    let windows: Vec<Window> = db.read(|c| {
        let mut q = c.prepare(&sql)?;
        let rows = q.query_map([ts.0], row)?;
        Ok(rows.collect::<std::result::Result<_, _>>()?)
    })?;
    let Some(window) = windows.iter().find(|w| w.covers(&finding)) else { return Ok(finding) };
    let lower = match finding["severity"].as_str() {
        Some("critical") => "high",
        Some("high") => "medium",
        Some("medium") => "low",
        _ => return Ok(finding),
    };
    finding["severity"] = json!(lower);
    if let Some(evidence) = finding["evidence"].as_object_mut() {
        evidence.insert("maintenance".to_owned(), json!(window.reason));
    }
    Ok(finding)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn db() -> (tempfile::TempDir, Db) {
        let dir = tempfile::tempdir().unwrap();
        let db = Db::open(&dir.path().join("state.sqlite")).unwrap();
        migrate(&db).unwrap();
        (dir, db)
    }

    fn finding(ts: &str, severity: &str) -> Value {
        json!({ "id": "f-1", "ts": ts, "severity": severity, "evidence": { "observed": "x" }, "src": { "ip": "10.1.0.9" }, "dst": { "name": "RTU-7" } })
    }

    #[test]
    fn what_lies_in_a_window_speaks_one_step_lower() {
        let (_dir, db) = db();
        let text = "start,end,asset,reason\n2026-12-01T10:00:00Z,2026-12-01T12:00:00Z,rtu-7,\"relay test, bay 4\"\n";
        let new = parse(text).unwrap();
        assert_eq!(declare(&db, &new, "anna", 1).unwrap().len(), 1);
        assert_eq!(declare(&db, &new, "anna", 2).unwrap().len(), 0, "twice the same");
        let inside = lowered(&db, finding("2026-12-01T11:00:00Z", "high")).unwrap();
        assert_eq!(
            (inside["severity"].as_str(), inside["evidence"]["maintenance"].as_str()),
            (Some("medium"), Some("relay test, bay 4"))
        );
        for (ts, severity) in
            [("2026-12-01T12:00:01Z", "high"), ("2026-12-01T11:00:00Z", "low"), ("2026-12-01T11:00:00Z", "info")]
        {
            assert_eq!(lowered(&db, finding(ts, severity)).unwrap(), finding(ts, severity));
        }
        let all = list(&db).unwrap();
        assert_eq!(parse(&csv(&all)).unwrap().len(), 1, "{}", csv(&all));
        let formula = New { reason: "=cmd".into(), ..new[0].clone() };
        declare(&db, &[formula], "anna", 2).unwrap();
        let text = csv(&list(&db).unwrap());
        assert!(text.contains("\" =cmd\"") && parse(&text).unwrap().iter().any(|w| w.reason == "=cmd"), "{text}");
        withdraw(&db, &all[0].id, "anna", 3).unwrap();
        assert!(withdraw(&db, &all[0].id, "anna", 4).is_err());
        let left = lowered(&db, finding("2026-12-01T11:00:00Z", "high")).unwrap();
        assert_eq!(left["evidence"]["maintenance"], "=cmd");
        let long = [New { start: 0, end: LONGEST + 1, device: String::new(), reason: "x".into() }];
        assert!(declare(&db, &long, "anna", 5).is_err());
    }
}
