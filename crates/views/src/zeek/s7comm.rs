//! The S7comm logs of ICSNPP: COTP and S7.

use gwcore::Value;

use super::{HEAD, Log, SENDER};
use crate::bind::{
    Source::{Field, With},
    ViewField, When, field,
};
use crate::cell::Cell;
use crate::text;

pub(super) static COTP: Log =
    Log { path: "cotp", origin: "ICSNPP", kind: "cotp", when: When::Always, fields: &[HEAD, SENDER, COTP_FIELDS] };

const COTP_FIELDS: &[ViewField] =
    &[field("pdu_code", "string", With(&[Field("pdu_code")], code)), field("pdu_name", "string", Field("pdu_name"))];

pub(super) static LOG: Log =
    Log { path: "s7comm", origin: "ICSNPP", kind: "s7comm", when: When::Always, fields: &[HEAD, SENDER, FIELDS] };

const FIELDS: &[ViewField] = &[
    field("rosctr_code", "count", Field("rosctr")),
    field("rosctr_name", "string", With(&[Field("rosctr")], rosctr)),
    field("pdu_reference", "count", Field("pdu_ref")),
    field("function_code", "string", With(&[Field("function_code")], code)),
    field("function_name", "string", Field("function_name")),
    field("subfunction_code", "string", With(&[Field("user_subfunction")], code)),
    field("subfunction_name", "string", Field("user_name")),
    field("error_class", "string", With(&[Field("error_class")], code)),
    field("error_code", "string", With(&[Field("error_code")], code)),
];

/// `0x` and two digits.
fn code(values: &[Value<'_>], cell: &mut Cell<'_>) {
    if let [Value::U64(n)] = values {
        let mut digits = b"0x".to_vec();
        text::hex(&mut digits, &[*n as u8]);
        cell.text(std::str::from_utf8(&digits).unwrap_or_default());
    }
}

/// ICSNPP's names of the remote operating service control.
fn rosctr(values: &[Value<'_>], cell: &mut Cell<'_>) {
    match values {
        [Value::U64(1)] => cell.text("Job-Request"),
        [Value::U64(2)] => cell.text("Ack"),
        [Value::U64(3)] => cell.text("Ack-Data"),
        [Value::U64(7)] => cell.text("User-Data"),
        _ => {}
    }
}
