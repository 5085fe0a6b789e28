//! Reports and polls that came regularly and stop while their connection stays alive: the control room believes that nothing happens.

use gwcore::time::{MINUTE, SECOND};
use gwcore::{Addr, Body, Fact, FactKinds, FlowConst, Limit, LimitHits, OpClass, Severity, Ts, Uid};

use super::{Detector, Look, Meta};
use crate::Setup;
use crate::baseline::poll_number;
use crate::fold::{Sighting, ends, evidence};
use crate::room::Room;

pub(super) static META: Meta = Meta {
    id: "reports-stop",
    number: 61,
    finds: "Reports that a device sent regularly, or polls of it, stopped while their connection stayed alive.",
    innocent: "A device that lost its field inputs, a front end put on standby or set to another scheme of polling.",
    call: "the control room: compare what it shows with the device itself",
    attack: &["T1691.002", "T0878"],
    needs: "decoded DNP3 or IEC 60870-5-104 in both directions without gaps",
    severity: Severity::Medium,
};

/// Messages, and time, after which a rhythm is known.
const KNOWN: u32 = 30;
const KNOWN_FOR: i64 = 10 * MINUTE;
/// Silence in times the longest pause so far: with thirty random pauses the longest is over three times the mean, so that chance makes
/// such a silence less than once in a million.
const TIMES: i64 = 5;
/// Shortest silence that is told: three link tests in a row (t3 of IEC 60870-5-104 §9.6 is 20 s) say that nothing else is sent.
const SHORTEST: i64 = MINUTE;
/// Longest pause up to which messages are regular.
const REGULAR: i64 = 5 * MINUTE;

