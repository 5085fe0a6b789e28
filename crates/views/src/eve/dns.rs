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
    field("dns.queries", "", With(&[Field("query"), Field("qtype")], queries)),
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
    field("dns.rcode", "", With(&[Field("response_flags")], rcode)),
    field("dns.queries", "", With(&[Field("query"), Field("qtype")], queries)),
    field("dns.answers", "", With(ANSWERS, records)),
    field("dns.authorities", "", With(AUTHORITIES, records)),
    field("dns.additionals", "", With(ADDITIONALS, records)),
    field("dns.grouped", "", Missing("answers stand once, in `answers`")),
];

const ANSWERS: &[Source] = &[Field("answers"), Field("answer_names"), Field("answer_types"), Field("ttls")];
const AUTHORITIES: &[Source] = &[Field("auth"), Field("auth_names"), Field("auth_types"), Field("auth_ttls")];
const ADDITIONALS: &[Source] = &[Field("addl"), Field("addl_names"), Field("addl_types"), Field("addl_ttls")];

/// Suricata's names of record types (IANA dns-parameters); it writes the number of all others.
const TYPES: &[(u64, &str)] = &[
    (1, "A"),
    (2, "NS"),
    (3, "MD"),
    (4, "MF"),
    (5, "CNAME"),
    (6, "SOA"),
    (7, "MB"),
    (8, "MG"),
    (9, "MR"),
    (10, "NULL"),
    (11, "WKS"),
    (12, "PTR"),
    (13, "HINFO"),
    (14, "MINFO"),
    (15, "MX"),
    (16, "TXT"),
    (17, "RP"),
    (18, "AFSDB"),
    (19, "X25"),
    (20, "ISDN"),
    (21, "RT"),
    (22, "NSAP"),
    (23, "NSAPPTR"),
    (24, "SIG"),
    (25, "KEY"),
    (26, "PX"),
    (27, "GPOS"),
    (28, "AAAA"),
    (29, "LOC"),
    (30, "NXT"),
    (33, "SRV"),
    (34, "ATMA"),
    (35, "NAPTR"),
    (36, "KX"),
    (37, "CERT"),
    (38, "A6"),
    (39, "DNAME"),
    (41, "OPT"),
    (42, "APL"),
    (43, "DS"),
    (44, "SSHFP"),
    (45, "IPSECKEY"),
    (46, "RRSIG"),
    (47, "NSEC"),
    (48, "DNSKEY"),
    (49, "DHCID"),
    (50, "NSEC3"),
    (51, "NSEC3PARAM"),
    (52, "TLSA"),
    (55, "HIP"),
    (59, "CDS"),
    (60, "CDNSKEY"),
    (65, "HTTPS"),
    (99, "SPF"),
    (249, "TKEY"),
    (250, "TSIG"),
    (254, "MAILA"),
    (255, "ANY"),
    (256, "URI"),
];

fn queries(values: &[Value<'_>], cell: &mut Cell<'_>) {
    let [Value::Text(query), qtype] = values else { return };
    cell.out.extend_from_slice(b"[{");
    member(cell, "rrname", Value::Text(without_root(query)));
    rrtype(*qtype, cell);
    cell.out.extend_from_slice(b"}]");
}

fn rrtype(code: Value<'_>, cell: &mut Cell<'_>) {
    let Value::U64(code) = code else { return };
    json_key(cell.out, "rrtype");
    match TYPES.iter().find(|(c, _)| *c == code) {
        Some((_, name)) => cell.text(name),
        None => cell.text(itoa::Buffer::new().format(code)),
    }
}

/// The root has an empty name at Suricata.
fn without_root(name: &str) -> &str {
    if name == "." { "" } else { name }
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
        if let Value::Text(name) = element(*names, i) {
            member(cell, "rrname", Value::Text(without_root(name)));
        }
        let code = element(*types, i);
        rrtype(code, cell);
        if let Value::F64(ttl) = element(*ttls, i) {
            json_key(cell.out, "ttl");
            cell.uint(ttl as u64);
        }
        record_data(code, data.value(row), cell);
        cell.out.push(b'}');
    }
    cell.out.push(b']');
}

