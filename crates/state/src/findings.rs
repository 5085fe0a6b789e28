//! Findings: upserted by id and revision, listed by page, and what people decided about them, which can be undone.

use rusqlite::{Connection, OptionalExtension, Row, Transaction, params, types::Value as Sql};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::{Db, Error, Result, Suppression, rules};

/// Severities in the order of their numbers.
pub(crate) const SEVERITIES: [&str; 5] = ["info", "low", "medium", "high", "critical"];
/// Findings a page holds at most.
pub(crate) const PAGE: usize = 500;

/// Why a finding was closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// It is what it says, and matters.
    True,
    /// It is what it says, and belongs here.
    Expected,
    /// Work that was known of.
    Maintenance,
    /// The sensor saw it wrongly.
    SensorFault,
}

impl Verdict {
    /// The word.
    pub fn name(self) -> &'static str {
        match self {
            Verdict::True => "true",
            Verdict::Expected => "expected",
            Verdict::Maintenance => "maintenance",
            Verdict::SensorFault => "sensor-fault",
        }
    }
}

/// What a person decides about findings.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "action", rename_all = "kebab-case")]
pub enum Triage {
    /// Somebody has seen it.
    Acknowledge,
    /// It is somebody's; none takes it away.
    Assign {
        /// User name.
        to: Option<String>,
    },
    /// It is settled.
    Close {
        /// How.
        verdict: Verdict,
        /// Why, in the person's words; not empty.
        reason: String,
    },
    /// It is not settled after all.
    Reopen {
        /// Why.
        reason: String,
    },
    /// A remark.
    Note {
        /// In the person's words.
        text: String,
    },
}

impl Triage {
    /// The word under which it is kept.
    pub fn name(&self) -> &'static str {
        match self {
            Triage::Acknowledge => "acknowledge",
            Triage::Assign { .. } => "assign",
            Triage::Close { .. } => "close",
            Triage::Reopen { .. } => "reopen",
            Triage::Note { .. } => "note",
        }
    }
}

/// A stored finding: the document as the sensor wrote it, and what is known here besides.
#[derive(Clone, Debug, Serialize)]
pub struct Stored {
    /// Its id.
    pub id: String,
    /// Rises with every change of anything here; those who follow changes remember the last they saw.
    pub seq: i64,
    /// When it was first stored (ns UTC).
    pub detected: i64,
    /// `open`, `acknowledged` or `closed`.
    pub status: String,
    /// How it was closed.
    pub verdict: Option<String>,
    /// Why it was closed.
    pub reason: Option<String>,
    /// Whose it is.
    pub assignee: Option<String>,
    /// Whether the sensor still adds to it.
    pub ended: bool,
    /// Whether it grew after a person closed it.
    pub grew_since_closed: bool,
    /// `live`, or the name of an import.
    pub source: String,
    /// Suppression that keeps it out of the queue.
    pub suppressed_by: Option<String>,
    /// As the sensor wrote it (a line of `alerts.ndjson`).
    pub finding: Value,
}

/// What an upsert did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Upserted {
    /// It is new.
    New(i64),
    /// It has a later revision; the number is its new `seq`.
    Changed(i64),
    /// This revision or a later one was there.
    Known,
}

/// One decision as it was kept.
#[derive(Clone, Debug, Serialize)]
pub struct Change {
    /// Its number.
    pub n: i64,
    /// Decision about several findings at once; `undo` takes this number.
    pub batch: i64,
    /// Finding.
    pub finding: String,
    /// When (ns UTC).
    pub at: i64,
    /// Who.
    pub actor: String,
    /// What: acknowledge, assign, close, reopen, note, undo.
    pub action: String,
    /// The rest of it.
    pub detail: Value,
    /// Who took it back.
    pub undone_by: Option<String>,
}

/// Which findings are wanted; what is none does not restrict.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Filter {
    /// Any of these.
    pub status: Vec<String>,
    /// At least this severity (0 info to 4 critical).
    pub severity: Option<u8>,
    /// Detector.
    pub detector: Option<String>,
    /// User name; empty for nobody's.
    pub assignee: Option<String>,
    /// Device id or address at either end.
    pub device: Option<String>,
    /// `live`, or the name of an import.
    pub source: Option<String>,
    /// Words that stand in the document.
    pub text: Option<String>,
    /// Last packet not before (ns UTC).
    pub from: Option<i64>,
    /// Last packet before (ns UTC).
    pub to: Option<i64>,
    /// Also those that a suppression keeps out of the queue.
    pub with_suppressed: bool,
    /// Gravest first; otherwise newest first.
    pub gravest: bool,
}

