//! A DNP3 master and its outstation on one connection: start-up, class polls, unsolicited reports, time, operations.

use super::{Actor, Plan, Step, steps};
use crate::dnp3::{CON, FIR_FIN, Station, UNS, classes, crob, function, iin, indexed, range, request, response, time};
use crate::network::{RTUS, SCADA};
use crate::plant::{Action, Change, Desk, Plant, Signal};
use crate::queue::Cx;
use crate::rng::Rng;
use crate::tcp::{Conn, Side};
use crate::time::{HOUR, MINUTE, MS, Micros, SECOND};

/// Number of analog and binary points of an RTU.
const ANALOGS: u8 = 8;
const BINARIES: u8 = 12;

/// CROB codes of a breaker: pulse on with trip or close (IEEE 1815 A.8.1).
const TRIP: u8 = 0x81;
const CLOSE: u8 = 0x41;

pub(crate) struct Association {
    rtu: usize,
    rng: Rng,
    conn: Option<Conn>,
    master: Station,
    outstation: Station,
    /// Application sequence of the master's requests and of unsolicited responses.
    sequence: u8,
    unsolicited: u8,
    counter: u32,
    period: Micros,
    poll: Micros,
    integrity: Micros,
    clock: Micros,
    steps: Plan<Step>,
    changes: Plan<Change>,
}

impl Association {
    pub(crate) fn new(seed: u64, rtu: usize, plant: &Plant) -> Association {
        let mut rng = Rng::new(seed, ["dnp3 a", "dnp3 b"][rtu % 2]);
        let own = [10, 11][rtu % 2];
        let steps = steps(&plant.operations(Desk::Rtu(rtu)), &mut rng);
        // The input debounces and the event is buffered before it is reported.
        let changes = plant.changes(rtu).into_iter().map(|c| (c.at + rng.between(8 * MS, 40 * MS), c)).collect();
        Association {
            rtu,
            conn: None,
            master: Station { own: 1, peer: own, is_master: true, transport: rng.between(0, 64) as u8 },
            outstation: Station { own, peer: 1, is_master: false, transport: rng.between(0, 64) as u8 },
            sequence: 0,
            unsolicited: 0,
            counter: rng.between(10_000, 900_000) as u32,
            period: [5, 4][rtu % 2] * SECOND,
            poll: 0,
            integrity: 0,
            clock: 0,
            steps: Plan::new(steps),
            changes: Plan::new(changes),
            rng,
        }
    }

    /// Sends a fragment of the master or the outstation.
    fn fragment(&mut self, cx: &mut Cx<'_>, at: Micros, from: Side, fragment: &[u8]) -> Micros {
        let station = if from == Side::Client { &mut self.master } else { &mut self.outstation };
        let bytes = station.frames(fragment);
        self.conn.as_mut().map_or(at, |conn| conn.send(cx, at, from, &bytes))
    }

    /// A request and its response; a response with events is confirmed. Returns when all is said.
    fn ask(
        &mut self,
        cx: &mut Cx<'_>,
        at: Micros,
        code: u8,
        objects: &[u8],
        iin: u16,
        reply: &[u8],
        con: bool,
    ) -> Micros {
        let control = FIR_FIN | self.sequence;
        self.sequence = (self.sequence + 1) & 0x0f;
        let asked = self.fragment(cx, at, Side::Client, &request(control, code, objects));
        let answered = asked + self.rng.between(6 * MS, 28 * MS);
        let flag = if con { CON } else { 0 };
        let reply = response(control | flag, function::RESPONSE, iin, reply);
        let answered = self.fragment(cx, answered, Side::Server, &reply);
        if !con {
            return answered + self.rng.between(2 * MS, 9 * MS);
        }
        let confirmed = answered + self.rng.between(MS, 5 * MS);
        self.fragment(cx, confirmed, Side::Client, &request(control, function::CONFIRM, &[])) + 2 * MS
    }

    /// What follows a connection: restart seen and cleared, unsolicited reports off, integrity poll, time, reports on.
    fn start(&mut self, cx: &mut Cx<'_>, now: Micros) {
        let port = self.rng.port();
        let conn = Conn::open(cx, now, (&SCADA, port), (&RTUS[self.rtu % 2], 20_000), &mut self.rng);
        let at = conn.last() + 3 * MS;
        self.conn = Some(conn);
        let both = iin::RESTART | iin::NEED_TIME;
        let at = self.ask(cx, at, function::DISABLE_UNSOLICITED, &classes(&[2, 3, 4]), both, &[], false);
        let at = self.ask(cx, at, function::WRITE, &[80, 1, 0x00, 7, 7, 0], iin::NEED_TIME, &[], false);
        let at = self.write_time(cx, at);
        let at = self.integrity(cx, at);
        self.ask(cx, at, function::ENABLE_UNSOLICITED, &classes(&[2, 3, 4]), 0, &[], false);
        self.poll = now + self.period;
        self.integrity = now + 15 * MINUTE + self.rng.between(0, 20 * SECOND);
        self.clock = now + HOUR + self.rng.between(0, 40 * SECOND);
    }

    fn write_time(&mut self, cx: &mut Cx<'_>, at: Micros) -> Micros {
        let object = [&[50, 1, 0x07, 1][..], &time(at)].concat();
        self.ask(cx, at, function::WRITE, &object, 0, &[], false)
    }

