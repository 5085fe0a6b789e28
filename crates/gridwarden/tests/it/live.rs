//! `run` over a replay: its findings and devices are those of `analyze` over the ring it wrote, records are in the lake, packets come out
//! again by finding, conversation and filter.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

use crate::program::files_below;

fn program(dir: &Path, args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_gridwarden")).current_dir(dir).args(args).output().unwrap()
}

#[track_caller]
fn done(dir: &Path, args: &[&str]) {
    let out = program(dir, args);
    let text = String::from_utf8_lossy(&out.stderr).into_owned();
    assert!(out.status.code().is_some_and(|c| c < 2), "{args:?}: {text}");
}

/// A run over a simulated quarter of an hour with an attack, in a folder of its own; `more` are further options.
fn run(more: &[&str]) -> (tempfile::TempDir, Vec<Value>) {
    let dir = tempfile::tempdir().unwrap();
    let day = ["simulate", "substation", "--minutes", "15", "--attack", "unauthorized-control", "scan"];
    done(dir.path(), &[&day[..], &["-o", "day.pcap", "--labels", "day.csv", "-q"]].concat());
    again(dir.path(), more);
    let messages = messages(dir.path());
    (dir, messages)
}

fn again(dir: &Path, more: &[&str]) {
    let run =
        ["run", "--replay", "day.pcap", "--speed", "0", "--once", "--data", "data", "--messages", "messages", "-q"];
    done(dir, &[&run[..], more].concat());
}

fn messages(dir: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(dir.join("messages")).unwrap();
    text.lines().map(|l| serde_json::from_str(l).unwrap()).collect()
}

fn of<'a>(messages: &'a [Value], kind: &'a str) -> impl Iterator<Item = &'a Value> {
    messages.iter().filter(move |m| m["type"] == kind)
}

/// The last word on each finding, without what differs by design: how often it was told, and the tick at which the run ended.
fn last(findings: impl Iterator<Item = Value>, end: &str) -> BTreeMap<String, Value> {
    let mut all = BTreeMap::new();
    for mut f in findings {
        f["rev"] = 0.into();
        let at_end = |f: &mut Value| {
            if f["raised"].as_str().is_some_and(|r| r >= end) {
                f["raised"] = "at the end".into();
            }
            // What a tick concludes is raised at the tick, whose fraction of a second is the interface's in a run, the packets' in a file.
            if let Some(second) = f["raised"].as_str().and_then(|r| r.get(..19)).map(str::to_owned) {
                f["raised"] = second.into();
            }
        };
        at_end(&mut f);
        f["episodes"].as_array_mut().into_iter().flatten().for_each(at_end);
        all.insert(f["id"].as_str().unwrap().to_owned(), f);
    }
    all
}

#[test]
fn a_run_gives_what_analyze_gives_over_its_ring() {
    let (dir, messages) = run(&["--no-keep"]);
    let data = dir.path().join("data");
    done(&data, &["analyze", "ring", "-o", "out", "-q"]);
    let read = |name: &str| std::fs::read_to_string(data.join("out").join(name)).unwrap();
    let lines = |name: &str| read(name).lines().map(|l| serde_json::from_str::<Value>(l).unwrap()).collect::<Vec<_>>();
    let summary: Value = serde_json::from_str(&read("summary.json")).unwrap();
    let end = summary["last"].as_str().unwrap();
    let live = last(of(&messages, "finding").map(|m| m["finding"].clone()), end);
    let file = last(lines("alerts.ndjson").into_iter(), end);
    assert!(live.len() > 5, "{}", live.len());
    assert_eq!(live, file);
    let devices: BTreeMap<String, Value> =
        of(&messages, "device").map(|m| (m["device"]["id"].to_string(), m["device"].clone())).collect();
    let assets: BTreeMap<String, Value> =
        lines("assets.ndjson").into_iter().map(|d| (d["id"].to_string(), d)).collect();
    assert_eq!(devices, assets);
    // The account of frames, in the last word and in the minutes.
    let ended = of(&messages, "ended").next().unwrap();
    assert_eq!((&ended["frames"], &ended["received"]), (&summary["frames"], &summary["frames"]));
    let minutes: u64 = of(&messages, "minute").map(|m| m["packets"].as_u64().unwrap()).sum();
    assert_eq!(Some(minutes), summary["frames"].as_u64());
    // Every record is in the lake: as many rows of each kind as `analyze` counts.
    let mut rows: BTreeMap<String, u64> = BTreeMap::new();
    for w in of(&messages, "lake") {
        *rows.entry(w["kind"].as_str().unwrap().to_owned()).or_default() += w["rows"].as_u64().unwrap();
        let file = data.join("lake").join(w["path"].as_str().unwrap());
        assert_eq!(file.metadata().unwrap().len(), w["bytes"].as_u64().unwrap());
    }
    assert!(rows.remove("feed_minute").is_some_and(|n| n >= 15));
    let mut counted: BTreeMap<String, u64> = serde_json::from_value(summary["records"].clone()).unwrap();
    // The last ticks of a run are in no ring yet, and they end parts of conversations that a file does not end.
    let (live_parts, file_parts) = (rows.remove("conn_part"), counted.remove("conn_part"));
    assert!(live_parts >= file_parts, "{live_parts:?} {file_parts:?}");
    assert_eq!(rows, counted);
    assert!(files_below(&data.join("lake")).iter().all(|p| p.extension().is_some_and(|e| e == "parquet")));
}

