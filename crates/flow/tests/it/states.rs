//! `conn_state` and `history` as Zeek gives them, and the measurements of a session.

use testkit::flag::{ACK, FIN, PSH, RST, SYN};
use testkit::{Session, Stack};

use crate::rig::{Rig, SECOND, START, only, run};

fn check(build: impl FnOnce(&mut Session) -> &mut Session, state: &str, history: &str) {
    let mut s = Session::new(START, 502);
    build(&mut s);
    let told = run(&s);
    let row = only(&told);
    assert_eq!((row.state, row.history.as_str()), (state, history));
}

#[test]
fn states() {
    check(|s| s.segment(true, SYN, b""), "S0", "S");
    check(|s| s.open(), "S1", "ShA");
    check(|s| s.open().client(b"ask").server(b"answer").close(), "SF", "ShADadFf");
    check(|s| s.segment(true, SYN, b"").segment(false, RST | ACK, b""), "REJ", "Sr");
    check(|s| s.open().segment(true, FIN | ACK, b""), "S2", "ShAF");
    check(|s| s.open().segment(false, FIN | ACK, b""), "S3", "ShAf");
    check(|s| s.open().client(b"x").reset(true), "RSTO", "ShADaR");
    check(|s| s.open().client(b"x").reset(false), "RSTR", "ShADar");
    check(|s| s.segment(true, SYN, b"").segment(true, RST, b""), "RSTOS0", "SR");
    check(|s| s.segment(false, SYN | ACK, b"").segment(false, RST, b""), "RSTR", "^hr");
    check(|s| s.segment(false, RST | ACK, b""), "RSTRH", "^r");
    check(|s| s.segment(true, SYN, b"").segment(true, FIN, b""), "SH", "SF");
    check(|s| s.segment(false, FIN | ACK, b""), "SHR", "^f");
    check(|s| s.client(b"x").server(b"y"), "OTH", "DadA");
    check(|s| s.server(b"x").client(b"y"), "OTH", "^dADa");
    check(|s| s.open().client(b"x").close().reset(true), "SF", "ShADaFfR");
    check(|s| s.segment(true, SYN | FIN, b""), "SH", "Q");
    check(|s| s.open().segment(true, FIN | RST, b""), "RSTO", "ShAI");
    // The letter of a flag comes again with another sequence number, and data beside a flag has none.
    check(|s| s.segment(true, SYN, b"abc").segment(false, RST | ACK, b""), "REJ", "Sr");
    check(|s| s.open().client(b"x").segment(true, FIN | ACK, b"y").segment(true, FIN | ACK, b""), "S2", "ShADaFF");
    check(
        |s| s.open().segment(true, FIN | ACK, b"").segment(true, RST, b"").segment(false, FIN | ACK, b""),
        "SF",
        "ShAFRf",
    );
}

#[test]
fn a_reset_that_its_sender_never_sent_ends_nothing() {
    let mut s = Session::new(START, 502);
    s.open().client(b"ask").server(b"answer");
    s.reset(true);
    s.client(b"again").server(b"still");
    let told = run(&s);
    let row = only(&told);
    assert_eq!((row.state, row.history.as_str()), ("S1", "ShADadR"));
    assert_eq!(told.streams[0], [b"askagain".to_vec(), b"answerstill".to_vec()]);
    assert_eq!(told.events.iter().filter(|e| e.contains("tcp_data_after_reset")).count(), 1, "{:?}", told.events);
}

#[test]
fn a_syn_ack_first_turns_the_flow_round() {
    let mut s = Session::new(START, 502);
    s.segment(false, SYN | ACK, b"").segment(true, ACK, b"").client(b"x").close();
    let told = run(&s);
    let row = only(&told);
    assert_eq!((row.state, row.history.as_str(), row.orig.as_str()), ("SF", "^hADaFf", "10.0.0.1:49152"));
}

