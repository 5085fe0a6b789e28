//! APCI framing: where an APDU begins, how long it is and what its control field says (IEC 60870-5-104 §5).

use proto::{Cursor, Hint, Probe};

use super::asdu::Asdu;
use super::table::u_name;

/// The registered port.
pub const PORT: u16 = 2404;
/// First octet of every APDU.
const START: u8 = 0x68;
/// Lengths that an APDU may state: the control field alone up to the largest (§5.1).
const LENGTHS: std::ops::RangeInclusive<u8> = 4..=253;

/// What the control field says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Control {
    /// Information transfer.
    I {
        /// N(S).
        send: u16,
        /// N(R).
        recv: u16,
    },
    /// Supervisory.
    S {
        /// N(R).
        recv: u16,
    },
    /// Unnumbered, with its first octet.
    U(u8),
}

/// One APDU.
#[derive(Clone, Copy, Debug)]
pub struct Apdu<'a> {
    /// The whole of it.
    pub bytes: &'a [u8],
    /// Its control field.
    pub control: Control,
    /// What follows the control field.
    pub body: &'a [u8],
}

/// What stands at the beginning of some bytes.
#[derive(Clone, Copy, Debug)]
pub enum Next<'a> {
    /// A whole APDU.
    Apdu(Apdu<'a>),
    /// The beginning of one of so many octets in all.
    More(usize),
    /// No APDU.
    Bad,
}

/// Reads the APDU at the beginning of `data`, as far as start and length go.
pub fn next(data: &[u8]) -> Next<'_> {
    let &[START, ref rest @ ..] = data else { return if data.is_empty() { Next::More(1) } else { Next::Bad } };
    let Some(&length) = rest.first() else { return Next::More(2) };
    if !LENGTHS.contains(&length) {
        return Next::Bad;
    }
    let total = usize::from(length) + 2;
    match data.get(..total).and_then(read) {
        Some(apdu) => Next::Apdu(apdu),
        None => Next::More(total),
    }
}

/// Reads one whole APDU.
pub fn read(bytes: &[u8]) -> Option<Apdu<'_>> {
    let mut c = Cursor::new(bytes);
    c.take(2)?;
    let [a, b, d, e] = c.array::<4>()?;
    let (first, second) = (u16::from_le_bytes([a, b]) >> 1, u16::from_le_bytes([d, e]) >> 1);
    let control = match a & 3 {
        0 | 2 => Control::I { send: first, recv: second },
        1 => Control::S { recv: second },
        _ => Control::U(a),
    };
    Some(Apdu { bytes, control, body: c.rest() })
}

/// How sure it is that an APDU begins here, by everything in its first twelve octets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Look {
    /// It does not.
    No,
    /// Too few bytes to tell.
    More,
    /// It does.
    Yes,
}

/// Looks strictly: start, length, control field, type identification, number of objects against length, cause.
pub fn look(data: &[u8]) -> Look {
    let at = |i: usize| data.get(i).copied();
    if at(0).is_some_and(|b| b != START) || at(1).is_some_and(|l| !LENGTHS.contains(&l)) {
        return Look::No;
    }
    let (Some(length), Some(a)) = (at(1), at(2)) else { return Look::More };
    let fixed = match a & 3 {
        0 | 2 => false,
        1 if a == 1 => true,
        3 if u_name(a).is_some() => true,
        _ => return Look::No,
    };
    let zero_from = if a & 3 == 3 { 4 } else { 6 };
    if fixed && (length != 4 || at(3).is_some_and(|b| b != 0)) {
        return Look::No;
    }
    if at(4).is_some_and(|b| b & 1 != 0) || (zero_from == 4 && [at(4), at(5)].iter().flatten().any(|b| *b != 0)) {
        return Look::No;
    }
    match fixed {
        true => {
            if data.len() >= 6 {
                Look::Yes
            } else {
                Look::More
            }
        }
        false => look_asdu(usize::from(length) - 4, data.get(6..).unwrap_or_default()),
    }
}

/// As [`look`], from the type identification on; `length` is that of the whole ASDU.
fn look_asdu(length: usize, head: &[u8]) -> Look {
    let Some(header) = head.get(..6) else {
        let known = head.first().is_none_or(|id| super::table::type_of(*id).is_some());
        return if known && length >= 6 { Look::More } else { Look::No };
    };
    match Asdu::parse(header) {
        Some(asdu) if asdu.is_plausible(length) => Look::Yes,
        _ => Look::No,
    }
}

/// Where in `data` an APDU seems to begin: its place, and whether enough of it is there.
pub fn find(data: &[u8]) -> Option<(usize, bool)> {
    starts(data).find_map(|i| match look(data.get(i..).unwrap_or_default()) {
        Look::No => None,
        look => Some((i, look == Look::Yes)),
    })
}

/// As [`find`], after foreign bytes in a stream without a gap: what has start and length alone counts as an APDU too (a broken one is
/// evidence), unless another may begin inside it.
pub fn find_any(data: &[u8]) -> Option<(usize, bool)> {
    for i in starts(data) {
        let rest = data.get(i..).unwrap_or_default();
        match (look(rest), next(rest)) {
            (Look::Yes, _) => return Some((i, true)),
            (Look::More, _) | (_, Next::More(_)) => return Some((i, false)),
            (_, Next::Apdu(apdu)) if find(apdu.bytes.get(1..).unwrap_or_default()).is_none() => return Some((i, true)),
            _ => {}
        }
    }
    None
}

