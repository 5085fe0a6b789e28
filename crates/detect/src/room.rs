//! A bounded table that stays awake when it is full: what has not yet proved worth following makes room first, then what was not asked
//! about for the longest time. Nobody can deafen a detector by filling its table with things that were never there.

use std::hash::Hash;

use gwcore::{AgedTable, Kept, Limit, LimitHits, Restore};
use serde::{Deserialize, Serialize};

/// An entry and whether it was asked for since it last was the oldest (the "second chance" of the clock algorithm: close to the least recently
/// used, without moving an entry at each use).
#[derive(Serialize, Deserialize)]
struct Slot<V> {
    value: V,
    used: bool,
}

/// At most `limit` entries in two classes.
pub(crate) struct Room<K, V> {
    /// New ones; of these the oldest goes first.
    fresh: AgedTable<K, Slot<V>>,
    /// Those that proved worth following; they go when no other is left.
    proven: AgedTable<K, Slot<V>>,
    limit: usize,
    name: Limit,
    hits: LimitHits,
}

impl<K: Clone + Eq + Hash, V> Room<K, V> {
    /// An empty table of at most `limit` entries; each that makes room is a hit of `name`.
    pub(crate) fn new(name: Limit, limit: usize) -> Self {
        let limit = limit.max(1);
        let table = || AgedTable::new(name, limit);
        Room { fresh: table(), proven: table(), limit, name, hits: LimitHits::default() }
    }

    /// Entries held.
    pub(crate) fn len(&self) -> usize {
        self.fresh.len() + self.proven.len()
    }

    /// An entry; asking does not count as use.
    pub(crate) fn get(&self, key: &K) -> Option<&V> {
        self.proven.get(key).or_else(|| self.fresh.get(key)).map(|s| &s.value)
    }

    /// Takes an entry out.
    pub(crate) fn remove(&mut self, key: &K) {
        if self.fresh.remove(key).is_none() {
            self.proven.remove(key);
        }
    }

    /// An entry, to change; this is a use of it.
    pub(crate) fn get_mut(&mut self, key: &K) -> Option<&mut V> {
        let slot = match self.proven.get_mut(key) {
            Some(slot) => slot,
            None => self.fresh.get_mut(key)?,
        };
        slot.used = true;
        Some(&mut slot.value)
    }

    /// The entry under a key, made by `new` where there is none, for which another may have to go.
    pub(crate) fn entry(&mut self, key: &K, new: impl FnOnce() -> V) -> Option<&mut V> {
        if self.get(key).is_some() {
            return self.get_mut(key);
        }
        if self.len() >= self.limit {
            self.make_room();
        }
        self.fresh.insert(key.clone(), Slot { value: new(), used: false });
        self.fresh.get_mut(key).map(|s| &mut s.value)
    }

    /// From now on the entry goes after those that have not proved worth following.
    pub(crate) fn prove(&mut self, key: &K) {
        if let Some(slot) = self.fresh.remove(key) {
            self.proven.insert(key.clone(), slot);
        }
    }

    /// Forgets everything.
    pub(crate) fn clear(&mut self) {
        self.fresh.clear();
        self.proven.clear();
    }

    /// All entries, those that proved worth following last; else from the oldest to the newest.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&K, &V)> {
        self.fresh.iter().chain(self.proven.iter()).map(|(k, s)| (k, &s.value))
    }

    /// Entries that made room.
    pub(crate) fn hits(&self) -> &LimitHits {
        &self.hits
    }

    /// Takes out the oldest entry that was not used since it was looked at last; after one round at most every mark is gone.
    fn make_room(&mut self) {
        self.hits.hit(self.name);
        let from = if self.fresh.is_empty() { &mut self.proven } else { &mut self.fresh };
        while let Some((key, slot)) = from.pop_oldest() {
            if !slot.used {
                return;
            }
            from.insert(key, Slot { used: false, ..slot });
        }
    }
}

impl<K, V> Kept for Room<K, V>
where
    K: Clone + Eq + Hash + Serialize + Deserialize<'static>,
    V: Serialize + Deserialize<'static>,
{
    fn keep(&self, to: &mut Vec<u8>) {
        self.fresh.keep(to);
        self.proven.keep(to);
    }
    fn restore(&mut self, from: &mut Restore) -> Option<()> {
        self.fresh.restore(from)?;
        self.proven.restore(from)?;
        // The limit may be lower than that of the process before.
        while self.len() > self.limit {
            self.make_room();
        }
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_proved_its_worth_outlives_any_number_of_newcomers() {
        let mut room: Room<u32, u32> = Room::new(Limit::DetectorSources, 10);
        for key in 0..4 {
            room.entry(&key, || key);
            room.prove(&key);
        }
        (100..10_000).for_each(|key| _ = room.entry(&key, || 0));
        assert_eq!(room.len(), 10);
        assert!(
            (0..4).all(|key| room.get(&key).is_some()) && room.get(&9_999).is_some(),
            "old worth, and still open to what is new"
        );
        assert_eq!(room.hits().count(Limit::DetectorSources), 9_900 - 6);
    }

    #[test]
    fn among_equals_the_one_not_used_for_the_longest_time_goes() {
        let mut room: Room<u32, ()> = Room::new(Limit::DetectorSources, 3);
        let (mut before, mut used) = (Vec::new(), room.entry(&0, || ()).is_some());
        for key in 1..50 {
            room.entry(&key, || ());
            used &= room.get_mut(&0).is_some();
            before.push(room.len());
        }
        assert!(used && before.iter().all(|n| *n <= 3));
        assert!(room.get(&1).is_none());
        // All are worth following and all are used: one goes all the same.
        let mut full: Room<u32, ()> = Room::new(Limit::DetectorSources, 3);
        for key in 0..9 {
            full.entry(&key, || ());
            full.prove(&key);
        }
        assert_eq!(full.len(), 3);
        assert!(full.get(&8).is_some());
    }

    #[test]
    fn what_is_kept_is_what_was_there() {
        let mut room: Room<u32, u32> = Room::new(Limit::DetectorSources, 8);
        for key in 0..8 {
            room.entry(&key, || key * 2);
        }
        room.prove(&3);
        let mut state = gwcore::State::default();
        state.put("room", &room);
        let state = gwcore::State::from_bytes(state.to_bytes()).unwrap();
        let mut again: Room<u32, u32> = Room::new(Limit::DetectorSources, 2);
        state.take("room", &mut again).unwrap();
        assert_eq!(again.iter().map(|(k, v)| (*k, *v)).collect::<Vec<_>>(), [(7, 14), (3, 6)]);
    }
}
