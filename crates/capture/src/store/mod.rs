//! Packets on disk: a ring of pcapng segments within a budget of bytes, with an index of times and address pairs beside each.
//!
//! A segment is `NNNNNNNN.pcapng`, numbered on over runs, complete up to the last second at any moment. When it is full its index is written
//! beside it ([`Segment`]). The oldest segments make room for new ones; those that a finding's packets lie in are held while they are within
//! a share of the budget. A frame that could not be stored is counted and has no place; a full disk never stops the capture.

mod index;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use gwcore::Ts;
use gwcore::time::{HOUR, SECOND};

use crate::frame::Frame;
use crate::live::Second;
use crate::write::PcapngWriter;
use index::Pairs;
pub use index::{Pair, Segment, pair_of, segments};

/// Bytes that wait in memory before they are written.
const BUFFER: usize = 1 << 20;
/// A segment is ended after this much packet time, in nanoseconds.
const LONGEST: i64 = HOUR;
/// After a failure to write, packets are not stored for this long, in nanoseconds.
const PAUSE: i64 = 10 * SECOND;
/// Deleted segments that wait to be told.
const REMEMBERED: usize = 4_096;
/// The part of the budget that held segments may take.
const HELD_SHARE: u64 = 2;

/// How packets are stored.
#[derive(Clone, Copy, Debug)]
pub struct StoreOptions {
    /// Bytes of all segments together.
    pub budget: u64,
    /// Bytes of one segment.
    pub segment: u64,
}

impl StoreOptions {
    /// A budget cut into sixteen segments or more, each of at most 64 MB.
    pub fn within(budget: u64) -> StoreOptions {
        StoreOptions { budget, segment: (budget / 16).clamp(1 << 20, 64 << 20) }
    }
}

/// What was stored and lost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StoreCounts {
    /// Frames stored by this run.
    pub frames: u64,
    /// Frames that could not be stored.
    pub not_stored: u64,
    /// Segments deleted to make room.
    pub deleted: u64,
    /// Held segments deleted because they took more than their share.
    pub held_deleted: u64,
}

/// A segment that made room.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeletedSegment {
    /// Its name, relative to the folder above the ring.
    pub name: String,
    /// Its bytes.
    pub bytes: u64,
    /// Its frames, where its index told.
    pub frames: Option<u64>,
    /// First and last time, where its index told.
    pub span: Option<(Ts, Ts)>,
    /// Whether packets of a finding lay in it.
    pub held: bool,
    /// What it made room for.
    pub why: &'static str,
}

/// The ring.
pub struct Store {
    dir: PathBuf,
    options: StoreOptions,
    /// Closed segments with their bytes, oldest first.
    closed: VecDeque<(u64, u64)>,
    bytes: u64,
    held: BTreeSet<u64>,
    open: Option<Open>,
    /// Number of the next segment.
    next: u64,
    /// Names of this run's segments; a frame's `file` is an index in it.
    names: Vec<String>,
    /// Packet time until which nothing is stored.
    paused: Option<Ts>,
    counts: StoreCounts,
    problem: Option<String>,
    /// Frames lost by interface that no segment tells of yet.
    unsaid: BTreeMap<u32, u64>,
    /// Segments deleted since somebody asked; the newest [`REMEMBERED`].
    deleted: VecDeque<DeletedSegment>,
}

struct Open {
    number: u64,
    file: File,
    writer: PcapngWriter,
    buffer: Vec<u8>,
    written: u64,
    frames: u64,
    first: Ts,
    last: Ts,
    pairs: Pairs,
    /// Frames received and dropped by interface since the segment began.
    counters: BTreeMap<u32, (u64, u64)>,
}

impl Store {
    /// Stores below `dir`; segments of earlier runs stay and count.
    pub fn open(dir: &Path, options: StoreOptions) -> io::Result<Store> {
        fs::create_dir_all(dir)?;
        let closed: VecDeque<(u64, u64)> = segments(dir)?.iter().map(|s| (s.number, s.bytes)).collect();
        let bytes = closed.iter().map(|(_, b)| b).sum();
        let next = closed.back().map_or(1, |(n, _)| n + 1);
        Ok(Store {
            dir: dir.to_owned(),
            options,
            closed,
            bytes,
            held: BTreeSet::new(),
            open: None,
            next,
            names: Vec::new(),
            paused: None,
            counts: StoreCounts::default(),
            problem: None,
            unsaid: BTreeMap::new(),
            deleted: VecDeque::new(),
        })
    }

