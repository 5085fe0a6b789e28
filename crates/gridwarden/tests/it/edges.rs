//! Evasion and loss as the program tells them: fragments without their datagram, overlapping data, false endings, cut frames.

use std::path::PathBuf;

use serde_json::Value;
use testkit::flag::{ACK, PSH};
use testkit::{Ipv4, Pcap, Session, Stack};

use crate::program::{Run, analyze};

const START: i64 = 1_700_000_000_000_000_000;

fn file(pcap: &Pcap) -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("in.pcap");
    std::fs::write(&path, pcap.bytes()).unwrap();
    (dir, path)
}

fn run(path: &PathBuf, args: &[&str]) -> Run {
    analyze(std::slice::from_ref(path), &[&["--logs", "ndjson", "--detail", "full", "--quiet"], args].concat())
}

/// Fragments of 60 senders, most without their datagram, among whole packets of the same senders.
fn fragments() -> Pcap {
    let mut pcap = Pcap::nanos(1);
    let mut at = START;
    for n in 0..600u16 {
        let src = [10, 0, 0, (n % 60) as u8 + 1].into();
        let ip = Ipv4 { src, dst: [10, 0, 1, 1].into(), id: n, ..Ipv4::default() };
        let datagram = Stack::new().eth([2; 6], [4; 6]).add(ip).udp(5_000, 6_000).payload(&[n as u8; 100]);
        let pieces = datagram.fragments(40);
        let send = if n % 7 == 0 { 3 } else { 1 + usize::from(n) % 2 };
        for piece in pieces.iter().take(send) {
            pcap.frame(at, piece);
            at += 1_000_000;
        }
        at += 200_000_000;
    }
    pcap
}

#[test]
fn fragments_without_their_datagram_are_told_alike_on_any_number_of_threads() {
    let (_dir, path) = file(&fragments());
    let rows = |args: &[&str]| {
        let run = run(&path, args);
        (std::fs::read_to_string(run.path("ndjson/anomaly.ndjson")).unwrap(), run)
    };
    for divisor in ["1", "100"] {
        let limits = ["--limits-divisor", divisor];
        let (one, first) = rows(&[&limits[..], &["-j", "1"]].concat());
        for threads in ["2", "8"] {
            let (other, _) = rows(&[&limits[..], &["-j", threads, "--hash-seed", "7"]].concat());
            assert!(one == other, "{divisor} {threads}");
        }
        let lines: Vec<Value> = one.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
        let told: u64 =
            lines.iter().filter(|l| l["reason"] == "fragment_incomplete").filter_map(|l| l["count"].as_u64()).sum();
        let whole = first.lines("ndjson/conn.ndjson").iter().filter_map(|l| l["orig_pkts"].as_u64()).sum::<u64>();
        assert_eq!(told + whole, 600, "{divisor}");
        assert_eq!(first.summary()["anomalies"]["packet.fragment_incomplete"], told);
    }
}

#[test]
fn a_datagram_that_is_not_whole_has_the_addresses_and_frame_of_its_first_fragment() {
    let mut pcap = Pcap::nanos(1);
    let ip = Ipv4 { src: [10, 0, 0, 1].into(), dst: [10, 0, 0, 2].into(), id: 9, ..Ipv4::default() };
    let pieces = Stack::new().eth([2; 6], [4; 6]).add(ip).udp(5_000, 6_000).payload(&[7; 100]).fragments(40);
    pcap.frame(START, &pieces[0]).frame(START + 1, &pieces[2]);
    let (_dir, path) = file(&pcap);
    let run = run(&path, &[]);
    let rows = run.lines("ndjson/anomaly.ndjson");
    assert_eq!(rows.len(), 1);
    let row = &rows[0];
    assert_eq!((&row["src_ip"], &row["dst_ip"]), (&"10.0.0.1".into(), &"10.0.0.2".into()));
    assert_eq!((&row["reason"], &row["frame"]), (&"fragment_incomplete".into(), &1.into()));
    assert_eq!(row["detail"], "2 fragments, 68 of 108 bytes: the input ended");
    assert!(run.lines("ndjson/conn.ndjson").is_empty());
}

