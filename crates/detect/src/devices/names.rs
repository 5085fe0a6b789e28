//! Names that others tell of an address: what DNS answers, and whom a client asks for by TLS or HTTP. They are kept by address, since a name is
//! asked for before its bearer speaks, and belong to whoever speaks from it.

use std::collections::BTreeSet;

use gwcore::{Addr, AgedTable, Limit, LimitHits, Limits};

use super::Named;

/// Names kept of an address; further ones are left out.
const KEPT: usize = 8;

/// Names by address: those of the site apart, so that no browsing displaces them.
pub(super) struct ToldNames {
    site: AgedTable<Addr, BTreeSet<Named>>,
    internet: AgedTable<Addr, BTreeSet<Named>>,
}
gwcore::kept!(ToldNames { site, internet });

impl ToldNames {
    pub(super) fn new(limits: &Limits) -> ToldNames {
        let table = |limit| AgedTable::new(limit, limits.get(limit));
        ToldNames { site: table(Limit::Devices), internet: table(Limit::InternetNames) }
    }

    /// Somebody calls an address by a name (domain names know no case, RFC 4343).
    pub(super) fn tell(&mut self, addr: Addr, name: &str, source: &'static str, hits: &mut LimitHits) {
        let name = name.trim_end_matches('.').to_ascii_lowercase();
        if addr.is_none() || addr.is_multicast() || name.is_empty() {
            return;
        }
        let table = if addr.is_internet() { &mut self.internet } else { &mut self.site };
        if table.get(&addr).is_none() && table.insert(addr, BTreeSet::new()).is_some() {
            hits.hit(table.name);
        }
        if let Some(names) = table.get_mut(&addr).filter(|n| n.len() < KEPT) {
            names.insert(Named { name, source });
        }
    }

    /// What an address is called.
    pub(super) fn of(&self, addr: Addr) -> impl Iterator<Item = &Named> {
        let table = if addr.is_internet() { &self.internet } else { &self.site };
        table.get(&addr).into_iter().flatten()
    }
}
