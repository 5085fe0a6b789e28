//! The grammar of HTTP/1 (RFC 9112): message heads and chunk lines as borrowed views.

use std::borrow::Cow;

use super::table::METHODS;

/// Header fields kept of one message; further ones are an anomaly.
pub const MAX_FIELDS: usize = 100;

/// What a message begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StartLine<'a> {
    /// Method, target, version as sent (none for an HTTP/0.9 simple request).
    Request { method: &'a [u8], target: &'a [u8], version: Option<&'a [u8]> },
    /// Version, status code, reason phrase.
    Response { version: &'a [u8], code: u16, reason: &'a [u8] },
}

/// One header field; the value is owned only where lines were folded.
#[derive(Debug)]
pub struct Field<'a> {
    /// Name as sent.
    pub name: &'a [u8],
    /// Value without surrounding white space.
    pub value: Cow<'a, [u8]>,
}

/// Header fields and what is odd about them.
#[derive(Debug, Default)]
pub struct Fields<'a> {
    /// The fields in order.
    pub list: Vec<Field<'a>>,
    /// Names of anomalies, each at most once.
    pub odd: Vec<&'static str>,
}

impl<'a> Fields<'a> {
    fn odd(&mut self, name: &'static str) {
        if !self.odd.contains(&name) {
            self.odd.push(name);
        }
    }

    /// Value of the first field of a name, whatever its case.
    pub fn get(&self, name: &str) -> Option<&[u8]> {
        self.list.iter().find(|f| f.name.eq_ignore_ascii_case(name.as_bytes())).map(|f| &*f.value)
    }

    /// Values of all fields of a name.
    pub fn all<'s>(&'s self, name: &'s str) -> impl Iterator<Item = &'s [u8]> + 's {
        self.list.iter().filter(move |f| f.name.eq_ignore_ascii_case(name.as_bytes())).map(|f| &*f.value)
    }
}

/// The line before the first line feed, without its end, and where the next begins.
pub fn line(data: &[u8]) -> Option<(&[u8], usize)> {
    line_from(data, 0)
}

/// As `line`, where there is no line feed before `from`.
pub fn line_from(data: &[u8], from: usize) -> Option<(&[u8], usize)> {
    let end = from + data.get(from..)?.iter().position(|b| *b == b'\n')?;
    let line = data.get(..end)?;
    Some((line.strip_suffix(b"\r").unwrap_or(line), end + 1))
}

/// Where the head ends (after the empty line), looking only at what follows `from`.
pub fn head_end(data: &[u8], from: usize) -> Option<usize> {
    let mut at = from.min(data.len());
    loop {
        let rest = data.get(at..)?;
        at += rest.iter().position(|b| *b == b'\n')? + 1;
        match data.get(at..) {
            Some([b'\n', ..]) => return Some(at + 1),
            Some([b'\r', b'\n', ..]) => return Some(at + 2),
            _ => {}
        }
    }
}

/// Strips spaces and tabs at both ends.
pub fn trim(text: &[u8]) -> &[u8] {
    text.trim_ascii()
}

fn is_token(text: &[u8]) -> bool {
    !text.is_empty() && text.iter().all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(b))
}

/// Reads a request line (RFC 9112 §3); a target with spaces in it is taken whole. Of the known methods a line with a broken version is
/// read too, since what follows it are header fields all the same.
pub fn request_line(line: &[u8]) -> Option<StartLine<'_>> {
    let space = line.iter().position(|b| *b == b' ')?;
    let (method, rest) = (line.get(..space)?, trim(line.get(space..)?));
    if !is_token(method) || method.len() > 32 || rest.is_empty() {
        return None;
    }
    let last = rest.iter().rposition(|b| *b == b' ');
    let (target, word) = match last {
        Some(at) => (trim(rest.get(..at)?), rest.get(at + 1..)?),
        None => (rest, &b""[..]),
    };
    if let Some(version) = version(word) {
        return Some(StartLine::Request { method, target, version: Some(version) });
    }
    if !METHODS.iter().any(|m| m.as_bytes() == method) {
        return None;
    }
    if let Some(number) = word.strip_prefix(b"HTTP/") {
        return Some(StartLine::Request { method, target, version: Some(number) });
    }
    if rest.windows(5).any(|w| w == b"HTTP/") {
        return Some(StartLine::Request { method, target: rest, version: Some(b"") });
    }
    (method == b"GET" && last.is_none()).then_some(StartLine::Request { method, target: rest, version: None })
}

/// Whether a version number has the form that RFC 9112 §2.3 gives it.
pub fn is_version(number: &[u8]) -> bool {
    matches!(number, [a, b'.', b] if a.is_ascii_digit() && b.is_ascii_digit())
}

/// `1.1` of `HTTP/1.1`.
fn version(text: &[u8]) -> Option<&[u8]> {
    let number = text.strip_prefix(b"HTTP/")?;
    is_version(number).then_some(number)
}

/// Reads a status line (RFC 9112 §4).
pub fn status_line(line: &[u8]) -> Option<StartLine<'_>> {
    let space = line.iter().position(|b| *b == b' ')?;
    let version = version(line.get(..space)?)?;
    let rest = trim(line.get(space..)?);
    let (code, reason) = rest.split_at_checked(3)?;
    if !code.iter().all(u8::is_ascii_digit) || reason.first().is_some_and(|b| *b != b' ') {
        return None;
    }
    let code = code.iter().fold(0, |n: u16, b| n * 10 + u16::from(b - b'0'));
    Some(StartLine::Response { version, code, reason: trim(reason) })
}

