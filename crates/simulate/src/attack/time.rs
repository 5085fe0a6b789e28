//! The clocks of the station are set wrong: an RTU and an outstation by an hour, and by strangers also those that follow PTP.

use testkit::{Eth, Stack};

use super::{Cast, moment, share};
use crate::actors::order::{Session, Task};
use crate::cx::Cx;
use crate::dnp3::{self, function};
use crate::episode::{Episode, Fate, Message};
use crate::iec104::{asdu, cause, cp56, kind};
use crate::label::Label;
use crate::network::{CLOCK, Host, OUTSTATION, RTUS};
use crate::plant::Plant;
use crate::ptp::{ETHERTYPE, GROUP, Kind, grandmaster, message, port_identity};
use crate::rng::Rng;
use crate::role::Role;
use crate::site::rtu3;
use crate::tcp::Side;
use crate::time::{HOUR, MINUTE, MS, Micros, SECOND};

/// How far the two outstations are set back, and in seconds how far the false grandmaster is ahead.
const BACK: Micros = HOUR;
const AHEAD: u64 = 2;
/// Priority of the false grandmaster, better than the clock's 128 (IEEE 1588-2008 §9.3).
const PRIORITY: u8 = 64;

pub(crate) struct WrongTime {
    cast: Cast,
    rng: Rng,
    begin: Micros,
    until: Micros,
    /// From when to when the RTU and the outstation have the wrong time.
    wrong: [(Micros, Micros); 2],
    /// What has been done so far, and since when the false grandmaster rules.
    stage: u8,
    ruling: Micros,
    /// The false grandmaster's next sequence, and what it adds to the clock's.
    sequence: u16,
    offset: Option<u16>,
}

impl WrongTime {
    /// Between 45 and 65 hundredths of the run, for up to a tenth of it.
    pub(crate) fn new(cast: Cast, mut rng: Rng, plant: &Plant) -> WrongTime {
        let begin = moment(&mut rng, plant, 45, 65);
        let until = begin + share(plant, 10, (20 * SECOND, 10 * MINUTE));
        let sequence = rng.word() as u16;
        WrongTime {
            cast,
            rng,
            begin,
            until,
            wrong: [(Micros::MAX, 0); 2],
            stage: 0,
            ruling: Micros::MAX,
            sequence,
            offset: None,
        }
    }

    fn has_clock(&self) -> bool {
        self.cast.role != Role::Master
    }

    /// Sets a clock wrong, and right again before it leaves.
    fn set(&mut self, cx: &mut Cx<'_>, now: Micros, place: usize) {
        let session = [Session::Rtu1, Session::Rtu3][place % 2];
        let stay = self.until - now;
        let (handle, up) = self.cast.session(session, now, cx, &mut self.rng);
        let (first, last) = (up + self.rng.between(0, 3 * SECOND), up + stay - self.rng.between(0, 3 * SECOND));
        for (at, told) in [(first, first - BACK), (last, last)] {
            cx.order(handle, at, task(session, told), &mut self.rng);
        }
        self.cast.leave(handle, last + 2 * SECOND, cx, &mut self.rng);
        self.wrong[place % 2] = (first + SECOND, last);
    }

    /// Whether frames of the clock are those of the false grandmaster by now.
    fn rules(&self, at: Micros) -> bool {
        at >= self.ruling && at < self.until
    }

    fn announce(&mut self, cx: &mut Cx<'_>, now: Micros) {
        let mac = self.cast.host.mac;
        let mut announcement = message(Kind::Announce, mac, self.sequence, None, &grandmaster(mac));
        announcement[47] = PRIORITY;
        self.sequence = self.sequence.wrapping_add(1);
        let eth = Eth { src: mac, dst: GROUP, ethertype: Some(ETHERTYPE) };
        cx.send(now, Stack::new().add(eth).payload(&announcement));
    }
}

fn task(session: Session, told: Micros) -> Task {
    if session == Session::Rtu3 {
        let set = |cause| asdu(kind::CLOCK, cause, rtu3::COMMON, &[(0, cp56(told).to_vec())]);
        return Task::Iec104(vec![(Side::Client, set(cause::ACTIVATION)), (Side::Server, set(cause::CONFIRMATION))]);
    }
    let objects = [&[50, 1, 0x07, 1][..], &dnp3::time(told)].concat();
    Task::Dnp3 { function: function::WRITE, objects, reply: Vec::new(), iin: 0 }
}

impl Episode for WrongTime {
    fn label(&self) -> Label {
        self.cast.label()
    }

    fn parties(&self) -> (&'static Host, Vec<&'static Host>) {
        let targets: Vec<&'static Host> =
            if self.has_clock() { vec![&RTUS[0], &OUTSTATION, &CLOCK] } else { vec![&RTUS[0], &OUTSTATION] };
        (self.cast.host, targets)
    }

    fn begin(&self) -> Micros {
        self.begin
    }

