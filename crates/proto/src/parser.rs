//! The trait that every protocol implements, and the words it speaks in.

use crate::Cx;

/// Who sent it: the side that opened the flow, or the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Dir {
    /// The originator of the flow.
    #[default]
    Orig,
    /// The responder.
    Resp,
}

impl Dir {
    /// The other side.
    pub fn flip(self) -> Dir {
        if self == Dir::Orig { Dir::Resp } else { Dir::Orig }
    }
    /// 0 for the originator, 1 for the responder.
    pub fn index(self) -> usize {
        self as usize
    }
}

/// What carries a protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Carrier {
    /// A reassembled byte stream.
    Stream,
    /// One datagram at a time.
    Datagram,
    /// Link-layer frames of one EtherType between two MAC addresses; data begins after the EtherType.
    Link,
    /// The payload that the named parser hands down.
    Child(&'static str),
}

/// What is known about a flow before its protocol is: a hint, never proof.
#[derive(Clone, Copy, Debug)]
pub struct Hint {
    /// What carries the bytes.
    pub carrier: Carrier,
    /// Port of the sender of these bytes; for `Link` the EtherType.
    pub src_port: u16,
    /// Port of the receiver; for `Link` the EtherType.
    pub dst_port: u16,
    /// Whether the stream is seen from its first byte in this direction.
    pub from_start: bool,
}

impl Hint {
    /// Whether either end uses the port.
    pub fn port(&self, port: u16) -> bool {
        self.src_port == port || self.dst_port == port
    }
}

/// How sure a parser is that bytes are its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Probe {
    /// They are not.
    No,
    /// Too few bytes to tell.
    Unsure,
    /// They may be; the other direction must agree, or the port.
    Maybe,
    /// They are.
    Certain,
}

/// What a parser made of the bytes it was given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// All consumed.
    Done,
    /// `consumed` bytes are done; the parser is called again when `more` bytes follow them (at least one more than there are).
    Need {
        /// Bytes done with.
        consumed: usize,
        /// Bytes needed after those.
        more: usize,
    },
    /// The position in the stream is lost; bytes are skipped until `resync` finds one.
    Lost,
    /// This is another protocol after all; the flow is left alone.
    NotMine,
    /// After `consumed` bytes the stream speaks another protocol: the parser is closed, and what follows is probed anew.
    Changed {
        /// Bytes done with.
        consumed: usize,
    },
}

/// A protocol parser. One value lives in each flow that speaks the protocol.
///
/// The harness owns buffering, limits, counters and time. It calls `probe` on the first bytes of each direction, then `feed` with all bytes
/// not yet consumed, `cut` and `gap` where bytes are known to be missing, `wake` at or after the time asked for, and `close` once. A parser never
/// panics, never allocates by a length from the wire, and always makes progress: a `Need` that asks for bytes already there is `parser_stuck`.
pub trait Parser: Default {
    /// Name of the protocol, as in `service` and in record kinds.
    const NAME: &'static str;
    /// What may carry it.
    const CARRIERS: &'static [Carrier];
    /// Whether it is a utility protocol: its sessions are the last to be evicted, and idle ones are kept a day.
    const IS_OT: bool = false;
    /// Whether it may begin within a stream of which no parser knows the beginning: after STARTTLS (RFC 3207 §4 and its like), or behind a
    /// proxy (RFC 1928).
    const BEGINS_LATE: bool = false;

    /// Whether the first bytes sent in one direction are this protocol's. Pure.
    fn probe(head: &[u8], hint: &Hint) -> Probe;

    /// Bytes of one direction: everything not yet consumed of a stream, or one datagram, frame or payload (then `Need` means it was cut).
    fn feed(&mut self, dir: Dir, data: &[u8], cx: &mut Cx<'_>) -> Step;

    /// `missing` bytes of a stream will never come. `Done` goes on with the next byte as if nothing had happened.
    fn gap(&mut self, _dir: Dir, _missing: u64, _cx: &mut Cx<'_>) -> Step {
        Step::Lost
    }

    /// The rest of a message whose beginning is `data` will never come: bytes are missing from here (`gap` follows), or the flow is over
    /// (`close` follows). What is understood of it may be told.
    fn cut(&mut self, _dir: Dir, _data: &[u8], _cx: &mut Cx<'_>) {}

    /// The receiver of `dir` has acknowledged bytes of it that were not seen, and goes on: what it sends now answers them, or comes after them.
    /// `held` is the beginning of a message of that side, perhaps nothing; true where it was taken as all that there will be.
    fn unseen(&mut self, _dir: Dir, _held: &[u8], _cx: &mut Cx<'_>) -> bool {
        false
    }

    /// After `Lost`: where in `data` a message seems to begin.
    fn resync(&self, dir: Dir, data: &[u8], hint: &Hint) -> Option<usize> {
        let _ = dir;
        (Self::probe(data, hint) == Probe::Certain).then_some(0)
    }

    /// The time asked for with `cx.wake` has come (or passed).
    fn wake(&mut self, _cx: &mut Cx<'_>) {}

    /// The flow is over: emit what still waits.
    fn close(&mut self, _cx: &mut Cx<'_>) {}
}
