//! The table of live flows: a slab in chunks that never move and go when empty, an index of slot numbers, and four lists by worth for eviction.
//!
//! The index holds slot and hash, so growing it touches no flow. It grows ahead of need on ticks (`make_room`), and on the packet path only
//! when more flows come between two ticks than it had room for; it doubles from 1,024 entries to the limit and never shrinks, so that
//! happens a few times in the life of a shard.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::hash::BuildHasher;

use gwcore::ids::TableState;
use hashbrown::HashTable;

use crate::key::FlowKey;

/// Slots in one chunk of the slab.
const CHUNK: usize = 64;
/// Entries that the index has room for at first.
const FIRST_ROOM: usize = 1_024;
/// No slot.
const NIL: u32 = u32::MAX;

/// What a flow is worth keeping when room runs out, least first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Worth {
    /// Attempts that nobody answered.
    Unanswered,
    /// Short exchanges without a session.
    Short,
    /// Sessions.
    Session,
    /// Sessions of a utility protocol.
    Ot,
}

#[repr(C)]
struct Slot<T> {
    key: FlowKey,
    hash: u32,
    newer: u32,
    older: u32,
    worth: Worth,
    value: T,
}

#[derive(Clone, Copy)]
struct List {
    newest: u32,
    oldest: u32,
}

/// Slots that live and die together: their memory goes when the last flow does and an empty chunk is held already.
struct Chunk<T> {
    /// Empty where the chunk holds no memory.
    slots: Vec<Option<Slot<T>>>,
    live: usize,
}

/// Live flows by key and by slot.
pub(crate) struct FlowTable<T> {
    chunks: Vec<Chunk<T>>,
    /// The lowest is taken first, so that what a burst has filled empties from its end.
    free: BinaryHeap<Reverse<u32>>,
    /// The chunk that holds memory and no flow.
    spare: Option<usize>,
    index: HashTable<(u32, u32)>,
    state: TableState,
    lists: [List; 4],
    limit: usize,
}

impl<T> FlowTable<T> {
    pub(crate) fn new(limit: usize) -> Self {
        let limit = limit.clamp(1, NIL as usize - 1);
        FlowTable {
            chunks: Vec::new(),
            free: BinaryHeap::new(),
            spare: None,
            index: HashTable::new(),
            state: TableState::default(),
            lists: [List { newest: NIL, oldest: NIL }; 4],
            limit,
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.index.len()
    }

    pub(crate) fn limit(&self) -> usize {
        self.limit
    }

    pub(crate) fn is_full(&self) -> bool {
        self.index.len() >= self.limit
    }

    /// The upper half of the hash would be lost to an index of 32 bits; the lower half is what it keeps.
    #[inline]
    pub(crate) fn hash(&self, key: &FlowKey) -> u32 {
        self.state.hash_one(key) as u32
    }

    #[inline]
    pub(crate) fn find(&self, hash: u32, key: &FlowKey) -> Option<u32> {
        let is_it = |&(slot, h): &(u32, u32)| h == hash && self.slot(slot).is_some_and(|s| s.key == *key);
        self.index.find(spread(hash), is_it).map(|e| e.0)
    }

    #[inline]
    fn slot(&self, slot: u32) -> Option<&Slot<T>> {
        self.chunks.get(slot as usize / CHUNK)?.slots.get(slot as usize % CHUNK)?.as_ref()
    }

    #[inline]
    fn slot_mut(&mut self, slot: u32) -> Option<&mut Slot<T>> {
        self.chunks.get_mut(slot as usize / CHUNK)?.slots.get_mut(slot as usize % CHUNK)?.as_mut()
    }

    pub(crate) fn get(&self, slot: u32) -> Option<&T> {
        self.slot(slot).map(|s| &s.value)
    }

    #[inline]
    pub(crate) fn get_mut(&mut self, slot: u32) -> Option<&mut T> {
        self.slot_mut(slot).map(|s| &mut s.value)
    }

    /// Grows the index before it must.
    pub(crate) fn make_room(&mut self) {
        if self.index.is_empty() && self.index.capacity() > 0 {
            return;
        }
        let wanted = (self.index.len() + self.index.len() / 2).max(FIRST_ROOM).min(self.limit);
        if self.index.capacity() < wanted {
            self.index.reserve(wanted - self.index.len(), |e| spread(e.1));
        }
    }

    /// Adds a flow as the most recent of its worth; the caller has made sure that the table is not full.
    pub(crate) fn insert(&mut self, hash: u32, key: FlowKey, worth: Worth, value: T) -> u32 {
        if self.index.len() == self.index.capacity() {
            self.make_room();
        }
        let slot = self.free_slot();
        let filled = Slot { key, hash, newer: NIL, older: NIL, worth, value };
        if let Some(chunk) = self.chunks.get_mut(slot as usize / CHUNK) {
            if chunk.slots.is_empty() {
                chunk.slots.resize_with(CHUNK, || None);
            } else if chunk.live == 0 {
                self.spare = None;
            }
            chunk.live += 1;
            if let Some(place) = chunk.slots.get_mut(slot as usize % CHUNK) {
                *place = Some(filled);
            }
        }
        self.index.insert_unique(spread(hash), (slot, hash), |e| spread(e.1));
        self.link(slot, worth);
        slot
    }

    fn free_slot(&mut self) -> u32 {
        if self.free.is_empty() {
            let base = (self.chunks.len() * CHUNK) as u32;
            self.chunks.push(Chunk { slots: Vec::new(), live: 0 });
            self.free.extend((base..base + CHUNK as u32).map(Reverse));
        }
        self.free.pop().map_or(NIL, |Reverse(slot)| slot)
    }

    pub(crate) fn remove(&mut self, slot: u32) -> Option<T> {
        self.unlink(slot);
        let chunk = self.chunks.get_mut(slot as usize / CHUNK)?;
        let gone = chunk.slots.get_mut(slot as usize % CHUNK)?.take()?;
        chunk.live -= 1;
        if chunk.live == 0 {
            self.keep_spare(slot as usize / CHUNK);
        }
        if let Ok(entry) = self.index.find_entry(spread(gone.hash), |e| e.0 == slot) {
            entry.remove();
        }
        self.free.push(Reverse(slot));
        Some(gone.value)
    }

    /// Of two chunks without flows the lower stays, which is filled first.
    fn keep_spare(&mut self, empty: usize) {
        let spare = self.spare.map_or(empty, |s| s.min(empty));
        let other = self.spare.replace(spare).map(|s| s.max(empty));
        if let Some(chunk) = other.and_then(|i| self.chunks.get_mut(i)) {
            chunk.slots = Vec::new();
        }
    }

    /// Makes a flow the most recent of its (perhaps new) worth.
    pub(crate) fn touch(&mut self, slot: u32, worth: Worth) {
        self.unlink(slot);
        self.link(slot, worth);
    }

    /// The flow that is worth least: of the lowest worth there is, the one longest without a packet.
    pub(crate) fn least(&self) -> Option<u32> {
        self.lists.iter().map(|l| l.oldest).find(|s| *s != NIL)
    }

    /// All slots in use, in no meaningful order.
    pub(crate) fn slots(&self) -> impl Iterator<Item = u32> + '_ {
        self.index.iter().map(|e| e.0)
    }

