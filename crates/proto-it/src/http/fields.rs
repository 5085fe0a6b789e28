//! What header fields say: the framing of a message and the fields that are kept.

use gwcore::Limit;

use super::body::Coding;
use super::parse::{Fields, content_length};
use super::table::{PROXY_FIELDS, SECRET_KEYS};
use crate::text::keep;

/// Where a message's body ends (RFC 9112 §6.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// After so many bytes.
    Length(u64),
    /// With the chunk of size zero.
    Chunked,
    /// With the stream.
    Close,
}

/// Framing that the fields state; `None` when they state none. Adds what is ambiguous to `fields.odd`.
pub fn framing(fields: &mut Fields<'_>) -> Option<Framing> {
    let mut odd = Vec::new();
    let lengths: Vec<Option<u64>> = fields.all("content-length").map(content_length).collect();
    let mut length = None;
    if let Some(first) = lengths.first() {
        length = lengths.iter().flatten().next().copied();
        if lengths.contains(&None) {
            odd.push("bad_content_length");
        }
        if lengths.iter().any(|l| l != first) {
            odd.push("content_length_conflict");
        }
    }
    let codings: Vec<&[u8]> =
        fields.all("transfer-encoding").flat_map(|v| v.split(|b| *b == b',')).map(<[u8]>::trim_ascii).collect();
    let coded: Vec<_> = codings.iter().filter(|c| !c.eq_ignore_ascii_case(b"identity")).collect();
    let chunked = coded.iter().filter(|c| c.eq_ignore_ascii_case(b"chunked")).count();
    let last_is_chunked = coded.last().is_some_and(|c| c.eq_ignore_ascii_case(b"chunked"));
    if !codings.is_empty() && (coded.len() != codings.len() || (chunked > 0 && !last_is_chunked) || chunked > 1) {
        odd.push("bad_transfer_encoding");
    }
    if !codings.is_empty() && !lengths.is_empty() {
        odd.push("te_and_content_length");
    }
    let framing = match (chunked > 0, coded.is_empty()) {
        (true, _) => Some(Framing::Chunked),
        (false, false) => Some(Framing::Close),
        (false, true) => length.map(Framing::Length),
    };
    fields.odd.extend(odd);
    framing
}

/// The coding under which the body lies.
pub fn coding(fields: &Fields<'_>) -> Coding {
    if let Some(value) = fields.get("content-encoding") {
        return Coding::read(value);
    }
    let transfer = fields.get("transfer-encoding").unwrap_or_default();
    match transfer.iter().position(|b| *b == b',') {
        Some(comma) => Coding::read(transfer.get(..comma).unwrap_or_default()),
        None => Coding::Identity,
    }
}

/// A list of short texts in one piece of memory.
#[derive(Debug, Default)]
pub struct Texts {
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

/// Bytes of header names (and of proxy fields) kept of one message.
const TEXTS_BYTES: usize = 4_096;

impl Texts {
    fn push(&mut self, parts: &[&[u8]]) {
        if self.bytes.len() + parts.iter().map(|p| p.len()).sum::<usize>() <= TEXTS_BYTES {
            parts.iter().for_each(|p| self.bytes.extend_from_slice(p));
            self.ends.push(self.bytes.len());
        }
    }

    /// The texts in order.
    pub fn list(&self) -> Vec<&[u8]> {
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        starts.zip(&self.ends).map(|(from, to)| self.bytes.get(from..*to).unwrap_or_default()).collect()
    }

