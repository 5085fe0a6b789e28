//! Learning from clean days, end to end: another clean day gives no alarm, one with something in it does.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use testkit::{Pcap, Stack};

use crate::program::{Run, analyze, substation};

/// Hours are what makes a baseline; eight of them are more than young.
const MINUTES: &str = "240";

fn gridwarden(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_gridwarden")).args(args).output().unwrap()
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

fn day(dir: &Path, seed: &str, attacks: &[&str]) -> PathBuf {
    substation(dir, seed, MINUTES, attacks)
}

fn alarms(run: &Run) -> Vec<String> {
    let lines = run.lines("alerts.ndjson");
    let alarm = lines.iter().filter(|f| !matches!(f["severity"].as_str(), Some("info" | "low")));
    alarm.map(|f| format!("{} {} {}", f["detector"], f["severity"], f["why"])).collect()
}

#[test]
fn two_clean_days_make_a_third_one_quiet_and_a_stranger_loud() {
    let dir = tempfile::tempdir().unwrap();
    let days = [day(dir.path(), "1", &[]), day(dir.path(), "2", &[])];
    let baseline = dir.path().join("site.baseline");
    let learned = gridwarden(&["learn", text(&days[0]), text(&days[1]), "--baseline", text(&baseline)]);
    let page = String::from_utf8_lossy(&learned.stdout).into_owned();
    assert!(learned.status.success(), "{}", String::from_utf8_lossy(&learned.stderr));
    assert!(page.contains("alarm episodes a day") && page.contains("points"), "{page}");

    let with = ["--baseline", text(&baseline), "-q"];
    let clean = analyze(&[day(dir.path(), "3", &[])], &with);
    assert_eq!(alarms(&clean), Vec::<String>::new());

    let loud = analyze(&[day(dir.path(), "3", &["unauthorized-control"])], &with);
    assert!(alarms(&loud).iter().any(|a| a.contains("new-master") && a.contains("high")), "{:?}", alarms(&loud));

    let single =
        analyze(&[day(dir.path(), "3", &["unauthorized-control"])], &["--baseline", text(&baseline), "-q", "-j", "1"]);
    let read = |run: &Run| std::fs::read_to_string(run.path("alerts.ndjson")).unwrap();
    assert_eq!(read(&loud), read(&single), "any number of threads");
}

#[test]
fn what_looks_suspicious_is_left_out_until_accepted() {
    let dir = tempfile::tempdir().unwrap();
    let (scanned, baseline) = (day(dir.path(), "1", &["scan"]), dir.path().join("b"));
    let learn = |more: &[&str]| {
        let mut args = vec!["learn", text(&scanned), "--baseline", text(&baseline)];
        args.extend(more);
        let out = gridwarden(&args);
        assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
        String::from_utf8_lossy(&out.stdout).into_owned()
    };
    let scanner_is_new = || {
        let run = analyze(std::slice::from_ref(&scanned), &["--baseline", text(&baseline), "-q"]);
        run.lines("alerts.ndjson").iter().any(|f| f["detector"] == "new-device")
    };
    let page = learn(&[]);
    assert!(page.contains("learned under suspicion") && page.contains("scan:"), "{page}");
    assert!(scanner_is_new());
    let wrong =
        gridwarden(&["learn", text(&scanned), "--baseline", text(&baseline), "--accept", "scan:10.0.0.250,all"]);
    let said = String::from_utf8_lossy(&wrong.stderr).into_owned();
    assert!(wrong.status.code() == Some(2) && said.contains("not among") && said.contains("`scan:"), "{said}");
    assert!(!learn(&["--accept", "all"]).contains("under suspicion"));
    assert!(!scanner_is_new());
    let added = learn(&["--add"]);
    assert!(added.contains("learned"), "{added}");
    assert!(!scanner_is_new(), "adding forgets nothing");
}

#[test]
fn a_crowd_is_left_out_with_the_device_it_turned_to() {
    let dir = tempfile::tempdir().unwrap();
    let [crowd, one, baseline] = ["crowd.pcap", "one.pcap", "b"].map(|n| dir.path().join(n));
    let frame = |source: u8, function: u8| {
        let ask = [0, 1, 0, 0, 0, 6, 1, function, 0, 0, 0, 1];
        let (from, to) = ([2, 0, 0, 0, 0, source], [2, 0, 0, 0, 0, 250]);
        Stack::new().eth(from, to).ipv4([10, 0, 0, source], [10, 0, 0, 250]).udp(40_000, 502).payload(&ask).bytes()
    };
    let write = |path: &Path, sources: std::ops::RangeInclusive<u8>, functions: std::ops::Range<u8>| {
        let mut pcap = Pcap::micros(1);
        for (at, source) in (1_700_000_000_i64..).zip(sources) {
            functions.clone().for_each(|f| _ = pcap.frame(at * 1_000_000_000, &frame(source, f)));
        }
        std::fs::write(path, pcap.bytes()).unwrap();
    };
    write(&crowd, 1..=60, 1..16);
    write(&one, 59..=59, 3..4);
    let learned = gridwarden(&["learn", text(&crowd), "--baseline", text(&baseline)]);
    let page = String::from_utf8_lossy(&learned.stdout).into_owned();
    assert!(page.contains("function-scan:10.0.0.250"), "{page}");
    let run = analyze(&[one], &["--baseline", text(&baseline), "-q"]);
    assert!(run.lines("alerts.ndjson").iter().any(|f| f["detector"] == "new-device"));
}

#[test]
fn mistakes_are_said_in_one_line() {
    let dir = tempfile::tempdir().unwrap();
    let (bad, missing) = (dir.path().join("bad"), dir.path().join("missing.pcap"));
    std::fs::write(&bad, "no baseline").unwrap();
    let check = |args: &[&str], part: &str| {
        let out = gridwarden(args);
        let said = String::from_utf8_lossy(&out.stderr).into_owned();
        assert_eq!(out.status.code(), Some(2), "{args:?}");
        assert!(said.contains(part) && said.trim_end().lines().count() == 1, "{args:?}: {said}");
    };
    check(&["learn", text(&missing), "--baseline", text(&bad)], "missing.pcap");
    let pcap = substation(dir.path(), "1", "10", &[]);
    check(&["learn", text(&pcap), "--baseline", text(dir.path())], "is a folder");
    check(&["learn", text(&pcap), "--baseline", text(&missing), "--add"], "leave out --add");
    check(&["learn", text(&pcap), "--baseline", text(&bad), "--add"], "not a baseline");
    let new = dir.path().join("new");
    check(&["learn", text(&pcap), "--baseline", text(&new), "--accept", "scan:10.0.0.9"], "nothing in these captures");
    check(&["learn", text(&pcap), "--baseline", text(&new), "--exclude", text(&bad)], "line 1: `no baseline`");
    let frames = dir.path().join("frames.csv");
    std::fs::write(&frames, "frame,label\n1,0\nsecond,1\n").unwrap();
    check(&["learn", text(&pcap), "--baseline", text(&new), "--exclude", text(&frames)], "line 3: `second`");
    assert!(std::fs::read_dir(dir.path()).unwrap().flatten().all(|e| !e.path().ends_with("new.part")) && !new.exists());
    let out = dir.path().join("out");
    check(&["analyze", text(&pcap), "-q", "-o", text(&out), "--baseline", text(&bad)], "not a baseline");
    check(&["analyze", text(&pcap), "-q", "-o", text(&out), "--site", text(&missing)], "missing.pcap");
    check(&["analyze", text(&pcap), "-q", "-o", text(&out), "--maintenance", text(&bad)], "RFC 3339");
}

#[test]
fn a_pipe_is_learned_as_a_file_is_and_leaves_nothing_behind() {
    let dir = tempfile::tempdir().unwrap();
    let pcap = substation(dir.path(), "1", "30", &[]);
    let [of_file, of_pipe] = ["file", "pipe"].map(|n| dir.path().join(n));
    assert!(gridwarden(&["learn", text(&pcap), "--baseline", text(&of_file), "-q"]).status.success());
    let piped = Command::new(env!("CARGO_BIN_EXE_gridwarden"))
        .args(["learn", "-", "--baseline", text(&of_pipe), "-q"])
        .stdin(std::fs::File::open(&pcap).unwrap())
        .output()
        .unwrap();
    assert!(piped.status.success(), "{}", String::from_utf8_lossy(&piped.stderr));
    let known = |path: &Path| {
        let json = zstd::decode_all(std::fs::File::open(path).unwrap()).unwrap();
        let mut file: serde_json::Value = serde_json::from_slice(&json).unwrap();
        let sources = file["sources"].take();
        (file, sources[0]["name"].clone(), sources[0]["sha256"].clone())
    };
    let (of_file, of_pipe) = (known(&of_file), known(&of_pipe));
    assert_eq!((&of_file.0, &of_file.2), (&of_pipe.0, &of_pipe.2));
    assert_eq!((of_file.1, of_pipe.1), (text(&pcap).into(), "standard input".into()));
    let left: Vec<_> = std::fs::read_dir(dir.path()).unwrap().flatten().map(|e| e.file_name()).collect();
    assert!(left.iter().all(|n| !n.to_string_lossy().contains("spool")), "{left:?}");
}

#[test]
fn the_report_says_what_is_to_be_approved() {
    let dir = tempfile::tempdir().unwrap();
    let scanned = substation(dir.path(), "1", "30", &["scan"]);
    let [baseline, report] = ["b", "r.html"].map(|n| dir.path().join(n));
    let args = ["learn", text(&scanned), "--baseline", text(&baseline), "--report", text(&report), "-q"];
    assert!(gridwarden(&args).status.success());
    let page = std::fs::read_to_string(&report).unwrap();
    for part in [
        "Too young",
        "--accept scan:",
        "Who asks and commands whom",
        "modbus holding register, unit 1",
        "Learned from",
        "default-src 'none'",
    ] {
        assert!(page.contains(part), "{part}");
    }
    assert!(
        !page.contains("<script") && !page.contains("://") && !page.contains("src="),
        "nothing runs, nothing is loaded"
    );
}

#[test]
fn windows_in_epoch_seconds_are_not_learned() {
    let dir = tempfile::tempdir().unwrap();
    let scanned = substation(dir.path(), "1", "30", &["scan"]);
    let (baseline, windows) = (dir.path().join("b"), dir.path().join("w.csv"));
    // The simulator's labels are windows too; the same in seconds since 1970.
    let labels = std::fs::read_to_string(scanned.with_extension("csv")).unwrap();
    let times = |line: &str| {
        let mut fields = line.split(',').map(|t| gwcore::time::parse_rfc3339(t).map(|t| t.0));
        Some((fields.next()??, fields.next()??))
    };
    let rows = labels.lines().filter_map(times).map(|(a, b)| {
        let at = |ns: i64| format!("{}.{:09}", ns / 1_000_000_000, ns % 1_000_000_000);
        format!("{},{},scan\n", at(a - 1_000_000_000), at(b + 1_000_000_000))
    });
    std::fs::write(&windows, format!("start_epoch_utc,end_epoch_utc,attack\n{}", rows.collect::<String>())).unwrap();
    let out = gridwarden(&["learn", text(&scanned), "--baseline", text(&baseline), "--exclude", text(&windows)]);
    let page = String::from_utf8_lossy(&out.stdout).into_owned();
    assert!(out.status.success() && !page.contains("under suspicion"), "{page}");
    let run = analyze(std::slice::from_ref(&scanned), &["--baseline", text(&baseline), "-q"]);
    assert!(run.lines("alerts.ndjson").iter().any(|f| f["detector"] == "new-device"), "the scanner was not learned");
}
