//! The rows of S7comm: `s7comm`, one a message, and its variables in `s7comm_item`.

use gwcore::{Hex, List, Span, Sym, Text};
use proto::{Cx, Mark};

use super::item::{Datum, Spec};
use super::message::{Message, Role};
use super::table;

gwcore::record! {
    /// One S7comm message; a job and its answer are two rows.
    pub struct S7Pdu, S7Columns = "s7comm", Pdu {
        /// A job or question rather than an answer or a notice.
        is_request: bool,
        /// Kind of message: 1 job, 2 acknowledgement, 3 acknowledgement with data, 7 user data.
        rosctr: u8,
        /// Reference that answers repeat.
        pdu_ref: u16,
        /// Function code; absent in user data and bare acknowledgements.
        function_code: Option<u8>,
        /// Name of the function.
        function_name: Option<Sym>,
        /// Error class of an answer, 0 for none.
        error_class: Option<u8>,
        /// Error code of an answer.
        error_code: Option<u8>,
        /// Set-up: unanswered jobs that the caller may have.
        max_amq_calling: Option<u16>,
        /// Set-up: unanswered jobs that the called side may have.
        max_amq_called: Option<u16>,
        /// Set-up: largest message.
        pdu_size: Option<u16> ["bytes"],
        /// Variables stated, of reads and writes.
        item_count: Option<u8>,
        /// Service that is invoked, as `P_PROGRAM` or `_INSE`.
        service: Option<Text>,
        /// Block of a transfer, as `_0A00001P`, or argument of a service.
        argument: Option<Text>,
        /// Group of user data: 1 programmer, 2 cyclic data, 3 blocks, 4 CPU, 5 security, 6 program, 7 clock.
        user_group: Option<u8>,
        /// Subfunction of user data.
        user_subfunction: Option<u8>,
        /// Name of the subfunction, of those that are known.
        user_name: Option<Sym>,
        /// Data of user data.
        user_data: Option<Hex>,
        /// Frame of the answer, or of the request.
        pair: Option<u64>,
        /// Time from request to answer.
        response_time: Option<Span> ["s"],
    }
}

gwcore::record! {
    /// One variable of an S7comm job to read or write, or of its answer, which repeats where it is.
    pub struct S7Item, S7ItemColumns = "s7comm_item", Child of "s7comm" as "items" {
        /// Place within the message, from 0.
        place: u16,
        /// Syntax of its specification: 16 is `S7ANY`, by area and address; others are not taken apart.
        syntax: Option<u8>,
        /// As STEP 7 writes it, of the first element: `M101.0`, `DB5.DBW12`, `T7`.
        name: Option<Text>,
        /// Memory area: 131 flags, 132 data blocks and so on.
        area: Option<u8>,
        /// Name of the area.
        area_name: Option<Sym>,
        /// Data block, 0 elsewhere.
        db: Option<u16>,
        /// Bit address: byte times eight and bit; of timers and counters their number.
        address: Option<u32>,
        /// Kind of the elements, as STEP 7 has it.
        size: Option<Sym>,
        /// Number of elements.
        count: Option<u16>,
        /// Return code: 255 done; 5 address out of range, 10 object does not exist and so on.
        return_code: Option<u8>,
        /// Values of the elements; seconds of a timer.
        values: Option<List<f64>>,
        /// Octets of strings of bytes and characters, and of kinds that are not taken apart.
        value_bytes: Option<Hex>,
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

/// Writes the row of a message and those of its variables: `specs` as the job names them, `data` as the message has them.
pub fn emit(mark: Mark, message: &Message<'_>, specs: &[Spec], data: &[Datum<'_>], pair: Pair, cx: &mut Cx<'_>) {
    let stamp = cx.emit_at(
        mark,
        S7Pdu {
            is_request: message.role == Role::Request,
            rosctr: message.rosctr,
            pdu_ref: message.pdu_ref,
            function_code: message.function,
            function_name: message.function.map(|f| table::function(f).0),
            error_class: message.error.map(|e| e.0),
            error_code: message.error.map(|e| e.1),
            max_amq_calling: message.setup.map(|s| s.0),
            max_amq_called: message.setup.map(|s| s.1),
            pdu_size: message.setup.map(|s| s.2),
            item_count: message.item_count(),
            service: message.service(),
            argument: message.argument(),
            user_group: message.user.map(|u| u.0),
            user_subfunction: message.user.and_then(|u| u.1),
            user_name: message.user.and_then(|(group, sub)| table::user(group, sub?)).map(|u| u.0),
            user_data: message.user.map(|_| message.data).filter(|d| !d.is_empty()),
            pair: pair.frame,
            response_time: pair.response_time,
        },
    );
    let mut values = Vec::new();
    for place in 0..specs.len().max(data.len()) {
        let (spec, datum) = (specs.get(place), data.get(place));
        let at = spec.and_then(|s| s.place);
        values.clear();
        if let (Some(at), Some(datum)) = (at, datum) {
            at.values(datum.bytes, &mut values);
        }
        let name = at.and_then(|a| a.point(0)).map(|p| p.say(super::NAME));
        cx.emit_child(
            stamp,
            S7Item {
                place: u16::try_from(place).unwrap_or(u16::MAX),
                syntax: spec.map(|s| s.syntax),
                name: name.as_ref().map(String::as_bytes),
                area: at.map(|a| a.area),
                area_name: at.and_then(|a| table::area(a.area)),
                db: at.map(|a| a.db),
                address: at.map(|a| a.address),
                size: at.and_then(|a| table::size(a.size)).map(|s| s.name),
                count: at.map(|a| a.count),
                return_code: datum.map(|d| d.code).filter(|_| message.role == Role::Answer),
                values: (!values.is_empty()).then_some(values.as_slice()),
                value_bytes: datum.map(|d| d.bytes).filter(|b| values.is_empty() && !b.is_empty()),
            },
        );
    }
}
