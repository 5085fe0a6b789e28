//! Somebody between the front end and two outstations withholds their reports, while the connections stay up.

use super::Cast;
use super::path::Path;
use crate::actors::order::Session;
use crate::cx::Cx;
use crate::dnp3::{CON, function};
use crate::episode::{Episode, Fate, Message};
use crate::iec104::cause;
use crate::label::Label;
use crate::network::{Host, OUTSTATION, RTUS};
use crate::plant::Plant;
use crate::rng::Rng;
use crate::tcp::Side;
use crate::time::Micros;

pub(crate) struct BlockReporting {
    cast: Cast,
    rng: Rng,
    path: Path,
}

impl BlockReporting {
    /// Between 45 and 65 hundredths of the run, for up to a tenth of it.
    pub(crate) fn new(cast: Cast, mut rng: Rng, plant: &Plant) -> BlockReporting {
        let path = Path::planned(cast.host, vec![&RTUS[0], &OUTSTATION], &mut rng, plant, (45, 65));
        BlockReporting { cast, rng, path }
    }
}

impl Episode for BlockReporting {
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
        self.path.wake(now, cx, &mut self.rng)
    }

    fn message(&mut self, message: Message<'_>) -> Fate {
        if !self.path.holds(message.session.server(), message.at) {
            return Fate::Pass;
        }
        match message.session {
            Session::Rtu1 => withhold(message.from, message.bytes),
            Session::Rtu3 if message.from == Side::Server => match message.bytes.get(2) {
                Some(&(cause::SPONTANEOUS | cause::REMOTE_COMMAND)) => Fate::Lost,
                _ => Fate::Pass,
            },
            Session::Rtu2 | Session::Meter | Session::Plc | Session::Rtu3 => Fate::Pass,
        }
    }

    fn frame(&mut self, at: Micros, bytes: &mut Vec<u8>) -> Fate {
        self.path.frame(at, bytes)
    }
}

/// Takes the events out of a DNP3 conversation: unsolicited responses, events in answers to polls, and the confirmations of both.
fn withhold(from: Side, fragment: &mut Vec<u8>) -> Fate {
    match (from, fragment.get(1)) {
        (Side::Server, Some(&function::UNSOLICITED)) | (Side::Client, Some(&function::CONFIRM)) => Fate::Lost,
        (Side::Server, Some(_)) if fragment[0] & CON != 0 => {
            fragment[0] &= !CON;
            fragment.truncate(4);
            Fate::Changed
        }
        _ => Fate::Pass,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_poll_is_answered_without_its_events() {
        let mut answer = vec![0xe3, 129, 0, 0, 32, 3, 0x17, 0];
        assert_eq!(withhold(Side::Server, &mut answer), Fate::Changed);
        assert_eq!(answer, [0xc3, 129, 0, 0]);
        assert_eq!(withhold(Side::Server, &mut answer), Fate::Pass);
        assert_eq!(withhold(Side::Client, &mut vec![0xc3, 0]), Fate::Lost);
        assert_eq!(withhold(Side::Client, &mut vec![0xc3, 1]), Fate::Pass);
        assert_eq!(withhold(Side::Server, &mut vec![0xf3, 130, 0, 0]), Fate::Lost);
    }
}
