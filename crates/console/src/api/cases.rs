//! Cases: the board, one case with its timeline and who did what to whom, what people do with it, its evidence.

use gwcore::Ts;
use respond::case::{Member, Refused};
use respond::playbook::shipped;
use respond::store::{Store, Wanted};
use respond::{Actor, Case, Correlator, Determined, Disposition, Finding, Join, JoinKind, Rules, State};
use serde::Deserialize;
use serde_json::{Value, json};
use state::Store as _;

use crate::app::App;
use crate::call::{Call, Problem, Reply, short};
use crate::routes::Answer;

/// Cases of a page at most.
const PAGE: usize = 500;
/// A change is tried again so often where somebody else changed the case meanwhile.
const TRIES: usize = 5;
/// Findings that make a case by hand, at most.
const MEMBERS: usize = 500;

impl From<Refused> for Problem {
    fn from(e: Refused) -> Self {
        match e {
            Refused::NoPerson(_) => Problem::new(axum::http::StatusCode::FORBIDDEN, e.to_string()),
            _ => Problem::bad(e.to_string()),
        }
    }
}

/// Who does it: a session is a person's, a token a program's.
pub(crate) fn actor(call: &Call) -> Actor {
    Actor { name: call.who.actor.clone(), is_person: call.secret.is_some() }
}

fn store(app: &App) -> Result<Store<'_>, Problem> {
    Ok(Store::open(&app.db)?)
}

fn one(app: &App, id: &str) -> Result<Case, Problem> {
    store(app)?.case(id)?.ok_or_else(|| Problem::missing("such case"))
}

pub(crate) fn list(app: &App, call: &Call) -> Answer {
    let text = |name: &str| call.asked(name).map(str::to_owned);
    let wanted = Wanted {
        states: call.asked("state").map(|s| s.split(',').map(str::to_owned).collect()).unwrap_or_default(),
        owner: text("owner").map(|o| if o == "-" { String::new() } else { o }),
        text: text("text"),
        finding: text("finding"),
    };
    let bad = |text: &str| Problem::bad(format!("`cursor` is none of ours: `{}`", short(text)));
    let cursor = match call.asked("cursor") {
        None => None,
        Some(text) => {
            let (at, id) = text.split_once('~').ok_or_else(|| bad(text))?;
            Some((at.parse().map_err(|_| bad(text))?, id.to_owned()))
        }
    };
    let limit = call.number("limit")?.unwrap_or(100_usize).clamp(1, PAGE);
    let store = store(app)?;
    let page = store.page(&wanted, cursor.as_ref(), limit)?;
    let items: Vec<Value> = page.items.iter().map(head).collect();
    let counts: Vec<Value> =
        store.counts()?.into_iter().map(|(state, n)| json!({ "state": state, "count": n })).collect();
    let next = page.next.map(|(at, id)| format!("{at}~{id}"));
    Ok(json!({ "items": items, "next": next, "total": page.total, "counts": counts }).into())
}

/// A case as the board shows it.
fn head(case: &Case) -> Value {
    let mut devices: Vec<String> = case.findings.iter().flat_map(|m| [m.src.shown(), m.dst.shown()]).collect();
    devices.sort();
    devices.dedup();
    json!({ "id": case.id, "rev": case.rev, "title": case.title, "severity": case.severity.name(), "state": case.state.name(), "owner": case.owner,
        "occurred": case.occurred.to_string(), "ended": case.ended.to_string(), "detected": case.detected.to_string(),
        "taken_up": case.taken_up.map(|t| t.to_string()), "closed": case.closed.map(|t| t.to_string()), "findings": case.findings.len(),
        "devices": devices.iter().take(8).collect::<Vec<_>>(), "devices_total": devices.len(), "techniques": case.techniques().iter().map(|t| &t.0).collect::<Vec<_>>(),
        "is_incident": case.is_incident(), "determined": case.determination.as_ref().map(|d| d.what.name()),
        "conclusion": case.disposition.as_ref().map(|d| &d.conclusion), "tickets": case.tickets, "merged_into": case.merged_into })
}

