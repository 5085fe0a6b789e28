//! Whether a source selects before it operates, and how soon it operates then (IEEE 1815 §4.4.4, IEC 60870-5-5 §6.8).

use gwcore::time::MINUTE;
use gwcore::{Addr, AgedTable, Fact, FlowConst, Limit, LimitHits, Limits, Op, OpClass, PointId, Ts};
use serde::{Deserialize, Serialize};

use super::{Merge, who};
use crate::fold::ends;

/// How long a selection can last: outstations give it up after seconds, slow ones after a minute.
pub(crate) const REACH: i64 = MINUTE;

/// How a source operates the points of one kind of a device.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Selects {
    pub(crate) commands: u64,
    /// Of them after a selection of the same point.
    pub(crate) selected: u64,
    /// Longest time from selection to command, in nanoseconds.
    pub(crate) longest: i64,
}

impl Selects {
    pub(crate) fn note(&mut self, after: Option<i64>) {
        self.commands = self.commands.saturating_add(1);
        if let Some(after) = after.filter(|a| *a <= REACH) {
            self.selected = self.selected.saturating_add(1);
            self.longest = self.longest.max(after);
        }
    }
}

impl Merge for Selects {
    fn merge(&mut self, o: &Selects) {
        self.commands = self.commands.saturating_add(o.commands);
        self.selected = self.selected.saturating_add(o.selected);
        self.longest = self.longest.max(o.longest);
    }
}

/// Follows selections.
pub(crate) struct SelectWatch {
    table: AgedTable<(Addr, Addr, &'static str, PointId), Ts>,
    pub(crate) hits: LimitHits,
}
gwcore::kept!(SelectWatch { table });

impl SelectWatch {
    pub(crate) fn new(limits: &Limits) -> SelectWatch {
        let table = AgedTable::new(Limit::DetectorSources, limits.get(Limit::DetectorSources));
        SelectWatch { table, hits: LimitHits::default() }
    }

    /// Takes note of a request; for a command, how long before it its point was selected, or that it was not.
    pub(crate) fn note(&mut self, op: &Op, fact: &Fact, flow: &FlowConst) -> Option<Option<i64>> {
        if op.is_answer || !matches!(op.proto, "dnp3" | "iec104") {
            return None;
        }
        let (src, dst) = ends(fact, flow);
        let key = (who(&src), who(&dst), op.proto, op.point?);
        match op.class {
            OpClass::Select => {
                if self.table.insert(key, fact.ts).is_some() {
                    self.hits.hit(Limit::DetectorSources);
                }
                None
            }
            OpClass::Control | OpClass::SetPoint => Some(self.table.remove(&key).map(|at| fact.ts.since(at))),
            _ => None,
        }
    }
}
