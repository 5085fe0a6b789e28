//! Findings, devices and points on simulated days: attacks are found, their twins are quiet, detail changes nothing.

use serde_json::Value;

use crate::program::{Run, analyze, substation};

const NDJSON: &[&str] = &["--logs", "ndjson", "--quiet", "-j", "1"];

fn day(attacks: &[&str], extra: &[&str]) -> Run {
    let dir = tempfile::tempdir().unwrap();
    let pcap = substation(dir.path(), "11", "60", attacks);
    analyze(&[pcap], &[NDJSON, extra].concat())
}

fn of<'a>(alerts: &'a [Value], detector: &str) -> Vec<&'a Value> {
    alerts.iter().filter(|a| a["detector"] == detector).collect()
}

#[test]
fn a_benign_hour_gives_no_alarm_and_every_frame_is_accounted_for() {
    let run = day(&[], &[]);
    let alarms: Vec<_> = run
        .lines("alerts.ndjson")
        .into_iter()
        .filter(|a| ["medium", "high", "critical"].iter().any(|s| a["severity"] == *s))
        .collect();
    assert!(alarms.is_empty(), "{alarms:#?}");
    let s = run.summary();
    assert_eq!(s["frames"], s["decoded"]);
    assert_eq!(s["panics"], 0);
    assert_eq!(run.output.status.code(), Some(0), "{}", String::from_utf8_lossy(&run.output.stderr));
    for protocol in ["modbus", "dnp3", "iec104", "goose", "ptp", "ntp", "dns", "http", "tls", "dhcp"] {
        assert!(s["records"][protocol].as_u64() > Some(0), "no {protocol} records: {}", s["records"]);
    }
}

#[test]
fn a_scan_is_found_and_named() {
    let run = day(&["scan"], &[]);
    let alerts = run.lines("alerts.ndjson");
    let scans = of(&alerts, "scan");
    assert!(!scans.is_empty());
    let one = scans[0];
    assert_eq!(one["severity"], "medium");
    assert_eq!(one["attack"][0], "T0846.001");
    assert!(one["packets"].as_array().is_some_and(|p| !p.is_empty()) && one["src"]["ip"].is_string(), "{one}");
    assert_eq!(run.output.status.code(), Some(1));
}

#[test]
fn commands_of_a_stranger_are_on_record() {
    let (with, without) = (day(&["unauthorized-control"], &[]), day(&[], &[]));
    let count = |run: &Run| {
        let alerts = run.lines("alerts.ndjson");
        of(&alerts, "control-operation").iter().map(|a| a["count"].as_u64().unwrap()).sum::<u64>()
    };
    assert!(count(&with) > count(&without), "{} against {}", count(&with), count(&without));
}

#[test]
fn detail_changes_no_finding_asset_or_point() {
    let dir = tempfile::tempdir().unwrap();
    let pcap = [substation(dir.path(), "11", "60", &["unauthorized-control"])];
    let (summary, full) = (analyze(&pcap, NDJSON), analyze(&pcap, &[NDJSON, &["--detail", "full"]].concat()));
    for name in ["alerts.ndjson", "assets.ndjson", "ndjson/point.ndjson"] {
        assert!(
            std::fs::read(summary.path(name)).unwrap() == std::fs::read(full.path(name)).unwrap(),
            "{name} differs"
        );
    }
    let rows = |run: &Run| run.summary()["records"]["modbus"].as_u64().unwrap();
    println!("modbus rows: {} in summary, {} in full", rows(&summary), rows(&full));
    assert!(rows(&summary) * 2 < rows(&full));
}

#[test]
fn points_have_values_and_periods() {
    let run = day(&[], &[]);
    let points = run.lines("ndjson/point.ndjson");
    let minutes: Vec<_> = points.iter().filter(|p| p["event"] == "minute" && p["proto"] == "modbus").collect();
    assert!(minutes.len() > 100);
    assert!(minutes.iter().any(|p| p["period"].as_f64().is_some_and(|s| (0.5..10.0).contains(&s))));
    assert!(minutes.iter().all(|p| p["min"].as_f64() <= p["mean"].as_f64() && p["mean"].as_f64() <= p["max"].as_f64()));
}

#[test]
fn every_kind_that_is_written_is_documented_and_bound_by_the_views() {
    let kinds = engine::kinds();
    assert_eq!(views::unresolved(&kinds), Vec::<String>::new());
    let run = day(&[], &[]);
    for kind in run.summary()["records"].as_object().unwrap().keys() {
        assert!(kinds.iter().any(|k| k.name == kind), "`{kind}` is not in the reference");
    }
}

#[test]
fn a_restart_of_the_ordered_stage_changes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let pcap = substation(dir.path(), "11", "60", &["scan", "unauthorized-control"]);
    let run = |extra: &[&str]| analyze(std::slice::from_ref(&pcap), &[NDJSON, extra].concat());
    let (whole, cut) = (run(&[]), run(&["--restart-every", "61"]));
    assert!(cut.path("state").exists() && !whole.lines("alerts.ndjson").is_empty());
    for name in ["alerts.ndjson", "assets.ndjson", "asset-changes.ndjson", "ndjson/point.ndjson"] {
        let read = |r: &Run| std::fs::read_to_string(r.path(name)).unwrap();
        assert!(read(&whole) == read(&cut), "{name}");
    }
}
