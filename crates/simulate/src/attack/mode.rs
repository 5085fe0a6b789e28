//! Devices are taken out of operation: the meter is forced to listen only, the application of an RTU is stopped; later both go on.

use super::{Cast, moment, share};
use crate::actors::modbus;
use crate::actors::order::{Session, Task};
use crate::cx::Cx;
use crate::dnp3::function;
use crate::episode::{Episode, Fate, Message};
use crate::label::Label;
use crate::network::{Host, METER, RTUS};
use crate::plant::Plant;
use crate::rng::Rng;
use crate::role::Role;
use crate::tcp::Side;
use crate::time::{MINUTE, MS, Micros, SECOND};

/// Diagnostics (8): force listen only mode and restart communications, neither answered by a device that listens only
/// (Modbus Application Protocol 1.1b3 §6.8.1).
const LISTEN_ONLY: [u8; 5] = [8, 0, 4, 0, 0];
const RESTART: [u8; 5] = [8, 0, 1, 0, 0];
/// All applications (IEEE 1815 group 90).
const APPLICATIONS: [u8; 3] = [90, 1, 0x06];

pub(crate) struct Mode {
    cast: Cast,
    rng: Rng,
    begin: Micros,
    stay: Micros,
    /// Since when the meter only listens, and until when.
    silent: (Micros, Micros),
}

impl Mode {
    /// Between half and seven tenths of the run, for up to a twentieth of it.
    pub(crate) fn new(cast: Cast, mut rng: Rng, plant: &Plant) -> Mode {
        let begin = moment(&mut rng, plant, 50, 70);
        let stay = share(plant, 20, (8 * SECOND, 3 * MINUTE));
        Mode { cast, rng, begin, stay, silent: (Micros::MAX, Micros::MAX) }
    }

    /// Orders something of the meter that it does not answer; strangers do it over a short connection.
    fn diagnose(&mut self, cx: &mut Cx<'_>, at: Micros, question: &[u8]) {
        let (question, answer) = (question.to_vec(), Vec::new());
        if self.cast.role == Role::Master {
            cx.order(cx.benign(Session::Meter), at, Task::Modbus { question, answer }, &mut self.rng);
        } else {
            modbus::brief(cx, at, self.cast.host, &METER, &[(question, answer)], &mut self.rng);
        }
    }
}

impl Episode for Mode {
    fn label(&self) -> Label {
        self.cast.label()
    }

    fn parties(&self) -> (&'static Host, Vec<&'static Host>) {
        (self.cast.host, vec![&METER, &RTUS[1]])
    }

    fn begin(&self) -> Micros {
        self.begin
    }

    fn wake(&mut self, now: Micros, cx: &mut Cx<'_>) -> Option<Micros> {
        let until = self.begin + self.stay;
        if now > self.begin {
            self.diagnose(cx, now, &RESTART);
            return None;
        }
        self.diagnose(cx, now + MS, &LISTEN_ONLY);
        self.silent = (now + MS, until);
        let stop = |function| Task::Dnp3 { function, objects: APPLICATIONS.to_vec(), reply: Vec::new(), iin: 0 };
        let tasks = vec![
            (self.rng.between(0, SECOND), stop(function::STOP_APPLICATION)),
            (SECOND + self.stay, stop(function::START_APPLICATION)),
        ];
        self.cast.perform(Session::Rtu2, now + 2 * SECOND, tasks, cx, &mut self.rng);
        Some(until)
    }

    fn message(&mut self, message: Message<'_>) -> Fate {
        let is_answer = message.session == Session::Meter && message.from == Side::Server;
        if is_answer && self.silences(&METER, message.at) { Fate::Lost } else { Fate::Pass }
    }

    fn silences(&self, device: &Host, at: Micros) -> bool {
        device.last == METER.last && at >= self.silent.0 && at < self.silent.1
    }
}
