//! Somebody who never commanded, or the master without a reason, trips three breakers by three protocols.

use super::{Cast, moment};
use crate::actors::order::{Session, Task};
use crate::cx::Cx;
use crate::episode::Episode;
use crate::label::Label;
use crate::network::Host;
use crate::plant::{Action, Plant};
use crate::rng::Rng;
use crate::time::{Micros, SECOND};

/// Over which sessions, in this order.
const SESSIONS: [Session; 3] = [Session::Rtu1, Session::Plc, Session::Rtu3];

pub(crate) struct Control {
    cast: Cast,
    rng: Rng,
    begin: Micros,
    /// How long an own session lasts around its command.
    stay: Micros,
    done: usize,
}

impl Control {
    /// Between half and seven tenths of the run.
    pub(crate) fn new(cast: Cast, mut rng: Rng, plant: &Plant) -> Control {
        let begin = moment(&mut rng, plant, 50, 70);
        let stay = ((plant.end - plant.start) / 40).clamp(8 * SECOND, 90 * SECOND);
        Control { cast, rng, begin, stay, done: 0 }
    }
}

impl Episode for Control {
    fn label(&self) -> Label {
        self.cast.label()
    }

    fn parties(&self) -> (&'static Host, Vec<&'static Host>) {
        (self.cast.host, SESSIONS.iter().map(|session| session.server()).collect())
    }

    fn begin(&self) -> Micros {
        self.begin
    }

    fn wake(&mut self, now: Micros, cx: &mut Cx<'_>) -> Option<Micros> {
        let session = *SESSIONS.get(self.done)?;
        self.done += 1;
        let rng = &mut self.rng;
        let (handle, up) = self.cast.session(session, now, cx, rng);
        let at = up + rng.between(0, self.stay);
        if let Some(breaker) = session.breaker() {
            cx.order(handle, at, Task::Operate(Action::Breaker { breaker, close: false }), rng);
        }
        let left = at + 6 * SECOND + rng.between(0, self.stay);
        self.cast.leave(handle, left, cx, rng);
        Some(now + self.stay / 2 + rng.exponential(self.stay / 2).min(self.stay))
    }
}
