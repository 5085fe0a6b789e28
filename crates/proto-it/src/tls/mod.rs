//! TLS 1.0–1.3 and SSL 3 (RFC 8446, RFC 5246, RFC 6101), and hellos of SSL 2: what a handshake shows, and its fingerprints.
//!
//! Limits: a handshake message is held up to a quarter of [`Limit::ParserBytes`] (256 KiB), longer ones are skipped; of a chain 16
//! certificates are fingerprinted and the first is read. Records are never held: other payloads are counted off as they come, and once
//! the session is written the flow is passed over unread.

mod certificate;
mod fingerprint;
mod parse;
mod record;
mod session;
mod table;
#[cfg(test)]
mod tests;

use gwcore::Limit;
use proto::{Carrier, Cx, Dir, Hint, Parser, Probe, Step};

pub use record::{TlsColumns, TlsRecord};

use parse::{kind, record_header, ssl2_client_hello, ssl2_length};
use session::Session;

/// The parser of one flow.
#[derive(Default)]
pub struct Tls {
    client: Option<Dir>,
    /// Originator and responder.
    sides: [Side; 2],
    session: Box<Session>,
    /// The session is written; what follows is not looked at.
    done: bool,
}

/// One direction of the record layer.
#[derive(Default)]
struct Side {
    /// Type of the record under way.
    kind: u8,
    /// Length of its payload, and bytes of it still to come.
    length: u16,
    left: u16,
    /// Handshake bytes that are no whole message yet.
    messages: Vec<u8>,
    /// Bytes to come of a message that is too long to be held.
    skip: usize,
    /// Level of an alert whose description is still to come.
    alert_level: Option<u8>,
    /// Handshake messages can no longer be told apart.
    broken: bool,
    /// What follows in this direction is encrypted.
    encrypted: bool,
    /// The encrypted end of the handshake was sent.
    finished: bool,
}

/// Handshake types that exist (IANA "TLS HandshakeType"; 67 is Next Protocol Negotiation).
fn is_handshake_type(kind: u8) -> bool {
    matches!(kind, 0..=6 | 8 | 11..=16 | 20..=26 | 67 | 254)
}

/// Shortest TLS 1.3 record that can carry a Finished: header 4, hash 32, type 1, tag 8; an alert has at most 19.
const MIN_FINISHED: u16 = 45;
/// Longest encrypted Finished before TLS 1.3 (vector 16, header and verify data 16, MAC 48, padding 16). What is longer and comes after a
/// change_cipher_spec, while no ServerHello was seen, is a second ClientHello (RFC 8446 appendix D.4).
const MAX_FINISHED: u16 = 96;
/// Longest CLIENT-HELLO in the format of SSL 2 that is waited for.
const MAX_SSL2_HELLO: usize = 2_048;

impl Parser for Tls {
    const NAME: &'static str = "tls";
    const CARRIERS: &'static [Carrier] = &[Carrier::Stream];
    const BEGINS_LATE: bool = true;

    fn probe(head: &[u8], hint: &Hint) -> Probe {
        if let Some(length) = ssl2_length(head) {
            return match head.get(2..2 + length) {
                Some(payload) if ssl2_client_hello(payload).is_some() => Probe::Certain,
                // Message type and version come first.
                None if length <= MAX_SSL2_HELLO && fits(head.get(2..).unwrap_or_default(), &[1, 3]) => Probe::Unsure,
                None if length <= MAX_SSL2_HELLO && fits(head.get(2..).unwrap_or_default(), &[1, 0, 2]) => {
                    Probe::Unsure
                }
                _ => Probe::No,
            };
        }
        let Some(header) = head.first_chunk::<5>() else {
            return if fits(head, &[kind::HANDSHAKE, 3]) { Probe::Unsure } else { Probe::No };
        };
        match (record_header(header), head.get(5..)) {
            (Some((kind::HANDSHAKE, length)), Some(body)) if length >= 4 => probe_hello(body),
            (Some((kind::ALERT, 2)), Some([1 | 2, _, ..])) => Probe::Maybe,
            (Some((kind::APPLICATION_DATA, 16..)), _) if hint.port(443) && header.get(2) == Some(&3) => Probe::Certain,
            _ => Probe::No,
        }
    }

