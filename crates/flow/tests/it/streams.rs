//! Reassembly: order, gaps, overlaps, wrap-around.

use flow::{Options, OverlapPolicy};
use gwcore::Limits;
use testkit::Session;
use testkit::flag::{ACK, PSH, SYN};

use crate::rig::{Rig, START, Told, only, run};

/// An open session whose client then sends pieces at offsets; the server acknowledges `acked` bytes after each when given.
fn pieces(rig: &mut Rig, isn: u32, pieces: &[(u32, &[u8], Option<u32>)]) {
    let mut s = Session::new(START, 502);
    s.client.seq = isn;
    s.open();
    let base = s.client.seq;
    for (offset, data, acked) in pieces {
        s.client.seq = base.wrapping_add(*offset);
        s.segment(true, PSH | ACK, data);
        if let Some(acked) = acked {
            s.client.seq = base.wrapping_add(*acked);
            s.segment(false, ACK, b"");
        }
    }
    rig.frames(&s.frames);
}

fn stream(isn: u32, list: &[(u32, &[u8], Option<u32>)]) -> Told {
    let mut rig = Rig::new();
    pieces(&mut rig, isn, list);
    rig.finish();
    rig.told
}

#[test]
fn any_order_gives_the_same_stream() {
    let whole: Vec<u8> = (0..240u8).collect();
    let mut random = 7u64;
    for round in 0..200 {
        // Segments of 1 to 30 bytes, some sent twice, shuffled.
        let mut list = Vec::new();
        let mut at = 0usize;
        while at < whole.len() {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let len = (1 + (random >> 33) as usize % 30).min(whole.len() - at);
            list.push((at as u32, &whole[at..at + len], None));
            if random >> 60 == 0 {
                list.push((at as u32, &whole[at..whole.len().min(at + len + 7)], None));
            }
            at += len;
        }
        for i in (1..list.len()).rev() {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            list.swap(i, (random >> 33) as usize % (i + 1));
        }
        let isn = if round % 2 == 0 { 1_000 } else { u32::MAX - 100 };
        let told = stream(isn, &list);
        assert_eq!(told.streams[0][0], whole, "round {round}");
        assert_eq!((only(&told).missed, only(&told).overlaps), (0, 0));
        assert_eq!(only(&told).bytes, Some((240, 0)));
    }
}

#[test]
fn sequence_numbers_wrap_more_than_once() {
    let mut s = Session::new(START, 502);
    s.open().client(b"a");
    for _ in 0..10 {
        // The capture loses a gigabyte at a time.
        s.client.seq = s.client.seq.wrapping_add(1 << 29);
        s.segment(false, ACK, b"").client(b"b");
    }
    let told = run(&s);
    assert_eq!(only(&told).bytes, Some(((10 << 29) + 11, 0)));
    assert_eq!(only(&told).missed, 10 << 29);
    assert_eq!(told.streams[0][0], b"a#b#b#b#b#b#b#b#b#b#b");
}

#[test]
fn a_hole_becomes_a_gap_when_acknowledged() {
    let told = stream(0, &[(0, b"aa", None), (4, b"cc", Some(2)), (6, b"dd", Some(8))]);
    assert_eq!(told.events[..5], ["Orig aa", "Orig gap 2", "Orig cc", "Orig dd", "end 0 finish"]);
    assert_eq!((only(&told).missed, only(&told).history.as_str()), (2, "ShADaG"));
    // The near miss: the acknowledgement ends one byte before the data beyond the hole.
    let told = stream(0, &[(0, b"aa", None), (4, b"cc", Some(3)), (2, b"bb", Some(6))]);
    assert_eq!(told.streams[0][0], b"aabbcc");
    assert_eq!((only(&told).missed, only(&told).out_of_order), (0, 1));
    // Acknowledged before the data beyond it came.
    let told = stream(0, &[(0, b"aa", Some(4)), (4, b"cc", None), (6, b"dd", None)]);
    assert_eq!(told.events[..4], ["Orig aa", "Orig gap 2", "Orig cc", "Orig dd"]);
}

#[test]
fn what_is_missing_at_the_end_is_a_gap() {
    let told = stream(0, &[(0, b"aa", None), (4, b"cc", None)]);
    assert_eq!(told.streams[0][0], b"aa#cc");
    let told = stream(0, &[(0, b"aa", Some(7))]);
    assert_eq!((told.streams[0][0].as_slice(), only(&told).missed), (&b"aa#"[..], 5));
}

