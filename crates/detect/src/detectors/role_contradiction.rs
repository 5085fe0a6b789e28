//! Control sent by an outstation, data sent by a master: in one conversation, or by a device that answers to its master and commands another.

use std::sync::Arc;

use gwcore::time::MINUTE;
use gwcore::{Addr, AgedTable, Body, Fact, FactKinds, FlowConst, Limit, LimitHits, Op, OpClass, Severity, Ts, Uid};

use super::{Detector, Look, Meta};
use crate::baseline::{Class, moves};
use crate::fold::{Sighting, ends, evidence};
use crate::say::{request_with_value, thing};
use crate::{Baseline, Setup};

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
    /// What a device asked of another, or the other told it unasked: a data concentrator polls, or is told, before it commands.
    pairs: AgedTable<(Addr, Addr), Asked>,
    /// First commands, to devices that were not polled, of devices that did not act as outstations yet or that gave them right at the beginning.
    early: AgedTable<(Addr, Addr), (Fact, FlowConst)>,
    baseline: Option<Arc<Baseline>>,
    hits: LimitHits,
}

/// When a device first asked another for anything, and how often it polled it or was told by it.
#[derive(serde::Serialize, serde::Deserialize)]
struct Asked {
    first: Ts,
    polls: u32,
}

/// Polls after which a device is the master of another.
const POLLS: u32 = 3;
/// Time that a device has for those polls where the command came before it was known to be an outstation.
const WAIT: i64 = 10 * MINUTE;

impl RoleContradiction {
    pub(super) fn new(setup: &Setup) -> Self {
        let limit = setup.limits.get(Limit::DetectorSources);
        RoleContradiction {
            roles: AgedTable::new(Limit::DetectorSources, limit),
            outstations: AgedTable::new(Limit::DetectorSources, limit),
            pairs: AgedTable::new(Limit::DetectorSources, limit),
            early: AgedTable::new(Limit::DetectorSources, limit),
            baseline: setup.baseline.clone(),
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

    /// What `a` asks of `b`, one poll more where it is one.
    fn asked(&mut self, pair: (Addr, Addr), ts: Ts, is_poll: bool) {
        if self.pairs.get(&pair).is_none() && self.pairs.insert(pair, Asked { first: ts, polls: 0 }).is_some() {
            self.hits.hit(Limit::DetectorSources);
        }
        if let Some(asked) = self.pairs.get_mut(&pair) {
            asked.polls = asked.polls.saturating_add(u32::from(is_poll));
        }
    }

    /// Whether a device is the master of another by its polls, by what it is told, or by what was learned.
    fn is_master(&self, (a, b): (Addr, Addr), proto: &str) -> bool {
        let learned =
            self.baseline.as_deref().and_then(|l| Some((l, l.key(Class::Command, (a, b), proto, "", (0, 0))?)));
        self.pairs.get(&(a, b)).is_some_and(|p| p.polls >= POLLS)
            || learned.is_some_and(|(l, key)| l.seen(&key).is_some())
    }

    /// A request: a poll is counted, a command of an outstation to a device that it does not poll is told.
    fn asks(&mut self, op: &Op, fact: &Fact, flow: &FlowConst, look: &mut Look<'_>) {
        let (src, dst) = ends(fact, flow);
        if op.is_answer || src.addr.is_none() || dst.addr.is_multicast() {
            return;
        }
        let pair = (src.addr, dst.addr);
        self.asked(pair, fact.ts, op.class == OpClass::Read);
        if !moves(op) || self.is_master(pair, op.proto) {
            return;
        }
        // What went on before the capture began may be a gateway's work, whose polls are yet to come.
        let first = self.pairs.get(&pair).map(|p| p.first);
        let from_begin = look.seen.began().zip(first).is_some_and(|(b, first)| first.since(b) <= MINUTE);
        match self.outstations.get(&src.addr).copied().filter(|m| *m != dst.addr) {
            Some(master) if !from_begin => self.tell(master, op, fact, flow, look),
            _ if self.early.get(&pair).is_some() => {}
            _ => {
                let gone = self.early.insert(pair, (fact.clone(), *flow));
                self.hits.hit_by(Limit::DetectorSources, u64::from(gone.is_some()));
            }
        }
    }

    /// Judges commands that came before their source answered as an outstation, or right at the beginning; it had time for its polls since. At the
    /// end of a short capture one poll is enough.
    fn late(&mut self, look: &mut Look<'_>, all: bool) {
        while self.early.oldest().is_some_and(|(_, (f, _))| all || look.now.since(f.ts) >= WAIT) {
            let Some((pair, (fact, flow))) = self.early.pop_oldest() else { return };
            let (Body::Op(op), Some(master)) = (&fact.body, self.outstations.get(&pair.0).copied()) else { continue };
            let is_polled = self.pairs.get(&pair).is_some_and(|p| p.polls > 0);
            let waited = look.now.since(fact.ts) >= WAIT;
            if master != pair.1 && (waited || !is_polled) && !self.is_master(pair, op.proto) {
                self.tell(master, op, &fact, &flow, look);
            }
        }
    }

    fn tell(&self, master: Addr, op: &Op, fact: &Fact, flow: &FlowConst, look: &mut Look<'_>) {
        let (src, dst) = ends(fact, flow);
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
    super::keeps!(roles, outstations, pairs, early);

    fn wants(&self) -> FactKinds {
        FactKinds::ROLE | FactKinds::ANOMALY | FactKinds::ASKS | FactKinds::REPORTED | FactKinds::TICK
    }

    fn learned(&mut self, setup: &Setup) {
        self.baseline = setup.baseline.clone();
    }

    fn minute(&mut self, look: &mut Look<'_>) {
        self.late(look, false);
    }

    fn finish(&mut self, look: &mut Look<'_>) {
        self.late(look, true);
    }

    fn fact(&mut self, fact: &Fact, flow: &FlowConst, look: &mut Look<'_>) {
        let (proto, observed, both) = match fact.body {
            Body::Role("master") => ("", "acts as master after it acted as outstation", self.both(fact, flow, 1)),
            Body::Role("outstation") => {
                self.answers(fact, flow);
                ("", "acts as outstation after it acted as master", self.both(fact, flow, 2))
            }
            Body::Op(ref op) => return self.asks(op, fact, flow, look),
            Body::Reported { .. } => {
                let (device, master) = ends(fact, flow);
                return self.asked((master.addr, device.addr), fact.ts, true);
            }
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
