//! What the inventory shows: devices, how their entries came to be one, and where each stands in the plant.

use std::collections::{BTreeMap, BTreeSet};

use gwcore::{Addr, Mac};
use serde::Serialize;

use crate::Site;

/// A device as `assets.ndjson` shows it.
#[derive(Clone, Debug, Serialize)]
pub struct Device {
    /// Stable id: a hash of the MAC, or of the address where no MAC is its own.
    pub id: String,
    /// MAC addresses.
    pub macs: Vec<String>,
    /// IP addresses.
    pub ips: Vec<String>,
    /// Vendor by the first MAC's OUI.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vendor: Option<&'static str>,
    /// Names with their source, the one that says it best first.
    pub names: Vec<Named>,
    /// Its MAC is one that a group of routers shares: `vrrp`, `hsrp` ….
    #[serde(skip_serializing_if = "Option::is_none")]
    pub virtual_mac: Option<&'static str>,
    /// Addresses of it that another device claims too.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub contested: Vec<String>,
    /// Roles.
    pub roles: Vec<&'static str>,
    /// What it serves: protocol and port.
    pub services: Vec<String>,
    /// Level of the Purdue model, with the reason; none where nothing speaks for one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub level: Option<Level>,
    /// Ids under which parts of it were known.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub formerly: Vec<String>,
    /// Protocols spoken, with the side it takes.
    pub protocols: Vec<String>,
    /// What it says it is.
    pub identity: BTreeMap<String, String>,
    /// First packet.
    pub first_seen: String,
    /// Last packet.
    pub last_seen: String,
    /// VLANs it was seen in.
    pub vlans: Vec<u16>,
}

/// A level of the Purdue model (IEC 62443-1-1 §5.8), and what speaks for it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Level {
    /// 0 process, 1 control, 2 supervision, 3 operations, 5 outside.
    pub level: u8,
    /// The reason.
    pub reason: String,
}

/// Two entries that became one, or one that became several; the older id stays.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct AssetChange {
    /// `merged` or `split`.
    pub kind: &'static str,
    /// The id that stays.
    pub kept: String,
    /// The id that went or is new.
    pub other: String,
    /// Why.
    pub reason: String,
}

/// A name and where it stood.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, serde::Deserialize)]
pub struct Named {
    /// The name.
    pub name: String,
    /// `lldp`, `dhcp`, `mdns`, `llmnr`: its own word; `dns`, `tls`, `http`: that of others.
    pub source: &'static str,
}

impl Named {
    /// The sources of names, the one that says it best first.
    const SOURCES: &[&str] = &["lldp", "dhcp", "mdns", "llmnr", "dns", "tls", "http"];

    /// Best source first, then by name.
    pub(super) fn in_order(names: BTreeSet<Named>) -> Vec<Named> {
        let mut names: Vec<Named> = names.into_iter().collect();
        names.sort_by_key(|n| Named::SOURCES.iter().position(|s| *s == n.source).unwrap_or(Named::SOURCES.len()));
        names
    }

    /// Whether the device says so itself; what others call it may be the name of several, as of servers that share their load.
    pub fn is_own_word(&self) -> bool {
        !matches!(self.source, "dns" | "tls" | "http")
    }
}

/// All devices.
#[derive(Clone, Debug, Default)]
pub struct Inventory {
    /// In the order of ids.
    pub devices: Vec<Device>,
    /// Merges and splits, in the order of the kept ids.
    pub changes: Vec<AssetChange>,
    pub(super) index: BTreeMap<(Mac, Addr), String>,
}

impl Inventory {
    /// The id of the device with this MAC and address.
    pub fn id(&self, mac: Mac, addr: Addr) -> Option<&str> {
        let found = self.index.get(&(mac, addr)).or_else(|| self.index.get(&(mac, Addr::NONE)));
        found.map(String::as_str)
    }

    /// Gives devices the names that the site declares. Of several that claim a declared address, the one with the fewest addresses has the
    /// name, among equals the first one seen: who stands in for others bears theirs beside its own.
    pub fn declare(&mut self, site: &Site) {
        let mut order: Vec<usize> = (0..self.devices.len()).collect();
        order.sort_by_cached_key(|i| {
            self.devices.get(*i).map(|d| (d.ips.len().max(1), d.first_seen.clone(), d.id.clone()))
        });
        let mut taken: BTreeSet<String> = BTreeSet::new();
        for i in order {
            let Some(device) = self.devices.get_mut(i) else { continue };
            let own = |a: &&String| !taken.contains(*a);
            let name = site.declared(device.ips.iter().filter(own).chain(&device.macs).map(String::as_str));
            if let Some(name) = name.map(|d| d.name.clone()) {
                device.names.insert(0, Named { name, source: "site" });
            }
            taken.extend(device.ips.iter().cloned());
        }
    }

    /// The device with this id.
    pub fn device(&self, id: &str) -> Option<&Device> {
        self.devices.binary_search_by(|d| d.id.as_str().cmp(id)).ok().and_then(|i| self.devices.get(i))
    }
}
