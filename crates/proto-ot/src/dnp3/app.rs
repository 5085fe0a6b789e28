//! The application header (IEEE 1815 §4.2): control, function code, internal indications, and where objects begin.

use proto::Cursor;

/// Function codes that the rest of the parser asks for by name (IEEE 1815 table 4-2).
pub mod function {
    #![allow(missing_docs)]
    pub const CONFIRM: u8 = 0;
    pub const READ: u8 = 1;
    pub const WRITE: u8 = 2;
    pub const SELECT: u8 = 3;
    pub const OPERATE: u8 = 4;
    pub const DIRECT_OPERATE_NR: u8 = 6;
    pub const FREEZE_AT_TIME: u8 = 11;
    pub const FREEZE_AT_TIME_NR: u8 = 12;
    pub const OPEN_FILE: u8 = 25;
    pub const AUTHENTICATE_REQ: u8 = 32;
    pub const AUTH_REQ_NO_ACK: u8 = 33;
    pub const RESPONSE: u8 = 129;
    pub const UNSOLICITED: u8 = 130;
    pub const AUTHENTICATE_RESP: u8 = 131;
}

/// The header of a fragment and what follows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fragment<'a> {
    /// Application control octet.
    pub control: u8,
    /// Function code.
    pub function: u8,
    /// Internal indications of an answer: first octet high, second low, as they stand on the wire.
    pub iin: Option<u16>,
    /// Object headers and objects.
    pub body: &'a [u8],
}

impl<'a> Fragment<'a> {
    /// Reads the header; none when there are not even control and function.
    pub fn parse(bytes: &'a [u8]) -> Option<Fragment<'a>> {
        let mut c = Cursor::new(bytes);
        let (control, function) = (c.u8()?, c.u8()?);
        let iin = if is_answer(function) { c.u16() } else { None };
        let cut = is_answer(function) && iin.is_none();
        Some(Fragment { control, function, iin, body: if cut { &[] } else { c.rest() } })
    }

    /// First fragment of a message.
    pub fn fir(&self) -> bool {
        self.control & 0x80 != 0
    }
    /// Last fragment of a message.
    pub fn fin(&self) -> bool {
        self.control & 0x40 != 0
    }
    /// The sender wants a confirmation.
    pub fn con(&self) -> bool {
        self.control & 0x20 != 0
    }
    /// Belongs to the unsolicited sequence.
    pub fn uns(&self) -> bool {
        self.control & 0x10 != 0
    }
    /// Sequence number modulo 16.
    pub fn seq(&self) -> u8 {
        self.control & 0x0f
    }
}

/// Whether an outstation sends this function.
pub fn is_answer(function: u8) -> bool {
    function & 0x80 != 0
}

/// Whether a request of this function is never answered: confirmations and the variants without acknowledgement.
pub fn is_unanswered(code: u8) -> bool {
    matches!(code, function::CONFIRM | function::DIRECT_OPERATE_NR | 8 | 10 | 12 | function::AUTH_REQ_NO_ACK)
}
