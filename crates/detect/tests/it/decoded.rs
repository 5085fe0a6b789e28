//! Detectors that need no baseline: what fires, what nearly does.

use gwcore::time::{MINUTE, SECOND};
use gwcore::{Body, Op, OpClass, PointId, Sample, Severity};

use crate::{START, Story, op};

/// Severities of what a detector found in a story.
fn check(detector: &str, story: &Story, expect: &[Severity]) {
    let found: Vec<_> = story.findings().into_iter().filter(|f| f.detector == detector).collect();
    let severities: Vec<Severity> = found.iter().map(|f| f.severity).collect();
    assert_eq!(severities, expect, "{detector}: {:?}", found.iter().map(|f| &f.why).collect::<Vec<_>>());
    for f in found {
        assert!(!f.evidence.observed.is_empty() && !f.packets.is_empty() && f.why.ends_with('.'), "{f:?}");
    }
}

fn control(address: u32, value: f64, is_answer: bool) -> Body {
    let Body::Op(op) = op(OpClass::Control, address, None) else { unreachable!() };
    Body::Op(Op { value: Some(value), is_answer, ..op })
}

fn of_class(proto: &'static str, class: OpClass, function: u16, unit: u32) -> Body {
    let point = Some(PointId { table: "binary_output", unit, address: 1 });
    Body::Op(Op {
        proto,
        class,
        function,
        name: "an_operation",
        point,
        points: 1,
        value: None,
        action: "",
        is_answer: false,
        refused: None,
    })
}

fn stated(proto: &'static str, field: &'static str, value: &str) -> Body {
    Body::Stated { proto, field, value: value.into() }
}

#[test]
fn a_point_commanded_back_and_forth() {
    let toggles = |n: i64, step: i64| {
        let mut s = Story::default();
        for i in 0..n {
            s.tell(i * step, (1, 2), 502, control(7, (i % 2) as f64, false));
        }
        s
    };
    check("repeated-commands", &toggles(5, SECOND), &[Severity::Medium]);
    check("repeated-commands", &toggles(4, SECOND), &[]);
    check("repeated-commands", &toggles(9, 21 * SECOND), &[]);
    let mut same = Story::default();
    for i in 0..50 {
        same.tell(i * SECOND, (1, 2), 502, control(7, 1.0, false));
    }
    check("repeated-commands", &same, &[]);
}

#[test]
fn a_set_point_set_back_and_forth() {
    let sets = |n: i64, values: &[f64]| {
        let mut s = Story::default();
        s.tick(0);
        for (i, value) in (0..n).zip(values.iter().cycle()) {
            let Body::Op(op) = control(7, *value, false) else { unreachable!() };
            s.tell(i * SECOND / 25, (1, 2), 502, Body::Op(Op { class: OpClass::SetPoint, ..op }));
        }
        s
    };
    // So many writes are a fact, since they go on evenly from the beginning; so many returns are none.
    check("repeated-commands", &sets(1_300, &[32.0, 33.0]), &[Severity::Info, Severity::Medium]);
    // Fewer, or no return to the value before: written so ever since the capture began.
    check("repeated-commands", &sets(1_200, &[32.0, 33.0]), &[Severity::Info]);
    check("repeated-commands", &sets(1_300, &[32.0, 33.0, 34.0]), &[Severity::Info]);
}

#[test]
fn many_points_commanded_in_a_row() {
    let points = |n: u32| {
        let mut s = Story::default();
        for i in 0..n {
            s.tell(i64::from(i) * SECOND, (1, 2), 502, control(i, 1.0, false));
        }
        s
    };
    check("repeated-commands", &points(10), &[Severity::Medium]);
    check("repeated-commands", &points(9), &[]);
}

