//! A quarter with planted faults: the package shows each and no other; a byte flipped anywhere is named.

use std::fs;

use gwcore::Ts;
use gwcore::time::{HOUR, MINUTE, parse_rfc3339};

use crate::cip::{
    self, Change, Deletion, Esp, Evaluated, Exclusion, Facts, Feed, FeedGap, FeedMinutes, Hold, LedgerCheck, Scope,
    Status, Unread, assess,
};
use crate::manifest::{Fault, verify};

const DAY: i64 = 24 * HOUR;

fn start() -> Ts {
    parse_rfc3339("2028-10-01T00:00:00Z").unwrap()
}

fn at(hours: i64) -> Ts {
    start().plus(hours * HOUR)
}

/// A quarter in which nothing is missing.
fn quarter() -> Facts {
    let (from, to) = (start(), start().plus(92 * DAY));
    let esp = |name: &str| Esp { name: name.into(), impact: "high".into(), erc: true, control_center: true };
    let feed = |id: &str, esp: &str| Feed {
        id: id.into(),
        interface: id.into(),
        esp: esp.into(),
        rationale: "sees every packet of the control network".into(),
        author: "ada".into(),
        approver: "bob".into(),
        approved: "2028-09-01".into(),
        ..Feed::default()
    };
    let minutes =
        |i: &str| FeedMinutes { interface: i.into(), from, to, minutes: 92 * 1_440, packets: 1_000_000, dropped: 0 };
    Facts {
        from,
        to,
        scope: Scope {
            entity: "Utility".into(),
            source: "list L-44 v7".into(),
            approver: "bob".into(),
            time_zone: "America/Chicago".into(),
            evaluation_target_hours: Some(72),
            gap_tolerance_minutes: Some(5),
            esp: vec![esp("center"), esp("backup")],
            feed: vec![feed("span0", "center"), feed("span1", "backup")],
            exclusion: Vec::new(),
        },
        minutes: vec![minutes("span0"), minutes("span1")],
        gaps: Vec::new(),
        findings: (0..40).map(|n| evaluated(n, n * 24, Some(n * 24 + 5))).collect(),
        changes: vec![change(1, -24, "ada", "bob"), change(9, 100, "ada", "bob")],
        baseline_approver: "bob".into(),
        holds: vec![Hold {
            case: "case-1".into(),
            placed: at(50),
            released: Some(at(500)),
            completed: "relay replaced".into(),
        }],
        deletions: vec![deletion(20, 600, "case-1", "retention policy 3"), deletion(21, 10, "", "retention policy 3")],
        ledger: LedgerCheck { entries: 99, hash: "ab".into(), broken: String::new(), anchor: "second site".into() },
        unread: Some(vec![Unread { what: "tcp/4840 opc-ua".into(), packets: 7, bytes: 900 }]),
    }
}

fn evaluated(n: i64, raised: i64, done: Option<i64>) -> Evaluated {
    Evaluated {
        id: format!("f{n}"),
        raised: at(raised),
        severity: "medium".into(),
        detector: "scan".into(),
        title: "scan".into(),
        by: done.map_or(String::new(), |_| "ada".into()),
        by_person: done.is_some(),
        at: done.map(at),
        conclusion: "expected".into(),
        method: "SEC-PR-014 v7".into(),
        suppression: String::new(),
        case: String::new(),
    }
}

fn change(n: u64, hour: i64, by: &str, approved_by: &str) -> Change {
    Change {
        n,
        at: at(hour),
        what: "baseline".into(),
        hash: "cd".into(),
        by: by.into(),
        approved_by: approved_by.into(),
        reference: "CHG1".into(),
    }
}

fn deletion(n: u64, hour: i64, case: &str, authority: &str) -> Deletion {
    Deletion {
        n,
        at: at(hour),
        class: "packets".into(),
        what: format!("ring/{n}"),
        case: case.into(),
        by: "retention".into(),
        authority: authority.into(),
    }
}

