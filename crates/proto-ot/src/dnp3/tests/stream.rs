//! Streams: recognition, segments, damage, gaps, splits; and limits at a hundredth.

use gwcore::time::MILLI;
use gwcore::{Limit, Limits};
use proto::{Carrier, Dir, Hint, Parser, Probe, testing::Bench};

use super::{Set, ask, bench, frame, hex, only, segments, sum, tell};
use crate::dnp3::{Dnp3, link};

/// As long as an answer waits for a request that was captured after it.
const PATIENCE: i64 = 50 * MILLI;

/// An answer of many points, long enough for several frames.
fn long_answer() -> Vec<u8> {
    let mut fragment = hex("c1 81 0000 1e02 01 0000 c700");
    for i in 0..200u16 {
        fragment.push(1);
        fragment.extend(i.to_le_bytes());
    }
    fragment
}

fn reasons(b: &Bench<Set>) -> Vec<String> {
    only(&b.rows("anomaly"), &["reason"])
}

#[test]
fn crc_of_the_standard() {
    assert_eq!(sum(&hex("0564 05 c0 0100 0004")), [0xe9, 0x21]);
    assert_eq!(link::crc(&hex("0564 05 c0 0100 0004")).to_le_bytes(), [0xe9, 0x21]);
    assert_eq!(link::crc(&[0; 4]), 0xffff);
}

#[test]
fn recognised_by_content() {
    let check = |head: &[u8], port: u16, from_start: bool, expect: Probe| {
        let hint = Hint { carrier: Carrier::Stream, src_port: 40_000, dst_port: port, from_start };
        assert_eq!(Dnp3::probe(head, &hint), expect, "{head:02x?} on {port}");
    };
    let good = ask(1, "c1 01 3c02 06");
    check(&good, 20_001, true, Probe::Certain);
    check(&good[..10], 20_001, true, Probe::Certain);
    check(&good[..9], 20_001, true, Probe::Unsure);
    check(&good[..1], 20_000, true, Probe::Unsure);
    check(b"\x05\x65 something else", 20_000, true, Probe::No);
    check(b"GET / HTTP/1.1\r\n\r\n", 20_000, true, Probe::No);
    let mut bad = good.clone();
    bad[8] ^= 1;
    check(&bad, 20_001, true, Probe::No);
    check(&bad, 20_000, true, Probe::Certain);
    let mut short = hex("0564 04 c4 0400 0300");
    short.extend(sum(&short));
    check(&short, 20_001, true, Probe::No);
    let middle = [&b"rest of a frame"[..], &good].concat();
    check(&middle, 20_001, false, Probe::Certain);
    check(&middle, 20_001, true, Probe::Maybe);
}

#[test]
fn segments_become_a_fragment() {
    let mut b = bench();
    b.client(&ask(1, "c1 01 3c02 06"));
    for part in segments(0x44, 3, 4, 62, &long_answer(), 249) {
        b.server(&part);
    }
    let rows = only(&b.rows("dnp3"), &["transport_seq", "segments", "function_code", "pair"]);
    assert_eq!(rows, ["2 < 62", "3 < 63", "1 > 1 1 1 4", "4 < 0 3 129 1"]);
    let objects = only(&b.rows("dnp3_object"), &["index", "value"]);
    assert_eq!((objects.len(), objects[200].as_str()), (201, "4 < 199 199"));
    assert!(reasons(&b).is_empty());
}

#[test]
fn fragments_of_two_outstations_interleave() {
    let mut b = bench();
    let [a, c] = [4, 5].map(|src| segments(0x44, 3, src, 9, &long_answer(), 200));
    for (x, y) in a.iter().zip(&c) {
        b.server(x).server(y);
    }
    b.wait(PATIENCE);
    let whole = only(&b.rows("dnp3"), &["link_src", "segments"]);
    assert_eq!(whole.iter().filter(|r| r.ends_with(" 4 4") || r.ends_with(" 5 4")).count(), 2, "{whole:?}");
    assert_eq!(b.rows("dnp3_object").len(), 400);
    assert!(reasons(&b).is_empty());
}

