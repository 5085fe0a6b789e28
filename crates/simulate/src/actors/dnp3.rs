//! A DNP3 master and its outstation on one connection: start-up, class polls, unsolicited reports, time, operations.

use super::order::{Session, Task};
use super::session::Carrier;
use super::{Actor, News, Plan, Step, steps, think};
use crate::cx::Cx;
use crate::dnp3::{CON, FIR_FIN, Station, UNS, classes, crob, function, iin, indexed, range, request, response, time};
use crate::label::Label;
use crate::network::Host;
use crate::plant::{Action, Change, Desk, Plant, Signal};
use crate::rng::Rng;
use crate::site::dnp3::{ANALOGS, BINARIES, BREAKER, CLOSE, MASTER, OUTSTATIONS, TRIP};
use crate::tcp::Side;
use crate::time::{HOUR, MINUTE, MS, Micros, SECOND};

/// Time between two polls of the event classes.
const PERIOD: Micros = 5 * SECOND;

pub(crate) struct Association {
    rtu: usize,
    carrier: Carrier,
    master: Station,
    outstation: Station,
    /// Application sequence of the master's requests and of unsolicited responses.
    sequence: u8,
    unsolicited: u8,
    counter: u32,
    poll: Micros,
    integrity: Micros,
    clock: Micros,
    steps: Plan<(Step, Option<Label>)>,
    changes: Plan<Change>,
}

impl Association {
    /// The front end's association.
    pub(crate) fn new(seed: u64, rtu: usize, plant: &Plant) -> Association {
        let mut rng = Rng::new(seed, ["dnp3 a", "dnp3 b"][rtu % 2]);
        let steps = steps(&plant.operations(Desk::Rtu(rtu)), &mut rng);
        // The input debounces and the event is buffered before it is reported.
        let changes = plant.changes(rtu).into_iter().map(|c| (c.at + rng.between(8 * MS, 40 * MS), c)).collect();
        let begin = plant.start + (rtu as u64 + 1) * 340 * MS;
        Association::with(Carrier::new(session(rtu), rng, begin), rtu, Plan::new(steps), Plan::new(changes))
    }

    /// Another client's association with the same outstation, under the master's link address, as outstations know one only.
    pub(crate) fn foreign(
        seed: u64,
        rtu: usize,
        client: &'static Host,
        label: Option<Label>,
        at: Micros,
    ) -> Association {
        let carrier = Carrier::foreign(session(rtu), seed, client, label, at);
        Association::with(carrier, rtu, Plan::new(Vec::new()), Plan::new(Vec::new()))
    }

    fn with(
        mut carrier: Carrier,
        rtu: usize,
        steps: Plan<(Step, Option<Label>)>,
        changes: Plan<Change>,
    ) -> Association {
        let own = OUTSTATIONS[rtu % 2];
        let rng = &mut carrier.rng;
        Association {
            rtu,
            master: Station { own: MASTER, peer: own, is_master: true, transport: rng.between(0, 64) as u8 },
            outstation: Station { own, peer: MASTER, is_master: false, transport: rng.between(0, 64) as u8 },
            sequence: rng.between(0, 16) as u8,
            unsolicited: rng.between(0, 16) as u8,
            counter: rng.between(10_000, 900_000) as u32,
            poll: 0,
            integrity: 0,
            clock: 0,
            steps,
            changes,
            carrier,
        }
    }

    /// Sends a fragment of the master or the outstation.
    fn fragment(&mut self, cx: &mut Cx<'_>, at: Micros, from: Side, fragment: &[u8]) -> Micros {
        let station = if from == Side::Client { &mut self.master } else { &mut self.outstation };
        self.carrier.say(cx, at, from, fragment.to_vec(), |fragment| station.frames(fragment)).unwrap_or(at)
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
        let answered = asked + self.carrier.rng.between(6 * MS, 28 * MS);
        let flag = if con { CON } else { 0 };
        let reply = response(control | flag, function::RESPONSE, iin, reply);
        let answered = self.fragment(cx, answered, Side::Server, &reply);
        if !con {
            return answered + self.carrier.rng.between(2 * MS, 9 * MS);
        }
        let confirmed = answered + self.carrier.rng.between(MS, 5 * MS);
        self.fragment(cx, confirmed, Side::Client, &request(control, function::CONFIRM, &[])) + 2 * MS
    }

    /// What follows a connection: unsolicited reports off, integrity poll, reports on; after a restart it is seen, cleared, the time set.
    fn start(&mut self, cx: &mut Cx<'_>, now: Micros) {
        let mut at = self.carrier.open(cx, now) + 3 * MS;
        let all = classes(&[2, 3, 4]);
        if self.carrier.restarted {
            self.unsolicited = 0;
            at = self.unsolicited(cx, at, iin::RESTART | iin::NEED_TIME, &[]) + 4 * MS;
            at = self.ask(cx, at, function::DISABLE_UNSOLICITED, &all, iin::RESTART | iin::NEED_TIME, &[], false);
            at = self.ask(cx, at, function::WRITE, &[80, 1, 0x00, 7, 7, 0], iin::NEED_TIME, &[], false);
            at = self.write_time(cx, at);
        } else {
            at = self.ask(cx, at, function::DISABLE_UNSOLICITED, &all, 0, &[], false);
        }
        let at = self.integrity(cx, at);
        self.ask(cx, at, function::ENABLE_UNSOLICITED, &all, 0, &[], false);
        self.poll = now + PERIOD;
        self.integrity = now + 15 * MINUTE + self.carrier.rng.between(0, 20 * SECOND);
        self.clock = now + HOUR + self.carrier.rng.between(0, 40 * SECOND);
        self.steps.skip(now);
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
        self.counter = self.counter.wrapping_add(self.carrier.rng.between(1, 6) as u32);
        let count = self.carrier.rng.between(0, 5).saturating_sub(1);
        let mut events = Vec::new();
        let mut index = self.carrier.rng.between(0, 3) as u8;
        for _ in 0..count {
            let taken = at - self.carrier.rng.between(200 * MS, 2 * SECOND);
            events.push((index, [self.analog(cx, index, taken), time(taken).to_vec()].concat()));
            index += 1 + self.carrier.rng.between(0, 2) as u8;
        }
        events.retain(|(index, _)| *index < ANALOGS);
        let reply = if events.is_empty() { Vec::new() } else { indexed(32, 3, &events) };
        let con = !events.is_empty();
        self.ask(cx, at, function::READ, &classes(&[2, 3, 4]), 0, &reply, con);
    }

