//! A device that introduces itself by the host name of another device of its network.

use gwcore::time::HOUR;
use gwcore::{Addr, AgedTable, Body, Fact, FactKinds, FlowConst, Limit, LimitHits, Severity, Ts};

use super::{Detector, Look, Meta};
use crate::Setup;
use crate::baseline::UTILITY;
use crate::fold::{End, Sighting, ends, evidence};
use crate::room::Room;

pub(super) static META: Meta = Meta {
    id: "borrowed-name",
    number: 64,
    finds: "Two devices of one network introduce themselves by the same host name (mDNS, LLMNR), which such names never are (RFC 6762 §9): \
            medium where one of them serves a utility protocol.",
    innocent: "One computer with two network cards in one network, a copied virtual machine.",
    call: "the owner of the device that serves a utility protocol, else the owners of both",
    attack: &["T0849"],
    needs: "the segment's multicast traffic",
    severity: Severity::Medium,
};

/// Devices remembered by name; further ones are compared with these.
const BEARERS: usize = 4;

/// Who last said so longer ago has given the name away, or was replaced.
const HELD: i64 = 24 * HOUR;

/// Who bears which name, and which addresses serve a utility protocol.
pub(super) struct BorrowedName {
    bearers: AgedTable<(Box<str>, u16), Vec<(End, Ts)>>,
    /// Those that answered on it make room last.
    utility: Room<Addr, ()>,
    hits: LimitHits,
}

impl BorrowedName {
    pub(super) fn new(setup: &Setup) -> Self {
        let limit = setup.limits.get(Limit::DetectorSources);
        let bearers = AgedTable::new(Limit::DetectorSources, limit);
        BorrowedName { bearers, utility: Room::new(Limit::DetectorSources, limit), hits: LimitHits::default() }
    }

    /// Another device of the same network that bears the name; the bearer is remembered.
    fn other(&mut self, name: &str, vlan: u16, bearer: End, now: Ts) -> Option<End> {
        let key = (name.to_ascii_lowercase().into_boxed_str(), vlan);
        if self.bearers.get(&key).is_none() && self.bearers.insert(key.clone(), Vec::new()).is_some() {
            self.hits.hit(Limit::DetectorSources);
        }
        let all = self.bearers.get_mut(&key)?;
        all.retain(|(_, last)| now.since(*last) <= HELD);
        // A device that changes its address takes its name along, and one that replaces another takes name and address.
        let is_other = |b: &End| b.mac != bearer.mac && b.addr != bearer.addr && is_near(b.addr, bearer.addr);
        let other = all.iter().map(|(b, _)| *b).find(is_other);
        if let Some((_, last)) = all.iter_mut().find(|(b, _)| (b.mac, b.addr) == (bearer.mac, bearer.addr)) {
            *last = now;
        } else if all.len() < BEARERS {
            all.push((bearer, now));
        }
        other
    }
}

/// Whether two IPv4 addresses may be of one network: a computer with a card in each of two has them in different ones.
fn is_near(a: Addr, b: Addr) -> bool {
    matches!((a.as_v4(), b.as_v4()), (Some(a), Some(b)) if a[..3] == b[..3])
}

impl Detector for BorrowedName {
    super::keeps!(bearers, utility);

    fn wants(&self) -> FactKinds {
        FactKinds::SERVICE | FactKinds::NAME | FactKinds::ANSWER
    }

    fn fact(&mut self, fact: &Fact, flow: &FlowConst, look: &mut Look<'_>) {
        let (name, proto) = match &fact.body {
            Body::Service { proto, server_is_responder } => {
                if UTILITY.contains(proto) && matches!(flow.ip_proto, 6 | 17) {
                    self.utility.entry(&if *server_is_responder { flow.dst } else { flow.src }, || ());
                }
                return;
            }
            Body::Op(_) => return self.utility.prove(&ends(fact, flow).0.addr),
            Body::Name { addr, name, source, .. } if matches!(*source, "mdns" | "llmnr") => {
                // Of its own address only: others are those of its further network cards.
                if *addr != ends(fact, flow).0.addr {
                    return;
                }
                (name, *source)
            }
            _ => return,
        };
        let (src, _) = ends(fact, flow);
        if src.mac.is_none() {
            return;
        }
        let Some(other) = self.other(name, flow.vlans[0], src, fact.ts) else { return };
        let serves = [src, other].into_iter().find(|e| self.utility.get(&e.addr).is_some());
        // Telephones and the like change their MAC address and keep their name.
        if serves.is_none() && [src, other].iter().any(|e| e.mac.is_locally_administered()) {
            return;
        }
        look.see(&Sighting {
            dedup_key: name.to_ascii_lowercase(),
            severity: if serves.is_some() { Severity::Medium } else { Severity::Low },
            attack: &["T0849"],
            proto,
            dst: other,
            words: &|site| {
                let (a, b) = (site.name(&src), site.name(&other));
                let which = serves.map_or(String::new(), |s| {
                    format!(" {} serves a utility protocol: does it have a name at all?", site.name(&s))
                });
                let why = format!("{a} says that it is called {name}, and so does {b}: one stands in for the other, or both are one.{which}");
                (format!("{a} bears the name of {b}: {name}"), why, evidence(name.to_string(), Some("a name of its own"), None))
            },
            ..Sighting::of(&META, fact, flow)
        });
    }

    fn hits(&self) -> LimitHits {
        let mut hits = self.hits.clone();
        hits.add(self.utility.hits());
        hits
    }
}
