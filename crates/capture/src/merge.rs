//! Reads inputs as one timeline, or one of them alone: the same frames either way, lent one at a time.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::fs;
use std::path::PathBuf;

use gwcore::{Limit, LimitHits, Limits, Ts};

use crate::block::BLOCK;
use crate::filter::Filter;
use crate::find::{Input, Inputs};
use crate::frame::Frame;
use crate::ordered::Ordered;
use crate::reader::{Context, Reader};
use crate::report::{FileReport, Loss, Status};

/// Bytes of the block that a file is looked at with to know its first time.
const PEEK: usize = 16 << 10;

/// Open files up to which each has a whole block; further ones have a quarter.
const WHOLE_BLOCKS: usize = 8;

/// All inputs as one timeline.
///
/// Files are ordered by the time of their first frame (ties by path, bytewise), and merged frame by frame where they overlap;
/// equal times keep that order of files. Frames of one interface never change their order, even where its times go back; those of several
/// interfaces in one file are put in order of time where they lie within 50 ms. A file is
/// opened when the merged time reaches its first frame and closed behind its last one. When more than `Limit::OpenFiles` overlap,
/// the later ones wait until one is closed; their frames are late then, never lost. A pipe cannot be looked at and closed again:
/// it is opened from the start.
pub struct Merge {
    cx: Context,
    /// Files not yet opened, by first time and path.
    waiting: VecDeque<Waiting>,
    /// Open files by place; the places of closed ones are taken again.
    open: Vec<Option<Ordered>>,
    free: Vec<usize>,
    /// Open files by the time of the frame they stand at, without the lent one.
    heads: BinaryHeap<Reverse<Key>>,
    /// The file whose frame is lent.
    lent: Option<Key>,
    /// What the lent file may go on before, without looking at the others.
    bound: Option<Key>,
    /// One for each input, with its index, in that order.
    reports: Vec<(u32, FileReport)>,
    seq: u64,
}

/// A file that waits to be opened.
struct Waiting {
    first: Ts,
    rank: u32,
    file: u32,
    path: PathBuf,
    /// Whether its wait for a free place was counted.
    counted: bool,
}

impl Waiting {
    fn name(&self) -> &[u8] {
        self.path.as_os_str().as_encoded_bytes()
    }
}

/// Place of a frame among those of other files: time, then the order of the files.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    ts: Ts,
    rank: u32,
    slot: usize,
}

impl Merge {
    /// Prepares to read all of `inputs` that can be read. Looks at the first frame of each file, if there are several.
    pub fn open(inputs: &Inputs, limits: &Limits) -> Merge {
        Merge::over(inputs.list.iter().enumerate(), limits)
    }

    /// Hands out only frames that pass; called before the first one.
    pub fn filter(&mut self, filter: Option<Filter>) {
        self.cx.filter = filter;
    }

