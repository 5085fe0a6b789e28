//! Polling that changed its period, or stopped while the device it asks is still there.

use std::collections::VecDeque;
use std::sync::Arc;

use gwcore::time::SECOND;
use gwcore::{AgedTable, Basis, Body, Fact, FactKinds, FlowConst, Limit, LimitHits, OpClass, Severity, Ts};

use super::{Detector, Look, Meta};
use crate::Setup;
use crate::baseline::{Baseline, Class, Key, differs, poll_number, who};
use crate::fold::{Sighting, ends, words};
use crate::novelty::Novelty;

pub(super) static META: Meta = Meta {
    id: "period",
    number: 48,
    finds: "A poll that was regular while the baseline was learned came at another period.",
    innocent: "A changed configuration of the front end, a slow line, several front ends after a restart.",
    call: "the automation engineer",
    attack: &["T0814", "T1691.002"],
    needs: "a baseline, decoded utility protocol; both directions without gaps",
    severity: Severity::Low,
};

/// Times between polls that are judged together.
const WINDOW: usize = 12;

#[derive(serde::Serialize, serde::Deserialize)]
struct Poll {
    last: Ts,
    since: Ts,
    between: VecDeque<i64>,
}

/// Compares polls with the baseline.
pub(super) struct Period {
    novelty: Option<Novelty>,
    baseline: Option<Arc<Baseline>>,
    polls: AgedTable<Key, Poll>,
    hits: LimitHits,
}

impl Period {
    pub(super) fn new(setup: &Setup) -> Self {
        Period {
            novelty: Novelty::new(setup, Class::Function),
            baseline: setup.baseline.clone(),
            polls: AgedTable::new(Limit::DetectorSources, setup.limits.get(Limit::DetectorSources)),
            hits: LimitHits::default(),
        }
    }

    /// Takes note of a poll; gives the median of the last ones when there are enough, and since when they were.
    fn poll(&mut self, key: Key, ts: Ts, whole: bool) -> Option<(i64, Ts)> {
        let Some(poll) = self.polls.get_mut(&key) else {
            let poll = Poll { last: ts, since: ts, between: VecDeque::new() };
            if self.polls.insert(key, poll).is_some() {
                self.hits.hit(Limit::DetectorSources);
            }
            return None;
        };
        let between = ts.since(std::mem::replace(&mut poll.last, ts));
        if !whole || between <= 0 {
            poll.between.clear();
            poll.since = ts;
            return None;
        }
        poll.between.push_back(between);
        if poll.between.len() < WINDOW {
            return None;
        }
        let mut sorted: Vec<i64> = poll.between.iter().copied().collect();
        sorted.sort_unstable();
        let median = sorted.get(WINDOW / 2).copied();
        let since = poll.since;
        poll.between.clear();
        poll.since = ts;
        median.map(|m| (m, since))
    }
}

impl Detector for Period {
    super::keeps!(learned words; polls);

    fn wants(&self) -> FactKinds {
        FactKinds::READ.only_if(self.novelty.is_some())
    }

    fn learned(&mut self, setup: &Setup) {
        *self = Self::new(setup);
    }

    fn fact(&mut self, fact: &Fact, flow: &FlowConst, look: &mut Look<'_>) {
        let Body::Op(op) = &fact.body else { return };
        if self.novelty.is_none() || op.is_answer || op.class != OpClass::Read {
            return;
        }
        let Some(baseline) = self.baseline.clone() else { return };
        let (client, server) = ends(fact, flow);
        let pair = (who(&client), who(&server));
        let Some(key) = baseline.key(Class::Function, pair, op.proto, op.name, poll_number(op)) else { return };
        let Some(rhythm) = baseline.rhythms.get(&key) else { return };
        let Some(period) = rhythm.period() else { return };
        let last = self.polls.get(&key).map_or(fact.ts, |p| p.last);
        let whole = look.seen.quality(pair.0, pair.1, last, fact.ts).is_whole();
        let Some((now, since)) = self.poll(key, fact.ts, whole) else { return };
        let Some(novelty) = self.novelty.as_ref().filter(|_| differs(now, period)) else { return };
        let seconds = |ns: i64| format!("{:.1} s", ns as f64 / SECOND as f64);
        look.see(&Sighting {
            dedup_key: format!("{}>{}:{}:{}", client.name(), server.name(), op.proto, op.function),
            basis: Basis::Learned,
            attack: if now > period { &["T1691.002", "T0814"] } else { &["T0814"] },
            proto: op.proto,
            src: client,
            dst: server,
            words: &|site| {
                let (from, to, name) = (site.name(&client), site.name(&server), words(op.name));
                let title = format!("{from} polls {to} every {} instead of {}", seconds(now), seconds(period));
                let why = format!(
                    "{from} sent {name} to {to} about every {}; while learned, it was every {}.",
                    seconds(now),
                    seconds(period)
                );
                let mut e = novelty.evidence(seconds(now), Some(seconds(period)));
                e.seen = Some(rhythm.count());
                e.more.insert("longest_learned".into(), seconds(rhythm.longest()).into());
                (title, why, e)
            },
            since: Some(since),
            ..Sighting::of(&META, fact, flow)
        });
    }
    fn hits(&self) -> LimitHits {
        self.hits.clone()
    }
}
