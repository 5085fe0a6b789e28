//! A known address that opens connections with another device's IP stack, back and forth.

use gwcore::time::MINUTE;
use gwcore::{Addr, AgedTable, Body, Fact, FactKinds, FlowConst, Limit, LimitHits, Mac, Severity, Ts};

use super::{Detector, Look, Meta};
use crate::Setup;
use crate::fold::{Sighting, ends, evidence};

pub(super) static META: Meta = Meta {
    id: "fingerprint",
    number: 29,
    finds: "Two different IP stacks opened connections from one address in turn.",
    innocent: "Virtual machines or containers behind one address, a gateway that translates addresses, a device with two processors.",
    call: "the owner of the address",
    attack: &["T0849"],
    needs: "TCP connections from their beginning, on the device's own segment",
    severity: Severity::Medium,
};

/// Stacks seen further apart are an upgrade or a replacement.
const IN_TURN: i64 = 10 * MINUTE;

/// A stack: initial time to live and receive window.
type Stack = (u8, u16);

/// Stacks by address, where the address itself was proven to be that MAC's.
pub(super) struct Fingerprint {
    claims: AgedTable<Addr, Mac>,
    stacks: AgedTable<(Addr, Mac), ((Stack, Ts), Option<(Stack, Ts)>)>,
    hits: LimitHits,
}

impl Fingerprint {
    pub(super) fn new(setup: &Setup) -> Self {
        let limit = setup.limits.get(Limit::DetectorSources);
        let claims = AgedTable::new(Limit::DetectorSources, limit);
        Fingerprint { claims, stacks: AgedTable::new(Limit::DetectorSources, limit), hits: LimitHits::default() }
    }
}

/// The usual initial values are 32, 64, 128 and 255; hops take from them.
fn initial(ttl: u8) -> u8 {
    [32, 64, 128].into_iter().find(|t| ttl <= *t).unwrap_or(255)
}

/// Windows vary with options and paths: only both together make another stack.
fn differ(a: Stack, b: Stack) -> bool {
    a.0 != b.0 && a.1 != b.1
}

impl Detector for Fingerprint {
    super::keeps!(claims, stacks);

    fn wants(&self) -> FactKinds {
        FactKinds::CLAIM | FactKinds::FINGERPRINT
    }

    fn fact(&mut self, fact: &Fact, flow: &FlowConst, look: &mut Look<'_>) {
        let (ttl, window) = match fact.body {
            Body::Claim { addr, mac, source: "arp" | "nd" } => {
                if self.claims.get(&addr) != Some(&mac) && self.claims.insert(addr, mac).is_some() {
                    self.hits.hit(Limit::DetectorSources);
                }
                return;
            }
            Body::Fingerprint { ttl, window } => (ttl, window),
            _ => return,
        };
        let (src, _) = ends(fact, flow);
        if self.claims.get(&src.addr) != Some(&src.mac) {
            return;
        }
        let new = ((initial(ttl), window), fact.ts);
        let Some((last, before)) = self.stacks.get_mut(&(src.addr, src.mac)) else {
            if self.stacks.insert((src.addr, src.mac), (new, None)).is_some() {
                self.hits.hit(Limit::DetectorSources);
            }
            return;
        };
        if !differ(last.0, new.0) {
            *last = new;
            return;
        }
        let again = before.is_some_and(|b| b.0 == new.0 && fact.ts.since(b.1) <= IN_TURN);
        let other = last.0;
        *before = Some(std::mem::replace(last, new));
        if !again {
            return;
        }
        look.see(&Sighting {
            dedup_key: src.name(),
            attack: &["T0849"],
            proto: "tcp",
            words: &|site| {
                let a = site.name(&src);
                let say = |s: Stack| format!("initial TTL {} window {}", s.0, s.1);
                let why = format!("{a} opened connections with {} and with {} in turn.", say(new.0), say(other));
                (format!("{a} shows two IP stacks"), why, evidence(say(new.0), Some(&say(other)), Some(10.0)))
            },
            ..Sighting::of(&META, fact, flow)
        });
    }
    fn hits(&self) -> LimitHits {
        self.hits.clone()
    }
}
