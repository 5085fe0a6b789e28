//! Figures are those of the rows; text from the wire stays text in every form.

use respond::{Case, Correlator, Finding, Rules};
use serde_json::{Value, json};

use crate::ops::{self, Cell, Ground, Rows};

const HOSTILE: &str = "<script>alert(1)</script>=cmd|' /C calc'!A0\u{202e}";

fn finding(n: u64, severity: &str) -> Finding {
    Finding::from_json(json!({
        "id": format!("f{n}"), "rev": 1, "ts": format!("2026-03-0{}T10:00:00Z", 1 + n % 5), "ts_end": "2026-03-09T10:00:01Z", "raised": "2026-03-01T10:00:01Z",
        "detector": if n.is_multiple_of(2) { "scan" } else { "new-master" }, "title": HOSTILE, "severity": severity, "basis": "decoded", "attack": ["T0846"],
        "src": { "ip": "10.0.0.9", "name": HOSTILE }, "dst": { "ip": format!("10.0.0.{n}") }, "proto": "modbus", "uids": [], "packets": [],
        "why": HOSTILE, "evidence": { "observed": "x" }, "dedup_key": "k", "count": 3,
    }))
    .unwrap()
}

fn with(check: impl Fn(&Ground<'_>)) {
    let findings: Vec<Finding> = (0..10).map(|n| finding(n, if n == 0 { "high" } else { "medium" })).collect();
    let mut correlator = Correlator::new(Rules::default(), []);
    for f in &findings {
        correlator.take(f);
    }
    let cases: Vec<Case> = correlator.into_cases();
    let summary =
        json!({ "first": "2026-03-01T00:00:00Z", "last": "2026-03-08T00:00:00Z", "reasons": { "unknown_link": 4 } });
    check(&Ground { findings: &findings, devices: &[], cases: &cases, summary: &summary, marking: "SITE INTERNAL" });
}

fn conn(src: &str, dst: &str, bytes: u64, again: u64) -> Value {
    json!({ "src_ip": src, "dst_ip": dst, "proto": "tcp", "service": "modbus", "orig_pkts": 5, "resp_pkts": 5, "orig_ip_bytes": bytes, "resp_ip_bytes": 0,
        "orig_bytes": 1000, "resp_bytes": 1000, "orig_retransmitted_bytes": again, "resp_retransmitted_bytes": 0, "missed_bytes": 7, "conn_state": "SF", "data_rtt_mean": 0.002 })
}

#[test]
fn every_form_holds_the_same_rows_and_nothing_breaks_out() {
    with(|ground| {
        let documents = [
            ops::case(&ground.cases[0], ground),
            ops::handover(ground),
            ops::weekly(ground),
            ops::network(&Rows::default(), None, ground),
        ];
        for d in &documents {
            let page = ops::html(d);
            assert!(!page.contains("<script") && !page.contains('\u{202e}'), "{}", d.kind);
            assert_eq!(page.matches("SITE INTERNAL").count(), 2);
            assert!(d.sections.iter().any(|s| s.name == "unread") || d.kind == "case");
            for (name, text) in ops::csv(d) {
                assert!(!text.lines().any(|l| l.starts_with('=') || l.contains(",=")), "{} {name}: {text}", d.kind);
                let section = d.sections.iter().find(|s| s.name == name).unwrap();
                assert_eq!(text.lines().count(), section.rows.len() + 1, "{} {name}", d.kind);
            }
            let again: Value = serde_json::from_str(&ops::json(d)).unwrap();
            assert_eq!(again["sections"].as_array().unwrap().len(), d.sections.len());
        }
        let weekly = &documents[2];
        let total: u64 = weekly.sections[0]
            .rows
            .iter()
            .flat_map(|r| &r[1..])
            .map(|c| if let Cell::Count(n) = c { *n } else { 0 })
            .sum();
        assert_eq!(total, 10);
        assert!(weekly.figures.contains(&("high findings".to_owned(), "1".to_owned())));
    });
}

#[test]
fn network_figures_are_those_of_the_rows() {
    with(|ground| {
        let timed = |ms: f64| {
            (
                "modbus".to_owned(),
                json!({ "src_ip": "10.0.0.2", "dst_ip": "10.0.0.1", "is_request": false, "response_time": ms / 1e3 }),
            )
        };
        let rows = Rows {
            conn: vec![
                conn("10.0.0.1", "10.0.0.2", 900, 20),
                conn("10.0.0.1", "10.0.0.2", 100, 0),
                conn("10.0.0.1", "10.0.0.3", 5, 0),
            ],
            timed: (1..=100).map(|n| timed(f64::from(n))).collect(),
            point: vec![
                json!({ "event": "minute", "server": "10.0.0.2", "proto": "modbus", "table": "holding", "unit": 1, "address": 4, "period": 2.0, "jitter": 0.5, "good": true }),
            ],
        };
        let before = Rows { conn: vec![conn("10.0.0.1", "10.0.0.2", 50, 0)], ..Rows::default() };
        let d = ops::network(&rows, Some(&before), ground);
        let load = &d.sections[0].rows[0];
        assert_eq!(
            load[3..11],
            [
                Cell::Count(2),
                Cell::Count(0),
                Cell::Count(20),
                Cell::Count(1_000),
                Cell::Count(50),
                Cell::Number(0.5),
                Cell::Count(14),
                Cell::Number(2.0)
            ]
        );
        // Whoever asked stands first, though the answer's row bears the server first.
        assert_eq!(
            d.sections[1].rows[0][..7],
            [
                "10.0.0.1".into(),
                "10.0.0.2".into(),
                "modbus".into(),
                Cell::Count(100),
                Cell::Number(50.0),
                Cell::Number(95.0),
                Cell::Number(100.0)
            ]
        );
        assert_eq!(d.sections[2].rows[0][2..], [Cell::Count(1), Cell::Number(2.0), Cell::Number(0.5), Cell::Count(0)]);
    });
}
