//! One IP address claimed by two MAC addresses.

use gwcore::time::MINUTE;
use gwcore::{Addr, AgedTable, Body, Fact, FactKinds, FlowConst, InPacket, Limit, LimitHits, Mac, Severity, Ts};

use super::{Detector, Look, Meta};
use crate::fold::{End, Sighting, evidence};
use crate::{Setup, oui};

pub(super) static META: Meta = Meta {
    id: "contested-address",
    number: 8,
    finds: "Two MAC addresses claimed the same IP address within ten minutes.",
    innocent: "A redundant pair that shares an address, a replaced device, two interfaces of one machine.",
    call: "the network engineer",
    attack: &["T0830"],
    needs: "ARP or neighbour discovery on the captured segment",
    severity: Severity::Medium,
};

/// Claims further apart than this are a replacement, not a contest.
const CONTEST: i64 = 10 * MINUTE;

/// Who claimed, when, and in which file and frame.
type Claim = (Mac, Ts, (u32, u64));

/// Last claim of each address, and the one by another MAC before it.
pub(super) struct ContestedAddress {
    claims: AgedTable<Addr, (Claim, Option<Claim>)>,
    hits: LimitHits,
}

impl ContestedAddress {
    pub(super) fn new(setup: &Setup) -> Self {
        let claims = AgedTable::new(Limit::DetectorSources, setup.limits.get(Limit::DetectorSources));
        ContestedAddress { claims, hits: LimitHits::default() }
    }
}

impl Detector for ContestedAddress {
    super::keeps!(claims);

    fn wants(&self) -> FactKinds {
        FactKinds::CLAIM
    }

    fn fact(&mut self, fact: &Fact, flow: &FlowConst, look: &mut Look<'_>) {
        let Body::Claim { addr, mac, source } = fact.body else { return };
        if addr.is_none() || mac.is_none() || mac.is_group() || oui::virtual_router(mac).is_some() || source == "lldp" {
            return;
        }
        let at = (flow.file, fact.frame);
        let Some((last, before)) = self.claims.get_mut(&addr) else {
            if self.claims.insert(addr, ((mac, fact.ts, at), None)).is_some() {
                self.hits.hit(Limit::DetectorSources);
            }
            return;
        };
        if last.0 == mac {
            *last = (mac, fact.ts, at);
            return;
        }
        // Back and forth: the MAC that claims now had claimed before the last one did.
        let contested = before.is_some_and(|b| b.0 == mac && fact.ts.since(b.1) <= CONTEST);
        let (other, _, claimed) = *last;
        *before = Some(*last);
        *last = (mac, fact.ts, at);
        if !contested {
            return;
        }
        let (src, dst) = (End { mac, addr, port: None }, End { mac: other, addr, port: None });
        let (low, high) = (mac.min(other), mac.max(other));
        look.see(&Sighting {
            dedup_key: format!("{addr}:{low}:{high}"),
            severity: Severity::Medium,
            attack: &["T0830"],
            proto: source,
            src,
            dst,
            words: &|_| {
                let title = format!("{addr} is claimed by two devices");
                let why = format!("{addr} was claimed by {mac} and by {other} in turn within ten minutes.");
                // Who claims again had the address first: the claim between is the one that does not belong.
                let value = InPacket::new("arp.sender_mac", other.to_string(), [mac.to_string()]).of(addr.to_string());
                let e = evidence(other.to_string(), Some(&mac.to_string()), None);
                (title, why, if source == "arp" { e.naming(value) } else { e })
            },
            carried_by: Some(claimed),
            ..Sighting::of(&META, fact, flow)
        });
    }
    fn hits(&self) -> LimitHits {
        self.hits.clone()
    }
}
