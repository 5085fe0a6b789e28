//! Measurements that stand still though they always moved, or come again exactly as they came before.

use gwcore::time::{MINUTE, SECOND};
use gwcore::{Basis, Body, Fact, FactKinds, FlowConst, LimitHits, Severity};

use super::{Detector, Look, Meta};
use crate::Setup;
use crate::baseline::{Answer, Class, Motion, MotionWatch, SERIES, poll_place};
use crate::fold::Sighting;
use crate::novelty::{Novelty, end_of};

pub(super) static META: Meta = Meta {
    id: "frozen-values",
    number: 56,
    finds: "The measurements of a poll stood still far longer than ever, or repeated an earlier series exactly, which they never did.",
    innocent: "A transducer or its bus that failed, a device in test or simulation, a process that was shut down.",
    call: "the control room: compare with another measurement of the same plant",
    attack: &["T1692.002"],
    needs: "a baseline of the poll with at least a thousand answers of three or more measurements",
    severity: Severity::Medium,
};

/// Answers learned of a poll from which it is known how it moves.
const ENOUGH: u64 = 1_000;
/// Share of answers that must have differed from the one before.
const MOVING: f64 = 0.9;
/// The longest time learned without a difference, times this, and at least so long and so many answers.
const TIMES: i64 = 10;
const LEAST: i64 = MINUTE;
const ANSWERS: u32 = 30;

/// Compares the answers of polls with those learned.
pub(super) struct FrozenValues {
    novelty: Option<Novelty>,
    watch: MotionWatch,
}

impl FrozenValues {
    pub(super) fn new(setup: &Setup) -> Self {
        let novelty = Novelty::new(setup, Class::Point);
        FrozenValues { novelty, watch: MotionWatch::new(&setup.limits) }
    }
}

/// What is wrong with an answer: severity, observed, expected.
fn judge(a: &Answer, m: &Motion) -> Option<(Severity, String, String)> {
    let moving = m.polls >= ENOUGH && m.moves as f64 >= MOVING * m.polls as f64;
    if !moving {
        return None;
    }
    if let (Some(run), 0) = (a.repeated, m.repeats) {
        let observed = format!("{run} answers in a row of {} values each as in an earlier series", a.poll.4);
        return Some((Severity::High, observed, format!("never {SERIES} answers of an earlier series in {}", m.polls)));
    }
    let (still, allowed) = (a.ts.since(a.since), m.longest.saturating_mul(TIMES).max(LEAST));
    if a.still < ANSWERS || still <= allowed {
        return None;
    }
    let observed = format!("{} answers with the same {} values for {} seconds", a.still, a.poll.4, still / SECOND);
    Some((Severity::Medium, observed, format!("the same for at most {} seconds", m.longest / SECOND)))
}

impl Detector for FrozenValues {
    super::keeps!(watch);

    fn wants(&self) -> FactKinds {
        FactKinds::SAMPLE.only_if(self.novelty.is_some())
    }

    fn learned(&mut self, setup: &Setup) {
        *self = Self::new(setup);
    }

    fn fact(&mut self, fact: &Fact, flow: &FlowConst, look: &mut Look<'_>) {
        let (Some(novelty), Body::Sample(s)) = (&self.novelty, &fact.body) else { return };
        let Some(answer) = self.watch.sample(s, fact, flow) else { return };
        let (client, server, proto, first, _) = answer.poll;
        let b = &novelty.baseline;
        let key = b.key(Class::Point, (client, server), proto, first.table, poll_place(&answer.poll));
        let Some(m) = key.and_then(|k| b.conduct.motions.get(&k)) else { return };
        let Some((severity, observed, expected)) = judge(&answer, m) else { return };
        let (client, server) = (end_of(client), end_of(server));
        look.see(&Sighting {
            dedup_key: format!("{}:{proto}", server.name()),
            severity: novelty.weigh(severity, &server),
            basis: Basis::Learned,
            attack: &["T1692.002"],
            proto,
            words: &|site| {
                let (to, from, point) = (site.name(&server), site.name(&client), site.say_point(&server, proto, first));
                let title = format!("Measurements of {to} do not move as they always did");
                let why = format!(
                    "{to} gave {from} {observed}, from {point} on; in {} it was {expected}.",
                    novelty.learned()
                );
                let mut e = novelty.evidence(observed.clone(), Some(expected.clone()));
                e.seen = Some(m.polls);
                (title, why, e)
            },
            since: (severity == Severity::Medium).then_some(answer.since),
            ..Sighting::of(&META, &answer.fact, &answer.flow)
        });
    }
    fn hits(&self) -> LimitHits {
        self.watch.hits.clone()
    }
}
