//! Flows from packets: frames are built, decoded and given to a shard; a recorder keeps what it tells.
#![allow(clippy::print_stdout)]

mod corpus;
mod limits;
mod refused;
mod rig;
mod states;
mod streams;
mod table;
