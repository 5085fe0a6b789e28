//! Reassembly of IP fragments: orders, overlaps, odd fragments, limits.

use capture::LinkType;
use gwcore::time::{MILLI, SECOND};
use gwcore::{Limit, Limits};
use packet::{Decoder, Incomplete, Options, Outcome, Transport};
use testkit::*;

use crate::fixtures::{A, B, IP1, IP2, v6};
use crate::{decoder, frame_of, small};

fn data(len: usize) -> Vec<u8> {
    (0..len).map(|i| (i * 7 % 251) as u8).collect()
}

fn udp4(id: u16, len: usize) -> Stack {
    let ip = Ipv4 { src: IP1.into(), dst: IP2.into(), id, ..Ipv4::default() };
    Stack::new().eth(A, B).add(ip).udp(5_000, 6_000).payload(&data(len))
}

fn udp6(len: usize) -> Stack {
    Stack::new().eth(A, B).ipv6(v6(1), v6(2)).udp(5_000, 6_000).payload(&data(len))
}

/// One raw IPv4 fragment of a UDP datagram with identification 9.
fn piece(offset: u16, mf: bool, bytes: &[u8]) -> Vec<u8> {
    let ip = Ipv4 { src: IP1.into(), dst: IP2.into(), id: 9, offset, mf, proto: Some(17), ..Ipv4::default() };
    Stack::new().eth(A, B).add(ip).payload(bytes).bytes()
}

/// Feeds frames; the payload of the packet that came out last, and all anomalies.
fn feed(decoder: &mut Decoder, frames: &[Vec<u8>]) -> (Option<Vec<u8>>, Vec<&'static str>) {
    let (mut payload, mut anomalies) = (None, Vec::new());
    for (i, f) in frames.iter().enumerate() {
        let d = decoder.decode(&frame_of(LinkType::ETHERNET, i as i64 * 3 * MILLI, f));
        anomalies.extend(d.anomalies.iter());
        match d.outcome {
            Outcome::Packet => payload = Some(d.payload.to_vec()),
            outcome => assert_eq!(outcome, Outcome::Fragment),
        }
    }
    (payload, anomalies)
}

#[test]
fn any_order_and_repeats() {
    for stack in [udp4(1, 100), udp6(100)] {
        let pieces = stack.fragments(40);
        assert_eq!(pieces.len(), 3);
        for order in [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] {
            let frames: Vec<_> = order.iter().map(|i| pieces[*i].clone()).collect();
            assert_eq!(feed(&mut decoder(), &frames), (Some(data(100)), vec![]), "{order:?}");
            let doubled = [&frames[..2], &frames[..]].concat();
            assert_eq!(feed(&mut decoder(), &doubled), (Some(data(100)), vec![]), "{order:?}");
        }
    }
}

#[test]
fn the_packet_is_that_of_the_datagram() {
    let mut decoder = decoder();
    let pieces = udp4(1, 100).fragments(40);
    for p in &pieces[..2] {
        let d = decoder.decode(&frame_of(LinkType::ETHERNET, 0, p));
        assert_eq!((d.outcome, d.packet.transport, d.payload), (Outcome::Fragment, Transport::Other, &[][..]));
    }
    let p = decoder.decode(&frame_of(LinkType::ETHERNET, 0, &pieces[2])).packet;
    assert_eq!(p.transport, Transport::Udp { src_port: 5_000, dst_port: 6_000 });
    assert_eq!((p.fragments, p.ip_len, p.payload_len, p.ip_proto), (3, 20 + 108, 100, 17));
    assert_eq!(p.checksum_ok, Some(true));
    assert_eq!(decoder.fragment_counts().whole, 1);
    assert_eq!(decoder.fragment_counts().waiting, 0);
}

#[test]
fn the_first_copy_of_an_overlap_stays() {
    let head = [0x13, 0x88, 0x17, 0x70, 0, 32, 0, 0];
    let frames = [piece(0, true, &[&head[..], &[1; 8]].concat()), piece(1, true, &[2; 16]), piece(2, false, &[3; 16])];
    let (payload, anomalies) = feed(&mut decoder(), &frames);
    assert_eq!(payload.unwrap(), [[1; 8], [2; 8], [3; 8]].concat());
    assert_eq!(anomalies, ["fragment_overlap", "fragment_overlap"]);
}

#[test]
fn overlapping_fragments_of_ipv6_give_the_datagram_up() {
    let piece = |offset, more, bytes: &[u8]| {
        let header = Extension::Fragment { offset, more, id: 4, next: Some(17) };
        Stack::new().eth(A, B).ipv6(v6(1), v6(2)).add(header).payload(bytes).bytes()
    };
    let frames =
        [piece(0, true, &[1; 16]), piece(1, true, &[2; 16]), piece(2, false, &[3; 16]), piece(1, true, &[2; 8])];
    let mut decoder = decoder();
    assert_eq!(feed(&mut decoder, &frames), (None, vec!["fragment_overlap"]));
    assert_eq!((decoder.fragment_counts().given_up, decoder.fragment_counts().waiting), (1, 0));
}

