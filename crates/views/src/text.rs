//! Values as text, appended to a buffer: numbers, times, addresses, and wire text that must not leave its cell.

use gwcore::{Addr, Column, Mac, Span, Ts, Uid, Value, time};

/// Appends an unsigned number.
#[inline]
pub fn uint(out: &mut Vec<u8>, n: u64) {
    out.extend_from_slice(itoa::Buffer::new().format(n).as_bytes());
}

/// Appends a signed number.
#[inline]
pub fn int(out: &mut Vec<u8>, n: i64) {
    out.extend_from_slice(itoa::Buffer::new().format(n).as_bytes());
}

/// Appends the shortest text that reads back as the same double; false when it is not finite (nothing is written then).
pub fn double(out: &mut Vec<u8>, n: f64) -> bool {
    if n.is_finite() {
        out.extend_from_slice(ryu::Buffer::new().format_finite(n).as_bytes());
    }
    n.is_finite()
}

/// Appends a number with leading zeros up to `width` digits.
fn padded(out: &mut Vec<u8>, n: u64, width: usize) {
    let mut buffer = itoa::Buffer::new();
    let text = buffer.format(n);
    out.resize(out.len() + width.saturating_sub(text.len()), b'0');
    out.extend_from_slice(text.as_bytes());
}

/// Appends seconds with six digits after the point, as Zeek writes `time` and `interval`; nanoseconds are cut.
pub fn micro_seconds(out: &mut Vec<u8>, ns: i64) {
    let micros = ns / 1_000;
    if micros < 0 {
        out.push(b'-');
    }
    let micros = micros.unsigned_abs();
    uint(out, micros / 1_000_000);
    out.push(b'.');
    padded(out, micros % 1_000_000, 6);
}

/// Seconds of a span.
pub fn seconds(span: Span) -> f64 {
    span.0 as f64 / 1e9
}

/// Appends lower-case hexadecimal.
pub fn hex(out: &mut Vec<u8>, bytes: &[u8]) {
    out.extend(bytes.iter().flat_map(|b| [digit(b >> 4), digit(b & 15)]));
}

/// Appends a number in lower-case hexadecimal without leading zeros.
pub fn hex_number(out: &mut Vec<u8>, n: u64) {
    let digits = (64 - n.leading_zeros()).div_ceil(4).max(1);
    out.extend((0..digits).rev().map(|i| digit((n >> (4 * i) & 15) as u8)));
}

fn digit(n: u8) -> u8 {
    if n < 10 { b'0' + n } else { b'a' + n - 10 }
}

/// Appends an IP address.
pub fn addr(out: &mut Vec<u8>, a: Addr) {
    match a.as_v4() {
        Some(bytes) => {
            for (i, b) in bytes.into_iter().enumerate() {
                if i > 0 {
                    out.push(b'.');
                }
                uint(out, u64::from(b));
            }
        }
        None => out.extend_from_slice(a.to_string().as_bytes()),
    }
}

/// Appends an IP address, IPv6 with all its digits, as Suricata writes it.
pub fn long_addr(out: &mut Vec<u8>, a: Addr) {
    if a.is_v4() {
        return addr(out, a);
    }
    for (i, b) in a.0.into_iter().enumerate() {
        if i > 0 && i % 2 == 0 {
            out.push(b':');
        }
        out.extend_from_slice(&[digit(b >> 4), digit(b & 15)]);
    }
}

/// Appends a MAC address.
pub fn mac(out: &mut Vec<u8>, m: Mac) {
    for (i, b) in m.0.into_iter().enumerate() {
        if i > 0 {
            out.push(b':');
        }
        out.extend_from_slice(&[digit(b >> 4), digit(b & 15)]);
    }
}

/// Appends a conversation's identity.
pub fn uid(out: &mut Vec<u8>, uid: Uid) {
    out.extend_from_slice(&uid.text());
}

/// Writes moments; remembers the text of the last second, for times come in order.
#[derive(Default)]
pub struct Clock {
    second: Option<i64>,
    text: Vec<u8>,
}

impl Clock {
    /// Appends `2017-07-14T02:40:00.` and the fraction: microseconds, or nanoseconds where `nanos` is set and they are not whole.
    fn write(&mut self, out: &mut Vec<u8>, ts: Ts, nanos: bool) {
        let (second, fraction) = (ts.0.div_euclid(time::SECOND), ts.0.rem_euclid(time::SECOND) as u64);
        if self.second != Some(second) {
            self.second = Some(second);
            self.text.clear();
            Ts(second.saturating_mul(time::SECOND)).write_micros(&mut self.text);
            self.text.truncate("2017-07-14T02:40:00.".len());
        }
        out.extend_from_slice(&self.text);
        if nanos && fraction % 1_000 != 0 {
            padded(out, fraction, 9);
        } else {
            padded(out, fraction / 1_000, 6);
        }
    }

    /// Appends RFC 3339 (§5.6): microseconds, or nanoseconds where they are not whole.
    pub fn rfc3339(&mut self, out: &mut Vec<u8>, ts: Ts) {
        self.write(out, ts, true);
        out.push(b'Z');
    }

    /// Appends the form of EVE: `2017-07-14T02:40:00.830079+0000`.
    pub fn eve(&mut self, out: &mut Vec<u8>, ts: Ts) {
        self.write(out, ts, false);
        out.extend_from_slice(b"+0000");
    }
}

