//! What no longer comes, and who asks beside a master: reports and polls that stop, interrogation by a stranger.

use gwcore::time::{MINUTE, SECOND};
use gwcore::{Body, Finding, FlowConst, Limits, Op, OpClass, Severity, Uid};

use crate::{Story, ip};

const MASTER: (u8, u8) = (1, 2);

/// A request of a master, `points` telling polls apart.
fn request(proto: &'static str, class: OpClass, function: u16, points: u32, action: &'static str) -> Body {
    let (value, is_answer, refused) = (None, false, None);
    Body::Op(Op { proto, class, function, name: "a_request", point: None, points, value, action, is_answer, refused })
}

fn poll(points: u32) -> Body {
    request("dnp3", OpClass::Read, 1, points, "")
}

/// Gives all facts between two devices one connection, from the lower to the higher.
fn connected(s: &mut Story) {
    for (fact, flow) in s.facts.iter_mut().zip(&mut s.flows) {
        if flow.src > flow.dst {
            *flow = FlowConst { src: flow.dst, dst: flow.src, ..*flow };
            fact.flow = gwcore::FlowRef(fact.flow.0 | 1);
        }
        flow.uid = Uid(u128::from(flow.src.0[15]) << 8 | u128::from(flow.dst.0[15]));
    }
}

fn of<'a>(found: &'a [Finding], detector: &str) -> Vec<&'a Finding> {
    found.iter().filter(|f| f.detector == detector).collect()
}

/// Two minutes of both directions, then `n` messages `step` apart, then link tests every 20 s, and ticks all along.
fn series(n: i64, step: i64, message: &dyn Fn(&mut Story, i64), alive: &dyn Fn(&mut Story, i64), until: i64) -> Story {
    let mut s = Story::default();
    (-120..0).for_each(|second| {
        s.tick(second * SECOND);
    });
    s.tell(-SECOND, MASTER, 2_404, Body::FlowStart);
    let (mut next, mut said) = (0, 0);
    for second in 0..(n * step / SECOND + until / SECOND) {
        let at = second * SECOND;
        s.tick(at);
        if at >= next && said < n {
            message(&mut s, at);
            (next, said) = (next + step, said + 1);
        }
        if second % 20 == 5 {
            alive(&mut s, at);
        }
    }
    connected(&mut s);
    s
}

fn report(s: &mut Story, at: i64) {
    s.tell(at, (2, 1), 2_404, Body::Reported { proto: "iec104", unit: 7 });
}

fn test(s: &mut Story, at: i64) {
    s.tell(at, (1, 2), 2_404, Body::Alive { proto: "iec104" });
    s.tell(at, (2, 1), 2_404, Body::Alive { proto: "iec104" });
}

#[test]
fn reports_that_stop_while_the_link_is_tested() {
    let stops = |s: &Story| of(&s.findings(), "reports-stop").len();
    let s = series(90, 10 * SECOND, &report, &test, 5 * MINUTE);
    let found = s.findings();
    let f = of(&found, "reports-stop")[0];
    assert_eq!((f.severity, f.attack[0], f.count), (Severity::Medium, "T1691.002", 1));
    assert_eq!((f.src.ip.as_deref(), f.evidence.seen), (Some("10.0.0.2"), Some(90)));
    // Missed from the moment when the next one was due.
    assert_eq!(f.ts, crate::START.plus(89 * 10 * SECOND + 10 * SECOND));
    assert_eq!(stops(&series(61, 10 * SECOND, &report, &test, 5 * MINUTE)), 1);
    assert_eq!(stops(&series(60, 10 * SECOND, &report, &test, 5 * MINUTE)), 0, "heard for less than ten minutes");
    assert_eq!(stops(&series(30, 30 * SECOND, &report, &test, 9 * MINUTE)), 0, "thirty of them are no rhythm yet");
    assert_eq!(stops(&series(31, 30 * SECOND, &report, &test, 9 * MINUTE)), 1);
    assert_eq!(stops(&series(90, 10 * SECOND, &report, &test, 50 * SECOND)), 0, "not yet missed");
    assert_eq!(stops(&series(90, 10 * SECOND, &report, &|_, _| {}, 9 * MINUTE)), 0, "the link is dead as well");
    let one_sided = |s: &mut Story, at: i64| {
        s.tell(at, (1, 2), 2_404, Body::Alive { proto: "iec104" });
    };
    assert_eq!(stops(&series(90, 10 * SECOND, &report, &one_sided, 9 * MINUTE)), 0, "the device is not heard");
}

