//! HTTP/1.1, 1.0 and 0.9 (RFC 9110, RFC 9112): exchanges with their framing, decoded bodies, hashes and log-ins.
//!
//! Limits: a head is read up to a sixteenth of [`Limit::ParserBytes`] (64 KiB) and 100 fields; requests wait for their responses up to
//! [`Limit::Pending`] and [`Limit::ParserBytes`]; compressed bodies are decoded up to [`Limit::InflatedBytes`]. Bodies are never held.
//! After CONNECT was accepted or the protocol was switched, the flow is another protocol's.

mod body;
mod fields;
mod message;
mod parse;
mod record;
mod sniff;
mod state;
mod table;
#[cfg(test)]
mod tests;

use gwcore::Limit;
use proto::{Carrier, Cx, Dir, Hint, Parser, Probe, Step};

pub use record::{HttpColumns, HttpRecord};

use body::BodyReader;
use parse::Start;
use state::Exchanges;

/// The parser of one flow.
#[derive(Default)]
pub struct Http {
    client: Option<Dir>,
    /// Client and server.
    sides: [Side; 2],
    exchanges: Exchanges,
    /// What follows is another protocol.
    tunnel: bool,
}

/// Where one direction stands.
#[derive(Default)]
struct Side {
    phase: Phase,
    /// Bytes already searched for the end of a head or line.
    searched: usize,
    /// The first line of the head at hand is whole and good.
    in_fields: bool,
    body: Option<Box<BodyReader>>,
    /// Number of the exchange whose message is under way.
    exchange: u64,
    /// Bytes of trailer fields so far.
    trailer: usize,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Phase {
    /// Between messages, or in a head.
    #[default]
    Head,
    /// So many bytes of the body are to come.
    Length(u64),
    /// Before the line with a chunk's size.
    ChunkSize,
    /// So many bytes of a chunk are to come.
    Chunk(u64),
    /// Before the line end after a chunk.
    ChunkEnd,
    /// In the trailer fields.
    Trailer,
    /// The body ends with the stream.
    UntilClose,
}

/// What a step did with the bytes.
enum Progress {
    Took(usize),
    Wait,
    Lost,
}

/// Longest line of a chunk's size with its extensions.
const CHUNK_LINE: usize = 4_096;

impl Parser for Http {
    const NAME: &'static str = "http";
    const CARRIERS: &'static [Carrier] = &[Carrier::Stream];
    const BEGINS_LATE: bool = true;

    fn probe(head: &[u8], hint: &Hint) -> Probe {
        // Empty lines before a request are to be ignored (RFC 9112 §2.2).
        let blank = head.iter().take(4).take_while(|b| matches!(b, b'\r' | b'\n')).count();
        match parse::start(head.get(blank..).unwrap_or_default()) {
            Start::Request | Start::Response => Probe::Certain,
            Start::Simple if [80, 8000, 8080, 3128].iter().any(|p| hint.port(*p)) => Probe::Certain,
            Start::Simple => Probe::Maybe,
            Start::Short => Probe::Unsure,
            Start::No => Probe::No,
        }
    }

    fn feed(&mut self, dir: Dir, data: &[u8], cx: &mut Cx<'_>) -> Step {
        let server = usize::from(!self.is_client(dir, data, cx));
        let mut at = 0;
        loop {
            let rest = data.get(at..).unwrap_or_default();
            if self.tunnel {
                return Step::Changed { consumed: at };
            }
            if rest.is_empty() {
                return Step::Done;
            }
            match self.step(server, rest, cx) {
                Progress::Took(n) => at += n,
                Progress::Wait => return Step::Need { consumed: at, more: rest.len() + 1 },
                Progress::Lost => {
                    self.abandon(server, cx);
                    return Step::Lost;
                }
            }
        }
    }

