//! DNP3 over TCP and UDP (IEEE 1815): link frames with their CRCs, transport segments, application fragments, and every object with its
//! value; requests paired with answers, reports with confirmations, OPERATE with its SELECT.
//!
//! Every link frame is one row: with a function code when it completes a fragment, with a transport sequence number alone when it is one
//! of several segments, with neither when it carries no user data. Bytes that are no frame are skipped to the next header whose CRC is
//! right, and are one anomaly. Limits: [`Limit::LinkPairs`] link pairs under reassembly, [`Limit::ParserBytes`] bytes in them,
//! [`Limit::Pending`] fragments waiting 30 s for their other half, [`Limit::ChildRows`] object rows of one fragment.

mod app;
mod decode;
mod emit;
mod exchange;
mod facts;
mod link;
mod objects;
mod record;
mod state;
mod table;
mod transport;

#[cfg(test)]
mod tests;

use std::collections::VecDeque;

use gwcore::time::MILLI;
use gwcore::{Body, Limit};
use proto::{At, Carrier, Cx, Dir, Hint, Parser, Probe, Repeats, Step};

pub use record::{Dnp3Columns, Dnp3Object, Dnp3ObjectColumns, Dnp3Pdu};

use app::{Fragment, function};
use facts::Digest;
use link::Scan;
use state::{Envelope, Pairs, Waiting};
use transport::{Octet, Segment, Transport};

/// Code and name of the objects whose octets stay whole.
pub(crate) fn left_raw() -> impl Iterator<Item = (String, &'static str)> {
    let code = |(group, variations, name): &(u8, &[u8], &'static str)| {
        let list: Vec<String> = variations.iter().map(|v| format!("g{group}v{v}")).collect();
        (if list.is_empty() { format!("g{group}, any variation") } else { list.join(", ") }, *name)
    };
    table::LEFT_RAW.iter().map(code)
}

/// The registered port.
const PORT: u16 = 20_000;
/// Link addresses from here on reach every outstation; none answers (§9.2.4.5).
const BROADCAST: u16 = 0xfffd;

/// What is known of one direction.
#[derive(Default)]
struct Side {
    /// Bytes that are no frame were reported, or are expected after a gap; until the next frame they are skipped in silence.
    skipping: bool,
    /// A frame has begun and is not whole.
    partial: bool,
    /// Gaps so far.
    epoch: u64,
}

/// The parser of one flow.
#[derive(Default)]
pub struct Dnp3 {
    sides: [Side; 2],
    transport: Transport,
    waiting: Waiting,
    pairs: Pairs,
    repeats: Repeats,
    sided: bool,
    master_seen: bool,
    outstation_seen: bool,
    /// Answers that wait for their requests.
    early: VecDeque<Early>,
}

/// An answer that was captured before its request: one direction of a tap arrives a moment late.
struct Early {
    at: At,
    dir: Dir,
    envelope: Envelope,
    bytes: Vec<u8>,
}

/// How long an answer waits for its request to be seen.
const EARLY: i64 = 50 * MILLI;
/// Answers that wait at most.
const EARLY_ANSWERS: usize = 32;

impl Parser for Dnp3 {
    const NAME: &'static str = "dnp3";
    const CARRIERS: &'static [Carrier] = &[Carrier::Stream, Carrier::Datagram];
    const IS_OT: bool = true;

    /// Start octets and a right header CRC are 32 bits that fit; a damaged first header counts on the registered port.
    fn probe(head: &[u8], hint: &Hint) -> Probe {
        let begins = head.starts_with(&[0x05, 0x64]) || head == [0x05];
        if link::header(head).is_some_and(|h| h.length >= 5) {
            return Probe::Certain;
        }
        if begins && head.len() < link::HEADER && hint.carrier == Carrier::Stream {
            return Probe::Unsure;
        }
        let later = link::find(head).is_some();
        match (begins, later, hint.port(PORT)) {
            (true, _, true) | (_, true, true) => Probe::Certain,
            (_, true, false) if !hint.from_start => Probe::Certain,
            (_, true, false) => Probe::Maybe,
            _ => Probe::No,
        }
    }

