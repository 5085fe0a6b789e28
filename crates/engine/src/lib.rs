//! The pipeline: from frames to ordered rows and facts.
//!
//! Work is cut into 32 shards by address pair, whatever the number of threads; each frame belongs to one shard. What the shards emit carries
//! its place in the input and is merged by it, so that the same input gives the same bytes on any number of threads. Invariants: nothing here
//! reads the clock, writes a file or prints; with one thread there are no queues; batches bound memory and nothing depends on them.
#![deny(missing_docs)]

mod batch;
mod bridge;
mod clock;
mod evidence;
mod input;
mod merge;
mod pipeline;
mod points;
mod protocols;
pub mod script;
mod strays;
#[cfg(test)]
mod tests;
mod worker;
mod written;

pub use clock::{Clock, Moved};
pub use input::{Ingested, Input, Source, Stop, Tick};
pub use pipeline::{Counts, FileCounts, Options, Seen, Stage, analyze};
pub use points::Points;
pub use protocols::{AnyParser, kinds};
