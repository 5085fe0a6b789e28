//! A master that this outstation never had, in protocols whose asking side has that role.

use gwcore::{Addr, Basis, Body, Fact, FactKinds, FlowConst, InPacket, Severity, Table};

use super::{Detector, Look, Meta, new_conversation};
use crate::baseline::{Class, Thing, UTILITY, is_command, things};
use crate::fold::{Sighting, evidence};
use crate::novelty::{Novelty, address_field, sources_by_server};
use crate::say::request_with_value;
use crate::{Setup, Site};

pub(super) static META: Meta = Meta {
    id: "new-master",
    number: 45,
    finds: "A device asks or commands an outstation as a master, but never was one of its masters, by the baseline or by declaration.",
    innocent: "A fail-over to a backup front end that was neither learned nor declared, a test set, a new control centre.",
    call: "the control room: which front end is in charge",
    attack: &["T0848"],
    needs: "a baseline or declared masters; DNP3 or IEC 60870-5-104",
    severity: Severity::High,
};

/// Compares masters with the baseline and the declaration.
pub(super) struct NewMaster {
    novelty: Option<Novelty>,
    known: Table<(Addr, u16), u32>,
    site: std::sync::Arc<Site>,
}

impl NewMaster {
    pub(super) fn new(setup: &Setup) -> Self {
        let known = setup.baseline.as_deref().map(|b| sources_by_server(b, Class::Master)).unwrap_or_default();
        NewMaster { novelty: Novelty::new(setup, Class::Master), known, site: setup.site.clone() }
    }

    /// By whom the master is unknown; none when it is known or nothing is known about masters of this outstation.
    fn unknown_by(&self, t: &Thing) -> Option<Basis> {
        match self.site.may_command(&t.from, &t.to) {
            Some(true) => return None,
            Some(false) => return Some(Basis::Declared),
            None => {}
        }
        let novelty = self.novelty.as_ref().filter(|n| n.is_new(t))?;
        let has_others = self.known.contains_key(&(t.pair().1, novelty.baseline.words.find(t.proto)?));
        has_others.then_some(Basis::Learned)
    }
}

impl Detector for NewMaster {
    fn wants(&self) -> FactKinds {
        FactKinds::ASKS
    }

    fn learned(&mut self, setup: &Setup) {
        *self = Self::new(setup);
    }

    fn fact(&mut self, fact: &Fact, flow: &FlowConst, look: &mut Look<'_>) {
        let Body::Op(op) = &fact.body else { return };
        things(fact, flow, &mut |t| {
            if t.class != Class::Master {
                return;
            }
            let Some(basis) = self.unknown_by(&t) else { return };
            let commands = is_command(op.class);
            let critical = commands && self.site.device(&t.to).is_some_and(|d| d.critical);
            let severity = if critical { Severity::Critical } else { Severity::High };
            let weighed = match &self.novelty {
                Some(novelty) if basis == Basis::Learned => novelty.weigh(severity, &t.to),
                _ => severity,
            };
            look.see(&Sighting {
                // A front end that takes over does so in all its protocols and with all its devices: one finding. What it commands is another
                // one for each of them.
                dedup_key: if commands { format!("{}>{}:commands", t.from.name(), t.to.name()) } else { t.from.name() },
                asks: commands,
                tells: Some(&|| {
                    let key =
                        |proto: &&str| (new_conversation::META.id, new_conversation::dedup_key(&t.from, proto, 0));
                    UTILITY.iter().map(key).collect()
                }),
                severity: weighed,
                basis,
                attack: &["T0848"],
                proto: t.proto,
                src: t.from,
                dst: t.to,
                words: &|site| {
                    let (from, to, name) = (site.name(&t.from), site.name(&t.to), request_with_value(op, &t.to, site));
                    let title = match commands {
                        true => format!("Command from {from}, a new master of {to}: {name}"),
                        false => format!("New master {from} for {to}"),
                    };
                    match self.novelty.as_ref().filter(|_| basis == Basis::Learned) {
                        Some(novelty) => {
                            let known = novelty.known_sources(&t.to, t.proto);
                            let why = format!(
                                "{from} sent {name} to {to} as a master; in {} it took commands from {}.{}",
                                novelty.learned(),
                                known.as_deref().map_or("others".to_owned(), |k| format!("{k} only")),
                                novelty.left_out(&t.from)
                            );
                            (title, why, novelty.evidence(from, known).naming(novelty.source_in_packet(&t)))
                        }
                        None => {
                            let masters = site.device(&t.to).map(|d| d.masters.iter().cloned().collect::<Vec<_>>());
                            let masters = masters.unwrap_or_default().join(", ");
                            let why =
                                format!("{from} sent {name} to {to} as a master; its declared masters are {masters}.");
                            let value = InPacket::new(address_field(&t.from), t.from.name(), site.masters(&t.to));
                            (title, why, evidence(from, Some(&masters), None).naming(value))
                        }
                    }
                },
                ..Sighting::of(&META, fact, flow)
            });
        });
    }
}
