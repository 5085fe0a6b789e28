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
    field("modbus.request.write.data", "", With(WRITE_VALUES, written_data)),
    field("modbus.request.write.and_mask", "", request!("and_mask")),
    field("modbus.request.write.or_mask", "", request!("or_mask")),
    field("modbus.request.diagnostic.raw", "", request!("sub_function")),
    field("modbus.request.diagnostic.code", "", With(&[Field("is_request"), Field("sub_function")], diagnostic)),
    field("modbus.request.diagnostic.data", "", With(DIAGNOSTIC, diagnostic_data)),
    field("modbus.request.mei.raw", "", request!("mei_type")),
    field("modbus.request.mei.code", "", With(&[Field("is_request"), Field("mei_type")], mei)),
    field("modbus.request.mei.data", "", Missing("taken apart into fields of its own")),
    field("modbus.request.data", "", request!("data")),
    field("modbus.response.transaction_id", "", response!("transaction_id")),
    field("modbus.response.protocol_id", "", With(ANSWER_FUNCTION, answer_protocol)),
    field("modbus.response.unit_id", "", response!("unit_id")),
    field("modbus.response.function_raw", "", With(ANSWER_FUNCTION, answer_raw)),
    field("modbus.response.function_code", "", With(ANSWER_FUNCTION, answer_function)),
    field("modbus.response.access_type", "", Missing("follows from function_raw")),
    field("modbus.response.category", "", Missing("follows from function_raw")),
    field("modbus.response.error_flags", "", Missing("errors are anomaly events")),
    field("modbus.response.read.data", "", With(ANSWER_VALUES, read_data)),
    field("modbus.response.write.address", "", With(ANSWER_ADDRESS, answer_address)),
    field("modbus.response.write.data", "", With(ANSWER_DATA, answer_data)),
    field("modbus.response.exception.raw", "", response!("exception_code")),
    field("modbus.response.exception.code", "", With(ANSWER_EXCEPTION, exception)),
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

const DIAGNOSTIC: &[Source] = &[Field("is_request"), Field("sub_function"), Field("values")];
const ANSWER_VALUES: &[Source] =
    &[Field("is_request"), Field("function_code"), Pair("function_code"), Field("values"), Pair("values")];
const ANSWER_ADDRESS: &[Source] = &[
    Field("is_request"),
    Field("function_code"),
    Pair("function_code"),
    Field("exception_code"),
    Pair("exception_code"),
    Field("address"),
    Pair("address"),
];
const ANSWER_DATA: &[Source] = &[
    Field("is_request"),
    Field("function_code"),
    Pair("function_code"),
    Field("exception_code"),
    Pair("exception_code"),
    Field("values"),
    Pair("values"),
    Field("quantity"),
];
const ANSWER_EXCEPTION: &[Source] = &[Field("is_request"), Field("exception_code"), Pair("exception_code")];

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

