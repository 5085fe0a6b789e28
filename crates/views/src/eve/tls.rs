//! `tls` events: one for each handshake.

use gwcore::Value;

use super::{End, Event};
use crate::bind::{
    Source::{Field, Missing, With},
    ViewField, When, field,
};
use crate::cell::Cell;

pub(super) static EVENT: Event = Event {
    event_type: "tls",
    kind: "tls",
    when: When::Always,
    source: End::Originator,
    delay: None,
    frame: None,
    fields: FIELDS,
};

const FIELDS: &[ViewField] = &[
    field("tls.sni", "", Field("server_name")),
    field("tls.version", "", With(&[Field("version")], version)),
    field("tls.subject", "", Field("subject")),
    field("tls.issuerdn", "", Field("issuer")),
    field("tls.serial", "", With(&[Field("serial")], colons)),
    field("tls.fingerprint", "", With(&[Field("cert_sha1")], colons)),
    field("tls.notbefore", "", With(&[Field("not_before")], moment)),
    field("tls.notafter", "", With(&[Field("not_after")], moment)),
    field("tls.subjectaltname", "", Field("san_dns")),
    field("tls.client_alpns", "", Field("client_alpns")),
    field("tls.session_resumed", "", With(&[Field("resumed")], resumed)),
    field("tls.ja3.hash", "", Field("ja3")),
    field("tls.ja3.string", "", Missing("the hash is kept")),
    field("tls.ja3s.hash", "", Field("ja3s")),
    field("tls.ja3s.string", "", Missing("the hash is kept")),
    field("tls.ja4", "", Field("ja4")),
    field("tls.certificate", "", Missing("certificates are not stored")),
    field("tls.chain", "", Missing("certificates are not stored")),
];

/// Suricata's spelling: `TLS 1.2` for Zeek's `TLSv12`.
fn version(values: &[Value<'_>], cell: &mut Cell<'_>) {
    let [Value::Text(v)] = values else { return };
    cell.text(match *v {
        "SSLv2" => "SSLv2",
        "SSLv3" => "SSLv3",
        "TLSv10" => "TLSv1",
        "TLSv11" => "TLS 1.1",
        "TLSv12" => "TLS 1.2",
        "TLSv13" => "TLS 1.3",
        other => other,
    });
}

/// `0A:1B:…` of hexadecimal.
fn colons(values: &[Value<'_>], cell: &mut Cell<'_>) {
    let [Value::Text(hex)] = values else { return };
    let digits = hex.bytes().map(|b| char::from(b.to_ascii_uppercase()));
    let mut text = String::with_capacity(hex.len() * 3 / 2);
    // Groups of two count from the end: a serial may have an odd number of digits.
    for (i, digit) in digits.enumerate() {
        if i > 0 && (hex.len() - i) % 2 == 0 {
            text.push(':');
        }
        text.push(digit);
    }
    cell.text(&text);
}

/// Suricata's form without fraction and zone: `2017-07-14T02:40:00`.
fn moment(values: &[Value<'_>], cell: &mut Cell<'_>) {
    let [Value::Ts(ts)] = values else { return };
    let text = ts.to_string();
    cell.text(text.split('.').next().unwrap_or(&text));
}

/// Written only where it is so, as Suricata does.
fn resumed(values: &[Value<'_>], cell: &mut Cell<'_>) {
    if let [Value::Bool(true)] = values {
        cell.bool(true);
    }
}
