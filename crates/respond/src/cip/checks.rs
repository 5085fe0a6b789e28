//! The checks of CIP-015-1 R1.1, R1.2, R1.3, R2 and R3 (`specs/nerc-cip.md` §3): each row says what was found where; statuses are its §0's words.

use gwcore::Ts;
use gwcore::time::{HOUR, MINUTE, parse_rfc3339};
use serde::Serialize;

use crate::cip::facts::{Facts, Feed};
use crate::cip::{MANDATORY_CONTROL_CENTERS, MANDATORY_OTHERS};

/// Status of a requirement part; never one of compliance.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Status {
    /// Every automatic check held and every human record is there.
    Evidenced,
    /// A person must decide or sign.
    AttestationNeeded,
    /// Nothing was collected.
    NoData,
    /// An automatic check failed; the intervals are listed.
    Gap,
    /// The version is not mandatory yet: rehearsed.
    Future,
}

impl Status {
    /// The word.
    pub fn name(self) -> &'static str {
        match self {
            Status::Evidenced => "EVIDENCED",
            Status::AttestationNeeded => "ATTESTATION_NEEDED",
            Status::NoData => "NO_DATA",
            Status::Gap => "GAP",
            Status::Future => "FUTURE",
        }
    }
}

/// One thing a check found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Row {
    /// What it makes of the part.
    pub status: Status,
    /// Name of the check.
    pub check: &'static str,
    /// What it is about.
    pub object: String,
    /// Start, RFC 3339; empty where it has none.
    pub from: String,
    /// End.
    pub to: String,
    /// What was found, as a sentence.
    pub text: String,
}