#[test]
fn reports_that_stay_off() {
    let story = |off_at: i64, on: bool, talks_until: i64| {
        let mut s = Story::default();
        s.tell(0, (1, 2), 20_000, of_class("dnp3", OpClass::Read, 1, 4));
        s.tell(off_at, (1, 2), 20_000, of_class("dnp3", OpClass::ReportsOff, 21, 4));
        if on {
            s.tell(off_at + SECOND, (1, 2), 20_000, of_class("dnp3", OpClass::ReportsOn, 20, 4));
        }
        s.tell(talks_until, (1, 2), 20_000, of_class("dnp3", OpClass::Read, 1, 4));
        s
    };
    check("reports-stay-off", &story(10 * MINUTE, false, 16 * MINUTE), &[Severity::Medium]);
    check("reports-stay-off", &story(10 * MINUTE, true, 16 * MINUTE), &[]);
    check("reports-stay-off", &story(10 * MINUTE, false, 14 * MINUTE), &[]);
    check("reports-stay-off", &story(10 * SECOND, false, 16 * MINUTE), &[]);
}

#[test]
fn commands_without_an_answer() {
    let story = |answered_before: bool, n: i64| {
        let mut s = Story::default();
        s.tell(0, (1, 2), 502, control(1, 1.0, false));
        if answered_before {
            s.tell(SECOND, (2, 1), 502, control(1, 1.0, true));
        }
        for i in 0..n {
            s.tell((i + 1) * MINUTE, (1, 2), 502, control(1, 1.0, false));
        }
        s
    };
    // The last command still waits.
    check("commands-unanswered", &story(true, 4), &[Severity::Medium]);
    check("commands-unanswered", &story(true, 3), &[]);
    check("commands-unanswered", &story(false, 9), &[]);
}

#[test]
fn both_roles_on_one_side() {
    let story = |roles: &[&'static str]| {
        let mut s = Story::default();
        for r in roles.iter() {
            s.tell(0, (1, 2), 20_000, Body::Role(r));
        }
        s
    };
    check("role-contradiction", &story(&["master", "outstation"]), &[Severity::High]);
    check("role-contradiction", &story(&["master", "master"]), &[]);
}

#[test]
fn a_second_master_starts_and_the_first_goes_on() {
    let value = Body::Sample(Sample {
        proto: "iec104",
        point: PointId { table: "single", unit: 1, address: 1 },
        value: 1.0,
        discrete: true,
        good: true,
        write: false,
    });
    let story = |first_goes_on: bool| {
        let mut s = Story::default();
        s.tell(0, (1, 9), 2_404, of_class("iec104", OpClass::ReportsOn, 7, 1));
        s.tell(20 * SECOND, (2, 9), 2_404, of_class("iec104", OpClass::ReportsOn, 7, 1));
        if first_goes_on {
            s.tell(55 * SECOND, (9, 1), 2_404, value.clone());
        }
        s
    };
    check("second-start", &story(true), &[Severity::Medium]);
    check("second-start", &story(false), &[]);
}

#[test]
fn answers_that_contradict() {
    let story = |n: i64, reason: &'static str, both: bool| {
        let mut s = Story::default();
        s.tick(-10 * MINUTE);
        if both {
            s.tell(0, (1, 2), 20_000, Body::FlowStart);
        }
        for i in 0..n {
            s.tell(i * SECOND, (2, 1), 20_000, Body::Anomaly { proto: "dnp3", reason });
        }
        s
    };
    check("answer-contradiction", &story(3, "answer_without_request", true), &[Severity::Medium]);
    check("answer-contradiction", &story(2, "answer_without_request", true), &[]);
    check("answer-contradiction", &story(9, "answer_without_request", false), &[]);
    check("answer-contradiction", &story(1, "second_answer", true), &[Severity::High]);
}

#[test]
fn grandmasters_and_clocks() {
    let names = |names: &[&str]| {
        let mut s = Story::default();
        for (i, n) in names.iter().enumerate() {
            s.tell(i as i64 * SECOND, (i as u8, 2), 0, stated("ptp", "grandmaster", n));
        }
        s
    };
    check("time-source", &names(&["a", "a", "b", "b"]), &[Severity::Low]);
    check("time-source", &names(&["a", "b", "a"]), &[Severity::Low, Severity::Medium]);
    let offsets = |step: f64| {
        let mut s = Story::default();
        for (i, value) in [0.0, 0.01, step].into_iter().enumerate() {
            let point = PointId { table: "offset", unit: 0, address: 1 };
            let sample = Sample { proto: "ptp", point, value, discrete: false, good: true, write: false };
            s.tell(i as i64 * SECOND, (1, 2), 0, Body::Sample(sample));
        }
        s
    };
    check("time-source", &offsets(1.02), &[Severity::Medium]);
    check("time-source", &offsets(0.9), &[]);
}

