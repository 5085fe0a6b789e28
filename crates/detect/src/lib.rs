//! The ordered stage's memory: which devices there are and what does not belong, from facts alone.
//!
//! Invariants: no packets, no records, no clock, no I/O. Facts arrive in the order of the input on one thread; every table has a named
//! limit; output order never depends on a table's order. One detector is one file under `detectors/` and one word in its table.
#![deny(missing_docs)]

mod detectors;
mod devices;
mod fold;
mod oui;

pub use detectors::{Detectors, META, Meta};
pub use devices::{Device, Devices, Inventory, Named};
