//! How often a client asks a device for a function that changes something, in stretches of ten seconds.

use gwcore::time::SECOND;
use gwcore::{Addr, AgedTable, Fact, FlowConst, Limit, LimitHits, Limits, Op, OpClass, Ts};
use serde::{Deserialize, Serialize};

use super::{Merge, who};
use crate::fold::ends;

/// Length of a stretch.
pub(crate) const STRETCH: i64 = 10 * SECOND;

/// What was learned of a client, a device and a function.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Rate {
    /// Most requests within a stretch.
    pub(crate) most: u32,
}

impl Merge for Rate {
    fn merge(&mut self, o: &Rate) {
        self.most = self.most.max(o.most);
    }
}

/// Client, device, protocol, function.
pub(crate) type Place = (Addr, Addr, &'static str, u16);

/// The stretch that a request lies in.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Stretch {
    pub(crate) since: Ts,
    pub(crate) count: u32,
    /// Most requests within an earlier stretch.
    pub(crate) before: u32,
}

/// Follows requests that change something; reading much is what masters do after an outage.
pub(crate) struct RateWatch {
    table: AgedTable<Place, Stretch>,
    pub(crate) hits: LimitHits,
}
gwcore::kept!(RateWatch { table });

impl RateWatch {
    pub(crate) fn new(limits: &Limits) -> RateWatch {
        let table = AgedTable::new(Limit::DetectorSources, limits.get(Limit::DetectorSources));
        RateWatch { table, hits: LimitHits::default() }
    }

    /// Takes note of a request; none for what reads, identifies or transfers.
    pub(crate) fn note(&mut self, op: &Op, fact: &Fact, flow: &FlowConst) -> Option<(Place, Stretch)> {
        use OpClass as C;
        let reads = matches!(op.class, C::Read | C::Identify | C::Upload | C::Download | C::Authenticate | C::Other);
        if op.is_answer || reads {
            return None;
        }
        let (src, dst) = ends(fact, flow);
        let place = (who(&src), who(&dst), op.proto, op.function);
        if self.table.get(&place).is_none() {
            let fresh = Stretch { since: fact.ts, count: 0, before: 0 };
            if self.table.insert(place, fresh).is_some() {
                self.hits.hit(Limit::DetectorSources);
            }
        }
        let s = self.table.get_mut(&place)?;
        if fact.ts.since(s.since) > STRETCH {
            *s = Stretch { since: fact.ts, count: 0, before: s.before.max(s.count) };
        }
        s.count = s.count.saturating_add(1);
        Some((place, *s))
    }
}
