//! A DNP3 report whose confirmation the outstation had is sent again at once: its sequence number is used up then.

use gwcore::{Body, Fact, FactKinds, FlowConst, Severity};

use super::{Detector, Look, Meta};
use crate::Setup;
use crate::fold::{Sighting, ends, evidence};

pub(super) static META: Meta = Meta {
    id: "report-again",
    number: 58,
    finds: "An unsolicited DNP3 report came again within a second after it had been confirmed: an outstation goes on to the next number.",
    innocent: "An outstation that does not count its reports on, a session copied into the capture twice with other sequence numbers.",
    call: "the automation engineer; compare the reports by their frame numbers with the outstation's own log",
    attack: &["T1692.002", "T0830"],
    needs: "DNP3 with unsolicited reports in both directions",
    severity: Severity::Medium,
};

/// Stateless: the parser follows the sequence numbers.
pub(super) struct ReportAgain;

impl ReportAgain {
    pub(super) fn new(_: &Setup) -> Self {
        ReportAgain
    }
}

impl Detector for ReportAgain {
    fn wants(&self) -> FactKinds {
        FactKinds::ANOMALY
    }

    fn fact(&mut self, fact: &Fact, flow: &FlowConst, look: &mut Look<'_>) {
        let Body::Anomaly { proto, reason: "report_again_after_confirmation" } = fact.body else { return };
        let (src, dst) = ends(fact, flow);
        look.see(&Sighting {
            dedup_key: format!("{}>{}", src.name(), dst.name()),
            attack: &["T1692.002", "T0830"],
            proto,
            words: &|site| {
                let (a, b) = (site.name(&src), site.name(&dst));
                let title = format!("{a} sends a confirmed report again");
                let why =
                    format!("{a} sent {b} an unsolicited report again within a second after {b} had confirmed it.");
                let observed = "the sequence number of a report that was confirmed".to_owned();
                (title, why, evidence(observed, Some("the next sequence number"), None))
            },
            ..Sighting::of(&META, fact, flow)
        });
    }
}
