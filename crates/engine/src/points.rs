//! Point values by the minute: one row per protocol, server, point and minute of packet time, and one for each command and change.

use std::collections::HashMap;

use crate::written::{Waiting, Written};

use gwcore::{
    Addr, Body, Fact, FlowConst, FlowRef, Key, Limit, LimitHits, Limits, Out, PointId, Sample, Span, Stamp, Sym, Ts,
};

gwcore::record! {
    /// A point and what was seen of it in a minute of packet time, or one event of it.
    pub struct Point, PointColumns = "point", Point {
        /// Protocol.
        proto: Sym,
        /// What the row stands for: `minute`, `change` (a state or its quality changed) or `command`.
        event: Sym,
        /// The device that serves the point: IP address, none without IP.
        server: Option<Addr>,
        /// Its MAC address where there is no IP.
        server_mac: Option<Mac>,
        /// Kind of point, in the protocol's words.
        table: Sym,
        /// Device address inside the protocol.
        unit: u32,
        /// Index, register or information object address.
        address: u32,
        /// Frame of the first value.
        first_frame: u64,
        /// Frame of the last value.
        last_frame: u64,
        /// Values read or reported.
        reads: u64,
        /// Values written or commanded.
        writes: u64,
        /// First value.
        first: f64,
        /// Last value.
        last: f64,
        /// Smallest value.
        min: f64,
        /// Largest value.
        max: f64,
        /// Mean of the values.
        mean: f64,
        /// Whether the quality was good throughout.
        good: bool,
        /// Mean time between values.
        period: Option<Span> ["s"],
        /// Largest departure from that mean.
        jitter: Option<Span> ["s"],
    }
}
use gwcore::Mac;

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
struct PointKey {
    proto: &'static str,
    server: Addr,
    point: PointId,
}

#[derive(Clone, Copy, serde::Serialize, serde::Deserialize)]
struct Minute {
    flow: FlowConst,
    first_ts: Ts,
    last_ts: Ts,
    frames: (u64, u64),
    reads: u64,
    writes: u64,
    first: f64,
    last: f64,
    min: f64,
    max: f64,
    sum: f64,
    good: bool,
    shortest: i64,
    longest: i64,
}

impl Minute {
    fn new(fact: &Fact, s: &Sample, flow: FlowConst) -> Minute {
        let v = s.value;
        let (reads, writes) = (u64::from(!s.write), u64::from(s.write));
        Minute {
            flow,
            first_ts: fact.ts,
            last_ts: fact.ts,
            frames: (fact.frame, fact.frame),
            reads,
            writes,
            first: v,
            last: v,
            min: v,
            max: v,
            sum: v,
            good: s.good,
            shortest: i64::MAX,
            longest: 0,
        }
    }

    fn add(&mut self, fact: &Fact, s: &Sample) {
        let gap = fact.ts.since(self.last_ts);
        self.shortest = self.shortest.min(gap);
        self.longest = self.longest.max(gap);
        self.last_ts = fact.ts;
        self.frames.1 = fact.frame;
        self.reads += u64::from(!s.write);
        self.writes += u64::from(s.write);
        self.last = s.value;
        self.min = self.min.min(s.value);
        self.max = self.max.max(s.value);
        self.sum += s.value;
        self.good &= s.good;
    }
}

/// The points of the minute at hand. Lives in the ordered stage: it reads facts in order and appends rows of kind `point`.
pub struct Points {
    minute: Ts,
    points: HashMap<PointKey, Minute, gwcore::ids::TableState>,
    states: gwcore::AgedTable<PointKey, (f64, bool)>,
    limit: usize,
    sub: u32,
    written: Waiting,
    /// Limits hit.
    pub hits: LimitHits,
}
gwcore::kept!(Points { minute, points, states, sub, written });

/// Rows of the ordered stage come after those of all shards of a step.
const ORDERED: u8 = 32;

impl Points {
    /// Adds to a state what is known of points: the minute that is not over, and the last state of each.
    pub fn keep(&self, state: &mut gwcore::State) {
        state.put("points", self);
    }

    /// Goes on where the state stands.
    pub fn restore(&mut self, state: &gwcore::State) -> Result<(), gwcore::KeptError> {
        state.take("points", self)
    }

    /// Nothing seen yet.
    pub fn new(limits: &Limits) -> Points {
        let limit = limits.get(Limit::Points);
        Points {
            minute: Ts(i64::MIN),
            points: Default::default(),
            states: gwcore::AgedTable::new(Limit::Points, limit),
            limit,
            sub: 0,
            written: Waiting::default(),
            hits: LimitHits::default(),
        }
    }

