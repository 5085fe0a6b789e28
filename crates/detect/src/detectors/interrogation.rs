//! A general or counter interrogation by a station that is not the device's master: somebody asks for the whole picture.

use std::collections::BTreeMap;

use gwcore::time::{MINUTE, SECOND};
use gwcore::{
    Addr, AgedTable, Body, Fact, FactKinds, FlowConst, InPacket, Limit, LimitHits, Op, OpClass, Severity, Ts,
};

use super::{Detector, Look, Meta, new_master};
use crate::baseline::{Class, Thing};
use crate::fold::{End, Sighting, ends, evidence, words};
use crate::novelty::Novelty;
use crate::{Setup, Site};

pub(super) static META: Meta = Meta {
    id: "interrogation",
    number: 62,
    finds: "A station that is not the device's master asked it for all its values, while its master was at work.",
    innocent: "A backup front end that joins, a test set, a historian that asks by itself.",
    call: "the automation engineer: who may ask this device",
    attack: &["T0861", "T0848"],
    needs: "decoded DNP3 or IEC 60870-5-104 from at least ten minutes before",
    severity: Severity::Medium,
};

/// Time for which a master has been at work before another one is a stranger: all masters of a capture are new at its beginning.
const ESTABLISHED: i64 = 10 * MINUTE;
/// A master heard within this time is at work.
const AT_WORK: i64 = 5 * MINUTE;
/// Time after its first request in which one is still a stranger.
const NEW: i64 = MINUTE;
/// How long the other master must go on: a failover takes it away within seconds.
const FAILOVER: i64 = 30 * SECOND;
/// How soon it must be heard again: later, it came back from a failover.
const BESIDE: i64 = 2 * MINUTE;
/// Masters kept of a device.
const MASTERS: usize = 16;

/// Masters of a device: first and last time that each was at work, and the interrogation that waits for the other master to go on.
#[derive(Default, serde::Serialize, serde::Deserialize)]
#[serde(bound(deserialize = "'de: 'static"))]
struct Device {
    masters: BTreeMap<Addr, (Ts, Ts)>,
    waiting: Option<Box<Waiting>>,
}

#[derive(serde::Serialize, serde::Deserialize)]
struct Waiting {
    fact: Fact,
    flow: FlowConst,
    name: &'static str,
    severity: Severity,
}

/// Devices by protocol, and since when an address is anybody's master.
pub(super) struct Interrogation {
    devices: AgedTable<(Addr, &'static str), Device>,
    anywhere: AgedTable<Addr, Ts>,
    novelty: Option<Novelty>,
    site: std::sync::Arc<Site>,
    hits: LimitHits,
}

impl Interrogation {
    pub(super) fn new(setup: &Setup) -> Self {
        let limit = setup.limits.get(Limit::DetectorSources);
        Interrogation {
            devices: AgedTable::new(Limit::DetectorSources, limit),
            anywhere: AgedTable::new(Limit::DetectorSources, limit),
            novelty: Novelty::new(setup, Class::Master),
            site: setup.site.clone(),
            hits: LimitHits::default(),
        }
    }

    /// The device of a protocol, with what is known of its masters.
    fn device(&mut self, key: (Addr, &'static str)) -> Option<&mut Device> {
        if self.devices.get(&key).is_none() && self.devices.insert(key, Device::default()).is_some() {
            self.hits.hit(Limit::DetectorSources);
        }
        self.devices.get_mut(&key)
    }

    /// Since when an address is the master of any device.
    fn master_since(&mut self, master: Addr, now: Ts) -> Ts {
        if let Some(since) = self.anywhere.get(&master) {
            return *since;
        }
        if self.anywhere.insert(master, now).is_some() {
            self.hits.hit(Limit::DetectorSources);
        }
        now
    }

    /// Whether a master was learned or declared for a device.
    fn is_known(&self, op: &Op, src: End, dst: End) -> bool {
        let thing = Thing { class: Class::Master, from: src, to: dst, proto: op.proto, word: "", n: (0, 0) };
        self.novelty.as_ref().is_some_and(|n| !n.is_new(&thing)) || self.site.may_command(&src, &dst) == Some(true)
    }
}

impl Device {
    /// Takes note of a master at work; gives back whether it is new beside another one that has long been at work.
    fn note(&mut self, master: Addr, now: Ts) -> bool {
        if !self.masters.contains_key(&master) && self.masters.len() >= MASTERS {
            let oldest = self.masters.iter().min_by_key(|(_, (_, last))| *last).map(|(a, _)| *a);
            oldest.map(|a| self.masters.remove(&a));
        }
        let (first, last) = self.masters.entry(master).or_insert((now, now));
        *last = now;
        let is_new = now.since(*first) <= NEW;
        let established = |(a, (first, last)): (&Addr, &(Ts, Ts))| {
            *a != master && now.since(*first) >= ESTABLISHED && now.since(*last) <= AT_WORK
        };
        is_new && self.masters.iter().any(established)
    }

