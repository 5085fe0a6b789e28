//! Which findings belong into one case, and why: conversation, acting device, target, order of techniques, time.
//!
//! Facts (`info`) join nothing. A finding of medium or above that joins no case opens one; a low one joins a case or stays alone until a
//! later finding takes it along. Rules are tried from the strongest to the weakest; the reason of the join is a sentence that stands in the case.

use std::collections::{HashMap, HashSet, VecDeque};

use gwcore::time::{HOUR, MINUTE};
use gwcore::{Severity, Ts};

use crate::attack_table::technique;
use crate::case::{Case, Join, JoinKind, State};
use crate::finding::Finding;

/// How far apart findings may lie, and how many are kept.
#[derive(Clone, Copy, Debug)]
pub struct Rules {
    /// The same acting device, or a target that acts, ns.
    pub actor: i64,
    /// The same target with a technique that usually comes later, ns.
    pub order: i64,
    /// The same target, ns.
    pub target: i64,
    /// Open cases that are searched; beyond that the one longest without a finding takes no more.
    pub cases: usize,
    /// Findings of a case; beyond that it takes no more by itself.
    pub findings: usize,
    /// Low findings that wait for company.
    pub waiting: usize,
}

impl Default for Rules {
    fn default() -> Rules {
        Rules {
            actor: 24 * HOUR,
            order: 24 * HOUR,
            target: 30 * MINUTE,
            cases: 10_000,
            findings: 5_000,
            waiting: 50_000,
        }
    }
}

/// What a finding led to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Nothing: a fact, or a low one alone.
    None,
    /// A new case, and low findings it took along.
    Opened(String),
    /// Joined a case.
    Joined(String),
    /// A new revision of a finding of a case.
    Updated(String),
}

/// Correlates findings as they come.
#[derive(Debug, Default)]
pub struct Correlator {
    rules: Rules,
    cases: HashMap<String, Case>,
    /// Finding → case.
    of_finding: HashMap<String, String>,
    by_uid: HashMap<String, String>,
    by_actor: HashMap<String, Vec<String>>,
    by_target: HashMap<String, Vec<String>>,
    /// Cases in the order in which they last took a finding.
    recent: VecDeque<String>,
    /// Cases that a person closed or merged: they take nothing.
    retired: HashSet<String>,
    waiting: VecDeque<Finding>,
}

impl Correlator {
    /// Correlates by these rules, beginning with cases that are there already.
    pub fn new(rules: Rules, cases: impl IntoIterator<Item = Case>) -> Correlator {
        let mut it = Correlator { rules, ..Correlator::default() };
        for case in cases {
            it.index(&case);
            it.recent.push_back(case.id.clone());
            it.cases.insert(case.id.clone(), case);
        }
        it
    }

    /// Low findings that wait for company; they are taken out.
    pub fn take_waiting(&mut self) -> Vec<Finding> {
        self.waiting.drain(..).collect()
    }

    /// All cases by time and id.
    pub fn into_cases(self) -> Vec<Case> {
        let mut out: Vec<Case> = self.cases.into_values().collect();
        out.sort_by(|a, b| (a.occurred, &a.id).cmp(&(b.occurred, &b.id)));
        out
    }

    /// A case.
    pub fn case(&self, id: &str) -> Option<&Case> {
        self.cases.get(id)
    }

    /// Puts a case in that was changed elsewhere.
    pub fn put(&mut self, case: Case) {
        self.index(&case);
        if !self.cases.contains_key(&case.id) {
            self.recent.push_back(case.id.clone());
        }
        self.cases.insert(case.id.clone(), case);
    }

    /// Takes a finding, or a new revision of one.
    pub fn take(&mut self, f: &Finding) -> Outcome {
        if let Some(id) = self.of_finding.get(&f.id).cloned() {
            if let Some(case) = self.cases.get_mut(&id) {
                // Its own join stays.
                case.join(f, Join { kind: JoinKind::Person, reason: String::new() });
                self.index_ends(&id, &f.id, &f.uids, f.src.key(), f.dst.key());
            }
            return Outcome::Updated(id);
        }
        if f.severity < Severity::Low {
            return Outcome::None;
        }
        if let Some((id, join)) = self.home(f) {
            self.add(&id, f, join);
            return Outcome::Joined(id);
        }
        if f.severity < Severity::Medium {
            self.waiting.retain(|w| w.id != f.id);
            self.waiting.push_back(f.clone());
            while self.waiting.len() > self.rules.waiting {
                self.waiting.pop_front();
            }
            return Outcome::None;
        }
        let case = Case::open(f);
        let id = case.id.clone();
        self.index(&case);
        self.cases.insert(id.clone(), case);
        self.recent.push_back(id.clone());
        self.relate(&id, f);
        self.take_along(&id);
        self.retire_oldest();
        Outcome::Opened(id)
    }

