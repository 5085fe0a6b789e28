//! Every limit from both sides, everything at a hundredth, and two keys of the hash tables.

use flow::{Options, OverlapPolicy};
use gwcore::{Limit, Limits};
use testkit::flag::{ACK, PSH, SYN};
use testkit::{Session, Stack};

use crate::rig::{Rig, SECOND, START, only};

fn rig(limit: Limit, value: usize) -> Rig {
    let mut limits = Limits::default();
    limits.set(limit, value);
    Rig::with(&limits, Options::default())
}

/// A session with a hole of one byte and then `n` segments of `len` bytes with a hole of one byte before each.
fn holes(rig: &mut Rig, n: usize, len: usize) {
    let mut s = Session::new(START, 502);
    s.open();
    s.acks = false;
    for _ in 0..n {
        s.client.seq += 1;
        s.segment(true, PSH | ACK, &vec![b'x'; len]);
    }
    rig.frames(&s.frames);
}

fn gaps(rig: &Rig) -> usize {
    rig.told.events.iter().filter(|e| e.contains("gap")).count()
}

#[test]
fn reassembly_is_bounded_by_bytes_segments_and_shard() {
    let check = |limit, value, n, len, expect: usize| {
        let mut rig = rig(limit, value);
        holes(&mut rig, n, len);
        assert_eq!(gaps(&rig), expect, "{limit:?}");
        assert_eq!(rig.shard.hits().count(limit), expect as u64, "{limit:?}");
        assert_eq!(rig.finish().conns[0].missed, n as u64);
    };
    check(Limit::ReassemblyBytes, 400, 4, 100, 0);
    check(Limit::ReassemblyBytes, 399, 4, 100, 1);
    check(Limit::ReassemblySegments, 4, 4, 100, 0);
    check(Limit::ReassemblySegments, 3, 4, 100, 1);
    check(Limit::ReassemblyShardBytes, 400, 4, 100, 0);
    check(Limit::ReassemblyShardBytes, 399, 4, 100, 1);
}

#[test]
fn overlaps_are_compared_as_far_back_as_the_history_goes() {
    for (keep, conflicts) in [(6, 1), (5, 0)] {
        let mut rig = rig(Limit::OverlapHistory, keep);
        let mut s = Session::new(START, 502);
        s.open();
        s.client(b"abcdef");
        s.client.seq -= 6;
        s.client(b"Xb");
        rig.frames(&s.frames).finish();
        assert_eq!(only(&rig.told).overlaps, conflicts);
    }
}

fn session(client_port: u16, at: i64) -> Session {
    let mut s = Session::new(at, 502);
    s.client.port = client_port;
    s
}

#[test]
fn the_least_worthy_flow_goes_first() {
    let mut rig = rig(Limit::Flows, 4);
    let udp = |port: u16| {
        Stack::new().eth([2; 6], [4; 6]).ipv4([10, 0, 0, 1], [10, 0, 0, 2]).udp(port, 7777).payload(b"x").bytes()
    };
    rig.told.ot = true;
    let mut ot = session(1_000, START);
    rig.frames(&ot.open().client(b"x").frames);
    rig.told.ot = false;
    let mut old = session(1_001, START + 2 * SECOND);
    let mut new = session(1_002, START + 4 * SECOND);
    rig.frames(&old.open().client(b"x").frames);
    rig.frames(&new.open().client(b"x").frames);
    rig.frame(START + 6 * SECOND, &udp(1));
    assert_eq!((rig.shard.live(), rig.shard.hits().count(Limit::Flows)), (4, 0));
    for n in 0..3 {
        rig.frames(&session(2_000 + n, START + (7 + i64::from(n)) * SECOND).segment(true, SYN, b"").frames);
    }
    for n in 0..2 {
        rig.frames(&session(3_000 + n, START + (11 + i64::from(n)) * SECOND).open().frames);
    }
    assert_eq!(rig.shard.live(), 4);
    let ends: Vec<_> = rig.told.events.iter().filter(|e| e.starts_with("end")).cloned().collect();
    // The lone datagram, then the attempts one by one, then the session that was silent longest; never that of the utility protocol.
    assert_eq!(
        ends,
        ["end 3 evicted", "end 4 evicted", "end 5 evicted", "end 6 evicted", "end 1 evicted"][..ends.len()]
    );
    assert_eq!(rig.shard.hits().count(Limit::Flows), ends.len() as u64);
    assert!(rig.finish().events.contains(&"end 0 finish".to_owned()));
}

