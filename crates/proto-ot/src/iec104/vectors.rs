//! Hand-computed vectors: three elements at least for every type identification, with different addresses and time tags.

use std::collections::BTreeMap;

use super::asdu::Asdu;
use super::element::{Object, quality_words};
use super::table::{Element, Tag, type_of};

/// 34 minutes and 12,345 ms; the last millisecond of an hour, invalid; none.
const CP24: [(&[u8], &str); 3] =
    [(&[0x39, 0x30, 34], "hour=2052345"), (&[0x5f, 0xea, 59 | 0x80], "hour=3599999 iv"), (&[0x60, 0xea, 0], "iv")];
/// Thursday, 13 August 2009, 15:34:12.345; the last millisecond of a leap day, invalid, summer time; none.
const CP56: [(&[u8], &str); 3] = [
    (&[0x39, 0x30, 34, 15, 0x8d, 8, 9], "t=2009-08-13T15:34:12.345000Z"),
    (&[0x5f, 0xea, 59 | 0x80, 23 | 0x80, 29, 2, 24], "t=2024-02-29T23:59:59.999000Z iv su"),
    (&[0; 7], "iv"),
];
/// Addresses of single objects: any, the least, the greatest.
const SINGLE: [u32; 3] = [0x01_0203, 0, 0xff_ffff];
/// Addresses that sequences begin at: a carry into the second octet, the first, the last two.
const SEQUENCE: [u32; 3] = [0xff, 0, 0xff_fffe];

/// Types of one element, and vectors of that element.
type Family = (&'static [u8], &'static [(&'static [u8], &'static str)]);

