//! The inventory while a run goes on: made anew now and then, with what changed in it since it was last told.

use std::collections::BTreeMap;
use std::hash::BuildHasher;
use std::sync::Arc;

use gwcore::time::{MINUTE, SECOND};
use gwcore::{TableState, Ts};

use super::{Device, Devices, Inventory};
use crate::{DeviceChange, Site};

/// Packet time between two inventories at least, and for each so many endpoints a second more: making one walks them all.
const PAUSE: i64 = 10 * SECOND;
const ENDPOINTS_A_SECOND: i64 = 2_000;
/// Up to so many endpoints a new one is in the inventory at once.
const AT_ONCE: usize = 8_192;
/// A device of which only the time of its last packet is new is told again after this much packet time.
const SEEN_AGAIN: i64 = 5 * MINUTE;

/// What was last told of a device: hashes of all but `last_seen` and of that, and when.
#[derive(Clone, Copy)]
struct Told {
    hash: u64,
    last_seen: u64,
    at: Ts,
}

/// The last inventory and what was told of it.
#[derive(Default)]
pub(super) struct Current {
    /// Packet time: that of the last tick.
    pub(super) now: Ts,
    /// Something was seen since the inventory was made.
    pub(super) is_touched: bool,
    /// A new endpoint was.
    pub(super) is_new: bool,
    /// One was heard for the first time in a protocol of the plant.
    pub(super) is_utility: bool,
    inventory: Arc<Inventory>,
    made: Option<Ts>,
    /// The inventory was made anew since changes were last asked for.
    is_fresh: bool,
    told: BTreeMap<String, Told>,
    state: TableState,
}

impl Devices {
    /// The inventory as it stands while the run goes on, with the names that the site declares. It is made anew when a new device was seen,
    /// else every ten seconds of packet time; large ones more seldom, unless a device spoke a
    /// protocol of the plant for the first time.
    pub fn inventory(&mut self, site: &Site) -> Arc<Inventory> {
        let c = &self.current;
        let long = (self.seen.len() as i64 / ENDPOINTS_A_SECOND).saturating_mul(SECOND);
        let pause = if c.is_utility { PAUSE } else { PAUSE.max(long) };
        let is_time = c.made.is_none_or(|made| c.now < made || c.now.since(made) >= pause);
        if c.is_touched && (is_time || c.is_new && self.seen.len() <= AT_ONCE) {
            let mut inventory = self.finish();
            inventory.declare(site);
            let c = &mut self.current;
            (c.inventory, c.made) = (Arc::new(inventory), Some(c.now));
            (c.is_touched, c.is_new, c.is_utility, c.is_fresh) = (false, false, false, true);
        }
        Arc::clone(&self.current.inventory)
    }

    /// Devices that are new, changed or gone since the last call, in the order of ids. Where only `last_seen` moved, a device is told again
    /// after five minutes.
    pub fn changes(&mut self, site: &Site) -> Vec<DeviceChange> {
        let inventory = self.inventory(site);
        let c = &mut self.current;
        if !std::mem::take(&mut c.is_fresh) {
            return Vec::new();
        }
        let (mut changes, mut told) = (Vec::new(), BTreeMap::new());
        for device in &inventory.devices {
            let now = Told {
                hash: c.state.hash_one(format!("{:?}", Device { last_seen: String::new(), ..device.clone() })),
                last_seen: c.state.hash_one(&device.last_seen),
                at: c.now,
            };
            let same = c.told.remove(&device.id).filter(|t| {
                let is_recent = c.now >= t.at && c.now.since(t.at) < SEEN_AGAIN;
                t.hash == now.hash && (t.last_seen == now.last_seen || is_recent)
            });
            if same.is_none() {
                changes.push(DeviceChange::Seen(Box::new(device.clone())));
            }
            told.insert(device.id.clone(), same.unwrap_or(now));
        }
        changes.extend(std::mem::replace(&mut c.told, told).into_keys().map(DeviceChange::Gone));
        changes
    }
}
