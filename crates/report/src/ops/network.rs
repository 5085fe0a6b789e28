//! Network performance: load and loss of each pair of devices, response times of requests, how regular polling is. From records alone.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::ops::{Cell, Document, Ground, Section, span, unread};

/// Rows that the report counts, as JSON objects of the record kinds.
#[derive(Default)]
pub struct Rows {
    /// `conn`.
    pub conn: Vec<Value>,
    /// Rows of any protocol kind with `response_time` or `rtt`, with the kind's name.
    pub timed: Vec<(String, Value)>,
    /// `point` rows of a minute.
    pub point: Vec<Value>,
}

#[derive(Default)]
struct Load {
    sessions: u64,
    packets: u64,
    bytes: u64,
    retransmitted: u64,
    payload: u64,
    missed: u64,
    rtts: Vec<f64>,
    failed: u64,
}

/// Makes it. `before` are the same rows of the week before, where there are any.
pub fn network(rows: &Rows, before: Option<&Rows>, ground: &Ground<'_>) -> Document {
    let (from, to) = span(ground);
    let now = loads(rows);
    let then = before.map(loads).unwrap_or_default();
    let mut load = Section::new(
        "load",
        "Load and loss",
        "By pair of devices and service, the most bytes first. Sent again: payload bytes retransmitted of all payload bytes of TCP. Not seen: bytes of TCP streams that the capture lacks. Round trip: from data to its acknowledgement, mean of the sessions' means.",
        &[
            "From",
            "To",
            "Service",
            "Sessions",
            "Failed",
            "Packets",
            "Bytes",
            "Bytes the week before",
            "Sent again, %",
            "Not seen, bytes",
            "Round trip, ms",
        ],
    );
    load.bars = Some(6);
    let mut list: Vec<_> = now.iter().collect();
    list.sort_by(|a, b| b.1.bytes.cmp(&a.1.bytes).then(a.0.cmp(b.0)));
    for (key, l) in list {
        let again = (l.payload > 0).then(|| round(l.retransmitted as f64 * 100.0 / l.payload as f64, 3));
        load.row(vec![
            key.0.clone().into(),
            key.1.clone().into(),
            key.2.clone().into(),
            l.sessions.into(),
            l.failed.into(),
            l.packets.into(),
            l.bytes.into(),
            then.get(key).map(|l| l.bytes).into(),
            again.into(),
            l.missed.into(),
            mean(&l.rtts).map(|s| round(s * 1e3, 3)).into(),
        ]);
    }
    let times = response(rows);
    let earlier = before.map(response).unwrap_or_default();
    let mut answers = Section::new(
        "response",
        "Response times",
        "From request to answer, by pair and protocol. At summary detail, answers of repeated polls are left out of the records: the number says how many are counted.",
        &[
            "Asks",
            "Answers",
            "Protocol",
            "Counted",
            "Median, ms",
            "95th percentile, ms",
            "Longest, ms",
            "Median the week before, ms",
        ],
    );
    let mut list: Vec<_> = times.iter().collect();
    list.sort_by(|a, b| percentile(b.1, 0.95).total_cmp(&percentile(a.1, 0.95)).then(a.0.cmp(b.0)));
    for (key, t) in list {
        let ms = |s: f64| Cell::from(round(s * 1e3, 3));
        answers.row(vec![
            key.0.clone().into(),
            key.1.clone().into(),
            key.2.clone().into(),
            (t.len() as u64).into(),
            ms(percentile(t, 0.5)),
            ms(percentile(t, 0.95)),
            ms(percentile(t, 1.0)),
            earlier.get(key).map_or(Cell::Missing, |t| ms(percentile(t, 0.5))),
        ]);
    }
    let mut polling = Section::new(
        "polling",
        "Polling",
        "Points of a server by protocol: mean time between values and the largest departure from it, over the minutes seen.",
        &["Server", "Protocol", "Points", "Mean period, s", "Largest departure, s", "Values of bad quality, minutes"],
    );
    for ((server, proto), p) in points(rows) {
        polling.row(vec![
            server.into(),
            proto.into(),
            (p.addresses.len() as u64).into(),
            mean(&p.periods).map(|s| round(s, 3)).into(),
            p.jitter.map(|s| round(s, 3)).into(),
            p.bad.into(),
        ]);
    }
    let bytes: u64 = now.values().map(|l| l.bytes).sum();
    let packets: u64 = now.values().map(|l| l.packets).sum();
    let missed: u64 = now.values().map(|l| l.missed).sum();
    Document {
        kind: "network",
        title: "Network performance".to_owned(),
        covers: format!("{from} to {to} (UTC){}", if before.is_some() { ", beside the week before" } else { "" }),
        marking: ground.marking.to_owned(),
        figures: vec![
            ("pairs".to_owned(), now.len().to_string()),
            ("packets".to_owned(), packets.to_string()),
            ("bytes".to_owned(), bytes.to_string()),
            ("bytes not seen".to_owned(), missed.to_string()),
            ("answers timed".to_owned(), times.values().map(Vec::len).sum::<usize>().to_string()),
        ],
        sections: vec![load, answers, polling, unread(ground)],
    }
}

