//! GOOSE publishers whose messages contradict each other: two senders under one name, changed values without a new state, silence.

use gwcore::time::{MILLI, MINUTE, SECOND};
use gwcore::{Body, Evidence, Fact, FactKinds, FlowConst, InPacket, Limit, LimitHits, Mac, Published, Severity, Ts};

use super::{Detector, Look, Meta};
use crate::fold::{Sighting, ends, evidence};
use crate::room::Room;
use crate::{Setup, Site};

pub(super) static META: Meta = Meta {
    id: "goose-state",
    number: 6,
    finds: "A GOOSE publisher contradicted itself, was doubled by a second sender, or fell silent.",
    innocent: "A restart of the publisher, a test set on the bus, an engineering change, frames lost by the capture.",
    call: "the protection engineer",
    attack: &["T1692.002", "T1691.002"],
    needs: "GOOSE on the captured segment",
    severity: Severity::Medium,
};

/// Shortest silence of a publisher that is told: ten heartbeats of the usual second, so that lost frames alone do not make one.
const SILENCE: i64 = 10 * SECOND;
/// The same of a publisher whose pauses are known: in times to live, of which each says that the next message comes within it (IEC 61850-8-1
/// §18.1.2.5.1); in pauses as long as the longest so far; and at least this long, since the time after a change of state is milliseconds.
const KNOWN_TTLS: i64 = 3;
const KNOWN_PAUSES: i64 = 2;
const KNOWN_SILENCE: i64 = 3 * SECOND;
/// Silence in times to live: the heartbeat is about half of one, so this too is ten messages in a row.
const SILENCE_TTLS: i64 = 5;
/// How late a message may come that another one overtook: the difference of two paths (PRP, HSR), with room for a busy switch.
const OVERTAKEN: i64 = SECOND / 10;
/// A publisher heard for this long is one, and not a name that somebody made up.
const LASTS: i64 = MINUTE;
/// Two changes of state within this time may carry the same time: the coarsest publisher's clock moves once a second.
const CLOCK_STEP: i64 = 2 * SECOND;
/// File and frame.
type Place = (u32, u64);
/// Lines of messages followed under one name; two make the contradiction, the others tell who else.
const LINES: usize = 4;

/// Messages that follow from each other: one sender, or a loss-free look-alike of one.
#[derive(Clone, serde::Serialize, serde::Deserialize)]
struct Line {
    mac: Mac,
    state: u64,
    sequence: u64,
    changed: Option<Ts>,
    values: u64,
    /// When the state was first and last heard.
    since: Ts,
    last: Ts,
    /// When it began, and file and frame of its last message.
    born: Ts,
    at: Place,
    /// State, sequence and time of change before the last change of state.
    before: Option<(u64, u64, Option<Ts>)>,
}

/// One control block.
#[derive(serde::Serialize, serde::Deserialize)]
#[serde(bound(deserialize = "'de: 'static"))]
struct Block {
    lines: Vec<Line>,
    ttl: i64,
    revision: u64,
    data_set: u64,
    simulated: bool,
    /// Its time of change moved with a state before: publishers without a clock never move it.
    moves: bool,
    /// A repetition carried another time of change: it does not keep the rules that its values, states and times are judged by.
    loose: bool,
    silent: bool,
    born: Ts,
    /// Longest pause while the feed went on, in nanoseconds.
    longest: i64,
    /// It was heard for a while.
    lasts: bool,
    /// Its repetitions are numbered: some publishers leave the number as it is.
    counts: bool,
    last: (Fact, FlowConst),
    /// Where the message that is taken in stands.
    at: Place,
}

/// What is wrong, how grave it is, and in words.
struct Break {
    kind: &'static str,
    severity: Severity,
    said: &'static str,
    observed: String,
    expected: String,
    /// The value as it stands in the packets, and the message before this one that carries it.
    value: Option<InPacket>,
    carried_by: Option<Place>,
}

impl Break {
    fn new(kind: &'static str, severity: Severity, said: &'static str, observed: String, expected: String) -> Break {
        Break { kind, severity, said, observed, expected, value: None, carried_by: None }
    }

    /// With a number of the message in place of which another was expected.
    fn naming(
        self,
        field: &'static str,
        observed: impl Into<serde_json::Value>,
        expected: impl Into<serde_json::Value>,
    ) -> Break {
        Break { value: Some(InPacket::new(field, observed, [expected])), ..self }
    }
}

/// Publishers by the reference of their control block; those heard for a while make room last.
pub(super) struct GooseState {
    blocks: Room<Box<str>, Block>,
}

impl GooseState {
    pub(super) fn new(setup: &Setup) -> Self {
        let limit = setup.limits.get(Limit::Publishers);
        GooseState { blocks: Room::new(Limit::Publishers, limit) }
    }
}

