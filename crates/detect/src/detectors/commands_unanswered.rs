//! Commands that get no answer although the device answers others, and connections that end right after a command.

use gwcore::time::{MINUTE, SECOND};
use gwcore::{Addr, AgedTable, Body, Fact, FactKinds, FlowConst, Limit, LimitHits, OpClass, Severity, Ts, Uid};

use super::{Detector, Look, Meta};
use crate::Setup;
use crate::fold::{Sighting, ends, evidence};
use crate::window::Windows;

pub(super) static META: Meta = Meta {
    id: "commands-unanswered",
    number: 22,
    finds: "Several commands to a device got no answer, or were followed by the end of the connection.",
    innocent: "A device that restarts or is overloaded, a bad line, a front end that closes after each command.",
    call: "the control room: is the plant where the commands should have put it",
    attack: &["T1691.001"],
    needs: "decoded utility protocol in both directions",
    severity: Severity::Medium,
};

/// How long an answer may take: masters wait a few seconds, slow lines half a minute.
const PATIENCE: i64 = 30 * SECOND;
/// End of the connection within this time after a command.
const RIGHT_AFTER: i64 = 2 * SECOND;
/// Such commands within ten minutes; one or two are a restart or a lost frame.
const SERIES: u32 = 3;
const WINDOW: i64 = 10 * MINUTE;
/// DNP3 direct operate without acknowledgement asks for no answer (IEEE 1815 §4.4.4.4); link addresses from 0xfffd reach all.
const NO_ANSWER: u16 = 6;
const BROADCAST: u32 = 0xfffd;

type Pair = (Addr, Addr, &'static str);

/// The command of a connection that waits.
#[derive(serde::Serialize, serde::Deserialize)]
#[serde(bound(deserialize = "'de: 'static"))]
struct Waiting {
    fact: Fact,
    flow: FlowConst,
    pair: Pair,
    answered: bool,
}

/// Commands by connection, answers by pair, misses by pair.
pub(super) struct CommandsUnanswered {
    waiting: AgedTable<Uid, Waiting>,
    answers: AgedTable<Pair, Ts>,
    missed: Windows<(Pair, &'static str), ()>,
    hits: LimitHits,
}

impl CommandsUnanswered {
    pub(super) fn new(setup: &Setup) -> Self {
        let limit = setup.limits.get(Limit::DetectorSources);
        CommandsUnanswered {
            waiting: AgedTable::new(Limit::DetectorSources, limit),
            answers: AgedTable::new(Limit::DetectorSources, limit),
            missed: Windows::new(setup, WINDOW, 1),
            hits: LimitHits::default(),
        }
    }

    /// A command that got nothing, or the end of the connection.
    fn miss(&mut self, w: &Waiting, what: &'static str, look: &mut Look<'_>) {
        // Only a device that answered commands before can fall silent; one-sided captures never show an answer.
        let heard = self.answers.get(&w.pair).is_some();
        let quality = look.seen.quality(w.pair.0, w.pair.1, w.fact.ts, look.now);
        if !heard || quality.gaps || quality.feed_silent {
            return;
        }
        let Some(seen) = self.missed.count((w.pair, what), w.fact.ts, ()) else { return };
        let (since, count) = (seen.since, seen.count);
        if count < SERIES {
            return;
        }
        let (src, dst) = ends(&w.fact, &w.flow);
        look.see(&Sighting {
            dedup_key: format!("{}>{}:{}:{what}", src.name(), dst.name(), w.pair.2),
            attack: &["T1691.001"],
            proto: w.pair.2,
            words: &|site| {
                let (a, b) = (site.name(&src), site.name(&dst));
                let title = format!("Commands from {a} to {b} {what}");
                let why =
                    format!("{count} commands from {a} to {b} {what} within ten minutes; earlier ones were answered.");
                (title, why, evidence(format!("{count} commands {what}"), Some("an answer"), Some(f64::from(SERIES))))
            },
            since: Some(since),
            ..Sighting::of(&META, &w.fact, &w.flow)
        });
    }
}

impl Detector for CommandsUnanswered {
    super::keeps!(waiting, answers, missed);

    fn wants(&self) -> FactKinds {
        FactKinds::FLOW_END | FactKinds::REQUEST | FactKinds::ANSWER
    }

    fn fact(&mut self, fact: &Fact, flow: &FlowConst, look: &mut Look<'_>) {
        match &fact.body {
            Body::FlowEnd { state, .. } => {
                let Some(w) = self.waiting.remove(&flow.uid) else { return };
                if state.starts_with("RST") && (0..=RIGHT_AFTER).contains(&fact.ts.since(w.fact.ts)) {
                    self.miss(&w, "were followed by a reset of the connection", look);
                } else if !w.answered && fact.ts.since(w.fact.ts) > PATIENCE {
                    self.miss(&w, "got no answer", look);
                }
            }
            Body::Op(op) if matches!(op.class, OpClass::Control | OpClass::SetPoint | OpClass::Select) => {
                let (src, dst) = ends(fact, flow);
                if op.is_answer {
                    if self.answers.insert((dst.addr, src.addr, op.proto), fact.ts).is_some() {
                        self.hits.hit(Limit::DetectorSources);
                    }
                    if let Some(w) = self.waiting.get_mut(&flow.uid) {
                        w.answered = true;
                    }
                    return;
                }
                let to_all = op.point.is_some_and(|p| p.unit >= BROADCAST);
                if op.proto == "dnp3" && (op.function == NO_ANSWER || to_all) {
                    return;
                }
                let pair = (src.addr, dst.addr, op.proto);
                let before = self.waiting.remove(&flow.uid);
                if let Some(w) = before.filter(|w| !w.answered && fact.ts.since(w.fact.ts) > PATIENCE) {
                    self.miss(&w, "got no answer", look);
                }
                let waiting = Waiting { fact: fact.clone(), flow: *flow, pair, answered: false };
                if self.waiting.insert(flow.uid, waiting).is_some() {
                    self.hits.hit(Limit::DetectorSources);
                }
            }
            _ => {}
        }
    }
    fn hits(&self) -> LimitHits {
        let mut hits = self.hits.clone();
        hits.add(&self.missed.hits);
        hits
    }
}
