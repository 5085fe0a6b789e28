//! Capture files and devices to frames: the only crate that reads the network or a capture, and the only one that may use `unsafe`.
#![deny(missing_docs)]

mod frame;

pub use frame::{Frame, LinkType};
