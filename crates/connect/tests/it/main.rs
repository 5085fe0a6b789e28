//! Connectors against mocks that other people's clients have spoken to; queue, formats, configuration.

mod formats;
mod matrix;
mod queues;
mod streams;

use connect::{Config, Destination, Kind, Sender, Settings};
use serde_json::json;
use serde_json::value::RawValue;

/// A finding as JSON.
pub fn finding(n: u64, rev: u64) -> serde_json::Value {
    json!({
        "id": format!("{n:016x}"), "rev": rev, "ts": "2026-03-01T10:00:00.123456Z", "ts_end": "2026-03-01T10:00:05.000000Z",
        "raised": "2026-03-01T10:00:01.000000Z", "episodes": [], "detector": "new-master",
        "title": "10.20.0.9 commands RTU-07 | for the first time", "severity": "high", "basis": "learned", "attack": ["T1692.001", "T0836"],
        "src": { "ip": "10.20.0.9", "mac": "00:50:56:aa:bb:cc", "port": 49822 },
        "dst": { "ip": "10.20.0.5", "port": 502, "name": "rtu-07=a^b", "asset": "d5" },
        "proto": "modbus", "uids": ["CABCDEFGH"], "community_id": "1:abc=", "packets": [{ "file": "a.pcap", "frame": 7 }],
        "why": "10.20.0.9 wrote 2 registers of \"RTU-07\"\\\nit never did so before] ü", "evidence": { "observed": "function=16 unit=1" },
        "dedup_key": "k", "count": rev,
    })
}

/// A case as JSON.
pub fn case(n: u64) -> respond::Case {
    let mut raw = finding(n, 1);
    // The first twelve characters name the case.
    raw["id"] = format!("{n:012x}beef").into();
    respond::Case::open(&respond::Finding::from_json(raw).unwrap())
}

/// JSON as the queue holds it.
pub fn raw(value: &impl serde::Serialize) -> Box<RawValue> {
    serde_json::value::to_raw_value(value).unwrap()
}

/// The one destination of a configuration.
pub fn settings(toml: &str) -> Settings {
    let mut config = Config::parse(&format!("[[destination]]\n{toml}")).unwrap();
    config.destinations.remove(0)
}

/// The same, built.
pub fn destination(toml: &str) -> Box<dyn Destination> {
    let sender =
        Sender { host: "sensor7".into(), version: "1".into(), link: "https://gw.example/findings/{id}".into() };
    connect::build(&settings(toml), &sender).unwrap()
}

/// An item of the queue.
pub fn item(seq: u64, kind: Kind, id: &str, key: &str, body: Box<RawValue>) -> connect::Item {
    connect::Item { seq, kind, id: id.into(), key: key.into(), body }
}

/// A file with a secret, as a configuration refers to it.
pub fn secret(dir: &std::path::Path, text: &str) -> String {
    use std::os::unix::fs::PermissionsExt;
    let path = dir.join("secret");
    std::fs::write(&path, text).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
    format!("file:{}", path.display())
}

#[test]
fn configurations_tell_all_their_problems_and_hold_no_secret() {
    let problems = Config::parse(
        r#"
        [[destination]]
        name = "a"
        kind = "splunk-hec"
        url = "https://x"
        token = "s3cr3t-in-the-open"
        [[destination]]
        name = "b c"
        kind = "file"
        path = "/x"
        [[destination]]
        name = "d"
        kind = "pigeon"
        [[destination]]
        name = "e"
        kind = "file"
        path = "/x"
        colour = "red"
        [[destination]]
        name = "f"
        kind = "file"
        path = "/x"
        severity = "bad"
        "#,
    )
    .unwrap_err();
    assert_eq!(problems.len(), 5, "{problems:#?}");
    assert!(!problems.concat().contains("s3cr3t-in"), "{problems:#?}");
    assert!(problems[3].contains("colour"), "{problems:#?}");
}

#[test]
fn a_secret_that_everybody_may_read_is_refused() {
    use std::os::unix::fs::PermissionsExt;
    let dir = tempfile::tempdir().unwrap();
    let reference = secret(dir.path(), "x\n");
    let s = connect::Secret::reference(&reference);
    assert_eq!(s.read().unwrap(), "x");
    std::fs::set_permissions(dir.path().join("secret"), std::fs::Permissions::from_mode(0o644)).unwrap();
    assert!(s.read().unwrap_err().contains("chmod 600"));
}
