//! FIN and RST that their receiver leaves alone, and the near misses that it does not.

use testkit::Session;
use testkit::flag::{ACK, FIN, RST, SYN};

use crate::rig::{SECOND, START, Told, only, run};

/// The timestamps option (RFC 7323 §3.2) behind two fillers.
fn stamps(value: u32, echo: u32) -> Vec<u8> {
    [&[1, 1, 8, 10], &value.to_be_bytes()[..], &echo.to_be_bytes()].concat()
}

/// A session whose client has sent a SYN with the value 5,000.
fn asked() -> Session {
    let mut s = Session::new(START, 80);
    s.client.syn_options = stamps(5_000, 0);
    s.segment(true, SYN, b"");
    s
}

fn anomalies(told: &Told) -> Vec<&str> {
    told.events.iter().filter(|e| e.contains("tcp_")).map(String::as_str).collect()
}

#[test]
fn an_answer_to_a_syn_echoes_its_timestamp() {
    let check = |flags: u8, options: Vec<u8>, refused: bool| {
        let mut s = asked();
        s.server.seq = 0;
        s.server.options = options;
        s.segment(false, flags, b"");
        // The client says that it knows no such segment, and the true answer comes.
        s.client.options = Vec::new();
        s.segment(true, RST, b"");
        (s.server.seq, s.server.syn_options) = (70_000, stamps(9, 5_000));
        s.client.options = stamps(5_001, 9);
        s.segment(false, SYN | ACK, b"").segment(true, ACK, b"").client(b"GET").server(b"OK");
        let told = run(&s);
        let named = anomalies(&told).iter().filter(|e| e.contains("tcp_impossible_timestamp")).count();
        assert_eq!(named, usize::from(refused), "{:?}", told.events);
        assert_eq!(told.streams[0], [b"GET".to_vec(), b"OK".to_vec()]);
        let after = anomalies(&told).iter().filter(|e| e.contains("tcp_data_after_reset")).count();
        assert_eq!((only(&told).state, after), if refused { ("S1", 0) } else { (only(&told).state, 1) });
    };
    check(RST | ACK, stamps(100, 100), true);
    check(FIN | ACK, stamps(100, 100), true);
    check(RST | ACK, stamps(100, 4_999), true);
    check(RST | ACK, stamps(100, 5_000), false);
    check(RST | ACK, stamps(0, 0), false);
    check(RST | ACK, Vec::new(), false);
}

#[test]
fn a_refused_reset_alone_leaves_an_attempt() {
    let mut s = asked();
    s.server.options = stamps(100, 100);
    s.segment(false, RST | ACK, b"");
    let told = run(&s);
    assert_eq!(anomalies(&told), ["Resp tcp_impossible_timestamp: RST with value 100, echo 100"]);
    assert_eq!((only(&told).state, only(&told).pkts), ("S0", (1, 1)));
    // The SYN had no timestamp: there is none to echo.
    let mut s = Session::new(START, 80);
    s.segment(true, SYN, b"");
    s.server.options = stamps(100, 100);
    s.segment(false, RST | ACK, b"");
    assert_eq!((anomalies(&run(&s)).len(), only(&run(&s)).state), (1, "S0"));
    let mut s = asked();
    s.reset(false);
    assert_eq!(only(&run(&s)).state, "REJ");
}

/// An open session of both values 5,000 and 9, then 100 bytes of the server at 20.
fn open() -> Session {
    let mut s = asked();
    s.server.syn_options = stamps(9, 5_000);
    s.segment(false, SYN | ACK, b"");
    s.client.options = stamps(5_001, 9);
    s.server.options = stamps(20, 5_001);
    s.segment(true, ACK, b"").server(&[7; 100]).server(b"more");
    s
}

#[test]
fn an_old_fin_ends_nothing_but_an_old_reset_does() {
    let check = |flags: u8, options: Vec<u8>, state: &str, refused: bool| {
        let mut s = open();
        s.server.options = options;
        s.segment(false, flags, b"");
        let told = run(&s);
        assert_eq!(only(&told).state, state, "{:?}", told.events);
        assert_eq!(anomalies(&told).len(), usize::from(refused), "{:?}", told.events);
    };
    check(FIN | ACK, stamps(19, 5_001), "S1", true);
    check(FIN | ACK, stamps(20, 5_001), "S3", false);
    check(FIN | ACK, stamps(21, 5_001), "S3", false);
    check(FIN | ACK, Vec::new(), "S3", false);
    // RFC 7323 §3.2: the value of a RST says nothing; nor does an echo once the session is open.
    check(RST | ACK, stamps(0, 5_001), "RSTR", false);
    check(RST | ACK, Vec::new(), "RSTR", false);
}

#[test]
fn without_timestamps_in_the_handshake_none_count() {
    let mut s = Session::new(START, 80);
    s.open().server(b"data");
    s.server.options = stamps(50, 0);
    s.server(b"data");
    s.server.options = stamps(1, 1);
    s.segment(false, FIN | ACK, b"");
    let told = run(&s);
    assert_eq!((only(&told).state, anomalies(&told).len()), ("S3", 0));
}

#[test]
fn a_reset_outside_the_window_is_no_end() {
    let check = |ahead: u32, state: &str, named: usize| {
        let mut s = Session::new(START, 80);
        s.open().client(b"abc").wait(SECOND);
        s.server.seq = s.server.seq.wrapping_add(ahead);
        s.reset(false);
        let told = run(&s);
        assert_eq!((only(&told).state, anomalies(&told).len()), (state, named), "{ahead}");
    };
    check(0, "RSTR", 0);
    check(8_191, "RSTR", 0);
    check(0x2000_0000, "S1", 1);
}
