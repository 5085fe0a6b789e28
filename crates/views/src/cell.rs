//! One cell of a view: the same value as Zeek's TSV, Zeek's JSON or EVE's JSON wants it.

use gwcore::{Column, Value};

use crate::text::{self, Clock};

/// How cells are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// Zeek's tab-separated values: escapes `\xHH`, sets joined by `,`, `(empty)`.
    Tsv,
    /// Zeek's JSON: times as seconds since 1970.
    ZeekJson,
    /// EVE: times as text.
    Eve,
}

/// Where a cell's text goes. A cell to which nothing is written is absent.
pub struct Cell<'a> {
    pub(crate) out: &'a mut Vec<u8>,
    pub(crate) style: Style,
    pub(crate) clock: &'a mut Clock,
}

impl Cell<'_> {
    /// Writes a value; nothing for null and for doubles that are not finite.
    pub fn value(&mut self, value: Value<'_>) {
        match (self.style, value) {
            (_, Value::Null) => {}
            (Style::Tsv, Value::Bool(b)) => self.out.push(if b { b'T' } else { b'F' }),
            (Style::Tsv | Style::ZeekJson, Value::Ts(t)) => text::micro_seconds(self.out, t.0),
            (Style::Eve, Value::Ts(t)) => text::quoted(self.out, |out| self.clock.eve(out, t)),
            (Style::Tsv, Value::Span(s)) => text::micro_seconds(self.out, s.0),
            (_, Value::Text(t)) => self.text(t),
            (_, Value::List(column, from, to)) => self.list(column, from, to),
            (Style::Tsv, Value::Hex([])) => self.text(""),
            (Style::Tsv, Value::Hex(b)) => text::hex(self.out, b),
            (Style::Tsv, Value::Addr(a)) => text::addr(self.out, a),
            (Style::Tsv, Value::Mac(m)) => text::mac(self.out, m),
            (_, value) => {
                text::json_value(self.out, value, self.clock);
            }
        }
    }

    /// Writes text.
    pub fn text(&mut self, t: &str) {
        match self.style {
            Style::Tsv => tsv_text(self.out, t, false),
            _ => text::json_string(self.out, t),
        }
    }

    /// Writes a number.
    pub fn uint(&mut self, n: u64) {
        text::uint(self.out, n);
    }

    /// Writes true or false.
    pub fn bool(&mut self, b: bool) {
        self.value(Value::Bool(b));
    }

    /// Writes a list of texts.
    pub fn texts<'t>(&mut self, texts: impl Iterator<Item = &'t str>) {
        let start = self.open_list();
        for (i, t) in texts.enumerate() {
            self.separate(i);
            match self.style {
                Style::Tsv => tsv_text(self.out, t, true),
                _ => text::json_string(self.out, t),
            }
        }
        self.close_list(start);
    }

    fn list(&mut self, column: &dyn Column, from: usize, to: usize) {
        let start = self.open_list();
        for row in from..to {
            self.separate(row - from);
            match column.value(row) {
                Value::Text(t) if self.style == Style::Tsv => tsv_text(self.out, t, true),
                value => {
                    let before = self.out.len();
                    self.value(value);
                    if self.out.len() == before {
                        self.out.extend_from_slice(if self.style == Style::Tsv { b"-" } else { b"null" });
                    }
                }
            }
        }
        self.close_list(start);
    }

    fn open_list(&mut self) -> usize {
        if self.style != Style::Tsv {
            self.out.push(b'[');
        }
        self.out.len()
    }

    fn separate(&mut self, element: usize) {
        if element > 0 {
            self.out.push(b',');
        }
    }

    fn close_list(&mut self, start: usize) {
        match self.style {
            Style::Tsv if self.out.len() == start => self.out.extend_from_slice(b"(empty)"),
            Style::Tsv => {}
            _ => self.out.push(b']'),
        }
    }
}

/// Appends text as a cell, or as an element of a set, where the comma is escaped as well. Wire bytes that were not UTF-8 stand as `\xHH`
/// in our text already, just as Zeek writes them.
fn tsv_text(out: &mut Vec<u8>, t: &str, element: bool) {
    match t {
        "" => return out.extend_from_slice(b"(empty)"),
        "-" => return out.extend_from_slice(b"\\x2d"),
        "(empty)" => return out.extend_from_slice(b"\\x28empty)"),
        _ => {}
    }
    let plain = |b: u8| (0x20..0x7f).contains(&b) && b != b'\\' && !(element && b == b',');
    if t.bytes().all(plain) {
        return out.extend_from_slice(t.as_bytes());
    }
    let mut chars = t.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\\' if chars.peek() != Some(&'x') => out.extend_from_slice(b"\\\\"),
            ',' if element => out.extend_from_slice(b"\\x2c"),
            c if text::is_unsafe(c) => {
                for b in c.encode_utf8(&mut [0; 4]).bytes() {
                    out.extend_from_slice(b"\\x");
                    text::hex(out, &[b]);
                }
            }
            c => out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use gwcore::{Span, Ts};

    fn check(style: Style, write: impl Fn(&mut Cell<'_>), expect: &str) {
        let (mut out, mut clock) = (Vec::new(), Clock::default());
        write(&mut Cell { out: &mut out, style, clock: &mut clock });
        assert_eq!(String::from_utf8(out).unwrap(), expect);
    }

    #[test]
    fn tsv_cells() {
        check(Style::Tsv, |c| c.text("a\tb\nc"), "a\\x09b\\x0ac");
        check(Style::Tsv, |c| c.text("C:\\dir \\xff"), "C:\\\\dir \\xff");
        check(Style::Tsv, |c| c.text("\u{1b}[2J\u{7f}\u{9b}\u{2028}"), "\\x1b[2J\\x7f\\xc2\\x9b\\xe2\\x80\\xa8");
        check(Style::Tsv, |c| c.text(""), "(empty)");
        check(Style::Tsv, |c| c.text("-"), "\\x2d");
        check(Style::Tsv, |c| c.text("(empty)"), "\\x28empty)");
        check(Style::Tsv, |c| c.text("a,b"), "a,b");
        check(Style::Tsv, |c| c.texts(["a,b", "-", ""].into_iter()), "a\\x2cb,\\x2d,(empty)");
        check(Style::Tsv, |c| c.texts([].into_iter()), "(empty)");
        check(Style::Tsv, |c| c.value(Value::Bool(true)), "T");
        check(Style::Tsv, |c| c.value(Value::Ts(Ts(1_500_000_000_830_079_999))), "1500000000.830079");
        check(Style::Tsv, |c| c.value(Value::Span(Span(1_500_000))), "0.001500");
        check(Style::Tsv, |c| c.value(Value::Null), "");
    }

    #[test]
    fn json_cells() {
        check(Style::ZeekJson, |c| c.value(Value::Ts(Ts(1_500_000_000_830_079_999))), "1500000000.830079");
        check(Style::Eve, |c| c.value(Value::Ts(Ts(0))), "\"1970-01-01T00:00:00.000000+0000\"");
        check(Style::ZeekJson, |c| c.value(Value::Span(Span(1_500_000))), "0.0015");
        check(Style::ZeekJson, |c| c.texts(["a\tb"].into_iter()), "[\"a\\tb\"]");
        check(Style::Eve, |c| c.texts([].into_iter()), "[]");
    }
}