    /// Takes the facts of a batch and appends the rows that are due.
    pub fn batch(&mut self, out: &mut Out) {
        for i in 0..out.facts.len() {
            let Some(fact) = out.facts.get(i) else { return };
            let Some(flow) = out.flows.get(fact.flow.index()).copied() else { continue };
            let due = match &fact.body {
                Body::Op(op) => self.written.operation(op, fact, &flow),
                Body::Tick { .. } => self.written.over(fact.ts),
                Body::Sample(sample) if sample.write => {
                    self.written.value(Written { fact: fact.clone(), sample: *sample, flow })
                }
                Body::Sample(sample) => {
                    let (fact, sample) = (fact.clone(), *sample);
                    self.sample(&fact, &sample, &flow, out);
                    continue;
                }
                _ => continue,
            };
            let at = fact.key;
            self.take_written(due, at, out);
        }
    }

    /// Takes written values in at a place: that of the answer, or where no longer an answer is waited for.
    fn take_written(&mut self, due: Vec<Written>, at: Key, out: &mut Out) {
        for Written { fact, sample, flow } in due {
            let index = (out.flows.len() as u32).saturating_mul(2) | u32::from(fact.flow.reversed());
            out.flows.push(flow);
            let fact = Fact { key: at, flow: FlowRef(index), ..fact };
            self.sample(&fact, &sample, &flow, out);
        }
    }

    fn sample(&mut self, fact: &Fact, s: &Sample, flow: &FlowConst, out: &mut Out) {
        let minute = fact.ts.minute();
        if minute > self.minute {
            self.flush(fact.key, out);
            self.minute = minute;
        }
        let flow = *flow;
        let key = PointKey { proto: s.proto, server: server(&flow, fact.flow, s.write), point: s.point };
        if s.write {
            self.event(fact, s, &key, flow, "command", out);
        } else if s.discrete || !s.good {
            let before = self.states.get(&key).copied();
            if before.is_some_and(|b| (s.discrete && b.0 != s.value) || b.1 != s.good) {
                self.event(fact, s, &key, flow, "change", out);
            }
            if before != Some((s.value, s.good)) {
                self.states.insert(key, (s.value, s.good));
            }
        }
        if let Some(m) = self.points.get_mut(&key) {
            m.add(fact, s);
        } else if self.points.len() < self.limit {
            self.points.insert(key, Minute::new(fact, s, flow));
        } else {
            self.hits.hit(Limit::Points);
        }
    }

    fn event(&mut self, fact: &Fact, s: &Sample, key: &PointKey, flow: FlowConst, event: &'static str, out: &mut Out) {
        let minute = Minute::new(fact, s, flow);
        self.row(fact.key, fact.ts, fact.frame, fact.flow, event, key, &minute, out);
    }

    /// Writes the minute at hand in the order of the points.
    fn flush(&mut self, at: Key, out: &mut Out) {
        let mut rows: Vec<_> = self.points.drain().collect();
        rows.sort_by_key(|a| a.0);
        for (key, m) in rows {
            let flow = FlowRef((out.flows.len() as u32).saturating_mul(2));
            out.flows.push(m.flow);
            self.row(at, self.minute, m.frames.1, flow, "minute", &key, &m, out);
        }
    }

    /// The input is over.
    pub fn finish(&mut self, at: Key, out: &mut Out) {
        let due = self.written.finish();
        self.take_written(due, at, out);
        self.flush(at, out);
    }

    fn row(
        &mut self,
        at: Key,
        ts: Ts,
        frame: u64,
        flow: FlowRef,
        event: &'static str,
        key: &PointKey,
        m: &Minute,
        out: &mut Out,
    ) {
        self.sub = self.sub.wrapping_add(1);
        let stamp = Stamp { key: Key { step: at.step, shard: ORDERED, sub: self.sub }, ts, frame, flow, repeat: false };
        let n = m.reads + m.writes;
        let steps = i64::try_from(n.saturating_sub(1)).unwrap_or(i64::MAX);
        let period = (steps > 0).then(|| m.last_ts.since(m.first_ts) / steps);
        let jitter = period.map(|p| (m.longest - p).max(p - m.shortest));
        let without_ip = m.flow.src.is_none();
        out.append(
            stamp,
            Point {
                proto: key.proto,
                event,
                server: (!without_ip).then_some(key.server),
                server_mac: without_ip.then(|| mac(key.server)),
                table: key.point.table,
                unit: key.point.unit,
                address: key.point.address,
                first_frame: m.frames.0,
                last_frame: m.frames.1,
                reads: m.reads,
                writes: m.writes,
                first: m.first,
                last: m.last,
                min: m.min,
                max: m.max,
                mean: if n == 0 { m.sum } else { m.sum / n as f64 },
                good: m.good,
                period: period.map(Span),
                jitter: jitter.map(Span),
            },
        );
    }
}

/// Who serves: the sender of a value read or reported, the receiver of one written.
fn server(flow: &FlowConst, at: FlowRef, write: bool) -> Addr {
    let originator = at.reversed() == write;
    match (flow.src.is_none(), originator) {
        (false, true) => flow.src,
        (false, false) => flow.dst,
        (true, true) => flow.src_mac.padded(),
        (true, false) => flow.dst_mac.padded(),
    }
}

fn mac(padded: Addr) -> Mac {
    let [.., a, b, c, d, e, f] = padded.0;
    Mac([a, b, c, d, e, f])
}
