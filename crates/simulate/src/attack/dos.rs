//! The PLC's port is flooded with SYNs until nobody gets an answer from it.

use super::{Cast, moment, share};
use crate::actors::order::Session;
use crate::actors::services::arp;
use crate::cx::Cx;
use crate::episode::{Episode, Fate, Message};
use crate::label::Label;
use crate::network::{Host, PLC};
use crate::plant::Plant;
use crate::rng::Rng;
use crate::tcp::{Port, Side, probe};
use crate::time::{MS, Micros, SECOND};

/// Half-open connections that the PLC holds.
const BACKLOG: u16 = 64;
const FIRST_PORT: u16 = 10_000;

pub(crate) struct Dos {
    cast: Cast,
    rng: Rng,
    begin: Micros,
    until: Micros,
    sent: u16,
}

impl Dos {
    /// Between half and seven tenths of the run, for up to a twentieth of it.
    pub(crate) fn new(cast: Cast, mut rng: Rng, plant: &Plant) -> Dos {
        let begin = moment(&mut rng, plant, 50, 70);
        let until = begin + share(plant, 20, (8 * SECOND, 30 * SECOND));
        Dos { cast, rng, begin, until, sent: 0 }
    }
}

impl Episode for Dos {
    fn label(&self) -> Label {
        self.cast.label()
    }

    fn parties(&self) -> (&'static Host, Vec<&'static Host>) {
        (self.cast.host, vec![&PLC])
    }

    fn begin(&self) -> Micros {
        self.begin
    }

    fn wake(&mut self, now: Micros, cx: &mut Cx<'_>) -> Option<Micros> {
        let rng = &mut self.rng;
        if self.sent == 0 {
            arp(cx, now, self.cast.host, &PLC, rng);
        }
        let mut at = now + MS;
        for _ in 0..32 {
            let state = if self.sent < BACKLOG { Port::Open } else { Port::Filtered };
            probe(cx, at, (self.cast.host, FIRST_PORT + self.sent), (&PLC, 502), state, rng);
            self.sent += 1;
            at += rng.between(MS, 5 * MS);
        }
        (at < self.until).then_some(at)
    }

    /// The PLC has no time for those who are connected either.
    fn message(&mut self, message: Message<'_>) -> Fate {
        let is_answer = message.session == Session::Plc && message.from == Side::Server;
        if is_answer && self.silences(&PLC, message.at) { Fate::Lost } else { Fate::Pass }
    }

    fn silences(&self, device: &Host, at: Micros) -> bool {
        device.last == PLC.last && at >= self.begin + SECOND && at < self.until
    }
}
