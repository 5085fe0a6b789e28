//! A new configuration is loaded into an RTU: a file is opened, written block by block, closed, and made the valid one.

use super::{Cast, moment};
use crate::actors::order::{Session, Task};
use crate::cx::Cx;
use crate::dnp3::{function, sized, time};
use crate::episode::Episode;
use crate::label::Label;
use crate::network::{Host, RTUS};
use crate::plant::Plant;
use crate::rng::Rng;
use crate::time::{MS, Micros, SECOND};

const NAME: &[u8] = b"config/logic.bin";
/// Octets of data in a block, and how many blocks there are.
const BLOCK: usize = 512;
const BLOCKS: u32 = 24;
/// Mode of opening (IEEE 1815 group 70 variation 3).
const WRITE: u16 = 2;

pub(crate) struct Program {
    cast: Cast,
    rng: Rng,
    begin: Micros,
}

impl Program {
    /// Between half and seven tenths of the run.
    pub(crate) fn new(cast: Cast, mut rng: Rng, plant: &Plant) -> Program {
        let begin = moment(&mut rng, plant, 50, 70);
        Program { cast, rng, begin }
    }

    fn transfer(&mut self, now: Micros) -> Vec<Task> {
        let task = |function, objects, reply| Task::Dnp3 { function, objects, reply, iin: 0 };
        let handle = self.rng.between(1, 4_000) as u32;
        let size = BLOCKS * BLOCK as u32;
        let (open, opened) = (sized(70, 3, &command(now, size)), sized(70, 4, &status(handle, size, BLOCK as u16)));
        let mut out = vec![task(function::OPEN_FILE, open, opened)];
        for block in 0..BLOCKS {
            let number = if block + 1 == BLOCKS { block | 1 << 31 } else { block };
            let place = [handle.to_le_bytes(), number.to_le_bytes()].concat();
            let data = [&place[..], &self.rng.vec(BLOCK)].concat();
            out.push(task(function::WRITE, sized(70, 5, &data), sized(70, 6, &[&place[..], &[0]].concat())));
        }
        let closed = sized(70, 4, &status(handle, 0, 0));
        out.push(task(function::CLOSE_FILE, closed.clone(), closed));
        let name = sized(70, 8, NAME);
        // Group 91 variation 1: no delay, and the status of the one file.
        out.push(task(function::ACTIVATE_CONFIGURATION, name, sized(91, 1, &[0, 0, 0, 0, 0])));
        out
    }
}

/// Group 70 variation 3: where the name is, when the file was made, permissions, no authentication, size, mode, block size.
fn command(at: Micros, size: u32) -> Vec<u8> {
    let mut out = vec![26, 0];
    out.extend_from_slice(&(NAME.len() as u16).to_le_bytes());
    out.extend_from_slice(&time(at));
    out.extend_from_slice(&0o644u16.to_le_bytes());
    out.extend_from_slice(&[0; 4]);
    out.extend_from_slice(&size.to_le_bytes());
    out.extend_from_slice(&WRITE.to_le_bytes());
    out.extend_from_slice(&(BLOCK as u16).to_le_bytes());
    out.extend_from_slice(&1u16.to_le_bytes());
    out.extend_from_slice(NAME);
    out
}

/// Group 70 variation 4: handle, size, block size, request, success.
fn status(handle: u32, size: u32, block: u16) -> Vec<u8> {
    let mut out = handle.to_le_bytes().to_vec();
    out.extend_from_slice(&size.to_le_bytes());
    out.extend_from_slice(&block.to_le_bytes());
    out.extend_from_slice(&[1, 0, 0]);
    out
}

impl Episode for Program {
    fn label(&self) -> Label {
        self.cast.label()
    }

    fn parties(&self) -> (&'static Host, Vec<&'static Host>) {
        (self.cast.host, vec![&RTUS[0]])
    }

    fn begin(&self) -> Micros {
        self.begin
    }

    fn wake(&mut self, now: Micros, cx: &mut Cx<'_>) -> Option<Micros> {
        let mut at = SECOND;
        let mut paced = Vec::new();
        for task in self.transfer(now) {
            paced.push((at, task));
            at += self.rng.between(70 * MS, 240 * MS);
        }
        self.cast.perform(Session::Rtu1, now, paced, cx, &mut self.rng);
        None
    }
}
