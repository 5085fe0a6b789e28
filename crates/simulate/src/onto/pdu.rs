//! Just enough Modbus, DNP3 and IEC 104 to know requests from answers, commands from polls, and where the counted numbers stand.

use super::reader::{array, be16, le16};
use crate::dnp3::{crc, function};
use crate::tcp::Side;

/// A protocol of control over TCP.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Proto {
    Modbus,
    Dnp3,
    Iec104,
}

/// What one PDU is to the conversation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Meaning {
    /// Wants an answer. Modbus: unit and PDU. DNP3: function and objects. IEC 104: the ASDU, or the function of a U frame alone.
    Request { content: Vec<u8>, is_command: bool },
    /// Answers the request before. Modbus: PDU. DNP3: indications and objects. IEC 104: the ASDU.
    Answer(Vec<u8>),
    /// Neither: a report by itself, a confirmation.
    Aside,
}

impl Proto {
    /// The port of its servers.
    pub(super) fn port(self) -> u16 {
        match self {
            Proto::Modbus => 502,
            Proto::Dnp3 => 20_000,
            Proto::Iec104 => 2_404,
        }
    }

    /// What an answer has in common with its request: the transaction (Modbus), else nothing, as one waits for the other.
    pub(super) fn tag(self, pdu: &[u8]) -> u16 {
        if self == Proto::Modbus { be16(pdu, 0).unwrap_or(0) } else { 0 }
    }

    /// Length of the PDU that begins here; none when none does, or its length is not there yet.
    pub(super) fn length(self, bytes: &[u8]) -> Option<usize> {
        match self {
            Proto::Modbus => {
                let len = usize::from(be16(bytes, 4)?);
                (be16(bytes, 2)? == 0 && (2..=254).contains(&len)).then_some(6 + len)
            }
            Proto::Dnp3 => {
                let head = array::<10>(bytes, 0)?;
                let user = usize::from(head[2]).checked_sub(5)?;
                let whole = head[..2] == [5, 0x64] && crc(&head[..8]).to_le_bytes() == head[8..];
                whole.then_some(10 + user + 2 * user.div_ceil(16))
            }
            Proto::Iec104 => {
                let len = usize::from(*bytes.get(1)?);
                (*bytes.first()? == 0x68 && (4..=253).contains(&len)).then_some(2 + len)
            }
        }
    }

    /// The PDUs of a segment that begins with one; none when it does not consist of them.
    pub(super) fn split(self, mut bytes: &[u8]) -> Option<Vec<&[u8]>> {
        let mut out = Vec::new();
        while !bytes.is_empty() {
            let (pdu, rest) = bytes.split_at_checked(self.length(bytes)?)?;
            out.push(pdu);
            bytes = rest;
        }
        (!out.is_empty()).then_some(out)
    }

    /// Whose PDUs a segment holds, by its content; Modbus only with its port.
    pub(super) fn of(segment: &[u8], ports: [u16; 2]) -> Option<Proto> {
        let has_port = |proto: Proto| ports.contains(&proto.port());
        if Proto::Dnp3.split(segment).is_some() {
            return Some(Proto::Dnp3);
        }
        let (modbus, iec104) = (Proto::Modbus, Proto::Iec104);
        if has_port(modbus) && modbus.split(segment).is_some() {
            return Some(modbus);
        }
        (has_port(iec104) && iec104.split(segment).is_some()).then_some(iec104)
    }

    /// What a PDU of this side says; none when it is too short.
    pub(super) fn meaning(self, from: Side, pdu: &[u8]) -> Option<Meaning> {
        match self {
            Proto::Modbus => {
                let content = pdu.get(6..)?.to_vec();
                let is_command = matches!(pdu.get(7)?, 5 | 6 | 15 | 16 | 22 | 23);
                Some(match from {
                    Side::Client => Meaning::Request { content, is_command },
                    Side::Server => Meaning::Answer(content.get(1..)?.to_vec()),
                })
            }
            Proto::Dnp3 => dnp3(pdu),
            Proto::Iec104 => iec104(from, pdu),
        }
    }
}

/// User data of a DNP3 link frame without its checksums, with the transport octet.
fn user(pdu: &[u8]) -> Vec<u8> {
    let blocks = pdu.get(10..).unwrap_or_default().chunks(18);
    blocks.flat_map(|block| block.get(..block.len().saturating_sub(2)).unwrap_or_default()).copied().collect()
}