/// One value as a number, several as their bytes: what stood on the wire.
fn written_data(values: &[Value<'_>], cell: &mut Cell<'_>) {
    let function = function_of(values);
    match (is_request(values), function, values) {
        (true, 5 | 6, [_, _, Value::List(column, from, to), _]) if from < to => {
            single(function, column.value(*from), cell)
        }
        (true, 15 | 16, [_, _, list, _]) | (true, 23, [_, _, _, list]) => wire_bytes(function, *list, cell),
        _ => {}
    }
}

/// A coil is switched on by FF00 (§6.5).
fn single(function: u64, value: Value<'_>, cell: &mut Cell<'_>) {
    match value {
        Value::U64(1) if function == 5 => cell.uint(0xFF00),
        Value::U64(n) => cell.uint(n),
        _ => {}
    }
}

/// Coils and inputs eight to a byte from bit 0 on, registers as two bytes, written as Suricata does: bytes past ASCII as `\\xhh`.
fn wire_bytes(function: u64, list: Value<'_>, cell: &mut Cell<'_>) {
    let Value::List(column, from, to) = list else { return };
    let numbers = (from..to).map(|row| match column.value(row) {
        Value::U64(n) => n,
        _ => 0,
    });
    let mut bytes = Vec::new();
    if matches!(function, 1 | 2 | 15) {
        for (i, bit) in numbers.enumerate() {
            if i % 8 == 0 {
                bytes.push(0u8);
            }
            if let (Some(last), 1..) = (bytes.last_mut(), bit) {
                *last |= 1 << (i % 8);
            }
        }
    } else {
        numbers.for_each(|n| bytes.extend_from_slice(&[(n >> 8 & 0xFF) as u8, (n & 0xFF) as u8]));
    }
    bytes_text(&bytes, cell);
}

fn bytes_text(bytes: &[u8], cell: &mut Cell<'_>) {
    if let Ok(text) = std::str::from_utf8(bytes) {
        return cell.text(text);
    }
    let mut text = String::with_capacity(bytes.len() * 2);
    for b in bytes {
        if b.is_ascii() {
            text.push(char::from(*b));
        } else {
            text.push_str(&format!("\\x{b:02x}"));
        }
    }
    cell.text(&text);
}

fn diagnostic(values: &[Value<'_>], cell: &mut Cell<'_>) {
    if let [Value::Bool(true), Value::U64(sub)] = values {
        cell.text(diagnostic_name(*sub));
    }
}

fn diagnostic_data(values: &[Value<'_>], cell: &mut Cell<'_>) {
    if let [Value::Bool(true), Value::U64(_), list] = values {
        wire_bytes(8, *list, cell);
    }
}

fn mei(values: &[Value<'_>], cell: &mut Cell<'_>) {
    if let [Value::Bool(true), Value::U64(kind)] = values {
        cell.text(match kind {
            13 => "CANOpenGenRefReqResp",
            14 => "RdDevId",
            _ => "Unknown",
        });
    }
}

fn read_data(values: &[Value<'_>], cell: &mut Cell<'_>) {
    let [request, own, pair, own_values, pair_values] = values else { return };
    let (function, list) = if matches!(request, Value::Bool(true)) { (pair, pair_values) } else { (own, own_values) };
    if let Value::U64(function @ (1..=4 | 23)) = function {
        wire_bytes(*function, *list, cell);
    }
}

/// Function of an answer to a write that was not refused, and which of two sources is the answer's.
fn write_answered(values: &[Value<'_>]) -> Option<(u64, usize)> {
    let (code, refused) = answer(values)?;
    (matches!(code, 5 | 6 | 15 | 16) && !refused).then_some((code, usize::from(is_request(values))))
}

/// Answers to writes repeat the address (§6.5, §6.6, §6.11, §6.12).
fn answer_address(values: &[Value<'_>], cell: &mut Cell<'_>) {
    if let (Some((_, which)), [_, _, _, _, _, addresses @ ..]) = (write_answered(values), values)
        && let Some(address) = addresses.get(which)
    {
        cell.value(*address);
    }
}

/// They repeat a single value, and the number of several.
fn answer_data(values: &[Value<'_>], cell: &mut Cell<'_>) {
    let [_, _, _, _, _, lists @ .., quantity] = values else { return };
    match write_answered(values) {
        Some((function @ (5 | 6), which)) => {
            if let Some(Value::List(column, from, to)) = lists.get(which)
                && from < to
            {
                single(function, column.value(*from), cell);
            }
        }
        Some(_) => cell.value(*quantity),
        None => {}
    }
}

fn exception(values: &[Value<'_>], cell: &mut Cell<'_>) {
    let [request, own, pair] = values else { return };
    if let Value::U64(code) = if matches!(request, Value::Bool(true)) { pair } else { own } {
        cell.text(exception_name(*code));
    }
}

fn answer_protocol(values: &[Value<'_>], cell: &mut Cell<'_>) {
    if answer(values).is_some() {
        cell.uint(0);
    }
}

fn request_function(values: &[Value<'_>], cell: &mut Cell<'_>) {
    if is_request(values) {
        cell.text(function_name(function_of(values)));
    }
}

/// The answer's function, and whether it is a refusal: of sources as in [`ANSWER_FUNCTION`], with others behind them.
fn answer(values: &[Value<'_>]) -> Option<(u64, bool)> {
    let [_, own, pair, own_exception, pair_exception, ..] = values else { return None };
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

/// Suricata's names of sub-functions of diagnostics.
fn diagnostic_name(sub: u64) -> &'static str {
    match sub {
        0 => "RetQueryData",
        1 => "RestartCommOpt",
        2 => "RetDiagReg",
        3 => "ChangeInputDelimiter",
        4 => "ForceListenOnlyMode",
        10 => "ClearCtrDiagReg",
        11 => "RetBusMsgCount",
        12 => "RetBusCommErrCount",
        13 => "RetBusExcErrCount",
        14 => "RetServerMsgCount",
        15 => "RetServerNoRespCount",
        16 => "RetServerNAKCount",
        17 => "RetServerBusyCount",
        18 => "RetBusCharOverrunCount",
        19 => "RetOverrunErrCount",
        20 => "ClearOverrunCounterFlag",
        21 => "GetClearPlusStats",
        _ => "Reserved",
    }
}

/// Suricata's names of exceptions.
fn exception_name(code: u64) -> &'static str {
    match code {
        1 => "IllegalFunction",
        2 => "IllegalDataAddr",
        3 => "IllegalDataValue",
        4 => "ServerDeviceFail",
        5 => "Ack",
        6 => "ServerDeviceBusy",
        7 => "NegAck",
        8 => "MemParityErr",
        10 => "GatewayPathUnavailable",
        11 => "GatewayTargetFailToResp",
        _ => "Unknown",
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
        9 => "Program484",
        10 => "Poll484",
        11 => "GetCommEventCtr",
        12 => "GetCommEventLog",
        13 => "ProgramController",
        14 => "PollController",
        15 => "WrMultCoils",
        16 => "WrMultRegs",
        17 => "ReportServerID",
        18 => "Program884",
        19 => "ResetCommLink",
        20 => "RdFileRec",
        21 => "WrFileRec",
        22 => "MaskWrReg",
        23 => "RdWrMultRegs",
        24 => "RdFIFOQueue",
        43 => "MEI",
        _ => "Unknown",
    }
}

#[cfg(test)]
mod tests {
    use super::super::shown;
    use super::*;

    #[test]
    fn codes_and_bytes_are_spelled_as_suricata_spells_them() {
        let write: crate::bind::Write = |v, cell| {
            if let [Value::Hex(bytes)] = v {
                bytes_text(bytes, cell);
            }
        };
        assert_eq!(shown(write, &[Value::Hex(b"\0U\x9c")]), r#""\u0000U\\x9c""#);
        assert_eq!(shown(write, &[Value::Hex("é".as_bytes())]), r#""é""#);
        let coil: crate::bind::Write = |v, cell| single(5, v[0], cell);
        assert_eq!(shown(coil, &[Value::U64(1)]), "65280");
        assert_eq!(shown(coil, &[Value::U64(0)]), "0");
        assert_eq!(shown(exception, &[Value::Bool(true), Value::Null, Value::U64(11)]), r#""GatewayTargetFailToResp""#);
        assert_eq!(shown(exception, &[Value::Bool(false), Value::U64(9), Value::Null]), r#""Unknown""#);
    }
}