/// A part of the standard.
#[derive(Clone, Debug, Serialize)]
pub struct Part {
    /// `CIP-015-1 R1.1`.
    pub id: &'static str,
    /// Our own short title.
    pub title: &'static str,
    /// `FUTURE` where it is not mandatory at the end of the period.
    pub status: Status,
    /// What the checks give, whether mandatory or not.
    pub rehearsal: Status,
    /// From when it is mandatory, the earliest of what is in scope.
    pub mandatory_from: String,
    /// Checks made, with how many objects each looked at.
    pub checks: Vec<(&'static str, u64)>,
    /// What they found.
    pub rows: Vec<Row>,
}

/// Assesses all parts.
pub fn assess(facts: &Facts) -> Vec<Part> {
    let parts = [
        ("CIP-015-1 R1.1", "Monitoring feeds chosen by a risk-based rationale", feeds(facts)),
        ("CIP-015-1 R1.2", "Methods that detect anomalous activity in these feeds", detection(facts)),
        ("CIP-015-1 R1.3", "Evaluation of what was detected", evaluation(facts)),
        ("CIP-015-1 R2", "Retention until the action is complete", retention(facts)),
        ("CIP-015-1 R3", "Protection against unauthorised deletion and modification", protection(facts)),
    ];
    let mandatory = mandatory(facts);
    let is_future = parse_rfc3339(&mandatory).is_none_or(|m| facts.to <= m);
    parts
        .into_iter()
        .map(|(id, title, (checks, rows))| {
            let rehearsal = rows.iter().map(|r| r.status).max().unwrap_or(Status::Evidenced);
            let status = if is_future { Status::Future } else { rehearsal };
            Part { id, title, status, rehearsal, mandatory_from: mandatory.clone(), checks, rows }
        })
        .collect()
}

type Checked = (Vec<(&'static str, u64)>, Vec<Row>);

fn mandatory(facts: &Facts) -> String {
    let at_centers = facts.scope.esp.iter().any(|e| e.control_center && (e.impact == "high" || e.erc));
    let in_scope = facts.scope.esp.iter().any(|e| e.impact == "high" || (e.impact == "medium" && e.erc));
    if at_centers || !in_scope { MANDATORY_CONTROL_CENTERS } else { MANDATORY_OTHERS }.to_owned()
}

fn row(status: Status, check: &'static str, object: &str, span: Option<(Ts, Ts)>, text: String) -> Row {
    let (from, to) = span.map_or((String::new(), String::new()), |(a, b)| (a.to_string(), b.to_string()));
    Row { status, check, object: object.to_owned(), from, to, text }
}

fn feeds(facts: &Facts) -> Checked {
    let (scope, mut rows) = (&facts.scope, Vec::new());
    let mut say = |r| rows.push(r);
    if scope.esp.is_empty() {
        say(row(
            Status::AttestationNeeded,
            "scope",
            "scope",
            None,
            "no perimeter is declared: a person declares what is in scope".to_owned(),
        ));
    } else if scope.approver.is_empty() {
        say(row(Status::AttestationNeeded, "scope", "scope", None, "nobody approved the scope".to_owned()));
    }
    for esp in &scope.esp {
        let excluded = scope.exclusion.iter().find(|x| x.esp == esp.name);
        let feeds: Vec<&Feed> = scope.feed.iter().filter(|f| f.esp == esp.name).collect();
        match (feeds.is_empty(), excluded) {
            (true, None) => say(row(
                Status::Gap,
                "feed_or_exclusion_per_esp",
                &esp.name,
                Some((facts.from, facts.to)),
                "no feed and no approved reason for having none".to_owned(),
            )),
            (true, Some(x)) if x.reason.trim().is_empty() => say(row(
                Status::Gap,
                "feed_or_exclusion_per_esp",
                &esp.name,
                None,
                "excluded without a reason".to_owned(),
            )),
            (true, Some(x)) if x.approver.is_empty() => say(row(
                Status::AttestationNeeded,
                "feed_or_exclusion_per_esp",
                &esp.name,
                None,
                "nobody approved that it is not monitored".to_owned(),
            )),
            _ => {}
        }
    }
    for feed in &scope.feed {
        if feed.rationale.trim().is_empty() {
            say(row(Status::Gap, "rationale", &feed.id, None, "the feed has no rationale".to_owned()));
        } else if feed.approver.is_empty() {
            say(row(
                Status::AttestationNeeded,
                "rationale",
                &feed.id,
                None,
                "nobody approved the rationale".to_owned(),
            ));
        }
    }
    if scope.gap_tolerance_minutes.is_none() {
        say(row(
            Status::AttestationNeeded,
            "feed_gaps",
            "gap_tolerance_minutes",
            None,
            "the entity has not set how long a feed may be silent: every minute counts".to_owned(),
        ));
    }
    for feed in &scope.feed {
        for r in silences(facts, feed) {
            say(r);
        }
    }
    let checks = vec![
        ("feed_or_exclusion_per_esp", scope.esp.len() as u64),
        ("rationale", scope.feed.len() as u64),
        ("feed_gaps", scope.feed.len() as u64),
    ];
    (checks, rows)
}

/// Stretches of the period without minutes of a feed. One that was acknowledged is listed in the gaps but makes no potential gap here.
fn silences(facts: &Facts, feed: &Feed) -> Vec<Row> {
    let mut seen: Vec<(Ts, Ts)> =
        facts.minutes.iter().filter(|m| m.interface == feed.interface).map(|m| (m.from, m.to)).collect();
    seen.sort();
    if seen.is_empty() {
        return vec![row(
            Status::NoData,
            "feed_gaps",
            &feed.id,
            Some((facts.from, facts.to)),
            "no minute of this feed was recorded".to_owned(),
        )];
    }
    let tolerance =
        i64::try_from(facts.scope.gap_tolerance_minutes.unwrap_or(0)).unwrap_or(i64::MAX).saturating_mul(MINUTE);
    let (mut at, mut out) = (facts.from, Vec::new());
    for (from, to) in seen.into_iter().chain([(facts.to, facts.to)]) {
        let end = from.min(facts.to);
        if end.since(at) > tolerance {
            let known = facts
                .gaps
                .iter()
                .find(|g| (g.interface.is_empty() || g.interface == feed.interface) && g.from < end && g.to > at);
            let minutes = end.since(at) / MINUTE;
            let acknowledged = known.is_some_and(|g| !g.acknowledged_by.is_empty());
            if !acknowledged {
                let cause = known.map_or("no cause recorded".to_owned(), |g| format!("cause {}", g.cause));
                out.push(row(
                    Status::Gap,
                    "feed_gaps",
                    &feed.id,
                    Some((at, end)),
                    format!("silent for {minutes} minutes, {cause}, acknowledged by nobody"),
                ));
            }
        }
        at = at.max(to);
    }
    out
}

fn detection(facts: &Facts) -> Checked {
    let mut rows = Vec::new();
    let before = facts.changes.iter().any(|c| c.at <= facts.from);
    if facts.changes.is_empty() {
        rows.push(row(
            Status::NoData,
            "configuration_known",
            "detection",
            Some((facts.from, facts.to)),
            "no detection configuration was recorded".to_owned(),
        ));
    } else if !before {
        let first = facts.changes.iter().map(|c| c.at).min().unwrap_or(facts.to);
        rows.push(row(
            Status::NoData,
            "configuration_known",
            "detection",
            Some((facts.from, first)),
            "no detection configuration is recorded before this".to_owned(),
        ));
    }
    for c in facts.changes.iter().filter(|c| c.at >= facts.from && c.at < facts.to) {
        if c.approved_by.is_empty() {
            rows.push(row(
                Status::Gap,
                "changes_approved",
                &format!("ledger entry {}", c.n),
                Some((c.at, c.at)),
                format!("{} changed by {} and approved by nobody", c.what, c.by),
            ));
        } else if c.approved_by == c.by {
            rows.push(row(
                Status::Gap,
                "changes_approved",
                &format!("ledger entry {}", c.n),
                Some((c.at, c.at)),
                format!("{} changed and approved by the same person, {}", c.what, c.by),
            ));
        }
    }
    if facts.baseline_approver.is_empty() {
        rows.push(row(
            Status::AttestationNeeded,
            "baseline_approved",
            "baseline",
            None,
            "no person approved the baseline in use".to_owned(),
        ));
    }
    (vec![("configuration_known", 1), ("changes_approved", facts.changes.len() as u64), ("baseline_approved", 1)], rows)
}

fn evaluation(facts: &Facts) -> Checked {
    let mut rows = Vec::new();
    let target = facts.scope.evaluation_target_hours;
    if target.is_none() && !facts.findings.is_empty() {
        rows.push(row(
            Status::AttestationNeeded,
            "evaluated_in_time",
            "evaluation_target_hours",
            None,
            "the entity has not set within which time findings are evaluated".to_owned(),
        ));
    }
    let limit = target.map(|h| i64::try_from(h).unwrap_or(i64::MAX).saturating_mul(HOUR));
    for f in &facts.findings {
        if !f.suppression.is_empty() {
            continue;
        }
        let due = limit.map(|l| f.raised.plus(l));
        match f.at {
            Some(at) if !f.by_person => rows.push(row(
                Status::Gap,
                "evaluated_by_a_person",
                &f.id,
                Some((f.raised, at)),
                format!("closed by the automation account {}: not evaluated", f.by),
            )),
            Some(at) if f.method.trim().is_empty() => rows.push(row(
                Status::Gap,
                "evaluated_with_a_method",
                &f.id,
                Some((f.raised, at)),
                format!("{} closed it without a method or reason", f.by),
            )),
            Some(at) if due.is_some_and(|d| at > d) => {
                let late = at.since(f.raised) / HOUR;
                rows.push(row(
                    Status::Gap,
                    "evaluated_in_time",
                    &f.id,
                    Some((due.unwrap_or(at), at)),
                    format!(
                        "evaluated {late} hours after it was raised; the entity's target is {} hours",
                        target.unwrap_or(0)
                    ),
                ));
            }
            Some(_) => {}
            None if due.is_some_and(|d| d < facts.to) => {
                rows.push(row(
                    Status::Gap,
                    "evaluated_in_time",
                    &f.id,
                    Some((due.unwrap_or(facts.to), facts.to)),
                    "not evaluated by the end of the period".to_owned(),
                ));
            }
            None => {}
        }
    }
    let n = facts.findings.len() as u64;
    (vec![("evaluated_by_a_person", n), ("evaluated_with_a_method", n), ("evaluated_in_time", n)], rows)
}

fn retention(facts: &Facts) -> Checked {
    let mut rows = Vec::new();
    for d in facts.deletions.iter().filter(|d| !d.case.is_empty()) {
        let held =
            facts.holds.iter().find(|h| h.case == d.case && h.placed <= d.at && h.released.is_none_or(|r| d.at < r));
        if held.is_some() {
            rows.push(row(
                Status::Gap,
                "nothing_held_was_deleted",
                &d.what,
                Some((d.at, d.at)),
                format!("{} of {} was deleted by {} while on hold (ledger entry {})", d.class, d.case, d.by, d.n),
            ));
        }
    }
    for h in facts.holds.iter().filter(|h| h.released.is_some() && h.completed.trim().is_empty()) {
        rows.push(row(
            Status::Gap,
            "released_after_completion",
            &h.case,
            h.released.map(|r| (r, r)),
            "released without a completed action".to_owned(),
        ));
    }
    (
        vec![
            ("nothing_held_was_deleted", facts.deletions.len() as u64),
            ("released_after_completion", facts.holds.len() as u64),
        ],
        rows,
    )
}

fn protection(facts: &Facts) -> Checked {
    let (ledger, mut rows) = (&facts.ledger, Vec::new());
    if ledger.entries == 0 && ledger.broken.is_empty() {
        rows.push(row(Status::NoData, "chain_verified", "ledger", None, "the ledger holds no entry".to_owned()));
    }
    if !ledger.broken.is_empty() {
        rows.push(row(Status::Gap, "chain_verified", "ledger", None, format!("the chain breaks: {}", ledger.broken)));
    }
    if ledger.anchor.is_empty() {
        rows.push(row(Status::AttestationNeeded, "anchored", "ledger", None, "the hash of the last entry was not kept elsewhere: whoever can write the folder could have made the chain anew".to_owned()));
    }
    for d in facts.deletions.iter().filter(|d| d.authority.trim().is_empty()) {
        rows.push(row(
            Status::Gap,
            "deletions_authorised",
            &d.what,
            Some((d.at, d.at)),
            format!("{} deleted by {} without policy or persons that allowed it (ledger entry {})", d.class, d.by, d.n),
        ));
    }
    (
        vec![
            ("chain_verified", ledger.entries),
            ("anchored", 1),
            ("deletions_authorised", facts.deletions.len() as u64),
        ],
        rows,
    )
}