    fn link(&mut self, slot: u32, worth: Worth) {
        let list = &mut self.lists[worth as usize];
        let before = std::mem::replace(&mut list.newest, slot);
        if before == NIL {
            list.oldest = slot;
        } else if let Some(s) = self.slot_mut(before) {
            s.newer = slot;
        }
        if let Some(s) = self.slot_mut(slot) {
            (s.newer, s.older, s.worth) = (NIL, before, worth);
        }
    }

    fn unlink(&mut self, slot: u32) {
        let Some(s) = self.slot(slot) else { return };
        let (newer, older, worth) = (s.newer, s.older, s.worth as usize);
        match self.slot_mut(newer) {
            Some(n) => n.older = older,
            None => self.lists[worth].newest = older,
        }
        match self.slot_mut(older) {
            Some(o) => o.newer = newer,
            None => self.lists[worth].oldest = newer,
        }
    }
}

/// The index takes its tag from the upper bits, which a hash of 32 bits must first be given.
#[inline]
fn spread(hash: u32) -> u64 {
    u64::from(hash) << 32 | u64::from(hash)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::FlowKey;

    fn held(table: &FlowTable<u32>) -> usize {
        table.chunks.iter().filter(|c| !c.slots.is_empty()).count()
    }

    #[test]
    fn memory_of_a_burst_goes_with_it() {
        let mut table = FlowTable::new(1 << 16);
        let add = |table: &mut FlowTable<u32>, n| table.insert(n, FlowKey::default(), Worth::Short, n);
        let slots: Vec<u32> = (0..10 * CHUNK as u32).map(|n| add(&mut table, n)).collect();
        assert_eq!((held(&table), table.spare), (10, None));
        for slot in slots.iter().skip(1).rev() {
            table.remove(*slot);
        }
        assert_eq!((held(&table), table.spare, table.len()), (2, Some(1), 1), "one in use, one for the next burst");
        assert_eq!(table.get(slots[0]), Some(&0));
        let again: Vec<u32> = (1..2 * CHUNK as u32).map(|n| add(&mut table, n)).collect();
        assert_eq!(again, (1..2 * CHUNK as u32).collect::<Vec<_>>(), "the lowest first");
        assert_eq!((held(&table), table.spare), (2, None));
        for slot in again.iter().chain(&slots[..1]) {
            assert!(table.remove(*slot).is_some() && table.remove(*slot).is_none());
        }
        assert_eq!((held(&table), table.spare, table.len()), (1, Some(0), 0));
        assert_eq!(table.least(), None);
    }
}
