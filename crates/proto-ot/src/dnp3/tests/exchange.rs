//! Exchanges: pairing, reports and confirmations, selections, time-outs, facts, and what the summary leaves out.

use gwcore::{Body, Limit, Limits, OpClass, time::SECOND};
use proto::{Carrier, testing::Bench};

use super::{Set, ask, ask_of, bench, frame, only, tell, tell_from};

const PAIR: [&str; 5] = ["function_code", "app_seq", "pair", "response_time", "is_request"];
const CROB: &str = "0c01 28 0100 0500 41 01 64000000 00000000 00";

/// Operations so far: class, function, name of the action, answer, refusal.
fn ops(b: &Bench<Set>) -> Vec<String> {
    let one = |f: &gwcore::Fact| match &f.body {
        Body::Op(o) => Some(format!(
            "{:?} {} {:?} {:?} {}{}",
            o.class,
            o.function,
            o.point.map(|p| (p.table, p.unit, p.address)),
            o.value,
            o.action,
            match (o.is_answer, o.refused) {
                (true, Some((code, name))) => format!(" refused {code} {name}"),
                (true, None) => " done".into(),
                _ => String::new(),
            }
        )),
        _ => None,
    };
    b.facts().iter().filter_map(one).collect()
}

#[test]
fn a_request_is_written_with_its_answer() {
    let mut b = bench();
    b.client(&ask(1, "c1 01 3c02 06"));
    assert!(b.rows("dnp3").is_empty(), "it waits");
    b.server(&tell(1, "c1 81 0000 0102 00 03 03 81"));
    let rows = only(&b.rows("dnp3"), &PAIR);
    assert_eq!(rows, ["1 > true 1 1 2", "2 < false 129 1 1 1000000ns"]);
    let objects = only(&b.rows("dnp3_object"), &["place", "group", "index", "value", "flags"]);
    assert_eq!(objects, ["1 > 0 60", "2 < 0 1 3 1 129"]);
}

#[test]
fn without_an_answer_it_is_written_after_thirty_seconds_or_at_the_end() {
    let mut b = bench();
    b.client(&ask(1, "c1 01 3c02 06")).wait(29 * SECOND);
    assert!(b.rows("dnp3").is_empty());
    b.wait(2 * SECOND);
    assert_eq!(only(&b.rows("dnp3"), &PAIR), ["1 > true 1 1"]);
    b.server(&tell(1, "c1 81 0000")).client(&ask(2, "c2 01 3c02 06")).close();
    let rows = only(&b.rows("dnp3"), &PAIR);
    assert_eq!(rows, ["1 > true 1 1", "3 < false 129 1", "4 > true 1 2"]);
}

#[test]
fn the_fragments_of_one_answer_belong_to_one_request() {
    let mut b = bench();
    b.client(&ask(1, "c5 01 3c01 06"));
    b.server(&tell(1, "a5 81 0000 0102 00 00 00 81")).client(&ask(2, "c5 00"));
    b.server(&tell(2, "66 81 0000 0102 00 01 01 01")).client(&ask(3, "c6 00")).close();
    let rows = only(&b.rows("dnp3"), &["function_code", "app_seq", "pair"]);
    assert_eq!(rows, ["1 > 1 5 2", "2 < 129 5 1", "3 > 0 5 2", "4 < 129 6 1", "5 > 0 6 4"]);
}

#[test]
fn a_report_is_written_with_its_confirmation() {
    let mut b = bench();
    b.server(&tell(1, "f3 82 8000 0201 17 01 04 81"));
    assert!(b.rows("dnp3").is_empty());
    b.client(&ask(1, "d3 00")).server(&tell(2, "d4 82 0000 0201 17 01 04 01"));
    let rows = only(&b.rows("dnp3"), &["function_code", "uns", "pair", "response_time", "iin"]);
    assert_eq!(rows, ["1 < 130 true 32768 2", "2 > 0 true 1 1000000ns", "3 < 130 true 0"]);
}

#[test]
fn a_report_again_right_after_its_confirmation_is_an_anomaly() {
    let run = |confirmed: bool, seq: &str, wait: i64| {
        let mut b = bench();
        b.server(&tell(1, "f3 82 0000 0201 17 01 04 81"));
        if confirmed {
            b.client(&ask(1, "d3 00"));
        }
        b.wait(wait).server(&tell(2, &format!("{seq} 82 0000 0201 17 01 04 81"))).close();
        only(&b.rows("anomaly"), &["reason"])
    };
    let millisecond = SECOND / 1_000;
    assert_eq!(run(true, "f3", millisecond), ["3 < report_again_after_confirmation"]);
    assert_eq!(run(true, "f4", millisecond), [""; 0], "the next number");
    assert_eq!(run(true, "f3", SECOND), [""; 0], "a number comes again after fifteen others");
    assert_eq!(run(false, "f3", millisecond), [""; 0], "nobody confirmed it");
}