const FAMILIES: &[Family] = &[
    (
        &[1, 2, 30],
        &[
            (&[0x00], "v=0 i=0 q=good"),
            (&[0x01], "v=1 i=1 q=good"),
            (&[0xf1], "v=1 i=1 q=invalid,not_topical,substituted,blocked"),
        ],
    ),
    (
        &[3, 4, 31],
        &[
            (&[0x00], "v=0 i=0 q=good"),
            (&[0x01], "v=1 i=1 q=good"),
            (&[0x82], "v=2 i=2 q=invalid"),
            (&[0x43], "v=3 i=3 q=not_topical"),
        ],
    ),
    (
        &[5, 6, 32],
        &[
            (&[0x3f, 0x00], "v=63 i=63 q=good"),
            (&[0x40, 0x01], "v=-64 i=-64 q=overflow"),
            (&[0xff, 0x20], "v=-1 i=-1 q=substituted,transient"),
        ],
    ),
    (
        &[7, 8, 33],
        &[
            (&[0, 0, 0, 0, 0], "v=0 i=0 q=good"),
            (&[1, 0, 0, 0x80, 0x10], "v=2147483649 i=2147483649 q=blocked"),
            (&[0xff, 0xff, 0xff, 0xff, 0x80], "v=4294967295 i=4294967295 q=invalid"),
        ],
    ),
    (
        &[9, 10, 34],
        &[
            (&[0x00, 0x40, 0x00], "v=0.5 i=16384 q=good"),
            (&[0x00, 0x80, 0x01], "v=-1 i=-32768 q=overflow"),
            (&[0xff, 0xff, 0x40], "v=-0.000030517578125 i=-1 q=not_topical"),
        ],
    ),
    (&[21], &[(&[0x00, 0x40], "v=0.5 i=16384"), (&[0x00, 0x80], "v=-1 i=-32768"), (&[0x00, 0xe0], "v=-0.25 i=-8192")]),
    (
        &[11, 12, 35],
        &[
            (&[0x39, 0x30, 0x00], "v=12345 i=12345 q=good"),
            (&[0xc7, 0xcf, 0x80], "v=-12345 i=-12345 q=invalid"),
            (&[0xff, 0x7f, 0x30], "v=32767 i=32767 q=substituted,blocked"),
        ],
    ),
    (
        &[13, 14, 36],
        &[
            (&[0x00, 0x00, 0x48, 0x42, 0x00], "v=50 q=good"),
            (&[0x00, 0x00, 0x20, 0xc1, 0x01], "v=-10 q=overflow"),
            (&[0x00, 0x00, 0x00, 0x00, 0xc0], "v=0 q=invalid,not_topical"),
        ],
    ),
    (
        &[15, 16, 37],
        &[
            (&[1, 0, 0, 0, 0x05], "v=1 i=1 q=good qu=5"),
            (&[0xff, 0xff, 0xff, 0xff, 0x3f], "v=-1 i=-1 q=carry qu=31"),
            (&[0, 0, 1, 0, 0xc0], "v=65536 i=65536 q=invalid,adjusted qu=0"),
        ],
    ),
    (
        &[17, 38],
        &[
            (&[0x01, 0x0a, 0x00], "v=1 i=1 q=good d=10"),
            (&[0x0a, 0xff, 0xff], "v=2 i=2 q=elapsed_time_invalid d=65535"),
            (&[0x80, 0x00, 0x01], "v=0 i=0 q=invalid d=256"),
        ],
    ),
    (
        &[18, 39],
        &[
            (&[0x01, 0x00, 0x0a, 0x00], "v=1 i=1 q=good d=10"),
            (&[0x3f, 0x08, 0x00, 0x00], "v=63 i=63 q=elapsed_time_invalid d=0"),
            (&[0xe2, 0xf0, 0x01, 0x00], "v=34 i=34 q=invalid,not_topical,substituted,blocked d=1"),
        ],
    ),
    (
        &[19, 40],
        &[
            (&[0x01, 0x00, 0x0a, 0x00], "v=1 i=1 q=good d=10"),
            (&[0x0f, 0x10, 0x00, 0x02], "v=15 i=15 q=blocked d=512"),
            (&[0xf8, 0x80, 0x01, 0x00], "v=8 i=8 q=invalid d=1"),
        ],
    ),
    (
        &[20],
        &[
            (&[0x01, 0x00, 0x00, 0x00, 0x00], "v=1 i=1 q=good"),
            (&[0x01, 0x80, 0x01, 0x00, 0x01], "v=32769 i=98305 q=overflow"),
            (&[0x00, 0x00, 0xff, 0xff, 0x40], "v=0 i=4294901760 q=not_topical"),
        ],
    ),
    (
        &[41],
        &[
            (&[0x02, 0x01, 7, 0, 0, 0, 0x01], "v=7 i=7 b=0201 q=good qu=1"),
            (&[0x00, 0x00, 0, 1, 0, 0, 0x80], "v=256 i=256 b=0000 q=invalid qu=0"),
            (&[0xff, 0xff, 0xff, 0xff, 0xff, 0x7f, 0x20], "v=2147483647 i=2147483647 b=ffff q=carry qu=0"),
            (&[9, 0, 0, 0, 0x02], "v=9 i=9 q=good qu=2"),
        ],
    ),
    (
        &[45, 58],
        &[
            (&[0x00], "v=0 i=0 qu=0 sel=false off"),
            (&[0x81], "v=1 i=1 qu=0 sel=true on"),
            (&[0x05], "v=1 i=1 qu=1 sel=false on"),
        ],
    ),
    (
        &[46, 59],
        &[
            (&[0x01], "v=1 i=1 qu=0 sel=false off"),
            (&[0x82], "v=2 i=2 qu=0 sel=true on"),
            (&[0x0c], "v=0 i=0 qu=3 sel=false not permitted"),
        ],
    ),
    (
        &[47, 60],
        &[
            (&[0x01], "v=1 i=1 qu=0 sel=false lower"),
            (&[0x8a], "v=2 i=2 qu=2 sel=true higher"),
            (&[0x03], "v=3 i=3 qu=0 sel=false not permitted"),
        ],
    ),
    (
        &[48, 61],
        &[
            (&[0x00, 0x40, 0x00], "v=0.5 i=16384 qu=0 sel=false"),
            (&[0x00, 0xc0, 0x80], "v=-0.5 i=-16384 qu=0 sel=true"),
            (&[0x01, 0x00, 0x7f], "v=0.000030517578125 i=1 qu=127 sel=false"),
        ],
    ),
    (
        &[49, 62],
        &[
            (&[0x10, 0x27, 0x00], "v=10000 i=10000 qu=0 sel=false"),
            (&[0xf0, 0xd8, 0x81], "v=-10000 i=-10000 qu=1 sel=true"),
            (&[0x00, 0x00, 0x40], "v=0 i=0 qu=64 sel=false"),
        ],
    ),
    (
        &[50, 63],
        &[
            (&[0x00, 0x00, 0xc8, 0x42, 0x00], "v=100 qu=0 sel=false"),
            (&[0x00, 0x00, 0x00, 0xbf, 0x80], "v=-0.5 qu=0 sel=true"),
            (&[0x00, 0x00, 0x80, 0x3f, 0x03], "v=1 qu=3 sel=false"),
        ],
    ),
    (
        &[51, 64],
        &[
            (&[0x01, 0, 0, 0], "v=1 i=1"),
            (&[0, 0, 0, 0x80], "v=2147483648 i=2147483648"),
            (&[0xef, 0xbe, 0xad, 0xde], "v=3735928559 i=3735928559"),
        ],
    ),
    (&[70, 100, 101, 105, 113], &[(&[0], "qu=0"), (&[20], "qu=20"), (&[0x85], "qu=133")]),
    (&[102, 103], &[(&[], ""), (&[], ""), (&[], "")]),
    (
        &[104, 107],
        &[(&[0xaa, 0x55], "v=21930 i=21930"), (&[0x00, 0x00], "v=0 i=0"), (&[0xff, 0xff], "v=65535 i=65535")],
    ),
    (&[106], &[(&[0, 0], "d=0"), (&[0x10, 0x27], "d=10000"), (&[0xff, 0xff], "d=65535")]),
    (
        &[110],
        &[
            (&[0x00, 0x40, 0x01], "v=0.5 i=16384 qu=1"),
            (&[0x00, 0x80, 0x42], "v=-1 i=-32768 qu=66"),
            (&[0x00, 0x00, 0x84], "v=0 i=0 qu=132"),
        ],
    ),
    (
        &[111],
        &[
            (&[0x05, 0x00, 0x01], "v=5 i=5 qu=1"),
            (&[0xfb, 0xff, 0x03], "v=-5 i=-5 qu=3"),
            (&[0x00, 0x80, 0x04], "v=-32768 i=-32768 qu=4"),
        ],
    ),
    (
        &[112],
        &[
            (&[0, 0, 0x80, 0x3f, 0x01], "v=1 qu=1"),
            (&[0, 0, 0x00, 0xc0, 0x02], "v=-2 qu=2"),
            (&[0, 0, 0x20, 0x41, 0x83], "v=10 qu=131"),
        ],
    ),
    (
        &[120],
        &[
            (&[1, 0, 0x00, 0x01, 0x00, 0], "v=256 i=1 qu=0"),
            (&[0xff, 0xff, 0xff, 0xff, 0xff, 0x80], "v=16777215 i=65535 qu=128"),
            (&[2, 1, 0, 0, 0, 1], "v=0 i=258 qu=1"),
        ],
    ),
    (
        &[121],
        &[
            (&[1, 0, 1, 0x10, 0, 0, 0], "v=16 i=1 qu=0 sec=1"),
            (&[2, 0, 255, 0, 1, 0, 0x80], "v=256 i=2 qu=128 sec=255"),
            (&[0, 1, 0, 0, 0, 1, 1], "v=65536 i=256 qu=1 sec=0"),
        ],
    ),
    (
        &[122, 124],
        &[
            (&[1, 0, 0, 1], "i=1 qu=1 sec=0"),
            (&[2, 0, 3, 6], "i=2 qu=6 sec=3"),
            (&[0, 1, 255, 4], "i=256 qu=4 sec=255"),
        ],
    ),
    (
        &[123],
        &[
            (&[1, 0, 1, 3, 0xaa], "i=1 b=aa qu=3 sec=1"),
            (&[2, 0, 0, 1, 0], "i=2 b=00 qu=1 sec=0"),
            (&[0xff, 0xff, 9, 4, 0xff], "i=65535 b=ff qu=4 sec=9"),
        ],
    ),
    (
        &[125],
        &[
            (&[1, 0, 1, 2, 0xca, 0xfe], "v=2 i=1 b=cafe sec=1"),
            (&[1, 0, 2, 0], "v=0 i=1 b= sec=2"),
            (&[0, 2, 3, 1, 0x68], "v=1 i=512 b=68 sec=3"),
        ],
    ),
    (
        &[126],
        &[
            (&[1, 0, 0x20, 0, 0, 0x00], "v=32 i=1 qu=0"),
            (&[2, 0, 0, 0x01, 0, 0x20], "v=256 i=2 qu=32"),
            (&[3, 0, 0, 0, 0x01, 0x40], "v=65536 i=3 qu=64"),
        ],
    ),
    (
        &[127],
        &[
            (
                &[5, 0, 0x39, 0x30, 34, 15, 0x8d, 8, 9, 0, 0, 0, 0, 0, 0, 0],
                "i=5 b=3930220f8d080900000000000000 t=2009-08-13T15:34:12.345000Z",
            ),
            (
                &[0, 1, 0, 0, 0, 0, 1, 1, 70, 0x5f, 0xea, 59, 23, 31, 12, 69],
                "i=256 b=000000000101465fea3b171f0c45 t=1970-01-01T00:00:00.000000Z",
            ),
            (&[0xff; 16], "i=65535 b=ffffffffffffffffffffffffffff iv su"),
        ],
    ),
];

