//! OCSF 1.8.0 (`specs/ocsf.md`): a finding as Detection Finding (2004), a case as Incident Finding (2005).

use respond::attack_table::technique;
use respond::{Finding, Party};
use serde_json::{Map, Value, json};

use crate::event::{Sender, millis, revision_id, score, transport};

/// Version of the schema.
pub const VERSION: &str = "1.8.0";

/// Detection Finding. The first revision is a Create, later ones an Update.
pub fn detection(f: &Finding, sender: &Sender) -> Value {
    let activity = if f.rev <= 1 { 1 } else { 2 };
    let mut out = json!({
        "activity_id": activity, "category_uid": 2, "class_uid": 2004, "type_uid": 200_400 + activity,
        "time": millis(f.raised), "severity_id": severity_id(score(f.severity)), "status_id": 1, "is_alert": score(f.severity) >= 40,
        "message": f.why, "count": f.count.clamp(1, i32::MAX as u64),
        "start_time": millis(f.ts), "end_time": millis(f.ts_end),
        "metadata": { "version": VERSION, "uid": revision_id(f), "correlation_uid": f.id, "event_code": f.detector, "log_name": "gridwarden",
            "product": { "name": "Gridwarden", "vendor_name": "Gridwarden", "version": sender.version, "uid": sender.host },
            "profiles": ["security_control"] },
        "action_id": 1, "disposition_id": 15,
    });
    let attacks: Vec<Value> = f
        .attack
        .iter()
        .filter_map(|id| {
            let (name, tactic) = technique(id)?;
            let (uid, tactic) = tactic.named();
            let mut one = json!({ "tactic": { "uid": uid, "name": tactic }, "version": "19" });
            match (id.split_once('.'), name.rsplit_once(": ")) {
                (Some((parent, _)), Some((parent_name, own))) => {
                    one["technique"] = json!({ "uid": parent, "name": parent_name });
                    one["sub_technique"] = json!({ "uid": id, "name": own });
                }
                _ => one["technique"] = json!({ "uid": id, "name": name }),
            }
            Some(one)
        })
        .collect();
    let mut info = json!({
        "uid": f.id, "title": f.title, "desc": f.why, "types": [f.detector], "created_time": millis(f.raised),
        "first_seen_time": millis(f.ts), "last_seen_time": millis(f.ts_end), "data_sources": ["network"],
        "analytic": { "uid": f.detector, "name": f.detector, "type_id": analytic(f) },
    });
    if !attacks.is_empty() {
        info["attacks"] = Value::Array(attacks);
    }
    if let Some(link) = sender.link(&f.id) {
        info["src_url"] = json!(link);
    }
    out["finding_info"] = info;
    let mut evidence = Map::new();
    let mut observables = Vec::new();
    for (party, side) in [(&f.src, "src_endpoint"), (&f.dst, "dst_endpoint")] {
        if let Some(end) = endpoint(party) {
            evidence.insert(side.to_owned(), end);
        }
        for (value, type_id, part) in
            [(&party.ip, 2, "ip"), (&party.mac, 3, "mac"), (&party.name, 1, "hostname"), (&party.user, 4, "user")]
        {
            if let Some(value) = value {
                observables
                    .push(json!({ "name": format!("evidences[].{side}.{part}"), "type_id": type_id, "value": value }));
            }
        }
    }
    let mut connection = json!({ "direction_id": 0 });
    match transport(f) {
        Some("tcp") => connection["protocol_num"] = json!(6),
        Some("udp") => connection["protocol_num"] = json!(17),
        _ => {}
    }
    if let Some(id) = f.raw.get("community_id") {
        connection["community_uid"] = id.clone();
    }
    evidence.insert("connection_info".to_owned(), connection);
    if let Some(data) = f.raw.get("evidence") {
        evidence.insert("data".to_owned(), data.clone());
    }
    out["evidences"] = json!([evidence]);
    if !observables.is_empty() {
        out["observables"] = Value::Array(observables);
    }
    out["unmapped"] = json!({ "gridwarden": { "protocol": f.proto, "uids": f.uids, "revision": f.rev } });
    out
}

/// Severity of the schema for 0–100.
pub fn severity_id(score: u8) -> u8 {
    match score {
        0..20 => 1,
        20..40 => 2,
        40..70 => 3,
        70..90 => 4,
        _ => 5,
    }
}

/// What kind of method spoke: 1 rule, 2 behavioural, 3 statistical, 4 learning.
fn analytic(f: &Finding) -> u8 {
    match f.raw.get("basis").and_then(Value::as_str) {
        Some("decoded" | "declared" | "signature") => 1,
        Some("statistical") => 3,
        _ if f.raw.get("model").is_some_and(|m| !m.is_null()) => 4,
        _ => 2,
    }
}

fn endpoint(party: &Party) -> Option<Value> {
    let mut out = Map::new();
    for (key, value) in [("ip", &party.ip), ("mac", &party.mac), ("hostname", &party.name), ("uid", &party.asset)] {
        if let Some(value) = value {
            out.insert(key.to_owned(), json!(value));
        }
    }
    // An endpoint needs one of these; a port alone names nobody.
    if out.is_empty() {
        return None;
    }
    if let Some(port) = party.port {
        out.insert("port".to_owned(), json!(port));
    }
    Some(Value::Object(out))
}
