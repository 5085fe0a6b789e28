//! DNP3 commands that ask for no answer: sent to all outstations at once, or directly without acknowledgement.

use gwcore::{Body, Fact, FlowConst, OpClass, Severity};

use super::{Detector, Look, Meta};
use crate::Setup;
use crate::fold::{Sighting, ends, evidence};

pub(super) static META: Meta = Meta {
    id: "unacknowledged-command",
    number: 27,
    finds: "A DNP3 command went to all outstations, or was sent so that nobody acknowledges it.",
    innocent: "A load shedding scheme, a freeze of counters or a time set for all.",
    call: "the control room",
    attack: &["T1692.001"],
    needs: "decoded DNP3",
    severity: Severity::Low,
};

/// Link addresses from here on reach every outstation (IEEE 1815 §9.2.4.5).
const BROADCAST: u32 = 0xfffd;

/// Stateless.
pub(super) struct UnacknowledgedCommand;

impl UnacknowledgedCommand {
    pub(super) fn new(_: &Setup) -> Self {
        UnacknowledgedCommand
    }
}

impl Detector for UnacknowledgedCommand {
    fn fact(&mut self, fact: &Fact, flow: &FlowConst, look: &mut Look<'_>) {
        let Body::Op(op) = &fact.body else { return };
        if op.proto != "dnp3" || op.is_answer || matches!(op.class, OpClass::Freeze | OpClass::TimeSet) {
            return;
        }
        let to_all = op.point.is_some_and(|p| p.unit >= BROADCAST);
        let commands = matches!(op.class, OpClass::Control | OpClass::SetPoint | OpClass::Restart | OpClass::Mode);
        let (severity, said) = match (to_all && commands, op.function) {
            (true, _) => (Severity::Medium, "to all outstations at once"),
            (false, 6) => (Severity::Low, "without asking for an acknowledgement"),
            _ => return,
        };
        let (src, dst) = ends(fact, flow);
        let name = op.name.replace('_', " ");
        look.see(&Sighting {
            dedup_key: format!("{}>{}:{}", src.name(), dst.name(), op.name),
            severity,
            attack: &["T1692.001"],
            proto: "dnp3",
            words: &|site| {
                let a = site.name(&src);
                let why = format!("{a} sent the DNP3 command {name} {said}.");
                (format!("{a} commands {said}"), why, evidence(format!("function {}", op.function), Some("an acknowledged command"), None))
            },
            ..Sighting::of(&META, fact, flow)
        });
    }
}