fn text(o: &Object<'_>) -> String {
    let mut words = Vec::new();
    let quality = o.quality.map(|bits| {
        quality_words(bits, &mut words);
        words.join(",")
    });
    let hex = |b: &[u8]| b.iter().map(|b| format!("{b:02x}")).collect::<String>();
    [
        o.value.map(|v| format!("v={v}")),
        o.int.map(|v| format!("i={v}")),
        o.bytes.map(|b| format!("b={}", hex(b))),
        quality.map(|q| format!("q={q}")),
        o.qualifier.map(|q| format!("qu={q}")),
        o.select.map(|s| format!("sel={s}")),
        o.action.map(str::to_owned),
        o.duration_ms.map(|d| format!("d={d}")),
        o.section.map(|s| format!("sec={s}")),
        o.hour_ms.map(|h| format!("hour={h}")),
        o.time.map(|t| format!("t={t}")),
        o.time_invalid.filter(|iv| *iv).map(|_| "iv".to_owned()),
        o.summer.filter(|su| *su).map(|_| "su".to_owned()),
    ]
    .into_iter()
    .flatten()
    .collect::<Vec<_>>()
    .join(" ")
}

fn asdu(type_id: u8, vsq: u8, body: &[u8]) -> Vec<u8> {
    [&[type_id, vsq, 3, 0, 1, 0], body].concat()
}

