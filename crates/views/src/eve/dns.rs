//! `dns` events, version 3: a request and a response for each transaction.

use gwcore::Value;

use super::{End, Event};
use crate::bind::{
    Source::{self, Const, Field, Missing, With},
    ViewField, When, field, json_key,
};
use crate::cell::Cell;
use crate::text;

pub(super) static REQUEST: Event = Event {
    event_type: "dns",
    kind: "dns",
    when: When::Any(&["query_frame"]),
    source: End::Originator,
    delay: None,
    frame: Some("query_frame"),
    fields: REQUEST_FIELDS,
};

pub(super) static RESPONSE: Event = Event {
    event_type: "dns",
    kind: "dns",
    when: When::Any(&["response_frame"]),
    source: End::Responder,
    delay: Some("rtt"),
    frame: Some("response_frame"),
    fields: RESPONSE_FIELDS,
};

const REQUEST_FIELDS: &[ViewField] = &[
    field("dns.version", "", With(&[], |_, cell| cell.uint(3))),
    field("dns.type", "", Const("request")),
    field("dns.id", "", Field("trans_id")),
    field("dns.tx_id", "", Missing("transactions are not numbered by flow")),
    field("dns.flags", "", With(&[Field("query_flags")], flags)),
    field("dns.rd", "", With(&[Field("query_flags")], |v, c| flag(v, c, 0x0100))),
    field("dns.tc", "", With(&[Field("query_flags")], |v, c| flag(v, c, 0x0200))),
    field("dns.z", "", With(&[Field("query_flags")], |v, c| flag(v, c, 0x0040))),
    field("dns.opcode", "", Field("opcode")),
    field("dns.queries", "", With(&[Field("query"), Field("qtype_name")], queries)),
];

const RESPONSE_FIELDS: &[ViewField] = &[
    field("dns.version", "", With(&[], |_, cell| cell.uint(3))),
    field("dns.type", "", Const("response")),
    field("dns.id", "", Field("trans_id")),
    field("dns.tx_id", "", Missing("transactions are not numbered by flow")),
    field("dns.flags", "", With(&[Field("response_flags")], flags)),
    field("dns.qr", "", With(&[Field("response_flags")], |v, c| flag(v, c, 0x8000))),
    field("dns.aa", "", With(&[Field("response_flags")], |v, c| flag(v, c, 0x0400))),
    field("dns.tc", "", With(&[Field("response_flags")], |v, c| flag(v, c, 0x0200))),
    field("dns.rd", "", With(&[Field("response_flags")], |v, c| flag(v, c, 0x0100))),
    field("dns.ra", "", With(&[Field("response_flags")], |v, c| flag(v, c, 0x0080))),
    field("dns.z", "", With(&[Field("response_flags")], |v, c| flag(v, c, 0x0040))),
    field("dns.opcode", "", Field("opcode")),
    field("dns.rcode", "", Field("rcode_name")),
    field("dns.queries", "", With(&[Field("query"), Field("qtype_name")], queries)),
    field("dns.answers", "", With(ANSWERS, records)),
    field("dns.authorities", "", With(AUTHORITIES, records)),
    field("dns.additionals", "", With(ADDITIONALS, records)),
    field("dns.grouped", "", Missing("answers stand once, in `answers`")),
];

const ANSWERS: &[Source] = &[Field("answers"), Field("answer_names"), Field("answer_types"), Field("ttls")];
const AUTHORITIES: &[Source] = &[Field("auth"), Field("auth_names"), Field("auth_types"), Field("auth_ttls")];
const ADDITIONALS: &[Source] = &[Field("addl"), Field("addl_names"), Field("addl_types"), Field("addl_ttls")];

/// Names of record types (IANA dns-parameters).
const TYPES: &[(u64, &str)] = &[
    (1, "A"),
    (2, "NS"),
    (5, "CNAME"),
    (6, "SOA"),
    (12, "PTR"),
    (13, "HINFO"),
    (15, "MX"),
    (16, "TXT"),
    (28, "AAAA"),
    (33, "SRV"),
    (35, "NAPTR"),
    (39, "DNAME"),
    (41, "OPT"),
    (43, "DS"),
    (46, "RRSIG"),
    (47, "NSEC"),
    (48, "DNSKEY"),
    (50, "NSEC3"),
    (64, "SVCB"),
    (65, "HTTPS"),
    (257, "CAA"),
];

fn queries(values: &[Value<'_>], cell: &mut Cell<'_>) {
    let [query @ Value::Text(_), qtype] = values else { return };
    cell.out.extend_from_slice(b"[{");
    member(cell, "rrname", *query);
    member(cell, "rrtype", *qtype);
    cell.out.extend_from_slice(b"}]");
}

/// Data, owner names, types and times to live of records.
fn records(values: &[Value<'_>], cell: &mut Cell<'_>) {
    let [Value::List(data, from, to), names, types, ttls] = values else { return };
    if from == to {
        return;
    }
    cell.out.push(b'[');
    for (i, row) in (*from..*to).enumerate() {
        cell.out.extend_from_slice(if i > 0 { b",{" } else { b"{" });
        member(cell, "rrname", element(*names, i));
        if let Value::U64(code) = element(*types, i) {
            json_key(cell.out, "rrtype");
            match TYPES.iter().find(|(c, _)| *c == code) {
                Some((_, name)) => cell.text(name),
                None => cell.text(&["TYPE", itoa::Buffer::new().format(code)].concat()),
            }
        }
        if let Value::F64(ttl) = element(*ttls, i) {
            json_key(cell.out, "ttl");
            cell.uint(ttl as u64);
        }
        member(cell, "rdata", data.value(row));
        cell.out.push(b'}');
    }
    cell.out.push(b']');
}

/// The header's second word in hexadecimal (RFC 1035 §4.1.1).
fn flags(values: &[Value<'_>], cell: &mut Cell<'_>) {
    if let [Value::U64(flags)] = values {
        text::quoted(cell.out, |out| text::hex_number(out, *flags));
    }
}

/// Written only where it is set, as Suricata does.
fn flag(values: &[Value<'_>], cell: &mut Cell<'_>, bit: u64) {
    if let [Value::U64(flags)] = values
        && flags & bit != 0
    {
        cell.bool(true);
    }
}

fn element(list: Value<'_>, i: usize) -> Value<'_> {
    match list {
        Value::List(column, from, to) if from + i < to => column.value(from + i),
        _ => Value::Null,
    }
}

/// Appends a member unless its value is null.
fn member(cell: &mut Cell<'_>, name: &str, value: Value<'_>) {
    if !matches!(value, Value::Null) {
        json_key(cell.out, name);
        cell.value(value);
    }
}