    fn wake(&mut self, now: Micros, cx: &mut Cx<'_>) -> Option<Micros> {
        let stage = self.stage;
        self.stage += 1;
        let stay = self.until - self.begin;
        match stage {
            0 => {
                self.set(cx, now, 0);
                Some(now + stay / 6 + self.rng.between(0, stay / 8))
            }
            1 => {
                self.set(cx, now, 1);
                self.has_clock().then_some(self.begin + stay * 2 / 5)
            }
            // Two announcements qualify a better master (IEEE 1588-2008 §9.3.2.5).
            2 | 3 => {
                self.announce(cx, now);
                self.ruling = if stage == 3 { now + SECOND / 2 } else { Micros::MAX };
                Some(now + SECOND + self.rng.between(0, 900))
            }
            _ => None,
        }
    }

    /// Events carry the time that their station believes in, until somebody sets it.
    fn message(&mut self, message: Message<'_>) -> Fate {
        let place = match message.session {
            Session::Rtu1 => 0,
            Session::Rtu3 => 1,
            Session::Rtu2 | Session::Meter | Session::Plc => return Fate::Pass,
        };
        let (from, until) = self.wrong[place];
        if message.at < from || message.at >= until {
            return Fate::Pass;
        }
        if message.from == Side::Client {
            if place == 0 && message.bytes.get(1..3) == Some(&[function::WRITE, 50]) {
                self.wrong[0].1 = message.at;
            }
            return Fate::Pass;
        }
        let is_changed =
            if place == 0 { set_back_dnp3(message.bytes) } else { set_back_104(message.bytes, message.at) };
        if is_changed { Fate::Changed } else { Fate::Pass }
    }

    /// The clock falls silent before a better one (IEEE 1588-2008 §9.2.5), whose messages stand in the place of its own.
    fn frame(&mut self, at: Micros, bytes: &mut Vec<u8>) -> Fate {
        if !self.rules(at) || bytes[12..14] != [0x88, 0xf7] || bytes[6..12] != CLOCK.mac {
            return Fate::Pass;
        }
        let identity = port_identity(self.cast.host.mac);
        let kind = bytes[14];
        bytes[6..12].copy_from_slice(&self.cast.host.mac);
        bytes[34..44].copy_from_slice(&identity);
        if kind != Kind::DelayResponse as u8 {
            let sequence = u16::from_be_bytes([bytes[44], bytes[45]]);
            let offset = *self.offset.get_or_insert(self.sequence.wrapping_sub(sequence));
            bytes[44..46].copy_from_slice(&sequence.wrapping_add(offset).to_be_bytes());
        }
        if kind == Kind::Announce as u8 && bytes.len() >= 78 {
            bytes[61] = PRIORITY;
            bytes[67..75].copy_from_slice(&identity[..8]);
        } else if kind == Kind::FollowUp as u8 || kind == Kind::DelayResponse as u8 {
            let seconds = [bytes[50], bytes[51], bytes[52], bytes[53]];
            bytes[50..54].copy_from_slice(&(u64::from(u32::from_be_bytes(seconds)) + AHEAD).to_be_bytes()[4..]);
        }
        Fate::Changed
    }
}

/// Sets back the times of DNP3 events (group 2 variation 2, group 32 variation 3, index prefixes of one octet).
fn set_back_dnp3(fragment: &mut [u8]) -> bool {
    let len = match fragment.get(4..7) {
        Some([2, 2, 0x17]) => 8,
        Some([32, 3, 0x17]) => 12,
        _ => return false,
    };
    for event in fragment[8..].chunks_exact_mut(len) {
        let mut ms = [0; 8];
        ms[..6].copy_from_slice(&event[len - 6..]);
        let told = u64::from_le_bytes(ms).saturating_sub(BACK / MS);
        event[len - 6..].copy_from_slice(&told.to_le_bytes()[..6]);
    }
    true
}

/// Sets back the times of an ASDU whose objects have been taken within the last minute.
fn set_back_104(asdu: &mut [u8], now: Micros) -> bool {
    let len = match asdu.first() {
        Some(&(kind::SINGLE_POINT_TIME | kind::DOUBLE_POINT_TIME)) => 3 + 1 + 7,
        Some(&kind::MEASURED_FLOAT_TIME) => 3 + 5 + 7,
        _ => return false,
    };
    for object in asdu[6..].chunks_exact_mut(len) {
        let ms = u64::from(u16::from_le_bytes([object[len - 7], object[len - 6]])) * MS;
        let since = (now % MINUTE + MINUTE - ms) % MINUTE;
        object[len - 7..].copy_from_slice(&cp56(now - since - BACK));
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_an_hour_late() {
        let (now, taken) = (1_700_000_400 * SECOND, 1_700_000_359 * SECOND + 120 * MS);
        let event = |at| dnp3::indexed(2, 2, &[(0, [&[0x81][..], &dnp3::time(at)].concat())]);
        let mut fragment = dnp3::response(0xf0, 130, 0, &event(taken));
        assert!(set_back_dnp3(&mut fragment));
        assert_eq!(fragment, dnp3::response(0xf0, 130, 0, &event(taken - HOUR)));
        let object = |at| (1, [&[1][..], &cp56(at)].concat());
        let report = |at| asdu(kind::DOUBLE_POINT_TIME, 3, 71, &[object(at), object(at)]);
        let mut told = report(taken);
        assert!(set_back_104(&mut told, now));
        assert_eq!(told, report(taken - HOUR));
        assert!(!set_back_104(&mut asdu(kind::CLOCK, 7, 71, &[(0, cp56(now).to_vec())]), now));
    }
}
