//! What a flow remembers: activations that wait for their confirmation or termination, sequence numbers, who is the master.

use std::collections::VecDeque;

use gwcore::Ts;
use gwcore::time::SECOND;
use proto::{Dir, Mark};

use super::apci::{Apdu, Control};
use super::asdu::Asdu;

/// How long a row waits for its confirmation.
pub const TIMEOUT: i64 = 30 * SECOND;
/// The common address of every station.
pub const BROADCAST: u16 = 0xffff;
/// How long a confirmed activation is remembered for its termination.
const RUNNING: i64 = 300 * SECOND;

/// The part an APDU plays in an exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Values sent by an outstation.
    Monitor,
    /// STARTDT, STOPDT or TESTFR act, an activation, deactivation or read request.
    Request,
    /// A confirmation, or a refusal by cause 44–47.
    Confirmation,
    /// An activation termination.
    Termination,
    /// Anything else.
    Other,
}

impl Phase {
    /// The part of an APDU by its control field, type and cause.
    pub fn of(apdu: &Apdu<'_>, asdu: Option<&Asdu<'_>>) -> Phase {
        match (apdu.control, asdu) {
            (Control::U(0x07 | 0x13 | 0x43), _) => Phase::Request,
            (Control::U(0x0b | 0x23 | 0x83), _) => Phase::Confirmation,
            (Control::I { .. }, Some(asdu)) => match (asdu.type_id, asdu.cause) {
                (1..=41 | 70, 1..=5 | 11 | 12 | 20..=41) => Phase::Monitor,
                (45..=69 | 100..=113, 6 | 8) | (102, 5) => Phase::Request,
                (45..=69 | 100..=113, 7 | 9 | 44..=47) => Phase::Confirmation,
                (45..=69 | 100..=113, 10) => Phase::Termination,
                _ => Phase::Other,
            },
            _ => Phase::Other,
        }
    }
}

/// What ties a confirmation to its activation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Key {
    /// A U function, by the control octet of its act.
    U(u8),
    /// Type, common address, first object address; whether it deactivates.
    Command(u8, u16, Option<u32>, bool),
}

impl Key {
    /// The key of a request or of what answers it.
    pub fn of(apdu: &Apdu<'_>, asdu: Option<&Asdu<'_>>) -> Option<Key> {
        match (apdu.control, asdu) {
            (Control::U(a), _) => Some(Key::U(match a {
                0x0b => 0x07,
                0x23 => 0x13,
                0x83 => 0x43,
                act => act,
            })),
            (Control::I { .. }, Some(asdu)) => {
                let ioa = asdu.first().and_then(|o| o.ioa);
                Some(Key::Command(asdu.type_id, asdu.ca, ioa, matches!(asdu.cause, 8 | 9)))
            }
            _ => None,
        }
    }

    /// The key of the read request that a monitoring ASDU with cause `request` answers.
    pub fn of_read(asdu: &Asdu<'_>) -> Key {
        Key::Command(102, asdu.ca, asdu.first().and_then(|o| o.ioa), false)
    }

    /// Whether it goes to every station.
    pub fn is_broadcast(&self) -> bool {
        matches!(self, Key::Command(_, BROADCAST, ..))
    }

    /// Whether an answer of these numbers confirms it: a broadcast is answered with the station's own address (IEC 60870-5-101 §7.2.4).
    fn is_confirmed_by(&self, answer: &Key) -> bool {
        match (self, answer) {
            (Key::Command(t, BROADCAST, ioa, off), Key::Command(u, _, job, on)) => (t, ioa, off) == (u, job, on),
            _ => self == answer,
        }
    }

    /// Whether a refusal by cause 44–47, which does not tell activation from deactivation, may refuse this request.
    fn is_refused_by(&self, answer: &Key) -> bool {
        match (self, answer) {
            (Key::Command(t, BROADCAST, ioa, _), Key::Command(u, _, job, _)) => (t, ioa) == (u, job),
            (Key::Command(t, ca, ioa, _), Key::Command(u, cb, job, _)) => (t, ca, ioa) == (u, cb, job),
            _ => false,
        }
    }
}

/// A request whose row waits.
pub struct Request {
    /// What ties its answer to it.
    pub key: Key,
    /// Where it stood.
    pub mark: Mark,
    /// The whole APDU.
    pub bytes: Box<[u8]>,
    /// Originator address, 0 for none.
    pub originator: u8,
}

/// Requests in the order they came: those whose rows wait, and those confirmed but not terminated.
#[derive(Default)]
pub struct Waiting {
    queue: VecDeque<Request>,
    running: VecDeque<(Key, Mark)>,
    /// Activations of all stations that one has confirmed: each of the others does so too.
    broadcasts: VecDeque<(Key, Mark)>,
}

impl Waiting {
    /// Adds a request; gives back the oldest when there are more than `limit`.
    pub fn push(&mut self, request: Request, limit: usize) -> Option<Request> {
        self.running.retain(|(key, mark)| *key != request.key || mark.dir != request.mark.dir);
        let oldest = if self.queue.len() >= limit { self.queue.pop_front() } else { None };
        self.queue.push_back(request);
        oldest
    }