    fn integrity(&mut self, cx: &mut Cx<'_>, at: Micros) -> Micros {
        let mut reply = range(1, 2, 0, &(0..BINARIES).map(|i| vec![self.binary(cx, i, at)]).collect::<Vec<_>>());
        let analogs = (0..ANALOGS).map(|i| self.analog(cx, i, at)).collect::<Vec<_>>();
        reply.extend(range(30, 1, 0, &analogs));
        let counter = [&[1][..], &self.counter.to_le_bytes()].concat();
        reply.extend(range(20, 1, 0, &[counter]));
        let outputs = (0..2).map(|_| vec![1]).collect::<Vec<_>>();
        reply.extend(range(10, 2, 0, &outputs));
        self.ask(cx, at, function::READ, &classes(&[2, 3, 4, 1]), 0, &reply, false)
    }

    /// Polls the three event classes; analog events are there when a value has left its dead band.
    fn classes(&mut self, cx: &mut Cx<'_>, at: Micros) {
        self.counter = self.counter.wrapping_add(self.rng.between(1, 6) as u32);
        let count = self.rng.between(0, 5).saturating_sub(1);
        let mut events = Vec::new();
        let mut index = self.rng.between(0, 3) as u8;
        for _ in 0..count {
            let taken = at - self.rng.between(200 * MS, 2 * SECOND);
            events.push((index, [self.analog(cx, index, taken), time(taken).to_vec()].concat()));
            index += 1 + self.rng.between(0, 2) as u8;
        }
        events.retain(|(index, _)| *index < ANALOGS);
        let reply = if events.is_empty() { Vec::new() } else { indexed(32, 3, &events) };
        let con = !events.is_empty();
        self.ask(cx, at, function::READ, &classes(&[2, 3, 4]), 0, &reply, con);
    }

    fn report(&mut self, cx: &mut Cx<'_>, at: Micros, change: Change) {
        let control = FIR_FIN | UNS | self.unsolicited;
        self.unsolicited = (self.unsolicited + 1) & 0x0f;
        let state = |on: bool| [&[u8::from(on) << 7 | 1][..], &time(change.at)].concat();
        let events = indexed(2, 2, &[(0, state(change.closed)), (1, state(!change.closed))]);
        let sent = response(control | CON, function::UNSOLICITED, iin::CLASS_1, &events);
        let at = self.fragment(cx, at, Side::Server, &sent) + self.rng.between(MS, 6 * MS);
        self.fragment(cx, at, Side::Client, &request(control, function::CONFIRM, &[]));
    }

    fn operate(&mut self, cx: &mut Cx<'_>, at: Micros, step: Step) {
        let (code, action) = match step {
            Step::Select(action) => (function::SELECT, action),
            Step::Execute(action) => (function::OPERATE, action),
            Step::Terminate(_) => return,
        };
        let Action::Breaker { close, .. } = action else { return };
        let block = crob(0, if close { CLOSE } else { TRIP }, 100, 0);
        self.ask(cx, at, code, &block, 0, &block, false);
    }

    /// Flags of a binary input: online, and the state of the breaker in the first two.
    fn binary(&self, cx: &Cx<'_>, index: u8, at: Micros) -> u8 {
        let closed = cx.plant.closed(self.rtu, at);
        let on = match index {
            0 => closed,
            1 => !closed,
            other => other % 3 == 2,
        };
        u8::from(on) << 7 | 1
    }

    fn analog(&self, cx: &Cx<'_>, index: u8, at: Micros) -> Vec<u8> {
        let (signal, scale) = match index % 5 {
            0 => (Signal::Voltage, 1_000.0),
            1 => (Signal::Current, 100.0),
            2 => (Signal::Power, 1_000.0),
            3 => (Signal::Frequency, 1_000.0),
            _ => (Signal::Temperature, 10.0),
        };
        let value = cx.plant.value(signal, self.rtu, at) * scale * (1.0 + f64::from(index / 5) * 0.002);
        [&[1][..], &(value as i32).to_le_bytes()].concat()
    }
}

impl Actor for Association {
    fn begin(&self, start: Micros) -> Micros {
        start + (self.rtu as u64 + 1) * 340 * MS
    }

    fn wake(&mut self, now: Micros, cx: &mut Cx<'_>) -> Option<Micros> {
        if self.conn.is_none() {
            self.start(cx, now);
        } else if let Some((_, change)) = self.changes.take(now) {
            self.report(cx, now, change);
        } else if let Some((_, step)) = self.steps.take(now) {
            self.operate(cx, now, step);
        } else if self.clock <= now {
            self.write_time(cx, now);
            self.clock = now + HOUR + self.rng.between(0, 40 * SECOND);
        } else if self.integrity <= now {
            self.integrity(cx, now);
            self.integrity = now + 15 * MINUTE + self.rng.between(0, 20 * SECOND);
        } else if self.poll <= now {
            self.classes(cx, now);
            self.poll = now + self.period + self.rng.between(0, 60 * MS);
        }
        if let Some(conn) = &mut self.conn {
            conn.settle(cx);
        }
        let next = [self.poll, self.integrity, self.clock, self.steps.due(), self.changes.due()];
        next.into_iter().min()
    }
}
