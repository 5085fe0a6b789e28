//! Findings that come one by one enter cases beside what people change there, and nothing of it is lost or told twice.

use std::collections::BTreeSet;

use gwcore::{Severity, Ts};
use state::Db;

use super::finding;
use crate::correlate::{Outcome, Rules};
use crate::intake::Intake;
use crate::outbox::{Batch, Letter, Told};
use crate::store::Store;
use crate::{Actor, State};

fn keep(store: &Store<'_>, intake: &mut Intake, ids: &[&str]) -> state::Result<()> {
    let ids: BTreeSet<String> = ids.iter().map(|id| (*id).to_owned()).collect();
    let batch = Batch { cases: intake.unkept(&ids), ..Batch::default() };
    store.enter(&batch)?;
    intake.kept(&batch.cases);
    Ok(())
}

#[test]
fn what_a_person_changes_meanwhile_stays_and_no_finding_is_lost() {
    let dir = tempfile::tempdir().unwrap();
    let db = Db::open(&dir.path().join("state.sqlite")).unwrap();
    let store = Store::open(&db).unwrap();
    let mut intake = Intake::open(&store, Rules::default()).unwrap();
    let now = Ts(0);
    let first = finding("f1", 0, "high", "T0836", "a", "b", "Ca");
    assert_eq!(intake.take(&store, &first).unwrap(), Outcome::Opened("case-f1".into()));
    keep(&store, &mut intake, &["case-f1"]).unwrap();
    // Somebody takes the case between our look and our writing.
    let mut theirs = store.case("case-f1").unwrap().unwrap();
    theirs.assign(Ts(5), &Actor::person("ada"), "ada").unwrap();
    let second = finding("f2", 60, "high", "T0855", "a", "c", "Cb");
    assert_eq!(intake.take(&store, &second).unwrap(), Outcome::Joined("case-f1".into()));
    store.keep_case(&theirs).unwrap();
    assert!(keep(&store, &mut intake, &["case-f1"]).unwrap_err().to_string().contains("changed meanwhile"));
    let changed = intake.sync(&store, now).unwrap();
    assert_eq!(changed.iter().map(|c| c.id.as_str()).collect::<Vec<_>>(), ["case-f1"]);
    intake.take(&store, &second).unwrap();
    keep(&store, &mut intake, &["case-f1"]).unwrap();
    let case = store.case("case-f1").unwrap().unwrap();
    assert_eq!((case.owner.as_deref(), case.findings.len()), (Some("ada"), 2));
    assert!(case.findings[1].join.reason.contains("the same device acts"), "{:?}", case.findings[1].join);
    assert!(intake.sync(&store, now).unwrap().is_empty());
}

#[test]
fn a_later_revision_finds_its_case_after_a_restart_and_a_closed_case_takes_nothing_new() {
    let dir = tempfile::tempdir().unwrap();
    let db = Db::open(&dir.path().join("state.sqlite")).unwrap();
    let store = Store::open(&db).unwrap();
    let mut intake = Intake::open(&store, Rules::default()).unwrap();
    intake.take(&store, &finding("f1", 0, "high", "T0836", "a", "b", "Ca")).unwrap();
    keep(&store, &mut intake, &["case-f1"]).unwrap();
    let mut intake = Intake::open(&store, Rules::default()).unwrap();
    let mut again = finding("f1", 0, "critical", "T0836", "a", "b", "Ca");
    again.rev = 2;
    assert_eq!(intake.take(&store, &again).unwrap(), Outcome::Updated("case-f1".into()));
    keep(&store, &mut intake, &["case-f1"]).unwrap();
    let mut case = store.case("case-f1").unwrap().unwrap();
    assert_eq!((case.severity, case.findings.len()), (Severity::Critical, 1));
    case.state = State::Closed;
    case.rev += 1;
    store.keep_case(&case).unwrap();
    // Closed cases are not held; one of their findings that grows is still theirs.
    let mut intake = Intake::open(&store, Rules::default()).unwrap();
    again.rev = 3;
    assert_eq!(intake.take(&store, &again).unwrap(), Outcome::Updated("case-f1".into()));
    let other = intake.take(&store, &finding("f9", 90, "high", "T0836", "a", "b", "Cz")).unwrap();
    assert_eq!(other, Outcome::Opened("case-f9".into()));
}

#[test]
fn a_batch_is_kept_whole_or_not_at_all() {
    let dir = tempfile::tempdir().unwrap();
    let db = Db::open(&dir.path().join("state.sqlite")).unwrap();
    let store = Store::open(&db).unwrap();
    let mut intake = Intake::open(&store, Rules::default()).unwrap();
    intake.take(&store, &finding("f1", 0, "high", "T0836", "a", "b", "Ca")).unwrap();
    keep(&store, &mut intake, &["case-f1"]).unwrap();
    let told = Told { rev: 1, sent: 1, severity: Severity::High, decade: 0, state: "case-f1".into() };
    let letter = |id: &str, to: &str| Letter {
        n: 0,
        destination: to.into(),
        kind: "finding".into(),
        id: id.into(),
        key: id.into(),
        body: "{}".into(),
    };
    // The case is there already in this revision: nothing of the batch is kept.
    let mut batch = Batch {
        told: vec![("f1".into(), told.clone())],
        cases: vec![store.case("case-f1").unwrap().unwrap()],
        letters: vec![letter("f1-1", "siem")],
        now: 1,
    };
    assert!(store.enter(&batch).is_err());
    assert_eq!((store.told("f1").unwrap(), store.letters_of("siem").unwrap()), (None, 0));
    batch.cases.clear();
    batch.letters.extend([letter("f1-1", "soar"), letter("f2-1", "siem")]);
    store.enter(&batch).unwrap();
    assert_eq!(store.told("f1").unwrap(), Some(told));
    let waiting = store.letters_to("siem", 10).unwrap();
    assert_eq!(waiting.iter().map(|l| l.id.as_str()).collect::<Vec<_>>(), ["f1-1", "f2-1"]);
    store.handed_on(&[waiting[0].n]).unwrap();
    assert_eq!((store.letters_of("siem").unwrap(), store.letters_of("soar").unwrap()), (1, 1));
}
