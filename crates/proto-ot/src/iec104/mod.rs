//! IEC 60870-5-104: every APDU with its control field, every ASDU with cause, addresses, values, quality and time, activations paired with
//! their confirmations and terminations (IEC 60870-5-101:2003, IEC 60870-5-104:2006, IEC TS 60870-5-7 for security).
//!
//! Sizes are those of -104: cause of transmission 2 octets, common address 2, information object address 3. The master is the side that starts
//! data transfer or commands. Limits: `Limit::Pending` activations wait for 30 s, as many confirmed ones 300 s for their termination;
//! `Limit::Repeats` shapes of monitored data are remembered for the summary. Time tags are read as UTC.

mod apci;
mod asdu;
mod element;
mod facts;
mod record;
mod state;
mod table;
#[cfg(test)]
mod tests;
mod time;
#[cfg(test)]
mod vectors;

use std::collections::VecDeque;
use std::hash::{Hash, Hasher};

use gwcore::time::MILLI;
use gwcore::{Body, Limit, Span};
use proto::{At, Carrier, Cx, Dir, Hint, Mark, Parser, Probe, Repeats, Step};

pub use record::{Iec104Columns, Iec104Object, Iec104ObjectColumns, Iec104Pdu};

use apci::{Apdu, Control, Next};
use asdu::Asdu;
use record::Pair;
use state::{Key, Phase, Place, Request, Side, Waiting};

const NAME: &str = "iec104";
/// How far N(R) may lie ahead of what was seen sent, so that the requests in between are believed to come.
const AHEAD: u16 = 12;

/// Number and name of the types whose body stays whole: those of IEC TS 60870-5-7 for authentication and key maintenance.
pub(crate) fn left_raw() -> impl Iterator<Item = (u8, &'static str)> {
    let raw = |t: u8| table::type_of(t).filter(|info| info.element == table::Element::Raw).map(|info| (t, info.name));
    (0..=255).filter_map(raw)
}

/// The parser of one flow.
#[derive(Default)]
pub struct Iec104 {
    sides: [Side; 2],
    waiting: Waiting,
    repeats: Repeats,
    started: bool,
    /// Answers that wait for their requests, in their order, all of one side.
    early: VecDeque<Early>,
}

/// An answer that was captured before its request: one direction of a tap arrives a moment late.
struct Early {
    at: At,
    dir: Dir,
    bytes: Box<[u8]>,
}

/// How long an answer waits for its request to be seen.
const EARLY: i64 = 50 * MILLI;
/// Answers that wait at most.
const EARLY_ANSWERS: usize = 64;

impl Parser for Iec104 {
    const NAME: &'static str = NAME;
    const CARRIERS: &'static [Carrier] = &[Carrier::Stream];
    const IS_OT: bool = true;

    fn probe(head: &[u8], hint: &Hint) -> Probe {
        apci::probe(head, hint)
    }

    fn feed(&mut self, dir: Dir, data: &[u8], cx: &mut Cx<'_>) -> Step {
        self.start(dir, data, cx);
        self.expire(cx);
        let mut at = 0;
        while let Some(rest) = data.get(at..).filter(|r| !r.is_empty()) {
            let place = self.sides[dir.index()].place;
            if place != Place::Known {
                let found = if place == Place::Gap { apci::find(rest) } else { apci::find_any(rest) };
                match found {
                    None => return Step::Done,
                    Some((n, false)) => return Step::Need { consumed: at + n, more: rest.len() - n + 1 },
                    Some((n, true)) => at += n,
                }
                self.sides[dir.index()].place = Place::Known;
                continue;
            }
            match apci::next(rest) {
                Next::More(more) => return Step::Need { consumed: at, more },
                Next::Bad => {
                    let first = rest.first().copied().unwrap_or_default();
                    cx.anomaly(NAME, "not_an_apdu", format!("begins with `0x{first:02x}`").as_bytes());
                    self.sides[dir.index()].lose(Place::Foreign);
                }
                Next::Apdu(apdu) => {
                    self.in_order(dir, &apdu, cx);
                    at += apdu.bytes.len();
                }
            }
        }
        Step::Done
    }

