//! What a device answered to the request that a finding tells of: it is said with the sentence, as long as that is of the same request.

use std::sync::Arc;

use gwcore::time::SECOND;
use gwcore::{AgedTable, Fact, FlowConst, Key, Limit, LimitHits, Op, PacketRef, PointId, Ts, Uid};

use crate::Setup;
use crate::fold::{FoldKey, words};

/// Requests of one conversation that wait for their answers; where there are more, nobody can tell which of them is answered.
const WAITING: usize = 32;
/// How long an answer may take, as long as the parsers wait for one.
const PATIENCE: i64 = 30 * SECOND;

/// A request that a finding tells of.
#[derive(serde::Serialize, serde::Deserialize)]
pub(crate) struct Asked {
    is_reversed: bool,
    proto: &'static str,
    function: u16,
    point: Option<PointId>,
    /// Which request it is: one frame may carry several.
    place: Key,
    ts: Ts,
    /// The finding, and the packet that its sentence is of.
    pub(crate) key: FoldKey,
    lead: Option<(Arc<str>, u64)>,
}

impl Asked {
    /// Whether the finding's sentence is still of this request.
    pub(crate) fn is_told_by(&self, lead: Option<&PacketRef>) -> bool {
        lead.map(|p| (&p.file, p.frame)) == self.lead.as_ref().map(|(file, frame)| (file, *frame))
    }
}

/// Requests that wait for their answers, by conversation.
pub(crate) struct Waiting {
    /// Beside them since when there were too many.
    asked: AgedTable<Uid, (Vec<Asked>, Option<Ts>)>,
    hits: LimitHits,
}
gwcore::kept!(Waiting { asked });

impl Waiting {
    pub(crate) fn new(setup: &Setup) -> Waiting {
        let limit = setup.limits.get(Limit::DetectorSources);
        Waiting { asked: AgedTable::new(Limit::DetectorSources, limit), hits: LimitHits::default() }
    }

    /// Takes note of the request that a finding now tells of.
    pub(crate) fn ask(&mut self, op: &Op, fact: &Fact, flow: &FlowConst, key: FoldKey, lead: Option<&PacketRef>) {
        let lead = lead.map(|p| (p.file.clone(), p.frame));
        if self.asked.get(&flow.uid).is_none() && self.asked.insert(flow.uid, (Vec::new(), None)).is_some() {
            self.hits.hit(Limit::DetectorSources);
        }
        let Some((asked, overrun)) = self.asked.get_mut(&flow.uid) else { return };
        if asked.len() >= WAITING || overrun.is_some_and(|at| fact.ts.since(at) <= PATIENCE) {
            asked.clear();
            *overrun = Some(fact.ts);
            return;
        }
        let is_reversed = fact.flow.reversed();
        let (proto, function, point, place, ts) = (op.proto, op.function, op.point, fact.key, fact.ts);
        asked.push(Asked { is_reversed, proto, function, point, place, ts, key, lead });
    }

    /// Takes out what was told of the request that an answer belongs to. Where several alike wait, one is taken out and none given back: which
    /// of them is answered is not known here.
    pub(crate) fn answered(&mut self, op: &Op, fact: &Fact, flow: &FlowConst) -> Vec<Asked> {
        if self.asked.is_empty() {
            return Vec::new();
        }
        let Some((asked, overrun)) = self.asked.get_mut(&flow.uid) else { return Vec::new() };
        asked.retain(|a| fact.ts.since(a.ts) <= PATIENCE);
        let fits = |a: &Asked| {
            let is_same = (a.proto, a.function) == (op.proto, op.function);
            a.is_reversed != fact.flow.reversed() && is_same && (op.point.is_none() || op.point == a.point)
        };
        let first = asked.iter().find(|a| fits(a)).map(|a| a.place);
        let is_clear = asked.iter().filter(|a| fits(a)).all(|a| Some(a.place) == first);
        let taken: Vec<Asked> = asked.extract_if(.., |a| Some(a.place) == first && fits(a)).collect();
        if asked.is_empty() && overrun.is_none() {
            self.asked.remove(&flow.uid);
        }
        if is_clear { taken } else { Vec::new() }
    }

    pub(crate) fn hits(&self) -> &LimitHits {
        &self.hits
    }
}

/// What an answer says: for the evidence, and for title and sentence where the device refused.
pub(crate) struct Outcome {
    pub(crate) evidence: String,
    pub(crate) refusal: Option<String>,
}

impl Outcome {
    pub(crate) fn of(op: &Op) -> Outcome {
        let refusal = op.refused.map(|(code, name)| format!("{} ({code})", words(name)));
        let evidence = refusal.as_ref().map_or("accepted".to_owned(), |reason| format!("refused: {reason}"));
        Outcome { evidence, refusal }
    }
}
