//! Tables that somebody fills on purpose, at a hundredth of their limits: what is part of the plant is still followed, and so is who comes after.

use gwcore::time::{MINUTE, SECOND};
use gwcore::{Addr, Body, Limit, Limits, Op, OpClass, PointId, Sample, Severity};

use crate::{START, Story};

/// Different senders of a flood; three times as many as a table holds.
const FLOOD: u32 = 2_000;

/// Severities of what a detector found, with a hundredth of all limits.
fn found(detector: &str, s: &Story) -> Vec<(Severity, String)> {
    let limits = Limits::scaled(100);
    assert!((limits.get(Limit::DetectorSources) as u32) < FLOOD && (limits.get(Limit::Publishers) as u32) < FLOOD);
    let all = s.findings_with(&limits);
    all.into_iter().filter(|f| f.detector == detector).map(|f| (f.severity, f.title)).collect()
}

fn made_up(n: u32) -> Addr {
    Addr::v4([10, 9, (n >> 8) as u8, n as u8])
}

/// Many senders that never were say something to one device, or one device to them.
fn flood(s: &mut Story, at: i64, to_many: bool, port: u16, body: &Body) {
    for n in 0..FLOOD {
        s.tell(at, (9, 8), port, body.clone());
        if let Some(flow) = s.flows.last_mut() {
            *(if to_many { &mut flow.dst } else { &mut flow.src }) = made_up(n);
            flow.uid = gwcore::Uid(1_000 + u128::from(n));
        }
    }
}

fn op(proto: &'static str, class: OpClass, is_answer: bool) -> Body {
    let point = Some(PointId { table: "single", unit: 1, address: 1 });
    let (function, name, points, value, action, refused) = (1, "an_operation", 1, None, "", None);
    Body::Op(Op { proto, class, function, name, point, points, value, action, is_answer, refused })
}

fn serves(proto: &'static str) -> Body {
    Body::Service { proto, server_is_responder: true }
}

#[test]
fn devices_that_answer_stay_utility_devices() {
    let names = |late: bool| {
        let mut s = Story::default();
        if !late {
            s.tell(0, (1, 2), 502, serves("modbus")).tell(1, (2, 1), 502, op("modbus", OpClass::Read, true));
        }
        flood(&mut s, SECOND, true, 502, &serves("modbus"));
        if late {
            s.tell(2 * SECOND, (1, 2), 502, serves("modbus"));
        }
        for who in [2, 3] {
            let (addr, mac) = (crate::ip(who), crate::mac(who));
            let body = Body::Name { addr, mac, name: "RTU".into(), source: "mdns" };
            s.tell_over(17, 3 * SECOND, (who, 251), 5_353, body);
        }
        s
    };
    for late in [false, true] {
        assert_eq!(found("borrowed-name", &names(late)).first().map(|f| f.0), Some(Severity::Medium), "late {late}");
    }
    let reached = |late: bool| {
        let mut s = names(late);
        let end = Body::FlowEnd { state: "SF", packets: [9, 9], bytes: [90, 90], start: START, service: "ssh" };
        s.tell(4 * SECOND, (1, 2), 22, end);
        found("exposure", &s).len()
    };
    assert_eq!((reached(false), reached(true)), (1, 1));
}

#[test]
fn devices_with_data_keep_their_masters() {
    let point = PointId { table: "single", unit: 1, address: 1 };
    let data = Body::Sample(Sample { proto: "iec104", point, value: 1.0, discrete: true, good: true, write: false });
    let mut s = Story::default();
    s.tell(0, (1, 2), 2_404, op("iec104", OpClass::ReportsOn, false));
    (0..3).for_each(|i| _ = s.tell(i * SECOND, (2, 1), 2_404, data.clone()));
    flood(&mut s, 4 * SECOND, true, 2_404, &op("iec104", OpClass::ReportsOn, false));
    s.tell(5 * SECOND, (3, 2), 2_404, op("iec104", OpClass::ReportsOn, false));
    (6..50).for_each(|i| _ = s.tell(i * SECOND, (2, 1), 2_404, data.clone()));
    assert_eq!(found("second-start", &s).len(), 1);
}

