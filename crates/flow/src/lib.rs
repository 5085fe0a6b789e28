//! Packets to flows and stream chunks: flow table, timers, TCP reassembly.
//!
//! One [`Shard`] is one of the 32 shards that work is cut into ([`shard_of`]). It keeps the live flows, puts TCP payload in order, runs timers
//! on packet time and tells a [`Handler`] what it finds; of protocols it knows nothing.
//!
//! ```text
//! packet ─ key ─ table ─┬─ checksum ─ tcp ─ stream ─→ Handler::stream, gap
//!                       │            └ datagrams ───→ Handler::datagram
//!                       └─ timers ─────────────────→ Handler::wake, part, end
//! ```
//!
//! Invariants: no clock, no I/O, no panic on any packet; the same packets and ticks give the same calls in the same order, whatever the key
//! of the hash tables; a flow ends at its last packet plus its time-out even when no timer ran in between.
#![deny(missing_docs)]

mod checksum;
mod community;
mod entry;
mod flow;
mod history;
mod key;
mod late;
mod options;
mod overlap;
mod policy;
mod record;
mod shard;
mod stamps;
mod state;
mod stats;
mod stream;
mod table;
mod tcp;
mod timers;

pub use community::community_id;
pub use flow::{Flow, Handler, Origin, Side};
pub use key::{constant_of, shard_of};
pub use options::{Checksums, Options};
pub use policy::{OverlapPolicy, Target, Targets};
pub use record::{Conn, ConnColumns, ConnPart, ConnPartColumns};
pub use shard::Shard;
pub use stats::{FlowMinute, FlowMinuteColumns, FlowStats, FlowStatsColumns};
