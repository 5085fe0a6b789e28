//! Control commands and set points as they were sent: a fact for the operator's log, not an alarm.

use gwcore::{Body, Fact, FactKinds, FlowConst, Op, OpClass, Severity};

use super::{Detector, Look, Meta};
use crate::fold::{End, Sighting, ends, evidence, words};
use crate::site::number;
use crate::{Setup, Site};

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
    pub(super) fn new(_: &Setup) -> Self {
        ControlOperation
    }
}

impl Detector for ControlOperation {
    fn wants(&self) -> FactKinds {
        FactKinds::REQUEST
    }

    fn fact(&mut self, fact: &Fact, flow: &FlowConst, look: &mut Look<'_>) {
        let Body::Op(op) = &fact.body else { return };
        if op.is_answer || !matches!(op.class, OpClass::Control | OpClass::SetPoint) {
            return;
        }
        let (src, dst) = ends(fact, flow);
        let attack: &[&str] = if op.class == OpClass::Control { &["T1692.001"] } else { &["T0836"] };
        look.see(&Sighting {
            dedup_key: format!("{}>{}:{}:{}", src.name(), dst.name(), op.proto, op.name),
            severity: Severity::Info,
            attack,
            proto: op.proto,
            src,
            dst,
            words: &|site| {
                let name = words(op.name);
                let title = format!("{name} from {} to {}", site.name(&src), site.name(&dst));
                let why = format!("{} sent {name}{} to {}.", site.name(&src), point(op, &dst, site), site.name(&dst));
                (title, why, evidence(said(op, &dst, site), None, None))
            },
            ..Sighting::of(&META, fact, flow)
        });
    }
}

/// The point in the site's words, with the action.
fn point(op: &Op, device: &End, site: &Site) -> String {
    let action = if op.action.is_empty() { String::new() } else { format!(" ({})", op.action) };
    match op.point {
        Some(p) => format!("{action} for {}", site.say_point(device, op.proto, p)),
        None => action,
    }
}

fn said(op: &Op, device: &End, site: &Site) -> String {
    let name = words(op.name);
    let value = |v| op.point.map_or_else(|| number(v), |p| site.say_value(device, op.proto, p, v));
    match op.value {
        Some(v) => format!("{name}{} = {}", point(op, device, site), value(v)),
        None => format!("{name}{}", point(op, device, site)),
    }
}
