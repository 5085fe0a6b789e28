//! The rows of evidence from the state database and the ledger of a data folder; what people declare comes from a TOML file.

use std::collections::BTreeMap;
use std::path::Path;

use gwcore::Ts;
use gwcore::time::{MINUTE, parse_rfc3339};
use serde_json::Value;
use state::{Db, Store as _};

use crate::cip::{Change, Deletion, Evaluated, Facts, FeedGap, FeedMinutes, Hold, LedgerCheck, Scope, Unread};
use crate::store::Store;

/// Entries of the ledger that are looked at.
const ENTRIES: usize = 10_000_000;
/// Gaps that are read.
const GAPS: usize = 100_000;

/// Reads all rows of the period `[from, to)`. `anchor` says where the hash of the ledger's last entry was kept elsewhere; empty: nowhere.
pub fn load(db: &Db, ledger: &Path, scope: Scope, from: Ts, to: Ts, anchor: &str) -> Result<Facts, String> {
    let text = |e: state::Error| e.to_string();
    let entries = ledger::entries(ledger, "", "", ENTRIES).map_err(|e| e.to_string())?;
    let checked = ledger::verify(ledger).map_err(|e| e.to_string())?;
    let broken = checked.broken.as_ref().map(|b| format!("{} line {}: {}", b.file, b.line, b.what)).unwrap_or_default();
    let people: Vec<String> = db.users().map_err(text)?.into_iter().map(|u| u.name).collect();
    let store = Store::open(db).map_err(text)?;
    let holds = store.holds().map_err(text)?;
    let cases = store.cases().map_err(text)?;
    let minutes = db.minutes(from.0, to.0).map_err(text)?;
    let unread = unread(minutes.iter().map(|m| &m.doc));
    let gaps = db.gaps(GAPS).map_err(text)?;
    let gaps = gaps
        .iter()
        .map(|g| {
            let end = g.doc["ts_end"].as_str().or(g.doc["to"].as_str()).and_then(parse_rfc3339);
            FeedGap {
                interface: g.doc["interface"].as_str().unwrap_or("").to_owned(),
                from: Ts(g.ts),
                to: end.unwrap_or(Ts(g.ts)),
                cause: g.cause.clone(),
                acknowledged_by: g.acknowledged_by.clone().unwrap_or_default(),
            }
        })
        .filter(|g| g.to >= from && g.from < to)
        .collect();
    let mut findings = Vec::new();
    let mut seq = 0;
    loop {
        let page = db.findings_since(seq, 500).map_err(text)?;
        let Some(last) = page.last() else { break };
        seq = last.seq;
        for s in &page {
            let Ok(f) = crate::Finding::from_json(s.finding.clone()) else { continue };
            if f.severity < gwcore::Severity::Low || f.raised < from || f.raised >= to {
                continue;
            }
            let closing =
                db.history(&s.id).map_err(text)?.into_iter().rfind(|c| c.action == "close" && c.undone_by.is_none());
            let case = cases.iter().find(|c| c.findings.iter().any(|m| m.id == s.id));
            let by_case = case.and_then(|c| c.disposition.as_ref());
            let by = closing.as_ref().map(|c| c.actor.clone()).or(by_case.map(|d| d.by.clone())).unwrap_or_default();
            findings.push(Evaluated {
                id: f.id,
                raised: f.raised,
                severity: f.severity.name().to_owned(),
                detector: f.detector,
                title: f.title,
                by_person: people.contains(&by),
                by,
                at: closing.as_ref().map(|c| Ts(c.at)).or(by_case.map(|d| d.at)),
                conclusion: s.verdict.clone().or(by_case.map(|d| d.conclusion.clone())).unwrap_or_default(),
                method: s.reason.clone().or(by_case.map(|d| d.method.clone())).unwrap_or_default(),
                suppression: s.suppressed_by.clone().unwrap_or_default(),
                case: case.map(|c| c.id.clone()).unwrap_or_default(),
            });
        }
    }
    findings.sort_by(|a, b| (a.raised, &a.id).cmp(&(b.raised, &b.id)));
    let word = |data: &Value, key: &str| data[key].as_str().unwrap_or("").to_owned();
    let (mut changes, mut deletions, mut baseline_approver) = (Vec::new(), Vec::new(), String::new());
    for e in &entries {
        let Some(at) = parse_rfc3339(&e.at).filter(|at| *at < to) else { continue };
        match e.kind.as_str() {
            "detection.configuration" | "config.changed" | "baseline.approved" | "model.deployed" | "rules.changed" => {
                if e.kind == "baseline.approved" && people.contains(&e.actor) {
                    baseline_approver = e.actor.clone();
                }
                // A start with what was at work before is no change.
                if e.kind == "detection.configuration"
                    && changes.last().is_some_and(|last: &Change| last.hash == word(&e.data, "hash"))
                {
                    continue;
                }
                let approved_by =
                    if e.kind == "baseline.approved" { e.actor.clone() } else { word(&e.data, "approved_by") };
                let by = if e.kind == "baseline.approved" { word(&e.data, "proposed_by") } else { e.actor.clone() };
                changes.push(Change {
                    n: e.n,
                    at,
                    what: e.kind.clone(),
                    hash: word(&e.data, "hash"),
                    by,
                    approved_by,
                    reference: word(&e.data, "reference"),
                });
            }
            "retention.deleted" if at >= from => deletions.push(Deletion {
                n: e.n,
                at,
                class: word(&e.data, "class"),
                what: word(&e.data, "what"),
                case: word(&e.data, "case"),
                by: e.actor.clone(),
                authority: word(&e.data, "authority"),
            }),
            _ => {}
        }
    }
    // Of what came before the period only the last counts: it was in force at its start.
    let in_force = changes.iter().rposition(|c| c.at <= from).unwrap_or(0);
    changes.drain(..in_force.min(changes.len()));
    Ok(Facts {
        from,
        to,
        scope,
        minutes: stretches(&minutes),
        gaps,
        findings,
        changes,
        baseline_approver,
        holds: holds
            .into_iter()
            .map(|h| Hold {
                case: h.case,
                placed: Ts(h.placed),
                released: h.released.map(Ts),
                completed: h.completed.unwrap_or_default(),
            })
            .collect(),
        deletions,
        ledger: LedgerCheck { entries: checked.entries, hash: checked.hash, broken, anchor: anchor.to_owned() },
        unread,
    })
}

