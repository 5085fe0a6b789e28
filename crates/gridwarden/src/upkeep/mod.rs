//! Upkeep of a running platform: records and packets within their time and room, small files made large, every deletion in the ledger.
//!
//! A thread of the centre. On a disk that is nearly full packets go first, then detail, then records; the ledger, the state and what is held stay.

mod holds;
mod settings;
mod told;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime};

use anyhow::Context;
use gwcore::Ts;
use gwcore::time::HOUR;
use lake::Hour;
use ledger::Ledger;
use serde_json::{Value, json};

use crate::run::Commands;
use crate::say::complaint;
use holds::Holds;
pub use settings::{Disk, NEVER_BY_SIZE, Policy, Retain, kind_names, ring_bytes, size_of};
use told::Told;

/// A day of packet time, in nanoseconds.
const DAY: i64 = 24 * HOUR;
/// The whole lake is looked at once in so many rounds, and whenever the disk is nearly full.
const ROUNDS_BETWEEN: u64 = 10;
/// An exchange waits this long for a moment without searches.
const PATIENCE: Duration = Duration::from_secs(8);
/// A deletion that searches put off this long goes on all the same.
const LONGEST_WAIT: Duration = Duration::from_secs(600);
/// Between two rounds while the disk is nearly full.
const LOW: Duration = Duration::from_secs(5);
/// One round compacts no longer than this.
const COMPACTING: Duration = Duration::from_secs(20);
/// What is deleted for want of room is deleted down to this many percent of it.
const DOWN_TO: u64 = 95;

/// The thread; dropping it ends it.
pub struct Upkeep {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

/// What the last look at the disk gave, for `ctl stats`.
#[derive(Clone, Default)]
pub struct Status(Arc<Mutex<Value>>);

impl Status {
    /// As JSON; null before the first look.
    pub fn get(&self) -> Value {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set(&self, value: Value) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = value;
    }
}

/// Starts it over the data of a platform.
pub fn start(data: &Path, policy: Policy, commands: Commands, status: Status) -> anyhow::Result<Upkeep> {
    let ledger = Ledger::open(&data.join("ledger")).context("cannot open the ledger")?;
    let stop = Arc::new(AtomicBool::new(false));
    let mut keeper = Keeper {
        told: Told::open(data, ledger),
        data: data.to_owned(),
        policy,
        commands,
        status,
        stop: Arc::clone(&stop),
        holds: Holds::default(),
        is_low: false,
        put_off: None,
        unreadable: std::collections::BTreeSet::new(),
        compacted: 0,
        deleted_rows: 0,
    };
    let thread = std::thread::Builder::new().name("upkeep".into()).spawn(move || keeper.run())?;
    Ok(Upkeep { stop, thread: Some(thread) })
}

impl Drop for Upkeep {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            complaint(format_args!("upkeep ended early"));
        }
    }
}

struct Keeper {
    data: PathBuf,
    policy: Policy,
    told: Told,
    commands: Commands,
    status: Status,
    stop: Arc<AtomicBool>,
    holds: Holds,
    /// Whether the disk was nearly full at the last look.
    is_low: bool,
    /// Since when searches keep deletions waiting.
    put_off: Option<Instant>,
    /// Files that were said to be unreadable.
    unreadable: std::collections::BTreeSet<String>,
    /// Files that compaction did away with.
    compacted: u64,
    deleted_rows: u64,
}

impl Keeper {
    fn run(&mut self) {
        if let Err(e) = lake::tidy(&self.lake()) {
            complaint(format_args!("unfinished files of the lake stay: {e}"));
        }
        let mut rounds = 0u64;
        while !self.stop.load(Ordering::Relaxed) {
            if let Err(e) = self.round(rounds.is_multiple_of(ROUNDS_BETWEEN)) {
                complaint(format_args!("upkeep: {e:#}"));
            }
            rounds += 1;
            let began = Instant::now();
            let pause = if self.is_low { self.policy.every.min(LOW) } else { self.policy.every };
            while began.elapsed() < pause && !self.stop.load(Ordering::Relaxed) {
                std::thread::sleep(Duration::from_millis(100));
            }
        }
        // What the sensor deleted at its end.
        self.told.ring(&self.ring_authority());
        self.told.ring(&self.ring_authority());
        self.told.flush();
    }

