//! Records to text: NDJSON, Zeek logs and EVE.
#![deny(missing_docs)]

mod bind;
mod cache;
mod cell;
mod coverage;
pub mod eve;
mod file;
mod ndjson;
mod object;
mod text;
pub mod zeek;

pub use bind::{ChildRows, Common, CommunityId, Source, ViewField, When, Write, WriteRows};
pub use cell::{Cell, Style};
pub use coverage::{Coverage, coverage, unresolved};
pub use eve::EveSink;
pub use ndjson::NdjsonSink;
pub use zeek::ZeekSink;