    fn feed(&mut self, dir: Dir, data: &[u8], cx: &mut Cx<'_>) -> Step {
        self.expire_early(cx);
        self.expire(cx);
        let mut at = 0;
        while let Some(rest) = data.get(at..).filter(|r| !r.is_empty()) {
            match link::scan(rest) {
                Scan::Frame(header) => {
                    let frame = rest.get(..header.frame_len()).unwrap_or_default();
                    let side = &mut self.sides[dir.index()];
                    side.skipping = false;
                    side.partial = false;
                    at += self.frame(dir, header, frame, cx);
                }
                Scan::Skip(n, reason) => {
                    if !std::mem::replace(&mut self.sides[dir.index()].skipping, true) {
                        cx.anomaly(Self::NAME, reason, b"");
                    }
                    at += n;
                }
                Scan::Need(more) if cx.carrier == Carrier::Stream => {
                    self.sides[dir.index()].partial = true;
                    return Step::Need { consumed: at, more };
                }
                Scan::Need(_) => {
                    cx.anomaly(Self::NAME, "frame_cut", b"");
                    break;
                }
            }
        }
        Step::Done
    }

    fn gap(&mut self, dir: Dir, _missing: u64, _cx: &mut Cx<'_>) -> Step {
        let side = &mut self.sides[dir.index()];
        side.epoch += 1;
        side.skipping = true;
        side.partial = false;
        Step::Done
    }

    fn resync(&self, _dir: Dir, data: &[u8], _hint: &Hint) -> Option<usize> {
        link::find_begin(data)
    }

    fn wake(&mut self, cx: &mut Cx<'_>) {
        self.expire_early(cx);
        self.expire(cx);
    }

    fn close(&mut self, cx: &mut Cx<'_>) {
        while !self.early.is_empty() {
            self.take_early(0, cx);
        }
        while let Some(held) = self.waiting.pop() {
            self.unanswered(held, cx);
        }
        if self.sides.iter().any(|s| s.partial) {
            cx.anomaly(Self::NAME, "frame_cut", b"");
        }
        if self.transport.unfinished() {
            cx.anomaly(Self::NAME, "fragment_unfinished", b"");
        }
    }
}

impl Dnp3 {
    /// One link frame; gives back how many of its bytes are done with. When a block is damaged and another header stands inside the
    /// frame, the frame was cut there.
    fn frame(&mut self, dir: Dir, link: link::Header, frame: &[u8], cx: &mut Cx<'_>) -> usize {
        if !std::mem::replace(&mut self.sided, true) && (dir == Dir::Orig) != link.by_master() {
            cx.server_is_originator();
        }
        let mut data = Vec::with_capacity(link.user_data());
        let crc_ok = link::user_data(link, frame, &mut data);
        let carries = link.may_carry() && link.user_data() > 0;
        let octet = frame.get(link::HEADER).filter(|_| carries).map(|o| Octet(*o));
        let envelope = Envelope { link, crc_ok, octet, segments: None };
        if !link.is_known() {
            cx.anomaly(Self::NAME, "unknown_link_function", format!("function `{}`", link.function()).as_bytes());
        }
        match octet {
            None if link.user_data() > 0 => {
                let name = table::link_function_name(link.prm(), link.function());
                cx.anomaly(Self::NAME, "unexpected_user_data", name.as_bytes());
                emit::frame(&envelope, cx);
            }
            None => {
                // The keep-alive of DNP3 over TCP (IEEE 1815 §13.2.3): request and status of the link.
                cx.fact(Body::Alive { proto: Self::NAME });
                self.plain(&envelope, 0, cx);
            }
            Some(_) if !crc_ok => {
                cx.anomaly(Self::NAME, "crc_error", b"");
                emit::frame(&envelope, cx);
                self.sides[dir.index()].skipping = true;
                let inner = frame.get(link::HEADER..).unwrap_or_default();
                return link::find_begin(inner).map_or(frame.len(), |n| link::HEADER + n);
            }
            Some(octet) => self.segment(dir, envelope, octet, data.get(1..).unwrap_or_default(), cx),
        }
        frame.len()
    }

