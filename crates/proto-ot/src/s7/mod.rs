//! S7comm, the protocol of Siemens S7-300 and S7-400 controllers over ISO transport: header, set-up of communication, and the function of
//! every other message. It has no public specification; codes are those that Wireshark and libnodave agree on.
//!
//! Limits: `Limit::Pending` requests wait for 30 s.

mod record;
mod table;

use std::collections::VecDeque;

use gwcore::time::SECOND;
use gwcore::{Body, Limit, Op, OpClass, Span};
use proto::{Carrier, Cursor, Cx, Dir, Hint, Mark, Parser, Probe, Step};

pub use record::{S7Columns, S7Pdu};

/// How long a request waits for its answer.
const TIMEOUT: i64 = 30 * SECOND;
/// Protocol identifier.
const IDENTIFIER: u8 = 0x32;
/// Function that sets up communication.
const SETUP: u8 = 0xf0;

/// Lengths in the header do not add up to the message.
const LENGTH_MISMATCH: &str = "length_mismatch";

/// Whether a message asks, answers, or does neither.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Role {
    Request,
    Answer,
    Notice,
}

/// What is read of one message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Message {
    role: Role,
    rosctr: u8,
    pdu_ref: u16,
    error: Option<(u8, u8)>,
    function: Option<u8>,
    /// Jobs allowed unanswered by the caller and by the called, and the largest message.
    setup: Option<(u16, u16, u16)>,
    fault: Option<&'static str>,
}

/// The parser of one flow.
#[derive(Default)]
pub struct S7 {
    waiting: VecDeque<(Mark, Message)>,
    roles: [bool; 2],
}

impl Parser for S7 {
    const NAME: &'static str = "s7comm";
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
            cx.anomaly(Self::NAME, "not_s7comm", data.get(..data.len().min(16)).unwrap_or_default());
            return Step::Done;
        };
        if let Some(fault) = message.fault {
            cx.anomaly(Self::NAME, fault, b"");
        }
        let asks = message.role == Role::Request;
        if self.roles == [false; 2] && message.role != Role::Notice && asks == (dir == Dir::Resp) {
            cx.server_is_originator();
        }
        if !std::mem::replace(&mut self.roles[usize::from(asks)], true) {
            cx.fact(Body::Role(if asks { "master" } else { "outstation" }));
        }
        match message.role {
            Role::Request => self.request(message, cx),
            Role::Answer => self.answer(message, cx),
            Role::Notice => emit(cx.mark(), &message, (None, None), cx),
        }
        Step::Done
    }

    fn wake(&mut self, cx: &mut Cx<'_>) {
        while let Some((mark, message)) = self.waiting.front().copied() {
            if cx.now().since(mark.ts) < TIMEOUT {
                return cx.wake(mark.ts.plus(TIMEOUT));
            }
            self.waiting.pop_front();
            emit(mark, &message, (None, None), cx);
        }
    }

    fn close(&mut self, cx: &mut Cx<'_>) {
        for (mark, message) in std::mem::take(&mut self.waiting) {
            emit(mark, &message, (None, None), cx);
        }
    }
}

impl S7 {
    fn request(&mut self, message: Message, cx: &mut Cx<'_>) {
        report(&message, message.function, cx);
        if self.waiting.len() >= cx.limits.get(Limit::Pending)
            && let Some((mark, oldest)) = self.waiting.pop_front()
        {
            cx.hit(Limit::Pending);
            emit(mark, &oldest, (None, None), cx);
        }
        self.waiting.push_back((cx.mark(), message));
        cx.wake(cx.now().plus(TIMEOUT));
    }

