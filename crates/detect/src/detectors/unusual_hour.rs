//! A command outside the hours of the day in which its source commands.

use gwcore::{Basis, Body, Fact, FactKinds, FlowConst, Severity};

use super::{Detector, Look, Meta};
use crate::Setup;
use crate::baseline::{Class, hour_of_day, moves, source_key, who};
use crate::fold::{Sighting, words};
use crate::novelty::{Novelty, technique};

pub(super) static META: Meta = Meta {
    id: "unusual-hour",
    number: 53,
    finds: "A source commanded at an hour of the day at which it never did.",
    innocent: "A fault at night, work outside office hours, a season with other hours.",
    call: "the control room: who was on duty",
    attack: &["T1692.001", "T0836", "T0816", "T0858"],
    needs: "a baseline with seven days of commands of the source that fall into the same hours again and again; mute with fewer, or where they do not",
    severity: Severity::Medium,
};

/// Days with commands from which there are hours: a week has its weekend in it.
const DAYS: u32 = 7;
/// Share of hours of days that stand alone, over all of them: about the chance that the next one is a new hour (Good and Turing).
const ALONE: f64 = 0.05;

/// Compares the hour of a command with those learned.
pub(super) struct UnusualHour {
    novelty: Option<Novelty>,
}

impl UnusualHour {
    pub(super) fn new(setup: &Setup) -> Self {
        UnusualHour { novelty: Novelty::new(setup, Class::Command) }
    }
}

/// Whether the learned hours say something, and this one is neither among them nor beside one (clocks change by an hour twice a year).
fn is_unusual(hours: &[u32; 24], days: u32, hour: usize) -> bool {
    let all: u32 = hours.iter().sum();
    let alone = hours.iter().filter(|n| **n == 1).count();
    let says = days >= DAYS && (alone as f64) < ALONE * f64::from(all);
    let near = [hour + 23, hour, hour + 1].iter().any(|h| hours.get(h % 24).is_some_and(|n| *n > 0));
    says && !near
}

impl Detector for UnusualHour {
    fn wants(&self) -> FactKinds {
        FactKinds::REQUEST.only_if(self.novelty.is_some())
    }

    fn learned(&mut self, setup: &Setup) {
        *self = Self::new(setup);
    }

    fn fact(&mut self, fact: &Fact, flow: &FlowConst, look: &mut Look<'_>) {
        let (Some(novelty), Body::Op(op)) = (&self.novelty, &fact.body) else { return };
        if !moves(op) {
            return;
        }
        let unlearned = Sighting::of(&META, fact, flow);
        let (src, dst) = (unlearned.src, unlearned.dst);
        let Some(s) = novelty.baseline.conduct.sources.get(&source_key(who(&src))) else { return };
        let hour = hour_of_day(fact.ts);
        if !is_unusual(&s.hours, s.days, hour) {
            return;
        }
        look.see(&Sighting {
            dedup_key: src.name(),
            asks: true,
            severity: novelty.weigh(Severity::Medium, &dst),
            basis: Basis::Learned,
            attack: technique(op.class),
            proto: op.proto,
            words: &|site| {
                let (from, to, name) = (site.name(&src), site.name(&dst), words(op.name));
                let known: Vec<String> =
                    (0..24).filter(|h| s.hours.get(*h).is_some_and(|n| *n > 0)).map(|h| h.to_string()).collect();
                let expected = format!("hours {} UTC", known.join(", "));
                let title = format!("{from} commands at an hour at which it never did");
                let why = format!(
                    "{from} sent {name} to {to} at {hour} o'clock UTC; on {} days it commanded in {expected} only.",
                    s.days
                );
                let mut e = novelty.evidence(format!("hour {hour} UTC"), Some(expected));
                e.seen = Some(s.commands);
                (title, why, e)
            },
            ..unlearned
        });
    }
}

#[cfg(test)]
mod tests {
    use super::is_unusual;

    #[test]
    fn a_week_of_office_hours_makes_the_night_unusual() {
        let mut hours = [0; 24];
        hours[8..16].fill(6);
        assert!(is_unusual(&hours, 7, 3) && is_unusual(&hours, 7, 17));
        assert!(!is_unusual(&hours, 7, 7) && !is_unusual(&hours, 7, 16), "an hour beside");
        assert!(!is_unusual(&hours, 6, 3), "six days");
        hours[20..23].fill(1);
        assert!(!is_unusual(&hours, 7, 3), "three of 51 hours stand alone");
    }
}