#[test]
fn the_receivers_policy_decides_what_was_said() {
    let mut s = Session::new(START, 80);
    s.open();
    let (base, acks) = (s.client.seq, s.acks);
    s.acks = false;
    for path in ["good", "evil"] {
        s.client.seq = base;
        s.segment(true, PSH | ACK, format!("GET /{path} HTTP/1.1\r\nHost: a\r\n\r\n").as_bytes());
    }
    s.segment(false, ACK, b"");
    s.acks = acks;
    s.server(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").close();
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("in.pcap");
    std::fs::write(&path, s.pcap()).unwrap();
    let check = |args: &[&str], uri: &str| {
        let rows = run(&path, args).lines("ndjson/http.ndjson");
        assert_eq!(rows.iter().map(|r| r["uri"].clone()).collect::<Vec<_>>(), [uri], "{args:?}");
    };
    check(&[], "/good");
    check(&["--reassembly-policy", "10.0.0.2=old-linux"], "/evil");
    check(&["--reassembly-policy", "10.0.0.0/8=solaris", "--reassembly-policy", "10.0.0.2=linux"], "/good");
    check(&["--reassembly-policy", "10.0.0.1=old-linux"], "/good");
    let refused = run(&path, &["--reassembly-policy", "10.0.0.0/8=beos"]);
    assert_eq!(refused.output.status.code(), Some(2));
}

#[test]
fn frames_that_the_snap_length_cut_are_counted_and_leave_a_gap() {
    let mut s = Session::new(START, 502);
    s.open().client(&[0x55; 100]).client(&[0x55; 20]).close();
    let mut pcap = Pcap::nanos(1);
    for (at, frame) in &s.frames {
        pcap.cut(*at, &frame[..frame.len().min(96)], frame.len() as u32);
    }
    let (_dir, path) = file(&pcap);
    let run = run(&path, &[]);
    let summary = run.summary();
    assert_eq!((&summary["cut_by_snaplen"], &summary["files"][0]["cut_by_snaplen"]), (&1.into(), &1.into()));
    let conn = &run.lines("ndjson/conn.ndjson")[0];
    // 96 bytes hold 42 of the 100 after Ethernet, IPv4 and TCP headers.
    assert_eq!((&conn["missed_bytes"], &conn["orig_bytes"]), (&58.into(), &120.into()));
    let page = analyze(&[path], &["--logs", "ndjson"]).output.stdout;
    assert!(String::from_utf8_lossy(&page).contains("Cut by the snap length: 1 of"));
}

#[test]
fn what_a_flow_s_end_reveals_points_to_its_own_last_frame() {
    // Two answers that are never finished, in one capture of two; both flows are of one shard and end with the input.
    let mut pcap = Pcap::nanos(1);
    for port in [49_152, 49_153] {
        let mut s = Session::new(START, 80);
        s.client.port = port;
        s.open()
            .client(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            .server(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc");
        for (at, frame) in &s.frames {
            pcap.frame(*at, frame);
        }
    }
    let frames = 7;
    let mut other = Pcap::nanos(1);
    other.frame(
        START - 1_000_000_000,
        &Stack::new().eth([2; 6], [4; 6]).ipv4([10, 9, 0, 1], [10, 9, 0, 2]).udp(1, 2).bytes(),
    );
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("a.pcap"), other.bytes()).unwrap();
    std::fs::write(dir.path().join("b.pcap"), pcap.bytes()).unwrap();
    for args in [&[][..], &["--separate"], &["-j", "4"]] {
        let rows = run(&dir.path().to_path_buf(), args).lines("ndjson/anomaly.ndjson");
        let mut said: Vec<_> = rows.iter().map(|r| (r["reason"].clone(), r["frame"].clone())).collect();
        said.sort_by_key(|s| s.1.as_u64());
        assert_eq!(
            said,
            [("truncated_body".into(), frames.into()), ("truncated_body".into(), (2 * frames).into())],
            "{args:?}"
        );
        assert!(rows.iter().all(|r| r["file"].as_str().is_some_and(|f| f.ends_with("b.pcap"))), "{rows:?}");
    }
}

#[test]
fn a_reader_that_goes_away_is_no_error_and_a_full_disk_is() {
    let run = |out: std::process::Stdio| {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_gridwarden"));
        command.arg("detectors").stdout(out).stderr(std::process::Stdio::piped());
        let mut child = command.spawn().unwrap();
        drop(child.stdout.take());
        let out = child.wait_with_output().unwrap();
        (out.status.code(), String::from_utf8(out.stderr).unwrap())
    };
    // The pipe may be read from before it closes; a file that is full never takes a line.
    assert_eq!(run(std::process::Stdio::piped()), (Some(0), String::new()));
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let (code, said) = run(full.into());
    assert_eq!(code, Some(2));
    assert!(said.starts_with("gridwarden: cannot write to standard output") && said.lines().count() == 1, "{said}");
}