    /// Bytes held.
    pub fn bytes(&self) -> usize {
        self.bytes.len() + self.ends.len() * size_of::<usize>()
    }
}

/// Names of all fields.
pub fn names(fields: &Fields<'_>) -> Texts {
    let mut texts = Texts::default();
    fields.list.iter().for_each(|f| texts.push(&[f.name]));
    texts
}

/// Fields that tell of a proxy.
pub fn proxied(fields: &Fields<'_>) -> Texts {
    let mut texts = Texts::default();
    for field in &fields.list {
        if PROXY_FIELDS.iter().any(|p| field.name.eq_ignore_ascii_case(p.as_bytes())) {
            texts.push(&[&field.name.to_ascii_uppercase(), b" -> ", &field.value]);
        }
    }
    texts
}

/// A copy of a URI without its passwords: those before `@` in the authority and those of query keys that name one.
pub fn keep_uri(uri: &[u8]) -> Box<[u8]> {
    let uri = uri.get(..=Limit::TextBytes.default_value()).unwrap_or(uri);
    let mut out = Vec::with_capacity(uri.len());
    let mut rest = uri;
    if let Some(at) = find(uri, b"://") {
        let (scheme, tail) = uri.split_at(at + 3);
        out.extend_from_slice(scheme);
        rest = tail;
        let end = tail.iter().position(|b| b"/?#".contains(b)).unwrap_or(tail.len());
        let (authority, path) = tail.split_at(end);
        if let Some(host) = authority.iter().rposition(|b| *b == b'@')
            && let Some(colon) = authority.get(..host).and_then(|user| user.iter().position(|b| *b == b':'))
        {
            out.extend_from_slice(authority.get(..=colon).unwrap_or_default());
            out.extend_from_slice(b"***");
            out.extend_from_slice(authority.get(host..).unwrap_or_default());
            rest = path;
        }
    }
    let query = rest.iter().position(|b| *b == b'?').map_or(rest.len(), |at| at + 1);
    let (path, query) = rest.split_at(query);
    out.extend_from_slice(path);
    for pair in query.split_inclusive(|b| *b == b'&' || *b == b';') {
        match pair.iter().position(|b| *b == b'=') {
            Some(eq) if is_secret(pair.get(..eq).unwrap_or_default()) => {
                out.extend_from_slice(pair.get(..=eq).unwrap_or_default());
                out.extend_from_slice(b"***");
                out.extend(pair.last().filter(|b| **b == b'&' || **b == b';'));
            }
            _ => out.extend_from_slice(pair),
        }
    }
    out.into_boxed_slice()
}

fn is_secret(key: &[u8]) -> bool {
    SECRET_KEYS.iter().any(|k| key.eq_ignore_ascii_case(k.as_bytes()))
}

fn find(text: &[u8], what: &[u8]) -> Option<usize> {
    text.windows(what.len()).position(|w| w == what)
}

/// User and password of Basic authentication (RFC 7617).
fn basic(value: &[u8]) -> Option<(Vec<u8>, Vec<u8>)> {
    let (scheme, credential) = value.split_at_checked(6)?;
    if !scheme.eq_ignore_ascii_case(b"basic ") {
        return None;
    }
    let mut user = base64(credential.trim_ascii().get(..4_096).unwrap_or(credential.trim_ascii()))?;
    let colon = user.iter().position(|b| *b == b':')?;
    let password = user.split_off(colon + 1);
    user.truncate(colon);
    Some((user, password))
}

/// User of Basic authentication; the password is not kept.
pub fn basic_user(value: &[u8]) -> Option<Box<[u8]>> {
    basic(value).map(|(user, _)| keep(&user))
}

/// Whether user and password are a pair that makers ship.
pub fn has_default_password(value: &[u8]) -> bool {
    basic(value).is_some_and(|(user, password)| crate::passwords::is_default(&user, &password))
}

fn base64(text: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(text.len());
    let (mut bits, mut count) = (0u32, 0u32);
    for b in text.iter().take_while(|b| **b != b'=') {
        let six = match b {
            b'A'..=b'Z' => b - b'A',
            b'a'..=b'z' => b - b'a' + 26,
            b'0'..=b'9' => b - b'0' + 52,
            b'+' | b'-' => 62,
            b'/' | b'_' => 63,
            _ => return None,
        };
        bits = (bits << 6) | u32::from(six);
        count += 6;
        if count >= 8 {
            count -= 8;
            out.push((bits >> count) as u8);
            bits &= (1 << count) - 1;
        }
    }
    Some(out)
}

/// User of a log-in form: a body of `application/x-www-form-urlencoded` with a user field and a password field near its beginning.
pub fn form_user(head: &[u8]) -> Option<Box<[u8]>> {
    let mut user = None;
    let mut secret = false;
    for pair in head.split(|b| *b == b'&') {
        let Some(eq) = pair.iter().position(|b| *b == b'=') else { continue };
        let (key, value) = (pair.get(..eq)?, pair.get(eq + 1..)?);
        secret |= is_secret(key);
        if user.is_none() && super::table::USER_KEYS.iter().any(|k| key.eq_ignore_ascii_case(k.as_bytes())) {
            user = Some(percent_decoded(value));
        }
    }
    user.filter(|u| secret && !u.is_empty())
}

fn percent_decoded(text: &[u8]) -> Box<[u8]> {
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.iter();
    while let Some(b) = bytes.next() {
        let hex = |b: &u8| char::from(*b).to_digit(16);
        out.push(match (b, bytes.as_slice()) {
            (b'%', [h, l, ..]) if hex(h).is_some() && hex(l).is_some() => {
                bytes.nth(1);
                (hex(h).unwrap_or(0) * 16 + hex(l).unwrap_or(0)) as u8
            }
            (b'+', _) => b' ',
            _ => *b,
        });
    }
    keep(&out)
}
