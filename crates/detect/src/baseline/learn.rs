//! Learning: facts become entries, values, rhythms and activity. What was excluded, and what the feed did not show, is not learned.

use std::collections::BTreeSet;

use gwcore::time::{HOUR, MINUTE};
use gwcore::{Addr, Body, Fact, FlowConst, Limit, LimitHits, Limits, Op, OpClass, Sample, Table, Ts, Uid};

use super::conduct::Watch;
use super::{Activity, Baseline, Class, Key, Seen, Value, float, observe, things, who};
use crate::Maintenance;
use crate::fold::{End, ends};
use crate::observation::Observation;

/// Learns a baseline from facts in the order of the input.
pub struct Learner {
    pub(super) baseline: Baseline,
    seen: Observation,
    limit: usize,
    exclude: Maintenance,
    frames: BTreeSet<u64>,
    excluded: Table<Uid, ()>,
    polls: Table<Key, Ts>,
    minutes: Table<Addr, i64>,
    before: Option<(Key, u64, u16)>,
    watch: Watch,
    hits: LimitHits,
    /// The last second with a packet.
    heard: Option<Ts>,
}

/// A time without any packet that is no longer watching.
const PAUSE: i64 = 10 * gwcore::time::MINUTE;

impl Learner {
    /// Nothing learned yet. What lies in a window of `exclude` (of its device, where it names one), or in a frame of `frames`, is not learned.
    pub fn new(limits: &Limits, exclude: Maintenance, frames: BTreeSet<u64>) -> Learner {
        let mut baseline = Baseline::default();
        // Number 0 is the absent word.
        baseline.words.intern("");
        Learner {
            baseline,
            seen: Observation::new(limits),
            limit: limits.get(Limit::BaselineKeys),
            exclude,
            frames,
            excluded: Table::default(),
            polls: Table::default(),
            minutes: Table::default(),
            before: None,
            heard: None,
            watch: Watch::new(limits),
            hits: LimitHits::default(),
        }
    }

    /// Takes the facts of a batch.
    pub fn batch(&mut self, facts: &[Fact], flows: &[FlowConst]) {
        for fact in facts {
            if let Some(flow) = flows.get(fact.flow.index()) {
                self.fact(fact, flow);
            }
        }
    }

    /// What was learned, and limits hit.
    pub fn finish(self) -> (Baseline, LimitHits) {
        let mut hits = self.hits;
        hits.add(&self.watch.hits());
        (self.baseline, hits)
    }

    fn fact(&mut self, fact: &Fact, flow: &FlowConst) {
        self.seen.fact(fact, flow);
        if let Body::Tick { .. } | Body::TimeBreak { .. } = fact.body {
            if let Body::Tick { frames: 1.. } = fact.body {
                self.baseline.hours.insert(fact.ts.0.div_euclid(HOUR));
                let since = self.heard.map_or(0, |last| fact.ts.since(last));
                if (0..PAUSE).contains(&since) {
                    self.baseline.measured += since;
                }
                self.heard = Some(fact.ts);
                let (a, b) = self.baseline.span.unwrap_or((fact.ts, fact.ts));
                self.baseline.span = Some((a.min(fact.ts), b.max(fact.ts)));
            }
            return;
        }
        // What its end teaches is not learned twice.
        if matches!(fact.body, Body::Unread) || self.is_excluded(fact, flow) {
            return;
        }
        things(fact, flow, &mut |thing| {
            let words = &mut self.baseline.words;
            let (a, b) = thing.pair();
            let (proto, word) = (words.intern(thing.proto), words.intern(thing.word));
            self.know(Key { class: thing.class, a, b, proto, word, n: thing.n }, fact.ts);
        });
        let before = match &fact.body {
            Body::Sample(s) if observe::UTILITY.contains(&s.proto) => self.sample(s, fact, flow),
            _ => None,
        };
        if let Body::Op(op) = &fact.body
            && !op.is_answer
        {
            self.poll(op, fact, flow);
        }
        let b = &mut self.baseline;
        self.watch.fact(fact, flow, before, &self.seen, (&mut b.conduct, &mut b.words));
        self.activity(fact, flow);
    }

    fn know(&mut self, key: Key, ts: Ts) {
        if let Some(seen) = self.baseline.keys.get_mut(&key) {
            seen.again(ts);
        } else if self.baseline.keys.len() < self.limit {
            self.baseline.keys.insert(key, Seen::at(ts));
        } else {
            self.hits.hit(Limit::BaselineKeys);
            self.baseline.full.insert(key.class);
        }
    }

    fn is_excluded(&mut self, fact: &Fact, flow: &FlowConst) -> bool {
        if self.frames.is_empty() && self.exclude.windows().is_empty() {
            return false;
        }
        let (src, dst) = ends(fact, flow);
        let claimed = match fact.body {
            Body::Claim { addr, mac, .. } => End { mac, addr, port: None },
            _ => src,
        };
        let named = |name: &str| [src, dst, claimed].iter().any(|end| end.is_called(name));
        let out = self.frames.contains(&fact.frame) || self.exclude.covers(fact.ts, named).is_some();
        // A flow with an excluded part is not summed up by its end.
        if out && self.excluded.len() < self.limit {
            self.excluded.insert(flow.uid, ());
        }
        out || (matches!(fact.body, Body::FlowEnd { .. }) && self.excluded.contains_key(&flow.uid))
    }

