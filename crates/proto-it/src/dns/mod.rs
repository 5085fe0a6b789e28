//! DNS over UDP and TCP (RFC 1035, 6891), multicast DNS (RFC 6762) and LLMNR (RFC 4795): one row per query with its response.
//!
//! As in Zeek a response answers the oldest waiting query of the other side with its id (the one with the same question first); a
//! repeated query is a row of its own, and so is a response to nothing. Multicast messages are not paired: their answers come from
//! other hosts, so each is a row at once. What waits is bounded by [`Limit::Pending`]; names by [`name::read_name`].

mod name;
mod parse;
mod probe;
mod rdata;
mod record;
mod row;
mod state;
pub mod table;
#[cfg(test)]
mod tests;

pub use record::{DnsColumns, DnsRow};

use gwcore::{Body, Limit, Mac};
use parse::{Edns, Header, Message, Question, Section};
use probe::probe_message;
use proto::{Carrier, Cx, Dir, Hint, Mark, Parser, Probe, Step};
use row::emit;
use state::Waiting;

/// Names handed on as facts from one message; more addresses than that are no device's.
const NAMES: usize = 64;
/// Waiting queries for each waiting response: responses are kept whole, and overtake their query rarely.
const QUERIES_PER_REPLY: usize = 64;
/// Bytes of text of a dynamic update's records that are kept while it waits.
const UPDATE_BYTES: usize = 4096;
/// Dynamic update (RFC 2136).
const UPDATE: u8 = 5;

/// The parser of one flow.
#[derive(Default)]
pub struct Dns {
    queries: Waiting<Query>,
    replies: Waiting<Vec<u8>>,
    started: bool,
    role_said: bool,
}

/// What is kept of a query.
struct Query {
    header: Header,
    question: Option<Question>,
    edns: Option<Edns>,
    update: [Section; 3],
}

impl Query {
    fn of(message: Message) -> Query {
        let Message { header, question, edns, sections, .. } = message;
        let small = sections.iter().map(Section::bytes).sum::<usize>() <= UPDATE_BYTES;
        let update = if header.opcode() == UPDATE && small { sections } else { Default::default() };
        Query { header, question, edns, update }
    }
}

impl Parser for Dns {
    const NAME: &'static str = "dns";
    const CARRIERS: &'static [Carrier] = &[Carrier::Stream, Carrier::Datagram];

    fn probe(head: &[u8], hint: &Hint) -> Probe {
        if hint.carrier != Carrier::Stream {
            return probe_message(head, head.len(), hint);
        }
        let Some((length, body)) = head.split_first_chunk::<2>() else { return Probe::Unsure };
        let length = usize::from(u16::from_be_bytes(*length));
        if length < Header::BYTES {
            return Probe::No;
        }
        probe_message(body.get(..length).unwrap_or(body), length, hint)
    }

    fn feed(&mut self, dir: Dir, data: &[u8], cx: &mut Cx<'_>) -> Step {
        if cx.carrier != Carrier::Stream {
            self.message(dir, data, cx);
            return Step::Done;
        }
        let mut rest = data;
        while let Some((length, body)) = rest.split_first_chunk::<2>() {
            let length = usize::from(u16::from_be_bytes(*length));
            let Some((message, after)) = body.split_at_checked(length) else {
                return Step::Need { consumed: data.len() - rest.len(), more: length + 2 };
            };
            self.message(dir, message, cx);
            rest = after;
        }
        if rest.is_empty() { Step::Done } else { Step::Need { consumed: data.len() - rest.len(), more: 2 } }
    }

    fn wake(&mut self, cx: &mut Cx<'_>) {
        while let Some((mark, query)) = self.queries.pop_due(cx.now()) {
            emit(Some((mark, &query)), None, cx);
        }
        while let Some((mark, reply)) = self.replies.pop_due(cx.now()) {
            emit_lone(mark, &reply, cx);
        }
        for due in [self.queries.due(), self.replies.due()].into_iter().flatten() {
            cx.wake(due);
        }
    }

    fn close(&mut self, cx: &mut Cx<'_>) {
        while let Some((mark, query)) = self.queries.pop() {
            emit(Some((mark, &query)), None, cx);
        }
        while let Some((mark, reply)) = self.replies.pop() {
            emit_lone(mark, &reply, cx);
        }
    }
}

