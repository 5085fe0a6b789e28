//! Sightings from outside of the detectors here: indicators, rules and other programs' alerts, folded and named as every finding is.

use gwcore::{Basis, Body, Evidence, Fact, FlowConst, FlowRef, Key, Severity, Ts};

use crate::Meta;

/// Matches with what is known to be bad.
pub static INTEL_MATCH: Meta = Meta {
    id: "intel-match",
    number: 80,
    finds: "An address, name, URL, file, certificate or fingerprint that a list calls bad stands in the traffic of a host.",
    innocent: "A list that is old or too broad: shared hosting, content networks, a sinkhole, a researcher's or scanner's own look-ups.",
    call: "whoever runs the host; the owner of the list about the entry",
    attack: &[],
    needs: "indicators (--intel)",
    severity: Severity::Medium,
};

/// Matches of rules over records.
pub static RULE_MATCH: Meta = Meta {
    id: "rule-match",
    number: 81,
    finds: "A record matches a rule that the site loaded.",
    innocent: "What the rule itself names under false positives; a rule written for another kind of site.",
    call: "whoever maintains the rule",
    attack: &[],
    needs: "rules (--rules)",
    severity: Severity::Low,
};

/// All of them.
pub(crate) static METAS: [&Meta; 2] = [&INTEL_MATCH, &RULE_MATCH];

/// Title, sentence and evidence of a sighting, from the names of both ends.
pub type Words<'a> = Box<dyn Fn(&str, &str) -> (String, String, Evidence) + 'a>;

/// What somebody outside of the detectors saw in one record.
pub struct Outside<'a> {
    /// Which detector it speaks for.
    pub meta: &'static Meta,
    /// Place of the record in the ordered stage.
    pub key: Key,
    /// Time of the record.
    pub ts: Ts,
    /// Frame that shows it.
    pub frame: u64,
    /// Its flow, index into the flows of the batch; reversed when the responder is to blame.
    pub flow: FlowRef,
    /// What makes two sightings the same finding.
    pub dedup_key: String,
    /// How grave.
    pub severity: Severity,
    /// What it rests on.
    pub basis: Basis,
    /// ATT&CK techniques.
    pub attack: &'static [&'static str],
    /// Protocol of the record.
    pub proto: &'static str,
    /// Made only when a finding opens.
    pub words: Words<'a>,
}

impl Outside<'_> {
    /// The fact that stands in for the record.
    pub(crate) fn fact(&self) -> Fact {
        Fact { key: self.key, ts: self.ts, frame: self.frame, flow: self.flow, body: Body::FlowStart }
    }

    /// Its flow.
    pub(crate) fn flow<'f>(&self, flows: &'f [FlowConst]) -> Option<&'f FlowConst> {
        flows.get(self.flow.index())
    }
}
