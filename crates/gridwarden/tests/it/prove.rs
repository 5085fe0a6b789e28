//! `prove` and `simulate --onto`: attacks put onto a capture, what was found, what could not be tried, what is refused.

use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

use crate::program::substation;

fn gridwarden(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_gridwarden")).args(args).output().unwrap()
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[test]
fn each_cell_is_found_missed_or_says_why_it_was_not_tried() {
    let dir = tempfile::tempdir().unwrap();
    let [baseline, out] = ["b", "out"].map(|n| dir.path().join(n));
    let (learned, day) = (substation(dir.path(), "1", "60", &[]), substation(dir.path(), "2", "30", &[]));
    assert!(gridwarden(&["learn", text(&learned), "--baseline", text(&baseline), "-q"]).status.success());
    let attacks = ["scan", "setpoint", "replay", "mitm"];
    let args = [
        &["prove", text(&day), "--baseline", text(&baseline), "-o", text(&out), "-q", "--low", "--attack"][..],
        &attacks,
    ]
    .concat();
    let run = gridwarden(&[&args[..], &["--actor", "new", "known"]].concat());
    assert_eq!(run.status.code(), Some(0), "{}", String::from_utf8_lossy(&run.stderr));
    let cells: Vec<Value> = serde_json::from_slice(&std::fs::read(out.join("prove.json")).unwrap()).unwrap();
    assert_eq!(cells.len(), attacks.len() * 2);
    for cell in &cells {
        let (attack, result) = (cell["attack"].as_str().unwrap(), cell["result"].as_str().unwrap());
        match attack {
            "mitm" => assert!(result == "untried" && cell["why"].is_string(), "{cell}"),
            _ => assert!(result == "found" && !cell["detectors"].as_array().unwrap().is_empty(), "{cell}"),
        }
    }
    let table = String::from_utf8(run.stdout).unwrap();
    assert!(table.contains("new: 3 of 3 found, 1 could not be tried"), "{table}");
    let csv = std::fs::read_to_string(out.join("prove.csv")).unwrap();
    assert_eq!((csv.lines().count(), csv.lines().all(|l| l.matches(',').count() >= 7)), (9, true), "{csv}");
    let left: Vec<_> = std::fs::read_dir(&out).unwrap().flatten().map(|e| e.file_name()).collect();
    assert_eq!(left.len(), 2, "copies are gone: {left:?}");
}

#[test]
fn what_cannot_be_put_onto_a_capture_is_refused_and_nothing_is_overwritten() {
    let dir = tempfile::tempdir().unwrap();
    let day = substation(dir.path(), "2", "5", &[]);
    let before = std::fs::read(&day).unwrap();
    let labels = dir.path().join("l.csv");
    let check = |capture: &Path, args: &[&str], to: &Path, part: &str| {
        let head = ["simulate", "--onto", text(capture), "-q", "-o", text(to), "--labels", text(&labels)];
        let run = gridwarden(&[&head[..], args].concat());
        let said = String::from_utf8_lossy(&run.stderr).into_owned();
        assert_eq!((run.status.code(), said.lines().count()), (Some(2), 1), "{said}");
        assert!(said.contains(part), "{said}");
    };
    let to = dir.path().join("x.pcap");
    check(&day, &[], &to, "exactly one --attack");
    check(&day, &["--attack", "mitm"], &to, "cannot be tried");
    check(&day, &["--attack", "scan"], &day, "overwrite the capture");
    check(&dir.path().join("absent"), &["--attack", "scan"], &to, "cannot read");
    assert!(!to.exists() && std::fs::read(&day).unwrap() == before);
}