#[test]
fn reports_that_were_switched_off_or_not_captured_are_not_missed() {
    let base = || series(90, 10 * SECOND, &report, &test, 5 * MINUTE);
    let with = |at: i64, from: (u8, u8), body: Body| {
        let mut s = base();
        let place = s.facts.iter().position(|f| f.ts > crate::START.plus(at)).unwrap();
        let mut more = Story::default();
        more.tell(at, from, 2_404, body);
        connected(&mut more);
        s.facts.insert(place, more.facts.remove(0));
        s.flows.insert(place, more.flows.remove(0));
        for (i, f) in s.facts.iter_mut().enumerate() {
            f.flow = gwcore::FlowRef((i as u32 * 2) | u32::from(f.flow.reversed()));
        }
        of(&s.findings(), "reports-stop").len()
    };
    let at = 899 * SECOND;
    assert_eq!(with(at, (1, 2), Body::FlowStart), 1);
    assert_eq!(with(at, (1, 2), request("iec104", OpClass::ReportsOff, 0x113, 0, "")), 0, "STOPDT");
    assert_eq!(with(at, (2, 1), Body::Gap { missing: 100 }), 0, "bytes are missing");
    let end = Body::FlowEnd { state: "SF", packets: [9, 9], bytes: [9, 9], start: crate::START, service: "iec104" };
    assert_eq!(with(at + 290 * SECOND, (1, 2), end), 1, "told before");
}

#[test]
fn polls_that_are_no_longer_made() {
    let polls = |points: u32| {
        move |s: &mut Story, at: i64| {
            s.tell(at, MASTER, 20_000, poll(points));
        }
    };
    let others = |s: &mut Story, at: i64| {
        s.tell(at, MASTER, 20_000, poll(4)).tell(at, (2, 1), 20_000, Body::Alive { proto: "dnp3" });
    };
    let found = series(90, 10 * SECOND, &polls(3), &others, 5 * MINUTE).findings();
    let f = of(&found, "reports-stop");
    assert_eq!((f.len(), f[0].attack[0], f[0].src.ip.as_deref()), (1, "T0878", Some("10.0.0.1")));
    assert!(f[0].title.contains("no longer polls"));
    let nothing = series(90, 10 * SECOND, &polls(3), &|_, _| {}, 5 * MINUTE).findings();
    assert_eq!(of(&nothing, "reports-stop").len(), 0);
    let modbus = |s: &mut Story, at: i64| {
        s.tell(at, MASTER, 502, request("modbus", OpClass::Read, 3, 9, ""));
    };
    let screen = series(90, 10 * SECOND, &modbus, &others, 5 * MINUTE).findings();
    assert_eq!(of(&screen, "reports-stop").len(), 0, "an operator looks at something else");
}

#[test]
fn series_beyond_the_limit_are_not_followed() {
    let s = series(90, 10 * SECOND, &report, &test, 5 * MINUTE);
    assert!(s.findings_with(&Limits::scaled(1_000_000)).len() <= 1);
}

/// A master polls every 10 s for `before` minutes and on; at their end somebody interrogates.
fn beside(before: i64, who: u8, question: Body, goes_on: bool) -> Vec<Severity> {
    let mut s = Story::default();
    let asked = before * MINUTE + SECOND;
    for i in 0..(before + 3) * 6 {
        let at = i * 10 * SECOND;
        if at < asked || goes_on {
            s.tell(at, MASTER, 20_000, poll(3));
            s.tell(at, (3, 5), 20_000, poll(3));
        }
        if at < asked && at + 10 * SECOND > asked {
            s.tell(asked, (who, 2), 20_000, question.clone());
        }
    }
    assert_eq!(s.flows[0].src, ip(1));
    let found = s.findings();
    of(&found, "interrogation").iter().map(|f| f.severity).collect()
}

#[test]
fn somebody_interrogates_beside_the_master() {
    use Severity::{Low, Medium};
    let all = || request("dnp3", OpClass::Read, 1, 4, "integrity poll");
    assert_eq!(beside(10, 9, all(), true), [Medium]);
    assert_eq!(beside(10, 9, request("dnp3", OpClass::Read, 1, 4, ""), true), [], "events are not all values");
    assert_eq!(beside(9, 9, all(), true), [], "a capture begins with masters that are all new");
    assert_eq!(beside(10, 9, all(), false), [], "a failover");
    assert_eq!(beside(10, 3, all(), true), [Low], "master of another device");
    assert_eq!(beside(10, 1, all(), true), [], "the master itself");
}