#[test]
fn split_handshakes_keep_the_first_syn_as_originator() {
    let mut s = Session::new(START, 502);
    s.segment(true, SYN, b"").segment(false, SYN, b"");
    // The client's SYN-ACK and the server's ACK repeat the numbers of the SYNs.
    s.client.seq -= 1;
    s.segment(true, SYN | ACK, b"").segment(false, ACK, b"");
    s.client(b"ask").server(b"answer").close();
    let told = run(&s);
    let row = only(&told);
    assert_eq!((row.state, row.history.as_str()), ("SF", "SsHaDdAFf"));
    assert_eq!(told.streams[0], [b"ask".to_vec(), b"answer".to_vec()]);
    assert_eq!(told.events.iter().filter(|e| e.contains("tcp_split_handshake")).count(), 1, "{:?}", told.events);
}

#[test]
fn a_five_way_split_handshake_is_followed() {
    let mut s = Session::new(START, 502);
    s.segment(true, SYN, b"").segment(false, ACK, b"").segment(false, SYN, b"");
    s.client.seq -= 1;
    s.segment(true, SYN | ACK, b"").segment(false, ACK, b"").client(b"ask").server(b"answer").close();
    let told = run(&s);
    assert_eq!(told.streams[0], [b"ask".to_vec(), b"answer".to_vec()], "{:?}", told.events);
    assert_eq!(only(&told).state, "SF");
}

#[test]
fn counters_and_times() {
    let mut s = Session::new(START, 502);
    s.open().client(&[b'q'; 100]).wait(3 * SECOND).server(&[b'a'; 50]).close();
    let told = run(&s);
    let row = only(&told);
    assert_eq!(row.bytes, Some((100, 50)));
    assert_eq!(row.pkts, (6, 4));
    // Six headers of 40 bytes, four option bytes in each SYN.
    assert_eq!(row.ip_bytes, (6 * 40 + 4 + 100, 4 * 40 + 4 + 50));
    assert_eq!(row.duration, Some(3 * SECOND + 8_000_000), "without the last ACK");
    assert_eq!(row.handshake, Some(2_000_000));
    assert_eq!(row.rtt, (Some(1_000_000), Some(1_000_000)));
    assert_eq!((row.missed, row.end), (0, "finish"));
}

#[test]
fn retransmissions_and_zero_windows_are_written_at_powers_of_ten() {
    let mut s = Session::new(START, 502);
    s.open();
    s.acks = false;
    s.client(b"abc");
    for _ in 0..10 {
        s.client.seq -= 3;
        s.client(b"abc");
    }
    s.server.window = 0;
    for _ in 0..10 {
        s.segment(false, ACK, b"");
    }
    s.wait(SECOND);
    s.server.window = 100;
    s.segment(false, ACK, b"");
    let told = run(&s);
    let row = only(&told);
    assert_eq!(row.history, "ShADTTwaw");
    assert_eq!(row.retransmitted, (30, 0));
    assert_eq!(row.zero_window, SECOND + 10_000_000);
    assert_eq!((row.bytes, row.overlaps), (Some((3, 0)), 0));
}

#[test]
fn a_silent_side_is_counted_by_what_is_acknowledged() {
    let mut s = Session::new(START, 502);
    s.client(b"x");
    s.server.seq += 1_000;
    s.client(b"y");
    s.frames.retain(|(_, f)| f[..6] == s.server.mac);
    let told = run(&s);
    let row = only(&told);
    assert_eq!((row.bytes, row.pkts), (Some((2, 1_000)), (2, 0)));
    assert_eq!(row.missed, 0, "nothing can be missed of a side never seen");
}

