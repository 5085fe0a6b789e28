//! Tests of the stack TPKT, COTP, S7comm with bytes put together by hand.

use gwcore::{Body, Limit, Limits};
use proto::testing::Bench;
use proto::{Carrier, Dir};

proto::protocols! {
    /// The stack.
    pub enum Set { Tpkt: super::Tpkt, Cotp: crate::cotp::Cotp, S7: crate::s7::S7, }
}

fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text.bytes().filter(|b| !b.is_ascii_whitespace()).collect();
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
    digits.chunks(2).map(byte).collect()
}

fn tpkt(tpdu: &str) -> Vec<u8> {
    let tpdu = hex(tpdu);
    let length = u16::try_from(tpdu.len() + 4).unwrap().to_be_bytes();
    [&[3, 0, length[0], length[1]][..], &tpdu].concat()
}

fn data(message: &str) -> Vec<u8> {
    tpkt(&format!("02 f0 80 {message}"))
}

const CONNECT: &str = "11 e0 0000 0001 00 c0 01 0a c1 02 0100 c2 02 0102";
const CONFIRM: &str = "11 d0 0001 0007 00 c0 01 0a c1 02 0100 c2 02 0102";
const SETUP: &str = "32 01 0000 0100 0008 0000 f0 00 0001 0002 01e0";
const SETUP_DONE: &str = "32 03 0000 0100 0008 0000 00 00 f0 00 0001 0001 00f0";
const WRITE: &str = "32 01 0000 0200 000e 0005 05 01 120a1002 0001 0000 83 000328 00 04 0008 21";
/// What follows its first six octets.
const REST: &str = "000e 0005 05 01 120a1002 0001 0000 83 000328 00 04 0008 21";
const WRITE_REFUSED: &str = "32 03 0000 0200 0002 0001 81 04 05 01 0a";

fn on(port: u16) -> Bench<Set> {
    Bench::new(Carrier::Stream, port)
}

fn reasons(bench: &Bench<Set>) -> Vec<String> {
    let reason = |row: &String| row.split_once("reason=").unwrap().1.split(' ').next().unwrap().to_owned();
    bench.rows("anomaly").iter().map(reason).collect()
}

#[test]
fn a_connection_and_its_set_up() {
    let mut b = on(102);
    b.client(&tpkt(CONNECT)).server(&tpkt(CONFIRM)).client(&data(SETUP)).server(&data(SETUP_DONE)).close();
    assert_eq!(
        b.rows("cotp"),
        [
            "1 > pdu_code=14 pdu_name=connection_request dst_ref=0 src_ref=1 calling_tsap=0100 called_tsap=0102 tpdu_size=1024",
            "2 < pdu_code=13 pdu_name=connection_confirm dst_ref=1 src_ref=7 calling_tsap=0100 called_tsap=0102 tpdu_size=1024",
        ]
    );
    let setup = "rosctr=1 pdu_ref=256 function_code=240 function_name=setup_communication";
    let done = "rosctr=3 pdu_ref=256 function_code=240 function_name=setup_communication error_class=0 error_code=0";
    assert_eq!(
        b.rows("s7comm"),
        [
            format!("3 > is_request=true {setup} max_amq_calling=1 max_amq_called=2 pdu_size=480 pair=4"),
            format!(
                "4 < is_request=false {done} max_amq_calling=1 max_amq_called=1 pdu_size=240 pair=3 response_time=1000000ns"
            ),
        ]
    );
    assert_eq!((b.service(), reasons(&b).len()), ("s7comm", 0));
}

#[test]
fn a_flow_picked_up_at_a_data_tpdu() {
    let mut b = on(2_000);
    b.client(&data(WRITE)).server(&data(WRITE_REFUSED)).close();
    let rows = b.rows("s7comm");
    assert!(rows[0].contains(" function_name=write_var item_count=1 pair=2"), "{rows:?}");
    assert!(rows[1].contains(" error_class=129 error_code=4 item_count=1 pair=1 "), "{rows:?}");
    let refused =
        |f: &gwcore::Fact| matches!(&f.body, Body::Op(op) if op.refused == Some((0x8104, "error")) && op.is_answer);
    assert!(b.facts().iter().any(refused));
}

#[test]
fn user_data_says_itself_whether_it_asks() {
    let mut b = on(102);
    let (ask, tell) =
        ("32 07 0000 0300 0008 0000 000112 04 11 44 01 00", "32 07 0000 0300 0008 0000 000112 04 12 84 01 00");
    b.client(&data(ask)).server(&data(tell)).server(&data("32 07 0000 0000 0008 0000 000112 04 12 04 01 00")).close();
    let flags: Vec<_> =
        b.rows("s7comm").iter().map(|r| (r.contains("is_request=true"), r.contains(" pair="))).collect();
    assert_eq!(flags, [(true, true), (false, true), (false, false)]);
}

#[test]
fn segments_are_put_together() {
    let mut b = on(102);
    b.client(&tpkt(CONNECT)).client(&tpkt("02 f0 00 32 01 0000 0200")).client(&data(REST)).close();
    assert_eq!(b.rows("s7comm").len(), 1);
    assert!(b.rows("s7comm")[0].starts_with("3 >"));
}