#[test]
fn segments_that_do_not_fit_are_named() {
    let parts = segments(0x44, 3, 4, 1, &long_answer(), 200);
    let run = |order: &[usize]| {
        let mut b = bench();
        order.iter().for_each(|i| {
            b.server(&parts[*i]);
        });
        b.close();
        (b.rows("dnp3").len(), b.rows("dnp3_object").len(), reasons(&b))
    };
    assert_eq!(run(&[0, 2, 3]).2, ["2 < segment_out_of_sequence", "3 < segment_without_first"]);
    assert_eq!(run(&[1, 2, 3]).0, 3, "each frame keeps its row");
    assert_eq!(run(&[0, 1]), (2, 0, vec!["3 > fragment_unfinished".into()]));
    let (rows, objects, names) = run(&[0, 0, 1, 2, 3]);
    assert_eq!((rows, objects, names), (5, 200, vec!["2 < fragment_unfinished".to_string()]));
}

#[test]
fn a_gap_in_a_fragment_gives_it_up_and_the_next_is_read() {
    let parts = segments(0x44, 3, 4, 1, &long_answer(), 200);
    let mut b = bench();
    b.server(&parts[0]).gap(Dir::Resp, 215).server(&parts[2]).server(&tell(7, "c2 81 0000")).wait(PATIENCE);
    let rows = only(&b.rows("dnp3"), &["transport_seq", "function_code"]);
    assert_eq!(rows, ["1 < 1", "3 < 3", "4 < 7 129"]);
    let mut b = bench();
    b.server(&parts[0]).gap(Dir::Resp, 5).server(&parts[1][100..]).server(&tell(7, "c2 81 0000")).wait(PATIENCE);
    assert_eq!(only(&b.rows("dnp3"), &["function_code"]), ["1 <", "4 < 129"]);
    assert!(reasons(&b).is_empty(), "a gap is known already: {:?}", reasons(&b));
}

#[test]
fn damage_is_named_and_what_follows_is_read() {
    let run = |bytes: &[u8]| {
        let mut b = bench();
        b.client(&ask(0, "c0 00")).client(bytes).client(&ask(2, "c2 00")).close();
        (only(&b.rows("dnp3"), &["crc_ok", "transport_seq", "function_code"]), reasons(&b))
    };
    let good = ask(1, "c1 00");
    let mut data = good.clone();
    data[11] ^= 1;
    assert_eq!(run(&data).0, ["1 > true 0 0", "2 > false 1", "3 > true 2 0"]);
    assert_eq!(run(&data).1, ["2 > crc_error"]);
    let mut head = good.clone();
    head[3] ^= 1;
    assert_eq!(run(&head), (vec!["1 > true 0 0".into(), "3 > true 2 0".into()], vec!["2 > header_crc_error".into()]));
    assert_eq!(run(b"garbage").1, ["2 > not_a_frame"]);
    let (rows, names) = run(&ask(1, "c1 01 3c01 06 3c02 06 3c03 06 3c04 06")[..15]);
    assert_eq!(rows, ["1 > true 0 0", "3 > false 1", "3 > true 2 0"], "a frame that another one cuts short");
    assert_eq!(names, ["3 > crc_error"]);
    assert_eq!(run(&good[..12]), (rows, names), "cut where the next header has just begun");
    assert_eq!(run(&frame(0xc4, 4, 3, &hex("c1"))).1, ["2 > fragment_too_short"]);
    assert_eq!(run(&ask(1, "c1 22")).1, ["2 > unknown_function"]);
    assert_eq!(run(&frame(0xc0, 4, 3, &hex("c1c100"))).1, ["2 > unexpected_user_data"]);
    assert_eq!(run(&frame(0xc7, 4, 3, &[])).1, ["2 > unknown_link_function"]);
    assert_eq!(run(&frame(0x44, 4, 3, &hex("c1c100"))).1, ["2 > direction_contradicts_function"]);
    assert_eq!(run(&ask(1, "c1 02 5001 00 07")).1, ["2 > object_header_cut"]);
}

/// A conversation in one direction: segments, a command, a frame without user data.
fn talk() -> Vec<u8> {
    let mut all = segments(0x44, 3, 4, 1, &long_answer(), 249).concat();
    all.extend(frame(0x0b, 3, 4, &[]));
    all.extend(tell(9, "f3 82 8000 0201 17 01 04 81"));
    all.extend(tell(10, "c2 81 0000 0c01 28 0100 0500 41 01 64000000 00000000 04"));
    all
}

