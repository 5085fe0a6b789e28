//! Sigma rules (specification 2.1) over records: what is compiled runs as written, what is not is named with file, line and reason.
//!
//! Invariants: a rule whose meaning would change by leaving a part of it out is refused whole; evaluation is bounded by the rule's size and
//! the row's; correlations forget by limits and by packet time.
#![deny(missing_docs)]

mod compile;
mod condition;
mod correlate;
mod engine;
mod load;
mod predicate;
mod source;
mod strings;
mod yaml;

pub use engine::{Engine, Hit};
pub use load::{LoadError, Problem, Rule, Rules, load};
