//! The device inventory: one entry per MAC on the segment or per IP address behind a router, with names, roles and protocols.

use std::collections::{BTreeMap, BTreeSet};

use gwcore::{Addr, Body, Fact, FlowConst, Limit, LimitHits, Limits, Mac, Table, Ts, ids};
use serde::Serialize;

use crate::oui;

/// IP addresses seen behind one MAC before it is taken for a router and each address for a device of its own.
const ROUTER_ADDRESSES: usize = 4;
/// Values of one kind kept of a device; further ones are left out.
const VALUES: usize = 64;

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
    /// Names with their source.
    pub names: Vec<Named>,
    /// Roles.
    pub roles: Vec<&'static str>,
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

/// A name and where it stood.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Named {
    /// The name.
    pub name: String,
    /// `dhcp`, `dns`, `lldp` ….
    pub source: &'static str,
}

/// All devices.
#[derive(Clone, Debug, Default)]
pub struct Inventory {
    /// In the order of ids.
    pub devices: Vec<Device>,
    index: BTreeMap<(Mac, Addr), String>,
}

impl Inventory {
    /// The id of the device with this MAC and address.
    pub fn id(&self, mac: Mac, addr: Addr) -> Option<&str> {
        let found = self.index.get(&(mac, addr)).or_else(|| self.index.get(&(mac, Addr::NONE)));
        found.map(String::as_str)
    }

    /// The device with this id.
    pub fn device(&self, id: &str) -> Option<&Device> {
        self.devices.binary_search_by(|d| d.id.as_str().cmp(id)).ok().and_then(|i| self.devices.get(i))
    }
}

#[derive(Default)]
struct Seen {
    first: Ts,
    last: Ts,
    names: BTreeSet<Named>,
    roles: BTreeSet<&'static str>,
    protocols: BTreeSet<String>,
    identity: BTreeMap<String, String>,
    vlans: BTreeSet<u16>,
}

/// The key of a device while observing: what is known of an endpoint on the wire.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Endpoint {
    mac: Mac,
    addr: Addr,
}

/// Collects what facts say about endpoints and joins them into devices at the end.
pub struct Devices {
    seen: Table<Endpoint, Seen>,
    claims: Table<Addr, BTreeSet<Mac>>,
    limit: usize,
    /// Limits hit.
    pub hits: LimitHits,
}

impl Devices {
    /// Nothing seen yet.
    pub fn new(limits: &Limits) -> Devices {
        Devices {
            seen: Table::default(),
            claims: Table::default(),
            limit: limits.get(Limit::Devices),
            hits: LimitHits::default(),
        }
    }

    /// Takes the facts of a batch.
    pub fn batch(&mut self, facts: &[Fact], flows: &[FlowConst]) {
        for fact in facts {
            if let Some(flow) = flows.get(fact.flow.index()) {
                self.fact(fact, flow);
            }
        }
    }

    fn fact(&mut self, fact: &Fact, flow: &FlowConst) {
        let orig = Endpoint { mac: flow.src_mac, addr: flow.src };
        let resp = Endpoint { mac: flow.dst_mac, addr: flow.dst };
        let sender = if fact.flow.reversed() { resp } else { orig };
        match &fact.body {
            Body::FlowStart => self.touch(sender, fact.ts, flow, |_| {}),
            Body::FlowEnd { packets, .. } => {
                self.touch(orig, fact.ts, flow, |_| {});
                if packets[1] > 0 {
                    self.touch(resp, fact.ts, flow, |_| {});
                }
            }
            Body::Service { proto, server_is_responder } => {
                let (server, client) = if *server_is_responder { (resp, orig) } else { (orig, resp) };
                self.touch(server, fact.ts, flow, |s| add(&mut s.protocols, format!("{proto} server")));
                self.touch(client, fact.ts, flow, |s| add(&mut s.protocols, format!("{proto} client")));
            }
            Body::Role(role) => self.touch(sender, fact.ts, flow, |s| {
                s.roles.insert(role);
            }),
            Body::Name { addr, mac, name, source } => {
                let end = Endpoint { mac: *mac, addr: *addr };
                if !addr.is_none() && mac.is_none() {
                    self.name_known(*addr, fact.ts, name, source);
                } else {
                    self.touch(end, fact.ts, flow, |s| {
                        add(&mut s.names, Named { name: name.to_string(), source });
                    });
                }
            }
            Body::Identity { field, value, source } => self.touch(sender, fact.ts, flow, |s| {
                if s.identity.len() < VALUES {
                    s.identity.entry(format!("{source}.{field}")).or_insert_with(|| value.to_string());
                }
            }),
            Body::Claim { addr, mac, .. } => {
                self.touch(Endpoint { mac: *mac, addr: *addr }, fact.ts, flow, |_| {});
                if self.claims.len() < self.limit {
                    add(self.claims.entry(*addr).or_default(), *mac);
                }
            }
            _ => {}
        }
    }

