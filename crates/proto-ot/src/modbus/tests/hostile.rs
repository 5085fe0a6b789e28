//! Broken, cut and hostile bytes: no panic, bounded effort, never silence.

use gwcore::Limits;

use super::{adu, bench, hex, pdu, reasons, tail};

#[test]
fn a_length_past_all_use_hides_nothing_behind_it() {
    let endless = [&hex("0001 0000 ffff 01 03")[..], &pdu("05 00ac ff00")].concat();
    let mut b = bench();
    b.client(&pdu("07")).client(&endless).close();
    let rows = b.rows("modbus");
    assert_eq!(rows.len(), 3);
    assert!(rows.iter().any(|r| r.contains(" length=65535 unit_id=1 function_code=3 ")), "{rows:?}");
    assert!(rows.iter().any(|r| tail(r) == "address=172 values=[1]"), "{rows:?}");
    assert!(reasons(&b).contains(&"length_too_long".to_owned()));
}

#[test]
fn lengths_around_the_limits() {
    let run = |pdu: &[u8]| {
        let mut b = bench();
        b.client(&self::pdu("07")).client(&adu(2, 1, pdu)).close();
        (b.rows("modbus").len(), reasons(&b))
    };
    let long = |function: u8, n: usize| [vec![function], vec![0; n - 1]].concat();
    assert_eq!(run(&long(0x41, 253)), (2, vec![]), "the largest PDU of the specification");
    assert_eq!(run(&long(0x41, 254)), (2, vec!["length_too_long".to_owned()]));
    assert_eq!(run(&long(0x5a, 1_024)), (2, vec![]), "makers' transfers are longer");
    assert_eq!(run(&long(0x41, 1_499)), (2, vec!["length_too_long".to_owned()]));
}

#[test]
fn lengths_below_a_function_and_foreign_protocol_numbers_are_named() {
    let run = |bytes: &str| {
        let mut b = bench();
        b.client(&pdu("07")).client(&[&hex(bytes)[..], &pdu("07")].concat()).close();
        (b.rows("modbus").len(), reasons(&b))
    };
    assert_eq!(run("0001 0000 0001 01 00"), (2, vec!["length_too_short".to_owned()]));
    assert_eq!(run("0001 0007 0006 01 03 0000 0001"), (3, vec!["protocol_id_not_zero".to_owned()]));
    assert_eq!(run("0001 0007 0006 01 60 0000 0001"), (2, vec!["not_modbus".to_owned()]));
}

#[test]
fn byte_counts_that_contradict_the_length_still_give_a_row() {
    let mut b = bench();
    b.client(&pdu("04 0000 0002")).server(&pdu("04 03 0001 0002")).close();
    let rows = b.rows("modbus");
    assert_eq!(tail(&rows[1]), "address=0 quantity=2 data=00010002");
    assert_eq!(reasons(&b), ["byte_count_mismatch"]);
}

#[test]
fn every_truncation_and_every_bit_flip_is_survived() {
    let client =
        [pdu("03 006b 0003"), pdu("10 0001 0002 04 000a 0102"), pdu("14 07 06 0004 0001 0002"), pdu("2b 0e 01 00")];
    let server = [
        pdu("03 06 022b 0000 0064"),
        pdu("10 0001 0002"),
        pdu("14 06 05 06 0dfe 0020"),
        pdu("2b 0e 01 01 00 00 01 00 01 41"),
    ];
    let (client, server) = (client.concat(), server.concat());
    let run = |client: &[u8], server: &[u8], limits: Limits| {
        let mut b = bench().limits(limits);
        b.client(client).server(server).close();
        assert_eq!(b.panics(), 0);
        (b.rows("modbus").len(), reasons(&b).len())
    };
    assert_eq!(run(&client, &server, Limits::default()), (8, 0));
    for at in 0..server.len() {
        let (rows, _) = run(&client, &server[..at], Limits::default());
        assert!((4..8).contains(&rows), "cut at {at}: {rows}");
    }
    for bit in 0..server.len() * 8 {
        let mut flipped = server.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        let (rows, _) = run(&client, &flipped, Limits::scaled(100));
        assert!(rows >= 4, "bit {bit}: {rows}");
    }
}

#[test]
fn noise_is_survived_and_bounded() {
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut noise = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()[0]
    };
    let mut b = bench();
    b.client(&pdu("07"));
    for _ in 0..200 {
        let chunk: Vec<u8> = (0..300).map(|_| noise()).collect();
        b.client(&chunk).server(&chunk);
    }
    b.close();
    assert_eq!(b.panics(), 0);
    assert!(b.rows("anomaly").iter().all(|r| !r.contains("parser_stuck")));
    assert!(b.rows("modbus").len() < 200);
}
