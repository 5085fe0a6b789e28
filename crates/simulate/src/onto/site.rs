//! The site as a foreign capture shows it: hosts with their habits, masters with their outstations, publishers, routers.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::Ipv4Addr;

use gwcore::{Limit, Limits};

use super::pdu::{Meaning, Proto, dnp3_addresses};
use super::reader::{Body, Ip, Seen, Segment, array, options};
use crate::tcp::Side;

/// Nanoseconds since 1970.
pub(super) type Nanos = i64;

/// Source addresses by which a hardware address is a router's.
const ROUTED: usize = 3;
/// Response times and pauses kept of a pair, for each exchange that is.
const TIMES: usize = 4;

/// A host with the habits of its stack.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Host {
    pub(super) ip: Ipv4Addr,
    pub(super) mac: [u8; 6],
    pub(super) tags: Vec<u8>,
    pub(super) ttl: u8,
    /// Window of its segments, and of its SYN with the options, where one was seen.
    pub(super) window: u16,
    pub(super) syn: Option<(u16, Vec<u8>)>,
    /// Its last IP identification.
    pub(super) id: u16,
    /// Ports on which it accepts connections.
    pub(super) serves: BTreeSet<u16>,
    /// Whether it opens connections.
    pub(super) connects: bool,
    pub(super) frames: u64,
}

/// A connection: client and server, each with its port.
pub(super) type Key = (Ipv4Addr, u16, Ipv4Addr, u16);

/// A request and its answer, as [`Meaning`] has them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Recorded {
    pub(super) request: Vec<u8>,
    pub(super) answer: Vec<u8>,
}

/// A master and an outstation that it asks.
#[derive(Clone, Debug)]
pub(super) struct Pair {
    pub(super) proto: Proto,
    pub(super) client: Ipv4Addr,
    pub(super) server: Ipv4Addr,
    pub(super) port: u16,
    /// Different requests that command nothing, each with its latest answer, and those that command.
    pub(super) polls: Vec<Recorded>,
    pub(super) commands: Vec<Recorded>,
    /// From a request to its answer, and from an answer to the next request of the connection.
    pub(super) responses: Vec<Nanos>,
    pub(super) pauses: Vec<Nanos>,
    pub(super) exchanges: u64,
    pub(super) connections: u64,
    /// Answers that the client acknowledged by themselves.
    pub(super) bare_acks: u64,
    /// Link addresses of master and outstation (DNP3).
    pub(super) links: Option<(u16, u16)>,
    /// What the outstation reports by itself (IEC 104): the ASDUs' first objects, by type.
    pub(super) reports: BTreeMap<u8, Vec<u8>>,
    pub(super) longest: Longest,
}

/// The connection of a pair with most exchanges.
#[derive(Clone, Copy, Debug)]
pub(super) struct Longest {
    pub(super) key: Key,
    pub(super) first: Nanos,
    pub(super) last: Nanos,
    pub(super) exchanges: u64,
}

/// Who publishes GOOSE, and its latest frame.
#[derive(Clone, Debug)]
pub(super) struct Publisher {
    pub(super) mac: [u8; 6],
    pub(super) frames: u64,
    /// From a message to the next in steady state: the longest so far.
    pub(super) period: Nanos,
    pub(super) last: Nanos,
    pub(super) frame: Vec<u8>,
}

/// See the module.
#[derive(Debug)]
pub(super) struct Site {
    pub(super) start: Nanos,
    pub(super) end: Nanos,
    pub(super) frames: u64,
    pub(super) hosts: BTreeMap<Ipv4Addr, Host>,
    pub(super) pairs: BTreeMap<(Ipv4Addr, Ipv4Addr, u16), Pair>,
    pub(super) publishers: BTreeMap<([u8; 6], Vec<u8>), Publisher>,
    macs: BTreeMap<[u8; 6], BTreeSet<Ipv4Addr>>,
    connections: BTreeMap<Key, Connection>,
    limits: Limits,
}

