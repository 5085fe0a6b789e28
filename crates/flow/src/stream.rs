//! One direction of a TCP session: payload in order, holes, retransmissions and overlaps.
//!
//! Places in the stream are 64-bit offsets from its first payload byte, so sequence numbers may wrap as often as they like. In-order data
//! goes up at once, borrowed from the packet. What comes early is held within limits; a hole becomes a gap when the receiver acknowledges
//! past it while data beyond it is there, when a limit is reached, or at the end.

use std::collections::BTreeMap;

use gwcore::{Limit, LimitHits, Limits};
use packet::Packet;

use crate::overlap::{Recent, Ring, differ};
use crate::{Origin, OverlapPolicy};

/// Where a stream's bytes and gaps go.
pub(crate) trait Sink {
    fn stream(&mut self, data: &[u8]);
    fn gap(&mut self, missing: u64);
    fn anomaly(&mut self, reason: &'static str, detail: &str);
    /// What follows came in an earlier packet, until this is called with none.
    fn waited(&mut self, of: Option<Origin>);
}

/// What all streams of a shard share: limits, and what has been used of them.
pub(crate) struct Budget {
    pub bytes: usize,
    pub segments: usize,
    pub shard_bytes: usize,
    pub history: usize,
    /// Bytes held in the shard.
    pub held: usize,
    pub ring: Ring,
    pub hits: LimitHits,
    /// The packet at hand.
    pub origin: Origin,
}

impl Budget {
    pub(crate) fn new(limits: &Limits) -> Budget {
        Budget {
            bytes: limits.get(Limit::ReassemblyBytes),
            segments: limits.get(Limit::ReassemblySegments),
            shard_bytes: limits.get(Limit::ReassemblyShardBytes),
            history: limits.get(Limit::OverlapHistory),
            held: 0,
            ring: Ring::new(limits.get(Limit::OverlapShardBytes)),
            hits: LimitHits::default(),
            origin: Origin::default(),
        }
    }

    /// The packet's bytes come next.
    #[inline]
    pub(crate) fn begin(&mut self, p: &Packet) {
        self.origin = Origin::of(p);
    }
}

/// A stretch that waits; bytes past `data` up to `len` were cut by the capture.
struct Piece {
    data: Vec<u8>,
    len: i64,
    origin: Origin,
}

/// Stretches that wait, by offset, never overlapping.
#[derive(Default)]
struct Held {
    pieces: BTreeMap<i64, Piece>,
    bytes: usize,
}

/// State of one direction. What every segment looks at stands first.
#[derive(Default)]
#[repr(C)]
pub(crate) struct Stream {
    /// Sequence number of offset 0; none before anything is known.
    base: Option<u32>,
    /// Whether `next` is settled: by a handshake, or by the first data.
    started: bool,
    /// Whether a handshake told where the stream begins.
    from_start: bool,
    /// How its receiver chooses between versions of overlapping data.
    pub policy: OverlapPolicy,
    /// Offset of the next byte to go up.
    next: i64,
    /// End of the furthest segment.
    top: i64,
    /// Furthest acknowledgement.
    acked: i64,
    /// Offset after the last byte, told by a FIN.
    fin: Option<i64>,
    held: Option<Box<Held>>,
    recent: Recent,
    pub missed: u64,
    pub gaps: u32,
    pub retransmitted: u64,
    pub out_of_order: u64,
    pub overlaps: u64,
}

impl Stream {
    /// The first payload byte will have this sequence number. Only while nothing went up.
    pub(crate) fn start(&mut self, seq: u32) {
        self.base = Some(seq);
        (self.started, self.from_start) = (true, true);
        (self.next, self.top, self.acked) = (0, 0, 0);
    }

    /// Whether a base from a handshake may still be set.
    pub(crate) fn is_fresh(&self) -> bool {
        !self.started || (self.top <= 0 && self.next <= 0 && self.held.is_none())
    }

    pub(crate) fn is_started(&self) -> bool {
        self.started
    }

