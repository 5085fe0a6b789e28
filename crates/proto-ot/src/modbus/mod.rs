//! Modbus over TCP and UDP, and RTU frames carried through TCP: every PDU with its function, addresses and values, requests paired with
//! their answers (MODBUS Application Protocol Specification V1.1b3, Messaging on TCP/IP Implementation Guide V1.0b).
//!
//! Which side serves is told by what PDUs look like, the registered port counting as two of them. Limits: `Limit::Pending` requests wait
//! for 30 s; `Limit::Repeats` request shapes are remembered for the summary; a length field past 1,500 frames nothing.

mod facts;
mod frame;
mod parse;
mod record;
mod state;
mod table;

#[cfg(test)]
mod tests;

use gwcore::{Body, Limit, OpClass, Span};
use proto::{Carrier, Cx, Dir, Hint, Mark, Parser, Probe, Repeats, Step};

pub use record::{ModbusColumns, ModbusPdu};

use frame::{Header, Next};
use parse::{Pdu, parse};
use record::{Lists, Pair};
use state::{Echo, Request, Sides, Waiting};

/// Function codes and names of what stays whole.
pub(crate) fn left_raw() -> impl Iterator<Item = (String, &'static str)> {
    table::LEFT_RAW.iter().map(|(codes, name)| match (codes.start(), codes.end()) {
        (a, b) if a == b => (format!("function {a}"), *name),
        (a, b) => (format!("functions {a}–{b}"), *name),
    })
}

/// The registered port.
const PORT: u16 = 502;

/// How PDUs are framed in a flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Variant {
    Tcp,
    Udp,
    Rtu,
}

impl Variant {
    fn name(self) -> &'static str {
        match self {
            Variant::Tcp => "tcp",
            Variant::Udp => "udp",
            Variant::Rtu => "rtu",
        }
    }
}

/// The parser of one flow.
#[derive(Default)]
pub struct Modbus {
    variant: Option<Variant>,
    sides: Sides,
    waiting: Waiting,
    /// A request was seen: from then on answers have one, unless the capture missed it.
    asked: bool,
    repeats: Repeats,
    lists: Lists,
    roles: [bool; 2],
}

impl Parser for Modbus {
    const NAME: &'static str = "modbus";
    const CARRIERS: &'static [Carrier] = &[Carrier::Stream, Carrier::Datagram];
    const IS_OT: bool = true;

    fn probe(head: &[u8], hint: &Hint) -> Probe {
        let port = hint.port(PORT);
        let whole = hint.carrier == Carrier::Datagram;
        let mbap = frame::probe_mbap(head, port, whole);
        if whole { mbap } else { mbap.max(frame::probe_rtu(head, port)) }
    }

    fn feed(&mut self, dir: Dir, data: &[u8], cx: &mut Cx<'_>) -> Step {
        self.expire(cx);
        match self.variant_of(data, cx) {
            None => Step::Need { consumed: 0, more: data.len() + 1 },
            Some(Variant::Udp) => self.datagram(dir, data, cx),
            Some(variant) => self.stream(variant, dir, data, cx),
        }
    }

    fn resync(&self, _dir: Dir, data: &[u8], _hint: &Hint) -> Option<usize> {
        match self.variant {
            Some(variant) => find(variant, data, true),
            None => frame::find_mbap(data, true).or_else(|| frame::find_rtu(data)),
        }
    }

    fn wake(&mut self, cx: &mut Cx<'_>) {
        self.expire(cx);
        if let Some(at) = self.waiting.deadline() {
            cx.wake(at);
        }
    }

    fn close(&mut self, cx: &mut Cx<'_>) {
        while let Some(request) = self.waiting.pop() {
            self.emit_alone(&request, cx);
        }
    }
}

fn find(variant: Variant, data: &[u8], fresh: bool) -> Option<usize> {
    if variant == Variant::Rtu { frame::find_rtu(data) } else { frame::find_mbap(data, fresh) }
}

impl Modbus {
    /// How the flow frames its PDUs; none while the first bytes do not tell.
    fn variant_of(&mut self, data: &[u8], cx: &Cx<'_>) -> Option<Variant> {
        if self.variant.is_none() {
            let mbap = frame::probe_mbap(data, true, false);
            let rtu = frame::probe_rtu(data, true);
            self.variant = match (mbap, rtu) {
                _ if cx.carrier == Carrier::Datagram => Some(Variant::Udp),
                (m, _) if m >= Probe::Maybe => Some(Variant::Tcp),
                (_, r) if r >= Probe::Maybe => Some(Variant::Rtu),
                (Probe::No, Probe::No) => Some(Variant::Tcp),
                _ => None,
            };
        }
        self.variant
    }

