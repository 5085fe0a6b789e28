//! What is known to be bad: its sources with what of them is used, what ends soon, and what was met.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use axum::http::StatusCode;
use gwcore::Ts;
use serde_json::{Value, json};
use state::{Filter, Store};

use crate::app::{App, lock};
use crate::call::{Call, Problem};
use crate::routes::Answer;

/// What ends within this time ends soon (ns).
const SOON: i64 = 7 * 86_400 * 1_000_000_000;
/// Findings that are counted, the newest.
const HITS: usize = 5_000;
/// Entries of a file that are named when they are not used.
const REFUSED: usize = 50;
/// Files whose age is compared, at most.
const FILES: usize = 20_000;

/// Which files there are and how old: what was loaded holds as long as this does.
type Marks = Vec<(PathBuf, u64, Option<SystemTime>)>;

/// What the files came to the last time they were read.
pub(crate) struct Known {
    marks: Marks,
    files: Vec<Value>,
    /// Per source: indicators by kind, when each ends.
    sources: BTreeMap<String, Source>,
}

#[derive(Default)]
struct Source {
    kinds: BTreeMap<&'static str, u64>,
    endless: u64,
    ends: Vec<i64>,
}

/// Where the sensor's indicators lie: the set it uses, else what the console was given.
fn places(app: &App) -> Vec<PathBuf> {
    let known = app.config.data.join("sensor/known");
    let sets = std::fs::read_dir(&known).into_iter().flatten().flatten();
    let newest = sets.filter_map(|e| e.file_name().to_str()?.parse::<u64>().ok()).max();
    let staged = newest.map(|n| known.join(n.to_string()).join("intel")).filter(|p| p.is_dir());
    let mut all: Vec<PathBuf> = staged.into_iter().collect();
    all.extend(app.config.intel.iter().cloned());
    all
}

fn mark(path: &Path, depth: usize, marks: &mut Marks) {
    if marks.len() >= FILES || depth > 8 {
        return;
    }
    match path.metadata() {
        Ok(m) if m.is_dir() => {
            for entry in std::fs::read_dir(path).into_iter().flatten().flatten() {
                mark(&entry.path(), depth + 1, marks);
            }
        }
        Ok(m) => marks.push((path.to_owned(), m.len(), m.modified().ok())),
        Err(_) => {}
    }
}

fn load(places: &[PathBuf], marks: Marks) -> Result<Known, Problem> {
    let with_files: Vec<PathBuf> =
        places.iter().filter(|p| marks.iter().any(|m| m.0.starts_with(p))).cloned().collect();
    if with_files.is_empty() {
        return Ok(Known { marks, files: Vec::new(), sources: BTreeMap::new() });
    }
    let bad = |e: intel::LoadError| Problem::new(StatusCode::UNPROCESSABLE_ENTITY, e.to_string());
    let loaded = intel::load(&with_files).map_err(bad)?;
    let mut sources: BTreeMap<String, Source> = BTreeMap::new();
    for i in 0..u32::try_from(loaded.store.len()).unwrap_or(u32::MAX) {
        let Some(x) = loaded.store.get(i) else { continue };
        let source = sources.entry(x.source.to_owned()).or_default();
        *source.kinds.entry(x.kind.name()).or_default() += 1;
        match x.until {
            Some(until) => source.ends.push(until.0),
            None => source.endless += 1,
        }
    }
    for p in &loaded.patterns {
        let source = sources.entry(p.source.clone()).or_default();
        *source.kinds.entry("pattern").or_default() += 1;
        match p.until {
            Some(until) => source.ends.push(until.0),
            None => source.endless += 1,
        }
    }
    sources.values_mut().for_each(|s| s.ends.sort_unstable());
    let files = loaded.reports.iter().map(|r| {
        let refused: Vec<Value> = r
            .refused
            .iter()
            .take(REFUSED)
            .map(|x| json!({ "line": x.line, "what": x.what, "reason": x.reason, "in_part": x.in_part }))
            .collect();
        let name = r.path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
        json!({ "name": name, "format": r.format, "taken": r.taken(), "indicators": r.indicators, "patterns": r.patterns,
            "not_used": r.reasons.values().sum::<u64>(), "reasons": r.reasons, "refused": refused })
    });
    Ok(Known { marks, files: files.collect(), sources })
}

