//! Whether a wrong transport checksum is believed: only from a source, within one address pair, once 8 of its last 16 were wrong.
//!
//! Hosts that leave checksums to their network card show wrong ones in every packet they send; anything else with a wrong checksum was
//! damaged, or was sent so that the target drops what the sensor reads. Until a source has shown which it is, its wrong packets wait.
//! A source is only watched from its first wrong checksum until its last 16 were right.

use std::collections::VecDeque;

use gwcore::{Addr, AgedTable, Limit, LimitHits, Limits};
use packet::Packet;

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

    /// Takes out what waits for a flow that ends.
    pub(crate) fn give_up(&mut self, ends: (Addr, Addr), serial: u64) -> Vec<Waiting> {
        let mut gone = Vec::new();
        for key in [ends, (ends.1, ends.0)] {
            let Some(source) = self.table.get_mut(&key) else { continue };
            let (mine, others) = source.waiting.drain(..).partition(|w| w.serial == serial);
            source.waiting = others;
            gone.extend::<VecDeque<_>>(mine);
        }
        gone
    }
}
