//! How the feeds, the baseline and the system itself are; the ledger.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::{Value, json};
use state::Store;

use crate::app::{App, lock};
use crate::call::Call;
use crate::routes::Answer;

const MINUTE: i64 = 60 * 1_000_000_000;
/// A sensor that told nothing for so long is silent (ns); it tells its state every other second.
const SILENT: i64 = 10 * 1_000_000_000;

pub(crate) fn overview(app: &App, call: &Call) -> Answer {
    let counts: Vec<Value> = app
        .db
        .counts()?
        .into_iter()
        .map(|(severity, status, n)| json!({ "severity": severity, "status": status, "count": n }))
        .collect();
    let filter =
        state::Filter { status: vec!["open".to_owned()], severity: Some(2), gravest: true, ..state::Filter::default() };
    let urgent = app.db.findings(&filter, None, 8)?;
    let devices: i64 = app.db.read(|c| Ok(c.query_row("SELECT count(*) FROM device", [], |r| r.get(0))?))?;
    let proposals = app.db.suppressions()?.iter().filter(|s| s.approved.is_none() && s.revoked_by.is_none()).count();
    Ok(json!({ "counts": counts, "urgent": urgent.items, "urgent_total": urgent.total, "devices": devices, "feeds": feed_list(app, call.now)?,
        "gaps": app.db.gaps(5)?, "baseline": baseline_state(app), "proposals": proposals, "response": super::response::waiting(app)?, "now": gwcore::Ts(call.now).to_string() })
    .into())
}

/// Each interface: its newest minute, and the last hour of packet time together.
fn feed_list(app: &App, now: i64) -> Result<Vec<Value>, state::Error> {
    let last: Option<i64> = app.db.read(|c| Ok(c.query_row("SELECT max(ts) FROM minute", [], |r| r.get(0))?))?;
    let Some(last) = last else { return Ok(Vec::new()) };
    // A replay has its own time: a feed is as old as its newest minute beside what the sensor has reached, unless the sensor is silent.
    let heard = app.heard.load(std::sync::atomic::Ordering::Relaxed);
    let reached =
        lock(&app.sensor).get("state").and_then(|s| gwcore::time::parse_rfc3339(s["ts"].as_str()?)).map(|t| t.0);
    let since = match reached {
        Some(reached) if now - heard < SILENT => reached,
        Some(reached) => reached + (now - heard),
        None => now,
    };
    let mut by_interface: BTreeMap<String, Vec<state::Minute>> = BTreeMap::new();
    for minute in app.db.minutes(last - 60 * MINUTE, last + 1)? {
        by_interface.entry(minute.interface.clone()).or_default().push(minute);
    }
    Ok(by_interface
        .into_iter()
        .map(|(interface, minutes)| {
            let sum = |f: fn(&state::Minute) -> i64| minutes.iter().map(f).sum::<i64>();
            let newest = minutes.last();
            let age = newest.map_or(i64::MAX, |m| (since - m.ts - MINUTE).max(0));
            json!({ "interface": interface, "packets": sum(|m| m.packets), "bytes": sum(|m| m.bytes), "dropped": sum(|m| m.dropped),
                "minutes": minutes.len(), "newest": newest.map(|m| &m.doc), "age_seconds": age / 1_000_000_000,
                "per_minute": minutes.iter().map(|m| json!([m.ts / 1_000_000, m.packets, m.dropped])).collect::<Vec<_>>() })
        })
        .collect())
}

pub(crate) fn feeds(app: &App, call: &Call) -> Answer {
    let sensor: Vec<Value> = lock(&app.sensor).values().cloned().collect();
    Ok(json!({ "items": feed_list(app, call.now)?, "sensor": sensor }).into())
}

pub(crate) fn minutes(app: &App, call: &Call) -> Answer {
    let to = call.time("to")?.unwrap_or(i64::MAX);
    let from = call.time("from")?.unwrap_or(if to == i64::MAX { 0 } else { to - 1_440 * MINUTE });
    let items: Vec<Value> = app.db.minutes(from, to)?.into_iter().map(|m| m.doc).collect();
    Ok(json!({ "items": items }).into())
}

