//! GOOSE publishers: the labelled table of a zone substation turned into captures, and messages forged with our own builder.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::Value;
use testkit::{Pcap, Stack};

use crate::csv::{self, Row};
use crate::program::analyze;

const SECOND: i64 = 1_000_000_000;
const MILLI: i64 = 1_000_000;
const START: i64 = 1_700_000_000 * SECOND;
const PUBLISHER: [u8; 6] = [0x00, 0x30, 0xa7, 1, 2, 3];
const GROUP: [u8; 6] = [0x01, 0x0c, 0xcd, 0x01, 0, 1];

/// What a GOOSE message says.
#[derive(Clone)]
struct Message {
    at: i64,
    src: [u8; 6],
    name: String,
    ttl: u64,
    changed: i64,
    state: u64,
    sequence: u64,
    simulated: bool,
    values: Vec<bool>,
}

fn element(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = content.len();
    let mut out =
        if length < 128 { vec![tag, length as u8] } else { vec![tag, 0x82, (length >> 8) as u8, length as u8] };
    out.extend(content);
    out
}

fn unsigned(tag: u8, n: u64) -> Vec<u8> {
    let all = n.to_be_bytes();
    let from = all.iter().position(|b| *b != 0).unwrap_or(7);
    let sign: &[u8] = if all[from] & 0x80 != 0 { &[0] } else { &[] };
    element(tag, &[sign, &all[from..]].concat())
}

impl Message {
    fn frame(&self) -> Vec<u8> {
        let seconds = (self.changed / SECOND) as u32;
        let fraction = ((self.changed % SECOND) << 24) / SECOND;
        let t = [&seconds.to_be_bytes()[..], &(fraction as u32).to_be_bytes()[1..], &[0x0a]].concat();
        let values: Vec<u8> = self.values.iter().flat_map(|v| element(0x83, &[u8::from(*v)])).collect();
        let pdu = [
            element(0x80, self.name.as_bytes()),
            unsigned(0x81, self.ttl),
            element(0x82, b"DS"),
            element(0x83, b"id"),
            element(0x84, &t),
            unsigned(0x85, self.state),
            unsigned(0x86, self.sequence),
            element(0x87, &[u8::from(self.simulated)]),
            unsigned(0x88, 200),
            element(0x89, &[0]),
            unsigned(0x8a, self.values.len() as u64),
            element(0xab, &values),
        ]
        .concat();
        let pdu = element(0x61, &pdu);
        let length = (pdu.len() + 8) as u16;
        let payload = [&[0x30, 0x01], &length.to_be_bytes()[..], &[0; 4], &pdu].concat();
        let eth = testkit::Eth { src: self.src, dst: GROUP, ethertype: Some(0x88b8) };
        Stack::new().add(eth).payload(&payload).bytes()
    }
}

fn write(path: &Path, mut messages: Vec<Message>) {
    messages.sort_by_key(|m| m.at);
    let mut pcap = Pcap::nanos(1);
    for m in &messages {
        pcap.frame(m.at, &m.frame());
    }
    std::fs::write(path, pcap.bytes()).unwrap();
}

/// The alarms about GOOSE in captures that are worlds of their own, by file.
fn alarms(files: &[PathBuf]) -> BTreeMap<String, Vec<Value>> {
    let mut all: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    let run = analyze(files, &["--separate", "--only", "goose-state", "--quiet"]);
    for alert in run.lines("alerts.ndjson") {
        if ["medium", "high", "critical"].iter().any(|s| alert["severity"] == *s) {
            let file = Path::new(alert["packets"][0]["file"].as_str().unwrap()).file_stem().unwrap();
            all.entry(file.to_string_lossy().into_owned()).or_default().push(alert);
        }
    }
    all
}