    fn gap(&mut self, dir: Dir, _missing: u64, _cx: &mut Cx<'_>) -> Step {
        self.sides[dir.index()].lose(Place::Gap);
        Step::Done
    }

    fn resync(&self, _dir: Dir, data: &[u8], _hint: &Hint) -> Option<usize> {
        apci::find(data).map(|(at, _)| at)
    }

    fn wake(&mut self, cx: &mut Cx<'_>) {
        self.expire_early(cx);
        self.expire(cx);
        if let Some(at) = self.waiting.deadline() {
            cx.wake(at);
        }
    }

    fn close(&mut self, cx: &mut Cx<'_>) {
        self.release(true, cx);
        while let Some(request) = self.waiting.pop() {
            self.emit_request(&request, Pair::default(), cx);
        }
    }
}

impl Iec104 {
    /// Finds out who serves from the first bytes: by what the first telling APDU says, else by the registered port.
    fn start(&mut self, dir: Dir, data: &[u8], cx: &mut Cx<'_>) {
        if std::mem::replace(&mut self.started, true) {
            return;
        }
        let mut rest = data;
        let mut master = None;
        while let (None, Next::Apdu(apdu)) = (master, apci::next(rest)) {
            master = state::is_master(&apdu, asdu_of(&apdu).as_ref());
            rest = rest.get(apdu.bytes.len()..).unwrap_or_default();
        }
        let (a, b) = (cx.flow.src_port == apci::PORT, cx.flow.dst_port == apci::PORT);
        let originator_serves = match master {
            Some(is_master) => is_master == (dir == Dir::Resp),
            None => a && !b,
        };
        if originator_serves {
            cx.server_is_originator();
        }
    }

    fn expire(&mut self, cx: &mut Cx<'_>) {
        while let Some(request) = self.waiting.expired(cx.now()) {
            self.emit_request(&request, Pair::default(), cx);
        }
    }

    /// Takes an APDU in; an answer that tells of a request which was not seen waits for it a moment.
    fn in_order(&mut self, dir: Dir, apdu: &Apdu<'_>, cx: &mut Cx<'_>) {
        self.expire_early(cx);
        let waits = match self.early.front() {
            Some(early) => early.dir == dir,
            None => self.is_early(dir, apdu),
        };
        if waits && self.early.len() < EARLY_ANSWERS {
            self.early.push_back(Early { at: cx.at, dir, bytes: apdu.bytes.into() });
            return cx.wake(cx.now().plus(EARLY));
        }
        if waits {
            self.release(true, cx);
        }
        self.apdu(dir, apdu, cx);
        self.release(false, cx);
    }

    /// Whether an APDU answers a request that was not seen: its N(R) acknowledges it, or nobody asked for what it confirms.
    fn is_early(&self, dir: Dir, apdu: &Apdu<'_>) -> bool {
        let asdu = asdu_of(apdu);
        let phase = Phase::of(apdu, asdu.as_ref());
        match apdu.control {
            Control::U(_) if phase == Phase::Confirmation => {
                Key::of(apdu, None).is_some_and(|key| !self.waiting.asks(&key, dir))
            }
            Control::I { recv, .. } if matches!(phase, Phase::Confirmation | Phase::Termination) => {
                let sent = self.sides[dir.flip().index()].sent_so_far();
                sent.is_some_and(|sent| (1..=AHEAD).contains(&(recv.wrapping_sub(sent) & 0x7fff)))
            }
            _ => false,
        }
    }

    fn expire_early(&mut self, cx: &mut Cx<'_>) {
        let mut is_any = false;
        while self.early.front().is_some_and(|e| cx.now().since(e.at.ts).unsigned_abs() >= EARLY as u64) {
            self.take_early(cx);
            is_any = true;
        }
        if is_any {
            self.release(false, cx);
        }
        if let Some(early) = self.early.front() {
            cx.wake(early.at.ts.plus(EARLY));
        }
    }

