//! A case: findings that belong together, why each was joined, who works on it and what was decided.
//!
//! A case holds observations; it is an *incident* only once a named person determined so ([`Case::determine`]).

use std::collections::BTreeMap;

use gwcore::{Severity, Ts};
use serde::{Deserialize, Serialize};

use crate::attack_table::{Tactic, technique};
use crate::finding::{Finding, Party};
use crate::text;

/// Entries of a timeline that are kept; later ones are counted in [`Case::timeline_more`].
pub const TIMELINE: usize = 5_000;

/// Where a case stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// Nobody has looked at it.
    #[default]
    New,
    /// Somebody works on it.
    Open,
    /// It waits for somebody outside.
    Waiting,
    /// It is done, with a conclusion.
    Closed,
    /// Its findings went into another case.
    Merged,
}

impl State {
    /// The word.
    pub fn name(self) -> &'static str {
        match self {
            State::New => "new",
            State::Open => "open",
            State::Waiting => "waiting",
            State::Closed => "closed",
            State::Merged => "merged",
        }
    }

    /// From its word.
    pub fn parse(word: &str) -> Option<State> {
        [State::New, State::Open, State::Waiting, State::Closed, State::Merged].into_iter().find(|s| s.name() == word)
    }
}

/// A person or an automation account: who did something.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Actor {
    /// User name.
    pub name: String,
    /// Whether it is a person; an automation account may neither close nor determine.
    pub is_person: bool,
}

impl Actor {
    /// A person.
    pub fn person(name: &str) -> Actor {
        Actor { name: name.to_owned(), is_person: true }
    }

    /// The program itself.
    pub fn gridwarden() -> Actor {
        Actor { name: "gridwarden".to_owned(), is_person: false }
    }
}

/// Why a finding is part of a case.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum JoinKind {
    /// The finding that opened the case.
    First,
    /// It rests on a conversation of the case.
    Session,
    /// The same device did it.
    Actor,
    /// A device that was a target acts.
    Pivot,
    /// The same target, and the technique lies later in the usual order.
    TechniqueOrder,
    /// The same target soon after.
    Target,
    /// A person put it there.
    Person,
}

/// The reason of a join, as a sentence.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Join {
    /// Kind.
    pub kind: JoinKind,
    /// One sentence.
    pub reason: String,
}

/// A finding as a case holds it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Member {
    /// Finding id.
    pub id: String,
    /// Revision last seen.
    pub rev: u32,
    /// First packet.
    #[serde(with = "text::rfc3339")]
    pub ts: Ts,
    /// Last packet.
    #[serde(with = "text::rfc3339")]
    pub ts_end: Ts,
    /// When the evidence sufficed.
    #[serde(with = "text::rfc3339")]
    pub raised: Ts,
    /// Detector.
    pub detector: String,
    /// Headline.
    pub title: String,
    /// Consequence.
    #[serde(with = "text::severity")]
    pub severity: Severity,
    /// Techniques.
    pub attack: Vec<String>,
    /// Who.
    pub src: Party,
    /// To whom.
    pub dst: Party,
    /// Protocol.
    pub proto: String,
    /// Why it was told.
    pub why: String,
    /// Observations.
    pub count: u64,
    /// Conversations.
    pub uids: Vec<String>,
    /// Why it is here.
    pub join: Join,
}

impl Member {
    /// A finding, joined for a reason.
    pub fn new(f: &Finding, join: Join) -> Member {
        Member {
            id: f.id.clone(),
            rev: f.rev,
            ts: f.ts,
            ts_end: f.ts_end,
            raised: f.raised,
            detector: f.detector.clone(),
            title: f.title.clone(),
            severity: f.severity,
            attack: f.attack.clone(),
            src: f.src.clone(),
            dst: f.dst.clone(),
            proto: f.proto.clone(),
            why: f.why.clone(),
            count: f.count,
            uids: f.uids.clone(),
            join,
        }
    }
}

