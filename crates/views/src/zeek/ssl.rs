//! ssl.log of Zeek 8, from the `tls` kind.

use super::{HEAD, Log};
use crate::bind::{
    Source::{Field, Missing},
    ViewField, When, field,
};

pub(super) static LOG: Log =
    Log { path: "ssl", origin: "Zeek 8", kind: "tls", when: When::Always, fields: &[HEAD, FIELDS] };

const FIELDS: &[ViewField] = &[
    field("version", "string", Field("version")),
    field("cipher", "string", Field("cipher")),
    field("curve", "string", Field("curve")),
    field("server_name", "string", Field("server_name")),
    field("resumed", "bool", Field("resumed")),
    field("last_alert", "string", Field("last_alert")),
    field("next_protocol", "string", Field("next_protocol")),
    field("established", "bool", Field("established")),
    field("ssl_history", "string", Missing("kept as `established`, `resumed` and `last_alert`")),
    field("cert_chain_fps", "vector[string]", Field("cert_fps")),
    field("client_cert_chain_fps", "vector[string]", Missing("of the client's certificate the names are kept")),
    field("sni_matches_cert", "bool", Missing("names are not compared")),
    field("subject", "string", Field("subject")),
    field("issuer", "string", Field("issuer")),
    field("client_subject", "string", Field("client_subject")),
    field("client_issuer", "string", Field("client_issuer")),
    field("validation_status", "string", Missing("chains are not validated: no trust store below the console")),
    field("ja3", "string", Field("ja3")),
    field("ja3s", "string", Field("ja3s")),
    field("ja4", "string", Field("ja4")),
];