/// Reads header fields (RFC 9112 §5) from the bytes after the start line.
pub fn fields(mut data: &[u8]) -> Fields<'_> {
    let mut fields = Fields::default();
    let (mut crlf, mut bare) = (false, false);
    while let Some((text, next)) = line(data) {
        if next == text.len() + 1 {
            bare = true
        } else {
            crlf = true
        }
        data = data.get(next..).unwrap_or_default();
        if text.is_empty() {
            break;
        }
        field(text, &mut fields);
    }
    if bare && crlf {
        fields.odd("bare_lf");
    }
    fields
}

fn field<'a>(text: &'a [u8], fields: &mut Fields<'a>) {
    if text.first().is_some_and(|b| *b == b' ' || *b == b'\t') {
        fields.odd("folded_header");
        if let Some(last) = fields.list.last_mut() {
            let value = last.value.to_mut();
            value.push(b' ');
            value.extend_from_slice(trim(text));
        }
        return;
    }
    let Some(colon) = text.iter().position(|b| *b == b':') else { return fields.odd("header_without_colon") };
    let name = text.get(..colon).unwrap_or_default();
    let value = text.get(colon + 1..).unwrap_or_default();
    if name.last().is_some_and(|b| *b == b' ' || *b == b'\t') {
        fields.odd("space_before_colon");
    } else if !is_token(name) {
        fields.odd("bad_header_name");
    }
    if value.contains(&b'\r') || value.contains(&0) {
        fields.odd("control_in_header");
    }
    if fields.list.len() < MAX_FIELDS {
        fields.list.push(Field { name: trim(name), value: Cow::Borrowed(trim(value)) });
    } else {
        fields.odd("too_many_headers");
    }
}

/// Size of a chunk from its line (RFC 9112 §7.1), extensions ignored; none when it is no hexadecimal number of 64 bits.
pub fn chunk_size(line: &[u8]) -> Option<u64> {
    let digits = trim(line.split(|b| *b == b';').next()?);
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0u64, |n, b| {
        let digit = char::from(*b).to_digit(16)?;
        n.checked_mul(16)?.checked_add(u64::from(digit))
    })
}

/// A Content-Length value (RFC 9110 §8.6): decimal digits, or a list of equal ones. From 2^63 on no body can be meant.
pub fn content_length(value: &[u8]) -> Option<u64> {
    let mut all = value.split(|b| *b == b',').map(|v| decimal(trim(v)));
    let first = all.next()??;
    (all.all(|v| v == Some(first)) && i64::try_from(first).is_ok()).then_some(first)
}

fn decimal(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0u64, |n, b| {
        let digit = char::from(*b).to_digit(10)?;
        n.checked_mul(10)?.checked_add(u64::from(digit))
    })
}

/// How far bytes look like the beginning of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// A request.
    Request,
    /// An HTTP/0.9 request, which is little evidence.
    Simple,
    /// A response.
    Response,
    /// May become one.
    Short,
    /// Neither.
    No,
}

/// Bytes of a request line that convince before its end is seen.
const LONG_LINE: usize = 64;

/// What `data` begins with.
pub fn start(data: &[u8]) -> Start {
    let window = data.get(..2_048).unwrap_or(data);
    let has_line = line(window);
    // Half of a line's end.
    let window = window.strip_suffix(b"\r").unwrap_or(window);
    if let Some((text, _)) = has_line {
        return match (status_line(text), request_line(text)) {
            (Some(_), _) => Start::Response,
            (_, Some(StartLine::Request { target: b"*", version: Some(b"2.0"), .. })) => Start::No,
            (_, Some(StartLine::Request { target, version, .. })) if is_target(target) || version.is_some() => {
                if version.is_some() {
                    Start::Request
                } else {
                    Start::Simple
                }
            }
            _ => Start::No,
        };
    }
    let begins = |word: &[u8]| word.starts_with(window) || window.starts_with(word);
    if begins(b"HTTP/") {
        let number = window.get(5..).unwrap_or_default();
        let fits = number.iter().zip(b"d.d ddd").all(|(b, p)| if *p == b'd' { b.is_ascii_digit() } else { b == p });
        return if !fits {
            Start::No
        } else if number.len() >= 8 {
            Start::Response
        } else {
            Start::Short
        };
    }
    let Some(method) = METHODS.iter().find(|m| begins(m.as_bytes())) else { return Start::No };
    let target = match window.get(method.len()..) {
        None | Some([]) => return Start::Short,
        Some([b' ', target @ ..]) => target,
        Some(_) => return Start::No,
    };
    if !target.iter().all(|b| *b >= b' ' && *b != 0x7f)
        || !(target.len() < 8 || *method == "CONNECT" || is_target(target))
    {
        return Start::No;
    }
    if window.len() >= LONG_LINE { Start::Request } else { Start::Short }
}

fn is_target(target: &[u8]) -> bool {
    target.starts_with(b"/") || target.starts_with(b"http://") || target.starts_with(b"https://") || target == b"*"
}
