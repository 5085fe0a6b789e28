//! Models of ours and of others: exchange with other tools, a registry, and what they find while traffic is read.
//!
//! Invariants: a model is checked whole before its first row, whatever its format; only a version whose signature and hashes are right loads
//! from the registry; nothing here reads the clock or the network.

pub mod budget;
mod export;
pub mod foreign;
pub mod gates;
pub mod live;
pub mod onnx;
pub mod registry;
mod scorer;

pub use export::{ExportError, FEATURES, onnx as to_onnx};
pub use live::Live;
pub use registry::{Form, Loaded, Manifest, New, Registry, RegistryError, Sample, Schema, State};
pub use scorer::{Bound, ScoreError, Scorer};
