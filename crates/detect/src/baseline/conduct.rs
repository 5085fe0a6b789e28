//! Conduct: how known sources use what they may do, learned beside what there is.

use gwcore::time::MINUTE;
use gwcore::{Addr, Body, Fact, FlowConst, Limit, LimitHits, Limits, Op, OpClass, PointId, Sample, Table};
use serde::{Deserialize, Serialize};

use super::bound::{Bound, binding_key, bound};
use super::effect::{Effect, EffectWatch};
use super::motion::{Motion, MotionWatch, Poll};
use super::pace::{Pace, PointWatch, Source, SourceWatch, moves};
use super::rate::{Rate, RateWatch};
use super::select::{SelectWatch, Selects};
use super::session::{SessionWatch, Sessions};
use super::stroke::StrokeWatch;
use super::{Class, Key, Words, who};
use crate::Setup;
use crate::fold::ends;
use crate::observation::Observation;
use crate::window::Windows;

/// Different points of a device kept of a minute.
const POINTS_KEPT: usize = 64;

/// What two learned halves know together.
pub(crate) trait Merge {
    fn merge(&mut self, other: &Self);
}

/// Everything learned of conduct. The keys of each table have the class that it says.
#[derive(Clone, Debug, Default)]
pub(crate) struct Conduct {
    /// `Command`, source alone.
    pub(crate) sources: Table<Key, Source>,
    /// `Control`, with source.
    pub(crate) paces: Table<Key, Pace>,
    /// `Command`, with the word of the points' table.
    pub(crate) selects: Table<Key, Selects>,
    /// `Control`, without source.
    pub(crate) effects: Table<Key, Effect>,
    /// `Point`, client and server, first point, and the number of points mixed into its address.
    pub(crate) motions: Table<Key, Motion>,
    /// `Conversation`.
    pub(crate) sessions: Table<Key, Sessions>,
    /// `Function`: how often a client asks for a function that changes something.
    pub(crate) rates: Table<Key, Rate>,
    /// `Device`, by the IP address: the MAC addresses that spoke for it.
    pub(crate) bindings: Table<Key, Bound>,
}

impl Conduct {
    /// Adds what another one learned; `moved` and `word` translate its words.
    pub(crate) fn merge(&mut self, o: &Conduct, moved: &dyn Fn(&Key) -> Key, word: &dyn Fn(u16) -> u16) {
        merge(&mut self.sources, &o.sources, moved);
        merge(&mut self.paces, &o.paces, moved);
        merge(&mut self.selects, &o.selects, moved);
        for (k, effect) in &o.effects {
            let theirs = effect.moved(word);
            self.effects.entry(moved(k)).and_modify(|mine| mine.merge(&theirs)).or_insert(theirs);
        }
        merge(&mut self.motions, &o.motions, moved);
        merge(&mut self.sessions, &o.sessions, moved);
        merge(&mut self.rates, &o.rates, moved);
        merge(&mut self.bindings, &o.bindings, moved);
    }
}

fn merge<V: Merge + Clone>(mine: &mut Table<Key, V>, theirs: &Table<Key, V>, moved: &dyn Fn(&Key) -> Key) {
    for (k, v) in theirs {
        mine.entry(moved(k)).and_modify(|m| m.merge(v)).or_insert_with(|| v.clone());
    }
}

/// Key of a source.
pub(crate) fn source_key(source: Addr) -> Key {
    Key { class: Class::Command, a: source, b: Addr::NONE, proto: 0, word: 0, n: (0, 0) }
}

/// What tells polls of one first point apart.
pub(crate) fn poll_place((_, _, _, first, count): &Poll) -> (u32, u32) {
    (first.unit, first.address ^ count.rotate_left(16))
}

/// Everything that is followed while conduct is learned.
pub(super) struct Watch {
    sources: SourceWatch,
    points: PointWatch,
    selects: SelectWatch,
    effects: EffectWatch,
    motions: MotionWatch,
    sessions: SessionWatch,
    strokes: StrokeWatch,
    rates: RateWatch,
    points_of: Windows<(Addr, Addr, &'static str), PointId>,
    limit: usize,
    hits: LimitHits,
}

impl Watch {
    pub(super) fn new(limits: &Limits) -> Watch {
        Watch {
            sources: SourceWatch::new(limits),
            points: PointWatch::new(limits),
            selects: SelectWatch::new(limits),
            effects: EffectWatch::new(limits),
            motions: MotionWatch::new(limits),
            sessions: SessionWatch::new(limits),
            strokes: StrokeWatch::new(limits),
            rates: RateWatch::new(limits),
            points_of: Windows::new(&Setup::new(limits), MINUTE, POINTS_KEPT),
            limit: limits.get(Limit::BaselineKeys),
            hits: LimitHits::default(),
        }
    }

