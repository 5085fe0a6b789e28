//! Messages by which one device bends the traffic of others: a second DHCP server, an ICMP redirect, another spanning tree root.

use gwcore::time::MINUTE;
use gwcore::{AgedTable, Body, Fact, FactKinds, FlowConst, Limit, LimitHits, Severity, Ts};

use super::{Detector, Look, Meta};
use crate::Setup;
use crate::fold::{End, Sighting, ends, evidence};

pub(super) static META: Meta = Meta {
    id: "network-takeover",
    number: 28,
    finds: "A second DHCP server answered, a router sent traffic another way, or another switch became root of the spanning tree.",
    innocent: "A redundant DHCP pair, a router that knows a shorter way, a switch that was replaced or joined.",
    call: "the network engineer",
    attack: &["T0830"],
    needs: "DHCP, ICMP or spanning tree on the captured segment",
    severity: Severity::Low,
};

/// Servers that both answer within this time after the first are a pair; later ones are new.
const PAIR: i64 = 10 * MINUTE;

/// What was stated first in each VLAN: by whom, what, when.
pub(super) struct NetworkTakeover {
    stated: AgedTable<(u16, &'static str), (End, Box<str>, Ts)>,
    hits: LimitHits,
}

impl NetworkTakeover {
    pub(super) fn new(setup: &Setup) -> Self {
        let stated = AgedTable::new(Limit::DetectorSources, setup.limits.get(Limit::DetectorSources));
        NetworkTakeover { stated, hits: LimitHits::default() }
    }

    /// Notes what is stated; gives back what stood before where that differs.
    fn other(&mut self, key: (u16, &'static str), by: End, value: &str, ts: Ts) -> Option<(End, Box<str>, Ts)> {
        let Some(known) = self.stated.get_mut(&key) else {
            if self.stated.insert(key, (by, value.into(), ts)).is_some() {
                self.hits.hit(Limit::DetectorSources);
            }
            return None;
        };
        (*known.1 != *value).then(|| known.clone())
    }
}

impl Detector for NetworkTakeover {
    super::keeps!(stated);

    fn wants(&self) -> FactKinds {
        FactKinds::ROLE | FactKinds::STATED | FactKinds::ANOMALY
    }

    fn fact(&mut self, fact: &Fact, flow: &FlowConst, look: &mut Look<'_>) {
        let (src, _) = ends(fact, flow);
        let vlan = flow.vlans[0];
        let (kind, severity, said, observed, expected) = match &fact.body {
            Body::Role("dhcp_server") => {
                let name = src.name();
                let Some(first) = self.other((vlan, "dhcp"), src, &name, fact.ts) else { return };
                let severity = if fact.ts.since(first.2) > PAIR { Severity::Medium } else { Severity::Low };
                ("dhcp", severity, "hands out addresses as a second DHCP server", name, first.1)
            }
            Body::Stated { proto: "stp", field: "root", value } => {
                let Some(first) = self.other((vlan, "stp"), src, value, fact.ts) else { return };
                self.stated.insert((vlan, "stp"), (src, value.clone(), fact.ts));
                ("stp", Severity::Low, "names another root of the spanning tree", value.to_string(), first.1)
            }
            Body::Anomaly { proto: "icmp" | "icmp6", reason: "redirect" } => {
                let observed = "an ICMP redirect".to_owned();
                ("icmp", Severity::Low, "told others to send their traffic another way", observed, "no redirect".into())
            }
            _ => return,
        };
        look.see(&Sighting {
            dedup_key: format!("{kind}:{}:{observed}", src.name()),
            severity,
            attack: &["T0830"],
            proto: kind,
            to_segment: true,
            words: &|site| {
                let a = site.name(&src);
                let why = format!("{a} {said}: {observed} instead of {expected}.");
                (format!("{a} {said}"), why, evidence(observed.clone(), Some(&expected), None))
            },
            ..Sighting::of(&META, fact, flow)
        });
    }
    fn hits(&self) -> LimitHits {
        self.hits.clone()
    }
}
