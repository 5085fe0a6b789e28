//! ONNX: its messages, and an evaluator for models that were checked before the first row.

mod ml;
mod ops;
pub mod proto;
mod run;
mod tensor;
pub mod trees;
mod wire;

pub use proto::{ModelProto, OnnxError};
pub use run::{ML_OPERATORS, OPERATORS, Session};
pub use tensor::Value;
