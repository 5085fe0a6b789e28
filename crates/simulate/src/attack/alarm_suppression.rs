//! Events are no longer reported by themselves: unsolicited responses are disabled, and the master also stops the data transfer of
//! the IEC 104 link. A breaker that moves meanwhile is not told.

use std::collections::VecDeque;

use super::{Cast, share};
use crate::actors::order::{Session, Task};
use crate::cx::Cx;
use crate::dnp3::{UNS, classes, function};
use crate::episode::{Episode, Fate, Message};
use crate::iec104::unnumbered;
use crate::label::Label;
use crate::network::Host;
use crate::plant::Plant;
use crate::rng::Rng;
use crate::role::Role;
use crate::tcp::Side;
use crate::time::{MINUTE, MS, Micros, SECOND};

/// What stays silent.
const SESSIONS: [Session; 3] = [Session::Rtu1, Session::Rtu2, Session::Rtu3];
/// The breaker behind the first.
const BREAKER: usize = 0;

pub(crate) struct AlarmSuppression {
    cast: Cast,
    rng: Rng,
    begin: Micros,
    stay: Micros,
    /// From when to when the sessions report no events.
    quiet: [(Micros, Micros); 3],
    /// When the breaker moves and where to, what comes next.
    moves: VecDeque<(Micros, bool)>,
}

impl AlarmSuppression {
    /// In the middle of the run, for up to a tenth of it, while no operation is planned.
    pub(crate) fn new(cast: Cast, mut rng: Rng, plant: &Plant) -> AlarmSuppression {
        let stay = share(plant, 10, (15 * SECOND, 8 * MINUTE));
        let begin = plant.quiet(&mut rng, (40, 70), stay + MINUTE);
        let mut moves = VecDeque::new();
        if plant.closed(BREAKER, begin) {
            moves.extend([(begin + stay / 2, false), (begin + stay * 3 / 4, true)]);
        }
        AlarmSuppression { cast, rng, begin, stay, quiet: [(Micros::MAX, 0); 3], moves }
    }

    fn is_master(&self) -> bool {
        self.cast.role == Role::Master
    }

    /// Disables and enables again; the data transfer of a connection can be stopped by its own client only.
    fn suppress(&mut self, cx: &mut Cx<'_>, now: Micros) {
        let is_master = self.is_master();
        let rng = &mut self.rng;
        let set = |function| Task::Dnp3 { function, objects: classes(&[2, 3, 4]), reply: Vec::new(), iin: 0 };
        let transfer = |act, con| Task::Unnumbered { act, con };
        for (session, quiet) in SESSIONS.into_iter().zip(&mut self.quiet) {
            let (off, on) = if session == Session::Rtu3 {
                (
                    transfer(unnumbered::STOP_ACT, unnumbered::STOP_CON),
                    transfer(unnumbered::START_ACT, unnumbered::START_CON),
                )
            } else {
                (set(function::DISABLE_UNSOLICITED), set(function::ENABLE_UNSOLICITED))
            };
            if session == Session::Rtu3 && !is_master {
                continue;
            }
            let (first, stay) = (rng.between(0, 2 * SECOND), self.stay + rng.between(0, 2 * SECOND));
            let last = self.cast.perform(session, now, vec![(first, off), (first + stay, on)], cx, rng);
            *quiet = (last - stay, last);
        }
    }
}

impl Episode for AlarmSuppression {
    fn label(&self) -> Label {
        self.cast.label()
    }

    fn parties(&self) -> (&'static Host, Vec<&'static Host>) {
        let count = if self.is_master() { 3 } else { 2 };
        (self.cast.host, SESSIONS[..count].iter().map(|session| session.server()).collect())
    }

    fn begin(&self) -> Micros {
        self.begin
    }

    fn wake(&mut self, now: Micros, cx: &mut Cx<'_>) -> Option<Micros> {
        if now == self.begin {
            self.suppress(cx, now);
        } else if let Some((_, closed)) = self.moves.pop_front() {
            cx.moved(now + 20 * MS, BREAKER, closed);
        }
        self.moves.front().map(|next| next.0)
    }

    fn message(&mut self, message: Message<'_>) -> Fate {
        let place = SESSIONS.iter().position(|session| *session == message.session);
        let Some((from, until)) = place.map(|place| self.quiet[place]) else { return Fate::Pass };
        if message.at < from || message.at >= until {
            return Fate::Pass;
        }
        match (message.session, message.from, message.bytes.as_slice()) {
            // Between STOPDT and STARTDT neither side sends I frames (IEC 60870-5-104 clause 5.3).
            (Session::Rtu3, ..) => Fate::Lost,
            (_, Side::Server, [_, function::UNSOLICITED, ..]) => Fate::Lost,
            (_, Side::Client, [control, function::CONFIRM, ..]) if control & UNS != 0 => Fate::Lost,
            _ => Fate::Pass,
        }
    }
}