/// A line of the timeline.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Entry {
    /// When: packet time for what was seen, clock time for what was done.
    #[serde(with = "text::rfc3339")]
    pub at: Ts,
    /// Who.
    pub by: Actor,
    /// `seen`, `joined`, `note`, `state`, `owner`, `merge`, `split`, `determination`, `action`, `ticket`.
    pub kind: String,
    /// What, as a sentence.
    pub text: String,
    /// The finding concerned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finding: Option<String>,
}

/// What a person determined of a case; CIP-008 clocks start at `at` of a reportable or attempted one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Determined {
    /// A reportable incident.
    Reportable,
    /// An attempt to compromise.
    Attempt,
    /// An incident that is not reportable.
    NotReportable,
    /// No incident.
    NoIncident,
}

impl Determined {
    /// From its word.
    pub fn parse(word: &str) -> Option<Determined> {
        match word {
            "reportable" => Some(Determined::Reportable),
            "attempt" => Some(Determined::Attempt),
            "not-reportable" => Some(Determined::NotReportable),
            "no-incident" => Some(Determined::NoIncident),
            _ => None,
        }
    }

    /// The word.
    pub fn name(self) -> &'static str {
        match self {
            Determined::Reportable => "reportable",
            Determined::Attempt => "attempt",
            Determined::NotReportable => "not-reportable",
            Determined::NoIncident => "no-incident",
        }
    }
}

/// The decision of a named person.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Determination {
    /// What.
    pub what: Determined,
    /// Who decided.
    pub by: String,
    /// When.
    #[serde(with = "text::rfc3339")]
    pub at: Ts,
    /// Why.
    pub reason: String,
}

/// How a case or finding was judged in the end.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Disposition {
    /// `true-positive`, `benign`, `expected-work`, `false-positive`, `undetermined`.
    pub conclusion: String,
    /// Who evaluated it.
    pub by: String,
    /// When.
    #[serde(with = "text::rfc3339")]
    pub at: Ts,
    /// Method: the procedure followed, as the site names it.
    pub method: String,
    /// Further action, or that there is none.
    pub action: String,
}

/// Conclusions of a [`Disposition`].
pub const CONCLUSIONS: &[&str] = &["true-positive", "benign", "expected-work", "false-positive", "undetermined"];

/// What a change to a case may be refused for.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// Only people decide.
    #[error("`{0}` is an automation account: only a person may close a case or determine an incident")]
    NoPerson(String),
    /// It is over.
    #[error("the case is {0}")]
    NotOpen(&'static str),
    /// There is no such finding in it.
    #[error("no finding `{0}` in the case")]
    NoFinding(String),
    /// A value that is none of the allowed ones.
    #[error("`{got}` is none of {allowed}")]
    Value {
        /// What was given.
        got: String,
        /// What may be given.
        allowed: String,
    },
    /// Nothing would be left.
    #[error("a split must leave at least one finding")]
    Empty,
    /// A decision without a reason.
    #[error("a reason is needed")]
    NoReason,
}

/// A case.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Case {
    /// `case-` and the first twelve characters of the id of its first finding.
    pub id: String,
    /// Rises with each change.
    pub rev: u32,
    /// Headline.
    pub title: String,
    /// The gravest of its findings.
    #[serde(with = "text::severity")]
    pub severity: Severity,
    /// Where it stands.
    pub state: State,
    /// Who works on it.
    pub owner: Option<String>,
    /// First packet of its findings: CIP-008's first time, when it occurred.
    #[serde(with = "text::rfc3339")]
    pub occurred: Ts,
    /// Last packet.
    #[serde(with = "text::rfc3339")]
    pub ended: Ts,
    /// When the first finding was raised (packet time).
    #[serde(with = "text::rfc3339")]
    pub detected: Ts,
    /// When a person first took it up.
    #[serde(with = "text::rfc3339_option")]
    pub taken_up: Option<Ts>,
    /// When it was closed.
    #[serde(with = "text::rfc3339_option")]
    pub closed: Option<Ts>,
    /// Its findings by time.
    pub findings: Vec<Member>,
    /// What happened and what was done, by time of entry.
    pub timeline: Vec<Entry>,
    /// Entries beyond [`TIMELINE`].
    #[serde(default)]
    pub timeline_more: u64,
    /// Cases that share a device with this one but were not joined, with the reason.
    pub related: BTreeMap<String, String>,
    /// The determination that stands.
    pub determination: Option<Determination>,
    /// How it was judged.
    pub disposition: Option<Disposition>,
    /// The case that took its findings.
    pub merged_into: Option<String>,
    /// Tickets in other systems: destination and their id there.
    #[serde(default)]
    pub tickets: BTreeMap<String, String>,
}

