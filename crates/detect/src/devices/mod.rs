//! The device inventory: one entry per MAC on the segment or per IP address behind a router, with names, roles and protocols.
//!
//! A MAC on the segment is a device, with or without IP. An address is its own where ARP, neighbour discovery, DHCP or a link protocol shows
//! it, or where it is the only one; others are behind it, and each is a device of its own. A MAC in front of more than four addresses is a
//! router. An address that two MACs claim is told of both and joins nothing.

mod current;
mod inventory;
mod join;
mod names;
mod role;

use std::collections::{BTreeMap, BTreeSet};

use gwcore::{Addr, Body, Fact, FlowConst, KeptError, Limit, LimitHits, Limits, Mac, State, Table, Ts};

use crate::baseline::UTILITY;

pub use inventory::{AssetChange, Device, Inventory, Level, Named};

/// Values of one kind kept of a device; further ones are left out.
const VALUES: usize = 64;
/// Where the table of endpoints is full, this part of it is forgotten at once, so that room is made seldom.
const ROOM: usize = 16;

#[derive(Default, serde::Serialize, serde::Deserialize)]
#[serde(bound(deserialize = "'de: 'static"))]
struct Seen {
    first: Ts,
    last: Ts,
    names: BTreeSet<Named>,
    roles: BTreeSet<&'static str>,
    services: BTreeSet<String>,
    masters: BTreeSet<Addr>,
    outstations: BTreeSet<Addr>,
    /// What it did to other devices that only engineering does.
    engineering: BTreeSet<&'static str>,
    protocols: BTreeSet<String>,
    identity: BTreeMap<String, String>,
    vlans: BTreeSet<u16>,
    /// A public address that spoke with a private one: no subnet has both (RFC 1918 §3), so the MAC is that of a router between.
    is_behind: bool,
    worth: Worth,
}

/// What speaks for keeping an endpoint where there is no room for all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
enum Worth {
    /// It sent something: addresses can be made up.
    #[default]
    Sent,
    /// It claimed its address on the segment.
    Claimed,
    /// It was answered, or answered itself.
    Answered,
    /// It speaks a protocol of the plant.
    Utility,
}

/// The key of a device while observing: what is known of an endpoint on the wire.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
struct Endpoint {
    mac: Mac,
    addr: Addr,
}

/// Collects what facts say about endpoints and joins them into devices at the end.
pub struct Devices {
    /// Boxed, since a table that forgets and takes in all the time is twice as large as what it holds.
    seen: Table<Endpoint, Box<Seen>>,
    claims: Table<Addr, BTreeSet<Mac>>,
    told: names::ToldNames,
    limit: usize,
    current: current::Current,
    /// Limits hit.
    pub hits: LimitHits,
}
gwcore::kept!(Devices { seen, claims, told });

impl Devices {
    /// Nothing seen yet.
    pub fn new(limits: &Limits) -> Devices {
        Devices {
            seen: Table::default(),
            claims: Table::default(),
            told: names::ToldNames::new(limits),
            // A device on the segment is seen by its MAC alone and by its MAC with an address.
            limit: limits.get(Limit::Devices).saturating_mul(2),
            hits: LimitHits::default(),
            current: current::Current::default(),
        }
    }

    /// Adds to a state what was seen of every endpoint.
    pub fn keep(&self, state: &mut State) {
        state.put("devices", self);
    }

