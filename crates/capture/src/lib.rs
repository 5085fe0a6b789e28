//! Capture files and devices to frames: the only crate that reads the network or a capture.
//!
//! [`Inputs::find`] turns the paths of a command line into a list of inputs; [`Merge`] reads them as one timeline, [`Single`]
//! reads one of them as a world of its own. Both lend frames that point into a block of their file: no memory map, no copy of a
//! frame. What was wrong with a file stands in its [`FileReport`]; it never stops the others.
//!
//! [`live`] reads interfaces, or captures at the pace of their times; [`store`] keeps packets on disk as a ring of segments.
//!
//! This crate is synchronous, starts no thread and, but for live sources, asks no clock. Memory is constant: one block per open file, at
//! most `Limit::OpenFiles` of them, and what the other limits allow.
#![deny(missing_docs)]

mod block;
mod error;
mod filter;
mod find;
mod format;
mod frame;
mod glob;
pub mod live;
mod merge;
mod options;
mod ordered;
mod pcap;
mod pcapng;
mod reader;
mod report;
mod source;
mod statistics;
pub mod store;
mod write;

pub use error::{Damage, DamageCause, Error};
pub use filter::{Filter, FilterError};
pub use find::{Input, Inputs};
pub use frame::{Frame, LinkType};
pub use merge::{Merge, Single};
pub use report::{Compression, FileReport, Format, Loss, Lost, Place, Status};
pub use write::PcapngWriter;