/// Vector `n` of a type: one object alone, and twice in a sequence.
fn check(type_id: u8, n: usize, element: &[u8], expect: &str) {
    let tag = type_of(type_id).map_or(Tag::None, |t| t.tag);
    let (bytes, shown) = match tag {
        Tag::None => (&[][..], ""),
        Tag::Cp24 => CP24[n % 3],
        Tag::Cp56 => CP56[n % 3],
    };
    let expect = [expect, shown].into_iter().filter(|t| !t.is_empty()).collect::<Vec<_>>().join(" ");
    let object = [element, bytes].concat();
    let ioa = SINGLE[n % 3];
    let one = asdu(type_id, 1, &[&ioa.to_le_bytes()[..3], &object[..]].concat());
    let parsed = Asdu::parse(&one).unwrap();
    assert_eq!(parsed.fault(), None, "type {type_id}");
    let got: Vec<_> = parsed.objects().map(|o| (o.ioa, text(&o))).collect();
    assert_eq!(got, [(Some(ioa), expect.clone())], "type {type_id}");
    for cut in 0..one.len() {
        // Security statistics cut by two octets are those without an association identifier.
        let sound = type_id == 41 && cut + 2 == one.len();
        let short = Asdu::parse(&one[..cut]);
        assert!(sound || short.is_none_or(|a| a.fault().is_some()), "type {type_id} cut at {cut}");
    }
    // A segment says its own length: it is always alone.
    if type_id != 125 {
        let ioa = SEQUENCE[n % 3];
        let two = asdu(type_id, 0x82, &[&ioa.to_le_bytes()[..3], &object[..], &object].concat());
        let parsed = Asdu::parse(&two).unwrap();
        assert_eq!(parsed.fault(), None, "type {type_id} in sequence");
        let got: Vec<_> = parsed.objects().map(|o| (o.ioa, text(&o))).collect();
        assert_eq!(got, [(Some(ioa), expect.clone()), (Some(ioa + 1), expect)], "type {type_id} in sequence");
    }
}

