//! Playbooks and their runs, approvals, what is in force, the kill switch; destinations.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::http::StatusCode;
use respond::guard::Role;
use respond::store::Store;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::app::App;
use crate::call::{Call, Problem, Reply};
use crate::office::{Office, Person, Refusal, Wish};
use crate::routes::Answer;

/// Runs, actions and dead letters of a page at most.
const PAGE: usize = 500;

impl From<Refusal> for Problem {
    fn from(e: Refusal) -> Self {
        let status = match &e {
            Refusal::Bad(_) => StatusCode::BAD_REQUEST,
            Refusal::Missing(_) => StatusCode::NOT_FOUND,
            Refusal::Forbidden(_) => StatusCode::FORBIDDEN,
            Refusal::Failed(_) => StatusCode::UNPROCESSABLE_ENTITY,
        };
        Problem::new(status, e.to_string())
    }
}

/// The program behind the console.
pub(crate) fn office(app: &App) -> Result<&Arc<dyn Office>, Problem> {
    let none = || Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "this console runs alone: nothing is done from here");
    app.config.office.as_ref().ok_or_else(none)
}

/// Who asks, as playbooks know people.
pub(crate) fn person(call: &Call) -> Person {
    let role = match call.who.role {
        state::Role::Viewer => Role::Viewer,
        state::Role::Analyst => Role::Analyst,
        state::Role::Approver => Role::Approver,
        state::Role::Admin => Role::Admin,
    };
    Person { name: call.who.actor.clone(), role }
}

/// A decision that only people make: a program with a token makes none.
pub(crate) fn only_people(call: &Call) -> Result<(), Problem> {
    match call.secret {
        Some(_) => Ok(()),
        None => Err(Problem::new(StatusCode::FORBIDDEN, "only a person who is logged in may decide this")),
    }
}

/// Where a page begins: the number of what came before it.
fn skip(call: &Call) -> Result<usize, Problem> {
    Ok(call.number("cursor")?.unwrap_or(0))
}

fn page<T>(all: Vec<T>, call: &Call) -> Result<(Vec<T>, Option<String>), Problem> {
    let (skip, limit) = (skip(call)?, call.number("limit")?.unwrap_or(100_usize).clamp(1, PAGE));
    let next = (all.len() > skip.saturating_add(limit)).then(|| (skip + limit).to_string());
    Ok((all.into_iter().skip(skip).take(limit).collect(), next))
}

pub(crate) fn playbooks(app: &App, _: &Call) -> Answer {
    let items = app.config.office.as_ref().map(|o| o.playbooks()).unwrap_or_default();
    Ok(json!({ "items": items }).into())
}

pub(crate) fn runs(app: &App, call: &Call) -> Answer {
    let mut all = Store::open(&app.db)?.runs()?;
    if let Some(case) = call.asked("case") {
        all.retain(|r| r.case == case);
    }
    if let Some(states) = call.asked("state") {
        let states: Vec<&str> = states.split(',').collect();
        all.retain(|r| json!(r.state).as_str().is_some_and(|s| states.contains(&s)));
    }
    let waiting = all.iter().filter(|r| r.waiting.is_some()).count();
    let total = all.len();
    let (items, next) = page(all, call)?;
    Ok(json!({ "items": items, "next": next, "total": total, "waiting": waiting }).into())
}

