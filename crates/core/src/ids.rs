//! Identities that do not depend on file, thread or run: conversation uid, finding id, Community ID's seedless inputs, and the random
//! key of tables that traffic fills.

use std::fmt;
use std::sync::OnceLock;

use foldhash::fast::FixedState;
use xxhash_rust::xxh3::xxh3_128;

use crate::Limit;

const BASE62: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// Identity of a conversation: `C` and 17 base-62 characters of a fixed hash.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
pub struct Uid(pub u128);

impl Uid {
    /// From the bytes that identify the conversation (flow key with VLANs, direction, time of its first packet) and a counter that
    /// tells apart two of one shard with the same bytes.
    pub fn new(identity: &[u8], counter: u32) -> Uid {
        Uid(xxh3_128(identity).wrapping_add(u128::from(counter)))
    }

    /// The text form.
    pub fn text(self) -> [u8; 18] {
        // Ten digits fit 64 bits, whose divisions are many times cheaper than those of 128.
        const TEN_DIGITS: u128 = 62_u128.pow(10);
        let mut out = [b'C'; 18];
        let (low, high) = out.split_at_mut(11);
        let halves = [(&mut low[1..], self.0 % TEN_DIGITS), (high, self.0 / TEN_DIGITS % 62_u128.pow(7))];
        for (digits, half) in halves {
            let mut rest = half as u64;
            for c in digits {
                *c = BASE62[(rest % 62) as usize];
                rest /= 62;
            }
        }
        out
    }

    /// 53 bits of the same hash, as EVE's `flow_id` (exact in a double).
    pub fn flow_id(self) -> u64 {
        (self.0 >> 64) as u64 & ((1 << 53) - 1)
    }
}

impl fmt::Display for Uid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&String::from_utf8_lossy(&self.text()))
    }
}

/// A fixed 64-bit hash in hexadecimal, for finding ids.
pub fn hash_hex(parts: &[&[u8]]) -> String {
    let mut bytes = Vec::with_capacity(parts.iter().map(|p| p.len() + 8).sum());
    for part in parts {
        bytes.extend_from_slice(&(part.len() as u64).to_le_bytes());
        bytes.extend_from_slice(part);
    }
    format!("{:016x}", xxh3_128(&bytes) as u64)
}

static SEED: OnceLock<u64> = OnceLock::new();

/// Fixes the key of all tables of this process; false when it was fixed already. For tests that compare two seeds.
pub fn fix_hash_seed(seed: u64) -> bool {
    SEED.set(seed).is_ok()
}

/// The random key of this process.
pub fn hash_seed() -> u64 {
    *SEED.get_or_init(|| {
        use std::hash::{BuildHasher, Hasher};
        std::collections::hash_map::RandomState::new().build_hasher().finish()
    })
}

/// The hasher of tables that traffic fills: keyed per process, so that nobody outside can make keys collide.
#[derive(Clone)]
pub struct TableState(FixedState);

impl Default for TableState {
    fn default() -> Self {
        TableState(FixedState::with_seed(hash_seed()))
    }
}

impl std::hash::BuildHasher for TableState {
    type Hasher = <FixedState as std::hash::BuildHasher>::Hasher;
    fn build_hasher(&self) -> Self::Hasher {
        self.0.build_hasher()
    }
}

/// A map that traffic fills. Never iterate it for output: the order differs between runs.
pub type Table<K, V> = std::collections::HashMap<K, V, TableState>;

/// No slot.
const NIL: u32 = u32::MAX;

struct Aged<K, V> {
    older: u32,
    newer: u32,
    entry: Option<(K, V)>,
}

/// A map of bounded size that forgets its oldest entry; lookups are constant time, the order is that of insertion.
pub struct AgedTable<K, V> {
    index: hashbrown::HashTable<u32>,
    slots: Vec<Aged<K, V>>,
    free: u32,
    oldest: u32,
    newest: u32,
    state: TableState,
    limit: usize,
    /// Which limit bounds it.
    pub name: Limit,
}

impl<K: Clone + Eq + std::hash::Hash, V> AgedTable<K, V> {
    /// An empty table of at most `limit` entries.
    pub fn new(name: Limit, limit: usize) -> Self {
        AgedTable {
            index: hashbrown::HashTable::new(),
            slots: Vec::new(),
            free: NIL,
            oldest: NIL,
            newest: NIL,
            state: TableState::default(),
            limit: limit.max(1),
            name,
        }
    }

    fn hash(&self, key: &K) -> u64 {
        use std::hash::BuildHasher;
        self.state.hash_one(key)
    }

    fn find(&self, key: &K) -> Option<u32> {
        let is = |at: &u32| self.slots[*at as usize].entry.as_ref().is_some_and(|e| e.0 == *key);
        self.index.find(self.hash(key), is).copied()
    }

    /// Entries held.
    pub fn len(&self) -> usize {
        self.index.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.index.is_empty()
    }