#[derive(Debug)]
struct Connection {
    proto: Option<Proto>,
    first: Nanos,
    exchanges: u64,
    /// Requests without an answer, by what ties the two: masters may ask again before they are answered.
    waiting: VecDeque<Asked>,
    answered: Option<Nanos>,
    /// Whether the latest data is the server's and nobody has acknowledged it alone.
    owes: bool,
}

/// A request: its tag, when, what, and whether it is a command.
#[derive(Debug)]
struct Asked {
    tag: u16,
    at: Nanos,
    content: Vec<u8>,
    is_command: bool,
}

/// Requests that wait for an answer in one connection.
const WAITING: usize = 16;

impl Site {
    pub(super) fn new(limits: &Limits) -> Site {
        Site {
            start: Nanos::MAX,
            end: Nanos::MIN,
            frames: 0,
            hosts: BTreeMap::new(),
            pairs: BTreeMap::new(),
            publishers: BTreeMap::new(),
            macs: BTreeMap::new(),
            connections: BTreeMap::new(),
            limits: limits.clone(),
        }
    }

    /// Length of the capture.
    pub(super) fn span(&self) -> Nanos {
        self.end.saturating_sub(self.start).max(0)
    }

    /// The hardware address that fronts many addresses.
    pub(super) fn router(&self) -> Option<[u8; 6]> {
        let routers = self.macs.iter().filter(|(_, ips)| ips.len() >= ROUTED);
        routers.max_by_key(|(mac, ips)| (ips.len(), **mac)).map(|(mac, _)| *mac)
    }

    /// Takes a frame of the capture into account.
    pub(super) fn see(&mut self, at: Nanos, frame: &[u8], seen: &Seen<'_>) {
        (self.start, self.end) = (self.start.min(at), self.end.max(at));
        self.frames += 1;
        if let Some(ip) = &seen.ip {
            self.host(ip, seen);
        }
        match (&seen.body, &seen.ip) {
            (Body::Tcp(segment), Some(ip)) => self.segment(at, ip, segment),
            (Body::Goose(body), _) => self.goose(at, frame, seen.src_mac, body),
            _ => {}
        }
    }

    fn host(&mut self, ip: &Ip, seen: &Seen<'_>) {
        let most = self.limits.get(Limit::SiteHosts);
        let is_host = !ip.src.is_unspecified() && !ip.src.is_multicast() && !ip.src.is_broadcast();
        if !is_host || seen.src_mac[0] & 1 == 1 || (self.hosts.len() >= most && !self.hosts.contains_key(&ip.src)) {
            return;
        }
        let host = self.hosts.entry(ip.src).or_insert_with(|| Host {
            ip: ip.src,
            mac: seen.src_mac,
            tags: seen.tags.to_vec(),
            ttl: ip.ttl,
            window: 8_192,
            syn: None,
            id: ip.id,
            serves: BTreeSet::new(),
            connects: false,
            frames: 0,
        });
        host.frames += 1;
        host.id = ip.id;
        if let Body::Tcp(segment) = &seen.body {
            host.ttl = ip.ttl;
            match segment.flags & 0x16 {
                0x02 => (host.syn, host.connects) = (Some((segment.window, segment.options.to_vec())), true),
                0x12 => {
                    host.syn = Some((segment.window, segment.options.to_vec()));
                    if host.serves.len() < ROUTED * TIMES {
                        host.serves.insert(segment.src);
                    }
                }
                0x10 => host.window = segment.window,
                _ => {}
            }
        }
        if self.macs.len() < most || self.macs.contains_key(&seen.src_mac) {
            let ips = self.macs.entry(seen.src_mac).or_default();
            if ips.len() < ROUTED * TIMES {
                ips.insert(ip.src);
            }
        }
    }

