//! Mirrored twins.

use capture::LinkType;
use gwcore::time::MILLI;
use gwcore::{Limit, Limits};
use packet::{Decoder, Options, Outcome};
use testkit::*;

use crate::fixtures::{A, B, C, IP1, IP2};
use crate::{decoder, frame_of};

/// Decodes frames at their times; which of them are twins.
fn twins(decoder: &mut Decoder, frames: &[(i64, Vec<u8>)]) -> Vec<bool> {
    frames.iter().map(|(ts, f)| decoder.decode(&frame_of(LinkType::ETHERNET, *ts, f)).packet.twin).collect()
}

fn check(frames: &[(i64, Stack)], want: &[bool]) {
    let frames: Vec<_> = frames.iter().map(|(ts, s)| (*ts, s.bytes())).collect();
    assert_eq!(twins(&mut decoder(), &frames), want);
}

fn udp(n: u8) -> Stack {
    Stack::new().eth(A, B).ipv4(IP1, IP2).udp(1, 2).payload(&[n; 30])
}

#[test]
fn the_window_is_two_milliseconds_from_the_first() {
    check(&[(0, udp(1)), (2 * MILLI, udp(1))], &[false, true]);
    check(&[(0, udp(1)), (2 * MILLI + 1, udp(1))], &[false, false]);
    check(&[(5, udp(1)), (4, udp(1))], &[false, false]);
}

#[test]
fn another_window_and_none() {
    let run = |twin_window_ns, later| {
        let mut decoder = Decoder::new(&Limits::default(), Options { twin_window_ns, ..Options::default() }, 1);
        twins(&mut decoder, &[(0, udp(1).bytes()), (later, udp(1).bytes())])
    };
    assert_eq!(run(5 * MILLI, 5 * MILLI), [false, true]);
    assert_eq!(run(0, 0), [false, true]);
    assert_eq!(run(-1, 0), [false, false]);
}

#[test]
fn two_twins_at_most() {
    check(&[(0, udp(1)), (1, udp(1)), (2, udp(1)), (3, udp(1)), (4, udp(1))], &[false, true, true, false, false]);
    check(&[(0, udp(1)), (3 * MILLI, udp(1)), (3 * MILLI + 1, udp(1))], &[false, false, true]);
}

#[test]
fn one_bit_or_one_mac_makes_another_frame() {
    check(&[(0, udp(1)), (1, udp(2))], &[false, false]);
    let other = Stack::new().eth(C, B).ipv4(IP1, IP2).udp(1, 2).payload(&[1; 30]);
    check(&[(0, udp(1)), (1, other)], &[false, false]);
    let swapped = Stack::new().eth(B, A).ipv4(IP1, IP2).udp(1, 2).payload(&[1; 30]);
    check(&[(0, udp(1)), (1, swapped)], &[false, false]);
}

#[test]
fn a_vlan_tag_aside() {
    let tagged = Stack::new().eth(A, B).vlan(7).ipv4(IP1, IP2).udp(1, 2).payload(&[1; 30]);
    check(&[(0, udp(1)), (1, tagged)], &[false, true]);
}

#[test]
fn arp_and_link_protocols_are_never_twins() {
    let arp = || Stack::new().eth(A, B).add(Arp::default());
    check(&[(0, arp()), (1, arp())], &[false, false]);
    let goose = || Stack::new().add(Eth { src: A, dst: B, ethertype: Some(0x88b8) }).payload(&[1; 40]);
    check(&[(0, goose()), (1, goose())], &[false, false]);
}

#[test]
fn twins_of_fragments_never_reach_reassembly() {
    let stack = udp(1).fragments(16);
    let mut decoder = decoder();
    let mut outcomes = Vec::new();
    for piece in stack.iter().flat_map(|p| [p, p]) {
        let d = decoder.decode(&frame_of(LinkType::ETHERNET, 0, piece));
        outcomes.push((d.outcome, d.packet.twin, d.anomalies.is_empty()));
    }
    let (f, p) = (Outcome::Fragment, Outcome::Packet);
    let want = [(f, false), (f, true), (f, false), (f, true), (p, false), (f, true)].map(|(o, t)| (o, t, true));
    assert_eq!(outcomes, want);
}

#[test]
fn a_table_of_one_forgets_and_the_seed_changes_nothing() {
    let frames: Vec<_> = [1, 2, 1, 1, 2, 2].iter().map(|n| (0, udp(*n).bytes())).collect();
    let mut limits = Limits::default();
    limits.set(Limit::TwinFrames, 1);
    for seed in [0, 1, u64::MAX] {
        let mut decoder = Decoder::new(&limits, Options::default(), seed);
        assert_eq!(twins(&mut decoder, &frames), [false, false, false, true, false, true]);
    }
}
