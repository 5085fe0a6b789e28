//! How fast a point is commanded: reversals and writes within a minute, and whether they came evenly ever since the capture began.

use gwcore::time::MINUTE;
use gwcore::{Addr, AgedTable, Fact, FlowConst, Limit, LimitHits, Limits, Op, OpClass, PointId, Ts};
use serde::{Deserialize, Serialize};

use super::who;
use crate::fold::ends;

/// A pause this many times the mean one, or a minute with this many times the mean number of commands, is not even.
const EVEN: i64 = 4;
const MORE: i64 = 2;
/// Commands from which it can be said that they come evenly.
const ENOUGH: i64 = 4;

/// What a point was commanded, up to a command.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Strokes {
    /// When the minute began.
    pub(crate) since: Ts,
    /// Changes back in it: a switch has two positions, a set point returns where it is set to what it was before.
    pub(crate) reversals: u32,
    /// Commands in it, whatever their value.
    pub(crate) writes: u32,
    /// Bits of the values before the last and last.
    values: [Option<u64>; 2],
    /// All commands: first, last, how many, longest pause in nanoseconds.
    first: Ts,
    last: Ts,
    total: i64,
    longest: i64,
}

impl Strokes {
    fn new(ts: Ts) -> Strokes {
        Strokes { since: ts, reversals: 0, writes: 0, values: [None; 2], first: ts, last: ts, total: 0, longest: 0 }
    }

    fn note(&mut self, op: &Op, ts: Ts) {
        if ts.since(self.since) > MINUTE {
            (self.since, self.reversals, self.writes) = (ts, 0, 0);
        }
        self.writes = self.writes.saturating_add(1);
        self.longest = self.longest.max(ts.since(self.last));
        (self.last, self.total) = (self.last.max(ts), self.total.saturating_add(1));
        let Some(value) = op.value.map(f64::to_bits) else { return };
        let [before, last] = self.values;
        if last != Some(value) {
            let is_first = last.is_none();
            let is_reversal = op.class == OpClass::Control || before == Some(value);
            self.reversals = self.reversals.saturating_add(u32::from(is_reversal && !is_first));
            self.values = [if is_first { Some(value) } else { last }, Some(value)];
        }
    }

    /// Whether the commands came evenly from the first minute after `begin` on: a plant's own cycle, as a watchdog's, has no beginning in a
    /// capture and no pause.
    pub(crate) fn is_even_since(&self, begin: Option<Ts>) -> bool {
        let from_begin = begin.is_some_and(|b| self.first.since(b) <= MINUTE);
        let mean = (self.last.since(self.first) / (self.total - 1).max(1)).max(1);
        let usual = self.last.since(self.since) / mean + 1;
        from_begin
            && self.total >= ENOUGH
            && self.longest <= mean.saturating_mul(EVEN)
            && i64::from(self.writes) <= usual.saturating_mul(MORE)
    }
}

/// Follows the commands that each source gives each point.
pub(crate) struct StrokeWatch {
    table: AgedTable<(Addr, Addr, &'static str, PointId), Strokes>,
    pub(crate) hits: LimitHits,
}
gwcore::kept!(StrokeWatch { table });

impl StrokeWatch {
    pub(crate) fn new(limits: &Limits) -> StrokeWatch {
        let table = AgedTable::new(Limit::DetectorSources, limits.get(Limit::DetectorSources));
        StrokeWatch { table, hits: LimitHits::default() }
    }

    /// Takes note of a control command or set point; none for anything else.
    pub(crate) fn note(&mut self, op: &Op, fact: &Fact, flow: &FlowConst) -> Option<Strokes> {
        if op.is_answer || !matches!(op.class, OpClass::Control | OpClass::SetPoint) {
            return None;
        }
        let (src, dst) = ends(fact, flow);
        let key = (who(&src), who(&dst), op.proto, op.point?);
        if self.table.get(&key).is_none() && self.table.insert(key, Strokes::new(fact.ts)).is_some() {
            self.hits.hit(Limit::DetectorSources);
        }
        let strokes = self.table.get_mut(&key)?;
        strokes.note(op, fact.ts);
        Some(*strokes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use gwcore::time::SECOND;

    fn strokes(times: &[i64]) -> Strokes {
        let mut s = Strokes::new(Ts(times[0]));
        for (i, t) in times.iter().enumerate() {
            let (class, value, name) = (OpClass::Control, Some((i % 2) as f64), "");
            let op = Op {
                proto: "",
                class,
                function: 0,
                name,
                point: None,
                points: 1,
                value,
                action: "",
                is_answer: false,
                refused: None,
            };
            s.note(&op, Ts(*t));
        }
        s
    }

    #[test]
    fn a_cycle_without_beginning_is_even_and_a_burst_is_not() {
        let cycle: Vec<i64> = (0..1_000).map(|i| i * 2 * SECOND + i % 3 * SECOND / 5).collect();
        let s = strokes(&cycle);
        assert!(s.is_even_since(Some(Ts(0))) && s.is_even_since(Some(Ts(-MINUTE))));
        assert!(!s.is_even_since(Some(Ts(-2 * MINUTE))), "it began later than the capture");
        assert!(!s.is_even_since(None));
        let burst: Vec<i64> = cycle.iter().copied().chain((0..200).map(|i| 2_000 * SECOND + i * SECOND / 10)).collect();
        assert!(!strokes(&burst).is_even_since(Some(Ts(0))));
        let pause: Vec<i64> = cycle.iter().map(|t| if *t > 900 * SECOND { t + MINUTE } else { *t }).collect();
        assert!(!strokes(&pause).is_even_since(Some(Ts(0))));
        assert_eq!(s.reversals, s.writes - 1 + u32::from(s.since > s.first));
    }
}