fn starts(data: &[u8]) -> impl Iterator<Item = usize> + '_ {
    data.iter().enumerate().filter(|(_, b)| **b == START).map(|(i, _)| i)
}

/// Whether a direction speaks this protocol. A stream picked up inside an APDU is found by two whole ones in a row on the registered port.
pub fn probe(head: &[u8], hint: &Hint) -> Probe {
    let port = hint.port(PORT);
    match look(head) {
        Look::More => Probe::Unsure,
        Look::No if port => match find(head) {
            Some((at, true)) if chain(head.get(at..).unwrap_or_default()) >= 2 => Probe::Certain,
            _ => Probe::No,
        },
        Look::No => Probe::No,
        Look::Yes => {
            let whole = chain(head);
            let Next::Apdu(first) = next(head) else { return if port { Probe::Certain } else { Probe::Unsure } };
            let own_proof = match first.control {
                Control::U(_) => true,
                Control::S { .. } => false,
                Control::I { .. } => Asdu::parse(first.body).is_some_and(|a| a.is_framed()),
            };
            if port || own_proof || whole >= 3 { Probe::Certain } else { Probe::Maybe }
        }
    }
}

/// Whole APDUs in a row, none of them implausible; 0 when the row breaks.
fn chain(data: &[u8]) -> usize {
    let mut rest = data;
    let mut n = 0;
    while let Next::Apdu(apdu) = next(rest) {
        if look(rest) == Look::No {
            return 0;
        }
        n += 1;
        rest = rest.get(apdu.bytes.len()..).unwrap_or_default();
    }
    if look(rest) == Look::No { 0 } else { n }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hint(port: u16) -> Hint {
        Hint { carrier: proto::Carrier::Stream, src_port: 40_000, dst_port: port, from_start: true }
    }

    #[test]
    fn control_fields() {
        let check = |bytes: &[u8], control: Control| assert_eq!(read(bytes).map(|a| a.control), Some(control));
        check(&[0x68, 4, 0x07, 0, 0, 0], Control::U(0x07));
        check(&[0x68, 4, 0x01, 0, 0x02, 0], Control::S { recv: 1 });
        check(&[0x68, 4, 0x01, 0, 0xfe, 0xff], Control::S { recv: 32_767 });
        check(&[0x68, 4, 0x00, 0x01, 0x04, 0x02], Control::I { send: 128, recv: 258 });
        check(&[0x68, 4, 0xfe, 0xff, 0x00, 0x00], Control::I { send: 32_767, recv: 0 });
    }

    #[test]
    fn probes() {
        let single = [0x68, 0x0e, 0, 0, 0, 0, 1, 1, 3, 0, 1, 0, 5, 0, 0, 1];
        let check =
            |bytes: &[u8], port: u16, expect: Probe| assert_eq!(probe(bytes, &hint(port)), expect, "{bytes:02x?}");
        check(&[0x68, 4, 7, 0, 0, 0], 9, Probe::Certain);
        check(&[0x68, 4, 7, 0, 0], 9, Probe::Unsure);
        check(&[0x68, 4, 1, 0, 2, 0], 9, Probe::Maybe);
        check(&[0x68, 4, 1, 0, 2, 0], PORT, Probe::Certain);
        check(&single, 9, Probe::Certain);
        check(&single[..14], 9, Probe::Unsure);
        check(&single[..14], PORT, Probe::Certain);
        // Near misses: another first octet, an odd N(R), an unknown U function, an unused type, a count that does not fit the length.
        check(&[0x69, 4, 7, 0, 0, 0], PORT, Probe::No);
        check(&[0x68, 4, 1, 0, 3, 0], PORT, Probe::No);
        check(&[0x68, 4, 0x0f, 0, 0, 0], PORT, Probe::No);
        check(&[0x68, 0x0e, 0, 0, 0, 0, 99, 1, 3, 0, 1, 0, 5, 0, 0, 1], PORT, Probe::No);
        check(&[0x68, 0x0e, 0, 0, 0, 0, 1, 2, 3, 0, 1, 0, 5, 0, 0, 1], PORT, Probe::No);
        let tail = [&[0xaa, 0x68, 0x01][..], &single, &single].concat();
        check(&tail, PORT, Probe::Certain);
        check(&tail, 9, Probe::No);
    }

    #[test]
    fn finds_the_next_apdu() {
        assert_eq!(find(&[1, 0x68, 0x68, 4, 0x43, 0, 0, 0]), Some((2, true)));
        assert_eq!(find(&[1, 2, 0x68, 4, 0x43]), Some((2, false)));
        assert_eq!(find(&[0x68, 3, 0x43, 0, 0, 0]), None);
        assert_eq!(find(&[0x68, 254, 0x43, 0, 0, 0]), None);
        let foreign = [1, 0x68, 4, 0x16, 0x16, 0x16, 0x16, 0x16];
        assert_eq!((find(&foreign), find_any(&foreign)), (None, Some((1, true))));
        assert_eq!(find_any(&foreign[..6]), Some((1, false)));
        assert_eq!(find_any(&[0x68, 4, 0x68, 4, 0x43, 0, 0, 0]), Some((2, true)));
        assert_eq!(find_any(&[0x68, 3, 0x68, 254, 0x43]), None);
    }
}
