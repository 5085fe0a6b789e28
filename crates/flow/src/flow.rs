//! A flow as its handler sees it, and what the handler is told.

use gwcore::{FlowConst, Mac, Ts};
use packet::Packet;

use crate::{Conn, ConnPart, FlowMinute, FlowStats};

/// Who sent something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Side {
    /// Who opened the flow.
    Orig,
    /// The other.
    Resp,
}

impl Side {
    /// The other side.
    #[inline]
    pub fn flip(self) -> Side {
        if self == Side::Orig { Side::Resp } else { Side::Orig }
    }

    /// 0 for the originator, 1 for the responder.
    #[inline]
    pub fn index(self) -> usize {
        self as usize
    }

    /// A history letter as this side writes it.
    pub(crate) fn letter(self, letter: u8) -> u8 {
        if self == Side::Orig { letter.to_ascii_uppercase() } else { letter }
    }
}

/// A live conversation.
#[derive(Debug)]
pub struct Flow<A> {
    /// What does not change: identity, addresses, ports.
    pub constant: FlowConst,
    /// Time of the first packet.
    pub first_ts: Ts,
    /// Time of the latest packet.
    pub last_ts: Ts,
    /// What the handler keeps with the flow.
    pub app: A,
    /// Set by the handler: a utility protocol was recognised, so the flow is kept longer and evicted last.
    pub is_ot: bool,
    /// Set by the handler: name of the protocol, empty while unknown; goes into the records.
    pub service: &'static str,
    /// Set by the handler: when it wants [`Handler::wake`]. Cleared before the call; a time already past means the next tick or packet.
    pub wake: Option<Ts>,
    /// Outermost tunnel of the first packet, empty for none.
    pub tunnel: &'static str,
    /// For TCP: whether the stream of each side (originator first) is known from its first byte. False in mid-stream.
    pub from_start: [bool; 2],
    /// For TCP, when the flow ends: whether each side (originator first) was heard without a gap up to its FIN.
    pub whole: [bool; 2],
}

/// The packet that bytes came in.
#[derive(Clone, Copy, Debug, Default)]
pub struct Origin {
    /// Its time.
    pub ts: Ts,
    /// Its number in its file.
    pub number: u64,
    /// Its file.
    pub file: u32,
}

impl Origin {
    /// Of a packet.
    pub fn of(p: &Packet) -> Origin {
        Origin { ts: p.ts, number: p.number, file: p.file }
    }
}

/// What a shard tells about its flows. All calls for one packet are made while it is given to [`crate::Shard::packet`].
pub trait Handler {
    /// Kept in every flow.
    type App: Default;

    /// A flow has begun with this packet.
    fn start(&mut self, flow: &mut Flow<Self::App>, p: &Packet);
    /// Each further packet of a flow, the first included, before anything is made of it; mirrored copies are left out.
    fn packet(&mut self, _flow: &mut Flow<Self::App>, _side: Side, _p: &Packet) {}
    /// The calls that follow are about bytes of an earlier packet, which waited for the verdict on its checksum or behind a hole, until this is
    /// called with none; such calls nest.
    fn waited(&mut self, _of: Option<Origin>) {}
    /// The next bytes of a TCP stream.
    fn stream(&mut self, flow: &mut Flow<Self::App>, side: Side, data: &[u8]);
    /// Bytes of a TCP stream that will never come (at least one).
    fn gap(&mut self, flow: &mut Flow<Self::App>, side: Side, missing: u64);
    /// The other side has acknowledged bytes of `side` that were not seen, and sends data now; they may still come.
    fn unseen(&mut self, _flow: &mut Flow<Self::App>, _side: Side) {}
    /// The payload of a packet other than TCP: UDP, ICMP, another IP protocol, a frame without IP. Shorter than `p.payload_len` when cut.
    fn datagram(&mut self, flow: &mut Flow<Self::App>, side: Side, data: &[u8], p: &Packet);
    /// The time asked for in [`Flow::wake`] has come or passed.
    fn wake(&mut self, flow: &mut Flow<Self::App>);
    /// Something is wrong with the traffic of the flow itself; `side` sent it.
    fn anomaly(&mut self, flow: &mut Flow<Self::App>, side: Side, reason: &'static str, detail: &str);
    /// What `side` sent was seen in two versions, of which the frame at hand carries the later; `senders` sent the earlier and the later
    /// version over the link, `detail` has both.
    fn altered(&mut self, flow: &mut Flow<Self::App>, side: Side, senders: [Mac; 2], detail: &str);
    /// Five more minutes of the flow have passed; called at the first packet or tick at or after the end of the interval.
    fn part(&mut self, flow: &mut Flow<Self::App>, row: ConnPart<'_>);
    /// Statistics of five minutes of the flow, or of the rest at its end; `first` is the time of the first packet among them.
    fn stats(&mut self, _flow: &mut Flow<Self::App>, _first: Ts, _row: FlowStats<'_>) {}
    /// A minute of the flow, which began at `at`; told at the first tick after it, or when the flow ends.
    fn minute(&mut self, _flow: &mut Flow<Self::App>, _at: Ts, _row: FlowMinute<'_>) {}
    /// No more data will come; what is learned of the protocol here still goes into the flow's row.
    fn close(&mut self, _flow: &mut Flow<Self::App>) {}
    /// The flow is over. The last call for it.
    fn end(&mut self, flow: &mut Flow<Self::App>, row: Conn<'_>);
}
