//! A point commanded more often within an hour, or farther in one direction, than its source ever did.

use gwcore::{Basis, Body, Fact, FactKinds, FlowConst, LimitHits, OpClass, Severity};

use super::{Detector, Look, Meta};
use crate::Setup;
use crate::baseline::{Class, Hour, Pace, PointWatch, who};
use crate::fold::Sighting;
use crate::novelty::Novelty;
use crate::site::number;

pub(super) static META: Meta = Meta {
    id: "command-pace",
    number: 54,
    finds: "A point was commanded far more often within an hour, or far longer in one direction, than it was while the baseline was learned.",
    innocent: "A disturbance that is regulated by hand, a test of outputs, an automatic control that was put into service.",
    call: "the control room: who is regulating, and to what end",
    attack: &["T0836", "T0806", "T1692.001"],
    needs: "a baseline in which the source commanded the point",
    severity: Severity::Medium,
};

/// Commands within an hour from which a rate is told: a breaker opened, closed, opened and closed again is four.
const COMMANDS: u32 = 5;
/// Steps in one direction from which they are a way: operators correct a set point once or twice.
const STEPS: u32 = 4;
/// As many times what was learned.
const TIMES: u32 = 2;
/// Learned commands from which it is known how far a set point is moved, and how much farther is far.
const ENOUGH: u64 = 20;
const FARTHER: f64 = 1.5;

/// Compares the hour of a point with those learned.
pub(super) struct CommandPace {
    novelty: Option<Novelty>,
    watch: PointWatch,
}

impl CommandPace {
    pub(super) fn new(setup: &Setup) -> Self {
        CommandPace { novelty: Novelty::new(setup, Class::Control), watch: PointWatch::new(&setup.limits) }
    }
}

/// What was observed and what was learned, in words; none where they agree.
fn beyond(hour: &Hour, p: &Pace, class: OpClass) -> Option<(String, String)> {
    let steps = if class == OpClass::SetPoint { "steps in one direction" } else { "times the same command" };
    if hour.run >= STEPS && hour.run > TIMES * p.run.max(1) {
        return Some((format!("{} {steps} within an hour", hour.run), format!("at most {}", p.run)));
    }
    if hour.count >= COMMANDS && hour.count > TIMES * p.most {
        return Some((format!("{} commands within an hour", hour.count), format!("at most {}", p.most)));
    }
    if hour.run >= STEPS && p.commands >= ENOUGH && hour.travel > FARTHER * p.travel {
        let moved = |v: f64| format!("moved by {} in one direction", number(v));
        return Some((format!("{} within an hour", moved(hour.travel)), format!("at most {}", moved(p.travel))));
    }
    None
}

impl Detector for CommandPace {
    super::keeps!(watch);

    fn wants(&self) -> FactKinds {
        FactKinds::REQUEST.only_if(self.novelty.is_some())
    }

    fn learned(&mut self, setup: &Setup) {
        *self = Self::new(setup);
    }

    fn fact(&mut self, fact: &Fact, flow: &FlowConst, look: &mut Look<'_>) {
        let (Some(novelty), Body::Op(op)) = (&self.novelty, &fact.body) else { return };
        let (Some(hour), Some(point)) = (self.watch.note(op, fact, flow), op.point) else { return };
        let unlearned = Sighting::of(&META, fact, flow);
        let (src, dst) = (unlearned.src, unlearned.dst);
        let key = novelty.baseline.point(Class::Control, (who(&src), who(&dst)), op.proto, point);
        let Some(p) = key.and_then(|k| novelty.baseline.conduct.paces.get(&k)) else { return };
        let Some((observed, expected)) = beyond(&hour, p, op.class) else { return };
        let set_point = op.class == OpClass::SetPoint;
        look.see(&Sighting {
            dedup_key: format!(
                "{}>{}:{}:{}:{}:{}",
                src.name(),
                dst.name(),
                op.proto,
                point.table,
                point.unit,
                point.address
            ),
            severity: novelty.weigh(Severity::Medium, &dst),
            basis: Basis::Learned,
            attack: if set_point { &["T0836"] } else { &["T0806", "T1692.001"] },
            proto: op.proto,
            words: &|site| {
                let (from, to, what) = (site.name(&src), site.name(&dst), site.say_point(&dst, op.proto, point));
                let title = format!("{from} commands {what} of {to} far more than before");
                let why =
                    format!("{from} gave {what} of {to} {observed}; in {} there were {expected}.", novelty.learned());
                let mut e = novelty.evidence(observed.clone(), Some(expected.clone()));
                e.seen = Some(p.commands);
                (title, why, e)
            },
            since: Some(hour.since),
            ..unlearned
        });
    }
    fn hits(&self) -> LimitHits {
        self.watch.hits.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_sides_of_each_bound() {
        let hour = |count, run, travel| Hour { count, run, travel, since: gwcore::Ts(0) };
        let told = |h: Hour, p: &Pace| beyond(&h, p, OpClass::SetPoint).is_some();
        let p = Pace { commands: 6, most: 2, run: 1, travel: 4.0, ..Pace::default() };
        assert!(told(hour(5, 0, 0.0), &p) && !told(hour(4, 3, 99.0), &p) && told(hour(4, 4, 0.0), &p));
        let often = Pace { commands: 100, most: 10, run: 5, travel: 4.0, ..Pace::default() };
        assert!(!told(hour(20, 10, 6.0), &often) && told(hour(21, 0, 0.0), &often));
        assert!(told(hour(5, 4, 6.1), &often) && !told(hour(5, 3, 6.1), &often), "too few steps");
    }
}
