//! One side of a conversation that acts as master and as outstation: control sent by an outstation, data sent by a master.

use gwcore::{AgedTable, Body, Fact, FactKinds, FlowConst, Limit, LimitHits, Severity, Uid};

use super::{Detector, Look, Meta};
use crate::Setup;
use crate::fold::{Sighting, ends, evidence};

pub(super) static META: Meta = Meta {
    id: "role-contradiction",
    number: 23,
    finds: "One side of a conversation acted as master and as outstation.",
    innocent: "A gateway that serves both directions over one connection, a test set.",
    call: "the automation engineer",
    attack: &["T1692.001", "T1692.002"],
    needs: "decoded utility protocol",
    severity: Severity::High,
};

/// Roles told of each side of a conversation: bit 0 master, bit 1 outstation.
pub(super) struct RoleContradiction {
    roles: AgedTable<Uid, [u8; 2]>,
    hits: LimitHits,
}

impl RoleContradiction {
    pub(super) fn new(setup: &Setup) -> Self {
        let roles = AgedTable::new(Limit::DetectorSources, setup.limits.get(Limit::DetectorSources));
        RoleContradiction { roles, hits: LimitHits::default() }
    }

    /// Whether the sender now has both roles.
    fn both(&mut self, fact: &Fact, flow: &FlowConst, role: u8) -> bool {
        if self.roles.get(&flow.uid).is_none() && self.roles.insert(flow.uid, [0; 2]).is_some() {
            self.hits.hit(Limit::DetectorSources);
        }
        let Some(side) = self.roles.get_mut(&flow.uid).and_then(|s| s.get_mut(usize::from(fact.flow.reversed())))
        else {
            return false;
        };
        *side |= role;
        *side == 3
    }
}

impl Detector for RoleContradiction {
    super::keeps!(roles);

    fn wants(&self) -> FactKinds {
        FactKinds::ROLE | FactKinds::ANOMALY
    }

    fn fact(&mut self, fact: &Fact, flow: &FlowConst, look: &mut Look<'_>) {
        let (proto, observed, both) = match fact.body {
            Body::Role("master") => ("", "acts as master after it acted as outstation", self.both(fact, flow, 1)),
            Body::Role("outstation") => ("", "acts as outstation after it acted as master", self.both(fact, flow, 2)),
            Body::Anomaly { proto: "dnp3", reason: "direction_contradicts_function" } => {
                ("dnp3", "sends what only the other side may send", true)
            }
            _ => return,
        };
        if !both {
            return;
        }
        let (src, dst) = ends(fact, flow);
        look.see(&Sighting {
            dedup_key: format!("{}>{}", src.name(), dst.name()),
            attack: &["T1692.001", "T1692.002"],
            proto,
            words: &|site| {
                let (a, b) = (site.name(&src), site.name(&dst));
                let why = format!("In one conversation with {b}, {a} {observed}.");
                (
                    format!("{a} is master and outstation at once"),
                    why,
                    evidence(observed.into(), Some("one role"), None),
                )
            },
            ..Sighting::of(&META, fact, flow)
        });
    }
    fn hits(&self) -> LimitHits {
        self.hits.clone()
    }
}
