//! What is one finding and what are several, and that title, sentence, figures and first packet are of the same message.

use std::sync::Arc;

use detect::{Setup, Site};
use gwcore::time::{MINUTE, SECOND};
use gwcore::{Body, Finding, Mac, Op, OpClass, PointId, Sample, Severity, Uid};

use super::{START, Story, ip, mac};

fn set(address: u32, value: f64) -> Op {
    Op {
        proto: "modbus",
        class: OpClass::SetPoint,
        function: 6,
        name: "write_single_register",
        point: Some(PointId { table: "holding_register", unit: 1, address }),
        points: 1,
        value: Some(value),
        action: "",
        is_answer: false,
        refused: None,
    }
}

/// The declared master of both devices is 10.0.0.1; 10.0.0.3 is critical.
fn site() -> Setup {
    let text = "[[device]]\nname = \"FE\"\naddresses = [\"10.0.0.1\"]\n\
        [[device]]\nname = \"A\"\naddresses = [\"10.0.0.2\"]\nmasters = [\"FE\"]\n\
        [[device]]\nname = \"B\"\naddresses = [\"10.0.0.3\"]\nmasters = [\"FE\"]\ncritical = true";
    Setup { site: Arc::new(Site::parse(text, &|_| Err(String::new())).unwrap()), ..Setup::default() }
}

fn of<'a>(found: &'a [Finding], detector: &str) -> Vec<&'a Finding> {
    found.iter().filter(|f| f.detector == detector).collect()
}

#[test]
fn a_stranger_s_commands_are_one_finding_for_each_device_point_and_action() {
    let mut s = Story::default();
    for (at, device, address, value) in [(0, 2, 40, 1.0), (1, 2, 41, 2.0), (2, 2, 40, 3.0), (3, 3, 40, 4.0)] {
        s.tell(at * SECOND, (9, device), 502, Body::Op(set(address, value)));
    }
    let found = s.findings_under(&site());
    let said: Vec<_> = of(&found, "control-from-unusual-source")
        .into_iter()
        .map(|f| {
            (f.dst.name.as_deref().unwrap(), f.count, f.severity, f.packets[0].frame, f.evidence.observed.as_str())
        })
        .collect();
    let what = |at: u32, v: u32| format!("write single register for holding register {at} of unit 1 with value {v}");
    let (a, b, c) = (what(40, 3), what(41, 2), what(40, 4));
    // The first is told by its last command, and the packet of that is named first.
    assert_eq!(
        said,
        [
            ("A", 2, Severity::High, 3, a.as_str()),
            ("A", 1, Severity::High, 2, b.as_str()),
            ("B", 1, Severity::Critical, 4, c.as_str()),
        ]
    );
    // What comes beyond sixteen points of a device is told as one.
    let mut s = Story::default();
    (0..40).for_each(|n| _ = s.tell(i64::from(n) * SECOND, (9, 2), 502, Body::Op(set(n, 1.0))));
    let found = s.findings_under(&site());
    let told = of(&found, "control-from-unusual-source");
    assert_eq!((told.len(), told.iter().map(|f| f.count).max()), (17, Some(24)));
}

#[test]
fn a_refusal_is_said_with_the_request_that_the_sentence_is_of() {
    let answer = |s: &mut Story, at: i64, address: u32, refused| {
        s.tell(at, (9, 2), 502, Body::Op(Op { is_answer: true, refused, ..set(address, 1.0) }));
        let n = s.facts.len() as u32 - 1;
        s.facts.last_mut().unwrap().flow = gwcore::FlowRef(n * 2 + 1);
    };
    let told = |tell: &dyn Fn(&mut Story)| {
        let mut s = Story::default();
        tell(&mut s);
        let found = s.findings_under(&site());
        let f = of(&found, "control-from-unusual-source")[0].clone();
        (
            f.title.ends_with(", refused"),
            f.why.contains(" refused it: illegal data address (2)."),
            f.evidence.more["outcome"].clone(),
        )
    };
    let no = Some((2, "illegal_data_address"));
    let ask = |s: &mut Story, at: i64| _ = s.tell(at, (9, 2), 502, Body::Op(set(40, 1.0)));
    let refused = told(&|s| {
        ask(s, 0);
        answer(s, SECOND, 40, no);
    });
    assert_eq!(refused, (true, true, "refused: illegal data address (2)".into()));
    // The sentence is of the second request, which was accepted.
    let accepted = told(&|s| {
        ask(s, 0);
        answer(s, SECOND, 40, no);
        ask(s, 2 * SECOND);
        answer(s, 3 * SECOND, 40, None);
    });
    assert_eq!(accepted, (false, false, "accepted".into()));
    // Another point's answer is none.
    let mut s = Story::default();
    ask(&mut s, 0);
    answer(&mut s, SECOND, 41, no);
    let found = s.findings_under(&site());
    assert!(!of(&found, "control-from-unusual-source")[0].evidence.more.contains_key("outcome"));
}