#[test]
fn the_first_version_stands_and_the_other_is_told() {
    let told = stream(0, &[(0, b"abcdef", None), (2, b"cXef", None), (4, b"efgh", None)]);
    assert_eq!(told.streams[0][0], b"abcdefgh");
    assert_eq!(told.events[1], "Orig tcp_overlap_conflict: offset 3: was 646566, then 586566");
    assert_eq!((only(&told).overlaps, only(&told).retransmitted.0), (1, 6));
    // Both waiting behind a hole.
    let told = stream(0, &[(4, b"eeff", None), (2, b"ccXXff", None), (0, b"aa", None)]);
    assert_eq!(told.streams[0][0], b"aacceeff");
    assert_eq!(told.events[0], "Orig tcp_overlap_conflict: offset 4: was 65656666, then 58586666");
    // A keep-alive is no conflict.
    let told = stream(0, &[(0, b"abcdef", Some(6)), (5, b"\0", Some(6)), (6, b"g", None)]);
    assert_eq!((told.streams[0][0].as_slice(), only(&told).overlaps), (&b"abcdefg"[..], 0));
}

#[test]
fn policies_choose_between_versions() {
    let check = |overlap: OverlapPolicy, list: &[(u32, &[u8], Option<u32>)], expect: &str| {
        let mut rig = Rig::with(&Limits::default(), Options { overlap: overlap.into(), ..Options::default() });
        pieces(&mut rig, u32::MAX - 3, list);
        rig.finish();
        assert_eq!(String::from_utf8_lossy(&rig.told.streams[0][0]), expect, "{overlap:?}");
    };
    use OverlapPolicy::*;
    let inside: [(u32, &[u8], Option<u32>); 2] = [(0, b"aaaaaa", None), (2, b"bb", Some(6))];
    let before: [(u32, &[u8], Option<u32>); 3] = [(2, b"aaaa", None), (0, b"bbbb", None), (6, b"c", Some(7))];
    let same: [(u32, &[u8], Option<u32>); 2] = [(0, b"aaaa", None), (0, b"bbbb", Some(4))];
    let longer: [(u32, &[u8], Option<u32>); 2] = [(0, b"aaaa", None), (0, b"bbbbbb", Some(6))];
    for (policy, expects) in [
        (First, ["aaaaaa", "bbaaaac", "aaaa", "aaaabb"]),
        (Last, ["aabbaa", "bbbbaac", "bbbb", "bbbbbb"]),
        (Bsd, ["aaaaaa", "bbbbaac", "aaaa", "aaaabb"]),
        (Linux, ["aaaaaa", "bbbbaac", "aaaa", "bbbbbb"]),
        (OldLinux, ["aaaaaa", "bbbbaac", "bbbb", "bbbbbb"]),
        (Solaris, ["aaaaaa", "bbaaaac", "bbbb", "bbbbbb"]),
    ] {
        for (list, expect) in [&inside[..], &before[..], &same[..], &longer[..]].into_iter().zip(expects) {
            check(policy, list, expect);
        }
    }
    // An acknowledgement settles what came before it, whatever comes later.
    check(Last, &[(0, b"aaaa", Some(2)), (0, b"bbbb", Some(4))], "aabb");
}

#[test]
fn what_the_capture_cut_off_is_a_gap() {
    let mut s = Session::new(START, 502);
    s.open().client(b"abcdef").client(b"gh");
    let mut rig = Rig::new();
    for (i, (at, f)) in s.frames.iter().enumerate() {
        rig.frame_cut(*at, f, if i == 3 { 4 } else { 0 });
    }
    let told = rig.finish();
    assert_eq!(told.events[..3], ["Orig ab", "Orig gap 4", "Orig gh"]);
    assert_eq!(only(told).missed, 4);
}

#[test]
fn data_from_nowhere_is_left_out() {
    let mut s = Session::new(START, 502);
    s.open().client(b"ab").server(b"cd");
    let seq = s.client.seq;
    s.client.seq = seq.wrapping_add(0x4000_0000);
    s.client(b"evil");
    s.client.seq = seq;
    s.client(b"good");
    let told = run(&s);
    assert_eq!(told.streams[0][0], b"abgood");
    assert!(told.events.iter().any(|e| e.contains("tcp_out_of_window")));
    let mut s = Session::new(START, 502);
    s.open().client(b"ab");
    s.client.seq = s.client.seq.wrapping_add(0x4000_0000);
    s.reset(true);
    s.client.seq = s.client.seq.wrapping_sub(0x4000_0000);
    s.client(b"cd");
    let told = run(&s);
    assert_eq!((told.streams[0][0].as_slice(), only(&told).state), (&b"abcd"[..], "S1"));
    assert!(told.events.iter().any(|e| e.contains("tcp_reset_out_of_window")));
}

