//! Modbus clients: the front end polls a meter and a PLC, operators write, the workstation asks for identification once a day.

use super::order::{Session, Task};
use super::session::Carrier;
use super::{Actor, News, Periodic, Plan};
use crate::cx::Cx;
use crate::label::Label;
use crate::modbus::{READ_DEVICE_IDENTIFICATION, adu, bits, device_identification, registers, words, write_registers};
use crate::network::{HISTORIAN, Host, METER, PLC, WORKSTATION};
use crate::plant::{Action, Desk, Plant, Signal};
use crate::rng::Rng;
use crate::site::plc::{BREAKER, SET_POINT};
use crate::tcp::{Conn, Side};
use crate::time::{DAY, MINUTE, MS, Micros, SECOND};

/// The feeder that the PLC controls; its breaker is coil 0.
const FEEDER: usize = 3;

pub(crate) struct Poller {
    carrier: Carrier,
    unit: u8,
    is_plc: bool,
    transaction: u16,
    poll: Micros,
    actions: Plan<(Action, Option<Label>)>,
}

impl Poller {
    /// The meter, read each second.
    pub(crate) fn meter(seed: u64, plant: &Plant) -> Poller {
        let carrier = Carrier::new(Session::Meter, Rng::new(seed, "modbus meter"), plant.start + 620 * MS);
        Poller::with(carrier, Plan::new(Vec::new()))
    }

    /// The PLC, read each five seconds and written by operators.
    pub(crate) fn plc(seed: u64, plant: &Plant) -> Poller {
        let actions = plant.operations(Desk::Plc).iter().map(|op| (op.at, (op.action, op.label))).collect();
        let carrier = Carrier::new(Session::Plc, Rng::new(seed, "modbus plc"), plant.start + 910 * MS);
        Poller::with(carrier, Plan::new(actions))
    }

    /// Another client's connection to one of them.
    pub(crate) fn foreign(seed: u64, is_plc: bool, client: &'static Host, label: Option<Label>, at: Micros) -> Poller {
        let session = if is_plc { Session::Plc } else { Session::Meter };
        Poller::with(Carrier::foreign(session, seed, client, label, at), Plan::new(Vec::new()))
    }

    fn with(carrier: Carrier, actions: Plan<(Action, Option<Label>)>) -> Poller {
        let is_plc = carrier.session == Session::Plc;
        Poller { carrier, unit: 1, is_plc, transaction: 0, poll: 0, actions }
    }

    fn ask(&mut self, cx: &mut Cx<'_>, at: Micros, question: &[u8], answer: &[u8]) -> Micros {
        self.transaction = self.transaction.wrapping_add(1);
        let say = |pdu| adu(self.transaction, self.unit, pdu);
        let asked = self.carrier.say(cx, at, Side::Client, say(question), <[u8]>::to_vec).unwrap_or(at);
        let due = asked + self.carrier.rng.between(2 * MS, 9 * MS);
        if answer.is_empty() {
            return due;
        }
        let answered = self.carrier.say(cx, due, Side::Server, say(answer), <[u8]>::to_vec).unwrap_or(due);
        answered + self.carrier.rng.between(MS, 4 * MS)
    }

    fn read_meter(&mut self, cx: &mut Cx<'_>, at: Micros) {
        let value = |signal, scale: f64| (cx.plant.value(signal, 0, at) * scale) as u16;
        let scaled = [
            value(Signal::Voltage, 1_000.0),
            value(Signal::Current, 100.0),
            value(Signal::Power, 1_000.0),
            value(Signal::Frequency, 1_000.0),
        ];
        let floats = [Signal::Voltage, Signal::Current, Signal::Power, Signal::Frequency].map(|signal| {
            let bits = (cx.plant.value(signal, 0, at) as f32).to_bits();
            [(bits >> 16) as u16, bits as u16]
        });
        let at = self.ask(cx, at, &words(4, 0, 8), &registers(4, &floats.concat()));
        if self.transaction.is_multiple_of(5) {
            self.ask(cx, at, &words(3, 100, 4), &registers(3, &scaled));
        }
    }

    fn read_plc(&mut self, cx: &mut Cx<'_>, at: Micros) {
        let closed = cx.plant.closed(FEEDER, at);
        let temperature = (cx.plant.value(Signal::Temperature, FEEDER, at) * 10.0) as u16;
        let voltage = (cx.plant.value(Signal::Voltage, FEEDER, at) * 1_000.0) as u16;
        let coils = [closed, true, false, false, true, false, false, false];
        let inputs = [closed, !closed, true, false, false, true, false, false, true, false];
        let at = self.ask(cx, at, &words(1, 0, 8), &bits(1, &coils));
        let at = self.ask(cx, at, &words(2, 0, 10), &bits(2, &inputs));
        let holding = [cx.plant.set_point.get(), 30, temperature, voltage, 0, 1];
        self.ask(cx, at, &words(3, SET_POINT, 6), &registers(3, &holding));
    }

    fn act(&mut self, cx: &mut Cx<'_>, at: Micros, action: Action) {
        match action {
            Action::Breaker { close, .. } => {
                let write = words(5, BREAKER, if close { 0xff00 } else { 0 });
                self.ask(cx, at, &write, &write);
            }
            Action::SetPoint { value } => {
                cx.plant.set_point.set(value);
                let write = words(6, SET_POINT, value);
                let ramp = self.carrier.rng.between(0, 2) == 0;
                if ramp {
                    self.ask(cx, at, &write_registers(SET_POINT, &[value, 30]), &words(16, SET_POINT, 2));
                } else {
                    self.ask(cx, at, &write, &write);
                }
            }
            Action::Tap { .. } => {}
        }
    }

