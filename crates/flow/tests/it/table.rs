//! Expiry, reuse, timers, order and identity.

use gwcore::Ts;
use testkit::flag::{ACK, SYN};
use testkit::{Session, Stack};

use crate::rig::{Rig, SECOND, START, only, run};

const MINUTE: i64 = 60 * SECOND;

fn udp(port: u16) -> Vec<u8> {
    Stack::new().eth([2; 6], [4; 6]).ipv4([10, 0, 0, 1], [10, 0, 0, 2]).udp(port, 7777).payload(b"x").bytes()
}

#[test]
fn a_flow_ends_at_its_last_packet_plus_its_timeout_with_or_without_a_timer() {
    for ticks in [false, true] {
        for (gap, flows) in [(MINUTE, 1), (MINUTE + 1, 2)] {
            let mut rig = Rig::new();
            rig.frame(START, &udp(1025));
            if ticks {
                rig.tick(START + gap);
            }
            rig.frame(START + gap, &udp(1025));
            assert_eq!(rig.finish().conns.len(), flows, "gap {gap}, ticks {ticks}");
        }
    }
}

#[test]
fn timeouts_go_by_the_state() {
    let check = |build: fn(&mut Session) -> &mut Session, timeout: i64, reason: &str| {
        let mut s = Session::new(START, 502);
        build(&mut s);
        let mut rig = Rig::new();
        // The last ACK of a session that both sides closed is not part of its time.
        let last = s.frames[s.frames.len() - 1 - usize::from(reason == "closed")].0;
        rig.frames(&s.frames);
        rig.tick(last + timeout);
        assert_eq!(rig.shard.live(), 1, "{reason} before");
        rig.tick(last + timeout + 1);
        assert_eq!(rig.shard.live(), 0, "{reason} after");
        assert_eq!(rig.told.conns[0].end, reason);
    };
    check(|s| s.segment(true, SYN, b""), 5 * SECOND, "attempt");
    check(|s| s.open(), 5 * MINUTE, "inactive");
    check(|s| s.open().close(), 5 * SECOND, "closed");
    check(|s| s.open().reset(true), 5 * SECOND, "reset");
    check(|s| s.client(b"x"), 5 * MINUTE, "inactive");
}

#[test]
fn utility_sessions_wait_a_day() {
    let mut s = Session::new(START, 502);
    s.open().client(b"x");
    let mut rig = Rig::new();
    rig.told.ot = true;
    rig.frames(&s.frames);
    let last = s.frames.last().unwrap().0;
    rig.tick(last + 24 * 60 * MINUTE);
    assert_eq!(rig.shard.live(), 1);
    rig.tick(last + 24 * 60 * MINUTE + 1);
    assert_eq!(rig.shard.live(), 0);
    let parts = rig.told.events.iter().filter(|e| e.starts_with("part")).count();
    assert_eq!(parts, 1, "a row for the five minutes with packets, none for a silent day");
}

#[test]
fn parts_add_up_to_the_whole() {
    let mut s = Session::new(START, 502);
    s.open();
    for _ in 0..4 {
        s.client(b"abc").server(b"de").wait(4 * MINUTE);
    }
    let told = run(&s);
    let parts: Vec<_> = told.events.iter().filter(|e| e.starts_with("part")).collect();
    assert_eq!(parts, ["part 0 age 300 pkts 6/5 of 6/5 bytes 6/4", "part 0 age 600 pkts 2/2 of 8/7 bytes 3/2",]);
    assert_eq!(only(&told).pkts, (10, 9));
}

