//! Utility-protocol messages that do not follow their standard: damaged, cut, or made by hand.

use gwcore::{Body, Fact, FactKinds, FlowConst, Severity};

use super::{Detector, Look, Meta};
use crate::Setup;
use crate::fold::{Sighting, ends, evidence};

pub(super) static META: Meta = Meta {
    id: "malformed-ot",
    number: 5,
    finds: "A utility-protocol message did not follow its standard.",
    innocent: "A noisy serial line behind a gateway, a device with a known bug, a capture that lost bytes.",
    call: "the automation engineer; the frame numbers show the bytes",
    attack: &["T0866"],
    needs: "decoded utility protocol",
    severity: Severity::Low,
};

/// Protocols whose messages reach primary equipment.
const UTILITY: &[&str] = &["modbus", "dnp3", "iec104", "goose", "s7comm", "cotp"];
/// Reasons that are about the capture or the order of messages, not about the bytes of one.
const NOT_MALFORMED: &[&str] = &[
    "lost_position",
    "gap",
    "unanswered",
    "operate_without_select",
    "answer_without_request",
    "second_answer",
    "message_unfinished",
    "unit_not_echoed",
    "transaction_not_echoed",
];

/// Stateless.
pub(super) struct MalformedOt;

impl MalformedOt {
    pub(super) fn new(_: &Setup) -> Self {
        MalformedOt
    }
}

impl Detector for MalformedOt {
    fn wants(&self) -> FactKinds {
        FactKinds::ANOMALY
    }

    fn fact(&mut self, fact: &Fact, flow: &FlowConst, look: &mut Look<'_>) {
        let Body::Anomaly { proto, reason } = fact.body else { return };
        if !UTILITY.contains(&proto) || NOT_MALFORMED.contains(&reason) || super::goose_state::is_about_state(reason) {
            return;
        }
        let (src, dst) = ends(fact, flow);
        look.see(&Sighting {
            dedup_key: format!("{}>{}:{proto}:{reason}", src.name(), dst.name()),
            severity: META.severity,
            attack: &[],
            proto,
            src,
            dst,
            words: &|site| {
                let title = format!(
                    "{proto} message from {} breaks the standard: {}",
                    site.name(&src),
                    reason.replace('_', " ")
                );
                let why = format!(
                    "{} sent a {proto} message that breaks the standard ({}).",
                    site.name(&src),
                    reason.replace('_', " ")
                );
                (title, why, evidence(reason.replace('_', " "), None, None))
            },
            ..Sighting::of(&META, fact, flow)
        });
    }
}