#[test]
fn odd_fragments_are_named_and_left_out() {
    let check = |frames: &[Vec<u8>], want: &[&str]| {
        let (payload, anomalies) = feed(&mut decoder(), frames);
        assert_eq!((payload, &anomalies[..]), (None, want));
    };
    check(&[piece(0, true, &[1; 7])], &["fragment_tiny", "fragment_bad_length"]);
    check(&[piece(0, true, &[1; 12])], &["fragment_bad_length"]);
    check(&[piece(1, true, &[])], &["fragment_empty"]);
    check(&[piece(8_191, false, &[1; 8])], &["fragment_oversized"]);
    check(&[piece(8_191, false, &[1; 7])], &[]);
    check(&[piece(1, false, &[1; 8]), piece(3, true, &[1; 8])], &["fragment_end_conflict"]);
    check(&[piece(3, true, &[1; 8]), piece(1, false, &[1; 8])], &["fragment_end_conflict"]);
    check(&[piece(1, false, &[1; 8]), piece(1, false, &[1; 16])], &["fragment_end_conflict"]);
    let whole = piece(0, true, &[1; 64]);
    let mut cut = frame_of(LinkType::ETHERNET, 0, &whole[..60]);
    cut.wire_len = whole.len() as u32;
    let mut decoder = decoder();
    assert_eq!(decoder.decode(&cut).anomalies.iter().collect::<Vec<_>>(), ["fragment_cut"]);
}

#[test]
fn a_fragment_is_cut_at_a_multiple_of_eight_and_at_the_known_end() {
    let head = [0x13, 0x88, 0x17, 0x70, 0, 32, 0, 0];
    let frames = [piece(2, false, &[3; 16]), piece(0, true, &[&head[..], &[1; 3]].concat()), piece(1, true, &[2; 40])];
    let (payload, anomalies) = feed(&mut decoder(), &frames);
    assert_eq!(payload.unwrap(), [&[2; 8][..], &[3; 16]].concat());
    assert_eq!(anomalies, ["fragment_bad_length", "fragment_end_conflict", "fragment_overlap"]);
}

#[test]
fn a_datagram_waits_sixty_seconds() {
    let pieces = udp4(1, 60).fragments(40);
    let outcome = |later: i64| {
        let mut decoder = decoder();
        decoder.decode(&frame_of(LinkType::ETHERNET, 0, &pieces[0]));
        let outcome = decoder.decode(&frame_of(LinkType::ETHERNET, later, &pieces[1])).outcome;
        (outcome, decoder.fragment_counts().expired)
    };
    assert_eq!(outcome(60 * SECOND), (Outcome::Packet, 0));
    assert_eq!(outcome(60 * SECOND + 1), (Outcome::Fragment, 1));
}

#[test]
fn a_protocol_or_vlan_apart_is_another_datagram() {
    let pieces = udp4(1, 60).fragments(40);
    let tagged = Stack::new()
        .add(Eth { src: A, dst: B, ethertype: Some(0x8100) })
        .payload(&[0, 7, 8, 0])
        .payload(&pieces[1][14..])
        .bytes();
    assert_eq!(feed(&mut decoder(), &[pieces[0].clone(), tagged]).0, None);
}

#[test]
fn fragments_per_datagram_on_both_sides() {
    let mut limits = Limits::default();
    limits.set(Limit::FragmentsPerDatagram, 3);
    let run = |pieces: usize| {
        let mut decoder = Decoder::new(&limits, Options::default(), 1);
        let frames = udp4(1, pieces * 8 - 8).fragments(8);
        assert_eq!(frames.len(), pieces);
        let whole = feed(&mut decoder, &frames).0.is_some();
        (whole, decoder.limit_hits().count(Limit::FragmentsPerDatagram), decoder.fragment_counts().given_up)
    };
    assert_eq!(run(3), (true, 0, 0));
    assert_eq!(run(4), (false, 1, 1));
}

#[test]
fn datagrams_under_reassembly_on_both_sides() {
    let run = |others: u16| {
        let mut limits = Limits::default();
        limits.set(Limit::FragmentDatagrams, 3);
        let mut decoder = Decoder::new(&limits, Options::default(), 1);
        let wanted = udp4(1, 60).fragments(40);
        let mut frames = vec![wanted[0].clone()];
        frames.extend((0..others).map(|n| udp4(n + 2, 60).fragments(40).swap_remove(0)));
        frames.push(wanted[1].clone());
        (feed(&mut decoder, &frames).0.is_some(), decoder.limit_hits().count(Limit::FragmentDatagrams))
    };
    assert_eq!(run(2), (true, 0));
    // The wanted one was the oldest and is given up; its second half then pushes out another.
    assert_eq!(run(3), (false, 2));
}

#[test]
fn bytes_under_reassembly_on_both_sides() {
    let run = |bytes: usize| {
        let mut limits = Limits::default();
        limits.set(Limit::FragmentBytes, bytes);
        let mut decoder = Decoder::new(&limits, Options::default(), 1);
        let wanted = udp4(1, 60).fragments(40);
        let other = udp4(2, 60).fragments(40).swap_remove(0);
        let frames = [wanted[0].clone(), other, wanted[1].clone()];
        (feed(&mut decoder, &frames).0.is_some(), decoder.limit_hits().count(Limit::FragmentBytes))
    };
    // Two fragments of 40 bytes and 64 of overhead each.
    assert_eq!(run(208), (true, 0));
    assert_eq!(run(207), (false, 1));
}

