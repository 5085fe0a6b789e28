//! What is said of oddities of the field, and of what was not read: each kind rebuilt small with our own builder.

use serde_json::Value;
use testkit::{Pcap, Session};

use crate::program::{Run, analyze};

const SECOND: i64 = 1_000_000_000;
const MILLI: i64 = SECOND / 1_000;
const START: i64 = 1_700_000_000 * SECOND;

type Frames = Vec<(i64, Vec<u8>)>;

/// Writes a capture and analyses it.
fn run(name: &str, frames: &Frames) -> Run {
    let dir = tempfile::tempdir().unwrap();
    let mut pcap = Pcap::nanos(1);
    for (ts, data) in frames {
        pcap.frame(*ts, data);
    }
    let path = dir.path().join(format!("{name}.pcap"));
    std::fs::write(&path, pcap.bytes()).unwrap();
    analyze(&[path], &["--logs", "ndjson", "--detail", "full", "--quiet"])
}

fn rows(out: &Run, kind: &str) -> Vec<Value> {
    out.lines(&format!("ndjson/{kind}.ndjson"))
}

/// Rows with a pair, and all rows.
fn paired(out: &Run, kind: &str) -> (usize, usize) {
    let all = rows(out, kind);
    (all.iter().filter(|r| !r["pair"].is_null()).count(), all.len())
}

fn reasons(out: &Run) -> Vec<String> {
    let mut all: Vec<String> =
        rows(out, "anomaly").iter().map(|r| r["reason"].as_str().unwrap_or_default().to_owned()).collect();
    all.sort();
    all.dedup();
    all
}

fn modbus(transaction: u16, unit: u8, pdu: &[u8]) -> Vec<u8> {
    let [a, b] = transaction.to_be_bytes();
    [&[a, b, 0, 0, 0, pdu.len() as u8 + 1, unit], pdu].concat()
}

fn session(port: u16) -> Session {
    let mut s = Session::new(START, port);
    s.open();
    s
}

/// Reads of one register, answered with what `answer` makes of transaction and unit.
fn polls(answer: impl Fn(u16, u8) -> Vec<u8>) -> Frames {
    let mut s = session(502);
    for n in 1..=4u16 {
        s.client(&modbus(n, 1, &[3, 0, 10, 0, 1]));
        s.server(&answer(n, 1));
        s.wait(SECOND);
    }
    s.close();
    s.frames
}

#[test]
fn an_answer_whose_numbers_are_not_echoed_pairs_and_the_device_is_named() {
    let right = [3, 2, 0, 7];
    for (name, fault, frames) in [
        ("zero", "transaction_not_echoed", polls(|_, unit| modbus(0, unit, &right))),
        ("counted", "transaction_not_echoed", polls(|n, unit| modbus(900 + n, unit, &right))),
        ("unit", "unit_not_echoed", polls(|n, _| modbus(n, 255, &right))),
        ("exception", "transaction_not_echoed", polls(|_, unit| modbus(0, unit, &[0x83, 2]))),
    ] {
        let out = run(name, &frames);
        assert_eq!(paired(&out, "modbus"), (8, 8), "{name}");
        assert_eq!(reasons(&out), [fault], "{name}");
        assert!(out.lines("alerts.ndjson").is_empty(), "{name}");
        let points = rows(&out, "point");
        assert!(name == "exception" || points.iter().all(|p| p["unit"] == 1 && p["last"] == 7.0), "{name}: {points:?}");
    }
}

#[test]
fn an_answer_given_before_is_no_answer_to_what_was_asked_since() {
    let mut s = session(502);
    s.client(&modbus(1, 1, &[3, 0, 10, 0, 1])).server(&modbus(1, 1, &[3, 2, 0, 7]));
    s.client(&modbus(2, 1, &[3, 0, 10, 0, 1])).server(&modbus(1, 1, &[3, 2, 0, 7]));
    s.close();
    let out = run("again", &s.frames);
    assert_eq!(paired(&out, "modbus"), (2, 4));
}