fn dnp3(pdu: &[u8]) -> Option<Meaning> {
    let data = user(pdu);
    // Only what stands in one frame is imitated.
    let (Some([transport, control, code]), true) = (array::<3>(&data, 0), data.len() >= 3) else {
        return Some(Meaning::Aside);
    };
    if transport & 0xc0 != 0xc0 || control & 0xc0 != 0xc0 {
        return Some(Meaning::Aside);
    }
    Some(match code {
        function::CONFIRM | function::UNSOLICITED => Meaning::Aside,
        function::RESPONSE => Meaning::Answer(data.get(3..)?.to_vec()),
        // Direct operate without acknowledgement is never answered.
        6 => Meaning::Aside,
        _ => Meaning::Request {
            content: data.get(2..)?.to_vec(),
            is_command: matches!(code, function::SELECT | function::OPERATE | function::DIRECT_OPERATE),
        },
    })
}

fn iec104(from: Side, pdu: &[u8]) -> Option<Meaning> {
    let control = *pdu.get(2)?;
    match (control & 3, from) {
        (3, _) => {
            let content = vec![control];
            let is_act = control & 0x54 != 0;
            return Some(if is_act { Meaning::Request { content, is_command: false } } else { Meaning::Aside });
        }
        (1, _) => return Some(Meaning::Aside),
        _ => {}
    }
    let asdu = pdu.get(6..)?.to_vec();
    let (kind, cause) = (*asdu.first()?, *asdu.get(2)? & 0x3f);
    Some(match (from, cause) {
        (Side::Client, 6 | 8) => Meaning::Request { content: asdu, is_command: matches!(kind, 45..=51 | 58..=64) },
        (Side::Server, 7 | 9) => Meaning::Answer(asdu),
        _ => Meaning::Aside,
    })
}

/// Link addresses of a DNP3 frame: sender, receiver.
pub(super) fn dnp3_addresses(pdu: &[u8]) -> Option<(u16, u16)> {
    Some((le16(pdu, 6)?, le16(pdu, 4)?))
}

/// The numbers that a PDU carries, as its sender counts them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Numbers {
    Modbus {
        transaction: u16,
    },
    /// Transport and application sequence, and whether the master's count is meant.
    Dnp3 {
        transport: u8,
        application: u8,
        is_masters: bool,
    },
    /// Sent and received, of an I frame; only received, of an S frame.
    Iec104 {
        sent: Option<u16>,
        received: u16,
    },
}

impl Numbers {
    /// Reads them from the head of a PDU; none where it has none or its head was cut.
    pub(super) fn read(proto: Proto, pdu: &[u8]) -> Option<Numbers> {
        match proto {
            Proto::Modbus => Some(Numbers::Modbus { transaction: be16(pdu, 0)? }),
            Proto::Dnp3 => {
                let [transport, control, code] = array::<3>(pdu, 10)?;
                // The rest of a fragment has no application header.
                let is_first = transport & 0x40 != 0 && pdu.get(2).is_some_and(|len| *len >= 8);
                let is_masters = is_first && control & 0x10 == 0 && code != function::UNSOLICITED;
                Some(Numbers::Dnp3 { transport: transport & 0x3f, application: control & 15, is_masters })
            }
            Proto::Iec104 => match *pdu.get(2)? & 3 {
                3 => None,
                1 => Some(Numbers::Iec104 { sent: None, received: le16(pdu, 4)? >> 1 }),
                _ => Some(Numbers::Iec104 { sent: Some(le16(pdu, 2)? >> 1), received: le16(pdu, 4)? >> 1 }),
            },
        }
    }