    /// The value under a key.
    pub fn get(&self, key: &K) -> Option<&V> {
        let at = self.find(key)?;
        self.slots[at as usize].entry.as_ref().map(|e| &e.1)
    }

    /// The value under a key, to change.
    pub fn get_mut(&mut self, key: &K) -> Option<&mut V> {
        let at = self.find(key)?;
        self.slots[at as usize].entry.as_mut().map(|e| &mut e.1)
    }

    /// Inserts, replacing what stood under the key; gives back the entry that had to go for it, if any.
    pub fn insert(&mut self, key: K, value: V) -> Option<(K, V)> {
        self.remove(&key);
        let gone = if self.index.len() >= self.limit { self.pop_oldest() } else { None };
        let hash = self.hash(&key);
        let slot = Aged { older: self.newest, newer: NIL, entry: Some((key, value)) };
        let at = if self.free == NIL {
            self.slots.push(slot);
            (self.slots.len() - 1) as u32
        } else {
            let at = self.free;
            self.free = self.slots[at as usize].newer;
            self.slots[at as usize] = slot;
            at
        };
        match self.newest {
            NIL => self.oldest = at,
            before => self.slots[before as usize].newer = at,
        }
        self.newest = at;
        let (slots, state) = (&self.slots, &self.state);
        self.index.insert_unique(hash, at, |at| {
            use std::hash::BuildHasher;
            slots[*at as usize].entry.as_ref().map_or(0, |e| state.hash_one(&e.0))
        });
        gone
    }

    /// Takes an entry out.
    pub fn remove(&mut self, key: &K) -> Option<V> {
        let hash = self.hash(key);
        let slots = &self.slots;
        let is = |at: &u32| slots[*at as usize].entry.as_ref().is_some_and(|e| e.0 == *key);
        let at = self.index.find_entry(hash, is).ok()?.remove().0;
        self.unlink(at).map(|e| e.1)
    }

    fn unlink(&mut self, at: u32) -> Option<(K, V)> {
        let slot = &mut self.slots[at as usize];
        let (older, newer) = (slot.older, slot.newer);
        let entry = slot.entry.take();
        slot.newer = self.free;
        self.free = at;
        match older {
            NIL => self.oldest = newer,
            o => self.slots[o as usize].newer = newer,
        }
        match newer {
            NIL => self.newest = older,
            n => self.slots[n as usize].older = older,
        }
        entry
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        self.index.clear();
        self.slots.clear();
        (self.free, self.oldest, self.newest) = (NIL, NIL, NIL);
    }

    /// All entries, from the oldest to the newest.
    pub fn iter(&self) -> impl Iterator<Item = (&K, &V)> {
        let slot = |at: u32| self.slots.get(at as usize);
        let after = move |s: &&Aged<K, V>| slot(s.newer);
        std::iter::successors(slot(self.oldest), after).filter_map(|s| s.entry.as_ref()).map(|(k, v)| (k, v))
    }

    /// The oldest entry.
    pub fn oldest(&mut self) -> Option<(&K, &V)> {
        self.slots.get(self.oldest as usize)?.entry.as_ref().map(|e| (&e.0, &e.1))
    }

    /// Takes the oldest entry out.
    pub fn pop_oldest(&mut self) -> Option<(K, V)> {
        let at = self.oldest;
        let key = self.slots.get(at as usize)?.entry.as_ref()?.0.clone();
        let hash = self.hash(&key);
        if let Ok(e) = self.index.find_entry(hash, |n| *n == at) {
            e.remove();
        }
        self.unlink(at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uid_text_is_c_and_17_base62() {
        let text = Uid::new(b"a flow", 0).text();
        assert_eq!(text[0], b'C');
        assert!(text[1..].iter().all(u8::is_ascii_alphanumeric));
        assert_ne!(Uid::new(b"a flow", 0), Uid::new(b"a flow", 1));
        assert_eq!(Uid(0).to_string(), "C00000000000000000");
        assert_eq!(Uid(63).to_string(), "C11000000000000000");
        assert_eq!(Uid(62_u128.pow(10)).to_string(), "C00000000001000000");
        assert_eq!(Uid(62_u128.pow(17) - 1).to_string(), "Czzzzzzzzzzzzzzzzz");
        assert_eq!(Uid(62_u128.pow(17)).to_string(), "C00000000000000000");
    }

    #[test]
    fn aged_table_forgets_the_oldest_and_stays_bounded() {
        let mut t = AgedTable::new(Limit::Pending, 2);
        assert!(t.insert(1, 'a').is_none() && t.insert(2, 'b').is_none());
        assert!(t.insert(1, 'c').is_none(), "replacing needs no room");
        assert_eq!(t.insert(3, 'd'), Some((2, 'b')));
        assert_eq!(t.pop_oldest(), Some((1, 'c')));
        for i in 0..10_000 {
            t.insert(3, 'x');
            t.insert(4, 'y');
            t.remove(&4);
            assert!(t.slots.len() < 64, "at {i}");
        }
    }
}
