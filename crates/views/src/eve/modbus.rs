//! `modbus` events: one for a request with its answer, as Suricata's transactions; a PDU without the other stands alone.

use gwcore::Value;

use super::{End, Event};
use crate::bind::{
    Source::{self, Field, Missing, Pair, With},
    ViewField, When, field,
};
use crate::cell::Cell;

pub(super) static EVENT: Event = Event {
    event_type: "modbus",
    kind: "modbus",
    when: When::OncePerPair,
    source: End::Originator,
    delay: None,
    frame: None,
    fields: FIELDS,
};

/// A value of the request: the record's where it is one.
macro_rules! request {
    ($name:literal) => {
        With(&[Field("is_request"), Field($name)], of_request)
    };
}

/// A value of the answer: the partner's where the record is a request, else the record's.
macro_rules! response {
    ($name:literal) => {
        With(&[Field("is_request"), Field($name), Pair($name)], of_answer)
    };
}

const FIELDS: &[ViewField] = &[
    field("modbus.id", "", Missing("transactions are not numbered by flow")),
    field("modbus.request.transaction_id", "", request!("transaction_id")),
    field("modbus.request.protocol_id", "", With(&[Field("is_request"), Field("protocol_id")], request_protocol)),
    field("modbus.request.unit_id", "", request!("unit_id")),
    field("modbus.request.function_raw", "", request!("function_code")),
    field("modbus.request.function_code", "", With(&[Field("is_request"), Field("function_code")], request_function)),
    field("modbus.request.access_type", "", Missing("follows from function_raw")),
    field("modbus.request.category", "", Missing("follows from function_raw")),
    field("modbus.request.error_flags", "", Missing("errors are anomaly events")),
    field("modbus.request.read.address", "", With(READ, |v, c| read(v, c, 2))),
    field("modbus.request.read.quantity", "", With(READ, |v, c| read(v, c, 3))),
    field("modbus.request.write.address", "", With(WRITE, written)),
    field("modbus.request.write.quantity", "", With(WRITE_QUANTITY, written)),
    field("modbus.request.write.data", "", With(WRITE_VALUES, written)),
    field("modbus.request.diagnostic.raw", "", request!("sub_function")),
    field("modbus.request.mei.raw", "", request!("mei_type")),
    field("modbus.request.data", "", request!("data")),
    field("modbus.response.transaction_id", "", response!("transaction_id")),
    field("modbus.response.unit_id", "", response!("unit_id")),
    field("modbus.response.function_raw", "", With(ANSWER_FUNCTION, answer_raw)),
    field("modbus.response.function_code", "", With(ANSWER_FUNCTION, answer_function)),
    field("modbus.response.access_type", "", Missing("follows from function_raw")),
    field("modbus.response.category", "", Missing("follows from function_raw")),
    field("modbus.response.error_flags", "", Missing("errors are anomaly events")),
    field("modbus.response.read.data", "", response!("values")),
    field("modbus.response.exception.raw", "", response!("exception_code")),
    field("modbus.response.exception.code", "", response!("exception_name")),
    field("modbus.response.data", "", response!("data")),
];

const READ: &[Source] = &[Field("is_request"), Field("function_code"), Field("address"), Field("quantity")];
const WRITE: &[Source] = &[Field("is_request"), Field("function_code"), Field("address"), Field("write_address")];
const WRITE_QUANTITY: &[Source] =
    &[Field("is_request"), Field("function_code"), Field("quantity"), Field("write_quantity")];
const WRITE_VALUES: &[Source] = &[Field("is_request"), Field("function_code"), Field("values"), Field("write_values")];
const ANSWER_FUNCTION: &[Source] = &[
    Field("is_request"),
    Field("function_code"),
    Pair("function_code"),
    Field("exception_code"),
    Pair("exception_code"),
];

fn is_request(values: &[Value<'_>]) -> bool {
    matches!(values.first(), Some(Value::Bool(true)))
}

fn function_of(values: &[Value<'_>]) -> u64 {
    match values.get(1) {
        Some(Value::U64(code)) => *code,
        _ => 0,
    }
}

fn of_request(values: &[Value<'_>], cell: &mut Cell<'_>) {
    if let (true, Some(value)) = (is_request(values), values.get(1)) {
        cell.value(*value);
    }
}

fn of_answer(values: &[Value<'_>], cell: &mut Cell<'_>) {
    if let Some(value) = values.get(if is_request(values) { 2 } else { 1 }) {
        cell.value(*value);
    }
}

fn request_protocol(values: &[Value<'_>], cell: &mut Cell<'_>) {
    match (is_request(values), values.get(1)) {
        (true, Some(Value::U64(id))) => cell.uint(*id),
        (true, _) => cell.uint(0),
        _ => {}
    }
}

/// Reads from coils to input registers, and function 23.
fn read(values: &[Value<'_>], cell: &mut Cell<'_>, which: usize) {
    if let (true, 1..=4 | 23, Some(value)) = (is_request(values), function_of(values), values.get(which)) {
        cell.value(*value);
    }
}

/// Of functions 5, 6, 15, 16 and 22 the first value at hand, of function 23 the second.
fn written(values: &[Value<'_>], cell: &mut Cell<'_>) {
    match (is_request(values), function_of(values), values) {
        (true, 5 | 6 | 15 | 16 | 22, [_, _, value, ..]) | (true, 23, [_, _, _, value]) => cell.value(*value),
        _ => {}
    }
}

fn request_function(values: &[Value<'_>], cell: &mut Cell<'_>) {
    if is_request(values) {
        cell.text(function_name(function_of(values)));
    }
}

/// The answer's function and exception code.
fn answer(values: &[Value<'_>]) -> Option<(u64, bool)> {
    let [_, own, pair, own_exception, pair_exception] = values else { return None };
    let (function, exception) = if is_request(values) { (pair, pair_exception) } else { (own, own_exception) };
    match function {
        Value::U64(code) => Some((*code, !matches!(exception, Value::Null))),
        _ => None,
    }
}

/// With the exception bit, as it was on the wire.
fn answer_raw(values: &[Value<'_>], cell: &mut Cell<'_>) {
    if let Some((code, exception)) = answer(values) {
        cell.uint(if exception { code | 0x80 } else { code });
    }
}

fn answer_function(values: &[Value<'_>], cell: &mut Cell<'_>) {
    if let Some((code, _)) = answer(values) {
        cell.text(function_name(code));
    }
}

/// Suricata's names of function codes.
fn function_name(code: u64) -> &'static str {
    match code {
        1 => "RdCoils",
        2 => "RdDiscreteInputs",
        3 => "RdHoldRegs",
        4 => "RdInputRegs",
        5 => "WrSingleCoil",
        6 => "WrSingleReg",
        7 => "RdExcStatus",
        8 => "Diagnostic",
        11 => "GetCommEventCtr",
        12 => "GetCommEventLog",
        15 => "WrMultCoils",
        16 => "WrMultRegs",
        17 => "ReportServerID",
        20 => "RdFileRec",
        21 => "WrFileRec",
        22 => "MaskWrReg",
        23 => "RdWrMultRegs",
        24 => "RdFIFOQueue",
        43 => "MEI",
        _ => "Unknown",
    }
}
