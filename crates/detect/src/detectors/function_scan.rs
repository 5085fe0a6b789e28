//! One source that tries many functions of a device, or many device addresses behind one connection.

use gwcore::time::MINUTE;
use gwcore::{Addr, Body, Fact, FactKinds, FlowConst, LimitHits, Severity};

use super::{Detector, Look, Meta};
use crate::Setup;
use crate::fold::{Sighting, ends, evidence};
use crate::window::Windows;

pub(super) static META: Meta = Meta {
    id: "function-scan",
    number: 32,
    finds: "One source used many different functions, or addressed many units, of a device within a minute.",
    innocent: "An engineering tool that reads a whole device, a conformance test, a gateway in front of many units.",
    call: "the owner of the source address",
    attack: &["T0888", "T0861"],
    needs: "decoded utility protocol",
    severity: Severity::Medium,
};

/// Different functions within a minute. A master in service uses up to eight: reads of four tables, two writes, time and identity.
const FUNCTIONS: usize = 12;
/// Different units within a minute: a serial line carries at most 32 loads (RS-485), so that half of a full one is already unusual.
const UNITS: usize = 32;

type Pair = (Addr, Addr, &'static str);

/// Functions and units by pair.
pub(super) struct FunctionScan {
    functions: Windows<Pair, (u16, &'static str)>,
    units: Windows<Pair, u32>,
}

impl FunctionScan {
    pub(super) fn new(setup: &Setup) -> Self {
        FunctionScan { functions: Windows::new(setup, MINUTE, 64), units: Windows::new(setup, MINUTE, 256) }
    }
}

impl Detector for FunctionScan {
    super::keeps!(functions, units);

    fn wants(&self) -> FactKinds {
        FactKinds::ASKS
    }

    fn fact(&mut self, fact: &Fact, flow: &FlowConst, look: &mut Look<'_>) {
        let Body::Op(op) = &fact.body else { return };
        if op.is_answer {
            return;
        }
        let (src, dst) = ends(fact, flow);
        let pair = (src.addr, dst.addr, op.proto);
        let functions = self.functions.count(pair, fact.ts, (op.function, op.name));
        let functions = functions.filter(|w| w.kinds.len() >= FUNCTIONS).map(|w| (w.since, w.kinds.len()));
        let unit = op.point.and_then(|p| p.device(op.proto));
        let units = unit.and_then(|unit| self.units.count(pair, fact.ts, unit));
        let units = units.filter(|w| w.kinds.len() >= UNITS).map(|w| (w.since, w.kinds.len()));
        let (what, (since, count), threshold, attack): (_, _, _, &[&str]) = match (functions, units) {
            (Some(f), _) => ("functions", f, FUNCTIONS, &["T0888"]),
            (None, Some(u)) => ("units", u, UNITS, &["T0861"]),
            _ => return,
        };
        look.see(&Sighting {
            dedup_key: format!("{}>{}:{}:{what}", src.name(), dst.name(), op.proto),
            attack,
            proto: op.proto,
            words: &|site| {
                let (a, b) = (site.name(&src), site.name(&dst));
                let why = format!("{a} tried {count} different {} {what} on {b} within a minute.", op.proto);
                (
                    format!("{a} tries many {what} of {b}"),
                    why,
                    evidence(format!("{count} {what} in a minute"), None, Some(threshold as f64)),
                )
            },
            since: Some(since),
            ..Sighting::of(&META, fact, flow)
        });
    }
    fn hits(&self) -> LimitHits {
        let mut hits = self.functions.hits.clone();
        hits.add(&self.units.hits);
        hits
    }
}
