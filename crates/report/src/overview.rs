//! What the report draws beside findings: who talks to whom, which points there are, and when there was activity. Collected from facts.

use std::collections::BTreeMap;

use detect::Inventory;
use gwcore::{Addr, Body, Fact, FlowConst, Limit, LimitHits, Limits, Mac, OpClass, PointId, Sample, Table, Ts};

/// Steps of the activity line; a capture of any length is drawn with 60 to 120 of them.
const STEPS: usize = 120;
/// Width of a step at first, in ns.
const FIRST_STEP: i64 = 1_000_000_000;

/// One end of a conversation on the wire.
type End = (Mac, Addr);

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct TalkKey {
    client: End,
    server: End,
    proto: &'static str,
}

#[derive(Default)]
struct Seen {
    conversations: u64,
    packets: u64,
    bytes: u64,
    commands: u64,
    one_sided: u64,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct PointKey {
    proto: &'static str,
    server: End,
    point: PointId,
}

struct Values {
    reads: u64,
    writes: u64,
    first: f64,
    last: f64,
    min: f64,
    max: f64,
    bad: u64,
}

/// Collects while facts pass by.
pub struct Watch {
    talks: Table<TalkKey, Seen>,
    points: Table<PointKey, Values>,
    activity: Activity,
    limits: [usize; 2],
    /// Limits hit.
    pub hits: LimitHits,
}

/// A conversation between two devices in one protocol.
#[derive(Clone, Debug, PartialEq)]
pub struct Talk {
    /// Device id of the client, or its address.
    pub client: String,
    /// Device id of the server, or its address.
    pub server: String,
    /// Protocol; empty where none was recognised.
    pub proto: &'static str,
    /// Conversations that ended.
    pub conversations: u64,
    /// Packets of both sides.
    pub packets: u64,
    /// Payload bytes of both sides.
    pub bytes: u64,
    /// Commands and changes asked for, reads left out.
    pub commands: u64,
    /// Conversations in which one side was never seen.
    pub one_sided: u64,
}

/// A point of a device and what was seen of it.
#[derive(Clone, Debug, PartialEq)]
pub struct PointSeen {
    /// Device id of the server, or its address.
    pub server: String,
    /// Protocol.
    pub proto: &'static str,
    /// Which point.
    pub point: PointId,
    /// Values read or reported.
    pub reads: u64,
    /// Values written or commanded.
    pub writes: u64,
    /// First, last, smallest and largest value.
    pub values: [f64; 4],
    /// Values of bad quality.
    pub bad: u64,
}

/// Everything collected, in a fixed order.
#[derive(Clone, Debug, Default)]
pub struct Overview {
    /// By packets, most first.
    pub talks: Vec<Talk>,
    /// By server, protocol and address.
    pub points: Vec<PointSeen>,
    /// Begin of the activity line.
    pub start: Ts,
    /// Width of its steps in ns.
    pub step: i64,
    /// Values and operations of utility protocols per step.
    pub activity: Vec<u64>,
    /// First and last packet, where any was read.
    pub span: Option<(Ts, Ts)>,
}

impl Watch {
    /// Nothing seen yet.
    pub fn new(limits: &Limits) -> Watch {
        Watch {
            talks: Table::default(),
            points: Table::default(),
            activity: Activity { start: None, step: FIRST_STEP, counts: Vec::new() },
            limits: [limits.get(Limit::ReportTalks), limits.get(Limit::ReportPoints)],
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

    fn fact(&mut self, fact: &Fact, flow: &FlowConst) {
        let (orig, resp) = ((flow.src_mac, flow.src), (flow.dst_mac, flow.dst));
        let (sender, receiver) = if fact.flow.reversed() { (resp, orig) } else { (orig, resp) };
        match &fact.body {
            Body::Service { proto, server_is_responder } => {
                let (client, server) = if *server_is_responder { (orig, resp) } else { (resp, orig) };
                self.talk(TalkKey { client, server, proto });
            }
            Body::FlowEnd { packets, bytes, service, .. } => {
                let turned = TalkKey { client: resp, server: orig, proto: service };
                let straight = TalkKey { client: orig, server: resp, proto: service };
                let key = if self.talks.contains_key(&turned) { turned } else { straight };
                let Some(seen) = self.talk(key) else { return };
                seen.conversations += 1;
                seen.packets = seen.packets.saturating_add(packets[0]).saturating_add(packets[1]);
                seen.bytes = seen.bytes.saturating_add(bytes[0]).saturating_add(bytes[1]);
                seen.one_sided += u64::from(packets.contains(&0) && !resp.1.is_multicast());
            }
            Body::Op(op) if !op.is_answer => {
                self.activity.at(fact.ts);
                if !matches!(op.class, OpClass::Read | OpClass::Identify | OpClass::Other)
                    && let Some(seen) = self.talk(TalkKey { client: sender, server: receiver, proto: op.proto })
                {
                    seen.commands += 1;
                }
            }
            Body::Sample(sample) => {
                self.activity.at(fact.ts);
                self.sample(sample, if sample.write { receiver } else { sender });
            }
            _ => {}
        }
    }

    fn talk(&mut self, key: TalkKey) -> Option<&mut Seen> {
        if self.talks.len() >= self.limits[0] && !self.talks.contains_key(&key) {
            self.hits.hit(Limit::ReportTalks);
            return None;
        }
        Some(self.talks.entry(key).or_default())
    }

    fn sample(&mut self, s: &Sample, server: End) {
        let key = PointKey { proto: s.proto, server, point: s.point };
        if self.points.len() >= self.limits[1] && !self.points.contains_key(&key) {
            self.hits.hit(Limit::ReportPoints);
            return;
        }
        let v = self.points.entry(key).or_insert(Values {
            reads: 0,
            writes: 0,
            first: s.value,
            last: s.value,
            min: s.value,
            max: s.value,
            bad: 0,
        });
        *(if s.write { &mut v.writes } else { &mut v.reads }) += 1;
        (v.last, v.min, v.max) = (s.value, v.min.min(s.value), v.max.max(s.value));
        v.bad += u64::from(!s.good);
    }

    /// What was collected, with the devices named as the inventory does; `span` is the first and last packet.
    pub fn finish(self, inventory: &Inventory, span: Option<(Ts, Ts)>) -> Overview {
        let name = |(mac, addr): End| match inventory.id(mac, addr) {
            Some(id) => id.to_owned(),
            None if addr.is_none() => mac.to_string(),
            None => addr.to_string(),
        };
        let mut talks: BTreeMap<(String, String, &'static str), Talk> = BTreeMap::new();
        for (k, seen) in self.talks {
            let (client, server) = (name(k.client), name(k.server));
            let talk = talks.entry((client.clone(), server.clone(), k.proto)).or_insert(Talk {
                client,
                server,
                proto: k.proto,
                conversations: 0,
                packets: 0,
                bytes: 0,
                commands: 0,
                one_sided: 0,
            });
            talk.conversations += seen.conversations;
            talk.packets = talk.packets.saturating_add(seen.packets);
            talk.bytes = talk.bytes.saturating_add(seen.bytes);
            talk.commands += seen.commands;
            talk.one_sided += seen.one_sided;
        }
        let mut talks: Vec<Talk> = talks.into_values().collect();
        talks.sort_by_key(|t| std::cmp::Reverse(t.packets));
        let mut points: Vec<PointSeen> = self
            .points
            .into_iter()
            .map(|(k, v)| PointSeen {
                server: name(k.server),
                proto: k.proto,
                point: k.point,
                reads: v.reads,
                writes: v.writes,
                values: [v.first, v.last, v.min, v.max],
                bad: v.bad,
            })
            .collect();
        points.sort_by(|a, b| (&a.server, a.proto, a.point).cmp(&(&b.server, b.proto, b.point)));
        Overview {
            talks,
            points,
            start: self.activity.start.unwrap_or_default(),
            step: self.activity.step,
            activity: self.activity.counts,
            span,
        }
    }
}

/// Counts per step of time; the steps double whenever the line grows too long.
struct Activity {
    start: Option<Ts>,
    step: i64,
    counts: Vec<u64>,
}

impl Activity {
    fn at(&mut self, ts: Ts) {
        let start = *self.start.get_or_insert(ts);
        let mut place = usize::try_from(ts.since(start).max(0) / self.step).unwrap_or(usize::MAX);
        while place >= STEPS {
            let halved = self.counts.chunks(2).map(|pair| pair.iter().sum()).collect();
            self.counts = halved;
            self.step = self.step.saturating_mul(2);
            place /= 2;
        }
        if self.counts.len() <= place {
            self.counts.resize(place + 1, 0);
        }
        if let Some(count) = self.counts.get_mut(place) {
            *count += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_activity_line_keeps_every_count_however_long_it_grows() {
        let mut a = Activity { start: None, step: FIRST_STEP, counts: Vec::new() };
        for s in 0..100_000_i64 {
            a.at(Ts(s * FIRST_STEP));
        }
        // What lies before the first moment is counted there.
        a.at(Ts(-FIRST_STEP));
        assert_eq!(a.counts.iter().sum::<u64>(), 100_001);
        assert!((STEPS / 2..=STEPS).contains(&a.counts.len()), "{}", a.counts.len());
        assert_eq!(a.step, 1_024 * FIRST_STEP);
        a.at(Ts(i64::MAX));
        assert!(a.counts.len() <= STEPS);
    }
}
