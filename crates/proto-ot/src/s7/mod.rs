//! S7comm, the protocol of Siemens S7-300 and S7-400 controllers over ISO transport: every message with its function, variables with
//! addresses and values, services, blocks. It has no public specification; codes are those that Wireshark and libnodave agree on.
//!
//! Limits: `Limit::Pending` requests of together as many bytes as usual ones wait for 30 s; `Limit::Repeats` shapes of reads are
//! remembered for the summary. Of user data, which is named, only what a controller says of itself is taken apart; of variables only those of
//! syntax `S7ANY`.

mod facts;
mod item;
mod message;
mod record;
mod szl;
mod table;

use std::collections::VecDeque;

use gwcore::time::SECOND;
use gwcore::{Body, Limit, Span};
use proto::{Carrier, Cx, Dir, Hint, Mark, Parser, Probe, Repeats, Step};

pub use record::{S7Columns, S7ItemColumns, S7Pdu};

use message::{LENGTH_MISMATCH, Message, READ, Role};
use record::{Pair, emit};

/// What is named only.
pub(crate) fn left_raw() -> impl Iterator<Item = (&'static str, &'static str)> {
    [
        ("item syntaxes other than 16", "symbolic, by data block, of drives and numerical controls"),
        ("kinds of elements 15 and unknown ones", "date and time"),
        ("user data", "what its subfunctions carry but the identification of modules: further system status lists, blocks, forces, cyclic data"),
    ]
    .into_iter()
}

/// Name of the protocol.
const NAME: &str = "s7comm";
/// How long a request waits for its answer.
const TIMEOUT: i64 = 30 * SECOND;
/// The largest message that S7-300 and S7-400 controllers agree to.
const USUAL: usize = 960;

/// A request that waits for its answer.
struct Request {
    mark: Mark,
    bytes: Box<[u8]>,
}

/// The parser of one flow.
#[derive(Default)]
pub struct S7 {
    waiting: VecDeque<Request>,
    bytes: usize,
    repeats: Repeats,
    roles: [bool; 2],
    lists: Option<Box<szl::Parts>>,
}

impl Parser for S7 {
    const NAME: &'static str = NAME;
    const CARRIERS: &'static [Carrier] = &[Carrier::Child("cotp")];
    const IS_OT: bool = true;

    fn probe(head: &[u8], _hint: &Hint) -> Probe {
        match Message::parse(head) {
            Some(m) if m.fault == Some(LENGTH_MISMATCH) => Probe::Maybe,
            Some(_) => Probe::Certain,
            None => Probe::No,
        }
    }

    fn feed(&mut self, dir: Dir, data: &[u8], cx: &mut Cx<'_>) -> Step {
        self.wake(cx);
        let Some(message) = Message::parse(data) else {
            cx.anomaly(NAME, "not_s7comm", data.get(..data.len().min(16)).unwrap_or_default());
            return Step::Done;
        };
        if let Some(fault) = message.fault {
            cx.anomaly(NAME, fault, b"");
        }
        let asks = message.role == Role::Request;
        if self.roles == [false; 2] && message.role != Role::Notice && asks == (dir == Dir::Resp) {
            cx.server_is_originator();
        }
        if !std::mem::replace(&mut self.roles[usize::from(asks)], true) {
            cx.fact(Body::Role(if asks { "master" } else { "outstation" }));
        }
        match message.role {
            Role::Request => self.request(&message, data, cx),
            Role::Answer => {
                if message.user.is_some() {
                    self.lists.get_or_insert_default().answer(&message, cx);
                }
                self.answer(&message, cx);
            }
            Role::Notice => emit(cx.mark(), &message, &[], &[], Pair::default(), cx),
        }
        Step::Done
    }

    fn wake(&mut self, cx: &mut Cx<'_>) {
        while let Some(at) = self.waiting.front().map(|r| r.mark.ts.plus(TIMEOUT)) {
            if cx.now() < at {
                return cx.wake(at);
            }
            self.give_up(cx);
        }
    }

    fn close(&mut self, cx: &mut Cx<'_>) {
        while !self.waiting.is_empty() {
            self.give_up(cx);
        }
    }
}

