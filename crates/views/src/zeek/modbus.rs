//! modbus.log of Zeek 8: one line a PDU.

use std::borrow::Cow;

use gwcore::Value;

use super::{HEAD, Log};
use crate::bind::{
    Source::{Field, With},
    ViewField, When, field,
};
use crate::cell::Cell;

pub(super) static LOG: Log =
    Log { path: "modbus", origin: "Zeek 8", kind: "modbus", when: When::Always, fields: &[HEAD, FIELDS] };

const FIELDS: &[ViewField] = &[
    field("tid", "count", Field("transaction_id")),
    field("unit", "count", Field("unit_id")),
    field("func", "string", With(&[Field("function_code"), Field("exception_code")], function)),
    field("pdu_type", "string", With(&[Field("is_request")], pdu_type)),
    field("exception", "string", With(&[Field("exception_code")], exception)),
];

/// Zeek's names of function codes (its `Modbus::function_codes`).
const FUNCTIONS: &[(u64, &str)] = &[
    (1, "READ_COILS"),
    (2, "READ_DISCRETE_INPUTS"),
    (3, "READ_HOLDING_REGISTERS"),
    (4, "READ_INPUT_REGISTERS"),
    (5, "WRITE_SINGLE_COIL"),
    (6, "WRITE_SINGLE_REGISTER"),
    (7, "READ_EXCEPTION_STATUS"),
    (8, "DIAGNOSTICS"),
    (9, "PROGRAM_484"),
    (10, "POLL_484"),
    (11, "GET_COMM_EVENT_COUNTER"),
    (12, "GET_COMM_EVENT_LOG"),
    (13, "PROGRAM_584_984"),
    (14, "POLL_584_984"),
    (15, "WRITE_MULTIPLE_COILS"),
    (16, "WRITE_MULTIPLE_REGISTERS"),
    (17, "REPORT_SLAVE_ID"),
    (18, "PROGRAM_884_U84"),
    (19, "RESET_COMM_LINK_884_U84"),
    (20, "READ_FILE_RECORD"),
    (21, "WRITE_FILE_RECORD"),
    (22, "MASK_WRITE_REGISTER"),
    (23, "READ_WRITE_MULTIPLE_REGISTERS"),
    (24, "READ_FIFO_QUEUE"),
    (40, "PROGRAM_CONCEPT"),
    (41, "MULTIPLE_FUNCTION_CODES"),
    (43, "ENCAP_INTERFACE_TRANSPORT"),
    (90, "PROGRAM_UNITY"),
    (91, "OBJECT_MESSAGING"),
    (125, "FIRMWARE_REPLACEMENT"),
    (126, "PROGRAM_584_984_2"),
    (127, "REPORT_LOCAL_ADDRESS"),
];

/// Zeek's names of exceptions (its `Modbus::exception_codes`).
const EXCEPTIONS: &[(u64, &str)] = &[
    (1, "ILLEGAL_FUNCTION"),
    (2, "ILLEGAL_DATA_ADDRESS"),
    (3, "ILLEGAL_DATA_VALUE"),
    (4, "SLAVE_DEVICE_FAILURE"),
    (5, "ACKNOWLEDGE"),
    (6, "SLAVE_DEVICE_BUSY"),
    (8, "MEMORY_PARITY_ERROR"),
    (10, "GATEWAY_PATH_UNAVAILABLE"),
    (11, "GATEWAY_TARGET_DEVICE_FAILED_TO_RESPOND"),
];

/// Function code as a word, `_EXCEPTION` behind it for a refusal.
pub(super) fn function(values: &[Value<'_>], cell: &mut Cell<'_>) {
    let Some(Value::U64(code)) = values.first() else { return };
    let name = name_of(FUNCTIONS, *code);
    match values.get(1) {
        Some(Value::U64(_)) => cell.text(&[&name, "_EXCEPTION"].concat()),
        _ => cell.text(&name),
    }
}

/// Zeek's word for a code, `unknown-7` where it has none.
pub(super) fn name_of(names: &[(u64, &'static str)], code: u64) -> Cow<'static, str> {
    match names.iter().find(|(c, _)| *c == code) {
        Some((_, name)) => Cow::Borrowed(name),
        None => Cow::Owned(format!("unknown-{code}")),
    }
}

fn pdu_type(values: &[Value<'_>], cell: &mut Cell<'_>) {
    match values.first() {
        Some(Value::Bool(true)) => cell.text("REQ"),
        Some(Value::Bool(false)) => cell.text("RESP"),
        _ => {}
    }
}

/// Exception code as a word.
pub(super) fn exception(values: &[Value<'_>], cell: &mut Cell<'_>) {
    if let Some(Value::U64(code)) = values.first() {
        cell.text(&name_of(EXCEPTIONS, *code));
    }
}