/// A publisher and its neighbour for a minute: a change of state with its burst at 20 s and another at 40 s.
fn minute() -> Vec<Message> {
    let mut all = Vec::new();
    for (name, src) in [("IED/LLN0$GO$gcb1", PUBLISHER), ("IED2/LLN0$GO$gcb1", [0x00, 0x30, 0xa7, 1, 2, 4])] {
        let mut m = Message {
            at: START,
            src,
            name: name.into(),
            ttl: 2_000,
            changed: START - 100 * SECOND,
            state: 7,
            sequence: 100,
            simulated: false,
            values: vec![true, false, true],
        };
        for second in 0..60 {
            m.at = START + second * SECOND;
            if second % 20 == 0 && second > 0 {
                (m.state, m.sequence, m.changed) = (m.state + 1, 0, m.at);
                m.values[0] = !m.values[0];
                for after in [0, 4, 8, 16, 32, 64] {
                    all.push(Message { at: m.changed + after * MILLI, sequence: m.sequence, ..m.clone() });
                    m.sequence += 1;
                }
                continue;
            }
            all.push(m.clone());
            m.sequence += 1;
        }
    }
    all
}

fn ours(m: &Message) -> bool {
    m.src == PUBLISHER
}

#[test]
fn poisoned_publishers_are_found_and_sound_ones_are_not() {
    let at = |second: i64| START + second * SECOND + 300 * MILLI;
    let model = minute().into_iter().find(|m| ours(m) && m.at > START + 29 * SECOND).unwrap();
    let forged = |n: i64, f: &dyn Fn(&mut Message, i64)| -> Vec<Message> {
        let one = |i: i64| {
            let mut m = Message { at: at(30 + i), ..model.clone() };
            f(&mut m, i);
            m
        };
        minute().into_iter().chain((0..n).map(one)).collect()
    };
    let early = minute().into_iter().filter(|m| ours(m) && m.at < START + 10 * SECOND);
    let replayed = early.map(|m| Message { at: m.at + 30 * SECOND + 500 * MILLI, ..m });
    let copies = minute().into_iter().map(|m| Message { at: m.at + MILLI, ..m });
    let began = START + 31 * SECOND;
    let after = |m: &Message| ours(m) && m.at >= began;
    let restarted = minute().into_iter().filter(|m| !after(m) || m.at % SECOND == 0).map(|m| match after(&m) {
        true => {
            let values = vec![false; 3];
            Message { state: 1, sequence: ((m.at - began) / SECOND) as u64, changed: began, values, ..m }
        }
        false => m,
    });
    let cases: Vec<(&str, Option<&str>, Vec<Message>)> = vec![
        ("sound", None, minute()),
        ("two_paths", None, minute().into_iter().chain(copies).collect()),
        ("lost", None, minute().into_iter().enumerate().filter(|(i, _)| i % 7 != 3).map(|(_, m)| m).collect()),
        ("restarted", None, restarted.collect()),
        (
            "feed_gap",
            None,
            minute().into_iter().filter(|m| m.at < START + 22 * SECOND || m.at > START + 38 * SECOND).collect(),
        ),
        (
            "high_state",
            Some("high"),
            forged(3, &|m, i| {
                (m.state, m.sequence, m.changed, m.values[0]) = (5_000, i as u64, at(30), !m.values[0]);
            }),
        ),
        (
            "next_state_once",
            Some("high"),
            forged(1, &|m, _| {
                (m.state, m.sequence, m.changed, m.values[0]) = (m.state + 1, 0, m.at, !m.values[0]);
            }),
        ),
        (
            "other_mac",
            Some("high"),
            forged(5, &|m, i| {
                (m.src, m.state, m.sequence) = ([2, 0, 0, 0, 0, 9], 9, i as u64);
            }),
        ),
        (
            "same_numbers",
            Some("high"),
            forged(3, &|m, i| {
                (m.sequence, m.values[0]) = (m.sequence + i as u64, !m.values[0]);
            }),
        ),
        ("replayed", Some("high"), minute().into_iter().chain(replayed).collect()),
        (
            "altered",
            Some("high"),
            minute()
                .into_iter()
                .map(|mut m| {
                    m.values[1] ^= ours(&m) && m.at == START + 30 * SECOND;
                    m
                })
                .collect(),
        ),
        (
            "held_back",
            Some("medium"),
            minute().into_iter().filter(|m| !ours(m) || m.at < START + 20 * SECOND).collect(),
        ),
        (
            "simulated",
            Some("medium"),
            minute()
                .into_iter()
                .map(|m| {
                    let simulated = ours(&m) && m.at >= START + 30 * SECOND;
                    Message { simulated, ..m }
                })
                .collect(),
        ),
    ];
    let dir = tempfile::tempdir().unwrap();
    let mut files = Vec::new();
    for (name, _, messages) in &cases {
        files.push(dir.path().join(format!("{name}.pcap")));
        write(files.last().unwrap(), messages.clone());
    }
    let found = alarms(&files);
    for (name, expect, _) in &cases {
        let of = found.get(*name).map(Vec::as_slice).unwrap_or_default();
        let titles: Vec<String> = of.iter().map(|a| format!("{} {}", a["severity"], a["title"])).collect();
        println!("{name}: {}", titles.join("; "));
        match expect {
            None => assert!(of.is_empty(), "{name}: {titles:?}"),
            Some(severity) => assert!(of.iter().any(|a| a["severity"] == *severity), "{name}: {titles:?}"),
        }
        assert!(
            of.iter().all(|a| a["title"].to_string().contains("00:30:a7:01:02:03") || *name == "other_mac"),
            "{titles:?}"
        );
    }
}