    /// Takes a fact; `before` is the value that its point had.
    pub(super) fn fact(
        &mut self,
        fact: &Fact,
        flow: &FlowConst,
        before: Option<f64>,
        seen: &Observation,
        (conduct, words): (&mut Conduct, &mut Words),
    ) {
        match &fact.body {
            Body::Op(op) => self.op(op, fact, flow, (conduct, words)),
            Body::Sample(s) => self.sample(s, fact, flow, before, seen, (conduct, words)),
            Body::FlowEnd { .. } => self.sessions.end(flow),
            _ => {}
        }
        if let Some((addr, mac)) = bound(fact, flow) {
            self.know(&mut conduct.bindings, binding_key(addr), |b| b.note(mac));
        }
        let Some(beside) = self.sessions.note(fact, flow, false) else { return };
        let (a, b, proto) = beside.pair;
        let key = Key { class: Class::Conversation, a, b, proto: words.intern(proto), word: 0, n: (0, 0) };
        self.know(&mut conduct.sessions, key, |s| s.note(&beside));
    }

    fn op(&mut self, op: &Op, fact: &Fact, flow: &FlowConst, (conduct, words): (&mut Conduct, &mut Words)) {
        if let Some(minute) = self.sources.note(op, fact, flow) {
            self.know(&mut conduct.sources, source_key(minute.source), |s| s.note(fact.ts, minute.devices));
        }
        if let Some((place, rate)) = self.rates.note(op, fact, flow) {
            let (proto, word) = (words.intern(op.proto), words.intern(op.name));
            let (a, b, _, function) = place;
            let key = Key { class: Class::Function, a, b, proto, word, n: (u32::from(function), 0) };
            self.know(&mut conduct.rates, key, |r| r.most = r.most.max(rate.count));
        }
        let Some(p) = op.point else { return };
        let (sender, receiver) = ends(fact, flow);
        if moves(op) && op.class == OpClass::Control {
            let w = self.points_of.count((who(&sender), who(&receiver), op.proto), fact.ts, p);
            let points = w.map_or(0, |w| w.kinds.len() as u32);
            self.know(&mut conduct.sources, source_key(who(&sender)), |s| s.points = s.points.max(points));
        }
        let (a, b) = if op.is_answer { (who(&receiver), who(&sender)) } else { (who(&sender), who(&receiver)) };
        let (proto, word) = (words.intern(op.proto), words.intern(p.table));
        let key = Key { class: Class::Control, a, b, proto, word, n: (p.unit, p.address) };
        if let Some(hour) = self.points.note(op, fact, flow) {
            self.know(&mut conduct.paces, key, |pace| pace.note(&hour));
        }
        if let Some(strokes) = self.strokes.note(op, fact, flow) {
            self.know(&mut conduct.paces, key, |pace| pace.stroke(&strokes));
        }
        if let Some(after) = self.selects.note(op, fact, flow) {
            let key = Key { class: Class::Command, n: (0, 0), ..key };
            self.know(&mut conduct.selects, key, |s| s.note(after));
        }
        if op.class != OpClass::Control {
            return;
        }
        let point = Key { a: Addr::NONE, ..key };
        match op.value {
            _ if op.is_answer => self.effects.answer(point, op.refused.is_none()),
            Some(value) => self.effects.command(point, a, value, fact.ts),
            None => {}
        }
    }

    fn sample(
        &mut self,
        s: &Sample,
        fact: &Fact,
        flow: &FlowConst,
        before: Option<f64>,
        seen: &Observation,
        (conduct, words): (&mut Conduct, &mut Words),
    ) {
        let device = who(&ends(fact, flow).0);
        if !s.write && s.good {
            let (effects, limit) = (&mut conduct.effects, self.limit);
            self.effects.over(device, fact.ts, seen, &mut |key, settle| {
                if effects.contains_key(&key) || effects.len() < limit {
                    settle(effects.entry(key).or_default());
                }
            });
            if s.discrete && before.is_some_and(|b| b != s.value) {
                let at = (words.intern(s.point.table), (s.point.unit, s.point.address));
                self.effects.changed(device, at, s.value, fact.ts);
            }
        }
        let Some(answer) = self.motions.sample(s, fact, flow) else { return };
        let (a, b, proto, first, _) = answer.poll;
        let (proto, word) = (words.intern(proto), words.intern(first.table));
        let key = Key { class: Class::Point, a, b, proto, word, n: poll_place(&answer.poll) };
        self.know(&mut conduct.motions, key, |m| m.note(&answer));
    }

    fn know<V: Default>(&mut self, table: &mut Table<Key, V>, key: Key, note: impl FnOnce(&mut V)) {
        if table.contains_key(&key) || table.len() < self.limit {
            note(table.entry(key).or_default());
        } else {
            self.hits.hit(Limit::BaselineKeys);
        }
    }

    pub(super) fn hits(&self) -> LimitHits {
        let mut hits = self.hits.clone();
        let of = [&self.sources.hits, &self.points.hits, &self.selects.hits, &self.effects.hits];
        let more =
            [&self.motions.hits, &self.sessions.hits, &self.strokes.hits, &self.rates.hits, &self.points_of.hits];
        of.into_iter().chain(more).for_each(|h| hits.add(h));
        hits
    }
}

/// The tables as a file has them.
#[derive(Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct File<K> {
    pub(super) sources: Vec<(K, Source)>,
    pub(super) paces: Vec<(K, Pace)>,
    pub(super) selects: Vec<(K, Selects)>,
    pub(super) effects: Vec<(K, Effect)>,
    pub(super) motions: Vec<(K, Motion)>,
    pub(super) sessions: Vec<(K, Sessions)>,
    pub(super) rates: Vec<(K, Rate)>,
    pub(super) bindings: Vec<(K, Bound)>,
}
