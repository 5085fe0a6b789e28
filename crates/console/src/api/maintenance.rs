//! Declared work: windows listed with the findings inside, declared one by one or as CSV, taken back; what lies inside closed together.

use serde::Deserialize;
use serde_json::{Value, json};
use state::{Store, Triage, Verdict};

use crate::app::App;
use crate::call::{Call, Problem, Reply, short};
use crate::routes::Answer;
use crate::windows::{self, New};

/// Windows of a page at most; for this many the findings inside are counted.
const PAGE: usize = 200;

pub(crate) fn list(app: &App, call: &Call) -> Answer {
    let skip: usize = call.number("cursor")?.unwrap_or(0);
    let limit = call.number("limit")?.unwrap_or(50_usize).clamp(1, PAGE);
    let all = windows::list(&app.db)?;
    let next = (all.len() > skip.saturating_add(limit)).then(|| (skip + limit).to_string());
    let mut items = Vec::new();
    for w in all.iter().skip(skip).take(limit) {
        let inside = windows::inside(&app.db, w)?.len();
        let mut item = json!(w);
        item["findings"] = json!(inside);
        items.push(item);
    }
    Ok(json!({ "items": items, "next": next, "total": all.len() }).into())
}

fn time(value: &Value, name: &str) -> Result<i64, Problem> {
    let ts = match value {
        Value::String(text) => gwcore::time::parse_rfc3339(text).map(|t| t.0),
        other => other.as_i64(),
    };
    ts.ok_or_else(|| Problem::bad(format!("`{name}` is no time (RFC 3339)")))
}

#[derive(Deserialize)]
struct Declaration {
    start: Value,
    end: Value,
    #[serde(default)]
    device: String,
    reason: String,
}

pub(crate) fn declare(app: &App, call: &Call) -> Answer {
    let d: Declaration = call.body()?;
    let new = New {
        start: time(&d.start, "start")?,
        end: time(&d.end, "end")?,
        device: d.device.trim().to_owned(),
        reason: d.reason,
    };
    let ids = windows::declare(&app.db, &[new], &call.who.actor, call.now)?;
    Ok(json!({ "declared": ids.len(), "ids": ids }).into())
}

#[derive(Deserialize)]
struct File {
    csv: String,
}

pub(crate) fn import(app: &App, call: &Call) -> Answer {
    let File { csv } = call.body()?;
    let new = windows::parse(&csv).map_err(|e| Problem::bad(short(&e)))?;
    if new.is_empty() {
        return Err(Problem::bad("the file holds no window"));
    }
    let ids = windows::declare(&app.db, &new, &call.who.actor, call.now)?;
    Ok(json!({ "declared": ids.len(), "ids": ids }).into())
}

pub(crate) fn file(app: &App, _: &Call) -> Answer {
    let text = windows::csv(&windows::list(&app.db)?);
    Ok(Reply::File("text/csv; charset=utf-8", "maintenance.csv".to_owned(), text.into_bytes()))
}

pub(crate) fn withdraw(app: &App, call: &Call) -> Answer {
    windows::withdraw(&app.db, call.part("id"), &call.who.actor, call.now)?;
    Ok(json!({}).into())
}

/// Closes what lies in a window as maintenance; it can be undone like any decision.
pub(crate) fn close(app: &App, call: &Call) -> Answer {
    super::response::only_people(call)?;
    let window = windows::one(&app.db, call.part("id"))?;
    let ids: Vec<String> = windows::inside(&app.db, &window)?.into_iter().map(|f| f.id).collect();
    if ids.is_empty() {
        return Err(Problem::bad("no open finding lies in this window"));
    }
    let what = Triage::Close { verdict: Verdict::Maintenance, reason: window.reason.clone() };
    let batch = app.db.triage(&ids, &what, &call.who.actor, call.now)?;
    app.changed();
    Ok(json!({ "batch": batch, "findings": ids.len() }).into())
}
