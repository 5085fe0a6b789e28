//! A function that this client never asked of this device.

use gwcore::{Basis, Body, Fact, FactKinds, FlowConst, Severity};

use super::{Detector, Look, Meta};
use crate::Setup;
use crate::baseline::{Class, is_command, things};
use crate::fold::{Sighting, words};
use crate::novelty::{Novelty, technique};

pub(super) static META: Meta = Meta {
    id: "new-function",
    number: 43,
    finds: "A known client asked a device for a function that it never used while the baseline was learned.",
    innocent: "A function used only at start-up or once a month: interrogation, time set, reading of a file or of counters.",
    call: "the automation engineer",
    attack: &["T0861", "T0888", "T0816", "T0858", "T0872", "T0878", "T0845", "T0836", "T1692.001", "T0843", "T0809"],
    needs: "a baseline, decoded utility protocol",
    severity: Severity::Low,
};

/// Compares functions with the baseline.
pub(super) struct NewFunction {
    novelty: Option<Novelty>,
}

impl NewFunction {
    pub(super) fn new(setup: &Setup) -> Self {
        NewFunction { novelty: Novelty::new(setup, Class::Function) }
    }
}

impl Detector for NewFunction {
    fn wants(&self) -> FactKinds {
        FactKinds::ASKS.only_if(self.novelty.is_some())
    }

    fn learned(&mut self, setup: &Setup) {
        *self = Self::new(setup);
    }

    fn fact(&mut self, fact: &Fact, flow: &FlowConst, look: &mut Look<'_>) {
        let (Some(novelty), Body::Op(op)) = (&self.novelty, &fact.body) else { return };
        if op.is_answer {
            return;
        }
        things(fact, flow, &mut |t| {
            if t.class != Class::Function || !novelty.is_new(&t) {
                return;
            }
            let pair = t.pair();
            // A new conversation, and a source that never commanded, are told as such.
            let unusual = is_command(op.class) && novelty.is_new_as(Class::Command, pair, &t);
            if unusual || novelty.is_new_as(Class::Conversation, pair, &t) {
                return;
            }
            look.see(&Sighting {
                dedup_key: format!("{}>{}:{}:{}", t.from.name(), t.to.name(), t.proto, t.n.0),
                asks: true,
                basis: Basis::Learned,
                attack: technique(op.class),
                proto: t.proto,
                src: t.from,
                dst: t.to,
                words: &|site| {
                    let (from, to, name) = (site.name(&t.from), site.name(&t.to), words(op.name));
                    let title = format!("{from} sends {name} to {to} for the first time");
                    let why = format!("{from} sent {name} to {to}, which it never did in {}.", novelty.learned());
                    let e = novelty.evidence(format!("{name} (function {})", op.function), None);
                    (title, why, e.naming(novelty.function_in_packet(&t, op)))
                },
                ..Sighting::of(&META, fact, flow)
            });
        });
    }
}