#[test]
fn conversations_that_last_are_still_watched_for_reports_switched_off() {
    let story = |before: i64| {
        let mut s = Story::default();
        let read = || op("dnp3", OpClass::Read, false);
        (0..3).for_each(|i| _ = s.tell(before + i * MINUTE, (1, 2), 20_000, read()));
        flood(&mut s, 4 * MINUTE, false, 20_000, &read());
        (5..8).for_each(|i| _ = s.tell(i * MINUTE, (1, 3), 20_000, read()));
        for device in [2, 3] {
            s.tell(9 * MINUTE, (1, device), 20_000, op("dnp3", OpClass::ReportsOff, false));
            s.tell(15 * MINUTE, (1, device), 20_000, read());
        }
        found("reports-stay-off", &s).len()
    };
    assert_eq!(story(0), 2, "the one of before and the one that came after the flood");
}

#[test]
fn reports_with_a_rhythm_are_still_missed() {
    let mut s = Story::default();
    (-120..0).for_each(|second| _ = s.tick(second * SECOND));
    for second in 0..1_300 {
        let at = second * SECOND;
        s.tick(at);
        if second < 900 && second % 10 == 0 {
            s.tell(at, (2, 1), 2_404, Body::Reported { proto: "iec104", unit: 7 });
        }
        if second == 850 {
            flood(&mut s, at, false, 2_404, &Body::Reported { proto: "iec104", unit: 7 });
        }
        if second % 20 == 5 {
            s.tell(at, (1, 2), 2_404, Body::Alive { proto: "iec104" });
            s.tell(at, (2, 1), 2_404, Body::Alive { proto: "iec104" });
        }
    }
    for (fact, flow) in s.facts.iter_mut().zip(&mut s.flows).filter(|(_, f)| f.uid.0 == 0) {
        if flow.src > flow.dst {
            *flow = gwcore::FlowConst { src: flow.dst, dst: flow.src, ..*flow };
            fact.flow = gwcore::FlowRef(fact.flow.0 | 1);
        }
        flow.uid = gwcore::Uid(7);
    }
    assert_eq!(found("reports-stop", &s).len(), 1);
}

#[test]
fn a_publisher_of_the_plant_is_judged_among_thousands_of_made_up_names() {
    let message = |stream: String, state: u64, sequence: u64| {
        Body::Published(Box::new(gwcore::Published {
            proto: "goose",
            stream: stream.into(),
            state,
            sequence,
            changed: Some(START),
            ttl: 2 * SECOND,
            values: state,
            data_set: 1,
            revision: 1,
            simulated: false,
        }))
    };
    let mut s = Story::default();
    for i in 0..70 {
        s.tell(i * SECOND, (1, 2), 0, message("RELAY/LLN0$GO$trip".into(), 19, i as u64));
    }
    for n in 0..FLOOD {
        s.tell(70 * SECOND, (9, 2), 0, message(format!("NOBODY{n}/LLN0$GO$x"), 1, 0));
    }
    for second in [71, 72] {
        s.tell(second * SECOND, (1, 2), 0, message("RELAY/LLN0$GO$trip".into(), 3, second as u64));
        s.tell(second * SECOND, (4, 2), 0, message("LATE/LLN0$GO$trip".into(), 75 - second as u64, 1));
    }
    let titles: Vec<String> = found("goose-state", &s).into_iter().map(|f| f.1).collect();
    assert!(titles.iter().any(|t| t.contains("10.0.0.1")), "{titles:?}");
    assert!(titles.iter().any(|t| t.contains("10.0.0.4")), "who comes after the flood: {titles:?}");
}
