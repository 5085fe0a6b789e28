//! What a flow remembers: which side serves, and the requests that wait for their answers.

use std::collections::VecDeque;
use std::hash::{DefaultHasher, Hash, Hasher};

use gwcore::Ts;
use gwcore::time::SECOND;
use proto::{Cx, Dir, Mark};

use super::PORT;
use super::frame::{Header, LENGTH_MAX};
use super::parse::{Pdu, Values, parse};

/// How long a request waits for its answer.
pub const TIMEOUT: i64 = 30 * SECOND;
/// A client that uses a transaction identifier again after this long has given up the request that had it before.
const REUSE: i64 = SECOND;
/// Transactions remembered of requests that were answered.
const ANSWERED: usize = 8;
/// Votes at which who serves is settled, and further PDUs are read one way only.
const SETTLED: i8 = 4;

/// Which side serves, by what the PDUs look like; the registered port is worth two of them.
#[derive(Default)]
pub struct Sides {
    /// Positive: the responder of the flow serves.
    votes: Option<i8>,
}

impl Sides {
    /// Whether a PDU of this side is a request, after it has had its vote.
    pub fn is_request(&mut self, dir: Dir, pdu: &[u8], cx: &mut Cx<'_>) -> bool {
        let before = self.votes.unwrap_or_else(|| by_port(cx));
        let asks = |votes: i8| (votes >= 0) == (dir == Dir::Orig);
        let sound = |is_request| parse(is_request, pdu).is_some_and(|p| p.fault.is_none());
        let expected = asks(before);
        let step = match sound(expected) {
            true if before.abs() >= SETTLED || sound(!expected) => 0,
            true => 1,
            false if sound(!expected) => -1,
            false => 0,
        };
        let sign = if before >= 0 { 1 } else { -1 };
        let after = (before + step * sign).clamp(-SETTLED, SETTLED);
        if after < 0 && (before >= 0 || self.votes.is_none()) {
            cx.server_is_originator();
        }
        self.votes = Some(after);
        asks(after)
    }

    /// Whether the side is expected to ask, and whether that is settled.
    pub fn expectation(&self, dir: Dir, cx: &Cx<'_>) -> (bool, bool) {
        let votes = self.votes.unwrap_or_else(|| by_port(cx));
        ((votes >= 0) == (dir == Dir::Orig), votes.abs() >= 2)
    }
}

fn by_port(cx: &Cx<'_>) -> i8 {
    match (cx.flow.src_port == PORT, cx.flow.dst_port == PORT) {
        (false, true) => 2,
        (true, false) => -2,
        _ => 0,
    }
}

/// A request that waits.
pub struct Request {
    /// Where it stood.
    pub mark: Mark,
    /// Its header.
    pub header: Header,
    /// Its PDU.
    pub pdu: Box<[u8]>,
}

impl Request {
    fn is_asked_by(&self, header: &Header, function: u8) -> bool {
        self.header.transaction == header.transaction
            && self.header.unit == header.unit
            && self.pdu.first().is_some_and(|f| f & 0x7f == function)
    }
}

/// Requests in the order they came.
#[derive(Default)]
pub struct Waiting {
    queue: VecDeque<Request>,
    bytes: usize,
    /// Transaction, unit and what was answered of the last requests that were answered by number.
    answered: VecDeque<(Option<u16>, u8, u64)>,
}

/// How an answer belongs to its request although a field that ties them is not echoed: a fault of the device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Echo {
    /// Both are.
    Whole,
    /// Another unit stands in the answer.
    Unit,
    /// Another transaction stands in the answer: 0, or one that the device counts by itself.
    Transaction,
}

impl Waiting {
    /// Adds a request; gives back the one that has to go: superseded by it, or the oldest beyond `limit` requests or their usual bytes.
    pub fn push(&mut self, request: Request, limit: usize) -> (Option<Request>, bool) {
        let function = request.pdu.first().map_or(0, |f| f & 0x7f);
        let age = |old: &Request| request.mark.ts.since(old.mark.ts);
        let reused = self.queue.iter().position(|old| old.is_asked_by(&request.header, function) && age(old) >= REUSE);
        let mut gone = reused.and_then(|at| self.take_at(at));
        let room = limit.saturating_mul(usize::from(LENGTH_MAX));
        let full = gone.is_none()
            && (self.queue.len() >= limit || (self.bytes + request.pdu.len() > room && !self.queue.is_empty()));
        if full {
            gone = self.take_at(0);
        }
        self.bytes += request.pdu.len();
        self.queue.push_back(request);
        (gone, full)
    }