#[test]
fn operate_names_its_selection() {
    let run = |operate: &str| {
        let mut b = bench();
        b.client(&ask(1, &format!("c1 03 {CROB}"))).server(&tell(1, &format!("c1 81 0000 {CROB}")));
        b.client(&ask(2, operate)).close();
        let anomalies = only(&b.rows("anomaly"), &["reason"]);
        let rows = only(&b.rows("dnp3"), &["function_code", "select_pair", "select_matches"]);
        (rows.last().cloned().unwrap_or_default(), anomalies)
    };
    let wrong = vec!["3 > operate_without_select".to_string()];
    assert_eq!(run(&format!("c2 04 {CROB}")), ("3 > 4 1 true".into(), vec![]));
    assert_eq!(run(&format!("c3 04 {CROB}")), ("3 > 4 1 false".into(), wrong.clone()));
    assert_eq!(run(&format!("c2 04 {}", CROB.replace("0500", "0600"))), ("3 > 4 1 false".into(), wrong));
    let mut b = bench();
    b.client(&ask(1, &format!("c2 04 {CROB}"))).client(&ask(2, &format!("c2 04 {CROB}"))).close();
    let rows = only(&b.rows("dnp3"), &["select_pair", "select_matches"]);
    assert_eq!(rows, ["1 > false", "2 > false"]);
}

#[test]
fn a_repeated_operate_still_matches_and_another_request_ends_a_selection() {
    let mut b = bench();
    b.client(&ask(1, &format!("c1 03 {CROB}"))).client(&ask(2, &format!("c2 04 {CROB}")));
    b.client(&ask(3, &format!("c2 04 {CROB}"))).close();
    let rows = only(&b.rows("dnp3"), &["function_code", "select_matches"]);
    assert_eq!(rows, ["2 > 4 true", "1 > 3", "3 > 4 true"]);
    let mut b = bench();
    b.client(&ask(1, &format!("c1 03 {CROB}"))).client(&ask(2, "c2 01 3c02 06"));
    b.client(&ask(3, &format!("c2 04 {CROB}"))).close();
    let rows = only(&b.rows("dnp3"), &["function_code", "select_matches"]);
    assert_eq!(rows, ["1 > 3", "2 > 1", "3 > 4 false"], "another request of the same number waits beside the first");
}

#[test]
fn commands_and_their_outcome_are_facts() {
    let mut b = bench();
    b.client(&ask(1, &format!("c1 03 {CROB}"))).server(&tell(1, &format!("c1 81 0000 {CROB}")));
    b.client(&ask(2, &format!("c2 04 {CROB}"))).server(&tell(2, &format!("c2 81 0000 {}04", &CROB[..CROB.len() - 2])));
    b.client(&ask(3, "c3 06 2902 17 01 07 9600 00")).client(&ask(4, "c4 02 3201 07 01 e80300000000"));
    b.server(&tell(4, "c4 81 0004")).client(&ask(5, "c5 0d")).client(&ask(6, "c6 02 5001 00 07 07 00"));
    let point = "Some((\"binary_output\", 4, 5)) Some(1.0) close";
    assert_eq!(
        ops(&b),
        [
            format!("Select 3 {point}"),
            format!("Select 3 {point} done"),
            format!("Control 4 {point}"),
            format!("Control 4 {point} refused 4 not_supported"),
            "SetPoint 6 Some((\"analog_output\", 4, 7)) Some(150.0) ".into(),
            "TimeSet 2 None None ".into(),
            "TimeSet 2 None None  refused 4 parameter_error".into(),
            "Restart 13 None None ".into(),
            "Clear 2 Some((\"internal_indications\", 4, 7)) Some(0.0) clear the restart indication".into(),
        ]
    );
}

#[test]
fn only_indication_seven_is_the_restart_indication() {
    let action = |objects: &str| {
        let mut b = bench();
        b.client(&ask(1, &format!("c1 02 {objects}")));
        ops(&b).concat()
    };
    assert!(action("5001 00 07 07 00").ends_with("Some(0.0) clear the restart indication"));
    assert!(action("5001 00 04 04 00").ends_with("Some(0.0) "), "the need for time");
    assert!(action("5001 00 07 07 01").ends_with("Some(1.0) "), "set, not cleared");
}