    fn lake(&self) -> PathBuf {
        self.data.join("lake")
    }

    fn ring_authority(&self) -> String {
        "retention policy: ring of packets, oldest first".to_owned()
    }

    /// One look; `whole` walks the lake.
    fn round(&mut self, whole: bool) -> anyhow::Result<()> {
        self.told.ring(&self.ring_authority());
        self.holds.follow(&self.data).context("cannot read what is held")?;
        self.release()?;
        let disk = Disk::of(&self.data)?;
        let reserve = self.policy.reserve(&disk);
        let is_low = disk.free < reserve;
        if is_low && !self.is_low {
            let (free, reserve) = (disk.free >> 20, reserve >> 20);
            complaint(format_args!(
                "the disk of `{}` is nearly full: {free} MB are free, less than the reserve of {reserve} MB; packets are deleted first, then detail, then records",
                self.data.display()
            ));
        }
        self.is_low = is_low;
        if is_low && self.ring().len() > 1 {
            self.commands.send(&json!({ "type": "give-way" }));
        }
        if whole || is_low {
            let hours = lake::hours(&self.lake()).context("cannot look at the lake")?;
            let hours = self.retain(hours, &disk)?;
            if !is_low {
                self.compact(&hours);
            }
        }
        self.told.flush();
        Ok(())
    }

    /// Names of the ring's segments as findings cite them, oldest first.
    fn ring(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.data.join("ring")).into_iter().flatten().flatten();
        let names = entries.filter_map(|e| e.file_name().into_string().ok()).filter(|n| n.ends_with(".pcapng"));
        let mut all: Vec<String> = names.map(|n| format!("ring/{n}")).collect();
        all.sort();
        all
    }

    /// Lets go of segments whose findings are all closed.
    fn release(&self) -> anyhow::Result<()> {
        let ring = self.ring();
        let released = self.holds.released(ring.iter());
        if !released.is_empty() {
            self.commands.send(&json!({ "type": "release", "segments": released }));
        }
        Ok(())
    }

    /// Deletes what is over its time or room; what is left, oldest first.
    fn retain(&mut self, hours: Vec<Hour>, disk: &Disk) -> anyhow::Result<Vec<Hour>> {
        let total: u64 = hours.iter().map(Hour::bytes).sum();
        let room = self.policy.lake(disk, total.saturating_add(size_of(&self.data.join("ring"))));
        let lack =
            if self.is_low && self.ring().len() <= 1 { self.policy.reserve(disk).saturating_sub(disk.free) } else { 0 };
        let now = hours.iter().map(Hour::end).max().unwrap_or_default().min(ledger::now());
        let plan = plan(&hours, &self.policy, now, room, lack);
        let held = self.holds.uids();
        let lake = self.lake();
        let waited = self.put_off.is_some_and(|since| since.elapsed() > LONGEST_WAIT);
        let mut left = Vec::new();
        let mut is_put_off = false;
        for (hour, why) in hours.into_iter().zip(plan) {
            let Some(why) = why.filter(|_| !self.stop.load(Ordering::Relaxed) && !is_put_off) else {
                left.push(hour);
                continue;
            };
            let nothing = std::collections::HashSet::new();
            let held = if why == Why::HeldRoom { &nothing } else { &held };
            let authority = self.policy.authority(&hour.kind);
            let told = &mut self.told;
            let done = lake::delete(&lake, &hour, held, (PATIENCE, waited || self.is_low), &mut |d| {
                told.deleted(&hour, d, why.name(), &authority);
            })?;
            is_put_off = done.put_off;
            self.deleted_rows += done.rows;
        }
        self.put_off = if is_put_off { self.put_off.or_else(|| Some(Instant::now())) } else { None };
        let bytes: u64 = left.iter().map(Hour::bytes).sum();
        self.status.set(json!({
            "lake": { "bytes": bytes, "room": room, "files": left.iter().map(|h| h.files.len()).sum::<usize>(),
                "oldest": left.first().map(|h| h.start().to_string()) },
            "disk": { "free": disk.free, "total": disk.total, "reserve": self.policy.reserve(disk), "nearly_full": self.is_low },
            "held_findings": self.holds.count(), "deleted_rows": self.deleted_rows, "compacted_files": self.compacted,
        }));
        Ok(left)
    }

    /// Makes large files of the small ones of hours that are over.
    fn compact(&mut self, hours: &[Hour]) {
        let began = Instant::now();
        let now = ledger::now();
        for hour in hours {
            if self.stop.load(Ordering::Relaxed) || began.elapsed() > COMPACTING {
                return;
            }
            if !is_over(hour, now, self.policy.settle) || hour.files.len() < 2 {
                continue;
            }
            match lake::compact(&self.lake(), hour, PATIENCE) {
                Ok(done) => {
                    self.compacted += done.files.saturating_sub(done.into);
                    for file in done.unreadable {
                        if self.unreadable.insert(file.clone()) {
                            complaint(format_args!("`lake/{file}` cannot be read and stays as it is"));
                        }
                    }
                    if done.put_off {
                        return;
                    }
                }
                Err(e) => {
                    let folder = hour.folder.display();
                    complaint(format_args!("the files of `lake/{folder}` stay as they are: {e}"));
                    return;
                }
            }
        }
    }
}

