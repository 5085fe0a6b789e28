//! pcap in all its variants.

use capture::{Compression, Error, Format, LinkType, Status};

use crate::writer::{PcapFile, gzip, zstd};
use crate::{Seen, read};

/// Two records in the given variant come back with these times.
fn check(magic: u32, big: bool, fraction: u32, expect: i64) {
    let mut file = PcapFile::new(magic, big, (2, 4), 113);
    file.record(1_500_000_000, fraction, b"first");
    file.record(1_500_000_001, 0, b"");
    let (seen, report) = read(&file.bytes);
    assert_eq!(seen.len(), 2, "{magic:x} {big}");
    let first = Seen {
        seq: 0,
        ts: expect,
        file: 0,
        number: 1,
        interface: "0".into(),
        link: LinkType::LINUX_SLL,
        wire_len: 5,
        data: b"first".to_vec(),
    };
    assert_eq!(seen[0], first);
    assert_eq!((seen[1].ts, seen[1].number), (1_500_000_001_000_000_000, 2));
    assert_eq!((report.format, report.failed(), report.truncated), (Some(Format::Pcap), false, None));
}

#[test]
fn magics_in_both_byte_orders() {
    for big in [false, true] {
        check(0xa1b2_c3d4, big, 7, 1_500_000_000_000_007_000);
        check(0xa1b2_3c4d, big, 7, 1_500_000_000_000_000_007);
        check(0xa1b2_cd34, big, 7, 1_500_000_000_000_007_000);
    }
}

#[test]
fn lengths_are_swapped_before_version_2_3_and_maybe_in_it() {
    // (version, first length, second length) of a record that holds two bytes of five.
    for (version, first, second) in
        [((2, 2), 5, 2), ((2, 3), 5, 2), ((2, 3), 2, 5), ((2, 4), 2, 5), ((543, 0), 5, 2), ((3, 0), 2, 5)]
    {
        let mut file = PcapFile::new(0xa1b2_c3d4, true, version, 1);
        file.header(1, 0, first, second);
        file.bytes.extend(b"ab");
        let (seen, report) = read(&file.bytes);
        assert_eq!(seen.len(), 1, "{version:?} {report:?}");
        assert_eq!((seen[0].data.as_slice(), seen[0].wire_len), (&b"ab"[..], 5), "{version:?}");
    }
}

#[test]
fn the_wire_length_is_at_least_the_captured_one() {
    let mut file = PcapFile::plain();
    file.header(1, 0, 4, 2);
    file.bytes.extend(b"abcd");
    assert_eq!(read(&file.bytes).0[0].wire_len, 4);
}

#[test]
fn fractions_past_a_second_add_up_and_are_counted() {
    let mut file = PcapFile::plain();
    file.record(1, 999_999, b"");
    file.record(1, 1_000_000, b"");
    file.record(u32::MAX, u32::MAX, b"");
    let (seen, report) = read(&file.bytes);
    assert_eq!(seen[0].ts, 1_999_999_000);
    assert_eq!(seen[1].ts, 2_000_000_000);
    assert_eq!(seen[2].ts, 4_294_967_295_000_000_000 + 4_294_967_295_000);
    assert_eq!(report.bad_times, 2);
}

#[test]
fn the_length_of_a_check_sequence_is_not_part_of_the_link_type() {
    let file = PcapFile::new(0xa1b2_c3d4, false, (2, 4), 0x2400_0001).with(1, b"x");
    assert_eq!(read(&file.bytes).0[0].link, LinkType::ETHERNET);
}

#[test]
fn packed_files_are_told_by_content() {
    let file = PcapFile::plain().with(1, b"one").with(2, &[7; 70_000]).bytes;
    let plain = read(&file).0;
    let (a, b) = file.split_at(30);
    let members = [gzip(a), gzip(b)].concat();
    let frames = [zstd(a), zstd(b)].concat();
    let skippable = [b"\x5a\x2a\x4d\x18\x03\0\0\0abc".to_vec(), zstd(&file)].concat();
    for (bytes, compression) in [
        (gzip(&file), Compression::Gzip),
        (members, Compression::Gzip),
        (zstd(&file), Compression::Zstd),
        (frames, Compression::Zstd),
        (skippable, Compression::Zstd),
    ] {
        let (seen, report) = read(&bytes);
        assert_eq!((&seen, report.compression), (&plain, compression));
        assert!(!report.failed() && report.truncated.is_none(), "{report:?}");
    }
}

#[test]
fn what_is_no_capture_has_a_reason_and_a_remedy() {
    let old = PcapFile::new(0xa1b2_c3d4, false, (1, 2), 1).bytes;
    for (bytes, expect) in [
        (&b""[..], Error::Empty),
        (b"GET / HTTP/1.1\r\n", Error::NotCapture),
        (b"snoop\0\0\0\0\0\0\x02\0\0\0\x04", Error::Unsupported("snoop")),
        (b"\xfd7zXZ\0\0", Error::Packed("xz")),
        (b"\xd4\xc3\xb2\xa1\x02\0", Error::CutHeader),
        (&old, Error::PcapVersion(1, 2)),
    ] {
        let (seen, report) = read(bytes);
        assert!(seen.is_empty());
        assert_eq!(report.reason().unwrap(), expect.to_string());
        assert!(report.failed() && report.remedy().is_some());
        assert_eq!(report.status, Status::Unreadable(expect));
    }
    let (_, report) = read(&gzip(b"words"));
    assert_eq!((report.status, report.compression), (Status::Unreadable(Error::NotCapture), Compression::Gzip));
}
