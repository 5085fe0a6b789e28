//! Clocks that are set: to the right time, to another zone's, and to a wrong one.

use detect::Setup;
use gwcore::time::{HOUR, MINUTE, SECOND};
use gwcore::{Body, Limit, Limits, PointId, Sample, Severity};

use crate::{START, Story};

/// Sets the clock of a device at `at`, `off` from packet time.
fn set(s: &mut Story, at: i64, (master, device): (u8, u8), off: i64, summer: bool) {
    let time = START.plus(at).plus(off);
    s.tell(at, (master, device), 2_404, Body::ClockSet { proto: "iec104", unit: 1, time, summer });
}

fn severities(s: &Story) -> Vec<Severity> {
    s.findings().iter().filter(|f| f.detector == "clock-set").map(|f| f.severity).collect()
}

/// One device set hourly by its master, each time so far off packet time.
fn check(offsets: &[i64], expect: &[Severity]) {
    let mut s = Story::default();
    for (i, off) in offsets.iter().enumerate() {
        set(&mut s, i as i64 * 2 * HOUR, (1, 2), *off, false);
    }
    assert_eq!(severities(&s), expect, "{offsets:?}");
}

#[test]
fn a_clock_set_to_another_time_than_before() {
    use Severity::Medium;
    check(&[0, 4 * SECOND, -SECOND], &[]);
    // Two hours of free running may add 0.72 s to five.
    check(&[0, 5 * SECOND + 700_000_000], &[]);
    check(&[0, 5 * SECOND + 800_000_000], &[Medium]);
    check(&[0, -HOUR, 0], &[Medium]);
    // A capture whose clock is wrong, a master in another time zone: it always was so.
    check(&[1_000 * HOUR, 1_000 * HOUR], &[]);
    check(&[0, 10_000 * HOUR], &[Medium]);
    // The same again is told once; set so three times it is meant, and what came before is then the other one.
    check(&[0, HOUR, HOUR], &[Medium]);
    check(&[0, HOUR, HOUR, 0], &[Medium]);
    check(&[0, HOUR, HOUR, HOUR, 0], &[Medium, Medium]);
    check(&[0, HOUR, 0, HOUR], &[Medium, Medium]);
}

#[test]
fn the_end_of_the_range_is_no_overflow() {
    let mut s = Story::default();
    for (at, time) in [(0, i64::MIN), (1, i64::MAX), (2, 0), (3, i64::MIN)] {
        s.tell(at, (1, 2), 2_404, Body::ClockSet { proto: "dnp3", unit: 1, time: gwcore::Ts(time), summer: false });
    }
    assert!(!severities(&s).is_empty());
}

#[test]
fn summer_time_that_is_marked_is_no_finding() {
    let story = |off, summer| {
        let mut s = Story::default();
        set(&mut s, 0, (1, 2), HOUR, false);
        set(&mut s, HOUR, (1, 2), off, summer);
        severities(&s)
    };
    assert_eq!(story(2 * HOUR, true), []);
    assert_eq!(story(2 * HOUR, false), [Severity::Medium]);
    assert_eq!(story(3 * HOUR, true), [Severity::Medium]);
}

#[test]
fn a_stranger_that_sets_it_otherwise_than_the_master() {
    let mut s = Story::default();
    set(&mut s, 0, (1, 2), 0, false);
    set(&mut s, MINUTE, (9, 2), -HOUR, false);
    let found: Vec<_> = s.findings().into_iter().filter(|f| f.detector == "clock-set").collect();
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].src.ip.as_deref(), Some("10.0.0.9"));
    assert!(found[0].why.ends_with("not as 10.0.0.1 set it before."), "{}", found[0].why);
    assert_eq!(found[0].evidence.expected.as_deref(), Some("+0.0 s from packet time, as before"));
    assert_eq!(found[0].packets[0].frame, 2);
}

#[test]
fn the_first_time_set_is_compared_with_other_clocks_but_for_the_zone() {
    let story = |others: &[i64], ntp: u32, off: i64| {
        let mut s = Story::default();
        for (i, o) in others.iter().enumerate() {
            set(&mut s, 0, (1, 10 + i as u8), *o, false);
        }
        for _ in 0..ntp {
            let point = PointId { table: "offset", unit: 0, address: 0 };
            let sample = Sample { proto: "ntp", point, value: 0.01, discrete: false, good: true, write: false };
            s.tell(SECOND, (5, 6), 123, Body::Sample(sample));
        }
        set(&mut s, MINUTE, (1, 2), off, false);
        severities(&s)
    };
    assert_eq!(story(&[0, 0], 0, 90 * SECOND), [Severity::Low]);
    assert_eq!(story(&[0, HOUR], 0, 90 * SECOND), [Severity::Low]);
    assert_eq!(story(&[], 2, 90 * SECOND), [Severity::Low]);
    assert_eq!(story(&[0, 0], 0, 2 * HOUR + 15 * MINUTE), [], "a time zone");
    assert_eq!(story(&[0], 0, 90 * SECOND), [], "one clock alone may be the wrong one");
    assert_eq!(story(&[], 0, 90 * SECOND), [], "the capture's clock");
    assert_eq!(story(&[90 * SECOND, 90 * SECOND], 0, 90 * SECOND), [], "all are as far off: the capture's clock");
}

#[test]
fn packet_time_that_goes_back_makes_no_wrong_clock() {
    let mut s = Story::default();
    set(&mut s, 0, (1, 2), 0, false);
    s.tell(-100 * HOUR, (0, 0), 0, Body::TimeBreak { back: 100 * HOUR });
    set(&mut s, -100 * HOUR, (1, 2), 100 * HOUR, false);
    assert_eq!(severities(&s), []);
}

#[test]
fn clocks_beyond_the_limit_are_forgotten_and_counted() {
    let mut limits = Limits::default();
    limits.set(Limit::DetectorSources, 1);
    let mut s = Story::default();
    for (at, device, off) in [(0, 2, 0), (1, 3, 0), (2, 2, HOUR)] {
        set(&mut s, at * MINUTE, (1, device), off, false);
    }
    assert!(s.findings_with(&limits).iter().all(|f| f.detector != "clock-set"));
    let mut detectors = detect::Detectors::new(&Setup::new(&limits), &["clock-set".into()], &[]);
    detectors.batch(&s.facts, &s.flows, &|_| std::sync::Arc::from("a"));
    // Two clocks, two of what their source last set, and two pairs of devices of which the quality of observation is kept.
    assert_eq!(detectors.hits().count(Limit::DetectorSources), 6);
}
