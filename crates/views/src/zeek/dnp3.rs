//! dnp3.log of Zeek 8, and the DNP3 logs of ICSNPP.

use gwcore::Value;

use super::modbus::name_of;
use super::{HEAD, Log, SENDER};
use crate::bind::{
    Common,
    Source::{Common as C, Field, Missing, Pair, Parent, With},
    ViewField, When, field,
};
use crate::cell::Cell;

/// As Zeek does, one line an answer, at the time of its request.
pub(super) static LOG: Log =
    Log { path: "dnp3", origin: "Zeek 8", kind: "dnp3", when: When::Any(&["iin"]), fields: &[FIELDS] };

const FIELDS: &[ViewField] = &[
    field("ts", "time", C(Common::PairTs)),
    field("uid", "string", C(Common::Uid)),
    field("id.orig_h", "addr", C(Common::OrigH)),
    field("id.orig_p", "port", C(Common::OrigP)),
    field("id.resp_h", "addr", C(Common::RespH)),
    field("id.resp_p", "port", C(Common::RespP)),
    field("fc_request", "string", With(&[Pair("function_code")], function)),
    field("fc_reply", "string", With(&[Field("function_code")], function)),
    field("iin", "count", Field("iin")),
];

pub(super) static CONTROL: Log = Log {
    path: "dnp3_control",
    origin: "ICSNPP",
    kind: "dnp3_object",
    when: When::Within("group", 12, 12),
    fields: &[HEAD, SENDER, CONTROL_FIELDS],
};

const PARENT_FUNCTION: crate::bind::Source = With(&[Parent("function_code")], function);

const CONTROL_FIELDS: &[ViewField] = &[
    field("block_type", "string", With(&[Field("variation")], block_type)),
    field("function_code", "string", PARENT_FUNCTION),
    field("index_number", "count", Field("index")),
    field("trip_control_code", "string", Field("trip_close")),
    field("operation_type", "string", Field("operation")),
    field("clear_bit", "bool", Field("clear")),
    field("execute_count", "count", Field("count")),
    field("on_time", "count", Field("on_time_ms")),
    field("off_time", "count", Field("off_time_ms")),
    field("status_code", "string", Field("status_name")),
];

/// ICSNPP writes a line for each object header; this one has a line for each object, with the range of its header.
pub(super) static OBJECTS: Log = Log {
    path: "dnp3_objects",
    origin: "ICSNPP",
    kind: "dnp3_object",
    when: When::Always,
    fields: &[HEAD, SENDER, OBJECTS_FIELDS],
};

const OBJECTS_FIELDS: &[ViewField] = &[
    field("function_code", "string", PARENT_FUNCTION),
    field("object_type", "string", With(&[Field("group"), Field("variation"), Field("name")], object_type)),
    field("object_count", "count", Missing("each object has its line")),
    field("range_low", "count", Field("range_start")),
    field("range_high", "count", Field("range_stop")),
    // Not in ICSNPP: without them the line says nothing of the point.
    field("index", "count", Field("index")),
    field("value", "double", Field("value")),
    field("flags", "count", Field("flags")),
];

/// Zeek's names of function codes (its `DNP3::function_codes`).
const FUNCTIONS: &[(u64, &str)] = &[
    (0, "CONFIRM"),
    (1, "READ"),
    (2, "WRITE"),
    (3, "SELECT"),
    (4, "OPERATE"),
    (5, "DIRECT_OPERATE"),
    (6, "DIRECT_OPERATE_NR"),
    (7, "IMMED_FREEZE"),
    (8, "IMMED_FREEZE_NR"),
    (9, "FREEZE_CLEAR"),
    (10, "FREEZE_CLEAR_NR"),
    (11, "FREEZE_AT_TIME"),
    (12, "FREEZE_AT_TIME_NR"),
    (13, "COLD_RESTART"),
    (14, "WARM_RESTART"),
    (15, "INITIALIZE_DATA"),
    (16, "INITIALIZE_APPL"),
    (17, "START_APPL"),
    (18, "STOP_APPL"),
    (19, "SAVE_CONFIG"),
    (20, "ENABLE_UNSOLICITED"),
    (21, "DISABLE_UNSOLICITED"),
    (22, "ASSIGN_CLASS"),
    (23, "DELAY_MEASURE"),
    (24, "RECORD_CURRENT_TIME"),
    (25, "OPEN_FILE"),
    (26, "CLOSE_FILE"),
    (27, "DELETE_FILE"),
    (28, "GET_FILE_INFO"),
    (29, "AUTHENTICATE_FILE"),
    (30, "ABORT_FILE"),
    (31, "ACTIVATE_CONFIG"),
    (32, "AUTHENTICATE_REQ"),
    (33, "AUTHENTICATE_ERR"),
    (129, "RESPONSE"),
    (130, "UNSOLICITED_RESPONSE"),
    (131, "AUTHENTICATE_RESP"),
];

fn function(values: &[Value<'_>], cell: &mut Cell<'_>) {
    if let Some(Value::U64(code)) = values.first() {
        cell.text(&name_of(FUNCTIONS, *code));
    }
}

/// Group 12 by its variation (IEEE 1815 annex A.12).
fn block_type(values: &[Value<'_>], cell: &mut Cell<'_>) {
    match values.first() {
        Some(Value::U64(1)) => cell.text("Control Relay Output Block"),
        Some(Value::U64(2)) => cell.text("Pattern Control Block"),
        Some(Value::U64(3)) => cell.text("Pattern Mask"),
        _ => {}
    }
}

/// `g30v1 NAME`.
fn object_type(values: &[Value<'_>], cell: &mut Cell<'_>) {
    let [Value::U64(group), Value::U64(variation), rest @ ..] = values else { return };
    let mut text = format!("g{group}v{variation}");
    if let [Value::Text(name), ..] = rest {
        text.push(' ');
        text.push_str(name);
    }
    cell.text(&text);
}