#[test]
fn ports_used_again_open_a_new_flow() {
    let mut s = Session::new(START, 502);
    s.open().client(b"one").close();
    s.client.seq += 100_000;
    s.server.seq += 70_000;
    s.open().client(b"two").close();
    let told = run(&s);
    let rows: Vec<_> = told.conns.iter().map(|r| (r.state, r.end)).collect();
    assert_eq!(rows, [("SF", "reused"), ("SF", "finish")]);
    assert_eq!(told.streams[1][0], b"two");
    // A SYN inside a living session is an oddity, not a new session.
    let mut s = Session::new(START, 502);
    s.open().client(b"one");
    s.client.seq += 500_000;
    s.segment(true, SYN, b"");
    s.client.seq -= 500_001;
    s.client(b"two");
    let told = run(&s);
    assert_eq!(told.streams[0][0], b"onetwo");
    assert!(told.events.iter().any(|e| e.contains("tcp_syn_in_session")));
    // After a silence it is.
    let mut s = Session::new(START, 502);
    s.open().client(b"one").wait(6 * SECOND);
    s.client.seq += 500_000;
    s.open().client(b"two");
    assert_eq!(run(&s).conns.len(), 2);
    // A SYN sent again is neither.
    let mut s = Session::new(START, 502);
    s.segment(true, SYN, b"");
    s.client.seq -= 1;
    s.open();
    let told = run(&s);
    assert_eq!((only(&told).history.as_str(), only(&told).handshake), ("ShA", None));
}

#[test]
fn wakes_come_at_the_first_packet_or_tick_after_their_time() {
    let mut rig = Rig::new();
    rig.told.wake_every = Some(10 * SECOND);
    rig.frame(START, &udp(1));
    rig.frame(START + SECOND, &udp(2));
    rig.tick(START + 10 * SECOND - 1);
    assert!(!rig.told.events.iter().any(|e| e.starts_with("wake")));
    rig.tick(START + 12 * SECOND);
    rig.frame(START + 23 * SECOND, &udp(2));
    let events: Vec<_> = rig.told.events.iter().filter(|e| !e.starts_with("Orig")).cloned().collect();
    assert_eq!(events, ["wake 0", "wake 1", "wake 1"]);
    // A handler that always asks for what is past is still woken only once a tick.
    rig.told.wake_every = Some(-1);
    rig.tick(START + 40 * SECOND);
    let wakes = rig.told.events.iter().filter(|e| e.starts_with("wake")).count();
    assert_eq!(wakes, 5);
}

#[test]
fn ends_come_in_order_of_time_then_creation() {
    let mut rig = Rig::new();
    for (i, at) in [3, 1, 1, 2].into_iter().enumerate() {
        rig.frame(START + at * SECOND, &udp(1_000 + i as u16));
    }
    rig.tick(START + 10 * MINUTE);
    let ends: Vec<_> = rig.told.events.iter().filter(|e| e.starts_with("end")).cloned().collect();
    assert_eq!(ends, ["end 1 inactive", "end 2 inactive", "end 3 inactive", "end 0 inactive"]);
}

#[test]
fn identities_do_not_repeat_within_one_instant() {
    let mut s = Session::new(START, 502);
    s.step = 0;
    for n in 0..3 {
        s.client.seq += 1_000_000 * n;
        s.segment(true, SYN, b"").segment(false, testkit::flag::RST | ACK, b"");
    }
    let told = run(&s);
    let mut uids: Vec<_> = told.conns.iter().map(|r| &r.uid).collect();
    assert_eq!(uids.len(), 3);
    uids.sort();
    uids.dedup();
    assert_eq!(uids.len(), 3);
}

#[test]
fn twins_count_nowhere_else() {
    let mut s = Session::new(START, 502);
    s.open().client(b"abc").server(b"de").close();
    let plain = run(&s);
    let mut rig = Rig::new();
    for (at, f) in &s.frames {
        rig.frame(*at, f);
        rig.frame(*at + 1_000, f);
    }
    rig.finish();
    let (a, b) = (only(&plain), only(&rig.told));
    assert_eq!((a.dup, b.dup), (0, s.frames.len() as u64));
    assert_eq!(crate::rig::Row { dup: 0, ..b.clone() }, *a);
}

