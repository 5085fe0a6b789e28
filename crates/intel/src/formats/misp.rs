//! MISP: events as exported or in a static feed, and the answers of `restSearch`.

use gwcore::Ts;
use serde_json::Value;

use crate::load::Into_;
use crate::pattern::{Use, parse, reduce};
use crate::store::{New, Tlp};
use crate::value::Kind;

/// What `events/restSearch` and `attributes/restSearch` answer.
pub(crate) fn response(value: &Value, to: &mut Into_<'_>) {
    match value {
        Value::Array(list) => list.iter().filter_map(|e| e.get("Event")).for_each(|e| event(e, to)),
        Value::Object(o) => {
            for attribute in o.get("Attribute").and_then(Value::as_array).into_iter().flatten() {
                let event = attribute.get("Event").unwrap_or(&Value::Null);
                one(attribute, &About::of(event), to);
            }
        }
        _ => {}
    }
}

/// One event with its attributes and those of its objects.
pub(crate) fn event(value: &Value, to: &mut Into_<'_>) {
    let about = About::of(value);
    let list = |v: &'_ Value, key: &str| v.get(key).and_then(Value::as_array).cloned().unwrap_or_default();
    for attribute in list(value, "Attribute") {
        one(&attribute, &about, to);
    }
    for object in list(value, "Object") {
        for attribute in list(&object, "Attribute") {
            one(&attribute, &about, to);
        }
    }
}

/// What an event says of all its attributes.
struct About {
    source: String,
    info: String,
    tlp: Tlp,
    confidence: Option<u8>,
}

impl About {
    fn of(event: &Value) -> About {
        let text = |p: &str| event.pointer(p).and_then(Value::as_str).unwrap_or_default();
        let level = match text("/threat_level_id") {
            "1" => Some(75),
            "2" => Some(50),
            "3" => Some(30),
            _ => None,
        };
        let org = [text("/Orgc/name"), text("/Org/name")].into_iter().find(|t| !t.is_empty()).unwrap_or("MISP");
        About { source: org.to_owned(), info: text("/info").to_owned(), tlp: tlp(event), confidence: level }
    }
}

fn tlp(value: &Value) -> Tlp {
    let tags = value.get("Tag").and_then(Value::as_array).into_iter().flatten();
    tags.filter_map(|t| t.get("name").and_then(Value::as_str)).filter_map(Tlp::parse).max().unwrap_or_default()
}

/// MISP writes numbers and truths as text as often as not.
fn is_true(value: Option<&Value>) -> bool {
    matches!(value, Some(Value::Bool(true))) || value.is_some_and(|v| v == "1" || v == 1)
}

fn one(a: &Value, about: &About, to: &mut Into_<'_>) {
    let text = |key: &str| a.get(key).and_then(Value::as_str).unwrap_or_default();
    let (ty, value) = (text("type"), text("value"));
    if is_true(a.get("deleted")) {
        return to.report.refuse(None, value, "deleted by its source", false);
    }
    if !is_true(a.get("to_ids")) {
        return to.report.refuse(None, value, "not for detection (to_ids is false)", false);
    }
    let decay = a.pointer("/decay_score/0/score").and_then(Value::as_f64).map(|s| s.clamp(0.0, 100.0) as u8);
    if a.pointer("/decay_score/0/decayed").and_then(Value::as_bool) == Some(true) {
        return to.report.refuse(None, value, "decayed, says its source", false);
    }
    let label = match text("comment") {
        "" => about.info.clone(),
        comment => format!("{}: {comment}", about.info),
    };
    let new = New {
        id: text("uuid"),
        source: &about.source,
        label: &label,
        confidence: decay.or(about.confidence),
        tlp: tlp(a).max(about.tlp),
        from: a.get("first_seen").and_then(Value::as_str).and_then(super::moment),
        until: None::<Ts>,
        with_subdomains: matches!(ty, "domain" | "domain|ip"),
        port: 0,
    };
    let (first, second) = value.split_once('|').unwrap_or((value, ""));
    let mut add = |kind, value: &str, port| to.add(None, kind, value, &New { port, ..new });
    let address = |v: &str| if v.contains('/') { Kind::Network } else { Kind::Address };
    match ty {
        "ip-src" | "ip-dst" => add(address(value), value, 0),
        "ip-src|port" | "ip-dst|port" => match second.parse() {
            Ok(port) => add(address(first), first, port),
            Err(_) => to.report.refuse(None, value, "no port after the address", false),
        },
        "domain" | "hostname" => add(Kind::Domain, value, 0),
        "domain|ip" => {
            add(Kind::Domain, first, 0);
            add(address(second), second, 0);
        }
        "hostname|port" => add(Kind::Domain, first, 0),
        "url" | "link" => add(Kind::Url, value, 0),
        "md5" => add(Kind::Md5, value, 0),
        "sha1" => add(Kind::Sha1, value, 0),
        "sha256" => add(Kind::Sha256, value, 0),
        "filename|md5" => add(Kind::Md5, second, 0),
        "filename|sha1" => add(Kind::Sha1, second, 0),
        "filename|sha256" => add(Kind::Sha256, second, 0),
        "x509-fingerprint-sha1" => add(Kind::CertSha1, value, 0),
        "x509-fingerprint-sha256" => add(Kind::CertSha256, value, 0),
        "ja3-fingerprint-md5" => add(Kind::Ja3, value, 0),
        "user-agent" => add(Kind::UserAgent, value, 0),
        "email" | "email-src" | "email-dst" => add(Kind::Email, value, 0),
        "filename" => add(Kind::FileName, value, 0),
        "stix2-pattern" => pattern(value, &new, to),
        other => to.report.refuse(None, value, format!("type `{other}` is in no record of the network"), false),
    }
}

fn pattern(text: &str, new: &New<'_>, to: &mut Into_<'_>) {
    let mut reasons = Vec::new();
    match parse(text).map(|p| reduce(p, &mut reasons)) {
        Ok(Use::Values(values)) => values.iter().for_each(|(kind, v)| to.add(None, *kind, v, new)),
        Ok(_) => to.report.refuse(None, text, "a pattern in MISP that is no list of values", false),
        Err(e) => to.report.refuse(None, text, e.to_string(), false),
    }
}
