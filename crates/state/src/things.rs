//! Devices, measured minutes, gaps, saved searches and settings.

use rusqlite::{OptionalExtension, Row, params};
use serde::Serialize;
use serde_json::Value;

use crate::{Db, Error, Result, findings, random_hex};

/// A device: the document as the sensor wrote it, and what people say of it.
#[derive(Clone, Debug, Serialize)]
pub struct DeviceRow {
    /// Its id.
    pub id: String,
    /// Name of the best source.
    pub name: String,
    /// First role.
    pub role: String,
    /// `live`, or the name of an import.
    pub source: String,
    /// Who answers for it.
    pub owner: Option<String>,
    /// low, medium, high, critical.
    pub criticality: Option<String>,
    /// Remarks.
    pub notes: Option<String>,
    /// As the sensor wrote it (a line of `assets.ndjson`).
    pub device: Value,
}

/// What one interface saw in a minute.
#[derive(Clone, Debug, Serialize)]
pub struct Minute {
    /// Interface.
    pub interface: String,
    /// Start of the minute (ns UTC).
    pub ts: i64,
    /// Packets received.
    pub packets: i64,
    /// Bytes received.
    pub bytes: i64,
    /// Packets dropped, all causes.
    pub dropped: i64,
    /// The whole message.
    pub doc: Value,
}

/// A stretch that was not seen.
#[derive(Clone, Debug, Serialize)]
pub struct Gap {
    /// Its number.
    pub n: i64,
    /// When it began (ns UTC).
    pub ts: i64,
    /// Why.
    pub cause: String,
    /// The whole message.
    pub doc: Value,
    /// Who has seen it.
    pub acknowledged_by: Option<String>,
}

/// A saved search.
#[derive(Clone, Debug, Serialize)]
pub struct Search {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// The SQL.
    pub sql: String,
    /// Whose it is; all may run it.
    pub owner: String,
    /// When it was made (ns UTC).
    pub created: i64,
}

/// Name of the best source and first role of a device's document.
fn name_and_role(doc: &Value) -> (String, String) {
    let name = doc["names"].get(0).map_or(Value::Null, |n| n.get("name").cloned().unwrap_or_else(|| n.clone()));
    let role = doc["roles"].get(0).or_else(|| doc.get("role")).cloned().unwrap_or(Value::Null);
    let text = |v: &Value| v.as_str().or_else(|| v["role"].as_str()).unwrap_or_default().to_owned();
    (text(&name), text(&role))
}

pub(crate) fn upsert_device(db: &Db, doc: &Value, source: &str) -> Result<()> {
    let text = |field: &str| doc[field].as_str().unwrap_or_default();
    let id = text("id");
    if id.is_empty() || id.len() > 128 {
        return Err(Error::Refused("a device needs an `id`".to_owned()));
    }
    let (name, role) = name_and_role(doc);
    db.write(|tx| {
        let seq = findings::next_seq(tx)?;
        tx.execute(
            "INSERT INTO device (id, seq, first_seen, last_seen, name, role, source, doc) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
             ON CONFLICT (id) DO UPDATE SET seq = ?2, first_seen = min(first_seen, ?3), last_seen = max(last_seen, ?4), name = ?5, role = ?6,
                 doc = ?8",
            params![id, seq, text("first_seen"), text("last_seen"), name, role, source, doc.to_string()],
        )?;
        Ok(())
    })
}

const DEVICE: &str = "SELECT id, name, role, source, owner, criticality, notes, doc FROM device";

fn device_row(r: &Row<'_>) -> rusqlite::Result<DeviceRow> {
    let doc: String = r.get(7)?;
    Ok(DeviceRow {
        id: r.get(0)?,
        name: r.get(1)?,
        role: r.get(2)?,
        source: r.get(3)?,
        owner: r.get(4)?,
        criticality: r.get(5)?,
        notes: r.get(6)?,
        device: serde_json::from_str(&doc).unwrap_or(Value::Null),
    })
}

/// Devices after `cursor` (an id) in the order of their ids, at most `limit`, and where to go on.
pub(crate) fn devices(db: &Db, text: &str, cursor: &str, limit: usize) -> Result<(Vec<DeviceRow>, Option<String>)> {
    let limit = limit.clamp(1, 1_000);
    let plain = text.replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_");
    db.read(|c| {
        let sql = format!("{DEVICE} WHERE id > ?1 AND doc LIKE ?2 ESCAPE '\\' ORDER BY id LIMIT ?3");
        let mut statement = c.prepare(&sql)?;
        let rows = statement.query_map(params![cursor, format!("%{plain}%"), limit as i64 + 1], device_row)?;
        let mut rows: Vec<DeviceRow> = rows.collect::<rusqlite::Result<_>>()?;
        let more = rows.len() > limit;
        rows.truncate(limit);
        let next = rows.last().filter(|_| more).map(|d| d.id.clone());
        Ok((rows, next))
    })
}

pub(crate) fn device(db: &Db, id: &str) -> Result<Option<DeviceRow>> {
    db.read(|c| Ok(c.query_row(&format!("{DEVICE} WHERE id = ?1"), [id], device_row).optional()?))
}

/// Forgets a device that turned out to be another.
pub(crate) fn drop_device(db: &Db, id: &str) -> Result<()> {
    db.write(|tx| Ok(tx.execute("DELETE FROM device WHERE id = ?1", [id]).map(|_| ())?))
}