impl Case {
    /// A case that a finding opens.
    pub fn open(first: &Finding) -> Case {
        let short: String = first.id.chars().take(12).collect();
        let mut case = Case {
            id: format!("case-{short}"),
            rev: 1,
            title: first.title.clone(),
            severity: first.severity,
            state: State::New,
            owner: None,
            occurred: first.ts,
            ended: first.ts_end,
            detected: first.raised,
            taken_up: None,
            closed: None,
            findings: Vec::new(),
            timeline: Vec::new(),
            timeline_more: 0,
            related: BTreeMap::new(),
            determination: None,
            disposition: None,
            merged_into: None,
            tickets: BTreeMap::new(),
        };
        case.join(first, Join { kind: JoinKind::First, reason: "opened the case".to_owned() });
        case.rev = 1;
        case
    }

    /// Takes a finding in, or its newer revision.
    pub fn join(&mut self, f: &Finding, join: Join) {
        match self.findings.iter_mut().find(|m| m.id == f.id) {
            Some(member) => {
                let join = member.join.clone();
                *member = Member::new(f, join);
            }
            None => {
                let text = format!("{} ({}): {}", f.title, f.severity.name(), join.reason);
                self.tell(f.raised, Actor::gridwarden(), "seen", text, Some(f.id.clone()));
                self.findings.push(Member::new(f, join));
            }
        }
        self.sum_up();
    }

    /// Takes over findings of another revision of the same case that this one lacks.
    pub fn complete_from(&mut self, other: &Case) {
        let lacks = |m: &&Member| !self.findings.iter().any(|f| f.id == m.id);
        let missing: Vec<Member> = other.findings.iter().filter(lacks).cloned().collect();
        if !missing.is_empty() {
            self.findings.extend(missing);
            self.sum_up();
        }
    }

    /// Recomputes what stands in the head from the findings, and raises the revision.
    fn sum_up(&mut self) {
        self.findings.sort_by(|a, b| (a.ts, &a.id).cmp(&(b.ts, &b.id)));
        self.rev += 1;
        let Some(gravest) = self.findings.iter().max_by(|a, b| a.severity.cmp(&b.severity).then(b.ts.cmp(&a.ts)))
        else {
            return;
        };
        self.severity = gravest.severity;
        self.title = match self.findings.len() - 1 {
            0 => gravest.title.clone(),
            1 => format!("{}, and one more finding", gravest.title),
            n => format!("{}, and {n} more findings", gravest.title),
        };
        self.occurred = self.findings.iter().map(|m| m.ts).min().unwrap_or_default();
        self.ended = self.findings.iter().map(|m| m.ts_end).max().unwrap_or_default();
        self.detected = self.findings.iter().map(|m| m.raised).min().unwrap_or_default();
    }

    fn tell(&mut self, at: Ts, by: Actor, kind: &str, text: String, finding: Option<String>) {
        if self.timeline.len() >= TIMELINE {
            self.timeline_more += 1;
            return;
        }
        self.timeline.push(Entry { at, by, kind: kind.to_owned(), text, finding });
    }

    /// Adds a line to the timeline.
    pub fn note(&mut self, at: Ts, by: &Actor, kind: &str, text: &str) {
        self.tell(at, by.clone(), kind, text.to_owned(), None);
        self.rev += 1;
    }

    fn must_be_open(&self) -> Result<(), Refused> {
        match self.state {
            State::Closed | State::Merged => Err(Refused::NotOpen(self.state.name())),
            _ => Ok(()),
        }
    }

