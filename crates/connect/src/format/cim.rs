//! Splunk: an event with the field names of CIM 8.5 (Intrusion Detection, Alerts; `specs/splunk.md`) in the envelope of the HTTP Event Collector.

use respond::Finding;
use serde_json::{Map, Value, json};

use crate::event::{Sender, observed, revision_id, score, transport};

/// The envelope: time, host, source, sourcetype, index where one is set, event.
pub fn envelope(f: &Finding, sender: &Sender, index: Option<&str>) -> Value {
    let mut event = Map::new();
    let mut put = |key: &str, value: Value| {
        if !(value.is_null() || value.as_str().is_some_and(str::is_empty)) {
            event.insert(key.to_owned(), value);
        }
    };
    put("id", json!(revision_id(f)));
    put("finding_id", json!(f.id));
    put("revision", json!(f.rev));
    put("signature", json!(f.title));
    put("signature_id", json!(f.detector));
    put("category", json!(f.detector));
    put("severity", json!(if f.severity.name() == "info" { "informational" } else { f.severity.name() }));
    put("severity_id", json!((score(f.severity) / 10).to_string()));
    put("ids_type", json!("network"));
    put("action", json!("allowed"));
    for (party, side) in [(&f.src, "src"), (&f.dst, "dest")] {
        let shown = party.ip.as_deref().or(party.mac.as_deref()).or(party.name.as_deref());
        put(side, json!(shown));
        put(&format!("{side}_ip"), json!(party.ip));
        put(&format!("{side}_mac"), json!(party.mac));
        put(&format!("{side}_port"), json!(party.port));
        put(&format!("{side}_host"), json!(party.name));
    }
    put("user", json!(f.src.user));
    put("transport", json!(transport(f)));
    put("app", json!(f.proto));
    put("dvc", json!(sender.host));
    put("mitre_technique_id", json!(f.attack));
    put("vendor_product", json!("Gridwarden"));
    put("type", json!("alert"));
    put("description", json!(f.why));
    put("body", json!(observed(f)));
    put("count", json!(f.count));
    put("first_seen", json!(f.ts.to_string()));
    put("last_seen", json!(f.ts_end.to_string()));
    put("flow_ids", json!(f.uids.iter().take(20).collect::<Vec<_>>()));
    put("url", json!(sender.link(&f.id)));
    // The name is fixed by CIM: seconds with a fraction.
    let mut out = json!({
        "time": format!("{}.{:03}", f.ts.0.div_euclid(1_000_000_000), f.ts.0.rem_euclid(1_000_000_000) / 1_000_000),
        "host": sender.host, "source": "gridwarden:findings", "sourcetype": "gridwarden:alert",
    });
    if let (Some(index), Some(map)) = (index, out.as_object_mut()) {
        map.insert("index".to_owned(), json!(index));
    }
    out["event"] = Value::Object(event);
    out
}
