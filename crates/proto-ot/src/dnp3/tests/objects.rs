//! Objects: packed bits, qualifiers, and what is cut or wrong.

use super::hex;
use super::vectors::seen;
use crate::dnp3::objects::{Fault, walk};

/// Checks a body of some function, indexes shown.
#[track_caller]
fn check_body(code: u8, body: &str, expect: &str, fault: Option<&'static str>) {
    let (text, walked) = seen(code, &hex(body));
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
fn users_without_a_size_prefix() {
    check_body(32, "7803 07 01 05000000 0300", "b050000000300c5U3", None);
    check_body(32, "7804 07 01 0400", "b0400U4", None);
    check_body(32, "7810 07 01 0400", "-", Some("unknown_object"));
    check_body(32, "7810 5b 01 0200 0400", "b0400", None);
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