/// Minutes that follow each other as one row.
fn stretches(minutes: &[state::Minute]) -> Vec<FeedMinutes> {
    let mut by_interface: BTreeMap<&str, Vec<FeedMinutes>> = BTreeMap::new();
    for m in minutes {
        // A minute without a link delivered nothing, though it was counted.
        let (seconds, down) = (m.doc["seconds"].as_u64(), m.doc["down"].as_u64());
        if seconds.is_some_and(|s| s > 0 && down.is_some_and(|d| d >= s)) {
            continue;
        }
        let list = by_interface.entry(&m.interface).or_default();
        let (packets, dropped) = (u64::try_from(m.packets).unwrap_or(0), u64::try_from(m.dropped).unwrap_or(0));
        match list.last_mut() {
            Some(last) if last.to == Ts(m.ts) => {
                last.to = Ts(m.ts).plus(MINUTE);
                last.minutes += 1;
                last.packets += packets;
                last.dropped += dropped;
            }
            _ => list.push(FeedMinutes {
                interface: m.interface.clone(),
                from: Ts(m.ts),
                to: Ts(m.ts).plus(MINUTE),
                minutes: 1,
                packets,
                dropped,
            }),
        }
    }
    by_interface.into_values().flatten().collect()
}

/// What no parser read, added up over minutes; none where no minute says anything of it.
fn unread<'a>(docs: impl Iterator<Item = &'a Value>) -> Option<Vec<Unread>> {
    let (mut sums, mut told): (BTreeMap<String, (u64, u64)>, bool) = (BTreeMap::new(), false);
    for doc in docs {
        let Some(list) = doc["unread"].as_array() else { continue };
        told = true;
        for u in list {
            let parts: Vec<String> = ["proto", "protocol", "port", "name"]
                .iter()
                .filter_map(|k| u[*k].as_str().map(str::to_owned).or(u[*k].as_u64().map(|n| n.to_string())))
                .collect();
            let sum = sums.entry(parts.join(" ")).or_default();
            sum.0 += u["packets"].as_u64().unwrap_or(0);
            sum.1 += u["bytes"].as_u64().unwrap_or(0);
        }
    }
    told.then(|| sums.into_iter().map(|(what, (packets, bytes))| Unread { what, packets, bytes }).collect())
}