    pub(crate) fn is_from_start(&self) -> bool {
        self.from_start
    }

    pub(crate) fn base(&self) -> Option<u32> {
        self.base
    }

    /// Offset of a sequence number, nearest to where the stream stands; the first number seen in mid-stream becomes offset 0.
    #[inline]
    pub(crate) fn offset(&mut self, seq: u32) -> i64 {
        let base = *self.base.get_or_insert(seq);
        let near = self.next.max(self.acked);
        let delta = seq.wrapping_sub(base).wrapping_sub(near as u32) as i32;
        near + i64::from(delta)
    }

    pub(crate) fn next(&self) -> i64 {
        self.next
    }
    pub(crate) fn top(&self) -> i64 {
        self.top
    }
    pub(crate) fn acked(&self) -> i64 {
        self.acked
    }

    /// Payload bytes by sequence numbers, the unseen ones included.
    pub(crate) fn size(&self) -> u64 {
        // One number past the last byte seen is that of a FIN that the capture lost.
        let lost_fin = i64::from(self.fin.is_none() && self.started && self.acked == self.top + 1);
        let acked = self.fin.map_or(self.acked - lost_fin, |fin| self.acked.min(fin));
        self.top.max(acked).max(0) as u64
    }

    /// A FIN ends the stream at `end`; the first one counts.
    pub(crate) fn set_fin(&mut self, end: i64) {
        if self.fin.is_none() && end >= self.next {
            self.fin = Some(end);
        }
    }

    /// Whether every byte up to the FIN was heard.
    pub(crate) fn is_whole(&self) -> bool {
        self.missed == 0 && self.fin.is_some_and(|fin| self.next >= fin)
    }

    /// Whether the receiver has acknowledged the FIN, so that data past it cannot be read by anyone.
    pub(crate) fn is_finished_before(&self, offset: i64) -> bool {
        self.fin.is_some_and(|fin| offset >= fin && self.acked > fin)
    }

    /// A segment of `len` payload bytes, of which `data` were captured. Gives back whether all of it lies before the furthest end so far.
    pub(crate) fn segment(&mut self, offset: i64, data: &[u8], len: i64, b: &mut Budget, sink: &mut impl Sink) -> bool {
        let end = offset.saturating_add(len);
        if !self.started {
            self.started = true;
            self.next = offset;
            self.top = self.top.max(offset);
        }
        let again = end <= self.top;
        let late = offset < self.top;
        self.top = self.top.max(end);
        let (mut from, mut rest) = (offset, data);
        if from < self.next {
            let known = (self.next.min(end) - from) as usize;
            self.compare(from, rest.get(..known).unwrap_or(rest), b, sink);
            self.retransmitted += known as u64;
            if end <= self.next {
                return again;
            }
            (from, rest) = (self.next, rest.get(known..).unwrap_or_default());
        }
        if late {
            self.out_of_order += 1;
        }
        if self.held.is_none() && from == self.next && self.policy == OverlapPolicy::First {
            self.deliver(rest, end - from, b, sink);
        } else {
            self.hold(from, rest, end, b, sink);
            self.settle(b, sink);
        }
        again
    }

    /// The receiver has acknowledged everything before `offset`.
    #[inline]
    pub(crate) fn ack(&mut self, offset: i64, b: &mut Budget, sink: &mut impl Sink) {
        if offset > self.acked {
            self.acked = offset;
            if self.held.is_some() {
                self.settle(b, sink);
            }
        }
    }

    /// Nothing more will come: what waits goes up, and what is known to be missing becomes a gap.
    pub(crate) fn finish(&mut self, b: &mut Budget, sink: &mut impl Sink) {
        while self.first_held().is_some() {
            self.skip_hole(b, sink);
        }
        let end = self.size() as i64;
        if self.started && end > self.next {
            self.lose(end - self.next, sink);
        }
    }

    fn first_held(&self) -> Option<i64> {
        self.held.as_ref()?.pieces.first_key_value().map(|(k, _)| *k)
    }

