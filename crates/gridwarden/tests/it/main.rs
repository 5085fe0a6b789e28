//! End-to-end tests: the program over real and made captures.
#![allow(clippy::print_stdout)]

mod changes;
mod csv;
mod edges;
mod findings;
mod goose;
mod honest;
mod inputs;
mod known_bad;
mod learn;
mod live;
mod loss;
mod program;
mod prove;
mod run_sources;
mod truth;
mod truth_columns;
mod truth_columns_it;
mod upkeep;
mod wire;
