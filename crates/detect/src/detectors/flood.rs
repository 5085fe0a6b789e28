//! Floods: very many connections to one device in a second, a stream of packets that it does not answer, or of requests that it does answer.

use std::sync::Arc;

use gwcore::time::{MINUTE, SECOND};
use gwcore::{Addr, Basis, Body, Fact, FactKinds, FlowConst, LimitHits, Op, Severity};

use super::{Detector, Look, Meta};
use crate::baseline::{Class, RateWatch};
use crate::fold::{Sighting, ends, evidence, words};
use crate::window::Windows;
use crate::{Baseline, Setup};

pub(super) static META: Meta = Meta {
    id: "flood",
    number: 33,
    finds: "A device was flooded with connections, with packets that it did not answer, or with requests of one kind that change something.",
    innocent: "A load test, a loop in the network, a multicast sender that was given a unicast address, an automatic control put into service.",
    call: "the network engineer, then the owner of the device",
    attack: &["T0814"],
    needs: "connections in both directions; of requests, what came before in the capture or in a baseline",
    severity: Severity::Medium,
};

/// New conversations to one port of a device within ten seconds. Utility devices serve a handful of connections; busy web servers stay below a
/// hundred a second.
const STARTS: u32 = 1_000;
const WINDOW: i64 = 10 * SECOND;
/// Packets of an unanswered stream, and how many a second.
const PACKETS: u64 = 1_000;
const RATE: f64 = 100.0;
/// The same where one direction is how it is meant: cameras and synchrophasors over UDP send some hundreds a second.
const RATE_UDP: f64 = 1_000.0;

/// Requests of one function within ten seconds that change something: dispatchers give a few a minute, sequences a few a second.
const REQUESTS: u32 = 200;
/// Times that they must be more than what was learned, or than what the capture showed before.
const LEARNED: u32 = 2;
const BEFORE: u32 = 4;
/// What goes on since the capture began is how the plant is controlled; a flood is told that begins so much later.
const LATER: i64 = 5 * MINUTE;

/// Starts by device and port: many ports are a scan.
pub(super) struct Flood {
    starts: Windows<(Addr, u16), Addr>,
    rates: RateWatch,
    baseline: Option<Arc<Baseline>>,
}

impl Flood {
    pub(super) fn new(setup: &Setup) -> Self {
        Flood {
            starts: Windows::new(setup, WINDOW, 16),
            rates: RateWatch::new(&setup.limits),
            baseline: setup.baseline.clone(),
        }
    }
}

impl Flood {
    /// A request that changes something: told where very many come, and neither what was learned nor what came before knows so many.
    fn requests(&mut self, op: &Op, fact: &Fact, flow: &FlowConst, look: &mut Look<'_>) {
        let Some((place, s)) = self.rates.note(op, fact, flow).filter(|(_, s)| s.count >= REQUESTS) else { return };
        let learned = self.baseline.as_deref().filter(|b| !b.is_young() && !b.conduct.rates.is_empty()).map(|b| {
            let key = b.key(Class::Function, (place.0, place.1), op.proto, op.name, (u32::from(op.function), 0));
            key.and_then(|k| b.conduct.rates.get(&k)).map_or(0, |r| r.most)
        });
        let (most, is_usual) = match learned {
            Some(most) => (most, s.count / LEARNED <= most),
            None => {
                let since_start = look.seen.began().is_none_or(|b| s.since.since(b) < LATER);
                (s.before, since_start || s.count / BEFORE <= s.before)
            }
        };
        if is_usual {
            return;
        }
        let (src, dst) = ends(fact, flow);
        let function = words(op.name);
        let when = if learned.is_some() { "while the baseline was learned" } else { "earlier in the capture" };
        look.see(&Sighting {
            dedup_key: format!("{}>{}:{}:requests", src.name(), dst.name(), op.proto),
            attack: &["T0814"],
            basis: if learned.is_some() { Basis::Learned } else { Basis::Decoded },
            proto: op.proto,
            words: &|site| {
                let (a, b, n) = (site.name(&src), site.name(&dst), s.count);
                let why =
                    format!("{a} sent {b} {n} times {function} within ten seconds; {when} there were at most {most}.");
                let expected = format!("at most {most} within ten seconds");
                let e = evidence(
                    format!("{n} times {function} within ten seconds"),
                    Some(&expected),
                    Some(f64::from(REQUESTS)),
                );
                (format!("{b} is flooded with requests"), why, e)
            },
            since: Some(s.since),
            ..Sighting::of(&META, fact, flow)
        });
    }
}

/// Whether this is TCP content on its way: its receiver acknowledges it, rarely on fast networks, or where the capture does not look.
fn is_transfer(flow: &FlowConst, state: &str, bytes: [u64; 2]) -> bool {
    flow.ip_proto == 6 && bytes[0] > 0 && state != "S0"
}

impl Detector for Flood {
    super::keeps!(starts, rates);

    fn wants(&self) -> FactKinds {
        FactKinds::FLOW_START | FactKinds::FLOW_END | FactKinds::REQUEST
    }

    fn learned(&mut self, setup: &Setup) {
        self.baseline = setup.baseline.clone();
    }

    fn fact(&mut self, fact: &Fact, flow: &FlowConst, look: &mut Look<'_>) {
        if flow.src.is_none() || flow.dst.is_multicast() || flow.dst_mac.is_group() {
            return;
        }
        let (kind, since, observed, threshold) = match &fact.body {
            Body::Op(op) => return self.requests(op, fact, flow, look),
            Body::FlowStart => {
                let Some(w) = self.starts.count((flow.dst, flow.dst_port), fact.ts, flow.src) else { return };
                if w.count < STARTS {
                    return;
                }
                let observed =
                    format!("{} new conversations in ten seconds from {} sources or more", w.count, w.kinds.len());
                ("connections", w.tenth, observed, f64::from(STARTS))
            }
            Body::FlowEnd { packets, bytes, state, start, .. }
                if packets[0] >= PACKETS && packets[1] * 100 < packets[0] && !is_transfer(flow, state, *bytes) =>
            {
                let seconds = (fact.ts.since(*start) as f64 / 1e9).max(1.0);
                let rate = packets[0] as f64 / seconds;
                let threshold = if flow.ip_proto == 17 { RATE_UDP } else { RATE };
                if rate < threshold {
                    return;
                }
                let observed = format!("{} packets at {rate:.0} a second, {} answers", packets[0], packets[1]);
                ("packets", *start, observed, threshold)
            }
            _ => return,
        };
        let (src, dst) = ends(fact, flow);
        look.see(&Sighting {
            dedup_key: format!("{}:{kind}", dst.name()),
            attack: &["T0814"],
            proto: match flow.ip_proto {
                6 => "tcp",
                17 => "udp",
                _ => "ip",
            },
            words: &|site| {
                let b = site.name(&dst);
                let why = format!("{b} got {observed}, the last from {}.", site.name(&src));
                (format!("{b} is flooded with {kind}"), why, evidence(observed.clone(), None, Some(threshold)))
            },
            since: Some(since),
            ..Sighting::of(&META, fact, flow)
        });
    }
    fn hits(&self) -> LimitHits {
        let mut hits = self.starts.hits.clone();
        hits.add(&self.rates.hits);
        hits
    }
}