#[test]
fn changes_of_configuration_are_one_finding_for_each_kind() {
    let kinds = [
        (OpClass::TimeSet, 2, ""),
        (OpClass::Clear, 2, "clear the restart indication"),
        (OpClass::Download, 2, ""),
        (OpClass::Mode, 0x28, "cold start"),
        (OpClass::Delete, 0x28, "delete block"),
    ];
    let mut s = Story::default();
    for (n, (class, function, action)) in kinds.into_iter().enumerate() {
        let op = Op { class, function, action, point: None, value: None, name: "write", ..set(0, 0.0) };
        (0..2).for_each(|i| _ = s.tell((n as i64 * 2 + i) * SECOND, (1, 2), 502, Body::Op(op.clone())));
    }
    let counts: Vec<u64> = of(&s.findings(), "configuration-change").iter().map(|f| f.count).collect();
    assert_eq!(counts, [2; 5]);
}

#[test]
fn a_scan_s_figures_are_those_of_all_of_it() {
    let mut s = Story::default();
    for n in 0..565_u16 {
        let at = i64::from(n) * SECOND;
        let end = Body::FlowEnd { state: "REJ", packets: [1, 1], bytes: [0, 0], start: START.plus(at), service: "" };
        s.tell(at, (1, 2 + (n / 113) as u8), 1_000 + n % 113, end);
    }
    let found = s.findings();
    let f = of(&found, "scan")[0];
    assert!(f.why.contains("tried 113 ports on 5 hosts within 10 minutes; 565 of these did not answer"), "{}", f.why);
}

/// The client's and the server's messages over a flow of its own: on which side of whoever passes them on it was captured.
fn over(s: &mut Story, leg: u64, at: i64, is_answer: bool, body: Body) {
    s.tell(at, (1, 2), 502, body);
    let n = s.facts.len() as u32 - 1;
    s.flows.last_mut().unwrap().uid = Uid(u128::from(leg));
    s.facts.last_mut().unwrap().flow = gwcore::FlowRef(n * 2 + u32::from(is_answer));
}

#[test]
fn what_was_sent_and_what_arrived_stand_beside_each_other_and_the_claimant_is_suspected() {
    let value = |value: f64, write: bool| {
        let point = PointId { table: "holding_register", unit: 1, address: 40 };
        Body::Sample(Sample { proto: "modbus", point, value, discrete: false, good: true, write })
    };
    let altered = |senders: [Mac; 2], tell: &dyn Fn(&mut Story)| {
        let mut s = Story::default();
        s.tell(0, (1, 2), 0, Body::Claim { addr: ip(1), mac: mac(1), source: "arp" });
        s.tell(0, (1, 2), 0, Body::Claim { addr: ip(1), mac: mac(66), source: "arp" });
        over(&mut s, 1, SECOND, false, value(50.0, true));
        over(&mut s, 1, SECOND + 1, false, Body::Altered { senders });
        tell(&mut s);
        let found = s.findings();
        let f = of(&found, "altered-in-transit").pop().unwrap().clone();
        let more = |k: &str| f.evidence.more.get(k).cloned().unwrap_or_default();
        (f.src.mac.unwrap(), more("sent"), more("arrived"), f.packets[0].frame)
    };
    let suspect = mac(66).to_string();
    let second = |s: &mut Story| over(s, 2, SECOND + 1, false, value(90.0, true));
    assert_eq!(altered([mac(1), mac(66)], &second), (suspect.clone(), 50.0.into(), 90.0.into(), 5));
    // Who put in his version first: the owner's own came later.
    assert_eq!(altered([mac(66), mac(1)], &second), (suspect.clone(), 90.0.into(), 50.0.into(), 3));
    // Readings are compared from then on, each with the one just before it.
    let readings = |s: &mut Story| {
        over(s, 1, MINUTE, true, value(7.0, false));
        over(s, 2, MINUTE + 1, true, value(7.0, false));
        over(s, 1, MINUTE + SECOND, true, value(7.0, false));
        over(s, 2, MINUTE + SECOND + 1, true, value(8.0, false));
    };
    assert_eq!(altered([mac(1), mac(66)], &readings), (suspect.clone(), 7.0.into(), 8.0.into(), 8));
    let alike = |s: &mut Story| over(s, 2, SECOND + 1, false, value(50.0, true));
    assert_eq!(altered([mac(1), mac(66)], &alike).1, serde_json::Value::Null);
}
