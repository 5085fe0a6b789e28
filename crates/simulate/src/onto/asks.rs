//! What each attack says to an outstation of the capture: made of the points, units and commands found there.
//!
//! A device answers as such devices do: a write is echoed, a function that nobody used is refused, a command is confirmed.

use super::exchange::Exchange;
use super::pdu::Proto;
use super::reader::be16;
use super::site::{Nanos, Pair, Recorded};
use crate::Attack;
use crate::dnp3::{classes, crob, function, iin, sized, time};
use crate::iec104::{asdu, cause, cp56, kind, unnumbered};
use crate::modbus::words;
use crate::rng::Rng;
use crate::tcp::Side;

/// How fast the exchanges follow each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pace {
    /// As the master of the capture does.
    Usual,
    /// As fast as the device answers.
    Fast,
}

/// Outputs and functions that are tried one after the other.
const TRIED: u16 = 24;
/// Commands that are given again.
const REPLAYED: usize = 6;
/// Blocks of a file that is loaded, and their octets.
const BLOCKS: u32 = 12;
const BLOCK: usize = 200;
/// An hour and more by which clocks are set wrong, in microseconds.
const WRONG: u64 = 5_400_000_000;

/// The exchanges of an attack with one outstation, or why there are none.
pub(super) fn asks(attack: Attack, pair: &Pair, at: Nanos, rng: &mut Rng) -> Result<(Pace, Vec<Exchange>), String> {
    let usual = |list: Result<Vec<Exchange>, String>| list.map(|list| (Pace::Usual, list));
    let fast = |list: Result<Vec<Exchange>, String>| list.map(|list| (Pace::Fast, list));
    match attack {
        Attack::UnauthorizedControl | Attack::MassTrip => usual(command(pair)),
        Attack::RogueMaster => usual(command(pair).map(|mut command| {
            let mut list: Vec<Exchange> = std::iter::repeat_n(polls(pair), 4).flatten().take(24).collect();
            list.append(&mut command);
            list
        })),
        Attack::Takeover => usual(takeover(pair)),
        Attack::Replay => usual(replay(pair)),
        Attack::Setpoint => usual(set_points(pair, rng)),
        Attack::Ramp => usual(ramp(pair)),
        Attack::FunctionEnumeration => fast(enumeration(pair, at)),
        Attack::BruteForceIo => fast(brute_force(pair)),
        Attack::AlarmSuppression => usual(suppression(pair)),
        Attack::Mode => usual(mode(pair)),
        Attack::Time => usual(wrong_time(pair, at)),
        Attack::Program => fast(program(pair, at, rng)),
        _ => Err("it is no matter of a session with an outstation".to_owned()),
    }
}

/// What the master asks regularly, as the first messages of a session of somebody else.
pub(super) fn polls(pair: &Pair) -> Vec<Exchange> {
    pair.polls.iter().filter_map(|poll| Exchange::recorded(pair.proto, poll)).filter(is_harmless).take(6).collect()
}

/// IEC 104 sessions begin with this, DNP3 and Modbus ones without.
pub(super) fn start(pair: &Pair) -> Option<Exchange> {
    let (act, con) = (unnumbered::START_ACT, unnumbered::START_CON);
    (pair.proto == Proto::Iec104).then_some(Exchange::Unnumbered { act, con })
}

/// Whether an exchange only reads.
fn is_harmless(exchange: &Exchange) -> bool {
    match exchange {
        Exchange::Modbus { question, .. } => matches!(question.first(), Some(1..=4)),
        Exchange::Dnp3 { function, .. } => *function == function::READ,
        Exchange::Iec104(asdus) => asdus.first().is_some_and(|(_, asdu)| asdu.first() == Some(&kind::INTERROGATION)),
        Exchange::Unnumbered { .. } => false,
    }
}

fn written(unit: u8, function: u8, address: u16, value: u16) -> Exchange {
    let question = words(function, address, value);
    Exchange::Modbus { unit, answer: question.clone(), question }
}

/// Polls of the pair by this Modbus function: unit, first address, count, answer.
fn read(pair: &Pair, function: u8) -> Option<(u8, u16, u16, &Recorded)> {
    pair.polls.iter().find_map(|poll| match poll.request.get(..2) {
        Some([unit, code]) if *code == function => {
            Some((*unit, be16(&poll.request, 2)?, be16(&poll.request, 4)?, poll))
        }
        _ => None,
    })
}

