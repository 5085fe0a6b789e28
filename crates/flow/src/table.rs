//! The table of live flows: a slab in chunks that never move, an index of slot numbers, and four lists by worth for eviction.
//!
//! The index holds slot and hash, so growing it touches no flow. It grows ahead of need on ticks (`make_room`), and on the packet path only
//! when more flows come between two ticks than it had room for; it doubles from 1,024 entries to the limit and never shrinks, so that
//! happens a few times in the life of a shard.

use gwcore::ids::TableState;
use hashbrown::HashTable;
use std::hash::BuildHasher;

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

/// Live flows by key and by slot.
pub(crate) struct FlowTable<T> {
    chunks: Vec<Vec<Option<Slot<T>>>>,
    free: Vec<u32>,
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
            free: Vec::new(),
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
        self.chunks.get(slot as usize / CHUNK)?.get(slot as usize % CHUNK)?.as_ref()
    }

    #[inline]
    fn slot_mut(&mut self, slot: u32) -> Option<&mut Slot<T>> {
        self.chunks.get_mut(slot as usize / CHUNK)?.get_mut(slot as usize % CHUNK)?.as_mut()
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
        let slot = self.free.pop().unwrap_or_else(|| self.new_slot());
        let filled = Slot { key, hash, newer: NIL, older: NIL, worth, value };
        if let Some(place) = self.chunks.get_mut(slot as usize / CHUNK).and_then(|c| c.get_mut(slot as usize % CHUNK)) {
            *place = Some(filled);
        }
        self.index.insert_unique(spread(hash), (slot, hash), |e| spread(e.1));
        self.link(slot, worth);
        slot
    }

    fn new_slot(&mut self) -> u32 {
        if self.chunks.last().is_none_or(|c| c.len() == CHUNK) {
            self.chunks.push(Vec::with_capacity(CHUNK));
        }
        let base = (self.chunks.len() - 1) * CHUNK;
        self.chunks.last_mut().map_or(NIL, |c| {
            c.push(None);
            (base + c.len() - 1) as u32
        })
    }

    pub(crate) fn remove(&mut self, slot: u32) -> Option<T> {
        self.unlink(slot);
        let gone = self.chunks.get_mut(slot as usize / CHUNK)?.get_mut(slot as usize % CHUNK)?.take()?;
        if let Ok(entry) = self.index.find_entry(spread(gone.hash), |e| e.0 == slot) {
            entry.remove();
        }
        self.free.push(slot);
        Some(gone.value)
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
