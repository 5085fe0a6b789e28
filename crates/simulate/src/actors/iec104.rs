//! An IEC 104 link between the front end and an outstation: start, interrogation, measurements, supervision, commands.

use super::{Actor, Plan, Step, steps};
use crate::iec104::{Numbers, asdu, cause, cp56, float, kind, unnumbered, unnumbered_frame};
use crate::network::{OUTSTATION, SCADA};
use crate::plant::{Action, Change, Desk, Plant, Signal};
use crate::queue::Cx;
use crate::rng::Rng;
use crate::tcp::{Conn, Side};
use crate::time::{HOUR, MS, Micros, SECOND};

/// Common address of the outstation, and the feeder whose breaker it drives.
const COMMON: u16 = 71;
const FEEDER: usize = 2;
/// Information object addresses.
const MEASURED: u32 = 1_001;
const POSITION: u32 = 2_001;
const ALARM: u32 = 2_101;
const BREAKER: u32 = 6_001;
const TAP: u32 = 6_002;
/// Acknowledge after this many I frames (w) or this long (t2); test after this much silence (t3).
const W: u8 = 8;
const T2: Micros = 10 * SECOND;
const T3: Micros = 20 * SECOND;

pub(crate) struct Link {
    rng: Rng,
    conn: Option<Conn>,
    /// By [`Side`]: numbers, received frames not yet acknowledged, and the time of the first of them.
    numbers: [Numbers; 2],
    owed: [u8; 2],
    since: [Micros; 2],
    measure: Micros,
    interrogation: Micros,
    steps: Plan<Step>,
    changes: Plan<Change>,
}

impl Link {
    pub(crate) fn new(seed: u64, plant: &Plant) -> Link {
        let mut rng = Rng::new(seed, "iec104");
        let steps = steps(&plant.operations(Desk::Outstation), &mut rng);
        let changes = plant.changes(FEEDER).into_iter().map(|c| (c.at + rng.between(5 * MS, 20 * MS), c)).collect();
        Link {
            rng,
            conn: None,
            numbers: [Numbers::default(); 2],
            owed: [0; 2],
            since: [0; 2],
            measure: 0,
            interrogation: 0,
            steps: Plan::new(steps),
            changes: Plan::new(changes),
        }
    }

    fn raw(&mut self, cx: &mut Cx<'_>, at: Micros, from: Side, frame: &[u8]) -> Micros {
        self.conn.as_mut().map_or(at, |conn| conn.send(cx, at, from, frame))
    }

    /// Sends an I frame; the receiver acknowledges by the w rule.
    fn numbered(&mut self, cx: &mut Cx<'_>, at: Micros, from: Side, asdu: &[u8]) -> Micros {
        let (own, peer) = (from as usize, 1 - from as usize);
        let frame = self.numbers[own].numbered(asdu);
        self.owed[own] = 0;
        let sent = self.raw(cx, at, from, &frame);
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
        let at = self.raw(cx, at, Side::Client, &unnumbered_frame(act)) + self.rng.between(3 * MS, 12 * MS);
        self.raw(cx, at, Side::Server, &unnumbered_frame(con)) + self.rng.between(MS, 4 * MS)
    }

    fn start(&mut self, cx: &mut Cx<'_>, now: Micros) {
        let port = self.rng.port();
        let conn = Conn::open(cx, now, (&SCADA, port), (&OUTSTATION, 2_404), &mut self.rng);
        let at = conn.last() + 2 * MS;
        self.conn = Some(conn);
        let at = self.confirmed(cx, at, unnumbered::START_ACT, unnumbered::START_CON);
        let initialised = asdu(kind::END_OF_INITIALISATION, cause::INITIALISED, COMMON, &[(0, vec![0])]);
        let at = self.numbered(cx, at, Side::Server, &initialised) + 5 * MS;
        let at = self.interrogate(cx, at) + 20 * MS;
        let set = |cause, at| asdu(kind::CLOCK, cause, COMMON, &[(0, cp56(at).to_vec())]);
        let (act, con) = (set(cause::ACTIVATION, at), set(cause::CONFIRMATION, at));
        let at = self.numbered(cx, at, Side::Client, &act) + self.rng.between(3 * MS, 9 * MS);
        self.numbered(cx, at, Side::Server, &con);
        self.measure = now + 2 * SECOND;
        self.interrogation = now + HOUR;
    }

