//! A device falls silent and comes back: because of the line, because it boots, or as another one.

use crate::Trap;
use crate::actors::order::{Session, Task};
use crate::cx::Cx;
use crate::episode::{Episode, Fate};
use crate::label::Label;
use crate::network::{Host, METER, SCADA, SECOND_METER};
use crate::plant::Plant;
use crate::rng::Rng;
use crate::time::{MINUTE, Micros, SECOND};

pub(crate) struct Line {
    trap: Trap,
    rng: Rng,
    session: Session,
    begin: Micros,
    until: Micros,
    server: &'static Host,
    restart: bool,
}

impl Line {
    /// Some minutes without the line.
    pub(crate) fn link_loss(rng: Rng, plant: &Plant) -> Line {
        let sessions = [Session::Rtu1, Session::Rtu2, Session::Plc, Session::Rtu3];
        Line::new(Trap::LinkLoss, rng, plant, &sessions, (90 * SECOND, 6 * MINUTE), None)
    }

    /// As long as an RTU boots.
    pub(crate) fn rtu_restart(rng: Rng, plant: &Plant) -> Line {
        let sessions = [Session::Rtu1, Session::Rtu2, Session::Rtu3];
        Line::new(Trap::RtuRestart, rng, plant, &sessions, (35 * SECOND, 80 * SECOND), None)
    }

    /// As long as it takes to exchange a meter that has been prepared.
    pub(crate) fn replacement(rng: Rng, plant: &Plant) -> Line {
        let length = (2 * MINUTE, 9 * MINUTE);
        Line::new(Trap::Replacement, rng, plant, &[Session::Meter], length, Some(&SECOND_METER))
    }

    fn new(
        trap: Trap,
        mut rng: Rng,
        plant: &Plant,
        sessions: &[Session],
        length: (Micros, Micros),
        server: Option<&'static Host>,
    ) -> Line {
        let longest = (plant.end - plant.start) / 8;
        let session = sessions[rng.between(0, sessions.len() as u64) as usize];
        let length = rng.between(length.0, length.1).min(longest);
        let begin = plant.quiet(&mut rng, (10, 80), length + MINUTE);
        let restart = trap != Trap::LinkLoss;
        let server = server.unwrap_or(session.server());
        Line { trap, rng, session, begin, until: begin + length, server, restart }
    }
}

impl Episode for Line {
    fn label(&self) -> Label {
        Label::Trap(self.trap)
    }

    fn parties(&self) -> (&'static Host, Vec<&'static Host>) {
        (&SCADA, vec![self.session.server()])
    }

    fn begin(&self) -> Micros {
        self.begin
    }

    fn wake(&mut self, now: Micros, cx: &mut Cx<'_>) -> Option<Micros> {
        let task = Task::Lost { until: self.until, server: self.server, restart: self.restart };
        let handle = cx.benign(self.session);
        cx.order(handle, now + 1, task, &mut self.rng);
        None
    }

    /// The device is silent in everything else too, and the new one answers with its own address.
    fn frame(&mut self, at: Micros, bytes: &mut Vec<u8>) -> Fate {
        let old = self.session.server().mac;
        if at < self.begin {
            return Fate::Pass;
        }
        if at < self.until {
            return if bytes[6..12] == old { Fate::Lost } else { Fate::Pass };
        }
        if self.trap == Trap::Replacement {
            let is_arp = bytes[12..14] == [8, 6];
            for place in [0, 6, 22, 32].into_iter().take(if is_arp { 4 } else { 2 }) {
                if bytes[place..place + 6] == METER.mac {
                    bytes[place..place + 6].copy_from_slice(&SECOND_METER.mac);
                }
            }
        }
        Fate::Pass
    }
}
