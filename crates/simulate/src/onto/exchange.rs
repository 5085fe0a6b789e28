//! What an attack says to a device and what the device answers, and how both are numbered and framed.

use super::pdu::Proto;
use super::site::Recorded;
use crate::dnp3::{FIR_FIN, Station, function, request, response};
use crate::iec104::{Numbers, cause, unnumbered_frame};
use crate::modbus::adu;
use crate::tcp::Side;

/// A request and its answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Exchange {
    /// PDUs; an empty answer is none.
    Modbus { unit: u8, question: Vec<u8>, answer: Vec<u8> },
    /// Function and objects, then the response's indications and objects.
    Dnp3 { function: u8, objects: Vec<u8>, iin: u16, reply: Vec<u8> },
    /// ASDUs, one after the other.
    Iec104(Vec<(Side, Vec<u8>)>),
    /// A U frame and its confirmation.
    Unnumbered { act: u8, con: u8 },
}

/// What the next message of each end is numbered with.
#[derive(Clone, Debug)]
pub(super) enum Numbering {
    Modbus { next: u16, step: u16 },
    Dnp3 { ends: [Station; 2], application: u8, frames: [u16; 2] },
    Iec104 { ends: [Numbers; 2], frames: [u16; 2] },
}

impl Numbering {
    /// Of the link addresses of master and outstation, their next transport sequences, and the next application sequence.
    pub(super) fn dnp3((master, outstation): (u16, u16), transport: [u8; 2], application: u8) -> Numbering {
        let end = |own, peer, is_master, transport| Station { own, peer, is_master, transport };
        let ends = [end(master, outstation, true, transport[0]), end(outstation, master, false, transport[1])];
        Numbering::Dnp3 { ends, application, frames: [0; 2] }
    }

    /// Of N(S) that each end sends next, having received all of the other.
    pub(super) fn iec104(client: u16, server: u16) -> Numbering {
        let ends = [Numbers { sent: client, received: server }, Numbers { sent: server, received: client }];
        Numbering::Iec104 { ends, frames: [0; 2] }
    }

    /// Frames of each end that counted so far: DNP3 transport segments, IEC 104 I frames.
    pub(super) fn counts(&self) -> [u16; 2] {
        match self {
            Numbering::Modbus { .. } => [0; 2],
            Numbering::Dnp3 { frames, .. } | Numbering::Iec104 { frames, .. } => *frames,
        }
    }
}

impl Exchange {
    /// The exchange as it was recorded.
    pub(super) fn recorded(proto: Proto, recorded: &Recorded) -> Option<Exchange> {
        let Recorded { request, answer } = recorded;
        Some(match proto {
            Proto::Modbus => {
                let (unit, question) = request.split_first()?;
                Exchange::Modbus { unit: *unit, question: question.to_vec(), answer: answer.clone() }
            }
            Proto::Dnp3 => {
                let (function, objects) = request.split_first()?;
                let (iin, reply) = answer.split_first_chunk()?;
                let iin = u16::from_be_bytes(*iin);
                Exchange::Dnp3 { function: *function, objects: objects.to_vec(), iin, reply: reply.to_vec() }
            }
            Proto::Iec104 if request.len() < 10 => return None,
            Proto::Iec104 => {
                let mut asdus = vec![(Side::Client, request.clone()), (Side::Server, answer.clone())];
                // An executed command ends; a selection does not.
                let is_executed = request.first().is_some_and(|kind| (45..=64).contains(kind)) && is_executed(request);
                let mut end = answer.clone();
                if let (true, Some(place)) = (is_executed, end.get_mut(2)) {
                    *place = cause::TERMINATION;
                    asdus.push((Side::Server, end));
                }
                Exchange::Iec104(asdus)
            }
        })
    }

    /// Requests in the sense of a sequence of its own: Modbus transactions and DNP3 application sequence.
    pub(super) fn requests(&self) -> u16 {
        u16::from(matches!(self, Exchange::Modbus { .. } | Exchange::Dnp3 { .. }))
    }