    fn goose(&mut self, at: Nanos, frame: &[u8], mac: [u8; 6], body: &[u8]) {
        let Some(name) = super::goose::name(body) else { return };
        let key = (mac, name.to_vec());
        let is_full = self.publishers.len() >= self.limits.get(Limit::SiteHosts);
        if frame.len() > super::goose::LONGEST || (is_full && !self.publishers.contains_key(&key)) {
            return;
        }
        let new = || Publisher { mac, frames: 0, period: 0, last: at, frame: Vec::new() };
        let publisher = self.publishers.entry(key).or_insert_with(new);
        publisher.frames += 1;
        // A pause of the publisher is no period.
        let since = at.saturating_sub(publisher.last).clamp(0, 10_000_000_000);
        publisher.period = publisher.period.max(since);
        publisher.last = at;
        publisher.frame.clear();
        publisher.frame.extend_from_slice(frame);
    }

    fn segment(&mut self, at: Nanos, ip: &Ip, segment: &Segment<'_>) {
        let ends = [(ip.src, segment.src), (ip.dst, segment.dst)];
        let key_of = |client: usize| {
            let ((a, b), (c, d)) = (ends[client], ends[1 - client]);
            (a, b, c, d)
        };
        let known = (0..2).find(|client| self.connections.contains_key(&key_of(*client)));
        let is_syn = segment.flags & 0x12 == 0x02;
        let client = match known {
            _ if is_syn => 0,
            Some(client) => client,
            None => first_guess(segment),
        };
        let key = key_of(client);
        if is_syn {
            self.connections.remove(&key_of(1));
            self.connections.remove(&key);
        }
        if !self.connections.contains_key(&key) {
            if self.connections.len() >= self.limits.get(Limit::SiteConnections) {
                return;
            }
            let new = Connection {
                proto: None,
                first: at,
                exchanges: 0,
                waiting: VecDeque::new(),
                answered: None,
                owes: false,
            };
            self.connections.insert(key, new);
        }
        let from = if client == 0 { Side::Client } else { Side::Server };
        if segment.flags & 5 != 0 && segment.data.is_empty() {
            self.connections.remove(&key);
            return;
        }
        self.data(at, key, from, segment);
    }

    fn data(&mut self, at: Nanos, key: Key, from: Side, segment: &Segment<'_>) {
        let Some(connection) = self.connections.get_mut(&key) else { return };
        let pair_key = (key.0, key.2, key.3);
        if segment.data.is_empty() {
            if from == Side::Client
                && std::mem::take(&mut connection.owes)
                && let Some(pair) = self.pairs.get_mut(&pair_key)
            {
                pair.bare_acks += 1;
            }
            return;
        }
        if connection.proto.is_none() {
            connection.proto = Proto::of(segment.data, [segment.src, segment.dst]);
            let Some(proto) = connection.proto else { return };
            if self.pairs.len() < self.limits.get(Limit::SiteHosts) || self.pairs.contains_key(&pair_key) {
                let pair = self.pairs.entry(pair_key).or_insert_with(|| Pair::new(proto, key, at));
                pair.connections += 1;
            }
        }
        let Some(pair) = self.pairs.get_mut(&pair_key) else { return };
        let Some(pdus) = pair.proto.split(segment.data) else { return };
        connection.owes = from == Side::Server;
        let most = self.limits.get(Limit::SiteExchanges);
        for pdu in pdus {
            pair.see(at, key, from, pdu, connection, most);
        }
    }
}

/// Who is the client where no SYN was seen: 0 for the sender.
fn first_guess(segment: &Segment<'_>) -> usize {
    let serves = |port: u16| [502, 20_000, 2_404].contains(&port);
    match (segment.flags & 0x12, serves(segment.src), serves(segment.dst)) {
        (0x12, ..) | (_, true, false) => 1,
        (_, false, true) => 0,
        _ => usize::from(segment.src < segment.dst),
    }
}

