//! Features of whole captures: every known defect of CICFlowMeter as a test that ours pass, and the same rows on any number of threads.

use std::collections::BTreeMap;

use capture::{Frame, LinkType};
use engine::{Input, Options, Source, Stop};
use features::{Make, Row, Value, Which};
use gwcore::time::{MINUTE, SECOND};
use gwcore::{Limits, Ts};
use testkit::{Session, Stack};

/// Frames with their times.
struct Given {
    frames: Vec<(i64, Vec<u8>)>,
    next: usize,
}

impl Source for Given {
    fn next(&mut self) -> Option<Input<'_>> {
        let (ts, data) = self.frames.get(self.next)?;
        self.next += 1;
        let (n, link) = (self.next as u64, LinkType::ETHERNET);
        Some(Input::Frame(Frame {
            seq: n - 1,
            ts: Ts(*ts),
            file: 0,
            number: n,
            interface: 0,
            link,
            wire_len: data.len() as u32,
            data,
        }))
    }
    fn interfaces(&self) -> &[String] {
        &[]
    }
}

const START: i64 = 1_767_600_000 * SECOND;

fn rows_on(threads: usize, which: Which, frames: Vec<(i64, Vec<u8>)>) -> Vec<Row> {
    let limits = Limits::default();
    let flow = flow::Options { stats: true, ..flow::Options::default() };
    let options = Options {
        threads,
        limits: limits.clone(),
        detail: gwcore::Detail::Summary,
        packet: packet::Options::default(),
        flow,
        batch_time: Options::FILES,
        stop: Stop::default(),
    };
    let mut rows = Vec::new();
    let mut make = Make::new(which, &limits, |new: &[Row]| {
        rows.extend_from_slice(new);
        Ok(())
    });
    engine::analyze(&mut Given { frames, next: 0 }, &options, &mut make).unwrap();
    drop(make);
    rows
}

fn rows(which: Which, frames: Vec<(i64, Vec<u8>)>) -> Vec<Row> {
    rows_on(1, which, frames)
}

fn named(which: Which, row: &Row) -> BTreeMap<String, Value> {
    which.family().features.iter().map(|f| f.name.to_string()).zip(row.values.iter().copied()).collect()
}

fn number(which: Which, row: &Row, name: &str) -> f64 {
    match named(which, row).get(name) {
        Some(Value::Number(x)) => *x,
        other => panic!("`{name}` is {other:?}"),
    }
}

fn flow_of(s: &Session) -> Vec<Row> {
    rows(Which::Flow, s.frames.clone())
}

fn of(row: &Row, name: &str) -> f64 {
    number(Which::Flow, row, name)
}

#[test]
fn a_flow_ends_with_both_fins_and_its_teardown_is_no_flow_of_its_own() {
    let mut s = Session::new(START, 502);
    s.open().client(b"question").server(b"answer").close();
    let all = flow_of(&s);
    assert_eq!(all.len(), 1);
    assert_eq!(of(&all[0], "bidirectional_packets"), s.frames.len() as f64);
    assert_eq!(of(&all[0], "bidirectional_fin_packets"), 2.0);
}

#[test]
fn a_reset_ends_a_flow_and_the_next_on_the_same_ports_is_another() {
    let mut s = Session::new(START, 502);
    s.open().client(b"one").reset(true).wait(10 * SECOND).open().client(b"two").close();
    let all = flow_of(&s);
    assert_eq!(all.len(), 2);
    assert_eq!(all.iter().map(|r| of(r, "bidirectional_rst_packets")).collect::<Vec<_>>(), [1.0, 0.0]);
}

#[test]
fn activity_and_idleness_are_durations_and_never_moments() {
    let mut s = Session::new(START, 502);
    s.open().client(b"a").wait(20 * SECOND).client(b"b").close();
    let row = &flow_of(&s)[0];
    assert!((19_000.0..21_000.0).contains(&of(row, "max_idle_ms")), "{}", of(row, "max_idle_ms"));
    assert!(of(row, "max_active_ms") < 1_000.0);
    assert_eq!(of(row, "subflows"), 2.0);
}

#[test]
fn flags_are_counted_in_every_packet_and_by_direction() {
    let mut s = Session::new(START, 502);
    s.open().client(b"a").client(b"b").client(b"c").server(b"d").close();
    let row = &flow_of(&s)[0];
    let psh = ["bidirectional", "src2dst", "dst2src"].map(|d| of(row, &format!("{d}_psh_packets")));
    assert_eq!(psh, [4.0, 3.0, 1.0]);
    assert_eq!(of(row, "src2dst_syn_packets"), 1.0);
    assert_eq!(of(row, "dst2src_syn_packets"), 1.0);
}

