//! Whole conversations: pairs, phases, roles, repeats, gaps, and what hostile bytes do.

use gwcore::{Body, Limits, OpClass};
use proto::testing::Bench;
use proto::{Carrier, Dir};

proto::protocols! {
    /// IEC 60870-5-104 alone.
    pub enum Set { Iec104: crate::iec104::Iec104, }
}

const STARTDT: [u8; 6] = [0x68, 4, 0x07, 0, 0, 0];
const STARTDT_CON: [u8; 6] = [0x68, 4, 0x0b, 0, 0, 0];
const TESTFR: [u8; 6] = [0x68, 4, 0x43, 0, 0, 0];
const TESTFR_CON: [u8; 6] = [0x68, 4, 0x83, 0, 0, 0];

/// An I format: N(S), N(R), and an ASDU of one object at IOA 5 of common address 1.
fn i(send: u16, recv: u16, type_id: u8, cause: u8, element: &[u8]) -> Vec<u8> {
    let [a, b] = (send << 1).to_le_bytes();
    let [c, d] = (recv << 1).to_le_bytes();
    let length = 4 + 6 + 3 + element.len() as u8;
    [&[0x68, length, a, b, c, d, type_id, 1, cause, 0, 1, 0, 5, 0, 0], element].concat()
}

fn bench() -> Bench<Set> {
    Bench::new(Carrier::Stream, 2404)
}

fn short(rows: Vec<String>, names: &[&str]) -> Vec<String> {
    let keep = |field: &str| names.iter().any(|n| field.starts_with(&format!("{n}=")));
    rows.iter()
        .map(|r| {
            r.split(' ').enumerate().filter(|(i, f)| *i < 2 || keep(f)).map(|(_, f)| f).collect::<Vec<_>>().join(" ")
        })
        .collect()
}

fn ops(bench: &Bench<Set>) -> Vec<(OpClass, &'static str, &'static str, bool, Option<u16>)> {
    let op = |f: &gwcore::Fact| match &f.body {
        Body::Op(o) => Some((o.class, o.name, o.action, o.is_answer, o.refused.map(|r| r.0))),
        _ => None,
    };
    bench.facts().iter().filter_map(op).collect()
}

fn roles(bench: &Bench<Set>) -> Vec<(&'static str, bool)> {
    let role = |f: &gwcore::Fact| match f.body {
        Body::Role(r) => Some((r, f.flow.reversed())),
        _ => None,
    };
    bench.facts().iter().filter_map(role).collect()
}

fn served_by_responder(bench: &Bench<Set>) -> Option<bool> {
    bench.facts().iter().find_map(|f| match f.body {
        Body::Service { server_is_responder, .. } => Some(server_is_responder),
        _ => None,
    })
}

/// A session: start, select and execute, interrogation with values.
fn session() -> Vec<(Dir, Vec<u8>)> {
    use Dir::{Orig, Resp};
    vec![
        (Orig, STARTDT.to_vec()),
        (Resp, STARTDT_CON.to_vec()),
        (Orig, i(0, 0, 46, 6, &[0x82])),
        (Resp, i(0, 1, 46, 7, &[0x82])),
        (Orig, i(1, 1, 46, 6, &[0x02])),
        (Resp, i(1, 2, 46, 7, &[0x02])),
        (Resp, i(2, 2, 46, 10, &[0x02])),
        (Orig, i(2, 3, 100, 6, &[20])),
        (Resp, i(3, 3, 100, 7, &[20])),
        (Resp, i(4, 3, 13, 20, &[0, 0, 0x48, 0x42, 0])),
        (Resp, i(5, 3, 100, 10, &[20])),
        (Orig, vec![0x68, 4, 1, 0, 12, 0]),
    ]
}

fn play(bench: &mut Bench<Set>, parts: &[(Dir, Vec<u8>)]) {
    for (dir, bytes) in parts {
        match dir {
            Dir::Orig => bench.client(bytes),
            Dir::Resp => bench.server(bytes),
        };
    }
}

