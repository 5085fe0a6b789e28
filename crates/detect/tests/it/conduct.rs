//! Second reasons for what a usual master does: each detector of conduct fires, is quiet on the near miss, and is mute where it knows too little.

use std::sync::Arc;

use detect::{Baseline, Learner, Maintenance, Setup};
use gwcore::time::{HOUR, MILLI, MINUTE, SECOND};
use gwcore::{Body, Limits, Op, OpClass, PointId, Sample, Severity};

use super::Story;

const MASTER: u8 = 1;
const RTU: u8 = 2;
const OTHERS: [u8; 4] = [3, 4, 5, 6];
const DAY: i64 = 24 * HOUR;

/// A request to a point, or its answer.
fn op(class: OpClass, (function, name): (u16, &'static str), value: f64, is_answer: bool) -> Body {
    let point = Some(PointId { table: "binary_output", unit: 1, address: 0 });
    let (value, action) = (Some(value), "");
    Body::Op(Op { proto: "dnp3", class, function, name, point, points: 1, value, action, is_answer, refused: None })
}

fn state(value: f64) -> Body {
    let point = PointId { table: "binary_input", unit: 1, address: 0 };
    Body::Sample(Sample { proto: "dnp3", point, value, discrete: true, good: true, write: false })
}

const OPERATE: (u16, &str) = (4, "operate");
const SELECT: (u16, &str) = (3, "select");

impl Story {
    /// The second before something, which the feed shows.
    fn heard(&mut self, at: i64) -> &mut Self {
        self.tick(at).tell(at, (RTU, MASTER), 20_000, Body::Role("outstation"))
    }

    /// The master selects and operates, the device answers, and its state follows after two seconds if at all.
    fn operate(&mut self, at: i64, value: f64, (selects, follows): (bool, bool)) -> &mut Self {
        // Longer than a feed takes to recover from a pause.
        (0..90).for_each(|s| {
            self.heard(at - (90 - s) * SECOND);
        });
        if selects {
            self.tell(at - 3 * SECOND, (MASTER, RTU), 20_000, op(OpClass::Select, SELECT, value, false));
        }
        self.tell(at, (MASTER, RTU), 20_000, op(OpClass::Control, OPERATE, value, false));
        self.tell(at, (RTU, MASTER), 20_000, op(OpClass::Control, OPERATE, value, true));
        for s in 1..50 {
            let now = if follows && s >= 2 { value } else { 1.0 - value };
            self.heard(at + s * SECOND).tell(at + s * SECOND, (RTU, MASTER), 20_000, state(now));
        }
        self
    }

    /// `times` operations to and fro, one every half hour, over the days that they need.
    fn operated(times: i64) -> Story {
        let mut s = Story::default();
        s.tell(0, (MASTER, RTU), 20_000, Body::FlowStart);
        s.tell(0, (MASTER, RTU), 20_000, Body::Service { proto: "dnp3", server_is_responder: true });
        s.watched(0, HOUR);
        for i in 0..times {
            let at = HOUR + i * 30 * MINUTE;
            s.operate(at, ((i + 1) % 2) as f64, (true, true)).watched(at, at + 30 * MINUTE);
        }
        s
    }

    /// A packet every five minutes between two operations: learned is the time that was watched, and longer pauses are not.
    fn watched(&mut self, from: i64, until: i64) -> &mut Self {
        let mut at = from + 5 * MINUTE;
        while at < until - 2 * MINUTE {
            self.tick(at);
            at += 5 * MINUTE;
        }
        self
    }

    fn taught(&self) -> Arc<Baseline> {
        let mut learner = Learner::new(&Limits::default(), Maintenance::default(), Default::default());
        learner.batch(&self.facts, &self.flows);
        Arc::new(learner.finish().0)
    }

    /// What a detector says against a baseline.
    fn said(&self, baseline: &Arc<Baseline>, detector: &str) -> Vec<Severity> {
        let found = self.findings_under(&Setup { baseline: Some(baseline.clone()), ..Setup::default() });
        found.iter().filter(|f| f.detector == detector).map(|f| f.severity).collect()
    }
}

/// One operation on a later day, the breaker being open before.
fn later(value: f64, how: (bool, bool)) -> Story {
    later_after(0, value, how)
}

/// As `later`, with a pause of the feed between the state that was heard and the operation.
fn later_after(pause: i64, value: f64, how: (bool, bool)) -> Story {
    let (mut s, until) = (Story::default(), 10 * DAY + 10 * MINUTE);
    (0..600).filter(|i| i * SECOND < 10 * MINUTE - 90 * SECOND - pause).for_each(|i| {
        s.heard(10 * DAY + i * SECOND);
    });
    s.tell(until - 91 * SECOND - pause, (RTU, MASTER), 20_000, state(0.0));
    s.operate(until, value, how);
    s
}

#[test]
fn a_command_without_its_effect_is_medium_once_the_effect_was_always_seen() {
    let known = Story::operated(12).taught();
    assert_eq!(later(1.0, (true, true)).said(&known, "command-effect"), []);
    assert_eq!(later(1.0, (true, false)).said(&known, "command-effect"), [Severity::Medium]);
    let young = Story::operated(4).taught();
    assert_eq!(later(1.0, (true, false)).said(&young, "command-effect"), [], "four commands");
    let mut gap = later(1.0, (true, false));
    let at = gap.facts.iter().position(|f| matches!(&f.body, Body::Op(o) if o.class == OpClass::Control)).unwrap();
    gap.facts[at + 4].body = Body::Gap { missing: 9 };
    assert_eq!(gap.said(&known, "command-effect"), [], "the change may lie in the gap");
}

#[test]
fn a_refused_command_needs_no_effect() {
    let known = Story::operated(12).taught();
    let mut s = later(1.0, (true, false));
    for f in &mut s.facts {
        if let Body::Op(o) = &mut f.body
            && o.is_answer
        {
            o.refused = Some((4, "not_supported"));
        }
    }
    assert_eq!(s.said(&known, "command-effect"), []);
}

#[test]
fn a_command_to_the_state_that_there_is_is_medium_after_ten_that_were_not() {
    assert_eq!(later(0.0, (true, false)).said(&Story::operated(12).taught(), "command-effect"), [Severity::Medium]);
    let known = Story::operated(12).taught();
    assert_eq!(
        later_after(MINUTE, 0.0, (true, false)).said(&known, "command-effect"),
        [],
        "it may have moved in a pause"
    );
    // The last of the commands is still under watch when learning ends.
    assert_eq!(later(0.0, (true, false)).said(&Story::operated(9).taught(), "command-effect"), []);
}

#[test]
fn who_always_selects_and_then_does_not_is_told() {
    let known = Story::operated(12).taught();
    assert_eq!(later(1.0, (true, true)).said(&known, "no-select"), []);
    assert_eq!(later(1.0, (false, true)).said(&known, "no-select"), [Severity::Medium]);
    let mut sometimes = Story::operated(12);
    sometimes.operate(9 * HOUR, 1.0, (false, true));
    assert_eq!(later(1.0, (false, true)).said(&sometimes.taught(), "no-select"), [], "it is not always");
    let mut begins = Story::default();
    begins.heard(10 * DAY).tell(10 * DAY + SECOND, (MASTER, RTU), 20_000, op(OpClass::Control, OPERATE, 1.0, false));
    assert_eq!(begins.said(&known, "no-select"), [], "the selection may lie before the capture");
}

#[test]
fn three_devices_within_a_minute_are_told_where_one_was_learned() {
    let known = Story::operated(12).taught();
    let many = |devices: usize, step: i64| {
        let mut s = Story::default();
        s.heard(10 * DAY);
        for (i, device) in OTHERS.iter().take(devices).enumerate() {
            let at = 10 * DAY + MINUTE + i as i64 * step;
            s.tell(at, (MASTER, *device), 20_000, op(OpClass::Control, OPERATE, 1.0, false));
        }
        s
    };
    assert_eq!(many(3, SECOND).said(&known, "many-devices"), [Severity::Medium]);
    assert_eq!(many(2, SECOND).said(&known, "many-devices"), []);
    assert_eq!(many(4, 31 * SECOND).said(&known, "many-devices"), [], "two in any minute");
    let mut usual = Story::operated(12);
    usual.facts.extend(many(3, SECOND).facts.into_iter().map(|mut f| {
        f.flow = gwcore::FlowRef(f.flow.0 + 2 * usual.flows.len() as u32);
        f
    }));
    usual.flows.extend(many(3, SECOND).flows);
    assert_eq!(many(3, SECOND).said(&usual.taught(), "many-devices"), [], "it did so before");
    let alone: Vec<_> = many(3, SECOND).findings().into_iter().filter(|f| f.detector == "many-devices").collect();
    assert_eq!(alone.iter().map(|f| f.severity).collect::<Vec<_>>(), [Severity::Info], "a fact without a baseline");
}

#[test]
fn five_commands_in_an_hour_or_four_alike_are_more_than_learned() {
    // Twelve operations, one every half hour: three at most within an hour, never the same twice.
    let known = Story::operated(12).taught();
    let told = |values: &[f64], step: i64| {
        let mut s = Story::default();
        s.heard(10 * DAY);
        for (i, v) in values.iter().enumerate() {
            s.tell(10 * DAY + i as i64 * step, (MASTER, RTU), 20_000, op(OpClass::Control, OPERATE, *v, false));
        }
        s.said(&known, "command-pace").len()
    };
    assert_eq!((told(&[1.0; 3], MINUTE), told(&[1.0; 4], MINUTE)), (0, 1));
    assert_eq!(told(&[1.0; 4], 21 * MINUTE), 0, "three within the hour");
    let swing: Vec<f64> = (0..7).map(|i| f64::from(i % 2)).collect();
    assert_eq!((told(&swing[..6], MINUTE), told(&swing, MINUTE)), (0, 1));
}

#[test]
fn two_devices_configured_at_once_for_the_first_time_are_told_and_one_is_not() {
    let mut learned = Story::operated(12);
    for device in OTHERS {
        learned.tell(HOUR, (MASTER, device), 20_000, Body::Service { proto: "dnp3", server_is_responder: true });
    }
    let known = learned.taught();
    let told = |devices: &[u8], class| {
        let mut s = Story::default();
        s.heard(10 * DAY);
        for d in devices {
            s.tell(10 * DAY, (MASTER, *d), 20_000, op(class, (18, "stop_application"), 1.0, false));
        }
        s.said(&known, "first-configuration").len()
    };
    assert_eq!(
        (told(&[RTU, 3], OpClass::Mode), told(&[RTU], OpClass::Mode), told(&[RTU, 3], OpClass::Read)),
        (1, 0, 0)
    );
    assert_eq!(told(&[RTU, 77], OpClass::Mode), 0, "a new conversation is told as such");
}

#[test]
fn a_command_at_an_hour_without_any_is_medium_after_a_week_of_others() {
    // Four commands a day, an hour apart.
    let learned = |days: i64| {
        let mut s = Story::default();
        for at in (0..days * 4).map(|i| i / 4 * DAY + i % 4 * HOUR) {
            s.heard(at).tell(at, (MASTER, RTU), 20_000, op(OpClass::Control, OPERATE, 1.0, false));
        }
        s.taught()
    };
    let told = |days: i64, hour: i64| {
        let mut s = Story::default();
        let at = 10 * DAY + hour * HOUR;
        s.heard(at).tell(at, (MASTER, RTU), 20_000, op(OpClass::Control, OPERATE, 1.0, false));
        s.said(&learned(days), "unusual-hour")
    };
    assert_eq!(told(9, 12), [Severity::Medium]);
    assert_eq!((told(9, 2), told(9, 4), told(9, 23)), (vec![], vec![], vec![]), "among them, and an hour beside");
    assert_eq!(told(4, 12), [], "too few days");
}

/// Answers of three measurements each, a second apart.
fn answers(s: &mut Story, from: i64, values: impl IntoIterator<Item = u32>) {
    for (i, v) in values.into_iter().enumerate() {
        let at = from + i as i64 * SECOND;
        s.heard(at);
        let flow = s.flows.len() as u32;
        for address in 0..3 {
            let point = PointId { table: "input_register", unit: 1, address };
            let value = f64::from(v.wrapping_mul(2_654_435_761) >> 16) + f64::from(address);
            s.tell(
                at + MILLI,
                (RTU, MASTER),
                502,
                Body::Sample(Sample { proto: "modbus", point, value, discrete: false, good: true, write: false }),
            );
            // Values of one answer come in one frame of one flow.
            let (fact, n) = (s.facts.last_mut().unwrap(), u64::from(flow) + 1);
            (fact.frame, fact.flow) = (n, gwcore::FlowRef(flow * 2));
            let uid = gwcore::Uid(7);
            s.flows[flow as usize].uid = uid;
        }
    }
}

#[test]
fn measurements_that_stand_still_or_repeat_are_told_where_they_never_did() {
    let learned = |values: &mut dyn Iterator<Item = u32>| {
        let mut s = Story::operated(12);
        answers(&mut s, 20 * HOUR, values);
        s.taught()
    };
    let known = learned(&mut (0..1_200));
    let told = |baseline: &Arc<Baseline>, values: &mut dyn Iterator<Item = u32>| {
        let mut s = Story::default();
        answers(&mut s, 10 * DAY, values);
        s.said(baseline, "frozen-values")
    };
    assert_eq!(told(&known, &mut (5_000..5_200)), []);
    // One more answer each, for the one that it completes.
    assert_eq!(told(&known, &mut (5_000..5_050).chain(5_020..5_030).chain([1])), [Severity::High]);
    assert_eq!(told(&known, &mut (5_000..5_050).chain(5_020..5_029).chain([1, 2])), [], "nine answers");
    assert_eq!(told(&known, &mut (5_000..5_010).chain([9; 63])), [Severity::Medium]);
    assert_eq!(told(&known, &mut (5_000..5_010).chain([9; 60])), [], "a minute");
    let standing = learned(&mut (0..1_200).map(|i| i / 2));
    assert_eq!(told(&standing, &mut (5_000..5_010).chain([9; 90])), [], "it stood still before");
    let repeating = learned(&mut (0..1_200).map(|i| i % 600));
    assert_eq!(told(&repeating, &mut (5_000..5_050).chain(5_020..5_040)), [], "it repeated before");
    assert_eq!(told(&learned(&mut (0..900)), &mut (5_000..5_050).chain(5_020..5_040)), [], "too little learned");
}

#[test]
fn a_second_session_is_low_and_a_command_in_it_medium() {
    // Sessions by number, what each says at which second.
    let sessions = |s: &mut Story, from: i64, said: &[(u32, i64, bool)]| {
        for (session, at, commands) in said {
            let class = if *commands { OpClass::Control } else { OpClass::Read };
            s.heard(from + at * SECOND);
            s.tell(from + at * SECOND, (MASTER, RTU), 20_000, op(class, OPERATE, 1.0, false));
            s.flows.last_mut().unwrap().uid = gwcore::Uid(u128::from(*session));
        }
    };
    let mut learned = Story::operated(12);
    let one: Vec<(u32, i64, bool)> = (0..200).map(|i| (1, i, false)).collect();
    sessions(&mut learned, 20 * HOUR, &one);
    // What the story tells by itself has session 0.
    learned.flows.iter_mut().for_each(|f| f.uid = gwcore::Uid(1));
    let known = learned.taught();
    let told = |said: &[(u32, i64, bool)]| {
        let mut s = Story::default();
        sessions(&mut s, 10 * DAY, said);
        s.said(&known, "second-session")
    };
    assert_eq!(
        told(&[(8, 0, false), (9, 5, false), (8, 6, false), (9, 7, true)]),
        [],
        "on its way when the new one began"
    );
    assert_eq!(told(&[(8, 0, false), (9, 5, false), (9, 9, true)]), [], "the old one is over");
    assert_eq!(told(&[(8, 0, false), (9, 5, false), (8, 7, false)]), [Severity::Low]);
    let both = [Severity::Low, Severity::Medium];
    let mut got = told(&[(8, 0, false), (9, 5, false), (8, 7, false), (9, 8, true)]);
    got.sort();
    assert_eq!(got, both);
    assert_eq!(told(&[(8, 0, true), (9, 5, false), (8, 7, true)]), [Severity::Low], "a command in the old one");
    // The old one only tests its link from then on; or it was put to rest before.
    let known = of_104(learned).taught();
    let tested = |class: OpClass| {
        let mut s = Story::default();
        let said = [(8, 0, op(class, OPERATE, 1.0, false)), (9, 5, op(OpClass::Control, OPERATE, 1.0, false))];
        for (session, second, body) in said.into_iter().chain([(8, 9, Body::Alive { proto: "iec104" })]) {
            s.heard(10 * DAY + second * SECOND);
            s.tell(10 * DAY + second * SECOND, (MASTER, RTU), 2_404, body);
            s.flows.last_mut().unwrap().uid = gwcore::Uid(session);
        }
        of_104(s).said(&known, "second-session")
    };
    assert_eq!((tested(OpClass::Read), tested(OpClass::ReportsOff)), (vec![Severity::Medium], vec![]));
}

/// The same in IEC 60870-5-104.
fn of_104(mut s: Story) -> Story {
    for fact in &mut s.facts {
        match &mut fact.body {
            Body::Op(op) => op.proto = "iec104",
            Body::Service { proto, .. } => *proto = "iec104",
            Body::Sample(sample) => sample.proto = "iec104",
            _ => {}
        }
    }
    s
}

#[test]
fn a_report_again_after_its_confirmation_is_medium_without_a_baseline() {
    let anomaly = |reason| {
        let mut s = Story::default();
        s.tell(0, (RTU, MASTER), 20_000, Body::Anomaly { proto: "dnp3", reason });
        s.findings().iter().filter(|f| f.detector == "report-again").map(|f| f.severity).collect::<Vec<_>>()
    };
    assert_eq!(anomaly("report_again_after_confirmation"), [Severity::Medium]);
    assert_eq!(anomaly("answer_without_request"), []);
}

#[test]
fn what_was_learned_of_conduct_survives_its_file_and_its_halves() {
    let mut story = Story::operated(12);
    answers(&mut story, 20 * HOUR, 0..1_200);
    let whole = story.taught();
    let bytes = |b: &Baseline| {
        let mut out = Vec::new();
        b.write(&mut out).unwrap();
        out
    };
    let back = Baseline::read(&mut &bytes(&whole)[..], &Limits::default()).unwrap();
    assert_eq!(bytes(&whole), bytes(&back));
    let cut = story.facts.iter().position(|f| f.ts.since(super::START) > 5 * HOUR).unwrap();
    let learn = |facts: &[gwcore::Fact]| {
        let mut l = Learner::new(&Limits::default(), Maintenance::default(), Default::default());
        l.batch(facts, &story.flows);
        l.finish().0
    };
    let mut merged = learn(&story.facts[..cut]);
    merged.merge(&learn(&story.facts[cut..]));
    let merged = Arc::new(merged);
    for how in [(true, false), (false, true)] {
        for detector in ["command-effect", "no-select"] {
            assert_eq!(later(1.0, how).said(&merged, detector), later(1.0, how).said(&whole, detector), "{detector}");
        }
    }
}

#[test]
fn small_limits_make_it_worse_and_never_wrong() {
    let limits = Limits::scaled(100_000);
    let mut learner = Learner::new(&limits, Maintenance::default(), Default::default());
    let story = Story::operated(12);
    learner.batch(&story.facts, &story.flows);
    let baseline = Some(Arc::new(learner.finish().0));
    let setup = Setup { baseline, limits, ..Setup::default() };
    let found = later(1.0, (true, true)).findings_under(&setup);
    assert!(found.iter().all(|f| f.severity < Severity::Medium), "{found:?}");
}
