//! What becomes of findings and devices while a run goes on, told batch by batch.

use gwcore::time::SECOND;
use gwcore::{Finding, Severity, Ts};

use crate::Device;

/// A finding that goes on is told again after this much packet time.
const GREW_EVERY: i64 = 10 * SECOND;

/// What became of a finding since it was last told. `rev` rises from one change of a finding to its next; whoever keeps the highest one of
/// each id has what `analyze` writes at the end.
#[derive(Clone, Debug)]
pub enum Change {
    /// It is new.
    Opened(Finding),
    /// It was seen again, or its severity changed.
    Grew(Finding),
    /// It was not seen for an hour of packet time, or had to make room: a repeat is a new finding with an id of its own.
    Closed(Finding),
}

impl Change {
    /// `opened`, `grew` or `closed`.
    pub fn name(&self) -> &'static str {
        match self {
            Change::Opened(_) => "opened",
            Change::Grew(_) => "grew",
            Change::Closed(_) => "closed",
        }
    }

    /// The finding as it now stands.
    pub fn finding(&self) -> &Finding {
        match self {
            Change::Opened(f) | Change::Grew(f) | Change::Closed(f) => f,
        }
    }
}

/// What became of a device since it was last told.
#[derive(Clone, Debug)]
pub enum DeviceChange {
    /// It is new, or something about it is.
    Seen(Box<Device>),
    /// There is no device under this id any more: it was merged into another, which names it as one of its former ids, or was forgotten.
    Gone(String),
}

/// What was last told of an open finding.
#[derive(Clone, Copy, Debug, serde::Serialize, serde::Deserialize)]
pub(crate) struct Told {
    rev: u32,
    severity: Severity,
    at: Ts,
}

impl Told {
    pub(crate) fn of(finding: &Finding, at: Ts) -> Told {
        Told { rev: finding.rev, severity: finding.severity, at }
    }

    /// Whether a finding as it stands at `now` is worth telling.
    pub(crate) fn is_due(told: Option<Told>, finding: &Finding, now: Ts) -> bool {
        let Some(told) = told else { return true };
        let is_changed = finding.rev != told.rev;
        is_changed && (finding.severity != told.severity || now.since(told.at) >= GREW_EVERY || now < told.at)
    }
}
