//! Publishers and what goes wrong with them, built from fields.

use gwcore::time::MILLI;
use gwcore::{Body, Limit, Limits};
use proto::Carrier;
use proto::testing::Bench;

use super::parse::parse;

proto::protocols! {
    /// GOOSE alone.
    pub enum Set { Goose: crate::goose::Goose, }
}

/// What a test message says; everything else is fixed.
#[derive(Clone, Copy)]
struct Say {
    block: &'static str,
    st: u32,
    sq: u32,
    ttl: u16,
    value: u8,
    simulation: bool,
    s_bit: bool,
    conf_rev: u8,
    data_set: &'static str,
    entries: u8,
}

const SAY: Say = Say {
    block: "R7LD0/LLN0$GO$gcb1",
    st: 5,
    sq: 0,
    ttl: 2000,
    value: 1,
    simulation: false,
    s_bit: false,
    conf_rev: 3,
    data_set: "R7LD0/LLN0$Trip",
    entries: 3,
};

fn tlv(tag: u8, content: &[u8]) -> Vec<u8> {
    let [high, low] = (content.len() as u16).to_be_bytes();
    match content.len() {
        0..=127 => [&[tag, low], content].concat(),
        128..=255 => [&[tag, 0x81, low], content].concat(),
        _ => [&[tag, 0x82, high, low], content].concat(),
    }
}

impl Say {
    fn at(st: u32, sq: u32) -> Say {
        Say { st, sq, ..SAY }
    }

    fn data(&self) -> Vec<u8> {
        // Trip, its quality (good), and a structure of a current and a position.
        let group = tlv(0xa2, &[tlv(0x87, &[8, 0x42, 0x48, 0, 0]), tlv(0x84, &[6, 0x80])].concat());
        [tlv(0x83, &[self.value]), tlv(0x84, &[3, 0, 0]), group].concat()
    }

    fn bytes_with(&self, data: &[u8]) -> Vec<u8> {
        let t = [0x48, 0x7c, 0xc0, self.st as u8, 0x80, 0, 0, 0x0a];
        let pdu = [
            tlv(0x80, self.block.as_bytes()),
            tlv(0x81, &self.ttl.to_be_bytes()),
            tlv(0x82, self.data_set.as_bytes()),
            tlv(0x83, b"trip"),
            tlv(0x84, &t),
            tlv(0x85, &[&[0][..], &self.st.to_be_bytes()].concat()),
            tlv(0x86, &[&[0][..], &self.sq.to_be_bytes()].concat()),
            tlv(0x87, &[u8::from(self.simulation)]),
            tlv(0x88, &[self.conf_rev]),
            tlv(0x89, &[0]),
            tlv(0x8a, &[self.entries]),
            tlv(0xab, data),
        ];
        let pdu = tlv(0x61, &pdu.concat());
        let [a, b] = (pdu.len() as u16 + 8).to_be_bytes();
        [&[0x30, 0x01, a, b, if self.s_bit { 0x80 } else { 0 }, 0, 0, 0][..], &pdu].concat()
    }

    fn bytes(&self) -> Vec<u8> {
        self.bytes_with(&self.data())
    }
}

fn bench() -> Bench<Set> {
    Bench::new(Carrier::Link, 0x88b8)
}

fn field(row: &str, name: &str) -> String {
    let found = row.split(' ').find_map(|f| f.strip_prefix(&format!("{name}=")));
    found.unwrap_or_default().to_owned()
}

fn reasons(b: &Bench<Set>) -> Vec<String> {
    b.rows("anomaly").iter().map(|r| field(r, "reason")).collect()
}

/// Messages one millisecond apart: their states and the anomalies they raise.
fn check(says: &[Say], states: &[&str], anomalies: &[&str]) {
    let mut b = bench();
    says.iter().for_each(|s| {
        b.client(&s.bytes());
    });
    let got: Vec<_> = b.close().rows("goose").iter().map(|r| field(r, "state")).collect();
    assert_eq!(got, states);
    assert_eq!(reasons(&b), anomalies);
}

