//! Connections to one internet address at a steady beat.

use gwcore::time::SECOND;
use gwcore::{Addr, AgedTable, Basis, Body, Fact, FactKinds, FlowConst, Limit, LimitHits, Severity, Ts};

use super::{Detector, Look, Meta};
use crate::Setup;
use crate::fold::{Sighting, ends, evidence};

pub(super) static META: Meta = Meta {
    id: "beacon",
    number: 34,
    finds: "A device opened connections to one internet address at a steady beat.",
    innocent: "Update checks, telemetry of a maker, monitoring from the cloud, time servers by a protocol of their own.",
    call: "the owner of the device",
    attack: &["T0869"],
    needs: "connections from their beginning",
    severity: Severity::Medium,
};

/// Connections in a row at the same distance: twelve of them leave a one in a thousand chance to a random process of that spread.
const BEATS: usize = 12;
/// Standard deviation of the distances against their mean. Loaders that jitter by a fifth stay below it.
const SPREAD: f64 = 0.15;
/// Shorter distances are one busy session.
const SHORTEST: i64 = 5 * SECOND;

/// Last connection and the distances before it, by source, target and port.
pub(super) struct Beacon {
    pairs: AgedTable<(Addr, Addr, u16), (Ts, Vec<i64>)>,
    hits: LimitHits,
}

impl Beacon {
    pub(super) fn new(setup: &Setup) -> Self {
        let pairs = AgedTable::new(Limit::DetectorSources, setup.limits.get(Limit::DetectorSources));
        Beacon { pairs, hits: LimitHits::default() }
    }
}

/// Mean and relative spread.
fn beat(distances: &[i64]) -> (f64, f64) {
    let n = distances.len().max(1) as f64;
    let mean = distances.iter().map(|d| *d as f64).sum::<f64>() / n;
    let variance = distances.iter().map(|d| (*d as f64 - mean).powi(2)).sum::<f64>() / n;
    (mean, variance.sqrt() / mean.max(1.0))
}

impl Detector for Beacon {
    super::keeps!(pairs);

    fn wants(&self) -> FactKinds {
        FactKinds::FLOW_START
    }

    fn fact(&mut self, fact: &Fact, flow: &FlowConst, look: &mut Look<'_>) {
        let utility_time = matches!(flow.dst_port, 53 | 123);
        if !matches!(fact.body, Body::FlowStart) || !flow.dst.is_internet() || flow.src.is_internet() || utility_time {
            return;
        }
        if !matches!(flow.ip_proto, 6 | 17) {
            return;
        }
        let key = (flow.src, flow.dst, flow.dst_port);
        let Some((last, distances)) = self.pairs.get_mut(&key) else {
            if self.pairs.insert(key, (fact.ts, Vec::new())).is_some() {
                self.hits.hit(Limit::DetectorSources);
            }
            return;
        };
        let distance = fact.ts.since(*last);
        if distance < SHORTEST {
            return;
        }
        *last = fact.ts;
        if distances.len() >= BEATS {
            distances.remove(0);
        }
        distances.push(distance);
        let (mean, spread) = beat(distances);
        if distances.len() < BEATS || spread > SPREAD {
            return;
        }
        let since = fact.ts.plus(-distances.iter().sum::<i64>());
        let (src, dst) = ends(fact, flow);
        look.see(&Sighting {
            dedup_key: format!("{}>{}:{}", src.name(), dst.name(), flow.dst_port),
            basis: Basis::Statistical,
            attack: &["T0869"],
            proto: if flow.ip_proto == 6 { "tcp" } else { "udp" },
            words: &|site| {
                let (a, b) = (site.name(&src), site.name(&dst));
                let seconds = mean / 1e9;
                let why = format!(
                    "{a} opened {BEATS} connections to {b} port {} one after the other, every {seconds:.0} s.",
                    flow.dst_port
                );
                let e = evidence(format!("spread {spread:.2} of {seconds:.1} s"), None, Some(SPREAD));
                (format!("{a} calls {b} at a steady beat"), why, e)
            },
            since: Some(since),
            ..Sighting::of(&META, fact, flow)
        });
    }
    fn hits(&self) -> LimitHits {
        self.hits.clone()
    }
}
