//! Objects: layouts with hand-computed values, qualifiers, and what is cut or wrong.

use super::hex;
use crate::dnp3::objects::{Fault, Walked, walk};
use crate::dnp3::record::Dnp3Object;

/// An object in short: `[index=]value`, `@flags` (`!` when not good), `t` time in ms, `d` delay in ms, `s` status, `b` bytes, `#` count.
fn short(o: &Dnp3Object<'_>, with_index: bool) -> String {
    let mut s = String::new();
    let mut add = |part: Option<String>| s += &part.unwrap_or_default();
    add(o.index.filter(|_| with_index).map(|v| format!("{v}=")));
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
    if s.is_empty() { "-".into() } else { s }
}

fn seen(code: u8, body: &[u8], with_index: bool) -> (String, Walked) {
    let mut out = Vec::new();
    let walked = walk(code, body, 10_000, &mut |o| out.push(short(&o, with_index)));
    (out.join(" "), walked)
}

/// Checks objects (three or more, blank between two) of an answer in every group and variation that is laid out so; then that a cut
/// anywhere is named and yields no more than there is.
#[track_caller]
fn check(kinds: &[(u8, u8)], objects: &str, expect: &str) {
    let count = objects.split_whitespace().count();
    assert!(count >= 3, "three vectors at least");
    for (group, variation) in kinds {
        let mut body = vec![*group, *variation, 0x00, 0, count as u8 - 1];
        body.extend(hex(objects));
        let (text, walked) = seen(129, &body, false);
        assert_eq!(text, expect, "g{group}v{variation}");
        assert_eq!((walked.headers, walked.fault), (1, None), "g{group}v{variation}");
        for cut in 1..body.len() {
            let (_, short) = seen(129, &body[..cut], false);
            assert!(short.fault.is_some() && short.rows <= walked.rows, "g{group}v{variation} cut at {cut}");
        }
    }
}

#[test]
fn binary_points() {
    check(&[(1, 2), (2, 1), (10, 2), (11, 1)], "81 01 00 21", "1@81 0@01 0@00! 0@21!");
    check(
        &[(2, 2), (11, 2)],
        "81e80300000000 01ffff00000000 00000000000001",
        "1@81t1000 0@01t65535 0@00!t1099511627776",
    );
    check(&[(3, 2), (4, 1)], "c1 41 81 05", "3@c1 1@41 2@81 0@05!");
    check(&[(4, 2)], "41e80300000000 81000000000000 c1010000000000", "1@41t1000 2@81t0 3@c1t1");
    check(&[(13, 1)], "80 00 07 ff", "1s0 0s0 0s7 1s127");
    check(&[(13, 2)], "80e80300000000 00000000000000 07010000000000", "1t1000s0 0t0s0 0t1s7");
}

#[test]
fn counters() {
    check(
        &[(20, 1), (21, 1), (22, 1), (23, 1), (20, 3), (21, 3), (22, 3), (23, 3)],
        "012a000000 01ffffffff 2100000100 4101000000",
        "42@01 4294967295@01 65536@21 1@41!",
    );
    check(
        &[(20, 2), (21, 2), (22, 2), (23, 2), (20, 4), (21, 4), (22, 4), (23, 4)],
        "012a00 01ffff 030100",
        "42@01 65535@01 1@03!",
    );
    check(&[(20, 5), (21, 9), (20, 7), (21, 11)], "2a000000 ffffffff 00000080", "42 4294967295 2147483648");
    check(&[(20, 6), (21, 10), (20, 8), (21, 12)], "2a00 ffff 0080", "42 65535 32768");
    check(
        &[(21, 5), (22, 5), (23, 5), (21, 7), (22, 7), (23, 7)],
        "012a000000e80300000000 01ffffffff000000000000 0001000000010000000000",
        "42@01t1000 4294967295@01t0 1@00!t1",
    );
    check(
        &[(21, 6), (22, 6), (23, 6), (21, 8), (22, 8), (23, 8)],
        "012a00e80300000000 01ffff000000000000 000100010000000000",
        "42@01t1000 65535@01t0 1@00!t1",
    );
}

