//! Control commands and set points as they were sent: a fact for the operator's log, not an alarm.

use gwcore::{Body, Fact, FlowConst, Limits, Op, OpClass, Severity};

use super::{Detector, Look, Meta};
use crate::fold::{Sighting, ends, evidence};

pub(super) static META: Meta = Meta {
    id: "control-operation",
    number: 1,
    finds: "A control command or set point was sent to a device.",
    innocent: "Operators and automatic control do this all day; it is shown so that it can be accounted for.",
    call: "the control room, with the time and the point",
    attack: &["T1692.001", "T0836"],
    needs: "decoded utility protocol",
    severity: Severity::Info,
};

/// Stateless.
pub(super) struct ControlOperation;

impl ControlOperation {
    pub(super) fn new(_: &Limits) -> Self {
        ControlOperation
    }
}

impl Detector for ControlOperation {
    fn fact(&mut self, fact: &Fact, flow: &FlowConst, look: &mut Look<'_>) {
        let Body::Op(op) = &fact.body else { return };
        if op.is_answer || !matches!(op.class, OpClass::Control | OpClass::SetPoint) {
            return;
        }
        let (src, dst) = ends(fact, flow);
        let attack: &[&str] = if op.class == OpClass::Control { &["T1692.001"] } else { &["T0836"] };
        look.see(&Sighting {
            meta: &META,
            dedup_key: format!("{}>{}:{}:{}", src.name(), dst.name(), op.proto, op.name),
            severity: Severity::Info,
            attack,
            proto: op.proto,
            src,
            dst,
            words: &|| {
                let name = op.name.replace('_', " ");
                let title = format!("{name} from {} to {}", src.name(), dst.name());
                let why = format!("{} sent {name}{} to {}.", src.name(), point(op), dst.name());
                (title, why, evidence(said(op), None, None))
            },
            fact,
            flow,
            since: None,
        });
    }
}

/// The point in words, with the action.
fn point(op: &Op) -> String {
    let action = if op.action.is_empty() { String::new() } else { format!(" ({})", op.action) };
    match op.point {
        Some(p) => format!("{action} for {} {} of unit {}", p.table.replace('_', " "), p.address, p.unit),
        None => action,
    }
}

fn said(op: &Op) -> String {
    let name = op.name.replace('_', " ");
    match op.value {
        Some(v) => format!("{name}{} = {v}", point(op)),
        None => format!("{name}{}", point(op)),
    }
}
