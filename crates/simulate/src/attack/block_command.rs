//! The dispatcher opens breakers, and somebody in between swallows the commands: no answer, no movement, and they are given again.

use super::path::Path;
use super::{Cast, share};
use crate::actors::order::{Session, Task};
use crate::cx::Cx;
use crate::dnp3::{crob, function};
use crate::episode::{Episode, Fate, Message};
use crate::iec104::{asdu, cause, kind};
use crate::label::Label;
use crate::network::{Host, OUTSTATION, RTUS};
use crate::plant::Plant;
use crate::rng::Rng;
use crate::site::{dnp3, rtu3};
use crate::tcp::Side;
use crate::time::{MINUTE, Micros, SECOND};

/// How often a command is given before the dispatcher gives up.
const ATTEMPTS: u64 = 3;

pub(crate) struct BlockCommand {
    cast: Cast,
    rng: Rng,
    path: Path,
    /// Whether the dispatcher has begun to command, by session.
    ordered: [bool; 2],
    /// A DNP3 command has passed the tap, and its answer will not.
    waiting: bool,
}

impl BlockCommand {
    /// Between 45 and 70 hundredths of the run, for up to a seventh of it.
    pub(crate) fn new(cast: Cast, mut rng: Rng, plant: &Plant) -> BlockCommand {
        let stay = share(plant, 7, (24 * SECOND, 12 * MINUTE));
        let begin = plant.quiet(&mut rng, (45, 70), stay);
        let path = Path::new(cast.host, vec![&RTUS[1], &OUTSTATION], begin, begin + stay);
        BlockCommand { cast, rng, path, ordered: [false; 2], waiting: false }
    }

    /// What the dispatcher does is nobody's attack, so it has no label until its answer is lost.
    fn command(&mut self, cx: &mut Cx<'_>, now: Micros, session: Session) {
        let label = cx.label.take();
        let pause = self.path.until.saturating_sub(now) / (ATTEMPTS + 1);
        let task = if session == Session::Rtu2 {
            let objects = crob(dnp3::BREAKER, dnp3::TRIP, 100, 0);
            Task::Dnp3 { function: function::SELECT, objects, reply: Vec::new(), iin: 0 }
        } else {
            let select = vec![0x81];
            let asdu = asdu(kind::DOUBLE_COMMAND, cause::ACTIVATION, rtu3::COMMON, &[(rtu3::BREAKER, select)]);
            Task::Iec104(vec![(Side::Client, asdu)])
        };
        let mut at = now + pause / 4;
        for _ in 0..ATTEMPTS {
            cx.order(cx.benign(session), at, task.clone(), &mut self.rng);
            at += pause / 2 + self.rng.between(0, pause / 2);
        }
        cx.label = label;
    }
}

impl Episode for BlockCommand {
    fn label(&self) -> Label {
        self.cast.label()
    }

    fn parties(&self) -> (&'static Host, Vec<&'static Host>) {
        (self.cast.host, self.path.devices())
    }

    fn begin(&self) -> Micros {
        self.path.begin
    }

    fn wake(&mut self, now: Micros, cx: &mut Cx<'_>) -> Option<Micros> {
        let next = self.path.wake(now, cx, &mut self.rng);
        for (place, session) in [Session::Rtu2, Session::Rtu3].into_iter().enumerate() {
            if !self.ordered[place] && self.path.holds(session.server(), now) {
                self.ordered[place] = true;
                self.command(cx, now, session);
            }
        }
        next
    }

    fn message(&mut self, message: Message<'_>) -> Fate {
        if !self.path.holds(message.session.server(), message.at) {
            return Fate::Pass;
        }
        let is_double = message.bytes.first() == Some(&kind::DOUBLE_COMMAND);
        match (message.session, message.from) {
            (Session::Rtu2, Side::Client) => {
                let code = message.bytes.get(1);
                self.waiting = matches!(code, Some(&(function::SELECT | function::OPERATE)));
                if self.waiting { Fate::Changed } else { Fate::Pass }
            }
            (Session::Rtu2, Side::Server) if std::mem::take(&mut self.waiting) => Fate::Lost,
            (Session::Rtu3, Side::Client) if is_double => Fate::Changed,
            (Session::Rtu3, Side::Server) if is_double => Fate::Lost,
            _ => Fate::Pass,
        }
    }

    fn frame(&mut self, at: Micros, bytes: &mut Vec<u8>) -> Fate {
        self.path.frame(at, bytes)
    }
}