/// A page of a list.
#[derive(Clone, Debug, Serialize)]
pub struct Page {
    /// The findings.
    pub items: Vec<Stored>,
    /// What to ask for next; none at the end.
    pub next: Option<String>,
    /// How many there are on all pages.
    pub total: i64,
}

const COLUMNS: &str =
    "id, seq, detected, status, verdict, reason, assignee, ended, closed_rev, rev, source, suppressed_by, doc";

pub(crate) fn stored(row: &Row<'_>) -> rusqlite::Result<Stored> {
    let closed_rev: Option<i64> = row.get(8)?;
    let rev: i64 = row.get(9)?;
    let doc: String = row.get(12)?;
    Ok(Stored {
        id: row.get(0)?,
        seq: row.get(1)?,
        detected: row.get(2)?,
        status: row.get(3)?,
        verdict: row.get(4)?,
        reason: row.get(5)?,
        assignee: row.get(6)?,
        ended: row.get(7)?,
        grew_since_closed: closed_rev.is_some_and(|c| c < rev),
        source: row.get(10)?,
        suppressed_by: row.get(11)?,
        finding: serde_json::from_str(&doc).unwrap_or(Value::Null),
    })
}

pub(crate) fn next_seq(tx: &Transaction<'_>) -> Result<i64> {
    Ok(tx.query_row("UPDATE counter SET value = value + 1 WHERE name = 'seq' RETURNING value", [], |r| r.get(0))?)
}

/// Device id of a party, else its address.
fn party(finding: &Value, side: &str) -> String {
    let party = &finding[side];
    ["asset", "ip", "mac"].iter().find_map(|k| party[*k].as_str()).unwrap_or_default().to_owned()
}

fn time(finding: &Value, field: &str) -> Result<i64> {
    let text = finding[field].as_str().unwrap_or_default();
    let ts = gwcore::time::parse_rfc3339(text)
        .ok_or_else(|| Error::Refused(format!("`{field}` of a finding is no time: `{text}`")))?;
    Ok(ts.0)
}

/// Number of a severity's word.
pub(crate) fn severity_number(word: &str) -> Option<u8> {
    SEVERITIES.iter().position(|s| *s == word).map(|n| n as u8)
}

pub(crate) fn upsert(db: &Db, doc: &Value, ended: bool, source: &str, now: i64) -> Result<Upserted> {
    let text = |field: &str| doc[field].as_str().unwrap_or_default().to_owned();
    let (id, detector, title) = (text("id"), text("detector"), text("title"));
    let rev = doc["rev"].as_i64().unwrap_or(1);
    if id.is_empty() || id.len() > 128 || detector.is_empty() {
        return Err(Error::Refused("a finding needs `id` and `detector`".to_owned()));
    }
    let severity =
        severity_number(&text("severity")).ok_or_else(|| Error::Refused(format!("`{id}` has no known severity")))?;
    let (ts, ts_end) = (time(doc, "ts")?, time(doc, "ts_end")?);
    db.write(|tx| {
        let known: Option<(i64, i64, String, bool)> = tx
            .query_row("SELECT rev, severity, status, ended FROM finding WHERE id = ?1", [&id], |r| {
                Ok((r.get(0)?, r.get(1)?, r.get(2)?, r.get(3)?))
            })
            .optional()?;
        if known.as_ref().is_some_and(|k| k.0 > rev || (k.0 == rev && (k.3 || !ended))) {
            return Ok(Upserted::Known);
        }
        let seq = next_seq(tx)?;
        let doc_text = doc.to_string();
        let suppressed_by = rules::matching(tx, doc, now)?.map(|s: Suppression| s.id);
        let (src, dst) = (party(doc, "src"), party(doc, "dst"));
        tx.execute(
            "INSERT INTO finding (id, rev, seq, ts, ts_end, detected, detector, title, severity, src, dst, source, ended, suppressed_by, doc)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)
             ON CONFLICT (id) DO UPDATE SET rev = ?2, seq = ?3, ts = ?4, ts_end = ?5, title = ?8, severity = ?9, src = ?10, dst = ?11,
                 ended = ?13, suppressed_by = ?14, doc = ?15",
            params![id, rev, seq, ts, ts_end, now, detector, title, severity, src, dst, source, ended, suppressed_by, doc_text],
        )?;
        tx.execute("INSERT OR REPLACE INTO finding_revision VALUES (?1, ?2, ?3, ?4)", params![id, rev, now, doc_text])?;
        let Some((_, before, status, _)) = known else { return Ok(Upserted::New(seq)) };
        if status == "closed" && i64::from(severity) > before {
            // What has become graver than what was judged is judged again.
            tx.execute("UPDATE finding SET status = 'open' WHERE id = ?1", [&id])?;
        }
        Ok(Upserted::Changed(seq))
    })
}