    /// Writes them into the head of a PDU, and the checksum that covers them.
    pub(super) fn write(self, pdu: &mut [u8]) -> Option<()> {
        match self {
            Numbers::Modbus { transaction } => pdu.get_mut(..2)?.copy_from_slice(&transaction.to_be_bytes()),
            Numbers::Dnp3 { transport, application, is_masters } => {
                let user = usize::from(*pdu.get(2)?).checked_sub(5)?.min(16);
                let block = pdu.get_mut(10..10 + user + 2)?;
                let (data, sum) = block.split_at_mut(user);
                // A wrong checksum stays as it was.
                let is_right = crc(data).to_le_bytes() == *sum;
                let head = data.first_mut()?;
                *head = *head & 0xc0 | transport;
                if is_masters {
                    let control = data.get_mut(1)?;
                    *control = *control & 0xf0 | application;
                }
                if is_right {
                    sum.copy_from_slice(&crc(data).to_le_bytes());
                }
            }
            Numbers::Iec104 { sent, received } => {
                if let Some(sent) = sent {
                    pdu.get_mut(2..4)?.copy_from_slice(&(sent << 1).to_le_bytes());
                }
                pdu.get_mut(4..6)?.copy_from_slice(&(received << 1).to_le_bytes());
            }
        }
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dnp3::{FIR_FIN, Station, classes, request, response};
    use crate::{iec104, modbus};

    #[test]
    fn modbus_by_content_and_port() {
        let adu = modbus::adu(7, 1, &modbus::words(6, 3, 9));
        assert_eq!(Proto::of(&adu, [1025, 502]), Some(Proto::Modbus));
        assert_eq!(Proto::of(&adu, [1025, 80]), None);
        let request = Meaning::Request { content: vec![1, 6, 0, 3, 0, 9], is_command: true };
        assert_eq!(Proto::Modbus.meaning(Side::Client, &adu), Some(request));
        assert_eq!(Proto::Modbus.split(&adu[..11]), None);
    }

    #[test]
    fn dnp3_asks_answers_and_reports() {
        let mut master = Station { own: 1, peer: 10, is_master: true, transport: 3 };
        let mut outstation = Station { own: 10, peer: 1, is_master: false, transport: 63 };
        let asked = master.frames(&request(FIR_FIN | 5, function::READ, &classes(&[2])));
        let content = vec![function::READ, 60, 2, 6];
        assert_eq!(Proto::Dnp3.meaning(Side::Client, &asked), Some(Meaning::Request { content, is_command: false }));
        let answered = outstation.frames(&response(FIR_FIN | 5, function::RESPONSE, 0x8000, &[]));
        assert_eq!(Proto::Dnp3.meaning(Side::Server, &answered), Some(Meaning::Answer(vec![0x80, 0])));
        let report = outstation.frames(&response(0xf0, function::UNSOLICITED, 0, &[]));
        assert_eq!(Proto::Dnp3.meaning(Side::Server, &report), Some(Meaning::Aside));
    }

    #[test]
    fn renumbered_dnp3_is_as_if_it_had_been_sent_so() {
        let frame = |transport, sequence| {
            let mut master = Station { own: 1, peer: 10, is_master: true, transport };
            master.frames(&request(FIR_FIN | sequence, function::READ, &classes(&[2, 3, 4])))
        };
        let mut shifted = frame(3, 5);
        let Some(Numbers::Dnp3 { transport, application, is_masters }) = Numbers::read(Proto::Dnp3, &shifted) else {
            panic!("no numbers")
        };
        assert_eq!((transport, application, is_masters), (3, 5, true));
        Numbers::Dnp3 { transport: 62, application: 15, is_masters }.write(&mut shifted).unwrap();
        assert_eq!(shifted, frame(62, 15));
    }

    #[test]
    fn numbers_of_iec104_frames() {
        let mut numbers = iec104::Numbers { sent: 5, received: 9 };
        let mut frame = numbers.numbered(&[100, 1, 6, 0, 7, 0, 0, 0, 0, 20]);
        let read = Numbers::read(Proto::Iec104, &frame);
        assert_eq!(read, Some(Numbers::Iec104 { sent: Some(5), received: 9 }));
        Numbers::Iec104 { sent: Some(0x7fff), received: 0 }.write(&mut frame).unwrap();
        assert_eq!(frame[2..6], [0xfe, 0xff, 0, 0]);
        assert_eq!(Numbers::read(Proto::Iec104, &iec104::unnumbered_frame(7)), None);
    }

    #[test]
    fn damaged_pdus_are_read_without_harm() {
        for proto in [Proto::Modbus, Proto::Dnp3, Proto::Iec104] {
            for len in 0..24 {
                for value in [0u8, 5, 0x64, 0x68, 0xff] {
                    let mut bytes = vec![value; len];
                    let _ =
                        (proto.split(&bytes), proto.meaning(Side::Server, &bytes), proto.meaning(Side::Client, &bytes));
                    if let Some(numbers) = Numbers::read(proto, &bytes) {
                        let _ = numbers.write(&mut bytes);
                    }
                }
            }
        }
    }
}