    fn stream(&mut self, variant: Variant, dir: Dir, data: &[u8], cx: &mut Cx<'_>) -> Step {
        let mut at = 0;
        while let Some(rest) = data.get(at..).filter(|r| !r.is_empty()) {
            let next = match variant {
                Variant::Rtu => frame::rtu(self.sides.expectation(dir, cx), rest),
                _ => frame::mbap(rest),
            };
            let from = match next {
                Next::Need(more) => return Step::Need { consumed: at, more },
                Next::Frame { header, pdu, used } => {
                    self.pdu(dir, &header, pdu, cx);
                    at += used;
                    continue;
                }
                Next::Endless { header, pdu } => {
                    self.pdu(dir, &header, pdu, cx);
                    frame::MBAP + 2
                }
                Next::Bad(reason) => {
                    cx.anomaly(Self::NAME, reason, rest.get(..rest.len().min(16)).unwrap_or_default());
                    1
                }
            };
            match rest.get(from..).and_then(|r| find(variant, r, false)) {
                Some(n) => at += from + n,
                None => return Step::Lost,
            }
        }
        Step::Done
    }

    /// A datagram holds whole frames; one that is cut is understood as far as it goes.
    fn datagram(&mut self, dir: Dir, data: &[u8], cx: &mut Cx<'_>) -> Step {
        let mut rest = data;
        while !rest.is_empty() {
            match (frame::mbap(rest), frame::header(rest)) {
                (Next::Frame { header, pdu, used }, _) => {
                    self.pdu(dir, &header, pdu, cx);
                    rest = rest.get(used..).unwrap_or_default();
                }
                (Next::Need(_) | Next::Endless { .. }, Some((header, _))) => {
                    cx.anomaly(Self::NAME, "length_beyond_datagram", b"");
                    self.pdu(dir, &header, rest.get(frame::MBAP + 1..).unwrap_or_default(), cx);
                    return Step::Done;
                }
                _ => {
                    cx.anomaly(Self::NAME, "not_modbus", rest.get(..rest.len().min(16)).unwrap_or_default());
                    return Step::Done;
                }
            }
        }
        Step::Done
    }

    fn pdu(&mut self, dir: Dir, header: &Header, bytes: &[u8], cx: &mut Cx<'_>) {
        let is_request = self.sides.is_request(dir, bytes, cx);
        let Some(pdu) = parse(is_request, bytes) else { return };
        complain(header, &pdu, cx);
        if !std::mem::replace(&mut self.roles[usize::from(is_request)], true) {
            cx.fact(Body::Role(if is_request { "master" } else { "outstation" }));
        }
        if is_request { self.request(header, &pdu, bytes, cx) } else { self.answer(header, &pdu, bytes, cx) }
    }

    fn request(&mut self, header: &Header, pdu: &Pdu<'_>, bytes: &[u8], cx: &mut Cx<'_>) {
        self.lists.fill(pdu, None);
        facts::request(header.unit, pdu, &self.lists, cx);
        let request = Request { mark: cx.mark(), header: *header, pdu: bytes.into() };
        self.asked = true;
        let (gone, full) = self.waiting.push(request, cx.limits.get(Limit::Pending));
        if full {
            cx.hit(Limit::Pending);
        }
        if let Some(gone) = gone {
            self.emit_alone(&gone, cx);
        }
        if let Some(at) = self.waiting.deadline() {
            cx.wake(at);
        }
    }

