//! Outputs are driven one address after the other, whether they are there or not, as fast as the device answers.

use super::{Cast, moment};
use crate::actors::order::{Session, Task};
use crate::cx::Cx;
use crate::dnp3::{crob, function, iin};
use crate::episode::Episode;
use crate::label::Label;
use crate::modbus::words;
use crate::network::{Host, PLC, RTUS};
use crate::plant::{Action, Plant};
use crate::rng::Rng;
use crate::site::{dnp3, plc};
use crate::time::{MS, Micros, SECOND};

/// Coils of the PLC that are tried, and how many of them it has.
const COILS: u16 = 32;
const REAL_COILS: u16 = 8;
/// Binary outputs of the RTU that are tried, and how many of them it has.
const OUTPUTS: u16 = 24;
const REAL_OUTPUTS: u16 = 2;
/// Status of a control that does not exist (IEEE 1815 table 11-7).
const NOT_SUPPORTED: u8 = 4;

pub(crate) struct BruteForce {
    cast: Cast,
    rng: Rng,
    begin: Micros,
}

impl BruteForce {
    /// Between half and seven tenths of the run.
    pub(crate) fn new(cast: Cast, mut rng: Rng, plant: &Plant) -> BruteForce {
        let begin = moment(&mut rng, plant, 50, 70);
        BruteForce { cast, rng, begin }
    }

    fn coil(address: u16, on: bool) -> Task {
        if address == plc::BREAKER {
            return Task::Operate(Action::Breaker { breaker: 3, close: on });
        }
        let question = words(5, address, if on { 0xff00 } else { 0 });
        let answer = if address < REAL_COILS { question.clone() } else { vec![0x85, 2] };
        Task::Modbus { question, answer }
    }

    fn output(index: u16, code: u8) -> Task {
        let (status, iin) = if index < REAL_OUTPUTS { (0, 0) } else { (NOT_SUPPORTED, iin::PARAMETER) };
        let (objects, reply) = (crob(index, code, 100, 0), crob(index, code, 100, status));
        Task::Dnp3 { function: function::DIRECT_OPERATE, objects, reply, iin }
    }
}

impl Episode for BruteForce {
    fn label(&self) -> Label {
        self.cast.label()
    }

    fn parties(&self) -> (&'static Host, Vec<&'static Host>) {
        (self.cast.host, vec![&PLC, &RTUS[1]])
    }

    fn begin(&self) -> Micros {
        self.begin
    }

    fn wake(&mut self, now: Micros, cx: &mut Cx<'_>) -> Option<Micros> {
        let mut pace = Rng::new(self.rng.word(), "pace");
        let mut at = 0;
        let mut next = || {
            at += pace.between(60 * MS, 160 * MS);
            at
        };
        let coils = (0..COILS).flat_map(|address| [false, true].map(|on| BruteForce::coil(address, on)));
        let coils: Vec<_> = coils.map(|task| (next(), task)).collect();
        // The first output is the breaker, which takes no direct operation; all others are tried.
        let outputs = (1..OUTPUTS).flat_map(|i| [dnp3::TRIP, dnp3::CLOSE].map(|code| BruteForce::output(i, code)));
        let outputs: Vec<_> = outputs.map(|task| (next(), task)).collect();
        self.cast.perform(Session::Plc, now, coils, cx, &mut self.rng);
        self.cast.perform(Session::Rtu2, now + SECOND, outputs, cx, &mut self.rng);
        None
    }
}
