//! Learning from clean days, end to end: another clean day gives no alarm, one with something in it does.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

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
    assert!(!learn(&["--accept", "all"]).contains("under suspicion"));
    assert!(!scanner_is_new());
    let added = learn(&["--add"]);
    assert!(added.contains("learned"), "{added}");
    assert!(!scanner_is_new(), "adding forgets nothing");
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
    check(&["learn", "-", "--baseline", text(&bad)], "name a file");
    let pcap = day(dir.path(), "1", &[]);
    let out = dir.path().join("out");
    check(&["analyze", text(&pcap), "-q", "-o", text(&out), "--baseline", text(&bad)], "not a baseline");
    check(&["analyze", text(&pcap), "-q", "-o", text(&out), "--site", text(&missing)], "missing.pcap");
    check(&["analyze", text(&pcap), "-q", "-o", text(&out), "--maintenance", text(&bad)], "RFC 3339");
}
