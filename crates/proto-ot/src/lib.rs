//! OT protocol parsers, one folder each.
#![deny(missing_docs)]

pub mod goose;
pub mod iec104;
pub mod ptp;