    fn interrogate(&mut self, cx: &mut Cx<'_>, at: Micros) -> Micros {
        let step = |cause| asdu(kind::INTERROGATION, cause, COMMON, &[(0, vec![20])]);
        let at = self.numbered(cx, at, Side::Client, &step(cause::ACTIVATION)) + self.rng.between(4 * MS, 12 * MS);
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
        let first = self.rng.between(0, SIGNALS.len() as u64) as usize;
        let count = self.rng.between(1, 3) as usize;
        let chosen = SIGNALS.iter().zip(MEASURED..).skip(first).take(count);
        let values: Vec<_> = chosen
            .map(|(signal, address)| {
                let taken = at - self.rng.between(5 * MS, 60 * MS);
                (address, [float(cx.plant.value(*signal, FEEDER, taken)), cp56(taken).to_vec()].concat())
            })
            .collect();
        let report = asdu(kind::MEASURED_FLOAT_TIME, cause::SPONTANEOUS, COMMON, &values);
        self.numbered(cx, at, Side::Server, &report);
        self.measure = at + SECOND + self.rng.exponential(5 * SECOND);
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
        let at = self.numbered(cx, at, Side::Client, &command(cause::ACTIVATION)) + self.rng.between(4 * MS, 18 * MS);
        self.numbered(cx, at, Side::Server, &command(cause::CONFIRMATION));
    }

    fn report(&mut self, cx: &mut Cx<'_>, at: Micros, change: Change) {
        let element = [&[position(change.closed)][..], &cp56(change.at)].concat();
        let report = asdu(kind::DOUBLE_POINT_TIME, cause::REMOTE_COMMAND, COMMON, &[(POSITION, element)]);
        self.numbered(cx, at, Side::Server, &report);
    }

    /// When a side must acknowledge, and when silence must be tested.
    fn ack_due(&self, side: Side) -> Micros {
        if self.owed[side as usize] > 0 { self.since[side as usize] + T2 } else { Micros::MAX }
    }

    fn test_due(&self) -> Micros {
        self.conn.as_ref().map_or(Micros::MAX, |conn| conn.last() + T3)
    }
}

const SIGNALS: [Signal; 5] = [Signal::Voltage, Signal::Current, Signal::Power, Signal::Frequency, Signal::Temperature];

fn position(closed: bool) -> u8 {
    if closed { 2 } else { 1 }
}

impl Actor for Link {
    fn begin(&self, start: Micros) -> Micros {
        start + 1_250 * MS
    }

    fn wake(&mut self, now: Micros, cx: &mut Cx<'_>) -> Option<Micros> {
        if self.conn.is_none() {
            self.start(cx, now);
        } else if let Some((_, change)) = self.changes.take(now) {
            self.report(cx, now, change);
        } else if let Some((_, step)) = self.steps.take(now) {
            self.operate(cx, now, step);
        } else if self.ack_due(Side::Client) <= now {
            self.supervise(cx, now, Side::Client);
        } else if self.ack_due(Side::Server) <= now {
            self.supervise(cx, now, Side::Server);
        } else if self.interrogation <= now {
            self.interrogate(cx, now);
            self.interrogation = now + HOUR + self.rng.between(0, SECOND);
        } else if self.measure <= now {
            self.measure(cx, now);
        } else if self.test_due() <= now {
            self.confirmed(cx, now, unnumbered::TEST_ACT, unnumbered::TEST_CON);
        }
        if let Some(conn) = &mut self.conn {
            conn.settle(cx);
        }
        let acks = self.ack_due(Side::Client).min(self.ack_due(Side::Server));
        let own = [self.measure, self.interrogation, acks, self.test_due(), self.steps.due(), self.changes.due()];
        own.into_iter().min()
    }
}