#[test]
fn analogs() {
    const T: &str = "e80300000000";
    let timed = |a: &str, b: &str, c: &str| format!("{a}{T} {b}{T} {c}{T}");
    let all = [(30, 1), (31, 1), (32, 1), (33, 1), (40, 1), (42, 1)];
    check(&all, "01ffffffff 0100000080 210f000000", "-1@01 -2147483648@01 15@21!");
    let all = [(30, 2), (31, 2), (32, 2), (33, 2), (40, 2), (42, 2)];
    check(&all, "01ffff 010080 410f00", "-1@01 -32768@01 15@41!");
    check(&[(30, 3), (31, 5)], "ffffffff 00000080 0f000000", "-1 -2147483648 15");
    check(&[(30, 4), (31, 6)], "ffff 0080 0f00", "-1 -32768 15");
    let single = [(30, 5), (31, 7), (32, 5), (33, 5), (40, 3), (42, 5)];
    check(&single, "010000c03f 01000020c1 0500000000", "1.5@01 -10@01 0@05!");
    let double = [(30, 6), (31, 8), (32, 6), (33, 6), (40, 4), (42, 6)];
    check(&double, "01000000000000f83f 0100000000000024c0 050000000000000000", "1.5@01 -10@01 0@05!");
    let at = "-1@01t1000 -2147483648@01t1000 15@21!t1000";
    check(&[(31, 3), (32, 3), (33, 3), (42, 3)], &timed("01ffffffff", "0100000080", "210f000000"), at);
    let at = "-1@01t1000 -32768@01t1000 15@41!t1000";
    check(&[(31, 4), (32, 4), (33, 4), (42, 4)], &timed("01ffff", "010080", "410f00"), at);
    let at = "1.5@01t1000 -10@01t1000 0@05!t1000";
    check(&[(32, 7), (33, 7), (42, 7)], &timed("010000c03f", "01000020c1", "0500000000"), at);
    let doubles = timed("01000000000000f83f", "0100000000000024c0", "050000000000000000");
    check(&[(32, 8), (33, 8), (42, 8)], &doubles, at);
    check(&[(34, 1)], "0a00 ffff 0000", "10 65535 0");
    check(&[(34, 2)], "0a000000 ffffffff 00000000", "10 4294967295 0");
    check(&[(34, 3)], "0000c03f 000020c1 00000000", "1.5 -10 0");
}

#[test]
fn analog_commands() {
    check(&[(41, 1)], "ffffffff00 0000008001 0f00000002", "-1s0 -2147483648s1 15s2");
    check(&[(41, 2)], "ffff00 008001 0f0002", "-1s0 -32768s1 15s2");
    check(&[(41, 3)], "0000c03f00 000020c104 000000007f", "1.5s0 -10s4 0s127");
    check(&[(41, 4)], "000000000000f83f00 00000000000024c004 00000000000000007f", "1.5s0 -10s4 0s127");
    check(&[(43, 1)], "00ffffffff 0100000080 020f000000", "-1s0 -2147483648s1 15s2");
    check(&[(43, 2)], "00ffff 010080 020f00", "-1s0 -32768s1 15s2");
    check(&[(43, 5)], "000000c03f 04000020c1 7f00000000", "1.5s0 -10s4 0s127");
    check(&[(43, 6)], "00000000000000f83f 0400000000000024c0 7f0000000000000000", "1.5s0 -10s4 0s127");
    let at = "-1t1s0 -2147483648t2s1 15t3s2";
    check(&[(43, 3)], "00ffffffff010000000000 0100000080020000000000 020f000000030000000000", at);
    check(&[(43, 4)], "00ffff010000000000 010080020000000000 020f00030000000000", "-1t1s0 -32768t2s1 15t3s2");
    check(
        &[(43, 7)],
        "000000c03f010000000000 04000020c1020000000000 7f00000000030000000000",
        "1.5t1s0 -10t2s4 0t3s127",
    );
    check(
        &[(43, 8)],
        "00000000000000f83f010000000000 0400000000000024c0020000000000 7f0000000000000000030000000000",
        "1.5t1s0 -10t2s4 0t3s127",
    );
}

