//! Which MAC addresses speak for an IP address of the site.

use gwcore::{Addr, Body, Fact, FlowConst, Mac};
use serde::{Deserialize, Serialize};

use super::{Class, Key, Merge};
use crate::fold::ends;
use crate::oui;

/// MAC addresses kept of an address: more are a router's work, or nobody's.
const MACS: usize = 8;

/// The MAC addresses of one IP address, in the order of their numbers.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Bound {
    macs: Vec<[u8; 6]>,
}

impl Bound {
    pub(crate) fn note(&mut self, mac: Mac) {
        if let (Err(at), true) = (self.macs.binary_search(&mac.0), self.macs.len() < MACS) {
            self.macs.insert(at, mac.0);
        }
    }

    pub(crate) fn macs(&self) -> impl Iterator<Item = Mac> + '_ {
        self.macs.iter().map(|m| Mac(*m))
    }
}

impl Merge for Bound {
    fn merge(&mut self, o: &Bound) {
        o.macs().for_each(|m| self.note(m));
    }
}

/// Key of what is known of an IP address.
pub(crate) fn binding_key(addr: Addr) -> Key {
    Key { class: Class::Device, a: addr, b: Addr::NONE, proto: 0, word: 0, n: (0, 0) }
}

/// The binding that a fact shows: who sends the first packet of a conversation, and what ARP claims. Virtual addresses of
/// routers (VRRP, HSRP, CARP) move by design and are none.
pub(crate) fn bound(fact: &Fact, flow: &FlowConst) -> Option<(Addr, Mac)> {
    let (addr, mac) = match fact.body {
        Body::Claim { addr, mac, source: "arp" } => (addr, mac),
        Body::FlowStart => {
            let (sender, _) = ends(fact, flow);
            (sender.addr, sender.mac)
        }
        _ => return None,
    };
    let usable = addr.is_v4() && addr.is_local() && !addr.is_multicast() && addr != Addr::v4([0; 4]);
    let named = !mac.is_none() && !mac.is_group() && oui::virtual_router(mac).is_none();
    (usable && named).then_some((addr, mac))
}