    /// The interrogation that waits, once this master has gone on for long enough after it.
    fn goes_on(&mut self, master: Addr, now: Ts) -> Option<Box<Waiting>> {
        let since = self.waiting.as_ref()?.fact.ts;
        if now.since(since) > BESIDE {
            self.waiting = None;
        }
        let is_other = self.masters.get(&master).is_some_and(|(first, _)| since.since(*first) >= ESTABLISHED);
        if is_other && now.since(since) >= FAILOVER { self.waiting.take() } else { None }
    }
}

/// What asks for all values: C_IC and C_CI, and a DNP3 read of class 0.
fn is_interrogation(op: &Op) -> bool {
    let is_104 = op.proto == "iec104" && matches!(op.function, 100 | 101);
    op.class == OpClass::Read && (is_104 || op.action == "integrity poll")
}

impl Detector for Interrogation {
    super::keeps!(devices, anywhere);

    fn wants(&self) -> FactKinds {
        FactKinds::ASKS | FactKinds::REPORTED | FactKinds::TIME_BREAK
    }

    fn learned(&mut self, setup: &Setup) {
        self.novelty = Novelty::new(setup, Class::Master);
    }

    fn fact(&mut self, fact: &Fact, flow: &FlowConst, look: &mut Look<'_>) {
        let (from, to) = ends(fact, flow);
        let (master, device, proto, op) = match &fact.body {
            Body::Op(op) if !op.is_answer && matches!(op.proto, "dnp3" | "iec104") => (from, to, op.proto, Some(op)),
            // A master of IEC 104 asks seldom: the reports that it takes say that it is at work.
            Body::Reported { proto, .. } => (to, from, *proto, None),
            Body::TimeBreak { .. } => return self.devices.clear(),
            _ => return,
        };
        let is_nobodys = fact.ts.since(self.master_since(master.addr, fact.ts)) < ESTABLISHED;
        let known = op.filter(|op| is_interrogation(op)).map(|op| (op.name, self.is_known(op, master, device)));
        let Some(d) = self.device((device.addr, proto)) else { return };
        let is_new = d.note(master.addr, fact.ts);
        if let (true, Some((name, false)), None) = (is_new, known, &d.waiting) {
            let severity = if is_nobodys { Severity::Medium } else { Severity::Low };
            d.waiting = Some(Box::new(Waiting { fact: fact.clone(), flow: *flow, name, severity }));
        }
        let Some(w) = d.goes_on(master.addr, fact.ts) else { return };
        let (src, dst) = ends(&w.fact, &w.flow);
        look.see(&Sighting {
            dedup_key: format!("{}>{}:{proto}", src.name(), dst.name()),
            severity: w.severity,
            told_by: Some((new_master::META.id, src.name())),
            attack: &["T0861", "T0848"],
            proto,
            words: &|site| {
                let (a, b, own, name) = (site.name(&src), site.name(&dst), site.name(&master), words(w.name));
                let why = format!("{a} asked {b} for all its values ({name}), and {own} went on to be its master.");
                let value = InPacket::new("src_ip", src.addr.to_string(), [master.addr.to_string()]);
                let e = evidence(a.clone(), Some(&own), Some(30.0)).naming(value);
                (format!("{a} interrogates {b}, whose master is {own}"), why, e)
            },
            ..Sighting::of(&META, &w.fact, &w.flow)
        });
    }
    fn hits(&self) -> LimitHits {
        self.hits.clone()
    }
}