    /// One transport segment.
    fn segment(&mut self, dir: Dir, mut envelope: Envelope, octet: Octet, data: &[u8], cx: &mut Cx<'_>) {
        let epoch = self.sides[dir.index()].epoch;
        let (segment, lost) = self.transport.segment(envelope.link, octet, data, epoch, cx.limits);
        if let Some(reason) = lost {
            cx.anomaly(Self::NAME, reason, b"");
        }
        match segment {
            Segment::Whole(bytes, segments) => {
                envelope.segments = Some(segments);
                self.fragment(envelope, bytes, cx);
            }
            Segment::Part => self.plain(&envelope, 1, cx),
            Segment::Stray(reason) => {
                cx.anomaly(Self::NAME, reason, b"");
                emit::frame(&envelope, cx);
            }
        }
    }

    /// A frame that completes no fragment and has nothing wrong with it.
    fn plain(&mut self, envelope: &Envelope, kind: u8, cx: &mut Cx<'_>) {
        let link = envelope.link;
        let asked = (kind, link.src, link.dst, link.control & !0x20);
        let is_repeat = cx.tells_repeats() && self.repeats.is_repeat(asked, 0u64, cx.limits);
        cx.exchange(is_repeat, |cx| emit::frame(envelope, cx));
    }

    /// Takes a fragment in; an answer that nobody asked for yet waits for its request a moment, and what follows it of the same answer too.
    fn fragment(&mut self, envelope: Envelope, bytes: Vec<u8>, cx: &mut Cx<'_>) {
        self.pass_over(&envelope, &bytes, cx);
        if self.is_early(&envelope, &bytes) || self.goes_on(&envelope, &bytes) {
            if self.early.len() >= EARLY_ANSWERS {
                self.take_early(0, cx);
            }
            self.early.push_back(Early { at: cx.at, dir: cx.dir, envelope, bytes });
            return cx.wake(cx.now().plus(EARLY));
        }
        self.fragment_in_order(envelope, bytes, cx);
        self.release(cx);
    }

    /// Whether a fragment is the first of an answer that no request waits for, and no copy of the last one.
    fn is_early(&self, envelope: &Envelope, bytes: &[u8]) -> bool {
        let Some(fragment) = Fragment::parse(bytes).filter(|f| f.function == function::RESPONSE && f.fir()) else {
            return false;
        };
        let (master, outstation) = envelope.link.answer_pair();
        let last = self.pairs.last_answer((master, outstation));
        last != Some(fragment.seq()) && !self.waiting.has(&(master, outstation, fragment.seq(), false))
    }

    /// Whether a fragment belongs to an answer whose first one waits.
    fn goes_on(&self, envelope: &Envelope, bytes: &[u8]) -> bool {
        let follows = Fragment::parse(bytes).is_some_and(|f| f.function == function::RESPONSE && !f.fir());
        follows && self.early.iter().any(|e| e.envelope.link.answer_pair() == envelope.link.answer_pair())
    }

    /// Gives up the answers that a master has gone past: it confirms them, or asks by a later number, so that their request does not come.
    fn pass_over(&mut self, envelope: &Envelope, bytes: &[u8], cx: &mut Cx<'_>) {
        if self.early.is_empty() {
            return;
        }
        let Some(fragment) = Fragment::parse(bytes).filter(|f| !app::is_answer(f.function) && !f.uns()) else { return };
        let pair = (envelope.link.src, envelope.link.dst);
        let is_past = |early: &Early| {
            let seq = Fragment::parse(&early.bytes).map_or(0, |f| f.seq());
            let behind = fragment.seq().wrapping_sub(seq) & 0x0f;
            early.envelope.link.answer_pair() == pair
                && behind < 8
                && (behind > 0 || fragment.function == function::CONFIRM)
        };
        while let Some(at) = self.early.iter().position(is_past) {
            self.take_early(at, cx);
        }
    }