    /// Gives it to somebody; the first time is when it was taken up.
    pub fn assign(&mut self, at: Ts, by: &Actor, owner: &str) -> Result<(), Refused> {
        self.must_be_open()?;
        self.owner = Some(owner.to_owned());
        self.taken_up.get_or_insert(at);
        if self.state == State::New {
            self.state = State::Open;
        }
        self.note(at, by, "owner", &format!("given to {owner}"));
        Ok(())
    }

    /// Moves it between the open states, or opens it again.
    pub fn set_state(&mut self, at: Ts, by: &Actor, state: State) -> Result<(), Refused> {
        if self.state == State::Merged {
            return Err(Refused::NotOpen("merged"));
        }
        if matches!(state, State::Closed | State::Merged) {
            return Err(Refused::Value { got: state.name().to_owned(), allowed: "new, open, waiting".to_owned() });
        }
        let was = std::mem::replace(&mut self.state, state);
        if was == State::Closed {
            self.closed = None;
        }
        if state == State::Open && by.is_person {
            self.taken_up.get_or_insert(at);
        }
        self.note(at, by, "state", &format!("{} → {}", was.name(), state.name()));
        Ok(())
    }

    /// Closes it with a conclusion; only a person may.
    pub fn close(&mut self, by: &Actor, disposition: Disposition) -> Result<(), Refused> {
        self.must_be_open()?;
        if !by.is_person {
            return Err(Refused::NoPerson(by.name.clone()));
        }
        if !CONCLUSIONS.contains(&disposition.conclusion.as_str()) {
            return Err(Refused::Value { got: disposition.conclusion, allowed: CONCLUSIONS.join(", ") });
        }
        if disposition.method.trim().is_empty() {
            return Err(Refused::NoReason);
        }
        let at = disposition.at;
        let text =
            format!("closed as {}: {}; method: {}", disposition.conclusion, disposition.action, disposition.method);
        self.disposition = Some(disposition);
        self.state = State::Closed;
        self.taken_up.get_or_insert(at);
        self.closed = Some(at);
        self.note(at, by, "state", &text);
        Ok(())
    }

    /// Records what a named person determined; only that makes a case an incident.
    pub fn determine(&mut self, at: Ts, by: &Actor, what: Determined, reason: &str) -> Result<(), Refused> {
        if self.state == State::Merged {
            return Err(Refused::NotOpen("merged"));
        }
        if !by.is_person {
            return Err(Refused::NoPerson(by.name.clone()));
        }
        if reason.trim().is_empty() {
            return Err(Refused::NoReason);
        }
        self.determination = Some(Determination { what, by: by.name.clone(), at, reason: reason.to_owned() });
        self.taken_up.get_or_insert(at);
        self.note(at, by, "determination", &format!("determined as {}: {reason}", what.name()));
        Ok(())
    }

    /// Whether a person determined it to be an incident.
    pub fn is_incident(&self) -> bool {
        self.determination.as_ref().is_some_and(|d| d.what != Determined::NoIncident)
    }

    /// Takes over all findings of another case, which then refers to this one.
    pub fn merge(&mut self, at: Ts, by: &Actor, other: &mut Case) -> Result<(), Refused> {
        self.must_be_open()?;
        other.must_be_open()?;
        if self.id == other.id {
            return Err(Refused::Empty);
        }
        for mut member in std::mem::take(&mut other.findings) {
            let reason = format!("merged from {} by {}; there: {}", other.id, by.name, member.join.reason);
            member.join = Join { kind: JoinKind::Person, reason };
            if !self.findings.iter().any(|m| m.id == member.id) {
                self.findings.push(member);
            }
        }
        self.timeline.extend(other.timeline.iter().cloned());
        self.timeline.sort_by_key(|e| e.at);
        self.timeline_more += self.timeline.len().saturating_sub(TIMELINE) as u64;
        self.timeline.truncate(TIMELINE);
        self.related.remove(&other.id);
        self.sum_up();
        self.note(at, by, "merge", &format!("{} was merged into this case", other.id));
        other.state = State::Merged;
        other.merged_into = Some(self.id.clone());
        other.note(at, by, "merge", &format!("merged into {}", self.id));
        Ok(())
    }

