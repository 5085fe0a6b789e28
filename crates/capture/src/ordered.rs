//! One open capture whose interfaces are put in order of time: each of them is written in its own order, but a program that captures on several
//! writes one interface's buffer after the other's.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};

use gwcore::time::{MILLI, SECOND};
use gwcore::{Limit, Ts};

use crate::frame::{Frame, LinkType};
use crate::reader::{Context, Reader};
use crate::report::FileReport;

/// How much later in the file a frame may stand than those of other interfaces that are younger: the kernel hands a block of packets on after some
/// tens of milliseconds.
const WINDOW: i64 = 50 * MILLI;
/// A time that goes back by more is no matter of order: the clock was set, and what follows is later.
const BACK: i64 = SECOND;
/// Bytes that a held frame takes beside its own.
const OVERHEAD: usize = 128;

/// A reader that gives the frames of a file with several interfaces in the order of their times, as far as they lie within [`WINDOW`]. Frames of one
/// interface never change their order, and a file with one interface is read as it stands.
pub(crate) struct Ordered {
    reader: Reader,
    held: BinaryHeap<Reverse<Held>>,
    /// The frame that is lent, where it was held.
    lent: Option<Held>,
    /// Whether frames are held: from the first frame on that comes while several interfaces are described.
    mixed: bool,
    over: bool,
    /// Times that the clock was set back.
    epoch: u32,
    /// Place of the last frame of each interface, and of the youngest of all.
    last: BTreeMap<u32, Ts>,
    newest: Ts,
    bytes: usize,
    limit: usize,
    spare: Vec<Vec<u8>>,
}

/// A frame that waits, ordered by epoch, time and number; its time is at least that of the frame before it on its interface.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Held {
    epoch: u32,
    place: Ts,
    number: u64,
    ts: Ts,
    interface: u32,
    link: LinkType,
    wire_len: u32,
    data: Vec<u8>,
}

impl Ordered {
    pub(crate) fn new(reader: Reader, cx: &Context) -> Ordered {
        Ordered {
            reader,
            held: BinaryHeap::new(),
            lent: None,
            mixed: false,
            over: false,
            epoch: 0,
            last: BTreeMap::new(),
            newest: Ts(i64::MIN),
            bytes: 0,
            limit: cx.limits.get(Limit::OrderBytes),
            spare: Vec::new(),
        }
    }

    /// Moves to the next frame; its time, or none when the file is done.
    #[inline]
    pub(crate) fn advance(&mut self, cx: &mut Context) -> Option<Ts> {
        if self.mixed {
            return self.next_held(cx);
        }
        let ts = self.reader.advance(cx)?;
        if self.reader.interfaces() < 2 {
            return Some(ts);
        }
        self.mixed = true;
        self.hold();
        self.next_held(cx)
    }

    #[cold]
    fn next_held(&mut self, cx: &mut Context) -> Option<Ts> {
        if let Some(gone) = self.lent.take() {
            self.bytes -= gone.data.len() + OVERHEAD;
            self.spare.push(gone.data);
        }
        while !self.over && !self.is_ripe(cx) {
            match self.reader.advance(cx) {
                Some(_) => self.hold(),
                None => self.over = true,
            }
        }
        let Reverse(next) = self.held.pop()?;
        let ts = next.ts;
        self.lent = Some(next);
        Some(ts)
    }

    /// Whether no frame that may still come belongs before the first that waits.
    fn is_ripe(&self, cx: &mut Context) -> bool {
        let Some(Reverse(first)) = self.held.peek() else { return false };
        if self.bytes >= self.limit {
            cx.hits.hit(Limit::OrderBytes);
            return true;
        }
        first.epoch < self.epoch || self.newest.since(first.place) > WINDOW
    }

    /// Takes in the frame that the reader stands at.
    fn hold(&mut self) {
        let frame = self.reader.frame(0);
        if self.newest.since(frame.ts) > BACK && self.newest != Ts(i64::MIN) {
            self.epoch = self.epoch.saturating_add(1);
            self.last.clear();
            self.newest = frame.ts;
        }
        let last = self.last.entry(frame.interface).or_insert(frame.ts);
        let place = frame.ts.max(*last);
        *last = place;
        self.newest = self.newest.max(place);
        let mut data = self.spare.pop().unwrap_or_default();
        data.clear();
        data.extend_from_slice(frame.data);
        self.bytes += data.len() + OVERHEAD;
        let Frame { ts, number, interface, link, wire_len, .. } = frame;
        self.held.push(Reverse(Held { epoch: self.epoch, place, number, ts, interface, link, wire_len, data }));
    }

    /// The frame it stands at.
    #[inline]
    pub(crate) fn frame(&self, seq: u64) -> Frame<'_> {
        let Some(h) = &self.lent else { return self.reader.frame(seq) };
        let Held { ts, number, interface, link, wire_len, .. } = *h;
        Frame { seq, ts, file: self.reader.file(), number, interface, link, wire_len, data: &h.data }
    }

    /// The index of its input.
    pub(crate) fn file(&self) -> u32 {
        self.reader.file()
    }

    /// Closes the file.
    pub(crate) fn finish(self) -> FileReport {
        self.reader.finish()
    }
}