/// The condition of a filter and its values.
fn condition(filter: &Filter) -> (String, Vec<Sql>) {
    let mut parts = vec!["1 = 1".to_owned()];
    let mut values: Vec<Sql> = Vec::new();
    let mut add = |text: &str, value: Sql| {
        values.push(value);
        parts.push(text.replace('?', &format!("?{}", values.len())));
    };
    if let Some(severity) = filter.severity {
        add("severity >= ?", Sql::Integer(i64::from(severity)));
    }
    for (column, value) in [("detector", &filter.detector), ("source", &filter.source)] {
        if let Some(value) = value {
            add(&format!("{column} = ?"), Sql::Text(value.clone()));
        }
    }
    match filter.assignee.as_deref() {
        None => {}
        Some("") => add("(assignee IS NULL OR assignee = ?)", Sql::Text(String::new())),
        Some(name) => add("assignee = ?", Sql::Text(name.to_owned())),
    }
    if let Some(device) = &filter.device {
        add("(src = ? OR dst = ?)", Sql::Text(device.clone()));
    }
    if let Some(words) = &filter.text {
        for word in words.split_whitespace().take(8) {
            let plain = word.replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_");
            add("doc LIKE ? ESCAPE '\\'", Sql::Text(format!("%{plain}%")));
        }
    }
    if let Some(from) = filter.from {
        add("ts_end >= ?", Sql::Integer(from));
    }
    if let Some(to) = filter.to {
        add("ts_end < ?", Sql::Integer(to));
    }
    let statuses: Vec<String> = ["open", "acknowledged", "closed"]
        .iter()
        .filter(|s| filter.status.iter().any(|w| w == *s))
        .map(|s| format!("'{s}'"))
        .collect();
    if !filter.status.is_empty() {
        parts.push(format!("status IN ({})", statuses.join(", ")));
    }
    if !filter.with_suppressed {
        parts.push("suppressed_by IS NULL".to_owned());
    }
    (parts.join(" AND "), values)
}

pub(crate) fn list(db: &Db, filter: &Filter, cursor: Option<&str>, limit: usize) -> Result<Page> {
    let limit = limit.clamp(1, PAGE);
    let (mut wanted, mut values) = condition(filter);
    db.read(|c| {
        let total = c.query_row(
            &format!("SELECT count(*) FROM finding WHERE {wanted}"),
            rusqlite::params_from_iter(&values),
            |r| r.get(0),
        )?;
        if let Some(cursor) = cursor {
            let (severity, ts, id) = read_cursor(cursor)?;
            let n = values.len();
            let (first, second, third) = (n + 1, n + 2, n + 3);
            values.extend([Sql::Integer(severity), Sql::Integer(ts), Sql::Text(id)]);
            wanted += &if filter.gravest {
                format!(" AND (severity < ?{first} OR (severity = ?{first} AND (ts_end < ?{second} OR (ts_end = ?{second} AND id > ?{third}))))")
            } else {
                format!(" AND ?{first} >= 0 AND (ts_end < ?{second} OR (ts_end = ?{second} AND id > ?{third}))")
            };
        }
        let order = if filter.gravest { "severity DESC, ts_end DESC, id" } else { "ts_end DESC, id" };
        let sql = format!("SELECT {COLUMNS}, severity, ts_end FROM finding WHERE {wanted} ORDER BY {order} LIMIT {}", limit + 1);
        let mut statement = c.prepare(&sql)?;
        let rows = statement.query_map(rusqlite::params_from_iter(&values), |r| {
            Ok((stored(r)?, r.get::<_, i64>(13)?, r.get::<_, i64>(14)?))
        })?;
        let mut rows: Vec<_> = rows.collect::<rusqlite::Result<_>>()?;
        let more = rows.len() > limit;
        rows.truncate(limit);
        let next = rows.last().filter(|_| more).map(|(s, severity, ts)| format!("{severity}.{ts}.{}", s.id));
        Ok(Page { items: rows.into_iter().map(|r| r.0).collect(), next, total })
    })
}

