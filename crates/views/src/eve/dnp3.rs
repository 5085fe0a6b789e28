//! `dnp3` events: one for each application fragment, a request and its response apart, as Suricata 8 writes them.

use gwcore::{Ts, Value};

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
const START: usize = 4;
const STOP: usize = 5;
const COUNT: usize = 6;
const INDEX: usize = 7;
const VALUE: usize = 8;
const VALUE_INT: usize = 9;
const FLAGS: usize = 10;
const CONTROL: usize = 11;
const STATUS: usize = 14;

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
        [_, Value::U64(130)] => cell.text("unsolicited_response"),
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
    let mut row = rows.range.start;
    while row < rows.range.end {
        let header = number(rows.value(HEADER, row));
        let same = (row..rows.range.end).take_while(|r| number(rows.value(HEADER, *r)) == header).count().max(1);
        if row > rows.range.start {
            cell.out.push(b',');
        }
        object(rows, row..row + same, cell);
        row += same;
    }
    cell.out.push(b']');
}

/// A header with its points, which are left out where there are none.
fn object(rows: &ChildRows<'_>, of_header: std::ops::Range<usize>, cell: &mut Cell<'_>) {
    let row = of_header.start;
    cell.out.push(b'{');
    member(cell, "group", rows.value(GROUP, row));
    member(cell, "variation", rows.value(GROUP + 1, row));
    if let Some(qualifier) = number(rows.value(QUALIFIER, row)) {
        member(cell, "qualifier", Value::U64(qualifier));
        member(cell, "prefix_code", Value::U64(qualifier >> 4 & 7));
        member(cell, "range_code", Value::U64(qualifier & 15));
    }
    member(cell, "start", rows.value(START, row));
    member(cell, "stop", rows.value(STOP, row));
    let points = || of_header.clone().filter(|r| is_point(rows, *r));
    member(cell, "count", Value::U64(count(rows, row, points().count() as u64)));
    if points().next().is_some() {
        json_key(cell.out, "points");
        cell.out.push(b'[');
        for (i, row) in points().enumerate() {
            cell.out.extend_from_slice(if i > 0 { b",{" } else { b"{" });
            point(rows, row, cell);
            cell.out.push(b'}');
        }
        cell.out.push(b']');
    }
    cell.out.push(b'}');
}

/// The objects that a header speaks of: its range, else the number it states, else those that follow.
fn count(rows: &ChildRows<'_>, row: usize, points: u64) -> u64 {
    let at = |field| number(rows.value(field, row));
    match (at(START), at(STOP)) {
        (Some(start), Some(stop)) if stop >= start => (stop - start).saturating_add(1),
        _ if points > 0 => points,
        _ => at(COUNT).unwrap_or(0),
    }
}

/// Whether a row is an object rather than a header without objects.
fn is_point(rows: &ChildRows<'_>, row: usize) -> bool {
    (INDEX..OBJECT_FIELDS.len()).any(|f| !matches!(rows.value(f, row), Value::Null))
}

/// Suricata's members of one object, by its group.
fn point(rows: &ChildRows<'_>, row: usize, cell: &mut Cell<'_>) {
    let group = number(rows.value(GROUP, row)).unwrap_or(0);
    let prefix = number(rows.value(QUALIFIER, row)).is_some_and(|q| matches!(q >> 4 & 7, 1..=3));
    let index = number(rows.value(INDEX, row)).unwrap_or(0);
    member(cell, "prefix", Value::U64(if prefix { index } else { 0 }));
    member(cell, "index", Value::U64(index));
    if let Some(flags) = number(rows.value(FLAGS, row)) {
        for (bit, name) in
            FLAG_NAMES.iter().filter(|(groups, ..)| groups.contains(&group)).flat_map(|(_, names)| *names)
        {
            member(cell, name, Value::U64(flags >> bit & 1));
        }
    }
    let value = match rows.value(VALUE_INT, row) {
        Value::Null => rows.value(VALUE, row),
        value => value,
    };
    member(cell, value_name(group), whole(value));
    if let Some(control) = number(rows.value(CONTROL, row)) {
        // Control octet of a relay output block (IEEE 1815 annex A.12.1), Suricata's names.
        member(cell, "op_type", Value::U64(control & 15));
        member(cell, "qu", Value::U64(control >> 4 & 1));
        member(cell, "cr", Value::U64(control >> 5 & 1));
        member(cell, "tcc", Value::U64(control >> 6));
        member(cell, "count", rows.value(COUNT, row));
    }
    for (field, name) in (CONTROL + 1..).zip(["ontime", "offtime", "status_code", "timestamp", "data", "filename"]) {
        match (field == STATUS && group == 41, rows.value(field, row)) {
            (true, status) => member(cell, "control_status", status),
            (false, Value::Ts(ts)) => member(cell, name, milliseconds(ts)),
            (false, value) => member(cell, name, value),
        }
    }
}

/// What Suricata calls the value of an object of a group.
fn value_name(group: u64) -> &'static str {
    match group {
        1..=4 | 10 | 11 | 80 => "state",
        20..=23 => "count",
        52 => "delay_ms",
        _ => "value",
    }
}

/// A number without a fraction as an integer, as Suricata writes all but floating-point variations.
fn whole(value: Value<'_>) -> Value<'_> {
    match value {
        Value::F64(v) if v.fract() == 0.0 && v.abs() < 9e15 => Value::I64(v as i64),
        value => value,
    }
}

/// DNP3 time: milliseconds since 1970 (IEEE 1815 annex A.1).
fn milliseconds(ts: Ts) -> Value<'static> {
    Value::I64(ts.0.div_euclid(1_000_000))
}

/// Names of an object's flags from bit 0 on (IEEE 1815 annex A), by groups; a bit that is the state itself has none.
type FlagNames = (&'static [u64], &'static [(u32, &'static str)]);
const FLAG_NAMES: &[FlagNames] = &[
    (
        &[1, 2, 3, 4, 10, 11, 20, 21, 22, 23, 30, 31, 32, 33, 40, 42],
        &[(0, "online"), (1, "restart"), (2, "comm_lost"), (3, "remote_forced"), (4, "local_forced")],
    ),
    (&[1, 2], &[(5, "chatter_filter"), (6, "reserved")]),
    (&[3, 4], &[(5, "chatter_filter")]),
    (&[10], &[(5, "reserved0"), (6, "reserved1")]),
    (&[20, 21, 22, 23], &[(5, "rollover"), (6, "discontinuity"), (7, "reserved0")]),
    (&[30, 31, 32, 33, 40, 42], &[(5, "over_range"), (6, "reference_err"), (7, "reserved0")]),
];

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

#[cfg(test)]
mod tests {
    use super::super::shown;
    use super::*;

    #[test]
    fn types_of_fragments() {
        let check = |request: Value<'_>, code, expect: &str| {
            assert_eq!(shown(kind, &[request, Value::U64(code)]), format!("{expect:?}"));
        };
        check(Value::Bool(true), 1, "request");
        check(Value::Bool(false), 129, "response");
        check(Value::Bool(false), 130, "unsolicited_response");
        check(Value::Null, 130, "unsolicited_response");
        check(Value::Null, 131, "response");
    }
}
