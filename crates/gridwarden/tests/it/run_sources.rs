//! `run` compares with indicators and rules as `analyze` does, hears flow exports, makes cases, and says in the ledger what detected.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::Value;

const RULE: &str = "title: Register written\nid: r1\nlevel: high\ntags: [attack.t0836]\nlogsource: {product: gridwarden, service: modbus}\ndetection:\n  s:\n    is_request: true\n    function_code: [5, 6, 15, 16]\n  condition: s\n";

fn program(dir: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_gridwarden"));
    command.current_dir(dir).args(args);
    command
}

#[track_caller]
fn done(dir: &Path, args: &[&str]) {
    let out = program(dir, args).output().unwrap();
    let text = String::from_utf8_lossy(&out.stderr).into_owned();
    assert!(out.status.code().is_some_and(|c| c < 2), "{args:?}: {text}");
}

fn lines(path: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(path).unwrap();
    text.lines().map(|l| serde_json::from_str(l).unwrap()).collect()
}

fn simulated() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let day = ["simulate", "substation", "--minutes", "15", "--attack", "unauthorized-control", "scan"];
    done(dir.path(), &[&day[..], &["-o", "day.pcap", "--labels", "day.csv", "-q"]].concat());
    dir
}

/// Findings of indicators and rules by what makes them the same, with how often each was seen.
fn matches<'a>(all: impl Iterator<Item = &'a Value>) -> BTreeMap<String, Value> {
    let known = all.filter(|f| f["detector"] == "intel-match" || f["detector"] == "rule-match");
    known.map(|f| (f["id"].as_str().unwrap().to_owned(), f["count"].clone())).collect()
}

#[test]
fn indicators_and_rules_find_live_what_they_find_in_files() {
    let dir = simulated();
    done(dir.path(), &["analyze", "day.pcap", "-o", "plain", "-q"]);
    let devices = lines(&dir.path().join("plain/assets.ndjson"));
    let address = devices.iter().find_map(|d| d["ips"][0].as_str()).unwrap();
    std::fs::write(dir.path().join("bad.csv"), format!("indicator,type,source\n{address},ip,CERT\n")).unwrap();
    std::fs::create_dir(dir.path().join("sigma")).unwrap();
    std::fs::write(dir.path().join("sigma/a.yml"), RULE).unwrap();
    let known = ["--intel", "bad.csv", "--rules", "sigma"];
    let run =
        ["run", "--replay", "day.pcap", "--speed", "0", "--once", "--data", "data", "--messages", "messages", "-q"];
    done(dir.path(), &[&run[..], &["--no-keep"], &known].concat());
    done(
        &dir.path().join("data"),
        &["analyze", "ring", "-o", "out", "-q", "--intel", "../bad.csv", "--rules", "../sigma"],
    );
    let messages = lines(&dir.path().join("messages"));
    let told: Vec<&Value> = messages.iter().filter(|m| m["type"] == "finding").map(|m| &m["finding"]).collect();
    let live = matches(told.iter().copied());
    let found = lines(&dir.path().join("data/out/alerts.ndjson"));
    assert!(live.len() >= 2, "{live:?}");
    assert_eq!(live, matches(found.iter()));
    let of_rule = told.iter().find(|f| f["detector"] == "rule-match").unwrap();
    assert_eq!(of_rule["evidence"]["rule_file"], "sigma/a.yml:1");
    let at_work = messages.iter().find(|m| m["type"] == "known").unwrap();
    assert_eq!((&at_work["indicators"], &at_work["rules"]), (&1.into(), &1.into()));
    // A list that cannot be read is told before anything runs.
    let out =
        program(dir.path(), &["run", "--replay", "day.pcap", "--once", "--data", "data", "--intel", "nosuch", "-q"]);
    let out = { out }.output().unwrap();
    assert_eq!(out.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&out.stderr).contains("nosuch"));
}

