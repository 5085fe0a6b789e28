//! The backup front end takes over all sessions, one after the other, and gives them back later.

use crate::Trap;
use crate::actors::order::{Session, Task};
use crate::cx::Cx;
use crate::episode::Episode;
use crate::label::Label;
use crate::network::{BACKUP, Host, SCADA};
use crate::plant::Plant;
use crate::rng::Rng;
use crate::time::{MINUTE, MS, Micros, SECOND};

pub(crate) struct Failover {
    rng: Rng,
    begin: Micros,
    stay: Micros,
}

impl Failover {
    /// For up to a quarter of an hour.
    pub(crate) fn new(mut rng: Rng, plant: &Plant) -> Failover {
        let stay = ((plant.end - plant.start) / 8).min(15 * MINUTE);
        let begin = plant.quiet(&mut rng, (10, 80), stay);
        Failover { rng, begin, stay }
    }
}

impl Episode for Failover {
    fn label(&self) -> Label {
        Label::Trap(Trap::Failover)
    }

    fn parties(&self) -> (&'static Host, Vec<&'static Host>) {
        (&BACKUP, Session::ALL.iter().map(|session| session.server()).collect())
    }

    fn begin(&self) -> Micros {
        self.begin
    }

    fn wake(&mut self, now: Micros, cx: &mut Cx<'_>) -> Option<Micros> {
        for session in Session::ALL {
            let handle = cx.benign(session);
            let at = now + self.rng.between(5 * MS, 2 * SECOND);
            cx.order(handle, at, Task::Move { client: &BACKUP, back: false }, &mut self.rng);
            let at = now + self.stay + self.rng.between(5 * MS, 2 * SECOND);
            cx.order(handle, at, Task::Move { client: &SCADA, back: true }, &mut self.rng);
        }
        None
    }
}