impl S7 {
    fn request(&mut self, message: &Message<'_>, bytes: &[u8], cx: &mut Cx<'_>) {
        let (specs, specs_whole) = message.specs();
        let (data, data_whole) = message.items();
        if message.fault.is_none() && !(specs_whole && data_whole) {
            cx.anomaly(NAME, "items_cut", b"");
        }
        facts::request(message, &specs, &data, cx);
        let limit = cx.limits.get(Limit::Pending);
        let room = limit.saturating_mul(USUAL);
        while !self.waiting.is_empty() && (self.waiting.len() >= limit || self.bytes + bytes.len() > room) {
            cx.hit(Limit::Pending);
            self.give_up(cx);
        }
        self.bytes += bytes.len();
        self.waiting.push_back(Request { mark: cx.mark(), bytes: bytes.into() });
        cx.wake(cx.now().plus(TIMEOUT));
    }

    fn answer(&mut self, message: &Message<'_>, cx: &mut Cx<'_>) {
        let waited = self.answered(message);
        let asked = waited.as_ref().and_then(|r| Message::parse(&r.bytes));
        let (specs, _) = asked.as_ref().map(Message::specs).unwrap_or_default();
        let (written, _) = asked.as_ref().map(Message::items).unwrap_or_default();
        let (data, whole) = message.items();
        if message.fault.is_none() && !whole {
            cx.anomaly(NAME, "items_cut", b"");
        }
        facts::answer(message, asked.as_ref().map(|a| (a, &specs[..], &written[..])), &data, cx);
        let is_repeat = self.is_repeat(asked.as_ref(), Some(message), cx);
        cx.exchange(is_repeat, |cx| {
            let mark = cx.mark();
            let (Some(request), Some(asked)) = (&waited, asked) else {
                return emit(mark, message, &[], &data, Pair::default(), cx);
            };
            let pair = Pair { frame: Some(mark.frame), response_time: None };
            emit(request.mark, &asked, &specs, &written, pair, cx);
            let time = Span(mark.ts.since(request.mark.ts));
            let pair = Pair { frame: Some(request.mark.frame), response_time: Some(time) };
            emit(mark, message, &specs, &data, pair, cx);
        });
    }

    /// Takes out the request that an answer belongs to.
    fn answered(&mut self, answer: &Message<'_>) -> Option<Request> {
        let asked = |r: &Request| {
            Message::parse(&r.bytes)
                .is_some_and(|m| m.pdu_ref == answer.pdu_ref && (m.rosctr == 7) == (answer.rosctr == 7))
        };
        let request = self.waiting.iter().position(asked).and_then(|at| self.waiting.remove(at))?;
        self.bytes = self.bytes.saturating_sub(request.bytes.len());
        Some(request)
    }

    /// Whether an exchange is left out of the summary: a read of the same variables with an answer of the same shape, for the third time.
    fn is_repeat(&mut self, asked: Option<&Message<'_>>, answer: Option<&Message<'_>>, cx: &Cx<'_>) -> bool {
        let Some(asked) = asked.filter(|a| cx.tells_repeats() && a.function == Some(READ) && a.fault.is_none()) else {
            return false;
        };
        let shape = answer.map(|a| {
            let codes: Vec<u8> = a.items().0.iter().map(|d| d.code).collect();
            (a.error, a.fault, a.data.len(), codes)
        });
        self.repeats.is_repeat(asked.parameters, shape, cx.limits)
    }

    /// Writes the oldest request, to which no answer came.
    fn give_up(&mut self, cx: &mut Cx<'_>) {
        let Some(request) = self.waiting.pop_front() else { return };
        self.bytes = self.bytes.saturating_sub(request.bytes.len());
        let Some(asked) = Message::parse(&request.bytes) else { return };
        let is_repeat = self.is_repeat(Some(&asked), None, cx);
        cx.exchange(is_repeat, |cx| {
            emit(request.mark, &asked, &asked.specs().0, &asked.items().0, Pair::default(), cx);
        });
    }
}

#[cfg(test)]
mod tests;
