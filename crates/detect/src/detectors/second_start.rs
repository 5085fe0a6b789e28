//! A second master that starts IEC 104 data transfer with a device while the first one's is running.

use std::collections::BTreeMap;

use gwcore::time::{MINUTE, SECOND};
use gwcore::{Addr, Body, Fact, FactKinds, FlowConst, InPacket, Limit, LimitHits, OpClass, Severity, Ts};

use super::{Detector, Look, Meta, new_master};
use crate::Setup;
use crate::fold::{Sighting, ends, evidence};
use crate::room::Room;

pub(super) static META: Meta = Meta {
    id: "second-start",
    number: 24,
    finds: "A second master started IEC 104 data transfer with a device whose first master is still at work.",
    innocent: "A device with several redundancy groups, a failover between front ends, a commissioning laptop.",
    call: "the control room: which master should be in charge",
    attack: &["T0848"],
    needs: "IEC 104 from before the second start",
    severity: Severity::Medium,
};

/// How long the first master may go on after the second one started: a failover takes it back within seconds.
const FAILOVER: i64 = 30 * SECOND;
/// A master that was heard within this time is at work (t3, the idle test, is 20 s: IEC 60870-5-104 §9.6).
const AT_WORK: i64 = MINUTE;

#[derive(Default, serde::Serialize, serde::Deserialize)]
#[serde(bound(deserialize = "'de: 'static"))]
struct Device {
    masters: BTreeMap<Addr, Ts>,
    second: Option<(Addr, Fact, FlowConst)>,
}

/// Masters by device; devices that send data make room last.
pub(super) struct SecondStart {
    devices: Room<Addr, Device>,
}

/// Masters kept of a device.
const MASTERS: usize = 16;

impl SecondStart {
    pub(super) fn new(setup: &Setup) -> Self {
        let limit = setup.limits.get(Limit::DetectorSources);
        SecondStart { devices: Room::new(Limit::DetectorSources, limit) }
    }
}

impl Detector for SecondStart {
    super::keeps!(devices);

    fn wants(&self) -> FactKinds {
        FactKinds::ASKS | FactKinds::SAMPLE
    }

    fn fact(&mut self, fact: &Fact, flow: &FlowConst, look: &mut Look<'_>) {
        let (starts, stops, heard) = match &fact.body {
            Body::Op(op) if op.proto == "iec104" && !op.is_answer => {
                (op.class == OpClass::ReportsOn, op.class == OpClass::ReportsOff, true)
            }
            // Data that a device sends is data that its master still takes.
            Body::Sample(s) if s.proto == "iec104" && !s.write => (false, false, false),
            _ => return,
        };
        let (from, to) = ends(fact, flow);
        let (master, device) = if heard { (from.addr, to.addr) } else { (to.addr, from.addr) };
        if !heard {
            self.devices.prove(&device);
        }
        let Some(d) = self.devices.entry(&device, Device::default) else { return };
        let at_work = |(a, t): (&Addr, &Ts)| *a != master && fact.ts.since(*t) <= AT_WORK;
        if starts && !d.masters.contains_key(&master) && d.masters.iter().any(at_work) {
            d.second = Some((master, fact.clone(), *flow));
        }
        if stops {
            d.masters.remove(&master);
            d.second = None;
        } else if d.masters.len() < MASTERS || d.masters.contains_key(&master) {
            d.masters.insert(master, fact.ts);
        }
        let Some((second, start, start_flow)) = &d.second else { return };
        if master == *second || fact.ts.since(start.ts) < FAILOVER {
            return;
        }
        let (src, dst) = ends(start, start_flow);
        look.see(&Sighting {
            dedup_key: format!("{}>{}", src.name(), dst.name()),
            told_by: Some((new_master::META.id, src.name())),
            attack: &["T0848"],
            proto: "iec104",
            words: &|site| {
                let (a, b) = (site.name(&src), site.name(&dst));
                let why = format!("{a} started data transfer with {b} while {master} went on to take its data.");
                let value = InPacket::new("src_ip", src.addr.to_string(), [master.to_string()]);
                let e = evidence(a.clone(), Some(&master.to_string()), Some(30.0)).naming(value);
                (format!("Second master of {b}: {a}"), why, e)
            },
            ..Sighting::of(&META, start, start_flow)
        });
        d.second = None;
    }
    fn hits(&self) -> LimitHits {
        self.devices.hits().clone()
    }
}