#[test]
fn relay_output_blocks() {
    check(
        &[(12, 1), (12, 2)],
        "0301640000006400000000 8101e8030000000000000f 6402000000000a00000004 25ffffffffffffffffff7e",
        "latch_on/none#1+100-100s0 pulse_on/trip#1+1000-0s15 latch_off/close/clear#2+0-10s4 reserved/none/clear#255+4294967295-4294967295s126",
    );
}

#[test]
fn times_and_the_rest() {
    check(&[(50, 1), (50, 3), (51, 1), (51, 2)], "e80300000000 000000000000 ffffffff0000", "t1000 t0 t4294967295");
    check(&[(50, 2)], "e803000000000a000000 00000000000000000000 010000000000ffffffff", "10t1000 0t0 4294967295t1");
    check(
        &[(50, 4)],
        "e803000000000a00000001 0000000000000000000000 010000000000ffffffff05",
        "10t1000 0t0 4294967295t1",
    );
    check(&[(52, 1)], "0a00 0000 ffff", "d10000 d0 d65535000");
    check(&[(52, 2)], "0a00 0000 ffff", "d10 d0 d65535");
    check(&[(81, 1)], "003c01 641401 ff0000", "0 100 255");
    check(&[(86, 2)], "01 00 0d", "@01 @00! @0d!");
    check(&[(101, 1)], "3412 0000 a000", "1234 0 ba000");
    check(&[(101, 2)], "78563412 00000000 99999999", "12345678 0 99999999");
    let eight = "7856341200000000 9999999999999999 0000000000000080";
    check(&[(101, 3)], eight, "12345678 10000000000000000(9999999999999999) 8000000000000000");
    check(&[(102, 1)], "00 7f ff", "0 127 255");
    check(&[(110, 3), (111, 3), (112, 3), (113, 3)], "616263 000000 ffffff", "b616263 b000000 bffffff");
    check(&[(121, 1), (122, 1)], "0100002a000000 010100ffffffff 00020000000000", "42@01 4294967295@01 0@00!");
    check(
        &[(122, 2)],
        "0100002a000000010000000000 010100ffffffff020000000000 00020000000000030000000000",
        "42@01t1 4294967295@01t2 0@00!t3",
    );
}

#[test]
fn attributes() {
    check(&[(0, 242), (0, 1)], "0103616263 02012a 0301ff 0202ffff 04040000c03f", "b616263 42 -1 65535 1.5");
    check(
        &[(0, 252)],
        "0408000000000000f83f 0706e80300000000 0208ffffffffffffff7f 0208ffffffffffffffff 0500 0209000000000000000000",
        "1.5 t1000 9223372036854776000(9223372036854775807) bffffffffffffffff b b000000000000000000",
    );
}

/// Checks a body of some function, indexes shown.
#[track_caller]
fn check_body(code: u8, body: &str, expect: &str, fault: Option<&'static str>) {
    let (text, walked) = seen(code, &hex(body), true);
    assert_eq!((text.as_str(), walked.fault), (expect, fault.map(Fault)), "{body}");
}

#[test]
fn packed_bits() {
    for group in ["01", "0a"] {
        check_body(129, &format!("{group}01 00 05 0e a5 02"), "5=1 6=0 7=1 8=0 9=0 10=1 11=0 12=1 13=0 14=1", None);
    }
    check_body(129, "0301 00 00 04 e4 03", "0=0 1=1 2=2 3=3 4=3", None);
    check_body(2, "5001 00 07 07 00", "7=0", None);
    check_body(5, "0c03 00 02 04 05", "2=1 3=0 4=1", None);
    check_body(129, "0101 01 ffff ffff 01", "65535=1", None);
    check_body(129, "0101 07 03 06", "0 1 1", None);
    check_body(129, "0101 00 00 0f ff", "0=1 1=1 2=1 3=1 4=1 5=1 6=1 7=1", Some("objects_cut"));
    check_body(129, "0101 00 00 07", "-", Some("objects_cut"));
    check_body(129, "0101 17 01 05 01", "-", Some("bad_qualifier"));
}

