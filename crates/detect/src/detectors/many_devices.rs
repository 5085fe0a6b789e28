//! One source that commands more devices within a minute than it ever did.

use gwcore::{Basis, Body, Fact, FactKinds, FlowConst, LimitHits, Severity};

use super::{Detector, Look, Meta};
use crate::Setup;
use crate::baseline::{Class, SourceWatch, source_key};
use crate::fold::{Sighting, evidence};
use crate::novelty::{Novelty, technique};

pub(super) static META: Meta = Meta {
    id: "many-devices",
    number: 50,
    finds: "A source that always commands these devices commanded more of them within a minute than it ever did.",
    innocent: "Load shedding, a restoration plan, a sequence that a dispatcher runs as one programme, a test of the front end.",
    call: "the control room, at once: is this a programme of theirs",
    attack: &["T1692.001", "T0836", "T0816", "T0858"],
    needs: "decoded utility protocol; with a baseline that saw the source command, more than a fact",
    severity: Severity::Medium,
};

/// Devices within a minute from which it is told at all: one is a command, two are an interlocked pair.
const DEVICES: u32 = 3;
/// Learned commands of the source from which it is known how it uses to command.
const ENOUGH: u64 = 5;

/// Compares a source's minutes with those learned.
pub(super) struct ManyDevices {
    novelty: Option<Novelty>,
    watch: SourceWatch,
}

impl ManyDevices {
    pub(super) fn new(setup: &Setup) -> Self {
        ManyDevices { novelty: Novelty::new(setup, Class::Command), watch: SourceWatch::new(&setup.limits) }
    }
}

impl Detector for ManyDevices {
    super::keeps!(watch);

    fn wants(&self) -> FactKinds {
        FactKinds::REQUEST
    }

    fn learned(&mut self, setup: &Setup) {
        *self = Self::new(setup);
    }

    fn fact(&mut self, fact: &Fact, flow: &FlowConst, look: &mut Look<'_>) {
        let Body::Op(op) = &fact.body else { return };
        let Some(minute) = self.watch.note(op, fact, flow).filter(|m| m.devices >= DEVICES) else { return };
        let sources = self.novelty.as_ref().map(|n| (n, n.baseline.conduct.sources.get(&source_key(minute.source))));
        let learned = match sources {
            // Who never commanded is told as such.
            Some((_, None)) => return,
            Some((_, Some(s))) if s.commands < ENOUGH || minute.devices <= s.devices => return,
            Some((n, Some(s))) => Some((n, s)),
            None => None,
        };
        let unlearned = Sighting::of(&META, fact, flow);
        let (src, dst) = (unlearned.src, unlearned.dst);
        look.see(&Sighting {
            dedup_key: src.name(),
            severity: learned.map_or(Severity::Info, |(n, _)| n.weigh(Severity::Medium, &dst)),
            basis: if learned.is_some() { Basis::Learned } else { Basis::Decoded },
            attack: technique(op.class),
            proto: op.proto,
            words: &|site| {
                let (from, to, n) = (site.name(&src), site.name(&dst), minute.devices);
                let title = format!("{from} commands {n} devices within a minute");
                let observed = format!("{n} devices within a minute, the last {to}");
                match learned {
                    Some((novelty, s)) => {
                        let most = format!("at most {} within a minute", s.devices);
                        let why = format!(
                            "{from} commanded {n} devices within a minute; in {} there were {most}.",
                            novelty.learned()
                        );
                        let mut e = novelty.evidence(observed, Some(most));
                        e.seen = Some(s.commands);
                        (title, why, e)
                    }
                    None => {
                        let why = format!("{from} commanded {n} devices within a minute, the last {to}.");
                        (title, why, evidence(observed, None, Some(f64::from(DEVICES))))
                    }
                }
            },
            since: Some(minute.since),
            ..unlearned
        });
    }
    fn hits(&self) -> LimitHits {
        self.watch.hits.clone()
    }
}
