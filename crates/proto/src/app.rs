//! The state of one flow above its transport: which protocol it speaks, its parser, and the bytes not yet consumed.

use std::panic::{AssertUnwindSafe, catch_unwind};

use gwcore::{Body, Limit};

use crate::{At, Carrier, Cx, Dir, Hint, Mark, ParserSet, Probe, Step};

/// Whether the protocol of a flow is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Not yet.
    Probing,
    /// It is.
    Known,
    /// It will not be: too many bytes without a match, or a parser gave up.
    Unknown,
}

enum State<P> {
    Probing,
    Active(P),
    Unknown,
}

/// One direction: bytes not consumed, how many must be there before the parser is called, and whether the position is lost.
#[derive(Default)]
struct Side {
    buffer: Vec<u8>,
    need: usize,
    lost: bool,
    gap_before: bool,
    best: Option<(usize, Probe)>,
    /// Where in the buffer another protocol may begin.
    late: Option<usize>,
    /// Which frames the bytes of the buffer came in while the protocol is not known: when in the order of the flow, where, and how many.
    parts: Vec<Part>,
    /// Where the last bytes stood.
    last: Option<At>,
}

/// Bytes of one delivery.
struct Part {
    order: u64,
    at: At,
    len: usize,
}

/// Deliveries of a side that are told apart while its protocol is not known, and messages that wait for a second opinion with their bytes.
const PARTS: usize = 256;
const HELD: usize = 16;
const HELD_BYTES: usize = 16 << 10;

impl Side {
    /// Adds bytes that wait for their protocol to be recognised.
    fn hold(&mut self, data: &[u8], order: u64, at: At) {
        self.buffer.extend_from_slice(data);
        let is_full = self.parts.len() >= PARTS;
        match self.parts.last_mut().filter(|_| is_full) {
            Some(last) => last.len += data.len(),
            None => self.parts.push(Part { order, at, len: data.len() }),
        }
    }

    /// Takes out what was held, cut as it came.
    fn held(&mut self, dir: Dir) -> Vec<(u64, At, Dir, Vec<u8>)> {
        let (bytes, parts) = (std::mem::take(&mut self.buffer), std::mem::take(&mut self.parts));
        // What was cut off the front belonged to the first parts.
        let mut skip = parts.iter().map(|p| p.len).sum::<usize>().saturating_sub(bytes.len());
        let mut rest = &bytes[..];
        let mut held = Vec::new();
        for Part { order, at, len } in parts {
            let gone = skip.min(len);
            skip -= gone;
            let (now, after) = rest.split_at((len - gone).min(rest.len()));
            rest = after;
            if !now.is_empty() {
                held.push((order, at, dir, now.to_vec()));
            }
        }
        held
    }
}

/// The state of one flow above its transport. `Default` is a flow that has said nothing.
pub struct App<P> {
    state: State<P>,
    sides: [Side; 2],
    children: Vec<(u32, App<P>)>,
    /// Panics contained in this flow.
    pub panics: u32,
    service: &'static str,
    is_ot: bool,
    /// What came.
    came: Payload,
    /// What no parser took.
    unread: Payload,
    /// Segments that wait for their protocol to be recognised.
    waiting: u64,
    /// Messages that may be of a protocol, until one of the other side says so too.
    held: Vec<(At, Dir, Vec<u8>)>,
}

impl<P> Default for App<P> {
    fn default() -> Self {
        App {
            state: State::Probing,
            sides: Default::default(),
            children: Vec::new(),
            panics: 0,
            service: "",
            is_ot: false,
            came: Payload::default(),
            unread: Payload::default(),
            waiting: 0,
            held: Vec::new(),
        }
    }
}

/// Payload that came and was not read: messages or segments, and bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Payload {
    /// Messages, or segments of a stream.
    pub packets: u64,
    /// Their bytes; of a segment read in part, those that were not.
    pub bytes: u64,
}

impl Payload {
    /// Counts one more.
    pub fn add(&mut self, bytes: usize) {
        self.packets = self.packets.saturating_add(1);
        self.bytes = self.bytes.saturating_add(bytes as u64);
    }

