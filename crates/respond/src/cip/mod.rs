//! Evidence for NERC CIP-015 (internal network security monitoring): rows from what was recorded, a status word per requirement part, gaps as
//! intervals, and what was not seen. Computed from rows; never a determination of compliance (`specs/nerc-cip.md` §0).

mod checks;
mod facts;
mod load;
mod package;
pub mod sign;

pub use checks::{Part, Row, Status, assess};
pub use facts::{
    Change, Deletion, Esp, Evaluated, Exclusion, Facts, Feed, FeedGap, FeedMinutes, Hold, LedgerCheck, Scope, Unread,
};
pub use load::load;
pub use package::{Packed, write};

/// When CIP-015-1 becomes mandatory for Control Centers (high, and medium with external routable connectivity), RFC 3339.
pub const MANDATORY_CONTROL_CENTERS: &str = "2028-10-01T00:00:00Z";
/// When CIP-015-1 becomes mandatory for all other medium impact with external routable connectivity.
pub const MANDATORY_OTHERS: &str = "2030-10-01T00:00:00Z";
/// The sentence that every report bears.
pub const STATEMENT: &str = "Evidence status as computed from recorded data. Not a determination of compliance.";
