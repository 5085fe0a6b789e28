//! Objects of STIX 2.0 and 2.1: indicators; everything else is context and counted by type.

use std::collections::HashMap;
use std::sync::Arc;

use gwcore::time::parse_rfc3339;
use serde_json::Value;

use crate::load::Into_;
use crate::pattern::{Pattern, Use, parse, reduce};
use crate::store::{New, Tlp};

/// Marks and names that indicators refer to; only what stands before an indicator in the file is known when it is read.
#[derive(Default)]
pub(crate) struct Marks {
    tlp: HashMap<String, Tlp>,
    names: HashMap<String, String>,
}

/// Ids of the TLP marks that never change (STIX 2.1 §7.2.1.4 for TLP 1, the extension of TLP 2.0 for the rest).
const FIXED: &[(&str, Tlp)] = &[
    ("marking-definition--613f2e26-407d-48c7-9eca-b8e91df99dc9", Tlp::Clear),
    ("marking-definition--34098fce-860f-48ae-8e50-ebd3cc5e41da", Tlp::Green),
    ("marking-definition--f88d31f6-486f-44da-b317-01333bde0b82", Tlp::Amber),
    ("marking-definition--5e57c739-391a-4eb3-b6be-7d15ca92d5ed", Tlp::Red),
];

/// Most marks and names kept.
const MOST: usize = 65_536;

pub(crate) fn object(value: &Value, marks: &mut Marks, to: &mut Into_<'_>) {
    let text = |key: &str| value.get(key).and_then(Value::as_str).unwrap_or_default();
    match text("type") {
        "indicator" => indicator(value, marks, to),
        "marking-definition" => {
            let colour = value.pointer("/definition/tlp").and_then(Value::as_str).unwrap_or_else(|| text("name"));
            if let (Some(tlp), true) = (Tlp::parse(colour), marks.tlp.len() < MOST) {
                marks.tlp.insert(text("id").to_owned(), tlp);
            }
            *to.report.context.entry("marking-definition".into()).or_default() += 1;
        }
        other => {
            if other == "identity" && marks.names.len() < MOST {
                marks.names.insert(text("id").to_owned(), text("name").to_owned());
            }
            let other = if other.is_empty() { "object without a type" } else { other };
            let context = &mut to.report.context;
            if context.len() < 256 || context.contains_key(other) {
                *context.entry(other.chars().take(64).collect()).or_default() += 1;
            }
        }
    }
}

fn indicator(value: &Value, marks: &Marks, to: &mut Into_<'_>) {
    let text = |key: &str| value.get(key).and_then(Value::as_str).unwrap_or_default();
    let (id, pattern) = (text("id"), text("pattern"));
    let kind = if text("pattern_type").is_empty() { "stix" } else { text("pattern_type") };
    if value.get("revoked").and_then(Value::as_bool) == Some(true) {
        return to.report.refuse(None, id, "revoked by its source", false);
    }
    if kind != "stix" {
        return to.report.refuse(None, id, format!("a pattern of type `{kind}` is no STIX pattern"), false);
    }
    let types = value.get("indicator_types").or_else(|| value.get("labels")).and_then(Value::as_array);
    if types.is_some_and(|t| !t.is_empty() && t.iter().all(|t| t == "benign")) {
        return to.report.refuse(None, id, "its source calls it benign", false);
    }
    let refs = value.get("object_marking_refs").and_then(Value::as_array);
    let mark = |id: &str| FIXED.iter().find(|f| f.0 == id).map(|f| f.1).or_else(|| marks.tlp.get(id).copied());
    let tlp = refs.into_iter().flatten().filter_map(Value::as_str).filter_map(mark).max().unwrap_or_default();
    let source = marks.names.get(text("created_by_ref")).map_or("STIX", String::as_str);
    let label = if text("name").is_empty() { text("description") } else { text("name") };
    let new = New {
        id,
        source,
        label,
        confidence: value.get("confidence").and_then(Value::as_u64).map(|c| c.min(100) as u8),
        tlp,
        from: parse_rfc3339(text("valid_from")),
        until: parse_rfc3339(text("valid_until")),
        with_subdomains: false,
        port: 0,
    };
    // By far the most common form is read without the parser: a million of them should load in seconds.
    if let Some((kind, plain)) = plain(pattern) {
        return to.add(None, kind, plain, &new);
    }
    let parsed = match parse(pattern) {
        Ok(parsed) => parsed,
        Err(e) => return to.report.refuse(None, pattern, format!("pattern of {id}: {e}"), false),
    };
    let mut reasons = Vec::new();
    let used = reduce(parsed, &mut reasons);
    let in_part = !matches!(used, Use::Nothing);
    reasons.sort();
    reasons.dedup();
    for reason in reasons {
        to.report.refuse(None, &format!("{id} {pattern}"), reason, in_part);
    }
    match used {
        Use::Nothing => {}
        Use::Values(values) => values.iter().for_each(|(kind, text)| to.add(None, *kind, text, &new)),
        Use::Evaluate(parsed) => {
            if to.patterns.len() >= 4_096 {
                return to.report.refuse(None, pattern, "more than 4,096 patterns that are no values", false);
            }
            to.report.patterns += 1;
            to.patterns.push(Pattern {
                text: pattern.chars().take(1_024).collect(),
                id: id.to_owned(),
                source: source.to_owned(),
                label: label.chars().take(256).collect(),
                confidence: new.confidence,
                tlp,
                from: new.from,
                until: new.until,
                parsed: Arc::new(parsed),
            });
        }
    }
}

/// `[ipv4-addr:value = '…']` and its like without escapes.
fn plain(pattern: &str) -> Option<(crate::Kind, &str)> {
    let inner = pattern.trim().strip_prefix('[')?.strip_suffix(']')?.trim();
    let (path, rest) = inner.split_once('=')?;
    let value = rest.trim().strip_prefix('\'')?.strip_suffix('\'')?;
    if value.contains(['\'', '\\']) {
        return None;
    }
    let kind = match path.trim_end() {
        "ipv4-addr:value" | "ipv6-addr:value" if value.contains('/') => crate::Kind::Network,
        "ipv4-addr:value" | "ipv6-addr:value" => crate::Kind::Address,
        "domain-name:value" => crate::Kind::Domain,
        "url:value" => crate::Kind::Url,
        "file:hashes.MD5" | "file:hashes.'MD5'" => crate::Kind::Md5,
        "file:hashes.'SHA-1'" => crate::Kind::Sha1,
        "file:hashes.'SHA-256'" => crate::Kind::Sha256,
        _ => return None,
    };
    Some((kind, value))
}
