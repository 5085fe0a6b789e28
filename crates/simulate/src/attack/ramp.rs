//! The voltage is walked up: each set point is one that operators write, and each step small, but all go the same way.

use super::{Cast, share};
use crate::actors::order::{Session, Task};
use crate::cx::Cx;
use crate::episode::Episode;
use crate::label::Label;
use crate::network::{Host, OUTSTATION, PLC};
use crate::plant::{Action, Plant};
use crate::rng::Rng;
use crate::time::{MINUTE, Micros, SECOND};

/// Tenths of a per cent; operators write values from 980 to 1 020.
const FIRST: u16 = 990;
const LAST: u16 = 1_020;
const STEPS: u16 = 7;

pub(crate) struct Ramp {
    cast: Cast,
    rng: Rng,
    begin: Micros,
    pause: Micros,
}

impl Ramp {
    /// From four tenths of the run on, for up to four tenths of it.
    pub(crate) fn new(cast: Cast, mut rng: Rng, plant: &Plant) -> Ramp {
        let begin = super::moment(&mut rng, plant, 40, 50);
        let pause = share(plant, 18, (4 * SECOND, 12 * MINUTE));
        Ramp { cast, rng, begin, pause }
    }
}

impl Episode for Ramp {
    fn label(&self) -> Label {
        self.cast.label()
    }

    fn parties(&self) -> (&'static Host, Vec<&'static Host>) {
        (self.cast.host, vec![&PLC, &OUTSTATION])
    }

    fn begin(&self) -> Micros {
        self.begin
    }

    fn wake(&mut self, now: Micros, cx: &mut Cx<'_>) -> Option<Micros> {
        let rng = &mut self.rng;
        let (mut points, mut taps) = (Vec::new(), Vec::new());
        let mut at = 0;
        for step in 0..STEPS {
            let value = FIRST + (LAST - FIRST) / (STEPS - 1) * step;
            points.push((at, Task::Operate(Action::SetPoint { value })));
            taps.push((at, Task::Operate(Action::Tap { raise: true })));
            at += self.pause / 2 + rng.between(self.pause / 4, self.pause / 2);
        }
        self.cast.perform(Session::Plc, now, points, cx, rng);
        let later = now + rng.between(self.pause / 8, self.pause / 2);
        self.cast.perform(Session::Rtu3, later, taps, cx, rng);
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_step_is_inside_what_operators_write() {
        let step = (LAST - FIRST) / (STEPS - 1);
        assert_eq!(FIRST + step * (STEPS - 1), LAST);
        assert!(FIRST >= 980 && LAST <= 1_020 && step < 10);
    }
}