    /// The case a finding belongs into, by the strongest rule.
    fn home(&self, f: &Finding) -> Option<(String, Join)> {
        let join = |kind, reason: String| Join { kind, reason };
        for uid in &f.uids {
            if let Some(id) = self.by_uid.get(uid).filter(|id| self.takes(id)) {
                return Some((id.clone(), join(JoinKind::Session, format!("rests on the same conversation, {uid}"))));
            }
        }
        let near = |id: &String, within: i64| {
            self.takes(id) && self.cases.get(id).is_some_and(|c| gap(c.occurred, c.ended, f.ts, f.ts_end) <= within)
        };
        if let Some(actor) = f.src.key() {
            if let Some(id) = latest(self.by_actor.get(actor), |id| near(id, self.rules.actor)) {
                let reason = format!("the same device acts, {}, within {}", f.src.shown(), hours(self.rules.actor));
                return Some((id, join(JoinKind::Actor, reason)));
            }
            if let Some(id) = latest(self.by_target.get(actor), |id| near(id, self.rules.actor)) {
                let reason = format!("{}, to whom it was done before, now acts itself", f.src.shown());
                return Some((id, join(JoinKind::Pivot, reason)));
            }
        }
        let target = f.dst.key()?;
        let of_target = self.by_target.get(target);
        if let Some((name, tactic)) = f.attack.first().and_then(|t| technique(t)) {
            let earlier = |id: &String| {
                let case = self.cases.get(id)?;
                case.findings
                    .iter()
                    .filter(|m| m.ts <= f.ts && m.dst.key() == Some(target))
                    .filter_map(|m| technique(m.attack.first()?))
                    .find(|(_, before)| *before < tactic)
            };
            if let Some(id) = latest(of_target, |id| near(id, self.rules.order) && earlier(id).is_some()) {
                let before = earlier(&id).map_or("", |(name, _)| name);
                let reason =
                    format!("on the same device, {}, {name} ({}) follows {before}", f.dst.shown(), tactic.named().1);
                return Some((id, join(JoinKind::TechniqueOrder, reason)));
            }
        }
        let id = latest(of_target, |id| near(id, self.rules.target))?;
        let reason =
            format!("the same device is concerned, {}, within {} minutes", f.dst.shown(), self.rules.target / MINUTE);
        Some((id, join(JoinKind::Target, reason)))
    }

    fn takes(&self, id: &str) -> bool {
        !self.retired.contains(id)
            && self.cases.get(id).is_some_and(|c| {
                !matches!(c.state, State::Closed | State::Merged) && c.findings.len() < self.rules.findings
            })
    }

    fn add(&mut self, id: &str, f: &Finding, join: Join) {
        let Some(case) = self.cases.get_mut(id) else { return };
        case.join(f, join);
        self.index_ends(id, &f.id, &f.uids, f.src.key(), f.dst.key());
        self.recent.retain(|r| r != id);
        self.recent.push_back(id.to_owned());
        self.relate(id, f);
    }

    /// Low findings that wait and belong to a case that has just been opened.
    fn take_along(&mut self, id: &str) {
        // Each that joins may draw in others; the number of rounds is bounded by the chain of devices that is still told in a case.
        for _ in 0..4 {
            let waiting: Vec<Finding> = self.waiting.drain(..).collect();
            let before = waiting.len();
            for f in waiting {
                match self.home(&f) {
                    Some((home, join)) if home == id => self.add(id, &f, join),
                    _ => self.waiting.push_back(f),
                }
            }
            if self.waiting.len() == before {
                break;
            }
        }
    }

    /// Notes other open cases that share a device with this finding.
    fn relate(&mut self, id: &str, f: &Finding) {
        let mut found: Vec<(String, String)> = Vec::new();
        for party in [&f.src, &f.dst] {
            let Some(key) = party.key() else { continue };
            for index in [&self.by_actor, &self.by_target] {
                for other in index.get(key).into_iter().flatten().rev().take(20) {
                    if other != id && self.takes(other) && !found.iter().any(|(o, _)| o == other) {
                        found.push((other.clone(), format!("{} is part of both", party.shown())));
                    }
                }
            }
        }
        for (other, reason) in found {
            if let Some(case) = self.cases.get_mut(&other) {
                case.related.insert(id.to_owned(), reason.clone());
            }
            if let Some(case) = self.cases.get_mut(id) {
                case.related.insert(other, reason);
            }
        }
    }

    fn index(&mut self, case: &Case) {
        for m in &case.findings {
            self.index_ends(&case.id, &m.id, &m.uids, m.src.key(), m.dst.key());
        }
    }

    fn index_ends(&mut self, case: &str, finding: &str, uids: &[String], src: Option<&str>, dst: Option<&str>) {
        self.of_finding.insert(finding.to_owned(), case.to_owned());
        for uid in uids {
            self.by_uid.insert(uid.clone(), case.to_owned());
        }
        for (index, key) in [(&mut self.by_actor, src), (&mut self.by_target, dst)] {
            let Some(key) = key else { continue };
            let list = index.entry(key.to_owned()).or_default();
            if list.last().is_none_or(|last| last != case) {
                list.retain(|id| id != case);
                list.push(case.to_owned());
            }
        }
    }

    fn retire_oldest(&mut self) {
        while self.recent.len() > self.rules.cases {
            if let Some(oldest) = self.recent.pop_front() {
                self.retired.insert(oldest);
            }
        }
    }
}

/// Time between two spans, 0 where they overlap.
fn gap(a: Ts, a_end: Ts, b: Ts, b_end: Ts) -> i64 {
    if b > a_end { b.since(a_end) } else { a.since(b_end).max(0) }
}

fn latest(list: Option<&Vec<String>>, fits: impl Fn(&String) -> bool) -> Option<String> {
    list?.iter().rev().take(50).find(|id| fits(id)).cloned()
}

fn hours(ns: i64) -> String {
    format!("{} hours", ns / HOUR)
}
