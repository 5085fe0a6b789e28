//! Hand-computed vectors: three objects at least for every group and variation, each under every kind of addressing.

use std::collections::BTreeMap;

use super::hex;
use crate::dnp3::objects::{Walked, walk};
use crate::dnp3::record::Dnp3Object;
use crate::dnp3::table::{LEFT_RAW, Layout, layout};

/// Groups and variations laid out alike; their objects in hexadecimal, blank between two; what each reads as (see [`short`]).
type Family = (&'static [(u8, u8)], &'static str, &'static str);

const BINARY: &[Family] = &[
    (&[(1, 2), (2, 1), (10, 2), (11, 1)], "81 01 00 21", "1@81 0@01 0@00! 0@21!"),
    (
        &[(2, 2), (11, 2)],
        "81e80300000000 01ffff00000000 00000000000001 c1ffffffffff7f",
        "1@81t1000 0@01t65535 0@00!t1099511627776 1@c1",
    ),
    (&[(2, 3)], "810a00 010000 41ffff", "1@81t1010d10 0@01t1000d0 0@41t66535d65535"),
    (&[(3, 2), (4, 1)], "c1 41 81 05", "3@c1 1@41 2@81 0@05!"),
    (&[(4, 2)], "41e80300000000 81000000000000 c1010000000000", "1@41t1000 2@81t0 3@c1t1"),
    (&[(4, 3)], "810a00 410000 01ffff", "2@81t1010d10 1@41t1000d0 0@01t66535d65535"),
    (&[(13, 1)], "80 00 07 ff", "1s0 0s0 0s7 1s127"),
    (&[(13, 2)], "80e80300000000 00000000000000 07010000000000", "1t1000s0 0t0s0 0t1s7"),
    (
        &[(12, 1), (12, 2)],
        "0301640000006400000000 8101e8030000000000000f 6402000000000a00000004 25ffffffffffffffffff7e",
        "latch_on/none#1+100-100s0 pulse_on/trip#1+1000-0s15 latch_off/close/clear#2+0-10s4 reserved/none/clear#255+4294967295-4294967295s126",
    ),
];

const COUNTERS: &[Family] = &[
    (
        &[(20, 1), (21, 1), (22, 1), (23, 1), (20, 3), (21, 3), (22, 3), (23, 3)],
        "012a000000 01ffffffff 2100000100 4101000000",
        "42@01 4294967295@01 65536@21 1@41!",
    ),
    (
        &[(20, 2), (21, 2), (22, 2), (23, 2), (20, 4), (21, 4), (22, 4), (23, 4)],
        "012a00 01ffff 030100",
        "42@01 65535@01 1@03!",
    ),
    (&[(20, 5), (21, 9), (20, 7), (21, 11)], "2a000000 ffffffff 00000080", "42 4294967295 2147483648"),
    (&[(20, 6), (21, 10), (20, 8), (21, 12)], "2a00 ffff 0080", "42 65535 32768"),
    (
        &[(21, 5), (22, 5), (23, 5), (21, 7), (22, 7), (23, 7)],
        "012a000000e80300000000 01ffffffff000000000000 0001000000010000000000",
        "42@01t1000 4294967295@01t0 1@00!t1",
    ),
    (
        &[(21, 6), (22, 6), (23, 6), (21, 8), (22, 8), (23, 8)],
        "012a00e80300000000 01ffff000000000000 000100010000000000",
        "42@01t1000 65535@01t0 1@00!t1",
    ),
];

const ANALOGS: &[Family] = &[
    (
        &[(30, 1), (31, 1), (32, 1), (33, 1), (40, 1), (42, 1)],
        "01ffffffff 0100000080 21ffffff7f 410f000000",
        "-1@01 -2147483648@01 2147483647@21! 15@41!",
    ),
    (
        &[(30, 2), (31, 2), (32, 2), (33, 2), (40, 2), (42, 2)],
        "01ffff 010080 21ff7f 410f00",
        "-1@01 -32768@01 32767@21! 15@41!",
    ),
    (&[(30, 3), (31, 5)], "ffffffff 00000080 0f000000", "-1 -2147483648 15"),
    (&[(30, 4), (31, 6)], "ffff 0080 0f00", "-1 -32768 15"),
    (
        &[(30, 5), (31, 7), (32, 5), (33, 5), (40, 3), (42, 5)],
        "010000c03f 01000020c1 0500000000 210000807f 010000c07f",
        "1.5@01 -10@01 0@05! inf@21! NaN@01",
    ),
    (
        &[(30, 6), (31, 8), (32, 6), (33, 6), (40, 4), (42, 6)],
        "01000000000000f83f 0100000000000024c0 050000000000000000 21000000000000f0ff",
        "1.5@01 -10@01 0@05! -inf@21!",
    ),
    (
        &[(31, 3), (32, 3), (33, 3), (42, 3)],
        "01ffffffffe80300000000 0100000080000000000000 210f000000010000000000",
        "-1@01t1000 -2147483648@01t0 15@21!t1",
    ),
    (
        &[(31, 4), (32, 4), (33, 4), (42, 4)],
        "01ffffe80300000000 010080000000000000 410f00010000000000",
        "-1@01t1000 -32768@01t0 15@41!t1",
    ),
    (
        &[(32, 7), (33, 7), (42, 7)],
        "010000c03fe80300000000 01000020c1000000000000 0500000000010000000000",
        "1.5@01t1000 -10@01t0 0@05!t1",
    ),
    (
        &[(32, 8), (33, 8), (42, 8)],
        "01000000000000f83fe80300000000 0100000000000024c0000000000000 050000000000000000010000000000",
        "1.5@01t1000 -10@01t0 0@05!t1",
    ),
    (&[(34, 1)], "0a00 ffff 0000", "10 65535 0"),
    (&[(34, 2)], "0a000000 ffffffff 00000000", "10 4294967295 0"),
    (&[(34, 3)], "0000c03f 000020c1 00000000", "1.5 -10 0"),
];

const ANALOG_COMMANDS: &[Family] = &[
    (&[(41, 1)], "ffffffff00 0000008001 0f00000002", "-1s0 -2147483648s1 15s2"),
    (&[(41, 2)], "ffff00 008001 0f0002", "-1s0 -32768s1 15s2"),
    (&[(41, 3)], "0000c03f00 000020c104 000000007f", "1.5s0 -10s4 0s127"),
    (&[(41, 4)], "000000000000f83f00 00000000000024c004 00000000000000007f", "1.5s0 -10s4 0s127"),
    (&[(43, 1)], "00ffffffff 0100000080 020f000000", "-1s0 -2147483648s1 15s2"),
    (&[(43, 2)], "00ffff 010080 020f00", "-1s0 -32768s1 15s2"),
    (&[(43, 5)], "000000c03f 04000020c1 7f00000000", "1.5s0 -10s4 0s127"),
    (&[(43, 6)], "00000000000000f83f 0400000000000024c0 7f0000000000000000", "1.5s0 -10s4 0s127"),
    (
        &[(43, 3)],
        "00ffffffff010000000000 0100000080020000000000 020f000000030000000000",
        "-1t1s0 -2147483648t2s1 15t3s2",
    ),
    (&[(43, 4)], "00ffff010000000000 010080020000000000 020f00030000000000", "-1t1s0 -32768t2s1 15t3s2"),
    (&[(43, 7)], "000000c03f010000000000 04000020c1020000000000 7f00000000030000000000", "1.5t1s0 -10t2s4 0t3s127"),
    (
        &[(43, 8)],
        "00000000000000f83f010000000000 0400000000000024c0020000000000 7f0000000000000000030000000000",
        "1.5t1s0 -10t2s4 0t3s127",
    ),
];

const OTHERS: &[Family] = &[
    (&[(0, 242), (0, 1)], "0103616263 02012a 0301ff 0202ffff 04040000c03f", "b616263 42 -1 65535 1.5"),
    (
        &[(0, 252)],
        "0408000000000000f83f 0706e80300000000 0208ffffffffffffff7f 0208ffffffffffffffff 0500 0209000000000000000000",
        "1.5 t1000 9223372036854776000(9223372036854775807) bffffffffffffffff b b000000000000000000",
    ),
    (&[(50, 1), (50, 3), (51, 1), (51, 2)], "e80300000000 000000000000 ffffffff0000", "t1000 t0 t4294967295"),
    (&[(50, 2)], "e803000000000a000000 00000000000000000000 010000000000ffffffff", "10t1000 0t0 4294967295t1"),
    (&[(50, 4)], "e803000000000a00000001 0000000000000000000000 010000000000ffffffff05", "10t1000 0t0 4294967295t1"),
    (&[(52, 1)], "0a00 0000 ffff", "d10000 d0 d65535000"),
    (&[(52, 2)], "0a00 0000 ffff", "d10 d0 d65535"),
    (&[(81, 1)], "003c01 641401 ff0000", "0 100 255"),
    (&[(86, 2)], "01 00 0d", "@01 @00! @0d!"),
    (&[(101, 1)], "3412 0000 a000", "1234 0 ba000"),
    (&[(101, 2)], "78563412 00000000 99999999", "12345678 0 99999999"),
    (
        &[(101, 3)],
        "7856341200000000 9999999999999999 0000000000000080",
        "12345678 10000000000000000(9999999999999999) 8000000000000000",
    ),
    (&[(102, 1)], "00 7f ff", "0 127 255"),
    (&[(110, 1), (111, 1), (112, 1), (113, 1)], "61 00 ff", "b61 b00 bff"),
    (&[(110, 3), (111, 3), (112, 3), (113, 3)], "616263 000000 ffffff", "b616263 b000000 bffffff"),
    (&[(121, 1), (122, 1)], "0100002a000000 010100ffffffff 00020000000000", "42@01 4294967295@01 0@00!"),
    (
        &[(122, 2)],
        "0100002a000000010000000000 010100ffffffff020000000000 00020000000000030000000000",
        "42@01t1 4294967295@01t2 0@00!t3",
    ),
];

/// Objects that only a size prefix delimits.
const SIZED: &[Family] = &[
    (&[(70, 2)], "0c0003000f000300000000006a6f65707764 0c0000000c00000001000000 ff0003000c00000000000000", "ujoe u -"),
    (
        &[(70, 3)],
        "1a000500e8030000000000000000000010000000010000040700612e747874 \
         1a000100000000000000ff0101000000ffffffff02000002ffff41 ff000500e8030000000000000000000010000000010000040700 1a00",
        "t1000na.txtz16m1r7 t0nAz4294967295m2r65535 t1000z16m1r7 b1a00",
    ),
    (
        &[(70, 4)],
        "78563412100000000004070001 00000000000000000000000003 ffffffffffffffffffffffffff6e6f",
        "s1h305419896z16r7 s3h0z0r0 s255h4294967295z4294967295r65535",
    ),
    (
        &[(70, 5)],
        "0100000002000080abcd 0100000002000000 ffffffffffffff7f00",
        "babcdh1k2/last bh1k2 b00h4294967295k2147483647",
    ),
    (&[(70, 6)], "010000000300000014 020000000000008000 0000000001000000106f6b", "s20h1k3 s0h2k0/last s16h0k1"),
    (
        &[(70, 7)],
        "14000100010009000000e80300000000ff01020064 140000000000000000000000000000000000ffff 150003000100ffffffff010000000000a4010300",
        "t1000ndz9r2 t0nz0r65535 t1z4294967295r3",
    ),
    (&[(70, 8)], "2f61 41 c3a9", "n/a nA né"),
    (
        &[(120, 1), (120, 2), (120, 5), (120, 6), (120, 12), (120, 13)],
        "030000000100ff ffffffffffff 00000080000201020304",
        "b030000000100ffc3U1 bffffffffffffc4294967295U65535 b00000080000201020304c2147483648U512",
    ),
    (
        &[(120, 3)],
        "050000000300 ffffffffffff 000000000000",
        "b050000000300c5U3 bffffffffffffc4294967295U65535 b000000000000c0U0",
    ),
    (&[(120, 4)], "0400 ffff 0000", "b0400U4 bffffU65535 b0000U0"),
    (
        &[(120, 7)],
        "070000000600000002 ffffffff01000200ff 00000000000001000500000000000041",
        "s2b070000000600000002c7U6 s255bffffffff01000200ffc4294967295U1 s5b00000000000001000500000000000041c0U0",
    ),
    (&[(120, 8), (120, 9), (120, 10), (120, 11), (120, 14), (120, 15)], "abcd 00 ff01020304", "babcd b00 bff01020304"),
];

/// Packed points: how many, their octets, their values.
type Packed = (&'static [(u8, u8)], &'static [(u16, &'static str, &'static str)]);

const PACKED: &[Packed] = &[
    (
        &[(1, 1), (10, 1), (12, 3), (80, 1)],
        &[(1, "00", "0"), (8, "a5", "1 0 1 0 0 1 0 1"), (10, "ff02", "1 1 1 1 1 1 1 1 0 1")],
    ),
    (&[(3, 1)], &[(1, "03", "3"), (4, "e4", "0 1 2 3"), (5, "1b02", "3 2 1 0 2")]),
];

/// An object in short: `value`, `(integer)` where a double does not hold it, `@flags` (`!` when not good), `t` time in ms, `d` delay in ms,
/// operation and trip-close code, `#` count, `+on-off` times, `s` status, `b` bytes; of files `n` name, `h` handle, `z` size, `m` mode, `k`
/// block, `r` request, `u` user; of authentication `c` sequence, `U` user number.
fn short(o: &Dnp3Object<'_>) -> String {
    let mut s = String::new();
    let mut add = |part: Option<String>| s += &part.unwrap_or_default();
    let text = |t: &[u8]| String::from_utf8_lossy(t).into_owned();
    add(o.value.map(|v| v.to_string()));
    add(o.value_int.map(|v| format!("({v})")));
    add(o.flags.map(|v| format!("@{v:02x}")));
    add(o.good.filter(|g| !g).map(|_| "!".into()));
    add(o.time.map(|v| format!("t{}", v.0 / 1_000_000)));
    add(o.delay_ms.map(|v| format!("d{v}")));
    add(o.operation.map(|v| format!("{v}/{}", o.trip_close.unwrap_or("?"))));
    add(o.clear.filter(|c| *c).map(|_| "/clear".into()));
    add(o.count.map(|v| format!("#{v}")));
    add(o.on_time_ms.zip(o.off_time_ms).map(|(a, b)| format!("+{a}-{b}")));
    add(o.status.map(|v| format!("s{v}")));
    add(o.value_bytes.map(|v| format!("b{}", v.iter().map(|b| format!("{b:02x}")).collect::<String>())));
    add(o.file_name.map(|v| format!("n{}", text(v))));
    add(o.file_handle.map(|v| format!("h{v}")));
    add(o.file_size.map(|v| format!("z{v}")));
    add(o.file_mode.map(|v| format!("m{v}")));
    add(o.file_block.map(|v| format!("k{v}")));
    add(o.file_last.filter(|l| *l).map(|_| "/last".into()));
    add(o.file_request_id.map(|v| format!("r{v}")));
    add(o.user_name.map(|v| format!("u{}", text(v))));
    add(o.challenge_seq.map(|v| format!("c{v}")));
    add(o.user_number.map(|v| format!("U{v}")));
    s
}

/// Objects of a body of some function in short, `index=` before those that have one, and how the walk went.
pub fn seen(code: u8, body: &[u8]) -> (String, Walked) {
    let mut out = Vec::new();
    let walked = walk(code, body, 10_000, &mut |o| {
        let text = o.index.map_or(String::new(), |i| format!("{i}=")) + &short(&o);
        out.push(if text.is_empty() { "-".to_owned() } else { text });
    });
    (out.join(" "), walked)
}

/// What goes before objects with relative times: a common time of occurrence of 1000 ms.
fn prelude(kind: (u8, u8)) -> (Vec<u8>, &'static str) {
    if matches!(kind, (2 | 4, 3)) { (hex("3301 07 01 e80300000000"), "t1000 ") } else { (Vec::new(), "") }
}

#[track_caller]
fn check_body(kind: (u8, u8), header: &[u8], objects: &[u8], expect: &str) {
    let (before, shown) = prelude(kind);
    let body = [&before, &[kind.0, kind.1][..], header, objects].concat();
    let (text, walked) = seen(129, &body);
    assert_eq!((text, walked.fault), (format!("{shown}{expect}"), None), "g{}v{} {header:02x?}", kind.0, kind.1);
    for cut in before.len() + 1..body.len() {
        let (_, short) = seen(129, &body[..cut]);
        assert!(short.fault.is_some() && short.rows <= walked.rows, "g{}v{} cut at {cut}", kind.0, kind.1);
    }
}

/// One object under every addressing without a size prefix: a range of one, two and four octets, a count with and without index.
fn addressed(kind: (u8, u8), object: &[u8], expect: &str) {
    let ranges: [(&[u8], u32); 4] = [
        (&[0x00, 255, 255], 255),
        (&[0x01, 0x2c, 0x01, 0x2c, 0x01], 300),
        (&[0x02, 0, 0, 1, 0, 0, 0, 1, 0], 65_536),
        (&[0x02, 255, 255, 255, 255, 255, 255, 255, 255], u32::MAX),
    ];
    for (header, index) in ranges {
        check_body(kind, header, object, &format!("{index}={expect}"));
    }
    check_body(kind, &[0x07, 1], object, expect);
    let prefixes: [(&[u8], &[u8], u32); 4] = [
        (&[0x17, 1], &[7], 7),
        (&[0x28, 1, 0], &[0xff, 0xff], 65_535),
        (&[0x27, 1], &[0x2c, 0x01], 300),
        (&[0x39, 1, 0, 0, 0], &[255; 4], u32::MAX),
    ];
    for (header, prefix, index) in prefixes {
        check_body(kind, header, &[prefix, object].concat(), &format!("{index}={expect}"));
    }
}

/// Objects behind size prefixes of one, two and four octets.
fn sized(kind: (u8, u8), objects: &[Vec<u8>], expect: &str) {
    let count = objects.len() as u8;
    for (code, octets) in [(0x4b, 1), (0x5b, 2), (0x6b, 4)] {
        let one = |o: &Vec<u8>| [&(o.len() as u32).to_le_bytes()[..octets], o].concat();
        check_body(kind, &[code, count], &objects.iter().flat_map(one).collect::<Vec<_>>(), expect);
    }
}

fn fixed() -> impl Iterator<Item = &'static Family> {
    [BINARY, COUNTERS, ANALOGS, ANALOG_COMMANDS, OTHERS].into_iter().flatten()
}