    /// Names of this run's segments, relative to the folder above the ring.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// What was stored and lost so far.
    pub fn counts(&self) -> StoreCounts {
        self.counts
    }

    /// Segments deleted since the last call, oldest first.
    pub fn take_deleted(&mut self) -> Vec<DeletedSegment> {
        self.deleted.drain(..).collect()
    }

    /// Puts back what could not be told.
    pub fn untold(&mut self, deleted: Vec<DeletedSegment>) {
        deleted.into_iter().rev().for_each(|d| self.deleted.push_front(d));
        self.deleted.truncate(REMEMBERED);
    }

    /// Why packets are not stored at the moment, told once.
    pub fn problem(&mut self) -> Option<String> {
        self.problem.take()
    }

    /// Stores a frame of an interface; its segment's place in [`Store::names`] and its number there, from 1. None if it could not be stored.
    pub fn put(&mut self, frame: &Frame<'_>, interface: &str) -> Option<(u32, u64)> {
        if self.open.as_ref().is_some_and(|o| o.is_full(frame.ts, self.options.segment)) {
            self.end_segment();
        }
        if self.open.is_none() && !self.begin(frame.ts) {
            self.counts.not_stored += 1;
            return None;
        }
        let open = self.open.as_mut()?;
        open.writer.frame(&mut open.buffer, frame, interface, None);
        open.pairs.see(frame);
        (open.frames, open.last) = (open.frames + 1, open.last.max(frame.ts));
        open.first = open.first.min(frame.ts);
        open.counters.entry(frame.interface).or_default().0 += 1;
        let number = open.frames;
        self.counts.frames += 1;
        if !self.unsaid.is_empty() {
            self.say_losses(frame.interface, frame.ts);
        }
        let place = (u32::try_from(self.names.len()).unwrap_or(u32::MAX).saturating_sub(1), number);
        if self.open.as_ref().is_some_and(|o| o.buffer.len() >= BUFFER) {
            self.flush(frame.ts);
        }
        Some(place)
    }

    /// A second passed on an interface: what waits is written, losses are noted beside the packets.
    pub fn second(&mut self, second: &Second) {
        if second.dropped > 0 {
            *self.unsaid.entry(second.interface).or_default() += second.dropped;
            self.say_losses(second.interface, second.now);
        }
        self.flush(second.now);
    }

    /// Notes losses of an interface; they wait until it has a frame in the segment at hand.
    fn say_losses(&mut self, interface: u32, at: Ts) {
        let Some(open) = self.open.as_mut().filter(|o| o.writer.knows(interface)) else { return };
        let Some(lost) = self.unsaid.remove(&interface) else { return };
        let counter = open.counters.entry(interface).or_default();
        counter.1 += lost;
        open.writer.counters(&mut open.buffer, interface, at, (counter.0 + counter.1, counter.1));
    }