pub(crate) fn overview(app: &App, call: &Call) -> Answer {
    let places = places(app);
    let mut marks = Marks::new();
    places.iter().for_each(|p| mark(p, 0, &mut marks));
    marks.sort();
    let newest = marks.iter().filter_map(|m| m.2).max().and_then(|t| t.duration_since(SystemTime::UNIX_EPOCH).ok());
    let hits = hits(app)?;
    let mut held = lock(&app.known);
    if held.as_ref().is_none_or(|k| k.marks != marks) {
        *held = Some(load(&places, marks)?);
    }
    let known = held.as_ref();
    let by_source =
        |name: &str| hits.iter().filter(|h| h["source"] == name).filter_map(|h| h["findings"].as_u64()).sum::<u64>();
    let sources: Vec<Value> = known
        .iter()
        .flat_map(|k| &k.sources)
        .map(|(name, s)| {
            let ended = s.ends.partition_point(|e| *e <= call.now);
            let soon = s.ends.partition_point(|e| *e <= call.now.saturating_add(SOON)) - ended;
            let total = s.kinds.values().sum::<u64>();
            json!({ "name": name, "indicators": total, "kinds": s.kinds, "ended": ended, "ends_soon": soon, "endless": s.endless,
                "next_end": s.ends.get(ended).map(|e| Ts(*e).to_string()), "findings": by_source(name) })
        })
        .collect();
    let files = known.map(|k| k.files.clone()).unwrap_or_default();
    let told = lock(&app.sensor).get("known").cloned();
    let newest = newest.and_then(|d| i64::try_from(d.as_nanos()).ok()).map(|n| Ts(n).to_string());
    Ok(json!({ "sources": sources, "files": files, "hits": hits, "sensor": told, "newest_file": newest }).into())
}

/// What was met, by indicator, the most findings first.
fn hits(app: &App) -> Result<Vec<Value>, Problem> {
    let filter = Filter { detector: Some("intel-match".to_owned()), with_suppressed: true, ..Filter::default() };
    let mut by_indicator: BTreeMap<(String, String), Value> = BTreeMap::new();
    let (mut cursor, mut seen) = (None::<String>, 0);
    while seen < HITS {
        let page = app.db.findings(&filter, cursor.as_deref(), 500)?;
        seen += page.items.len();
        for f in page.items {
            let text = |v: &Value| v.as_str().unwrap_or_default().to_owned();
            let e = &f.finding["evidence"];
            let key = (text(&e["source"]), text(&e["indicator"]));
            let host = ["name", "ip", "mac"].iter().find_map(|k| f.finding["src"][*k].as_str()).unwrap_or_default();
            // Newest first: the first one met is the last that was seen.
            let entry = by_indicator.entry(key.clone()).or_insert_with(|| {
                json!({ "source": key.0, "indicator": key.1, "type": e["indicator_type"], "label": e["label"], "confidence": e["listed_confidence"],
                    "valid_until": e["valid_until"], "last": f.finding["ts_end"], "finding": f.id, "findings": 0, "open": 0, "devices": [] })
            });
            entry["findings"] = json!(entry["findings"].as_u64().unwrap_or(0) + 1);
            entry["open"] = json!(entry["open"].as_u64().unwrap_or(0) + u64::from(f.status == "open"));
            if let Some(devices) = entry["devices"].as_array_mut()
                && devices.len() < 8
                && !host.is_empty()
                && !devices.iter().any(|d| d == host)
            {
                devices.push(json!(host));
            }
        }
        cursor = page.next;
        if cursor.is_none() {
            break;
        }
    }
    let mut all: Vec<Value> = by_indicator.into_values().collect();
    all.sort_by_key(|h| std::cmp::Reverse(h["findings"].as_u64()));
    Ok(all)
}