    /// A name told by others counts only for an address that speaks itself: names of the whole internet are no inventory.
    fn name_known(&mut self, addr: Addr, _ts: Ts, name: &str, source: &'static str) {
        let mut ends: Vec<Endpoint> = Vec::new();
        if let Some(macs) = self.claims.get(&addr) {
            ends.extend(macs.iter().map(|m| Endpoint { mac: *m, addr }));
        }
        for end in ends {
            if let Some(seen) = self.seen.get_mut(&end) {
                add(&mut seen.names, Named { name: name.to_owned(), source });
            }
        }
    }

    fn touch(&mut self, end: Endpoint, ts: Ts, flow: &FlowConst, f: impl FnOnce(&mut Seen)) {
        let addr = if end.addr == Addr::v4([0; 4]) { Addr::NONE } else { end.addr };
        if end.mac.is_group() || addr.is_multicast() || (end.mac.is_none() && addr.is_none()) {
            return;
        }
        let end = Endpoint { addr, ..end };
        if !self.seen.contains_key(&end) && self.seen.len() >= self.limit {
            return self.hits.hit(Limit::Devices);
        }
        let seen = self.seen.entry(end).or_insert_with(|| Seen { first: ts, last: ts, ..Seen::default() });
        seen.first = seen.first.min(ts);
        seen.last = seen.last.max(ts);
        if flow.vlans[0] != 0xffff && seen.vlans.len() < VALUES {
            seen.vlans.insert(flow.vlans[0]);
        }
        f(seen);
    }

    /// The inventory in the order of ids, and which device each endpoint belongs to.
    pub fn finish(&self) -> Inventory {
        let mut by_mac: BTreeMap<Mac, BTreeSet<Addr>> = BTreeMap::new();
        let mut ends: Vec<&Endpoint> = self.seen.keys().collect();
        ends.sort();
        for end in &ends {
            by_mac.entry(end.mac).or_default().insert(end.addr);
        }
        let routes =
            |a: &BTreeSet<Addr>| a.iter().filter(|a| !a.is_none() && a.is_v4()).nth(ROUTER_ADDRESSES).is_some();
        let is_router = |mac: &Mac| mac.is_none() || by_mac.get(mac).is_some_and(routes);
        let mut devices: BTreeMap<(Mac, Addr), (Vec<Endpoint>, bool)> = BTreeMap::new();
        for end in ends {
            let claimed = self.claims.get(&end.addr).is_some_and(|m| m.contains(&end.mac));
            let own = !is_router(&end.mac) || claimed || end.addr.is_none();
            let key = if own { (end.mac, Addr::NONE) } else { (Mac::NONE, end.addr) };
            let entry = devices.entry(key).or_default();
            entry.0.push(*end);
            entry.1 |= own && !end.mac.is_none() && is_router(&end.mac);
        }
        let mut inventory = Inventory::default();
        for (key, (ends, router)) in devices {
            let device = self.device(key, &ends, router);
            inventory.index.extend(ends.iter().map(|e| ((e.mac, e.addr), device.id.clone())));
            inventory.devices.push(device);
        }
        inventory.devices.sort_by(|a, b| a.id.cmp(&b.id));
        inventory
    }

    fn device(&self, (mac, addr): (Mac, Addr), ends: &[Endpoint], router: bool) -> Device {
        let mut all = Seen { first: Ts(i64::MAX), last: Ts(i64::MIN), ..Seen::default() };
        let mut ips = BTreeSet::new();
        for end in ends {
            let Some(seen) = self.seen.get(end) else { continue };
            all.first = all.first.min(seen.first);
            all.last = all.last.max(seen.last);
            all.names.extend(seen.names.iter().cloned());
            all.roles.extend(&seen.roles);
            all.protocols.extend(seen.protocols.iter().cloned());
            all.identity.extend(seen.identity.iter().map(|(k, v)| (k.clone(), v.clone())));
            all.vlans.extend(&seen.vlans);
            if !end.addr.is_none() {
                ips.insert(end.addr);
            }
        }
        if router {
            all.roles.insert("router");
        }
        let key: &[u8] = if mac.is_none() { &addr.0 } else { &mac.0 };
        Device {
            id: format!("d{}", ids::hash_hex(&[key]).get(..12).unwrap_or_default()),
            macs: if mac.is_none() { Vec::new() } else { vec![mac.to_string()] },
            ips: ips.iter().map(Addr::to_string).collect(),
            vendor: oui::vendor(mac),
            names: all.names.into_iter().collect(),
            roles: all.roles.into_iter().collect(),
            protocols: all.protocols.into_iter().collect(),
            identity: all.identity,
            first_seen: all.first.to_string(),
            last_seen: all.last.to_string(),
            vlans: all.vlans.into_iter().collect(),
        }
    }
}

fn add<T: Ord>(set: &mut BTreeSet<T>, value: T) {
    if set.len() < VALUES {
        set.insert(value);
    }
}