    fn report(&mut self, cx: &mut Cx<'_>, at: Micros, change: Change) {
        let state = |on: bool| [&[u8::from(on) << 7 | 1][..], &time(change.at)].concat();
        let mut events = vec![(0, state(change.closed)), (1, state(!change.closed))];
        if change.is_trip {
            // General start, trip, fuse, reclaim: what a relay's contacts wire to the RTU.
            events.extend((4..8).map(|index| (index, state(!change.closed))));
        }
        self.unsolicited(cx, at, iin::CLASS_1, &indexed(2, 2, &events));
    }

    /// An unsolicited response and its confirmation; returns when that is said.
    fn unsolicited(&mut self, cx: &mut Cx<'_>, at: Micros, iin: u16, objects: &[u8]) -> Micros {
        let control = FIR_FIN | UNS | self.unsolicited;
        self.unsolicited = (self.unsolicited + 1) & 0x0f;
        let sent = response(control | CON, function::UNSOLICITED, iin, objects);
        let at = self.fragment(cx, at, Side::Server, &sent) + self.carrier.rng.between(MS, 6 * MS);
        self.fragment(cx, at, Side::Client, &request(control, function::CONFIRM, &[]))
    }

    /// Does what was ordered.
    fn obey(&mut self, cx: &mut Cx<'_>, now: Micros, task: &Task) {
        match task {
            Task::Operate(action) => {
                self.operate(cx, now, Step::Select(*action));
                let at = now + think(&mut self.carrier.rng);
                self.carrier.follow(cx, at, Step::Execute(*action));
            }
            Task::Step(step) => {
                self.operate(cx, now, *step);
                if let Step::Execute(action) = step {
                    self.carrier.effect(cx, now, *action);
                }
            }
            Task::Dnp3 { function, objects, reply, iin } => {
                self.ask(cx, now, *function, objects, *iin, reply, false);
            }
            task => {
                let mut master = self.master.clone();
                let poll = request(FIR_FIN | self.sequence, function::READ, &classes(&[2, 3, 4]));
                self.carrier.obey(cx, now, task, &master.frames(&poll));
            }
        }
    }

    fn operate(&mut self, cx: &mut Cx<'_>, at: Micros, step: Step) {
        let (code, action) = match step {
            Step::Select(action) => (function::SELECT, action),
            Step::Execute(action) => (function::OPERATE, action),
            Step::Terminate(_) => return,
        };
        let Action::Breaker { close, .. } = action else { return };
        let block = crob(BREAKER, if close { CLOSE } else { TRIP }, 100, 0);
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
    fn begin(&self, _: Micros) -> Micros {
        self.carrier.connect
    }

    fn wake(&mut self, now: Micros, cx: &mut Cx<'_>) -> Option<Micros> {
        self.carrier.mark(cx);
        if self.carrier.conn.is_none() {
            if now < self.carrier.connect {
                return Some(self.carrier.connect).filter(|at| *at < Micros::MAX);
            }
            self.start(cx, now);
            self.carrier.up();
        } else if let Some((_, change)) = self.changes.take(now) {
            cx.label = change.label.or(cx.label);
            self.report(cx, now, change);
        } else if let Some((_, (step, label))) = self.steps.take(now) {
            cx.label = label.or(cx.label);
            self.operate(cx, now, step);
        } else if let Some(order) = self.carrier.take(now, cx) {
            self.obey(cx, now, &order.task);
            self.carrier.done(cx, order);
        } else if self.clock <= now {
            self.write_time(cx, now);
            self.clock = now + HOUR + self.carrier.rng.between(0, 40 * SECOND);
        } else if self.integrity <= now {
            self.integrity(cx, now);
            self.integrity = now + 15 * MINUTE + self.carrier.rng.between(0, 20 * SECOND);
        } else if self.poll <= now {
            self.classes(cx, now);
            self.poll = now + PERIOD + self.carrier.rng.between(0, 60 * MS);
        }
        let due = self.carrier.due();
        let Some(conn) = &mut self.carrier.conn else { return Some(self.carrier.connect) };
        let next = [self.poll, self.integrity, self.clock, self.steps.due(), self.changes.due()];
        let next = next.into_iter().fold(due, Micros::min);
        conn.settle(cx, next);
        Some(next)
    }

    fn news(&mut self, news: News) -> Option<Micros> {
        match news {
            News::Order(order) => Some(self.carrier.order(order)),
            News::Change(change) if change.breaker == self.rtu && !self.carrier.is_foreign() => {
                let at = change.at + 23 * MS;
                self.changes.insert(at, change);
                Some(at)
            }
            News::Change(_) => None,
        }
    }
}

fn session(rtu: usize) -> Session {
    [Session::Rtu1, Session::Rtu2][rtu % 2]
}