#[test]
fn udp_and_icmp() {
    let mut rig = Rig::new();
    let (a, b) = ([10, 0, 0, 1], [8, 8, 8, 8]);
    let udp = |src, dst, sp, dp| Stack::new().eth([2; 6], [4; 6]).ipv4(src, dst).udp(sp, dp).payload(b"12345").bytes();
    rig.frame(START, &udp(a, b, 1025, 53));
    rig.frame(START + 1, &udp(b, a, 53, 1025));
    rig.frame(START + 2, &udp(a, b, 1026, 53));
    rig.frame(START + 3, &udp(b, a, 53, 1027));
    let icmp =
        |src, dst, kind, code| Stack::new().eth([2; 6], [4; 6]).ipv4(src, dst).icmp(kind, code).payload(b"ab").bytes();
    rig.frame(START + 4, &icmp(a, b, 8, 0));
    rig.frame(START + 5, &icmp(b, a, 0, 0));
    rig.frame(START + 6, &icmp(b, a, 3, 1));
    rig.frame(START + 7, &icmp(a, b, 3, 1));
    let told = rig.finish();
    let rows: Vec<_> = told.conns.iter().map(|r| (r.state, r.history.as_str(), r.orig.as_str(), r.bytes)).collect();
    assert_eq!(
        rows,
        [
            ("SF", "Dd", "10.0.0.1:1025", Some((5, 5))),
            ("S0", "D", "10.0.0.1:1026", None),
            ("SHR", "^d", "10.0.0.1:1027", None),
            ("OTH", "", "10.0.0.1:8", Some((2, 2))),
            ("OTH", "", "8.8.8.8:3", None),
            ("OTH", "", "10.0.0.1:3", None),
        ]
    );
}

#[test]
fn wrong_checksums_wait_until_the_source_is_known() {
    let send = |n: usize, good_after: usize| {
        let mut s = Session::new(START, 502);
        s.open();
        s.acks = false;
        for i in 0..n {
            s.client(&[b'a' + i as u8]);
        }
        for (_, f) in &mut s.frames[3..3 + n] {
            f[50] ^= 0x55;
        }
        for i in 0..good_after {
            s.client(&[b'A' + i as u8]);
        }
        run(&s)
    };
    let seven = send(7, 0);
    assert_eq!((seven.streams[0][0].as_slice(), only(&seven).history.as_str()), (&b""[..], "ShAC"));
    assert_eq!(seven.events.iter().filter(|e| e.contains("wrong_checksum")).count(), 7);
    let eight = send(8, 0);
    assert_eq!((eight.streams[0][0].as_slice(), only(&eight).history.as_str()), (&b"abcdefgh"[..], "ShAD"));
    let damaged = send(1, 17);
    assert_eq!(damaged.streams[0][0], b"#ABCDEFGHIJKLMNOPQ", "left out once it is sixteen packets old");
    assert_eq!(only(&damaged).history, "ShADCG");
}

#[test]
fn flags_that_carry_data() {
    let mut s = Session::new(START, 502);
    s.segment(true, SYN, b"early").segment(false, SYN | ACK, b"").segment(true, ACK, b"");
    s.client(b" bird").segment(true, FIN | PSH | ACK, b" end").segment(false, ACK, b"").segment(true, ACK, b"late");
    let told = run(&s);
    assert_eq!(told.streams[0][0], b"early bird end");
    assert!(told.events.iter().any(|e| e.contains("tcp_data_after_fin: 4 bytes")), "{:?}", told.events);
}

