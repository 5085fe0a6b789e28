//! What tshark saw in every capture of the corpus, frame by frame, against our records; the differences are excused by name or fail.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::csv;
use crate::program::{Run, analyze, files_below};
use crate::truth_columns::{OT, Protocol};
use crate::truth_columns_it::IT;

/// A truth cell of this length was cut by its maker.
const CUT: usize = 240;
/// Share of messages that must agree, over all captures of a protocol.
const SHARE: f64 = 0.999;
/// Share of messages that must agree in a capture of 100 or more.
const CAPTURE_SHARE: f64 = 0.95;
/// Share of messages that may be excused.
const EXCUSED_SHARE: f64 = 0.005;

/// Why a frame differs, by capture and frame.
type Excuses = BTreeMap<(String, u64), String>;

#[derive(Default)]
struct Score {
    captures: u64,
    messages: u64,
    missed: u64,
    excused: u64,
}

#[test]
fn records_agree_with_tshark() {
    let Some(corpus) = testkit::corpus() else {
        println!("not checked: no corpus, set GRIDWARDEN_SHARED");
        return;
    };
    let excuses = excuses();
    let mut failures = Vec::new();
    let mut scores: BTreeMap<&str, Score> = BTreeMap::new();
    for (capture, truth) in truths(&corpus) {
        let name = capture.strip_prefix(&corpus).unwrap().display().to_string();
        let rows = csv::read(&truth);
        let mut run = None;
        for protocol in protocols() {
            let rows: Vec<_> = rows.iter().filter(|r| protocol.messages_in(r) > 0).collect();
            if rows.is_empty() {
                continue;
            }
            let run = run.get_or_insert_with(|| whole(&capture));
            let one = compare(protocol, run, &name, &rows, &excuses);
            let told = format!("{name}: {} of {} {} messages differ", one.missed, one.messages, protocol.name);
            if one.missed > 0 {
                println!("  {told}, {} excused", one.excused);
            }
            if one.missed > 1 && one.missed as f64 > one.messages as f64 * (1.0 - CAPTURE_SHARE) {
                failures.push(told);
            }
            let all = scores.entry(protocol.name).or_default();
            all.captures += 1;
            all.messages += one.messages;
            all.missed += one.missed;
            all.excused += one.excused;
        }
    }
    failures.extend(protocols().filter_map(|p| verdict(p.name, scores.get(p.name).unwrap_or(&Score::default()))));
    assert!(failures.is_empty(), "{failures:#?}");
}

fn protocols() -> impl Iterator<Item = &'static Protocol> {
    OT.iter().chain(IT)
}

/// Everything that is recorded of a capture.
fn whole(capture: &Path) -> Run {
    analyze(&[capture.to_path_buf()], &["--detail", "full", "--logs", "ndjson", "--quiet", "-j", "1"])
}

/// Prints the result of a protocol; what is wrong with it.
fn verdict(name: &str, all: &Score) -> Option<String> {
    let Score { captures, messages, missed, excused } = all;
    let agree = 1.0 - *missed as f64 / (*messages).max(1) as f64;
    let told = format!(
        "{name}: {messages} messages in {captures} captures, {missed} differ, {excused} excused: {:.4} % agree",
        agree * 100.0
    );
    println!("{told}");
    let fails = *messages == 0 || agree < SHARE || *excused as f64 > *messages as f64 * EXCUSED_SHARE;
    fails.then_some(told)
}

/// Captures that have a truth table, with it.
fn truths(corpus: &Path) -> Vec<(PathBuf, PathBuf)> {
    let mut found = Vec::new();
    for part in ["pcap", "labelled"] {
        for truth in files_below(&corpus.join(part)) {
            let text = truth.display().to_string();
            if let Some((capture, _)) = text.split_once(".truth.csv") {
                found.push((PathBuf::from(capture), truth));
            }
        }
    }
    found
}

/// Excuses: lines `capture,frame,bytes,why` with why one of `clause …`, `twin`, `tshark`, `cut`.
fn excuses() -> Excuses {
    include_str!("truth_excuses.csv")
        .lines()
        .skip(1)
        .filter(|l| !l.is_empty())
        .map(|l| {
            let cells: Vec<&str> = l.splitn(4, ',').collect();
            let [capture, frame, _bytes, why] = cells[..] else { panic!("excuse `{l}` has not four cells") };
            assert!(
                ["clause ", "twin", "tshark", "cut"].iter().any(|w| why.starts_with(w)),
                "excuse `{l}` gives no reason"
            );
            ((capture.to_owned(), frame.parse().unwrap()), why.to_owned())
        })
        .collect()
}

