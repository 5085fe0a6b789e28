//! What is kept in the state database and the ledger comes back the same, and gives the evidence that it should.

use gwcore::Ts;
use gwcore::time::{HOUR, MINUTE, parse_rfc3339};
use serde_json::json;
use state::{Db, Role, Store as _, Triage, Verdict};

use super::finding;
use crate::cip::{self, Esp, Feed, Scope, Status, assess};
use crate::store::{Store, Wanted};
use crate::{Actor, Case};

#[test]
fn cases_and_holds_are_kept_and_nobody_overwrites_anothers_change() {
    let dir = tempfile::tempdir().unwrap();
    let db = Db::open(&dir.path().join("state.sqlite")).unwrap();
    let store = Store::open(&db).unwrap();
    let mut case = Case::open(&finding("f1", 0, "high", "T0836", "a", "b", "Ca"));
    store.keep_case(&case).unwrap();
    let mut other = store.case(&case.id).unwrap().unwrap();
    case.note(Ts(1), &Actor::person("ada"), "note", "one");
    store.keep_case(&case).unwrap();
    other.note(Ts(2), &Actor::person("bob"), "note", "two");
    assert!(store.keep_case(&other).unwrap_err().to_string().contains("changed meanwhile"));
    assert_eq!(store.cases().unwrap()[0].timeline.len(), 2);
    assert!(store.case("nope").unwrap().is_none());
    store.hold(&case.id, "ada", "evidence", 5).unwrap();
    store.hold(&case.id, "bob", "again", 6).unwrap();
    assert_eq!(store.holds().unwrap().len(), 1);
    assert!(store.release(&case.id, "ada", " ", 9).is_err());
    store.release(&case.id, "ada", "relay replaced", 9).unwrap();
    assert!(store.release(&case.id, "ada", "again", 9).is_err());
    assert_eq!(store.holds().unwrap()[0].completed.as_deref(), Some("relay replaced"));
}

#[test]
fn cases_come_in_pages_by_state_owner_words_and_finding() {
    let dir = tempfile::tempdir().unwrap();
    let db = Db::open(&dir.path().join("state.sqlite")).unwrap();
    let store = Store::open(&db).unwrap();
    for n in 0..25u64 {
        let mut case =
            Case::open(&finding(&format!("f{n:02}"), n * 30, "high", "T0836", &format!("10.0.0.{n}"), "b", "Ca"));
        if n % 5 == 0 {
            case.assign(Ts(1), &Actor::person("ada"), "ada").unwrap();
        }
        store.keep_case(&case).unwrap();
    }
    let (mut seen, mut cursor) = (Vec::new(), None);
    loop {
        let page = store.page(&Wanted::default(), cursor.as_ref(), 10).unwrap();
        assert_eq!(page.total, 25);
        seen.extend(page.items.into_iter().map(|c| c.id));
        cursor = page.next;
        if cursor.is_none() {
            break;
        }
    }
    let newest_first: Vec<String> = (0..25).rev().map(|n| format!("case-f{n:02}")).collect();
    assert_eq!(seen, newest_first);
    let of = |wanted: Wanted| store.page(&wanted, None, 100).unwrap().total;
    assert_eq!(of(Wanted { states: vec!["open".into()], ..Wanted::default() }), 5);
    assert_eq!(of(Wanted { owner: Some(String::new()), ..Wanted::default() }), 20);
    assert_eq!(of(Wanted { owner: Some("ada".into()), ..Wanted::default() }), 5);
    assert_eq!(of(Wanted { text: Some("10.0.0.24".into()), ..Wanted::default() }), 1);
    assert_eq!(of(Wanted { text: Some("100%_'".into()), ..Wanted::default() }), 0);
    assert_eq!(of(Wanted { finding: Some("f07".into()), ..Wanted::default() }), 1);
    assert_eq!(store.counts().unwrap(), [("new".to_owned(), 20), ("open".to_owned(), 5)]);
}