    fn over<'a>(inputs: impl Iterator<Item = (usize, &'a Input)>, limits: &Limits) -> Merge {
        let mut reports = Vec::new();
        let mut waiting = Vec::new();
        for (file, input) in inputs {
            let file = u32::try_from(file).unwrap_or(u32::MAX);
            if input.status == Status::Capture {
                waiting.push(Waiting { first: Ts(i64::MIN), rank: 0, file, path: input.path.clone(), counted: false });
            }
            reports.push((file, FileReport::new(input.path.clone(), input.status.clone())));
        }
        if waiting.len() > 1 {
            for input in &mut waiting {
                input.first = peek(input, limits).unwrap_or(Ts(i64::MIN));
            }
        }
        waiting.sort_unstable_by(|a, b| a.first.cmp(&b.first).then_with(|| a.name().cmp(b.name())));
        for (rank, input) in (0..).zip(&mut waiting) {
            input.rank = rank;
        }
        Merge {
            cx: Context::new(limits),
            waiting: waiting.into(),
            open: Vec::new(),
            free: Vec::new(),
            heads: BinaryHeap::new(),
            lent: None,
            bound: None,
            reports,
            seq: 0,
        }
    }

    /// The next frame of the timeline, or none when all is read. It is lent until the next call.
    ///
    /// Files that cannot be read, and damage, end that file only; they stand in the reports.
    #[inline]
    #[expect(clippy::should_implement_trait, reason = "an iterator cannot lend")]
    pub fn next(&mut self) -> Option<Frame<'_>> {
        let key = self.go_on()?;
        self.lent = Some(key);
        let seq = self.seq;
        self.seq += 1;
        Some(self.open.get(key.slot)?.as_ref()?.frame(seq))
    }

    /// The frame that [`Merge::next`] gave last, once more.
    pub fn again(&self) -> Option<Frame<'_>> {
        let key = self.lent?;
        Some(self.open.get(key.slot)?.as_ref()?.frame(self.seq.saturating_sub(1)))
    }

    /// Names of the interfaces seen so far; a frame's `interface` is an index in it.
    pub fn interfaces(&self) -> &[String] {
        &self.cx.interfaces.names
    }

    /// How often a limit was hit.
    pub fn hits(&self) -> &LimitHits {
        &self.cx.hits
    }

    /// Losses that captures told of since the last call, in the order they were met; few, whatever the input.
    pub fn losses(&mut self) -> Vec<Loss> {
        std::mem::take(&mut self.cx.losses)
    }

    /// Closes what is open; the reports in the order of the inputs. Complete once [`Merge::next`] gave none.
    pub fn finish(mut self) -> Vec<FileReport> {
        for slot in 0..self.open.len() {
            self.close(slot);
        }
        self.reports.into_iter().map(|(_, report)| report).collect()
    }

    /// Moves the lent file to its next frame and finds the file that is first now.
    #[inline]
    fn go_on(&mut self) -> Option<Key> {
        if let Some(mut key) = self.lent.take() {
            let next = self.open.get_mut(key.slot).and_then(Option::as_mut).and_then(|r| r.advance(&mut self.cx));
            match next {
                Some(ts) => {
                    key.ts = ts;
                    if self.bound.is_none_or(|bound| key < bound) {
                        return Some(key);
                    }
                    self.heads.push(Reverse(key));
                }
                None => self.close(key.slot),
            }
        }
        self.select()
    }

    #[cold]
    fn select(&mut self) -> Option<Key> {
        self.open_due();
        let Reverse(key) = self.heads.pop()?;
        let open = self.heads.peek().map(|Reverse(key)| *key);
        // A file that waits for a place bounds nothing: it is looked at when a place is free.
        let due = self.waiting.front().filter(|_| self.has_place()).map(|w| Key { ts: w.first, rank: w.rank, slot: 0 });
        self.bound = open.into_iter().chain(due).min();
        Some(key)
    }

    fn has_place(&self) -> bool {
        self.open.len() - self.free.len() < self.cx.limits.get(Limit::OpenFiles)
    }

    /// Opens the files whose first frame is not behind the first one of the open files.
    fn open_due(&mut self) {
        while let Some(next) = self.waiting.front() {
            if self.heads.peek().is_some_and(|Reverse(head)| (head.ts, head.rank) < (next.first, next.rank)) {
                break;
            }
            if !self.has_place() {
                self.count_waiting();
                break;
            }
            let Some(next) = self.waiting.pop_front() else { break };
            self.open_file(next);
        }
    }

    fn count_waiting(&mut self) {
        if let Some(next) = self.waiting.front_mut().filter(|next| !next.counted) {
            next.counted = true;
            self.cx.hits.hit(Limit::OpenFiles);
        }
    }

    fn open_file(&mut self, input: Waiting) {
        let open = self.open.len() - self.free.len();
        let block = if open < WHOLE_BLOCKS { BLOCK } else { BLOCK / 4 };
        let mut reader = match Reader::open(input.file, &input.path, block, &mut self.cx) {
            Ok(reader) => Ordered::new(reader, &self.cx),
            Err(report) => return self.report(input.file, *report),
        };
        let Some(ts) = reader.advance(&mut self.cx) else { return self.report(input.file, reader.finish()) };
        let slot = self.free.pop().unwrap_or_else(|| {
            self.open.push(None);
            self.open.len() - 1
        });
        if let Some(place) = self.open.get_mut(slot) {
            *place = Some(reader);
        }
        self.heads.push(Reverse(Key { ts, rank: input.rank, slot }));
    }

    fn close(&mut self, slot: usize) {
        if let Some(reader) = self.open.get_mut(slot).and_then(Option::take) {
            self.free.push(slot);
            self.report(reader.file(), reader.finish());
        }
    }

    fn report(&mut self, file: u32, report: FileReport) {
        let place = self.reports.binary_search_by_key(&file, |(file, _)| *file);
        if let Some((_, known)) = place.ok().and_then(|at| self.reports.get_mut(at)) {
            *known = report;
        }
    }
}

/// One input alone, for a run in which each file is a world of its own: `seq` and the interfaces begin anew.
pub struct Single {
    merge: Merge,
}

impl Single {
    /// Prepares to read the input with index `file`; none if there is no such input.
    pub fn open(inputs: &Inputs, file: usize, limits: &Limits) -> Option<Single> {
        let input = inputs.list.get(file)?;
        Some(Single { merge: Merge::over(std::iter::once((file, input)), limits) })
    }

    /// Hands out only frames that pass, as [`Merge::filter`].
    pub fn filter(&mut self, filter: Option<Filter>) {
        self.merge.filter(filter);
    }

    /// The next frame, as [`Merge::next`].
    #[inline]
    #[expect(clippy::should_implement_trait, reason = "an iterator cannot lend")]
    pub fn next(&mut self) -> Option<Frame<'_>> {
        self.merge.next()
    }

    /// Names of the interfaces seen so far.
    pub fn interfaces(&self) -> &[String] {
        self.merge.interfaces()
    }

    /// How often a limit was hit.
    pub fn hits(&self) -> &LimitHits {
        self.merge.hits()
    }

    /// Losses that the capture told of since the last call, as [`Merge::losses`].
    pub fn losses(&mut self) -> Vec<Loss> {
        self.merge.losses()
    }

    /// Closes the file; its report.
    pub fn finish(self) -> Option<FileReport> {
        self.merge.finish().pop()
    }
}

/// The first time in a file; none for a pipe, which cannot be opened twice, and for a file without a frame.
fn peek(input: &Waiting, limits: &Limits) -> Option<Ts> {
    if input.path.as_os_str() == "-" || !fs::metadata(&input.path).ok()?.is_file() {
        return None;
    }
    let mut cx = Context::new(limits);
    Reader::open(input.file, &input.path, PEEK, &mut cx).ok()?.advance(&mut cx)
}