    fn feed(&mut self, dir: Dir, data: &[u8], cx: &mut Cx<'_>) -> Step {
        let mut at = 0;
        loop {
            let rest = data.get(at..).unwrap_or_default();
            if rest.is_empty() || self.done {
                return Step::Done;
            }
            let side = &mut self.sides[dir.index()];
            if side.left > 0 {
                let n = rest.len().min(usize::from(side.left));
                side.left -= n as u16;
                at += n;
                self.payload(dir, rest.get(..n).unwrap_or_default(), cx);
                continue;
            }
            let Some(header) = rest.first_chunk::<5>() else { return Step::Need { consumed: at, more: 5 } };
            match record_header(header) {
                Some((kind, length)) => {
                    at += 5;
                    (side.kind, side.length, side.left) = (kind, length, length);
                    self.record_begins(dir, cx);
                }
                None => match self.ssl2(dir, rest, cx) {
                    Ok(n) => at += n,
                    Err(more) if more > rest.len() => return Step::Need { consumed: at, more },
                    Err(_) => {
                        cx.anomaly(Self::NAME, "bad_record", header);
                        return Step::Lost;
                    }
                },
            }
        }
    }

    fn gap(&mut self, dir: Dir, missing: u64, _cx: &mut Cx<'_>) -> Step {
        let side = &mut self.sides[dir.index()];
        if self.done {
            return Step::Done;
        }
        side.alert_level = None;
        side.messages.clear();
        if missing <= u64::from(side.left) {
            side.broken |= side.kind == kind::HANDSHAKE;
            side.left -= missing as u16;
            return Step::Done;
        }
        // Where a record is found again, a message begins.
        (side.left, side.skip, side.broken) = (0, 0, false);
        Step::Lost
    }

    fn resync(&self, _dir: Dir, data: &[u8], _hint: &Hint) -> Option<usize> {
        let (header, body) = data.split_first_chunk::<5>()?;
        let begins = match record_header(header)? {
            (kind::CHANGE_CIPHER_SPEC, 1) => body.first() == Some(&1),
            (kind::ALERT, 2) => matches!(body, [1 | 2, _, ..]),
            (kind::HANDSHAKE, 4..) => body.first().is_some_and(|t| is_handshake_type(*t)),
            (kind::APPLICATION_DATA, 16..) => true,
            _ => false,
        };
        begins.then_some(0)
    }

    fn close(&mut self, cx: &mut Cx<'_>) {
        self.write(false, cx);
    }
}

/// Whether `head` begins with `word`, as far as there is any.
fn fits(head: &[u8], word: &[u8]) -> bool {
    head.iter().zip(word).all(|(a, b)| a == b)
}

/// The beginning of a handshake message: a hello, whose length and version fit.
fn probe_hello(body: &[u8]) -> Probe {
    match body {
        [1 | 2, 0, _, _, 3, 0..=4, ..] | [1 | 2, 0, _, _, 0x7f, ..] => Probe::Certain,
        // A hello cut into several records, or one longer than 64 KiB.
        [1 | 2, 0, _, _, 3] | [1 | 2, 0, _, _] | [1 | 2, 0, _] | [1 | 2, 0] | [1 | 2] | [] => Probe::Unsure,
        _ => Probe::No,
    }
}

impl Tls {
    fn is_client(&self, dir: Dir) -> bool {
        self.client.unwrap_or_default() == dir
    }

    /// Whether TLS 1.3 was agreed on, where change_cipher_spec means nothing and all that is encrypted looks like application data.
    fn is_tls13(&self) -> bool {
        match &self.session.server {
            Some(server) => matches!(server.version, 0x0304 | 0x7e00..=0x7fff),
            // Only TLS 1.3 has a HelloRetryRequest.
            None => self.session.retry.is_some(),
        }
    }

