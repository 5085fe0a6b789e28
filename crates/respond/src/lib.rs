//! What people do with findings: cases with the reason of each join, evidence that opens without this program, playbooks with approvals,
//! actions with limit and undo, and the evidence package for CIP-015.
#![deny(missing_docs)]

pub mod action;
pub mod attack_table;
pub mod bundle;
pub mod case;
pub mod cip;
pub mod clock;
pub mod correlate;
pub mod desk;
pub mod finding;
pub mod guard;
pub mod intake;
pub mod manifest;
pub mod outbox;
pub mod pcapng;
pub mod playbook;
pub mod store;
#[cfg(test)]
mod tests;
mod text;

pub use case::{Actor, Case, Determined, Disposition, Join, JoinKind, State};
pub use correlate::{Correlator, Outcome, Rules};
pub use finding::{Device, Error, Finding, PacketRef, Party};
