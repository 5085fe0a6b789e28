//! Syslog over sockets and files: framing, a receiver that goes away, datagrams.

use std::io::Read;
use std::net::{TcpListener, UdpSocket};
use std::time::Duration;

use connect::{Kind, New, Queue, drain};

use crate::{destination, finding, raw};

/// Messages of an octet-counted stream.
fn unframe(mut bytes: &[u8]) -> Vec<String> {
    let mut out = Vec::new();
    while let Some(space) = bytes.iter().position(|b| *b == b' ') {
        let n: usize = std::str::from_utf8(&bytes[..space]).unwrap().parse().unwrap();
        let Some(message) = bytes.get(space + 1..space + 1 + n) else { break };
        out.push(String::from_utf8(message.to_vec()).unwrap());
        bytes = &bytes[space + 1 + n..];
    }
    out
}

fn queue(dir: &std::path::Path, n: u64) -> Queue {
    let q = Queue::open(&dir.join("q"), 1 << 30).unwrap();
    for i in 0..n {
        let id = format!("{i:016x}-1");
        q.push(&[New { kind: Kind::Finding, id: &id, key: &id, body: &raw(&finding(i, 1)) }]).unwrap();
    }
    q
}

#[test]
fn a_receiver_that_comes_late_gets_everything_in_order() {
    let dir = tempfile::tempdir().unwrap();
    let q = queue(dir.path(), 200);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let mut to = destination(&format!(
        "name = \"s\"\nkind = \"syslog\"\naddress = \"{address}\"\nformat = \"cef\"\ntimeout_s = 2"
    ));
    let health = drain(&q, to.as_mut(), Duration::from_millis(100), Duration::from_millis(20)).unwrap();
    assert_eq!(health.queued.0, 200);
    assert_eq!(health.fault.unwrap().0, "unavailable");
    let listener = TcpListener::bind(address).unwrap();
    let reader = std::thread::spawn(move || {
        let mut bytes = Vec::new();
        listener.accept().unwrap().0.read_to_end(&mut bytes).unwrap();
        bytes
    });
    // Since the queue was read before, what waits comes again after a restart.
    drop(q);
    let q = Queue::open(&dir.path().join("q"), 1 << 30).unwrap();
    assert_eq!(drain(&q, to.as_mut(), Duration::from_secs(5), Duration::from_millis(20)).unwrap().queued.0, 0);
    drop(to);
    let got = unframe(&reader.join().unwrap());
    assert_eq!(got.len(), 200);
    assert!(
        got[7].contains("externalId=0000000000000007 ") && got[7].contains("[alert@32473 id=\"0000000000000007-1\""),
        "{}",
        got[7]
    );
    assert!(got.iter().all(|m| m.len() <= 8_000 && !m.contains('\n')));
}

#[test]
fn datagrams_are_short_and_keep_their_head() {
    let dir = tempfile::tempdir().unwrap();
    let q = queue(dir.path(), 3);
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let mut to = destination(&format!(
        "name = \"s\"\nkind = \"syslog\"\ntransport = \"udp\"\naddress = \"{}\"\nformat = \"leef\"",
        socket.local_addr().unwrap()
    ));
    drain(&q, to.as_mut(), Duration::from_secs(5), Duration::from_millis(20)).unwrap();
    let mut buffer = [0; 65_536];
    for n in 0..3 {
        let (length, _) = socket.recv_from(&mut buffer).unwrap();
        let text = std::str::from_utf8(&buffer[..length]).unwrap();
        assert!(length <= 1_400 && text.starts_with("<131>1 ") && text.contains("LEEF:2.0|"), "{text}");
        assert!(text.contains(&format!("ndrAlertId={n:016x}")));
    }
}

#[test]
fn a_file_of_lines_can_be_tailed() {
    let dir = tempfile::tempdir().unwrap();
    let q = queue(dir.path(), 3);
    let path = dir.path().join("out.ndjson");
    let mut to =
        destination(&format!("name = \"f\"\nkind = \"file\"\npath = \"{}\"\nformat = \"ocsf\"", path.display()));
    drain(&q, to.as_mut(), Duration::from_secs(5), Duration::from_millis(20)).unwrap();
    let text = std::fs::read_to_string(path).unwrap();
    let lines: Vec<serde_json::Value> = text.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    assert_eq!((lines.len(), lines[2]["class_uid"].as_u64()), (3, Some(2004)));
}

#[test]
fn a_gate_lets_through_what_is_worth_telling() {
    let mut gate = connect::gate::Gate::default();
    let mut told = Vec::new();
    for rev in 1..=1_000_u64 {
        let mut f = respond::Finding::from_json(finding(1, rev)).unwrap();
        if rev >= 50 {
            f.severity = gwcore::Severity::Critical;
        }
        if gate.passes(&f, rev == 1_000) {
            told.push(rev);
        }
    }
    assert_eq!(told, [1, 10, 50, 100, 1_000]);
}

#[test]
fn a_case_goes_out_first_when_it_is_graver_and_when_somebody_takes_it() {
    let f = respond::Finding::from_json(finding(1, 1)).unwrap();
    let mut case = respond::Case::open(&f);
    let (first, told) = connect::gate::case(None, &case);
    case.note(gwcore::Ts(1), &respond::Actor::gridwarden(), "note", "nothing new");
    let (noted, told) = connect::gate::case(Some(&told), &case);
    case.assign(gwcore::Ts(2), &respond::Actor::person("ada"), "ada").unwrap();
    let (taken, told) = connect::gate::case(Some(&told), &case);
    case.severity = gwcore::Severity::Critical;
    case.rev += 1;
    let (graver, told) = connect::gate::case(Some(&told), &case);
    assert_eq!((first, noted, taken, graver, told.rev), (true, false, true, true, case.rev));
}