    fn record_begins(&mut self, dir: Dir, cx: &mut Cx<'_>) {
        let (tls13, is_client) = (self.is_tls13(), self.is_client(dir));
        let other_encrypted = self.sides[dir.flip().index()].encrypted;
        let unanswered = self.session.server.is_none() && self.session.client.is_some();
        let side = &mut self.sides[dir.index()];
        match side.kind {
            kind::HANDSHAKE if is_client && unanswered && side.length > MAX_FINISHED => side.encrypted = false,
            kind::CHANGE_CIPHER_SPEC if !tls13 => {
                // The server is the first to change only where it resumes (RFC 5246 §7.3).
                if !is_client && !other_encrypted && self.session.chain.is_empty() && self.session.server.is_some() {
                    self.session.resumed = true;
                }
                side.encrypted = true;
            }
            kind::HANDSHAKE if side.encrypted && side.length > 0 => side.finished = true,
            kind::APPLICATION_DATA if tls13 && !is_client => (side.encrypted, side.finished) = (true, true),
            kind::APPLICATION_DATA if tls13 && other_encrypted && side.length >= MIN_FINISHED => {
                (side.encrypted, side.finished) = (true, true);
            }
            _ => {}
        }
        if self.sides.iter().all(|s| s.finished) && self.session.server.is_some() {
            self.write(true, cx);
        }
    }

    fn payload(&mut self, dir: Dir, bytes: &[u8], cx: &mut Cx<'_>) {
        let side = &mut self.sides[dir.index()];
        match side.kind {
            kind::HANDSHAKE if !side.encrypted && !side.broken => self.handshake(dir, bytes, cx),
            kind::ALERT if !side.encrypted && side.length == 2 => {
                for byte in bytes {
                    match self.sides[dir.index()].alert_level.take() {
                        None => self.sides[dir.index()].alert_level = Some(*byte),
                        Some(level) => self.alert(level, *byte, cx),
                    }
                }
            }
            _ => {}
        }
    }

    fn alert(&mut self, level: u8, description: u8, cx: &mut Cx<'_>) {
        self.session.last_alert = Some(description);
        self.session.alert_mark = Some(cx.mark());
        if level == 2 || description == 0 {
            self.write(false, cx);
        }
    }

    /// Handshake bytes: whole messages are read, the rest waits.
    fn handshake(&mut self, dir: Dir, bytes: &[u8], cx: &mut Cx<'_>) {
        let limit = (cx.limits.get(Limit::ParserBytes) / 4).max(4);
        let side = &mut self.sides[dir.index()];
        let skipped = side.skip.min(bytes.len());
        side.skip -= skipped;
        let mut messages = std::mem::take(&mut side.messages);
        messages.extend_from_slice(bytes.get(skipped..).unwrap_or_default());
        let mut at = 0;
        while let Some([kind, a, b, c]) = messages.get(at..).and_then(|m| m.first_chunk::<4>()) {
            let (kind, length) = (*kind, u32::from_be_bytes([0, *a, *b, *c]) as usize);
            let there = messages.len() - at - 4;
            if !is_handshake_type(kind) {
                cx.anomaly(Self::NAME, "bad_handshake_type", &[kind]);
                self.sides[dir.index()].broken = true;
                return;
            }
            if length > limit {
                cx.hit(Limit::ParserBytes);
                cx.anomaly(Self::NAME, "handshake_too_long", b"");
                self.sides[dir.index()].skip = length.saturating_sub(there);
                at = (at + 4 + length).min(messages.len());
                continue;
            }
            let Some(body) = messages.get(at + 4..at + 4 + length) else { break };
            self.message(dir, kind, body, cx);
            if self.done {
                return;
            }
            at += 4 + length;
        }
        messages.drain(..at);
        self.sides[dir.index()].messages = messages;
    }

    /// A record in the format of SSL 2: bytes used, or how many are needed (no more than there are: it is none).
    fn ssl2(&mut self, dir: Dir, data: &[u8], cx: &mut Cx<'_>) -> Result<usize, usize> {
        let Some(length) = ssl2_length(data) else { return Err(0) };
        let expects_client = self.session.client.is_none() && self.session.server.is_none();
        let expects_server = self.session.is_ssl2 && !self.is_client(dir) && self.session.server.is_none();
        if !(expects_server || (expects_client && length <= MAX_SSL2_HELLO)) {
            return Err(0);
        }
        let Some(payload) = data.get(2..2 + length) else { return Err(2 + length) };
        if expects_client {
            let hello = ssl2_client_hello(payload).ok_or(0usize)?;
            self.session.is_ssl2 = true;
            self.client_hello(dir, &hello, cx);
        } else {
            let (cipher, certificate) = parse::ssl2_server_hello(payload).ok_or(0usize)?;
            self.session.ssl2_server_hello(cipher, certificate, cx);
            self.write(false, cx);
        }
        Ok(2 + length)
    }
}
