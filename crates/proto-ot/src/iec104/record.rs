//! The rows of IEC 60870-5-104: `iec104`, one an APDU, and its information objects in `iec104_object`.

use gwcore::{Hex, List, Span, Sym, Ts};
use proto::{Cx, Mark};

use super::apci::{Apdu, Control};
use super::asdu::Asdu;
use super::element::{Object, quality_words};
use super::table::{cause_name, type_of, u_name};

gwcore::record! {
    /// One APDU of IEC 60870-5-104.
    pub struct Iec104Pdu, Iec104Columns = "iec104", Pdu {
        /// Format: `I` information transfer, `S` supervisory, `U` unnumbered (§5.1).
        apci: Sym,
        /// Octets of the APDU after its length octet.
        length: u16 ["B"],
        /// N(S), the send sequence number of an I format.
        send_seq: Option<u16>,
        /// N(R), the receive sequence number of an I or S format.
        recv_seq: Option<u16>,
        /// Function of a U format: `STARTDT act`, `STARTDT con`, `STOPDT act`, `STOPDT con`, `TESTFR act`, `TESTFR con`; `undefined` otherwise.
        u_function: Option<Sym>,
        /// Type identification (IEC 60870-5-101 §7.2.1).
        type_id: Option<u8>,
        /// Name of the type, as `M_SP_NA_1`; absent for unassigned ones.
        type_name: Option<Sym>,
        /// Cause of transmission (IEC 60870-5-101 §7.2.3).
        cause: Option<u8>,
        /// Name of the cause.
        cause_name: Option<Sym>,
        /// P/N: a negative confirmation.
        negative: Option<bool>,
        /// T: sent for test.
        test: Option<bool>,
        /// Originator address.
        originator: Option<u8>,
        /// Common address of the ASDU.
        common_address: Option<u16>,
        /// SQ: one address for a sequence of elements.
        sq: Option<bool>,
        /// Number of objects or elements stated.
        num_objects: Option<u8>,
        /// Frame of the activation this confirms or terminates, or of the confirmation it got.
        pair: Option<u64>,
        /// From the activation to this confirmation or termination.
        response_time: Option<Span> ["s"],
    }
}

gwcore::record! {
    /// One information object of an IEC 60870-5-104 ASDU.
    pub struct Iec104Object, Iec104ObjectColumns = "iec104_object", Child of "iec104" as "objects" {
        /// Place within the ASDU, from 0.
        place: u16,
        /// Information object address; absent for types without one.
        ioa: Option<u32>,
        /// Value: state, measurement (normalized ones as a fraction of full scale), counter, set point; of a file its length.
        value: Option<f64>,
        /// The integer on the wire, where there is one: normalized values before scaling, status and change bits; of a file its name.
        value_int: Option<i64>,
        /// Bytes not taken apart: authentication, file segments, unknown types.
        value_bytes: Option<Hex>,
        /// `good`, or `invalid`, `not_topical`, `substituted`, `blocked`, `overflow`, `elapsed_time_invalid`, `carry`, `adjusted`, `transient`;
        /// absent where the type has no quality.
        quality: Option<List<Sym>>,
        /// Time of CP56Time2a, read as UTC: whether the station sends UTC or local time is not on the wire. Absent when it is no moment.
        time: Option<Ts>,
        /// The seven octets of CP56Time2a as the station sent them.
        time_octets: Option<Hex>,
        /// Milliseconds within the hour of CP24Time2a.
        time_in_hour: Option<u32> ["ms"],
        /// The time tag says it is invalid, or is no moment.
        time_invalid: Option<bool>,
        /// SU: the time tag is summer time.
        time_summer: Option<bool>,
        /// Qualifier: QU of a command, QL of a set point, QOI, QCC, QRP, QPM, QPA, COI, FRQ, SRQ, SCQ, LSQ, AFQ, SOF; sequence number of a counter.
        qualifier: Option<u8>,
        /// S/E: true selects, false executes.
        select: Option<bool>,
        /// What a command does: `off`, `on`, `lower`, `higher`, `not permitted`.
        action: Option<Sym>,
        /// CP16Time2a: duration of a protection event, or the delay acquired.
        duration: Option<u16> ["ms"],
        /// Name of section of a file.
        section: Option<u8>,
    }
}

/// The other half of an exchange.
#[derive(Clone, Copy, Default)]
pub struct Pair {
    /// Its frame.
    pub frame: Option<u64>,
    /// From it to this, on the answer.
    pub response_time: Option<Span>,
}

/// Writes the row of an APDU and those of its objects.
pub fn emit(mark: Mark, apdu: &Apdu<'_>, asdu: Option<&Asdu<'_>>, pair: Pair, cx: &mut Cx<'_>) {
    let (apci, send_seq, recv_seq, u_function) = match apdu.control {
        Control::I { send, recv } => ("I", Some(send), Some(recv), None),
        Control::S { recv } => ("S", None, Some(recv), None),
        Control::U(a) => ("U", None, None, Some(u_name(a).unwrap_or("undefined"))),
    };
    // Of an identifier that is cut, what is there.
    let octet = |i: usize| apdu.body.get(i).copied().filter(|_| apci == "I");
    let stamp = cx.emit_at(
        mark,
        Iec104Pdu {
            apci,
            length: u16::try_from(apdu.bytes.len().saturating_sub(2)).unwrap_or(u16::MAX),
            send_seq,
            recv_seq,
            u_function,
            type_id: octet(0),
            type_name: octet(0).and_then(type_of).map(|t| t.name),
            cause: octet(2).map(|c| c & 0x3f),
            cause_name: octet(2).map(|c| cause_name(c & 0x3f)),
            negative: octet(2).map(|c| c & 0x40 != 0),
            test: octet(2).map(|c| c & 0x80 != 0),
            originator: octet(3),
            common_address: asdu.map(|a| a.ca),
            sq: octet(1).map(|q| q & 0x80 != 0),
            num_objects: octet(1).map(|q| q & 0x7f),
            pair: pair.frame,
            response_time: pair.response_time,
        },
    );
    let mut words = Vec::new();
    for (place, object) in (0u16..).zip(asdu.into_iter().flat_map(|a| a.objects())) {
        let quality = object.quality.map(|bits| {
            quality_words(bits, &mut words);
            words.as_slice()
        });
        cx.emit_child(stamp, row(place, &object, quality));
    }
}

fn row<'a>(place: u16, o: &Object<'a>, quality: Option<&'a [&'static str]>) -> Iec104Object<'a> {
    Iec104Object {
        place,
        ioa: o.ioa,
        value: o.value,
        value_int: o.int,
        value_bytes: o.bytes,
        quality,
        time: o.time,
        time_octets: o.octets,
        time_in_hour: o.hour_ms,
        time_invalid: o.time_invalid,
        time_summer: o.summer,
        qualifier: o.qualifier,
        select: o.select,
        action: o.action,
        duration: o.duration_ms,
        section: o.section,
    }
}
