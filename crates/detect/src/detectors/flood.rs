//! Floods: very many connections to one device in a second, or a stream of packets that it does not answer.

use gwcore::time::SECOND;
use gwcore::{Addr, Body, Fact, FactKinds, FlowConst, LimitHits, Severity};

use super::{Detector, Look, Meta};
use crate::Setup;
use crate::fold::{Sighting, ends, evidence};
use crate::window::Windows;

pub(super) static META: Meta = Meta {
    id: "flood",
    number: 33,
    finds: "A device was flooded with connections or with packets that it did not answer.",
    innocent: "A load test, a loop in the network, a multicast sender that was given a unicast address.",
    call: "the network engineer, then the owner of the device",
    attack: &["T0814"],
    needs: "connections in both directions",
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

/// Starts by device and port: many ports are a scan.
pub(super) struct Flood {
    starts: Windows<(Addr, u16), Addr>,
}

impl Flood {
    pub(super) fn new(setup: &Setup) -> Self {
        Flood { starts: Windows::new(setup, WINDOW, 16) }
    }
}

/// Whether this is TCP content on its way: its receiver acknowledges it, rarely on fast networks, or where the capture does not look.
fn is_transfer(flow: &FlowConst, state: &str, bytes: [u64; 2]) -> bool {
    flow.ip_proto == 6 && bytes[0] > 0 && state != "S0"
}

impl Detector for Flood {
    super::keeps!(starts);

    fn wants(&self) -> FactKinds {
        FactKinds::FLOW_START | FactKinds::FLOW_END
    }

    fn fact(&mut self, fact: &Fact, flow: &FlowConst, look: &mut Look<'_>) {
        if flow.src.is_none() || flow.dst.is_multicast() || flow.dst_mac.is_group() {
            return;
        }
        let (kind, since, observed, threshold) = match &fact.body {
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
        self.starts.hits.clone()
    }
}