/// Whether an anomaly of the GOOSE parser is about the order of messages, which is judged here, and not about their bytes.
pub(super) fn is_about_state(reason: &str) -> bool {
    let order = ["sqnum_backwards", "stnum_backwards", "stnum_jump", "sqnum_gap", "sqnum_repeated", "content_changed"];
    let change = ["ttl_expired", "confrev_changed", "dataset_changed", "simulation_set", "values_without_stnum"];
    order.contains(&reason) || change.contains(&reason)
}

impl Line {
    fn new(m: &Published, mac: Mac, now: Ts, at: Place) -> Line {
        let (state, sequence, changed, values) = (m.state, m.sequence, m.changed, m.values);
        Line { mac, state, sequence, changed, values, since: now, last: now, born: now, at, before: None }
    }

    /// How well a message follows: 4 the next repetition, 3 a later one, 2 the next with another time of change, 1 a later state; 0 not
    /// at all.
    fn follows(&self, m: &Published, mac: Mac) -> u8 {
        if self.mac != mac {
            return 0;
        }
        let (same_state, same_time) = (self.state == m.state, self.changed == m.changed);
        // The standard's counters return to 1 after 2^32 - 1.
        let wrapped = self.sequence >= u64::from(u32::MAX) && m.sequence <= 1;
        let is_next = wrapped || m.sequence == self.sequence.saturating_add(1);
        match () {
            () if same_state && same_time && is_next => 4,
            () if same_state && same_time && m.sequence >= self.sequence => 3,
            () if same_state && is_next => 2,
            () if m.state > self.state || (self.state >= u64::from(u32::MAX) && m.state <= 1) => 1,
            () => 0,
        }
    }

    /// Whether a message goes on where this line stood before its last change of state: another sender has made that change.
    fn goes_on_before(&self, m: &Published, mac: Mac) -> bool {
        let is_after = |(state, sequence, changed)| (state, changed) == (m.state, m.changed) && m.sequence > sequence;
        self.mac == mac && self.before.is_some_and(is_after)
    }

    /// Whether a message is one that was overtaken.
    fn overtook(&self, m: &Published, mac: Mac, now: Ts) -> bool {
        let near = now.since(self.last) <= OVERTAKEN;
        let within = (self.state, self.changed, self.values) == (m.state, m.changed, m.values);
        let before = self.before.is_some_and(|(state, _, changed)| (state, changed) == (m.state, m.changed));
        self.mac == mac
            && near
            && (within || before)
            && m.sequence <= self.sequence.max(self.before.map_or(0, |b| b.1 + 1))
    }

    fn numbers(&self) -> String {
        format!("stNum {} sqNum {}", self.state, self.sequence)
    }
}

fn numbers(m: &Published) -> String {
    format!("stNum {} sqNum {}", m.state, m.sequence)
}

fn long(ttl: i64) -> i64 {
    SILENCE.max(ttl.saturating_mul(SILENCE_TTLS))
}

impl Block {
    fn new(m: &Published, mac: Mac, fact: &Fact, flow: &FlowConst) -> Block {
        Block {
            lines: vec![Line::new(m, mac, fact.ts, (flow.file, fact.frame))],
            ttl: m.ttl,
            revision: m.revision,
            data_set: m.data_set,
            simulated: m.simulated,
            moves: false,
            loose: false,
            silent: false,
            born: fact.ts,
            longest: 0,
            lasts: false,
            counts: false,
            last: (fact.clone(), *flow),
            at: (flow.file, fact.frame),
        }
    }

    /// Takes in a message and gives back what contradicts those before.
    fn take(&mut self, m: &Published, mac: Mac, now: Ts) -> Vec<Break> {
        let mut breaks = self.settings(m);
        // Of several lines that it may belong to: the one with its values, then the one that stands nearest.
        let rank = |(at, l): (usize, &Line)| (l.follows(m, mac), l.values == m.values, l.sequence, at);
        let best = self.lines.iter().enumerate().map(rank).filter(|r| r.0 > 0).max();
        if let Some((how, _, _, at)) = best {
            breaks.extend(self.two_lines(at, m, now));
            breaks.extend(self.go_on(at, how, m, now));
        } else if !self.lines.iter().any(|l| l.overtook(m, mac, now)) {
            breaks.extend(self.branch(m, mac, now));
        }
        self.expire(now);
        (self.ttl, self.silent) = (m.ttl, false);
        breaks
    }