#[test]
fn time_that_goes_back_takes_the_timers_along() {
    let mut rig = Rig::new();
    rig.frame(START, &udp(1));
    rig.tick(START);
    rig.shard.shift(-3_600 * SECOND);
    rig.tick(START - 3_600 * SECOND + MINUTE);
    assert_eq!(rig.shard.live(), 1);
    rig.frame(START - 3_600 * SECOND + MINUTE, &udp(1));
    rig.tick(START - 3_600 * SECOND + 2 * MINUTE + 1);
    assert_eq!(only(&rig.told).duration, Some(MINUTE));
}

#[test]
fn a_stray_time_moves_nothing() {
    let mut rig = Rig::new();
    rig.frame(START, &udp(1));
    rig.tick(START);
    rig.frame(START + 1_000_000 * MINUTE, &udp(1));
    rig.frame(START + SECOND, &udp(1));
    let told = rig.finish();
    assert_eq!((only(told).pkts, only(told).duration), ((3, 0), Some(SECOND)));
}

#[test]
fn vlans_and_appids_tell_flows_apart() {
    let mut rig = Rig::new();
    let goose = |vlan, appid: u8| {
        let mut f = Stack::new().eth([2; 6], [1; 6]).vlan(vlan).payload(&[0, appid, 0, 8, 0, 0, 0, 0]).bytes();
        f[16..18].copy_from_slice(&[0x88, 0xb8]);
        f
    };
    for (vlan, appid) in [(1, 1), (1, 2), (2, 1), (1, 1)] {
        rig.frame(START, &goose(vlan, appid));
    }
    let told = rig.finish();
    assert_eq!(told.conns.iter().map(|r| r.pkts).collect::<Vec<_>>(), [(2, 0), (1, 0), (1, 0)]);
    assert_eq!(told.conns[0].orig, "::".to_owned() + ":35000");
}

#[test]
fn a_tick_with_nothing_due_touches_nothing() {
    let mut rig = Rig::new();
    rig.frame(START, &udp(1));
    rig.tick(START + SECOND);
    rig.tick(START);
    assert_eq!(rig.shard.live(), 1);
    rig.shard.finish(Ts(START), &mut rig.told);
    assert_eq!(only(&rig.told).end, "finish");
}

#[test]
fn a_pair_and_a_transaction_stay_in_one_shard() {
    let mut rig = Rig::new();
    let (a, b, c) = ([10, 0, 0, 1], [10, 0, 0, 2], [224, 0, 0, 251]);
    let eth = || Stack::new().eth([2; 6], [4; 6]);
    let mut shards = |frames: &[Stack]| frames.iter().map(|f| rig.shard_of(&f.bytes())).collect::<Vec<_>>();
    let pair = [
        eth().ipv4(a, b).tcp(1, 2),
        eth().ipv4(b, a).tcp(2, 1),
        eth().vlan(9).ipv4(a, b).udp(7, 8).payload(b"xx"),
        eth().ipv4(c, c).add(testkit::Ipv4 { src: a.into(), dst: b.into(), ..Default::default() }).icmp(8, 0),
    ];
    let found = shards(&pair);
    assert!(found.iter().all(|s| *s == found[0] && *s < 32), "{found:?}");
    let dns = |src, dst, id: u8| eth().ipv4(src, dst).udp(5353, 5353).payload(&[1, id, 0, 0]);
    let found = shards(&[dns(a, c, 1), dns(b, a, 1), dns(b, c, 1)]);
    assert!(found.iter().all(|s| *s == found[0]), "{found:?}");
    let dhcp = |src, dst, sp, dp, xid: u8| eth().ipv4(src, dst).udp(sp, dp).payload(&[1, 1, 6, 0, 9, 9, 9, xid]);
    let found = shards(&[dhcp([0; 4], [255; 4], 68, 67, 1), dhcp(b, a, 67, 68, 1), dhcp(b, c, 67, 67, 1)]);
    assert!(found.iter().all(|s| *s == found[0]), "{found:?}");
    let spread: std::collections::BTreeSet<u8> =
        (0..=255).flat_map(|n| shards(&[eth().ipv4([10, 1, 0, n], b).tcp(1, 2)])).collect();
    assert_eq!(spread.len(), 32);
}
