//! Indicators and rules given to `analyze`: what becomes a finding, with which frame, and what is said of what is not used.

use std::path::PathBuf;

use testkit::Session;

use crate::program::analyze;

/// A client that reads one register, then writes it.
fn session() -> Vec<u8> {
    let mut s = Session::new(1_700_000_000_000_000_000, 502);
    s.open();
    for n in 0..5 {
        s.client(&[0, n, 0, 0, 0, 6, 1, 3, 0, 10, 0, 1]);
        s.server(&[0, n, 0, 0, 0, 5, 1, 3, 2, 0, 42]);
    }
    s.client(&[0, 9, 0, 0, 0, 6, 1, 6, 0, 10, 0, 7]);
    s.server(&[0, 9, 0, 0, 0, 6, 1, 6, 0, 10, 0, 7]);
    s.close();
    s.pcap()
}

struct World {
    _dir: tempfile::TempDir,
    pcap: PathBuf,
    files: Vec<String>,
}

fn world(files: &[(&str, &str)]) -> World {
    let dir = tempfile::tempdir().unwrap();
    let pcap = dir.path().join("a.pcap");
    std::fs::write(&pcap, session()).unwrap();
    let write = |(name, text): &(&str, &str)| {
        let path = dir.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.display().to_string()
    };
    let files = files.iter().map(write).collect();
    World { _dir: dir, pcap, files }
}

/// Address that the server of the session has.
fn server(w: &World) -> String {
    let run = analyze(std::slice::from_ref(&w.pcap), &["--logs", "ndjson", "--quiet"]);
    run.lines("ndjson/conn.ndjson")[0]["dst_ip"].as_str().unwrap().to_owned()
}

#[test]
fn an_indicator_is_told_with_its_source_and_frame() {
    let plain = world(&[]);
    let list = format!(
        "indicator,type,source,confidence,valid_until\n{},ip,CERT,80,2030-01-01\n203.0.113.1,ip,CERT,,\n",
        server(&plain)
    );
    let w = world(&[("bad.csv", &list)]);
    let run = analyze(std::slice::from_ref(&w.pcap), &["--quiet", "--intel", &w.files[0]]);
    let alerts = run.lines("alerts.ndjson");
    let found: Vec<_> = alerts.iter().filter(|f| f["detector"] == "intel-match").collect();
    assert_eq!(found.len(), 1, "{alerts:?}");
    let f = found[0];
    assert_eq!((&f["basis"], &f["severity"], &f["proto"]), (&"intelligence".into(), &"medium".into(), &"tcp".into()));
    assert_eq!((&f["packets"][0]["frame"], &f["count"]), (&1.into(), &1.into()));
    let e = &f["evidence"];
    assert_eq!((&e["source"], &e["listed_confidence"]), (&"CERT".into(), &80.into()));
    assert!(e["valid_until"].as_str().unwrap().starts_with("2030-01-01"));
    assert!(f["why"].as_str().unwrap().contains("CERT lists"), "{}", f["why"]);
    assert_eq!(run.output.status.code(), Some(1));
}

#[test]
fn an_indicator_out_of_force_or_allowed_is_not_told() {
    let plain = world(&[]);
    let server = server(&plain);
    let old = world(&[("bad.csv", &format!("indicator,valid_until\n{server},2020-01-01\n"))]);
    let run = analyze(std::slice::from_ref(&old.pcap), &["--quiet", "--intel", &old.files[0]]);
    assert!(run.lines("alerts.ndjson").iter().all(|f| f["detector"] != "intel-match"));
    let allowed = world(&[("bad.txt", &server), ("allow.txt", &format!("{server}/24"))]);
    let run = analyze(
        std::slice::from_ref(&allowed.pcap),
        &["--quiet", "--intel", &allowed.files[0], "--intel", &allowed.files[1]],
    );
    assert!(run.lines("alerts.ndjson").iter().all(|f| f["detector"] != "intel-match"));
}

const RULE: &str = "title: Register written\nid: r1\nlevel: high\ntags: [attack.t0836]\nlogsource: {product: gridwarden, service: modbus}\ndetection:\n  s:\n    is_request: true\n    function_code: 6\n  condition: s\n";
const READS: &str = "title: Register read\nid: r2\nlogsource: {product: gridwarden, service: modbus}\ndetection:\n  s:\n    is_request: true\n    function_code: 3\n  condition: s\nlevel: low\n";

#[test]
fn a_rule_is_told_and_counts_every_message_in_both_details() {
    let w = world(&[
        ("a.yml", RULE),
        ("b.yml", READS),
        ("c.yml", "title: x\nlogsource: {product: cisco}\ndetection: {s: {a: b}, condition: s}\n"),
    ]);
    let given = ["-S", &w.files[0], "-S", &w.files[1], "-S", &w.files[2]];
    let run = analyze(std::slice::from_ref(&w.pcap), &given);
    assert!(String::from_utf8_lossy(&run.output.stderr).contains("1 rules are not used"));
    let alerts = run.lines("alerts.ndjson");
    let found = |id: &str| alerts.iter().find(|f| f["evidence"]["rule"] == id).unwrap().clone();
    let (write, read) = (found("r1"), found("r2"));
    assert_eq!((&write["severity"], &write["basis"]), (&"high".into(), &"signature".into()));
    assert_eq!((&write["attack"][0], &write["title"]), (&"T0836".into(), &"Register written".into()));
    assert_eq!((&read["count"], &write["count"]), (&5.into(), &1.into()));
    assert_eq!(write["evidence"]["field function_code"], "6");
    let full = analyze(std::slice::from_ref(&w.pcap), &[&given[..], &["--detail", "full", "--quiet"]].concat());
    assert_eq!(full.lines("alerts.ndjson"), alerts);
}

#[test]
fn shipped_rules_all_compile() {
    let dir = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../rules/sigma");
    let run = std::process::Command::new(env!("CARGO_BIN_EXE_gridwarden"))
        .args(["rules", "check"])
        .arg(dir)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&run.stdout).into_owned();
    assert_eq!(run.status.code(), Some(0), "{said}");
    assert!(said.contains("32 rules and 4 correlations used, 0 not used"), "{said}");
}

#[test]
fn intel_check_says_what_is_not_used() {
    let w = world(&[("bad.txt", "bad.example\nhello world\n")]);
    let run = std::process::Command::new(env!("CARGO_BIN_EXE_gridwarden"))
        .args(["intel", "check", &w.files[0]])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&run.stdout).into_owned();
    assert_eq!(run.status.code(), Some(1), "{said}");
    assert!(said.contains("line 2: hello world") && said.contains("1 indicators"), "{said}");
}
