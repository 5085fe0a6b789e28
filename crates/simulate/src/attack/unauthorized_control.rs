//! A host that never commanded sends control to three devices, which obey as devices do.
//!
//! What it commands are spare outputs, wired to nothing in the plant, so the benign frames stay those of the twin.

use crate::actors::Actor;
use crate::actors::services::arp;
use crate::dnp3::{self, FIR_FIN, Station, crob, function};
use crate::iec104::{Numbers, asdu, cause, kind, unnumbered, unnumbered_frame};
use crate::modbus::{adu, words, write_registers};
use crate::network::{Host, INTRUDER, OUTSTATION, PLC, RTUS};
use crate::queue::Cx;
use crate::rng::Rng;
use crate::tcp::{Conn, Side};
use crate::time::{MS, Micros, SECOND};

/// Who is commanded, in this order.
pub(crate) static TARGETS: [&Host; 3] = [&RTUS[0], &PLC, &OUTSTATION];

/// The spare outputs by protocol.
const POINT: u16 = 20;
const COIL: u16 = 30;
const REGISTER: u16 = 90;
const OBJECT: u32 = 6_100;

pub(crate) struct Control {
    rng: Rng,
    begin: Micros,
    done: usize,
}

impl Control {
    /// Between two thirds and eight tenths of the run.
    pub(crate) fn new(seed: u64, start: Micros, end: Micros) -> Control {
        let mut rng = Rng::new(seed, "attack unauthorized-control");
        let span = end.saturating_sub(start);
        let begin = start + rng.between(span * 2 / 3, span * 8 / 10);
        Control { rng, begin, done: 0 }
    }

    /// A conversation of questions and answers on a new connection.
    fn talk(&mut self, cx: &mut Cx<'_>, now: Micros, target: &'static Host, port: u16, turns: Vec<(Side, Vec<u8>)>) {
        arp(cx, now, &INTRUDER, target, &mut self.rng);
        let source = self.rng.port();
        let mut conn = Conn::open(cx, now + 2 * MS, (&INTRUDER, source), (target, port), &mut self.rng);
        let mut at = conn.last() + 4 * MS;
        for (side, bytes) in turns {
            at = conn.send(cx, at, side, &bytes) + self.rng.between(5 * MS, 30 * MS);
        }
        conn.close(cx, at + 400 * MS, Side::Client);
    }
}

/// Direct operate with trip, the outstation's echo, twice.
fn dnp3_turns() -> Vec<(Side, Vec<u8>)> {
    // The outstation knows one master only, so the intruder uses its address.
    let mut master = Station { own: 1, peer: 10, is_master: true, transport: 0 };
    let mut outstation = Station { own: 10, peer: 1, is_master: false, transport: 0 };
    let mut turns = Vec::new();
    for (sequence, index) in [(0, POINT), (1, POINT + 1)] {
        let block = crob(index, 0x81, 250, 0);
        let ask = dnp3::request(FIR_FIN | sequence, function::DIRECT_OPERATE, &block);
        let answer = dnp3::response(FIR_FIN | sequence, function::RESPONSE, 0, &block);
        turns.push((Side::Client, master.frames(&ask)));
        turns.push((Side::Server, outstation.frames(&answer)));
    }
    turns
}

/// Single coil, single register, several registers; each write is answered.
fn modbus_turns() -> Vec<(Side, Vec<u8>)> {
    let writes = [
        (words(5, COIL, 0xff00), words(5, COIL, 0xff00)),
        (words(6, REGISTER, 0), words(6, REGISTER, 0)),
        (write_registers(REGISTER, &[0, 9_999]), words(16, REGISTER, 2)),
    ];
    let turns = (1u16..).zip(writes);
    turns
        .flat_map(|(id, (ask, answer))| [(Side::Client, adu(id, 1, &ask)), (Side::Server, adu(id, 1, &answer))])
        .collect()
}

/// Start, single command without selection, confirmation, termination, acknowledgement.
fn iec104_turns() -> Vec<(Side, Vec<u8>)> {
    let command = |cause| asdu(kind::SINGLE_COMMAND, cause, OUTSTATION.last.into(), &[(OBJECT, vec![1])]);
    let (mut client, mut server) = (Numbers::default(), Numbers::default());
    let activation = client.numbered(&command(cause::ACTIVATION));
    server.receive();
    let confirmation = server.numbered(&command(cause::CONFIRMATION));
    let termination = server.numbered(&command(cause::TERMINATION));
    client.receive();
    client.receive();
    vec![
        (Side::Client, unnumbered_frame(unnumbered::START_ACT)),
        (Side::Server, unnumbered_frame(unnumbered::START_CON)),
        (Side::Client, activation),
        (Side::Server, confirmation),
        (Side::Server, termination),
        (Side::Client, client.supervisory()),
    ]
}

impl Actor for Control {
    fn begin(&self, _: Micros) -> Micros {
        self.begin
    }

    fn wake(&mut self, now: Micros, cx: &mut Cx<'_>) -> Option<Micros> {
        let target = TARGETS.get(self.done)?;
        let (port, turns) = match self.done {
            0 => (20_000, dnp3_turns()),
            1 => (502, modbus_turns()),
            _ => (2_404, iec104_turns()),
        };
        self.talk(cx, now, target, port, turns);
        self.done += 1;
        Some(now + 2 * SECOND + self.rng.exponential(8 * SECOND).min(30 * SECOND))
    }
}
