//! How PDUs of a flow belong together: pairs, pipelining, time-outs, splits, gaps, who serves, what the summary leaves out.

use gwcore::{Limit, Limits};
use proto::testing::Bench;
use proto::{Carrier, Dir};

use super::{Set, adu, bench, hex, pdu, reasons, tail, timeless};

/// Frame, direction and pair of each row.
fn pairs(bench: &Bench<Set>) -> Vec<String> {
    let short = |row: &String| {
        let pair = row.split_once(" pair=").map_or("-", |s| s.1.split(' ').next().unwrap());
        format!("{} {pair}", row.split(" is_request").next().unwrap())
    };
    bench.rows("modbus").iter().map(short).collect()
}

fn read(transaction: u16, address: u8, quantity: u8) -> Vec<u8> {
    adu(transaction, 1, &[3, 0, address, 0, quantity])
}

fn registers(transaction: u16, values: &[u8]) -> Vec<u8> {
    let mut pdu = vec![3, u8::try_from(values.len() * 2).unwrap()];
    pdu.extend(values.iter().flat_map(|v| [0, *v]));
    adu(transaction, 1, &pdu)
}

#[test]
fn pipelined_requests_find_their_answers_in_any_order() {
    let mut b = bench();
    b.client(&[read(1, 0, 1), read(2, 9, 2)].concat())
        .server(&registers(2, &[7, 8]))
        .server(&registers(1, &[5]))
        .close();
    assert_eq!(pairs(&b), ["1 > 2", "2 < 1", "1 > 3", "3 < 1"]);
    assert_eq!(tail(&b.rows("modbus")[1]), "address=9 quantity=2 values=[7,8]");
}

#[test]
fn one_transaction_number_for_all_is_sorted_out_by_shape() {
    let mut b = bench();
    b.client(&read(0, 0, 1)).client(&read(0, 9, 2)).server(&registers(0, &[7, 8])).server(&registers(0, &[5])).close();
    assert_eq!(pairs(&b), ["2 > 3", "3 < 2", "1 > 4", "4 < 1"]);
    assert_eq!(reasons(&b), [""; 0]);
}

#[test]
fn a_number_used_again_after_a_second_gives_the_old_request_up() {
    let mut b = bench();
    b.client(&read(0, 0, 1)).wait(1_000_000_000);
    b.client(&read(0, 4, 1)).server(&registers(0, &[5])).close();
    assert_eq!(pairs(&b), ["1 > -", "2 > 3", "3 < 2"]);
}

#[test]
fn unit_and_function_must_agree() {
    let mut b = bench();
    b.client(&read(1, 0, 1)).server(&adu(1, 2, &hex("03 02 0005"))).server(&adu(1, 1, &hex("04 02 0005"))).close();
    assert_eq!(pairs(&b), ["1 > 2", "2 < 1", "3 < -"], "the only open request of this number was meant");
    assert_eq!(tail(&b.rows("modbus")[2]), "values=[5]", "without its request an answer has no address");
    assert_eq!(reasons(&b), ["unit_not_echoed", "answer_without_request"]);
    let mut b = bench();
    b.client(&read(1, 0, 1)).server(&adu(1, 2, &hex("04 02 0005"))).close();
    assert_eq!(pairs(&b), ["2 < -", "1 > -"], "another function");
    let mut b = bench();
    b.client(&read(1, 0, 1)).client(&adu(1, 3, &hex("03 0004 0001"))).server(&adu(1, 2, &hex("03 02 0005"))).close();
    assert_eq!(pairs(&b), ["3 < -", "1 > -", "2 > -"], "which of two was meant is not known");
}

#[test]
fn an_answer_that_does_not_fit_is_named() {
    let mut b = bench();
    b.client(&read(1, 0, 2)).server(&registers(1, &[5])).close();
    assert_eq!(reasons(&b), ["answer_mismatch"]);
    assert_eq!(pairs(&b), ["1 > 2", "2 < 1"]);
}

#[test]
fn requests_wait_thirty_seconds() {
    let mut b = bench();
    b.client(&read(1, 0, 1)).wait(29_998_000_000);
    assert_eq!(pairs(&b), [""; 0]);
    b.wait(3_000_000);
    assert_eq!(pairs(&b), ["1 > -"]);
    b.server(&registers(1, &[5])).close();
    assert_eq!(pairs(&b), ["1 > -", "3 < -"]);
}

#[test]
fn waiting_requests_are_limited() {
    let run = |n: u16| {
        let mut b = bench().limits(Limits::scaled(100));
        for i in 0..n {
            b.client(&read(i, 0, 1));
        }
        pairs(&b).len()
    };
    let limit = u16::try_from(Limits::scaled(100).get(Limit::Pending)).unwrap();
    assert_eq!((limit, run(limit), run(limit + 1)), (10, 0, 1));
}

fn conversation() -> (Vec<u8>, Vec<u8>) {
    let client = [read(1, 0, 1), pdu("10 0001 0002 04 000a 0102"), read(3, 8, 2), pdu("2b 0e 01 00")].concat();
    let server = [registers(1, &[5]), pdu("10 0001 0002"), registers(3, &[1, 2]), pdu("2b 0e 01 01 00 00 01 00 01 41")];
    (client, server.concat())
}