#[test]
fn phases_are_paired() {
    let mut b = bench();
    play(&mut b, &session());
    b.close();
    let rows =
        short(b.rows("iec104"), &["apci", "send_seq", "u_function", "type_id", "cause", "pair", "response_time"]);
    let expect = [
        "1 > apci=U u_function=STARTDT pair=2",
        "2 < apci=U u_function=STARTDT pair=1 response_time=1000000ns",
        "3 > apci=I send_seq=0 type_id=46 cause=6 pair=4",
        "4 < apci=I send_seq=0 type_id=46 cause=7 pair=3 response_time=1000000ns",
        "5 > apci=I send_seq=1 type_id=46 cause=6 pair=6",
        "6 < apci=I send_seq=1 type_id=46 cause=7 pair=5 response_time=1000000ns",
        "7 < apci=I send_seq=2 type_id=46 cause=10 pair=5 response_time=2000000ns",
        "8 > apci=I send_seq=2 type_id=100 cause=6 pair=9",
        "9 < apci=I send_seq=3 type_id=100 cause=7 pair=8 response_time=1000000ns",
        "10 < apci=I send_seq=4 type_id=13 cause=20",
        "11 < apci=I send_seq=5 type_id=100 cause=10 pair=8 response_time=3000000ns",
        "12 > apci=S",
    ];
    assert_eq!(rows, expect);
    assert_eq!(b.rows("anomaly"), Vec::<String>::new());
    let select = "3 > place=0 ioa=5 value=2 value_int=2 qualifier=0 select=true action=on";
    assert_eq!(b.rows("iec104_object")[0], select);
    assert_eq!(b.rows("iec104_object")[7], "10 < place=0 ioa=5 value=50 quality=[good]");
    let told = ops(&b);
    let expect = [
        (OpClass::ReportsOn, "STARTDT act", "", false, None),
        (OpClass::ReportsOn, "STARTDT con", "", true, None),
        (OpClass::Select, "C_DC_NA_1", "on", false, None),
        (OpClass::Select, "C_DC_NA_1", "on", true, None),
        (OpClass::Control, "C_DC_NA_1", "on", false, None),
        (OpClass::Control, "C_DC_NA_1", "on", true, None),
        (OpClass::Read, "C_IC_NA_1", "", false, None),
        (OpClass::Read, "C_IC_NA_1", "", true, None),
    ];
    assert_eq!(told, expect);
    assert_eq!(roles(&b), [("master", false), ("outstation", true)]);
    assert_eq!(served_by_responder(&b), Some(true));
    let samples: Vec<_> = b
        .facts()
        .iter()
        .filter_map(|f| match f.body {
            Body::Sample(s) => {
                Some((s.point.table, s.point.unit, s.point.address, s.value, s.discrete, s.good, s.write))
            }
            _ => None,
        })
        .collect();
    assert_eq!(samples, [("double", 1, 5, 2.0, true, true, true), ("float", 1, 5, 50.0, false, true, false)]);
}

#[test]
fn refusals_and_cancellation() {
    let mut b = bench();
    b.client(&i(0, 0, 45, 6, &[0x81])).server(&i(0, 1, 45, 0x47, &[0x81]));
    b.client(&i(1, 1, 45, 6, &[0x01])).server(&i(1, 2, 45, 0x6f, &[0x01]));
    b.client(&i(2, 2, 45, 8, &[0x81])).server(&i(2, 3, 45, 9, &[0x81]));
    b.client(&i(3, 3, 50, 8, &[0, 0, 0, 0, 0])).server(&i(3, 4, 50, 44, &[0, 0, 0, 0, 0])).close();
    let told: Vec<_> = ops(&b).into_iter().map(|o| (o.0, o.3, o.4)).collect();
    use OpClass::{Cancel, Control, Select, SetPoint};
    let expect = [
        (Select, false, None),
        (Select, true, Some(7)),
        (Control, false, None),
        (Control, true, Some(47)),
        (Cancel, false, None),
        (Cancel, true, None),
        (Cancel, false, None),
        (SetPoint, true, Some(44)),
    ];
    assert_eq!(told, expect);
    let pairs = short(b.rows("iec104"), &["negative", "pair"]);
    assert_eq!(pairs[1], "2 < negative=true pair=1");
    assert_eq!(pairs[3], "4 < negative=true pair=3");
    assert_eq!(pairs[7], "8 < negative=false pair=7");
}

