//! DNP3 commands that ask for no answer: sent to all outstations at once, or directly without acknowledgement.

use gwcore::{Body, Fact, FactKinds, FlowConst, InPacket, OpClass, Severity};

use super::{Detector, Look, Meta};
use crate::Setup;
use crate::fold::{Sighting, ends, evidence, words};
use crate::say::{request_with_value, thing};

pub(super) static META: Meta = Meta {
    id: "unacknowledged-command",
    number: 27,
    finds: "A DNP3 request other than a freeze or a time set went to all outstations, or a command was sent so that nobody acknowledges it.",
    innocent: "A load shedding scheme, a freeze of counters or a time set for all.",
    call: "the control room",
    attack: &["T1692.001", "T0846.002"],
    needs: "decoded DNP3",
    severity: Severity::Low,
};

/// Stateless.
pub(super) struct UnacknowledgedCommand;

impl UnacknowledgedCommand {
    pub(super) fn new(_: &Setup) -> Self {
        UnacknowledgedCommand
    }
}

/// What a request to all outstations is worth. Freezes and time sets are what the addresses are there for (IEEE 1815 §9.2.4.5); nobody
/// answers a read.
fn to_all(class: OpClass) -> Option<Severity> {
    Some(match class {
        OpClass::Freeze | OpClass::TimeSet => return None,
        OpClass::Read
        | OpClass::Identify
        | OpClass::Authenticate
        | OpClass::Other
        | OpClass::ReportsOn
        | OpClass::Clear => Severity::Low,
        _ => Severity::Medium,
    })
}

impl Detector for UnacknowledgedCommand {
    fn wants(&self) -> FactKinds {
        FactKinds::BROADCAST | FactKinds::ASKS
    }

    fn fact(&mut self, fact: &Fact, flow: &FlowConst, look: &mut Look<'_>) {
        let (severity, said, function, name) = match &fact.body {
            Body::Broadcast { proto: "dnp3", class, function, name } => {
                let Some(severity) = to_all(*class) else { return };
                (severity, "to all outstations at once", *function, *name)
            }
            Body::Op(op) if op.proto == "dnp3" && !op.is_answer && op.function == 6 => {
                (Severity::Low, "without asking for an acknowledgement", op.function, op.name)
            }
            _ => return,
        };
        let (src, dst) = ends(fact, flow);
        let asks = matches!(&fact.body, Body::Broadcast { class: OpClass::Read | OpClass::Identify, .. });
        let at = if let Body::Op(op) = &fact.body { format!(":{}", thing(op)) } else { String::new() };
        // What does the same and asks for an answer (IEEE 1815 §4.4.4.2); what is asked of all has no counterpart.
        let value = matches!(fact.body, Body::Op(_)).then(|| InPacket::new("dnp3.function_code", function, [5]));
        look.see(&Sighting {
            dedup_key: format!("{}>{}:{name}{at}", src.name(), dst.name()),
            severity,
            attack: if asks { &["T0846.002"] } else { &["T1692.001"] },
            proto: "dnp3",
            words: &|site| {
                let a = site.name(&src);
                let said_name = match &fact.body {
                    Body::Op(op) => request_with_value(op, &dst, site),
                    _ => words(name),
                };
                let why = format!("{a} sent the DNP3 request {said_name} {said}.");
                let e = evidence(format!("function {function}"), Some("an acknowledged command"), None);
                (format!("{a} sent {said_name} {said}"), why, e.naming(value.clone()))
            },
            ..Sighting::of(&META, fact, flow)
        });
    }
}