    fn answer(&mut self, header: &Header, pdu: &Pdu<'_>, bytes: &[u8], cx: &mut Cx<'_>) {
        let (waited, echo) = match self.waiting.answered(header, pdu, bytes) {
            Some((request, echo)) => (Some(request), echo),
            None => (None, Echo::Whole),
        };
        let fault = match echo {
            Echo::Whole => "",
            Echo::Unit => "unit_not_echoed",
            Echo::Transaction => "transaction_not_echoed",
        };
        if !fault.is_empty() {
            let asked = waited.as_ref().map(|w| (w.header.transaction.unwrap_or(0), w.header.unit)).unwrap_or_default();
            let detail = format!(
                "asked transaction {} of unit {}, answered {} of unit {}",
                asked.0,
                asked.1,
                header.transaction.unwrap_or(0),
                header.unit
            );
            cx.anomaly(Self::NAME, fault, detail.as_bytes());
        }
        let asked = waited.as_ref().and_then(|w| parse(true, &w.pdu));
        if asked.as_ref().is_some_and(|r| pdu.fault.is_none() && !state::is_answer_to(pdu, r)) {
            cx.anomaly(Self::NAME, "answer_mismatch", b"");
        }
        if waited.is_none() && self.waiting.is_second(header, bytes) {
            cx.anomaly(Self::NAME, "second_answer", b"");
        } else if waited.is_none() && self.asked && !self.waiting.asks(header.unit, pdu.function) {
            cx.anomaly(Self::NAME, "answer_without_request", b"");
        }
        let mark = cx.mark();
        let is_repeat = self.is_repeat(waited.as_ref(), asked.as_ref(), Some((header, pdu)), cx);
        if let (Some(request), Some(asked)) = (&waited, &asked) {
            let pair = Pair { frame: Some(mark.frame), time: None };
            cx.exchange(is_repeat, |cx| self.emit(request.mark, &request.header, (asked, None), pair, cx));
        }
        self.lists.fill(pdu, asked.as_ref());
        // Points belong to the unit that was asked.
        let unit = waited.as_ref().map_or(header.unit, |w| w.header.unit);
        facts::answer(unit, pdu, asked.as_ref(), &self.lists, cx);
        let pair = waited.as_ref().map_or(Pair::default(), |r| Pair {
            frame: Some(r.mark.frame),
            time: Some(Span(mark.ts.since(r.mark.ts).max(0))),
        });
        cx.exchange(is_repeat, |cx| self.emit(mark, header, (pdu, asked.as_ref()), pair, cx));
    }

    /// Whether the summary leaves an exchange out: a read of which two of the same kind were written.
    fn is_repeat(
        &mut self,
        request: Option<&Request>,
        asked: Option<&Pdu<'_>>,
        answer: Option<(&Header, &Pdu<'_>)>,
        cx: &Cx<'_>,
    ) -> bool {
        let Some(first) = asked.or(answer.map(|a| a.1)) else { return false };
        let (class, _) = table::operation(first.function, first.operation_code());
        let is_read = matches!(class, OpClass::Read | OpClass::Identify);
        let is_odd = |p: &Pdu<'_>| p.exception.is_some() || p.fault.is_some();
        if !cx.tells_repeats() || !is_read || asked.is_some_and(is_odd) || answer.is_some_and(|a| is_odd(a.1)) {
            return false;
        }
        let question = (request.map(|r| (r.header.unit, &r.pdu)), first.function);
        let shape = answer.map(|(h, p)| (h.unit, p.function, h.length, p.values.bytes()));
        self.repeats.is_repeat(question, shape, cx.limits)
    }

    fn expire(&mut self, cx: &mut Cx<'_>) {
        while let Some(request) = self.waiting.expired(cx.now()) {
            self.emit_alone(&request, cx);
        }
    }

    /// Emits a request that no answer came to.
    fn emit_alone(&mut self, request: &Request, cx: &mut Cx<'_>) {
        let Some(asked) = parse(true, &request.pdu) else { return };
        let is_repeat = self.is_repeat(Some(request), Some(&asked), None, cx);
        cx.exchange(is_repeat, |cx| self.emit(request.mark, &request.header, (&asked, None), Pair::default(), cx));
    }

    fn emit(&mut self, mark: Mark, header: &Header, pdus: (&Pdu<'_>, Option<&Pdu<'_>>), pair: Pair, cx: &mut Cx<'_>) {
        let variant = self.variant.map_or("", Variant::name);
        self.lists.fill(pdus.0, pdus.1);
        let objects: Vec<&[u8]> = pdus.0.device.into_iter().flat_map(|d| d.objects()).map(|(_, v)| v).collect();
        cx.emit_at(mark, record::row(variant, header, pdus, &self.lists, &objects, pair));
    }
}

/// Says what contradicts the specification in one PDU.
fn complain(header: &Header, pdu: &Pdu<'_>, cx: &mut Cx<'_>) {
    let mut say = |reason| cx.anomaly(Modbus::NAME, reason, table::function_name(pdu.function).as_bytes());
    if header.protocol != 0 {
        say("protocol_id_not_zero");
    }
    if header.length.is_some_and(|l| l > frame::LENGTH_MAX && (pdu.function != 90 || l > frame::LENGTH_TRUSTED)) {
        say("length_too_long");
    }
    if let Some(fault) = pdu.fault {
        say(fault);
    }
}
