//! The PLC's voltage set point is written again and again, farther from what operators write each time.

use super::{Cast, moment};
use crate::actors::order::{Session, Task};
use crate::cx::{Cx, Handle};
use crate::episode::Episode;
use crate::label::Label;
use crate::network::Host;
use crate::plant::{Action, Plant};
use crate::rng::Rng;
use crate::time::{Micros, SECOND};

/// Tenths of a per cent; operators stay between 980 and 1 020.
const VALUES: [u16; 4] = [1_060, 1_100, 1_180, 1_250];

pub(crate) struct Setpoint {
    cast: Cast,
    rng: Rng,
    begin: Micros,
    pause: Micros,
    session: Option<Handle>,
    done: usize,
}

impl Setpoint {
    /// Between half and seven tenths of the run.
    pub(crate) fn new(cast: Cast, mut rng: Rng, plant: &Plant) -> Setpoint {
        let begin = moment(&mut rng, plant, 50, 70);
        let pause = ((plant.end - plant.start) / 40).clamp(6 * SECOND, 60 * SECOND);
        Setpoint { cast, rng, begin, pause, session: None, done: 0 }
    }
}

impl Episode for Setpoint {
    fn label(&self) -> Label {
        self.cast.label()
    }

    fn parties(&self) -> (&'static Host, Vec<&'static Host>) {
        (self.cast.host, vec![Session::Plc.server()])
    }

    fn begin(&self) -> Micros {
        self.begin
    }

    fn wake(&mut self, now: Micros, cx: &mut Cx<'_>) -> Option<Micros> {
        let rng = &mut self.rng;
        let Some(handle) = self.session else {
            let (handle, up) = self.cast.session(Session::Plc, now, cx, rng);
            self.session = Some(handle);
            return Some(up + rng.between(0, self.pause));
        };
        let Some(value) = VALUES.get(self.done) else {
            self.cast.leave(handle, now, cx, rng);
            return None;
        };
        self.done += 1;
        cx.order(handle, now + 1, Task::Operate(Action::SetPoint { value: value + rng.between(0, 9) as u16 }), rng);
        Some(now + self.pause / 2 + rng.between(0, self.pause))
    }
}
