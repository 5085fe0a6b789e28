//! Elastic Common Schema 9 (`specs/ecs.md`): a finding as a document of `event.kind: alert` for a data stream.

use respond::{Finding, Party};
use serde_json::{Map, Value, json};

use respond::attack_table::technique;

use crate::event::{Sender, observed, revision_id, score, transport};

/// Version of the schema that the documents say they follow.
pub const VERSION: &str = "9.4.0";

/// The document; `_id` is the revision.
pub fn document(f: &Finding, sender: &Sender, dataset: &str, namespace: &str) -> Value {
    let mut doc = Map::new();
    doc.insert("@timestamp".to_owned(), json!(f.ts.to_string()));
    doc.insert("ecs".to_owned(), json!({ "version": VERSION }));
    doc.insert("message".to_owned(), json!(f.why));
    doc.insert("data_stream".to_owned(), json!({ "type": "logs", "dataset": dataset, "namespace": namespace }));
    let mut event = json!({
        "id": revision_id(f), "kind": "alert", "category": ["intrusion_detection", "network"], "type": ["info"],
        "action": f.detector, "dataset": dataset, "module": "gridwarden", "provider": "gridwarden",
        "severity": score(f.severity), "risk_score": f64::from(score(f.severity)),
        "start": f.ts.to_string(), "end": f.ts_end.to_string(), "created": f.raised.to_string(),
        "duration": f.ts_end.since(f.ts).max(0), "reason": f.why, "outcome": "unknown",
    });
    if let Some(link) = sender.link(&f.id) {
        event["url"] = json!(link);
    }
    doc.insert("event".to_owned(), event);
    doc.insert(
        "rule".to_owned(),
        json!({ "id": f.detector, "name": f.title, "category": f.detector, "ruleset": "gridwarden" }),
    );
    let known: Vec<_> =
        f.attack.iter().filter_map(|id| technique(id).map(|(name, tactic)| (id, name, tactic))).collect();
    if !known.is_empty() {
        let mut tactics: Vec<_> = known.iter().map(|(_, _, t)| *t).collect();
        tactics.sort();
        tactics.dedup();
        doc.insert(
            "threat".to_owned(),
            json!({
                "framework": "MITRE ATT&CK",
                "technique": { "id": known.iter().map(|k| k.0).collect::<Vec<_>>(), "name": known.iter().map(|k| k.1).collect::<Vec<_>>() },
                "tactic": { "id": tactics.iter().map(|t| t.named().0).collect::<Vec<_>>(), "name": tactics.iter().map(|t| t.named().1).collect::<Vec<_>>() },
            }),
        );
    }
    for (party, side) in [(&f.src, "source"), (&f.dst, "destination")] {
        if let Some(value) = endpoint(party) {
            doc.insert(side.to_owned(), value);
        }
    }
    let mut network = Map::new();
    if let Some(transport) = transport(f) {
        network.insert("transport".to_owned(), json!(transport));
    }
    if !f.proto.is_empty() {
        network.insert("protocol".to_owned(), json!(f.proto.to_lowercase()));
    }
    if let Some(id) = f.raw.get("community_id").and_then(Value::as_str) {
        network.insert("community_id".to_owned(), json!(id));
    }
    if let Some(ip) = f.src.ip.as_deref().or(f.dst.ip.as_deref()) {
        network.insert("type".to_owned(), json!(if ip.contains(':') { "ipv6" } else { "ipv4" }));
    }
    if !network.is_empty() {
        doc.insert("network".to_owned(), Value::Object(network));
    }
    doc.insert(
        "observer".to_owned(),
        json!({ "type": "ndr", "vendor": "Gridwarden", "product": "Gridwarden", "version": sender.version, "name": sender.host }),
    );
    let parties = [&f.src, &f.dst];
    let list = |get: fn(&Party) -> Option<&String>| -> Vec<&String> { parties.iter().filter_map(|p| get(p)).collect() };
    let mut related = Map::new();
    for (name, values) in
        [("ip", list(|p| p.ip.as_ref())), ("hosts", list(|p| p.name.as_ref())), ("user", list(|p| p.user.as_ref()))]
    {
        if !values.is_empty() {
            related.insert(name.to_owned(), json!(values));
        }
    }
    if !related.is_empty() {
        doc.insert("related".to_owned(), Value::Object(related));
    }
    doc.insert(
        "gridwarden".to_owned(),
        json!({
            "finding": { "id": f.id, "revision": f.rev, "count": f.count, "severity": f.severity.name(), "uids": f.uids,
                "observed": observed(f), "source_asset": f.src.asset, "destination_asset": f.dst.asset },
        }),
    );
    Value::Object(doc)
}

fn endpoint(party: &Party) -> Option<Value> {
    let mut out = Map::new();
    if let Some(address) = party.ip.as_ref().or(party.mac.as_ref()).or(party.name.as_ref()) {
        out.insert("address".to_owned(), json!(address));
    }
    if let Some(ip) = &party.ip {
        out.insert("ip".to_owned(), json!(ip));
    }
    if let Some(port) = party.port {
        out.insert("port".to_owned(), json!(port));
    }
    if let Some(mac) = &party.mac {
        // The schema's own form: upper case with dashes.
        out.insert("mac".to_owned(), json!(mac.to_uppercase().replace(':', "-")));
    }
    if let Some(name) = &party.name {
        out.insert("domain".to_owned(), json!(name));
    }
    if let Some(user) = &party.user {
        out.insert("user".to_owned(), json!({ "name": user }));
    }
    (!out.is_empty()).then_some(Value::Object(out))
}