    /// Configuration that changed.
    fn settings(&mut self, m: &Published) -> Vec<Break> {
        let mut breaks = Vec::new();
        let revision = std::mem::replace(&mut self.revision, m.revision);
        if revision != m.revision {
            let (observed, expected) = (m.revision.to_string(), revision.to_string());
            let said = "changed its configuration revision";
            let found = Break::new("revision", Severity::Low, said, observed, expected);
            breaks.push(found.naming("goose.conf_rev", m.revision, revision));
        } else if self.data_set != m.data_set {
            let said = "changed its data set without another configuration revision";
            let (observed, expected) = ("another data set".into(), "the same data set".into());
            breaks.push(Break::new("data set", Severity::Medium, said, observed, expected));
        }
        self.data_set = m.data_set;
        if m.simulated && !std::mem::replace(&mut self.simulated, m.simulated) {
            let said = "marks its messages as simulated";
            let (observed, expected) = ("simulation on".into(), "simulation off".into());
            let found = Break::new("simulation", Severity::Medium, said, observed, expected);
            breaks.push(found.naming("goose.simulation", true, false));
        }
        breaks
    }

    /// A message that follows from line `at`.
    fn go_on(&mut self, at: usize, how: u8, m: &Published, now: Ts) -> Option<Break> {
        let line = self.lines.get_mut(at)?;
        let old = line.clone();
        let since = if how > 1 { old.since } else { now };
        *line = Line { since, born: old.born, before: old.before, ..Line::new(m, old.mac, now, self.at) };
        let same_values = old.values == m.values;
        self.counts |= how == 4;
        let again = (old.state, old.sequence, old.changed) == (m.state, m.sequence, m.changed) && same_values;
        if again && self.counts && now.since(old.last) > OVERTAKEN {
            let observed = format!("{} again after {:.1} s", numbers(m), now.since(old.last) as f64 / SECOND as f64);
            let said = "was heard again with a message that it had sent before";
            let expected = "the next repetition or state".to_owned();
            return Some(Break::new("replay", Severity::Medium, said, observed, expected));
        }
        if how > 1 {
            self.loose |= how == 2;
            let observed = format!("other values in {}", numbers(m));
            let severity = if self.loose { Severity::Info } else { Severity::High };
            let said = "changed its values without a new state number";
            let expected = format!("the values of {}", old.numbers());
            return (!same_values).then(|| Break::new("values", severity, said, observed, expected));
        }
        line.before = Some((old.state, old.sequence, old.changed));
        let (severity, observed) = (if self.loose { Severity::Info } else { Severity::Medium }, numbers(m));
        let stood = m.changed.is_some() && m.changed == old.changed;
        let (kind, said, expected) = if same_values && m.state == old.state.saturating_add(1) && m.sequence <= 1 {
            ("empty state", "announced a new state with the values of the old one", "other values")
        } else if stood && self.moves && now.since(old.since) > CLOCK_STEP {
            ("time", "announced a new state with the time of the old one", "a later time")
        } else {
            self.moves |= !stood && m.changed.is_some();
            return None;
        };
        Some(Break::new(kind, severity, said, observed, expected.to_owned()))
    }

    /// Whether another line spoke since line `at` last did and now `at` goes on: two senders. A publisher that begins anew does not return.
    fn two_lines(&self, at: usize, m: &Published, now: Ts) -> Option<Break> {
        let (line, within) = (self.lines.get(at)?, long(self.ttl));
        let between = |l: &Line| l.last > line.last && now.since(l.last) <= within;
        let other = self.lines.iter().enumerate().find(|(i, l)| *i != at && between(l))?.1;
        let (kind, said) = if other.mac == line.mac {
            ("two lines", "sent two series of messages that contradict each other")
        } else {
            ("two senders", "is doubled by a second sender")
        };
        // The line that began later is the one that does not belong.
        let this = Line { state: m.state, sequence: m.sequence, at: self.at, ..line.clone() };
        let (late, early) = if other.born > this.born { (other, &this) } else { (&this, other) };
        let observed = format!("{} from {}", late.numbers(), late.mac);
        let expected = format!("what follows from {} from {}", early.numbers(), early.mac);
        let found = Break::new(kind, Severity::High, said, observed, expected);
        let carried_by = (late.at != self.at).then_some(late.at);
        Some(Break { carried_by, ..found.naming("goose.st_num", late.state, early.state) })
    }