/// One command: of those that the master gave the first, else the plainest that the points allow.
fn command(pair: &Pair) -> Result<Vec<Exchange>, String> {
    let given = pair.commands.first().and_then(|given| Exchange::recorded(pair.proto, given));
    // What selects is followed by what operates.
    let second = match (&given, pair.proto) {
        (Some(Exchange::Dnp3 { function: function::SELECT, .. }), _) => {
            pair.commands.get(1).and_then(|given| Exchange::recorded(pair.proto, given))
        }
        _ => None,
    };
    if let Some(given) = given {
        return Ok([Some(given), second].into_iter().flatten().collect());
    }
    match pair.proto {
        Proto::Modbus => {
            if let Some((unit, first, ..)) = read(pair, 1) {
                return Ok(vec![written(unit, 5, first, 0xff00)]);
            }
            let (unit, first, _, poll) = read(pair, 3).ok_or("nobody reads a coil or a holding register")?;
            let value = be16(&poll.answer, 2).unwrap_or(0);
            Ok(vec![written(unit, 6, first, !value)])
        }
        Proto::Dnp3 => Ok(vec![direct(0, 0x81, 0)]),
        Proto::Iec104 => {
            let (common, object) = place(pair, &[1, 3, 30, 31]).ok_or("nobody reports or commands a point")?;
            // A point that is only reported is no command's: the outstation does not know it.
            let step = |cause: u8| asdu(kind::SINGLE_COMMAND, cause, common, &[(object, vec![1])]);
            let refused = step(0x40 | 47);
            Ok(vec![Exchange::Iec104(vec![(Side::Client, step(cause::ACTIVATION)), (Side::Server, refused)])])
        }
    }
}

/// A DNP3 direct operate of one output, with the status that is answered.
fn direct(index: u16, code: u8, status: u8) -> Exchange {
    let (objects, reply) = (crob(index, code, 100, 0), crob(index, code, 100, status));
    let iin = if status == 0 { 0 } else { iin::PARAMETER };
    Exchange::Dnp3 { function: function::DIRECT_OPERATE, objects, iin, reply }
}

/// Common address and first object of a report of one of these types, else of a command.
fn place(pair: &Pair, kinds: &[u8]) -> Option<(u16, u32)> {
    let reported = kinds.iter().find_map(|kind| pair.reports.get(kind));
    let asdu = reported.or_else(|| pair.commands.first().map(|command| &command.request))?;
    let [low, high, a, b, c] = super::reader::array::<5>(asdu, 4)?;
    Some((u16::from_le_bytes([low, high]), u32::from_le_bytes([a, b, c, 0])))
}

/// Common address of the outstation (IEC 104).
fn common(pair: &Pair) -> Option<u16> {
    let asked = pair.polls.iter().map(|poll| &poll.request).find(|request| request.len() >= 6);
    let asdu = asked.or_else(|| pair.reports.values().next()).or_else(|| pair.commands.first().map(|c| &c.request))?;
    super::reader::le16(asdu, 4)
}

fn takeover(pair: &Pair) -> Result<Vec<Exchange>, String> {
    if pair.proto != Proto::Iec104 {
        return Err("no IEC 104 outstation".to_owned());
    }
    let address = common(pair).ok_or("no common address was seen")?;
    let ask = |cause: u8| asdu(kind::INTERROGATION, cause, address, &[(0, vec![20])]);
    let mut asdus = vec![(Side::Client, ask(cause::ACTIVATION)), (Side::Server, ask(cause::CONFIRMATION))];
    for report in pair.reports.values().filter(|report| report.first().is_some_and(|kind| *kind < 30)).take(4) {
        let mut report = report.clone();
        if let Some(place) = report.get_mut(2) {
            *place = cause::INTERROGATED;
        }
        asdus.push((Side::Server, report));
    }
    asdus.push((Side::Server, ask(cause::TERMINATION)));
    let mut out: Vec<Exchange> = start(pair).into_iter().collect();
    out.push(Exchange::Iec104(asdus));
    out.extend(command(pair)?);
    Ok(out)
}