#[test]
fn commands_that_nobody_acknowledges() {
    let story = |class, function, unit| {
        let mut s = Story::default();
        s.tell(0, (1, 2), 20_000, of_class("dnp3", class, function, unit));
        s
    };
    check("unacknowledged-command", &story(OpClass::Control, 6, 4), &[Severity::Low]);
    check("unacknowledged-command", &story(OpClass::Control, 5, 4), &[]);
    let to_all = |class| {
        let mut s = Story::default();
        s.tell(0, (1, 2), 20_000, Body::Broadcast { proto: "dnp3", class, function: 5, name: "an_operation" });
        s
    };
    check("unacknowledged-command", &to_all(OpClass::Control), &[Severity::Medium]);
    check("unacknowledged-command", &to_all(OpClass::Restart), &[Severity::Medium]);
    check("unacknowledged-command", &to_all(OpClass::ReportsOff), &[Severity::Medium]);
    check("unacknowledged-command", &to_all(OpClass::Clear), &[Severity::Low]);
    check("unacknowledged-command", &to_all(OpClass::Read), &[Severity::Low]);
    check("unacknowledged-command", &to_all(OpClass::TimeSet), &[]);
    check("unacknowledged-command", &to_all(OpClass::Freeze), &[]);
}

#[test]
fn a_network_taken_over() {
    let servers = |second_at: i64| {
        let mut s = Story::default();
        s.tell(0, (1, 2), 68, Body::Role("dhcp_server")).tell(second_at, (3, 2), 68, Body::Role("dhcp_server"));
        s
    };
    check("network-takeover", &servers(MINUTE), &[Severity::Low]);
    check("network-takeover", &servers(11 * MINUTE), &[Severity::Medium]);
    let mut roots = Story::default();
    roots.tell(0, (1, 2), 0, stated("stp", "root", "a")).tell(1, (1, 2), 0, stated("stp", "root", "a"));
    check("network-takeover", &roots, &[]);
    roots.tell(2, (1, 2), 0, stated("stp", "root", "b"));
    check("network-takeover", &roots, &[Severity::Low]);
}

#[test]
fn two_stacks_behind_one_address() {
    let story = |stacks: &[(u8, u16)], proven: bool| {
        let mut s = Story::default();
        if proven {
            s.tell(0, (1, 2), 0, Body::Claim { addr: crate::ip(1), mac: crate::mac(1), source: "arp" });
        }
        for (i, (ttl, window)) in stacks.iter().enumerate() {
            s.tell(i as i64 * SECOND, (1, 2), 80, Body::Fingerprint { ttl: *ttl, window: *window });
        }
        s
    };
    check("fingerprint", &story(&[(64, 1_000), (128, 8_192), (64, 1_000)], true), &[Severity::Medium]);
    check("fingerprint", &story(&[(64, 1_000), (128, 8_192), (128, 8_192)], true), &[]);
    check("fingerprint", &story(&[(64, 1_000), (64, 8_192), (64, 1_000)], true), &[]);
    check("fingerprint", &story(&[(64, 1_000), (128, 8_192), (64, 1_000)], false), &[]);
}

#[test]
fn refused_and_default_logins() {
    let story = |n: i64, accepted| {
        let mut s = Story::default();
        let login = |_| Body::Login { proto: "http", user: "a".into(), cleartext: true, accepted };
        for i in 0..n {
            s.tell(i * SECOND, (1, 2), 80, login(i));
        }
        s
    };
    check("failed-logins", &story(10, Some(false)), &[Severity::Medium]);
    check("failed-logins", &story(9, Some(false)), &[]);
    check("failed-logins", &story(30, Some(true)), &[]);
    let mut s = Story::default();
    s.tell(0, (1, 2), 80, stated("http", "default_password", "admin"));
    check("failed-logins", &s, &[Severity::Medium]);
}