/// Whether nothing more is expected in an hour.
fn is_over(hour: &Hour, now: Ts, settle: Duration) -> bool {
    let changed = hour.changed.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let quiet = Duration::from_nanos(u64::try_from(now.0).unwrap_or(0)).saturating_sub(changed);
    hour.end() <= now && quiet >= settle
}

/// Why something is deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Why {
    Age,
    KindRoom,
    Room,
    HeldRoom,
    DiskFull,
}

impl Why {
    fn name(self) -> &'static str {
        match self {
            Why::Age => "retention period exceeded",
            Why::KindRoom => "limit of the kind exceeded",
            Why::Room => "limit of all records exceeded",
            Why::HeldRoom => "share of held records exceeded",
            Why::DiskFull => "disk nearly full",
        }
    }
}

/// Which hours (oldest first) are deleted, and why. `lack` bytes must be freed whatever the rooms say.
fn plan(hours: &[Hour], policy: &Policy, now: Ts, room: u64, lack: u64) -> Vec<Option<Why>> {
    let mut plan: Vec<Option<Why>> = vec![None; hours.len()];
    // Whole days go at once, so that the ledger has a line a day and kind.
    for (hour, why) in hours.iter().zip(&mut plan) {
        let day_end = hour.start().0.div_euclid(DAY).saturating_add(1).saturating_mul(DAY);
        if policy.days(&hour.kind).is_some_and(|d| day_end.saturating_add(i64::from(d).saturating_mul(DAY)) <= now.0) {
            *why = Some(Why::Age);
        }
    }
    let may_go = |hour: &Hour| !NEVER_BY_SIZE.contains(&hour.kind.as_str());
    let limited: std::collections::BTreeSet<&str> = hours.iter().map(|h| h.kind.as_str()).collect();
    for kind in limited {
        if let Some(limit) = policy.of_kind(kind) {
            shrink(
                hours,
                &mut plan,
                Why::KindRoom,
                limit,
                |h| h.kind == kind && may_go(h) && !h.is_held(),
                |h| h.kind == kind,
            );
        }
    }
    shrink(hours, &mut plan, Why::Room, room, |h| may_go(h) && !h.is_held(), |_| true);
    shrink(hours, &mut plan, Why::HeldRoom, policy.held(room), Hour::is_held, Hour::is_held);
    if lack > 0 {
        let mut freed: u64 = hours.iter().zip(&plan).filter(|(_, w)| w.is_some()).map(|(h, _)| h.bytes()).sum();
        for is_detail in [true, false] {
            for (hour, why) in hours.iter().zip(&mut plan) {
                if freed < lack && why.is_none() && may_go(hour) && !hour.is_held() && detail(&hour.kind) == is_detail {
                    *why = Some(Why::DiskFull);
                    freed += hour.bytes();
                }
            }
        }
    }
    plan
}