    fn answer(&mut self, message: Message, cx: &mut Cx<'_>) {
        let asked_by =
            |(_, m): &(Mark, Message)| m.pdu_ref == message.pdu_ref && (m.rosctr == 7) == (message.rosctr == 7);
        let asked = self.waiting.iter().position(asked_by).and_then(|at| self.waiting.remove(at));
        report(&message, asked.and_then(|a| a.1.function), cx);
        let mark = cx.mark();
        let Some((at, request)) = asked else { return emit(mark, &message, (None, None), cx) };
        emit(at, &request, (Some(mark.frame), None), cx);
        emit(mark, &message, (Some(at.frame), Some(Span(mark.ts.since(at.ts)))), cx);
    }
}

/// Tells the ordered stage of an operation; of answers only commands and refusals.
fn report(message: &Message, asked: Option<u8>, cx: &mut Cx<'_>) {
    let Some(function) = message.function.or(asked).filter(|f| *f != SETUP) else { return };
    let (name, class) = table::function(function);
    let refused =
        message.error.filter(|e| *e != (0, 0)).map(|(class, code)| (u16::from_be_bytes([class, code]), "error"));
    let is_answer = message.role == Role::Answer;
    if is_answer && refused.is_none() && class == OpClass::Read {
        return;
    }
    cx.op(Op {
        proto: S7::NAME,
        class,
        function: u16::from(function),
        name,
        point: None,
        points: 0,
        value: None,
        action: if function == 0x29 { "stop" } else { "" },
        is_answer,
        refused,
    });
}

fn emit(mark: Mark, message: &Message, (pair, response_time): (Option<u64>, Option<Span>), cx: &mut Cx<'_>) {
    cx.emit_at(
        mark,
        S7Pdu {
            is_request: message.role == Role::Request,
            rosctr: message.rosctr,
            pdu_ref: message.pdu_ref,
            function_code: message.function,
            function_name: message.function.map(|f| table::function(f).0),
            error_class: message.error.map(|e| e.0),
            error_code: message.error.map(|e| e.1),
            max_amq_calling: message.setup.map(|s| s.0),
            max_amq_called: message.setup.map(|s| s.1),
            pdu_size: message.setup.map(|s| s.2),
            pair,
            response_time,
        },
    );
}

impl Message {
    /// Reads a message; none when its header is not S7comm.
    fn parse(bytes: &[u8]) -> Option<Message> {
        let mut c = Cursor::new(bytes);
        let (identifier, rosctr) = (c.u8()?, c.u8()?);
        if identifier != IDENTIFIER || !matches!(rosctr, 1 | 2 | 3 | 7) {
            return None;
        }
        c.u16()?;
        let (pdu_ref, parameters, data) = (c.u16()?, c.u16()?, c.u16()?);
        let error = if matches!(rosctr, 2 | 3) { Some((c.u8()?, c.u8()?)) } else { None };
        let announced = usize::from(parameters) + usize::from(data);
        let fault = (c.left() != announced).then_some(LENGTH_MISMATCH);
        let rest = c.rest();
        let parameters = rest.get(..usize::from(parameters)).unwrap_or(rest);
        let function = if rosctr == 7 { None } else { parameters.first().copied() };
        let mut message =
            Message { role: role(rosctr, parameters), rosctr, pdu_ref, error, function, setup: None, fault };
        if function == Some(SETUP) {
            message.setup = setup(parameters);
            if message.setup.is_none() {
                message.fault = message.fault.or(Some("setup_cut"));
            }
        }
        Some(message)
    }
}

/// Set-up of communication: function, reserved, jobs of the caller, jobs of the called, message size.
fn setup(parameters: &[u8]) -> Option<(u16, u16, u16)> {
    let mut c = Cursor::new(parameters.get(2..)?);
    Some((c.u16()?, c.u16()?, c.u16()?))
}

/// User data says in its sixth parameter byte whether it asks (4), answers (8) or only tells (0).
fn role(rosctr: u8, parameters: &[u8]) -> Role {
    match (rosctr, parameters.get(5).map(|b| b >> 4)) {
        (1, _) | (7, Some(4)) => Role::Request,
        (2 | 3, _) | (7, Some(8)) => Role::Answer,
        _ => Role::Notice,
    }
}

#[cfg(test)]
mod tests;