#[test]
fn functions_and_units_tried() {
    let story = |n: u16, units: bool| {
        let mut s = Story::default();
        for i in 0..n {
            let body = if units {
                of_class("modbus", OpClass::Read, 3, i.into())
            } else {
                of_class("modbus", OpClass::Read, i, 1)
            };
            s.tell(i64::from(i) * SECOND, (1, 2), 502, body);
        }
        s
    };
    check("function-scan", &story(12, false), &[Severity::Medium]);
    check("function-scan", &story(11, false), &[]);
    check("function-scan", &story(32, true), &[Severity::Medium]);
    check("function-scan", &story(31, true), &[]);
}

#[test]
fn floods() {
    let starts = |n: i64| {
        let mut s = Story::default();
        for i in 0..n {
            s.tell(i * SECOND / 200, (1, 2), 502, Body::FlowStart);
        }
        s
    };
    check("flood", &starts(1_000), &[Severity::Medium]);
    check("flood", &starts(999), &[]);
    let stream = |ip_proto, state, packets: [u64; 2], bytes| {
        let mut s = Story::default();
        let end = Body::FlowEnd { state, packets, bytes: [bytes, 0], start: START, service: "" };
        s.tell_over(ip_proto, 10 * SECOND, (1, 2), 502, end);
        s
    };
    let syns = |packets| stream(6, "S0", packets, 0);
    check("flood", &syns([1_000, 0]), &[Severity::Medium]);
    check("flood", &syns([999, 0]), &[]);
    check("flood", &syns([1_000, 10]), &[]);
    // Content in TCP was acknowledged, rarely or unseen; datagrams in one direction are cameras below a thousand a second.
    check("flood", &stream(6, "SF", [14_000, 2], 16_000_000), &[]);
    check("flood", &stream(6, "OTH", [14_000, 0], 16_000_000), &[]);
    check("flood", &stream(17, "S0", [9_999, 0], 9_000_000), &[]);
    check("flood", &stream(17, "S0", [10_000, 0], 9_000_000), &[Severity::Medium]);
    check("flood", &stream(1, "OTH", [1_000, 0], 56_000), &[Severity::Medium]);
}

#[test]
fn a_steady_beat_to_the_internet() {
    let story = |n: i64, jitter: i64| {
        let mut s = Story::default();
        for i in 0..n {
            s.tell(i * MINUTE + (i % 2) * jitter, (1, 2), 443, Body::FlowStart);
        }
        s.flows.iter_mut().for_each(|f| f.dst = gwcore::Addr::v4([198, 51, 100, 7]));
        s
    };
    check("beacon", &story(13, 4 * SECOND), &[Severity::Medium]);
    check("beacon", &story(12, 4 * SECOND), &[]);
    check("beacon", &story(30, 10 * SECOND), &[]);
    let mut inside = story(30, 0);
    inside.flows.iter_mut().for_each(|f| f.dst = crate::ip(2));
    check("beacon", &inside, &[]);
}

#[test]
fn utility_devices_and_the_internet() {
    let story = |public: bool, service: &'static str| {
        let mut s = Story::default();
        s.tell(0, (1, 2), 502, Body::Service { proto: "modbus", server_is_responder: true });
        let end = Body::FlowEnd { state: "SF", packets: [9, 9], bytes: [9, 9], start: START, service };
        s.tell(SECOND, (1, 2), 3_389, end);
        if public {
            s.flows[1].dst = gwcore::Addr::v4([198, 51, 100, 7]);
        }
        s
    };
    check("exposure", &story(true, "modbus"), &[Severity::Medium]);
    check("exposure", &story(true, "tls"), &[Severity::Info]);
    // Remote desktop is carried by TPKT, as S7 and MMS are.
    check("exposure", &story(true, "tpkt"), &[Severity::Info]);
    let mut elsewhere = story(true, "tpkt");
    elsewhere.flows[1].dst_port = 13_389;
    check("exposure", &elsewhere, &[Severity::Info]);
    check("exposure", &story(false, "rdp"), &[Severity::Info]);
}

