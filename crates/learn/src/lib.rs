//! Learning that people can trust: tables, trees and anomaly detectors, calibrated on later data and validated honestly.

// Loops over several arrays by one index read better than zips of zips.
#![allow(clippy::needless_range_loop)]

pub mod calibrate;
pub mod clean;
pub mod dense;
pub mod detector;
pub mod encode;
mod error;
pub mod explain;
pub mod fit;
pub mod gbdt;
mod hash;
pub mod labels;
pub mod matrix;
pub mod model;
pub mod net;
pub mod rng;
pub mod score;
pub mod select;
mod setup;
pub mod table;
pub mod validate;

pub use error::{Error, Result};
pub use fit::{Data, fit};
pub use model::Model;
pub use setup::{Algorithm, Setup, Task, read_map};