#[test]
fn relative_times_count_from_the_occurrence_before_them() {
    check_body(
        129,
        "3301 07 01 e80300000000 0203 17 02 04 81 0a00 05 01 0000",
        "t1000 4=1@81t1010d10 5=0@01t1000d0",
        None,
    );
    check_body(129, "3302 07 01 010000000000 0403 28 0100 0900 81 ffff", "t1 9=2@81t65536d65535", None);
    check_body(129, "0203 17 01 04 81 0a00", "4=1@81d10", None);
}

#[test]
fn every_qualifier() {
    let one = |qualifier: &str, expect: &str| check_body(129, &format!("0102 {qualifier} 81"), expect, None);
    one("00 09 09", "9=1@81");
    one("01 0901 0901", "265=1@81");
    one("02 09000100 09000100", "65545=1@81");
    one("03 09 09", "9=1@81");
    one("04 0901 0901", "265=1@81");
    one("05 09000100 09000100", "65545=1@81");
    one("07 01", "1@81");
    one("08 0100", "1@81");
    one("09 01000000", "1@81");
    one("17 01 09", "9=1@81");
    one("27 01 0901", "265=1@81");
    one("37 01 09000100", "65545=1@81");
    one("28 0100 0901", "265=1@81");
    one("39 01000000 09000100", "65545=1@81");
    one("4b 01 01", "1@81");
    one("5b 01 0100", "1@81");
    one("6b 01 01000000", "1@81");
    one("47 01 01", "1@81");
    for reserved in ["0a", "0c", "0d", "0e", "0f"] {
        check_body(129, &format!("0102 {reserved} 01 81"), "-", Some("bad_qualifier"));
    }
    check_body(129, "0102 77 01 81", "-", Some("bad_qualifier"));
    check_body(129, "0102 00 05 04 81", "-", Some("range_reversed"));
    check_body(129, "0102 00 05", "-", Some("object_header_cut"));
    check_body(129, "0102", "-", Some("object_header_cut"));
    check_body(129, "01", "", Some("object_header_cut"));
    check_body(129, "0102 02 00000000 ffffffff 81", "0=1@81", Some("objects_cut"));
    check_body(129, "0102 07 00", "#0", None);
    check_body(129, "c801 07 01 00", "-", Some("unknown_object"));
    check_body(129, "5501 07 01 00", "-", Some("size_missing"));
    check_body(129, "c801 5b 01 0200 abcd", "babcd", None);
}

#[test]
fn requests_that_only_name_points() {
    check_body(1, "3c02 06 3c03 06 0102 00 03 07 1e00 01 0000 0f00", "- - - -", None);
    check_body(1, "1e00 07 05 1e00 17 02 03 09", "#5 3= 9=", None);
    check_body(7, "1400 06 1401 28 0100 0200", "- 2=", None);
    check_body(11, "3202 07 01 e803000000000a000000 1400 06", "10t1000 -", None);
    check_body(20, "3c02 06 3c03 06 3c04 06", "- - -", None);
    check_body(22, "3c02 06 0100 00 00 03", "- -", None);
    check_body(1, "6e00 06", "-", None);
    check_body(129, "7000 01 0000 ffff 6e00 17 01 05", "- 5=b", None);
}

