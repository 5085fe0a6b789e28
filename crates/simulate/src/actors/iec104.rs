//! An IEC 104 link between the front end and an outstation: start, interrogation, measurements, supervision, commands.

use super::order::{Session, Task};
use super::session::Carrier;
use super::{Actor, News, Plan, Step, steps, think};
use crate::cx::Cx;
use crate::iec104::{Numbers, asdu, cause, cp56, float, kind, unnumbered, unnumbered_frame};
use crate::label::Label;
use crate::network::Host;
use crate::plant::{Action, Change, Desk, Plant, Signal};
use crate::rng::Rng;
use crate::site::rtu3::{ALARM, BREAKER, COMMON, MEASURED, POSITION, TAP};
use crate::tcp::Side;
use crate::time::{HOUR, MS, Micros, SECOND};

/// The feeder whose breaker the outstation drives.
const FEEDER: usize = 2;
/// Acknowledge after this many I frames (w) or this long (t2); test after this much silence (t3).
const W: u8 = 8;
const T2: Micros = 10 * SECOND;
const T3: Micros = 20 * SECOND;

pub(crate) struct Link {
    carrier: Carrier,
    /// By [`Side`]: numbers, received frames not yet acknowledged, and the time of the first of them.
    numbers: [Numbers; 2],
    owed: [u8; 2],
    since: [Micros; 2],
    measure: Micros,
    interrogation: Micros,
    steps: Plan<(Step, Option<Label>)>,
    changes: Plan<Change>,
}

impl Link {
    /// The front end's link.
    pub(crate) fn new(seed: u64, plant: &Plant) -> Link {
        let mut rng = Rng::new(seed, "iec104");
        let steps = steps(&plant.operations(Desk::Outstation), &mut rng);
        let changes = plant.changes(FEEDER).into_iter().map(|c| (c.at + rng.between(5 * MS, 20 * MS), c)).collect();
        let carrier = Carrier::new(Session::Rtu3, rng, plant.start + 1_250 * MS);
        Link::with(carrier, Plan::new(steps), Plan::new(changes))
    }

    /// Another client's link with the same outstation.
    pub(crate) fn foreign(seed: u64, client: &'static Host, label: Option<Label>, at: Micros) -> Link {
        let carrier = Carrier::foreign(Session::Rtu3, seed, client, label, at);
        Link::with(carrier, Plan::new(Vec::new()), Plan::new(Vec::new()))
    }

    fn with(carrier: Carrier, steps: Plan<(Step, Option<Label>)>, changes: Plan<Change>) -> Link {
        let (numbers, owed, since) = ([Numbers::default(); 2], [0; 2], [0; 2]);
        Link { carrier, numbers, owed, since, measure: 0, interrogation: 0, steps, changes }
    }

    fn raw(&mut self, cx: &mut Cx<'_>, at: Micros, from: Side, frame: &[u8]) -> Micros {
        self.carrier.raw(cx, at, from, frame, cx.label)
    }

    /// Sends an I frame; the receiver acknowledges by the w rule.
    fn numbered(&mut self, cx: &mut Cx<'_>, at: Micros, from: Side, asdu: &[u8]) -> Micros {
        let (own, peer) = (from as usize, 1 - from as usize);
        let numbers = &mut self.numbers[own];
        let Some(sent) = self.carrier.say(cx, at, from, asdu.to_vec(), |asdu| numbers.numbered(asdu)) else {
            return at;
        };
        self.owed[own] = 0;
        self.numbers[peer].receive();
        self.owed[peer] += 1;
        if self.owed[peer] == 1 {
            self.since[peer] = sent;
        }
        if self.owed[peer] >= W {
            let side = if from == Side::Client { Side::Server } else { Side::Client };
            return self.supervise(cx, sent + 2 * MS, side);
        }
        sent
    }

    fn supervise(&mut self, cx: &mut Cx<'_>, at: Micros, from: Side) -> Micros {
        self.owed[from as usize] = 0;
        let frame = self.numbers[from as usize].supervisory();
        self.raw(cx, at, from, &frame)
    }

    /// A U frame of the front end and its confirmation.
    fn confirmed(&mut self, cx: &mut Cx<'_>, at: Micros, act: u8, con: u8) -> Micros {
        let at = self.raw(cx, at, Side::Client, &unnumbered_frame(act)) + self.carrier.rng.between(3 * MS, 12 * MS);
        self.raw(cx, at, Side::Server, &unnumbered_frame(con)) + self.carrier.rng.between(MS, 4 * MS)
    }