/// (part, check, object) of all rows.
fn rows(facts: &Facts) -> Vec<(String, String, String)> {
    let mut out = Vec::new();
    for p in assess(facts) {
        out.extend(
            p.rows.iter().map(|r| (p.id.rsplit(' ').next().unwrap().to_owned(), r.check.to_owned(), r.object.clone())),
        );
    }
    out
}

#[test]
fn a_whole_quarter_is_evidenced_and_each_planted_fault_is_shown_alone() {
    let whole = quarter();
    let parts = assess(&whole);
    assert!(parts.iter().all(|p| p.status == Status::Evidenced && p.rows.is_empty()), "{parts:#?}");

    let mut all = quarter();
    let mut planted: Vec<(&str, &str, String)> = Vec::new();
    // An outage of six hours nobody acknowledged; one of an hour that somebody did; three minutes within the tolerance.
    let minutes =
        |i: &str, from: Ts, to: Ts| FeedMinutes { interface: i.into(), from, to, minutes: 0, packets: 1, dropped: 0 };
    all.minutes = vec![
        minutes("span0", all.from, at(200)),
        minutes("span0", at(206), at(300)),
        minutes("span0", at(301), at(400)),
        minutes("span0", at(400).plus(3 * MINUTE), all.to),
        minutes("span1", all.from, all.to),
    ];
    all.gaps = vec![FeedGap {
        interface: "span0".into(),
        from: at(300),
        to: at(301),
        cause: "work on the switch".into(),
        acknowledged_by: "ada".into(),
    }];
    planted.push(("R1.1", "feed_gaps", "span0".into()));
    all.scope.esp.push(Esp { name: "sub12".into(), impact: "medium".into(), erc: true, control_center: false });
    planted.push(("R1.1", "feed_or_exclusion_per_esp", "sub12".into()));
    all.changes.push(change(11, 700, "eve", ""));
    planted.push(("R1.2", "changes_approved", "ledger entry 11".into()));
    all.changes.push(change(12, 710, "bob", "bob"));
    planted.push(("R1.2", "changes_approved", "ledger entry 12".into()));
    // One late, one never, one by automation, one without a method; one raised so late that its time is not over, one suppressed.
    all.findings.push(evaluated(100, 240, Some(340)));
    planted.push(("R1.3", "evaluated_in_time", "f100".into()));
    all.findings.push(evaluated(101, 250, None));
    planted.push(("R1.3", "evaluated_in_time", "f101".into()));
    all.findings.push(Evaluated { by: "bot".into(), by_person: false, ..evaluated(102, 260, Some(261)) });
    planted.push(("R1.3", "evaluated_by_a_person", "f102".into()));
    all.findings.push(Evaluated { method: " ".into(), ..evaluated(103, 270, Some(271)) });
    planted.push(("R1.3", "evaluated_with_a_method", "f103".into()));
    all.findings.push(evaluated(104, 92 * 24 - 10, None));
    all.findings.push(Evaluated { suppression: "s1".into(), ..evaluated(105, 280, None) });
    all.deletions.push(deletion(30, 499, "case-1", "retention policy 3"));
    planted.push(("R2", "nothing_held_was_deleted", "ring/30".into()));
    all.deletions.push(deletion(31, 800, "", ""));
    planted.push(("R3", "deletions_authorised", "ring/31".into()));
    let want: Vec<(String, String, String)> =
        planted.into_iter().map(|(a, b, c)| (a.to_owned(), b.to_owned(), c)).collect();
    let (mut got, mut want) = (rows(&all), want);
    got.sort();
    want.sort();
    assert_eq!(got, want);
    assert!(assess(&all).iter().all(|p| p.status == Status::Gap));
}

