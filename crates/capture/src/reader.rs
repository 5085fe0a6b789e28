//! One open capture: its block, its format and its report, and the frame it stands at.

use std::collections::BTreeMap;
use std::path::Path;

use gwcore::{Limit, LimitHits, Limits, Ts};

use crate::block::Block;
use crate::error::{self, Damage, DamageCause, Error};
use crate::filter::Filter;
use crate::format;
use crate::frame::{Frame, LinkType};
use crate::pcap::Pcap;
use crate::pcapng::Pcapng;
use crate::report::{FileReport, Format, Loss, Place, Status};
use crate::source;

/// The name of interfaces beyond `Limit::InterfaceNames`.
const OTHER: &str = "other";

/// What all readers of one run share.
pub(crate) struct Context {
    pub(crate) limits: Limits,
    pub(crate) hits: LimitHits,
    pub(crate) interfaces: Interfaces,
    /// `Limit::FrameBytes`, asked for each frame.
    pub(crate) frame_bytes: usize,
    /// Losses that captures told of since somebody asked, at most [`LOSSES`].
    pub(crate) losses: Vec<Loss>,
    /// What frames must pass to be handed out.
    pub(crate) filter: Option<Filter>,
}

/// Losses kept until they are asked for; further ones lengthen the last, as a file can tell of many between two frames.
const LOSSES: usize = 64;

impl Context {
    pub(crate) fn new(limits: &Limits) -> Context {
        let interfaces =
            Interfaces { names: Vec::new(), index: BTreeMap::new(), most: limits.get(Limit::InterfaceNames) };
        let frame_bytes = limits.get(Limit::FrameBytes);
        let (hits, losses, filter) = (LimitHits::default(), Vec::new(), None);
        Context { limits: limits.clone(), hits, interfaces, frame_bytes, losses, filter }
    }

    /// Takes note of a loss.
    #[cold]
    pub(crate) fn lost(&mut self, loss: Loss) {
        let full = self.losses.len() >= LOSSES;
        match self.losses.last_mut().filter(|_| full) {
            Some(last) => {
                (last.from, last.to) = (last.from.min(loss.from), last.to.max(loss.to));
                last.lost = last.lost.saturating_add(loss.lost);
                last.seen = last.seen.saturating_add(loss.seen);
            }
            None => self.losses.push(loss),
        }
    }

    /// Text from a file, cut at the text limit.
    pub(crate) fn text(&mut self, bytes: &[u8]) -> String {
        let most = self.limits.get(Limit::TextBytes);
        if bytes.len() > most {
            self.hits.hit(Limit::TextBytes);
        }
        String::from_utf8_lossy(bytes.get(..most).unwrap_or(bytes)).into_owned()
    }

    pub(crate) fn intern_bytes(&mut self, name: &[u8]) -> u32 {
        let name = self.text(name);
        let full = self.interfaces.is_full() && !self.interfaces.index.contains_key(&name);
        if full {
            self.hits.hit(Limit::InterfaceNames);
        }
        self.interfaces.intern(&name)
    }
}

/// The growing table of interface names.
pub(crate) struct Interfaces {
    pub(crate) names: Vec<String>,
    index: BTreeMap<String, u32>,
    most: usize,
}

impl Interfaces {
    fn is_full(&self) -> bool {
        self.names.len() >= self.most
    }

    /// The index of `name`, or of `other` once the table is full.
    pub(crate) fn intern(&mut self, name: &str) -> u32 {
        if let Some(index) = self.index.get(name) {
            return *index;
        }
        if self.is_full() && name != OTHER {
            return self.intern(OTHER);
        }
        let index = u32::try_from(self.names.len()).unwrap_or(u32::MAX);
        self.names.push(name.to_owned());
        self.index.insert(name.to_owned(), index);
        index
    }
}

/// A frame at the front of the block, by its place there.
#[derive(Clone, Copy)]
pub(crate) struct Head {
    pub(crate) ts: Ts,
    pub(crate) bad_time: bool,
    pub(crate) untimed: bool,
    pub(crate) interface: u32,
    pub(crate) link: LinkType,
    pub(crate) wire_len: u32,
    /// Where the captured bytes begin, from the front of the block.
    pub(crate) at: usize,
    /// How many there are.
    pub(crate) len: usize,
    /// Bytes of the whole record, consumed when the next one is asked for.
    pub(crate) record: usize,
}

/// Why a numbered record was not handed out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Skip {
    Long,
    Invalid,
}

/// What a format found at the front of the block.
pub(crate) enum Step {
    Frame(Head),
    /// A record with a number, passed.
    Skipped(Skip),
    /// A block without a frame, passed; `numbered` if Wireshark counts it as a frame.
    Passed {
        numbered: bool,
    },
    /// Nothing is left.
    End,
    /// A record is left that the end of the file cuts.
    Cut,
    /// What is left cannot be read.
    Damaged {
        at: u64,
        cause: DamageCause,
    },
}

enum Layout {
    Pcap(Pcap),
    Pcapng(Pcapng),
}

/// An open capture.
pub(crate) struct Reader {
    file: u32,
    block: Block,
    layout: Layout,
    head: Head,
    /// Number of the record that was read last.
    number: u64,
    /// Frames of the link type last seen, not yet in the report.
    run: (LinkType, u64),
    report: FileReport,
}

