//! Traps of the electric process: planned with it, so there is nothing left to do.

use crate::Trap;
use crate::actors::order::Session;
use crate::cx::Cx;
use crate::episode::Episode;
use crate::label::Label;
use crate::network::{Host, SCADA};
use crate::time::Micros;

pub(crate) struct Planned {
    pub(crate) trap: Trap,
}

impl Episode for Planned {
    fn label(&self) -> Label {
        Label::Trap(self.trap)
    }

    fn parties(&self) -> (&'static Host, Vec<&'static Host>) {
        let sessions = Session::ALL.iter().filter(|session| session.desk().is_some());
        (&SCADA, sessions.map(|session| session.server()).collect())
    }

    fn begin(&self) -> Micros {
        Micros::MAX
    }

    fn wake(&mut self, _: Micros, _: &mut Cx<'_>) -> Option<Micros> {
        None
    }
}
