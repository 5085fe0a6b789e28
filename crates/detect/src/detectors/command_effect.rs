//! A command that the device accepted but that moved nothing, and a command to the state that there is already.

use gwcore::{
    Addr, AgedTable, Basis, Body, Fact, FactKinds, FlowConst, Limit, LimitHits, Op, OpClass, PointId, Sample, Severity,
    Table, Ts,
};

use super::{Detector, Look, Meta};
use crate::Setup;
use crate::baseline::{At, Class, Follower, Key, who};
use crate::fold::{Sighting, ends};
use crate::novelty::Novelty;

pub(super) static META: Meta = Meta {
    id: "command-effect",
    number: 51,
    finds: "An accepted command was not followed by the change of state that always followed it, or asked for the state that there was already.",
    innocent: "A stuck drive, an open auxiliary contact, a test position, a dispatcher who gives a command again to be sure.",
    call: "the control room: is the plant where the command should have put it",
    attack: &["T1692.002", "T1691.001", "T1692.001"],
    needs: "a baseline in which the command was given at least five times, reports of its effect within half a minute, a feed without gaps",
    severity: Severity::Medium,
};

/// The time learned for the effect, times this, must pass without it; and at least this long.
const TIMES: i64 = 3;
const LEAST: i64 = 10 * gwcore::time::SECOND;
/// Commands from which "never to the state that there was" says how the operators work: the next is an exception with a chance of a tenth.
const HABIT: u32 = 10;
/// Commands of a device under watch.
const WAITING: usize = 16;

/// A state as it was heard last.
#[derive(Clone, Copy, serde::Serialize, serde::Deserialize)]
#[serde(bound(deserialize = "'de: 'static"))]
struct Heard {
    value: f64,
    point: PointId,
    ts: Ts,
}

#[derive(serde::Serialize, serde::Deserialize)]
#[serde(bound(deserialize = "'de: 'static"))]
struct Pending {
    key: Key,
    fact: Fact,
    flow: FlowConst,
    deadline: Ts,
    accepted: bool,
    /// States that have not changed yet.
    missing: Vec<(At, PointId)>,
}

/// Commands under watch by device, and the states that follow commands.
pub(super) struct CommandEffect {
    novelty: Option<Novelty>,
    /// The states that follow commands, as they were heard last; as many as were learned.
    states: Table<Key, Option<Heard>>,
    /// Devices that have any.
    devices: Table<Addr, ()>,
    waiting: AgedTable<Addr, Vec<Pending>>,
    hits: LimitHits,
}

impl CommandEffect {
    pub(super) fn new(setup: &Setup) -> Self {
        let novelty = Novelty::new(setup, Class::Control);
        let mut states: Table<Key, Option<Heard>> = Table::default();
        for (key, effect) in novelty.iter().flat_map(|n| &n.baseline.conduct.effects) {
            states.extend(effect.reliable().map(|f| (state_key(key, f.at), None)));
        }
        let waiting = AgedTable::new(Limit::DetectorSources, setup.limits.get(Limit::DetectorSources));
        let devices = states.keys().map(|k| (k.b, ())).collect();
        CommandEffect { novelty, states, devices, waiting, hits: LimitHits::default() }
    }

    fn command(&mut self, op: &Op, fact: &Fact, flow: &FlowConst, look: &mut Look<'_>) {
        let (Some(novelty), Some(point)) = (&self.novelty, op.point) else { return };
        let (src, dst) = ends(fact, flow);
        let (from, to) = if op.is_answer { (dst, src) } else { (src, dst) };
        let Some(key) = novelty.baseline.point(Class::Control, (Addr::NONE, who(&to)), op.proto, point) else { return };
        let Some(effect) = novelty.baseline.conduct.effects.get(&key) else { return };
        if op.is_answer {
            let accepted = op.refused.is_none();
            let waiting = self.waiting.get_mut(&key.b).into_iter().flatten();
            return waiting.filter(|w| w.key == key).for_each(|w| w.accepted = accepted);
        }
        // A source that never commanded this point is told as such.
        if novelty.baseline.seen(&Key { a: who(&from), ..key }).is_none() {
            return;
        }
        // What a state was before a gap or a pause it need not be any more.
        let whole = |h: &Heard| look.seen.quality(who(&from), key.b, h.ts, fact.ts).is_whole();
        let known = |at: At| self.states.get(&state_key(&key, at)).copied().flatten().filter(|h| whole(h));
        let is_there = |f: &Follower, now: f64| op.value.and_then(|v| f.state(v)) == Some(now);
        let (mut missing, mut there, mut slowest) = (Vec::new(), None, 0);
        for f in effect.reliable() {
            match known(f.at) {
                // A command to the state that there is need not move it; one whose state is not known says nothing.
                Some(h) if is_there(f, h.value) => there = there.or(Some(h)),
                Some(h) => missing.push((f.at, h.point)),
                None => {}
            }
            slowest = slowest.max(f.slowest);
        }
        if let (Some(state), true) = (there, effect.commands >= HABIT) {
            see_there(novelty, (op, point), state, effect.commands, (fact, flow), look);
        }
        let deadline = fact.ts.plus(slowest.saturating_mul(TIMES).max(LEAST));
        let pending = Pending { key, fact: fact.clone(), flow: *flow, deadline, accepted: false, missing };
        self.wait(pending);
    }

