//! OT protocol parsers, one folder each.
#![deny(missing_docs)]

pub mod iec104;