impl Pair {
    fn new(proto: Proto, key: Key, at: Nanos) -> Pair {
        Pair {
            proto,
            client: key.0,
            server: key.2,
            port: key.3,
            polls: Vec::new(),
            commands: Vec::new(),
            responses: Vec::new(),
            pauses: Vec::new(),
            exchanges: 0,
            connections: 0,
            bare_acks: 0,
            links: None,
            reports: BTreeMap::new(),
            longest: Longest { key, first: at, last: at, exchanges: 0 },
        }
    }

    /// Whether the client acknowledges an answer by itself, rather than with its next request.
    pub(super) fn acks_alone(&self) -> bool {
        2 * self.bare_acks > self.exchanges
    }

    fn see(&mut self, at: Nanos, key: Key, from: Side, pdu: &[u8], connection: &mut Connection, most: usize) {
        if self.proto == Proto::Dnp3 && from == Side::Client {
            self.links = self.links.or_else(|| dnp3_addresses(pdu));
        }
        match (self.proto.meaning(from, pdu), from) {
            (Some(Meaning::Request { content, is_command }), Side::Client) => {
                let pause = connection.answered.take().map(|answered| at.saturating_sub(answered).max(0));
                keep(&mut self.pauses, pause, most * TIMES);
                let tag = self.proto.tag(pdu);
                connection.waiting.retain(|asked| asked.tag != tag);
                if connection.waiting.len() >= WAITING {
                    connection.waiting.pop_front();
                }
                connection.waiting.push_back(Asked { tag, at, content, is_command });
            }
            (Some(Meaning::Answer(answer)), Side::Server) => {
                let tag = self.proto.tag(pdu);
                let Some(place) = connection.waiting.iter().position(|asked| asked.tag == tag) else { return };
                let Some(asked) = connection.waiting.remove(place) else { return };
                let Asked { at: when, content: request, is_command, .. } = asked;
                keep(&mut self.responses, Some(at.saturating_sub(when).max(0)), most * TIMES);
                connection.answered = Some(at);
                connection.exchanges += 1;
                self.exchanges += 1;
                let is_same = self.longest.key == key && self.longest.first == connection.first;
                if is_same || connection.exchanges > self.longest.exchanges {
                    let (first, exchanges) = (connection.first, connection.exchanges);
                    self.longest = Longest { key, first, last: at, exchanges };
                }
                let list = if is_command { &mut self.commands } else { &mut self.polls };
                if let Some(known) = list.iter_mut().find(|known| known.request == request) {
                    known.answer = answer;
                } else if list.len() < most {
                    list.push(Recorded { request, answer });
                }
            }
            (Some(Meaning::Aside), Side::Server) if self.proto == Proto::Iec104 => {
                if let (Some(kind), Some(asdu)) = (pdu.get(6), pdu.get(6..)) {
                    self.reports.entry(*kind).or_insert_with(|| asdu.to_vec());
                }
            }
            _ => {}
        }
    }
}

fn keep(list: &mut Vec<Nanos>, value: Option<Nanos>, most: usize) {
    if let Some(value) = value.filter(|_| list.len() < most) {
        list.push(value);
    }
}

/// SYN options without what an own connection does not keep up: time stamps become padding.
pub(super) fn own_options(bytes: &[u8]) -> Vec<u8> {
    let mut out = bytes.to_vec();
    options(bytes, |kind, at, option| {
        if !matches!(kind, 1..=4)
            && let Some(place) = out.get_mut(at..at + option.len())
        {
            place.fill(1);
        }
    });
    out
}

/// The largest segment that SYN options announce; 1 460 without.
pub(super) fn segment_size(bytes: &[u8]) -> usize {
    let mut size = 1_460;
    options(bytes, |kind, _, option| {
        if kind == 2
            && let Some(value) = array(option, 2)
        {
            size = usize::from(u16::from_be_bytes(value)).clamp(256, 1_460);
        }
    });
    size
}
