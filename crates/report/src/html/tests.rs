//! The page as a whole: hostile text stays text, every section answers, and everything is bounded.

use gwcore::{PacketRef, Severity};

use super::*;
use crate::testing::{device, finding};
use crate::{FileSummary, Ground, Hashed, Input, Ran};

fn page(s: &Summary, devices: &[Device], findings: &[Finding], o: Option<&Overview>) -> String {
    html(&Page { summary: s, devices, findings, overview: o, origin: &Origin::default() })
}

#[test]
fn names_from_the_wire_stay_text() {
    let evil = "<script>alert(1)</script>\"onload=x\u{1b}[0m\u{202e}";
    let mut s = Summary { frames: 2, decoded: 1, ..Summary::default() };
    s.reasons.insert(evil.into(), 1);
    s.services.insert(evil.into(), 1);
    s.files.push(FileSummary {
        path: evil.into(),
        status: "damaged",
        problem: Some(evil.into()),
        ..Default::default()
    });
    let mut d = device("d1", &[evil], evil, Some(evil), "2026");
    d.identity.insert(evil.into(), evil.into());
    d.protocols.push(evil.into());
    let mut f = finding("scan", Severity::High, 1, ("d1", "d2"));
    (f.title, f.why, f.evidence.observed) = (evil.into(), evil.into(), evil.into());
    f.evidence.more.insert(evil.into(), evil.into());
    f.src.name = Some(evil.into());
    f.src.ip = Some(evil.into());
    f.packets = vec![PacketRef { file: evil.into(), frame: 1 }];
    let origin = Origin {
        command: evil.into(),
        folder: evil.into(),
        interfaces: vec![evil.into()],
        inputs: vec![Input { file: Hashed { path: evil.into(), ..Hashed::default() }, ..Input::default() }],
        ..Origin::default()
    };
    let page = html(&Page { summary: &s, devices: &[d], findings: &[f], overview: None, origin: &origin });
    assert!(!page.contains("<script") && !page.contains("\"onload"));
    assert!(!page.chars().any(|c| c == '\u{1b}' || c == '\u{202e}'));
    assert!(page.matches("&lt;script&gt;").count() >= 12);
}

#[test]
fn an_empty_run_says_that_nothing_is_known() {
    let page = page(&Summary::default(), &[], &[], None);
    for said in
        ["Nothing could be read", "nothing is known", "Everything: no packet was read.", "nobody", "No device was seen"]
    {
        assert!(page.contains(said) == (said != "nobody"), "{said}");
    }
    assert!(!page.contains("Every packet was decoded"));
}

#[test]
fn the_verdict_names_the_device_that_most_is_told_of() {
    let read_to_content = crate::ReadToContent { payload_packets: 9, payload_bytes: 90, packets: 9, bytes: 90 };
    let records = [("modbus".to_owned(), 9)].into();
    let s = Summary { frames: 9, decoded: 9, records, read_to_content, ..Summary::default() };
    let devices = [device("d1", &["10.0.0.77"], "00:00:00:00:00:77", None, "2026")];
    let check = |n: i64, other: bool, words: &str| {
        let mut all: Vec<Finding> = (0..n).map(|i| finding("scan", Severity::Medium, i, ("d1", "d9"))).collect();
        all.iter_mut().for_each(|f| f.dedup_key = f.ts.0.to_string());
        all.extend(other.then(|| finding("scan", Severity::Medium, 99, ("d8", "d9"))));
        assert!(page(&s, &devices, &all, None).contains(&format!("<h1>{words}</h1>")), "{words}");
    };
    check(0, false, "Nothing here asks for action");
    check(1, false, "One thing asks for attention, around 10.0.0.77");
    check(3, false, "3 things ask for attention, all around 10.0.0.77");
    check(3, true, "4 things ask for attention, 3 of them around 10.0.0.77");
    check(1, true, "2 things ask for attention");
}

#[test]
fn what_ended_and_what_goes_on_are_told_apart() {
    let minute = gwcore::time::MINUTE;
    let check = |span: i64, end: i64, said: &str| {
        let o = Overview { span: Some((Ts(0), Ts(span * minute))), ..Overview::default() };
        let f = finding("scan", Severity::High, end * minute, ("d1", "d2"));
        let s = Summary { frames: 1, decoded: 1, ..Summary::default() };
        assert!(page(&s, &[], &[f], Some(&o)).contains(said), "{said}");
    };
    check(60, 54, "last seen 6 min 0 s before the end of the capture");
    check(60, 55, "went on to the end of the capture");
    check(5, 1, "too short to tell");
}