    /// Takes findings out into a case of their own.
    pub fn split(&mut self, at: Ts, by: &Actor, ids: &[String]) -> Result<Case, Refused> {
        self.must_be_open()?;
        for id in ids {
            if !self.findings.iter().any(|m| m.id == *id) {
                return Err(Refused::NoFinding(id.clone()));
            }
        }
        let (mut out, kept): (Vec<Member>, Vec<Member>) =
            std::mem::take(&mut self.findings).into_iter().partition(|m| ids.contains(&m.id));
        if out.is_empty() || kept.is_empty() {
            self.findings = if kept.is_empty() { out } else { kept };
            return Err(Refused::Empty);
        }
        self.findings = kept;
        for member in &mut out {
            member.join = Join { kind: JoinKind::Person, reason: format!("split from {} by {}", self.id, by.name) };
        }
        let short: String = out[0].id.chars().take(12).collect();
        // The first finding of a case gives it its name; one that leaves it needs another.
        let id = if format!("case-{short}") == self.id { format!("case-{short}-b") } else { format!("case-{short}") };
        let mut other =
            Case { id, state: State::New, owner: None, findings: out, timeline: Vec::new(), ..self.clone() };
        (other.rev, other.timeline_more, other.taken_up, other.closed) = (0, 0, None, None);
        (other.determination, other.disposition) = (None, None);
        other.tickets.clear();
        other.related = BTreeMap::from([(self.id.clone(), format!("split from it by {}", by.name))]);
        let (leaves, stays): (Vec<Entry>, Vec<Entry>) = std::mem::take(&mut self.timeline)
            .into_iter()
            .partition(|e| e.kind == "seen" && e.finding.as_ref().is_some_and(|f| ids.contains(f)));
        (self.timeline, other.timeline) = (stays, leaves);
        other.sum_up();
        other.note(at, by, "split", &format!("split from {}", self.id));
        self.related.insert(other.id.clone(), format!("split from this by {}", by.name));
        self.sum_up();
        self.note(at, by, "split", &format!("{} findings went into {}", other.findings.len(), other.id));
        Ok(other)
    }

    /// Techniques of its findings with name and tactic, in the usual order of tactics.
    pub fn techniques(&self) -> Vec<(String, &'static str, Tactic)> {
        let mut out: Vec<_> = self
            .findings
            .iter()
            .flat_map(|m| m.attack.first())
            .filter_map(|id| technique(id).map(|(name, tactic)| (id.clone(), name, tactic)))
            .collect();
        out.sort_by(|a, b| (a.2, &a.0).cmp(&(b.2, &b.0)));
        out.dedup();
        out
    }

    /// Who did what to whom: pairs of devices with the findings between them, the gravest first.
    pub fn edges(&self) -> Vec<Edge> {
        let mut pairs: BTreeMap<(String, String), Edge> = BTreeMap::new();
        for m in &self.findings {
            let edge = pairs.entry((m.src.shown(), m.dst.shown())).or_insert_with_key(|(from, to)| Edge {
                from: from.clone(),
                to: to.clone(),
                severity: m.severity,
                findings: Vec::new(),
                protos: Vec::new(),
            });
            edge.severity = edge.severity.max(m.severity);
            edge.findings.push(m.id.clone());
            if !edge.protos.contains(&m.proto) {
                edge.protos.push(m.proto.clone());
            }
        }
        let mut out: Vec<Edge> = pairs.into_values().collect();
        out.sort_by(|a, b| b.severity.cmp(&a.severity).then_with(|| (&a.from, &a.to).cmp(&(&b.from, &b.to))));
        out
    }
}

/// A pair of devices of a case.
#[derive(Clone, Debug, Serialize)]
pub struct Edge {
    /// Who.
    pub from: String,
    /// To whom.
    pub to: String,
    /// The gravest.
    #[serde(with = "text::severity")]
    pub severity: Severity,
    /// Ids of findings.
    pub findings: Vec<String>,
    /// Protocols.
    pub protos: Vec<String>,
}
