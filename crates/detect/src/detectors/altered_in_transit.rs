//! A connection whose bytes came out other than they went in, seen on both sides of whoever passes them on.

use gwcore::{Addr, Body, Fact, FactKinds, FlowConst, Severity};

use super::{Detector, Look, Meta};
use crate::Setup;
use crate::fold::{End, Sighting, evidence};

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
    fn wants(&self) -> FactKinds {
        FactKinds::ALTERED
    }

    fn fact(&mut self, fact: &Fact, flow: &FlowConst, look: &mut Look<'_>) {
        let Body::Altered { by } = fact.body else { return };
        let s = Sighting::of(&META, fact, flow);
        let (from, to) = (s.src, s.dst);
        let between = End { mac: by, addr: Addr::NONE, port: None };
        look.see(&Sighting {
            dedup_key: format!("{}>{}", from.name(), to.name()),
            attack: &["T0830"],
            proto: "tcp",
            src: between,
            words: &|site| {
                let (a, b, m) = (site.name(&from), site.name(&to), site.name(&between));
                let title = format!("{m} alters what {a} sends to {b}");
                let why = format!(
                    "Bytes that {a} sent to {b} came again from {m}, and differ: the frame named carries the later version, and the anomaly \
                     record of that frame shows both."
                );
                (title, why, evidence("two versions of the same bytes".into(), Some("one"), None))
            },
            ..s
        });
    }
}
