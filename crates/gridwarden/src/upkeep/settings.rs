//! What is kept how long and within which room: flags and defaults that never fill a disk.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, bail};
use clap::Args;

/// Days that records are kept where nothing else is said.
const DAYS: u32 = 90;
/// Percent of the disk that is free or already theirs, for all records.
const LAKE_SHARE: u64 = 40;
/// Percent of the disk that is free or already theirs, for packets at most.
const RING_SHARE: u64 = 40;
/// Megabytes of packets kept on a disk that is large enough.
const RING_MB: u64 = 10_240;
/// Percent of the room for records that held ones may take.
const HELD_SHARE: u8 = 25;
/// Bytes that stay free at most; of a small disk a twentieth.
const RESERVE: u64 = 2 << 30;
/// Kinds that never fall to a limit of size: what was seen at all, and what was not.
pub const NEVER_BY_SIZE: [&str; 2] = ["feed_minute", "gap"];

/// How long records are kept, and within which room.
#[derive(Args, Clone, Debug, Default)]
pub struct Retain {
    /// Keep records for this many days; 0: as long as there is space [default: 90].
    #[arg(long, value_name = "DAYS")]
    pub keep_days: Option<u32>,
    /// Keep records of one kind for this many days, as in modbus=30; may be repeated.
    #[arg(long, value_name = "KIND=DAYS", value_parser = pair)]
    pub keep_kind: Vec<(String, u64)>,
    /// Space for all records in MB [default: 40 % of the disk space that is free or already used by them].
    #[arg(long, value_name = "MB")]
    pub lake: Option<u64>,
    /// Space for records of one kind in MB, as in modbus=2048; may be repeated.
    #[arg(long, value_name = "KIND=MB", value_parser = pair)]
    pub lake_kind: Vec<(String, u64)>,
    /// Percentage of that space for records that open findings hold [default: 25].
    #[arg(long, value_name = "PERCENT", value_parser = clap::value_parser!(u8).range(0..=100))]
    pub held: Option<u8>,
    /// Disk space to leave free in MB [default: 5 % of the disk, at most 2048].
    #[arg(long, value_name = "MB")]
    pub reserve: Option<u64>,
    /// Seconds between two rounds of upkeep.
    #[arg(long, value_name = "SECONDS", default_value_t = 60, hide = true)]
    pub upkeep_every: u64,
    /// Seconds after which nothing more is expected in an hour that is over.
    #[arg(long, value_name = "SECONDS", default_value_t = 600, hide = true)]
    pub settle: u64,
}

/// Of one kind.
#[derive(Clone, Copy, Debug, Default)]
struct OfKind {
    days: Option<u32>,
    mb: Option<u64>,
}

/// What is in force.
#[derive(Clone, Debug)]
pub struct Policy {
    days: u32,
    kinds: BTreeMap<String, OfKind>,
    lake: Option<u64>,
    held_percent: u8,
    reserve: Option<u64>,
    /// Between two rounds.
    pub every: Duration,
    /// After this long nothing more is expected in an hour that is over.
    pub settle: Duration,
}

impl Retain {
    /// Flags over defaults. Names of kinds that do not exist are refused.
    pub fn policy(&self) -> anyhow::Result<Policy> {
        let mut kinds: BTreeMap<String, OfKind> = BTreeMap::new();
        for (kind, days) in &self.keep_kind {
            kinds.entry(kind.clone()).or_default().days = Some(u32::try_from(*days).unwrap_or(u32::MAX));
        }
        for (kind, mb) in &self.lake_kind {
            kinds.entry(kind.clone()).or_default().mb = Some(*mb);
        }
        let known = kind_names();
        if let Some(kind) = kinds.keys().find(|k| !known.contains(&k.as_str())) {
            let meant = crate::check::nearest(kind, known.iter().copied());
            let hint = meant.map_or(String::new(), |m| format!(": did you mean `{m}`?"));
            bail!("there is no kind of record `{kind}`{hint}");
        }
        Ok(Policy {
            days: self.keep_days.unwrap_or(DAYS),
            kinds,
            lake: self.lake.map(|mb| mb << 20),
            held_percent: self.held.unwrap_or(HELD_SHARE),
            reserve: self.reserve.map(|mb| mb << 20),
            every: Duration::from_secs(self.upkeep_every.max(1)),
            settle: Duration::from_secs(self.settle),
        })
    }
}

impl Policy {
    /// Days that a kind is kept; none: as long as there is room.
    pub fn days(&self, kind: &str) -> Option<u32> {
        let days = self.kinds.get(kind).and_then(|k| k.days).unwrap_or(self.days);
        (days > 0).then_some(days)
    }

