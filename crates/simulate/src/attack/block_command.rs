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
use crate::time::{MINUTE, MS, Micros, SECOND};

/// How often a command is given before the dispatcher gives up.
const ATTEMPTS: u64 = 3;

pub(crate) struct BlockCommand {
    cast: Cast,
    rng: Rng,
    path: Path,
    ordered: bool,
    /// A DNP3 command has passed the tap, and its answer will not.
    waiting: bool,
}

impl BlockCommand {
    /// Between 45 and 70 hundredths of the run, for up to a twelfth of it.
    pub(crate) fn new(cast: Cast, mut rng: Rng, plant: &Plant) -> BlockCommand {
        let stay = share(plant, 12, (20 * SECOND, 5 * MINUTE));
        let begin = plant.quiet(&mut rng, (45, 70), stay);
        let path = Path::new(cast.host, vec![&RTUS[1], &OUTSTATION], begin, begin + stay);
        BlockCommand { cast, rng, path, ordered: false, waiting: false }
    }

    /// What the dispatcher does is nobody's attack, so it has no label until its answer is lost.
    fn command(&mut self, cx: &mut Cx<'_>, now: Micros) {
        let label = cx.label.take();
        let pause = (self.path.until() - now) / (2 * ATTEMPTS + 2);
        let block = crob(dnp3::BREAKER, dnp3::TRIP, 100, 0);
        let double = asdu(kind::DOUBLE_COMMAND, cause::ACTIVATION, rtu3::COMMON, &[(rtu3::BREAKER, vec![0x81])]);
        let select = Task::Dnp3 { function: function::SELECT, objects: block, reply: Vec::new(), iin: 0 };
        let command = Task::Iec104(vec![(Side::Client, double)]);
        let mut at = now + pause;
        for (session, task) in [(Session::Rtu2, select), (Session::Rtu3, command)] {
            let handle = cx.benign(session);
            for _ in 0..ATTEMPTS {
                cx.order(handle, at, task.clone(), &mut self.rng);
                at += pause / 2 + self.rng.between(0, pause / 2);
            }
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
        self.path.begin()
    }

    fn wake(&mut self, now: Micros, cx: &mut Cx<'_>) -> Option<Micros> {
        if !std::mem::replace(&mut self.ordered, true) {
            self.command(cx, now + 100 * MS);
        }
        self.path.wake(now, cx, &mut self.rng)
    }

    fn message(&mut self, message: Message<'_>) -> Fate {
        if !self.path.holds(message.at) {
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