/// Deletes the oldest that `may_go` until those that count are within `limit`; where they are over it, to a little below.
fn shrink(
    hours: &[Hour],
    plan: &mut [Option<Why>],
    why: Why,
    limit: u64,
    may_go: impl Fn(&Hour) -> bool,
    counts: impl Fn(&Hour) -> bool,
) {
    let left = hours.iter().zip(plan.iter()).filter(|(h, w)| counts(h) && (w.is_none() || h.is_held()));
    let mut bytes: u64 = left.map(|(h, _)| h.bytes()).sum();
    if bytes <= limit {
        return;
    }
    let target = limit / 100 * DOWN_TO;
    for (hour, place) in hours.iter().zip(plan) {
        if bytes <= target {
            return;
        }
        if may_go(hour) && (place.is_none() || hour.is_held()) {
            *place = Some(why);
            bytes = bytes.saturating_sub(hour.bytes());
        }
    }
}

/// Whether a kind's rows are parts of another's.
fn detail(kind: &str) -> bool {
    engine::kinds().into_iter().any(|k| k.name == kind && k.parent.is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hour(kind: &str, n: i64, bytes: u64, held: bool) -> Hour {
        let name = if held { "h00000001.parquet" } else { "00000001-00000001.parquet" };
        let files = vec![(name.to_owned(), bytes)];
        Hour { kind: kind.into(), hour: n, folder: PathBuf::new(), files, changed: SystemTime::UNIX_EPOCH }
    }

    fn policy(flags: Retain) -> Policy {
        flags.policy().unwrap()
    }

    #[test]
    fn whole_days_go_when_they_are_over_their_time() {
        let p = policy(Retain { keep_days: Some(2), keep_kind: vec![("conn".into(), 1)], ..Retain::default() });
        let hours = [hour("modbus", 0, 1, false), hour("conn", 23, 1, false), hour("conn", 24, 1, false)];
        let at = |hours_: i64| plan(&hours, &p, Ts(hours_ * HOUR), u64::MAX, 0);
        assert_eq!(at(47), [None, None, None]);
        assert_eq!(at(48), [None, Some(Why::Age), None]);
        assert_eq!(at(72), [Some(Why::Age); 3]);
    }

    #[test]
    fn the_oldest_go_for_room_and_what_was_watched_stays() {
        let p = policy(Retain { keep_days: Some(0), lake_kind: vec![("conn".into(), 2)], ..Retain::default() });
        let mb = 1 << 20;
        let hours: Vec<Hour> = (0..4)
            .flat_map(|n| [hour("conn", n, mb, false), hour("dns", n, mb, false), hour("feed_minute", n, mb, false)])
            .collect();
        let gone = |room: u64, lack: u64| -> Vec<(String, i64)> {
            let plan = plan(&hours, &p, Ts(0), room, lack);
            hours.iter().zip(plan).filter(|(_, w)| w.is_some()).map(|(h, _)| (h.kind.clone(), h.hour)).collect()
        };
        let kind = |list: &[(&str, i64)]| list.iter().map(|(k, n)| ((*k).to_owned(), *n)).collect::<Vec<_>>();
        // Of its two the kind keeps what lies below 95 %.
        assert_eq!(gone(u64::MAX, 0), kind(&[("conn", 0), ("conn", 1), ("conn", 2)]));
        let both = [("conn", 0), ("dns", 0), ("conn", 1), ("dns", 1), ("conn", 2)];
        assert_eq!(gone(8 * mb, 0), kind(&both));
        assert!(gone(0, 0).iter().all(|(k, _)| k != "feed_minute"));
        assert!(gone(u64::MAX, 100 * mb).iter().all(|(k, _)| k != "feed_minute"));
    }

    #[test]
    fn a_full_disk_costs_detail_before_records_and_held_rows_only_beyond_their_share() {
        let p = policy(Retain { keep_days: Some(0), ..Retain::default() });
        let hours = [hour("conn", 0, 10, false), hour("dnp3_object", 5, 10, false), hour("dnp3", 0, 10, true)];
        assert_eq!(plan(&hours, &p, Ts(0), 1_000, 5), [None, Some(Why::DiskFull), None]);
        assert_eq!(plan(&hours, &p, Ts(0), 1_000, 15), [Some(Why::DiskFull), Some(Why::DiskFull), None]);
        // A quarter of 30 is less than what is held.
        let tight = plan(&hours, &p, Ts(0), 30, 0);
        assert_eq!(tight[2], Some(Why::HeldRoom));
    }
}
