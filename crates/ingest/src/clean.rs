//! Cleaning: what is left out or changed before it becomes a record, each under a counted reason.

use std::collections::BTreeMap;

use gwcore::time::{HOUR, MINUTE, SECOND};
use gwcore::{Addr, AgedTable, Limit, Ts};

use crate::flows::Exported;

/// What becomes of something that came in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fate {
    /// It became records as it is.
    Kept,
    /// It became records after its time was put right.
    SkewCorrected,
    /// The same was told before: by the exporter's other interface, or by another exporter.
    Duplicate,
    /// It ends before it begins.
    EndsBeforeStart,
    /// It lies a day or more ahead of its receipt.
    InFuture,
    /// It counts no packets.
    Empty,
    /// It names no addresses.
    NoAddresses,
    /// It cannot be read.
    Unreadable,
}

impl Fate {
    /// The word under which it is counted.
    pub fn name(self) -> &'static str {
        match self {
            Fate::Kept => "kept",
            Fate::SkewCorrected => "skew_corrected",
            Fate::Duplicate => "duplicate",
            Fate::EndsBeforeStart => "ends_before_start",
            Fate::InFuture => "in_future",
            Fate::Empty => "empty",
            Fate::NoAddresses => "no_addresses",
            Fate::Unreadable => "unreadable",
        }
    }

    /// Whether it went into quarantine.
    pub fn is_quarantined(self) -> bool {
        matches!(self, Fate::EndsBeforeStart | Fate::InFuture | Fate::NoAddresses | Fate::Unreadable)
    }
}

/// How many had which fate.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fates(pub BTreeMap<&'static str, u64>);

impl Fates {
    /// Counts one.
    pub fn add(&mut self, fate: Fate) {
        *self.0.entry(fate.name()).or_default() += 1;
    }

    /// All together.
    pub fn total(&self) -> u64 {
        self.0.values().sum()
    }
}

/// Flows remembered to recognise repeats.
const REMEMBERED: usize = 262_144;
/// A repeat comes within this time of the first.
const REPEAT: i64 = 2 * MINUTE;
/// Clocks that lie further apart are put right.
const SKEW: i64 = 5 * MINUTE;
/// Flows last long, and exporters tell of them late; further ahead than this is no clock but a fault.
const FUTURE: i64 = 24 * HOUR;

/// Remembers what it needs to judge.
pub struct Cleaner {
    seen: AgedTable<Key, (Ts, Addr, u32)>,
    /// Exporter and how far its clock lies behind, where that is more than [`SKEW`].
    skews: AgedTable<Addr, i64>,
}

/// What makes two reports the same flow: ends, protocol, counters, beginning to the second.
type Key = (Addr, Addr, u16, u16, u8, u64, u64, i64);

impl Default for Cleaner {
    fn default() -> Self {
        Cleaner {
            seen: AgedTable::new(Limit::DetectorSources, REMEMBERED),
            skews: AgedTable::new(Limit::DetectorSources, 4_096),
        }
    }
}

impl Cleaner {
    /// How far an exporter's clock must be moved, from the time it wrote and the time it came; small differences are transport.
    pub fn skew(&mut self, exporter: Addr, exported: Option<Ts>, received: Ts) -> Option<i64> {
        let behind = received.since(exported?);
        if behind.abs() <= SKEW {
            self.skews.remove(&exporter);
            return None;
        }
        // The first difference stays until it is off by more than a minute: flows of one exporter keep their order.
        let kept = self.skews.get(&exporter).copied().filter(|k| (k - behind).abs() <= MINUTE);
        let skew = kept.unwrap_or(behind);
        if kept.is_none() {
            self.skews.insert(exporter, skew);
        }
        Some(skew)
    }

    /// What becomes of a flow, and its beginning and end.
    pub fn judge(&mut self, f: &Exported, exporter: Addr, skew: Option<i64>, received: Ts) -> (Fate, Ts, Ts) {
        let moved = |t: Ts| t.plus(skew.unwrap_or(0));
        let end = f.end.or(f.start).map_or(received, moved);
        let start = f.start.or(f.end).map_or(end, moved);
        if f.src.is_none() && f.dst.is_none() {
            return (Fate::NoAddresses, start, end);
        }
        if f.raw.1 == 0 && f.raw.0 == 0 && f.reverse.is_none_or(|r| r == (0, 0)) {
            return (Fate::Empty, start, end);
        }
        // Exporters round both times by themselves.
        if end.since(start) < -SECOND {
            return (Fate::EndsBeforeStart, start, end);
        }
        if start.since(received) > FUTURE {
            return (Fate::InFuture, start, end);
        }
        let key = (f.src, f.dst, f.src_port, f.dst_port, f.proto, f.raw.0, f.raw.1, start.0.div_euclid(SECOND));
        match self.seen.get(&key) {
            Some((when, from, ingress))
                if received.since(*when).abs() <= REPEAT && (*from, *ingress) != (exporter, f.ingress) =>
            {
                return (Fate::Duplicate, start, end);
            }
            _ => {
                self.seen.insert(key, (received, exporter, f.ingress));
            }
        }
        let fate = if skew.is_some() { Fate::SkewCorrected } else { Fate::Kept };
        (fate, start, end.max(start))
    }
}
