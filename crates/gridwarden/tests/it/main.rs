//! End-to-end tests: the program over real and made captures.
#![allow(clippy::print_stdout)]

mod csv;
mod edges;
mod findings;
mod inputs;
mod program;
mod truth;
mod truth_columns;
