//! Findings and what people decide about them; suppressions.

use std::sync::Arc;

use serde::Deserialize;
use serde_json::{Value, json};
use state::{Filter, Scope, Store, Triage};

use crate::app::App;
use crate::call::{Call, Problem, Reply, short};
use crate::routes::Answer;

/// How far back a preview of a suppression looks (ns).
const MONTH: i64 = 30 * 86_400 * 1_000_000_000;

pub(crate) fn list(app: &App, call: &Call) -> Answer {
    let severity = match call.asked("severity") {
        None => None,
        Some(word) => {
            let words = ["info", "low", "medium", "high", "critical"];
            let at = words.iter().position(|w| *w == word);
            Some(at.ok_or_else(|| Problem::bad(format!("`{}` is no severity", short(word))))? as u8)
        }
    };
    let text = |name: &str| call.asked(name).map(str::to_owned);
    let filter = Filter {
        status: call.asked("status").map(|s| s.split(',').map(str::to_owned).collect()).unwrap_or_default(),
        severity,
        detector: text("detector"),
        assignee: text("assignee").map(|a| if a == "-" { String::new() } else { a }),
        device: text("device"),
        source: text("source"),
        text: text("text"),
        from: call.time("from")?,
        to: call.time("to")?,
        with_suppressed: call.asked("suppressed").is_some_and(|v| v == "true"),
        gravest: call.asked("sort") == Some("gravest"),
    };
    let page = app.db.findings(&filter, call.asked("cursor"), call.number("limit")?.unwrap_or(100))?;
    Ok(json!({ "items": page.items, "next": page.next, "total": page.total }).into())
}

pub(crate) fn one(app: &App, call: &Call) -> Answer {
    let id = call.part("id");
    let stored = app.db.finding(id)?.ok_or_else(|| Problem::missing("such finding"))?;
    let key = &stored.finding;
    let scope = Scope { detector: key["detector"].as_str().map(str::to_owned), ..Scope::default() };
    let end = |side: &str| ["asset", "ip", "mac"].iter().find_map(|k| key[side][*k].as_str()).map(str::to_owned);
    let (src, dst) = (end("src"), end("dst"));
    // Similar: the same detector with an end in common, newest first.
    let mut similar = Vec::new();
    for scope in [Scope { src, ..scope.clone() }, Scope { dst, ..scope }] {
        if scope.src.is_some() || scope.dst.is_some() {
            similar.extend(app.db.covered(&scope, call.now - MONTH)?.into_iter().filter(|f| f.id != id));
        }
    }
    similar.sort_by(|a, b| a.id.cmp(&b.id));
    similar.dedup_by(|a, b| a.id == b.id);
    similar.sort_by_key(|f| std::cmp::Reverse(f.seq));
    let similar: Vec<Value> = similar
        .iter()
        .take(20)
        .map(|f| json!({ "id": f.id, "status": f.status, "verdict": f.verdict, "reason": f.reason, "title": f.finding["title"],
            "severity": f.finding["severity"], "ts": f.finding["ts"] }))
        .collect();
    let revisions: Vec<Value> =
        app.db.revisions(id)?.iter().map(|(rev, at)| json!({ "rev": rev, "stored": at })).collect();
    Ok(json!({ "item": stored, "revisions": revisions, "history": app.db.history(id)?, "similar": similar, "cases": super::cases::of_finding(app, id)? }).into())
}

#[derive(Deserialize)]
struct Decision {
    ids: Vec<String>,
    #[serde(flatten)]
    what: Triage,
}

pub(crate) fn triage(app: &App, call: &Call) -> Answer {
    let decision: Decision = call.body()?;
    if matches!(decision.what, Triage::Close { .. }) {
        super::response::only_people(call)?;
    }
    let batch = app.db.triage(&decision.ids, &decision.what, &call.who.actor, call.now)?;
    app.changed();
    Ok(json!({ "batch": batch }).into())
}

#[derive(Deserialize)]
struct Undo {
    batch: i64,
}