/// Whose messages: device, protocol, unit in it; none for its reports, else which poll of it.
type Key = (Addr, &'static str, u32, Option<(u32, u32)>);

#[derive(serde::Serialize, serde::Deserialize)]
#[serde(bound(deserialize = "'de: 'static"))]
struct Series {
    since: Ts,
    last: (Fact, FlowConst),
    count: u32,
    longest: i64,
    told: bool,
}

/// What was last heard on a connection from originator and responder, and whether reports were switched off on it.
#[derive(Default, serde::Serialize, serde::Deserialize)]
#[serde(bound(deserialize = "'de: 'static"))]
struct Connection {
    heard: [Option<(Fact, FlowConst)>; 2],
    off: bool,
}

/// Follows what comes regularly.
pub(super) struct ReportsStop {
    /// Those whose rhythm is known make room last.
    series: Room<Key, Series>,
    connections: Room<Uid, Connection>,
}

impl Series {
    fn new(fact: &Fact, flow: &FlowConst) -> Series {
        Series { since: fact.ts, last: (fact.clone(), *flow), count: 1, longest: 0, told: false }
    }

    /// Takes note of a message. After a pause that was not whole its rhythm is learned anew.
    fn again(&mut self, fact: &Fact, flow: &FlowConst, whole: bool) {
        if !whole {
            *self = Series::new(fact, flow);
            return;
        }
        self.longest = self.longest.max(fact.ts.since(self.last.0.ts));
        self.count = self.count.saturating_add(1);
        (self.last, self.told) = ((fact.clone(), *flow), false);
    }

    fn is_known(&self) -> bool {
        self.count > KNOWN && self.last.0.ts.since(self.since) >= KNOWN_FOR
    }

    /// The silence from which on it is told; none while no rhythm is known.
    fn allowed(&self) -> Option<i64> {
        (self.is_known() && self.longest <= REGULAR).then(|| SHORTEST.max(self.longest.saturating_mul(TIMES)))
    }
}

impl ReportsStop {
    pub(super) fn new(setup: &Setup) -> Self {
        let limit = setup.limits.get(Limit::DetectorSources);
        ReportsStop {
            series: Room::new(Limit::DetectorSources, limit),
            connections: Room::new(Limit::DetectorSources, limit),
        }
    }

    fn connection(&mut self, uid: Uid) -> Option<&mut Connection> {
        self.connections.entry(&uid, Connection::default)
    }

    fn series(&mut self, key: Key, fact: &Fact, flow: &FlowConst, look: &Look<'_>) {
        let Some(s) = self.series.get_mut(&key) else {
            self.series.entry(&key, || Series::new(fact, flow));
            return;
        };
        let quality = look.seen.quality(flow.src, flow.dst, s.last.0.ts, fact.ts);
        let was_known = s.is_known();
        s.again(fact, flow, !quality.gaps && !quality.feed_silent);
        if s.is_known() && !was_known {
            self.series.prove(&key);
            self.connections.prove(&flow.uid);
        }
    }

    /// The sign of life that shows a series to have stopped while its connection goes on.
    fn stopped(&self, key: &Key, s: &Series, look: &Look<'_>) -> Option<(Fact, FlowConst)> {
        let (last, flow) = &s.last;
        let due = last.ts.plus(s.allowed()?);
        let connection = self.connections.get(&flow.uid).filter(|c| !c.off && !s.told)?;
        // A report is missed when its sender is heard, a poll when anybody is.
        let heard = match key.3 {
            None => [connection.heard[usize::from(last.flow.reversed())].as_ref(), None],
            Some(_) => connection.heard.each_ref().map(Option::as_ref),
        };
        let alive = heard.into_iter().flatten().max_by_key(|(f, _)| f.ts).filter(|(f, _)| f.ts > due)?;
        let quality = look.seen.quality(flow.src, flow.dst, last.ts, alive.0.ts);
        quality.is_whole().then(|| alive.clone())
    }

    fn tell(&mut self, key: &Key, alive: (Fact, FlowConst), look: &mut Look<'_>) {
        let Some(s) = self.series.get_mut(key) else { return };
        s.told = true;
        let (device, proto, unit, poll) = key;
        let (last, last_flow) = &s.last;
        let (src, dst) = ends(last, last_flow);
        let seconds = |ns: i64| format!("{:.0} s", ns as f64 / SECOND as f64);
        let silence = seconds(alive.0.ts.since(last.ts));
        look.see(&Sighting {
            dedup_key: format!("{device}:{proto}:{unit}:{poll:?}"),
            attack: if poll.is_none() { &["T1691.002", "T0878"] } else { &["T0878", "T1691.002"] },
            proto,
            src,
            dst,
            // It was missed from then on.
            since: Some(last.ts.plus(s.longest.max(1))),
            words: &|site| {
                let (a, b, every) = (site.name(&src), site.name(&dst), seconds(s.longest));
                let (title, what) = match poll {
                    None => (format!("{a} no longer reports to {b}"), format!("sent no report to {b}")),
                    Some(_) => (format!("{a} no longer polls {b}"), format!("did not poll {b}")),
                };
                let why = format!(
                    "For {silence} {a} {what}, after {} times at most {every} apart; their connection is alive.",
                    s.count
                );
                let mut e = evidence(format!("none for {silence}"), Some(&format!("one within {every}")), None);
                e.seen = Some(u64::from(s.count));
                e.more.insert("last_frame_before".into(), last.frame.into());
                (title, why, e)
            },
            ..Sighting::of(&META, &alive.0, &alive.1)
        });
    }
}

/// Whether a request is a poll whose end is told: those of Modbus follow what an operator looks at.
fn is_poll(proto: &str, class: OpClass) -> bool {
    class == OpClass::Read && matches!(proto, "dnp3" | "iec104")
}

impl Detector for ReportsStop {
    super::keeps!(series, connections);

    fn wants(&self) -> FactKinds {
        FactKinds::REPORTED
            | FactKinds::ASKS
            | FactKinds::ANSWER
            | FactKinds::ALIVE
            | FactKinds::SAMPLE
            | FactKinds::WRITTEN
            | FactKinds::FLOW_END
            | FactKinds::TIME_BREAK
            | FactKinds::TICK
    }

    fn fact(&mut self, fact: &Fact, flow: &FlowConst, look: &mut Look<'_>) {
        let (src, dst) = ends(fact, flow);
        match &fact.body {
            Body::Reported { proto, unit } => self.series((src.addr, proto, *unit, None), fact, flow, look),
            Body::Op(op) if !op.is_answer && is_poll(op.proto, op.class) => {
                let unit = op.point.map_or(0, |p| p.unit);
                self.series((dst.addr, op.proto, unit, Some(poll_number(op))), fact, flow, look);
            }
            Body::Op(op) if !op.is_answer && matches!(op.class, OpClass::ReportsOff | OpClass::ReportsOn) => {
                if let Some(c) = self.connection(flow.uid) {
                    c.off = op.class == OpClass::ReportsOff;
                }
            }
            Body::Alive { .. } => {}
            Body::Op(op) if matches!(op.proto, "dnp3" | "iec104") => {}
            Body::Sample(s) if matches!(s.proto, "dnp3" | "iec104") => {}
            Body::FlowEnd { .. } => {
                self.connections.remove(&flow.uid);
                return;
            }
            Body::TimeBreak { .. } => return self.series.clear(),
            _ => return,
        }
        let side = usize::from(fact.flow.reversed());
        let heard = self.connection(flow.uid).and_then(|c| c.heard.get_mut(side));
        // One sign of life a second is enough.
        if let Some(heard) = heard.filter(|h| h.as_ref().is_none_or(|(f, _)| fact.ts.since(f.ts) >= SECOND)) {
            *heard = Some((fact.clone(), *flow));
        }
    }

    fn minute(&mut self, look: &mut Look<'_>) {
        let mut stopped: Vec<_> =
            self.series.iter().filter_map(|(k, s)| self.stopped(k, s, look).map(|alive| (*k, alive))).collect();
        stopped.sort_unstable_by_key(|(key, _)| *key);
        for (key, alive) in stopped {
            self.tell(&key, alive, look);
        }
    }

    fn hits(&self) -> LimitHits {
        let mut hits = self.series.hits().clone();
        hits.add(self.connections.hits());
        hits
    }
}