fn replay(pair: &Pair) -> Result<Vec<Exchange>, String> {
    let given = pair.commands.iter().filter_map(|given| Exchange::recorded(pair.proto, given));
    let out: Vec<Exchange> = given.take(REPLAYED).collect();
    if out.is_empty() { Err("no master of the capture gives a command".to_owned()) } else { Ok(out) }
}

/// A register that operators write, else one that is read: unit, address, its highest and lowest value.
fn register(pair: &Pair) -> Option<(u8, u16, u16, u16)> {
    let writes: Vec<(u8, u16, u16)> = pair.commands.iter().filter_map(|given| modbus_write(&given.request)).collect();
    if let Some((unit, address, _)) = writes.first().copied() {
        let values = || writes.iter().filter(|w| (w.0, w.1) == (unit, address)).map(|w| w.2);
        return Some((unit, address, values().max()?, values().min()?));
    }
    let (unit, first, _, poll) = read(pair, 3)?;
    let value = be16(&poll.answer, 2)?;
    Some((unit, first, value, value))
}

/// Unit, register and value of a write of one register.
fn modbus_write(request: &[u8]) -> Option<(u8, u16, u16)> {
    let unit = *request.first()?;
    match request.get(1)? {
        6 => Some((unit, be16(request, 2)?, be16(request, 4)?)),
        16 => Some((unit, be16(request, 2)?, be16(request, 7)?)),
        _ => None,
    }
}

fn set_points(pair: &Pair, rng: &mut Rng) -> Result<Vec<Exchange>, String> {
    match pair.proto {
        Proto::Modbus => {
            let (unit, address, highest, _) = register(pair).ok_or("nobody reads or writes a holding register")?;
            let far = highest.saturating_mul(3).max(highest.saturating_add(2_000));
            let value = |rng: &mut Rng| far.saturating_sub(rng.between(0, 100) as u16);
            Ok((0..4).map(|_| written(unit, 6, address, value(rng))).collect())
        }
        Proto::Dnp3 => {
            let has_outputs = |r: &Recorded| r.answer.get(2..).is_some_and(|o| matches!(o.first(), Some(40 | 41)));
            let analog = pair.commands.iter().chain(&pair.polls).any(has_outputs);
            if !analog {
                return Err("no outstation has an analog output".to_owned());
            }
            // Group 41 variation 2, index 0, 16 bit.
            let objects = vec![41, 2, 0x28, 1, 0, 0, 0, 0xff, 0x7f, 0];
            let exchange =
                Exchange::Dnp3 { function: function::DIRECT_OPERATE, reply: objects.clone(), objects, iin: 0 };
            Ok(vec![exchange])
        }
        Proto::Iec104 => {
            let is_set_point = |r: &&Recorded| matches!(r.request.first(), Some(48..=50 | 61..=63));
            let given = pair.commands.iter().find(is_set_point).ok_or("nobody writes a set point")?;
            let mut given = given.clone();
            for asdu in [&mut given.request, &mut given.answer] {
                let is_float = matches!(asdu.first(), Some(50 | 63));
                let value = if is_float { 1.0e6f32.to_le_bytes().to_vec() } else { vec![0xff, 0x7f] };
                if let Some(place) = asdu.get_mut(9..9 + value.len()) {
                    place.copy_from_slice(&value);
                }
            }
            Ok(Exchange::recorded(pair.proto, &given).into_iter().collect())
        }
    }
}

fn ramp(pair: &Pair) -> Result<Vec<Exchange>, String> {
    let (unit, address, high, low) = register(pair)
        .filter(|(_, _, high, low)| pair.proto == Proto::Modbus && high.saturating_sub(*low) >= 6)
        .ok_or("nobody writes a register with different values")?;
    let step = (high - low) / 6;
    Ok((0..=6).map(|i| written(unit, 6, address, low + step * i)).collect())
}