    /// Keeps the segments of these names until [`Store::release`].
    pub fn hold<'a>(&mut self, names: impl Iterator<Item = &'a str>) {
        self.held.extend(names.filter_map(index::number_of));
    }

    /// Segments that are held no longer may go.
    pub fn release<'a>(&mut self, names: impl Iterator<Item = &'a str>) {
        for number in names.filter_map(index::number_of) {
            self.held.remove(&number);
        }
    }

    /// Writes and closes everything.
    pub fn close(&mut self) {
        self.end_segment();
    }

    /// Ends the segment at hand, so that it can be read with its index.
    pub fn end_segment(&mut self) {
        let now = self.open.as_ref().map_or(Ts::default(), |o| o.last);
        self.flush(now);
        let Some(open) = self.open.take() else { return };
        self.closed.push_back((open.number, open.written));
        self.bytes += open.written;
        // Without its index a segment is looked through instead.
        let _ = index::write(&self.dir, open.number, (open.first, open.last), open.frames, &open.pairs);
    }

    /// Makes room on a full disk for what matters more than packets: the oldest segment goes, the one at hand where there is no other.
    pub fn give_way(&mut self) {
        self.end_segment();
        self.delete_oldest("disk full");
    }

    fn begin(&mut self, ts: Ts) -> bool {
        if self.paused.is_some_and(|until| ts < until && until.since(ts) <= PAUSE) {
            return false;
        }
        self.paused = None;
        self.make_room();
        let number = self.next;
        let name = index::name(number);
        match File::create(self.dir.join(&name)) {
            Ok(file) => {
                self.next += 1;
                let folder = self.dir.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
                self.names.push(format!("{folder}/{name}"));
                let mut buffer = Vec::with_capacity(BUFFER + (64 << 10));
                let writer = PcapngWriter::begin(&mut buffer, None);
                let (pairs, counters) = (Pairs::default(), BTreeMap::new());
                let (first, last, written, frames) = (ts, ts, 0, 0);
                self.open = Some(Open { number, file, writer, buffer, written, frames, first, last, pairs, counters });
                true
            }
            Err(e) => {
                self.pause(ts, &e);
                false
            }
        }
    }

    /// Deletes what is oldest until another segment has room.
    fn make_room(&mut self) {
        while self.bytes.saturating_add(self.options.segment) > self.options.budget && self.delete_oldest("ring full") {
        }
    }

    /// Deletes the oldest segment that is not held; of held ones the oldest where they take more than their share. False if there is none.
    fn delete_oldest(&mut self, why: &'static str) -> bool {
        let held: u64 = self.closed.iter().filter(|(n, _)| self.held.contains(n)).map(|(_, b)| b).sum();
        let too_much = held > self.options.budget / HELD_SHARE;
        let at = self.closed.iter().position(|(n, _)| too_much || !self.held.contains(n)).or(Some(0));
        let Some((number, bytes)) = at.and_then(|at| self.closed.remove(at)) else { return false };
        let was_held = self.held.remove(&number);
        self.counts.held_deleted += u64::from(was_held);
        self.counts.deleted += 1;
        if self.deleted.len() >= REMEMBERED {
            self.deleted.pop_front();
        }
        let (span, frames) = index::told(&self.dir, number);
        let folder = self.dir.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
        let name = format!("{folder}/{}", index::name(number));
        self.deleted.push_back(DeletedSegment { name, bytes, frames, span, held: was_held, why });
        self.bytes = self.bytes.saturating_sub(bytes);
        index::remove(&self.dir, number);
        true
    }

    fn flush(&mut self, now: Ts) {
        let Some(open) = &mut self.open else { return };
        let mut result = open.file.write_all(&open.buffer);
        if result.is_err() && self.closed.len() > 1 {
            // Packets go first where the disk is full.
            let at = open.written;
            self.delete_oldest("disk full");
            let Some(open) = &mut self.open else { return };
            result = rewrite(open, at);
        }
        let Some(open) = &mut self.open else { return };
        match result {
            Ok(()) => {
                open.written += open.buffer.len() as u64;
                open.buffer.clear();
            }
            Err(e) => {
                // What was written before stays readable; the rest of the segment has no place.
                let _ = open.file.set_len(open.written);
                open.buffer.clear();
                self.end_failed();
                self.pause(now, &e);
            }
        }
    }

    fn end_failed(&mut self) {
        if let Some(open) = self.open.take() {
            self.closed.push_back((open.number, open.written));
            self.bytes += open.written;
        }
    }

    fn pause(&mut self, now: Ts, e: &io::Error) {
        self.paused = Some(now.plus(PAUSE));
        self.problem = Some(format!("packets are not stored: {e}"));
    }
}

/// Writes what waits once more, from where the segment ended before.
fn rewrite(open: &mut Open, at: u64) -> io::Result<()> {
    use std::io::Seek;
    open.file.set_len(at)?;
    open.file.seek(io::SeekFrom::Start(at))?;
    open.file.write_all(&open.buffer)
}

impl Open {
    fn is_full(&self, now: Ts, segment: u64) -> bool {
        self.written + self.buffer.len() as u64 >= segment || now.since(self.first) >= LONGEST
    }
}
