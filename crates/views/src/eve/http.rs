//! `http` events: one for each exchange.

use gwcore::Value;

use super::{End, Event};
use crate::bind::{
    Source::{Field, Missing, With},
    ViewField, When, field,
};
use crate::cell::Cell;

pub(super) static EVENT: Event = Event {
    event_type: "http",
    kind: "http",
    when: When::Always,
    source: End::Originator,
    delay: None,
    frame: None,
    fields: FIELDS,
};

const FIELDS: &[ViewField] = &[
    field("tx_id", "", With(&[Field("trans_depth")], tx_id)),
    field("http.hostname", "", With(&[Field("host")], hostname)),
    field("http.http_port", "", With(&[Field("host")], port)),
    field("http.url", "", Field("uri")),
    field("http.http_user_agent", "", Field("user_agent")),
    field("http.http_content_type", "", With(&[Field("content_type")], content_type)),
    field("http.http_refer", "", Field("referrer")),
    field("http.http_method", "", Field("method")),
    field("http.protocol", "", With(&[Field("version")], protocol)),
    field("http.status", "", Field("status_code")),
    field("http.redirect", "", Field("location")),
    field("http.length", "", Field("response_body_len")),
    field(
        "http.request_headers",
        "",
        Missing("names of header fields are in the http record; values may hold secrets"),
    ),
    field(
        "http.response_headers",
        "",
        Missing("names of header fields are in the http record; values may hold secrets"),
    ),
    field("http.xff", "", Missing("in `proxied` of the http record")),
];

/// Suricata counts from 0.
fn tx_id(values: &[Value<'_>], cell: &mut Cell<'_>) {
    if let [Value::U64(depth)] = values {
        cell.uint(depth.saturating_sub(1));
    }
}

/// Host and port of the Host field; a colon inside brackets belongs to an IPv6 address.
fn split_host(host: &str) -> (&str, Option<&str>) {
    match host.rsplit_once(':') {
        Some((name, port)) if !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit()) => (name, Some(port)),
        _ => (host, None),
    }
}

/// In lower case, as Suricata does.
fn hostname(values: &[Value<'_>], cell: &mut Cell<'_>) {
    if let [Value::Text(host)] = values {
        cell.text(&split_host(host).0.to_lowercase());
    }
}

fn port(values: &[Value<'_>], cell: &mut Cell<'_>) {
    if let [Value::Text(host)] = values
        && let Some(port) = split_host(host).1.and_then(|p| p.parse::<u16>().ok())
    {
        cell.uint(u64::from(port));
    }
}

/// Without its parameters.
fn content_type(values: &[Value<'_>], cell: &mut Cell<'_>) {
    if let [Value::Text(t)] = values {
        cell.text(t.split(';').next().unwrap_or(t).trim_end());
    }
}

fn protocol(values: &[Value<'_>], cell: &mut Cell<'_>) {
    if let [Value::Text(version)] = values {
        cell.text(&["HTTP/", version].concat());
    }
}
