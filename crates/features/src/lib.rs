//! Features for learning: what flows, devices and pairs of them did, from ordered rows and facts.
//!
//! One file a family; each feature states name, unit, meaning and source once, and the columns of `gridwarden features`, the schema that a
//! model keeps and `docs/features.md` derive from that. Invariants: no clock; the same input gives the same rows however it was cut into
//! batches and on any number of threads; what could not be measured is absent, never zero; addresses, absolute time, ports and TTL are
//! identity ([`Identity`]) and never features; every table is bounded by a named limit.
#![deny(missing_docs)]

mod beacon;
mod family;
mod gather;
mod host;
mod labels;
mod minutes;
mod ot;
mod records;
mod table;

pub use family::{Family, Feature, Identity, Row, Type, Value, address};
pub use gather::{Gather, Make, Which};
pub use host::Host;
pub use labels::{LabelError, Labels, NORMAL};
pub use ot::Ot;
pub use table::{FORMAT_VERSION, IDENTITY, LABEL, TableWriter};