pub(crate) fn show(app: &App, call: &Call) -> Answer {
    let case = one(app, call.part("id"))?;
    let store = store(app)?;
    let runs: Vec<_> = store.runs()?.into_iter().filter(|r| r.case == case.id).collect();
    let actions: Vec<_> = store.actions()?.into_iter().filter(|a| a.case == case.id).collect();
    let holds: Vec<_> = store.holds()?.into_iter().filter(|h| h.case == case.id).collect();
    let techniques: Vec<Value> = case
        .techniques()
        .iter()
        .map(|(id, name, tactic)| json!({ "id": id, "name": name, "tactic": tactic.named().1 }))
        .collect();
    Ok(json!({ "item": case, "head": head(&case), "edges": case.edges(), "techniques": techniques, "runs": runs, "actions": actions, "holds": holds,
        "fits": shipped::proposed_for(&case), "is_incident": case.is_incident() })
    .into())
}

/// Applies a change and keeps it; where somebody else was faster it is applied to what they left.
fn change(app: &App, id: &str, mut what: impl FnMut(&mut Case) -> Result<(), Problem>) -> Answer {
    for attempt in 1.. {
        let mut case = one(app, id)?;
        what(&mut case)?;
        match store(app)?.keep_case(&case) {
            Ok(()) => {
                app.notify("case", &json!({ "id": case.id, "rev": case.rev }));
                return Ok(json!({ "item": case }).into());
            }
            Err(state::Error::Refused(_)) if attempt < TRIES => {}
            Err(e) => return Err(e.into()),
        }
    }
    Err(Problem::bad("the case changes too often: try again"))
}

#[derive(Deserialize)]
struct Owner {
    owner: String,
}

pub(crate) fn assign(app: &App, call: &Call) -> Answer {
    let Owner { owner } = call.body()?;
    if !app.db.users()?.iter().any(|u| u.name == owner && !u.disabled) {
        return Err(Problem::bad(format!("there is no user `{}`", short(&owner))));
    }
    change(app, call.part("id"), |c| Ok(c.assign(Ts(call.now), &actor(call), &owner)?))
}

#[derive(Deserialize)]
struct NewState {
    state: String,
}

pub(crate) fn set_state(app: &App, call: &Call) -> Answer {
    let wanted: NewState = call.body()?;
    let state = State::parse(&wanted.state)
        .ok_or_else(|| Problem::bad(format!("`{}` is none of new, open, waiting", short(&wanted.state))))?;
    change(app, call.part("id"), |c| Ok(c.set_state(Ts(call.now), &actor(call), state)?))
}

#[derive(Deserialize)]
struct Note {
    text: String,
}

pub(crate) fn note(app: &App, call: &Call) -> Answer {
    let Note { text } = call.body()?;
    if text.trim().is_empty() || text.len() > 10_000 {
        return Err(Problem::bad("a note has 1 to 10,000 characters"));
    }
    change(app, call.part("id"), |c| {
        c.note(Ts(call.now), &actor(call), "note", text.trim());
        Ok(())
    })
}

#[derive(Deserialize)]
struct Closing {
    conclusion: String,
    method: String,
    #[serde(default)]
    action: String,
}

pub(crate) fn close(app: &App, call: &Call) -> Answer {
    let closing: Closing = call.body()?;
    let action = if closing.action.trim().is_empty() { "no further action" } else { closing.action.trim() };
    let disposition = Disposition {
        conclusion: closing.conclusion.clone(),
        by: call.who.actor.clone(),
        at: Ts(call.now),
        method: closing.method.clone(),
        action: action.to_owned(),
    };
    change(app, call.part("id"), |c| Ok(c.close(&actor(call), disposition.clone())?))
}

#[derive(Deserialize)]
struct Determination {
    what: String,
    reason: String,
}

pub(crate) fn determine(app: &App, call: &Call) -> Answer {
    let asked: Determination = call.body()?;
    let what = Determined::parse(&asked.what).ok_or_else(|| {
        Problem::bad(format!("`{}` is none of reportable, attempt, not-reportable, no-incident", short(&asked.what)))
    })?;
    change(app, call.part("id"), |c| Ok(c.determine(Ts(call.now), &actor(call), what, &asked.reason)?))
}

#[derive(Deserialize)]
struct Other {
    other: String,
}

pub(crate) fn merge(app: &App, call: &Call) -> Answer {
    let Other { other } = call.body()?;
    let mut gone = one(app, &other)?;
    let (mut case, by) = (one(app, call.part("id"))?, actor(call));
    case.merge(Ts(call.now), &by, &mut gone)?;
    let store = store(app)?;
    store.keep_case(&case)?;
    store.keep_case(&gone)?;
    app.notify("case", &json!({ "id": case.id, "rev": case.rev }));
    Ok(json!({ "item": case }).into())
}