pub(crate) fn run(app: &App, call: &Call) -> Answer {
    let run = Store::open(&app.db)?.run(call.part("id"))?;
    Ok(json!({ "item": run.ok_or_else(|| Problem::missing("such run"))? }).into())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Proposal {
    case: String,
    playbook: Option<String>,
    #[serde(default)]
    live: bool,
    #[serde(default)]
    values: BTreeMap<String, String>,
}

fn told(app: &App, run: &respond::playbook::Run) -> Answer {
    app.notify("run", &json!({ "id": run.id, "case": run.case, "state": run.state }));
    app.notify("case", &json!({ "id": run.case }));
    Ok(json!({ "item": run }).into())
}

pub(crate) fn propose(app: &App, call: &Call) -> Answer {
    let p: Proposal = call.body()?;
    let wish = Wish { case: p.case, playbook: p.playbook.filter(|n| !n.is_empty()), live: p.live, values: p.values };
    told(app, &office(app)?.propose(&person(call), &wish)?)
}

pub(crate) fn approve(app: &App, call: &Call) -> Answer {
    only_people(call)?;
    told(app, &office(app)?.approve(&person(call), call.part("id"))?)
}

#[derive(Deserialize)]
struct Yes {
    answer: bool,
}

pub(crate) fn answer(app: &App, call: &Call) -> Answer {
    only_people(call)?;
    let Yes { answer } = call.body()?;
    told(app, &office(app)?.answer(&person(call), call.part("id"), answer)?)
}

#[derive(Deserialize)]
struct Reason {
    reason: String,
}

fn reason(call: &Call) -> Result<String, Problem> {
    let Reason { reason } = call.body()?;
    match reason.trim() {
        "" => Err(Problem::bad("a reason is needed")),
        text => Ok(text.to_owned()),
    }
}

pub(crate) fn refuse(app: &App, call: &Call) -> Answer {
    only_people(call)?;
    let why = format!("not approved: {}", reason(call)?);
    told(app, &office(app)?.stop(&person(call), call.part("id"), &why)?)
}

pub(crate) fn stop(app: &App, call: &Call) -> Answer {
    told(app, &office(app)?.stop(&person(call), call.part("id"), &reason(call)?)?)
}

pub(crate) fn actions(app: &App, call: &Call) -> Answer {
    let mut all = Store::open(&app.db)?.actions()?;
    all.reverse();
    let in_force = all.iter().filter(|a| matches!(json!(a.state).as_str(), Some("begun" | "applied"))).count();
    let total = all.len();
    let (items, next) = page(all, call)?;
    Ok(json!({ "items": items, "next": next, "total": total, "in_force": in_force }).into())
}

pub(crate) fn undo(app: &App, call: &Call) -> Answer {
    let action = office(app)?.undo(&person(call), call.part("id"))?;
    app.notify("run", &json!({ "action": action.id, "case": action.case }));
    Ok(json!({ "item": action }).into())
}

pub(crate) fn kill_switch(app: &App, _: &Call) -> Answer {
    let by = app.config.office.as_ref().and_then(|o| o.killed_by());
    Ok(json!({ "on": by.is_some(), "by": by, "can_act": app.config.office.is_some() }).into())
}

#[derive(Deserialize)]
struct Switch {
    on: bool,
    reason: String,
}

pub(crate) fn kill(app: &App, call: &Call) -> Answer {
    let switch: Switch = call.body()?;
    if switch.reason.trim().is_empty() {
        return Err(Problem::bad("a reason is needed"));
    }
    if !switch.on {
        only_people(call)?;
    }
    let left = office(app)?.kill(&person(call), switch.on, switch.reason.trim())?;
    app.notify("run", &json!({ "kill_switch": switch.on }));
    Ok(json!({ "on": switch.on, "not_taken_back": left }).into())
}

pub(crate) fn destinations(app: &App, _: &Call) -> Answer {
    let items = app.config.office.as_ref().map(|o| o.destinations()).unwrap_or_default();
    Ok(json!({ "items": items }).into())
}

pub(crate) fn probe(app: &App, call: &Call) -> Answer {
    Ok(json!({ "text": office(app)?.probe(call.part("name"))? }).into())
}

pub(crate) fn test(app: &App, call: &Call) -> Answer {
    Ok(json!({ "text": office(app)?.test(&person(call), call.part("name"))? }).into())
}

pub(crate) fn dead(app: &App, call: &Call) -> Answer {
    let (skip, limit) = (skip(call)?, call.number("limit")?.unwrap_or(100_usize).clamp(1, PAGE));
    let mut items = office(app)?.dead(call.part("name"), skip, limit + 1)?;
    let next = (items.len() > limit).then(|| (skip + limit).to_string());
    items.truncate(limit);
    Ok(json!({ "items": items, "next": next }).into())
}

#[derive(Deserialize)]
struct Letters {
    #[serde(default)]
    ids: Vec<String>,
}

pub(crate) fn resend(app: &App, call: &Call) -> Answer {
    let Letters { ids } = if call.body.is_null() { Letters { ids: Vec::new() } } else { call.body()? };
    Ok(json!({ "events": office(app)?.resend(&person(call), call.part("name"), &ids)? }).into())
}

#[derive(Deserialize)]
struct Approval {
    sha256: String,
    #[serde(default)]
    accept: Vec<String>,
    #[serde(default)]
    leave_out: Vec<String>,
}

pub(crate) fn approve_baseline(app: &App, call: &Call) -> Answer {
    only_people(call)?;
    let a: Approval = call.body()?;
    let done = office(app)?.approve_baseline(&person(call), &a.sha256, &a.accept, &a.leave_out)?;
    Ok(done.into())
}

/// The packets of a finding, to open in Wireshark.
pub(crate) fn packets(app: &App, call: &Call) -> Answer {
    use state::Store as _;
    let stored = app.db.finding(call.part("id"))?.ok_or_else(|| Problem::missing("such finding"))?;
    let bytes = office(app)?.packets(&stored.finding)?;
    Ok(Reply::File("application/x-pcapng", format!("{}.pcapng", stored.id), bytes))
}

/// For the overview: what waits for a decision here.
pub(crate) fn waiting(app: &App) -> Result<Value, Problem> {
    let store = Store::open(&app.db)?;
    let cases = store.counts()?;
    let of = |state: &str| cases.iter().filter(|(s, _)| s == state).map(|(_, n)| n).sum::<i64>();
    let runs = store.runs()?;
    let approvals = runs.iter().filter(|r| r.waiting.is_some()).count();
    let in_force =
        store.actions()?.iter().filter(|a| matches!(json!(a.state).as_str(), Some("begun" | "applied"))).count();
    let dead: u64 = app.config.office.iter().flat_map(|o| o.destinations()).filter_map(|d| d.dead).sum();
    Ok(
        json!({ "cases_new": of("new"), "cases_open": of("open") + of("waiting"), "approvals": approvals, "in_force": in_force, "dead_letters": dead,
        "killed_by": app.config.office.as_ref().and_then(|o| o.killed_by()) }),
    )
}