#[test]
fn exhaustion_keeps_memory_flat() {
    let mut decoder = small();
    for n in 0..20_000u32 {
        let ip = Ipv4 {
            src: n.into(),
            dst: IP2.into(),
            id: n as u16,
            mf: true,
            offset: (n % 64) as u16,
            proto: Some(17),
            ..Ipv4::default()
        };
        let bytes = Stack::new().eth(A, B).add(ip).payload(&[n as u8; 1_000]).bytes();
        decoder.decode(&frame_of(LinkType::ETHERNET, i64::from(n), &bytes));
        assert!(decoder.fragment_counts().waiting <= 40);
    }
    let counts = decoder.fragment_counts();
    assert_eq!((counts.whole, counts.given_up + counts.waiting), (0, 20_000));
    assert_eq!(counts.waiting, 40);
}

#[test]
fn fragments_inside_a_tunnel_whose_packet_is_fragmented() {
    let inner = udp4(3, 200).fragments(104);
    let outer = |id, bytes: &[u8]| {
        let ip = Ipv4 { src: [1; 4].into(), dst: [2; 4].into(), id, proto: Some(4), ..Ipv4::default() };
        Stack::new().eth(A, B).add(ip).payload(&bytes[14..]).fragments(64)
    };
    let mut frames = outer(1, &inner[0]);
    frames.extend(outer(2, &inner[1]));
    assert_eq!(feed(&mut decoder(), &frames), (Some(data(200)), vec![]));
}

/// Feeds frames a second apart, then ends; what did not become whole, with the frame that settled it (0: the end).
fn incomplete(
    limits: &Limits,
    frames: &[Vec<u8>],
    apart: i64,
) -> Vec<(usize, u64, u16, u32, Option<u32>, &'static str)> {
    let mut decoder = Decoder::new(limits, Options::default(), 1);
    let mut all = Vec::new();
    let row = |at: usize, i: &Incomplete| (at, i.packet.number, i.fragments, i.bytes, i.whole, i.reason);
    for (i, f) in frames.iter().enumerate() {
        let mut frame = frame_of(LinkType::ETHERNET, i as i64 * apart, f);
        frame.number = i as u64 + 1;
        decoder.decode(&frame);
        all.extend(decoder.incomplete().iter().map(|x| row(i + 1, x)));
    }
    all.extend(decoder.finish().iter().map(|x| row(0, x)));
    assert_eq!(decoder.fragment_counts().waiting, 0);
    assert!(decoder.finish().is_empty());
    all
}

#[test]
fn each_datagram_that_is_not_whole_is_told_once() {
    let limits = Limits::default();
    let [first, second, last] = [0, 1, 2].map(|i| udp4(1, 100).fragments(40).swap_remove(i));
    let check = |frames: &[&Vec<u8>], apart, expect: &[_]| {
        let frames: Vec<_> = frames.iter().map(|f| (*f).clone()).collect();
        assert_eq!(incomplete(&limits, &frames, apart), expect);
    };
    let end = "the input ended";
    check(&[&first, &second, &last], SECOND, &[]);
    check(&[&first, &second], SECOND, &[(0, 1, 2, 80, None, end)]);
    check(&[&last, &first], SECOND, &[(0, 1, 2, 68, Some(108), end)]);
    // The other half comes a nanosecond too late and begins a datagram of its own.
    let late = 60 * SECOND + 1;
    check(&[&first, &last], late, &[(2, 1, 1, 40, None, "not whole after 60 s"), (0, 2, 1, 28, Some(108), end)]);
    check(&[&first, &last], 60 * SECOND, &[(0, 1, 2, 68, Some(108), end)]);
    // What was given up is not told again at the end.
    let six = udp6(100).fragments(40);
    let mut other = six[0].clone();
    *other.last_mut().unwrap() ^= 1;
    check(&[&six[0], &other, &six[1]], SECOND, &[(2, 1, 2, 40, None, "fragments contradict each other")]);
}

#[test]
fn what_limits_push_out_is_told() {
    let mut limits = Limits::default();
    limits.set(Limit::FragmentDatagrams, 2);
    let heads: Vec<_> = (1..=3).map(|id| udp4(id, 60).fragments(40).swap_remove(0)).collect();
    let told = incomplete(&limits, &heads, SECOND);
    let reasons: Vec<_> = told.iter().map(|t| (t.0, t.1, t.5)).collect();
    assert_eq!(reasons, [(3, 1, "pushed out by others"), (0, 2, "the input ended"), (0, 3, "the input ended")]);
    limits.set(Limit::FragmentsPerDatagram, 2);
    let told = incomplete(&limits, &udp4(1, 40).fragments(8), SECOND);
    assert_eq!(told.iter().map(|t| (t.0, t.2, t.5)).collect::<Vec<_>>(), [(3, 3, "too many fragments")]);
}