impl Dns {
    fn message(&mut self, dir: Dir, bytes: &[u8], cx: &mut Cx<'_>) {
        let Some(message) = Message::parse(bytes) else { return cx.anomaly(Self::NAME, "short_message", bytes) };
        let is_response = message.header.is_response();
        if !std::mem::replace(&mut self.started, true) && is_paired(cx) && is_response == (dir == Dir::Orig) {
            cx.server_is_originator();
        }
        for reason in &message.faults {
            cx.anomaly(Self::NAME, reason, message.question.as_ref().map_or(b"", |q| &q.name));
        }
        if is_response {
            self.response(dir, bytes, message, cx);
        } else {
            self.query(dir, Query::of(message), cx);
        }
    }

    fn query(&mut self, dir: Dir, query: Query, cx: &mut Cx<'_>) {
        let mark = cx.mark();
        if !is_paired(cx) {
            return emit(Some((mark, &query)), None, cx);
        }
        let id = query.header.id;
        if let Some((reply_mark, reply)) = self.replies.take(dir, id, |_| false) {
            let reply = Message::parse(&reply);
            return emit(Some((mark, &query)), reply.as_ref().map(|r| (reply_mark, r)), cx);
        }
        if let Some((mark, oldest)) = self.queries.push(dir, id, mark, query, cx.limits.get(Limit::Pending)) {
            cx.hit(Limit::Pending);
            emit(Some((mark, &oldest)), None, cx);
        }
        cx.wake(mark.ts.plus(state::PATIENCE));
    }

    fn response(&mut self, dir: Dir, bytes: &[u8], message: Message, cx: &mut Cx<'_>) {
        let mark = cx.mark();
        self.facts(&message, cx);
        if !is_paired(cx) {
            return emit(None, Some((mark, &message)), cx);
        }
        let id = message.header.id;
        let same = |q: &Query| match (&q.question, &message.question) {
            (Some(a), Some(b)) => a.is_same(b),
            _ => true,
        };
        if let Some((query_mark, query)) = self.queries.take(dir.flip(), id, same) {
            if !same(&query) {
                cx.anomaly(Self::NAME, "question_mismatch", message.question.as_ref().map_or(b"", |q| &q.name));
            }
            return emit(Some((query_mark, &query)), Some((mark, &message)), cx);
        }
        let limit = (cx.limits.get(Limit::Pending) / QUERIES_PER_REPLY).max(1);
        if let Some((mark, oldest)) = self.replies.push(dir.flip(), id, mark, bytes.to_vec(), limit) {
            emit_lone(mark, &oldest, cx);
        }
        cx.wake(mark.ts.plus(state::PATIENCE));
    }

    /// Which names have which addresses; mDNS answers come with further ones of the same host.
    fn facts(&mut self, message: &Message, cx: &mut Cx<'_>) {
        let variant = variant(cx);
        if variant == "dns" && !std::mem::replace(&mut self.role_said, true) {
            cx.fact(Body::Role("dns_server"));
        }
        let [answers, _, additionals] = &message.sections;
        let sections: &[&Section] = if variant == "mdns" { &[answers, additionals] } else { &[answers] };
        let mut left = NAMES;
        for section in sections {
            let names = section.names.slices();
            for (index, addr) in section.addresses.iter().take(left) {
                let name = names.get(*index).map_or(Default::default(), |n| String::from_utf8_lossy(n));
                cx.fact(Body::Name { addr: *addr, mac: Mac::NONE, name: name.into(), source: variant });
            }
            left = left.saturating_sub(section.addresses.len());
        }
    }
}

/// Which of the family a flow speaks.
fn variant(cx: &Cx<'_>) -> &'static str {
    let uses = |port| cx.flow.src_port == port || cx.flow.dst_port == port;
    match () {
        () if uses(53) => "dns",
        () if uses(5353) => "mdns",
        () if uses(5355) => "llmnr",
        () => "dns",
    }
}

/// Whether queries and responses of the flow belong together; multicast ones do not.
fn is_paired(cx: &Cx<'_>) -> bool {
    cx.carrier == Carrier::Stream || variant(cx) == "dns"
}

fn emit_lone(mark: Mark, reply: &[u8], cx: &mut Cx<'_>) {
    if let Some(message) = Message::parse(reply) {
        emit(None, Some((mark, &message)), cx);
    }
}
