//! dns.log of Zeek 8.

use super::{HEAD, Log};
use crate::bind::{
    Common,
    Source::{Common as C, Field},
    ViewField, When, field,
};

pub(super) static LOG: Log =
    Log { path: "dns", origin: "Zeek 8", kind: "dns", when: When::Always, fields: &[HEAD, FIELDS] };

const FIELDS: &[ViewField] = &[
    field("proto", "enum", C(Common::Proto)),
    field("trans_id", "count", Field("trans_id")),
    field("rtt", "interval", Field("rtt")),
    field("query", "string", Field("query")),
    field("qclass", "count", Field("qclass")),
    field("qclass_name", "string", Field("qclass_name")),
    field("qtype", "count", Field("qtype")),
    field("qtype_name", "string", Field("qtype_name")),
    field("rcode", "count", Field("rcode")),
    field("rcode_name", "string", Field("rcode_name")),
    field("AA", "bool", Field("aa")),
    field("TC", "bool", Field("tc")),
    field("RD", "bool", Field("rd")),
    field("RA", "bool", Field("ra")),
    field("Z", "count", Field("z")),
    field("answers", "vector[string]", Field("answers")),
    field("TTLs", "vector[interval]", Field("ttls")),
    field("rejected", "bool", Field("rejected")),
    field("opcode", "count", Field("opcode")),
    field("opcode_name", "string", Field("opcode_name")),
    field("auth", "vector[string]", Field("auth")),
    field("addl", "vector[string]", Field("addl")),
];