/// Sets what is given; an empty text takes it away.
pub(crate) fn describe_device(
    db: &Db,
    id: &str,
    owner: Option<&str>,
    criticality: Option<&str>,
    notes: Option<&str>,
) -> Result<()> {
    if criticality.is_some_and(|c| !["", "low", "medium", "high", "critical"].contains(&c)) {
        return Err(Error::Refused("criticality is low, medium, high, critical or empty".to_owned()));
    }
    let n = db.write(|tx| {
        let seq = findings::next_seq(tx)?;
        Ok(tx.execute(
            "UPDATE device SET owner = nullif(coalesce(?2, owner), ''), criticality = nullif(coalesce(?3, criticality), ''),
                 notes = nullif(coalesce(?4, notes), ''), seq = ?5 WHERE id = ?1",
            params![id, owner, criticality, notes, seq],
        )?)
    })?;
    if n == 0 { Err(Error::Missing(format!("device `{id}`"))) } else { Ok(()) }
}

pub(crate) fn add_minute(db: &Db, doc: &Value) -> Result<()> {
    let ts = when(&doc["ts"])?;
    let number = |field: &str| doc[field].as_i64().unwrap_or(0);
    db.write(|tx| {
        tx.execute(
            "INSERT OR REPLACE INTO minute VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            params![
                doc["interface"].as_str().unwrap_or_default(),
                ts,
                number("packets"),
                number("bytes"),
                number("dropped"),
                doc.to_string()
            ],
        )?;
        Ok(())
    })
}

fn when(value: &Value) -> Result<i64> {
    let bad = || Error::Refused(format!("not a time: {value}"));
    match value {
        Value::String(text) => gwcore::time::parse_rfc3339(text).map(|t| t.0).ok_or_else(bad),
        other => other.as_i64().ok_or_else(bad),
    }
}

/// Minutes of `from` (included) to `to` (ns UTC), oldest first, at most 50,000.
pub(crate) fn minutes(db: &Db, from: i64, to: i64) -> Result<Vec<Minute>> {
    db.read(|c| {
        let mut statement = c.prepare(
            "SELECT interface, ts, packets, bytes, dropped, doc FROM minute WHERE ts >= ?1 AND ts < ?2 ORDER BY ts, interface LIMIT 50000",
        )?;
        let rows = statement.query_map([from, to], |r| {
            let doc: String = r.get(5)?;
            Ok(Minute {
                interface: r.get(0)?,
                ts: r.get(1)?,
                packets: r.get(2)?,
                bytes: r.get(3)?,
                dropped: r.get(4)?,
                doc: serde_json::from_str(&doc).unwrap_or(Value::Null),
            })
        })?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    })
}

pub(crate) fn add_gap(db: &Db, doc: &Value) -> Result<()> {
    let ts = when(if doc["ts"].is_null() { &doc["from"] } else { &doc["ts"] })?;
    let cause = doc["cause"].as_str().or_else(|| doc["reason"].as_str()).unwrap_or("unknown");
    db.write(|tx| {
        tx.execute("INSERT INTO gap (ts, cause, doc) VALUES (?1, ?2, ?3)", params![ts, cause, doc.to_string()])?;
        Ok(())
    })
}

/// Gaps, newest first.
pub(crate) fn gaps(db: &Db, limit: usize) -> Result<Vec<Gap>> {
    db.read(|c| {
        let mut statement =
            c.prepare("SELECT n, ts, cause, doc, acknowledged_by FROM gap ORDER BY ts DESC, n DESC LIMIT ?1")?;
        let rows = statement.query_map([limit as i64], |r| {
            let doc: String = r.get(3)?;
            Ok(Gap {
                n: r.get(0)?,
                ts: r.get(1)?,
                cause: r.get(2)?,
                doc: serde_json::from_str(&doc).unwrap_or(Value::Null),
                acknowledged_by: r.get(4)?,
            })
        })?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    })
}

pub(crate) fn save_search(db: &Db, name: &str, sql: &str, owner: &str, now: i64) -> Result<String> {
    if name.trim().is_empty() || name.len() > 200 || sql.trim().is_empty() || sql.len() > 100_000 {
        return Err(Error::Refused(
            "a saved search needs a name (200 bytes at most) and SQL (100,000 at most)".to_owned(),
        ));
    }
    let id = random_hex(6)?;
    db.write(|tx| {
        tx.execute("INSERT INTO search VALUES (?1, ?2, ?3, ?4, ?5)", params![id, name, sql, owner, now])?;
        Ok(())
    })?;
    Ok(id)
}

pub(crate) fn searches(db: &Db) -> Result<Vec<Search>> {
    db.read(|c| {
        let mut statement = c.prepare("SELECT id, name, sql, owner, created FROM search ORDER BY name, id")?;
        let rows = statement.query_map([], |r| {
            Ok(Search { id: r.get(0)?, name: r.get(1)?, sql: r.get(2)?, owner: r.get(3)?, created: r.get(4)? })
        })?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    })
}

pub(crate) fn drop_search(db: &Db, id: &str) -> Result<()> {
    let n = db.write(|tx| Ok(tx.execute("DELETE FROM search WHERE id = ?1", [id])?))?;
    if n == 0 { Err(Error::Missing(format!("saved search `{id}`"))) } else { Ok(()) }
}

pub(crate) fn setting(db: &Db, key: &str) -> Result<Option<Value>> {
    let text: Option<String> =
        db.read(|c| Ok(c.query_row("SELECT value FROM setting WHERE key = ?1", [key], |r| r.get(0)).optional()?))?;
    Ok(text.and_then(|t| serde_json::from_str(&t).ok()))
}

pub(crate) fn set(db: &Db, key: &str, value: &Value, by: &str, now: i64) -> Result<()> {
    db.write(|tx| {
        tx.execute("INSERT OR REPLACE INTO setting VALUES (?1, ?2, ?3, ?4)", params![key, value.to_string(), now, by])?;
        Ok(())
    })
}
