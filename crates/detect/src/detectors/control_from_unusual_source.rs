//! A command, set point, program or mode change from a source that never commanded this device.

use gwcore::{
    Addr, AgedTable, Basis, Body, Fact, FactKinds, FlowConst, InPacket, Limit, LimitHits, Op, Severity, Table,
};

use super::{Detector, Look, Meta};
use crate::baseline::{Class, Thing, is_command, things};
use crate::fold::{Sighting, evidence};
use crate::novelty::{Novelty, address_field, sources_by_server, technique};
use crate::say::{request_with_value, thing};
use crate::{Setup, Site};

pub(super) static META: Meta = Meta {
    id: "control-from-unusual-source",
    number: 46,
    finds: "A command, set point, parameter, program, mode change or restart came from a source that never commanded this device.",
    innocent: "Maintenance from an engineering station, a backup front end in charge, a local panel that is seldom used.",
    call: "the control room, at once, with the time, the point and the source",
    attack: &["T1692.001", "T0836", "T0816", "T0858", "T0843", "T0809"],
    needs: "a baseline or declared masters, decoded utility protocol",
    severity: Severity::High,
};

/// Points and actions that a source's commands to one device are told by, one finding each; further ones are told as one.
const THINGS: usize = 16;

/// Compares commands with the baseline and the declaration.
pub(super) struct ControlFromUnusualSource {
    novelty: Option<Novelty>,
    /// Sources that command each device.
    by_device: Table<(Addr, u16), u32>,
    /// Masters of each outstation: a further one is told as a new master.
    masters: Table<(Addr, u16), u32>,
    /// Devices that each source commands.
    by_source: Table<(Addr, u16), u32>,
    /// Clients of each device.
    clients: Table<(Addr, u16), u32>,
    site: std::sync::Arc<Site>,
    /// What was told of a source, a device and a protocol.
    told: AgedTable<(Addr, Addr, &'static str), Vec<Box<str>>>,
    hits: LimitHits,
}

impl ControlFromUnusualSource {
    pub(super) fn new(setup: &Setup) -> Self {
        let mut by_source: Table<(Addr, u16), u32> = Table::default();
        let (mut by_device, mut masters, mut clients) = (Table::default(), Table::default(), Table::default());
        if let Some(b) = setup.baseline.as_deref() {
            by_device = sources_by_server(b, Class::Command);
            masters = sources_by_server(b, Class::Master);
            clients = sources_by_server(b, Class::Conversation);
            for k in b.keys.keys().filter(|k| k.class == Class::Command) {
                *by_source.entry((k.a, k.proto)).or_default() += 1;
            }
        }
        let novelty = Novelty::new(setup, Class::Command);
        let told = AgedTable::new(Limit::DetectorSources, setup.limits.get(Limit::DetectorSources));
        let (site, hits) = (setup.site.clone(), LimitHits::default());
        ControlFromUnusualSource { novelty, by_device, masters, by_source, clients, site, told, hits }
    }

    /// What of a request is one thing: its point and action, selected and operated; `further` where too many were told already. Of the
    /// device's own client each point is one: it closes again what it opened.
    fn thing(&mut self, t: &Thing, op: &Op, severity: Severity) -> String {
        let key = (t.from.addr, t.to.addr, t.proto);
        let thing = match op.point {
            Some(p) if severity <= Severity::Low => format!("{}:{}:{}", p.table, p.unit, p.address),
            Some(_) => thing(op),
            None => format!("{}:{}", op.name, op.action),
        };
        if self.told.get(&key).is_none() && self.told.insert(key, Vec::new()).is_some() {
            self.hits.hit(Limit::DetectorSources);
        }
        let Some(told) = self.told.get_mut(&key) else { return thing };
        if told.iter().any(|known| **known == *thing) {
            return thing;
        }
        if told.len() >= THINGS {
            return "further".to_owned();
        }
        told.push(thing.as_str().into());
        thing
    }

