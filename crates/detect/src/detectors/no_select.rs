//! A command without the selection that this source always makes before it.

use gwcore::{Basis, Body, Fact, FactKinds, FlowConst, LimitHits, Severity};

use super::{Detector, Look, Meta};
use crate::Setup;
use crate::baseline::{Class, SelectWatch};
use crate::fold::Sighting;
use crate::novelty::Novelty;
use crate::say::thing;

pub(super) static META: Meta = Meta {
    id: "no-select",
    number: 52,
    finds: "A source that always selects a point before it operates it did not, or operated it long after the selection.",
    innocent: "Another mode of the front end, a direct operate that is used for some functions only, a test.",
    call: "the control room, with the time and the point",
    attack: &["T1692.001"],
    needs: "a baseline in which the source selected before each of at least five commands; DNP3 or IEC 60870-5-104",
    severity: Severity::Medium,
};

/// Learned commands from which "always" says something.
const ENOUGH: u64 = 5;
/// The longest time learned from selection to command, times this, and at least this long: people confirm by hand.
const TIMES: i64 = 3;
const LEAST: i64 = 10 * gwcore::time::SECOND;

/// Compares selections with those learned.
pub(super) struct NoSelect {
    novelty: Option<Novelty>,
    watch: SelectWatch,
}

impl NoSelect {
    pub(super) fn new(setup: &Setup) -> Self {
        NoSelect { novelty: Novelty::new(setup, Class::Command), watch: SelectWatch::new(&setup.limits) }
    }
}

impl Detector for NoSelect {
    super::keeps!(watch);

    fn wants(&self) -> FactKinds {
        FactKinds::REQUEST.only_if(self.novelty.is_some())
    }

    fn learned(&mut self, setup: &Setup) {
        *self = Self::new(setup);
    }

    fn fact(&mut self, fact: &Fact, flow: &FlowConst, look: &mut Look<'_>) {
        let (Some(novelty), Body::Op(op)) = (&self.novelty, &fact.body) else { return };
        let (Some(after), Some(point)) = (self.watch.note(op, fact, flow), op.point) else { return };
        let unlearned = Sighting::of(&META, fact, flow);
        let (src, dst) = (unlearned.src, unlearned.dst);
        let pair = (crate::baseline::who(&src), crate::baseline::who(&dst));
        let key = novelty.baseline.key(Class::Command, pair, op.proto, point.table, (0, 0));
        let Some(s) = key.and_then(|k| novelty.baseline.conduct.selects.get(&k)) else { return };
        let allowed = s.longest.saturating_mul(TIMES).max(LEAST);
        if s.commands < ENOUGH || s.selected < s.commands || after.is_some_and(|a| a <= allowed) {
            return;
        }
        // A selection may lie before the capture, or in what it misses.
        if after.is_none() && !look.seen.quality(pair.0, pair.1, fact.ts.plus(-allowed), fact.ts).is_whole() {
            return;
        }
        let seconds = |ns: i64| ns as f64 / gwcore::time::SECOND as f64;
        look.see(&Sighting {
            dedup_key: format!("{}>{}:{}:{}", src.name(), dst.name(), op.proto, thing(op)),
            asks: true,
            severity: novelty.weigh(Severity::Medium, &dst),
            basis: Basis::Learned,
            attack: &["T1692.001"],
            proto: op.proto,
            words: &|site| {
                let (from, to, what) = (site.name(&src), site.name(&dst), site.say_point(&dst, op.proto, point));
                let title = format!("{from} operates {to} without selecting first");
                let how = match after {
                    Some(a) => format!("{:.1} seconds after it was selected", seconds(a)),
                    None => "without selecting it first".to_owned(),
                };
                let expected = format!("selected at most {:.1} seconds before", seconds(s.longest));
                let why = format!(
                    "{from} operated {what} of {to} {how}; all {} commands learned were {expected}.",
                    s.commands
                );
                let mut e = novelty.evidence(how, Some(expected));
                e.seen = Some(s.commands);
                (title, why, e)
            },
            ..unlearned
        });
    }
    fn hits(&self) -> LimitHits {
        self.watch.hits.clone()
    }
}