fn read_cursor(cursor: &str) -> Result<(i64, i64, String)> {
    let bad = || Error::Refused(format!("`{}` is no cursor of this list", cursor.chars().take(80).collect::<String>()));
    let mut parts = cursor.splitn(3, '.');
    let mut next = || parts.next().ok_or_else(bad);
    let (severity, ts, id) = (next()?, next()?, next()?);
    Ok((severity.parse().map_err(|_| bad())?, ts.parse().map_err(|_| bad())?, id.to_owned()))
}

pub(crate) fn one(db: &Db, id: &str) -> Result<Option<Stored>> {
    db.read(|c| Ok(c.query_row(&format!("SELECT {COLUMNS} FROM finding WHERE id = ?1"), [id], stored).optional()?))
}

pub(crate) fn since(db: &Db, seq: i64, limit: usize) -> Result<Vec<Stored>> {
    db.read(|c| {
        let sql = format!("SELECT {COLUMNS} FROM finding WHERE seq > ?1 ORDER BY seq LIMIT ?2");
        let mut statement = c.prepare(&sql)?;
        let rows = statement.query_map(params![seq, limit.min(PAGE) as i64], stored)?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    })
}

pub(crate) fn revisions(db: &Db, id: &str) -> Result<Vec<(i64, i64)>> {
    db.read(|c| {
        let mut statement = c.prepare("SELECT rev, stored FROM finding_revision WHERE id = ?1 ORDER BY rev")?;
        let rows = statement.query_map([id], |r| Ok((r.get(0)?, r.get(1)?)))?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    })
}

fn before(c: &Connection, id: &str) -> Result<Value> {
    let found = c
        .query_row("SELECT status, verdict, reason, assignee, closed_rev FROM finding WHERE id = ?1", [id], |r| {
            Ok(json!({ "status": r.get::<_, String>(0)?, "verdict": r.get::<_, Option<String>>(1)?,
                "reason": r.get::<_, Option<String>>(2)?, "assignee": r.get::<_, Option<String>>(3)?,
                "closed_rev": r.get::<_, Option<i64>>(4)? }))
        })
        .optional()?;
    found.ok_or_else(|| Error::Missing(format!("finding `{id}`")))
}

pub(crate) fn triage(db: &Db, ids: &[String], what: &Triage, actor: &str, now: i64) -> Result<i64> {
    match what {
        Triage::Close { reason, .. } | Triage::Reopen { reason } if reason.trim().is_empty() => {
            return Err(Error::Refused("a reason is needed".to_owned()));
        }
        Triage::Note { text } if text.trim().is_empty() => return Err(Error::Refused("the note is empty".to_owned())),
        _ => {}
    }
    if ids.is_empty() || ids.len() > PAGE {
        return Err(Error::Refused(format!("name 1 to {PAGE} findings")));
    }
    let detail = serde_json::to_value(what).map_err(|e| Error::Refused(e.to_string()))?.to_string();
    db.write(|tx| {
        let batch: i64 = tx.query_row("SELECT coalesce(max(n), 0) + 1 FROM triage", [], |r| r.get(0))?;
        if let Triage::Assign { to: Some(to) } = what {
            let known: i64 = tx.query_row("SELECT count(*) FROM user WHERE name = ?1", [to], |r| r.get(0))?;
            if known == 0 {
                return Err(Error::Missing(format!("user `{to}`")));
            }
        }
        for id in ids {
            let was = before(tx, id)?;
            let seq = next_seq(tx)?;
            match what {
                Triage::Acknowledge => tx.execute(
                    "UPDATE finding SET status = 'acknowledged', seq = ?2 WHERE id = ?1 AND status <> 'closed'",
                    params![id, seq],
                )?,
                Triage::Assign { to } => {
                    tx.execute("UPDATE finding SET assignee = ?3, seq = ?2 WHERE id = ?1", params![id, seq, to])?
                }
                Triage::Close { verdict, reason } => tx.execute(
                    "UPDATE finding SET status = 'closed', verdict = ?3, reason = ?4, closed_rev = rev, seq = ?2 WHERE id = ?1",
                    params![id, seq, verdict.name(), reason],
                )?,
                Triage::Reopen { .. } => tx.execute(
                    "UPDATE finding SET status = 'open', verdict = NULL, reason = NULL, closed_rev = NULL, seq = ?2 WHERE id = ?1",
                    params![id, seq],
                )?,
                Triage::Note { .. } => tx.execute("UPDATE finding SET seq = ?2 WHERE id = ?1", params![id, seq])?,
            };
            tx.execute(
                "INSERT INTO triage (batch, finding, at, actor, action, detail, before) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
                params![batch, id, now, actor, what.name(), detail, was.to_string()],
            )?;
        }
        Ok(batch)
    })
}