    fn expire_early(&mut self, cx: &mut Cx<'_>) {
        while self.early.front().is_some_and(|e| cx.now().since(e.at.ts).unsigned_abs() >= EARLY as u64) {
            self.take_early(0, cx);
        }
        if let Some(early) = self.early.front() {
            cx.wake(early.at.ts.plus(EARLY));
        }
    }

    /// Takes in those that waited whose requests have come, and what goes on after them.
    fn release(&mut self, cx: &mut Cx<'_>) {
        let mut at = 0;
        while let Some(early) = self.early.get(at) {
            let pair = early.envelope.link.answer_pair();
            let is_behind = self.early.iter().take(at).any(|e| e.envelope.link.answer_pair() == pair);
            if is_behind || self.is_early(&early.envelope, &early.bytes) {
                at += 1;
            } else {
                self.take_early(at, cx);
            }
        }
    }

    /// Takes in one that waited. It stands in its own frame, at the place in the order of the one at hand.
    fn take_early(&mut self, at: usize, cx: &mut Cx<'_>) {
        let Some(Early { at: stood, dir, envelope, bytes }) = self.early.remove(at) else { return };
        let (now, sender) = (cx.at, cx.dir);
        cx.at = At { ts: stood.ts, frame: stood.frame, file: stood.file, ..now };
        cx.dir = dir;
        self.fragment_in_order(envelope, bytes, cx);
        (cx.at, cx.dir) = (now, sender);
    }

    fn fragment_in_order(&mut self, envelope: Envelope, bytes: Vec<u8>, cx: &mut Cx<'_>) {
        let Some(fragment) = Fragment::parse(&bytes) else {
            cx.anomaly(Self::NAME, "fragment_too_short", b"");
            return emit::frame(&envelope, cx);
        };
        let answer = app::is_answer(fragment.function);
        let unit = if answer { envelope.link.src } else { envelope.link.dst };
        let digest = facts::digest(&fragment, unit, facts::cap(bytes.len(), cx), cx);
        self.check(&envelope, &fragment, &digest, cx);
        self.roles(answer, cx);
        if digest.walked.left_out > 0 {
            cx.hit(Limit::ChildRows);
        }
        match fragment.function {
            function::CONFIRM => self.confirmation(&envelope, &fragment, &bytes, &digest, cx),
            function::UNSOLICITED => self.report(envelope, bytes, digest, cx),
            _ if answer => self.answer(&envelope, &fragment, &bytes, &digest, cx),
            _ => self.request(envelope, bytes, digest, cx),
        }
    }

    /// Says what is wrong with a fragment.
    fn check(&mut self, envelope: &Envelope, fragment: &Fragment<'_>, digest: &Digest, cx: &mut Cx<'_>) {
        let name = table::function_name(fragment.function);
        let detail = name.unwrap_or("unknown").as_bytes();
        if name.is_none() {
            cx.anomaly(Self::NAME, "unknown_function", format!("function `{}`", fragment.function).as_bytes());
        }
        let answer = app::is_answer(fragment.function);
        if answer && fragment.iin.is_none() {
            cx.anomaly(Self::NAME, "fragment_too_short", detail);
        }
        if answer == envelope.link.by_master() {
            cx.anomaly(Self::NAME, "direction_contradicts_function", detail);
        }
        if let Some(fault) = digest.walked.fault {
            cx.anomaly(Self::NAME, fault.0, detail);
        }
    }

    fn roles(&mut self, answer: bool, cx: &mut Cx<'_>) {
        let (seen, role) =
            if answer { (&mut self.outstation_seen, "outstation") } else { (&mut self.master_seen, "master") };
        if !std::mem::replace(seen, true) {
            cx.fact(Body::Role(role));
        }
    }
}
