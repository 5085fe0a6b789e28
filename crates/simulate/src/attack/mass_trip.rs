//! The legitimate master opens all breakers within seconds, over its own sessions and with the points and codes of every day.

use super::{Cast, moment};
use crate::actors::order::{Session, Task};
use crate::cx::Cx;
use crate::episode::Episode;
use crate::label::Label;
use crate::network::Host;
use crate::plant::{Action, Plant};
use crate::rng::Rng;
use crate::time::{MS, Micros, SECOND};

const SESSIONS: [Session; 4] = [Session::Rtu1, Session::Rtu2, Session::Rtu3, Session::Plc];

pub(crate) struct MassTrip {
    cast: Cast,
    rng: Rng,
    begin: Micros,
}

impl MassTrip {
    /// Between half and eight tenths of the run.
    pub(crate) fn new(cast: Cast, mut rng: Rng, plant: &Plant) -> MassTrip {
        let begin = moment(&mut rng, plant, 50, 80);
        MassTrip { cast, rng, begin }
    }
}

impl Episode for MassTrip {
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
        let mut at = now + MS;
        for session in SESSIONS {
            let Some(breaker) = session.breaker() else { continue };
            let trip = Task::Operate(Action::Breaker { breaker, close: false });
            cx.order(cx.benign(session), at, trip, &mut self.rng);
            at += self.rng.between(80 * MS, SECOND);
        }
        None
    }
}
