//! GOOSE messages whose counters contradict those before: a second publisher, a restart, or messages played back.

use gwcore::{Body, Fact, FlowConst, Severity};

use super::{Detector, Look, Meta};
use crate::Setup;
use crate::fold::{Sighting, ends, evidence};

pub(super) static META: Meta = Meta {
    id: "goose-state",
    number: 6,
    finds: "The state or sequence number of a GOOSE publisher went back or jumped.",
    innocent: "A restart of the publisher, a test set on the bus, frames lost by the capture.",
    call: "the protection engineer",
    attack: &["T1692.002"],
    needs: "GOOSE on the captured segment",
    severity: Severity::Medium,
};

/// Stateless: the parser keeps the publisher's state.
pub(super) struct GooseState;

impl GooseState {
    pub(super) fn new(_: &Setup) -> Self {
        GooseState
    }
}

/// What an anomaly of the GOOSE parser means to a protection engineer, and how grave it is; none for those that are no state break.
pub(super) fn sentence(reason: &str) -> Option<(&'static str, Severity)> {
    Some(match reason {
        "sqnum_backwards" => ("repeated an earlier sequence number without a change of state", Severity::Medium),
        "stnum_backwards" => ("went back to an earlier state number", Severity::Medium),
        "stnum_jump" => ("jumped ahead in its state number", Severity::Low),
        "sqnum_gap" => ("left out sequence numbers", Severity::Info),
        "ttl_expired" => ("fell silent for longer than it promised", Severity::Low),
        "confrev_changed" => ("changed its configuration revision", Severity::Low),
        "dataset_changed" => ("changed its data set", Severity::Low),
        "simulation_set" => ("marks its messages as simulated", Severity::Low),
        _ => return None,
    })
}

impl Detector for GooseState {
    fn fact(&mut self, fact: &Fact, flow: &FlowConst, look: &mut Look<'_>) {
        let Body::Anomaly { proto: "goose", reason } = fact.body else { return };
        let Some((said, severity)) = sentence(reason) else { return };
        let (src, dst) = ends(fact, flow);
        look.see(&Sighting {
            dedup_key: format!("{}>{}:{reason}", src.name(), dst.name()),
            severity,
            attack: if severity >= Severity::Medium { &["T1692.002"] } else { &[] },
            proto: "goose",
            src,
            dst,
            words: &|site| {
                let title = format!("GOOSE publisher {} {said}", site.name(&src));
                let why = format!("The GOOSE publisher {} {said}.", site.name(&src));
                (title, why, evidence(reason.replace('_', " "), None, None))
            },
            ..Sighting::of(&META, fact, flow)
        });
    }
}
