//! The clock loses its satellites: PTP and NTP say so, and after a while the RTUs ask for time.

use crate::Trap;
use crate::actors::order::{Session, Task};
use crate::cx::Cx;
use crate::dnp3::{function, iin, time};
use crate::episode::{Episode, Fate, Message};
use crate::label::Label;
use crate::network::{CLOCK, Host, RTUS, SCADA};
use crate::plant::Plant;
use crate::rng::Rng;
use crate::seal::seal;
use crate::tcp::Side;
use crate::time::{MINUTE, Micros, SECOND};

pub(crate) struct TimeLoss {
    rng: Rng,
    begin: Micros,
    until: Micros,
    /// When each RTU begins to need time, and when it has got it.
    need: [(Micros, Micros); 2],
    next: usize,
}

impl TimeLoss {
    /// For up to twenty minutes.
    pub(crate) fn new(mut rng: Rng, plant: &Plant) -> TimeLoss {
        let length = ((plant.end - plant.start) / 6).min(20 * MINUTE);
        let begin = crate::attack::moment(&mut rng, plant, 10, 75);
        let mut at = begin + length / 4;
        let need = [(); 2].map(|()| {
            at += rng.between(0, length / 8);
            (at, at + 6 * SECOND + rng.between(0, 5 * SECOND))
        });
        TimeLoss { rng, begin, until: begin + length, need, next: 0 }
    }
}

impl Episode for TimeLoss {
    fn label(&self) -> Label {
        Label::Trap(Trap::TimeLoss)
    }

    fn parties(&self) -> (&'static Host, Vec<&'static Host>) {
        (&SCADA, vec![&CLOCK, &RTUS[0], &RTUS[1]])
    }

    fn begin(&self) -> Micros {
        self.need[0].0
    }

    fn wake(&mut self, _: Micros, cx: &mut Cx<'_>) -> Option<Micros> {
        let (_, got) = *self.need.get(self.next)?;
        let handle = cx.benign([Session::Rtu1, Session::Rtu2][self.next % 2]);
        let objects = [&[50, 1, 0x07, 1][..], &time(got)].concat();
        let task = Task::Dnp3 { function: function::WRITE, objects, reply: Vec::new(), iin: 0 };
        cx.order(handle, got, task, &mut self.rng);
        self.next += 1;
        self.need.get(self.next).map(|need| need.0)
    }

    /// Need-time in the responses of an RTU until the master has written it.
    fn message(&mut self, message: Message<'_>) -> Fate {
        let need = match message.session {
            Session::Rtu1 => self.need[0],
            Session::Rtu2 => self.need[1],
            Session::Meter | Session::Plc | Session::Rtu3 => return Fate::Pass,
        };
        if message.from != Side::Server || message.at < need.0 || message.at >= need.1 || message.bytes.len() < 4 {
            return Fate::Pass;
        }
        message.bytes[2] |= (iin::NEED_TIME >> 8) as u8;
        Fate::Changed
    }

    /// Announcements of a clock that runs free (IEEE 1588-2008 table 5), NTP answers with growing dispersion.
    fn frame(&mut self, at: Micros, bytes: &mut Vec<u8>) -> Fate {
        if at < self.begin || at >= self.until || bytes[6..12] != CLOCK.mac {
            return Fate::Pass;
        }
        let lost = at - self.begin;
        if bytes[12..15] == [0x88, 0xf7, 11] && bytes.len() >= 78 {
            // No longer traceable; class 7 within the holdover specification, then 52; accuracy 1 µs, then 10 µs; internal oscillator.
            bytes[21] &= !0x30;
            let in_spec = lost < 5 * MINUTE;
            (bytes[62], bytes[63], bytes[77]) = if in_spec { (7, 0x23, 0xa0) } else { (52, 0x25, 0xa0) };
            return Fate::Changed;
        }
        if bytes[12..14] == [8, 0] && bytes[23] == 17 && bytes[34..36] == [0, 123] && bytes.len() >= 90 {
            // Root dispersion grows by 15 µs a second (RFC 5905 §11.1), in units of 2^-16 s.
            let dispersion = 64 + (lost / SECOND) as u32;
            bytes[50..54].copy_from_slice(&dispersion.to_be_bytes());
            seal(bytes);
            return Fate::Changed;
        }
        Fate::Pass
    }
}
