//! Events are no longer reported by themselves: unsolicited responses are disabled, and the master also stops the data transfer of
//! the IEC 104 link. What happens meanwhile is not told.

use super::{Cast, share};
use crate::actors::order::{Session, Task};
use crate::cx::Cx;
use crate::dnp3::{UNS, classes, function};
use crate::episode::{Episode, Fate, Message};
use crate::iec104::unnumbered;
use crate::label::Label;
use crate::network::{Host, OUTSTATION, RTUS};
use crate::plant::Plant;
use crate::rng::Rng;
use crate::role::Role;
use crate::tcp::Side;
use crate::time::{MINUTE, Micros, SECOND};

pub(crate) struct AlarmSuppression {
    cast: Cast,
    rng: Rng,
    begin: Micros,
    /// From when to when events are not reported.
    quiet: (Micros, Micros),
    stay: Micros,
}

impl AlarmSuppression {
    /// In the middle of the run, for up to a tenth of it, while no operation is planned.
    pub(crate) fn new(cast: Cast, mut rng: Rng, plant: &Plant) -> AlarmSuppression {
        let stay = share(plant, 10, (15 * SECOND, 8 * MINUTE));
        let begin = plant.quiet(&mut rng, (40, 70), stay + MINUTE);
        AlarmSuppression { cast, rng, begin, quiet: (Micros::MAX, Micros::MAX), stay }
    }

    fn is_master(&self) -> bool {
        self.cast.role == Role::Master
    }
}

impl Episode for AlarmSuppression {
    fn label(&self) -> Label {
        self.cast.label()
    }

    fn parties(&self) -> (&'static Host, Vec<&'static Host>) {
        let targets: Vec<&'static Host> =
            if self.is_master() { vec![&RTUS[0], &RTUS[1], &OUTSTATION] } else { vec![&RTUS[0], &RTUS[1]] };
        (self.cast.host, targets)
    }

    fn begin(&self) -> Micros {
        self.begin
    }

    fn wake(&mut self, now: Micros, cx: &mut Cx<'_>) -> Option<Micros> {
        let is_master = self.is_master();
        let rng = &mut self.rng;
        let set = |function| Task::Dnp3 { function, objects: classes(&[2, 3, 4]), reply: Vec::new(), iin: 0 };
        let mut last = now;
        for session in [Session::Rtu1, Session::Rtu2] {
            let off = rng.between(0, 2 * SECOND);
            let tasks =
                vec![(off, set(function::DISABLE_UNSOLICITED)), (off + self.stay, set(function::ENABLE_UNSOLICITED))];
            last = self.cast.perform(session, now, tasks, cx, rng);
        }
        self.quiet = (last - self.stay, last);
        if is_master {
            let (stop, start) =
                ((unnumbered::STOP_ACT, unnumbered::STOP_CON), (unnumbered::START_ACT, unnumbered::START_CON));
            let handle = cx.benign(Session::Rtu3);
            for (at, (act, con)) in [(self.quiet.0, stop), (self.quiet.1, start)] {
                cx.order(handle, at, Task::Unnumbered { act, con }, rng);
            }
        }
        None
    }

    fn message(&mut self, message: Message<'_>) -> Fate {
        if message.at < self.quiet.0 || message.at >= self.quiet.1 {
            return Fate::Pass;
        }
        match (message.session, message.from, message.bytes.as_slice()) {
            (Session::Rtu1 | Session::Rtu2, Side::Server, [_, function::UNSOLICITED, ..]) => Fate::Lost,
            (Session::Rtu1 | Session::Rtu2, Side::Client, [control, function::CONFIRM, ..]) if control & UNS != 0 => {
                Fate::Lost
            }
            // Between STOPDT and STARTDT neither side sends I frames (clause 5.3).
            (Session::Rtu3, ..) if self.is_master() => Fate::Lost,
            _ => Fate::Pass,
        }
    }
}