    /// Takes out the request that an answer belongs to: by transaction, unit and function; else, where one alone has this transaction and
    /// function, that one (the unit is not echoed); else, where one request alone of this unit and function is open, that one (the transaction is not echoed).
    pub fn answered(&mut self, header: &Header, answer: &Pdu<'_>, bytes: &[u8]) -> Option<(Request, Echo)> {
        let content = content(bytes);
        if let Some(request) = self.by_number(header, answer) {
            if self.answered.len() >= ANSWERED {
                self.answered.pop_front();
            }
            self.answered.push_back((request.header.transaction, header.unit, content));
            return Some((request, Echo::Whole));
        }
        header.transaction?;
        let fits = |r: &Request| {
            r.pdu.first().is_some_and(|f| f & 0x7f == answer.function)
                && parse(true, &r.pdu).is_some_and(|asked| is_answer_to(answer, &asked))
        };
        let same_number = |r: &Request| r.header.transaction == header.transaction && r.header.transaction != Some(0);
        let mut numbered = self.queue.iter().enumerate().filter(|(_, r)| same_number(r) && fits(r)).map(|(at, _)| at);
        if let Some(at) = numbered.next() {
            if numbered.next().is_some() {
                return None;
            }
            return Some((self.take_at(at)?, Echo::Unit));
        }
        // An answer that was given before is no answer to what was asked since.
        if self.answered.iter().any(|(transaction, ..)| *transaction == header.transaction) {
            return None;
        }
        let of_kind =
            |r: &Request| r.header.unit == header.unit && r.pdu.first().is_some_and(|f| f & 0x7f == answer.function);
        let mut open = self.queue.iter().enumerate().filter(|(_, r)| of_kind(r));
        let (at, request) = open.next()?;
        if open.next().is_some() || !fits(request) {
            return None;
        }
        Some((self.take_at(at)?, Echo::Transaction))
    }

    /// The oldest request of the answer's numbers that it fits, else the oldest of its kind.
    fn by_number(&mut self, header: &Header, answer: &Pdu<'_>) -> Option<Request> {
        let mut oldest = None;
        let mut fitting = None;
        for (at, request) in self.queue.iter().enumerate() {
            if request.is_asked_by(header, answer.function) {
                oldest = oldest.or(Some(at));
                if parse(true, &request.pdu).is_some_and(|r| is_answer_to(answer, &r)) {
                    fitting = Some(at);
                    break;
                }
            }
        }
        self.take_at(fitting.or(oldest)?)
    }

    /// Whether an answer is a second one to a request that was answered otherwise.
    pub fn is_second(&self, header: &Header, bytes: &[u8]) -> bool {
        let last = self.answered.iter().rev().find(|(t, u, _)| (*t, *u) == (header.transaction, header.unit));
        header.transaction.is_some() && last.is_some_and(|(_, _, before)| *before != content(bytes))
    }

    /// Whether a request of this function waits for this unit, whatever its transaction: some masters send a number and expect another.
    pub fn asks(&self, unit: u8, function: u8) -> bool {
        let same = |r: &Request| r.header.unit == unit && r.pdu.first().is_some_and(|f| f & 0x7f == function);
        self.queue.iter().any(same)
    }

    /// Takes out the oldest request when it has waited too long.
    pub fn expired(&mut self, now: Ts) -> Option<Request> {
        let late = now.since(self.queue.front()?.mark.ts) >= TIMEOUT;
        if late { self.take_at(0) } else { None }
    }

    /// Takes out the oldest request.
    pub fn pop(&mut self) -> Option<Request> {
        self.take_at(0)
    }

    /// When the oldest request will have waited too long.
    pub fn deadline(&self) -> Option<Ts> {
        self.queue.front().map(|r| r.mark.ts.plus(TIMEOUT))
    }

    fn take_at(&mut self, at: usize) -> Option<Request> {
        let request = self.queue.remove(at)?;
        self.bytes = self.bytes.saturating_sub(request.pdu.len());
        Some(request)
    }
}

fn content(bytes: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    bytes.hash(&mut hasher);
    hasher.finish()
}

/// Whether an answer says as much as was asked, or echoes what was written.
pub fn is_answer_to(answer: &Pdu<'_>, request: &Pdu<'_>) -> bool {
    if answer.exception.is_some() {
        return true;
    }
    let quantity = usize::from(request.quantity.unwrap_or(0));
    match (answer.function, answer.values) {
        (1 | 2, Values::Bits(bytes)) => bytes.len() == quantity.div_ceil(8),
        (3 | 4 | 23, Values::Words(bytes)) => bytes.len() == quantity * 2,
        (5 | 6, values) => answer.address == request.address && values == request.values,
        (15 | 16, _) => answer.address == request.address && answer.quantity == request.quantity,
        (8, _) => answer.sub_function == request.sub_function,
        (22, _) => answer.address == request.address && answer.masks == request.masks,
        (43, _) => answer.mei_type == request.mei_type,
        _ => true,
    }
}