/// Appends text as the inside of a JSON string. Control characters, DEL, C1 controls, line separators and the marks that turn the
/// direction of text are written `\u….`, so that no name can move a cursor, colour a terminal, end a line or reorder what a reader sees.
pub fn json_escaped(out: &mut Vec<u8>, text: &str) {
    if text.bytes().all(|b| (0x20..0x7f).contains(&b) && b != b'"' && b != b'\\') {
        return out.extend_from_slice(text.as_bytes());
    }
    for c in text.chars() {
        match c {
            '"' => out.extend_from_slice(b"\\\""),
            '\\' => out.extend_from_slice(b"\\\\"),
            '\n' => out.extend_from_slice(b"\\n"),
            '\r' => out.extend_from_slice(b"\\r"),
            '\t' => out.extend_from_slice(b"\\t"),
            c if is_unsafe(c) => {
                for unit in c.encode_utf16(&mut [0; 2]) {
                    out.extend_from_slice(b"\\u");
                    hex(out, &unit.to_be_bytes());
                }
            }
            c => out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
}

/// Appends a JSON string.
pub fn json_string(out: &mut Vec<u8>, text: &str) {
    out.push(b'"');
    json_escaped(out, text);
    out.push(b'"');
}

/// Characters that act on whoever shows them: C0, DEL, C1, U+2028/9, and the bidirectional controls of Unicode UAX 9.
pub fn is_unsafe(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{200e}' | '\u{200f}' | '\u{061c}')
}

/// Appends a value as JSON; false for null, where nothing is written.
pub fn json_value(out: &mut Vec<u8>, value: Value<'_>, clock: &mut Clock) -> bool {
    match value {
        Value::Null => return false,
        Value::Bool(b) => out.extend_from_slice(if b { b"true" } else { b"false" }),
        Value::U64(n) => uint(out, n),
        Value::I64(n) => int(out, n),
        // JSON has no such numbers: they stand as text, so that they are not taken for an absent value.
        Value::F64(n) if n.is_nan() => out.extend_from_slice(b"\"NaN\""),
        Value::F64(n) if n.is_infinite() => {
            out.extend_from_slice(if n > 0.0 { b"\"Infinity\"" } else { b"\"-Infinity\"" })
        }
        Value::F64(n) => return double(out, n),
        Value::Span(s) => return double(out, seconds(s)),
        Value::Text(t) => json_string(out, t),
        Value::List(column, from, to) => json_list(out, column, from, to, clock),
        Value::Hex(b) => quoted(out, |out| hex(out, b)),
        Value::Addr(a) => quoted(out, |out| addr(out, a)),
        Value::Mac(m) => quoted(out, |out| mac(out, m)),
        Value::Ts(t) => quoted(out, |out| clock.rfc3339(out, t)),
    }
    true
}

fn json_list(out: &mut Vec<u8>, column: &dyn Column, from: usize, to: usize, clock: &mut Clock) {
    out.push(b'[');
    for row in from..to {
        if row > from {
            out.push(b',');
        }
        if !json_value(out, column.value(row), clock) {
            out.extend_from_slice(b"null");
        }
    }
    out.push(b']');
}

/// Appends what needs no escaping in quotes.
pub fn quoted(out: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>)) {
    out.push(b'"');
    write(out);
    out.push(b'"');
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(write: impl FnOnce(&mut Vec<u8>), expect: &str) {
        let mut out = Vec::new();
        write(&mut out);
        assert_eq!(String::from_utf8(out).unwrap(), expect);
    }

    #[test]
    fn times() {
        let mut clock = Clock::default();
        check(|o| clock.rfc3339(o, Ts(1_500_000_000_830_079_000)), "2017-07-14T02:40:00.830079Z");
        check(|o| clock.rfc3339(o, Ts(1_500_000_000_000_000_001)), "2017-07-14T02:40:00.000000001Z");
        check(|o| clock.rfc3339(o, Ts(1_500_000_001_000_000_000)), "2017-07-14T02:40:01.000000Z");
        check(|o| clock.eve(o, Ts(1_500_000_000_830_079_999)), "2017-07-14T02:40:00.830079+0000");
        check(|o| clock.rfc3339(o, Ts(-1)), "1969-12-31T23:59:59.999999999Z");
        check(|o| clock.rfc3339(o, Ts(i64::MIN)), "1677-09-21T00:12:43.145224192Z");
        check(|o| clock.rfc3339(o, Ts(i64::MAX)), "2262-04-11T23:47:16.854775807Z");
        check(|o| micro_seconds(o, 1_500_000_000_000_079_999), "1500000000.000079");
        check(|o| micro_seconds(o, -1_500_000), "-0.001500");
    }

    #[test]
    fn numbers_and_addresses() {
        check(|o| assert!(double(o, 0.1)), "0.1");
        check(|o| assert!(double(o, -1e300)), "-1e300");
        check(|o| assert!(!double(o, f64::NAN) && !double(o, f64::INFINITY)), "");
        check(|o| addr(o, Addr::v4([10, 0, 255, 1])), "10.0.255.1");
        check(|o| addr(o, Addr([0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1])), "2001:db8::1");
        check(|o| mac(o, Mac([0, 0xa, 0xff, 1, 2, 3])), "00:0a:ff:01:02:03");
        check(|o| hex(o, &[0, 0xab]), "00ab");
        check(|o| hex_number(o, 0x8180), "8180");
        check(|o| hex_number(o, 0x100), "100");
        check(|o| hex_number(o, 0), "0");
    }

    #[test]
    fn hostile_text_stays_in_its_cell() {
        check(|o| json_string(o, "plain, naïve €"), "\"plain, naïve €\"");
        check(|o| json_string(o, "a\"b\\c\nd\re\tf"), r#""a\"b\\c\nd\re\tf""#);
        check(|o| json_string(o, "\u{0}\u{1b}[31m\u{7f}\u{9b}"), r#""\u0000\u001b[31m\u007f\u009b""#);
        check(|o| json_string(o, "\u{2028}\u{2029}\u{202e}\u{2066}"), r#""\u2028\u2029\u202e\u2066""#);
    }
}
