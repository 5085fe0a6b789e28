//! The values of a data set: type, text and number of each (IEC 61850-8-1 A.1 `Data`, ISO 9506-2).

use gwcore::Ts;
use proto::Cursor;

use super::ber;

/// Name of the type that a tag stands for.
pub fn type_name(tag: u8) -> &'static str {
    match tag {
        0xa1 => "array",
        0xa2 => "structure",
        0x83 => "boolean",
        0x84 => "bit_string",
        0x85 => "integer",
        0x86 => "unsigned",
        0x87 => "float",
        0x88 => "real",
        0x89 => "octet_string",
        0x8a => "visible_string",
        0x8b => "generalized_time",
        0x8c => "binary_time",
        0x8d => "bcd",
        0x8e => "boolean_array",
        0x8f => "object_identifier",
        0x90 => "mms_string",
        0x91 => "utc_time",
        _ => "unknown",
    }
}

/// Iterates over the elements of a data set or structure.
#[derive(Clone)]
pub struct Entries<'a> {
    rest: Cursor<'a>,
}

impl<'a> Entries<'a> {
    /// Over the content of `allData`, an array or a structure.
    pub fn new(content: &'a [u8]) -> Entries<'a> {
        Entries { rest: Cursor::new(content) }
    }

    /// Octets that could not be read as elements, once the iterator has ended.
    pub fn left(&self) -> usize {
        self.rest.left()
    }
}

impl<'a> Iterator for Entries<'a> {
    type Item = (u8, &'a [u8]);

    fn next(&mut self) -> Option<(u8, &'a [u8])> {
        ber::element(&mut self.rest)
    }
}

/// UtcTime (IEC 61850-8-1 §8.1.3.6): seconds, 24 bits of a second, quality.
pub fn utc_time(b: [u8; 8]) -> Ts {
    let [s0, s1, s2, s3, f0, f1, f2, _] = b;
    let fraction = i64::from(u32::from_be_bytes([0, f0, f1, f2]));
    Ts::from_parts(i64::from(u32::from_be_bytes([s0, s1, s2, s3])), (fraction * 1_000_000_000) >> 24)
}

/// Writes a value as text: structures in `{}`, arrays in `[]`, bits as 0 and 1, octets in hexadecimal. False when a part is no such value or
/// lies deeper than `depth`; it then stands as hexadecimal or as an ellipsis.
pub fn write(tag: u8, content: &[u8], depth: usize, out: &mut Vec<u8>) -> bool {
    let text = match tag {
        0xa1 | 0xa2 => return group(tag, content, depth, out),
        0x83 => boolean(content).map(|v| v.to_string()),
        0x84 | 0x8e => bits(content).map(|(bytes, n)| {
            let digit = |i: usize| if bytes.get(i / 8).is_some_and(|b| b << (i % 8) & 0x80 != 0) { '1' } else { '0' };
            (0..n).map(digit).collect()
        }),
        0x85 => ber::signed(content).map(|v| v.to_string()),
        0x86 => ber::unsigned(content).map(|v| v.to_string()),
        0x87 => float(content).map(|v| v.to_string()),
        0x91 => content.try_into().ok().map(|b| utc_time(b).to_string()),
        _ => None,
    };
    match (text, tag) {
        (Some(text), _) => out.extend_from_slice(text.as_bytes()),
        (None, 0x8a | 0x90) => out.extend_from_slice(content),
        (None, 0x88 | 0x89 | 0x8b..=0x8d | 0x8f) => hex(content, out),
        (None, _) => {
            hex(content, out);
            return false;
        }
    }
    true
}

fn group(tag: u8, content: &[u8], depth: usize, out: &mut Vec<u8>) -> bool {
    let (open, end) = if tag == 0xa1 { (b'[', b']') } else { (b'{', b'}') };
    out.push(open);
    let mut sound = depth > 0;
    let mut entries = Entries::new(content);
    if let Some(inner) = depth.checked_sub(1) {
        for (i, (tag, content)) in entries.by_ref().enumerate() {
            if i > 0 {
                out.push(b',');
            }
            sound &= write(tag, content, inner, out);
        }
        sound &= entries.left() == 0;
    } else {
        out.extend_from_slice("…".as_bytes());
    }
    out.push(end);
    sound
}

fn hex(content: &[u8], out: &mut Vec<u8>) {
    let digit = |n: u8| if n < 10 { b'0' + n } else { b'a' + n - 10 };
    out.extend(content.iter().flat_map(|b| [digit(b >> 4), digit(b & 15)]));
}

fn boolean(content: &[u8]) -> Option<bool> {
    let &[b] = content else { return None };
    Some(b != 0)
}

/// The octets of a bit string and how many of their bits count.
fn bits(content: &[u8]) -> Option<(&[u8], usize)> {
    let (unused, bytes) = content.split_first()?;
    let n = (bytes.len() * 8).checked_sub(usize::from(*unused))?;
    (*unused < 8).then_some((bytes, n))
}

/// FloatingPoint: width of the exponent, then IEEE 754.
fn float(content: &[u8]) -> Option<f64> {
    match *content {
        [8, a, b, c, d] => Some(f64::from(f32::from_be_bytes([a, b, c, d]))),
        [11, a, b, c, d, e, f, g, h] => Some(f64::from_be_bytes([a, b, c, d, e, f, g, h])),
        _ => None,
    }
}

/// The value as a number and whether it is a state; of a structure, that of its first number. Bit strings up to 32 bits count.
pub fn number(tag: u8, content: &[u8], depth: usize) -> Option<(f64, bool)> {
    match tag {
        0xa2 => {
            let inner = depth.checked_sub(1)?;
            Entries::new(content).find_map(|(tag, content)| number(tag, content, inner))
        }
        0x83 => boolean(content).map(|v| (f64::from(u8::from(v)), true)),
        0x84 => {
            let (bytes, n) = bits(content).filter(|(_, n)| (1..=32).contains(n))?;
            let all = bytes.iter().fold(0u64, |v, b| (v << 8) | u64::from(*b));
            Some(((all >> (bytes.len() * 8 - n)) as f64, true))
        }
        0x85 => ber::signed(content).map(|v| (v as f64, false)),
        0x86 => ber::unsigned(content).map(|v| (v as f64, false)),
        0x87 => float(content).filter(|v| v.is_finite()).map(|v| (v, false)),
        _ => None,
    }
}

/// Whether an entry is a Quality (IEC 61850-7-3 §6.2.1: thirteen bits), and if so whether it says good.
pub fn quality(tag: u8, content: &[u8]) -> Option<bool> {
    let (bytes, n) = bits(content).filter(|_| tag == 0x84)?;
    (n == 13).then(|| bytes.first().is_some_and(|b| b & 0xc0 == 0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(bytes: &[u8], expect: &str, sound: bool, as_number: Option<(f64, bool)>) {
        let (tag, content) = Entries::new(bytes).next().unwrap();
        let mut out = Vec::new();
        let got = write(tag, content, 2, &mut out);
        assert_eq!((String::from_utf8(out).unwrap().as_str(), got), (expect, sound), "{bytes:02x?}");
        assert_eq!(number(tag, content, 2), as_number, "{bytes:02x?}");
    }

    #[test]
    fn every_type() {
        check(&[0x83, 1, 0], "false", true, Some((0.0, true)));
        check(&[0x83, 1, 1], "true", true, Some((1.0, true)));
        check(&[0x83, 1, 0xff], "true", true, Some((1.0, true)));
        check(&[0x83, 2, 1, 1], "0101", false, None);
        check(&[0x84, 2, 6, 0x40], "01", true, Some((1.0, true)));
        check(&[0x84, 2, 6, 0x80], "10", true, Some((2.0, true)));
        check(&[0x84, 3, 3, 0x40, 0x08], "0100000000001", true, Some((2049.0, true)));
        check(&[0x84, 1, 0], "", true, None);
        check(&[0x84, 2, 9, 0], "0900", false, None);
        check(&[0x84, 1, 1], "01", false, None);
        check(&[0x85, 1, 0x80], "-128", true, Some((-128.0, false)));
        check(&[0x85, 4, 0, 0, 1, 0], "256", true, Some((256.0, false)));
        check(&[0x85, 0], "", false, None);
        check(&[0x86, 1, 0xff], "255", true, Some((255.0, false)));
        check(&[0x86, 5, 0, 0xff, 0xff, 0xff, 0xff], "4294967295", true, Some((4_294_967_295.0, false)));
        check(&[0x86, 2, 1, 0], "256", true, Some((256.0, false)));
        check(&[0x87, 5, 8, 0x42, 0x48, 0, 0], "50", true, Some((50.0, false)));
        check(&[0x87, 5, 8, 0xc1, 0x20, 0, 0], "-10", true, Some((-10.0, false)));
        check(&[0x87, 9, 11, 0x3f, 0xe0, 0, 0, 0, 0, 0, 0], "0.5", true, Some((0.5, false)));
        check(&[0x87, 5, 8, 0x7f, 0xc0, 0, 0], "NaN", true, None);
        check(&[0x87, 4, 0, 0, 0, 0], "00000000", false, None);
        check(&[0x89, 2, 0xca, 0xfe], "cafe", true, None);
        check(&[0x8a, 3, b'a', b'b', b'c'], "abc", true, None);
        check(&[0x90, 2, 0xc3, 0xa9], "é", true, None);
        check(&[0x8c, 6, 0, 0, 0, 1, 0, 2], "000000010002", true, None);
        // 1216135243 s is 15:20:43 on 15 July 2008; 0x800000 is half a second.
        check(&[0x91, 8, 0x48, 0x7c, 0xc0, 0x4b, 0x80, 0, 0, 0x0a], "2008-07-15T15:20:43.500000Z", true, None);
        check(&[0x91, 1, 0], "00", false, None);
        check(&[0x9e, 1, 7], "07", false, None);
    }

    #[test]
    fn groups_and_their_depth() {
        check(&[0xa2, 6, 0x83, 1, 1, 0x85, 1, 5], "{true,5}", true, Some((1.0, true)));
        check(&[0xa1, 6, 0x86, 1, 1, 0x86, 1, 5], "[1,5]", true, None);
        check(&[0xa2, 5, 0xa2, 3, 0x85, 1, 7], "{{7}}", true, Some((7.0, false)));
        check(&[0xa2, 7, 0xa2, 5, 0xa2, 3, 0x85, 1, 7], "{{{…}}}", false, None);
        check(&[0xa2, 4, 0x83, 1, 1, 0x85], "{true}", false, Some((1.0, true)));
        check(&[0xa2, 0], "{}", true, None);
    }

    #[test]
    fn qualities() {
        assert_eq!(quality(0x84, &[3, 0, 0]), Some(true));
        assert_eq!(quality(0x84, &[3, 0x40, 0]), Some(false));
        assert_eq!(quality(0x84, &[6, 0x40]), None);
    }
}