#[test]
fn packets_come_out_of_the_ring_again() {
    let (dir, messages) = run(&[]);
    let finding = of(&messages, "finding").filter(|m| m["finding"]["detector"] == "control-operation").last().unwrap();
    let finding = &finding["finding"];
    let text = |v: &Value| v.as_str().unwrap().to_owned();
    done(dir.path(), &["pcap", "--alert", &text(&finding["id"]), "--data", "data", "-w", "finding.pcapng"]);
    let bytes = std::fs::read(dir.path().join("finding.pcapng")).unwrap();
    let comment = format!("Gridwarden alert {} rule control-operation", text(&finding["id"]));
    let marked = bytes.windows(comment.len()).filter(|w| *w == comment.as_bytes()).count();
    assert_eq!(marked, finding["packets"].as_array().unwrap().len());
    let frames = |name: &str, filter: &[&str]| -> u64 {
        let out = [&["analyze", name, "-o", "out", "--json"][..], filter].concat();
        let out = program(dir.path(), &out);
        serde_json::from_slice::<Value>(&out.stdout).unwrap()["frames"].as_u64().unwrap()
    };
    done(dir.path(), &["pcap", "--flow", &text(&finding["uids"][0]), "--data", "data", "-w", "flow.pcapng"]);
    assert!(frames("flow.pcapng", &[]) >= 4);
    done(dir.path(), &["pcap", "--filter", "not ip", "--data", "data", "-w", "some.pcapng"]);
    done(dir.path(), &["pcap", "--filter", "ip", "--data", "data", "-w", "rest.pcapng"]);
    assert_eq!(frames("some.pcapng", &[]) + frames("rest.pcapng", &[]), frames("day.pcap", &[]));
    // A second run goes on: the state is there, and segments and files are new ones.
    let before = files_below(&dir.path().join("data/ring")).len();
    again(dir.path(), &[]);
    assert!(files_below(&dir.path().join("data/ring")).len() > before);
    assert!(of(&self::messages(dir.path()), "problem").next().is_none());
}

#[test]
fn what_cannot_start_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let check = |args: &[&str], expect: &str| {
        let out = program(dir.path(), args);
        let text = String::from_utf8_lossy(&out.stderr).into_owned();
        assert!(out.status.code() == Some(2) && text.contains(expect), "{args:?}: {text}");
    };
    check(&["run", "-i", "nosuch0", "--data", "data", "-q"], "nosuch0");
    check(&["run", "--replay", "nosuch.pcap", "--once", "--data", "data", "-q"], "nosuch.pcap");
    check(&["run", "--replay", "x", "--filter", "port x", "--once", "--data", "data", "-q"], "`x` is no port");
    check(&["pcap", "--alert", "../../etc/passwd", "--data", "data", "-w", "x"], "no finding");
}