#[test]
fn a_message_is_read_whole() {
    let mut b = bench();
    b.client(&Say { simulation: true, ..SAY }.bytes()).client(&Say { sq: 1, ..SAY }.bytes());
    let rows = b.rows("goose");
    let expect = "2 > appid=12289 length=116 gocb_ref=R7LD0/LLN0$GO$gcb1 data_set=R7LD0/LLN0$Trip go_id=trip \
                  t=2008-07-15T15:19:33.500000Z t_quality=[synchronized] t_accuracy=10 st_num=5 sq_num=1 ttl_ms=2000 conf_rev=3 \
                  simulation=false header_simulation=false nds_com=false num_entries=3 values=[true,0000000000000,{50,10}] \
                  value_types=[boolean,bit_string,structure] state=retransmission copies=1";
    assert_eq!(rows[1], expect);
    assert_eq!(reasons(&b), ["simulation_set"]);
    let told: Vec<_> = b
        .facts()
        .iter()
        .filter_map(|f| match f.body {
            Body::Sample(s) => Some((s.point.table, s.point.unit, s.point.address, s.value, s.discrete, s.good)),
            Body::Role(r) => Some((r, 0, 0, 0.0, false, false)),
            _ => None,
        })
        .collect();
    let sample = |address, value, discrete, good| ("goose", 0x3001, address, value, discrete, good);
    let expect = [
        ("publisher", 0, 0, 0.0, false, false),
        sample(0, 1.0, true, false),
        sample(1, 0.0, true, false),
        sample(2, 50.0, false, false),
        sample(0, 1.0, true, true),
        sample(1, 0.0, true, true),
        sample(2, 50.0, false, true),
    ];
    assert_eq!(told, expect);
}

#[test]
fn a_sound_publisher_raises_nothing() {
    let says = [Say::at(5, 9), Say::at(5, 10), Say::at(6, 0), Say::at(6, 1), Say::at(7, 1)];
    check(&says, &["first", "retransmission", "change", "retransmission", "change"], &[]);
    let turn = u32::MAX;
    check(
        &[Say::at(5, turn), Say::at(5, 1), Say::at(turn, 0)],
        &["first", "retransmission", "stnum_jump"],
        &["stnum_jump"],
    );
    check(&[Say::at(turn, 0), Say::at(1, 0)], &["first", "change"], &[]);
}

#[test]
fn numbers_that_are_out_of_order() {
    let one = |then: Say, state: &str, anomalies: &[&str]| check(&[Say::at(5, 9), then], &["first", state], anomalies);
    one(Say::at(5, 1), "sqnum_backwards", &["sqnum_backwards"]);
    one(Say::at(5, 12), "sqnum_gap", &["sqnum_gap"]);
    one(Say::at(6, 2), "sqnum_gap", &["sqnum_gap"]);
    one(Say::at(4, 0), "stnum_backwards", &["stnum_backwards"]);
    one(Say::at(7, 0), "stnum_jump", &["stnum_jump"]);
    one(Say { value: 0, ..Say::at(5, 9) }, "content_changed", &["content_changed"]);
    one(Say { value: 0, ..Say::at(5, 10) }, "retransmission", &["values_without_stnum"]);
    one(Say { value: 0, ..Say::at(6, 0) }, "change", &[]);
    one(Say { conf_rev: 4, ..Say::at(5, 10) }, "retransmission", &["confrev_changed"]);
    one(Say { data_set: "other", ..Say::at(5, 10) }, "retransmission", &["dataset_changed"]);
    one(Say { simulation: true, ..Say::at(5, 10) }, "retransmission", &["simulation_set"]);
    one(Say { s_bit: true, ..Say::at(5, 10) }, "retransmission", &["simulation_set"]);
    one(Say { entries: 4, ..Say::at(5, 10) }, "retransmission", &["entry_count", "dataset_changed"]);
    one(Say { block: "other", ..Say::at(1, 0) }, "first", &[]);
}

#[test]
fn copies_are_no_error() {
    check(
        &[Say::at(5, 9), Say::at(5, 9), Say::at(5, 10), Say::at(5, 9)],
        &["first", "copy", "retransmission", "copy"],
        &[],
    );
    let mut b = bench();
    b.client(&Say::at(5, 9).bytes()).client(&Say::at(5, 9).bytes()).client(&Say::at(5, 9).bytes());
    let copies: Vec<_> = b.rows("goose").iter().map(|r| field(r, "copies")).collect();
    assert_eq!(copies, ["1", "2", "3"]);
    assert_eq!(b.facts().iter().filter(|f| matches!(f.body, Body::Sample(_))).count(), 3);
    // An earlier message 20 ms and more after its first is a replay.
    let late = |ns: i64| {
        let mut b = bench();
        b.client(&Say::at(5, 9).bytes()).client(&Say::at(5, 10).bytes()).wait(ns).client(&Say::at(5, 9).bytes());
        field(&b.rows("goose")[2], "state")
    };
    assert_eq!((late(18 * MILLI), late(19 * MILLI)), ("copy".into(), "sqnum_backwards".into()));
}

#[test]
fn the_time_to_live_runs_out_once() {
    let after = |ns: i64| {
        let mut b = bench();
        b.client(&SAY.bytes()).wait(ns);
        reasons(&b)
    };
    assert_eq!(after(2000 * MILLI), Vec::<String>::new());
    assert_eq!(after(2000 * MILLI + 1), ["ttl_expired"]);
    let mut b = bench();
    b.client(&SAY.bytes()).wait(3000 * MILLI).wait(9000 * MILLI).client(&Say::at(5, 0).bytes());
    assert_eq!(reasons(&b), ["ttl_expired", "sqnum_repeated"]);
    b.client(&Say::at(5, 1).bytes()).wait(3000 * MILLI);
    assert_eq!(reasons(&b), ["ttl_expired", "sqnum_repeated", "ttl_expired"]);
}