#[test]
fn waiting_for_a_checksum_verdict_is_bounded() {
    for (room, left_out) in [(7, 0), (3, 4)] {
        let mut rig = rig(Limit::ChecksumWaiting, room);
        let mut s = Session::new(START, 502);
        s.open();
        s.acks = false;
        for i in 0..8 {
            s.client(&[b'a' + i]);
        }
        for (_, f) in &mut s.frames[3..] {
            f[50] ^= 0x55;
        }
        rig.frames(&s.frames);
        let told = rig.told.events.iter().filter(|e| e.contains("wrong_checksum")).count();
        assert_eq!(told, left_out);
        assert_eq!(rig.shard.hits().count(Limit::ChecksumWaiting), left_out as u64);
        rig.finish();
    }
    let mut rig = rig(Limit::ChecksumSources, 1);
    for (port, host) in [(1, 1), (1, 2)] {
        let ip = [10, 0, 0, host];
        let mut f = Stack::new().eth([2; 6], [4; 6]).ipv4(ip, [10, 0, 0, 9]).udp(port, 7).payload(b"x").bytes();
        f[40] ^= 1;
        rig.frame(START, &f);
    }
    assert_eq!(rig.shard.hits().count(Limit::ChecksumSources), 1);
    assert_eq!(rig.told.events, ["Orig wrong_checksum: "]);
    rig.finish();
}

/// Traffic of all kinds from a seed, some of it damaged.
fn storm(rig: &mut Rig) {
    let mut random = 42u64;
    let mut next = |n: u64| {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (random >> 33) % n
    };
    let mut at = START;
    for _ in 0..6_000 {
        at += (next(20_000_000) * next(50)) as i64;
        let flags = [SYN, SYN | ACK, ACK, PSH | ACK, 1 | ACK, 4, 0, 63][next(8) as usize];
        let mut s = session(1_000 + next(40) as u16, at);
        s.client.seq = 1_000 + next(3_000) as u32;
        s.server.seq = 2_000 + next(3_000) as u32;
        s.server.port = [502, 80][next(2) as usize];
        s.client.window = next(3) as u16;
        s.segment(next(2) == 0, flags, &vec![next(256) as u8; next(300) as usize]);
        let mut f = s.frames[0].1.clone();
        if next(9) == 0 {
            let i = next(f.len() as u64) as usize;
            f[i] ^= 1 << next(8);
        }
        let cut = if next(9) == 0 { next(f.len() as u64) as usize } else { 0 };
        rig.frame_cut(at, &f, cut);
        if next(5) == 0 {
            rig.tick(at);
        }
    }
    rig.finish();
}

fn storm_events(limits: &Limits, overlap: OverlapPolicy) -> Vec<String> {
    let mut rig = Rig::with(limits, Options { overlap: overlap.into(), ..Options::default() });
    storm(&mut rig);
    let starts = rig.told.streams.len();
    assert_eq!(rig.told.conns.len(), starts, "every flow ends once");
    rig.told.events.extend(rig.told.conns.iter().map(|r| format!("{r:?}")));
    rig.told.events
}

#[test]
fn everything_works_at_a_hundredth() {
    for overlap in [OverlapPolicy::First, OverlapPolicy::Last, OverlapPolicy::Solaris] {
        for divisor in [1, 100, 1_000_000] {
            let limits = Limits::scaled(divisor);
            assert_eq!(storm_events(&limits, overlap), storm_events(&limits, overlap));
        }
    }
}

/// Prints a hash of everything told; the other test runs this program again under another key of the tables.
#[test]
fn told_under_one_key() {
    let seed = std::env::var("GRIDWARDEN_TEST_SEED").ok().and_then(|s| s.parse().ok()).unwrap_or(1);
    gwcore::ids::fix_hash_seed(seed);
    let mut all = storm_events(&Limits::default(), OverlapPolicy::First);
    all.extend(storm_events(&Limits::scaled(100), OverlapPolicy::First));
    all.extend(storm_events(&Limits::scaled(20_000), OverlapPolicy::First));
    let parts: Vec<&[u8]> = all.iter().map(|e| e.as_bytes()).collect();
    println!("told {}", gwcore::ids::hash_hex(&parts));
}

#[test]
fn no_output_depends_on_the_key_of_the_tables() {
    let told = |seed: &str| {
        let program = std::env::current_exe().unwrap();
        let run = std::process::Command::new(program)
            .args(["--exact", "limits::told_under_one_key", "--nocapture", "--test-threads=1"])
            .env("GRIDWARDEN_TEST_SEED", seed)
            .output()
            .unwrap();
        let text = String::from_utf8(run.stdout).unwrap();
        let line = text.lines().find_map(|l| l.split("told ").nth(1)).map(str::to_owned);
        line.unwrap_or_else(|| panic!("no line in `{text}`"))
    };
    assert_eq!(told("1"), told("99"));
}