#[test]
fn every_object_under_every_addressing() {
    for (kinds, objects, expect) in fixed() {
        let bytes: Vec<Vec<u8>> = objects.split_whitespace().map(hex).collect();
        let words: Vec<&str> = expect.split_whitespace().collect();
        assert_eq!(bytes.len(), words.len(), "{objects}");
        for kind in *kinds {
            bytes.iter().zip(&words).for_each(|(object, word)| addressed(*kind, object, word));
            let several = words.iter().enumerate().map(|(i, w)| format!("{}={w}", i + 5)).collect::<Vec<_>>().join(" ");
            check_body(*kind, &[0x00, 5, 4 + bytes.len() as u8], &bytes.concat(), &several);
            sized(*kind, &bytes, expect);
        }
    }
    for (kinds, objects, expect) in SIZED {
        let bytes: Vec<Vec<u8>> = objects.split_whitespace().map(hex).collect();
        kinds.iter().for_each(|kind| sized(*kind, &bytes, expect));
    }
}

#[test]
fn packed_points_under_every_range() {
    for (kinds, vectors) in PACKED {
        for (kind, (count, octets, expect)) in kinds.iter().flat_map(|k| vectors.iter().map(move |v| (k, v))) {
            let indexed = |from: u16| {
                let one = |(i, w): (usize, &str)| format!("{}={w}", usize::from(from) + i);
                expect.split(' ').enumerate().map(one).collect::<Vec<_>>().join(" ")
            };
            let last = count - 1;
            check_body(*kind, &[0x00, 7, 7 + last as u8], &hex(octets), &indexed(7));
            let [a, b] = (300 + last).to_le_bytes();
            check_body(*kind, &[0x01, 0x2c, 0x01, a, b], &hex(octets), &indexed(300));
            check_body(*kind, &[0x07, *count as u8], &hex(octets), expect);
        }
    }
}

