//! Somebody tries which functions and types three devices know: what they do not know they refuse.

use super::{Cast, moment};
use crate::actors::order::{Session, Task};
use crate::cx::Cx;
use crate::dnp3::iin;
use crate::episode::Episode;
use crate::iec104::{asdu, cause, cp56};
use crate::label::Label;
use crate::modbus::{READ_DEVICE_IDENTIFICATION, device_identification};
use crate::network::{Host, OUTSTATION, PLC, RTUS};
use crate::plant::Plant;
use crate::rng::Rng;
use crate::site::rtu3;
use crate::tcp::Side;
use crate::time::{MS, Micros, SECOND};

/// DNP3 functions that are tried: applications, configuration, and what is reserved. None acts without objects.
const BARE: [u8; 16] = [15, 16, 19, 22, 24, 31, 34, 35, 36, 37, 38, 39, 40, 41, 42, 43];
/// Freezes, of all counters.
const FREEZES: [u8; 3] = [7, 9, 11];
const COUNTERS: [u8; 3] = [20, 0, 0x06];

pub(crate) struct Enumeration {
    cast: Cast,
    rng: Rng,
    begin: Micros,
}

impl Enumeration {
    /// Between four and six tenths of the run.
    pub(crate) fn new(cast: Cast, mut rng: Rng, plant: &Plant) -> Enumeration {
        let begin = moment(&mut rng, plant, 40, 60);
        Enumeration { cast, rng, begin }
    }
}

/// Requests that change nothing; the PLC knows diagnostics and identification, and refuses the others as illegal functions.
fn modbus() -> Vec<Task> {
    let task = |question: Vec<u8>, answer: Vec<u8>| Task::Modbus { question, answer };
    let refused = |question: &[u8]| task(question.to_vec(), vec![question[0] | 0x80, 1]);
    let query = vec![8, 0, 0, 0x5a, 0xa5];
    let mut out = vec![refused(&[7]), task(query.clone(), query), refused(&[11]), refused(&[12]), refused(&[17])];
    out.push(refused(&[20, 7, 6, 0, 1, 0, 0, 0, 1]));
    out.push(refused(&[21, 9, 6, 0, 1, 0, 0, 0, 1, 0, 0]));
    out.push(refused(&[22, 0, 0, 0xff, 0xff, 0, 0]));
    out.push(refused(&[24, 0, 0]));
    let name = device_identification(["Schneider Electric", "TM221CE40R", "1.12"]);
    out.push(task(READ_DEVICE_IDENTIFICATION.to_vec(), name));
    // User-defined functions (§5).
    out.extend((65..=72).chain(100..=110).map(|code| refused(&[code, 0, 0])));
    out
}

fn dnp3() -> Vec<Task> {
    let task = |(function, objects)| Task::Dnp3 { function, objects, reply: Vec::new(), iin: iin::NO_FUNCTION };
    let freezes = FREEZES.map(|function| (function, COUNTERS.to_vec()));
    freezes.into_iter().chain(BARE.map(|function| (function, Vec::new()))).map(task).collect()
}

/// Types with an element of the right length, each sent back as unknown.
fn iec104(at: Micros) -> Vec<Task> {
    let tagged = |len: usize| [vec![0; len], cp56(at).to_vec()].concat();
    let elements = [
        (47, vec![1]),
        (48, vec![0; 3]),
        (49, vec![0; 3]),
        (50, vec![0; 5]),
        (51, vec![0; 4]),
        (58, tagged(1)),
        (59, tagged(1)),
        (60, [vec![1], cp56(at).to_vec()].concat()),
        (61, tagged(3)),
        (62, tagged(3)),
        (63, tagged(5)),
        (64, tagged(4)),
        (101, vec![5]),
        (107, [vec![0xaa, 0x55], cp56(at).to_vec()].concat()),
        (110, vec![0, 0, 1]),
        (111, vec![0, 0, 1]),
        (112, vec![0, 0, 0, 0, 1]),
    ];
    let task = |(kind, element): (u8, Vec<u8>)| {
        let address = if kind < 100 { rtu3::BREAKER + 100 } else { 0 };
        let step = |cause| asdu(kind, cause, rtu3::COMMON, &[(address, element.clone())]);
        Task::Iec104(vec![(Side::Client, step(cause::ACTIVATION)), (Side::Server, step(cause::UNKNOWN_TYPE))])
    };
    elements.into_iter().map(task).collect()
}

impl Episode for Enumeration {
    fn label(&self) -> Label {
        self.cast.label()
    }

    fn parties(&self) -> (&'static Host, Vec<&'static Host>) {
        (self.cast.host, vec![&PLC, &RTUS[0], &OUTSTATION])
    }

    fn begin(&self) -> Micros {
        self.begin
    }

    fn wake(&mut self, now: Micros, cx: &mut Cx<'_>) -> Option<Micros> {
        let asked = [(Session::Plc, modbus()), (Session::Rtu1, dnp3()), (Session::Rtu3, iec104(now))];
        for (session, tasks) in asked {
            let mut at = self.rng.between(0, SECOND);
            let mut paced = Vec::new();
            for task in tasks {
                paced.push((at, task));
                at += self.rng.between(90 * MS, 600 * MS);
            }
            self.cast.perform(session, now + self.rng.between(0, 2 * SECOND), paced, cx, &mut self.rng);
        }
        None
    }
}