    /// Sends up what may go, turns acknowledged holes into gaps, and keeps the limits.
    fn settle(&mut self, b: &mut Budget, sink: &mut impl Sink) {
        loop {
            self.drain(b, sink);
            let Some(first) = self.first_held() else { return };
            let held = self.held.as_ref().map_or((0, 0), |h| (h.bytes, h.pieces.len()));
            let over = if held.0 > b.bytes {
                Some(Limit::ReassemblyBytes)
            } else if held.1 > b.segments {
                Some(Limit::ReassemblySegments)
            } else {
                (b.held > b.shard_bytes).then_some(Limit::ReassemblyShardBytes)
            };
            if let Some(limit) = over {
                b.hits.hit(limit);
            } else if first <= self.next || self.acked < first {
                return;
            }
            self.skip_hole(b, sink);
        }
    }

    /// Goes on at the first stretch that waits, whatever is missing before it and whether or not it was acknowledged.
    fn skip_hole(&mut self, b: &mut Budget, sink: &mut impl Sink) {
        let Some((start, piece)) = self.held.as_mut().and_then(|h| h.pieces.pop_first()) else { return };
        self.forget(piece.data.len(), b);
        if start > self.next {
            self.lose(start - self.next, sink);
        }
        // Bytes behind a hole that stays were complete in their own packet, not in the one that told of the hole.
        sink.waited(Some(piece.origin));
        self.deliver(&piece.data, piece.len, b, sink);
        sink.waited(None);
        while self.first_held().is_some_and(|s| s == self.next) && self.policy == OverlapPolicy::First {
            let Some((_, piece)) = self.held.as_mut().and_then(|h| h.pieces.pop_first()) else { break };
            self.forget(piece.data.len(), b);
            sink.waited(Some(piece.origin));
            self.deliver(&piece.data, piece.len, b, sink);
            sink.waited(None);
        }
        self.drain(b, sink);
    }

    /// Sends up what follows on; under a policy that may still replace data, only what was acknowledged.
    fn drain(&mut self, b: &mut Budget, sink: &mut impl Sink) {
        let limit = if self.policy == OverlapPolicy::First { i64::MAX } else { self.acked };
        while let Some(start) = self.first_held().filter(|s| *s <= self.next && *s < limit) {
            let Some(mut piece) = self.held.as_mut().and_then(|h| h.pieces.remove(&start)) else { return };
            self.forget(piece.data.len(), b);
            // Offsets before the first number seen are negative.
            let ready = limit.saturating_sub(start);
            if piece.len > ready {
                let kept = piece.data.split_off(piece.data.len().min(ready as usize));
                self.put(limit, kept, piece.len - ready, b);
                piece.len = ready;
            }
            self.deliver(&piece.data, piece.len, b, sink);
        }
    }

    fn deliver(&mut self, data: &[u8], len: i64, b: &mut Budget, sink: &mut impl Sink) {
        b.ring.remember(&mut self.recent, self.next, data, b.history);
        self.next += data.len() as i64;
        if !data.is_empty() {
            sink.stream(data);
        }
        let cut = len - data.len() as i64;
        if cut > 0 {
            self.lose(cut, sink);
        }
    }

    fn lose(&mut self, missing: i64, sink: &mut impl Sink) {
        let n = missing.max(0) as u64;
        self.next += missing;
        self.missed = self.missed.saturating_add(n);
        self.gaps = self.gaps.saturating_add(1);
        sink.gap(n);
    }

    /// Compares bytes that went up with the same place sent again.
    fn compare(&mut self, offset: i64, again: &[u8], b: &Budget, sink: &mut impl Sink) {
        // A keep-alive repeats the last byte, often as zero (RFC 9293 §3.8.4): that is no conflict.
        if again.len() == 1 && offset + 1 == self.next {
            return;
        }
        if let Some(text) = b.ring.conflict(&self.recent, offset, again) {
            self.conflict(&text, sink);
        }
    }

