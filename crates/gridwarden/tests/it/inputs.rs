//! What may be given to `analyze`, and what it says of what it cannot read: exit codes and one clear line.

use std::path::PathBuf;

use testkit::Session;

use crate::program::{Run, analyze};

fn modbus_session() -> Vec<u8> {
    let mut s = Session::new(1_700_000_000_000_000_000, 502);
    s.open();
    s.client(&[0, 1, 0, 0, 0, 6, 1, 3, 0, 10, 0, 1]);
    s.server(&[0, 1, 0, 0, 0, 5, 1, 3, 2, 0, 42]);
    s.close();
    s.pcap()
}

fn on(name: &str, bytes: &[u8]) -> (tempfile::TempDir, Run) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join(name);
    std::fs::write(&path, bytes).unwrap();
    let run = analyze(&[path], &["--logs", "ndjson", "--quiet"]);
    (dir, run)
}

fn check(name: &str, bytes: &[u8], code: i32, said: &str) -> Run {
    let (_dir, run) = on(name, bytes);
    let stderr = String::from_utf8_lossy(&run.output.stderr).into_owned();
    assert_eq!(run.output.status.code(), Some(code), "{name}: {stderr}");
    assert!(stderr.contains(said), "{name}: `{stderr}` does not say `{said}`");
    run
}

#[test]
fn a_whole_capture_is_read_with_its_value() {
    let run = check("whole.pcap", &modbus_session(), 0, "");
    let rows = run.lines("ndjson/modbus.ndjson");
    assert_eq!(rows.len(), 2);
    assert_eq!((&rows[1]["values"][0], &rows[1]["address"]), (&42.into(), &10.into()));
    assert_eq!((&rows[0]["pair"], &rows[1]["pair"]), (&rows[1]["frame"], &rows[0]["frame"]));
}

#[test]
fn a_cut_last_record_is_named_and_no_error() {
    let whole = modbus_session();
    let run = check("cut.pcap", &whole[..whole.len() - 5], 0, "");
    assert_eq!(run.summary()["files"][0]["truncated"], true);
}

#[test]
fn damage_before_the_end_is_an_error_and_the_frames_before_it_stay() {
    let mut bytes = modbus_session();
    bytes.extend([0xff; 64]);
    let run = check("damaged.pcap", &bytes, 2, "damaged.pcap");
    assert!(run.summary()["frames"].as_u64() > Some(5));
}

#[test]
fn what_is_no_capture_or_not_there_is_refused_in_one_line() {
    let run = check("note.txt", b"this is a shopping list, not a capture file at all", 2, "note.txt");
    assert_eq!(String::from_utf8_lossy(&run.output.stderr).lines().count(), 1);
    let run = analyze(&[PathBuf::from("/nonexistent/x.pcap")], &["--quiet"]);
    assert_eq!(run.output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&run.output.stderr).contains("/nonexistent/x.pcap"));
}

#[test]
fn inside_a_folder_other_files_are_listed_and_no_error() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("a.pcap"), modbus_session()).unwrap();
    std::fs::write(dir.path().join("readme"), "not a capture").unwrap();
    let run = analyze(&[dir.path().to_path_buf()], &["--quiet"]);
    assert_eq!(run.output.status.code(), Some(0));
    let s = run.summary();
    let status: Vec<_> = s["files"].as_array().unwrap().iter().map(|f| f["status"].as_str().unwrap()).collect();
    assert_eq!(status, ["read", "not_capture"]);
}

#[test]
fn two_files_of_one_session_are_one_timeline() {
    let whole = modbus_session();
    let dir = tempfile::tempdir().unwrap();
    // The second file begins with the fourth record; each record is 16 bytes and its frame.
    let mut at = 24;
    for _ in 0..3 {
        at += 16 + u32::from_le_bytes(whole[at + 8..at + 12].try_into().unwrap()) as usize;
    }
    std::fs::write(dir.path().join("1.pcap"), &whole[..at]).unwrap();
    std::fs::write(dir.path().join("2.pcap"), [&whole[..24], &whole[at..]].concat()).unwrap();
    let run = analyze(&[dir.path().to_path_buf()], &["--quiet", "--logs", "ndjson"]);
    assert_eq!(run.lines("ndjson/conn.ndjson").len(), 1);
    let separate = analyze(&[dir.path().to_path_buf()], &["--quiet", "--logs", "ndjson", "--separate"]);
    assert_eq!(separate.lines("ndjson/conn.ndjson").len(), 2);
}
