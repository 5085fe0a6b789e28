//! pcapng: sections, interfaces, clocks, packet blocks of all kinds, and the blocks around them.

use std::net::IpAddr;

use capture::{DamageCause, Error, Format, LinkType, Lost, Status};
use gwcore::{Limit, Limits};

use crate::writer::PcapngFile;
use crate::{Seen, read, read_with};

fn times(seen: &[Seen]) -> Vec<i64> {
    seen.iter().map(|f| f.ts).collect()
}

#[test]
fn packet_blocks_in_both_byte_orders() {
    for big in [false, true] {
        let mut file = PcapngFile::new(big);
        file.interface(1, 0, &[(2, b"eth0")]);
        file.enhanced(0, 1_000_001, b"enhanced", &[]);
        file.obsolete(0, 2_000_002, b"old");
        file.simple(9, b"simple");
        let (seen, report) = read(&file.bytes);
        let view: Vec<_> = seen.iter().map(|f| (f.ts, f.number, f.wire_len, f.data.as_slice())).collect();
        // A simple block has the time of the frame before, and its data is not cut at the padding.
        assert_eq!(
            view,
            [
                (1_000_001_000, 1, 8, &b"enhanced"[..]),
                (2_000_002_000, 2, 6, b"old"),
                (2_000_002_000, 3, 9, b"simple\0\0"),
            ],
            "big endian: {big}"
        );
        assert!(seen.iter().all(|f| f.interface == "eth0" && f.link == LinkType::ETHERNET));
        assert_eq!((report.format, report.sections, report.untimed), (Some(Format::Pcapng), 1, 1));
    }
}

#[test]
fn simple_blocks_end_at_the_snap_length() {
    let mut file = PcapngFile::new(true);
    file.interface(1, 4, &[]);
    file.simple(6, b"abcdef");
    assert_eq!((read(&file.bytes).0[0].data.as_slice(), read(&file.bytes).0[0].wire_len), (&b"abcd"[..], 6));
}

#[test]
fn each_interface_has_its_clock_its_name_and_its_link_type() {
    let mut file = PcapngFile::new(false);
    file.interface(1, 0, &[(9, &[9]), (2, b"lan")]);
    file.interface(101, 0, &[(9, &[0x80 | 10]), (3, b"the other")]);
    file.interface(113, 0, &[(14, &100_i64.to_le_bytes())]);
    file.enhanced(0, 5, b"a", &[]);
    file.enhanced(1, 512, b"b", &[]);
    file.enhanced(2, 1, b"c", &[]);
    let (seen, report) = read(&file.bytes);
    assert_eq!(times(&seen), [5, 500_000_000, 100_000_001_000]);
    assert_eq!(seen.iter().map(|f| f.interface.as_str()).collect::<Vec<_>>(), ["lan", "the other", "2"]);
    assert_eq!(report.link_types.keys().map(|l| l.0).collect::<Vec<_>>(), [1, 101, 113]);
}

#[test]
fn a_section_begins_anew_but_numbers_go_on() {
    let mut file = PcapngFile::plain();
    file.enhanced(0, 1, b"a", &[]);
    file.section(true, (1, 2), &[]);
    file.enhanced(0, 2, b"no interface yet", &[]);
    file.interface(101, 0, &[]);
    file.enhanced(0, 3, b"b", &[]);
    let (seen, report) = read(&file.bytes);
    assert_eq!(seen.iter().map(|f| (f.number, f.link.0)).collect::<Vec<_>>(), [(1, 1), (3, 101)]);
    assert_eq!((report.sections, report.skipped_invalid, report.failed()), (2, 1, false));
}

