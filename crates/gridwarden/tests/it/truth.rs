//! What tshark saw in every capture of the corpus, frame by frame, against our records; the differences are excused by name or fail.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::csv;
use crate::program::{analyze, files_below};
use crate::truth_columns::{PROTOCOLS, Protocol};

/// A truth cell of this length was cut by its maker.
const CUT: usize = 240;
/// Share of messages that must agree, over all captures of a protocol.
const SHARE: f64 = 0.999;
/// Share of messages that must agree in a capture of 100 or more.
const CAPTURE_SHARE: f64 = 0.95;
/// Share of messages that may be excused.
const EXCUSED_SHARE: f64 = 0.005;

#[derive(Default)]
struct Score {
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
    for protocol in PROTOCOLS {
        let mut all = Score::default();
        let mut captures = 0;
        for (capture, truth) in truths(&corpus) {
            let rows: Vec<_> = csv::read(&truth)
                .into_iter()
                .filter(|r| protocol.labels.iter().any(|l| r["protocol"].starts_with(l)))
                .collect();
            if rows.iter().all(|r| r.get(protocol.primary).is_none_or(String::is_empty)) {
                continue;
            }
            captures += 1;
            let name = capture.strip_prefix(&corpus).unwrap().display().to_string();
            let one = compare(protocol, &capture, &name, &rows, &excuses);
            let bad = one.missed > 1 && (one.missed as f64) > one.messages as f64 * (1.0 - CAPTURE_SHARE);
            if one.missed > 0 {
                println!(
                    "  {name}: {} of {} {} messages differ, {} excused",
                    one.missed, one.messages, protocol.name, one.excused
                );
            }
            if bad {
                failures.push(format!("{name}: {} of {} {} messages differ", one.missed, one.messages, protocol.name));
            }
            all.messages += one.messages;
            all.missed += one.missed;
            all.excused += one.excused;
        }
        let agree = 1.0 - all.missed as f64 / all.messages.max(1) as f64;
        println!(
            "{}: {} messages in {captures} captures, {} differ, {} excused: {:.4} % agree",
            protocol.name,
            all.messages,
            all.missed,
            all.excused,
            agree * 100.0
        );
        if all.messages == 0 || agree < SHARE || all.excused as f64 > all.messages as f64 * EXCUSED_SHARE {
            failures.push(format!(
                "{}: {:.4} % of {} agree, {} excused",
                protocol.name,
                agree * 100.0,
                all.messages,
                all.excused
            ));
        }
    }
    assert!(failures.is_empty(), "{failures:#?}");
}

/// Captures that have a truth table, with it.
fn truths(corpus: &Path) -> Vec<(PathBuf, PathBuf)> {
    let mut found = Vec::new();
    for part in ["pcap/ot", "labelled"] {
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
fn excuses() -> BTreeMap<(String, u64), String> {
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

fn compare(
    protocol: &Protocol,
    capture: &Path,
    name: &str,
    truth: &[csv::Row],
    excuses: &BTreeMap<(String, u64), String>,
) -> Score {
    let run = analyze(&[capture.to_path_buf()], &["--detail", "full", "--logs", "ndjson", "--quiet", "-j", "1"]);
    let mut ours: BTreeMap<u64, Vec<Value>> = BTreeMap::new();
    for row in run.lines(&format!("ndjson/{}.ndjson", protocol.kind)) {
        ours.entry(row["frame"].as_u64().unwrap_or(0)).or_default().push(row);
    }
    let mut score = Score::default();
    for row in truth {
        let frame: u64 = row["frame.number"].parse().unwrap();
        let messages = cells(row, protocol.primary).0.len() as u64;
        let empty = Vec::new();
        let worst = protocol
            .columns
            .iter()
            .filter(|(column, _)| row.contains_key(*column))
            .map(|(column, words)| {
                let said: Vec<String> = ours.get(&frame).unwrap_or(&empty).iter().flat_map(words).collect();
                (missing(cells(row, column), said.clone()), *column, said)
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

/// Words of a cell, and whether its end was cut.
fn cells(row: &csv::Row, column: &str) -> (Vec<String>, bool) {
    let cell = row.get(column).map(String::as_str).unwrap_or_default();
    let cut = cell.chars().count() >= CUT;
    let mut words: Vec<String> = cell.split('|').filter(|w| !w.is_empty()).map(str::to_owned).collect();
    if cut {
        words.pop();
    }
    (words, cut)
}

/// How many words of the truth are not ours, or ours not in the truth: multisets, prefixes where the truth was cut.
fn missing((truth, cut): (Vec<String>, bool), mut ours: Vec<String>) -> u64 {
    let mut absent = 0;
    for word in &truth {
        match ours.iter().position(|o| o == word) {
            Some(at) => {
                ours.swap_remove(at);
            }
            None => absent += 1,
        }
    }
    if cut { absent } else { absent.max(ours.len() as u64) }
}