#[derive(Deserialize)]
struct Findings {
    findings: Vec<String>,
}

pub(crate) fn split(app: &App, call: &Call) -> Answer {
    let Findings { findings } = call.body()?;
    let mut case = one(app, call.part("id"))?;
    let new = case.split(Ts(call.now), &actor(call), &findings)?;
    let store = store(app)?;
    if store.case(&new.id)?.is_some() {
        return Err(Problem::bad(format!("there is a case `{}` already", new.id)));
    }
    store.keep_case(&case)?;
    store.keep_case(&new)?;
    app.notify("case", &json!({ "id": case.id, "rev": case.rev }));
    Ok(json!({ "item": case, "new": new.id }).into())
}

/// Makes a case of findings that a person chose.
pub(crate) fn make(app: &App, call: &Call) -> Answer {
    let Findings { findings: ids } = call.body()?;
    if ids.is_empty() || ids.len() > MEMBERS {
        return Err(Problem::bad(format!("a case is made of 1 to {MEMBERS} findings")));
    }
    let mut findings = Vec::new();
    for id in &ids {
        let stored = app.db.finding(id)?.ok_or_else(|| Problem::missing(&format!("finding `{}`", short(id))))?;
        findings.push(Finding::from_json(stored.finding).map_err(|e| Problem::bad(e.to_string()))?);
    }
    findings.sort_by(|a, b| (a.ts, &a.id).cmp(&(b.ts, &b.id)));
    let (by, store) = (actor(call), store(app)?);
    let mut case = Case::open(&findings[0]);
    if store.case(&case.id)?.is_some() {
        let text = format!("`{}` exists: its first finding opened it", case.id);
        return Err(Problem::bad(text));
    }
    for finding in findings.iter().skip(1) {
        let reason = format!("put there by {}", by.name);
        case.join(finding, Join { kind: JoinKind::Person, reason });
    }
    case.note(Ts(call.now), &by, "note", "made by hand of findings that were chosen");
    case.assign(Ts(call.now), &by, &by.name)?;
    store.keep_case(&case)?;
    app.notify("case", &json!({ "id": case.id, "rev": case.rev }));
    Ok(json!({ "item": case }).into())
}

pub(crate) fn evidence(app: &App, call: &Call) -> Answer {
    let case = one(app, call.part("id"))?;
    let person = super::response::person(call);
    let (name, bytes) = super::response::office(app)?.evidence(&person, &case)?;
    Ok(Reply::File("application/x-tar", name, bytes))
}

/// Correlates findings (lines of `alerts.ndjson`) with the open cases and keeps those that changed; how many.
pub fn correlate(db: &state::Db, findings: &[Value]) -> Result<usize, state::Error> {
    let store = Store::open(db)?;
    let open = store.open_cases()?;
    let before: std::collections::HashMap<String, u32> = open.iter().map(|c| (c.id.clone(), c.rev)).collect();
    let mut correlator = Correlator::new(Rules::default(), open);
    for doc in findings {
        let finding = Finding::from_json(doc.clone()).map_err(|e| state::Error::Refused(format!("a finding: {e}")))?;
        correlator.take(&finding);
    }
    let mut kept = 0;
    for case in correlator.into_cases() {
        if before.get(&case.id).is_none_or(|rev| *rev < case.rev) {
            match store.keep_case(&case) {
                Ok(()) => kept += 1,
                // A closed case of the same first finding, or one that a person changed in this moment: theirs stands.
                Err(state::Error::Refused(_)) => {}
                Err(e) => return Err(e),
            }
        }
    }
    Ok(kept)
}

/// Cases that hold a finding, with the reason.
pub(crate) fn of_finding(app: &App, id: &str) -> Result<Vec<Value>, Problem> {
    let wanted = Wanted { finding: Some(id.to_owned()), ..Wanted::default() };
    let page = store(app)?.page(&wanted, None, 5)?;
    let reason = |members: &[Member]| members.iter().find(|m| m.id == id).map(|m| m.join.reason.clone());
    let of = |c: &Case| json!({ "id": c.id, "title": c.title, "state": c.state.name(), "severity": c.severity.name(), "reason": reason(&c.findings) });
    Ok(page.items.iter().map(of).collect())
}
