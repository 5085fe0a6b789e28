//! How PDUs stand on the wire: the MBAP header of Modbus/TCP (Messaging Implementation Guide V1.0b §3.1.3), and RTU frames with their
//! CRC (Serial Line Guide V1.02 §2.5.1), which serial gateways carry through TCP as they are. Also how both are recognised.

use proto::{Cursor, Probe};

use super::parse::{is_public, parse};
use super::table::function_name;

/// Largest length field the specification allows: unit and a PDU of 253 bytes.
pub const LENGTH_MAX: u16 = 254;
/// Largest length field that still frames a PDU; makers' functions use up to a kilobyte. A longer one would hide what follows it.
pub const LENGTH_TRUSTED: u16 = 1_500;
/// Bytes before the unit identifier, which the length field does not count.
pub const MBAP: usize = 6;
/// Unit, function and CRC.
const RTU_MIN: usize = 4;
/// Largest RTU frame (§2.5.1.1).
const RTU_MAX: usize = 256;
/// Bytes searched for the next PDU after a lost position.
const SEARCH_MAX: usize = 4_096;
/// RTU frames are searched for in fewer bytes: each place costs a CRC.
const SEARCH_RTU_MAX: usize = 512;
/// PDUs looked at when probing.
const CHAIN: usize = 4;

/// What stands before a PDU.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Header {
    /// Transaction identifier; none for RTU.
    pub transaction: Option<u16>,
    /// Protocol identifier, 0 for Modbus.
    pub protocol: u16,
    /// Length field; none for RTU.
    pub length: Option<u16>,
    /// Unit identifier (server address).
    pub unit: u8,
}

/// What stands at the head of the bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next<'a> {
    /// A frame of `used` bytes.
    Frame {
        /// Its header.
        header: Header,
        /// Its PDU.
        pdu: &'a [u8],
        /// Bytes it takes.
        used: usize,
    },
    /// A header whose length is past all use; `pdu` is the function alone.
    Endless {
        /// The header.
        header: Header,
        /// The function byte.
        pdu: &'a [u8],
    },
    /// That many bytes are needed from the head on.
    Need(usize),
    /// No frame; the reason.
    Bad(&'static str),
}

/// The Modbus/TCP frame at the head of `bytes`.
pub fn mbap(bytes: &[u8]) -> Next<'_> {
    let Some((header, function)) = header(bytes) else { return Next::Need(MBAP + 2) };
    let length = header.length.unwrap_or(0);
    if length < 2 {
        return Next::Bad(if header.protocol == 0 { "length_too_short" } else { "not_modbus" });
    }
    if header.protocol != 0 && length > LENGTH_MAX {
        return Next::Bad("not_modbus");
    }
    if length > LENGTH_TRUSTED {
        return Next::Endless { header, pdu: function };
    }
    let used = MBAP + usize::from(length);
    let Some(pdu) = bytes.get(MBAP + 1..used) else { return Next::Need(used) };
    if header.protocol != 0 && !fits(pdu) {
        return Next::Bad("not_modbus");
    }
    Next::Frame { header, pdu, used }
}

/// The header and the function byte.
pub fn header(bytes: &[u8]) -> Option<(Header, &[u8])> {
    let mut c = Cursor::new(bytes);
    let (transaction, protocol, length) = (c.u16()?, c.u16()?, c.u16()?);
    let unit = c.u8()?;
    Some((Header { transaction: Some(transaction), protocol, length: Some(length), unit }, c.take(1)?))
}

/// Whether a PDU of a public function keeps to the specification, as a request or as an answer.
fn fits(pdu: &[u8]) -> bool {
    let ok = |is_request| parse(is_request, pdu).is_some_and(|p| is_public(p.function) && p.fault.is_none());
    ok(true) || ok(false)
}

/// Whether a PDU that fits does so because lengths or values in it agree, not only because it is short.
fn is_checked(pdu: &[u8]) -> bool {
    pdu.first().is_some_and(|f| matches!(f, 1..=5 | 15 | 16 | 20 | 21 | 23 | 24)) && pdu.len() > 2
}

/// Whether bytes too few for a frame may be the head of one.
fn may_begin(bytes: &[u8]) -> bool {
    let zero = |i| bytes.get(i).is_none_or(|b| *b == 0);
    let length = u16::from_be_bytes([bytes.get(4).copied().unwrap_or(0), bytes.get(5).copied().unwrap_or(2)]);
    zero(2) && zero(3) && (2..=LENGTH_TRUSTED).contains(&length)
}