#[test]
fn a_run_makes_cases_and_says_what_detected() {
    let dir = simulated();
    std::fs::write(
        dir.path().join("gw.toml"),
        "[[destination]]\nname = \"lines\"\nkind = \"file\"\npath = \"sent\"\nevents = [\"finding\", \"case\"]\n",
    )
    .unwrap();
    let run = ["run", "--replay", "day.pcap", "--speed", "0", "--once", "--data", "data", "--config", "gw.toml", "-q"];
    done(dir.path(), &run);
    let sent = lines(&dir.path().join("sent"));
    let ids: Vec<String> = sent.iter().map(|l| format!("{}-{}", l["id"], l["rev"])).collect();
    let once: std::collections::BTreeSet<&String> = ids.iter().collect();
    assert_eq!(once.len(), ids.len(), "{ids:?}");
    assert!(sent.iter().any(|l| l["findings"].is_array()), "no case went out");
    let kept = std::fs::read_dir(dir.path().join("data/sensor/findings")).unwrap();
    for entry in kept {
        let f: Value = serde_json::from_slice(&std::fs::read(entry.unwrap().path()).unwrap()).unwrap();
        assert!(f["severity"] == "info" || sent.iter().any(|l| l["id"] == f["id"]), "{}", f["id"]);
    }
    let out = program(dir.path(), &["audit", "show", "data"]).output().unwrap();
    let kinds: Vec<Value> = String::from_utf8_lossy(&out.stdout)
        .lines()
        .map(|l| serde_json::from_str::<Value>(l).unwrap()["kind"].clone())
        .collect();
    for kind in [
        "detection.configuration",
        "sensor.started",
        "finding.opened",
        "case.opened",
        "playbook-proposed",
        "sensor.ended",
    ] {
        assert!(kinds.iter().any(|k| k == kind), "{kind} is not in {kinds:?}");
    }
    done(dir.path(), &["audit", "verify", "data"]);
}

/// A NetFlow 5 datagram with one flow.
fn netflow(sequence: u32) -> Vec<u8> {
    let mut b = vec![0_u8; 72];
    b[..4].copy_from_slice(&[0, 5, 0, 1]);
    b[4..8].copy_from_slice(&60_000_u32.to_be_bytes());
    #[allow(clippy::disallowed_methods, reason = "an exporter stamps by its clock")]
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs() as u32;
    b[8..12].copy_from_slice(&now.to_be_bytes());
    b[16..20].copy_from_slice(&sequence.to_be_bytes());
    let r = &mut b[24..];
    r[..4].copy_from_slice(&[10, 9, 0, 1]);
    r[4..8].copy_from_slice(&[10, 9, 0, 2]);
    r[16..20].copy_from_slice(&3_u32.to_be_bytes());
    r[20..24].copy_from_slice(&300_u32.to_be_bytes());
    r[24..28].copy_from_slice(&50_000_u32.to_be_bytes());
    r[28..32].copy_from_slice(&55_000_u32.to_be_bytes());
    r[32..34].copy_from_slice(&(40_000 + sequence as u16 % 1_000).to_be_bytes());
    r[34..36].copy_from_slice(&443_u16.to_be_bytes());
    r[38] = 6;
    b
}

#[test]
fn flow_exports_enter_a_run_by_its_socket() {
    let dir = simulated();
    let port = std::net::UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let at = port.to_string();
    let run = [
        "run",
        "--replay",
        "day.pcap",
        "--speed",
        "180",
        "--as-now",
        "--once",
        "--data",
        "data",
        "--messages",
        "messages",
        "-q",
    ];
    let mut child = program(dir.path(), &[&run[..], &["--flows", &at]].concat()).stdout(Stdio::null()).spawn().unwrap();
    let from = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let mut sent = 0;
    while child.try_wait().unwrap().is_none() {
        // Before the socket is bound nobody hears it.
        let _ = from.send_to(&netflow(sent), port);
        sent += 1;
        std::thread::sleep(Duration::from_millis(20));
    }
    assert_eq!(child.wait().unwrap().code(), Some(0));
    let messages = lines(&dir.path().join("messages"));
    let last = messages.iter().rfind(|m| m["type"] == "state" && m["collected"].is_object()).unwrap();
    let collected = &last["collected"];
    let fates: u64 = collected["fates"].as_object().unwrap().values().map(|n| n.as_u64().unwrap()).sum();
    assert!(collected["messages"].as_u64().unwrap() > 10 && collected["lost"] == 0, "{collected}");
    assert_eq!(collected["messages"], fates, "every flow has one fate: {collected}");
    let kept = messages.iter().filter(|m| m["type"] == "lake" && m["kind"] == "flow_export");
    let rows: u64 = kept.map(|m| m["rows"].as_u64().unwrap()).sum();
    assert!(rows > 10, "{rows}");
    let refused =
        program(dir.path(), &["run", "--replay", "day.pcap", "--once", "--data", "d", "--flows", &at, "-q"]).output();
    assert!(String::from_utf8_lossy(&refused.unwrap().stderr).contains("--as-now"));
}
