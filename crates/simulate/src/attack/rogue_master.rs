//! A second master connects to two RTUs and the PLC, polls them for minutes as the first one does, and at last opens a breaker.
//!
//! For the role `master` it is the front end's own address that opens the second sessions.

use super::{Cast, moment};
use crate::actors::order::{Session, Task};
use crate::cx::Cx;
use crate::episode::Episode;
use crate::label::Label;
use crate::network::Host;
use crate::plant::{Action, Plant};
use crate::rng::Rng;
use crate::time::{Micros, SECOND};

const SESSIONS: [Session; 3] = [Session::Rtu2, Session::Plc, Session::Rtu3];

pub(crate) struct RogueMaster {
    cast: Cast,
    rng: Rng,
    begin: Micros,
    stay: Micros,
}

impl RogueMaster {
    /// Between four and six tenths of the run, for up to a tenth of it.
    pub(crate) fn new(cast: Cast, mut rng: Rng, plant: &Plant) -> RogueMaster {
        let begin = moment(&mut rng, plant, 40, 60);
        let stay = ((plant.end - plant.start) / 10).clamp(12 * SECOND, 600 * SECOND);
        RogueMaster { cast, rng, begin, stay }
    }
}

impl Episode for RogueMaster {
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
        let rng = &mut self.rng;
        let mut at = now;
        for session in SESSIONS {
            let handle = cx.open(session, self.cast.host, at, rng);
            let end = at + 8 * SECOND + self.stay / 2 + rng.between(0, self.stay / 2);
            if session == Session::Rtu2 {
                let last = end.saturating_sub(7 * SECOND);
                cx.order(handle, last, Task::Operate(Action::Breaker { breaker: 1, close: false }), rng);
            }
            cx.order(handle, end, Task::Leave, rng);
            at += self.stay / 8 + rng.between(0, self.stay / 8);
        }
        None
    }
}