#[test]
fn a_stream_split_anywhere_gives_the_same_rows() {
    let (client, server) = conversation();
    let run = |at: usize, split_server: bool| {
        let mut b = bench();
        let (c, s) = if split_server { (client.len(), at) } else { (at, server.len()) };
        b.client(&client[..c]).client(&client[c..]).server(&server[..s]).server(&server[s..]).close();
        assert_eq!(reasons(&b), [""; 0]);
        b.rows("modbus").iter().map(|r| timeless(r)).collect::<Vec<_>>()
    };
    let whole = run(client.len(), false);
    assert_eq!(whole.len(), 8);
    (1..client.len()).for_each(|at| assert_eq!(run(at, false), whole, "client at {at}"));
    (1..server.len()).for_each(|at| assert_eq!(run(at, true), whole, "server at {at}"));
}

#[test]
fn byte_by_byte_gives_the_same_rows() {
    let (client, server) = conversation();
    let mut b = bench();
    for byte in client {
        b.client(&[byte]);
    }
    for byte in server {
        b.server(&[byte]);
    }
    assert_eq!((b.close().rows("modbus").len(), reasons(&b).len()), (8, 0));
}

#[test]
fn after_a_gap_the_next_pdu_is_found() {
    let mut b = bench();
    b.client(&read(1, 0, 1)).server(&registers(1, &[5])[..8]).gap(Dir::Resp, 3);
    let rest = [&hex("00ff 0003 00")[..], &registers(2, &[6])].concat();
    b.client(&read(2, 0, 1)).server(&rest).client(&read(3, 0, 1)).server(&registers(3, &[7])).close();
    assert_eq!(pairs(&b), ["4 > 5", "5 < 4", "6 > 7", "7 < 6", "1 > -"]);
}

#[test]
fn garbage_between_pdus_is_one_anomaly() {
    let mut b = bench();
    b.client(&read(1, 0, 1));
    b.client(&[&hex("ffff ffff ffff ffff")[..], &read(2, 0, 1)].concat()).close();
    assert_eq!((pairs(&b).len(), reasons(&b)), (2, vec!["not_modbus".to_owned()]));
}

/// Picked up at a packet of the server: it is the originator of the flow.
fn served_by_originator(b: &Bench<Set>) -> bool {
    b.facts().iter().any(|f| matches!(f.body, gwcore::Body::Service { server_is_responder: false, .. }))
}

#[test]
fn a_flow_picked_up_in_its_middle_is_turned_by_port_or_content() {
    let run = |ports: (u16, u16)| {
        let mut b = bench().ports(ports.0, ports.1);
        b.client(&registers(1, &[5, 6, 7])).server(&read(2, 0, 1)).client(&registers(2, &[9])).close();
        assert_eq!(pairs(&b), ["1 > -", "2 < 3", "3 > 2"], "{ports:?}");
        assert!(b.rows("modbus")[1].contains("is_request=true"), "{ports:?}");
        served_by_originator(&b)
    };
    assert!(run((502, 40_000)));
    assert!(run((4_000, 40_000)));
    let mut b = bench();
    b.client(&read(1, 0, 1)).server(&registers(1, &[5])).close();
    assert!(!served_by_originator(&b));
}

#[test]
fn udp_is_read_whole_datagrams_at_a_time() {
    let mut b: Bench<Set> = Bench::new(Carrier::Datagram, 502);
    b.client(&read(1, 0, 1)).server(&registers(1, &[5])).close();
    assert_eq!(pairs(&b), ["1 > 2", "2 < 1"]);
    assert!(b.rows("modbus")[0].contains(" variant=udp "));
    let mut cut: Bench<Set> = Bench::new(Carrier::Datagram, 502);
    cut.client(&read(1, 0, 1)).server(&registers(1, &[5])[..10]).close();
    assert_eq!(pairs(&cut).len(), 2);
    assert_eq!(reasons(&cut), ["length_beyond_datagram", "byte_count_mismatch"]);
}

#[test]
fn the_summary_leaves_out_repeated_reads_only() {
    let run = |full: bool, request: &str, answers: [&str; 4]| {
        let mut b = bench();
        b.detail = if full { gwcore::Detail::Full } else { gwcore::Detail::Summary };
        for answer in answers {
            b.client(&pdu(request)).server(&pdu(answer));
        }
        b.close().rows("modbus").len()
    };
    assert_eq!(run(true, "03 0000 0001", ["03 02 0001"; 4]), 8);
    assert_eq!(run(false, "03 0000 0001", ["03 02 0001"; 4]), 4);
    assert_eq!(run(false, "03 0000 0001", ["03 02 0001", "83 02", "03 02 0001", "03 02 0001"]), 6);
    assert_eq!(run(false, "06 0000 0001", ["06 0000 0001"; 4]), 8);
}

#[test]
fn an_answer_that_nobody_asked_for_is_told_once_requests_were_seen() {
    let mut b = bench();
    b.server(&registers(9, &[1])).close();
    assert_eq!(reasons(&b), Vec::<String>::new(), "one side only");
    let mut b = bench();
    b.client(&read(1, 0, 1)).server(&registers(1, &[5])).server(&registers(2, &[6])).close();
    assert_eq!(reasons(&b), ["answer_without_request"]);
    let mut b = bench();
    b.client(&read(1, 0, 1)).server(&registers(7, &[5])).close();
    assert_eq!(reasons(&b), ["transaction_not_echoed"], "another number, and one request alone waits");
    assert_eq!(pairs(&b), ["1 > 2", "2 < 1"]);
    let mut b = bench();
    b.client(&read(1, 0, 1)).client(&read(2, 4, 1)).server(&registers(7, &[5])).close();
    assert_eq!(reasons(&b), Vec::<String>::new(), "another number, but somebody waits");
    assert_eq!(pairs(&b), ["3 < -", "1 > -", "2 > -"]);
}
