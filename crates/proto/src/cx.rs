//! What a parser may do: know the time and the flow, emit records, anomalies and facts, ask to be woken, hand payloads down.

use gwcore::{Body, Detail, Fact, FlowConst, FlowRef, Key, Limit, Limits, Op, Out, Record, Sample, Stamp, Ts};

use crate::{Carrier, Dir, record::Anomaly};

/// The frame at hand.
#[derive(Clone, Copy, Debug, Default)]
pub struct At {
    /// Packet time.
    pub ts: Ts,
    /// Number of the frame in its file.
    pub frame: u64,
    /// Index of the file.
    pub file: u32,
    /// Place in the ordered stage.
    pub step: u64,
    /// The shard.
    pub shard: u8,
}

/// Where a message stood, kept to emit its row later.
#[derive(Clone, Copy, Debug, Default)]
pub struct Mark {
    /// Time of the frame that completed it.
    pub ts: Ts,
    /// Number of that frame.
    pub frame: u64,
    /// File of that frame.
    pub file: u32,
    /// Who sent it.
    pub dir: Dir,
}

/// Bytes handed down to a child parser.
#[derive(Debug)]
pub struct ChildData {
    /// Name of the parent.
    pub parent: &'static str,
    /// Which of the parent's sub-conversations.
    pub key: u32,
    /// Who sent them.
    pub dir: Dir,
    /// The payload.
    pub data: Vec<u8>,
}

/// What a parser asked for, carried out by the harness afterwards.
#[derive(Debug, Default)]
pub struct Effects {
    /// Earliest time to be woken.
    pub wake: Option<Ts>,
    /// Payloads for children.
    pub children: Vec<ChildData>,
    /// The parser found out that the responder is the one that asks: who serves is the originator.
    pub server_is_originator: bool,
}

/// How often each anomaly of a flow occurred; after [`Limit::AnomalyFold`] rows the rest is only counted, and said at the end.
#[derive(Debug, Default)]
pub struct Folds(Vec<(&'static str, &'static str, u64)>);

/// Different anomaly reasons told apart in one flow; names are static, so this is a bound on the code, not on traffic.
const FOLD_REASONS: usize = 64;

/// The context of a call into a parser.
pub struct Cx<'a> {
    /// The frame at hand.
    pub at: At,
    /// Who sent the bytes at hand.
    pub dir: Dir,
    /// What carries the protocol in this flow.
    pub carrier: Carrier,
    /// Constants of the flow.
    pub flow: &'a FlowConst,
    /// Limits in force.
    pub limits: &'a Limits,
    /// Which repeats become rows.
    pub detail: Detail,
    /// Whether rows belong to a repeat.
    repeat: bool,
    pub(crate) flow_index: u32,
    pub(crate) out: &'a mut Out,
    pub(crate) sub: &'a mut u32,
    pub(crate) folds: &'a mut Folds,
    pub(crate) effects: &'a mut Effects,
}