fn enumeration(pair: &Pair, at: Nanos) -> Result<Vec<Exchange>, String> {
    match pair.proto {
        Proto::Modbus => {
            let unit = pair.polls.iter().chain(&pair.commands).find_map(|poll| poll.request.first()).copied();
            let unit = unit.ok_or("no unit answers")?;
            let known: Vec<u8> = pair.polls.iter().filter_map(|poll| poll.request.get(1).copied()).collect();
            // What a function asks for by its definition; a word for those that users define.
            let refused = |code: u8| {
                let question = match code {
                    7 | 11 | 12 | 17 => vec![code],
                    8 => vec![code, 0, 0, 0x5a, 0xa5],
                    _ => vec![code, 0, 0],
                };
                Exchange::Modbus { unit, question, answer: vec![code | 0x80, 1] }
            };
            let codes = (7..=8).chain(11..=12).chain([17, 24]).chain(65..=72).chain(100..=110);
            Ok(codes.filter(|code| !known.contains(code)).map(refused).collect())
        }
        Proto::Dnp3 => {
            let bare = [15, 16, 19, 22, 24, 31, 34, 35, 36, 37, 38, 39, 40, 41, 42, 43];
            let refused =
                |function| Exchange::Dnp3 { function, objects: Vec::new(), iin: iin::NO_FUNCTION, reply: Vec::new() };
            Ok(bare.map(refused).to_vec())
        }
        Proto::Iec104 => {
            let address = common(pair).ok_or("no common address was seen")?;
            let stamp = cp56(at.max(0) as u64 / 1_000).to_vec();
            let kinds =
                [(47, 1), (48, 3), (49, 3), (50, 5), (51, 4), (58, 1), (59, 1), (60, 1), (61, 3), (62, 3), (63, 5)];
            let task = |(kind, len): (u8, usize)| {
                let element = if kind < 58 { vec![0; len] } else { [vec![0; len], stamp.clone()].concat() };
                let step = |cause| asdu(kind, cause, address, &[(0xfff0, element.clone())]);
                let steps = [(Side::Client, step(cause::ACTIVATION)), (Side::Server, step(cause::UNKNOWN_TYPE))];
                Exchange::Iec104(steps.to_vec())
            };
            Ok(kinds.map(task).to_vec())
        }
    }
}

fn brute_force(pair: &Pair) -> Result<Vec<Exchange>, String> {
    match pair.proto {
        Proto::Modbus => {
            let coils = read(pair, 1).map(|(unit, first, count, _)| (unit, first, count));
            let unit = pair.polls.iter().chain(&pair.commands).find_map(|poll| poll.request.first()).copied();
            let (unit, first, count) = coils.or(unit.map(|unit| (unit, 0, 8))).ok_or("no unit answers")?;
            let write =
                |(i, on): (u16, bool)| match written(unit, 5, first.wrapping_add(i), if on { 0xff00 } else { 0 }) {
                    Exchange::Modbus { unit, question, .. } if i >= count => {
                        Exchange::Modbus { unit, question, answer: vec![0x85, 2] }
                    }
                    known => known,
                };
            Ok((0..TRIED).flat_map(|i| [(i, false), (i, true)]).map(write).collect())
        }
        Proto::Dnp3 => {
            let status = |i: u16| if i < 4 { 0 } else { 4 };
            let drive = |i| [0x81, 0x41].map(|code| direct(i, code, status(i)));
            Ok((0..TRIED).flat_map(drive).collect())
        }
        Proto::Iec104 => {
            let (address, object) = match pair.commands.first() {
                Some(_) => place(pair, &[]),
                None => place(pair, &[1, 3, 30, 31]),
            }
            .ok_or("nobody reports or commands a point")?;
            let drive = |i: u32| {
                let step = |cause| asdu(kind::SINGLE_COMMAND, cause, address, &[((object + i) & 0xff_ffff, vec![1])]);
                let steps = [(Side::Client, step(cause::ACTIVATION)), (Side::Server, step(0x40 | 47))];
                Exchange::Iec104(steps.to_vec())
            };
            Ok((0..u32::from(TRIED)).map(drive).collect())
        }
    }
}

fn suppression(pair: &Pair) -> Result<Vec<Exchange>, String> {
    match pair.proto {
        Proto::Dnp3 => {
            let objects = classes(&[2, 3, 4]);
            Ok(vec![Exchange::Dnp3 { function: function::DISABLE_UNSOLICITED, objects, iin: 0, reply: Vec::new() }])
        }
        Proto::Iec104 => {
            Err("stopping the data transfer of the capture's IEC 104 link would take frames out of it".to_owned())
        }
        Proto::Modbus => Err("no DNP3 outstation".to_owned()),
    }
}

