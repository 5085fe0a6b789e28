//! Pauses of a connection in which an exchange can be put: everything asked is answered, nothing is lost, and both ends stay.

use testkit::flag::{FIN, RST, SYN};

use super::Failure;
use super::live::Live;
use super::pdu::{Meaning, Proto};
use super::reader::{Body, Segment, read};
use super::site::{Nanos, Pair};
use super::source::Source;
use crate::tcp::Side;

/// Pauses that are looked at: no attack needs more.
const GAPS: usize = 2_048;
/// Pauses shorter than this hold nothing.
const SHORTEST: Nanos = 2_000_000;

/// After so long a request is one without an answer.
const GIVEN_UP: Nanos = 3_000_000_000;

/// From the frame before to the frame after.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Gap {
    pub(super) from: Nanos,
    pub(super) to: Nanos,
}

/// State of the connection as far as it tells whether a pause may be used.
#[derive(Debug, Default)]
struct Watch {
    /// Next sequence number of each end, and the highest that the peer has acknowledged.
    next: [Option<u32>; 2],
    acked: [Option<u32>; 2],
    /// Requests without an answer.
    waits: u32,
    is_up: bool,
    last: Option<Nanos>,
}

/// The pauses of the longest connection of a pair after a time, in their order; the last may reach the end of the capture.
pub(super) fn gaps(source: &Source<'_>, pair: &Pair, after: Nanos, end: Nanos) -> Result<Vec<Gap>, Failure> {
    let (live, longest) = (Live::new(pair.longest.key, pair.proto), pair.longest);
    let (mut watch, mut out) = (Watch::default(), Vec::new());
    source.each(|frame| {
        let Some(seen) = read(frame.data) else { return Ok(true) };
        let (Some(from), Body::Tcp(segment)) = (live.side(&seen), &seen.body) else { return Ok(true) };
        let at = frame.ts.0;
        if let Some(gap) = watch.gap(at, from, segment).filter(|gap| gap.from >= after.max(longest.first)) {
            out.push(gap);
        }
        watch.see(at, from, segment, pair.proto);
        // Another connection on the same ports is another conversation.
        let is_next = segment.flags & SYN != 0 && at > longest.last;
        Ok(out.len() < GAPS && !is_next)
    })?;
    if let (Some(last), true, true) = (watch.last, watch.is_idle(), out.len() < GAPS) {
        // Nobody says how long the end of a capture is quiet.
        let to = end.min(last.saturating_add(60_000_000_000));
        out.extend((to - last >= SHORTEST && last >= after).then_some(Gap { from: last, to }));
    }
    Ok(out)
}

impl Watch {
    fn is_idle(&self) -> bool {
        self.is_up && self.waits == 0
    }

    /// The pause that ends with this frame, if it may be used.
    fn gap(&self, at: Nanos, from: Side, segment: &Segment<'_>) -> Option<Gap> {
        let last = self.last.filter(|last| at.saturating_sub(*last) >= SHORTEST)?;
        let is_new = self.next[from as usize].is_none_or(|next| segment.seq.wrapping_sub(next) as i32 >= 0);
        // A late acknowledgement of what was said before would come twice.
        let owes = self.next[1 - from as usize] != self.acked[1 - from as usize];
        let is_late = segment.len == 0 && owes;
        (self.is_idle() && is_new && !is_late).then_some(Gap { from: last, to: at })
    }

    fn see(&mut self, at: Nanos, from: Side, segment: &Segment<'_>, proto: Proto) {
        let (own, peer) = (from as usize, 1 - from as usize);
        // Nobody waits that long.
        if self.last.is_some_and(|last| at.saturating_sub(last) > GIVEN_UP) {
            self.waits = 0;
        }
        self.last = Some(at);
        if segment.flags & (SYN | FIN | RST) != 0 {
            *self = Watch { last: Some(at), ..Watch::default() };
            return;
        }
        let next = segment.seq.wrapping_add(segment.len);
        let is_new = self.next[own].is_none_or(|known| next.wrapping_sub(known) as i32 > 0);
        if is_new {
            self.next[own] = Some(next);
        }
        self.acked[peer] = Some(segment.ack);
        self.is_up = self.next.iter().all(Option::is_some);
        if segment.data.is_empty() || !is_new {
            return;
        }
        let Some(pdus) = proto.split(segment.data) else {
            // What cannot be read may go on.
            self.waits = u32::from(from == Side::Client);
            return;
        };
        for pdu in pdus {
            match (proto.meaning(from, pdu), from) {
                (Some(Meaning::Answer(_)), Side::Server) => self.waits = self.waits.saturating_sub(1),
                (Some(Meaning::Request { .. }), Side::Client) => self.waits = self.waits.saturating_add(1),
                _ => {}
            }
        }
    }
}
