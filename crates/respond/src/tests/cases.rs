//! Correlation gives a reason for each join; people change cases and are refused what is not theirs.

use gwcore::Ts;

use super::finding;
use crate::case::Refused;
use crate::{Actor, Case, Correlator, Determined, Disposition, JoinKind, Outcome, Rules, State};

fn correlate(findings: &[crate::Finding]) -> Vec<Case> {
    let mut c = Correlator::new(Rules::default(), []);
    for f in findings {
        c.take(f);
    }
    c.into_cases()
}

#[test]
fn each_join_has_the_reason_that_led_to_it() {
    let cases = correlate(&[
        finding("f0", 0, "low", "T0846", "10.0.0.9", "10.0.0.1", ""),
        finding("f1", 10, "medium", "T0846.001", "10.0.0.9", "10.0.0.2", "Ca"),
        finding("f2", 20, "high", "T1692.001", "10.0.0.7", "10.0.0.3", "Ca"),
        finding("f3", 30, "high", "T0836", "10.0.0.9", "10.0.0.4", ""),
        finding("f4", 40, "low", "T0869", "10.0.0.4", "8.8.8.8", ""),
        finding("f5", 7_000, "high", "T0836", "10.0.0.8", "10.0.0.2", ""),
        finding("f6", 50, "info", "T0846", "10.0.0.9", "10.0.0.2", ""),
        finding("f7", 60, "medium", "T0846", "10.9.0.1", "10.9.0.2", ""),
    ]);
    assert_eq!(cases.len(), 2);
    let kinds: Vec<_> = cases[0].findings.iter().map(|m| (m.id.as_str(), m.join.kind.clone())).collect();
    assert_eq!(
        kinds,
        [
            ("f0", JoinKind::Actor),
            ("f1", JoinKind::First),
            ("f2", JoinKind::Session),
            ("f3", JoinKind::Actor),
            ("f4", JoinKind::Pivot),
            ("f5", JoinKind::TechniqueOrder),
        ]
    );
    assert!(cases[0].findings.iter().all(|m| !m.join.reason.is_empty()));
    assert_eq!(cases[0].severity.name(), "high");
    assert_eq!(
        cases[0].findings[5].join.reason,
        "on the same device, rtu 10.0.0.2 (10.0.0.2), Modify Parameter (Impair Process Control) follows Remote System Discovery: Port Scan"
    );
    assert_eq!(cases[0].timeline.len(), 6);
    assert!(!cases[0].is_incident());
}

#[test]
fn a_new_revision_updates_and_a_closed_case_takes_nothing() {
    let mut c = Correlator::new(Rules::default(), []);
    let mut f = finding("f1", 0, "medium", "T0846", "10.0.0.9", "10.0.0.2", "Ca");
    let Outcome::Opened(id) = c.take(&f) else { panic!("not opened") };
    f.rev = 2;
    f.severity = gwcore::Severity::High;
    assert_eq!(c.take(&f), Outcome::Updated(id.clone()));
    let mut case = c.case(&id).unwrap().clone();
    assert_eq!((case.findings.len(), case.findings[0].rev, case.severity.name()), (1, 2, "high"));
    let at = Ts(0);
    let disposition = |by: &str| Disposition {
        conclusion: "benign".into(),
        by: by.into(),
        at,
        method: "PR-7 v2".into(),
        action: "none".into(),
    };
    assert_eq!(
        case.close(&Actor::gridwarden(), disposition("gridwarden")),
        Err(Refused::NoPerson("gridwarden".into()))
    );
    case.close(&Actor::person("ada"), disposition("ada")).unwrap();
    c.put(case);
    assert!(matches!(c.take(&finding("f2", 5, "medium", "T0836", "10.0.0.9", "10.0.0.2", "Ca")), Outcome::Opened(_)));
}

#[test]
fn only_a_named_person_with_a_reason_makes_an_incident() {
    let mut case = Case::open(&finding("f1", 0, "high", "T0836", "a", "b", ""));
    let at = Ts(1);
    assert!(case.determine(at, &Actor::gridwarden(), Determined::Attempt, "x").is_err());
    assert_eq!(case.determine(at, &Actor::person("ada"), Determined::Attempt, " "), Err(Refused::NoReason));
    assert!(!case.is_incident());
    case.determine(at, &Actor::person("ada"), Determined::Attempt, "no order for it").unwrap();
    assert!(case.is_incident() && case.taken_up == Some(at));
}

#[test]
fn merge_and_split_lose_nothing() {
    let (by, at) = (Actor::person("ada"), Ts(1));
    let mut cases = correlate(&[
        finding("f1", 0, "medium", "T0846", "10.0.0.9", "10.0.0.2", ""),
        finding("f2", 9, "high", "T0836", "10.0.0.9", "10.0.0.3", ""),
        finding("g1", 5, "medium", "T0836", "10.1.0.9", "10.1.0.2", ""),
    ]);
    let (mut b, mut a) = (cases.pop().unwrap(), cases.pop().unwrap());
    a.merge(at, &by, &mut b).unwrap();
    assert_eq!(
        (a.findings.len(), b.findings.len(), b.state, b.merged_into.as_deref()),
        (3, 0, State::Merged, Some(a.id.as_str()))
    );
    assert_eq!(b.assign(at, &by, "eve"), Err(Refused::NotOpen("merged")));
    let c = a.split(at, &by, &["f1".into(), "f2".into()]).unwrap();
    assert_eq!((a.findings.len(), c.findings.len(), a.severity.name(), c.severity.name()), (1, 2, "medium", "high"));
    assert_ne!(a.id, c.id);
    assert_eq!(a.split(at, &by, &["g1".into()]).unwrap_err(), Refused::Empty);
    assert_eq!(a.findings.len(), 1);
    assert_eq!(a.split(at, &by, &["nope".into()]).unwrap_err(), Refused::NoFinding("nope".into()));
    let text = serde_json::to_string(&a).unwrap();
    assert_eq!(serde_json::to_string(&serde_json::from_str::<Case>(&text).unwrap()).unwrap(), text);
}

#[test]
fn many_findings_of_one_case_are_taken_in_linear_time() {
    let mut c = Correlator::new(Rules { findings: 3_000, ..Rules::default() }, []);
    for n in 0..4_000 {
        c.take(&finding(&format!("f{n:05}"), n % 30_000, "medium", "T0836", "10.0.0.9", "10.0.0.2", ""));
    }
    let cases = c.into_cases();
    assert_eq!(cases.iter().map(|c| c.findings.len()).sum::<usize>(), 4_000);
    assert_eq!(cases[0].findings.len(), 3_000);
}
