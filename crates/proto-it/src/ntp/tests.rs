//! Tests of the NTP parser: messages in, rows and facts out.

use gwcore::{Body, Ts};
use proto::Carrier;
use proto::testing::Bench;

use super::parse::moment;

proto::protocols! {
    /// Only NTP.
    pub enum Set { Ntp: super::Ntp, }
}

/// The bench's clock starts at 1_700_000_000 s, in NTP's count this.
const NOW: u32 = 3_908_988_800;

/// A time message: first byte, stratum, the reference id, and the transmit time in seconds and 2⁻³² s.
fn message(first: u8, stratum: u8, ref_id: &[u8; 4], transmit: (u32, u32)) -> Vec<u8> {
    let mut m = vec![first, stratum, 6, 0xec, 0xff, 0xff, 0x80, 0, 0, 1, 0, 0];
    m.extend_from_slice(ref_id);
    for (seconds, fraction) in [(NOW - 64, 0), (0, 0), (NOW, 0x4000_0000), transmit] {
        m.extend_from_slice(&seconds.to_be_bytes());
        m.extend_from_slice(&fraction.to_be_bytes());
    }
    m
}

fn udp() -> Bench<Set> {
    Bench::new(Carrier::Datagram, 123)
}

fn check(bytes: &[u8], rest: &str) {
    let mut bench = udp();
    bench.client(bytes);
    assert_eq!(bench.rows("ntp"), [format!("1 > {rest}")]);
    assert!(bench.rows("anomaly").is_empty(), "{:?}", bench.rows("anomaly"));
}

#[test]
fn a_request() {
    check(
        &message(0xe3, 0, &[0; 4], (NOW, 0x8000_0000)),
        "version=4 mode=3 mode_name=client leap=3 stratum=0 poll=64 precision=0.00000095367431640625 root_delay=-0.5 root_disp=1 \
         ref_time=2023-11-14T22:12:16.000000Z rec_time=2023-11-14T22:13:20.250000Z xmt_time=2023-11-14T22:13:20.500000Z num_exts=0",
    );
}

#[test]
fn an_answer_tells_how_far_the_clock_is_off() {
    let mut bench = udp();
    // The frame passes at 1_700_000_000.001 s.
    bench.server(&message(0x24, 1, b"GPS\0", (NOW, 0x8000_0000)));
    let row = &bench.rows("ntp")[0];
    assert!(row.contains("stratum=1 ") && row.contains(" ref_id=GPS ") && row.contains(" offset_s=0.499 "), "{row}");
    assert!(bench.facts().iter().any(|f| matches!(f.body, Body::Role("ntp_server"))));
    let mut bench = udp();
    bench.server(&message(0x1c, 2, &[192, 0, 2, 1], (NOW - 10, 0)));
    let row = &bench.rows("ntp")[0];
    assert!(
        row.contains("version=3 mode=4 ") && row.contains(" ref_id=192.0.2.1 ") && row.contains(" offset_s=-10.001 "),
        "{row}"
    );
    let mut bench = udp();
    bench.server(&message(0x24, 0, b"RATE", (NOW, 0)));
    assert!(bench.rows("ntp")[0].contains(" ref_id=RATE "));
}

#[test]
fn a_broadcasting_originator_serves() {
    let serves = |first: u8| {
        let mut bench = udp();
        bench.client(&message(first, 2, &[0; 4], (NOW, 0)));
        bench.facts().iter().any(|f| matches!(f.body, Body::Service { server_is_responder: false, .. }))
    };
    assert_eq!([0x21, 0x22, 0x23, 0x24, 0x25].map(serves), [false, false, false, true, true]);
}

#[test]
fn the_era_nearest_to_the_packet_is_meant() {
    let at = |seconds: u32, packet_s: i64| {
        moment(u64::from(seconds) << 32, Ts::from_parts(packet_s, 0)).map(|t| t.0 / 1_000_000_000)
    };
    assert_eq!(moment(0, Ts(0)), None);
    assert_eq!(at(2_208_988_800, 0), Some(0));
    assert_eq!(at(NOW, 1_700_000_000), Some(1_700_000_000));
    // Era 1 begins on 2036-02-07 06:28:16 UTC.
    let era1 = 2_085_978_496;
    assert_eq!(at(1, era1 - 1), Some(era1 + 1));
    assert_eq!(at(0xffff_ffff, era1 + 5), Some(era1 - 1));
    assert_eq!(at(5, era1 + 5), Some(era1 + 5));
    assert!(moment(u64::MAX, Ts(i64::MIN)).is_some() && moment(1 << 63, Ts(i64::MAX)).is_some());
    assert_eq!(
        moment((u64::from(NOW) << 32) | 0xffff_ffff, Ts::from_parts(1_700_000_000, 0)),
        Some(Ts(1_700_000_000_999_999_999))
    );
}