pub(crate) fn gaps(app: &App, call: &Call) -> Answer {
    Ok(json!({ "items": app.db.gaps(call.number("limit")?.unwrap_or(100).min(1_000))? }).into())
}

fn baseline_state(app: &App) -> Value {
    let told = lock(&app.sensor).get("baseline").cloned();
    let stored = || app.db.setting("baseline").ok().flatten();
    told.or_else(stored).unwrap_or_else(|| match (&app.config.baseline, app.config.is_live) {
        (Some(path), true) => json!({ "state": "watching", "file": path.display().to_string() }),
        (None, true) => json!({ "state": "observing" }),
        (_, false) => json!({ "state": "observing", "known": false }),
    })
}

pub(crate) fn baseline(app: &App, _: &Call) -> Answer {
    Ok(baseline_state(app).into())
}

fn size_of(dir: &Path) -> (u64, u64) {
    let (mut bytes, mut files) = (0, 0);
    let mut open = vec![dir.to_owned()];
    while let Some(dir) = open.pop() {
        for entry in std::fs::read_dir(dir).into_iter().flatten().flatten() {
            match entry.metadata() {
                Ok(m) if m.is_dir() => open.push(entry.path()),
                Ok(m) => {
                    bytes += m.len();
                    files += 1;
                }
                Err(_) => {}
            }
        }
    }
    (bytes, files)
}

pub(crate) fn system(app: &App, call: &Call) -> Answer {
    let folders: Vec<Value> = ["lake", "ring", "ledger", "imports", "models", "bundles", "queue", "sensor"]
        .iter()
        .map(|name| (name, app.config.data.join(name)))
        .filter(|(_, path)| path.is_dir())
        .map(|(name, path)| {
            let (bytes, files) = size_of(&path);
            json!({ "name": name, "bytes": bytes, "files": files })
        })
        .collect();
    let state_bytes = app.db.path().metadata().map_or(0, |m| m.len());
    let kinds: Vec<Value> = std::fs::read_dir(app.config.data.join("lake"))
        .into_iter()
        .flatten()
        .flatten()
        .map(|e| {
            let (bytes, files) = size_of(&e.path());
            json!({ "kind": e.file_name().to_string_lossy(), "bytes": bytes, "files": files })
        })
        .collect();
    let sensor = lock(&app.sensor).clone();
    Ok(json!({ "version": env!("CARGO_PKG_VERSION"), "data": app.config.data.display().to_string(), "address": app.address.to_string(),
        "started": app.started.to_string(), "uptime_seconds": (call.now - app.started.0) / 1_000_000_000, "folders": folders, "lake": kinds,
        "state_bytes": state_bytes, "sensor": sensor, "places": app.places().iter().map(|p| p.display().to_string()).collect::<Vec<_>>() })
    .into())
}

pub(crate) fn audit(app: &App, call: &Call) -> Answer {
    let (kind, actor) = (call.asked("kind").unwrap_or(""), call.asked("actor"));
    let limit = call.number("limit")?.unwrap_or(100_usize).clamp(1, 1_000);
    let wanted = |e: &ledger::Entry| e.kind.starts_with(kind) && actor.is_none_or(|a| a == e.actor);
    let entries = ledger::tail(app.ledger.dir(), call.number("before")?.unwrap_or(0), limit, wanted)?;
    let items: Vec<Value> = entries
        .iter()
        .map(|e| json!({ "n": e.n, "at": e.at, "kind": e.kind, "actor": e.actor, "data": e.data, "hash": e.hash }))
        .collect();
    let next = entries.last().filter(|e| entries.len() == limit && e.n > 1).map(|e| e.n);
    Ok(json!({ "items": items, "next": next }).into())
}

pub(crate) fn verify(app: &App, _: &Call) -> Answer {
    let report = ledger::verify(app.ledger.dir())?;
    let broken = report.broken.map(|b| json!({ "file": b.file, "line": b.line, "what": b.what }));
    Ok(json!({ "entries": report.entries, "files": report.files, "first": report.first, "last": report.last, "hash": report.hash,
        "broken": broken })
    .into())
}