#[test]
fn what_answers_the_internet_on_a_utility_port() {
    let story = |src: [u8; 4], port: u16, state: &'static str, answered: u64| {
        let mut s = Story::default();
        let body = Body::FlowEnd { state, packets: [9, 9], bytes: [200, answered], start: START, service: "tls" };
        s.tell_over(6, 0, (1, 2), port, body);
        s.flows[0].src = gwcore::Addr::v4(src);
        s
    };
    const PUBLIC: [u8; 4] = [198, 51, 100, 7];
    check("exposure", &story(PUBLIC, 502, "SF", 900), &[Severity::Medium]);
    check("exposure", &story(PUBLIC, 2_404, "RSTO", 1), &[Severity::Medium]);
    check("exposure", &story(PUBLIC, 502, "SF", 0), &[]);
    check("exposure", &story(PUBLIC, 502, "OTH", 900), &[]);
    check("exposure", &story(PUBLIC, 443, "SF", 900), &[]);
    check("exposure", &story([10, 0, 0, 9], 502, "SF", 900), &[]);
}

#[test]
fn a_goose_publisher_that_went_back_or_began_anew() {
    let message = |state: u64, sequence: u64, changed: i64| {
        Body::Published(Box::new(gwcore::Published {
            proto: "goose",
            stream: "IED/LLN0$GO$gcb".into(),
            state,
            sequence,
            changed: Some(START.plus(changed * SECOND)),
            ttl: 2 * SECOND,
            values: state,
            data_set: 1,
            revision: 1,
            simulated: false,
        }))
    };
    // After state 20, which began in the second second: another message `after` seconds, of a state since `changed`.
    let story = |after: i64, state: u64, sequence: u64, changed: i64| {
        let mut s = Story::default();
        s.tell(0, (1, 2), 0, message(19, 4, -100));
        s.tell(SECOND, (1, 2), 0, message(20, 0, 1));
        s.tell((1 + after) * SECOND, (1, 2), 0, message(state, sequence, changed));
        s
    };
    check("goose-state", &story(9, 3, 40, 5), &[Severity::Medium]);
    check("goose-state", &story(3_600, 3, 40, 5), &[Severity::Info]);
    // Its clock would have gone back: an old message.
    check("goose-state", &story(3_600, 3, 40, -50), &[Severity::Medium]);
    check("goose-state", &story(9, 1, 0, 5), &[Severity::Low]);
    check("goose-state", &story(3_600, 20, 3_599, 1), &[]);
}

#[test]
fn addresses_asked_for() {
    let story = |questions: u8, answered: u8, step: i64| {
        let mut s = Story::default();
        for n in 0..questions {
            let at = i64::from(n) * step;
            s.tell(at, (1, 255), 0, Body::Asked { addr: crate::ip(100 + n) });
            if n < answered {
                let mac = crate::mac(100 + n);
                s.tell(at, (100 + n, 1), 0, Body::Claim { addr: crate::ip(100 + n), mac, source: "arp" });
            }
        }
        s
    };
    check("scan", &story(20, 10, SECOND), &[Severity::Medium]);
    check("scan", &story(19, 0, SECOND), &[]);
    check("scan", &story(20, 11, SECOND), &[]);
    check("scan", &story(20, 0, 16 * SECOND), &[]);
}

/// Commands of one point, `n` of them `step` apart from `from` on, with values that take turns.
fn commanded(s: &mut Story, class: OpClass, from: i64, n: i64, step: i64, values: &[f64]) {
    for (i, value) in (0..n).zip(values.iter().cycle()) {
        let Body::Op(op) = control(7, *value, false) else { unreachable!() };
        s.tell(from + i * step, (1, 2), 502, Body::Op(Op { class, ..op }));
    }
}

#[test]
fn a_watchdog_is_a_fact_and_a_burst_of_it_an_alarm() {
    let story = |begins: i64, burst: bool| {
        let mut s = Story::default();
        s.tick(0);
        commanded(&mut s, OpClass::Control, begins, 300, 2 * SECOND, &[0.0, 1.0]);
        if burst {
            commanded(&mut s, OpClass::Control, begins + 600 * SECOND, 100, SECOND / 10, &[0.0, 1.0]);
        }
        s
    };
    check("repeated-commands", &story(5 * SECOND, false), &[Severity::Info]);
    check("repeated-commands", &story(5 * MINUTE, false), &[Severity::Medium]);
    check("repeated-commands", &story(5 * SECOND, true), &[Severity::Medium]);
}