    /// A command on the same point that was still under watch says nothing any more.
    fn wait(&mut self, pending: Pending) {
        let device = pending.key.b;
        if self.waiting.get(&device).is_none() && self.waiting.insert(device, Vec::new()).is_some() {
            self.hits.hit(Limit::DetectorSources);
        }
        let Some(waiting) = self.waiting.get_mut(&device) else { return };
        waiting.retain(|w| w.key != pending.key);
        if waiting.len() < WAITING && !pending.missing.is_empty() {
            waiting.push(pending);
        }
    }

    fn state(&mut self, s: &Sample, device: Addr, ts: Ts) {
        let Some(novelty) = &self.novelty else { return };
        let Some(key) = novelty.baseline.point(Class::Control, (Addr::NONE, device), s.proto, s.point) else { return };
        let Some(last) = self.states.get_mut(&key) else { return };
        let heard = Heard { value: s.value, point: s.point, ts };
        if last.replace(heard).is_some_and(|l| l.value != s.value) {
            let at = (key.word, key.n);
            self.waiting.get_mut(&device).into_iter().flatten().for_each(|w| w.missing.retain(|m| m.0 != at));
        }
    }

    /// The device speaks after the time of a command: what has not changed by then did not.
    fn judge(&mut self, device: Addr, now: Ts, look: &mut Look<'_>) {
        let (Some(novelty), Some(waiting)) = (&self.novelty, self.waiting.get_mut(&device)) else { return };
        if waiting.iter().all(|w| w.deadline >= now) {
            return;
        }
        let all = std::mem::take(waiting).into_iter();
        let (over, rest): (Vec<Pending>, Vec<Pending>) = all.partition(|w| w.deadline < now);
        *waiting = rest;
        for w in over.iter().filter(|w| w.accepted && !w.missing.is_empty()) {
            let source = who(&ends(&w.fact, &w.flow).0);
            if look.seen.quality(source, device, w.fact.ts, now).is_whole() {
                see_nothing(novelty, w, look);
            }
        }
    }
}

/// The key of a state of the device that a command's key names.
fn state_key(command: &Key, at: At) -> Key {
    Key { word: at.0, n: at.1, ..*command }
}

impl Detector for CommandEffect {
    super::keeps!(learned words; states, waiting);

    fn wants(&self) -> FactKinds {
        (FactKinds::SAMPLE | FactKinds::REQUEST | FactKinds::ANSWER).only_if(!self.states.is_empty())
    }

    fn learned(&mut self, setup: &Setup) {
        *self = Self::new(setup);
    }

    fn fact(&mut self, fact: &Fact, flow: &FlowConst, look: &mut Look<'_>) {
        if self.states.is_empty() {
            return;
        }
        match &fact.body {
            Body::Sample(s) if !s.write && s.good => {
                let device = who(&ends(fact, flow).0);
                if !self.devices.contains_key(&device) {
                    return;
                }
                if s.discrete {
                    self.state(s, device, fact.ts);
                }
                self.judge(device, fact.ts, look);
            }
            Body::Op(op) if op.class == OpClass::Control => self.command(op, fact, flow, look),
            _ => {}
        }
    }
    fn hits(&self) -> LimitHits {
        self.hits.clone()
    }
}

fn see_nothing(novelty: &Novelty, w: &Pending, look: &mut Look<'_>) {
    let Body::Op(op) = &w.fact.body else { return };
    let (src, dst) = ends(&w.fact, &w.flow);
    let (Some(point), Some(at)) = (op.point, w.missing.first()) else { return };
    let seconds = w.deadline.since(w.fact.ts) / gwcore::time::SECOND;
    look.see(&Sighting {
        dedup_key: format!("{}:{}:{}:{}:{}:nothing", dst.name(), op.proto, point.table, point.unit, point.address),
        severity: novelty.weigh(Severity::Medium, &dst),
        basis: Basis::Learned,
        attack: &["T1692.002", "T1691.001"],
        proto: op.proto,
        words: &|site| {
            let (from, to) = (site.name(&src), site.name(&dst));
            let (what, state) = (site.say_point(&dst, op.proto, point), site.say_point(&dst, op.proto, at.1));
            let title = format!("A command to {to} had no effect");
            let why = format!(
                "{to} accepted a command of {from} on {what}, but {state} did not change within {seconds} seconds, which it always did."
            );
            let expected = format!("a change of {state} within {seconds} seconds");
            (title, why, novelty.evidence(format!("{state} as before"), Some(expected)))
        },
        ..Sighting::of(&META, &w.fact, &w.flow)
    });
}

fn see_there(
    novelty: &Novelty,
    (op, point): (&Op, PointId),
    there: Heard,
    commands: u32,
    (fact, flow): (&Fact, &FlowConst),
    look: &mut Look<'_>,
) {
    let (src, dst) = ends(fact, flow);
    look.see(&Sighting {
        dedup_key: format!("{}:{}:{}:{}:{}:state", dst.name(), op.proto, point.table, point.unit, point.address),
        severity: novelty.weigh(Severity::Medium, &dst),
        basis: Basis::Learned,
        attack: &["T1692.001"],
        proto: op.proto,
        words: &|site| {
            let (from, to) = (site.name(&src), site.name(&dst));
            let (what, which) = (site.say_point(&dst, op.proto, point), site.say_point(&dst, op.proto, there.point));
            let now = site.say_value(&dst, op.proto, there.point, there.value);
            let title = format!("A command to {to} asks for the state that it has");
            let why = format!(
                "{from} commanded {what} of {to} though {which} was {now} already; none of {commands} commands learned did so."
            );
            let mut e = novelty.evidence(format!("{which} was {now} already"), Some("another state before".into()));
            e.seen = Some(u64::from(commands));
            (title, why, e)
        },
        ..Sighting::of(&META, fact, flow)
    });
}
