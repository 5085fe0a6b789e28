//! Whether a wrong transport checksum is believed: only from a source, within one address pair, once 8 of its last 16 were wrong.
//!
//! Hosts that leave checksums to their network card show wrong ones in every packet they send; anything else with a wrong checksum was
//! damaged, or was sent so that the target drops what the sensor reads. Until a source has shown which it is, its wrong packets wait.
//! Many captures are too short for that. So what waits is also believed when nothing that its sender sent in the flow had a right checksum,
//! and the receiver answers it (for TCP: acknowledges it), or the flow ends: damage does not strike every packet of one side only.
//! Receivers merge segments before they are captured, and leave the sum of the pseudo header in place of the checksum; among right ones. Such
//! a segment is believed as soon as its receiver acknowledges it.
//! A source is only watched from its first wrong checksum until its last 16 were right.

use std::collections::VecDeque;

use gwcore::{Addr, AgedTable, Limit, LimitHits, Limits};
use packet::{Packet, Transport, flag};

/// Wrong ones among the last 16 that make a source believed.
const ENOUGH: u32 = 8;
/// Packets after which a waiting one has left the last 16.
const WINDOW: u8 = 16;

/// A packet that waits for the verdict on its source.
pub(crate) struct Waiting {
    pub slot: u32,
    pub serial: u64,
    pub packet: Packet,
    pub payload: Vec<u8>,
    age: u8,
}

#[derive(Default)]
struct Source {
    /// The last 16 results, the latest in bit 0, 1 for wrong.
    results: u16,
    waiting: VecDeque<Waiting>,
}

/// What becomes of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Believe,
    Wait,
    LeaveOut,
}

/// The sources watched.
pub(crate) struct Sources {
    table: AgedTable<(Addr, Addr), Source>,
    room: usize,
}

/// Packets whose wait is over: those to take in, and those to leave out.
#[derive(Default)]
pub(crate) struct Decided {
    pub believed: Vec<Waiting>,
    pub left_out: Vec<Waiting>,
}

impl Sources {
    pub(crate) fn new(limits: &Limits) -> Sources {
        let sources = limits.get(Limit::ChecksumSources);
        Sources { table: AgedTable::new(Limit::ChecksumSources, sources), room: limits.get(Limit::ChecksumWaiting) }
    }

    /// Whether a right checksum means nothing to anyone.
    #[inline]
    pub(crate) fn is_idle(&self) -> bool {
        self.table.is_empty()
    }

    /// Takes a result in. `Wait` means that the caller is to hand the packet to [`Sources::wait`].
    pub(crate) fn result(&mut self, p: &Packet, right: bool, decided: &mut Decided, hits: &mut LimitHits) -> Verdict {
        let key = (p.src, p.dst);
        if self.table.get(&key).is_none() {
            if right {
                return Verdict::Believe;
            }
            if let Some((_, gone)) = self.table.insert(key, Source::default()) {
                hits.hit(Limit::ChecksumSources);
                decided.left_out.extend(gone.waiting);
            }
        }
        let Some(source) = self.table.get_mut(&key) else { return Verdict::LeaveOut };
        source.results = source.results << 1 | u16::from(!right);
        source.waiting.iter_mut().for_each(|w| w.age = w.age.saturating_add(1));
        if source.results.count_ones() >= ENOUGH {
            decided.believed.extend(source.waiting.drain(..));
            return Verdict::Believe;
        }
        while source.waiting.front().is_some_and(|w| w.age >= WINDOW) {
            decided.left_out.extend(source.waiting.pop_front());
        }
        if !right {
            if source.waiting.len() < self.room {
                return Verdict::Wait;
            }
            hits.hit(Limit::ChecksumWaiting);
            return Verdict::LeaveOut;
        }
        if source.results == 0 {
            self.table.remove(&key);
        }
        Verdict::Believe
    }

    /// Keeps a packet until its source is decided.
    pub(crate) fn wait(&mut self, slot: u32, serial: u64, packet: &Packet, payload: &[u8]) {
        if let Some(source) = self.table.get_mut(&(packet.src, packet.dst)) {
            source.waiting.push_back(Waiting { slot, serial, packet: *packet, payload: payload.to_vec(), age: 0 });
        }
    }

    /// Takes out what waits of a flow from this source, as far as `wanted`.
    pub(crate) fn take(
        &mut self,
        from: Addr,
        to: Addr,
        serial: u64,
        wanted: impl Fn(&Waiting) -> bool,
    ) -> Vec<Waiting> {
        let Some(source) = self.table.get_mut(&(from, to)) else { return Vec::new() };
        let (mine, others) = source.waiting.drain(..).partition::<VecDeque<_>, _>(|w| w.serial == serial && wanted(w));
        source.waiting = others;
        mine.into()
    }
}

impl Waiting {
    /// Whether a packet of the receiver shows that it took this one.
    pub(crate) fn is_answered_by(&self, answer: &Packet) -> bool {
        let (Transport::Tcp(sent), Transport::Tcp(answer)) = (self.packet.transport, answer.transport) else {
            // Without numbers of their own, the order tells.
            return self.packet.seq < answer.seq;
        };
        let numbers = u32::from(sent.flags & flag::SYN != 0) + u32::from(sent.flags & flag::FIN != 0);
        let end = sent.seq.wrapping_add(self.packet.payload_len).wrapping_add(numbers);
        answer.flags & flag::ACK != 0 && answer.ack.wrapping_sub(end) as i32 >= 0
    }
}
