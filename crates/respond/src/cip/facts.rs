//! The rows that evidence stands on: scope and feeds as people declared them, what was measured, found, decided, changed and deleted.

use gwcore::Ts;
use serde::{Deserialize, Serialize};

use crate::text;

/// What people declare; read from a TOML file.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Scope {
    /// Name of the entity.
    pub entity: String,
    /// Document this was taken from, with its version.
    pub source: String,
    /// Who approved it; empty: nobody.
    pub approver: String,
    /// Local time zone by name.
    pub time_zone: String,
    /// Hours within which a finding shall be evaluated; the standard gives none, so that without it a person must say.
    pub evaluation_target_hours: Option<u64>,
    /// Minutes of a feed that may be missing in one stretch without being a gap.
    pub gap_tolerance_minutes: Option<u64>,
    /// Electronic security perimeters.
    pub esp: Vec<Esp>,
    /// Feeds.
    pub feed: Vec<Feed>,
    /// Perimeters or segments that are not monitored, with the reason.
    pub exclusion: Vec<Exclusion>,
}

/// An electronic security perimeter.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Esp {
    /// Name.
    pub name: String,
    /// `high`, `medium`, `low`.
    pub impact: String,
    /// External routable connectivity.
    pub erc: bool,
    /// Whether it is at a Control Center.
    pub control_center: bool,
}

/// A feed.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Feed {
    /// Name.
    pub id: String,
    /// Interface by which minutes and gaps are known.
    pub interface: String,
    /// Perimeter it sees.
    pub esp: String,
    /// Why this feed, by risk.
    pub rationale: String,
    /// What else was considered.
    pub alternatives: String,
    /// Who wrote that.
    pub author: String,
    /// Who approved it; empty: nobody.
    pub approver: String,
    /// When, as a date.
    pub approved: String,
}

/// Something that is not monitored.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Exclusion {
    /// Perimeter.
    pub esp: String,
    /// Why.
    pub reason: String,
    /// Who approved it; empty: nobody.
    pub approver: String,
}

/// Minutes in which an interface delivered, as stretches without a hole.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct FeedMinutes {
    /// Interface.
    pub interface: String,
    /// Start of the first minute.
    #[serde(with = "text::rfc3339")]
    pub from: Ts,
    /// End of the last minute.
    #[serde(with = "text::rfc3339")]
    pub to: Ts,
    /// Minutes.
    pub minutes: u64,
    /// Packets.
    pub packets: u64,
    /// Packets dropped.
    pub dropped: u64,
}

/// A gap as it was recorded or acknowledged.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct FeedGap {
    /// Interface; empty: all.
    pub interface: String,
    /// Start.
    #[serde(with = "text::rfc3339")]
    pub from: Ts,
    /// End.
    #[serde(with = "text::rfc3339")]
    pub to: Ts,
    /// Cause as recorded.
    pub cause: String,
    /// Who acknowledged it; empty: nobody.
    pub acknowledged_by: String,
}

/// A finding and how it was evaluated.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Evaluated {
    /// Finding id.
    pub id: String,
    /// When it was raised.
    #[serde(with = "text::rfc3339")]
    pub raised: Ts,
    /// Severity.
    pub severity: String,
    /// Detector.
    pub detector: String,
    /// Headline.
    pub title: String,
    /// Who evaluated it; empty: nobody.
    pub by: String,
    /// Whether that is a person.
    pub by_person: bool,
    /// When it was evaluated.
    #[serde(with = "text::rfc3339_option")]
    pub at: Option<Ts>,
    /// Conclusion.
    pub conclusion: String,
    /// Method or reason given.
    pub method: String,
    /// Approved suppression that covers it; empty: none.
    pub suppression: String,
    /// Case.
    pub case: String,
}

/// A change of what detects: version, detectors, baseline, rules, models, thresholds.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Change {
    /// Entry of the ledger.
    pub n: u64,
    /// When.
    #[serde(with = "text::rfc3339")]
    pub at: Ts,
    /// What kind of thing was changed.
    pub what: String,
    /// Hash of the configuration after it.
    pub hash: String,
    /// Who did it.
    pub by: String,
    /// Who approved it; empty: nobody.
    pub approved_by: String,
    /// Change ticket or reason; empty: none.
    pub reference: String,
}

/// A hold on what belongs to a case.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Hold {
    /// Case.
    pub case: String,
    /// When it was placed.
    #[serde(with = "text::rfc3339")]
    pub placed: Ts,
    /// When it was released.
    #[serde(with = "text::rfc3339_option")]
    pub released: Option<Ts>,
    /// Which action was complete then; empty: none.
    pub completed: String,
}

/// Something deleted.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Deletion {
    /// Entry of the ledger.
    pub n: u64,
    /// When.
    #[serde(with = "text::rfc3339")]
    pub at: Ts,
    /// Class of what was deleted.
    pub class: String,
    /// What.
    pub what: String,
    /// Case it belonged to; empty: none.
    pub case: String,
    /// Who or what deleted it.
    pub by: String,
    /// Policy or persons that allowed it; empty: none.
    pub authority: String,
}

/// What the verification of the ledger gave.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct LedgerCheck {
    /// Entries that hold.
    pub entries: u64,
    /// Hash of the last of them.
    pub hash: String,
    /// Where it breaks; empty: nowhere.
    pub broken: String,
    /// Where the hash was kept elsewhere; empty: nowhere.
    pub anchor: String,
}

/// Traffic that no parser read.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Unread {
    /// Protocol and port with its registered name.
    pub what: String,
    /// Packets.
    pub packets: u64,
    /// Bytes.
    pub bytes: u64,
}

/// All rows of a period, half open.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Facts {
    /// Start.
    #[serde(with = "text::rfc3339")]
    pub from: Ts,
    /// End, not included.
    #[serde(with = "text::rfc3339")]
    pub to: Ts,
    /// What people declared.
    pub scope: Scope,
    /// Minutes that were seen.
    pub minutes: Vec<FeedMinutes>,
    /// Gaps that were recorded.
    pub gaps: Vec<FeedGap>,
    /// Findings above info.
    pub findings: Vec<Evaluated>,
    /// Changes of the configuration, also the last one before the period.
    pub changes: Vec<Change>,
    /// Who approved the baseline in use; empty: nobody.
    pub baseline_approver: String,
    /// Holds.
    pub holds: Vec<Hold>,
    /// Deletions.
    pub deletions: Vec<Deletion>,
    /// The ledger.
    pub ledger: LedgerCheck,
    /// What was not read; none where nobody knows.
    pub unread: Option<Vec<Unread>>,
}