    /// Takes out the oldest request that the side `by` answers: of the same originator where one is, else of whichever.
    pub fn confirmed(
        &mut self,
        (key, originator): (&Key, u8),
        by: Dir,
        refused: bool,
        limit: usize,
    ) -> Option<Request> {
        let fits =
            |r: &Request| r.mark.dir != by && (r.key.is_confirmed_by(key) || (refused && r.key.is_refused_by(key)));
        let own = self.queue.iter().position(|r| r.originator == originator && fits(r));
        let at = own.or_else(|| self.queue.iter().position(fits));
        // Some stations confirm a deactivation as if it were an activation.
        let at = at.or_else(|| self.queue.iter().position(|r| r.mark.dir != by && r.key.is_refused_by(key)));
        let request = self.queue.remove(at?)?;
        let is_activation = matches!(request.key, Key::Command(_, _, _, false));
        if !refused && is_activation && matches!(key, Key::Command(_, _, _, false)) {
            self.run(*key, request.mark, limit);
        }
        if is_activation && request.key.is_broadcast() {
            if self.broadcasts.len() >= limit {
                self.broadcasts.pop_front();
            }
            self.broadcasts.push_back((request.key, request.mark));
        }
        Some(request)
    }

    /// The activation of all stations that a further one of them confirms.
    pub fn confirmed_too(&mut self, key: &Key, by: Dir, refused: bool, limit: usize) -> Option<Mark> {
        let fits = |(k, mark): &&(Key, Mark)| mark.dir != by && k.is_confirmed_by(key);
        let (_, mark) = *self.broadcasts.iter().rev().find(fits)?;
        if !refused {
            self.run(*key, mark, limit);
        }
        Some(mark)
    }

    fn run(&mut self, key: Key, mark: Mark, limit: usize) {
        if self.running.len() >= limit {
            self.running.pop_front();
        }
        self.running.push_back((key, mark));
    }

    /// Whether a request waits that an answer of the side `by` confirms.
    pub fn asks(&self, key: &Key, by: Dir) -> bool {
        self.queue.iter().any(|r| r.mark.dir != by && r.key.is_confirmed_by(key))
    }

    /// Takes out the confirmed activation that the side `by` terminates.
    pub fn terminated(&mut self, key: &Key, by: Dir) -> Option<Mark> {
        let at = self.running.iter().position(|(k, mark)| k == key && mark.dir != by)?;
        self.running.remove(at).map(|(_, mark)| mark)
    }

    /// Takes out the oldest request when it has waited too long.
    pub fn expired(&mut self, now: Ts) -> Option<Request> {
        for list in [&mut self.running, &mut self.broadcasts] {
            while list.front().is_some_and(|(_, mark)| now.since(mark.ts) >= RUNNING) {
                list.pop_front();
            }
        }
        let late = now.since(self.queue.front()?.mark.ts) >= TIMEOUT;
        if late { self.queue.pop_front() } else { None }
    }

    /// Takes out the oldest request.
    pub fn pop(&mut self) -> Option<Request> {
        self.queue.pop_front()
    }

    /// When the oldest request will have waited too long.
    pub fn deadline(&self) -> Option<Ts> {
        self.queue.front().map(|r| r.mark.ts.plus(TIMEOUT))
    }
}

/// Whether the place of the next APDU is known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Place {
    /// It is.
    #[default]
    Known,
    /// Foreign bytes came.
    Foreign,
    /// Bytes are missing.
    Gap,
}

/// One direction: its position and its send sequence.
#[derive(Default)]
pub struct Side {
    /// Where the next APDU begins.
    pub place: Place,
    /// The N(S) to come, none before the first I format and after a gap.
    expected: Option<u16>,
    /// It was lost, so that nothing is known of what was sent.
    lost: bool,
    /// Roles already told: outstation, master.
    told: [bool; 2],
}

impl Side {
    /// Forgets the position, and the send sequence with it.
    pub fn lose(&mut self, place: Place) {
        self.place = place;
        self.expected = None;
        self.lost = true;
    }

    /// Forgets the send sequence: the APDU is too broken to believe its numbers.
    pub fn doubt(&mut self) {
        self.expected = None;
        self.lost = true;
    }

    /// The N(S) to come, as far as is known; 0 before the first where the session was seen to begin.
    pub fn sent_so_far(&self) -> Option<u16> {
        self.expected.or((!self.lost).then_some(0))
    }

    /// Takes note of an N(S); gives back the one expected when it was another (modulo 32,768).
    pub fn sent(&mut self, send: u16) -> Option<u16> {
        let expected = self.expected.replace(send.wrapping_add(1) & 0x7fff);
        expected.filter(|e| *e != send)
    }

    /// Whether a role is told for the first time.
    pub fn tell(&mut self, is_master: bool) -> bool {
        !std::mem::replace(&mut self.told[usize::from(is_master)], true)
    }
}

/// Whether the sender of an APDU acts as the master; none when it does not show.
pub fn is_master(apdu: &Apdu<'_>, asdu: Option<&Asdu<'_>>) -> Option<bool> {
    match (Phase::of(apdu, asdu), apdu.control) {
        (_, Control::U(0x43 | 0x83)) => None,
        (Phase::Request, _) => Some(true),
        (Phase::Monitor | Phase::Confirmation | Phase::Termination, _) => Some(false),
        (Phase::Other, _) => None,
    }
}
