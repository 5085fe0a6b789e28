//! Counting within a stretch of time: how often a key was seen since its window began, and how many different things it did.

use std::hash::Hash;

use gwcore::{AgedTable, Limit, LimitHits, Ts};

use crate::Setup;

/// What a key did since its window began.
#[derive(Clone, Debug)]
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

impl<S: Clone + Eq + Hash, K: PartialEq> Windows<S, K> {
    /// Windows of `span` nanoseconds that keep `keep` different observations.
    pub(crate) fn new(setup: &Setup, span: i64, keep: usize) -> Self {
        let table = AgedTable::new(Limit::DetectorSources, setup.limits.get(Limit::DetectorSources));
        Windows { table, span, keep, hits: LimitHits::default() }
    }

    /// Counts one observation; gives back the window with it. A window that is over begins anew.
    pub(crate) fn count(&mut self, key: S, ts: Ts, kind: K) -> Option<&mut Window<K>> {
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
}
