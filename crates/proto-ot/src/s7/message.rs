//! One S7comm message: header, parameters, data.

use proto::Cursor;

use super::item::{self, Datum, Spec};

/// Protocol identifier.
const IDENTIFIER: u8 = 0x32;
/// Function that sets up communication.
pub const SETUP: u8 = 0xf0;
/// Function that reads variables.
pub const READ: u8 = 0x04;
/// Function that writes variables.
pub const WRITE: u8 = 0x05;
/// Function that invokes a service of the program.
const PI_SERVICE: u8 = 0x28;
/// Function that stops the controller.
const PLC_STOP: u8 = 0x29;

/// Lengths in the header do not add up to the message.
pub const LENGTH_MISMATCH: &str = "length_mismatch";

/// Whether a message asks, answers, or does neither.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Job or question.
    Request,
    /// Answer.
    Answer,
    /// Neither.
    Notice,
}

/// What is read of one message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Message<'a> {
    /// Whether it asks.
    pub role: Role,
    /// Kind of message.
    pub rosctr: u8,
    /// Reference that answers repeat.
    pub pdu_ref: u16,
    /// Error class and code of an answer.
    pub error: Option<(u8, u8)>,
    /// Function; none in user data and bare acknowledgements.
    pub function: Option<u8>,
    /// Jobs allowed unanswered by the caller and by the called, and the largest message.
    pub setup: Option<(u16, u16, u16)>,
    /// Group and subfunction of user data.
    pub user: Option<(u8, Option<u8>)>,
    /// Parameters.
    pub parameters: &'a [u8],
    /// Data.
    pub data: &'a [u8],
    /// What contradicts the protocol.
    pub fault: Option<&'static str>,
}

impl<'a> Message<'a> {
    /// Reads a message; none when its header is not S7comm.
    pub fn parse(bytes: &'a [u8]) -> Option<Message<'a>> {
        let mut c = Cursor::new(bytes);
        let (identifier, rosctr) = (c.u8()?, c.u8()?);
        if identifier != IDENTIFIER || !matches!(rosctr, 1 | 2 | 3 | 7) {
            return None;
        }
        c.u16()?;
        let (pdu_ref, parameters, data) = (c.u16()?, usize::from(c.u16()?), usize::from(c.u16()?));
        let error = if matches!(rosctr, 2 | 3) { Some((c.u8()?, c.u8()?)) } else { None };
        let fault = (c.left() != parameters + data).then_some(LENGTH_MISMATCH);
        let rest = c.rest();
        let (parameters, rest) = rest.split_at_checked(parameters).unwrap_or((rest, &[]));
        let function = if rosctr == 7 { None } else { parameters.first().copied() };
        let mut message = Message {
            role: role(rosctr, parameters),
            rosctr,
            pdu_ref,
            error,
            function,
            setup: None,
            user: if rosctr == 7 { user(parameters) } else { None },
            parameters,
            data: rest.get(..data).unwrap_or(rest),
            fault,
        };
        if function == Some(SETUP) {
            message.setup = setup(parameters);
            if message.setup.is_none() {
                message.fault = message.fault.or(Some("setup_cut"));
            }
        }
        Some(message)
    }

    /// Whether it reads or writes variables.
    pub fn has_items(&self) -> bool {
        matches!(self.function, Some(READ | WRITE))
    }

    /// Number of items stated.
    pub fn item_count(&self) -> Option<u8> {
        self.parameters.get(1).copied().filter(|_| self.has_items())
    }

    /// The variables that a job names; whether all are there.
    pub fn specs(&self) -> (Vec<Spec>, bool) {
        if self.has_items() && self.role == Role::Request { item::specs(self.parameters) } else { (Vec::new(), true) }
    }

    /// The items of its data; whether all are there. An answer to a write has their return codes only.
    pub fn items(&self) -> (Vec<Datum<'a>>, bool) {
        let stated = self.item_count().unwrap_or(0);
        match (self.function, self.role) {
            (Some(WRITE), Role::Request) | (Some(READ), Role::Answer) => {
                item::data(self.data, stated, self.role == Role::Answer)
            }
            (Some(WRITE), Role::Answer) => (item::codes(self.data), self.data.len() == usize::from(stated)),
            _ => (Vec::new(), true),
        }
    }

    /// The service of the program that is invoked.
    pub fn service(&self) -> Option<&'a [u8]> {
        match self.function? {
            PI_SERVICE => self.invocation().map(|i| i.1),
            PLC_STOP => text(self.parameters.get(6..)?),
            _ => None,
        }
        .filter(|name| !name.is_empty())
    }

    /// The block that a transfer or a service is about, or the service's argument.
    pub fn argument(&self) -> Option<&'a [u8]> {
        match self.function? {
            PI_SERVICE => self.invocation().map(|i| i.0).filter(|a| !a.is_empty()),
            0x1a..=0x1d if self.role == Role::Request => text(self.parameters.get(8..)?),
            _ => None,
        }
    }

    /// Argument and name of the service that is invoked.
    fn invocation(&self) -> Option<(&'a [u8], &'a [u8])> {
        let mut c = Cursor::new(self.parameters.get(8..)?);
        let length = usize::from(c.u16()?);
        let argument = c.take(length)?;
        Some((argument, text(c.rest()).unwrap_or_default()))
    }
}

/// A text behind its length.
fn text(bytes: &[u8]) -> Option<&[u8]> {
    bytes.get(1..1 + usize::from(*bytes.first()?))
}

/// Set-up of communication: function, reserved, jobs of the caller, jobs of the called, message size.
fn setup(parameters: &[u8]) -> Option<(u16, u16, u16)> {
    let mut c = Cursor::new(parameters.get(2..)?);
    Some((c.u16()?, c.u16()?, c.u16()?))
}

/// User data says in its sixth parameter byte whether it asks (4), answers (8) or only tells (0).
fn role(rosctr: u8, parameters: &[u8]) -> Role {
    match (rosctr, parameters.get(5).map(|b| b >> 4)) {
        (1, _) | (7, Some(4)) => Role::Request,
        (2 | 3, _) | (7, Some(8)) => Role::Answer,
        _ => Role::Notice,
    }
}

/// The low half of that byte is the group, the next byte the subfunction.
fn user(parameters: &[u8]) -> Option<(u8, Option<u8>)> {
    Some((parameters.get(5)? & 0x0f, parameters.get(6).copied()))
}
