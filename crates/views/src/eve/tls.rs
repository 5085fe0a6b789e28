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
    field("tls.subject", "", With(&[Field("subject")], name)),
    field("tls.issuerdn", "", With(&[Field("issuer")], name)),
    field("tls.serial", "", With(&[Field("serial")], serial)),
    field("tls.fingerprint", "", With(&[Field("cert_sha1")], fingerprint)),
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

/// Suricata's spelling: `TLS 1.2` for Zeek's `TLSv12`, `TLS 1.3 draft-19` for `TLSv13-draft19`.
fn version(values: &[Value<'_>], cell: &mut Cell<'_>) {
    let [Value::Text(v)] = values else { return };
    let name = match *v {
        "TLSv10" => "TLSv1",
        "TLSv11" => "TLS 1.1",
        "TLSv12" => "TLS 1.2",
        "TLSv13" => "TLS 1.3",
        other => match other.strip_prefix("TLSv13-draft") {
            // Suricata tells the drafts before 16 not apart.
            Some(draft) if draft.parse::<u8>().is_ok_and(|d| d < 16) => "TLS 1.3 draft-<16",
            Some(draft) => return cell.text(&["TLS 1.3 draft-", draft].concat()),
            None => other,
        },
    };
    cell.text(name);
}

/// `0a:1b:…` of hexadecimal, in lower case.
fn fingerprint(values: &[Value<'_>], cell: &mut Cell<'_>) {
    let [Value::Text(hex)] = values else { return };
    cell.text(&colons(&hex.to_ascii_lowercase()));
}

/// `0A:1B:…` of the serial number's DER octets: a number with its highest bit set has a zero octet before it.
fn serial(values: &[Value<'_>], cell: &mut Cell<'_>) {
    let [Value::Text(hex)] = values else { return };
    let mut octets = hex.to_ascii_uppercase();
    if octets.len() % 2 == 1 {
        octets.insert(0, '0');
    }
    if matches!(octets.bytes().next(), Some(b'8'..=b'9' | b'A'..=b'F')) {
        octets.insert_str(0, "00");
    }
    cell.text(&colons(&octets));
}

fn colons(octets: &str) -> String {
    let mut text = String::with_capacity(octets.len() * 3 / 2);
    for (i, digit) in octets.chars().enumerate() {
        if i > 0 && i % 2 == 0 {
            text.push(':');
        }
        text.push(digit);
    }
    text
}

/// Suricata's names of attributes where they differ from those of RFC 4519 and RFC 2985.
const ATTRIBUTES: &[(&str, &str)] = &[
    ("emailAddress", "Email"),
    ("street", "streetAddress"),
    ("jurisdictionL", "msJurisdictionLocality"),
    ("jurisdictionST", "msJurisdictionStateOrProvince"),
    ("jurisdictionC", "msJurisdictionCountry"),
];

/// `C=US, O=Plant, CN=rtu` of `CN=rtu,O=Plant,C=US` (RFC 4514): from the top, without escapes.
fn name(values: &[Value<'_>], cell: &mut Cell<'_>) {
    let [Value::Text(name)] = values else { return };
    let mut parts = vec![String::new()];
    let mut escaped = false;
    for c in name.chars() {
        match (c, parts.last_mut()) {
            ('\\', _) if !escaped => escaped = true,
            (',', _) if !escaped => parts.push(String::new()),
            (c, Some(part)) => {
                part.push(c);
                escaped = false;
            }
            _ => {}
        }
    }
    for part in &mut parts {
        if let Some((short, value)) = part.split_once('=')
            && let Some((_, theirs)) = ATTRIBUTES.iter().find(|(ours, _)| *ours == short)
        {
            *part = [theirs, "=", value].concat();
        }
    }
    parts.reverse();
    cell.text(&parts.join(", "));
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

#[cfg(test)]
mod tests {
    use super::super::shown;
    use super::*;

    #[test]
    fn texts_are_spelled_as_suricata_spells_them() {
        let check = |write: crate::bind::Write, text: &str, expect: &str| {
            assert_eq!(shown(write, &[Value::Text(text)]), expect, "{text}");
        };
        check(version, "TLSv12", r#""TLS 1.2""#);
        check(version, "TLSv10", r#""TLSv1""#);
        check(version, "TLSv13-draft19", r#""TLS 1.3 draft-19""#);
        check(version, "TLSv13-draft16", r#""TLS 1.3 draft-16""#);
        check(version, "TLSv13-draft14", r#""TLS 1.3 draft-<16""#);
        check(version, "0x7e01", r#""0x7e01""#);
        check(fingerprint, "DCCE40", r#""dc:ce:40""#);
        check(serial, "7F01", r#""7F:01""#);
        check(serial, "80ff", r#""00:80:FF""#);
        check(serial, "f01", r#""0F:01""#);
        check(serial, "", r#""""#);
        check(name, "CN=rtu,O=Plant,C=US", r#""C=US, O=Plant, CN=rtu""#);
        check(name, r"emailAddress=a@b.c,O=One\, Two,C=US", r#""C=US, O=One, Two, Email=a@b.c""#);
        check(name, "street=Way 1,jurisdictionC=US", r#""msJurisdictionCountry=US, streetAddress=Way 1""#);
        check(name, r"CN=a\\,O=b", r#""O=b, CN=a\\""#);
    }
}
