//! Reassembly of IP fragments (RFC 791 §3.2, RFC 8200 §4.5) with first-copy policy and hard limits.
//!
//! Bytes that came first stay; overlapping ones are an anomaly. IPv6 gives a datagram up when fragments overlap (RFC 5722); in
//! either version an exact copy of a fragment is ignored. A datagram waits 60 s of packet time from its first fragment; that is
//! seen when a fragment with its key comes later, so no timer and no jump of the clock touches the others. What waits is bounded by
//! `fragment_datagrams` and `fragment_bytes` (the oldest is given up) and `fragments_per_datagram` (this one is given up). Each
//! datagram that does not become whole is told once, with the frame that settled it.

use std::collections::{BTreeMap, HashMap};

use foldhash::fast::FixedState;
use gwcore::{Addr, Limit, LimitHits, Limits, Ts, time};

use crate::walk::Piece;
use crate::{Anomalies, Packet};

/// A datagram waits this long for its fragments (RFC 8200 §4.5), in nanoseconds of packet time.
const WAIT: i64 = 60 * time::SECOND;
/// What one kept fragment costs beside its bytes.
const OVERHEAD: usize = 64;
/// Largest IP payload.
const MAX_END: u32 = 65_535;

/// What became of fragmented datagrams.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FragmentCounts {
    /// Put together.
    pub whole: u64,
    /// Not whole after 60 s.
    pub expired: u64,
    /// Given up because of a limit, or because fragments of IPv6 overlapped.
    pub given_up: u64,
    /// Still waiting.
    pub waiting: u64,
}

/// A fragmented datagram that did not become whole.
#[derive(Clone, Copy, Debug)]
pub struct Incomplete {
    /// Its first fragment.
    pub packet: Packet,
    /// Fragments that were kept.
    pub fragments: u16,
    /// Payload bytes that were kept.
    pub bytes: u32,
    /// Payload bytes of the whole datagram; none where its last fragment did not come.
    pub whole: Option<u32>,
    /// Why it was given up.
    pub reason: &'static str,
}

/// What adding a fragment led to.
pub(crate) enum Added {
    Whole(Datagram),
    Waiting,
}

/// The payload of a fragmented IP packet.
pub(crate) struct Datagram {
    pub bytes: Vec<u8>,
    pub proto: u8,
    pub fragments: u16,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Key {
    src: Addr,
    dst: Addr,
    id: u32,
    vlans: [u16; 2],
    v6: bool,
    /// Zero for IPv6, whose fragments are told apart by addresses and identification alone.
    proto: u8,
}

struct Waiting {
    /// Place in the order of arrival.
    birth: u64,
    first: Ts,
    /// Kept bytes by their place; they never overlap.
    pieces: BTreeMap<u32, Vec<u8>>,
    /// Bytes kept.
    have: u32,
    /// Where the datagram ends, once the last fragment has come.
    end: Option<u32>,
    proto: u8,
    fragments: u16,
    /// Given up: further fragments are left out.
    dead: bool,
    /// The first fragment.
    packet: Packet,
}

/// The datagrams under reassembly.
pub(crate) struct Fragments {
    table: HashMap<Key, Waiting, FixedState>,
    order: BTreeMap<u64, Key>,
    births: u64,
    /// Bytes held, overhead included.
    held: usize,
    max_datagrams: usize,
    max_pieces: usize,
    max_bytes: usize,
    counts: FragmentCounts,
    /// Given up since the last frame but one.
    lost: Vec<Incomplete>,
}

impl Fragments {
    pub fn new(limits: &Limits, seed: u64) -> Fragments {
        Fragments {
            table: HashMap::with_hasher(FixedState::with_seed(seed)),
            order: BTreeMap::new(),
            births: 0,
            held: 0,
            max_datagrams: limits.get(Limit::FragmentDatagrams),
            max_pieces: limits.get(Limit::FragmentsPerDatagram),
            max_bytes: limits.get(Limit::FragmentBytes),
            counts: FragmentCounts::default(),
            lost: Vec::new(),
        }
    }

    pub fn counts(&self) -> FragmentCounts {
        FragmentCounts { waiting: self.table.values().filter(|w| !w.dead).count() as u64, ..self.counts }
    }