    /// Goes on where the state stands; the next call of [`Devices::changes`] tells of every device.
    pub fn restore(&mut self, state: &State) -> Result<(), KeptError> {
        self.current = current::Current::default();
        (self.current.is_touched, self.current.is_new) = (true, true);
        state.take("devices", self)
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
        if let Body::Tick { .. } | Body::TimeBreak { .. } = fact.body {
            return self.current.now = fact.ts;
        }
        let orig = Endpoint { mac: flow.src_mac, addr: flow.src };
        let resp = Endpoint { mac: flow.dst_mac, addr: flow.dst };
        let sender = if fact.flow.reversed() { resp } else { orig };
        match &fact.body {
            Body::FlowStart => {
                let other = if fact.flow.reversed() { orig } else { resp };
                self.touch(sender, fact.ts, flow, |s| s.is_behind |= is_behind(sender.addr, other.addr));
            }
            Body::FlowEnd { packets, .. } => {
                let worth = if packets.contains(&0) { Worth::Sent } else { Worth::Answered };
                self.touch(orig, fact.ts, flow, |s| {
                    s.is_behind |= is_behind(orig.addr, resp.addr);
                    s.worth = s.worth.max(worth);
                });
                if packets[1] > 0 {
                    self.touch(resp, fact.ts, flow, |s| {
                        s.is_behind |= is_behind(resp.addr, orig.addr);
                        s.worth = s.worth.max(worth);
                    });
                }
            }
            Body::Service { proto, server_is_responder } => {
                // An outstation that dials in asks nobody, yet its port serves nothing: the master listens.
                let has = |port| gwcore::registered(gwcore::Numbered::Tcp, port).is_some();
                let listens = *server_is_responder || (flow.ip_proto == 6 && has(flow.dst_port) && !has(flow.src_port));
                let (server, client) = if listens { (resp, orig) } else { (orig, resp) };
                let port = if listens { flow.dst_port } else { flow.src_port };
                if !matches!(flow.ip_proto, 6 | 17) {
                    // On the link nobody serves: publishers and time sources tell their role themselves.
                    return self.touch(sender, fact.ts, flow, |s| add(&mut s.protocols, (*proto).to_owned()));
                }
                let worth = if UTILITY.contains(proto) { Worth::Utility } else { Worth::Answered };
                self.touch(server, fact.ts, flow, |s| {
                    s.worth = s.worth.max(worth);
                    add(&mut s.services, format!("{proto}/{port}"));
                    add(&mut s.protocols, format!("{proto} server"));
                });
                self.touch(client, fact.ts, flow, |s| {
                    s.worth = s.worth.max(worth);
                    add(&mut s.protocols, format!("{proto} client"));
                });
            }
            Body::Role(role) => {
                let other = if fact.flow.reversed() { orig } else { resp };
                self.touch(sender, fact.ts, flow, |s| {
                    s.roles.insert(role);
                    if matches!(*role, "master" | "outstation" | "publisher") {
                        s.worth = Worth::Utility;
                    }
                    match *role {
                        "master" => add(&mut s.outstations, other.addr),
                        "outstation" => add(&mut s.masters, other.addr),
                        _ => {}
                    }
                });
            }
            Body::Op(op) if !op.is_answer => {
                if let Some(deed) = role::engineering(op.class) {
                    self.touch(sender, fact.ts, flow, |s| add(&mut s.engineering, deed));
                }
            }
            // Who answers for itself bears the name, not whoever else has the address.
            Body::Name { addr, name, source, .. } if matches!(*source, "mdns" | "llmnr") => {
                if let Some(seen) = self.seen.get_mut(&Endpoint { mac: sender.mac, addr: *addr }) {
                    add(&mut seen.names, Named { name: name.to_string(), source });
                }
            }
            Body::Name { addr, mac, name, source } if mac.is_none() => {
                self.told.tell(*addr, name, source, &mut self.hits);
            }
            Body::Name { addr, mac, name, source } => {
                self.touch(Endpoint { mac: *mac, addr: *addr }, fact.ts, flow, |s| {
                    add(&mut s.names, Named { name: name.to_string(), source });
                });
            }
            Body::Identity { field, value, source } => self.touch(sender, fact.ts, flow, |s| {
                if s.identity.len() < VALUES {
                    s.identity.entry(format!("{source}.{field}")).or_insert_with(|| value.to_string());
                }
            }),
            Body::Claim { addr, mac, .. } => {
                let claimed = Worth::Claimed;
                self.touch(Endpoint { mac: *mac, addr: *addr }, fact.ts, flow, |s| s.worth = s.worth.max(claimed));
                if self.claims.len() < self.limit {
                    add(self.claims.entry(*addr).or_default(), *mac);
                }
            }
            _ => {}
        }
    }

    fn touch(&mut self, end: Endpoint, ts: Ts, flow: &FlowConst, f: impl FnOnce(&mut Seen)) {
        let addr = if end.addr == Addr::v4([0; 4]) { Addr::NONE } else { end.addr };
        if end.mac.is_group() || addr.is_multicast() || (end.mac.is_none() && addr.is_none()) {
            return;
        }
        let end = Endpoint { addr, ..end };
        if !self.seen.contains_key(&end) {
            if self.seen.len() >= self.limit {
                self.make_room();
            }
            self.current.is_new = true;
        }
        self.current.is_touched = true;
        let seen = self.seen.entry(end).or_insert_with(|| Box::new(Seen { first: ts, last: ts, ..Seen::default() }));
        seen.first = seen.first.min(ts);
        seen.last = seen.last.max(ts);
        if flow.vlans[0] != 0xffff && seen.vlans.len() < VALUES {
            seen.vlans.insert(flow.vlans[0]);
        }
        let before = seen.worth;
        f(seen);
        self.current.is_utility |= seen.worth > before && seen.worth == Worth::Utility;
    }

    /// Forgets endpoints that only ever sent something, then those that only claimed an address, then those that were answered; those that
    /// speak a protocol of the plant last. Among equals the ones silent the longest go first.
    fn make_room(&mut self) {
        let mut all: Vec<(Worth, Ts, Endpoint)> = self.seen.iter().map(|(end, s)| (s.worth, s.last, *end)).collect();
        let going = (self.limit / ROOM).clamp(1, all.len().max(1));
        if all.len() > going {
            all.select_nth_unstable(going);
            all.truncate(going);
        }
        for (_, _, end) in &all {
            self.seen.remove(end);
            if let Some(macs) = self.claims.get_mut(&end.addr) {
                macs.remove(&end.mac);
                if macs.is_empty() {
                    self.claims.remove(&end.addr);
                }
            }
        }
        self.hits.hit_by(Limit::Devices, all.len() as u64);
    }
}

/// Whether an address is public and its peer private, both IPv4.
fn is_behind(addr: Addr, peer: Addr) -> bool {
    let is_private = |a: Addr| matches!(a.as_v4(), Some([10, ..] | [172, 16..=31, ..] | [192, 168, ..]));
    addr.is_v4() && addr.is_internet() && is_private(peer)
}

fn add<T: Ord>(set: &mut BTreeSet<T>, value: T) {
    if set.len() < VALUES {
        set.insert(value);
    }
}
