//! Commands that the dispatcher gave are recorded on the wire and given again later, word for word.
//!
//! What the devices count is counted on, or they would refuse: DNP3 and IEC 104 sequence numbers, Modbus transactions. Objects, qualifiers,
//! values and causes are the recorded ones.

use super::{Cast, moment};
use crate::actors::order::{Session, Task};
use crate::cx::{Cx, Handle};
use crate::dnp3::function;
use crate::episode::{Episode, Fate, Message};
use crate::iec104::kind;
use crate::label::Label;
use crate::network::Host;
use crate::plant::Plant;
use crate::rng::Rng;
use crate::tcp::Side;
use crate::time::{Micros, SECOND};

/// Commands recorded at most; an operation has up to two.
const RECORDED: usize = 8;

pub(crate) struct Replay {
    cast: Cast,
    rng: Rng,
    begin: Micros,
    pause: Micros,
    /// The session recorded from, and its requests with their answers.
    source: Option<Session>,
    recorded: Vec<(Vec<u8>, Vec<u8>)>,
    waiting: Option<Vec<u8>>,
    handle: Option<Handle>,
    done: usize,
}

impl Replay {
    /// Between six and eight tenths of the run; records until then.
    pub(crate) fn new(cast: Cast, mut rng: Rng, plant: &Plant) -> Replay {
        let begin = moment(&mut rng, plant, 60, 80);
        let pause = ((plant.end - plant.start) / 60).clamp(3 * SECOND, 20 * SECOND);
        let (recorded, source, waiting, handle) = (Vec::new(), None, None, None);
        Replay { cast, rng, begin, pause, source, recorded, waiting, handle, done: 0 }
    }

    /// The recorded exchange as an order.
    fn task(session: Session, request: &[u8], answer: &[u8]) -> Task {
        match session {
            Session::Rtu1 | Session::Rtu2 => Task::Dnp3 {
                function: request[1],
                objects: request[2..].to_vec(),
                reply: answer.get(4..).unwrap_or_default().to_vec(),
                iin: 0,
            },
            Session::Meter | Session::Plc => {
                let pdu = |adu: &[u8]| adu.get(7..).unwrap_or_default().to_vec();
                Task::Modbus { question: pdu(request), answer: pdu(answer) }
            }
            Session::Rtu3 => Task::Iec104(vec![(Side::Client, request.to_vec()), (Side::Server, answer.to_vec())]),
        }
    }
}

/// Whether a client's message commands something.
fn is_command(session: Session, bytes: &[u8]) -> bool {
    match session {
        Session::Rtu1 | Session::Rtu2 => matches!(bytes.get(1), Some(&(function::SELECT | function::OPERATE))),
        Session::Meter | Session::Plc => matches!(bytes.get(7), Some(5 | 6 | 16)),
        Session::Rtu3 => matches!(bytes.first(), Some(&(kind::SINGLE_COMMAND | kind::DOUBLE_COMMAND))),
    }
}

/// Where a breaker goes by a command that executes; none for others.
fn moves(session: Session, bytes: &[u8]) -> Option<bool> {
    match session {
        Session::Rtu1 | Session::Rtu2 if bytes[1] == function::OPERATE => Some(bytes.get(9) == Some(&0x41)),
        Session::Plc if bytes.get(7) == Some(&5) => Some(bytes.get(10) == Some(&0xff)),
        Session::Rtu3 if bytes[0] == kind::DOUBLE_COMMAND => {
            bytes.get(9).filter(|value| **value & 0x80 == 0).map(|value| value & 3 == 2)
        }
        _ => None,
    }
}

impl Episode for Replay {
    fn label(&self) -> Label {
        self.cast.label()
    }

    fn parties(&self) -> (&'static Host, Vec<&'static Host>) {
        (self.cast.host, self.source.iter().map(|session| session.server()).collect())
    }

    fn begin(&self) -> Micros {
        self.begin
    }

    fn wake(&mut self, now: Micros, cx: &mut Cx<'_>) -> Option<Micros> {
        let session = self.source?;
        let Some(handle) = self.handle else {
            let (handle, up) = self.cast.session(session, now, cx, &mut self.rng);
            self.handle = Some(handle);
            return Some(up + self.rng.between(0, self.pause));
        };
        let Some((request, answer)) = self.recorded.get(self.done) else {
            self.cast.leave(handle, now + self.pause, cx, &mut self.rng);
            return None;
        };
        self.done += 1;
        cx.order(handle, now + 1, Replay::task(session, request, answer), &mut self.rng);
        let at = now + self.rng.between(60_000, 95_000);
        if let (Some(close), Some(breaker)) = (moves(session, request), session.breaker())
            && cx.plant.closed(breaker, at) != close
        {
            cx.moved(at, breaker, close);
        }
        Some(now + self.pause / 4 + self.rng.between(0, self.pause))
    }

    fn message(&mut self, message: Message<'_>) -> Fate {
        let source = *self.source.get_or_insert(message.session);
        let is_command = message.from == Side::Client && is_command(message.session, message.bytes);
        if self.recorded.is_empty() && is_command {
            self.source = Some(message.session);
        } else if source != message.session {
            return Fate::Pass;
        }
        if self.handle.is_some() || self.recorded.len() >= RECORDED {
            return Fate::Pass;
        }
        if is_command {
            self.waiting = Some(message.bytes.clone());
        } else if let (Side::Server, Some(request)) = (message.from, self.waiting.take()) {
            self.recorded.push((request, message.bytes.clone()));
        }
        Fate::Pass
    }
}
