//! `ftp` events.

use gwcore::Value;

use super::{End, Event};
use crate::bind::{
    Source::{Field, Missing, With},
    ViewField, When, field,
};
use crate::cell::Cell;

pub(super) static EVENT: Event = Event {
    event_type: "ftp",
    kind: "ftp",
    when: When::Always,
    source: End::Originator,
    delay: None,
    frame: None,
    fields: FIELDS,
};

const FIELDS: &[ViewField] = &[
    field("ftp.command", "", Field("command")),
    field("ftp.command_data", "", Field("arg")),
    field("ftp.dynamic_port", "", Field("data_port")),
    field("ftp.mode", "", With(&[Field("data_passive")], mode)),
    field("ftp.reply", "", With(&[Field("reply_msg")], texts)),
    field("ftp.completion_code", "", With(&[Field("preliminary_code"), Field("reply_code")], codes)),
    field("ftp.reply_received", "", With(&[Field("reply_code")], received)),
    field("ftp.reply_truncated", "", Missing("a cut text ends in an ellipsis")),
];

fn mode(values: &[Value<'_>], cell: &mut Cell<'_>) {
    if let [Value::Bool(passive)] = values {
        cell.text(if *passive { "passive" } else { "active" });
    }
}

fn texts(values: &[Value<'_>], cell: &mut Cell<'_>) {
    if let [Value::Text(text)] = values {
        cell.texts([*text].into_iter());
    }
}

/// Suricata writes codes as text.
fn codes(values: &[Value<'_>], cell: &mut Cell<'_>) {
    let code = |v: &Value<'_>| if let Value::U64(n) = v { Some(n.to_string()) } else { None };
    let codes: Vec<String> = values.iter().filter_map(code).collect();
    if !codes.is_empty() {
        cell.texts(codes.iter().map(String::as_str));
    }
}

fn received(values: &[Value<'_>], cell: &mut Cell<'_>) {
    cell.text(if matches!(values, [Value::U64(_)]) { "yes" } else { "no" });
}
