//! Tests of the S7comm messages alone; those of the stack stand with TPKT.

use gwcore::{Body, OpClass};
use proto::testing::Bench;
use proto::{Carrier, Dir, Hint, Parser, Probe};

use super::S7;
use super::message::{Message, Role};

fn check(bytes: &[u8], expect: Option<(Role, Option<u8>, Option<&'static str>)>) {
    let read = Message::parse(bytes).map(|m| (m.role, m.function, m.fault));
    assert_eq!(read, expect, "{bytes:02x?}");
}

#[test]
fn headers_are_read_and_lengths_checked() {
    check(&[0x32, 1, 0, 0, 0, 1, 0, 2, 0, 1, 4, 1, 9], Some((Role::Request, Some(4), None)));
    check(&[0x32, 1, 0, 0, 0, 1, 0, 2, 0, 2, 4, 1, 9], Some((Role::Request, Some(4), Some("length_mismatch"))));
    check(&[0x32, 2, 0, 0, 0, 1, 0, 0, 0, 0, 0x81, 4], Some((Role::Answer, None, None)));
    check(&[0x32, 1, 0, 0, 0, 1, 0, 2, 0, 0, 0xf0, 0], Some((Role::Request, Some(0xf0), Some("setup_cut"))));
    check(&[0x32, 7, 0, 0, 0, 1, 0, 6, 0, 0, 0, 1, 0x12, 4, 0x11, 0x44], Some((Role::Request, None, None)));
    check(&[0x32, 7, 0, 0, 0, 1, 0, 0, 0, 0], Some((Role::Notice, None, None)));
    check(&[0x32, 4, 0, 0, 0, 1, 0, 0, 0, 0], None);
    check(&[0x72, 1, 0, 0, 0, 1, 0, 0, 0, 0], None);
    check(&[0x32, 1, 0, 0, 0, 1, 0, 0, 0], None);
}

#[test]
fn a_message_is_certain_when_its_lengths_add_up() {
    let hint = Hint { carrier: Carrier::Child("cotp"), src_port: 1, dst_port: 102, from_start: true };
    let head = [0x32, 1, 0, 0, 0, 1, 0, 2, 0, 1, 4, 1, 9];
    assert_eq!(S7::probe(&head, &hint), Probe::Certain);
    assert_eq!(S7::probe(&head[..12], &hint), Probe::Maybe);
    assert_eq!(S7::probe(&head[..9], &hint), Probe::No);
}

/// The stack in which messages come.
mod stack {
    proto::protocols! {
        /// TPKT, COTP, S7comm.
        pub enum Set { Tpkt: crate::tpkt::Tpkt, Cotp: crate::cotp::Cotp, S7: crate::s7::S7, }
    }
}

fn bench() -> Bench<stack::Set> {
    Bench::new(Carrier::Stream, 102)
}

/// A message of a kind with parameters and data, in its packet.
fn packet(rosctr: u8, pdu_ref: u8, parameters: &[u8], data: &[u8]) -> Vec<u8> {
    let (p, d) = ((parameters.len() as u16).to_be_bytes(), (data.len() as u16).to_be_bytes());
    let error: &[u8] = if matches!(rosctr, 2 | 3) { &[0, 0] } else { &[] };
    let head = [0x32, rosctr, 0, 0, 0, pdu_ref, p[0], p[1], d[0], d[1]];
    let message = [&head, error, parameters, data].concat();
    let length = ((message.len() + 7) as u16).to_be_bytes();
    [&[3, 0, length[0], length[1], 2, 0xf0, 0x80], &message[..]].concat()
}

/// A job or answer about items: function, their number, their specifications.
fn about(function: u8, specs: &[[u8; 10]]) -> Vec<u8> {
    let specs: Vec<u8> = specs.iter().flat_map(|s| [&[0x12, 10], &s[..]].concat()).collect();
    [function, specs.len() as u8 / 12].into_iter().chain(specs).collect()
}

fn spec(size: u8, count: u16, db: u16, area: u8, address: u32) -> [u8; 10] {
    let ([c, d], [e, f], [_, a, b, g]) = (count.to_be_bytes(), db.to_be_bytes(), address.to_be_bytes());
    [0x10, size, c, d, e, f, area, a, b, g]
}

fn samples(bench: &Bench<stack::Set>) -> Vec<(String, f64, bool, bool)> {
    let sample = |f: &gwcore::Fact| match &f.body {
        Body::Sample(s) => Some((s.point.say(s.proto), s.value, s.discrete, s.write)),
        _ => None,
    };
    bench.facts().iter().filter_map(sample).collect()
}

fn ops(bench: &Bench<stack::Set>) -> Vec<(OpClass, Option<String>, Option<f64>, &'static str, bool)> {
    let op = |f: &gwcore::Fact| match &f.body {
        Body::Op(op) => Some((
            op.class,
            op.point.map(|p| p.say(op.proto)),
            op.value,
            op.action,
            op.is_answer && op.refused.is_some(),
        )),
        _ => None,
    };
    bench.facts().iter().filter_map(op).collect()
}

fn anomalies(bench: &Bench<stack::Set>) -> usize {
    bench.rows("anomaly").len()
}

#[test]
fn every_kind_of_variable_is_read() {
    let specs = [
        spec(1, 1, 1, 0x84, 0x10),
        spec(8, 1, 1, 0x84, 0x40),
        spec(6, 1, 1, 0x84, 0x20),
        spec(4, 2, 0, 0x81, 0),
        spec(5, 1, 0, 0x82, 0x18),
        spec(7, 1, 0, 0x83, 0x328),
        spec(2, 1, 0, 0x83, 8),
        spec(2, 3, 9, 0x84, 8),
        spec(0x1d, 1, 0, 0x1d, 7),
        spec(0x1c, 1, 0, 0x1c, 3),
        spec(1, 1, 1, 0x84, 0x11),
    ];
    let data: &[&[u8]] = &[
        &[0xff, 3, 0, 1, 1, 0],
        &[0xff, 7, 0, 4, 0xc0, 0x20, 0, 0],
        &[0xff, 4, 0, 0x20, 0xfe, 0xad, 0xbe, 0xef],
        &[0xff, 4, 0, 0x20, 0xba, 0xbe, 0, 5],
        &[0xff, 5, 0, 0x10, 0xff, 0xfe],
        &[0xff, 4, 0, 0x20, 0xff, 0xff, 0xff, 0xfd],
        &[0xff, 4, 0, 8, 0x21, 0],
        &[0xff, 4, 0, 0x18, b'a', b'b', b'c', 0],
        &[0xff, 9, 0, 2, 0x25, 0x99],
        &[0xff, 9, 0, 2, 0, 0x11],
        &[0x0a, 0, 0, 0],
    ];
    let mut b = bench();
    b.client(&packet(1, 1, &about(4, &specs), &[])).server(&packet(3, 1, &[4, 11], &data.concat())).close();
    let read: Vec<_> = samples(&b).into_iter().map(|(point, value, discrete, _)| (point, value, discrete)).collect();
    let expect = [
        ("DB1.DBX2.0", 1.0, true),
        ("DB1.DBD8", -2.5, false),
        ("DB1.DBD4", f64::from(0xfead_beef_u32), false),
        ("IW0", f64::from(0xbabe), false),
        ("IW2", 5.0, false),
        ("QW3", -2.0, false),
        ("MD101", -3.0, false),
        ("MB1", f64::from(0x21), false),
        ("T7", 599.0, false),
        ("C3", 11.0, false),
    ];
    assert_eq!(read, expect.map(|(point, value, discrete)| (point.to_owned(), value, discrete)));
    let rows = b.rows("s7comm_item");
    assert_eq!((rows.len(), anomalies(&b)), (22, 0));
    let nowhere = "place=10 syntax=16 name=DB1.DBX2.1 area=132 area_name=data_block db=1 address=17 size=bit count=1";
    assert!(rows[21].ends_with(&format!("{nowhere} return_code=10")), "{}", rows[21]);
    assert!(rows[18].ends_with("size=byte count=3 return_code=255 value_bytes=616263"), "{}", rows[18]);
    assert!(
        ops(&b).contains(&(OpClass::Read, Some("DB1.DBX2.0".into()), None, "", true)),
        "an item that does not exist"
    );
}

#[test]
fn a_write_of_a_bit_is_a_command_and_one_of_a_word_a_set_point() {
    let write = |spec, data: &[u8], code| {
        let mut b = bench();
        b.client(&packet(1, 1, &about(5, &[spec]), data)).server(&packet(3, 1, &[5, 1], &[code])).close();
        assert_eq!(anomalies(&b), 0);
        (ops(&b), samples(&b))
    };
    let (bit, values) = write(spec(1, 1, 0, 0x83, 9), &[0, 3, 0, 1, 1], 0xff);
    let point = Some("M1.1".to_owned());
    let on = |refused| (OpClass::Control, point.clone(), Some(1.0), "on", refused);
    assert_eq!((bit, values), (vec![on(false), on(false)], vec![("M1.1".to_owned(), 1.0, true, true)]));
    let (word, values) = write(spec(4, 1, 3, 0x84, 16), &[0, 4, 0, 16, 0, 7], 5);
    let set = |refused| (OpClass::SetPoint, Some("DB3.DBW2".to_owned()), Some(7.0), "", refused);
    assert_eq!((word, values), (vec![set(false), set(true)], vec![("DB3.DBW2".to_owned(), 7.0, false, true)]));
    assert_eq!(write(spec(2, 1, 0, 0x82, 0), &[0, 4, 0, 8, 7], 0xff).0[0].0, OpClass::Control, "an output byte");
}

#[test]
fn items_that_are_cut_are_told_and_the_others_kept() {
    let mut b = bench();
    let mut cut = about(4, &[spec(4, 1, 0, 0x83, 0), spec(4, 1, 0, 0x83, 16)]);
    cut.truncate(20);
    b.client(&packet(1, 1, &cut, &[])).server(&packet(3, 1, &[4, 2], &[0xff, 4, 0, 16, 0, 1, 0xff, 4])).close();
    assert_eq!((b.rows("s7comm_item").len(), anomalies(&b), samples(&b).len()), (2, 2, 1));
    let mut b = bench();
    let symbolic = [5, 2, 0x12, 3, 0xb2, 1, 2, 0, 0x12, 10, 0x10, 1, 0, 1, 0, 0, 0x83, 0, 0, 9];
    b.client(&packet(1, 1, &symbolic, &[0, 4, 0, 8, 1, 0, 0, 3, 0, 1, 1])).close();
    assert_eq!((samples(&b).len(), anomalies(&b)), (1, 0), "of another syntax the variable is only counted");
    assert!(b.rows("s7comm_item")[0].ends_with("place=0 syntax=178 value_bytes=01"));
}

#[test]
fn services_and_blocks_are_named() {
    let insert = [&[0x28, 0, 0, 0, 0, 0, 0, 0xfd, 0, 10, 1, 0][..], b"0A00001P\x05_INSE"].concat();
    let download = [&[0x1a, 0, 1, 0, 0, 0, 0, 0, 9][..], b"_0A00001P\x0d1000216000088"].concat();
    let stop = [&[0x29, 0, 0, 0, 0, 0, 9][..], b"P_PROGRAM"].concat();
    let start = [&[0x28, 0, 0, 0, 0, 0, 0, 0xfd, 0, 0, 9][..], b"P_PROGRAM"].concat();
    let mut b = bench();
    for (i, parameters) in (1..).zip([&insert, &download, &stop, &start]) {
        b.client(&packet(1, i, parameters, &[]));
    }
    b.client(&packet(7, 9, &[0, 1, 0x12, 4, 0x11, 0x47, 2, 0], &[])).close();
    let said: Vec<_> = ops(&b).iter().map(|o| (o.0, o.3)).collect();
    let expect = [
        (OpClass::Download, "activate block"),
        (OpClass::Download, ""),
        (OpClass::Mode, "stop"),
        (OpClass::Mode, "start"),
        (OpClass::TimeSet, ""),
    ];
    assert_eq!(said, expect);
    let rows = b.rows("s7comm");
    let has = |i: usize, text: &str| assert!(rows[i].contains(text), "{}", rows[i]);
    has(0, "service=_INSE argument=");
    has(0, "0A00001P");
    has(1, "argument=_0A00001P");
    has(2, "service=P_PROGRAM");
    has(4, "user_group=7 user_subfunction=2 user_name=set_clock");
}

#[test]
fn the_summary_leaves_out_repeated_reads_only() {
    let run = |full: bool, write: bool| {
        let mut b = bench();
        b.detail = if full { gwcore::Detail::Full } else { gwcore::Detail::Summary };
        for i in 1..=5 {
            let (function, data): (u8, &[u8]) = if write { (5, &[0, 4, 0, 8, 1]) } else { (4, &[]) };
            b.client(&packet(1, i, &about(function, &[spec(2, 1, 0, 0x83, 0)]), data));
            let answer: &[u8] = if write { &[0xff] } else { &[0xff, 4, 0, 8, 1] };
            b.server(&packet(3, i, &[function, 1], answer));
        }
        b.close();
        (b.rows("s7comm").len(), b.rows("s7comm_item").len())
    };
    assert_eq!([run(true, false), run(false, false), run(false, true)], [(10, 10), (4, 4), (10, 10)]);
}

#[test]
fn requests_that_wait_are_limited() {
    // What is written while 20 requests of some size wait, where eight may.
    let written = |size: u16| {
        let mut limits = gwcore::Limits::default();
        limits.set(gwcore::Limit::Pending, 8);
        let mut b = bench().limits(limits);
        let data = [&[0, 9][..], &size.to_be_bytes(), &vec![7; usize::from(size)]].concat();
        for i in 0..20 {
            b.client(&packet(1, i, &about(5, &[spec(2, size, 0, 0x84, 0)]), &data));
        }
        let early = b.rows("s7comm").len();
        b.gap(Dir::Orig, 9).close();
        assert_eq!(b.rows("s7comm").len(), 20);
        early
    };
    assert_eq!([written(100), written(2_500)], [12, 17], "eight requests, or as many bytes as eight usual ones");
}

/// A part of an answer to the reading of a list.
fn list_part(unit: u8, more: bool, bytes: &[u8]) -> Vec<u8> {
    let length = (bytes.len() as u16).to_be_bytes();
    let data = [&[0xff, 9, length[0], length[1]], bytes].concat();
    packet(7, 1, &[0, 1, 0x12, 8, 0x12, 0x84, 1, 2, unit, more.into(), 0, 0], &data)
}

fn identity(packets: &[Vec<u8>]) -> Vec<String> {
    let mut b = bench();
    b.client(&packet(7, 1, &[0, 1, 0x12, 4, 0x11, 0x44, 1, 0], &[0xff, 9, 0, 4, 0, 0x1c, 0, 0]));
    packets.iter().for_each(|p| {
        b.server(p);
    });
    let told = |f: &gwcore::Fact| match &f.body {
        Body::Identity { field, value, .. } => Some(format!("{field} {value}")),
        _ => None,
    };
    b.facts().iter().filter_map(told).collect()
}

#[test]
fn a_controller_says_who_it_is() {
    let padded = |text: &str, octets: usize, with: u8| {
        let mut bytes = text.as_bytes().to_vec();
        bytes.resize(octets, with);
        bytes
    };
    let order = padded("6ES7 151-8AB01-0AB0", 20, b' ');
    let none = vec![b' '; 20];
    let modules = [
        &[0, 0x11, 0, 0, 0, 28, 0, 3, 0, 1][..],
        &order,
        &[0, 0xc0, 0, 3, 0, 1],
        &[0, 6],
        &order,
        &[0, 0xc0, 0, 3, 0, 1],
        &[0, 7],
        &none,
        &[0, 0xc0, b'V', 3, 2, 6],
    ]
    .concat();
    assert_eq!(identity(&[list_part(0, false, &modules)]), ["model 6ES7 151-8AB01-0AB0", "firmware V3.2.6"]);
    let record = |index: u8, text: &str| [&[0, index][..], &padded(text, 32, 0)].concat();
    let records = [record(1, "Pump house"), record(3, ""), record(5, "S C-X0000000001"), record(9, "\0*")].concat();
    let components = [&[0, 0x1c, 0, 0, 0, 34, 0, 4][..], &records].concat();
    let said = ["station Pump house", "serial S C-X0000000001"];
    assert_eq!(identity(&[list_part(0, false, &components)]), said);
    // In parts, and what is no part of it between.
    let (a, b) = components.split_at(70);
    assert_eq!(identity(&[list_part(6, true, a), list_part(6, false, b)]), said);
    assert_eq!(identity(&[list_part(6, true, a), list_part(7, false, b)]), [""; 0]);
    // Cut, refused, of another list, and longer than any.
    assert_eq!(identity(&[list_part(0, false, a)]), ["station Pump house"]);
    assert_eq!(identity(&[packet(7, 1, &[0, 1, 0x12, 8, 0x12, 0x84, 1, 2, 0, 0, 0, 0], &[10, 0, 0, 0])]), [""; 0]);
    assert_eq!(identity(&[list_part(0, false, &[0, 0x24, 0, 0, 0, 2, 0, 1, 0, 1])]), [""; 0]);
    assert_eq!(identity(&[list_part(0, false, &[0, 0x1c, 0, 0, 0, 0, 0, 1, 0, 1])]), [""; 0]);
    let many: Vec<_> = (0..100).map(|_| list_part(6, true, &components)).collect();
    assert_eq!(identity(&many), [""; 0]);
}