#[test]
fn segments_merged_on_receipt_are_read_once_acknowledged() {
    let mut s = Session::new(START, 502);
    s.open().client(b"ask").server(b"first").client(b"more").server(b"second").client(b"most").close();
    let leave = |with_length: bool, spoil_answers: bool, cut_at: usize, error: u8| {
        let mut frames = s.frames.clone();
        let at = frames.iter().position(|(_, f)| f.ends_with(b"second")).unwrap();
        let f = &mut frames[at].1;
        let ip = |at: usize| std::net::IpAddr::from([f[at], f[at + 1], f[at + 2], f[at + 3]]);
        let zeros = vec![0; if with_length { f.len() - 34 } else { 0 }];
        let sum = !testkit::transport_checksum(ip(26), ip(30), 6, &zeros);
        f[50..52].copy_from_slice(&sum.to_be_bytes());
        f[51] ^= error;
        if spoil_answers {
            for (_, f) in frames.iter_mut().filter(|(_, f)| f[6..12] == s.client.mac) {
                f[50] ^= 0x55;
            }
        }
        frames.truncate(at + cut_at);
        let mut rig = Rig::new();
        rig.frames(&frames).finish();
        rig.told
    };
    let read = ["Orig ask", "Resp first", "Orig more", "Resp second", "Orig most"];
    assert_eq!(leave(true, false, 9, 0).events[..5], read);
    assert_eq!(leave(false, false, 9, 0).events[..5], read, "where the card cuts segments up, the length is left out");
    assert_eq!(leave(true, false, 1, 0).events[..4], read[..4], "the end of the capture hides the acknowledgement");
    let both = leave(true, true, 9, 0);
    assert_eq!(both.streams[0].each_ref().map(|s| s.as_slice()), [&b"askmoremost"[..], b"firstsecond"]);
    let damaged = leave(true, false, 9, 1);
    assert!(!damaged.events.contains(&"Resp second".to_owned()), "{:?}", damaged.events);
}

#[test]
fn short_sessions_of_an_offloading_host_are_read() {
    let mut s = Session::new(START, 502);
    s.open().client(b"ask").server(b"answer").client(b"more").close();
    let spoil = |only: Option<usize>| {
        let mut frames = s.frames.clone();
        let mine = frames.iter_mut().filter(|(_, f)| f[6..12] == s.client.mac);
        for (i, (_, f)) in mine.enumerate() {
            f[50] ^= if only.is_none_or(|n| n == i) { 0x55 } else { 0 };
        }
        let mut rig = Rig::new();
        rig.frames(&frames).finish();
        rig.told
    };
    let all = spoil(None);
    assert_eq!(all.events, ["Orig ask", "Resp answer", "Orig more", "end 0 finish"]);
    assert_eq!((only(&all).state, only(&all).history.as_str()), ("SF", "ShADadFf"));
    // One alone is damage, although the receiver acknowledged those numbers (of the segment sent again, it may be).
    let one = spoil(Some(2));
    assert_eq!(one.events[..3], ["Resp answer", "Orig gap 3", "Orig more"]);
    assert!(one.events.contains(&"Orig wrong_checksum: ".to_owned()));
    // A datagram that nobody answers is read when its flow ends.
    let mut f = Stack::new().eth([2; 6], [4; 6]).ipv4([10, 0, 0, 1], [10, 0, 0, 9]).udp(7, 8).payload(b"x").bytes();
    f[40] ^= 1;
    let mut rig = Rig::new();
    rig.frame(START, &f);
    assert!(rig.told.events.is_empty());
    assert_eq!(rig.finish().events, ["Orig datagram 1", "end 0 finish"]);
}

#[test]
fn a_side_is_whole_when_it_was_heard_without_a_gap_to_its_fin() {
    let whole = |build: &dyn Fn(&mut Session), lose: Option<usize>| {
        let mut s = Session::new(START, 502);
        build(&mut s);
        if let Some(frame) = lose {
            s.frames.remove(frame);
        }
        only(&run(&s)).whole
    };
    let talk = |s: &mut Session| {
        s.open().client(b"ask").server(b"answer").close();
    };
    assert_eq!(whole(&talk, None), [true, true]);
    // SYN, SYN-ACK, ACK, the question, its ACK, the answer.
    assert_eq!(whole(&talk, Some(3)), [false, true]);
    assert_eq!(whole(&talk, Some(5)), [true, false]);
    assert_eq!(
        whole(
            &|s| {
                s.open().client(b"ask").server(b"answer");
            },
            None
        ),
        [false, false]
    );
    assert_eq!(
        whole(
            &|s| {
                s.open().client(b"ask").segment(true, FIN | ACK, b"");
            },
            None
        ),
        [true, false]
    );
    assert_eq!(
        whole(
            &|s| {
                s.open().client(b"ask").reset(true);
            },
            None
        ),
        [false, false]
    );
}
