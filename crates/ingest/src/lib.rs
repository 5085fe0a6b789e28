//! What comes from others as records: flow exports now, logs and endpoint events beside them; cleaned under counted reasons.
//!
//! Invariants: no clock is read (whoever receives says when); messages are hostile, so no length in them is believed and every table has a
//! limit; whatever is left out or changed is counted by source and reason.
#![deny(missing_docs)]

mod clean;
pub mod flows;
mod rows;
mod source;
pub mod syslog;
mod zeek;

pub use clean::{Cleaner, Fate, Fates};
pub use rows::{FlowExport, FlowExportColumns, LogLine, LogLineColumns, Quarantine, QuarantineColumns, kinds};
pub use source::{Collector, SourceReport, claims};
pub use zeek::LineFormat;
