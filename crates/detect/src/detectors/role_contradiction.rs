//! Control sent by an outstation, data sent by a master: in one conversation, or by a device that answers to its master and commands another.

use gwcore::{Addr, AgedTable, Body, Fact, FactKinds, FlowConst, Limit, LimitHits, Op, OpClass, Severity, Uid};

use super::{Detector, Look, Meta};
use crate::Setup;
use crate::baseline::moves;
use crate::fold::{Sighting, ends, evidence};
use crate::say::{request_with_value, thing};

pub(super) static META: Meta = Meta {
    id: "role-contradiction",
    number: 23,
    finds: "One side of a conversation acted as master and as outstation, or a device that answers to a master commanded another that it does not poll.",
    innocent: "A gateway that serves both directions, a data concentrator whose polls were not captured, a test set.",
    call: "the automation engineer",
    attack: &["T1692.001", "T1692.002"],
    needs: "decoded utility protocol",
    severity: Severity::High,
};

/// Roles told of each side of a conversation: bit 0 master, bit 1 outstation.
pub(super) struct RoleContradiction {
    roles: AgedTable<Uid, [u8; 2]>,
    /// The masters of devices that acted as outstations.
    outstations: AgedTable<Addr, Addr>,
    /// How often a device polled another: a data concentrator does so before it commands.
    polls: AgedTable<(Addr, Addr), u32>,
    hits: LimitHits,
}

/// Polls after which a device is the master of another.
const POLLS: u32 = 3;

impl RoleContradiction {
    pub(super) fn new(setup: &Setup) -> Self {
        let limit = setup.limits.get(Limit::DetectorSources);
        RoleContradiction {
            roles: AgedTable::new(Limit::DetectorSources, limit),
            outstations: AgedTable::new(Limit::DetectorSources, limit),
            polls: AgedTable::new(Limit::DetectorSources, limit),
            hits: LimitHits::default(),
        }
    }

    /// Takes note of who answers to whom.
    fn answers(&mut self, fact: &Fact, flow: &FlowConst) {
        let (device, master) = ends(fact, flow);
        if !device.addr.is_none() && self.outstations.insert(device.addr, master.addr).is_some() {
            self.hits.hit(Limit::DetectorSources);
        }
    }

    /// A request: a poll is counted, a command of an outstation to a device that it does not poll is told.
    fn asks(&mut self, op: &Op, fact: &Fact, flow: &FlowConst, look: &mut Look<'_>) {
        let (src, dst) = ends(fact, flow);
        if op.is_answer || src.addr.is_none() || dst.addr.is_multicast() {
            return;
        }
        let pair = (src.addr, dst.addr);
        if op.class == OpClass::Read {
            if let Some(n) = self.polls.get_mut(&pair) {
                *n = n.saturating_add(1);
            } else if self.polls.insert(pair, 1).is_some() {
                self.hits.hit(Limit::DetectorSources);
            }
            return;
        }
        let Some(master) = self.outstations.get(&src.addr).copied().filter(|m| *m != dst.addr) else { return };
        if !moves(op) || self.polls.get(&pair).is_some_and(|n| *n >= POLLS) {
            return;
        }
        let master = crate::fold::End { addr: master, ..src };
        look.see(&Sighting {
            dedup_key: format!("{}>{}:{}:{}:commands", src.name(), dst.name(), op.name, thing(op)),
            asks: true,
            attack: &["T1692.001"],
            proto: op.proto,
            words: &|site| {
                let (a, b, name) = (site.name(&src), site.name(&dst), request_with_value(op, &dst, site));
                let m = site.name(&crate::fold::End { mac: gwcore::Mac::NONE, ..master });
                let title = format!("{a}, an outstation, commands {b}: {name}");
                let why =
                    format!("{a} answers to {m} as an outstation, and sent {name} to {b}, which it does not poll.");
                (title, why, evidence(format!("{name} from an outstation"), Some("commands from a master"), None))
            },
            ..Sighting::of(&META, fact, flow)
        });
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
    super::keeps!(roles, outstations, polls);

    fn wants(&self) -> FactKinds {
        FactKinds::ROLE | FactKinds::ANOMALY | FactKinds::ASKS
    }

    fn fact(&mut self, fact: &Fact, flow: &FlowConst, look: &mut Look<'_>) {
        let (proto, observed, both) = match fact.body {
            Body::Role("master") => ("", "acts as master after it acted as outstation", self.both(fact, flow, 1)),
            Body::Role("outstation") => {
                self.answers(fact, flow);
                ("", "acts as outstation after it acted as master", self.both(fact, flow, 2))
            }
            Body::Op(ref op) => return self.asks(op, fact, flow, look),
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