fn text(row: &Value, keys: &[&str]) -> String {
    keys.iter().find_map(|k| row[*k].as_str()).unwrap_or("?").to_owned()
}

fn count(row: &Value, key: &str) -> u64 {
    row[key].as_u64().unwrap_or(0)
}

fn loads(rows: &Rows) -> BTreeMap<(String, String, String), Load> {
    let mut out: BTreeMap<(String, String, String), Load> = BTreeMap::new();
    for row in &rows.conn {
        let service = text(row, &["service", "proto"]);
        let key = (text(row, &["src_ip", "src_mac"]), text(row, &["dst_ip", "dst_mac"]), service);
        let l = out.entry(key).or_default();
        l.sessions += 1;
        l.packets += count(row, "orig_pkts") + count(row, "resp_pkts");
        l.bytes += count(row, "orig_ip_bytes") + count(row, "resp_ip_bytes");
        l.retransmitted += count(row, "orig_retransmitted_bytes") + count(row, "resp_retransmitted_bytes");
        if row["proto"] == "tcp" {
            l.payload += count(row, "orig_bytes") + count(row, "resp_bytes");
        }
        l.missed += count(row, "missed_bytes");
        l.rtts.extend(row["data_rtt_mean"].as_f64());
        l.failed += u64::from(
            matches!(row["conn_state"].as_str(), Some("S0" | "REJ" | "RSTOS0" | "RSTRH" | "SH" | "SHR"))
                && row["proto"] == "tcp",
        );
    }
    out
}

fn response(rows: &Rows) -> BTreeMap<(String, String, String), Vec<f64>> {
    let mut out: BTreeMap<(String, String, String), Vec<f64>> = BTreeMap::new();
    for (kind, row) in &rows.timed {
        // FTP counts in nanoseconds, all others in seconds.
        let scale = if kind == "ftp" { 1e-9 } else { 1.0 };
        let Some(time) = row["response_time"].as_f64().or(row["rtt"].as_f64()).filter(|t| *t >= 0.0) else { continue };
        // The row of an answer bears its sender first; of a transaction the one who asked.
        let is_answer = row["is_request"] == false || matches!(kind.as_str(), "dnp3" | "iec104");
        let (a, b) = (text(row, &["src_ip", "src_mac"]), text(row, &["dst_ip", "dst_mac"]));
        let key = if is_answer { (b, a, kind.clone()) } else { (a, b, kind.clone()) };
        out.entry(key).or_default().push(time * scale);
    }
    for times in out.values_mut() {
        times.sort_by(f64::total_cmp);
    }
    out
}

#[derive(Default)]
struct Polled {
    addresses: std::collections::BTreeSet<(String, u64, u64)>,
    periods: Vec<f64>,
    jitter: Option<f64>,
    bad: u64,
}

fn points(rows: &Rows) -> BTreeMap<(String, String), Polled> {
    let mut out: BTreeMap<(String, String), Polled> = BTreeMap::new();
    for row in rows.point.iter().filter(|r| r["event"] == "minute") {
        let p = out.entry((text(row, &["server", "server_mac"]), text(row, &["proto"]))).or_default();
        p.addresses.insert((text(row, &["table"]), count(row, "unit"), count(row, "address")));
        p.periods.extend(row["period"].as_f64());
        p.jitter = p.jitter.into_iter().chain(row["jitter"].as_f64()).reduce(f64::max);
        p.bad += u64::from(row["good"] == false);
    }
    out
}

fn mean(list: &[f64]) -> Option<f64> {
    (!list.is_empty()).then(|| list.iter().sum::<f64>() / list.len() as f64)
}

/// The value below which this share of a sorted list lies (nearest rank).
fn percentile(sorted: &[f64], share: f64) -> f64 {
    let at = (share * sorted.len() as f64).ceil() as usize;
    sorted.get(at.saturating_sub(1).min(sorted.len().saturating_sub(1))).copied().unwrap_or(f64::NAN)
}

fn round(x: f64, digits: i32) -> f64 {
    let scale = 10_f64.powi(digits);
    (x * scale).round() / scale
}