#[test]
fn extensions_and_authenticators() {
    let with = |first: u8, rest: &[u8]| {
        let mut bench = udp();
        bench.client(&[&message(first, 2, &[0; 4], (NOW, 0))[..], rest].concat());
        let row = bench.rows("ntp")[0].split(" num_exts=").nth(1).unwrap().to_owned();
        let anomaly = bench
            .rows("anomaly")
            .first()
            .map(|a| a.split("reason=").nth(1).unwrap().split(' ').next().unwrap().to_owned());
        (row, anomaly.unwrap_or_default())
    };
    let check = |first, rest: &[u8], row: &str, anomaly: &str| {
        assert_eq!(with(first, rest), (row.into(), anomaly.into()), "{rest:02x?}")
    };
    let ext = |n: u16| [&[1, 4], &n.to_be_bytes()[..], &vec![7; usize::from(n) - 4]].concat();
    let mac = |n: usize| [vec![0, 0, 0, 9], vec![0xab; n]].concat();
    let digest = |n: usize| format!("0 key_id=9 digest={}", "ab".repeat(n));
    check(0x23, &mac(0), "0 key_id=9", "");
    check(0x23, &mac(16), &digest(16), "");
    check(0x23, &mac(20), &digest(20), "");
    check(0x1b, &mac(8), &digest(8), "");
    check(0x23, &ext(28), "1", "");
    check(0x23, &ext(16), "1", "");
    check(0x23, &[ext(16), ext(28)].concat(), "2", "");
    check(0x23, &[ext(32), mac(16)].concat(), &format!("1{}", &digest(16)[1..]), "");
    check(0x23, &[1, 4, 0, 15].iter().copied().chain([0; 24]).collect::<Vec<_>>(), "0", "bad_extension");
    check(0x23, &[1, 4, 0, 64].iter().copied().chain([0; 24]).collect::<Vec<_>>(), "0", "truncated_extension");
    check(0x23, &[0; 16], "1", "bad_extension");
    check(0x23, &[0; 3], "0", "trailing_bytes");
    check(0x1b, &[0; 28], "0", "trailing_bytes");
}

#[test]
fn control_messages() {
    check(
        &[0x16, 0x02, 0, 7, 0, 0, 0, 3, 0, 0, 0, 0],
        "version=2 mode=6 mode_name=control num_exts=0 opcode=2 opcode_name=read_variables is_response=false is_error=false \
         has_more=false sequence=7 status=0 association_id=3",
    );
    let mut bench = udp();
    bench.server(&[0x16, 0xe8, 0, 7, 6, 0x15, 0, 0, 0, 0, 0, 2, b'o']);
    let row = &bench.rows("ntp")[0];
    assert!(row.ends_with("opcode=8 opcode_name=configure is_response=true is_error=true has_more=true sequence=7 status=1557 association_id=0"));
    assert_eq!(bench.rows("anomaly"), ["1 < proto=ntp reason=truncated_data count=1"]);
    let mut bench = udp();
    bench.client(&[0x16, 0x1e, 0, 7, 0, 0, 0, 3, 0, 0, 0, 0]);
    assert!(bench.rows("ntp")[0].contains(" opcode=30 is_response=false "));
}

#[test]
fn private_messages() {
    let row = "version=2 mode=7 mode_name=private num_exts=0 request_code=42 implementation=3 is_response=false has_more=false sequence=0";
    check(&[0x17, 0, 3, 42, 0, 0, 0, 0], row);
    let row = "version=2 mode=7 mode_name=private num_exts=0 request_code=42 implementation=3 is_response=true has_more=true sequence=5";
    check(&[0xd7, 0x85, 3, 42, 0, 0, 0, 0, 1, 2], row);
    let row = "version=2 mode=7 mode_name=private num_exts=0 request_code=20 implementation=2 is_response=true has_more=false sequence=0";
    check(&[0x97, 0, 2, 20, 0, 0, 0, 0], row);
}

#[test]
fn damage_never_panics_and_short_messages_are_named() {
    let whole = [message(0x24, 2, &[0; 4], (NOW, 1)), vec![1, 4, 0, 28], vec![0; 24], vec![9; 20]].concat();
    for at in 0..whole.len() {
        for bit in 0..8 {
            let mut damaged = whole.clone();
            damaged[at] ^= 1 << bit;
            let mut bench = udp();
            bench.client(&whole).client(&damaged);
            assert_eq!((bench.panics(), bench.rows("ntp").len()), (0, 2), "byte {at} bit {bit}");
        }
    }
    for length in 1..48 {
        let mut bench = udp();
        bench.client(&whole).client(&whole[..length]);
        assert_eq!((bench.panics(), bench.rows("ntp").len()), (0, 1));
        assert!(bench.rows("anomaly")[0].contains("reason=short_message"), "{length}");
    }
}

#[test]
fn recognised_by_content_and_not_by_mistake() {
    let service = |port: u16, client: &[u8], server: &[u8]| {
        let mut bench = Bench::<Set>::new(Carrier::Datagram, port);
        bench.client(client).server(server);
        bench.service()
    };
    let (ask, tell) = (message(0x23, 0, &[0; 4], (NOW, 0)), message(0x24, 2, &[0; 4], (NOW, 0)));
    assert_eq!(service(123, &ask, &[]), "ntp");
    // Off the port both sides must agree.
    assert_eq!((service(1234, &ask, &tell), service(1234, &ask, &[])), ("ntp", ""));
    assert_eq!(service(1234, &ask, &message(0x24, 17, &[0; 4], (NOW, 0))), "");
    assert_eq!(service(1234, &[0x17, 0, 3, 42, 0, 0, 0, 0], &[0x97, 0, 3, 42, 0, 0, 0, 0]), "");
    // Versions 0 and 5, mode 0 beyond version 1, one byte too few.
    for (first, known) in [(0x03, ""), (0x2b, ""), (0x20, ""), (0x08, "ntp"), (0x0b, "ntp"), (0x23, "ntp")] {
        assert_eq!(service(123, &message(first, 0, &[0; 4], (NOW, 0)), &[]), known, "{first:02x}");
    }
    assert_eq!(
        (service(123, &ask[..47], &[]), service(123, &[0x17; 7], &[]), service(123, &[0x16; 11], &[])),
        ("", "", "")
    );
}