#[test]
fn comments_names_and_secrets_are_kept() {
    let mut file = PcapngFile::new(false);
    file.interface(1, 0, &[(1, b"interface")]);
    file.enhanced(0, 1, b"odd", &[(2, &[0; 4]), (1, b"first"), (1, b"second")]);
    let mut names = Vec::new();
    file.items(
        &mut names,
        &[(1, b"\x0a\0\0\x01plc\0plc.local\0"), (9, b"?"), (2, b"\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01me\0")],
    );
    file.items(&mut names, &[(1, b"names")]);
    file.block(4, &names);
    file.block(10, b"TLSK\x04\0\0\0keys");
    file.block(0x0bad, b"\0\0\0\0custom");
    file.block(77, b"");
    let (seen, report) = read(&file.bytes);
    assert_eq!(seen.len(), 1);
    assert_eq!((report.comments, report.secrets, report.other_blocks), (4, 1, 2));
    let plc: IpAddr = [10, 0, 0, 1].into();
    let expect = [(plc, "plc"), (plc, "plc.local"), ("::1".parse().unwrap(), "me")];
    assert_eq!(report.names, expect.map(|(addr, name)| (addr, name.to_owned())));

    let mut limits = Limits::default();
    limits.set(Limit::ResolvedNames, 2);
    let (_, report) = read_with(&file.bytes, &limits);
    assert_eq!((report.names.len(), report.names_left_out), (2, 1));
}

#[test]
fn interfaces_and_their_names_have_limits() {
    let mut file = PcapngFile::new(false);
    for name in [b"a", b"b", b"c"] {
        file.interface(1, 0, &[(2, name)]);
    }
    for interface in 0..3 {
        file.enhanced(interface, 1, b"x", &[]);
    }
    let mut limits = Limits::default();
    limits.set(Limit::InterfaceNames, 2);
    let names: Vec<_> = read_with(&file.bytes, &limits).0.into_iter().map(|f| f.interface).collect();
    assert_eq!(names, ["a", "b", "other"]);
    limits.set(Limit::Interfaces, 2);
    let (seen, report) = read_with(&file.bytes, &limits);
    assert_eq!((seen.len(), report.skipped_invalid), (2, 1));
}

#[test]
fn blocks_that_wireshark_numbers_are_numbered() {
    // (block type, number of the frame behind it)
    for (kind, expect) in [(9, 3), (0x0bad, 3), (0x4000_0bad, 3), (0x204, 3), (77, 2), (5, 2), (10, 2)] {
        let mut file = PcapngFile::plain();
        file.enhanced(0, 1, b"a", &[]);
        file.block(kind, &[0; 24]);
        file.enhanced(0, 2, b"b", &[]);
        assert_eq!(read(&file.bytes).0[1].number, expect, "{kind:#x}");
    }
}

#[test]
fn times_out_of_range_are_clamped_and_counted() {
    let mut file = PcapngFile::plain();
    file.enhanced(0, u64::MAX, b"x", &[]);
    let (seen, report) = read(&file.bytes);
    assert_eq!((times(&seen), report.bad_times), (vec![i64::MAX], 1));
}

#[test]
fn versions() {
    let mut file = PcapngFile::plain();
    file.enhanced(0, 1, b"x", &[]);
    let mut first = file.bytes.clone();
    first[12] = 2;
    assert_eq!(read(&first).1.status, Status::Unreadable(Error::PcapngVersion(2, 0)));
    let at = file.bytes.len() as u64;
    file.section(false, (1, 3), &[]);
    let (seen, report) = read(&file.bytes);
    let damage = report.damage.unwrap();
    assert_eq!((seen.len(), damage.offset, damage.cause), (1, at, DamageCause::SectionVersion(1, 3)));
}

/// Losses that a file tells of, as (from, to, lost, seen) in microseconds.
fn losses(file: &PcapngFile) -> (Vec<(i64, i64, u64, u64)>, Lost) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("in");
    std::fs::write(&path, &file.bytes).unwrap();
    let limits = Limits::default();
    let mut merge = capture::Merge::open(&capture::Inputs::find(&[path], &limits), &limits);
    let mut all = Vec::new();
    loop {
        let more = merge.next().is_some();
        let told = merge.losses();
        all.extend(told.iter().map(|l| (l.from.0 / 1_000, l.to.0 / 1_000, l.lost, l.seen)));
        if !more {
            return (all, merge.finish().remove(0).lost);
        }
    }
}