pub(crate) fn undo(app: &App, call: &Call) -> Answer {
    let undo: Undo = call.body()?;
    let ids = app.db.undo(undo.batch, &call.who.actor, call.now)?;
    app.changed();
    Ok(json!({ "ids": ids }).into())
}

pub(crate) fn records(
    app: Arc<App>,
    call: Call,
) -> std::pin::Pin<Box<dyn std::future::Future<Output = Answer> + Send>> {
    Box::pin(async move {
        let stored = {
            let (app, id) = (Arc::clone(&app), call.part("id").to_owned());
            let found = tokio::task::spawn_blocking(move || app.db.finding(&id)).await;
            found.map_err(|e| Problem::bad(e.to_string()))??.ok_or_else(|| Problem::missing("such finding"))?
        };
        let uids: Vec<String> = stored.finding["uids"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|u| u.as_str())
            .filter(|u| u.len() == 18 && u.bytes().all(|b| b.is_ascii_alphanumeric()))
            .take(20)
            .map(|u| format!("'{u}'"))
            .collect();
        let mut kinds = Vec::new();
        if !uids.is_empty() {
            let engine = app.engine().await?;
            for table in engine.tables() {
                let has = |n: &str| table.columns.iter().any(|c| c.0 == n);
                if !has("uid") || !has("frame") || table.name.ends_with("_object") || table.name.ends_with("_item") {
                    continue;
                }
                let sql = format!(
                    "SELECT * FROM \"{}\" WHERE uid IN ({}) ORDER BY ts, frame LIMIT 50",
                    table.name,
                    uids.join(", ")
                );
                let rows = super::hunt::rows(&engine, &sql, 50).await?;
                if rows["rows"].as_array().is_some_and(|r| !r.is_empty()) {
                    kinds.push(json!({ "kind": table.name, "records": rows }));
                }
            }
        }
        Ok(json!({ "kinds": kinds }).into())
    })
}

pub(crate) fn suppressions(app: &App, _: &Call) -> Answer {
    Ok(json!({ "items": app.db.suppressions()? }).into())
}

#[derive(Deserialize)]
struct Proposal {
    scope: Scope,
    reason: String,
    owner: String,
    expires: Value,
}

#[derive(Deserialize)]
struct Preview {
    scope: Scope,
}

pub(crate) fn preview(app: &App, call: &Call) -> Answer {
    let Preview { scope } = call.body()?;
    let covered = app.db.covered(&scope, call.now - MONTH)?;
    let alarms = covered
        .iter()
        .filter(|f| matches!(f.finding["severity"].as_str(), Some("medium" | "high" | "critical")))
        .count();
    let items: Vec<Value> = covered
        .iter()
        .take(50)
        .map(|f| json!({ "id": f.id, "title": f.finding["title"], "severity": f.finding["severity"], "ts": f.finding["ts"], "status": f.status }))
        .collect();
    Ok(json!({ "findings": covered.len(), "alarms": alarms, "days": 30, "items": items }).into())
}

pub(crate) fn propose(app: &App, call: &Call) -> Answer {
    let p: Proposal = call.body()?;
    let expires = match &p.expires {
        Value::String(text) => gwcore::time::parse_rfc3339(text).map(|t| t.0),
        other => other.as_i64(),
    };
    let expires = expires.ok_or_else(|| Problem::bad("`expires` is no time (RFC 3339)"))?;
    let id = app.db.propose_suppression(&p.scope, &p.reason, &p.owner, expires, &call.who.actor, call.now)?;
    Ok(json!({ "id": id }).into())
}

pub(crate) fn approve(app: &App, call: &Call) -> Answer {
    decide(app, call, true)
}

pub(crate) fn revoke(app: &App, call: &Call) -> Answer {
    decide(app, call, false)
}

fn decide(app: &App, call: &Call, approve: bool) -> Result<Reply, Problem> {
    let n = app.db.decide_suppression(call.part("id"), approve, &call.who.actor, call.now)?;
    app.changed();
    Ok(json!({ "findings": n }).into())
}
