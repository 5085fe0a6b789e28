//! A device that serves what it never served.

use gwcore::{Addr, Basis, Body, Fact, FactKinds, FlowConst, Severity, Table};

use super::{Detector, Look, Meta};
use crate::Setup;
use crate::baseline::{Baseline, Class, Thing, UTILITY, things};
use crate::fold::Sighting;
use crate::novelty::{Novelty, is_utility};

pub(super) static META: Meta = Meta {
    id: "new-service",
    number: 42,
    finds: "A known device served a protocol on a port on which it never served while the baseline was learned.",
    innocent: "A newly enabled function, an update, remote maintenance switched on for a while.",
    call: "the owner of the device",
    attack: &["T0886", "T0885"],
    needs: "a baseline",
    severity: Severity::Low,
};

/// Compares services with the baseline.
pub(super) struct NewService {
    novelty: Option<Novelty>,
    /// Networks (IPv4 /24) in which utility protocols are served, and the words of what else is served there.
    networks: Table<[u8; 3], Vec<(u16, u32)>>,
    /// Devices that serve a utility protocol.
    outstations: Table<Addr, ()>,
}

impl NewService {
    pub(super) fn new(setup: &Setup) -> Self {
        let networks = setup.baseline.as_deref().map(networks).unwrap_or_default();
        let outstations = setup.baseline.as_deref().map(outstations).unwrap_or_default();
        NewService { novelty: Novelty::new(setup, Class::Service), networks, outstations }
    }
}

fn network(addr: Addr) -> Option<[u8; 3]> {
    addr.as_v4().map(|[a, b, c, _]| [a, b, c])
}

fn outstations(b: &Baseline) -> Table<Addr, ()> {
    let utility: Vec<u16> = UTILITY.iter().filter_map(|u| b.words.find(u)).collect();
    let services = b.keys.keys().filter(|k| k.class == Class::Service && utility.contains(&k.proto));
    services.map(|k| (k.b, ())).collect()
}

fn networks(b: &Baseline) -> Table<[u8; 3], Vec<(u16, u32)>> {
    let utility: Vec<u16> = UTILITY.iter().filter_map(|u| b.words.find(u)).collect();
    let mut all: Table<[u8; 3], Vec<(u16, u32)>> = Table::default();
    let services = || b.keys.keys().filter(|k| k.class == Class::Service);
    for k in services().filter(|k| utility.contains(&k.proto)) {
        network(k.b).map(|n| all.entry(n).or_default());
    }
    for k in services() {
        if let Some(known) = network(k.b).and_then(|n| all.get_mut(&n)) {
            known.push((k.proto, k.n.0));
        }
    }
    all.values_mut().for_each(|known| {
        known.sort_unstable();
        known.dedup();
    });
    all
}

impl Detector for NewService {
    fn wants(&self) -> FactKinds {
        (FactKinds::SERVICE | FactKinds::UNREAD | FactKinds::FLOW_END).only_if(self.novelty.is_some())
    }

    fn learned(&mut self, setup: &Setup) {
        *self = Self::new(setup);
    }

    fn fact(&mut self, fact: &Fact, flow: &FlowConst, look: &mut Look<'_>) {
        let Some(novelty) = &self.novelty else { return };
        if !matches!(fact.body, Body::Service { .. } | Body::Unread | Body::FlowEnd { .. }) {
            return;
        }
        things(fact, flow, &mut |t| {
            // In utility protocols the new conversation is the finding, and of a stranger the new device.
            let told = is_utility(t.proto) || novelty.is_stranger(&t.to) || novelty.is_stranger(&t.from);
            if t.class != Class::Service || told || !novelty.is_new_service(&t) {
                return;
            }
            let known = network(t.to.addr).and_then(|n| self.networks.get(&n));
            let word = novelty.baseline.words.find(t.proto);
            let new_in_network = known.is_some_and(|k| word.is_none_or(|w| k.binary_search(&(w, t.n.0)).is_err()));
            // Outstations answer their masters: what one serves another and no device there ever served is nobody's maintenance.
            let among = [&t.from, &t.to].iter().all(|e| self.outstations.contains_key(&e.addr));
            let severity = if among && new_in_network { novelty.weigh(Severity::Medium, &t.to) } else { Severity::Low };
            see(novelty, &t, (severity, new_in_network), fact, flow, look);
        });
    }
}

fn see(
    novelty: &Novelty,
    t: &Thing,
    (severity, new_in_network): (Severity, bool),
    fact: &Fact,
    flow: &FlowConst,
    look: &mut Look<'_>,
) {
    // What is not read is told apart by its port.
    let port = if matches!(t.proto, "tcp" | "udp") { format!(":{}", t.n.0) } else { String::new() };
    look.see(&Sighting {
        dedup_key: format!("{}:{}{port}", t.to.name(), t.proto),
        severity,
        basis: Basis::Learned,
        attack: &["T0886", "T0885"],
        proto: t.proto,
        src: t.from,
        dst: t.to,
        words: &|site| {
            let (to, port) = (site.name(&t.to), t.n.0);
            let title = format!("{to} serves {} on port {port}", t.proto);
            let also = if severity > Severity::Low {
                ", and no device of its network did; both are outstations"
            } else if new_in_network {
                ", and no device of its network with utility protocols did"
            } else {
                ""
            };
            let why = format!(
                "{to} served {} on port {port} to {}, which it never did in {}{also}.",
                t.proto,
                site.name(&t.from),
                novelty.learned()
            );
            let mut e = novelty.evidence(format!("{} on port {port}", t.proto), None);
            e.more.insert("new_in_utility_network".into(), new_in_network.into());
            (title, why, e)
        },
        ..Sighting::of(&META, fact, flow)
    });
}
