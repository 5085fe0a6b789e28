//! A second client activates data transfer at the IEC 104 outstation, asks for everything and commands; the first one hears no more.
//!
//! In a redundancy group (IEC 60870-5-104 clause 10) the outstation reports over the connection that was started last.

use super::{Cast, share};
use crate::actors::order::{Session, Task};
use crate::cx::Cx;
use crate::episode::{Episode, Fate, Message};
use crate::iec104::cause;
use crate::label::Label;
use crate::network::{Host, OUTSTATION, SCADA};
use crate::plant::{Action, Plant};
use crate::rng::Rng;
use crate::tcp::Side;
use crate::time::{MINUTE, Micros, SECOND};

/// The breaker behind the outstation.
const BREAKER: usize = 2;

pub(crate) struct Takeover {
    cast: Cast,
    rng: Rng,
    begin: Micros,
    stay: Micros,
    /// While the front end's own connection is not the started one.
    stopped: (Micros, Micros),
}

impl Takeover {
    /// Between half and seven tenths of the run, for up to a twentieth of it.
    pub(crate) fn new(cast: Cast, mut rng: Rng, plant: &Plant) -> Takeover {
        let stay = share(plant, 20, (16 * SECOND, 3 * MINUTE));
        let begin = plant.quiet(&mut rng, (50, 70), stay);
        Takeover { cast, rng, begin, stay, stopped: (Micros::MAX, 0) }
    }
}

impl Episode for Takeover {
    fn label(&self) -> Label {
        self.cast.label()
    }

    fn parties(&self) -> (&'static Host, Vec<&'static Host>) {
        (self.cast.host, vec![&OUTSTATION])
    }

    fn begin(&self) -> Micros {
        self.begin
    }

    fn wake(&mut self, now: Micros, cx: &mut Cx<'_>) -> Option<Micros> {
        let rng = &mut self.rng;
        // A connection of its own for every actor, the front end included.
        let handle = cx.open(Session::Rtu3, self.cast.host, now, rng);
        let up = now + 4 * SECOND;
        let acts = [
            Action::Breaker { breaker: BREAKER, close: false },
            Action::Tap { raise: true },
            Action::Breaker { breaker: BREAKER, close: true },
        ];
        let pause = (self.stay - 4 * SECOND) / 4;
        for (i, act) in (0..).zip(acts) {
            cx.order(handle, up + i * pause + rng.between(0, pause / 4), Task::Operate(act), rng);
        }
        let end = now + self.stay;
        cx.order(handle, end, Task::Leave, rng);
        // The front end connects anew when it finds its connection stopped.
        let back = end + rng.between(SECOND, 3 * SECOND);
        cx.order(cx.benign(Session::Rtu3), back, Task::Move { client: &SCADA, back: true }, rng);
        self.stopped = (now + SECOND / 2, back);
        None
    }

    fn message(&mut self, message: Message<'_>) -> Fate {
        let is_stopped = message.at >= self.stopped.0 && message.at < self.stopped.1;
        let is_report = matches!(message.bytes.get(2), Some(&(cause::SPONTANEOUS | cause::REMOTE_COMMAND)));
        if message.session == Session::Rtu3 && message.from == Side::Server && is_stopped && is_report {
            return Fate::Lost;
        }
        Fate::Pass
    }
}
