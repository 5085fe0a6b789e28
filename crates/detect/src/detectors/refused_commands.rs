//! A series of refused requests: someone asks a device for functions or points that it does not have.

use gwcore::time::MINUTE;
use gwcore::{AgedTable, Body, Fact, FactKinds, FlowConst, Limit, LimitHits, Severity, Ts};

use super::{Detector, Look, Meta};
use crate::Setup;
use crate::fold::{End, Sighting, ends, evidence, words};

pub(super) static META: Meta = Meta {
    id: "refused-commands",
    number: 3,
    finds: "A device refused many requests of one source within a minute.",
    innocent: "A master configured for points that the device no longer has; the same refusals then come at every poll.",
    call: "the automation engineer; compare the point list of the master with that of the device",
    attack: &["T0861", "T0846"],
    needs: "decoded answers of the device",
    severity: Severity::Medium,
};

/// Refusals of one pair within a minute that make a finding.
const SERIES: u32 = 10;
/// Different requests among them from which it is a search rather than one request repeated.
const DIFFERENT: usize = 4;

#[derive(serde::Serialize, serde::Deserialize)]
struct Window {
    since: Ts,
    count: u32,
    kinds: Vec<(u16, u32)>,
}

/// Refusals by pair of source and device.
pub(super) struct RefusedCommands {
    pairs: AgedTable<(End2, &'static str), Window>,
    hits: LimitHits,
}

type End2 = (gwcore::Addr, gwcore::Addr);

impl RefusedCommands {
    pub(super) fn new(setup: &Setup) -> Self {
        let pairs = AgedTable::new(Limit::DetectorSources, setup.limits.get(Limit::DetectorSources));
        RefusedCommands { pairs, hits: LimitHits::default() }
    }

    /// Counts one refusal; true when the series is long enough and various enough.
    fn count(&mut self, key: (End2, &'static str), ts: Ts, what: (u16, u32)) -> Option<(Ts, u32, usize)> {
        let expired = self.pairs.get(&key).is_none_or(|w| ts.since(w.since) > MINUTE);
        if expired && self.pairs.insert(key, Window { since: ts, count: 0, kinds: Vec::new() }).is_some() {
            self.hits.hit(Limit::DetectorSources);
        }
        let w = self.pairs.get_mut(&key)?;
        w.count += 1;
        if w.kinds.len() < DIFFERENT * 4 && !w.kinds.contains(&what) {
            w.kinds.push(what);
        }
        (w.count >= SERIES && w.kinds.len() >= DIFFERENT).then_some((w.since, w.count, w.kinds.len()))
    }
}

impl Detector for RefusedCommands {
    super::keeps!(pairs);

    fn wants(&self) -> FactKinds {
        FactKinds::ANSWER
    }

    fn fact(&mut self, fact: &Fact, flow: &FlowConst, look: &mut Look<'_>) {
        let Body::Op(op) = &fact.body else { return };
        let Some((code, name)) = op.refused else { return };
        let (device, source): (End, End) = ends(fact, flow);
        let what = (op.function, op.point.map_or(0, |p| p.address));
        let Some((since, count, kinds)) = self.count(((source.addr, device.addr), op.proto), fact.ts, what) else {
            return;
        };
        look.see(&Sighting {
            dedup_key: format!("{}>{}:{}", source.name(), device.name(), op.proto),
            severity: Severity::Medium,
            attack: &["T0861"],
            proto: op.proto,
            src: source,
            dst: device,
            words: &|site| {
                let title = format!("{} refuses many requests of {}", site.name(&device), site.name(&source));
                let why = format!(
                    "{} refused {count} requests of {} within a minute, {kinds} of them different, the last with {} ({code}).",
                    site.name(&device),
                    site.name(&source),
                    words(name)
                );
                (title, why, evidence(format!("{count} refusals of {kinds} kinds in a minute"), None, Some(f64::from(SERIES))))
            },
            since: Some(since),
            ..Sighting::of(&META, fact, flow)
        });
    }
    fn hits(&self) -> LimitHits {
        self.hits.clone()
    }
}