fn rows_of(chunks: &[&[u8]]) -> Vec<String> {
    let mut b = bench();
    for chunk in chunks {
        b.server(chunk);
    }
    b.close();
    assert_eq!(b.panics(), 0);
    let without_frame = |r: &String| r.split_once(' ').map_or_else(String::new, |(_, rest)| rest.to_owned());
    ["dnp3", "dnp3_object", "anomaly"].iter().flat_map(|k| b.rows(k)).map(|r| without_frame(&r)).collect()
}

#[test]
fn split_anywhere_gives_the_same_rows() {
    let all = talk();
    let whole = rows_of(&[&all]);
    assert_eq!(whole.iter().filter(|r| r.contains("link_src")).count(), 6);
    for at in 1..all.len() {
        assert!(rows_of(&[&all[..at], &all[at..]]) == whole, "split at {at}");
    }
    let bytes: Vec<&[u8]> = all.chunks(1).collect();
    assert!(rows_of(&bytes) == whole, "byte by byte");
}

#[test]
fn cut_anywhere_is_named() {
    let all = talk();
    let mut ends = vec![0];
    while let Some(h) = link::header(&all[*ends.last().unwrap_or(&0)..]) {
        ends.push(ends[ends.len() - 1] + h.frame_len());
    }
    for at in 10..all.len() {
        let mut b = bench();
        b.server(&all[..at]).close();
        assert_eq!(b.panics(), 0);
        let whole_frames = ends.iter().filter(|e| **e > 0 && **e <= at).count();
        assert_eq!(b.rows("dnp3").len(), whole_frames, "cut at {at}");
        let inside = !ends.contains(&at) || at < ends[3];
        assert_eq!(reasons(&b).is_empty(), !inside, "cut at {at}");
    }
}

#[test]
fn a_flipped_bit_is_named_and_costs_at_most_its_own_message() {
    let all = talk();
    for bit in 0..all.len() * 8 {
        let mut broken = all.clone();
        broken[bit / 8] ^= 1 << (bit % 8);
        let mut b = bench();
        b.server(&broken).close();
        assert_eq!(b.panics(), 0);
        assert!(!reasons(&b).is_empty(), "bit {bit}");
        assert!(b.rows("dnp3").len() >= 5, "bit {bit}");
    }
}

#[test]
fn limits_at_a_hundredth_lose_but_never_lie() {
    let mut b = bench().limits(Limits::scaled(100));
    for src in 1..6 {
        b.server(&segments(0x44, 3, src, 1, &long_answer(), 200)[0]);
    }
    for part in segments(0x44, 3, 9, 1, &long_answer(), 200) {
        b.server(&part);
    }
    b.close();
    assert_eq!((b.panics(), b.rows("dnp3_object").len()), (0, 200));
    let mut limits = Limits::default();
    limits.set(Limit::ParserBytes, 700);
    let whole = |limits: &Limits| {
        let mut b = bench().limits(limits.clone());
        for part in segments(0x44, 3, 9, 1, &long_answer(), 200) {
            b.server(&part);
        }
        b.wait(PATIENCE);
        (b.rows("dnp3_object").len(), reasons(&b).len())
    };
    assert_eq!(whole(&limits), (200, 0));
    limits.set(Limit::ParserBytes, 500);
    assert_eq!(whole(&limits), (0, 2), "too long, then a last segment without a first");
}

#[test]
fn rows_of_one_fragment_are_bounded() {
    let mut fragment = hex("c1 81 0000 0101 01 0000 ff0f");
    fragment.extend([0x55; 512]);
    let mut b = bench();
    for part in segments(0x44, 3, 4, 0, &fragment, 249) {
        b.server(&part);
    }
    b.wait(PATIENCE);
    assert_eq!(b.rows("dnp3_object").len(), 2_048);
    let rows = only(&b.rows("dnp3"), &["num_objects", "objects_left_out"]);
    assert_eq!(rows.last().map(String::as_str), Some("3 < 4096 2048"));
}

#[test]
fn picked_up_in_the_middle_of_a_frame() {
    let all = [ask(1, "c1 01 3c01 06"), ask(2, "c2 00")].concat();
    let mut b = bench();
    b.gap(Dir::Orig, 100).client(&all[4..]).close();
    assert_eq!(only(&b.rows("dnp3"), &["app_seq"]), ["2 > 2"]);
}
