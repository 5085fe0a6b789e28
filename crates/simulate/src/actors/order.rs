//! What can be ordered of a session between the front end and a device.

use super::{Actor, Step, dnp3, iec104, modbus};
use crate::label::Label;
use crate::network::{Host, METER, OUTSTATION, PLC, RTUS};
use crate::plant::{Action, Change, Desk};
use crate::rng::Rng;
use crate::tcp::Side;
use crate::time::Micros;

/// The sessions that the front end holds, in the order of their actors.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Session {
    /// DNP3 with the first RTU.
    Rtu1,
    /// DNP3 with the second RTU.
    Rtu2,
    /// Modbus with the meter.
    Meter,
    /// Modbus with the PLC.
    Plc,
    /// IEC 104 with the third RTU.
    Rtu3,
}

impl Session {
    pub(crate) const ALL: [Session; 5] = [Session::Rtu1, Session::Rtu2, Session::Meter, Session::Plc, Session::Rtu3];

    pub(crate) fn server(self) -> &'static Host {
        match self {
            Session::Rtu1 => &RTUS[0],
            Session::Rtu2 => &RTUS[1],
            Session::Meter => &METER,
            Session::Plc => &PLC,
            Session::Rtu3 => &OUTSTATION,
        }
    }

    pub(crate) fn port(self) -> u16 {
        match self {
            Session::Rtu1 | Session::Rtu2 => 20_000,
            Session::Meter | Session::Plc => 502,
            Session::Rtu3 => 2_404,
        }
    }

    /// Whose operations go over this session; none over the meter's.
    pub(crate) fn desk(self) -> Option<Desk> {
        match self {
            Session::Rtu1 => Some(Desk::Rtu(0)),
            Session::Rtu2 => Some(Desk::Rtu(1)),
            Session::Meter => None,
            Session::Plc => Some(Desk::Plc),
            Session::Rtu3 => Some(Desk::Outstation),
        }
    }

    /// The breaker behind it.
    pub(crate) fn breaker(self) -> Option<usize> {
        match self {
            Session::Rtu1 => Some(0),
            Session::Rtu2 => Some(1),
            Session::Meter => None,
            Session::Plc => Some(3),
            Session::Rtu3 => Some(2),
        }
    }

    /// A session of another client with the same server.
    pub(crate) fn foreign(self, client: &'static Host, label: Option<Label>, seed: u64, at: Micros) -> Box<dyn Actor> {
        match self {
            Session::Rtu1 => Box::new(dnp3::Association::foreign(seed, 0, client, label, at)),
            Session::Rtu2 => Box::new(dnp3::Association::foreign(seed, 1, client, label, at)),
            Session::Meter => Box::new(modbus::Poller::foreign(seed, false, client, label, at)),
            Session::Plc => Box::new(modbus::Poller::foreign(seed, true, client, label, at)),
            Session::Rtu3 => Box::new(iec104::Link::foreign(seed, client, label, at)),
        }
    }
}

/// What a session is asked to do.
#[derive(Clone, Debug)]
pub(crate) enum Task {
    /// What the dispatcher does, in the protocol's own way, with what the process does then.
    Operate(Action),
    /// A later step of what was ordered.
    Step(Step),
    /// A request of the client and its answer: DNP3 function and objects, then the response's objects and indications.
    Dnp3 { function: u8, objects: Vec<u8>, reply: Vec<u8>, iin: u16 },
    /// A request of the client and its answer as Modbus PDUs; an empty answer is none.
    Modbus { question: Vec<u8>, answer: Vec<u8> },
    /// IEC 104 ASDUs, one after the other.
    Iec104(Vec<(Side, Vec<u8>)>),
    /// An IEC 104 U frame of the client, and the server's confirmation.
    Unnumbered { act: u8, con: u8 },
    /// The client closes; the session is over.
    Leave,
    /// The client closes, and another takes over; what it does carries the order's label, until it moves back.
    Move { client: &'static Host, back: bool },
    /// Nothing of the server is heard until then: retransmissions, new attempts, a new start. The device may be another one then.
    Lost { until: Micros, server: &'static Host, restart: bool },
}

/// An order; see [`crate::cx::Cx::order`].
#[derive(Clone, Debug)]
pub(crate) struct Order {
    pub(crate) at: Micros,
    pub(crate) label: Option<Label>,
    pub(crate) rng: Rng,
    /// Randomness of the connection while the order is done.
    pub(crate) wire: Rng,
    pub(crate) task: Task,
}

/// News for an actor that is asleep.
#[derive(Clone, Debug)]
pub(crate) enum News {
    Order(Order),
    /// A breaker will move that was not planned to.
    Change(Change),
}
