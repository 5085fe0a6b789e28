//! Several configuration or mode operations at once that their source never used on any device.

use gwcore::time::MINUTE;
use gwcore::{Addr, Basis, Body, Fact, FactKinds, FlowConst, LimitHits, OpClass, Severity, Table};

use super::{Detector, Look, Meta};
use crate::Setup;
use crate::baseline::{Class, Thing, source_key, who};
use crate::fold::{Sighting, ends, words};
use crate::novelty::{Novelty, technique};
use crate::window::Windows;

pub(super) static META: Meta = Meta {
    id: "first-configuration",
    number: 55,
    finds: "A usual master used several configuration, mode or program functions within a minute that it never used on any device.",
    innocent: "Maintenance from the front end, a new version of the front end, a device that was taken into service.",
    call: "the automation engineer in charge of the device, and the control room",
    attack: &["T0858", "T0816", "T0843", "T0836", "T0872", "T0878", "T0809"],
    needs: "a baseline that saw the source command, decoded utility protocol",
    severity: Severity::Medium,
};

/// Devices, or functions, with a first use within a minute: one alone is a first use, which is low.
const DEVICES: usize = 2;
const FUNCTIONS: usize = 3;
/// Different ones kept of a window.
const KEPT: usize = 32;

/// First uses by source.
pub(super) struct FirstConfiguration {
    novelty: Option<Novelty>,
    /// Functions that each source used on any device.
    used: Table<(Addr, u16, u16), ()>,
    first: Windows<Addr, (Addr, u16, &'static str)>,
}

impl FirstConfiguration {
    pub(super) fn new(setup: &Setup) -> Self {
        let novelty = Novelty::new(setup, Class::Function);
        let keys = novelty.iter().flat_map(|n| n.baseline.keys.keys()).filter(|k| k.class == Class::Function);
        let used = keys.map(|k| ((k.a, k.proto, k.word), ())).collect();
        FirstConfiguration { novelty, used, first: Windows::new(setup, MINUTE, KEPT) }
    }
}

fn is_configuration(class: OpClass) -> bool {
    use OpClass as C;
    matches!(
        class,
        C::Parameter | C::Restart | C::Mode | C::Clear | C::ReportsOff | C::Download | C::Delete | C::Freeze
    )
}

impl Detector for FirstConfiguration {
    super::keeps!(learned words; first);

    fn wants(&self) -> FactKinds {
        FactKinds::REQUEST.only_if(self.novelty.is_some())
    }

    fn learned(&mut self, setup: &Setup) {
        *self = Self::new(setup);
    }

    fn fact(&mut self, fact: &Fact, flow: &FlowConst, look: &mut Look<'_>) {
        let (Some(novelty), Body::Op(op)) = (&self.novelty, &fact.body) else { return };
        // What belongs to a transfer but is no transfer by itself, as the closing of its file, counts with it.
        if op.is_answer || !(is_configuration(op.class) || op.class == OpClass::Other) {
            return;
        }
        let (src, dst) = ends(fact, flow);
        let (a, b) = (who(&src), who(&dst));
        let word = |text| novelty.baseline.words.find(text);
        let used = word(op.proto).zip(word(op.name)).is_some_and(|(p, w)| self.used.contains_key(&(a, p, w)));
        if used || !novelty.baseline.conduct.sources.contains_key(&source_key(a)) {
            return;
        }
        let t = Thing { class: Class::Function, from: src, to: dst, proto: op.proto, word: op.name, n: (0, 0) };
        if novelty.is_new_as(Class::Conversation, (a, b), &t) {
            return;
        }
        let Some(w) = self.first.count(a, fact.ts, (b, op.function, op.name)) else { return };
        let mut devices: Vec<Addr> = w.kinds.iter().map(|k| k.0).collect();
        devices.sort_unstable();
        devices.dedup();
        let (since, functions, devices) = (w.since, w.kinds.len(), devices.len());
        if !is_configuration(op.class) || (devices < DEVICES && functions < FUNCTIONS) {
            return;
        }
        let names: Vec<String> = w.kinds.iter().map(|k| words(k.2)).collect();
        look.see(&Sighting {
            dedup_key: src.name(),
            severity: novelty.weigh(Severity::Medium, &dst),
            basis: Basis::Learned,
            attack: technique(op.class),
            proto: op.proto,
            words: &|site| {
                let (from, to, names) = (site.name(&src), site.name(&dst), names.join(", "));
                let title = format!("{from} configures {to} as it never did");
                let why = format!(
                    "{from} used {functions} functions on {devices} device(s) within a minute ({names}) that it used on no device in {}.",
                    novelty.learned()
                );
                (title, why, novelty.evidence(names, Some("functions used before, or one new one at a time".into())))
            },
            since: Some(since),
            ..Sighting::of(&META, fact, flow)
        });
    }
    fn hits(&self) -> LimitHits {
        self.first.hits.clone()
    }
}