#[test]
fn an_operation_that_is_challenged_is_done_only_when_answered() {
    let mut b = bench();
    b.client(&ask(1, &format!("c1 05 {CROB}"))).server(&tell(1, "c1 83 0000 7801 5b 01 0600 01000000 0100"));
    assert_eq!(ops(&b).len(), 1, "a challenge is no outcome");
    b.client(&ask(2, "c1 20 7802 5b 01 0600 01000000 0100")).server(&tell(2, &format!("c1 81 0000 {CROB}")));
    let ops = ops(&b);
    assert!(ops[1].starts_with("Authenticate 32") && ops[2].starts_with("Control 5") && ops[2].ends_with("done"));
}

#[test]
fn every_function_has_its_class() {
    use OpClass::*;
    let table: [(&str, OpClass); 36] = [
        ("01 3c01 06", Read),
        ("01 00f2 00 00 00", Identify),
        ("01 4605 5b 01 0800 0100000000000000", Upload),
        ("02 2201 17 01 01 0a00", Parameter),
        ("02 0a01 00 00 00 01", Control),
        ("02 4605 5b 01 0900 010000000000000041", Download),
        ("03", Select),
        ("04", Control),
        ("05", Control),
        ("06", Control),
        ("07", Freeze),
        ("08", Freeze),
        ("09", Clear),
        ("0a", Clear),
        ("0b", Freeze),
        ("0c", Freeze),
        ("0d", Restart),
        ("0e", Restart),
        ("0f", Mode),
        ("10", Mode),
        ("11", Mode),
        ("12", Mode),
        ("13", Parameter),
        ("14 3c02 06", ReportsOn),
        ("15 3c02 06", ReportsOff),
        ("16 3c02 06", Parameter),
        ("17", Other),
        ("18", TimeSet),
        ("19 4603 5b 01 1a00 1a000000 000000000000 0000 00000000 00000000 0100 0004 0000", Upload),
        ("1a", Other),
        ("1b", Delete),
        ("1c", Read),
        ("1d", Authenticate),
        ("1e", Cancel),
        ("1f", Download),
        ("20", Authenticate),
    ];
    for (fragment, class) in table {
        let mut b = bench();
        b.client(&ask(1, &format!("c1 {fragment}")));
        let got = b.facts().iter().find_map(|f| if let Body::Op(o) = &f.body { Some(o.class) } else { None });
        assert_eq!(got, Some(class), "{fragment}");
    }
}

#[test]
fn values_are_samples_and_both_sides_have_roles() {
    let mut b = bench();
    b.client(&ask(1, "c1 01 3c01 06"))
        .server(&tell(1, "c1 81 0000 1e02 00 02 03 01ff7f 010080 1401 28 0100 0900 052a000000"));
    b.client(&ask(2, &format!("c2 05 {CROB}"))).client(&ask(3, &format!("c3 03 {CROB}")));
    let samples: Vec<_> = b
        .facts()
        .iter()
        .filter_map(|f| match &f.body {
            Body::Sample(s) => Some((s.point.table, s.point.unit, s.point.address, s.value, s.good, s.write)),
            _ => None,
        })
        .collect();
    assert_eq!(
        samples,
        [
            ("analog_input", 4, 2, 32767.0, true, false),
            ("analog_input", 4, 3, -32768.0, true, false),
            ("counter", 4, 9, 42.0, false, false),
            ("binary_output", 4, 5, 1.0, true, true),
        ]
    );
    let roles = b.facts().iter().filter_map(|f| if let Body::Role(r) = f.body { Some(r) } else { None });
    assert_eq!(roles.collect::<Vec<_>>(), ["master", "outstation"]);
}

#[test]
fn who_serves_is_told_by_content() {
    let serves = |first_from_server: bool| {
        let mut b = bench();
        if first_from_server {
            b.client(&tell(1, "f3 82 0000"))
        } else {
            b.client(&ask(1, "c1 01 3c02 06"))
        };
        let found = b.facts().iter().find_map(|f| match f.body {
            Body::Service { server_is_responder, .. } => Some(server_is_responder),
            _ => None,
        });
        found.expect("recognised")
    };
    assert!(serves(false));
    assert!(!serves(true));
}

