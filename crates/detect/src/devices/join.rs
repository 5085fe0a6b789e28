//! From endpoints to devices: which MACs and addresses are one thing.

use std::collections::{BTreeMap, BTreeSet};

use gwcore::{Addr, Mac, Ts, ids};

use super::{Change, Device, Devices, Endpoint, Inventory, Seen, role};
use crate::oui;

/// IP addresses seen behind one MAC before it is taken for a router and each address for a device of its own.
const ROUTER_ADDRESSES: usize = 4;

/// A device by its MAC, or by its address where no MAC is its own.
type DeviceKey = (Mac, Addr);

fn id(key: DeviceKey) -> String {
    let bytes: &[u8] = if key.0.is_none() { &key.1.0 } else { &key.0.0 };
    format!("d{}", ids::hash_hex(&[bytes]).get(..12).unwrap_or_default())
}

impl Devices {
    /// The inventory in the order of ids, and which device each endpoint belongs to.
    pub fn finish(&self) -> Inventory {
        let mut ends: Vec<&Endpoint> = self.seen.keys().collect();
        ends.sort();
        let routers = routers(&ends);
        let mut groups: BTreeMap<DeviceKey, Vec<Endpoint>> = BTreeMap::new();
        for end in ends {
            let claimed = self.claims.get(&end.addr).is_some_and(|m| m.contains(&end.mac));
            let own = !end.mac.is_none() && (!routers.contains(&end.mac) || claimed || end.addr.is_none());
            let key = if own { (end.mac, Addr::NONE) } else { (Mac::NONE, end.addr) };
            groups.entry(key).or_default().push(*end);
        }
        let mut inventory = Inventory { changes: self.splits(&groups, &routers), ..Inventory::default() };
        let merges = self.merges(&groups);
        for (gone, into) in &merges {
            let moved = groups.remove(gone).unwrap_or_default();
            groups.entry(*into).or_default().extend(moved);
        }
        for (key, ends) in &groups {
            let absorbed = merges.iter().find(|(_, into)| *into == key).map(|(gone, _)| *gone);
            let device = self.device(*key, absorbed, ends, routers.contains(&key.0), &mut inventory.changes);
            inventory.index.extend(ends.iter().map(|e| ((e.mac, e.addr), device.id.clone())));
            inventory.devices.push(device);
        }
        inventory.devices.sort_by(|a, b| a.id.cmp(&b.id));
        inventory.changes.sort_by(|a, b| (&a.kept, &a.other).cmp(&(&b.kept, &b.other)));
        inventory
    }

    /// The first addresses of a router were taken for its own until there were too many: they split off, the router keeps its id.
    fn splits(&self, groups: &BTreeMap<DeviceKey, Vec<Endpoint>>, routers: &BTreeSet<Mac>) -> Vec<Change> {
        let mut behind: BTreeMap<Mac, Vec<(Ts, Addr)>> = BTreeMap::new();
        for end in groups.iter().filter(|(key, _)| key.0.is_none()).flat_map(|(_, ends)| ends) {
            if let (Some(seen), true) = (self.seen.get(end), routers.contains(&end.mac)) {
                behind.entry(end.mac).or_default().push((seen.first, end.addr));
            }
        }
        let mut changes = Vec::new();
        for (mac, mut addresses) in behind {
            addresses.sort();
            for (_, addr) in addresses.into_iter().take(ROUTER_ADDRESSES) {
                let reason =
                    format!("{mac} stands in front of more than {ROUTER_ADDRESSES} addresses: {addr} is behind it");
                let (kept, other) = (id((mac, Addr::NONE)), id((Mac::NONE, addr)));
                changes.push(Change { kind: "split", kept, other, reason });
            }
        }
        changes
    }

    /// Addresses seen behind a router that exactly one MAC of the segment claims: the same device from two sides. A contested one joins
    /// nothing.
    fn merges(&self, groups: &BTreeMap<DeviceKey, Vec<Endpoint>>) -> BTreeMap<DeviceKey, DeviceKey> {
        let behind = groups.keys().filter(|k| k.0.is_none());
        let one = |addr: &Addr| {
            let macs = self.claims.get(addr)?;
            let mac = macs.first().filter(|_| macs.len() == 1)?;
            Some((*mac, Addr::NONE)).filter(|k| groups.contains_key(k))
        };
        behind.filter_map(|k| Some((*k, one(&k.1)?))).collect()
    }