#[test]
fn big_inputs_give_a_page_of_bounded_size_that_names_what_it_left_out() {
    let long = "x".repeat(5_000);
    let mut s = Summary { frames: 1, decoded: 1, assets: 5_000, ..Summary::default() };
    for i in 0..5_000 {
        s.reasons.insert(format!("reason {i}"), 1);
        s.files.push(FileSummary { path: format!("f{i}"), problem: Some(long.clone()), ..Default::default() });
    }
    let devices: Vec<Device> = (0..5_000)
        .map(|i| {
            device(
                &format!("d{i}"),
                &[&format!("10.0.{}.{}", i / 256, i % 256)],
                "02:00:00:00:00:01",
                Some(&long),
                "2026",
            )
        })
        .collect();
    let findings: Vec<Finding> = (0..5_000)
        .map(|i| {
            let severity = [Severity::High, Severity::Low, Severity::Info][i as usize % 3];
            let mut f = finding("scan", severity, i, (&format!("d{i}"), "d1"));
            (f.why, f.title, f.evidence.observed) = (long.clone(), long.clone(), long.clone());
            f.packets = (0..100).map(|frame| PacketRef { file: "a".into(), frame }).collect();
            f
        })
        .collect();
    let page = page(&s, &devices, &findings, None);
    assert!(page.len() < 2_000_000, "{} bytes", page.len());
    for said in [
        "4,500 further ones are not shown; assets.ndjson",
        "1,567 more of medium or above and 1,567 more low ones",
        "1,626 more stand in alerts.ndjson",
        "4,900 more files with a problem",
    ] {
        assert!(page.contains(said), "{said}");
    }
}

#[test]
fn an_auditor_s_questions_are_answered() {
    let mut s = Summary { frames: 7, decoded: 7, cut_by_snaplen: 2, ..Summary::default() };
    s.files.push(FileSummary { path: "a.pcap".into(), status: "read", frames: 7, ..Default::default() });
    let file = |path: &str| Hashed { path: path.into(), bytes: 9, sha256: format!("hash of {path}") };
    let origin = Origin {
        program: "gridwarden 9.9".into(),
        command: "gridwarden analyze a.pcap".into(),
        folder: "/work".into(),
        inputs: vec![Input { file: file("a.pcap"), links: vec![("Ethernet".into(), 7)], ..Input::default() }],
        interfaces: vec!["span0".into()],
        grounds: vec![Ground { what: "Baseline", file: Some(file("b")), says: vec!["learned from 1 to 2".into()] }],
        detectors: vec![
            ("scan", Ran::Yes),
            ("goose-state", Ran::Unheard),
            ("new-device", Ran::Mute),
            ("beacon", Ran::LeftOut),
        ],
        outputs: vec![file("alerts.ndjson")],
    };
    let f = finding("scan", Severity::Medium, 1, ("d1", "d2"));
    let o = Overview { span: Some((Ts(0), Ts(1))), ..Overview::default() };
    let page = html(&Page { summary: &s, devices: &[], findings: &[f], overview: Some(&o), origin: &origin });
    for said in [
        "hash of a.pcap",
        "Ethernet 7",
        "span0",
        "hash of b",
        "learned from 1 to 2",
        "gridwarden 9.9: 1 detectors at work, 1 without their input in the captures, 1 not given what they rest on",
        "1 left out",
        "nobody yet",
        "not determined",
        "hash of alerts.ndjson",
        "gridwarden analyze a.pcap",
        "2 of 7 frames were cut",
        "no minute without a packet",
    ] {
        assert!(page.contains(said), "{said}");
    }
    for word in ["compliant", "certified", "guaranteed", "malicious", "violation"] {
        assert!(!page.contains(word), "{word}");
    }
}

/// Contrast of two colours `#rgb` or `#rrggbb` (WCAG 2.2, relative luminance).
fn contrast(a: &str, b: &str) -> f64 {
    let channel = |hex: &str, i: usize| {
        let hex = hex.trim_start_matches('#');
        let text = if hex.len() == 3 { hex[i..=i].repeat(2) } else { hex[2 * i..2 * i + 2].to_owned() };
        let c = f64::from(u8::from_str_radix(&text, 16).unwrap()) / 255.0;
        if c <= 0.040_45 { c / 12.92 } else { ((c + 0.055) / 1.055).powf(2.4) }
    };
    let light = |c: &str| 0.2126 * channel(c, 0) + 0.7152 * channel(c, 1) + 0.0722 * channel(c, 2);
    let (a, b) = (light(a), light(b));
    (a.max(b) + 0.05) / (a.min(b) + 0.05)
}

#[test]
fn text_stands_out_from_its_ground_in_light_and_dark() {
    assert!((contrast("#fff", "#000") - 21.0).abs() < 0.01 && contrast("#777", "#fff") < 4.5);
    let sets: Vec<std::collections::BTreeMap<&str, &str>> = STYLE
        .split(":root{")
        .skip(1)
        .map(|set| set.split('}').next().unwrap().split(';').filter_map(|d| d.trim().split_once(':')).collect())
        .collect();
    assert_eq!(sets.len(), 2);
    for set in sets {
        for (text, ground) in [
            ("--ink", "--bg"),
            ("--ink", "--card"),
            ("--ink", "--hot"),
            ("--soft", "--bg"),
            ("--soft", "--card"),
            ("--soft", "--hot"),
            ("--link", "--bg"),
            ("--link", "--card"),
            ("--on", "--calm"),
            ("--on", "--alarm"),
            ("--on", "--medium"),
            ("--on", "--low"),
            ("--on", "--fact"),
        ] {
            let got = contrast(set[text], set[ground]);
            assert!(got >= 4.5, "{text} on {ground}: {got:.2}");
        }
    }
}