#[test]
fn no_name_stands_twice_and_no_identity_is_a_feature() {
    for (which, _) in Which::ALL {
        let names: Vec<String> = which.family().features.iter().map(|f| f.name.to_string()).collect();
        let mut different = names.clone();
        different.sort();
        different.dedup();
        assert_eq!(different.len(), names.len());
        let barred = [
            "ts", "end", "src", "dst", "uid", "ttl", "src_ip", "dst_ip", "src_port", "dst_port", "src_mac", "file",
            "frame",
        ];
        assert!(!names.iter().any(|n| barred.contains(&n.as_str())), "{names:?}");
        for f in which.family().features {
            assert!(!f.doc.is_empty() && !f.source.is_empty() && f.doc.ends_with('.'), "{}: `{}`", f.name, f.doc);
        }
    }
}

#[test]
fn shares_and_means_are_not_cut_to_whole_numbers() {
    let mut s = Session::new(START, 502);
    s.acks = false;
    s.open().client(b"a").client(b"bb").server(b"c");
    let row = &flow_of(&s)[0];
    // Four packets of the client, two of the server.
    assert_eq!(of(row, "down_up_ratio"), 0.5);
    assert!((of(row, "src2dst_mean_ps") - (44.0 + 40.0 + 41.0 + 42.0) / 4.0).abs() < 1e-9);
}

#[test]
fn lengths_are_those_of_ip_packets_and_payload_stands_beside() {
    let mut s = Session::new(START, 502);
    s.acks = false;
    s.open().client(&[7; 100]);
    let row = &flow_of(&s)[0];
    assert_eq!(of(row, "src2dst_max_ps"), 140.0);
    assert_eq!((of(row, "src2dst_payload_bytes"), of(row, "src2dst_data_packets")), (100.0, 1.0));
    assert_eq!(of(row, "src2dst_header_bytes"), 44.0 + 40.0 + 40.0);
}

#[test]
fn the_first_window_of_each_side_stays() {
    let mut s = Session::new(START, 502);
    (s.client.window, s.server.window) = (1_000, 2_000);
    s.open();
    (s.client.window, s.server.window) = (3_000, 4_000);
    s.client(b"a").server(b"b").close();
    let row = &flow_of(&s)[0];
    assert_eq!((of(row, "src2dst_init_window"), of(row, "dst2src_init_window")), (1_000.0, 2_000.0));
}

#[test]
fn every_packet_is_counted_once_and_who_answers_is_no_originator() {
    let mut s = Session::new(START, 502);
    s.open().client(b"a").server(b"b").close();
    // The capture begins with the SYN-ACK.
    s.frames.remove(0);
    let row = &flow_of(&s)[0];
    let n = s.frames.len() as f64;
    assert_eq!(of(row, "bidirectional_packets"), n);
    assert_eq!(of(row, "src2dst_packets") + of(row, "dst2src_packets"), n);
    assert_eq!(row.identity.src.to_string(), "10.0.0.1");
}

#[test]
fn one_packet_is_a_row_without_rates_and_without_pauses() {
    let frame =
        Stack::new().eth([2, 0, 0, 0, 0, 1], [2, 0, 0, 0, 0, 2]).ipv4([10, 0, 0, 1], [10, 0, 0, 2]).udp(4_000, 5_000);
    let all = rows(Which::Flow, vec![(START, frame.payload(b"one").bytes())]);
    assert_eq!(all.len(), 1);
    let row = named(Which::Flow, &all[0]);
    for name in [
        "bidirectional_packets_per_s",
        "bidirectional_bytes_per_s",
        "bidirectional_mean_piat_ms",
        "bidirectional_stddev_ps",
        "dst2src_mean_ps",
        "mean_idle_ms",
    ] {
        assert_eq!(row[name], Value::Null, "{name}");
    }
    assert!(all[0].values.iter().all(|v| !matches!(v, Value::Number(x) if !x.is_finite())));
}

#[test]
fn a_long_flow_comes_in_parts_of_five_minutes_that_add_up() {
    let mut s = Session::new(START, 502);
    s.open();
    for _ in 0..20 {
        s.client(b"poll").server(b"value").wait(MINUTE);
    }
    s.close();
    let all = flow_of(&s);
    assert!(all.len() >= 4, "{}", all.len());
    assert_eq!(all.iter().map(|r| of(r, "bidirectional_packets")).sum::<f64>(), s.frames.len() as f64);
    assert!(all.iter().all(|r| r.identity.uid == all[0].identity.uid && of(r, "bidirectional_packets") > 0.0));
}

