//! Which exchanges of a flow are repeats that the summary leaves out: same request, answer of the same shape, for the third time or later.

use std::hash::{BuildHasher, Hash};

use gwcore::{Limit, Limits, Table};

/// Remembers requests of one flow by hash with the shape of their last answer and how often it came.
#[derive(Default)]
pub struct Repeats {
    seen: Table<u64, (u64, u32)>,
}

impl Repeats {
    /// Counts an exchange; true when it is the third or later with the same request and the same shape of answer. When the table is
    /// full it starts anew, so that further exchanges are written again rather than lost.
    pub fn is_repeat(&mut self, request: impl Hash, answer: impl Hash, limits: &Limits) -> bool {
        let fixed = foldhash::fast::FixedState::with_seed(0);
        let (request, answer) = (fixed.hash_one(request), fixed.hash_one(answer));
        if self.seen.len() >= limits.get(Limit::Repeats) && !self.seen.contains_key(&request) {
            self.seen.clear();
        }
        let entry = self.seen.entry(request).or_insert((answer, 0));
        if entry.0 != answer {
            *entry = (answer, 0);
        }
        entry.1 = entry.1.saturating_add(1);
        entry.1 >= 3
    }
}