fn mode(pair: &Pair) -> Result<Vec<Exchange>, String> {
    let bare = |function| Exchange::Dnp3 { function, objects: Vec::new(), iin: 0, reply: Vec::new() };
    match pair.proto {
        Proto::Modbus => {
            let unit = pair.polls.iter().chain(&pair.commands).find_map(|poll| poll.request.first()).copied();
            let unit = unit.ok_or("no unit answers")?;
            // Neither is answered: a device that only listens says nothing, also to the end of that.
            let say = |sub: u16| Exchange::Modbus { unit, question: words(8, sub, 0), answer: Vec::new() };
            Ok(vec![say(4), say(1)])
        }
        Proto::Dnp3 => Ok(vec![bare(function::STOP_APPLICATION), bare(function::START_APPLICATION)]),
        Proto::Iec104 => Err("no Modbus or DNP3 outstation".to_owned()),
    }
}

fn wrong_time(pair: &Pair, at: Nanos) -> Result<Vec<Exchange>, String> {
    let wrong = (at.max(0) as u64 / 1_000).saturating_sub(WRONG);
    match pair.proto {
        Proto::Dnp3 => {
            let objects = [&[50, 1, 7, 1][..], &time(wrong)].concat();
            Ok(vec![Exchange::Dnp3 { function: function::WRITE, objects, iin: 0, reply: Vec::new() }])
        }
        Proto::Iec104 => {
            let address = common(pair).ok_or("no common address was seen")?;
            let step = |cause| asdu(kind::CLOCK, cause, address, &[(0, cp56(wrong).to_vec())]);
            let steps = [(Side::Client, step(cause::ACTIVATION)), (Side::Server, step(cause::CONFIRMATION))];
            Ok(vec![Exchange::Iec104(steps.to_vec())])
        }
        Proto::Modbus => Err("no DNP3 or IEC 104 outstation".to_owned()),
    }
}

/// A file is opened, written block by block, closed, and made the valid configuration (IEEE 1815 groups 70 and 91).
fn program(pair: &Pair, at: Nanos, rng: &mut Rng) -> Result<Vec<Exchange>, String> {
    if pair.proto != Proto::Dnp3 {
        return Err("no DNP3 outstation".to_owned());
    }
    const NAME: &[u8] = b"config/logic.bin";
    let task = |function, objects, reply| Exchange::Dnp3 { function, objects, iin: 0, reply };
    let (handle, size) = (rng.between(1, 4_000) as u32, BLOCKS * BLOCK as u32);
    let mut open = vec![26, 0];
    open.extend((NAME.len() as u16).to_le_bytes());
    open.extend(time(at.max(0) as u64 / 1_000));
    open.extend([0xa4, 1, 0, 0, 0, 0]);
    open.extend(size.to_le_bytes());
    open.extend([2, 0]);
    open.extend((BLOCK as u16).to_le_bytes());
    open.extend([1, 0]);
    open.extend(NAME);
    let status = |size: u32| [&handle.to_le_bytes()[..], &size.to_le_bytes(), &[BLOCK as u8, 0, 1, 0, 0]].concat();
    let mut out = vec![task(function::OPEN_FILE, sized(70, 3, &open), sized(70, 4, &status(size)))];
    for block in 0..BLOCKS {
        let number = if block + 1 == BLOCKS { block | 1 << 31 } else { block };
        let place = [handle.to_le_bytes(), number.to_le_bytes()].concat();
        let data = [&place[..], &rng.vec(BLOCK)].concat();
        out.push(task(function::WRITE, sized(70, 5, &data), sized(70, 6, &[&place[..], &[0]].concat())));
    }
    let closed = sized(70, 4, &status(0));
    out.push(task(function::CLOSE_FILE, closed.clone(), closed));
    out.push(task(function::ACTIVATE_CONFIGURATION, sized(70, 8, NAME), sized(91, 1, &[0, 0, 0, 0, 0])));
    Ok(out)
}