/// How sure it is that `head` is Modbus/TCP; `port` says that the registered port 502 is used.
pub fn probe_mbap(head: &[u8], port: bool, whole: bool) -> Probe {
    let (mut at, mut fitting, mut strange, mut checked) = (0, 0_usize, 0_usize, false);
    for _ in 0..CHAIN {
        let rest = head.get(at..).unwrap_or_default();
        match mbap(rest) {
            Next::Frame { header, pdu, used } if header.protocol == 0 => {
                let fine = fits(pdu);
                fitting += usize::from(fine);
                strange += usize::from(!fine);
                checked |= fine && is_checked(pdu);
                at += used;
            }
            Next::Need(_) if may_begin(rest) => break,
            _ if rest.is_empty() => break,
            _ if at == 0 => return Probe::No,
            _ => {
                strange += 1;
                break;
            }
        }
    }
    let clean = at == head.len();
    match (fitting, strange) {
        (0, 0) if whole => Probe::No,
        (0, 0) => unsure_mbap(head, port),
        _ if whole && !clean && !port => Probe::No,
        (1.., 0) if port || (!whole && (fitting > 1 || checked)) => Probe::Certain,
        (1.., 0) => Probe::Maybe,
        (0, _) if port && (clean || strange > 1) => Probe::Certain,
        (0, _) if port && named(head) => Probe::Maybe,
        (1.., _) if port => Probe::Certain,
        _ => Probe::No,
    }
}

fn named(head: &[u8]) -> bool {
    head.get(MBAP + 1).is_some_and(|f| function_name(f & 0x7f) != "unknown")
}

fn unsure_mbap(head: &[u8], port: bool) -> Probe {
    let known = head.get(MBAP + 1).is_none_or(|f| port || is_public(f & 0x7f));
    let long = head.get(4..6).is_some_and(|l| l > &LENGTH_MAX.to_be_bytes()[..]);
    match (known, long) {
        (true, true) if port && named(head) => Probe::Maybe,
        (true, false) => Probe::Unsure,
        _ => Probe::No,
    }
}

/// Where a Modbus/TCP frame seems to begin. At the head of a `fresh` segment, where frames usually begin, less has to agree.
pub fn find_mbap(bytes: &[u8], fresh: bool) -> Option<usize> {
    let likely = |at: &usize| {
        let rest = bytes.get(*at..).unwrap_or_default();
        let lenient = fresh && *at == 0;
        match mbap(rest) {
            Next::Frame { header, pdu, used } => {
                let after = rest.get(used..).unwrap_or_default();
                header.protocol == 0 && (lenient || fits(pdu)) && (after.is_empty() || may_begin(after))
            }
            Next::Need(used) => {
                let known = rest.get(MBAP + 1).is_some_and(|f| is_public(f & 0x7f));
                lenient && known && used <= MBAP + usize::from(LENGTH_MAX) && may_begin(rest)
            }
            _ => false,
        }
    };
    (0..bytes.len().min(SEARCH_MAX)).find(likely)
}

const CRC: [u16; 256] = crc_table();

const fn crc_table() -> [u16; 256] {
    let mut table = [0; 256];
    let mut i = 0;
    while i < 256 {
        let (mut crc, mut bit) = (i as u16, 0);
        while bit < 8 {
            crc = if crc & 1 == 1 { crc >> 1 ^ 0xa001 } else { crc >> 1 };
            bit += 1;
        }
        table[i] = crc;
        i += 1;
    }
    table
}

/// CRC-16 of Modbus (Serial Line Guide §6.2.2), sent low byte first.
pub fn crc16(bytes: &[u8]) -> u16 {
    let step = |crc: u16, b: &u8| crc >> 8 ^ CRC[usize::from(crc as u8 ^ b)];
    bytes.iter().fold(0xffff, step)
}

/// Whether the last two bytes are the CRC of those before.
fn crc_holds(frame: &[u8]) -> bool {
    frame.split_last_chunk::<2>().is_some_and(|(body, crc)| crc16(body) == u16::from_le_bytes(*crc))
}