    fn start(&mut self, cx: &mut Cx<'_>, now: Micros) {
        let at = self.carrier.open(cx, now) + 2 * MS;
        (self.numbers, self.owed) = ([Numbers::default(); 2], [0; 2]);
        let mut at = self.confirmed(cx, at, unnumbered::START_ACT, unnumbered::START_CON);
        if self.carrier.restarted {
            let initialised = asdu(kind::END_OF_INITIALISATION, cause::INITIALISED, COMMON, &[(0, vec![0])]);
            at = self.numbered(cx, at, Side::Server, &initialised) + 5 * MS;
        }
        let at = self.interrogate(cx, at) + 20 * MS;
        let set = |cause, at| asdu(kind::CLOCK, cause, COMMON, &[(0, cp56(at).to_vec())]);
        let (act, con) = (set(cause::ACTIVATION, at), set(cause::CONFIRMATION, at));
        let at = self.numbered(cx, at, Side::Client, &act) + self.carrier.rng.between(3 * MS, 9 * MS);
        self.numbered(cx, at, Side::Server, &con);
        self.measure = now + 2 * SECOND;
        self.interrogation = now + HOUR;
        self.steps.skip(now);
    }

    fn interrogate(&mut self, cx: &mut Cx<'_>, at: Micros) -> Micros {
        let step = |cause| asdu(kind::INTERROGATION, cause, COMMON, &[(0, vec![20])]);
        let at =
            self.numbered(cx, at, Side::Client, &step(cause::ACTIVATION)) + self.carrier.rng.between(4 * MS, 12 * MS);
        let at = self.numbered(cx, at, Side::Server, &step(cause::CONFIRMATION)) + 3 * MS;
        let position = position(cx.plant.closed(FEEDER, at));
        let values = SIGNALS.iter().zip(MEASURED..);
        let values: Vec<_> = values.map(|(s, address)| (address, float(cx.plant.value(*s, FEEDER, at)))).collect();
        let alarms: Vec<_> = (ALARM..ALARM + 4).map(|address| (address, vec![0])).collect();
        let reports = [
            asdu(kind::DOUBLE_POINT, cause::INTERROGATED, COMMON, &[(POSITION, vec![position])]),
            asdu(kind::SINGLE_POINT, cause::INTERROGATED, COMMON, &alarms),
            asdu(kind::MEASURED_FLOAT, cause::INTERROGATED, COMMON, &values),
            step(cause::TERMINATION),
        ];
        reports.iter().fold(at, |at, report| self.numbered(cx, at + 2 * MS, Side::Server, report))
    }

    fn measure(&mut self, cx: &mut Cx<'_>, at: Micros) {
        let first = self.carrier.rng.between(0, SIGNALS.len() as u64) as usize;
        let count = self.carrier.rng.between(1, 3) as usize;
        let chosen = SIGNALS.iter().zip(MEASURED..).skip(first).take(count);
        let values: Vec<_> = chosen
            .map(|(signal, address)| {
                let taken = at - self.carrier.rng.between(5 * MS, 60 * MS);
                (address, [float(cx.plant.value(*signal, FEEDER, taken)), cp56(taken).to_vec()].concat())
            })
            .collect();
        let report = asdu(kind::MEASURED_FLOAT_TIME, cause::SPONTANEOUS, COMMON, &values);
        self.numbered(cx, at, Side::Server, &report);
        self.measure = at + SECOND + self.carrier.rng.exponential(5 * SECOND);
    }