#[test]
fn version_six_tags_and_time_that_goes_back_are_no_trouble() {
    let mut s = Session::new(START, 502);
    s.client.ip = "fd00::1".parse().unwrap();
    s.server.ip = "fd00::2".parse().unwrap();
    s.vlans = vec![7];
    s.open().client(b"a").server(b"b").close();
    s.frames[4].0 -= 3_000_000;
    let all = flow_of(&s);
    assert_eq!(all.len(), 1);
    assert_eq!(named(Which::Flow, &all[0])["proto"], Value::Word("tcp"));
    assert_eq!(of(&all[0], "bidirectional_min_piat_ms"), 0.0);
}

/// A master that reads for twenty minutes; a stranger that looks for port 502 in the sixteenth and writes in the seventeenth.
fn day() -> Vec<(i64, Vec<u8>)> {
    let mut frames = Vec::new();
    let mut master = Session::new(START, 502);
    master.open();
    for n in 0..120u16 {
        let [a, b] = n.to_be_bytes();
        master.client(&[a, b, 0, 0, 0, 6, 1, 3, 0, 0, 0, 2]);
        master.server(&[a, b, 0, 0, 0, 7, 1, 3, 4, 0, (n % 9) as u8, 0, 7]).wait(10 * SECOND - 4_000_000);
    }
    frames.append(&mut master.frames);
    for host in 10..60u8 {
        let mut probe = Session::new(START + 15 * MINUTE + i64::from(host) * 100_000_000, 502);
        probe.client.ip = std::net::Ipv4Addr::new(10, 0, 0, 9).into();
        probe.server.ip = std::net::Ipv4Addr::new(10, 0, 0, host).into();
        probe.segment(true, 2, &[]);
        frames.append(&mut probe.frames);
    }
    let mut write = Session::new(START + 16 * MINUTE, 502);
    write.client.ip = std::net::Ipv4Addr::new(10, 0, 0, 9).into();
    write
        .open()
        .client(&[0, 1, 0, 0, 0, 6, 1, 5, 0, 3, 0xff, 0])
        .server(&[0, 1, 0, 0, 0, 6, 1, 5, 0, 3, 0xff, 0])
        .close();
    frames.append(&mut write.frames);
    frames.sort();
    frames
}

#[test]
fn a_scan_and_a_strangers_command_stand_out_in_their_minutes() {
    let all = rows(Which::Host, day());
    let at = |minute: i64, host: &str| {
        all.iter().find(|r| r.identity.ts.0 == START + minute * MINUTE && features::address(r.identity.src) == host)
    };
    let n = |row: &Row, name: &str| number(Which::Host, row, name);
    let scan = at(15, "10.0.0.9").unwrap();
    assert_eq!((n(scan, "contacted"), n(scan, "new_peers"), n(scan, "ports")), (50.0, 50.0, 1.0));
    let write = at(16, "10.0.0.9").unwrap();
    assert_eq!(
        (n(write, "controls_sent"), n(write, "new_points_commanded"), n(write, "devices_commanded")),
        (1.0, 1.0, 1.0)
    );
    let usual = at(14, "10.0.0.1").unwrap();
    assert_eq!((n(usual, "reads_sent"), n(usual, "new_peers"), n(usual, "controls_sent")), (6.0, 0.0, 0.0));
    assert!(n(usual, "packets_out") >= 12.0, "{}", n(usual, "packets_out"));
    // Nothing is called new before something could be known.
    assert_eq!(named(Which::Host, at(2, "10.0.0.1").unwrap())["new_peers"], Value::Null);
    let pairs = rows(Which::Ot, day());
    let odd = pairs.iter().find(|r| features::address(r.identity.src) == "10.0.0.9").unwrap();
    let n = |name: &str| number(Which::Ot, odd, name);
    assert_eq!((n("is_new_pair"), n("control_share"), n("clients")), (1.0, 1.0, 2.0));
    let usual = pairs.iter().find(|r| r.identity.ts.0 == START + 14 * MINUTE).unwrap();
    let n = |name: &str| number(Which::Ot, usual, name);
    assert_eq!((n("requests"), n("read_share"), n("is_new_pair")), (6.0, 1.0, 0.0));
    assert!(n("poll_jitter") < 0.01 && n("packets_client") > 0.0);
    // The answer to a read is no fact: only those to commands, and refusals, are timed.
    assert_eq!(named(Which::Ot, usual)["response_ms"], Value::Null);
}

#[test]
fn threads_change_no_row() {
    for (which, _) in Which::ALL {
        let one = rows_on(1, *which, day());
        assert!(!one.is_empty());
        for threads in [2, 3] {
            assert!(rows_on(threads, *which, day()) == one, "{} on {threads} threads", which.name());
        }
    }
}
