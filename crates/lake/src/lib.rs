//! Records to Parquet files.
//!
//! [`ParquetSink`] keeps the rows of every kind in Arrow-shaped buffers under one byte budget ([`gwcore::Limit::RowGroupBytes`]) and writes
//! the largest kind as a row group when a row takes the sum beyond it. Row sizes are estimated value by value ([`size`]) and rows are
//! counted in the order of the merged stream, so that row groups do not depend on how the stream was cut into batches.
#![deny(missing_docs)]

mod coded;
mod column;
mod common;
mod find;
mod group;
mod hours;
mod live;
mod read;
mod schema;
mod sink;
pub mod size;
mod swap;
mod table;
mod upkeep;

pub use find::{Conversation, conversation};
pub use hours::{Hour, hours, tidy, unreadable};
pub use live::{LiveLake, Written};
pub use read::{Cut, Format, Select, csv_cell, cut};
pub use schema::{FORMAT_VERSION, arrow_schema, file_metadata};
pub use sink::ParquetSink;
pub use swap::{Reading, reading};
pub use upkeep::{Compacted, Deleted, compact, delete};
