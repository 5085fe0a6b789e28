//! Messages that wait for their counterpart: in order of arrival, found by who asked and by transaction id.

use std::collections::{BTreeMap, BTreeSet};

use gwcore::Ts;
use proto::{Dir, Mark};

/// How long a query waits for its response, and a response for a query that was overtaken, in nanoseconds.
pub const PATIENCE: i64 = 30 * gwcore::time::SECOND;
/// Waiting messages of one id that are looked at for the same question; a client that reuses one id does not have more open.
const SAME_ID: usize = 16;

/// A first-in, first-out queue per asking side and id, with one order over all. Every operation takes logarithmic time.
pub struct Waiting<T> {
    entries: BTreeMap<u64, (Dir, u16, Mark, T)>,
    by_id: BTreeSet<(Dir, u16, u64)>,
    next: u64,
}

impl<T> Default for Waiting<T> {
    fn default() -> Self {
        Waiting { entries: BTreeMap::new(), by_id: BTreeSet::new(), next: 0 }
    }
}

impl<T> Waiting<T> {
    /// Adds one; gives the oldest when there are more than `limit`.
    pub fn push(&mut self, asker: Dir, id: u16, mark: Mark, item: T, limit: usize) -> Option<(Mark, T)> {
        self.entries.insert(self.next, (asker, id, mark, item));
        self.by_id.insert((asker, id, self.next));
        self.next += 1;
        if self.entries.len() > limit { self.pop() } else { None }
    }

    /// Takes out the one of this side and id that fits, else the oldest of them.
    pub fn take(&mut self, asker: Dir, id: u16, fits: impl Fn(&T) -> bool) -> Option<(Mark, T)> {
        let mut same = self.by_id.range((asker, id, 0)..=(asker, id, u64::MAX)).take(SAME_ID).map(|key| key.2);
        let oldest = same.clone().next()?;
        let found = same.find(|seq| self.entries.get(seq).is_some_and(|e| fits(&e.3))).unwrap_or(oldest);
        self.remove(found)
    }

    /// Takes the oldest out.
    pub fn pop(&mut self) -> Option<(Mark, T)> {
        let (seq, _) = self.entries.first_key_value()?;
        self.remove(*seq)
    }

    /// Takes the oldest out when its time is over.
    pub fn pop_due(&mut self, now: Ts) -> Option<(Mark, T)> {
        self.due().filter(|due| *due <= now).and_then(|_| self.pop())
    }

    /// When the oldest has waited long enough.
    pub fn due(&self) -> Option<Ts> {
        self.entries.first_key_value().map(|(_, entry)| entry.2.ts.plus(PATIENCE))
    }

    fn remove(&mut self, seq: u64) -> Option<(Mark, T)> {
        let (asker, id, mark, item) = self.entries.remove(&seq)?;
        self.by_id.remove(&(asker, id, seq));
        Some((mark, item))
    }
}