#[test]
fn the_summary_leaves_out_repeats() {
    let mut b = bench();
    b.detail = gwcore::Detail::Summary;
    (0..5).for_each(|sq| {
        b.client(&Say::at(5, sq).bytes());
    });
    assert_eq!(b.rows("goose").len(), 2);
    b.client(&Say { value: 0, ..Say::at(6, 0) }.bytes()).client(&Say::at(9, 0).bytes());
    assert_eq!(b.rows("goose").len(), 4);
    assert_eq!(b.facts().iter().filter(|f| matches!(f.body, Body::Sample(_))).count(), 21);
}

#[test]
fn control_blocks_are_bounded() {
    let states = |limit: usize| {
        let mut limits = Limits::default();
        limits.set(Limit::ControlBlocks, limit);
        let mut b = bench().limits(limits);
        for (block, sq) in [("a", 0), ("b", 0), ("a", 1)] {
            b.client(&Say { block, ..Say::at(5, sq) }.bytes());
        }
        field(&b.rows("goose")[2], "state")
    };
    assert_eq!((states(2), states(1)), ("retransmission".into(), "first".into()));
}

#[test]
fn what_is_wrong_is_said() {
    let check = |bytes: &[u8], reason: &str, rows: usize| {
        let mut b = bench();
        b.client(bytes);
        assert_eq!((reasons(&b), b.rows("goose").len()), (vec![reason.to_owned()], rows), "{bytes:02x?}");
    };
    let good = SAY.bytes();
    check(&good[..7], "header_truncated", 0);
    check(&[0x30, 1, 0, 7, 0, 0, 0, 0, 0x61, 0], "bad_length", 0);
    check(&[0x30, 1, 0, 10, 0, 0, 0, 0, 0x60, 0], "not_a_goose_pdu", 0);
    check(&[0x30, 1, 0, 10, 0, 0, 0, 0, 0x61, 0], "field_missing", 1);
    check(&good[..good.len() - 1], "truncated", 1);
    check(&[0x30, 1, 0, 12, 0, 0, 0, 0, 0x61, 0, 1, 1], "trailing_bytes", 1);
    check(&SAY.bytes_with(&[0x83, 1, 1, 0x83, 1, 1, 0x85, 9]), "malformed", 1);
    check(&SAY.bytes_with(&[0x83, 1, 1, 0x83, 1, 1, 0x85, 0]), "bad_value", 1);
    let deep = |n: usize| (0..n).fold(tlv(0x83, &[1]), |inner, _| tlv(0xa2, &inner));
    let one = Say { entries: 1, ..SAY };
    check(&one.bytes_with(&deep(33)), "bad_value", 1);
    let mut b = bench();
    b.client(&one.bytes_with(&deep(32)));
    assert_eq!(reasons(&b), Vec::<String>::new());
}

#[test]
fn padding_is_not_part_of_a_message() {
    let padded = [SAY.bytes(), vec![0xff; 20]].concat();
    assert_eq!(parse(&padded), parse(&SAY.bytes()));
}

#[test]
fn flipped_and_cut_messages_are_survived() {
    let good = SAY.bytes();
    for at in 0..good.len() {
        for bit in 0..8 {
            let mut broken = good.clone();
            broken[at] ^= 1 << bit;
            let mut b = bench().limits(Limits::scaled(100));
            b.client(&good).client(&broken).client(&good).close();
            assert_eq!(b.panics(), 0);
        }
        let mut b = bench();
        b.client(&good[..at]).close();
        let told = if at == 0 { 0 } else { 1 };
        assert_eq!((b.panics(), reasons(&b).len()), (0, told), "cut at {at}");
    }
}

#[test]
fn a_subscriber_is_told_of_each_message_but_not_of_its_copies() {
    let mut b = bench();
    let simulated = Say { simulation: true, conf_rev: 4, ..Say::at(5, 1) };
    b.client(&Say::at(5, 0).bytes()).client(&Say::at(5, 0).bytes()).client(&simulated.bytes());
    let told: Vec<_> = b
        .facts()
        .iter()
        .filter_map(|f| if let Body::Published(p) = &f.body { Some(p.clone()) } else { None })
        .collect();
    let numbers: Vec<_> = told.iter().map(|p| (p.state, p.sequence, p.revision, p.simulated)).collect();
    assert_eq!(numbers, [(5, 0, 3, false), (5, 1, 4, true)]);
    assert_eq!((&*told[0].stream, told[0].ttl), (SAY.block, 2_000 * MILLI));
    assert_eq!((told[0].values, told[0].data_set), (told[1].values, told[1].data_set));
}