/// A row of the labelled table; none where it is no message.
fn message(row: &Row) -> Option<Message> {
    let time = |text: &str| -> Option<i64> {
        let (seconds, fraction) = text.split_once('.').unwrap_or((text, "0"));
        Some(seconds.parse::<i64>().ok()? * SECOND + format!("{fraction:0<9}").get(..9)?.parse::<i64>().ok()?)
    };
    let mut src = [0; 6];
    for (byte, text) in src.iter_mut().zip(row["goose_src"].split(':')) {
        *byte = u8::from_str_radix(text, 16).ok()?;
    }
    Some(Message {
        at: time(&row["arrival_time"])?,
        src,
        name: row["gocbRef"].clone(),
        ttl: row["ttl_ms"].parse().ok()?,
        changed: time(&row["t"])?,
        state: row["stNum"].parse().ok()?,
        sequence: row["sqNum"].parse().ok()?,
        simulated: row["simulation"] == "True",
        values: row["data"].split(',').map(|v| v.contains("True")).collect(),
    })
}

#[test]
fn labelled_recordings_of_a_zone_substation() {
    let table = testkit::corpus().map(|c| c.join("labelled/qut-zss-goose/goose_sv_labelled_dev.csv.gz"));
    let Some(table) = table.filter(|t| t.is_file()) else { return println!("not checked: no labelled GOOSE table") };
    let mut recordings: BTreeMap<(String, String), Vec<Row>> = BTreeMap::new();
    for row in csv::read(&table) {
        recordings.entry((row["group"].clone(), row["scenario"].clone())).or_default().push(row);
    }
    let dir = tempfile::tempdir().unwrap();
    let mut files = Vec::new();
    for ((group, scenario), rows) in &recordings {
        files.push(dir.path().join(format!("{group}-{scenario}.pcap")));
        write(files.last().unwrap(), rows.iter().filter_map(message).collect());
    }
    let found = alarms(&files);
    // By the authors' numbering: 81x, 83x, 85x inject, 82x, 84x, 86x modify, 87x delete.
    let mut kinds: BTreeMap<&str, (usize, usize, Vec<&str>)> = BTreeMap::new();
    for (group, scenario) in recordings.keys() {
        let kind = match (group.as_str(), group.as_bytes().get(1)) {
            ("benign", _) => "without attack",
            (_, Some(b'1' | b'3' | b'5')) => "injection",
            (_, Some(b'7')) => "deletion",
            _ => "modification",
        };
        let entry = kinds.entry(kind).or_default();
        entry.0 += 1;
        let is_found = found.contains_key(&format!("{group}-{scenario}"));
        entry.1 += usize::from(is_found);
        if is_found == (kind == "without attack") {
            entry.2.push(scenario);
        }
    }
    for (kind, (all, found, others)) in &kinds {
        println!("{kind}: an alarm in {found} of {all} recordings; the others: {}", others.join(" "));
    }
    let of = |kind: &str| kinds.get(kind).map_or((0, 0), |k| (k.0, k.1));
    assert_eq!(of("injection").0, of("injection").1);
    assert_eq!(of("deletion").0, of("deletion").1);
    assert!(of("modification").1 * 2 >= of("modification").0);
    assert_eq!(of("without attack").1, 0);
    assert!(kinds.len() == 4 && kinds.values().all(|k| k.0 > 0));
}
