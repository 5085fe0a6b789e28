//! Retention of a run: what is deleted stands in the ledger and adds up with what is left; what findings hold stays. Filters of `analyze`.

use std::path::Path;
use std::process::Command;

use serde_json::Value;

#[track_caller]
fn said(dir: &Path, args: &[&str]) -> String {
    let out = Command::new(env!("CARGO_BIN_EXE_gridwarden")).current_dir(dir).args(args).output().unwrap();
    let text = String::from_utf8_lossy(&out.stderr).into_owned();
    assert!(out.status.code().is_some_and(|c| c < 2), "{args:?}: {text}");
    String::from_utf8(out.stdout).unwrap()
}

const KINDS: [&str; 4] = ["modbus", "dnp3", "iec104", "goose"];

fn day(dir: &Path) {
    let attack = ["--attack", "unauthorized-control", "scan", "-o", "day.pcap", "--labels", "day.csv", "-q"];
    said(dir, &[&["simulate", "substation", "--minutes", "15"][..], &attack].concat());
}

#[test]
fn deleted_rows_stand_in_the_ledger_and_held_ones_stay() {
    let dir = tempfile::tempdir().unwrap();
    day(dir.path());
    let run = ["run", "--replay", "day.pcap", "--speed", "0", "--once", "--data", "data", "-q"];
    said(dir.path(), &run);
    // A kind of which nothing is left has no table.
    let count = |kind: &str| -> u64 {
        let sql = format!("SELECT count(*) AS n FROM {kind}");
        let args = ["hunt", &sql, "--data", "data", "--format", "csv"];
        let out = Command::new(env!("CARGO_BIN_EXE_gridwarden")).current_dir(dir.path()).args(args).output().unwrap();
        String::from_utf8_lossy(&out.stdout).lines().last().and_then(|l| l.parse().ok()).unwrap_or(0)
    };
    let rows = || KINDS.iter().map(|kind| count(kind)).sum::<u64>();
    let before = rows();
    // The first round of upkeep is at the start; nothing of these is added meanwhile.
    let none = KINDS.map(|kind| format!("--lake-kind={kind}=0"));
    let none: Vec<&str> = none.iter().map(String::as_str).collect();
    said(dir.path(), &[&run[..], &["--filter", "arp", "--no-keep"], &none].concat());
    let ledger = said(dir.path(), &["audit", "show", "data"]);
    let deleted: Vec<Value> = ledger
        .lines()
        .map(|l| serde_json::from_str::<Value>(l).unwrap())
        .filter(|e| e["kind"] == "retention.deleted" && KINDS.iter().any(|kind| e["data"]["what"] == *kind))
        .map(|e| e["data"].clone())
        .collect();
    let sum = |name: &str| deleted.iter().filter_map(|d| d[name].as_u64()).sum::<u64>();
    assert!(before > 0 && sum("rows") > 0, "{deleted:?}");
    assert!(sum("held_rows") > 0, "open findings rest on some: {deleted:?}");
    assert_eq!((sum("rows") + rows(), rows()), (before, sum("held_rows")), "{deleted:?}");
    assert!(deleted[0]["authority"].as_str().unwrap().starts_with("retention policy"));
    said(dir.path(), &["audit", "verify", "data"]);
}

#[test]
fn what_a_filter_leaves_out_is_counted_and_numbers_stay() {
    let dir = tempfile::tempdir().unwrap();
    day(dir.path());
    let summary = |more: &[&str]| -> Value {
        let text = said(dir.path(), &[&["analyze", "day.pcap", "-o", "out", "--json"][..], more].concat());
        serde_json::from_str(&text).unwrap()
    };
    let (all, some) = (summary(&[]), summary(&["--filter", "tcp port 502"]));
    let count = |s: &Value, name: &str| s[name].as_u64().unwrap_or(0);
    assert!(count(&some, "frames") > 0 && count(&some, "filtered") > 0);
    assert_eq!(count(&some, "frames") + count(&some, "filtered"), count(&all, "frames"));
    assert_eq!(some["verdict"]["all_clear"], false);
    assert_eq!((count(&all, "filtered"), &some["filter"]), (0, &Value::from("tcp port 502")));
    let number = |out: &str| {
        let sql = "SELECT min(frame) AS n FROM modbus";
        said(dir.path(), &["hunt", sql, out, "--format", "csv"]).lines().last().unwrap().to_owned()
    };
    let filtered = number("out");
    summary(&[]);
    assert_eq!(filtered, number("out"), "frames keep their places in the file");
}
