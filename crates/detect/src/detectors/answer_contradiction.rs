//! Answers that nobody asked for, and a second, different answer to the same question.

use gwcore::time::MINUTE;
use gwcore::{Addr, Body, Fact, FactKinds, FlowConst, LimitHits, Severity};

use super::{Detector, Look, Meta};
use crate::Setup;
use crate::fold::{Sighting, ends, evidence};
use crate::window::Windows;

pub(super) static META: Meta = Meta {
    id: "answer-contradiction",
    number: 25,
    finds: "Answers came that nobody had asked for, or two different answers to one request.",
    innocent: "A capture that misses requests, a gateway that answers late, a session taken over by a standby unit.",
    call: "the automation engineer; compare the two answers by their frame numbers",
    attack: &["T1692.002", "T0830"],
    needs: "decoded utility protocol in both directions",
    severity: Severity::Medium,
};

/// Such answers within five minutes: one alone may be a request that the capture missed.
const SERIES: u32 = 3;
const WINDOW: i64 = 5 * MINUTE;

/// Contradictions by device, master and kind.
pub(super) struct AnswerContradiction {
    seen: Windows<(Addr, Addr, &'static str), ()>,
}

impl AnswerContradiction {
    pub(super) fn new(setup: &Setup) -> Self {
        AnswerContradiction { seen: Windows::new(setup, WINDOW, 1) }
    }
}

impl Detector for AnswerContradiction {
    super::keeps!(seen);

    fn wants(&self) -> FactKinds {
        FactKinds::ANOMALY
    }

    fn fact(&mut self, fact: &Fact, flow: &FlowConst, look: &mut Look<'_>) {
        let Body::Anomaly { proto, reason } = fact.body else { return };
        let (what, severity, series) = match reason {
            "answer_without_request" => ("sent answers that nobody asked for", Severity::Medium, SERIES),
            "second_answer" => ("gave two different answers to one request", Severity::High, 1),
            _ => return,
        };
        let (src, dst) = ends(fact, flow);
        let quality = look.seen.quality(src.addr, dst.addr, fact.ts.plus(-WINDOW), fact.ts);
        if quality.gaps || quality.one_direction {
            return;
        }
        let Some(w) = self.seen.count((src.addr, dst.addr, reason), fact.ts, ()) else { return };
        let (since, count) = (w.since, w.count);
        if count < series {
            return;
        }
        look.see(&Sighting {
            dedup_key: format!("{}>{}:{proto}:{reason}", src.name(), dst.name()),
            severity,
            attack: &["T1692.002", "T0830"],
            proto,
            words: &|site| {
                let (a, b) = (site.name(&src), site.name(&dst));
                let why = format!("{a} {what}, {count} times to {b} within five minutes.");
                let e = evidence(format!("{count} times"), Some("one answer to each request"), Some(f64::from(series)));
                (format!("{a} {what}"), why, e)
            },
            since: Some(since),
            ..Sighting::of(&META, fact, flow)
        });
    }
    fn hits(&self) -> LimitHits {
        self.seen.hits.clone()
    }
}