    /// Bytes of a kind, where they are limited.
    pub fn of_kind(&self, kind: &str) -> Option<u64> {
        self.kinds.get(kind)?.mb.map(|mb| mb << 20)
    }

    /// Bytes of all records.
    pub fn lake(&self, disk: &Disk, theirs: u64) -> u64 {
        self.lake.unwrap_or_else(|| disk.free.saturating_add(theirs) / 100 * LAKE_SHARE)
    }

    /// Bytes that held records may take of `lake`.
    pub fn held(&self, lake: u64) -> u64 {
        lake / 100 * u64::from(self.held_percent)
    }

    /// Bytes that stay free.
    pub fn reserve(&self, disk: &Disk) -> u64 {
        self.reserve.unwrap_or_else(|| RESERVE.min(disk.total / 20))
    }

    /// In words, for the ledger: what allowed a deletion of this kind.
    pub fn authority(&self, kind: &str) -> String {
        let age = self.days(kind).map_or("as long as there is room".to_owned(), |d| format!("{d} days"));
        let room = self.of_kind(kind).or(self.lake);
        let room = room.map_or(format!("{LAKE_SHARE} % of the free disk"), |b| format!("{} MB", b >> 20));
        format!("retention policy: {age}, {room}")
    }
}

/// A file system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Disk {
    /// Bytes of all of it.
    pub total: u64,
    /// Bytes that are free for this user.
    pub free: u64,
}

impl Disk {
    /// Of the file system that a folder lies on.
    pub fn of(path: &Path) -> anyhow::Result<Disk> {
        let s =
            rustix::fs::statvfs(path).with_context(|| format!("cannot look at the disk of `{}`", path.display()))?;
        Ok(Disk { total: s.f_blocks.saturating_mul(s.f_frsize), free: s.f_bavail.saturating_mul(s.f_frsize) })
    }
}

/// Bytes of packets: as asked for, otherwise 10 GB and at most 40 % of what is free or already theirs.
pub fn ring_bytes(asked_mb: Option<u64>, data: &Path) -> u64 {
    let most = RING_MB << 20;
    match (asked_mb, Disk::of(data)) {
        (Some(mb), _) => mb << 20,
        (None, Err(_)) => most,
        (None, Ok(disk)) => most.min(disk.free.saturating_add(size_of(&data.join("ring"))) / 100 * RING_SHARE),
    }
}

/// Bytes of the files of one folder.
pub fn size_of(folder: &Path) -> u64 {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    entries.filter_map(|e| e.metadata().ok()).filter(|m| m.is_file()).map(|m| m.len()).sum()
}

/// Kinds of records that a lake may hold.
pub fn kind_names() -> Vec<&'static str> {
    let mut all: Vec<&str> = engine::kinds().into_iter().chain(ingest::kinds()).map(|k| k.name).collect();
    all.extend(NEVER_BY_SIZE);
    all.sort_unstable();
    all.dedup();
    all
}

fn pair(text: &str) -> Result<(String, u64), String> {
    let (kind, number) = text.split_once('=').ok_or("write KIND=NUMBER")?;
    let number = number.parse().map_err(|_| format!("`{number}` is no number"))?;
    Ok((kind.to_owned(), number))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_stands_over_all_kinds() {
        let (keep_kind, lake_kind) = (vec![("modbus".into(), 3)], vec![("modbus".into(), 100)]);
        let policy = Retain { keep_days: Some(30), keep_kind, lake_kind, ..Retain::default() }.policy().unwrap();
        assert_eq!((policy.days("conn"), policy.days("modbus")), (Some(30), Some(3)));
        assert_eq!((policy.of_kind("modbus"), policy.of_kind("conn")), (Some(100 << 20), None));
        let all = Retain { keep_days: Some(0), ..Retain::default() }.policy().unwrap();
        assert_eq!(all.days("conn"), None);
    }

    #[test]
    fn a_kind_that_is_not_there_is_refused_with_what_was_meant() {
        let flags = Retain { lake_kind: vec![("modbuz".into(), 3)], ..Retain::default() };
        let said = flags.policy().unwrap_err().to_string();
        assert!(said.contains("did you mean `modbus`"), "{said}");
    }

    #[test]
    fn defaults_never_take_the_whole_disk() {
        let policy = Retain::default().policy().unwrap();
        let disk = Disk { total: 100 << 30, free: 50 << 30 };
        let lake = policy.lake(&disk, 10 << 30);
        assert!(lake < 25 << 30 && policy.held(lake) < lake && policy.reserve(&disk) == 2 << 30);
        // Packets and records together leave a fifth of what was free.
        const { assert!((LAKE_SHARE + RING_SHARE) <= 80) };
        assert_eq!(policy.reserve(&Disk { total: 20 << 20, free: 0 }), 1 << 20);
    }
}