    fn gap(&mut self, dir: Dir, missing: u64, cx: &mut Cx<'_>) -> Step {
        let server = usize::from(self.client.unwrap_or_default() != dir);
        let side = &mut self.sides[server];
        (side.searched, side.in_fields) = (0, false);
        if let Some(body) = &mut side.body {
            body.gap();
        }
        match side.phase {
            Phase::Length(left) if missing <= left => {
                side.phase = Phase::Length(left - missing);
                if missing == left {
                    self.message_ends(server, cx);
                }
                Step::Done
            }
            Phase::Chunk(left) if missing <= left => {
                side.phase = if missing == left { Phase::ChunkEnd } else { Phase::Chunk(left - missing) };
                Step::Done
            }
            Phase::UntilClose => Step::Done,
            _ => {
                self.abandon(server, cx);
                Step::Lost
            }
        }
    }

    fn cut(&mut self, dir: Dir, data: &[u8], cx: &mut Cx<'_>) {
        let server = usize::from(self.client.unwrap_or_default() != dir);
        self.head_cut(server, data, cx);
    }

    fn unseen(&mut self, dir: Dir, held: &[u8], cx: &mut Cx<'_>) -> bool {
        let client = self.client.unwrap_or_default();
        let server = usize::from(client != dir);
        if !held.is_empty() {
            self.head_cut(server, held, cx);
        }
        if server == 1 {
            // The client has what was not seen: answers to all that it asked before, unless it does not wait for them.
            self.exchanges.answered_unseen(cx, client);
        }
        true
    }

    fn resync(&self, dir: Dir, data: &[u8], _hint: &Hint) -> Option<usize> {
        let fits = |start: Start| match (start, self.client) {
            (Start::Request, Some(client)) => client == dir,
            (Start::Response, Some(client)) => client != dir,
            (Start::Request | Start::Response, None) => true,
            _ => false,
        };
        let mut at = 0;
        loop {
            let rest = data.get(at..)?;
            if rest.is_empty() {
                return None;
            }
            if fits(parse::start(rest)) {
                return Some(at);
            }
            at += rest.iter().position(|b| *b == b'\n')? + 1;
        }
    }

    fn close(&mut self, cx: &mut Cx<'_>) {
        for server in 0..self.sides.len() {
            match self.sides[server].phase {
                Phase::Head => {}
                // The end of the flow is the end of such a body, though no frame of it.
                Phase::UntilClose => self.end_body(server, true, None, cx),
                _ => {
                    cx.anomaly(Self::NAME, "truncated_body", b"");
                    self.end_body(server, false, None, cx);
                }
            }
        }
        let client = self.client.unwrap_or_default();
        self.exchanges.flush(cx, client, true);
    }
}

impl Http {
    /// Whether the sender asks; found out from the first message, since captures start in the middle.
    fn is_client(&mut self, dir: Dir, data: &[u8], cx: &mut Cx<'_>) -> bool {
        if self.client.is_none() {
            self.client = match parse::start(data.trim_ascii_start()) {
                Start::Request | Start::Simple => Some(dir),
                Start::Response => Some(dir.flip()),
                Start::Short | Start::No => None,
            };
            if self.client == Some(Dir::Resp) {
                cx.server_is_originator();
            }
        }
        self.client.unwrap_or_default() == dir
    }

    fn step(&mut self, server: usize, data: &[u8], cx: &mut Cx<'_>) -> Progress {
        match self.sides[server].phase {
            Phase::Head if server == 0 => self.request_head(data, cx),
            Phase::Head => self.response_head(data, cx),
            Phase::Length(left) => {
                let (n, left) = self.body_bytes(server, data, left);
                self.sides[server].phase = Phase::Length(left);
                if left == 0 {
                    self.message_ends(server, cx);
                }
                Progress::Took(n)
            }
            Phase::Chunk(left) => {
                let (n, left) = self.body_bytes(server, data, left);
                self.sides[server].phase = if left == 0 { Phase::ChunkEnd } else { Phase::Chunk(left) };
                Progress::Took(n)
            }
            Phase::UntilClose => Progress::Took(self.body_bytes(server, data, u64::MAX).0),
            Phase::ChunkSize => self.chunk_size(server, data, cx),
            Phase::ChunkEnd => self.chunk_end(server, data, cx),
            Phase::Trailer => self.trailer(server, data, cx),
        }
    }