#[test]
fn forged_handshakes_do_not_move_the_stream() {
    // A SYN-ACK that acknowledges something else, and a second SYN once the session stands.
    let mut s = Session::new(START, 502);
    s.segment(true, SYN, b"");
    let seq = s.client.seq;
    s.client.seq = seq.wrapping_add(77_777);
    s.segment(false, SYN | ACK, b"");
    s.server.seq -= 1;
    s.client.seq = seq;
    s.segment(false, SYN | ACK, b"").segment(true, ACK, b"");
    s.client.seq = seq.wrapping_add(9_999);
    s.segment(true, SYN, b"");
    s.client.seq = seq;
    s.client(b"good").server(b"too");
    let told = run(&s);
    assert_eq!(told.streams[0], [b"good".to_vec(), b"too".to_vec()], "{:?}", told.events);
}

#[test]
fn a_lost_fin_is_no_missing_byte() {
    let mut s = Session::new(START, 502);
    s.open().client(b"abc").close();
    let fin = s.frames.iter().rposition(|(_, f)| f[6..12] == s.client.mac && f[47] & 1 == 1).unwrap();
    s.frames.remove(fin);
    let told = run(&s);
    assert_eq!((only(&told).missed, only(&told).bytes), (0, Some((3, 0))));
}

#[test]
fn bytes_before_the_first_number_seen_go_up_while_others_wait() {
    let mut s = Session::new(START, 502);
    s.client.seq = 1_000;
    s.segment(true, ACK, b"");
    for (seq, data) in [(900, b"abcd"), (1_050, b"late"), (904, b"efgh")] {
        s.client.seq = seq;
        s.segment(true, PSH | ACK, data);
    }
    let told = run(&s);
    assert_eq!(told.streams[0].concat(), b"abcdefgh#late");
    assert_eq!(only(&told).missed, 142);
}

/// A session through whoever has these two MAC addresses, captured on both his sides: who sends over which side, and what. Each side counts
/// for itself.
fn between(macs: [u8; 2], hops: &[(bool, bool, &[u8])]) -> Told {
    let mac = |last: u8| [2, 0, 0, 0, 0, last];
    let mut s = Session::new(START, 502);
    s.open();
    let mut seqs = [[s.client.seq, s.server.seq]; 2];
    for (from_client, near_client, data) in hops {
        let side = usize::from(!near_client);
        let [near, far] = macs.map(mac);
        (s.client.mac, s.server.mac) = if *near_client { (mac(1), near) } else { (far, mac(2)) };
        [s.client.seq, s.server.seq] = seqs[side];
        s.segment(*from_client, PSH | ACK, data);
        seqs[side] = [s.client.seq, s.server.seq];
    }
    run(&s)
}

/// The client asks, through both sides.
fn asks(text: &[u8]) -> [(bool, bool, &[u8]); 2] {
    [(true, true, text), (true, false, text)]
}

/// The server sends one thing, and another arrives.
fn answers<'a>(sent: &'a [u8], arrived: &'a [u8]) -> [(bool, bool, &'a [u8]); 2] {
    [(false, false, sent), (false, true, arrived)]
}

#[test]
fn what_is_altered_on_its_way_is_two_sessions() {
    let (forged, true_again) = (answers(b"value 1;", b"value 999;"), answers(b"value 2;", b"value 2;"));
    let told = between([9, 9], &[asks(b"read 1;"), forged, asks(b"read 2;"), true_again].concat());
    let text = |flow: usize, side: usize| String::from_utf8_lossy(&told.streams[flow][side]).into_owned();
    assert_eq!([text(0, 0), text(0, 1)], ["read 1;read 2;", "value 1;value 2;"]);
    assert_eq!([text(1, 0), text(1, 1)], ["read 2;", "value 999;value 2;"]);
    let said: Vec<_> = told.events.iter().filter(|e| e.contains("altered") || e.contains("conflict")).collect();
    assert_eq!(said, ["Resp altered by 02:00:00:00:00:09: offset 6: was 313b, then 3939"]);
    // A router's two sides, or one that alters nothing yet, are one session.
    let told = between([8, 9], &[asks(b"read 1;"), answers(b"value 1;", b"value 1;")].concat());
    assert_eq!((told.streams.len(), &told.streams[0]), (1, &[b"read 1;".to_vec(), b"value 1;".to_vec()]));
}

#[test]
fn another_session_with_the_same_addresses_is_no_alteration() {
    let mut s = Session::new(START, 502);
    s.open().client(b"read 1;");
    let mut other = Session::new(s.at, 502);
    (other.client.mac, other.server.mac) = ([2, 0, 0, 0, 1, 1], [2, 0, 0, 0, 1, 2]);
    (other.client.seq, other.server.seq) = (1_001, 2_001);
    other.client(b"write 7;");
    let mut rig = Rig::new();
    rig.frames(&[s.frames, other.frames].concat());
    rig.finish();
    assert!(rig.told.events.iter().any(|e| e.contains("tcp_overlap_conflict")), "{:?}", rig.told.events);
    assert!(!rig.told.events.iter().any(|e| e.contains("altered")));
}