    /// Takes in what waited: all of it, or as far as its requests have come.
    fn release(&mut self, all: bool, cx: &mut Cx<'_>) {
        while let Some(early) = self.early.front() {
            if !all && apci::read(&early.bytes).is_some_and(|apdu| self.is_early(early.dir, &apdu)) {
                return;
            }
            self.take_early(cx);
        }
    }

    /// Takes in the first that waited. It stands in its own frame, at the place in the order of the one at hand.
    fn take_early(&mut self, cx: &mut Cx<'_>) {
        let Some(Early { at, dir, bytes }) = self.early.pop_front() else { return };
        let (now, sender) = (cx.at, cx.dir);
        cx.at = At { ts: at.ts, frame: at.frame, file: at.file, ..now };
        cx.dir = dir;
        if let Some(apdu) = apci::read(&bytes) {
            self.apdu(dir, &apdu, cx);
        }
        (cx.at, cx.dir) = (now, sender);
    }

    fn apdu(&mut self, dir: Dir, apdu: &Apdu<'_>, cx: &mut Cx<'_>) {
        let asdu = asdu_of(apdu);
        self.check(dir, apdu, asdu.as_ref(), cx);
        let phase = Phase::of(apdu, asdu.as_ref());
        let role = state::is_master(apdu, asdu.as_ref());
        if let Some(is_master) = role
            && self.sides[dir.index()].tell(is_master)
        {
            cx.fact(Body::Role(if is_master { "master" } else { "outstation" }));
        }
        match (apdu.control, &asdu) {
            (Control::U(0x43 | 0x83), _) => cx.fact(Body::Alive { proto: NAME }),
            (Control::U(a), _) => facts::u_function(a, cx),
            (_, Some(asdu)) => facts::asdu(asdu, phase, role.unwrap_or_else(|| is_master_by_port(cx)), cx),
            _ => {}
        }
        self.pair(dir, phase, apdu, asdu.as_ref(), cx);
    }

    /// Says what is wrong with an APDU.
    fn check(&mut self, dir: Dir, apdu: &Apdu<'_>, asdu: Option<&Asdu<'_>>, cx: &mut Cx<'_>) {
        match (apdu.control, asdu) {
            (Control::U(a), _) if table::u_name(a).is_none() => cx.anomaly(NAME, "undefined_function", &[]),
            (Control::U(_) | Control::S { .. }, _) if !apdu.body.is_empty() => cx.anomaly(NAME, "bad_length", &[]),
            (Control::I { .. }, None) => cx.anomaly(NAME, "asdu_truncated", &[]),
            (Control::I { .. }, Some(asdu)) => {
                if let Some(reason) = asdu.fault() {
                    cx.anomaly(NAME, reason, format!("type {}", asdu.type_id).as_bytes());
                }
            }
            _ => {}
        }
        if asdu.is_none_or(|a| a.fault().is_some()) {
            if matches!(apdu.control, Control::I { .. }) {
                self.sides[dir.index()].doubt();
            }
        } else if let Control::I { send, .. } = apdu.control
            && let Some(expected) = self.sides[dir.index()].sent(send)
        {
            cx.anomaly(NAME, "send_sequence", format!("expected {expected}, got {send}").as_bytes());
        }
    }

    /// Writes the row of an APDU: a request's with its answer or later, an answer's after that of its request.
    fn pair(&mut self, dir: Dir, phase: Phase, apdu: &Apdu<'_>, asdu: Option<&Asdu<'_>>, cx: &mut Cx<'_>) {
        let limit = cx.limits.get(Limit::Pending);
        let key = Key::of(apdu, asdu);
        let originator = asdu.and_then(|_| apdu.body.get(3)).copied().unwrap_or(0);
        let mut partner = None;
        match (phase, key, asdu) {
            (Phase::Request, Some(key), _) => {
                let request = Request { key, mark: cx.mark(), bytes: apdu.bytes.into(), originator };
                if let Some(oldest) = self.waiting.push(request, limit) {
                    cx.hit(Limit::Pending);
                    self.emit_request(&oldest, Pair::default(), cx);
                }
                if let Some(at) = self.waiting.deadline() {
                    cx.wake(at);
                }
                return;
            }
            (Phase::Confirmation, Some(key), _) => {
                let refused = asdu.is_some_and(|a| a.cause >= 44 || a.negative);
                let request = self.waiting.confirmed((&key, originator), dir, refused, limit);
                partner = match request {
                    Some(request) => Some(self.answered(&request, cx)),
                    None => self.waiting.confirmed_too(&key, dir, refused, limit),
                };
            }
            (Phase::Termination, Some(key), _) => partner = self.waiting.terminated(&key, dir),
            (Phase::Monitor, _, Some(asdu)) if asdu.cause == 5 => {
                let request = self.waiting.confirmed((&Key::of_read(asdu), originator), dir, true, limit);
                partner = request.map(|r| self.answered(&r, cx));
            }
            _ => {}
        }
        let response_time = |m: Mark| Span(cx.now().since(m.ts).max(0));
        let pair = Pair { frame: partner.map(|m| m.frame), response_time: partner.map(response_time) };
        self.emit(cx.mark(), apdu, asdu, pair, cx);
    }