pub(crate) fn undo(db: &Db, batch: i64, actor: &str, now: i64) -> Result<Vec<String>> {
    db.write(|tx| {
        let mut statement =
            tx.prepare("SELECT n, finding, before, action FROM triage WHERE batch = ?1 AND undone_by IS NULL AND action <> 'undo'")?;
        let rows = statement.query_map([batch], |r| {
            Ok((r.get::<_, i64>(0)?, r.get::<_, String>(1)?, r.get::<_, String>(2)?, r.get::<_, String>(3)?))
        })?;
        let rows: Vec<_> = rows.collect::<rusqlite::Result<_>>()?;
        if rows.is_empty() {
            return Err(Error::Missing(format!("decision {batch} that could be undone")));
        }
        let mut ids = Vec::new();
        let undone: i64 = tx.query_row("SELECT coalesce(max(n), 0) + 1 FROM triage", [], |r| r.get(0))?;
        for (n, id, was, action) in rows {
            let later: i64 = tx.query_row(
                "SELECT count(*) FROM triage WHERE finding = ?1 AND n > ?2 AND undone_by IS NULL AND action NOT IN ('note', 'undo')",
                params![id, n],
                |r| r.get(0),
            )?;
            if later > 0 && action != "note" {
                return Err(Error::Refused(format!("`{id}` was decided upon again since: undo the later decision first")));
            }
            let now_is = before(tx, &id)?;
            let was: Value = serde_json::from_str(&was).unwrap_or(Value::Null);
            let text = |key: &str| was[key].as_str().map(str::to_owned);
            if action != "note" {
                tx.execute(
                    "UPDATE finding SET status = ?2, verdict = ?3, reason = ?4, assignee = ?5, closed_rev = ?6, seq = ?7 WHERE id = ?1",
                    params![id, text("status"), text("verdict"), text("reason"), text("assignee"), was["closed_rev"].as_i64(), next_seq(tx)?],
                )?;
            }
            tx.execute("UPDATE triage SET undone_by = ?2 WHERE n = ?1", params![n, actor])?;
            tx.execute(
                "INSERT INTO triage (batch, finding, at, actor, action, detail, before) VALUES (?1, ?2, ?3, ?4, 'undo', ?5, ?6)",
                params![undone, id, now, actor, json!({ "batch": batch }).to_string(), now_is.to_string()],
            )?;
            ids.push(id);
        }
        Ok(ids)
    })
}

pub(crate) fn history(db: &Db, id: &str) -> Result<Vec<Change>> {
    db.read(|c| {
        let mut statement = c.prepare(
            "SELECT n, batch, finding, at, actor, action, detail, undone_by FROM triage WHERE finding = ?1 ORDER BY n",
        )?;
        let rows = statement.query_map([id], |r| {
            let detail: String = r.get(6)?;
            Ok(Change {
                n: r.get(0)?,
                batch: r.get(1)?,
                finding: r.get(2)?,
                at: r.get(3)?,
                actor: r.get(4)?,
                action: r.get(5)?,
                detail: serde_json::from_str(&detail).unwrap_or(Value::Null),
                undone_by: r.get(7)?,
            })
        })?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    })
}

/// How many findings there are by severity and status, those in the queue alone.
pub(crate) fn counts(db: &Db) -> Result<Vec<(String, String, i64)>> {
    db.read(|c| {
        let mut statement = c.prepare(
            "SELECT severity, status, count(*) FROM finding WHERE suppressed_by IS NULL GROUP BY 1, 2 ORDER BY 1, 2",
        )?;
        let rows = statement.query_map([], |r| {
            let severity: i64 = r.get(0)?;
            let word = SEVERITIES.get(severity as usize).copied().unwrap_or("info");
            Ok((word.to_owned(), r.get(1)?, r.get(2)?))
        })?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    })
}