#[test]
fn the_summary_leaves_out_repeated_reads_and_nothing_else() {
    let count = |full: bool, asked: &str, answered: &[&str]| {
        let mut b = bench();
        b.detail = if full { gwcore::Detail::Full } else { gwcore::Detail::Summary };
        for (i, answer) in answered.iter().enumerate() {
            let seq = i as u8;
            b.client(&ask(seq, &format!("c{seq:x} {asked}"))).server(&tell(seq, &format!("c{seq:x} 81 {answer}")));
        }
        b.close();
        b.rows("dnp3").len()
    };
    let point = |value: &str| format!("0000 1e01 00 00 00 01{value}");
    let (one, two) = (point("01000000"), point("02000000"));
    let same = [one.as_str(), two.as_str(), one.as_str(), two.as_str()];
    assert_eq!((count(true, "01 3c01 06", &same), count(false, "01 3c01 06", &same)), (8, 4), "values do not count");
    let flags = ["0000 0102 00 00 00 01", "0000 0102 00 00 00 81", "0000 0102 00 00 00 01", "0000 0102 00 00 00 05"];
    assert_eq!(count(false, "01 3c01 06", &flags), 6, "the third is left out, another quality is not");
    assert_eq!(count(false, "01 3c01 06", &["0000", "0000", "1000", "0000"]), 8, "indications");
    assert_eq!(count(false, "01 3c01 06", &["0001"; 4]), 8, "refusals");
    assert_eq!(count(false, &format!("05 {CROB}"), &["0000"; 4]), 8, "commands");
}

#[test]
fn outstations_that_share_a_session_do_not_mix() {
    let mut b = bench();
    b.client(&ask_of(4, 1, "c1 01 3c01 06")).client(&ask_of(5, 1, "c1 01 3c01 06"));
    b.server(&tell_from(5, 1, "c1 81 0000")).server(&tell_from(4, 1, "c1 81 0000"));
    let rows = only(&b.rows("dnp3"), &["link_dst", "pair"]);
    assert_eq!(rows, ["2 > 5 3", "3 < 3 2", "1 > 4 4", "4 < 3 1"]);
}

#[test]
fn an_answer_captured_before_its_request_waits_for_it() {
    let what = ["function_code", "app_seq", "pair", "response_time"];
    let late = |wait: i64, close: bool| {
        let mut b = bench();
        b.client(&ask(0, "c0 00")).server(&tell(1, "c1 81 0000")).wait(wait);
        if close {
            b.close();
        } else {
            b.client(&ask(1, "c1 01 3c01 06"));
        }
        (only(&b.rows("dnp3"), &what)[1..].to_vec(), only(&b.rows("anomaly"), &["reason"]))
    };
    let millisecond = SECOND / 1_000;
    let paired = ["3 > 1 1 2", "2 < 129 1 3 0ns"].map(String::from).to_vec();
    assert_eq!(late(0, false), (paired, vec![]));
    let alone = (vec!["2 < 129 1".to_string()], vec!["2 < answer_without_request".to_string()]);
    assert_eq!(late(50 * millisecond, false), alone, "at the very end of its patience it is written");
    assert_eq!(late(0, true), alone);
}

#[test]
fn fragments_of_an_answer_that_waits_stay_in_their_order() {
    let mut b = bench();
    b.server(&tell(1, "a5 81 0000 0102 00 00 00 81")).server(&tell(2, "46 81 0000 0102 00 01 01 01"));
    assert!(b.rows("dnp3").is_empty());
    b.wait(SECOND / 20);
    assert_eq!(only(&b.rows("dnp3"), &["function_code", "app_seq"]), ["1 < 129 5", "2 < 129 6"]);
    let mut b = bench();
    b.server(&tell(1, "a5 81 0000 0102 00 00 00 81")).client(&ask(2, "c5 00")).server(&tell(2, "46 81 0000"));
    let rows = only(&b.rows("dnp3"), &["function_code", "app_seq", "pair"]);
    assert_eq!(rows, ["1 < 129 5", "2 > 0 5 1", "3 < 129 6"], "a confirmed answer has waited enough");
    let mut b = bench();
    b.server(&tell(1, "c5 81 0000")).client(&ask(2, "c6 01 3c01 06")).server(&tell(2, "c6 81 0000"));
    let rows = only(&b.rows("dnp3"), &["function_code", "app_seq", "pair"]);
    assert_eq!(rows, ["1 < 129 5", "2 > 1 6 3", "3 < 129 6 2"], "the master has gone past it");
}

