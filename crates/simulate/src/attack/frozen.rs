//! The meter's answers of the last minutes are given again and again while its feeder is opened and closed.
//!
//! The relay and the RTU of the same feeder tell the truth. A `known` device that does this is the meter itself; a `new` one stands in between.

use std::collections::VecDeque;

use super::path::Path;
use super::{Cast, share};
use crate::actors::order::Session;
use crate::cx::Cx;
use crate::episode::{Episode, Fate, Message};
use crate::label::Label;
use crate::network::{Host, METER, RTUS};
use crate::plant::Plant;
use crate::rng::Rng;
use crate::role::Role;
use crate::tcp::Side;
use crate::time::{MINUTE, MS, Micros, SECOND};

/// Answers of one kind that are kept, so many polls back.
const KEPT: usize = 120;
/// The feeder that the meter measures.
const FEEDER: usize = 0;

pub(crate) struct Frozen {
    cast: Cast,
    rng: Rng,
    path: Path,
    /// Recorded answers by function: floats (4) and words (3), without their header.
    recorded: [VecDeque<Vec<u8>>; 2],
    /// When the feeder is opened and closed, what comes next.
    moves: VecDeque<(Micros, bool)>,
    /// When the path wants to be awake.
    due: Option<Micros>,
}

impl Frozen {
    /// Between half and seven tenths of the run, for up to a tenth of it.
    pub(crate) fn new(cast: Cast, mut rng: Rng, plant: &Plant) -> Frozen {
        let stay = share(plant, 10, (20 * SECOND, 6 * MINUTE));
        let begin = plant.quiet(&mut rng, (50, 70), stay);
        let path = Path::new(cast.host, vec![&METER], begin, begin + stay);
        let mut moves = VecDeque::new();
        if plant.closed(FEEDER, begin) {
            moves.extend([(begin + stay / 4, false), (begin + stay * 3 / 4, true)]);
        }
        Frozen { cast, rng, due: Some(path.begin), path, recorded: Default::default(), moves }
    }

    fn is_replaying(&self, at: Micros) -> bool {
        match self.cast.role {
            Role::Known => at >= self.path.begin && at < self.path.until,
            Role::New | Role::Master => self.path.holds(&METER, at),
        }
    }
}

impl Episode for Frozen {
    fn label(&self) -> Label {
        self.cast.label()
    }

    fn parties(&self) -> (&'static Host, Vec<&'static Host>) {
        (self.cast.host, vec![&METER, &RTUS[FEEDER]])
    }

    fn begin(&self) -> Micros {
        self.path.begin
    }

    fn wake(&mut self, now: Micros, cx: &mut Cx<'_>) -> Option<Micros> {
        if self.moves.front().is_some_and(|next| next.0 <= now) {
            let closed = self.moves.pop_front()?.1;
            cx.moved(now + 20 * MS, FEEDER, closed);
        }
        if self.due.is_some_and(|due| due <= now) {
            self.due = match self.cast.role {
                Role::Known => None,
                Role::New | Role::Master => self.path.wake(now, cx, &mut self.rng),
            };
        }
        self.due.into_iter().chain(self.moves.front().map(|next| next.0)).min()
    }

    fn message(&mut self, message: Message<'_>) -> Fate {
        let kind = match message.bytes.get(7..9) {
            Some([4, 16]) => 0,
            Some([3, 8]) => 1,
            _ => return Fate::Pass,
        };
        if message.session != Session::Meter || message.from != Side::Server {
            return Fate::Pass;
        }
        let is_replaying = self.is_replaying(message.at);
        let recorded = &mut self.recorded[kind];
        if is_replaying {
            let Some(pdu) = recorded.pop_front() else { return Fate::Pass };
            message.bytes.truncate(7);
            message.bytes.extend_from_slice(&pdu);
            recorded.push_back(pdu);
            return Fate::Changed;
        }
        if recorded.len() == KEPT {
            recorded.pop_front();
        }
        recorded.push_back(message.bytes[7..].to_vec());
        Fate::Pass
    }

    fn frame(&mut self, at: Micros, bytes: &mut Vec<u8>) -> Fate {
        match self.cast.role {
            Role::Known => Fate::Pass,
            Role::New | Role::Master => self.path.frame(at, bytes),
        }
    }
}
