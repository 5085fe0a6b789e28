//! A batch on its way to one worker: decoded packets with their payloads copied into one arena, and ticks, in input order.

use capture::Loss;
use gwcore::Ts;
use packet::{Anomalies, Packet};

use crate::input::Ingested;

/// One thing to do. Nearly all are packets, so the size of that variant is what a batch is made of; a box each would cost more.
#[allow(clippy::large_enum_variant)]
pub(crate) enum Item {
    /// A packet of shard `shard`; its payload is `arena[from..to]`.
    Packet { packet: Packet, shard: u8, from: u32, to: u32, anomalies: Anomalies },
    /// Something wrong with a packet that belongs to no flow.
    Stray { step: u64, packet: Packet, reason: &'static str, detail: String },
    /// Timers run up to `now` in every shard.
    Tick { step: u64, now: Ts, frames: u64 },
    /// Time went back by `back` nanoseconds, to `now`.
    Back { step: u64, now: Ts, back: i64 },
    /// The capture lost frames.
    Loss { step: u64, loss: Loss },
    /// Rows and facts that come from no packet.
    Record { step: u64, record: Box<Ingested> },
    /// The input is over.
    Finish { step: u64, now: Ts },
}

impl Item {
    /// Its place in the input, which never falls within a batch.
    pub(crate) fn step(&self) -> u64 {
        match self {
            Item::Packet { packet, .. } => packet.seq.saturating_mul(2).saturating_add(1),
            Item::Stray { step, .. }
            | Item::Tick { step, .. }
            | Item::Back { step, .. }
            | Item::Loss { step, .. }
            | Item::Record { step, .. }
            | Item::Finish { step, .. } => *step,
        }
    }
}

/// Work for one worker.
#[derive(Default)]
pub(crate) struct Batch {
    pub(crate) items: Vec<Item>,
    pub(crate) arena: Vec<u8>,
}

impl Batch {
    /// Appends a packet, copying its payload.
    pub(crate) fn packet(&mut self, packet: Packet, payload: &[u8], shard: u8, anomalies: Anomalies) {
        let from = self.arena.len() as u32;
        self.arena.extend_from_slice(payload);
        let to = self.arena.len() as u32;
        self.items.push(Item::Packet { packet, shard, from, to, anomalies });
    }

    /// Forgets everything, keeps the memory.
    pub(crate) fn clear(&mut self) {
        self.items.clear();
        self.arena.clear();
    }
}