#[test]
fn statistics_and_packet_blocks_say_what_was_lost_when() {
    for big in [false, true] {
        let mut file = PcapngFile::new(big);
        file.interface(1, 0, &[]);
        file.interface(1, 0, &[]);
        let three = if big { 3_u64.to_be_bytes() } else { 3_u64.to_le_bytes() };
        file.enhanced(0, 1_000, b"a", &[]);
        file.enhanced(1, 1_500, b"b", &[]);
        file.enhanced(0, 2_000, b"c", &[(4, &three)]);
        // Frames received and all bits are no losses.
        file.statistics(0, 3_000, &[(4, 99), (5, 3), (7, 2)]);
        file.statistics(1, 3_000, &[(5, u64::MAX), (7, 0)]);
        file.statistics(7, 3_000, &[(5, 1)]);
        file.enhanced(0, 4_000, b"d", &[]);
        file.statistics(0, 5_000, &[(5, 4), (7, 2)]);
        let (told, lost) = losses(&file);
        assert_eq!(told, [(1_000, 2_000, 3, 1), (1_000, 3_000, 2, 2), (3_000, 5_000, 1, 1)], "big endian: {big}");
        assert_eq!((lost, lost.total()), (Lost { interface: 4, system: 2, between: 3 }, 6));
    }
    assert_eq!(losses(&PcapngFile::plain()), (Vec::new(), Lost::default()));
}

#[test]
fn many_losses_between_two_frames_are_few_stretches() {
    let mut file = PcapngFile::plain();
    file.enhanced(0, 1_000, b"a", &[]);
    (1..=1_000).for_each(|n| file.statistics(0, 1_000 + n, &[(5, n)]));
    file.enhanced(0, 9_000, b"b", &[]);
    let (told, lost) = losses(&file);
    assert_eq!((told.len(), told.iter().map(|l| l.2).sum::<u64>(), lost.interface), (64, 1_000, 1_000));
    assert_eq!(told.last().map(|l| l.1), Some(2_000));
}

/// A file of two interfaces (microseconds) with frames of (interface, milliseconds).
fn two_interfaces(frames: &[(u32, u64)]) -> PcapngFile {
    let mut file = PcapngFile::new(false);
    file.interface(1, 0, &[(2, b"west")]);
    file.interface(1, 0, &[(2, b"east")]);
    frames.iter().for_each(|(interface, ms)| file.enhanced(*interface, 10_000_000 + ms * 1_000, b"x", &[]));
    file
}

fn numbers(seen: &[Seen]) -> Vec<u64> {
    seen.iter().map(|f| f.number).collect()
}

#[test]
fn interfaces_of_one_file_are_put_in_order_of_time() {
    // A buffer of the one, then a buffer of the other.
    let (seen, report) = read(&two_interfaces(&[(0, 0), (0, 10), (0, 20), (1, 5), (1, 15), (1, 25), (0, 30)]).bytes);
    assert_eq!(numbers(&seen), [1, 4, 2, 5, 3, 6, 7]);
    assert_eq!((report.frames, report.failed()), (7, false));
    // More than 50 ms late stays late; equal times keep the order of the file; frames of one interface are never exchanged.
    let (seen, _) = read(&two_interfaces(&[(0, 0), (0, 100), (0, 200), (1, 10), (1, 200)]).bytes);
    assert_eq!(numbers(&seen), [1, 2, 4, 3, 5]);
    let (seen, _) = read(&two_interfaces(&[(0, 30), (0, 20), (1, 25), (1, 40)]).bytes);
    assert_eq!(numbers(&seen), [3, 1, 2, 4]);
    // A clock that was set back begins anew.
    let (seen, _) = read(&two_interfaces(&[(0, 9_000), (1, 9_010), (0, 20), (1, 10), (0, 30)]).bytes);
    assert_eq!(numbers(&seen), [1, 2, 4, 3, 5]);
}

#[test]
fn frames_held_for_their_order_have_a_limit() {
    let mut limits = Limits::default();
    limits.set(Limit::OrderBytes, 300);
    let (seen, _) = read_with(&two_interfaces(&[(0, 0), (0, 10), (0, 20), (0, 25), (1, 5), (1, 15)]).bytes, &limits);
    assert_eq!((seen.len(), numbers(&seen)[0]), (6, 1));
    assert!(numbers(&seen) != [1, 5, 2, 6, 3, 4], "the window did not fit");
}
