//! RTU frames carried through TCP, and what is taken for Modbus at all.

use proto::testing::Bench;
use proto::{Carrier, Hint, Parser, Probe};

use super::super::frame::crc16;
use super::{Set, adu, bench, hex, pdu, reasons, tail, timeless};

/// A PDU of unit 17 as an RTU frame.
fn rtu(text: &str) -> Vec<u8> {
    let mut frame = [&[17][..], &hex(text)].concat();
    frame.extend(crc16(&frame).to_le_bytes());
    frame
}

fn on(port: u16) -> Bench<Set> {
    Bench::new(Carrier::Stream, port)
}

#[test]
fn the_crc_is_that_of_the_guide() {
    // Serial Line Guide V1.02 §6.2.2: the frame 02 07 ends with 41 12.
    assert_eq!(crc16(&[2, 7]).to_le_bytes(), [0x41, 0x12]);
    assert_eq!(crc16(&hex("11 03 006b 0003")).to_le_bytes(), [0x76, 0x87]);
}

#[test]
fn every_function_is_framed_by_its_own_shape() {
    let exchanges = [
        ("01 0013 0013", "01 03 cd6b05"),
        ("03 006b 0003", "03 06 022b 0000 0064"),
        ("05 00ac ff00", "05 00ac ff00"),
        ("07", "07 6d"),
        ("08 0000 a537", "08 0000 a537"),
        ("0b", "0b ffff 0108"),
        ("0c", "0c 08 0000 0108 0121 2000"),
        ("0f 0013 000a 02 cd01", "0f 0013 000a"),
        ("10 0001 0002 04 000a 0102", "10 0001 0002"),
        ("11", "11 03 09ff41"),
        ("14 07 06 0004 0001 0002", "14 06 05 06 0dfe 0020"),
        ("15 09 06 0004 0007 0001 06af", "15 09 06 0004 0007 0001 06af"),
        ("16 0004 00f2 0025", "16 0004 00f2 0025"),
        ("17 0003 0001 000e 0001 02 00ff", "17 02 00fe"),
        ("18 04de", "18 0006 0002 01b8 1284"),
        ("2b 0e 01 00", "2b 0e 01 01 00 00 01 00 01 41"),
        ("03 006b 0003", "83 02"),
    ];
    for (request, answer) in exchanges {
        let (mut serial, mut mbap) = (on(502), bench());
        let (requests, answers) = ([rtu(request), rtu(request)].concat(), [rtu(answer), rtu(answer)].concat());
        serial.client(&requests).server(&answers).close();
        mbap.client(&pdu(request)).client(&pdu(request)).server(&pdu(answer)).server(&pdu(answer)).close();
        let tails = |b: &Bench<Set>| b.rows("modbus").iter().map(|r| tail(r).to_owned()).collect::<Vec<_>>();
        assert_eq!(tails(&serial), tails(&mbap), "{request}");
        assert!(serial.rows("modbus").iter().all(|r| r.contains(" variant=rtu unit_id=17 ")), "{request}");
    }
}

#[test]
fn on_another_port_both_directions_must_agree() {
    let mut b = on(4001);
    b.client(&rtu("03 006b 0001"));
    assert_eq!((b.service(), b.rows("modbus").len()), ("", 0));
    b.server(&rtu("03 02 022b")).close();
    assert_eq!((b.service(), b.rows("modbus").len()), ("modbus", 2));
}

#[test]
fn a_split_serial_stream_gives_the_same_rows() {
    let client = [rtu("03 006b 0001"), rtu("10 0001 0001 02 000a"), rtu("04 0008 0001")].concat();
    let run = |at: usize| {
        let mut b = on(502);
        b.client(&client[..at]).client(&client[at..]).server(&rtu("03 02 022b")).close();
        assert_eq!(reasons(&b), [""; 0], "at {at}");
        b.rows("modbus").iter().map(|r| timeless(r)).collect::<Vec<_>>()
    };
    let whole = run(client.len());
    assert_eq!(whole.len(), 4);
    (1..client.len()).for_each(|at| assert_eq!(run(at), whole, "at {at}"));
}

#[test]
fn a_frame_with_a_wrong_crc_is_named_and_the_next_one_found() {
    let mut broken = rtu("03 006b 0001");
    broken[3] ^= 1;
    let mut b = on(502);
    b.client(&rtu("03 0000 0001")).client(&[broken, rtu("04 0008 0001")].concat()).close();
    assert_eq!((b.rows("modbus").len(), reasons(&b)), (2, vec!["crc_wrong".to_owned()]));
}

fn probe(head: &[u8], port: u16) -> Probe {
    let hint = Hint { carrier: Carrier::Stream, src_port: 40_000, dst_port: port, from_start: true };
    super::super::Modbus::probe(head, &hint)
}

#[test]
fn foreign_traffic_on_the_port_is_left_alone() {
    let foreign = [
        &b"GET / HTTP/1.0\r\n\r\n"[..],
        b"\x16\x03\x01\x00\x85\x01\x00\x00\x81\x03\x03",
        b"\x05\x00\x0b\x03\x10\x00\x00\x00\x48\x00\x00\x00",
        b"\x80\x00\x00\x28\x28\x7e\x86\xab\x00\x00\x00\x00\x00\x00\x00\x02",
        b"\x03\x00\x00\x16\x11\xe0\x00\x00\x00\x01\x00",
        b"SSH-2.0-OpenSSH_9.6\r\n",
        &[0; 64],
        &[0xff; 64],
    ];
    for head in foreign {
        assert_eq!(probe(head, 502), Probe::No, "{head:?}");
    }
}

#[test]
fn certainty_grows_with_what_agrees() {
    assert_eq!(probe(&pdu("03 006b 0003"), 502), Probe::Certain);
    assert_eq!(probe(&pdu("03 006b 0003"), 5_020), Probe::Certain, "quantity and lengths agree");
    assert_eq!(probe(&pdu("06 006b 0003"), 5_020), Probe::Maybe, "nothing in it can disagree");
    assert_eq!(probe(&pdu("07"), 502), Probe::Certain);
    assert_eq!(probe(&pdu("60 aa"), 502), Probe::Certain, "the length ends where the bytes do");
    assert_eq!(probe(&pdu("60 aa"), 5_020), Probe::No);
    assert_eq!(probe(&pdu("03 006b 0003")[..9], 502), Probe::Unsure);
    assert_eq!(probe(&[pdu("06 006b 0003"), pdu("06 006b 0003")].concat(), 5_020), Probe::Certain);
    assert_eq!(probe(&[pdu("03 006b 0003"), b"GET / HTTP".to_vec()].concat(), 5_020), Probe::No);
    assert_eq!(probe(&adu(1, 255, &hex("5a 00 02")), 502), Probe::Certain);
}