    /// The messages in their order, framed and counted.
    pub(super) fn messages(&self, numbering: &mut Numbering) -> Vec<(Side, Vec<u8>)> {
        match (self, numbering) {
            (Exchange::Modbus { unit, question, answer }, Numbering::Modbus { next, step }) => {
                let mut out = vec![(Side::Client, adu(*next, *unit, question))];
                if !answer.is_empty() {
                    out.push((Side::Server, adu(*next, *unit, answer)));
                }
                *next = next.wrapping_add(*step);
                out
            }
            (Exchange::Dnp3 { function, objects, iin, reply }, Numbering::Dnp3 { ends, application, frames }) => {
                let control = FIR_FIN | *application;
                *application = (*application + 1) & 15;
                let asked = request(control, *function, objects);
                let answered = response(control, function::RESPONSE, *iin, reply);
                for (count, fragment) in frames.iter_mut().zip([&asked, &answered]) {
                    *count = count.wrapping_add(fragment.len().div_ceil(249) as u16);
                }
                let [master, outstation] = ends;
                vec![(Side::Client, master.frames(&asked)), (Side::Server, outstation.frames(&answered))]
            }
            (Exchange::Iec104(asdus), Numbering::Iec104 { ends: [client, server], frames }) => {
                let mut out = Vec::new();
                for (side, asdu) in asdus {
                    let (from, to) = match side {
                        Side::Client => (&mut *client, &mut *server),
                        Side::Server => (&mut *server, &mut *client),
                    };
                    out.push((*side, from.numbered(asdu)));
                    to.receive();
                    frames[*side as usize] = frames[*side as usize].wrapping_add(1);
                }
                out
            }
            (Exchange::Unnumbered { act, con }, Numbering::Iec104 { .. }) => {
                vec![(Side::Client, unnumbered_frame(*act)), (Side::Server, unnumbered_frame(*con))]
            }
            // No attack speaks another protocol than its session.
            _ => Vec::new(),
        }
    }
}

/// Whether an IEC 104 command with one object executes rather than selects: the select bit of its qualifier (IEC 60870-5-101 §7.2.6).
fn is_executed(asdu: &[u8]) -> bool {
    let qualifier = match asdu.first() {
        Some(45 | 46 | 47 | 58 | 59 | 60) => asdu.get(9),
        Some(48 | 49 | 61 | 62) => asdu.get(11),
        Some(50 | 63) => asdu.get(13),
        _ => return false,
    };
    qualifier.is_some_and(|octet| octet & 0x80 == 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_recorded_modbus_write_comes_back_with_its_number() {
        let recorded = Recorded { request: vec![3, 6, 0, 1, 0, 9], answer: vec![6, 0, 1, 0, 9] };
        let exchange = Exchange::recorded(Proto::Modbus, &recorded).unwrap();
        let mut numbering = Numbering::Modbus { next: 0xffff, step: 1 };
        let messages = exchange.messages(&mut numbering);
        let frame = vec![0xff, 0xff, 0, 0, 0, 6, 3, 6, 0, 1, 0, 9];
        assert_eq!(messages, [(Side::Client, frame.clone()), (Side::Server, frame)]);
        assert!(matches!(numbering, Numbering::Modbus { next: 0, .. }));
    }

    #[test]
    fn an_executed_command_is_terminated_and_a_selection_is_not() {
        let command = |qualifier| Recorded {
            request: vec![45, 1, 6, 0, 1, 0, 9, 0, 0, qualifier],
            answer: vec![45, 1, 7, 0, 1, 0, 9, 0, 0, qualifier],
        };
        let count = |qualifier| {
            let mut numbering = Numbering::iec104(0x7fff, 4);
            let exchange = Exchange::recorded(Proto::Iec104, &command(qualifier)).unwrap();
            (exchange.messages(&mut numbering).len(), numbering.counts())
        };
        assert_eq!(count(1), (3, [1, 2]));
        assert_eq!(count(0x81), (2, [1, 1]));
    }

    #[test]
    fn dnp3_counts_what_it_frames() {
        let reply = vec![0; 300];
        let exchange = Exchange::Dnp3 { function: 1, objects: vec![60, 1, 6], iin: 0, reply };
        let mut numbering = Numbering::dnp3((1, 10), [63, 0], 15);
        let messages = exchange.messages(&mut numbering);
        assert_eq!((messages[0].1[10], messages[0].1[11]), (0xff, 0xcf));
        assert_eq!(numbering.counts(), [1, 2]);
    }
}