#[test]
fn evidence_comes_from_what_was_kept() {
    let dir = tempfile::tempdir().unwrap();
    let db = Db::open(&dir.path().join("state.sqlite")).unwrap();
    let chain = dir.path().join("ledger");
    let ledger = ledger::Ledger::open(&chain).unwrap();
    let start = parse_rfc3339("2026-03-01T00:00:00Z").unwrap();
    db.add_user("ada", Role::Analyst, "a-long-passphrase-7", "root", 0).unwrap();
    ledger
        .append_at(start.plus(-HOUR), "baseline.approved", "ada", &json!({ "hash": "ab", "proposed_by": "gridwarden" }))
        .unwrap();
    ledger.append_at(start.plus(2 * HOUR), "config.changed", "ada", &json!({ "hash": "cd" })).unwrap();
    ledger
        .append_at(
            start.plus(3 * HOUR),
            "retention.deleted",
            "retention",
            &json!({ "class": "packets", "what": "ring/1", "case": "" }),
        )
        .unwrap();
    for minute in (0..24 * 60).filter(|m| !(600..660).contains(m)) {
        let ts = start.plus(minute * MINUTE).to_string();
        db.add_minute(&json!({ "type": "minute", "ts": ts, "interface": "span0", "packets": 10, "bytes": 1000, "dropped": 0, "unread": [{ "proto": "tcp", "port": 4840, "packets": 1, "bytes": 9 }] })).unwrap();
    }
    db.add_gap(&json!({ "type": "gap", "ts": start.plus(600 * MINUTE).to_string(), "ts_end": start.plus(660 * MINUTE).to_string(), "interface": "span0", "cause": "sensor restarted" })).unwrap();
    // Both findings lie at 10:00 of the day; one is closed by a person, one by nobody.
    for id in ["f1", "f2"] {
        db.upsert_finding(&finding(id, 0, "high", "T0836", "a", "b", "Ca").raw, false, "live", 0).unwrap();
    }
    let close = Triage::Close { verdict: Verdict::Expected, reason: "work order 7".into() };
    db.triage(&["f1".to_owned()], &close, "ada", start.plus(12 * HOUR).0).unwrap();
    let scope = Scope {
        entity: "Utility".into(),
        approver: "ada".into(),
        evaluation_target_hours: Some(4),
        gap_tolerance_minutes: Some(5),
        esp: vec![Esp { name: "center".into(), impact: "high".into(), erc: true, control_center: true }],
        feed: vec![Feed {
            id: "span0".into(),
            interface: "span0".into(),
            esp: "center".into(),
            rationale: "all of it".into(),
            approver: "ada".into(),
            ..Feed::default()
        }],
        ..Scope::default()
    };
    let facts = cip::load(&db, &chain, scope, start, start.plus(24 * HOUR), "second site").unwrap();
    assert_eq!(
        (facts.minutes.len(), facts.minutes[0].minutes, facts.findings.len(), facts.changes.len()),
        (2, 600, 2, 2)
    );
    assert_eq!(facts.unread.as_ref().unwrap()[0].packets, 1_380);
    assert!(facts.findings[0].by_person && facts.findings[0].method == "work order 7");
    let rows: Vec<(String, String)> = assess(&facts)
        .iter()
        .flat_map(|p| p.rows.iter().map(|r| (p.id[10..].to_owned(), format!("{} {}", r.check, r.object))))
        .collect();
    let want = [
        ("R1.1", "feed_gaps span0"),
        ("R1.2", "changes_approved ledger entry 2"),
        ("R1.3", "evaluated_in_time f2"),
        ("R3", "deletions_authorised ring/1"),
    ];
    assert_eq!(rows, want.map(|(a, b)| (a.to_owned(), b.to_owned())));
    assert!(assess(&facts).iter().all(|p| p.status == Status::Future));
    let packed = cip::write(&facts, Some(&chain), &dir.path().join("package"), "ada", Ts(0), None).unwrap();
    let (_, faults) = crate::manifest::verify(&packed.dir).unwrap();
    assert_eq!(faults, []);
    assert!(ledger::verify(&packed.dir.join("ledger")).unwrap().broken.is_none());
}