#[test]
fn class_headers_have_no_objects() {
    for variation in 1..=4 {
        for (code, header, expect) in [(1, "06", "-"), (1, "07 05", "#5"), (1, "08 ffff", "#65535"), (20, "06", "-")] {
            let body = [vec![60, variation], hex(header)].concat();
            let (text, walked) = seen(code, &body);
            assert_eq!((text.as_str(), walked.fault), (expect, None), "g60v{variation} {header}");
        }
    }
}

#[test]
fn objects_left_raw_keep_their_octets() {
    let objects: Vec<Vec<u8>> = ["aa", "aabbcc", "00ff"].map(hex).to_vec();
    for (group, variations, _) in LEFT_RAW {
        for variation in if variations.is_empty() { &[1, 255][..] } else { variations } {
            sized((*group, *variation), &objects, "baa baabbcc b00ff");
            assert_eq!(layout(*group, *variation), Layout::Sized, "g{group}v{variation}");
        }
    }
}

/// Three vectors at least for whatever the layout table claims to read. Where the variation is a length or the number of an attribute, a
/// group counts as one.
#[test]
fn everything_claimed_is_shown() {
    let mut shown: BTreeMap<(u8, u8), usize> = BTreeMap::new();
    let key = |group: u8, variation: u8| match layout(group, variation) {
        Layout::Attribute | Layout::Octets => (group, 0),
        _ => (group, variation),
    };
    for (kinds, objects, _) in fixed().chain(SIZED) {
        kinds.iter().for_each(|(g, v)| *shown.entry(key(*g, *v)).or_default() += objects.split_whitespace().count());
    }
    for (kinds, vectors) in PACKED {
        kinds.iter().for_each(|(g, v)| *shown.entry(key(*g, *v)).or_default() += vectors.len());
    }
    let mut claimed = BTreeMap::new();
    for (group, variation) in (0..=255).flat_map(|g| (0..=255).map(move |v| (g, v))) {
        match layout(group, variation) {
            // Class headers have their own test, objects left raw theirs.
            Layout::Unknown | Layout::Sized | Layout::None => {}
            _ => *claimed.entry(key(group, variation)).or_insert(0) += 1,
        }
    }
    let few: Vec<_> = claimed.keys().filter(|k| shown.get(k).copied().unwrap_or(0) < 3).collect();
    assert!(few.is_empty(), "under three vectors: {few:?}");
    assert_eq!(claimed.len(), shown.len(), "vectors of what is not claimed");
}
