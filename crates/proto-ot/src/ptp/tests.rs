//! Messages built from fields: what they say, offsets, repeats, and what broken ones do.

use gwcore::{Body, Limits};
use proto::Carrier;
use proto::testing::Bench;

use super::parse::HEADER;

proto::protocols! {
    /// PTP alone.
    pub enum Set { Ptp: crate::ptp::Ptp, }
}

/// The bench's first packet, in seconds; packets are a millisecond apart.
const START: u64 = 1_700_000_000;

fn message(kind: u8, sequence: u16, flags: u16, correction_ns: i64, body: &[u8]) -> Vec<u8> {
    let length = (HEADER + body.len()) as u16;
    let mut m = vec![kind, 0x02];
    m.extend(length.to_be_bytes());
    m.extend([7, 0]);
    m.extend(flags.to_be_bytes());
    m.extend((correction_ns << 16).to_be_bytes());
    m.extend([0; 4]);
    m.extend([0, 0x1d, 0x7f, 0xff, 0xfe, 0x80, 0x02, 0x17, 0, 1]);
    m.extend(sequence.to_be_bytes());
    m.extend([0, 0]);
    m.extend(body);
    m
}

fn time(seconds: u64, nanos: u32) -> Vec<u8> {
    [&seconds.to_be_bytes()[2..], &nanos.to_be_bytes()].concat()
}

fn announce(class: u8) -> Vec<u8> {
    let quality = [0, 37, 0, 100, class, 0x21, 0x4e, 0x5d, 101];
    let body = [&time(0, 0)[..], &quality, &[0, 0x1d, 0x7f, 0xff, 0xfe, 0, 0, 1], &[0, 2], &[0x20]].concat();
    message(0x0b, 9, 0x0008, 0, &body)
}

fn bench() -> Bench<Set> {
    Bench::new(Carrier::Link, 0x88f7)
}

fn field(row: &str, name: &str) -> String {
    let found = row.split(' ').find_map(|f| f.strip_prefix(&format!("{name}=")));
    found.unwrap_or_default().to_owned()
}

#[test]
fn an_announce_names_the_grandmaster() {
    let mut b = bench();
    b.client(&announce(6));
    let expect = "1 > message_type=announce version=2 domain=7 source_port_identity=001d7ffffe800217-1 sequence_id=9 flags=8 \
                  two_step=false correction_ns=0 grandmaster=001d7ffffe000001 priority1=100 priority2=101 clock_class=6 \
                  clock_accuracy=33 steps_removed=2 time_source=gnss utc_offset=37";
    assert_eq!(b.rows("ptp"), [expect]);
    assert!(b.facts().iter().any(|f| matches!(f.body, Body::Role("time_source"))));
}

#[test]
fn offsets_of_syncs() {
    let offset = |b: &Bench<Set>| b.rows("ptp").last().map(|r| field(r, "offset_s")).unwrap_or_default();
    // One step: the packet is a millisecond after START, the time carried half a second after it, corrected by 1,000 ns.
    let mut b = bench();
    b.client(&message(0, 1, 0, 1_000, &time(START, 501_000_000)));
    assert_eq!(offset(&b), "0.500001");
    // Two steps: the follow-up speaks of the sync's packet, two milliseconds after START.
    b.client(&message(0, 2, 0x0200, 0, &time(0, 0)));
    assert_eq!(offset(&b), "");
    b.client(&message(8, 2, 0, 0, &time(START, 0)));
    assert_eq!(offset(&b), "-0.002");
    b.client(&message(8, 2, 0, 0, &time(START, 0)));
    assert_eq!(offset(&b), "");
    // TAI is told by an announce.
    b.client(&announce(6)).client(&message(0, 3, 0, 0, &time(START + 37, 6_000_000)));
    assert_eq!(offset(&b), "0");
    let sample = |f: &gwcore::Fact| match f.body {
        Body::Sample(s) => Some((s.point.table, s.point.unit, s.point.address)),
        _ => None,
    };
    let told: Vec<_> = b.facts().iter().filter_map(sample).collect();
    assert_eq!(told, [("offset", 7, 0), ("offset", 7, 0), ("offset", 7, 1)]);
}

