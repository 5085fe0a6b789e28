//! What is known to be bad: indicators from STIX, MISP, Zeek, CSV and Recorded Future in one compact store, matched against records.
//!
//! Invariants: nothing that a file holds is dropped unseen (what cannot be used is listed with the reason); files are hostile, so no
//! length in them is believed and no pattern runs without bounds; matching never allocates for a value that matches nothing.
#![deny(missing_docs)]

mod formats;
mod load;
mod matcher;
mod observe;
mod pattern;
mod store;
mod value;

pub use load::{FileReport, Intel, LoadError, Refused, load};
pub use matcher::{Hit, Matcher, What};
pub use pattern::{Observed, Pattern, PatternError};
pub use store::{Builder, Indicator, New, Store, Tlp};
pub use value::{Kind, Net, canonical, guess};
