//! An IP address of the plant that another MAC address speaks for than those that did while the baseline was learned.

use gwcore::{Addr, Basis, Body, Fact, FactKinds, FlowConst, InPacket, Mac, Severity, Table};

use super::{Detector, Look, Meta};
use crate::Setup;
use crate::baseline::{Class, binding_key, bound};
use crate::fold::{End, Sighting};
use crate::novelty::{Novelty, is_utility};

pub(super) static META: Meta = Meta {
    id: "moved-address",
    number: 65,
    finds: "The IP address of a device that speaks a utility protocol was used by, or claimed for, another MAC address than while the baseline was learned.",
    innocent: "A replaced device or network card, a fail-over to a unit that takes over the address, a capture at another place of the network.",
    call: "the network engineer, then the owner of the address",
    attack: &["T0830", "T0849"],
    needs: "a baseline of the same segment",
    severity: Severity::Medium,
};

/// Addresses of one MAC address from which it is that of a router: behind it is what is elsewhere.
const ROUTER: usize = 4;
/// MAC addresses named of an address.
const NAMED: usize = 3;

/// Compares who speaks for an address with what was learned.
pub(super) struct MovedAddress {
    novelty: Option<Novelty>,
    /// Addresses that each MAC address spoke for.
    bears: Table<Mac, Vec<Addr>>,
    /// Addresses that speak a utility protocol.
    utility: Table<Addr, ()>,
}

impl MovedAddress {
    pub(super) fn new(setup: &Setup) -> Self {
        let novelty = Novelty::new(setup, Class::Device);
        let (mut bears, mut utility): (Table<Mac, Vec<Addr>>, Table<Addr, ()>) = Default::default();
        if let Some(b) = novelty.as_ref().map(|n| &n.baseline) {
            for (key, bound) in &b.conduct.bindings {
                bound.macs().for_each(|m| bears.entry(m).or_default().push(key.a));
            }
            bears.values_mut().for_each(|all| all.sort_unstable());
            let is_spoken = |proto: u16| is_utility(b.words.word(proto));
            let pairs = b.keys.keys().filter(|k| k.class == Class::Conversation && is_spoken(k.proto));
            pairs.for_each(|k| utility.extend([(k.a, ()), (k.b, ())]));
        }
        MovedAddress { novelty, bears, utility }
    }

    fn bears(&self, mac: Mac) -> usize {
        self.bears.get(&mac).map_or(0, Vec::len)
    }

    /// How grave it is that `mac` speaks for an address that `known` spoke for; none where addresses move by design.
    fn judge(&self, mac: Mac, known: &[Mac]) -> Option<Severity> {
        let most = known.iter().map(|m| self.bears(*m)).max().unwrap_or(0);
        let is_routed = most >= ROUTER;
        match self.bears(mac) {
            // A second router, or the way back by another one.
            ROUTER.. => None,
            // A router was replaced, or the capture moved.
            0 if is_routed => None,
            // The address floats beside one of the unit's own, or moved before: a redundant pair.
            _ if !is_routed && (most > 1 || known.len() > 1) => Some(Severity::Low),
            _ => Some(Severity::Medium),
        }
    }
}

impl Detector for MovedAddress {
    fn wants(&self) -> FactKinds {
        let learned = self.novelty.as_ref().is_some_and(|n| !n.baseline.conduct.bindings.is_empty());
        (FactKinds::FLOW_START | FactKinds::CLAIM).only_if(learned)
    }

    fn learned(&mut self, setup: &Setup) {
        *self = Self::new(setup);
    }

    fn fact(&mut self, fact: &Fact, flow: &FlowConst, look: &mut Look<'_>) {
        let (Some(novelty), Some((addr, mac))) = (&self.novelty, bound(fact, flow)) else { return };
        let Some(known) = novelty.baseline.conduct.bindings.get(&binding_key(addr)) else { return };
        let known: Vec<Mac> = known.macs().collect();
        let Some(first) = known.first().copied().filter(|_| !known.contains(&mac) && self.utility.contains_key(&addr))
        else {
            return;
        };
        let Some(severity) = self.judge(mac, &known) else { return };
        let (src, dst) = (End { mac, addr, port: None }, End { mac: first, addr, port: None });
        let other = self.bears.get(&mac).and_then(|all| all.first()).copied();
        let claim = matches!(fact.body, Body::Claim { .. });
        look.see(&Sighting {
            dedup_key: format!("{mac}>{addr}"),
            severity: novelty.weigh(severity, &dst),
            basis: Basis::Learned,
            attack: &["T0830", "T0849"],
            proto: if claim { "arp" } else { "ip" },
            src,
            dst,
            words: &|site| {
                let name = site.name(&End { mac: Mac::NONE, ..dst });
                let macs: Vec<String> = known.iter().take(NAMED).map(Mac::to_string).collect();
                let macs = macs.join(", ");
                let did = if claim { "claimed" } else { "used" };
                let whose = other.map_or("which was not seen then".to_owned(), |a| {
                    format!("which was that of {}", site.name(&End { mac: Mac::NONE, addr: a, port: None }))
                });
                let title = format!("{addr} is {did} by another device");
                let why = format!(
                    "{mac}, {whose}, {did} the address {addr} ({name}); in {} the address was that of {macs} only.",
                    novelty.learned()
                );
                let field = if claim { "arp.sender_mac" } else { "src_mac" };
                let value =
                    InPacket::new(field, mac.to_string(), known.iter().map(Mac::to_string)).of(addr.to_string());
                (title, why, novelty.evidence(mac.to_string(), Some(macs)).naming(value))
            },
            ..Sighting::of(&META, fact, flow)
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_that_move_by_design_are_no_alarm() {
        let mac = |n: u8| Mac([0, 0x30, 0xa7, 0, 0, n]);
        let addr = |n: u8| Addr::v4([10, 0, 0, n]);
        let bears = [(mac(1), 1), (mac(2), 1), (mac(3), 2), (mac(9), 9), (mac(10), 5)];
        let bears = bears.map(|(m, n)| (m, (0..n).map(addr).collect())).into_iter().collect();
        let d = MovedAddress { novelty: None, bears, utility: Table::default() };
        let judge = |to: u8, known: &[u8]| d.judge(mac(to), &known.iter().map(|n| mac(*n)).collect::<Vec<_>>());
        assert_eq!(judge(2, &[1]), Some(Severity::Medium), "another device of the plant");
        assert_eq!(judge(7, &[1]), Some(Severity::Medium), "a stranger");
        assert_eq!(judge(2, &[3]), Some(Severity::Low), "a floating address");
        assert_eq!(judge(7, &[1, 2]), Some(Severity::Low), "it moved before");
        assert_eq!((judge(10, &[9]), judge(7, &[9]), judge(9, &[1])), (None, None, None), "routers");
        assert_eq!(judge(2, &[9]), Some(Severity::Medium), "a device of the segment speaks for one that is elsewhere");
    }
}
