//! Domain names on the wire: labels, compression, and the text they become.

/// Labels of one name: 255 bytes hold no more than 127 (RFC 1035 §2.3.4).
const LABELS: usize = 128;
/// Compression pointers followed for one name; each must point further back, and real names need one or two.
const JUMPS: usize = 64;
/// Bytes of one name with its length bytes, the last one included (RFC 1035 §2.3.4).
const NAME_BYTES: usize = 255;

/// Appends the name at `at` of a message to `out` and gives the offset after it, or the reason why it cannot be read.
///
/// Labels are joined by dots, the root is `.`; a dot or backslash inside a label gets a backslash before it (RFC 6763 §4.3), so that
/// different names never look alike. The case is kept. A pointer must lead to a place before the labels read last, so loops are
/// impossible (RFC 1035 §4.1.4: a prior occurrence).
pub fn read_name(message: &[u8], at: usize, out: &mut Vec<u8>) -> Result<usize, &'static str> {
    let start = out.len();
    let (mut pos, mut floor, mut end) = (at, at, None);
    let (mut bytes, mut labels, mut jumps) = (1, 0, 0);
    loop {
        let length = *message.get(pos).ok_or("truncated_name")?;
        match length >> 6 {
            0 if length == 0 => {
                end.get_or_insert(pos + 1);
                break;
            }
            0 => {
                let next = pos + 1 + usize::from(length);
                let label = message.get(pos + 1..next).ok_or("truncated_name")?;
                bytes += label.len() + 1;
                labels += 1;
                if bytes > NAME_BYTES || labels > LABELS {
                    return Err("long_name");
                }
                if out.len() > start {
                    out.push(b'.');
                }
                push_label(out, label);
                pos = next;
            }
            3 => {
                let low = *message.get(pos + 1).ok_or("truncated_name")?;
                let target = usize::from(u16::from_be_bytes([length & 0x3f, low]));
                end.get_or_insert(pos + 2);
                jumps += 1;
                if target >= floor || jumps > JUMPS {
                    return Err("bad_pointer");
                }
                floor = target;
                pos = target;
            }
            _ => return Err("bad_label"),
        }
    }
    if out.len() == start {
        out.push(b'.');
    }
    Ok(end.unwrap_or(pos))
}

fn push_label(out: &mut Vec<u8>, label: &[u8]) {
    for b in label {
        if matches!(b, b'.' | b'\\') {
            out.push(b'\\');
        }
        out.push(*b);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(message: &[u8], at: usize, expect: Result<(&str, usize), &str>) {
        let mut out = b"x".to_vec();
        let read = read_name(message, at, &mut out);
        let got = read.map(|end| (std::str::from_utf8(&out[1..]).unwrap(), end));
        assert_eq!(got, expect, "{message:02x?} at {at}");
    }

    #[test]
    fn labels_and_pointers() {
        check(b"\0", 0, Ok((".", 1)));
        check(b"\x03WWW\x02eu\0rest", 0, Ok(("WWW.eu", 8)));
        check(b"\x02eu\0\x03www\xc0\x00rest", 4, Ok(("www.eu", 10)));
        check(b"\x02eu\0\x03www\xc0\x00\x01a\xc0\x04", 10, Ok(("a.www.eu", 14)));
        check(b"\x04a.b\\\0", 0, Ok(("a\\.b\\\\", 6)));
    }

    #[test]
    fn what_cannot_be_read_says_why() {
        check(b"", 0, Err("truncated_name"));
        check(b"\x03ww", 0, Err("truncated_name"));
        check(b"\x03www", 0, Err("truncated_name"));
        check(b"\xc0", 0, Err("truncated_name"));
        check(b"\x40a", 0, Err("bad_label"));
        check(b"\x80a", 0, Err("bad_label"));
        // To itself, into its own labels, forwards, and two that point at each other.
        check(b"\xc0\x00", 0, Err("bad_pointer"));
        check(b"\x01a\xc0\x00", 0, Err("bad_pointer"));
        check(b"\xc0\x02\x01a\0", 0, Err("bad_pointer"));
        check(b"\xc0\x02\xc0\x00", 2, Err("bad_pointer"));
    }

    #[test]
    fn limits_on_both_sides() {
        // 127 labels of one byte and the root are 255 bytes; one more is too many.
        let name = |n: usize| [b"\x01a".repeat(n), vec![0]].concat();
        let text = vec!["a"; 127].join(".");
        check(&name(127), 0, Ok((&text, 255)));
        check(&name(128), 0, Err("long_name"));
        // 64 pointers in a row are followed, the 65th is not.
        let chain = |n: u8| -> Vec<u8> {
            let mut m = vec![0, 0];
            for i in 0..n {
                m.extend_from_slice(&[0xc0, i * 2]);
            }
            m
        };
        check(&chain(64), 128, Ok((".", 130)));
        check(&chain(65), 130, Err("bad_pointer"));
    }
}