#[test]
fn missing_people_need_attestation_and_missing_rows_are_no_data() {
    let mut f = quarter();
    f.baseline_approver.clear();
    f.ledger.anchor.clear();
    f.scope.exclusion = vec![Exclusion::default()];
    f.scope.feed[0].approver.clear();
    let status = |f: &Facts| assess(f).iter().map(|p| p.rehearsal).collect::<Vec<_>>();
    assert_eq!(
        status(&f),
        [
            Status::AttestationNeeded,
            Status::AttestationNeeded,
            Status::Evidenced,
            Status::Evidenced,
            Status::AttestationNeeded
        ]
    );
    f.minutes.clear();
    f.changes.clear();
    assert_eq!(status(&f)[..2], [Status::NoData, Status::NoData]);
    // Before it is mandatory every part is rehearsed only.
    f.from = parse_rfc3339("2026-10-01T00:00:00Z").unwrap();
    f.to = parse_rfc3339("2027-01-01T00:00:00Z").unwrap();
    assert!(assess(&f).iter().all(|p| p.status == Status::Future && p.mandatory_from == "2028-10-01T00:00:00Z"));
}

#[test]
fn a_package_is_checked_alone_and_every_flipped_byte_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let ledger = dir.path().join("ledger");
    fs::create_dir(&ledger).unwrap();
    fs::write(ledger.join("2028-10-01.ndjson"), "{\"n\":1}\n").unwrap();
    fs::write(ledger.join("head"), "x").unwrap();
    fs::write(ledger.join("lock"), "").unwrap();
    let key = cip::sign::Key::make(&dir.path().join("key")).unwrap();
    assert!(cip::sign::Key::make(&dir.path().join("key")).is_err());
    let to = dir.path().join("package");
    let mut facts = quarter();
    facts.findings[3].title = "=cmd|' /C calc'!A0".into();
    cip::write(&facts, Some(&ledger), &to, "ada", Ts(0), Some(&key)).unwrap();
    let (manifest, faults) = verify(&to).unwrap();
    assert_eq!(faults, []);
    assert!(to.join("ledger/2028-10-01.ndjson").exists() && !to.join("ledger/lock").exists());
    assert!(fs::read_to_string(to.join("tables/evaluations.csv")).unwrap().contains("'=cmd|"));
    let sums = fs::read(to.join("SHA256SUMS")).unwrap();
    let signature = fs::read_to_string(to.join("SHA256SUMS.sig")).unwrap();
    let public = fs::read_to_string(to.join("signer.pub")).unwrap();
    assert!(cip::sign::is_signed(&sums, &signature, &public));
    assert!(!cip::sign::is_signed(&sums[1..], &signature, &public));
    assert!(!cip::sign::is_signed(&sums, "zz", &public));
    for file in manifest.files.iter().filter(|f| f.bytes > 0) {
        let path = to.join(&file.path);
        let whole = fs::read(&path).unwrap();
        let mut flipped = whole.clone();
        let at = flipped.len() / 2;
        flipped[at] ^= 1;
        fs::write(&path, flipped).unwrap();
        let (_, faults) = verify(&to).unwrap();
        assert!(
            matches!(&faults[..], [Fault::Changed { path, .. }] if *path == file.path),
            "{}: {faults:?}",
            file.path
        );
        fs::write(&path, whole).unwrap();
    }
    // The manifest itself too.
    let path = to.join("manifest.json");
    let text = fs::read_to_string(&path).unwrap().replacen("ada", "eve", 1);
    fs::write(&path, text).unwrap();
    let (_, faults) = verify(&to).unwrap();
    assert!(matches!(&faults[..], [Fault::Changed { path, .. }] if path == "manifest.json"), "{faults:?}");
    // None of the words that must not be used.
    let mut all = String::new();
    for name in ["report.json", "report.txt", "tables/status.csv"] {
        all += &fs::read_to_string(to.join(name)).unwrap().to_lowercase();
    }
    for word in ["compliant", "violation", "certified", "guaranteed"] {
        assert!(!all.contains(word), "{word}");
    }
}