    /// Where bytes that stand at a sequence number differ from those that went up there, with both versions; a keep-alive does not count.
    pub(crate) fn contradiction(&self, seq: u32, data: &[u8], ring: &Ring) -> Option<String> {
        let near = self.next.max(self.acked);
        let offset = near + i64::from(seq.wrapping_sub(self.base?).wrapping_sub(near as u32) as i32);
        let is_keep_alive = data.len() == 1 && offset + 1 == self.next;
        if offset >= self.next || is_keep_alive { None } else { ring.conflict(&self.recent, offset, data) }
    }

    fn conflict(&mut self, text: &str, sink: &mut impl Sink) {
        self.overlaps += 1;
        sink.anomaly("tcp_overlap_conflict", text);
    }

    fn forget(&mut self, bytes: usize, b: &mut Budget) {
        b.held = b.held.saturating_sub(bytes);
        if let Some(h) = &mut self.held {
            h.bytes = h.bytes.saturating_sub(bytes);
            if h.pieces.is_empty() {
                self.held = None;
            }
        }
    }

    fn put(&mut self, at: i64, data: Vec<u8>, len: i64, b: &mut Budget) {
        b.held += data.len();
        let h = self.held.get_or_insert_default();
        h.bytes += data.len();
        h.pieces.insert(at, Piece { data, len, origin: b.origin });
    }

    /// Keeps `from..end`; where it overlaps what is held, the policy decides which version stays.
    fn hold(&mut self, from: i64, data: &[u8], end: i64, b: &mut Budget, sink: &mut impl Sink) {
        let mut at = from;
        for (start, stop) in self.overlapping(from, end) {
            let Some(piece) = self.held.as_ref().and_then(|h| h.pieces.get(&start)) else { continue };
            self.retransmitted += (stop.min(end) - start.max(from)).max(0) as u64;
            let later_wins = self.policy.later_wins((start, stop), (from, end));
            if let Some(text) = differ(start, &piece.data, from, data) {
                self.conflict(&if later_wins { text + "; the later is kept" } else { text }, sink);
            }
            if later_wins {
                self.cut_out(start, from, end, b);
            } else {
                self.put_part(at, start, from, data, b);
                at = at.max(stop);
            }
        }
        self.put_part(at, end, from, data, b);
    }

    /// The held stretches that `from..end` touches.
    fn overlapping(&self, from: i64, end: i64) -> Vec<(i64, i64)> {
        let Some(h) = &self.held else { return Vec::new() };
        let before = h.pieces.range(..from).next_back();
        let inside = h.pieces.range(from..end);
        before.into_iter().chain(inside).map(|(s, p)| (*s, s + p.len)).filter(|(_, stop)| *stop > from).collect()
    }

    /// Keeps `at..until` of the segment that begins at `from`.
    fn put_part(&mut self, at: i64, until: i64, from: i64, data: &[u8], b: &mut Budget) {
        if at < until {
            let (skip, take) = ((at - from) as usize, (until - at) as usize);
            let rest = data.get(skip..).unwrap_or_default();
            self.put(at, rest.get(..take).unwrap_or(rest).to_vec(), until - at, b);
        }
    }

    /// Takes `from..end` out of the held stretch at `start`, keeping what lies before and after.
    fn cut_out(&mut self, start: i64, from: i64, end: i64, b: &mut Budget) {
        let Some(piece) = self.held.as_mut().and_then(|h| h.pieces.remove(&start)) else { return };
        self.forget_only(piece.data.len(), b);
        let stop = start + piece.len;
        self.put_part(start, from.min(stop), start, &piece.data, b);
        self.put_part(end.max(start), stop, start, &piece.data, b);
    }

    /// As `forget`, but keeps the (perhaps empty) store for what follows at once.
    fn forget_only(&mut self, bytes: usize, b: &mut Budget) {
        b.held = b.held.saturating_sub(bytes);
        if let Some(h) = &mut self.held {
            h.bytes = h.bytes.saturating_sub(bytes);
        }
    }
}