#[test]
fn files() {
    let file = |code: u8, variation: u8, object: &str| {
        let bytes = hex(object);
        let mut body = vec![70, variation, 0x5b, 1];
        body.extend((bytes.len() as u16).to_le_bytes());
        body.extend(bytes);
        let mut out = String::new();
        let walked = walk(code, &body, 10, &mut |o| {
            let text = |t: Option<&[u8]>| String::from_utf8_lossy(t.unwrap_or(b"-")).into_owned();
            let n = |v: Option<u32>| v.map_or("-".into(), |v| v.to_string());
            out = format!(
                "{} h{} z{} m{:?} b{} {:?} r{:?} u{} {}",
                text(o.file_name),
                n(o.file_handle),
                n(o.file_size),
                o.file_mode,
                n(o.file_block),
                o.file_last,
                o.file_request_id,
                text(o.user_name),
                short(&o, false)
            );
        });
        assert_eq!((walked.rows, walked.fault), (1, None));
        out
    };
    let v3 = "1a00 0500 e80300000000 0000 00000000 10000000 0100 0004 0700 612e747874";
    assert_eq!(file(25, 3, v3), "a.txt h- z16 mSome(1) b- None rSome(7) u- t1000");
    assert_eq!(file(27, 3, &v3.replace("1a00", "ff00")), "- h- z16 mSome(1) b- None rSome(7) u- t1000");
    assert_eq!(file(25, 3, "1a00"), "- h- z- mNone b- None rNone u- b1a00");
    assert_eq!(file(29, 2, "0c00 0300 0f00 0300 00000000 6a6f65 707764"), "- h- z- mNone b- None rNone ujoe -");
    assert_eq!(file(129, 4, "78563412 10000000 0004 0700 01"), "- h305419896 z16 mNone b- None rSome(7) u- s1");
    assert_eq!(file(129, 5, "01000000 02000080 abcd"), "- h1 z- mNone b2 Some(true) rNone u- babcd");
    assert_eq!(file(1, 5, "01000000 02000000"), "- h1 z- mNone b2 Some(false) rNone u- b");
    assert_eq!(file(129, 6, "01000000 03000000 14"), "- h1 z- mNone b3 Some(false) rNone u- s20");
    assert_eq!(
        file(129, 7, "1400 0100 0100 09000000 e80300000000 ff01 0200 64"),
        "d h- z9 mNone b- None rSome(2) u- t1000"
    );
    assert_eq!(file(31, 8, "2f61"), "/a h- z- mNone b- None rNone u- -");
    assert_eq!(file(129, 1, "0102"), "- h- z- mNone b- None rNone u- b0102");
}

#[test]
fn raw_bodies_and_authentication() {
    for (group, variation) in
        [(82, 1), (83, 1), (83, 2), (85, 1), (86, 1), (86, 3), (87, 1), (88, 1), (90, 1), (91, 1), (114, 1), (115, 1)]
    {
        for (size, body) in [("0000", ""), ("0100", "aa"), ("0300", "aabbcc")] {
            let expect = format!("b{body}");
            let text = format!("{group:02x}{variation:02x} 5b 01 {size} {body}");
            check_body(129, &text, &expect, None);
        }
    }
    let users = |body: &str| {
        let bytes = hex(body);
        let mut out = Vec::new();
        walk(32, &bytes, 10, &mut |o| out.push((o.challenge_seq, o.user_number, o.status)));
        out
    };
    assert_eq!(users("7801 5b 01 0700 03000000 0100 ff"), [(Some(3), Some(1), None)]);
    assert_eq!(users("7802 5b 01 0600 04000000 0200"), [(Some(4), Some(2), None)]);
    assert_eq!(users("7803 07 01 05000000 0300"), [(Some(5), Some(3), None)]);
    assert_eq!(users("7804 07 01 0400"), [(None, Some(4), None)]);
    assert_eq!(users("7805 5b 01 0600 06000000 0500"), [(Some(6), Some(5), None)]);
    assert_eq!(users("7807 5b 01 0900 07000000 0600 0000 02"), [(Some(7), Some(6), Some(2))]);
    assert_eq!(users("7809 5b 01 0200 abcd"), [(None, None, None)]);
}

#[test]
fn rows_beyond_the_cap_are_counted() {
    let mut body = hex("0101 01 0000 ff0f");
    body.extend([0xff; 512]);
    let mut rows = 0;
    let walked = walk(129, &body, 2_048, &mut |_| rows += 1);
    assert_eq!((rows, walked.rows, walked.left_out), (2_048, 4_096, 2_048));
    let walked = walk(129, &body, 4_096, &mut |_| {});
    assert_eq!((walked.rows, walked.left_out), (4_096, 0));
}
