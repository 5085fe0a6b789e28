//! From endpoints to devices: which MACs and addresses are one thing.

use std::collections::{BTreeMap, BTreeSet};

use gwcore::{Addr, Mac, Ts, ids};

use super::{AssetChange, Device, Devices, Endpoint, Inventory, Named, Seen, role};
use crate::oui;

/// IP addresses behind one MAC beyond which it is a router: a host with services of its own in containers has fewer.
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
        let fronts = self.fronts(&ends);
        let is_router = |f: &Front| f.addresses.len() > ROUTER_ADDRESSES || f.joins_networks;
        let routers: BTreeSet<Mac> = fronts.iter().filter(|(_, f)| is_router(f)).map(|(m, _)| *m).collect();
        // A router is on the segment even if no address is known to be its own.
        let mut groups: BTreeMap<DeviceKey, Vec<Endpoint>> =
            routers.iter().map(|mac| ((*mac, Addr::NONE), Vec::new())).collect();
        for end in ends {
            let claimed = self.claims.get(&end.addr).is_some_and(|m| m.contains(&end.mac));
            let only = match end.addr.is_v4() {
                true => {
                    let is_behind = self.seen.get(end).is_some_and(|s| s.is_behind);
                    !is_behind && fronts.get(&end.mac).is_none_or(|f| f.addresses.len() < 2)
                }
                false => !routers.contains(&end.mac),
            };
            let own = !end.mac.is_none() && (only || claimed || end.addr.is_none());
            let key = if own { (end.mac, Addr::NONE) } else { (Mac::NONE, end.addr) };
            groups.entry(key).or_default().push(*end);
        }
        let mut inventory = Inventory { changes: self.splits(&groups), ..Inventory::default() };
        let merges = self.merges(&groups);
        for (gone, into) in &merges {
            let moved = groups.remove(gone).unwrap_or_default();
            groups.entry(*into).or_default().extend(moved);
        }
        for (key, ends) in &groups {
            let absorbed = merges.iter().find(|(_, into)| *into == key).map(|(gone, _)| *gone);
            let front = fronts.get(&key.0).filter(|_| routers.contains(&key.0));
            let device = self.device(*key, absorbed, ends, front, &mut inventory.changes);
            if !key.0.is_none() {
                inventory.index.insert((key.0, Addr::NONE), device.id.clone());
            }
            inventory.index.extend(ends.iter().map(|e| ((e.mac, e.addr), device.id.clone())));
            inventory.devices.push(device);
        }
        inventory.devices.sort_by(|a, b| a.id.cmp(&b.id));
        inventory.changes.sort_by(|a, b| (&a.kept, &a.other).cmp(&(&b.kept, &b.other)));
        inventory
    }

    /// The first address of a MAC was taken for its own until a second one came: it splits off, unless it was proven.
    fn splits(&self, groups: &BTreeMap<DeviceKey, Vec<Endpoint>>) -> Vec<AssetChange> {
        let mut behind: BTreeMap<Mac, (Ts, Addr)> = BTreeMap::new();
        for end in groups.iter().filter(|(key, _)| key.0.is_none()).flat_map(|(_, ends)| ends) {
            if let (Some(seen), false) = (self.seen.get(end), end.mac.is_none()) {
                let first = behind.entry(end.mac).or_insert((seen.first, end.addr));
                *first = (*first).min((seen.first, end.addr));
            }
        }
        let change = |(mac, (_, addr)): (Mac, (Ts, Addr))| {
            let reason = format!("{mac} stands in front of other addresses, and nothing proves that {addr} is its own");
            AssetChange { kind: "split", kept: id((mac, Addr::NONE)), other: id((Mac::NONE, addr)), reason }
        };
        behind.into_iter().map(change).collect()
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
        front: Option<&Front>,
        changes: &mut Vec<AssetChange>,
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
                all.names.extend(self.told.of(end.addr).cloned());
                ips.insert(end.addr);
            }
        }
        if let Some(front) = front {
            (all.first, all.last) = (all.first.min(front.first), all.last.max(front.last));
        }
        // Who speaks to itself, as on a loopback, is not its own master.
        all.masters.retain(|a| !ips.contains(a));
        all.outstations.retain(|a| !ips.contains(a));
        let (mut id_kept, mut formerly) = (id(key), Vec::new());
        if let Some(gone) = absorbed {
            let mut other = id(gone);
            if first[1] < first[0] {
                std::mem::swap(&mut id_kept, &mut other);
            }
            let reason = format!("{mac} claims the address {} that was seen behind a router", gone.1);
            changes.push(AssetChange { kind: "merged", kept: id_kept.clone(), other: other.clone(), reason });
            formerly.push(other);
        }
        let real = |macs: &BTreeSet<Mac>| macs.iter().filter(|m| oui::virtual_router(**m).is_none()).count();
        let contested = ips.iter().filter(|a| self.claims.get(a).is_some_and(|m| real(m) > 1)).map(Addr::to_string);
        let (virtual_mac, is_router) = (oui::virtual_router(mac), front.is_some());
        let roles = role::roles(&all, is_router || virtual_mac.is_some());
        let outside = !ips.is_empty() && ips.iter().all(Addr::is_internet) && mac.is_none();
        Device {
            id: id_kept,
            macs: if mac.is_none() { Vec::new() } else { vec![mac.to_string()] },
            contested: contested.collect(),
            ips: ips.iter().map(Addr::to_string).collect(),
            vendor: oui::vendor(mac).filter(|_| virtual_mac.is_none()),
            virtual_mac,
            names: Named::in_order(std::mem::take(&mut all.names)),
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

/// IPv4 addresses seen with one MAC, and when it was seen.
struct Front {
    addresses: BTreeSet<Addr>,
    first: Ts,
    last: Ts,
    /// Stands between private and public addresses.
    joins_networks: bool,
}

impl Devices {
    fn fronts(&self, ends: &[&Endpoint]) -> BTreeMap<Mac, Front> {
        let mut fronts: BTreeMap<Mac, Front> = BTreeMap::new();
        for end in ends.iter().filter(|e| !e.mac.is_none() && e.addr.is_v4() && !e.addr.is_none()) {
            let Some(seen) = self.seen.get(*end) else { continue };
            let new =
                || Front { addresses: BTreeSet::new(), first: seen.first, last: seen.last, joins_networks: false };
            let front = fronts.entry(end.mac).or_insert_with(new);
            front.joins_networks |= seen.is_behind && !self.claims.contains_key(&end.addr);
            front.addresses.insert(end.addr);
            (front.first, front.last) = (front.first.min(seen.first), front.last.max(seen.last));
        }
        fronts
    }
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
        self.is_behind |= other.is_behind;
        self.worth = self.worth.max(other.worth);
    }
}
