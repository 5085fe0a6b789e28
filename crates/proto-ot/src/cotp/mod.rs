//! COTP, the connection-oriented transport protocol of class 0 (ISO 8073 / ITU-T X.224) as TPKT carries it: connections with their TSAPs,
//! and user data put together from its segments. The row kind holds what is not data.
//!
//! Limits: a message under reassembly may have `Limit::ParserBytes` bytes in each direction; a longer one is dropped and named.

use gwcore::{Hex, Limit, Sym};
use proto::{Carrier, Cursor, Cx, Dir, Hint, Parser, Probe, Step};

/// Handed down in place of a TPDU (none has a length indicator of 0) when bytes before it are missing.
pub const DATA_BEFORE_LOST: &[u8] = &[0];

gwcore::record! {
    /// One TPDU of ISO transport that opens, closes or refuses a connection (ISO 8073 §13); data TPDUs have no row.
    pub struct CotpPdu, CotpColumns = "cotp", Pdu {
        /// Code of the TPDU, its high four bits (§13.2.2.1).
        pdu_code: u8,
        /// Name of the TPDU.
        pdu_name: Sym,
        /// Reference of the receiver.
        dst_ref: Option<u16>,
        /// Reference of the sender.
        src_ref: Option<u16>,
        /// Transport selector of the side that called.
        calling_tsap: Option<Hex>,
        /// Transport selector of the side that was called.
        called_tsap: Option<Hex>,
        /// Largest TPDU proposed or accepted.
        tpdu_size: Option<u32> ["bytes"],
        /// Reason of a disconnection, or cause of a rejection.
        reason: Option<u8>,
    }
}

/// The parser of one flow.
#[derive(Default)]
pub struct Cotp {
    sides: [Segments; 2],
}

/// Data TPDUs of one direction up to the end of their message.
#[derive(Default)]
struct Segments {
    bytes: Vec<u8>,
    /// The message lacks a part, or is too long: what is left of it is dropped.
    broken: bool,
}

impl Parser for Cotp {
    const NAME: &'static str = "cotp";
    const CARRIERS: &'static [Carrier] = &[Carrier::Child("tpkt")];
    const IS_OT: bool = true;

    fn probe(head: &[u8], _hint: &Hint) -> Probe {
        match Tpdu::parse(head) {
            Some(_) => Probe::Certain,
            None => Probe::No,
        }
    }

    fn feed(&mut self, dir: Dir, data: &[u8], cx: &mut Cx<'_>) -> Step {
        if data == DATA_BEFORE_LOST {
            let side = &mut self.sides[dir.index()];
            *side = Segments { bytes: Vec::new(), broken: !side.bytes.is_empty() };
            return Step::Done;
        }
        match Tpdu::parse(data) {
            Some(Tpdu::Data { end, user }) => self.data(dir, end, user, cx),
            Some(Tpdu::Control(row)) => {
                cx.emit(row);
            }
            None => cx.anomaly(Self::NAME, "tpdu_broken", data.get(..data.len().min(16)).unwrap_or_default()),
        }
        Step::Done
    }
}

impl Cotp {
    fn data(&mut self, dir: Dir, end: bool, user: &[u8], cx: &mut Cx<'_>) {
        let side = &mut self.sides[dir.index()];
        if end && side.bytes.is_empty() && !side.broken {
            return cx.child(Self::NAME, 0, user);
        }
        let room = cx.limits.get(Limit::ParserBytes);
        if !side.broken && side.bytes.len().saturating_add(user.len()) > room {
            *side = Segments { bytes: Vec::new(), broken: true };
            cx.hit(Limit::ParserBytes);
            cx.anomaly(Self::NAME, "message_too_long", b"");
        }
        let side = &mut self.sides[dir.index()];
        if !side.broken {
            side.bytes.extend_from_slice(user);
        }
        if end {
            let whole = std::mem::take(side);
            if !whole.broken {
                cx.child(Self::NAME, 0, &whole.bytes);
            }
        }
    }
}

enum Tpdu<'a> {
    Data { end: bool, user: &'a [u8] },
    Control(CotpPdu<'a>),
}

/// Parameters of a connection (§13.3.4).
#[derive(Clone, Copy, Default)]
pub(crate) struct Parameters<'a> {
    calling: Option<&'a [u8]>,
    called: Option<&'a [u8]>,
    size: Option<u32>,
}

/// Parameters of a connection request or confirm; none when its variable part is not a list of parameters.
pub(crate) fn connection_parameters(tpdu: &[u8]) -> Option<Parameters<'_>> {
    let mut c = Cursor::new(tpdu);
    let indicator = usize::from(c.u8()?);
    let mut c = c.sub(indicator)?;
    c.take(6)?;
    let mut found = Parameters::default();
    while !c.is_empty() {
        let (code, n) = (c.u8()?, c.u8()?);
        let value = c.take(usize::from(n))?;
        match code {
            0xc0 => found.size = value.first().and_then(|e| 1_u32.checked_shl(u32::from(*e))),
            0xc1 => found.calling = Some(value),
            0xc2 => found.called = Some(value),
            0x85..=0x8f | 0xc3..=0xcf | 0xf0 => {}
            _ => return None,
        }
    }
    Some(found)
}

impl<'a> Tpdu<'a> {
    fn parse(bytes: &'a [u8]) -> Option<Tpdu<'a>> {
        let mut c = Cursor::new(bytes);
        let indicator = usize::from(c.u8()?);
        let mut fixed = c.sub(indicator)?;
        let code = fixed.u8()? & 0xf0;
        let (pdu_code, pdu_name) = (code >> 4, name(code)?);
        if code == 0xf0 {
            let end = fixed.u8()?;
            return fixed.is_empty().then_some(Tpdu::Data { end: end & 0x80 != 0, user: c.rest() });
        }
        let dst_ref = Some(fixed.u16()?);
        let mut row = CotpPdu {
            pdu_code,
            pdu_name,
            dst_ref,
            src_ref: None,
            calling_tsap: None,
            called_tsap: None,
            tpdu_size: None,
            reason: None,
        };
        match code {
            0xe0 | 0xd0 => {
                let parameters = connection_parameters(bytes)?;
                row.src_ref = Some(fixed.u16()?);
                row.calling_tsap = parameters.calling;
                row.called_tsap = parameters.called;
                row.tpdu_size = parameters.size;
            }
            0x80 => {
                row.src_ref = Some(fixed.u16()?);
                row.reason = Some(fixed.u8()?);
            }
            0xc0 => row.src_ref = Some(fixed.u16()?),
            0x70 => row.reason = Some(fixed.u8()?),
            _ => {}
        }
        Some(Tpdu::Control(row))
    }
}

fn name(code: u8) -> Option<&'static str> {
    Some(match code {
        0x10 => "expedited_data",
        0x20 => "expedited_data_acknowledge",
        0x50 => "reject",
        0x60 => "data_acknowledge",
        0x70 => "error",
        0x80 => "disconnect_request",
        0xc0 => "disconnect_confirm",
        0xd0 => "connection_confirm",
        0xe0 => "connection_request",
        0xf0 => "data",
        _ => return None,
    })
}