    /// Gives up to `left` bytes to the body; how many, and how many are still to come.
    fn body_bytes(&mut self, server: usize, data: &[u8], left: u64) -> (usize, u64) {
        let n = usize::try_from(left).map_or(data.len(), |left| left.min(data.len()));
        if let Some(body) = &mut self.sides[server].body {
            body.write(data.get(..n).unwrap_or(data));
        }
        (n, left.saturating_sub(n as u64))
    }

    fn chunk_size(&mut self, server: usize, data: &[u8], cx: &mut Cx<'_>) -> Progress {
        let Some((line, next)) = parse::line(data) else {
            if data.len() <= CHUNK_LINE {
                return Progress::Wait;
            }
            cx.anomaly(Self::NAME, "bad_chunk_size", data.get(..64).unwrap_or_default());
            return Progress::Lost;
        };
        self.sides[server].phase = match parse::chunk_size(line) {
            Some(0) => Phase::Trailer,
            Some(size) => Phase::Chunk(size),
            None => {
                cx.anomaly(Self::NAME, "bad_chunk_size", line.get(..64).unwrap_or(line));
                return Progress::Lost;
            }
        };
        Progress::Took(next)
    }

    fn chunk_end(&mut self, server: usize, data: &[u8], cx: &mut Cx<'_>) -> Progress {
        let n = match data {
            [b'\r', b'\n', ..] => 2,
            [b'\n', ..] => 1,
            [b'\r'] => return Progress::Wait,
            _ => {
                cx.anomaly(Self::NAME, "bad_chunk_end", data.get(..16).unwrap_or(data));
                return Progress::Lost;
            }
        };
        self.sides[server].phase = Phase::ChunkSize;
        Progress::Took(n)
    }

    fn trailer(&mut self, server: usize, data: &[u8], cx: &mut Cx<'_>) -> Progress {
        let limit = head_limit(cx);
        let side = &mut self.sides[server];
        let Some((line, next)) = parse::line(data) else {
            return if data.len() > limit { self.trailer_too_long(cx) } else { Progress::Wait };
        };
        side.trailer = side.trailer.saturating_add(next);
        if line.is_empty() {
            self.message_ends(server, cx);
        } else if side.trailer > limit {
            return self.trailer_too_long(cx);
        }
        Progress::Took(next)
    }

    fn trailer_too_long(&mut self, cx: &mut Cx<'_>) -> Progress {
        cx.hit(Limit::ParserBytes);
        cx.anomaly(Self::NAME, "header_too_long", b"");
        Progress::Lost
    }

    /// The message under way ends here, whole.
    fn message_ends(&mut self, server: usize, cx: &mut Cx<'_>) {
        let mark = cx.mark();
        self.end_body(server, true, Some(mark), cx);
        let client = self.client.unwrap_or_default();
        self.exchanges.flush(cx, client, false);
    }

    /// The position is lost: the message under way ends unfinished.
    fn abandon(&mut self, server: usize, cx: &mut Cx<'_>) {
        self.end_body(server, false, None, cx);
        if server == 1 {
            self.exchanges.responses_lost = true;
            self.exchanges.ambiguous();
        }
        let client = self.client.unwrap_or_default();
        self.exchanges.flush(cx, client, false);
    }
}

/// Bytes of one head that are waited for: 64 KiB unless limits are scaled down.
fn head_limit(cx: &Cx<'_>) -> usize {
    (cx.limits.get(Limit::ParserBytes) / 16).max(1)
}