#[test]
fn every_element_of_every_type() {
    for (types, vectors) in FAMILIES {
        for (n, (element, expect)) in vectors.iter().enumerate() {
            types.iter().for_each(|t| check(*t, n, element, expect));
        }
    }
}

/// Three vectors at least for every type that is taken apart; the others are listed as left raw.
#[test]
fn everything_claimed_is_shown() {
    let mut shown: BTreeMap<u8, usize> = BTreeMap::new();
    for (types, vectors) in FAMILIES {
        types.iter().for_each(|t| *shown.entry(*t).or_default() += vectors.len());
    }
    let known = |raw: bool| {
        let fits = move |t: &u8| type_of(*t).is_some_and(|info| (info.element == Element::Raw) == raw);
        (0..=255).filter(fits).collect::<Vec<u8>>()
    };
    assert_eq!(shown.keys().copied().collect::<Vec<_>>(), known(false));
    let few: Vec<_> = shown.iter().filter(|(_, n)| **n < 3).collect();
    assert!(few.is_empty(), "under three vectors: {few:?}");
    let listed: Vec<u8> = super::left_raw().map(|(t, _)| t).collect();
    assert_eq!(listed, known(true));
    assert_eq!(listed, [81, 82, 83, 84, 85, 86, 87, 90, 91, 92, 93, 94, 95]);
}

#[test]
fn security_types_and_unknown_ones_stay_whole() {
    for type_id in (81..=87).chain(90..=95).chain([0, 22, 99, 128, 255]) {
        for body in [&[][..], &[1], &[0xff; 40]] {
            let bytes = asdu(type_id, 1, body);
            let parsed = Asdu::parse(&bytes).unwrap();
            let got: Vec<_> = parsed.objects().map(|o| (o.ioa, o.bytes)).collect();
            assert_eq!(got, if body.is_empty() { vec![] } else { vec![(None, Some(body))] });
            assert_eq!(parsed.fault().is_some(), type_of(type_id).is_none());
        }
    }
}

#[test]
fn time_tags_of_values_and_of_clock_synchronisation() {
    let check = |tag: &[u8], expect: (bool, Option<bool>)| {
        for (type_id, element) in [(30, &[1, 0, 0, 1][..]), (103, &[0, 0, 0])] {
            let bytes = asdu(type_id, 1, &[element, tag].concat());
            let o = Asdu::parse(&bytes).unwrap().first().unwrap();
            assert_eq!((o.time.is_some(), o.time_invalid), expect);
        }
    };
    check(CP56[0].0, (true, Some(false)));
    check(&[0x39, 0x30, 34 | 0x80, 15, 0x8d, 8, 9], (true, Some(true)));
    check(&[0; 7], (false, Some(true)));
}