impl<'a> Cx<'a> {
    /// A context for one frame of one flow, whose constants stand at `flow_index` of `out.flows`.
    pub fn new(
        at: At,
        carrier: Carrier,
        (flow, flow_index): (&'a FlowConst, u32),
        (limits, detail): (&'a Limits, Detail),
        (out, sub): (&'a mut Out, &'a mut u32),
        (folds, effects): (&'a mut Folds, &'a mut Effects),
    ) -> Cx<'a> {
        Cx { at, dir: Dir::Orig, carrier, flow, limits, detail, repeat: false, flow_index, out, sub, folds, effects }
    }

    /// Packet time.
    pub fn now(&self) -> Ts {
        self.at.ts
    }

    /// Port of the sender of the bytes at hand.
    pub fn src_port(&self) -> u16 {
        if self.dir == Dir::Orig { self.flow.src_port } else { self.flow.dst_port }
    }

    /// Port of the receiver of the bytes at hand.
    pub fn dst_port(&self) -> u16 {
        if self.dir == Dir::Orig { self.flow.dst_port } else { self.flow.src_port }
    }

    /// Where the message at hand stands, to emit it later.
    pub fn mark(&self) -> Mark {
        Mark { ts: self.at.ts, frame: self.at.frame, file: self.at.file, dir: self.dir }
    }

    /// Whether repeats have to be told from the rest.
    pub fn tells_repeats(&self) -> bool {
        self.detail != Detail::Full
    }

    /// Emits the rows of one exchange by `rows`, unless it is a repeat and those are left out.
    pub fn exchange(&mut self, is_repeat: bool, rows: impl FnOnce(&mut Self)) {
        if is_repeat && self.detail == Detail::Summary {
            return;
        }
        self.repeat = is_repeat && self.detail == Detail::Marked;
        rows(self);
        self.repeat = false;
    }

    /// Emits a record of the message at hand; the stamp serves to emit its children.
    pub fn emit<R: Record>(&mut self, record: R) -> Stamp {
        self.emit_at(self.mark(), record)
    }

    /// Emits a record of a message kept earlier, at the place of the frame at hand.
    pub fn emit_at<R: Record>(&mut self, mark: Mark, record: R) -> Stamp {
        let stamp = self.stamp(mark);
        self.out.append(stamp, record);
        stamp
    }

    /// Emits a child row of a record just emitted (same stamp, so that it can be nested again).
    pub fn emit_child<R: Record>(&mut self, parent: Stamp, record: R) {
        self.out.append(parent, record);
    }

    fn stamp(&mut self, mark: Mark) -> Stamp {
        let key = Key { step: self.at.step, shard: self.at.shard, sub: *self.sub };
        *self.sub = self.sub.saturating_add(1);
        let mut index = self.flow_index;
        if mark.file != self.flow.file {
            index = u32::try_from(self.out.flows.len()).unwrap_or(u32::MAX);
            self.out.flows.push(FlowConst { file: mark.file, ..*self.flow });
        }
        let flow = FlowRef(index.saturating_mul(2) | u32::from(mark.dir == Dir::Resp));
        Stamp { key, ts: mark.ts, frame: mark.frame, flow, repeat: self.repeat }
    }

    /// Says what is wrong with the traffic: a row (folded after eight of one reason) and a fact.
    pub fn anomaly(&mut self, proto: &'static str, reason: &'static str, detail: &[u8]) {
        let fold = self.limits.get(Limit::AnomalyFold) as u64;
        let known = self.folds.0.iter().position(|(p, r, _)| *p == proto && *r == reason);
        let index = match known {
            Some(i) => i,
            None if self.folds.0.len() < FOLD_REASONS => {
                self.folds.0.push((proto, reason, 0));
                self.folds.0.len() - 1
            }
            None => return self.out.hits.hit(Limit::AnomalyFold),
        };
        let Some(entry) = self.folds.0.get_mut(index) else { return };
        entry.2 += 1;
        if entry.2 <= fold {
            let detail = (!detail.is_empty()).then_some(detail);
            self.emit(Anomaly { proto, reason, detail, count: 1 });
        }
        self.fact(Body::Anomaly { proto, reason });
    }

    /// Anomalies of this flow so far.
    pub(crate) fn anomalies(&self) -> u64 {
        self.folds.0.iter().map(|f| f.2).sum()
    }

    /// Writes the counts of anomalies folded away; the harness calls it at the end of the flow.
    pub fn flush_folds(&mut self) {
        let fold = self.limits.get(Limit::AnomalyFold) as u64;
        for (proto, reason, n) in std::mem::take(&mut self.folds.0) {
            if n > fold {
                self.emit(Anomaly { proto, reason, detail: Some(b"further occurrences"), count: n - fold });
            }
        }
    }

    /// Hands an observation to the ordered stage; the sender is that of the bytes at hand.
    pub fn fact(&mut self, body: Body) {
        self.fact_at(self.mark(), body);
    }

    /// Hands on an observation about a message kept earlier.
    pub fn fact_at(&mut self, mark: Mark, body: Body) {
        let Stamp { key, ts, frame, flow, .. } = self.stamp(mark);
        self.out.facts.push(Fact { key, ts, frame, flow, body });
    }

    /// Hands on an OT operation.
    pub fn op(&mut self, op: Op) {
        self.fact(Body::Op(op));
    }

    /// Hands on a value of a point; the side that did not ask serves it.
    pub fn sample(&mut self, sample: Sample) {
        self.fact(Body::Sample(sample));
    }

    /// Asks to be woken at or after a time.
    pub fn wake(&mut self, at: Ts) {
        self.effects.wake = Some(self.effects.wake.map_or(at, |w| w.min(at)));
    }

    /// Hands a payload down: the harness probes the protocols carried by `parent` and keeps one child parser per `key`.
    pub fn child(&mut self, parent: &'static str, key: u32, data: &[u8]) {
        self.effects.children.push(ChildData { parent, key, dir: self.dir, data: data.to_vec() });
    }

    /// Says that the originator of the flow serves and the responder asks (a flow picked up in its middle, or a station that calls in).
    pub fn server_is_originator(&mut self) {
        self.effects.server_is_originator = true;
    }

    /// Counts a limit that was hit.
    pub fn hit(&mut self, limit: Limit) {
        self.out.hits.hit(limit);
    }
}