    /// One device of all that was seen of its endpoints; `absorbed` is an entry merged into it. The id of the one seen first stays.
    fn device(
        &self,
        key: DeviceKey,
        absorbed: Option<DeviceKey>,
        ends: &[Endpoint],
        router: bool,
        changes: &mut Vec<Change>,
    ) -> Device {
        let mac = key.0;
        let (mut all, mut ips) = (Seen { first: Ts(i64::MAX), last: Ts(i64::MIN), ..Seen::default() }, BTreeSet::new());
        let mut first = [Ts(i64::MAX); 2];
        for end in ends {
            let Some(seen) = self.seen.get(end) else { continue };
            let part = &mut first[usize::from(end.mac != mac)];
            *part = (*part).min(seen.first);
            all.join(seen);
            if !end.addr.is_none() {
                ips.insert(end.addr);
            }
        }
        let (mut id_kept, mut formerly) = (id(key), Vec::new());
        if let Some(gone) = absorbed {
            let mut other = id(gone);
            if first[1] < first[0] {
                std::mem::swap(&mut id_kept, &mut other);
            }
            let reason = format!("{mac} claims the address {} that was seen behind a router", gone.1);
            changes.push(Change { kind: "merged", kept: id_kept.clone(), other: other.clone(), reason });
            formerly.push(other);
        }
        let real = |macs: &BTreeSet<Mac>| macs.iter().filter(|m| oui::virtual_router(**m).is_none()).count();
        let contested = ips.iter().filter(|a| self.claims.get(a).is_some_and(|m| real(m) > 1)).map(Addr::to_string);
        let (virtual_mac, is_router) = (oui::virtual_router(mac), router && !mac.is_none());
        let roles = role::roles(&all, is_router || virtual_mac.is_some());
        let outside = !ips.is_empty() && ips.iter().all(Addr::is_internet) && mac.is_none();
        Device {
            id: id_kept,
            macs: if mac.is_none() { Vec::new() } else { vec![mac.to_string()] },
            contested: contested.collect(),
            ips: ips.iter().map(Addr::to_string).collect(),
            vendor: oui::vendor(mac).filter(|_| virtual_mac.is_none()),
            virtual_mac,
            names: all.names.iter().cloned().collect(),
            level: role::level(&roles, &all, outside),
            roles: roles.into_iter().collect(),
            services: all.services.into_iter().collect(),
            formerly,
            protocols: all.protocols.into_iter().collect(),
            identity: all.identity,
            first_seen: all.first.to_string(),
            last_seen: all.last.to_string(),
            vlans: all.vlans.into_iter().collect(),
        }
    }
}

/// MACs in front of more addresses than one device has.
fn routers(ends: &[&Endpoint]) -> BTreeSet<Mac> {
    let mut addresses: BTreeMap<Mac, BTreeSet<Addr>> = BTreeMap::new();
    for end in ends.iter().filter(|e| !e.mac.is_none() && e.addr.is_v4() && !e.addr.is_none()) {
        addresses.entry(end.mac).or_default().insert(end.addr);
    }
    addresses.into_iter().filter(|(_, a)| a.len() > ROUTER_ADDRESSES).map(|(m, _)| m).collect()
}

impl Seen {
    fn join(&mut self, other: &Seen) {
        self.first = self.first.min(other.first);
        self.last = self.last.max(other.last);
        self.names.extend(other.names.iter().cloned());
        self.roles.extend(&other.roles);
        self.services.extend(other.services.iter().cloned());
        self.masters.extend(&other.masters);
        self.outstations.extend(&other.outstations);
        self.engineering.extend(&other.engineering);
        self.protocols.extend(other.protocols.iter().cloned());
        self.identity.extend(other.identity.iter().map(|(k, v)| (k.clone(), v.clone())));
        self.vlans.extend(&other.vlans);
    }
}