    /// How grave it is, and by whose word the source is unusual; none when it is not, or when the new master is the finding.
    fn judge(&self, t: &Thing) -> Option<(Severity, Basis)> {
        let critical = self.site.device(&t.to).is_some_and(|d| d.critical);
        let high = if critical { Severity::Critical } else { Severity::High };
        match self.site.may_command(&t.from, &t.to) {
            Some(true) => return None,
            Some(false) => return (!crate::baseline::has_masters(t.proto)).then_some((high, Basis::Declared)),
            None => {}
        }
        let novelty = self.novelty.as_ref().filter(|n| n.is_new(t))?;
        let (a, b) = t.pair();
        let Some(word) = novelty.baseline.words.find(t.proto) else {
            return Some((novelty.weigh(high, &t.to), Basis::Learned));
        };
        let new_master = novelty.is_new_as(Class::Master, (a, b), t) && self.masters.contains_key(&(b, word));
        if new_master {
            return None;
        }
        // The device's own client, which commands others or is the only one here, does what its role is: it is its first command there.
        let is_sole = self.clients.get(&(b, word)) == Some(&1);
        let its_role = !novelty.is_new_as(Class::Conversation, (a, b), t)
            && !self.by_device.contains_key(&(b, word))
            && (is_sole || self.by_source.contains_key(&(a, word)));
        let severity = if its_role { Severity::Low } else { novelty.weigh(high, &t.to) };
        Some((severity, Basis::Learned))
    }
}

impl Detector for ControlFromUnusualSource {
    super::keeps!(told);

    fn wants(&self) -> FactKinds {
        FactKinds::REQUEST
    }

    fn learned(&mut self, setup: &Setup) {
        *self = Self::new(setup);
    }

    fn fact(&mut self, fact: &Fact, flow: &FlowConst, look: &mut Look<'_>) {
        let Body::Op(op) = &fact.body else { return };
        if op.is_answer || !is_command(op.class) {
            return;
        }
        things(fact, flow, &mut |t| {
            if t.class != Class::Command {
                return;
            }
            let Some((severity, basis)) = self.judge(&t) else { return };
            let thing = self.thing(&t, op, severity);
            look.see(&Sighting {
                dedup_key: format!("{}>{}:{}:{thing}", t.from.name(), t.to.name(), t.proto),
                asks: true,
                severity,
                basis,
                attack: technique(op.class),
                proto: t.proto,
                src: t.from,
                dst: t.to,
                words: &|site| self.words(&t, op, basis, site),
                ..Sighting::of(&META, fact, flow)
            });
        });
    }

    fn hits(&self) -> LimitHits {
        self.hits.clone()
    }
}

/// Without what may be a command itself: a DNP3 write sets the clock or carries a file, by its object and not by its code.
fn function(mut value: InPacket) -> InPacket {
    value.expected.retain(|v| value.field != "dnp3.function_code" || *v != 2);
    value
}

impl ControlFromUnusualSource {
    fn words(&self, t: &Thing, op: &Op, basis: Basis, site: &Site) -> (String, String, gwcore::Evidence) {
        let (from, to) = (site.name(&t.from), site.name(&t.to));
        let what = request_with_value(op, &t.to, site);
        let title = format!("Command from {from}, which never commanded {to}: {what}");
        let Some(novelty) = self.novelty.as_ref().filter(|_| basis == Basis::Learned) else {
            let masters = site.device(&t.to).map(|d| d.masters.iter().cloned().collect::<Vec<_>>().join(", "));
            let why = format!("{from} sent {what} to {to}, and is not declared as one of its masters.");
            let value = InPacket::new(address_field(&t.from), t.from.name(), site.masters(&t.to));
            return (title, why, evidence(what, masters.as_deref(), None).naming(value));
        };
        let known = novelty.known_sources(&t.to, t.proto);
        let left_out = novelty.left_out(&t.from);
        let why = match &known {
            Some(k) => format!("{from} sent {what} to {to}; in {} only {k} did.{left_out}", novelty.learned()),
            None => format!("{from} sent {what} to {to}; in {} nobody did.{left_out}", novelty.learned()),
        };
        // Where nobody commanded the device, the function is what its clients never asked for.
        let value =
            if known.is_some() { novelty.source_in_packet(t) } else { function(novelty.function_in_packet(t, op)) };
        (title, why, novelty.evidence(what, known).naming(value))
    }
}
