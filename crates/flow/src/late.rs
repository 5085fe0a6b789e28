//! Segments that answer what was not seen yet: one direction of a tap, or one of two interfaces, arrives a little later than the other.
//!
//! They wait until what they acknowledge has come, for a short time and in small numbers; what was lost never comes, and they go on then.

use std::collections::VecDeque;

use gwcore::Ts;
use gwcore::time::MILLI;
use packet::Packet;

/// How long a segment waits, in nanoseconds of packet time.
pub(crate) const WAIT: i64 = 50 * MILLI;
/// Segments that wait in a shard, and their bytes.
const SEGMENTS: usize = 256;
const BYTES: usize = 1 << 20;

/// One that waits.
pub(crate) struct Late {
    pub serial: u64,
    pub slot: u32,
    pub packet: Packet,
    pub payload: Vec<u8>,
}

/// All that wait in a shard, in the order of the input.
#[derive(Default)]
pub(crate) struct LateQueue {
    queue: VecDeque<Late>,
    bytes: usize,
}

impl LateQueue {
    pub(crate) fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    /// Whether there is room for a segment of so many bytes.
    pub(crate) fn has_room(&self, bytes: usize) -> bool {
        self.queue.len() < SEGMENTS && self.bytes.saturating_add(bytes) <= BYTES
    }

    pub(crate) fn push(&mut self, slot: u32, serial: u64, packet: &Packet, payload: &[u8]) {
        self.bytes += payload.len();
        self.queue.push_back(Late { serial, slot, packet: *packet, payload: payload.to_vec() });
    }

    /// The first that waits in a flow.
    pub(crate) fn first(&self, serial: u64) -> Option<&Late> {
        self.queue.iter().find(|l| l.serial == serial)
    }

    /// Takes the first that waits in a flow out.
    pub(crate) fn pop(&mut self, serial: u64) -> Option<Late> {
        let at = self.queue.iter().position(|l| l.serial == serial)?;
        self.remove(at)
    }

    /// The flow of the first whose wait is over at `now`.
    pub(crate) fn over(&self, now: Ts) -> Option<u64> {
        self.queue.iter().find(|l| is_over(l.packet.ts, now)).map(|l| l.serial)
    }

    fn remove(&mut self, at: usize) -> Option<Late> {
        let late = self.queue.remove(at)?;
        self.bytes = self.bytes.saturating_sub(late.payload.len());
        Some(late)
    }
}

/// Whether a wait since a moment is over at another; a clock that jumps ends it too.
pub(crate) fn is_over(since: Ts, now: Ts) -> bool {
    now.since(since).unsigned_abs() > WAIT as u64
}
