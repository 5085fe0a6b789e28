//! Modbus clients: the front end polls a meter and a PLC, operators write, the workstation asks for identification once a day.

use super::{Actor, Periodic, Plan};
use crate::modbus::{READ_DEVICE_IDENTIFICATION, adu, bits, device_identification, registers, words, write_registers};
use crate::network::{Host, METER, PLC, SCADA, WORKSTATION};
use crate::plant::{Action, Desk, Plant, Signal};
use crate::queue::Cx;
use crate::rng::Rng;
use crate::tcp::{Conn, Side};
use crate::time::{DAY, MINUTE, MS, Micros, SECOND};

/// The feeder that the PLC controls; its breaker is coil 0.
const FEEDER: usize = 3;
/// Holding register of the voltage set point, and of set point with ramp.
const SET_POINT: u16 = 40;

pub(crate) struct Poller {
    rng: Rng,
    server: &'static Host,
    unit: u8,
    is_plc: bool,
    period: Micros,
    conn: Option<Conn>,
    transaction: u16,
    set_point: u16,
    poll: Micros,
    actions: Plan<Action>,
}

impl Poller {
    /// The meter, read each second.
    pub(crate) fn meter(seed: u64) -> Poller {
        Poller::new(Rng::new(seed, "modbus meter"), &METER, false, SECOND, Vec::new())
    }

    /// The PLC, read each five seconds and written by operators.
    pub(crate) fn plc(seed: u64, plant: &Plant) -> Poller {
        let actions = plant.operations(Desk::Plc).iter().map(|op| (op.at, op.action)).collect();
        Poller::new(Rng::new(seed, "modbus plc"), &PLC, true, 5 * SECOND, actions)
    }

    fn new(rng: Rng, server: &'static Host, is_plc: bool, period: Micros, actions: Vec<(Micros, Action)>) -> Poller {
        Poller {
            rng,
            server,
            unit: 1,
            is_plc,
            period,
            conn: None,
            transaction: 0,
            set_point: 1_000,
            poll: 0,
            actions: Plan::new(actions),
        }
    }

    fn ask(&mut self, cx: &mut Cx<'_>, at: Micros, question: &[u8], answer: &[u8]) -> Micros {
        self.transaction = self.transaction.wrapping_add(1);
        let Some(conn) = &mut self.conn else { return at };
        let asked = conn.send(cx, at, Side::Client, &adu(self.transaction, self.unit, question));
        let due = asked + self.rng.between(2 * MS, 9 * MS);
        conn.send(cx, due, Side::Server, &adu(self.transaction, self.unit, answer)) + self.rng.between(MS, 4 * MS)
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
        let holding = [self.set_point, 30, temperature, voltage, 0, 1];
        self.ask(cx, at, &words(3, SET_POINT, 6), &registers(3, &holding));
    }

    fn act(&mut self, cx: &mut Cx<'_>, at: Micros, action: Action) {
        match action {
            Action::Breaker { close, .. } => {
                let write = words(5, 0, if close { 0xff00 } else { 0 });
                self.ask(cx, at, &write, &write);
            }
            Action::SetPoint { value } => {
                self.set_point = value;
                let write = words(6, SET_POINT, value);
                let ramp = self.rng.between(0, 2) == 0;
                if ramp {
                    self.ask(cx, at, &write_registers(SET_POINT, &[value, 30]), &words(16, SET_POINT, 2));
                } else {
                    self.ask(cx, at, &write, &write);
                }
            }
            Action::Tap { .. } => {}
        }
    }
}

impl Actor for Poller {
    fn begin(&self, start: Micros) -> Micros {
        start + if self.is_plc { 910 * MS } else { 620 * MS }
    }

    fn wake(&mut self, now: Micros, cx: &mut Cx<'_>) -> Option<Micros> {
        if self.conn.is_none() {
            let port = self.rng.port();
            self.conn = Some(Conn::open(cx, now, (&SCADA, port), (self.server, 502), &mut self.rng));
            self.poll = now + 5 * MS;
        } else if let Some((_, action)) = self.actions.take(now) {
            self.act(cx, now, action);
        } else {
            if self.is_plc {
                self.read_plc(cx, now);
            } else {
                self.read_meter(cx, now);
            }
            self.poll = now.max(self.poll + self.period) + self.rng.between(0, 12 * MS);
        }
        if let Some(conn) = &mut self.conn {
            conn.settle(cx);
        }
        Some(self.poll.min(self.actions.due()))
    }
}

/// The workstation that takes stock of both devices once a day, early in the run.
pub(crate) fn identification(seed: u64) -> impl Actor {
    let devices =
        [(&METER, ["Schneider Electric", "PM5560", "V2.8.3"]), (&PLC, ["Schneider Electric", "TM221CE40R", "1.12"])];
    let mut daily =
        Periodic::new(seed, "modbus identification", DAY, MINUTE, move |now, cx: &mut Cx<'_>, rng: &mut Rng| {
            let mut at = now;
            for (host, objects) in devices {
                let port = rng.port();
                let mut conn = Conn::open(cx, at, (&WORKSTATION, port), (host, 502), rng);
                let sent = conn.last() + rng.between(MS, 4 * MS);
                let sent = conn.send(cx, sent, Side::Client, &adu(1, 1, &READ_DEVICE_IDENTIFICATION));
                let answer = adu(1, 1, &device_identification(objects));
                let done = conn.send(cx, sent + rng.between(4 * MS, 12 * MS), Side::Server, &answer);
                conn.close(cx, done + rng.between(80 * MS, 300 * MS), Side::Client);
                at = conn.last() + rng.between(2 * SECOND, 20 * SECOND);
            }
        });
    daily.first = daily.rng.between(2 * MINUTE, 25 * MINUTE);
    daily
}