    /// A message that follows from none.
    fn branch(&mut self, m: &Published, mac: Mac, now: Ts) -> Option<Break> {
        let within = long(self.ttl);
        let old = self.lines.iter().max_by_key(|l| l.last)?;
        let is_restart = m.state <= 1 && m.sequence <= 1;
        // Nobody heard it for long, or nobody listened: what it did meanwhile is not known, but no clock goes back.
        let is_unheard = now.since(old.last) > within && (!self.moves || m.changed > old.changed);
        let (kind, severity, said) = if self.lines.iter().any(|l| l.goes_on_before(m, mac)) {
            ("two lines", Severity::High, "took back a state that it had announced")
        } else if old.mac == mac && is_restart {
            ("restart", Severity::Low, "began anew")
        } else if old.mac == mac && is_unheard {
            ("restart unheard", Severity::Info, "has begun anew since it was last heard")
        } else if old.mac == mac {
            ("back", Severity::Medium, "went back to an earlier state or repetition")
        } else if now.since(old.last) > within {
            ("replaced", Severity::Low, "is another device than before")
        } else {
            ("joined", Severity::Low, "has the name of a publisher that is still at work")
        };
        let observed = format!("{} from {mac}", numbers(m));
        let expected = format!("what follows from {} from {}", old.numbers(), old.mac);
        let found = Break::new(kind, severity, said, observed, expected).naming("goose.st_num", m.state, old.state);
        if self.lines.len() >= LINES {
            self.lines.remove(0);
        }
        self.lines.push(Line::new(m, mac, now, self.at));
        Some(found)
    }

    /// The silence from which on it is missed.
    fn missed_after(&self) -> i64 {
        if !self.lasts {
            return long(self.ttl);
        }
        let by_own_word = self.ttl.saturating_mul(KNOWN_TTLS).max(self.longest.saturating_mul(KNOWN_PAUSES));
        by_own_word.max(KNOWN_SILENCE)
    }

    /// Forgets lines that fell silent, but the last.
    fn expire(&mut self, now: Ts) {
        let within = long(self.ttl);
        self.lines.retain(|l| now.since(l.last) <= within);
    }
}

impl Detector for GooseState {
    super::keeps!(blocks);

    fn wants(&self) -> FactKinds {
        FactKinds::PUBLISHED | FactKinds::TICK
    }

    fn fact(&mut self, fact: &Fact, flow: &FlowConst, look: &mut Look<'_>) {
        let Body::Published(m) = &fact.body else { return };
        let mac = if fact.flow.reversed() { flow.dst_mac } else { flow.src_mac };
        let Some(block) = self.blocks.get_mut(&m.stream) else {
            self.blocks.entry(&m.stream, || Block::new(m, mac, fact, flow));
            return;
        };
        block.at = (flow.file, fact.frame);
        for found in block.take(m, mac, fact.ts) {
            tell(&m.stream, &found, (fact, flow), &["T1692.002"], look);
        }
        if !look.seen.was_silent(block.last.0.ts, fact.ts) {
            block.longest = block.longest.max(fact.ts.since(block.last.0.ts));
        }
        block.last = (fact.clone(), *flow);
        if !block.lasts && fact.ts.since(block.born) > LASTS {
            block.lasts = true;
            self.blocks.prove(&m.stream);
        }
    }

    fn tick(&mut self, look: &mut Look<'_>) {
        let is_overdue = |b: &Block| {
            let since = b.last.0.ts;
            !b.silent && look.now.since(since) > b.missed_after() && !look.seen.was_silent(since, look.now)
        };
        let mut overdue: Vec<_> = self.blocks.iter().filter(|(_, b)| is_overdue(b)).map(|(s, _)| s.clone()).collect();
        overdue.sort_unstable();
        for stream in &overdue {
            let Some(block) = self.blocks.get_mut(stream) else { continue };
            let silence = look.now.since(block.last.0.ts);
            block.silent = true;
            let said = "fell silent while the segment went on";
            let observed = format!("no message for {} s", silence / SECOND);
            let expected = format!("a message within {} ms", block.ttl / MILLI);
            let found = Break::new("silence", Severity::Medium, said, observed, expected);
            tell(stream, &found, (&block.last.0, &block.last.1), &["T1691.002"], look);
        }
    }

    fn hits(&self) -> LimitHits {
        self.blocks.hits().clone()
    }
}

fn tell(
    stream: &str,
    found: &Break,
    (fact, flow): (&Fact, &FlowConst),
    attack: &'static [&'static str],
    look: &mut Look<'_>,
) {
    let (src, _) = ends(fact, flow);
    let attack = if found.severity >= Severity::Medium { attack } else { &[] };
    let words = |site: &Site| -> (String, String, Evidence) {
        let who = site.name(&src);
        let mut e = evidence(found.observed.clone(), Some(&found.expected), None);
        e.more.insert("control block".into(), stream.into());
        let why = format!(
            "The GOOSE publisher {who} ({stream}) {}: {} instead of {}.",
            found.said, found.observed, found.expected
        );
        (format!("GOOSE publisher {who} {}", found.said), why, e.naming(found.value.clone().map(|v| v.of(stream))))
    };
    look.see(&Sighting {
        dedup_key: format!("{stream}:{}", found.kind),
        severity: found.severity,
        attack,
        proto: "goose",
        words: &words,
        carried_by: found.carried_by,
        ..Sighting::of(&META, fact, flow)
    });
}
