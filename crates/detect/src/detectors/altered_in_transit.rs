//! A connection whose bytes came out other than they went in, seen on both sides of whoever passes them on.

use gwcore::{Body, Fact, FlowConst, Severity};

use super::{Detector, Look, Meta};
use crate::Setup;
use crate::fold::{Sighting, evidence};

pub(super) static META: Meta = Meta {
    id: "altered-in-transit",
    number: 63,
    finds: "Bytes of a TCP connection were seen in two versions, one between other MAC addresses than the other: what arrived is not what was sent.",
    innocent: "A proxy, an application gateway or an accelerator that rewrites content, captured on both its sides.",
    call: "the network engineer, then the owners of both ends",
    attack: &["T0830"],
    needs: "both sides of whoever alters it on the captured segment",
    severity: Severity::High,
};

/// Keeps nothing: the reassembly of TCP compares.
pub(super) struct AlteredInTransit;

impl AlteredInTransit {
    pub(super) fn new(_: &Setup) -> Self {
        AlteredInTransit
    }
}

impl Detector for AlteredInTransit {
    fn fact(&mut self, fact: &Fact, flow: &FlowConst, look: &mut Look<'_>) {
        if !matches!(fact.body, Body::Anomaly { proto: "tcp", reason: "altered_in_transit" }) {
            return;
        }
        let s = Sighting::of(&META, fact, flow);
        let (src, dst) = (s.src, s.dst);
        look.see(&Sighting {
            dedup_key: format!("{}>{}", src.name(), dst.name()),
            attack: &["T0830"],
            proto: "tcp",
            words: &|site| {
                let (a, b) = (site.name(&src), site.name(&dst));
                let title = format!("What {a} sends to {b} is altered on its way");
                let why = format!(
                    "Bytes that {a} sent to {b} came again between other MAC addresses, and differ: the frame named carries the later \
                     version, the record of kind anomaly both."
                );
                (title, why, evidence("two versions of the same bytes".into(), Some("one"), None))
            },
            ..s
        });
    }
}
