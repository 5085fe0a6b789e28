//! Sigma's strings: wildcards, escapes, and how one is compared with a value of a record.

/// A pattern of characters and wildcards.
#[derive(Clone, Debug)]
pub(crate) struct Glob {
    parts: Vec<Part>,
    cased: bool,
}

#[derive(Clone, Debug, PartialEq)]
enum Part {
    Text(String),
    One,
    Many,
}

impl Glob {
    /// From Sigma's text: `*` any characters, `?` one; a backslash before either, or before a backslash before either, escapes it.
    pub(crate) fn parse(text: &str, cased: bool) -> Glob {
        let mut parts = Vec::new();
        let mut plain = String::new();
        let mut chars = text.chars().peekable();
        while let Some(c) = chars.next() {
            match (c, chars.peek()) {
                ('\\', Some(next @ ('*' | '?' | '\\'))) => {
                    plain.push(*next);
                    chars.next();
                }
                ('*' | '?', _) => {
                    if !plain.is_empty() {
                        parts.push(Part::Text(std::mem::take(&mut plain)));
                    }
                    parts.push(if c == '*' { Part::Many } else { Part::One });
                }
                _ => plain.push(c),
            }
        }
        if !plain.is_empty() {
            parts.push(Part::Text(plain));
        }
        Glob::of(parts, cased)
    }

    /// Characters as they stand.
    pub(crate) fn literal(text: &str, cased: bool) -> Glob {
        let parts = if text.is_empty() { Vec::new() } else { vec![Part::Text(text.to_owned())] };
        Glob::of(parts, cased)
    }

    fn of(parts: Vec<Part>, cased: bool) -> Glob {
        let lower = |p: Part| match p {
            Part::Text(t) if !cased => Part::Text(t.to_lowercase()),
            p => p,
        };
        Glob { parts: parts.into_iter().map(lower).collect(), cased }
    }

    /// With any characters before, after or on both sides.
    pub(crate) fn around(mut self, before: bool, after: bool) -> Glob {
        if before && self.parts.first() != Some(&Part::Many) {
            self.parts.insert(0, Part::Many);
        }
        if after && self.parts.last() != Some(&Part::Many) {
            self.parts.push(Part::Many);
        }
        self
    }

    /// The text, where it has no wildcards.
    pub(crate) fn plain(&self) -> Option<&str> {
        match &self.parts[..] {
            [] => Some(""),
            [Part::Text(t)] => Some(t),
            _ => None,
        }
    }

    /// Whether a value matches; `lower` is the same in lower case.
    pub(crate) fn is_met(&self, text: &str, lower: &str) -> bool {
        let text = if self.cased { text } else { lower };
        match &self.parts[..] {
            [] => text.is_empty(),
            [Part::Many] => true,
            [Part::Text(t)] => t == text,
            [Part::Many, Part::Text(t)] => text.ends_with(t.as_str()),
            [Part::Text(t), Part::Many] => text.starts_with(t.as_str()),
            [Part::Many, Part::Text(t), Part::Many] => text.contains(t.as_str()),
            parts => walk(parts, text),
        }
    }
}

/// Greedy with one point of return, as file names are matched: at worst the product of both lengths.
fn walk(parts: &[Part], text: &str) -> bool {
    let (mut i, mut rest) = (0, text);
    let mut back: Option<(usize, &str)> = None;
    loop {
        let step = match parts.get(i) {
            Some(Part::Many) => {
                back = Some((i + 1, rest));
                i += 1;
                continue;
            }
            Some(Part::One) => {
                let mut chars = rest.chars();
                chars.next().map(|_| chars.as_str())
            }
            Some(Part::Text(t)) => rest.strip_prefix(t.as_str()),
            None if rest.is_empty() => return true,
            None => None,
        };
        match (step, back) {
            (Some(after), _) => {
                rest = after;
                i += 1;
            }
            (None, Some((at, from))) => {
                let mut chars = from.chars();
                if chars.next().is_none() {
                    return false;
                }
                back = Some((at, chars.as_str()));
                (i, rest) = (at, chars.as_str());
            }
            (None, None) => return false,
        }
    }
}

/// Standard base64 without padding removed.
pub(crate) fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::new();
    for chunk in bytes.chunks(3) {
        let n = chunk.iter().fold(0_u32, |a, b| (a << 8) | u32::from(*b)) << (8 * (3 - chunk.len()));
        for i in 0..4 {
            if i <= chunk.len() {
                out.push(char::from(ALPHABET[((n >> (18 - 6 * i)) & 63) as usize]));
            } else {
                out.push('=');
            }
        }
    }
    out
}

/// The three forms a text can take within base64, depending on where it begins (pySigma's `base64offset`).
pub(crate) fn base64_offsets(bytes: &[u8]) -> [String; 3] {
    let start = [0, 2, 3];
    let end = [0, 3, 2];
    [0, 1, 2].map(|offset| {
        let mut padded = vec![b' '; offset];
        padded.extend_from_slice(bytes);
        let whole = base64(&padded);
        let cut = end[(bytes.len() + offset) % 3];
        let to = whole.len().saturating_sub(cut);
        whole.get(start[offset]..to).unwrap_or_default().to_owned()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wildcards_and_escapes() {
        let check = |glob: &str, text: &str, expect: bool| {
            assert_eq!(Glob::parse(glob, false).is_met(text, &text.to_lowercase()), expect, "{glob} {text}");
        };
        check("abc", "ABC", true);
        check("a*c", "abbbc", true);
        check("a*c", "abbb", false);
        check("a?c", "abc", true);
        check("*b*d*", "abcde", true);
        check(r"a\*c", "a*c", true);
        check(r"a\*c", "abc", false);
        check(r"c:\windows", r"C:\Windows", true);
        check(r"\\*x", r"\12x", true);
        check("*aab", "aaaaab", true);
        check("", "", true);
        check("", "x", false);
        assert!(!Glob::parse("abc", true).is_met("ABC", "abc"));
    }

    #[test]
    fn base64_as_pysigma_has_it() {
        assert_eq!(base64(b"foobar"), "Zm9vYmFy");
        assert_eq!(base64(b"foob"), "Zm9vYg==");
        assert_eq!(base64_offsets(b"foobar"), ["Zm9vYmFy", "Zvb2Jhc", "mb29iYX"]);
    }
}