    fn obey(&mut self, cx: &mut Cx<'_>, now: Micros, task: &Task) {
        match task {
            Task::Operate(action) => {
                self.act(cx, now, *action);
                self.carrier.effect(cx, now, *action);
            }
            Task::Modbus { question, answer } => {
                self.ask(cx, now, question, answer);
            }
            task => {
                let poll = if self.is_plc { words(1, 0, 8) } else { words(4, 0, 8) };
                let poll = adu(self.transaction.wrapping_add(1), self.unit, &poll);
                self.carrier.obey(cx, now, task, &poll);
            }
        }
    }
}

impl Actor for Poller {
    fn begin(&self, _: Micros) -> Micros {
        self.carrier.connect
    }

    fn wake(&mut self, now: Micros, cx: &mut Cx<'_>) -> Option<Micros> {
        self.carrier.mark(cx);
        if self.carrier.conn.is_none() {
            if now < self.carrier.connect {
                return Some(self.carrier.connect).filter(|at| *at < Micros::MAX);
            }
            self.carrier.open(cx, now);
            self.carrier.up();
            self.actions.skip(now);
            self.poll = now + 5 * MS;
        } else if let Some((_, (action, label))) = self.actions.take(now) {
            cx.label = label.or(cx.label);
            self.act(cx, now, action);
        } else if let Some(order) = self.carrier.take(now, cx) {
            self.obey(cx, now, &order.task);
            self.carrier.done(cx, order);
        } else if self.poll <= now {
            let period = if self.is_plc {
                self.read_plc(cx, now);
                5 * SECOND
            } else {
                self.read_meter(cx, now);
                SECOND
            };
            self.poll = now.max(self.poll + period) + self.carrier.rng.between(0, 12 * MS);
        }
        let next = self.poll.min(self.actions.due()).min(self.carrier.due());
        let Some(conn) = &mut self.carrier.conn else { return Some(self.carrier.connect) };
        conn.settle(cx, next);
        Some(next)
    }

    fn news(&mut self, news: News) -> Option<Micros> {
        match news {
            News::Order(order) => Some(self.carrier.order(order)),
            News::Change(_) => None,
        }
    }
}

/// The workstation that takes stock of both devices once a day, early in the run.
pub(crate) fn identification(seed: u64) -> impl Actor {
    let mut daily = Periodic::new(seed, "modbus identification", DAY, MINUTE, |now, cx: &mut Cx<'_>, rng: &mut Rng| {
        identify(cx, now, &WORKSTATION, &METER, rng);
        let later = now + rng.between(2 * SECOND, 20 * SECOND);
        identify(cx, later, &WORKSTATION, &PLC, rng);
    });
    daily.first = daily.rng.between(2 * MINUTE, 25 * MINUTE);
    daily
}

/// The historian reads the meter's energy registers and the PLC's set points, either one, on a connection of its own each time.
pub(crate) fn energy(seed: u64) -> impl Actor {
    let mut counted = 40_000_u16;
    Periodic::new(seed, "modbus energy", 2 * MINUTE, 2 * MINUTE, move |now, cx: &mut Cx<'_>, rng: &mut Rng| {
        if rng.between(0, 2) == 0 {
            return read_set_points(cx, now, &HISTORIAN, rng);
        }
        counted = counted.wrapping_add(rng.between(3, 40) as u16);
        let exchange = (words(3, 200, 4), registers(3, &[12, counted, 3, 9_100]));
        brief(cx, now, &HISTORIAN, &METER, &vec![exchange; rng.between(1, 4) as usize], rng);
    })
}

/// Somebody asks a device what it is, on a connection of its own.
pub(crate) fn identify(cx: &mut Cx<'_>, at: Micros, client: &'static Host, host: &'static Host, rng: &mut Rng) {
    let objects = match host.last {
        61 => ["Schneider Electric", "PM5560", "V2.8.3"],
        _ => ["Schneider Electric", "TM221CE40R", "1.12"],
    };
    brief(cx, at, client, host, &[(READ_DEVICE_IDENTIFICATION.to_vec(), device_identification(objects))], rng);
}

/// Somebody reads the PLC's set points and measurements, on a connection of its own.
pub(crate) fn read_set_points(cx: &mut Cx<'_>, at: Micros, client: &'static Host, rng: &mut Rng) {
    let temperature = (cx.plant.value(Signal::Temperature, FEEDER, at) * 10.0) as u16;
    let voltage = (cx.plant.value(Signal::Voltage, FEEDER, at) * 1_000.0) as u16;
    let holding = [cx.plant.set_point.get(), 30, temperature, voltage, 0, 1];
    let exchange = (words(3, SET_POINT, 6), registers(3, &holding));
    let count = rng.between(2, 7) as usize;
    brief(cx, at, client, &PLC, &vec![exchange; count], rng);
}

/// A short connection with some exchanges, seconds apart; an empty answer is none.
pub(crate) fn brief(
    cx: &mut Cx<'_>,
    at: Micros,
    client: &'static Host,
    host: &'static Host,
    exchanges: &[(Vec<u8>, Vec<u8>)],
    rng: &mut Rng,
) {
    let port = rng.port();
    let mut conn = Conn::open(cx, at, (client, port), (host, 502), rng);
    let mut at = conn.last() + rng.between(MS, 4 * MS);
    for (id, (question, answer)) in (1..).zip(exchanges) {
        let asked = conn.send(cx, at, Side::Client, &adu(id, 1, question));
        at = asked + rng.between(4 * MS, 12 * MS);
        if !answer.is_empty() && !cx.is_silent(host, at) {
            at = conn.send(cx, at, Side::Server, &adu(id, 1, answer));
        }
        at += rng.between(900 * MS, 5 * SECOND);
        conn.settle(cx, at);
    }
    conn.close(cx, at, Side::Client);
}