    fn answered(&mut self, request: &Request, cx: &mut Cx<'_>) -> Mark {
        self.emit_request(request, Pair { frame: Some(cx.at.frame), response_time: None }, cx);
        request.mark
    }

    fn emit_request(&mut self, request: &Request, pair: Pair, cx: &mut Cx<'_>) {
        if let Some(apdu) = apci::read(&request.bytes) {
            self.emit(request.mark, &apdu, asdu_of(&apdu).as_ref(), pair, cx);
        }
    }

    fn emit(&mut self, mark: Mark, apdu: &Apdu<'_>, asdu: Option<&Asdu<'_>>, pair: Pair, cx: &mut Cx<'_>) {
        let is_repeat = cx.tells_repeats() && self.is_repeat(mark.dir, apdu, asdu, pair.frame.is_some(), cx);
        cx.exchange(is_repeat, |cx| record::emit(mark, apdu, asdu, pair, cx));
    }

    /// Whether the summary leaves it out: supervisory and test frames, interrogations and monitored data, for the third time with the same
    /// addresses and qualities.
    fn is_repeat(&mut self, dir: Dir, apdu: &Apdu<'_>, asdu: Option<&Asdu<'_>>, paired: bool, cx: &mut Cx<'_>) -> bool {
        match (apdu.control, asdu) {
            (Control::S { .. }, _) if apdu.body.is_empty() => self.repeats.is_repeat((dir, "S"), 0, cx.limits),
            (Control::U(a @ (0x43 | 0x83)), _) if apdu.body.is_empty() => {
                self.repeats.is_repeat((dir, a), paired, cx.limits)
            }
            (Control::I { .. }, Some(asdu)) => {
                let plain = !facts::is_command(asdu) && !asdu.negative && asdu.cause < 44 && asdu.fault().is_none();
                let request = (dir, asdu.type_id, asdu.cause, asdu.ca, Addresses(asdu));
                plain && self.repeats.is_repeat(request, (paired, Qualities(asdu)), cx.limits)
            }
            _ => false,
        }
    }
}

fn asdu_of<'a>(apdu: &Apdu<'a>) -> Option<Asdu<'a>> {
    match apdu.control {
        Control::I { .. } => Asdu::parse(apdu.body),
        _ => None,
    }
}

fn is_master_by_port(cx: &Cx<'_>) -> bool {
    if cx.src_port() == apci::PORT || cx.dst_port() == apci::PORT {
        cx.dst_port() == apci::PORT
    } else {
        cx.dir == Dir::Orig
    }
}

/// The object addresses of an ASDU, as a hash key.
struct Addresses<'a, 'b>(&'a Asdu<'b>);

impl Hash for Addresses<'_, '_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.objects().for_each(|o| o.ioa.hash(state));
    }
}

/// The qualities and qualifiers of an ASDU, as a hash key. The sequence number of a counter is none of them.
struct Qualities<'a, 'b>(&'a Asdu<'b>);

impl Hash for Qualities<'_, '_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        for o in self.0.objects() {
            o.quality.hash(state);
            o.time_invalid.hash(state);
            if o.quality.is_none() {
                o.qualifier.hash(state);
            }
        }
    }
}