#[test]
fn a_read_is_answered_by_the_value() {
    let mut b = bench();
    b.client(&i(0, 0, 102, 5, &[])).server(&i(0, 1, 1, 5, &[1])).close();
    assert_eq!(short(b.rows("iec104"), &["type_id", "pair"]), ["1 > type_id=102 pair=2", "2 < type_id=1 pair=1"]);
}

#[test]
fn unanswered_requests_are_written_after_thirty_seconds_or_at_the_end() {
    let mut b = bench();
    b.client(&i(0, 0, 45, 6, &[1]));
    assert_eq!(b.rows("iec104").len(), 0);
    b.wait(29_000_000_000);
    assert_eq!(b.rows("iec104").len(), 0);
    b.wait(1_000_000_000);
    assert_eq!(b.rows("iec104").len(), 1);
    b.client(&TESTFR).close();
    assert_eq!(short(b.rows("iec104"), &["u_function", "pair"]), ["1 >", "3 > u_function=TESTFR"]);
}

#[test]
fn pending_requests_are_bounded() {
    let run = |n: u16| {
        let mut b = bench().limits(Limits::scaled(100));
        (0..n).for_each(|s| {
            b.client(&i(s, 0, 45, 6, &[1]));
        });
        b.rows("iec104").len()
    };
    assert_eq!((run(10), run(11)), (0, 1));
}

#[test]
fn picked_up_in_the_middle_the_originator_may_serve() {
    let mut b = Bench::<Set>::new(Carrier::Stream, 40_001);
    b.client(&i(77, 20, 13, 1, &[0, 0, 0x48, 0x42, 0])).server(&i(20, 78, 45, 6, &[1])).close();
    assert_eq!(served_by_responder(&b), Some(false));
    assert_eq!(roles(&b), [("outstation", false), ("master", true)]);
    assert_eq!(b.rows("iec104").len(), 2);
}

#[test]
fn the_summary_leaves_out_repeats() {
    let mut b = bench();
    b.detail = gwcore::Detail::Summary;
    let mut send = 0;
    let mut value = |b: &mut Bench<Set>, type_id: u8, cause: u8, element: &[u8]| {
        b.client(&i(send, 0, type_id, cause, element));
        send += 1;
    };
    for n in 0..5 {
        value(&mut b, 11, 3, &[n, 0, 0]);
    }
    assert_eq!(b.rows("iec104").len(), 2);
    value(&mut b, 11, 3, &[9, 0, 0x80]);
    assert_eq!(b.rows("iec104").len(), 3);
    for _ in 0..5 {
        value(&mut b, 46, 7, &[1]);
    }
    assert_eq!(b.rows("iec104").len(), 8);
    for _ in 0..5 {
        b.client(&TESTFR).server(&TESTFR_CON);
    }
    assert_eq!(b.rows("iec104").len(), 12);
    let samples = b.facts().iter().filter(|f| matches!(f.body, Body::Sample(_))).count();
    assert_eq!(samples, 6);
}