/// Length of the RTU frame that begins `bytes`, read as a request or an answer; `Err` holds how many bytes would tell.
fn rtu_length(is_request: bool, bytes: &[u8]) -> Option<Result<usize, usize>> {
    let Some(function) = bytes.get(1) else { return Some(Err(2)) };
    let counted = |at: usize| Ok(bytes.get(at).map_or(Err(at + 1), |n| Ok(at + 1 + usize::from(*n) + 2)));
    let length: Result<Result<usize, usize>, ()> = match (function, is_request) {
        (1..=6 | 8, true) | (5 | 6 | 8 | 11 | 15 | 16, false) => Ok(Ok(8)),
        (7 | 11 | 12 | 17, true) => Ok(Ok(4)),
        (15 | 16, true) => counted(6),
        (20 | 21, true) | (1..=4 | 12 | 17 | 20 | 21 | 23, false) => counted(2),
        (22, _) => Ok(Ok(10)),
        (23, true) => counted(10),
        (24, true) => Ok(Ok(6)),
        (7, false) => Ok(Ok(5)),
        (24, false) => counted(3),
        (43, true) => Ok(Ok(7)),
        (43, false) => Ok(objects_length(bytes)),
        (0x81..=0xff, false) => Ok(Ok(5)),
        _ => Err(()),
    };
    length.ok()
}

/// Length of an RTU answer with device identification, by walking its objects.
fn objects_length(bytes: &[u8]) -> Result<usize, usize> {
    let Some(count) = bytes.get(7) else { return Err(8) };
    let mut at = 8_usize;
    for _ in 0..*count {
        let Some(n) = bytes.get(at + 1) else { return Err(at + 2) };
        at += 2 + usize::from(*n);
        if at > RTU_MAX {
            break;
        }
    }
    Ok(at + 2)
}

/// The RTU frame at the head of `bytes`, read one way.
fn rtu_one(is_request: bool, bytes: &[u8]) -> Next<'_> {
    let used = match rtu_length(is_request, bytes) {
        Some(Ok(used)) if used <= RTU_MAX => used,
        Some(Err(more)) if more <= RTU_MAX => return Next::Need(more.max(RTU_MIN)),
        _ => return Next::Bad("not_modbus"),
    };
    let Some(frame) = bytes.get(..used) else { return Next::Need(used) };
    let (Some(unit), Some(pdu)) = (frame.first(), frame.get(1..used - 2)) else { return Next::Bad("not_modbus") };
    if !crc_holds(frame) {
        return Next::Bad("crc_wrong");
    }
    Next::Frame { header: Header { unit: *unit, ..Header::default() }, pdu, used }
}

/// The RTU frame at the head of `bytes`: read as expected, then the other way, then as one frame of an unknown function that ends with
/// them. When the expectation is `firm`, a wrong CRC is not explained by waiting for a longer frame of the other kind.
pub fn rtu((is_request, firm): (bool, bool), bytes: &[u8]) -> Next<'_> {
    let (first, other) = (rtu_one(is_request, bytes), rtu_one(!is_request, bytes));
    match (first, other) {
        (Next::Frame { .. }, _) => first,
        (_, Next::Frame { .. }) => other,
        (Next::Need(_), _) => first,
        _ if (RTU_MIN..=RTU_MAX).contains(&bytes.len()) && crc_holds(bytes) => {
            let header = Header { unit: bytes.first().copied().unwrap_or(0), ..Header::default() };
            Next::Frame { header, pdu: bytes.get(1..bytes.len() - 2).unwrap_or_default(), used: bytes.len() }
        }
        (_, Next::Need(_)) if !firm => other,
        _ => first,
    }
}

/// How sure it is that `head` is RTU on a stream.
pub fn probe_rtu(head: &[u8], port: bool) -> Probe {
    let chain = |is_request: bool| {
        let (mut at, mut frames) = (0, 0_usize);
        while frames < CHAIN {
            let rest = head.get(at..).unwrap_or_default();
            match rtu_one(is_request, rest) {
                _ if rest.is_empty() => break,
                Next::Frame { pdu, used, .. } if fits(pdu) => {
                    at += used;
                    frames += 1;
                }
                Next::Need(_) if frames > 0 || rest.get(1).is_none_or(|f| is_public(f & 0x7f)) => break,
                _ => return Probe::No,
            }
        }
        match frames {
            0 => Probe::Unsure,
            1 if !port => Probe::Maybe,
            _ => Probe::Certain,
        }
    };
    chain(true).max(chain(false))
}

/// Where an RTU frame seems to begin: its CRC holds and its function is public.
pub fn find_rtu(bytes: &[u8]) -> Option<usize> {
    let begins = |at: &usize| {
        let rest = bytes.get(*at..).unwrap_or_default();
        [true, false].into_iter().any(|r| matches!(rtu_one(r, rest), Next::Frame { pdu, .. } if fits(pdu)))
    };
    (0..bytes.len().min(SEARCH_RTU_MAX)).find(begins)
}