#[test]
fn a_session_tagged_on_one_side_is_one_and_two_vlans_with_the_same_addresses_are_two() {
    let tag = |frames: Frames, side: u8, vid: u16| -> Frames {
        let tagged = |(ts, data): (i64, Vec<u8>)| {
            let from_client = data[34..36] != [1, 0xf6];
            if side == 2 || (side == 0) == from_client {
                let [a, b] = vid.to_be_bytes();
                return (ts, [&data[..12], &[0x81, 0, a, b], &data[12..]].concat());
            }
            (ts, data)
        };
        frames.into_iter().map(tagged).collect()
    };
    let plain = || polls(|n, unit| modbus(n, unit, &[3, 2, 0, 7]));
    for (name, frames, odd) in [
        ("one_way", tag(plain(), 0, 10), vec!["vlan_differs"]),
        ("other_way", tag(tag(plain(), 0, 10), 1, 20), vec!["vlan_differs"]),
        ("priority", tag(plain(), 1, 0), vec![]),
    ] {
        let out = run(name, &frames);
        assert_eq!((rows(&out, "conn").len(), paired(&out, "modbus")), (1, (8, 8)), "{name}");
        assert_eq!(reasons(&out), odd, "{name}");
    }
    // The same addresses and ports in another VLAN, with other sequence numbers: another conversation.
    let mut other = Session::new(START + MILLI, 502);
    (other.client.seq, other.server.seq) = (3_000_000_000, 3_500_000_000);
    other.client.mac = [2, 0, 0, 0, 0, 77];
    other.open();
    for n in 1..=4u16 {
        other.client(&modbus(n, 1, &[3, 0, 10, 0, 1])).server(&modbus(n, 1, &[3, 2, 0, 9])).wait(SECOND);
    }
    other.close();
    let mut both = tag(plain(), 2, 10);
    both.extend(tag(other.frames, 2, 20));
    both.sort();
    let out = run("two", &both);
    assert_eq!((rows(&out, "conn").len(), paired(&out, "modbus")), (2, (16, 16)));
}

#[test]
fn a_request_that_is_captured_after_its_answer_still_pairs() {
    let mut frames = polls(|n, unit| modbus(n, unit, &[3, 2, 0, 7]));
    // Every request (a segment with data from the client) changes places with the frame behind it, as a tap with one slow direction does.
    let mut at = 3;
    while at + 2 < frames.len() {
        let data = |i: usize, frames: &Frames| frames[i].1.len() > 60;
        if data(at, &frames) && frames[at].1[34..36] != [1, 0xf6] {
            let answer = (at + 1..frames.len()).find(|i| data(*i, &frames)).unwrap();
            let (early, late) = (frames[at].0, frames[answer].0);
            frames[answer].0 = early;
            frames[at].0 = (late).min(early + 300_000);
            frames.swap(at, answer);
            at = answer;
        }
        at += 1;
    }
    let out = run("late", &frames);
    assert_eq!(paired(&out, "modbus"), (8, 8));
    let times: Vec<Value> = rows(&out, "modbus").iter().map(|r| r["response_time"].clone()).collect();
    assert!(times.iter().all(|t| t.is_null() || t.as_f64().unwrap() >= 0.0), "{times:?}");
}

#[test]
fn what_was_refused_is_said_and_is_no_value_of_the_point() {
    let mut s = session(502);
    s.client(&modbus(1, 1, &[6, 0, 100, 0xbe, 0xef])).server(&modbus(1, 1, &[6, 0, 100, 0xbe, 0xef]));
    s.client(&modbus(2, 1, &[6, 0x17, 0x70, 0, 1])).server(&modbus(2, 1, &[0x86, 2]));
    s.close();
    let out = run("refused", &s.frames);
    let points: Vec<Value> = rows(&out, "point").iter().map(|p| p["address"].clone()).collect();
    assert!(points.iter().all(|a| *a == 100), "{points:?}");
    let why: Vec<String> = out
        .lines("alerts.ndjson")
        .iter()
        .filter(|a| a["detector"] == "control-operation")
        .map(|a| a["why"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(why.len(), 2, "{why:?}");
    assert!(
        why.iter().any(|w| w.contains("holding register 100") && w.contains("48879") && !w.contains("refused")),
        "{why:?}"
    );
    assert!(why.iter().any(|w| w.contains("holding register 6000") && w.contains("refused it")), "{why:?}");
}

#[test]
fn unread_utility_traffic_is_named_by_its_port_and_there_is_no_all_clear() {
    let mut s = session(44_818);
    for _ in 0..5 {
        s.client(&[0x65, 0, 4, 0, 0, 0, 0, 0, 9, 9]).server(&[0x65, 0, 4, 0, 1, 2, 3, 4]);
    }
    s.close();
    let out = run("enip", &s.frames);
    let summary = out.summary();
    let row = &summary["unread"][0];
    assert_eq!(
        (&row["port"], &row["registered"], &row["utility"]),
        (&44_818.into(), &"EtherNet/IP".into(), &true.into())
    );
    assert_eq!((&row["packets"], &row["bytes"]), (&10.into(), &90.into()));
    assert_eq!(summary["verdict"]["all_clear"], false);
    assert_eq!(summary["read_to_content"]["packets"], 0);
    let off = |id: &str| summary["detectors"].as_array().unwrap().iter().find(|d| d["detector"] == id).unwrap().clone();
    assert_eq!(off("goose-state")["state"], "input_not_seen");
    assert_eq!(off("new-device")["state"], "not_given");
    assert_eq!(off("beacon")["at_work"], true);
}