    fn poll(&mut self, op: &Op, fact: &Fact, flow: &FlowConst) {
        if op.class != OpClass::Read {
            return;
        }
        let (client, server) = ends(fact, flow);
        let words = &mut self.baseline.words;
        let (proto, word) = (words.intern(op.proto), words.intern(op.name));
        let key = Key { class: Class::Function, a: who(&client), b: who(&server), proto, word, n: poll_number(op) };
        let Some(last) = self.polls.get_mut(&key) else {
            if self.polls.len() < self.limit {
                self.polls.insert(key, fact.ts);
            }
            return;
        };
        let from = std::mem::replace(last, fact.ts);
        let between = fact.ts.since(from);
        if between > 0 && self.seen.quality(key.a, key.b, from, fact.ts).is_whole() {
            self.baseline.rhythms.entry(key).or_default().add(between);
        }
    }

    /// Learns a value; gives the one before it.
    fn sample(&mut self, s: &Sample, fact: &Fact, flow: &FlowConst) -> Option<f64> {
        let (sender, receiver) = ends(fact, flow);
        let server = if s.write { receiver } else { sender };
        let class = if s.write { Class::Control } else { Class::Point };
        let words = &mut self.baseline.words;
        let (proto, word) = (words.intern(s.proto), words.intern(s.point.table));
        let n = (s.point.unit, s.point.address);
        let key = Key { class, a: Addr::NONE, b: who(&server), proto, word, n };
        if !s.good {
            return None;
        }
        let mut last = None;
        if let Some(value) = self.baseline.values.get_mut(&key) {
            last = value.last();
            value.add(s.value, s.discrete);
        } else if self.baseline.values.len() < self.limit {
            let mut value = Value::default();
            value.add(s.value, s.discrete);
            self.baseline.values.insert(key, value);
        } else {
            self.hits.hit(Limit::BaselineKeys);
            return None;
        }
        self.pair(s, key, fact.frame);
        last
    }

    /// Registers read or written in one message may hold one number.
    fn pair(&mut self, s: &Sample, key: Key, frame: u64) {
        let word = if is_register(s) { float(s.value) } else { None };
        if let (Some((before, at, first)), Some(second)) = (self.before, word) {
            let follows = Key { n: (before.n.0, before.n.1.wrapping_add(1)), ..before } == key && at == frame;
            if let (true, Some(value)) = (follows, self.baseline.values.get_mut(&before)) {
                value.add_pair(first, second);
            }
        }
        self.before = word.map(|w| (key, frame, w));
    }

    fn activity(&mut self, fact: &Fact, flow: &FlowConst) {
        let Some(addr) = speaker(fact, flow) else { return };
        let minute = fact.ts.0.div_euclid(MINUTE);
        // Who speaks within a long session is a device, though the session began before the capture did.
        if self.minutes.get(&addr).is_none_or(|last| *last < minute) && !matches!(fact.body, Body::Claim { .. }) {
            let ts = fact.ts;
            observe::device(ends(fact, flow).0, &mut |t| {
                let key = Key { class: t.class, a: t.pair().0, b: Addr::NONE, proto: 0, word: 0, n: (0, 0) };
                self.know(key, ts);
            });
        }
        let Some(last) = self.minutes.get_mut(&addr) else {
            if self.minutes.len() < self.limit {
                self.minutes.insert(addr, minute);
                self.baseline.activity.insert(addr, Activity { minutes: 1, longest: 0, hours: 1 });
            }
            return;
        };
        let (from, to) = (*last, minute);
        if to <= from {
            return;
        }
        *last = to;
        let whole = !self.seen.was_silent(Ts(from.saturating_mul(MINUTE)), fact.ts);
        if let Some(a) = self.baseline.activity.get_mut(&addr) {
            a.minutes += 1;
            a.hours += u32::from(to.div_euclid(60) != from.div_euclid(60));
            a.longest = if whole { a.longest.max(to.abs_diff(from)) } else { a.longest };
        }
    }
}

/// The sender of a fact that one frame gave, if it is a device of the site.
pub(crate) fn speaker(fact: &Fact, flow: &FlowConst) -> Option<Addr> {
    let is_told_beside = matches!(
        fact.body,
        Body::FlowEnd { .. }
            | Body::Content { .. }
            | Body::Unread
            | Body::Gap { .. }
            | Body::Anomaly { .. }
            | Body::Asked { .. }
    );
    if fact.frame == 0 || is_told_beside {
        return None;
    }
    let (sender, _) = ends(fact, flow);
    let addr = match fact.body {
        Body::Claim { addr, .. } => addr,
        _ => who(&sender),
    };
    let usable = !addr.is_none() && !addr.is_multicast() && (addr.is_local() || sender.addr.is_none());
    usable.then_some(addr)
}

/// Tells polls of one function apart: number of the function, and a mix of first point and number of points.
pub(crate) fn poll_number(op: &Op) -> (u32, u32) {
    let what = op.point.map_or(0, |p| p.address.wrapping_mul(65_537) ^ p.unit.rotate_left(24));
    (u32::from(op.function), what ^ op.points.rotate_left(16))
}

/// Registers of 16 bits, two of which may hold one number.
pub(crate) fn is_register(s: &Sample) -> bool {
    s.proto == "modbus" && !s.discrete
}