#[test]
fn a_set_point_written_hundreds_of_times_a_minute() {
    let story = |begins: i64, n: i64, step: i64| {
        let mut s = Story::default();
        s.tick(0);
        commanded(&mut s, OpClass::SetPoint, begins, n, step, &[1.0, 2.0, 3.0, 4.0, 5.0]);
        s
    };
    check("repeated-commands", &story(5 * MINUTE, 200, SECOND / 5), &[Severity::Medium]);
    check("repeated-commands", &story(5 * MINUTE, 199, SECOND / 5), &[]);
    check("repeated-commands", &story(0, 400, SECOND / 5), &[Severity::Info]);
}

#[test]
fn a_flood_of_answered_requests_that_began_late() {
    let story = |begins: i64, n: i64, before: i64| {
        let mut s = Story::default();
        s.tick(0);
        let freeze = || of_class("dnp3", OpClass::Freeze, 7, 10);
        (0..before).for_each(|i| _ = s.tell(i * SECOND / 10, (1, 2), 20_000, freeze()));
        (0..n).for_each(|i| _ = s.tell(begins + i * SECOND / 50, (1, 2), 20_000, freeze()));
        s
    };
    check("flood", &story(6 * MINUTE, 200, 0), &[Severity::Medium]);
    check("flood", &story(6 * MINUTE, 199, 0), &[]);
    check("flood", &story(4 * MINUTE, 400, 0), &[]);
    check("flood", &story(6 * MINUTE, 300, 100), &[]);
    let mut reads = Story::default();
    reads.tick(0);
    (0..900).for_each(|i| {
        reads.tell(6 * MINUTE + i * SECOND / 100, (1, 2), 20_000, of_class("dnp3", OpClass::Read, 1, 10));
    });
    check("flood", &reads, &[]);
}

#[test]
fn a_device_that_refuses_what_it_always_answered() {
    let said = |refused: Option<(u16, &'static str)>| op(OpClass::Read, 7, refused);
    let story = |answered: i64, refused: i64, code: u16| {
        let mut s = Story::default();
        for i in 0..answered + refused {
            s.tell(i * 10 * SECOND, (1, 2), 502, said(None));
            if i >= answered {
                s.tell(i * 10 * SECOND + 1, (2, 1), 502, said(Some((code, "a_refusal"))));
            }
        }
        s
    };
    check("refused-commands", &story(60, 13, 4), &[Severity::Medium]);
    check("refused-commands", &story(60, 12, 4), &[]);
    check("refused-commands", &story(29, 60, 4), &[]);
    check("refused-commands", &story(60, 30, 11), &[Severity::Low]);
    // Every second one is answered.
    let mut half = Story::default();
    for i in 0..200 {
        half.tell(i * 10 * SECOND, (1, 2), 502, said(None));
        if i >= 60 && i % 2 == 0 {
            half.tell(i * 10 * SECOND + 1, (2, 1), 502, said(Some((4, "a_refusal"))));
        }
    }
    check("refused-commands", &half, &[]);
}

#[test]
fn a_known_goose_publisher_is_missed_after_three_times_to_live() {
    let message = |sequence: u64| {
        Body::Published(Box::new(gwcore::Published {
            proto: "goose",
            stream: "IED/LLN0$GO$gcb".into(),
            state: 1,
            sequence,
            changed: Some(START),
            ttl: 2 * SECOND,
            values: 1,
            data_set: 1,
            revision: 1,
            simulated: false,
        }))
    };
    let story = |heard: i64, silent: i64| {
        let mut s = Story::default();
        for second in 0..heard + silent {
            s.tick(second * SECOND);
            if second < heard {
                s.tell(second * SECOND + 1, (1, 2), 0, message(second as u64));
            }
        }
        s
    };
    check("goose-state", &story(90, 7), &[Severity::Medium]);
    check("goose-state", &story(90, 6), &[]);
    check("goose-state", &story(50, 10), &[]);
    check("goose-state", &story(50, 11), &[Severity::Medium]);
}