    fn take_in(&mut self, other: Payload) {
        self.packets = self.packets.saturating_add(other.packets);
        self.bytes = self.bytes.saturating_add(other.bytes);
    }
}

/// Sub-conversations of one parent that have a parser of their own; further ones go undecoded.
const CHILDREN: usize = 16;
/// Calls into a parser for one delivery: one per byte is more than any message needs, plus a constant for empty ones.
const STEPS_EXTRA: usize = 16;

impl<P: ParserSet> App<P> {
    /// Name of the protocol, empty while it is not known.
    pub fn service(&self) -> &'static str {
        self.service
    }

    /// Whether a utility protocol was recognised.
    pub fn is_ot(&self) -> bool {
        self.is_ot
    }

    /// Payload that came.
    pub fn came(&self) -> Payload {
        self.came
    }

    /// Payload of it that no parser took: it was none's, or its position in the stream was lost.
    pub fn unread(&self) -> Payload {
        let mut all = self.unread;
        self.held.iter().for_each(|(.., data)| all.add(data.len()));
        self.children.iter().for_each(|(_, child)| all.take_in(child.unread()));
        all
    }

    /// Payload that is read elsewhere, outside of parsers.
    pub fn read_elsewhere(&mut self, bytes: usize) {
        if bytes > 0 {
            self.came.add(bytes);
        }
    }

    /// Payload that no parser is made for.
    pub fn not_read(&mut self, bytes: usize) {
        if bytes > 0 {
            self.came.add(bytes);
            self.unread.add(bytes);
        }
    }

    /// Whether the protocol is known.
    pub fn verdict(&self) -> Verdict {
        match self.state {
            State::Probing => Verdict::Probing,
            State::Active(_) => Verdict::Known,
            State::Unknown => Verdict::Unknown,
        }
    }

    /// Bytes held for parsers.
    pub fn buffered(&self) -> usize {
        self.sides.iter().map(|s| s.buffer.len()).sum()
    }

    /// New bytes of one direction of a stream, or one whole datagram, frame or payload.
    pub fn data(&mut self, dir: Dir, data: &[u8], cx: &mut Cx<'_>) {
        if data.is_empty() {
            return;
        }
        cx.dir = dir;
        self.came.add(data.len());
        match (&self.state, cx.carrier) {
            (State::Unknown, _) => return self.unread.add(data.len()),
            (State::Probing, Carrier::Stream) => {
                self.waiting += 1;
                self.probe_stream(dir, data, cx);
            }
            (State::Probing, _) => self.probe_message(dir, data, cx),
            (State::Active(_), Carrier::Stream) => self.feed_stream(dir, data, cx),
            (State::Active(_), _) => self.feed_message(dir, data, cx),
        }
        self.serve_children(cx);
    }

    /// Bytes of a stream that will never come.
    pub fn gap(&mut self, dir: Dir, missing: u64, cx: &mut Cx<'_>) {
        cx.dir = dir;
        let side = &mut self.sides[dir.index()];
        match self.state {
            State::Active(_) => {
                let is_lost = side.lost;
                self.cut(dir, cx);
                if !is_lost {
                    let step = self.call(cx, |p, cx| p.gap(dir, missing, cx));
                    self.after_single(dir, step, cx);
                }
            }
            State::Probing => {
                self.unread.bytes += side.buffer.len() as u64;
                side.buffer.clear();
                side.parts.clear();
                side.gap_before = true;
                side.best = None;
            }
            State::Unknown => {}
        }
        self.serve_children(cx);
    }

    /// The receiver of `dir` has acknowledged bytes that were not seen, and goes on.
    pub fn unseen(&mut self, dir: Dir, cx: &mut Cx<'_>) {
        if !matches!(self.state, State::Active(_)) {
            return;
        }
        cx.dir = dir;
        let side = &mut self.sides[dir.index()];
        let held = if side.lost { Vec::new() } else { std::mem::take(&mut side.buffer) };
        let (last, now) = (side.last, cx.at);
        if let Some(at) = last.filter(|_| !held.is_empty()) {
            cx.at = At { ts: at.ts, frame: at.frame, file: at.file, ..now };
        }
        let mut taken = false;
        self.call(cx, |p, cx| {
            taken = p.unseen(dir, &held, cx);
            Step::Done
        });
        cx.at = now;
        let side = &mut self.sides[dir.index()];
        if taken {
            side.need = 0;
        } else if matches!(self.state, State::Active(_)) {
            side.buffer = held;
        }
        self.serve_children(cx);
    }

    /// Hands the parser the beginning of a message whose rest will never come.
    fn cut(&mut self, dir: Dir, cx: &mut Cx<'_>) {
        let side = &mut self.sides[dir.index()];
        let data = std::mem::take(&mut side.buffer);
        side.need = 0;
        if !matches!(self.state, State::Active(_)) {
            self.unread.bytes += data.len() as u64;
        }
        if side.lost || data.is_empty() {
            return;
        }
        // The message stands where its last bytes came.
        let last = side.last;
        let now = cx.at;
        if let Some(at) = last {
            cx.at = At { ts: at.ts, frame: at.frame, file: at.file, ..now };
        }
        cx.dir = dir;
        self.call(cx, |p, cx| {
            p.cut(dir, &data, cx);
            Step::Done
        });
        cx.at = now;
    }

    /// The time asked for has come.
    pub fn wake(&mut self, cx: &mut Cx<'_>) {
        self.call(cx, |p, cx| {
            p.wake(cx);
            Step::Done
        });
        self.serve_children(cx);
        for (_, child) in &mut self.children {
            child.wake(cx);
        }
    }

    /// The flow is over. `whole` tells of each side whether it was heard without a gap to the end that it announced: what then is left of
    /// a message is one that its sender did not finish, not one that the capture cut.
    pub fn close(&mut self, whole: [bool; 2], cx: &mut Cx<'_>) {
        if let (State::Probing, Carrier::Stream) = (&self.state, cx.carrier) {
            self.settle(cx, true);
        }
        let told = cx.anomalies();
        let left = [0, 1].map(|i| if self.sides[i].lost { 0 } else { self.sides[i].buffer.len() });
        if cx.carrier == Carrier::Stream {
            [Dir::Orig, Dir::Resp].into_iter().for_each(|dir| self.cut(dir, cx));
        }
        self.call(cx, |p, cx| {
            p.close(cx);
            Step::Done
        });
        if cx.anomalies() == told {
            self.unfinished(whole, left, cx);
        }
        self.serve_children(cx);
        for (_, mut child) in std::mem::take(&mut self.children) {
            child.close([false; 2], cx);
            self.unread.take_in(child.unread());
        }
        self.give_up();
    }

    /// Says of each side that ended within a message, of which so many bytes are there, that it did; a parser that had more to say about it
    /// has done so.
    fn unfinished(&mut self, whole: [bool; 2], left: [usize; 2], cx: &mut Cx<'_>) {
        if !matches!((&self.state, cx.carrier), (State::Active(_), Carrier::Stream)) {
            return;
        }
        for dir in [Dir::Orig, Dir::Resp] {
            let left = left[dir.index()];
            if whole[dir.index()] && left > 0 {
                let detail = format!("{left} bytes of a message");
                cx.dir = dir;
                cx.anomaly(self.service, "message_unfinished", detail.as_bytes());
            }
        }
    }

    fn give_up(&mut self) {
        if let State::Probing = self.state {
            let bytes = self.sides.iter().map(|s| s.buffer.len() as u64).sum();
            self.unread.take_in(Payload { packets: std::mem::take(&mut self.waiting), bytes });
        }
        self.state = State::Unknown;
        self.sides = Default::default();
    }

    fn hint(&self, dir: Dir, cx: &Cx<'_>) -> Hint {
        let (a, b) = (cx.flow.src_port, cx.flow.dst_port);
        let (src_port, dst_port) = if dir == Dir::Orig { (a, b) } else { (b, a) };
        Hint { carrier: cx.carrier, src_port, dst_port, from_start: !self.sides[dir.index()].gap_before }
    }

    /// The surest parser for these bytes, the earlier in the table when two are equally sure.
    fn best(&self, dir: Dir, head: &[u8], cx: &Cx<'_>) -> Option<(usize, Probe)> {
        let hint = self.hint(dir, cx);
        let mut best: Option<(usize, Probe)> = None;
        for index in 0..P::COUNT {
            let probe = contained(|| P::probe(index, head, &hint)).unwrap_or(Probe::No);
            if probe > best.map_or(Probe::No, |b| b.1) {
                best = Some((index, probe));
            }
            if probe == Probe::Certain {
                break;
            }
        }
        best
    }

    fn probe_message(&mut self, dir: Dir, data: &[u8], cx: &mut Cx<'_>) {
        if let Some((index, probe)) = self.best(dir, data, cx)
            && probe >= Probe::Maybe
        {
            let other = self.sides[dir.flip().index()].best;
            self.sides[dir.index()].best = Some((index, probe));
            if probe == Probe::Certain || other.is_some_and(|(i, _)| i == index) {
                self.start(index, cx);
                let now = cx.at;
                for (at, dir, data) in std::mem::take(&mut self.held) {
                    cx.at = At { ts: at.ts, frame: at.frame, file: at.file, ..now };
                    cx.dir = dir;
                    match self.state {
                        State::Active(_) => self.feed_message(dir, &data, cx),
                        _ => self.unread.add(data.len()),
                    }
                }
                (cx.at, cx.dir) = (now, dir);
                return match self.state {
                    State::Active(_) => self.feed_message(dir, data, cx),
                    _ => self.unread.add(data.len()),
                };
            }
            let bytes: usize = self.held.iter().map(|(.., d)| d.len()).sum();
            if self.held.len() < HELD && bytes + data.len() <= HELD_BYTES {
                return self.held.push((cx.at, dir, data.to_vec()));
            }
        }
        self.unread.add(data.len());
    }

    fn probe_stream(&mut self, dir: Dir, data: &[u8], cx: &mut Cx<'_>) {
        let room = cx.limits.get(Limit::ProbeBytes).max(64);
        let side = &mut self.sides[dir.index()];
        let before = side.buffer.len();
        let order = self.waiting;
        side.hold(data, order, cx.at);
        if side.best.is_none_or(|b| b.1 < Probe::Maybe) {
            let head = std::mem::take(&mut self.sides[dir.index()].buffer);
            let best = self.best(dir, head.get(..room).unwrap_or(&head), cx);
            let late = self.late(dir, &head, before, cx);
            let side = &mut self.sides[dir.index()];
            side.buffer = head;
            side.best = best;
            if best.is_none_or(|b| b.1 < Probe::Maybe)
                && let Some(index) = late
            {
                let begin = side.late.unwrap_or(before).min(side.buffer.len());
                side.buffer.drain(..begin);
                let other = std::mem::take(&mut self.sides[dir.flip().index()]);
                let bytes = (begin + other.buffer.len()) as u64;
                let packets = std::mem::take(&mut self.waiting).saturating_sub(1);
                self.unread.take_in(Payload { packets, bytes });
                return self.start_stream(index, cx);
            }
        }
        self.settle(cx, false);
    }

    /// The protocol that certainly begins with the bytes just come, or with those before them that left it open.
    fn late(&mut self, dir: Dir, head: &[u8], before: usize, cx: &Cx<'_>) -> Option<usize> {
        let known = [Dir::Orig, Dir::Resp].into_iter().any(|d| match self.sides[d.index()].best {
            Some((_, Probe::Certain)) => true,
            Some((index, Probe::Maybe)) if d == dir => self.may_be(index, d.flip(), self.head(d.flip()), cx),
            Some((index, Probe::Maybe)) => self.may_be(index, dir, head, cx),
            _ => false,
        });
        if known || (before == 0 && self.sides[dir.flip().index()].buffer.is_empty()) {
            return None;
        }
        let (hint, room) = (self.hint(dir, cx), cx.limits.get(Limit::ProbeBytes).max(64));
        let from = self.sides[dir.index()].late.unwrap_or(before);
        let bytes = head.get(from..).unwrap_or_default();
        let bytes = bytes.get(..room).unwrap_or(bytes);
        let probe = |index| contained(|| P::probe(index, bytes, &hint)).unwrap_or(Probe::No);
        let mut probes = (0..P::COUNT).filter(|index| P::begins_late(*index)).map(|index| (index, probe(index)));
        let sure = probes.by_ref().max_by_key(|p| p.1).filter(|p| p.1 > Probe::No);
        self.sides[dir.index()].late = sure.map(|_| from);
        sure.filter(|p| p.1 == Probe::Certain).map(|p| p.0)
    }

    /// Decides when one side is certain, or both agree, or no more is to come.
    fn settle(&mut self, cx: &mut Cx<'_>, last: bool) {
        let room = cx.limits.get(Limit::ProbeBytes).max(64);
        let [a, b] = [self.sides[0].best, self.sides[1].best];
        let certain = [a, b].into_iter().flatten().find(|c| c.1 == Probe::Certain);
        let agreed = match (a, b) {
            (Some((i, Probe::Maybe)), Some((j, Probe::Maybe))) if i == j => a,
            (Some((i, Probe::Maybe)), _) if last && self.may_be(i, Dir::Resp, self.head(Dir::Resp), cx) => a,
            (_, Some((i, Probe::Maybe))) if last && self.may_be(i, Dir::Orig, self.head(Dir::Orig), cx) => b,
            _ => None,
        };
        if let Some((index, _)) = certain.or(agreed) {
            return self.start_stream(index, cx);
        }
        if self.sides.iter().any(|s| s.buffer.len() >= room && s.best.is_none_or(|b| b.1 < Probe::Maybe))
            || self.sides.iter().map(|s| s.buffer.len()).sum::<usize>() > 8 * room
        {
            if self.sides.iter().any(|s| s.buffer.len() >= room) {
                cx.hit(Limit::ProbeBytes);
            }
            if self.sides.iter().all(|s| !s.buffer.is_empty()) {
                cx.fact_at(Mark { dir: Dir::Orig, ..cx.mark() }, Body::Unread);
            }
            self.give_up();
        }
    }

    /// What a side said so far.
    fn head(&self, dir: Dir) -> &[u8] {
        &self.sides[dir.index()].buffer
    }

    /// Whether what a side said, if anything, does not contradict a protocol.
    fn may_be(&self, index: usize, dir: Dir, head: &[u8], cx: &Cx<'_>) -> bool {
        let (hint, room) = (self.hint(dir, cx), cx.limits.get(Limit::ProbeBytes).max(64));
        let head = head.get(..room).unwrap_or(head);
        head.is_empty() || contained(|| P::probe(index, head, &hint)).unwrap_or(Probe::No) > Probe::No
    }

    fn start(&mut self, index: usize, cx: &mut Cx<'_>) {
        let Some(parser) = P::start(index) else { return };
        self.service = parser.name();
        self.is_ot |= parser.is_ot();
        self.state = State::Active(parser);
        self.waiting = 0;
        let _ = cx;
    }

    /// Starts a parser and gives it what both sides said so far, in the order it came.
    fn start_stream(&mut self, index: usize, cx: &mut Cx<'_>) {
        self.start(index, cx);
        let (dir, now) = (cx.dir, cx.at);
        let mut held = Vec::new();
        for d in [Dir::Orig, Dir::Resp] {
            let side = &mut self.sides[d.index()];
            side.lost = side.gap_before;
            held.extend(side.held(d));
        }
        held.sort_by_key(|(order, ..)| *order);
        for (_, at, d, bytes) in held {
            // Each stands in its own frame, at the place in the order of the one at hand.
            cx.at = At { ts: at.ts, frame: at.frame, file: at.file, ..now };
            cx.dir = d;
            match self.state {
                State::Active(_) => self.feed_stream(d, &bytes, cx),
                // The parser found that another protocol follows: it is probed for.
                State::Probing => {
                    self.waiting += 1;
                    self.probe_stream(d, &bytes, cx);
                }
                State::Unknown => self.unread.add(bytes.len()),
            }
        }
        (cx.at, cx.dir) = (now, dir);
        if self.verdict() == Verdict::Known {
            let server_is_responder = !cx.effects.server_is_originator;
            cx.fact(Body::Service { proto: self.service, server_is_responder });
        }
    }

    fn feed_message(&mut self, dir: Dir, data: &[u8], cx: &mut Cx<'_>) {
        let known = matches!(self.state, State::Active(_)) && self.sides[dir.index()].need == 0;
        let step = self.call(cx, |p, cx| p.feed(dir, data, cx));
        if step == Some(Step::NotMine) {
            self.state = State::Probing;
            self.service = "";
            self.unread.add(data.len());
        } else if known && self.sides[0].need == 0 && self.sides[1].need == 0 {
            self.sides[0].need = 1;
            self.sides[1].need = 1;
            let server_is_responder = !cx.effects.server_is_originator;
            cx.fact(Body::Service { proto: self.service, server_is_responder });
        }
    }

    fn feed_stream(&mut self, dir: Dir, data: &[u8], cx: &mut Cx<'_>) {
        let i = dir.index();
        self.sides[i].last = Some(cx.at);
        let mut held = std::mem::take(&mut self.sides[i].buffer);
        let joined = if held.is_empty() {
            data
        } else {
            held.extend_from_slice(data);
            if held.len() < self.sides[i].need {
                self.sides[i].buffer = held;
                return self.check_room(dir, cx);
            }
            &held[..]
        };
        let left = self.consume(dir, joined, cx);
        let rest = joined.get(joined.len() - left.min(joined.len())..).unwrap_or_default();
        if matches!(self.state, State::Active(_)) && !rest.is_empty() {
            let mut keep = std::mem::take(&mut self.sides[i].buffer);
            keep.clear();
            keep.extend_from_slice(rest);
            self.sides[i].buffer = keep;
            self.check_room(dir, cx);
        }
    }

    fn check_room(&mut self, dir: Dir, cx: &mut Cx<'_>) {
        let side = &mut self.sides[dir.index()];
        if side.buffer.len() > cx.limits.get(Limit::ParserBytes) {
            let missing = side.buffer.len() as u64;
            side.buffer = Vec::new();
            side.need = 0;
            self.unread.bytes += missing;
            cx.hit(Limit::ParserBytes);
            let step = self.call(cx, |p, cx| p.gap(dir, missing, cx));
            self.after_single(dir, step, cx);
        }
    }

    /// Calls the parser until it has consumed what it can; gives back how many bytes are left over.
    fn consume(&mut self, dir: Dir, data: &[u8], cx: &mut Cx<'_>) -> usize {
        let mut at = 0;
        for _ in 0..data.len() + STEPS_EXTRA {
            let rest = data.get(at..).unwrap_or_default();
            if self.sides[dir.index()].lost {
                let hint = self.hint(dir, cx);
                let State::Active(p) = &self.state else { return 0 };
                match contained(|| p.resync(dir, rest, &hint)).flatten() {
                    Some(n) if n <= rest.len() => {
                        self.sides[dir.index()].lost = false;
                        self.unread.bytes += n as u64;
                        at += n;
                        continue;
                    }
                    _ => {
                        self.unread.add(rest.len());
                        return 0;
                    }
                }
            }
            match self.call(cx, |p, cx| p.feed(dir, rest, cx)) {
                Some(Step::Need { consumed, more }) => {
                    let consumed = consumed.min(rest.len());
                    let left = rest.len() - consumed;
                    at += consumed;
                    if more <= left && consumed == 0 {
                        break;
                    }
                    if left == 0 || more > left {
                        self.sides[dir.index()].need = more.max(left + 1);
                        return left;
                    }
                }
                Some(Step::Lost) => {
                    self.sides[dir.index()].lost = true;
                    self.unread.add(rest.len());
                    cx.anomaly(self.service, "lost_position", b"");
                    return 0;
                }
                Some(Step::NotMine) => {
                    self.unread.add(rest.len());
                    cx.anomaly(self.service, "protocol_left", b"");
                    self.give_up();
                    return 0;
                }
                Some(Step::Changed { consumed }) => {
                    self.change(dir, rest.get(consumed..).unwrap_or_default(), cx);
                    return 0;
                }
                Some(Step::Done) | None => {
                    self.sides[dir.index()].need = 0;
                    return 0;
                }
            }
        }
        self.unread.add(data.len().saturating_sub(at));
        cx.anomaly(self.service, "parser_stuck", b"");
        self.give_up();
        0
    }

    /// The parser has done its part: what follows is probed as if the stream began here.
    fn change(&mut self, dir: Dir, rest: &[u8], cx: &mut Cx<'_>) {
        self.call(cx, |p, cx| {
            p.close(cx);
            Step::Done
        });
        self.state = State::Probing;
        for side in &mut self.sides {
            let buffer = std::mem::take(&mut side.buffer);
            let parts = Vec::from([Part { order: 0, at: cx.at, len: buffer.len() }]);
            *side = Side { buffer, parts, gap_before: side.lost, ..Side::default() };
        }
        if !rest.is_empty() {
            self.probe_stream(dir, rest, cx);
        }
    }

    fn after_single(&mut self, dir: Dir, step: Option<Step>, cx: &mut Cx<'_>) {
        match step {
            Some(Step::Lost | Step::Need { .. } | Step::Changed { .. }) => self.sides[dir.index()].lost = true,
            Some(Step::NotMine) => {
                cx.anomaly(self.service, "protocol_left", b"");
                self.give_up();
            }
            Some(Step::Done) | None => {}
        }
    }

    /// Calls into the parser, containing its panics; none when there is no parser (any more).
    fn call(&mut self, cx: &mut Cx<'_>, f: impl FnOnce(&mut P, &mut Cx<'_>) -> Step) -> Option<Step> {
        let State::Active(parser) = &mut self.state else { return None };
        let step = contained(|| f(parser, cx));
        if step.is_none() {
            self.panics = self.panics.saturating_add(1);
            cx.anomaly(self.service, "parser_panic", b"");
            self.give_up();
        }
        step
    }

    fn serve_children(&mut self, cx: &mut Cx<'_>) {
        let depth_limit = cx.limits.get(Limit::Nesting);
        for _ in 0..depth_limit {
            let queued = std::mem::take(&mut cx.effects.children);
            if queued.is_empty() {
                return;
            }
            for child in queued {
                let carrier = std::mem::replace(&mut cx.carrier, Carrier::Child(child.parent));
                let dir = std::mem::replace(&mut cx.dir, child.dir);
                self.child(child.key, child.parent, cx).inspect_mut(|app| app.data(child.dir, &child.data, cx));
                cx.carrier = carrier;
                cx.dir = dir;
            }
            self.adopt_services();
        }
        cx.effects.children.clear();
    }

    /// The child of one sub-conversation, made when it is first spoken to.
    fn child(&mut self, key: u32, parent: &'static str, cx: &mut Cx<'_>) -> ChildSlot<'_, P> {
        let key = key ^ parent.len() as u32;
        let found = self.children.iter().position(|(k, _)| *k == key);
        let index = match found {
            Some(i) => Some(i),
            None if self.children.len() < CHILDREN => {
                self.children.push((key, App::default()));
                Some(self.children.len() - 1)
            }
            None => {
                cx.anomaly(self.service, "too_many_children", b"");
                None
            }
        };
        ChildSlot(index.and_then(|i| self.children.get_mut(i)).map(|(_, app)| app))
    }

    /// The innermost protocol names the flow.
    fn adopt_services(&mut self) {
        for (_, child) in &self.children {
            self.panics = self.panics.max(child.panics);
            if !child.service.is_empty() {
                self.service = child.service;
                self.is_ot |= child.is_ot;
            }
        }
    }
}

struct ChildSlot<'a, P>(Option<&'a mut App<P>>);

impl<P> ChildSlot<'_, P> {
    fn inspect_mut(self, f: impl FnOnce(&mut App<P>)) {
        if let Some(app) = self.0 {
            f(app);
        }
    }
}

/// Runs code of a parser; none when it panicked. Its state is dropped by the caller, so nothing broken is looked at again.
fn contained<T>(f: impl FnOnce() -> T) -> Option<T> {
    catch_unwind(AssertUnwindSafe(f)).ok()
}
