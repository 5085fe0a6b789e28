//! A problem and its place: line and column of a byte of a text, of a member of a JSON document, of a field of a CSV line.

use serde::Serialize;

/// What is wrong, and where.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// What is wrong.
    pub what: String,
    /// What was probably meant.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub meant: Option<String>,
}

impl Problem {
    /// At a byte of a text.
    pub fn at(text: &str, byte: usize, what: impl Into<String>) -> Problem {
        let before = text.get(..byte.min(text.len())).unwrap_or(text);
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().map_or(0, |l| l.chars().count()) + 1;
        Problem { line, column, what: what.into(), meant: None }
    }

    /// In a line, where no more is known.
    pub fn in_line(line: usize, what: impl Into<String>) -> Problem {
        Problem { line: line.max(1), column: 1, what: what.into(), meant: None }
    }

    /// With what was probably meant.
    pub fn meant(mut self, meant: Option<&str>) -> Problem {
        self.meant = meant.map(str::to_owned);
        self
    }
}

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}: {}", self.line, self.column, self.what)?;
        match &self.meant {
            Some(meant) => write!(f, ": did you mean `{meant}`?"),
            None => Ok(()),
        }
    }
}

/// The byte at which a member of a JSON document begins: `path` are names and indices. The nearest member above it where it is not there.
pub fn in_json(text: &str, path: &[&str]) -> usize {
    let mut at = skip(text, 0);
    for name in path {
        match member(text, at, name) {
            Some(inner) => at = inner,
            None => break,
        }
    }
    at
}

/// Where the value of a member of the object or array at `at` begins.
fn member(text: &str, at: usize, name: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    let is_object = match bytes.get(at)? {
        b'{' => true,
        b'[' => false,
        _ => return None,
    };
    let (mut i, mut n) = (skip(text, at + 1), 0usize);
    loop {
        match bytes.get(i)? {
            b'}' | b']' => return None,
            b',' => i = skip(text, i + 1),
            _ if is_object => {
                let end = value_end(text, i)?;
                let key: String = serde_json::from_str(text.get(i..end)?).ok()?;
                let colon = skip(text, end);
                let value = skip(text, colon + 1);
                if key == name {
                    return Some(value);
                }
                i = skip(text, value_end(text, value)?);
            }
            _ => {
                if n.to_string() == name {
                    return Some(i);
                }
                n += 1;
                i = skip(text, value_end(text, i)?);
            }
        }
    }
}

/// The first byte from `at` that is no white space.
fn skip(text: &str, at: usize) -> usize {
    let rest = text.as_bytes().get(at..).unwrap_or_default();
    at + rest.iter().take_while(|b| b.is_ascii_whitespace()).count()
}

/// Behind the JSON value that begins at `at`.
fn value_end(text: &str, at: usize) -> Option<usize> {
    let bytes = text.as_bytes();
    let (mut depth, mut i, mut quoted) = (0usize, at, false);
    loop {
        match (quoted, bytes.get(i)?) {
            (true, b'\\') => i += 1,
            (true, b'"') => {
                quoted = false;
                if depth == 0 {
                    return Some(i + 1);
                }
            }
            (true, _) => {}
            (false, b'"') => quoted = true,
            (false, b'{' | b'[') => depth += 1,
            (false, b'}' | b']') => {
                if depth <= 1 {
                    return Some(if depth == 1 { i + 1 } else { i });
                }
                depth -= 1;
            }
            (false, b',' | b' ' | b'\n' | b'\t' | b'\r' | b':') if depth == 0 => return Some(i),
            _ => {}
        }
        i += 1;
    }
}

/// A line of CSV as its fields with the byte each begins at.
pub fn csv_fields(line: &str) -> Vec<(usize, String)> {
    let mut out = vec![(0, String::new())];
    let mut quoted = false;
    let mut chars = line.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' if quoted && chars.peek().is_some_and(|(_, c)| *c == '"') => {
                chars.next();
                if let Some((_, last)) = out.last_mut() {
                    last.push('"');
                }
            }
            '"' => quoted = !quoted,
            ',' if !quoted => out.push((at + 1, String::new())),
            c => {
                if let Some((_, last)) = out.last_mut() {
                    last.push(c);
                }
            }
        }
    }
    out.into_iter().map(|(at, f)| (at, f.trim().to_owned())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_of_json_have_their_place() {
        let text = "{\n \"a\": [1, {\"b,}\": \"x\\\"]\"}],\n \"c\": {\"d\": 7}\n}";
        let at = |path: &[&str]| {
            let p = Problem::at(text, in_json(text, path), "");
            (p.line, p.column)
        };
        assert_eq!(at(&["a", "1", "b,}"]), (2, 19));
        assert_eq!(at(&["c", "d"]), (3, 13));
        assert_eq!(at(&["c", "no"]), (3, 7));
        assert_eq!(at(&["no"]), (1, 1));
        // Nothing of what is cut makes it fall over.
        for end in 0..text.len() {
            let _ = in_json(text.get(..end).unwrap_or_default(), &["a", "1", "b,}"]);
        }
    }

    #[test]
    fn columns_count_characters() {
        let p = Problem::at("ä\nöü x", "ä\nöü ".len(), "w");
        assert_eq!(p.to_string(), "2:4: w");
        assert_eq!(csv_fields("a,\"b,\"\"c\", d"), [(0, "a".into()), (2, "b,\"c".into()), (10, "d".into())]);
    }
}