#[test]
fn send_sequence_counts_unless_bytes_are_missing() {
    let mut b = bench();
    b.client(&i(32_767, 0, 1, 3, &[1])).client(&i(0, 0, 1, 3, &[1]));
    assert_eq!(b.rows("anomaly").len(), 0);
    b.client(&i(2, 0, 1, 3, &[1]));
    assert_eq!(b.rows("anomaly"), ["3 > proto=iec104 reason=send_sequence detail=expected 1, got 2 count=1"]);
    b.gap(Dir::Orig, 16).client(&i(9, 0, 1, 3, &[1])).client(&i(10, 0, 1, 3, &[1]));
    assert_eq!((b.rows("anomaly").len(), b.rows("iec104").len()), (1, 5));
}

#[test]
fn the_way_back_is_found() {
    let mut b = bench();
    let good = i(1, 0, 1, 3, &[1]);
    b.client(&STARTDT).client(&[&[0, 1, 0x68, 2, 0x68, 4][..], &good, &[0x12], &good].concat());
    let rows = short(b.close().rows("iec104"), &["apci"]);
    assert_eq!(rows, ["2 > apci=I", "2 > apci=I", "1 > apci=U"]);
    assert_eq!(short(b.rows("anomaly"), &["reason"]), ["2 > reason=not_an_apdu", "2 > reason=not_an_apdu"]);
    let mut b = bench();
    b.client(&STARTDT).gap(Dir::Orig, 100).client(&[&good[7..], &good[..9]].concat()).client(&good[9..]);
    assert_eq!(short(b.rows("iec104"), &["apci"]), ["4 > apci=I"]);
    assert_eq!(b.rows("anomaly").len(), 0);
}

#[test]
fn what_is_wrong_is_said() {
    let check = |bytes: &[u8], reason: &str, rows: usize, objects: usize| {
        let mut b = bench();
        b.client(&STARTDT).server(&STARTDT_CON).client(bytes).close();
        assert_eq!(short(b.rows("anomaly"), &["reason"]), [format!("3 > reason={reason}")], "{bytes:02x?}");
        assert_eq!((b.rows("iec104").len() - 2, b.rows("iec104_object").len()), (rows, objects), "{reason}");
    };
    check(&[0x68, 4, 0x03, 0, 0, 0], "undefined_function", 1, 0);
    check(&[0x68, 5, 0x43, 0, 0, 0, 9], "bad_length", 1, 0);
    check(&[0x68, 5, 0x01, 0, 0, 0, 9], "bad_length", 1, 0);
    check(&[0x68, 9, 0, 0, 0, 0, 1, 1, 3, 0, 1], "asdu_truncated", 1, 0);
    check(&[0x68, 14, 0, 0, 0, 0, 1, 2, 3, 0, 1, 0, 5, 0, 0, 1], "asdu_truncated", 1, 1);
    check(&[0x68, 15, 0, 0, 0, 0, 1, 1, 3, 0, 1, 0, 5, 0, 0, 1, 7], "trailing_bytes", 1, 1);
    check(&[0x68, 10, 0, 0, 0, 0, 1, 0, 3, 0, 1, 0], "no_objects", 1, 0);
    check(&[0x68, 14, 0, 0, 0, 0, 199, 1, 3, 0, 1, 0, 5, 0, 0, 1], "unknown_type", 1, 1);
    check(&[0x68, 18, 0, 0, 0, 0, 125, 1, 13, 0, 1, 0, 5, 0, 0, 1, 0, 1, 9, 0xca], "segment_length", 1, 1);
    check(&[0x68, 3, 0, 0, 0], "not_an_apdu", 0, 0);
    check(&[0x68, 254, 0, 0, 0], "not_an_apdu", 0, 0);
}

/// All rows as they would be written, frame numbers left out.
fn all(b: &Bench<Set>) -> Vec<String> {
    let kinds = ["iec104", "iec104_object", "anomaly"];
    let rows = kinds.iter().flat_map(|k| b.rows(k));
    let varies = |f: &&str| !f.starts_with("pair=") && !f.starts_with("response_time=");
    rows.map(|r| r.split(' ').skip(1).filter(varies).collect::<Vec<_>>().join(" ")).collect()
}