    /// Datagrams that the latest fragment settled without their becoming whole.
    pub fn lost(&self) -> &[Incomplete] {
        &self.lost
    }

    /// Forgets what was given up before.
    #[inline]
    pub fn begin(&mut self) {
        self.lost.clear();
    }

    /// Gives up what still waits, in the order of arrival.
    pub fn finish(&mut self) {
        self.begin();
        for key in std::mem::take(&mut self.order).into_values() {
            if let Some(waiting) = self.table.remove(&key).filter(|w| !w.dead) {
                self.lost.push(waiting.incomplete("the input ended"));
            }
        }
        self.held = 0;
    }

    /// Adds a fragment; `bytes` are what was captured of it.
    pub fn add(
        &mut self,
        packet: &Packet,
        piece: &Piece,
        bytes: &[u8],
        anomalies: &mut Anomalies,
        hits: &mut LimitHits,
    ) -> Added {
        let Some(bytes) = sound(piece, bytes, anomalies) else { return Added::Waiting };
        let ts = packet.ts;
        let proto = if piece.v6 { 0 } else { piece.proto };
        let key = Key { src: piece.src, dst: piece.dst, id: piece.id, vlans: piece.vlans, v6: piece.v6, proto };
        if self.table.get(&key).is_some_and(|w| !(-WAIT..=WAIT).contains(&ts.since(w.first)))
            && let Some(old) = self.remove(&key).filter(|w| !w.dead)
        {
            self.counts.expired += 1;
            self.lost.push(old.incomplete("not whole after 60 s"));
        }
        if !self.table.contains_key(&key) {
            self.open(key, packet, hits);
        }
        let Some(waiting) = self.table.get_mut(&key) else { return Added::Waiting };
        if waiting.dead {
            return Added::Waiting;
        }
        let before = waiting.cost();
        let given_up = match waiting.put(piece, bytes, anomalies) {
            Put::Conflict if piece.v6 => Some("fragments contradict each other"),
            _ if waiting.pieces.len() > self.max_pieces => {
                hits.hit(Limit::FragmentsPerDatagram);
                Some("too many fragments")
            }
            _ => None,
        };
        if let Some(reason) = given_up {
            self.lost.push(waiting.incomplete(reason));
            waiting.kill();
            self.counts.given_up += 1;
        }
        self.held = (self.held + waiting.cost()).saturating_sub(before);
        if waiting.end == Some(waiting.have) && !waiting.dead {
            return self.join(&key);
        }
        self.make_room(hits);
        Added::Waiting
    }

    fn open(&mut self, key: Key, packet: &Packet, hits: &mut LimitHits) {
        while self.table.len() >= self.max_datagrams {
            hits.hit(Limit::FragmentDatagrams);
            if !self.give_up_oldest() {
                break;
            }
        }
        self.births += 1;
        self.order.insert(self.births, key);
        let waiting = Waiting {
            birth: self.births,
            first: packet.ts,
            pieces: BTreeMap::new(),
            have: 0,
            end: None,
            proto: 0,
            fragments: 0,
            dead: false,
            packet: *packet,
        };
        self.table.insert(key, waiting);
    }

    fn make_room(&mut self, hits: &mut LimitHits) {
        while self.held > self.max_bytes {
            hits.hit(Limit::FragmentBytes);
            if !self.give_up_oldest() {
                break;
            }
        }
    }

    fn give_up_oldest(&mut self) -> bool {
        let Some(key) = self.order.first_key_value().map(|(_, key)| *key) else { return false };
        let Some(waiting) = self.remove(&key) else { return false };
        if !waiting.dead {
            self.counts.given_up += 1;
            self.lost.push(waiting.incomplete("pushed out by others"));
        }
        true
    }

    fn remove(&mut self, key: &Key) -> Option<Waiting> {
        let waiting = self.table.remove(key)?;
        self.order.remove(&waiting.birth);
        self.held = self.held.saturating_sub(waiting.cost());
        Some(waiting)
    }