#[test]
fn a_message_that_lost_a_part_is_dropped() {
    let mut b = on(102);
    b.client(&data(SETUP)).client(&tpkt("02 f0 00 32 01 0000 0200")).gap(Dir::Orig, 9);
    b.client(&data(REST)).client(&data(WRITE)).close();
    assert_eq!((b.rows("s7comm").len(), reasons(&b).len()), (2, 0));
}

#[test]
fn a_message_under_reassembly_is_limited() {
    let run = |room: usize| {
        let mut limits = Limits::default();
        limits.set(Limit::ParserBytes, room);
        let mut b = on(102).limits(limits);
        b.client(&data(SETUP)).client(&tpkt("02 f0 00 32 01 0000 0200")).client(&data(REST)).close();
        (b.rows("s7comm").len(), reasons(&b))
    };
    assert_eq!(run(29), (2, vec![]));
    assert_eq!(run(28), (1, vec!["message_too_long".to_owned()]));
}

#[test]
fn a_stream_split_anywhere_gives_the_same_rows() {
    let client = [tpkt(CONNECT), data(SETUP), data(WRITE)].concat();
    let run = |at: usize| {
        let mut b = on(102);
        b.client(&client[..at]).client(&client[at..]).server(&data(SETUP_DONE)).close();
        assert_eq!(reasons(&b), [""; 0], "at {at}");
        (b.rows("cotp").len(), b.rows("s7comm").len())
    };
    (1..client.len()).for_each(|at| assert_eq!(run(at), (1, 3), "at {at}"));
}

#[test]
fn after_garbage_the_next_packet_is_found() {
    let mut b = on(102);
    b.client(&data(SETUP)).client(&[b"garbage".to_vec(), data(WRITE)].concat()).close();
    assert_eq!((b.rows("s7comm").len(), reasons(&b)), (2, vec!["tpkt_header".to_owned()]));
}

#[test]
fn remote_desktop_is_not_an_industrial_protocol() {
    let cookie = "2a e0 0000 0000 00 436f6f6b69653a206d737473686173683d61646d696e0d0a 01 00 0800 00000000";
    let cookie = cookie.replacen("2a", "24", 1);
    for (port, request, confirm) in [
        (3_389, cookie.as_str(), "0e d0 0000 1234 00 02 00 0800 01000000"),
        (4_000, "0e e0 0000 0000 00 01 00 0800 03000000", "0e d0 0000 1234 00 02 00 0800 01000000"),
        (3_389, "06 e0 0000 0000 00", "06 d0 0000 1234 00"),
    ] {
        let mut b = on(port);
        b.client(&tpkt(request))
            .server(&tpkt(confirm))
            .client(&data("7f65 8201"))
            .client(&hex("160301 0085 01"))
            .close();
        assert_eq!((b.service(), reasons(&b).len()), ("tpkt", 0), "{request}");
        assert_eq!((b.rows("cotp").len(), b.rows("s7comm").len()), (0, 0), "{request}");
    }
}

#[test]
fn other_protocols_over_cotp_are_left_to_others() {
    let mut b = on(102);
    b.client(&tpkt(CONNECT)).client(&data("0d 20 05 06 13")).client(&data("72 03 0000")).close();
    assert_eq!((b.service(), b.rows("s7comm").len(), b.rows("cotp").len()), ("cotp", 0, 1));
}

#[test]
fn only_transport_is_taken_for_tpkt() {
    use proto::{Hint, Parser, Probe};
    let probe = |head: &[u8], port: u16| {
        let hint = Hint { carrier: Carrier::Stream, src_port: 40_000, dst_port: port, from_start: true };
        super::Tpkt::probe(head, &hint)
    };
    assert_eq!(probe(&tpkt(CONNECT), 4_000), Probe::Certain);
    assert_eq!(probe(&data(SETUP)[..8], 4_000), Probe::Certain);
    assert_eq!(probe(&data(SETUP)[..6], 4_000), Probe::Unsure);
    assert_eq!(probe(&tpkt("06 80 0001 0002 00"), 102), Probe::Certain);
    assert_eq!(probe(&tpkt("06 80 0001 0002 00"), 4_000), Probe::No);
    assert_eq!(probe(&tpkt("08 02 0001 05 04 03 88"), 1_720), Probe::No, "call signalling of H.323");
    assert_eq!(probe(&tpkt("02 70 01 06 00 08"), 102), Probe::No, "control of H.323");
    assert_eq!(probe(&hex("03 00 0006 02 f0 80"), 102), Probe::No, "shorter than its header says a packet can be");
    assert_eq!(probe(&hex("03 01 0007 02 f0 80"), 102), Probe::No);
}

#[test]
fn every_truncation_and_every_bit_flip_is_survived() {
    let client = [tpkt(CONNECT), data(SETUP), data(WRITE)].concat();
    for bit in 0..client.len() * 8 {
        let mut flipped = client.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        let (mut b, mut cut) = (on(102), on(102));
        b.client(&data(SETUP)).client(&flipped).server(&flipped).close();
        cut.client(&data(SETUP)).client(&client[..bit / 8]).close();
        assert_eq!((b.panics(), cut.panics()), (0, 0), "bit {bit}");
        assert!(!b.rows("s7comm").is_empty(), "bit {bit}");
    }
}
