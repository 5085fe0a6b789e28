//! `dnp3` events: one for each application fragment, a request and its response apart, as Suricata 8 writes them.

use gwcore::Value;

use super::{End, Event};
use crate::bind::{
    ChildRows,
    Source::{Children, Field, With},
    ViewField, When, bit_names, field, json_key,
};
use crate::cell::Cell;

pub(super) static EVENT: Event = Event {
    event_type: "dnp3",
    kind: "dnp3",
    when: When::Any(&["function_code"]),
    source: End::Originator,
    delay: None,
    frame: None,
    fields: FIELDS,
};

const FIELDS: &[ViewField] = &[
    field("dnp3.type", "", With(&[Field("is_request"), Field("function_code")], kind)),
    field("dnp3.control.dir", "", With(&[Field("dir")], dir)),
    field("dnp3.control.pri", "", Field("prm")),
    field("dnp3.control.fcb", "", Field("fcb")),
    field("dnp3.control.fcv", "", Field("fcv")),
    field("dnp3.control.function_code", "", Field("link_function")),
    field("dnp3.src", "", Field("link_src")),
    field("dnp3.dst", "", Field("link_dst")),
    field("dnp3.application.control.fir", "", Field("fir")),
    field("dnp3.application.control.fin", "", Field("fin")),
    field("dnp3.application.control.con", "", Field("con")),
    field("dnp3.application.control.uns", "", Field("uns")),
    field("dnp3.application.control.sequence", "", Field("app_seq")),
    field("dnp3.application.function_code", "", Field("function_code")),
    field("dnp3.application.objects", "", Children("dnp3_object", OBJECT_FIELDS, objects)),
    field("dnp3.application.complete", "", With(&[Field("objects_left_out")], complete)),
    field("dnp3.iin.indicators", "", With(&[Field("iin")], indicators)),
];

const OBJECT_FIELDS: &[&str] = &[
    "header",
    "group",
    "variation",
    "qualifier",
    "range_start",
    "range_stop",
    "count",
    "index",
    "value",
    "value_int",
    "flags",
    "control",
    "on_time_ms",
    "off_time_ms",
    "status",
    "time",
    "value_bytes",
    "file_name",
];
const HEADER: usize = 0;
const GROUP: usize = 1;
const QUALIFIER: usize = 3;
const COUNT: usize = 6;
const INDEX: usize = 7;
const VALUE: usize = 8;
const VALUE_INT: usize = 9;
const FLAGS: usize = 10;
const CONTROL: usize = 11;

/// IIN1 is the high octet (IEEE 1815 §4.2.2.6), Suricata's words.
const IIN: &[(u64, &str)] = &[
    (0x8000, "device_restart"),
    (0x4000, "device_trouble"),
    (0x2000, "local_control"),
    (0x1000, "need_time"),
    (0x0800, "class_3_events"),
    (0x0400, "class_2_events"),
    (0x0200, "class_1_events"),
    (0x0100, "all_stations"),
    (0x0020, "config_corrupt"),
    (0x0010, "already_executing"),
    (0x0008, "event_buffer_overflow"),
    (0x0004, "parameter_error"),
    (0x0002, "object_unknown"),
    (0x0001, "no_func_code_support"),
];

fn kind(values: &[Value<'_>], cell: &mut Cell<'_>) {
    match values {
        [Value::Bool(request), _] => cell.text(if *request { "request" } else { "response" }),
        [_, Value::U64(code)] => cell.text(if *code < 128 { "request" } else { "response" }),
        _ => {}
    }
}

fn dir(values: &[Value<'_>], cell: &mut Cell<'_>) {
    if let [Value::U64(dir)] = values {
        cell.bool(*dir == 1);
    }
}

fn complete(values: &[Value<'_>], cell: &mut Cell<'_>) {
    cell.bool(!matches!(values, [Value::U64(1..)]));
}

fn indicators(values: &[Value<'_>], cell: &mut Cell<'_>) {
    if let [Value::U64(iin)] = values {
        cell.texts(bit_names(*iin, IIN));
    }
}

/// One element for each object header, the objects under it as its points.
fn objects(rows: &ChildRows<'_>, cell: &mut Cell<'_>) {
    if rows.range.is_empty() {
        return;
    }
    cell.out.push(b'[');
    let mut header = None;
    for row in rows.range.clone() {
        let this = number(rows.value(HEADER, row));
        if header != Some(this) {
            cell.out.extend_from_slice(if header.is_some() { b"]},{" } else { b"{" });
            header = Some(this);
            object_header(rows, row, this, cell);
        }
        point(rows, row, cell);
    }
    cell.out.extend_from_slice(b"]}]");
}

/// All of a header but its points, the array of which is left open.
fn object_header(rows: &ChildRows<'_>, row: usize, header: Option<u64>, cell: &mut Cell<'_>) {
    member(cell, "group", rows.value(GROUP, row));
    member(cell, "variation", rows.value(GROUP + 1, row));
    if let Some(qualifier) = number(rows.value(QUALIFIER, row)) {
        member(cell, "qualifier", Value::U64(qualifier));
        member(cell, "prefix_code", Value::U64(qualifier >> 4 & 7));
        member(cell, "range_code", Value::U64(qualifier & 15));
    }
    member(cell, "start", rows.value(QUALIFIER + 1, row));
    member(cell, "stop", rows.value(QUALIFIER + 2, row));
    let same = (row..rows.range.end).take_while(|r| number(rows.value(HEADER, *r)) == header);
    let points = same.filter(|r| is_point(rows, *r)).count() as u64;
    let stated = number(rows.value(COUNT, row)).filter(|_| points == 0);
    member(cell, "count", Value::U64(stated.unwrap_or(points)));
    json_key(cell.out, "points");
    cell.out.push(b'[');
}

/// Whether a row is an object rather than a header without objects.
fn is_point(rows: &ChildRows<'_>, row: usize) -> bool {
    (INDEX..OBJECT_FIELDS.len()).any(|f| !matches!(rows.value(f, row), Value::Null))
}

fn point(rows: &ChildRows<'_>, row: usize, cell: &mut Cell<'_>) {
    if !is_point(rows, row) {
        return;
    }
    cell.out.extend_from_slice(if cell.out.last() == Some(&b'[') { b"{" } else { b",{" });
    member(cell, "index", rows.value(INDEX, row));
    let value = match rows.value(VALUE_INT, row) {
        Value::Null => rows.value(VALUE, row),
        value => value,
    };
    member(cell, "value", value);
    member(cell, "flags", rows.value(FLAGS, row));
    if let Some(control) = number(rows.value(CONTROL, row)) {
        // Control octet of a relay output block (IEEE 1815 annex A.12.1), Suricata's names.
        member(cell, "tcc", Value::U64(control >> 6));
        member(cell, "cr", Value::U64(control >> 5 & 1));
        member(cell, "qu", Value::U64(control >> 4 & 1));
        member(cell, "op_type", Value::U64(control & 15));
        member(cell, "count", rows.value(COUNT, row));
    }
    for (field, name) in (CONTROL + 1..).zip(["ontime", "offtime", "status_code", "timestamp", "data", "filename"]) {
        member(cell, name, rows.value(field, row));
    }
    cell.out.push(b'}');
}

fn number(value: Value<'_>) -> Option<u64> {
    match value {
        Value::U64(n) => Some(n),
        _ => None,
    }
}

/// Appends a member unless its value is null.
fn member(cell: &mut Cell<'_>, name: &str, value: Value<'_>) {
    if !matches!(value, Value::Null) {
        json_key(cell.out, name);
        cell.value(value);
    }
}
