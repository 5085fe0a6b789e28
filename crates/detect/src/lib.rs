//! The ordered stage's memory: which devices there are and what does not belong, from facts alone.
//!
//! Invariants: no packets, no records, no clock, no I/O. Facts arrive in the order of the input on one thread; every table has a named
//! limit; output order never depends on a table's order. One detector is one file under `detectors/` and one word in its table.
#![deny(missing_docs)]

mod baseline;
mod change;
mod csv;
mod detectors;
mod devices;
mod fold;
mod heard;
mod maintenance;
mod novelty;
mod observation;
mod oui;
mod outcome;
mod outside;
mod room;
mod saved;
mod say;
mod setup;
mod site;
mod window;

pub use baseline::{
    Baseline, Class, Error as BaselineError, FORMAT_VERSION, Known, KnownClass, KnownDevice, KnownPoint, Learner, Pair,
    Period, Source, Worth,
};
pub use change::{Change, DeviceChange};
pub use detectors::{Detectors, META, Meta, number};
pub use devices::{AssetChange, Device, Devices, Inventory, Level, Named};
pub use fold::CROWD_KEY;
pub use heard::Heard;
pub use maintenance::{Maintenance, Window};
pub use outside::{INTEL_MATCH, Outside, RULE_MATCH, Words as OutsideWords};
pub use setup::Setup;
pub use site::{Declared, DeclaredPoint, Site};
