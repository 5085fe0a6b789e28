//! Tests over several modules, and findings to try things on.

mod bundles;
mod cases;
mod evidence;
mod intake;
mod kept;
mod playbooks;

use serde_json::json;

use crate::Finding;

/// A finding at second `at` of 2026-03-01T10:00:00Z.
pub(crate) fn finding(id: &str, at: u64, severity: &str, technique: &str, src: &str, dst: &str, uid: &str) -> Finding {
    let time = |s: u64| format!("2026-03-01T{:02}:{:02}:{:02}.000000Z", 10 + s / 3_600 % 14, s / 60 % 60, s % 60);
    let raw = json!({
        "id": id, "rev": 1, "ts": time(at), "ts_end": time(at + 1), "raised": time(at + 1), "episodes": [],
        "detector": "test", "title": format!("{technique} by {src}"), "severity": severity, "basis": "decoded", "attack": [technique],
        "src": { "asset": format!("asset-{src}"), "ip": src, "port": 40000 },
        "dst": { "asset": format!("asset-{dst}"), "ip": dst, "port": 502, "name": format!("rtu {dst}") },
        "proto": "modbus", "uids": if uid.is_empty() { vec![] } else { vec![uid] }, "packets": [{ "file": "a.pcap", "frame": 2 }],
        "why": format!("{src} did something to {dst}"), "evidence": { "observed": "something" }, "dedup_key": id, "count": 1,
    });
    Finding::from_json(raw).unwrap()
}