    fn operate(&mut self, cx: &mut Cx<'_>, at: Micros, step: Step) {
        let (select, action) = match step {
            Step::Select(action) => (0x80, action),
            Step::Execute(action) | Step::Terminate(action) => (0, action),
        };
        let (kind, address, value) = match action {
            Action::Breaker { close, .. } => (kind::DOUBLE_COMMAND, BREAKER, if close { 2 } else { 1 }),
            Action::Tap { raise } => (kind::SINGLE_COMMAND, TAP, u8::from(raise)),
            Action::SetPoint { .. } => return,
        };
        let command = |cause| asdu(kind, cause, COMMON, &[(address, vec![select | value])]);
        if matches!(step, Step::Terminate(_)) {
            self.numbered(cx, at, Side::Server, &command(cause::TERMINATION));
            return;
        }
        let at = self.numbered(cx, at, Side::Client, &command(cause::ACTIVATION))
            + self.carrier.rng.between(4 * MS, 18 * MS);
        self.numbered(cx, at, Side::Server, &command(cause::CONFIRMATION));
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
                    let at = now + self.carrier.rng.between(140 * MS, 420 * MS);
                    self.carrier.follow(cx, at, Step::Terminate(*action));
                }
            }
            Task::Iec104(asdus) => {
                let mut at = now;
                for (from, asdu) in asdus {
                    at = self.numbered(cx, at, *from, asdu) + self.carrier.rng.between(4 * MS, 18 * MS);
                }
            }
            Task::Unnumbered { act, con } => {
                let mut at = now;
                // What is not acknowledged must be before data transfer stops (clause 5.3).
                for side in [Side::Client, Side::Server] {
                    if *act == unnumbered::STOP_ACT && self.owed[side as usize] > 0 {
                        at = self.supervise(cx, at, side) + self.carrier.rng.between(MS, 4 * MS);
                    }
                }
                self.confirmed(cx, at, *act, *con);
            }
            task => self.carrier.obey(cx, now, task, &unnumbered_frame(unnumbered::TEST_ACT)),
        }
    }

    fn report(&mut self, cx: &mut Cx<'_>, at: Micros, change: Change) {
        let element = [&[position(change.closed)][..], &cp56(change.at)].concat();
        let report = asdu(
            kind::DOUBLE_POINT_TIME,
            if change.is_trip { cause::SPONTANEOUS } else { cause::REMOTE_COMMAND },
            COMMON,
            &[(POSITION, element)],
        );
        let at = self.numbered(cx, at, Side::Server, &report) + 2 * MS;
        if change.is_trip {
            let state = |address| (address, [&[u8::from(!change.closed)][..], &cp56(change.at)].concat());
            let alarms: Vec<_> = (ALARM..ALARM + 4).map(state).collect();
            self.numbered(cx, at, Side::Server, &asdu(kind::SINGLE_POINT_TIME, cause::SPONTANEOUS, COMMON, &alarms));
        }
    }

    /// When a side must acknowledge, and when silence must be tested.
    fn ack_due(&self, side: Side) -> Micros {
        if self.owed[side as usize] > 0 { self.since[side as usize] + T2 } else { Micros::MAX }
    }

    fn test_due(&self) -> Micros {
        self.carrier.conn.as_ref().map_or(Micros::MAX, |conn| conn.last() + T3)
    }
}

const SIGNALS: [Signal; 5] = [Signal::Voltage, Signal::Current, Signal::Power, Signal::Frequency, Signal::Temperature];

fn position(closed: bool) -> u8 {
    if closed { 2 } else { 1 }
}

impl Actor for Link {
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
        } else if self.ack_due(Side::Client) <= now {
            self.supervise(cx, now, Side::Client);
        } else if self.ack_due(Side::Server) <= now {
            self.supervise(cx, now, Side::Server);
        } else if self.interrogation <= now {
            self.interrogate(cx, now);
            self.interrogation = now + HOUR + self.carrier.rng.between(0, SECOND);
        } else if self.measure <= now {
            self.measure(cx, now);
        } else if self.test_due() <= now {
            self.confirmed(cx, now, unnumbered::TEST_ACT, unnumbered::TEST_CON);
        }
        let acks = self.ack_due(Side::Client).min(self.ack_due(Side::Server));
        let own = [self.measure, self.interrogation, acks, self.test_due(), self.steps.due(), self.changes.due()];
        let next = own.into_iter().fold(self.carrier.due(), Micros::min);
        let Some(conn) = &mut self.carrier.conn else { return Some(self.carrier.connect) };
        conn.settle(cx, next);
        Some(next)
    }

    fn news(&mut self, news: News) -> Option<Micros> {
        match news {
            News::Order(order) => Some(self.carrier.order(order)),
            // An outstation reports over every connection that was started.
            News::Change(change) if change.breaker == FEEDER => {
                let at = change.at + 12 * MS;
                self.changes.insert(at, change);
                Some(at)
            }
            News::Change(_) => None,
        }
    }
}
