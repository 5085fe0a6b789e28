//! Records to text: NDJSON, Zeek logs and EVE.
#![deny(missing_docs)]

mod cache;
mod file;
mod ndjson;
mod object;
mod text;

pub use ndjson::NdjsonSink;