#[test]
fn broadcasts_and_commands_without_acknowledgement_do_not_wait() {
    let mut b = bench();
    b.client(&ask_of(0xffff, 1, "c1 02 5001 00 07 07 00")).client(&ask(1, &format!("c2 06 {CROB}")));
    assert_eq!(b.rows("dnp3").len(), 2);
}

#[test]
fn requests_beyond_the_limit_are_written_unanswered() {
    let mut limits = Limits::default();
    limits.set(Limit::Pending, 2);
    let mut b = bench().limits(limits);
    for seq in 1..=3 {
        b.client(&ask(seq, &format!("c{seq} 01 3c01 06")));
    }
    assert_eq!(only(&b.rows("dnp3"), &["app_seq"]), ["1 > 1"]);
    let mut limits = Limits::default();
    limits.set(Limit::ParserBytes, 5);
    let mut b = bench().limits(limits);
    b.client(&ask(1, "c1 01 3c01 06"));
    assert_eq!(b.rows("dnp3").len(), 0, "five bytes fit");
    b.client(&ask(2, "c2 01 3c01 06"));
    assert_eq!(b.rows("dnp3").len(), 1, "ten do not");
}

#[test]
fn datagrams_and_frames_without_user_data() {
    let mut b = Bench::<Set>::new(Carrier::Datagram, 20_000);
    let mut two = frame(0xc9, 4, 3, &[]);
    two.extend(ask(1, "c1 01 3c02 06"));
    b.client(&two).server(&frame(0x0b, 3, 4, &[])).server(&tell(1, "c1 81 0000"));
    let rows = only(&b.rows("dnp3"), &["link_function", "prm", "function_code", "pair"]);
    assert_eq!(rows, ["1 > 9 true", "2 < 11 false", "1 > 4 true 1 3", "3 < 4 true 129 1"]);
    assert_eq!(b.service(), "dnp3");
    b.client(&ask(2, "c2 01 3c02 06")[..14]);
    assert_eq!(only(&b.rows("anomaly"), &["reason"]), ["4 > frame_cut"]);
}

/// What reports, link status, time sets and requests to all tell.
fn signs(b: &Bench<Set>) -> Vec<String> {
    let sign = |f: &gwcore::Fact| match &f.body {
        Body::Reported { unit, .. } => Some(format!("{} reported {unit}", f.frame)),
        Body::Alive { .. } => Some(format!("{} alive", f.frame)),
        Body::ClockSet { unit, time, .. } => Some(format!("{} clock {unit} {time}", f.frame)),
        Body::Broadcast { class, name, .. } => Some(format!("{} all {class:?} {name}", f.frame)),
        Body::Op(op) if !op.action.is_empty() => Some(format!("{} {}", f.frame, op.action)),
        _ => None,
    };
    b.facts().iter().filter_map(sign).collect()
}

#[test]
fn reports_link_status_and_clocks_are_told() {
    let mut b = bench();
    // Request of the link status and its answer; an unsolicited response.
    b.client(&frame(0xc9, 4, 3, &[])).server(&frame(0x0b, 3, 4, &[])).server(&tell(1, "f1 82 0000 0201 17 01 00 81"));
    // 2009-02-13T23:31:30Z is 1,234,567,890,000 ms: 0x011f71fb0450.
    b.client(&ask(1, "c1 02 3201 07 01 5004fb711f01")).client(&ask(2, "c2 02 3203 07 01 5004fb711f01"));
    b.server(&tell(2, "c3 81 0000 3201 07 01 5004fb711f01"));
    b.client(&ask(3, "c4 01 3c02 06 3c03 06 3c04 06 3c01 06")).client(&ask(4, "c5 01 3c02 06 3c03 06 3c04 06"));
    let time = "2009-02-13T23:31:30.000000Z";
    let expect = ["1 alive", "2 alive", "3 reported 4", &format!("4 clock 4 {time}"), &format!("5 clock 4 {time}")];
    assert_eq!(signs(&b), [&expect[..], &["7 integrity poll"]].concat());
}

#[test]
fn requests_to_every_outstation_are_told_whatever_they_name() {
    let told = |outstation, fragment| {
        let mut b = bench();
        b.client(&ask_of(outstation, 1, fragment));
        signs(&b)
    };
    assert_eq!(told(0xfffd, "c1 0d"), ["1 all Restart cold restart"]);
    assert_eq!(told(0xffff, "c1 15 3c02 06"), ["1 all ReportsOff disable unsolicited"]);
    assert_eq!(told(0xfffc, "c1 0d"), Vec::<String>::new());
}
