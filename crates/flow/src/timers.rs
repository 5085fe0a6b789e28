//! When something is due: a heap of lazy entries, one live entry a flow.
//!
//! An entry may be early (the flow had packets since) or stale (its flow has ended or a sooner entry was set); whoever takes it out asks the
//! flow. Stale ones are swept when they outnumber the living, so memory is bounded by the number of flows. With nothing due a look at
//! the top is all.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use gwcore::Ts;

/// Something due: when, for which flow (creation number, then slot).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Due {
    pub at: Ts,
    pub serial: u64,
    pub slot: u32,
}

/// All that is due, in order of time and creation of the flow.
#[derive(Default)]
pub(crate) struct Timers {
    heap: BinaryHeap<Reverse<Due>>,
}

impl Timers {
    pub(crate) fn set(&mut self, due: Due) {
        self.heap.push(Reverse(due));
    }

    /// Takes out the first entry at or before `now`.
    #[inline]
    pub(crate) fn pop(&mut self, now: Ts) -> Option<Due> {
        let Reverse(due) = *self.heap.peek()?;
        if due.at > now {
            return None;
        }
        self.heap.pop();
        Some(due)
    }

    /// Whether stale entries outnumber the living so far that a sweep pays.
    #[inline]
    pub(crate) fn crowded(&self, live: usize) -> bool {
        self.heap.len() > 4 * live + 1_024
    }

    /// Keeps the entries for which `live` holds.
    pub(crate) fn sweep(&mut self, live: impl Fn(&Due) -> bool) {
        self.heap.retain(|Reverse(due)| live(due));
    }

    /// Moves everything by `step_ns`.
    pub(crate) fn shift(&mut self, step_ns: i64) {
        let moved = self.heap.drain().map(|Reverse(due)| Reverse(Due { at: due.at.plus(step_ns), ..due })).collect();
        self.heap = moved;
    }
}
