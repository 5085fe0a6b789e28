//! Reports switched off and not on again while the conversation goes on: the control room no longer hears of events.

use gwcore::time::MINUTE;
use gwcore::{Addr, Body, Fact, FactKinds, FlowConst, InPacket, Limit, LimitHits, OpClass, Severity, Ts};

use super::{Detector, Look, Meta};
use crate::Setup;
use crate::baseline::{MASTERED, has_masters};
use crate::fold::{Sighting, ends, evidence};
use crate::novelty::function_in_packet;
use crate::room::Room;

pub(super) static META: Meta = Meta {
    id: "reports-stay-off",
    number: 21,
    finds: "Unsolicited reports or data transfer were switched off in a running conversation and not switched on again.",
    innocent: "A front end that polls only, a standby connection that was put to rest, work on the device.",
    call: "the control room, then the automation engineer",
    attack: &["T0878"],
    needs: "decoded utility protocol",
    severity: Severity::Medium,
};

/// Time after which what was switched off is taken to stay off: masters that start up switch on again after their integrity poll.
const STAYS: i64 = 5 * MINUTE;
/// Time after the first message of a conversation in which switching off belongs to starting up.
const START_UP: i64 = MINUTE;

type Pair = (Addr, Addr, &'static str);

#[derive(Default, serde::Serialize, serde::Deserialize)]
#[serde(bound(deserialize = "'de: 'static"))]
struct State {
    first: Option<Ts>,
    /// It went on after its start-up.
    lasts: bool,
    off: Option<(Fact, FlowConst)>,
}

/// Conversations of master and outstation; those that go on after their start-up make room last.
pub(super) struct ReportsStayOff {
    pairs: Room<Pair, State>,
}

impl ReportsStayOff {
    pub(super) fn new(setup: &Setup) -> Self {
        let limit = setup.limits.get(Limit::DetectorSources);
        ReportsStayOff { pairs: Room::new(Limit::DetectorSources, limit) }
    }
}

/// What switched off, and what would have switched on (IEEE 1815 §4.4.4.4; IEC 60870-5-104 §5.3).
fn in_packet(off: &Fact) -> Option<InPacket> {
    let Body::Op(op) = &off.body else { return None };
    let (field, observed) = function_in_packet(op.proto, op.name, op.function.into());
    let on = if op.proto == "iec104" { "STARTDT act".into() } else { serde_json::Value::from(20) };
    Some(InPacket::new(field, observed, [on]))
}

impl Detector for ReportsStayOff {
    super::keeps!(pairs);

    fn wants(&self) -> FactKinds {
        FactKinds::FLOW_END | FactKinds::ASKS
    }

    fn fact(&mut self, fact: &Fact, flow: &FlowConst, look: &mut Look<'_>) {
        if let Body::FlowEnd { .. } = fact.body {
            // A standby connection is put to rest and closed.
            for proto in MASTERED {
                for (master, device) in [(flow.src, flow.dst), (flow.dst, flow.src)] {
                    if let Some(state) = self.pairs.get_mut(&(master, device, proto)) {
                        state.off = None;
                    }
                }
            }
            return;
        }
        let Body::Op(op) = &fact.body else { return };
        if op.is_answer || !has_masters(op.proto) {
            return;
        }
        let (src, dst) = ends(fact, flow);
        let pair = (src.addr, dst.addr, op.proto);
        let Some(state) = self.pairs.entry(&pair, State::default) else { return };
        let first = *state.first.get_or_insert(fact.ts);
        if !state.lasts && fact.ts.since(first) > START_UP {
            state.lasts = true;
            self.pairs.prove(&pair);
        }
        let Some(state) = self.pairs.get_mut(&pair) else { return };
        match op.class {
            OpClass::ReportsOn => state.off = None,
            OpClass::ReportsOff if fact.ts.since(first) > START_UP => {
                state.off.get_or_insert_with(|| (fact.clone(), *flow));
            }
            _ => {}
        }
        let Some((off, off_flow)) = &state.off else { return };
        if fact.ts.since(off.ts) < STAYS || look.seen.was_silent(off.ts, fact.ts) {
            return;
        }
        let minutes = fact.ts.since(off.ts) / MINUTE;
        look.see(&Sighting {
            dedup_key: format!("{}>{}:{}", src.name(), dst.name(), op.proto),
            attack: &["T0878"],
            proto: op.proto,
            words: &|site| {
                let (a, b) = (site.name(&src), site.name(&dst));
                let title = format!("{b} no longer reports to {a}");
                let why = format!("{a} switched the reports of {b} off and still talks to it {minutes} minutes later without switching them on.");
                let e = evidence(format!("off for {minutes} minutes"), Some("on again after start-up"), Some(5.0));
                (title, why, e.naming(in_packet(off)))
            },
            ..Sighting::of(&META, off, off_flow)
        });
        state.off = None;
    }
    fn hits(&self) -> LimitHits {
        self.pairs.hits().clone()
    }
}
