//! The parser harness: the trait a protocol implements, what it may do, and how its bytes reach it.
//!
//! A parser sees bytes and time, nothing else: no clock, no file, no thread. [`App`] holds the state of one flow: it probes both
//! directions, buffers what a parser has not consumed, tells it of gaps, finds the way back after them, and contains its panics.
#![deny(missing_docs)]

mod app;
mod cursor;
mod cx;
mod parser;
mod record;
mod repeat;
mod set;
pub mod testing;

pub use app::{App, Payload, Verdict};
pub use cursor::Cursor;
pub use cx::{At, ChildData, Cx, Effects, Folds, Mark};
pub use parser::{Carrier, Dir, Hint, Parser, Probe, Step};
pub use record::{Anomaly, AnomalyColumns};
pub use repeat::Repeats;
pub use set::ParserSet;