    fn join(&mut self, key: &Key) -> Added {
        let Some(waiting) = self.remove(key) else { return Added::Waiting };
        self.counts.whole += 1;
        let mut bytes = Vec::with_capacity(waiting.have as usize);
        for piece in waiting.pieces.values() {
            bytes.extend_from_slice(piece);
        }
        Added::Whole(Datagram { bytes, proto: waiting.proto, fragments: waiting.fragments })
    }
}

/// The bytes of a fragment that can be kept; names what is odd about it.
///
/// A length that is no multiple of eight is cut down to one, as Linux does; IPv6 refuses it (RFC 8200 §4.5).
fn sound<'b>(piece: &Piece, bytes: &'b [u8], anomalies: &mut Anomalies) -> Option<&'b [u8]> {
    let smallest = if piece.proto == 6 { 20 } else { 8 };
    if piece.offset == 0 && bytes.len() < smallest {
        anomalies.push("fragment_tiny");
    }
    let mut kept = bytes.len();
    if piece.more && !piece.cut && !kept.is_multiple_of(8) {
        anomalies.push("fragment_bad_length");
        kept = if piece.v6 { 0 } else { kept / 8 * 8 };
    }
    let wrong = if piece.cut {
        "fragment_cut"
    } else if bytes.is_empty() {
        "fragment_empty"
    } else if piece.offset.saturating_add(bytes.len() as u32) > MAX_END {
        "fragment_oversized"
    } else {
        return bytes.get(..kept).filter(|b| !b.is_empty());
    };
    anomalies.push(wrong);
    None
}

#[derive(PartialEq)]
enum Put {
    Kept,
    Conflict,
}

impl Waiting {
    fn cost(&self) -> usize {
        self.have as usize + self.pieces.len() * OVERHEAD
    }

    fn incomplete(&self, reason: &'static str) -> Incomplete {
        Incomplete { packet: self.packet, fragments: self.fragments, bytes: self.have, whole: self.end, reason }
    }

    fn kill(&mut self) {
        self.pieces = BTreeMap::new();
        (self.have, self.dead) = (0, true);
    }

    /// Keeps what is new of a fragment; what lies beyond the known end is left out.
    fn put(&mut self, piece: &Piece, bytes: &[u8], anomalies: &mut Anomalies) -> Put {
        let end = piece.offset + bytes.len() as u32;
        let is_copy = self.pieces.get(&piece.offset).is_some_and(|old| old == bytes);
        if is_copy && (piece.more || self.end == Some(end)) {
            return Put::Kept;
        }
        let reached = self.pieces.last_key_value().map_or(0, |(at, b)| at + b.len() as u32);
        let known = self.end.unwrap_or(MAX_END);
        let contradicts = end > known || (!piece.more && (end < reached || self.end.is_some_and(|k| end != k)));
        if contradicts {
            anomalies.push("fragment_end_conflict");
        }
        if contradicts && (!piece.more || piece.offset >= known) {
            return Put::Conflict;
        }
        let kept = (end.min(known) - piece.offset) as usize;
        if !piece.more {
            self.end = Some(end);
        }
        self.fragments = self.fragments.saturating_add(1);
        if piece.offset == 0 || self.fragments == 1 {
            self.proto = piece.proto;
        }
        let clean = self.fill(piece.offset, bytes.get(..kept).unwrap_or_default());
        if !clean && !is_copy {
            anomalies.push("fragment_overlap");
        }
        if contradicts || (!clean && !is_copy) { Put::Conflict } else { Put::Kept }
    }

    /// Puts bytes into the holes between `start` and its end; false when some of the place was taken.
    fn fill(&mut self, start: u32, bytes: &[u8]) -> bool {
        let end = start + bytes.len() as u32;
        let before = self.pieces.range(..start).next_back().map(|(at, b)| (*at, at + b.len() as u32));
        let inside = self.pieces.range(start..end).map(|(at, b)| (*at, at + b.len() as u32));
        let mut holes = Vec::new();
        let mut at = start;
        for (from, to) in before.into_iter().chain(inside) {
            if from > at {
                holes.push((at, from));
            }
            at = at.max(to);
        }
        if at < end {
            holes.push((at, end));
        }
        let clean = holes == [(start, end)];
        for (from, to) in holes {
            let new = bytes.get((from - start) as usize..(to - start) as usize).unwrap_or_default();
            self.have += to - from;
            self.pieces.insert(from, new.to_vec());
        }
        clean
    }
}