impl Reader {
    /// Opens `path` and reads its file header. The error stands in the report that comes back with it.
    pub(crate) fn open(file: u32, path: &Path, block: usize, cx: &mut Context) -> Result<Reader, Box<FileReport>> {
        let mut report = FileReport::new(path.to_owned(), Status::Capture);
        match Reader::layout(path, block, &mut report, cx) {
            Ok((block, layout)) => {
                let head = Head {
                    ts: Ts(0),
                    bad_time: false,
                    untimed: false,
                    interface: 0,
                    link: LinkType::NULL,
                    wire_len: 0,
                    at: 0,
                    len: 0,
                    record: 0,
                };
                Ok(Reader { file, block, layout, head, number: 0, run: (LinkType::NULL, 0), report })
            }
            Err(err) => {
                report.status = Status::Unreadable(err);
                Err(Box::new(report))
            }
        }
    }

    fn layout(path: &Path, size: usize, report: &mut FileReport, cx: &mut Context) -> Result<(Block, Layout), Error> {
        let source = source::open(path, &cx.limits)?;
        report.compression = source.compression;
        let mut block = Block::new(source.bytes, size);
        block.fill(format::HEAD);
        let found = format::detect(block.bytes());
        if let (Err(Error::Empty | Error::NotCapture), Some(failure)) = (&found, block.failure()) {
            return Err(Error::Read(error::plain(failure)));
        }
        let format = found?;
        report.format = Some(format);
        let layout = match format {
            Format::Pcap => Layout::Pcap(Pcap::open(&mut block, cx)?),
            Format::Pcapng => Layout::Pcapng(Pcapng::open(&mut block)?),
        };
        Ok((block, layout))
    }

    /// Moves to the next frame; its time, or none when the file is done.
    #[inline]
    pub(crate) fn advance(&mut self, cx: &mut Context) -> Option<Ts> {
        self.block.consume(self.head.record);
        self.head.record = 0;
        loop {
            let step = match &mut self.layout {
                Layout::Pcap(pcap) => pcap.step(&mut self.block, cx),
                Layout::Pcapng(pcapng) => pcapng.step(&mut self.block, &mut self.report, cx),
            };
            match step {
                Step::Frame(head) => {
                    self.number += 1;
                    self.head = head;
                    if cx.filter.as_ref().is_some_and(|f| !f.passes(&self.frame(0))) {
                        self.report.filtered += 1;
                        self.block.consume(self.head.record);
                        self.head.record = 0;
                        continue;
                    }
                    self.count();
                    return Some(head.ts);
                }
                Step::Passed { numbered } => self.number += u64::from(numbered),
                Step::Skipped(skip) => self.skip(skip),
                Step::End | Step::Cut | Step::Damaged { .. } => {
                    self.end(step);
                    return None;
                }
            }
        }
    }

    /// The frame it stands at.
    #[inline]
    pub(crate) fn frame(&self, seq: u64) -> Frame<'_> {
        let head = &self.head;
        let data = self.block.bytes().get(head.at..).and_then(|data| data.get(..head.len)).unwrap_or_default();
        Frame {
            seq,
            ts: head.ts,
            file: self.file,
            number: self.number,
            interface: head.interface,
            link: head.link,
            wire_len: head.wire_len,
            data,
        }
    }

    /// Interfaces that the section described so far; one where the format has no such.
    #[inline]
    pub(crate) fn interfaces(&self) -> usize {
        match &self.layout {
            Layout::Pcap(_) => 1,
            Layout::Pcapng(pcapng) => pcapng.interfaces(),
        }
    }

    /// The index of its input.
    pub(crate) fn file(&self) -> u32 {
        self.file
    }

    /// Closes the file.
    pub(crate) fn finish(mut self) -> FileReport {
        self.flush_run();
        self.report
    }

    #[inline]
    fn count(&mut self) {
        let (head, report) = (&self.head, &mut self.report);
        report.frames += 1;
        report.bytes = report.bytes.saturating_add(head.len as u64);
        report.bad_times += u64::from(head.bad_time);
        report.untimed += u64::from(head.untimed);
        report.first = Some(report.first.map_or(head.ts, |first| first.min(head.ts)));
        report.last = Some(report.last.map_or(head.ts, |last| last.max(head.ts)));
        if self.run.0 == head.link {
            self.run.1 += 1;
        } else {
            let link = head.link;
            self.flush_run();
            self.run = (link, 1);
        }
    }

    fn flush_run(&mut self) {
        let (link, frames) = self.run;
        if frames > 0 {
            *self.report.link_types.entry(link).or_default() += frames;
        }
        self.run.1 = 0;
    }

    fn skip(&mut self, skip: Skip) {
        self.number += 1;
        match skip {
            Skip::Long => self.report.skipped_long += 1,
            Skip::Invalid => self.report.skipped_invalid += 1,
        }
    }

    #[cold]
    fn end(&mut self, step: Step) {
        let (offset, frame) = (self.block.offset(), self.number);
        let cut = matches!(step, Step::Cut) || self.block.is_cut();
        if let Step::Damaged { at, cause } = step {
            self.report.damage = Some(Damage { offset: at, frame, cause });
        } else if let Some(failure) = self.block.failure() {
            let cause = DamageCause::Read(error::plain(failure));
            self.report.damage = Some(Damage { offset, frame, cause });
        } else if cut {
            self.report.truncated = Some(Place { offset, frame });
        }
    }
}