#[test]
fn every_message_type() {
    let port = [9, 9, 9, 9, 9, 9, 9, 9, 0, 2];
    let with_port = [time(START, 0), port.to_vec()].concat();
    let check = |kind: u8, body: &[u8], name: &str, target: &str| {
        let whole = message(kind, 1, 0, 0, body);
        let mut b = bench();
        b.client(&[&whole[..], &[0; 8]].concat());
        let row = &b.rows("ptp")[0];
        assert_eq!((field(row, "message_type"), field(row, "target_port_identity")), (name.into(), target.into()));
        assert_eq!(b.rows("anomaly").len(), 0);
        for cut in 1..whole.len() {
            let mut b = bench();
            b.client(&whole[..cut]);
            assert_eq!((b.panics(), b.rows("anomaly").len()), (0, 1), "{name} cut at {cut}");
            assert_eq!(b.rows("ptp").len(), usize::from(cut >= HEADER), "{name} cut at {cut}");
        }
        for bit in 0..whole.len() * 8 {
            let mut broken = whole.clone();
            broken[bit / 8] ^= 1 << (bit % 8);
            let mut b = bench().limits(Limits::scaled(100));
            b.client(&broken).close();
            assert_eq!(b.panics(), 0);
        }
    };
    check(0, &time(START, 0), "sync", "");
    check(1, &time(START, 0), "delay_req", "");
    check(2, &[time(START, 0), vec![0; 10]].concat(), "pdelay_req", "");
    check(3, &with_port, "pdelay_resp", "0909090909090909-2");
    check(8, &time(START, 0), "follow_up", "");
    check(9, &with_port, "delay_resp", "0909090909090909-2");
    check(10, &with_port, "pdelay_resp_follow_up", "0909090909090909-2");
    check(11, &announce(6)[HEADER..], "announce", "");
    check(12, &port, "signaling", "0909090909090909-2");
    check(13, &[&port[..], &[1, 1, 0, 0]].concat(), "management", "0909090909090909-2");
}

#[test]
fn what_is_no_message_is_said() {
    let check = |change: fn(&mut Vec<u8>), reason: &str| {
        let mut m = message(0, 1, 0, 0, &time(START, 0));
        change(&mut m);
        let mut b = bench();
        b.client(&m);
        assert_eq!(field(&b.rows("anomaly")[0], "reason"), reason);
        assert_eq!(b.rows("ptp").len(), 0);
    };
    check(|m| m[0] = 0x04, "unknown_message_type");
    check(|m| m[1] = 0x01, "unknown_version");
    check(|m| m[3] = 43, "bad_length");
    check(|m| m.truncate(33), "truncated");
}

#[test]
fn datagrams_need_the_port_and_the_form() {
    let check = |port: u16, bytes: &[u8], expect: &str| {
        let mut b = Bench::<Set>::new(Carrier::Datagram, port);
        b.client(bytes);
        assert_eq!(b.service(), expect);
    };
    let sync = message(0, 1, 0, 0, &time(START, 0));
    check(319, &sync, "ptp");
    check(320, &announce(6), "ptp");
    check(321, &sync, "");
    check(319, &sync[..43], "");
    check(319, &[0; 44], "");
}

#[test]
fn the_summary_keeps_announces_that_change() {
    let mut b = bench();
    b.detail = gwcore::Detail::Summary;
    for sequence in 0..5 {
        b.client(&message(0, sequence, 0, 0, &time(START, 0))).client(&announce(6));
    }
    assert_eq!(b.rows("ptp").len(), 4);
    b.client(&announce(7));
    assert_eq!(b.rows("ptp").len(), 5);
    let samples = b.facts().iter().filter(|f| matches!(f.body, Body::Sample(_))).count();
    assert_eq!(samples, 5);
}