fn compare(protocol: &Protocol, run: &Run, name: &str, truth: &[&csv::Row], excuses: &Excuses) -> Score {
    let mut ours: BTreeMap<u64, Vec<Value>> = BTreeMap::new();
    let rows = run.lines(&format!("ndjson/{}.ndjson", protocol.kind));
    let (open, closed): (Vec<_>, Vec<_>) =
        rows.into_iter().flat_map(protocol.parts).partition(|(_, message)| message["open"] == true);
    for (frame, message) in closed {
        ours.entry(frame).or_default().push(message);
    }
    for (frame, message) in open {
        let at = closing(frame, &message, protocol, truth, &ours);
        ours.entry(at).or_default().push(message);
    }
    let mut score = Score::default();
    for row in truth {
        let frame: u64 = row["frame.number"].parse().unwrap();
        let messages = protocol.messages_in(row);
        let parts = ours.get(&frame).map(Vec::as_slice).unwrap_or_default();
        let worst = protocol
            .columns
            .iter()
            .filter(|(column, _)| row.contains_key(*column))
            .map(|(column, words)| {
                let said: Vec<String> = parts.iter().flat_map(words).flat_map(|w| split(&w)).collect();
                let (mut told, cut) = cells(row, column);
                told.retain(|w| protocol.counts(column, w));
                (missing((told, cut), said.clone()), *column, said)
            })
            .max_by_key(|w| w.0)
            .unwrap_or((0, "", Vec::new()));
        score.messages += messages;
        if worst.0 == 0 {
            continue;
        }
        if excuses.contains_key(&(name.to_owned(), frame)) {
            score.excused += messages.min(worst.0);
            continue;
        }
        score.missed += worst.0.min(messages.max(1));
        if std::env::var_os("TRUTH_VERBOSE").is_some() {
            println!("{name} frame {frame} {}: tshark {:?}, ours {:?}", worst.1, row.get(worst.1), worst.2);
        }
    }
    score
}

/// Where tshark shows a message whose end our row does not tell (it ended with its stream, or its record ends after it): the first frame of
/// the same stream, at or after `frame`, that has it and is not explained by another of our messages.
fn closing(
    frame: u64,
    message: &Value,
    protocol: &Protocol,
    truth: &[&csv::Row],
    ours: &BTreeMap<u64, Vec<Value>>,
) -> u64 {
    let ports = [message["src_port"].to_string(), message["dst_port"].to_string()];
    let shows = |row: &csv::Row| {
        let same = |(column, words): &(&str, fn(&Value) -> Vec<String>)| {
            protocol.primary.contains(column) && words(message).iter().all(|w| cells(row, column).0.contains(w))
        };
        let at = |column: &str| row.get(column).is_some_and(|port| ports.contains(port));
        at("tcp.srcport")
            && at("tcp.dstport")
            && protocol.columns.iter().filter(|c| protocol.primary.contains(&c.0)).all(same)
    };
    let frames = truth.iter().filter(|row| shows(row)).filter_map(|row| row["frame.number"].parse().ok());
    frames.filter(|f| *f == frame || (*f > frame && !ours.contains_key(f))).min().unwrap_or(frame)
}

/// Words of a cell, and whether its end was cut.
pub fn cells(row: &csv::Row, column: &str) -> (Vec<String>, bool) {
    let cell = row.get(column).map(String::as_str).unwrap_or_default();
    (split(cell), cell.chars().count() >= CUT)
}

/// Readers differ in how many replacement characters stand for bytes that are no text: a run counts as one.
fn split(cell: &str) -> Vec<String> {
    let mut last = ' ';
    let repeats = |c: &char| std::mem::replace(&mut last, *c) != '\u{fffd}' || *c != '\u{fffd}';
    let cell: String = cell.chars().filter(repeats).collect();
    cell.split('|').filter(|w| !w.is_empty()).map(str::to_owned).collect()
}

/// How many words of the truth are not ours, or ours not in the truth: multisets; the last word of a cut cell is a prefix.
fn missing((mut truth, cut): (Vec<String>, bool), mut ours: Vec<String>) -> u64 {
    let last = if cut { truth.pop() } else { None };
    let mut absent = 0;
    for word in &truth {
        match ours.iter().position(|o| o == word) {
            Some(at) => {
                ours.swap_remove(at);
            }
            None => absent += 1,
        }
    }
    match last {
        Some(last) => absent + u64::from(!ours.iter().any(|o| o.starts_with(&last))),
        None => absent.max(ours.len() as u64),
    }
}