#[test]
fn split_anywhere_the_rows_are_the_same() {
    let whole = session();
    let mut b = bench();
    play(&mut b, &whole);
    let expect = all(b.close());
    for size in 1..=9 {
        let mut b = bench();
        for (dir, bytes) in &whole {
            play(&mut b, &bytes.chunks(size).map(|c| (*dir, c.to_vec())).collect::<Vec<_>>());
        }
        assert_eq!(all(b.close()), expect, "pieces of {size}");
    }
}

#[test]
fn flipped_and_cut_streams_are_survived() {
    let whole = session();
    for at in 0..whole.len() {
        for byte in 0..whole[at].1.len() {
            for bit in 0..8 {
                let mut broken = whole.clone();
                broken[at].1[byte] ^= 1 << bit;
                let mut b = bench();
                play(&mut b, &broken);
                b.close();
                assert_eq!(b.panics(), 0);
            }
            let mut cut = whole.clone();
            cut[at].1.truncate(byte);
            let mut b = bench().limits(Limits::scaled(100));
            play(&mut b, &cut);
            b.close();
            assert_eq!(b.panics(), 0);
            if at > 1 {
                assert!(b.rows("iec104").len() >= 2);
            }
        }
    }
}

/// What reports, link tests and time sets tell: kind, unit, time or summer time.
fn signs(b: &Bench<Set>) -> Vec<String> {
    let sign = |f: &gwcore::Fact| match &f.body {
        Body::Reported { unit, .. } => Some(format!("{} reported {unit}", f.frame)),
        Body::Alive { .. } => Some(format!("{} alive", f.frame)),
        Body::ClockSet { unit, time, summer, .. } => Some(format!("{} clock {unit} {time} {summer}", f.frame)),
        _ => None,
    };
    b.facts().iter().filter_map(sign).collect()
}

#[test]
fn reports_link_tests_and_clocks_are_told() {
    let mut b = bench();
    let time = [0x39, 0x30, 34, 15 | 0x80, 13, 8, 9];
    b.client(&TESTFR).server(&TESTFR_CON);
    // Spontaneous, cyclic, answered to an interrogation, sent for test.
    b.server(&i(0, 0, 1, 3, &[1])).server(&i(1, 0, 13, 1, &[0, 0, 0x48, 0x42, 0]));
    b.server(&i(2, 0, 1, 20, &[1])).server(&i(3, 0, 1, 0x83, &[1]));
    // Activated, confirmed, activated with a time that is marked as invalid.
    b.client(&i(0, 4, 103, 6, &time)).server(&i(4, 1, 103, 7, &time));
    b.client(&i(1, 5, 103, 6, &[0x39, 0x30, 34 | 0x80, 15, 13, 8, 9]));
    let clock = "7 clock 1 2009-08-13T15:34:12.345000Z true";
    assert_eq!(signs(&b), ["1 alive", "2 alive", "3 reported 1", "4 reported 1", clock]);
}

#[test]
fn a_side_that_ends_within_an_apdu_is_named_if_it_was_heard_to_its_end() {
    let end = |f: &dyn Fn(&mut Bench<Set>)| {
        let mut b = bench();
        b.client(&STARTDT).server(&STARTDT_CON).client(&[0x68, 14, 0]);
        f(&mut b);
        short(b.rows("anomaly"), &["reason"])
    };
    assert_eq!(
        end(&|b| {
            b.finish();
        }),
        ["4 > reason=message_unfinished"]
    );
    assert_eq!(
        end(&|b| {
            b.close();
        }),
        Vec::<String>::new(),
        "the capture ended"
    );
    assert_eq!(
        end(&|b| {
            b.gap(Dir::Orig, 13).finish();
        }),
        Vec::<String>::new(),
        "it may have been finished"
    );
    assert_eq!(
        end(&|b| {
            b.client(&i(0, 0, 45, 6, &[1])[3..]).finish();
        }),
        Vec::<String>::new()
    );
}
