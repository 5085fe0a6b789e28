//! Counting within a stretch of time: how often a key was seen since its window began, and how many different things it did.

use std::hash::Hash;

use gwcore::{AgedTable, Limit, LimitHits, Ts};

use crate::Setup;

/// What a key did since its window began.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
pub(crate) struct Window<K> {
    /// Its beginning.
    pub(crate) since: Ts,
    /// When the tenth came: the few before it may have been anything, where it takes hundreds to mean something.
    pub(crate) tenth: Ts,
    /// Observations.
    pub(crate) count: u32,
    /// Different ones, at most as many as are kept, in the order they came.
    pub(crate) kinds: Vec<K>,
}

/// Windows by key; the one begun longest ago is forgotten.
pub(crate) struct Windows<S, K> {
    table: AgedTable<S, Window<K>>,
    span: i64,
    keep: usize,
    pub(crate) hits: LimitHits,
}
gwcore::kept!(Windows<S, K> { table }
where
    S: Clone + Eq + Hash + serde::Serialize + serde::Deserialize<'static>,
    K: serde::Serialize + serde::Deserialize<'static>
);

impl<S: Clone + Eq + Hash, K: PartialEq> Windows<S, K> {
    /// Windows of `span` nanoseconds that keep `keep` different observations.
    pub(crate) fn new(setup: &Setup, span: i64, keep: usize) -> Self {
        let table = AgedTable::new(Limit::DetectorSources, setup.limits.get(Limit::DetectorSources));
        Windows { table, span, keep, hits: LimitHits::default() }
    }

    /// Counts one observation; gives back the window with it. A window that is over begins anew.
    pub(crate) fn count(&mut self, key: S, ts: Ts, kind: K) -> Option<&mut Window<K>> {
        self.forget(ts);
        if self.table.get(&key).is_none_or(|w| ts.since(w.since) > self.span) {
            let fresh = Window { since: ts, tenth: ts, count: 0, kinds: Vec::new() };
            if self.table.insert(key.clone(), fresh).is_some() {
                self.hits.hit(Limit::DetectorSources);
            }
        }
        let w = self.table.get_mut(&key)?;
        w.count = w.count.saturating_add(1);
        w.tenth = if w.count <= 10 { ts } else { w.tenth };
        if w.kinds.len() < self.keep && !w.kinds.contains(&kind) {
            w.kinds.push(kind);
        }
        Some(w)
    }

    /// Forgets windows that are over; two at most, so that there are never many more than those that are not, and no observation waits long.
    fn forget(&mut self, now: Ts) {
        for _ in 0..2 {
            if self.table.oldest().is_none_or(|(_, w)| now.since(w.since) <= self.span) {
                return;
            }
            self.table.pop_oldest();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use gwcore::time::SECOND;

    #[test]
    fn windows_that_are_over_are_forgotten() {
        let mut windows: Windows<i64, i64> = Windows::new(&Setup::default(), 10 * SECOND, 4);
        for i in 0..10_000 {
            let w = windows.count(i, Ts(i * SECOND), i).unwrap();
            assert_eq!((w.count, w.kinds.len()), (1, 1));
            assert!(windows.table.len() <= 12, "{} at {i}", windows.table.len());
        }
        for i in 0..20 {
            windows.count(0, Ts(20_000 * SECOND + i), i % 6);
        }
        let w = windows.count(0, Ts(20_001 * SECOND), 0).unwrap();
        assert_eq!((w.count, w.kinds.as_slice(), w.tenth), (21, &[0, 1, 2, 3][..], Ts(20_000 * SECOND + 9)));
    }
}