/// What a record says; of SOA and SRV the record keeps the name alone.
fn record_data(code: Value<'_>, data: Value<'_>, cell: &mut Cell<'_>) {
    let Value::Text(text) = data else { return };
    match code {
        Value::U64(6) => nested(cell, "soa", "mname", text),
        Value::U64(33) => nested(cell, "srv", "name", text),
        Value::U64(28) => {
            json_key(cell.out, "rdata");
            match text.parse::<std::net::Ipv6Addr>() {
                Ok(v6) => text::quoted(cell.out, |out| text::long_addr(out, gwcore::Addr(v6.octets()))),
                Err(_) => cell.text(text),
            }
        }
        Value::U64(16) => member(cell, "rdata", Value::Text(only_string(text).unwrap_or(text))),
        _ if text.starts_with("<unknown type=") => {}
        _ => member(cell, "rdata", data),
    }
}

/// The string of `TXT 5 v=a b`, Zeek's form, where there is only one.
fn only_string(text: &str) -> Option<&str> {
    let (length, string) = text.strip_prefix("TXT ")?.split_once(' ')?;
    (length.parse() == Ok(string.len())).then_some(string)
}

fn nested(cell: &mut Cell<'_>, object: &str, name: &str, value: &str) {
    json_key(cell.out, object);
    cell.out.push(b'{');
    member(cell, name, Value::Text(without_root(value)));
    cell.out.push(b'}');
}

/// The header's four bits; extended codes (RFC 6891) are not Suricata's.
fn rcode(values: &[Value<'_>], cell: &mut Cell<'_>) {
    let [Value::U64(flags)] = values else { return };
    let code = flags & 15;
    match RCODES.get(code as usize) {
        Some(name) => cell.text(name),
        None => cell.text(itoa::Buffer::new().format(code)),
    }
}

/// Suricata's names of response codes from 0 on (IANA dns-parameters).
const RCODES: &[&str] = &[
    "NOERROR", "FORMERR", "SERVFAIL", "NXDOMAIN", "NOTIMP", "REFUSED", "YXDOMAIN", "YXRRSET", "NXRRSET", "NOTAUTH",
    "NOTZONE",
];

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

#[cfg(test)]
mod tests {
    use super::super::shown;
    use super::*;

    #[test]
    fn names_of_types_and_codes() {
        let query = |name, qtype| shown(queries, &[Value::Text(name), Value::U64(qtype)]);
        assert_eq!(query("a.b", 255), r#"[{"rrname":"a.b","rrtype":"ANY"}]"#);
        assert_eq!(query("a.b", 257), r#"[{"rrname":"a.b","rrtype":"257"}]"#);
        assert_eq!(query(".", 2), r#"[{"rrname":"","rrtype":"NS"}]"#);
        assert_eq!(shown(rcode, &[Value::U64(0x8183)]), r#""NXDOMAIN""#);
        assert_eq!(shown(rcode, &[Value::U64(0x818b)]), r#""11""#);
    }

    #[test]
    fn addresses_are_written_in_full() {
        let data = |code, text| {
            let write: crate::bind::Write = |v, cell| record_data(v[0], v[1], cell);
            shown(write, &[Value::U64(code), Value::Text(text)]).trim_start_matches(',').to_owned()
        };
        assert_eq!(data(28, "2001:db8::1"), r#""rdata":"2001:0db8:0000:0000:0000:0000:0000:0001""#);
        assert_eq!(data(28, "odd"), r#""rdata":"odd""#);
        assert_eq!(data(6, "ns.x"), r#""soa":{"mname":"ns.x"}"#);
        assert_eq!(data(16, "TXT 5 v=a b"), r#""rdata":"v=a b""#);
        assert_eq!(data(16, "TXT 4 v=a TXT 1 b"), r#""rdata":"TXT 4 v=a TXT 1 b""#);
        assert_eq!(data(10, "<unknown type=10>"), "");
    }
}
