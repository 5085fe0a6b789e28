//! What a device did in a minute: traffic, peers, attempts, commands and answers.

use std::collections::{BTreeMap, BTreeSet};

use gwcore::time::MINUTE;
use gwcore::{Addr, AgedTable, Body, Fact, FlowConst, Limit, LimitHits, Limits, OpClass, Ts};

use crate::beacon;
use crate::family::{Family, Identity, Row, family};
use crate::minutes::{FlowMinutes, Traffic, ends};

family! {
    /// What a device did in a minute.
    pub struct Host = "host", version 1, "a device and a minute in which it sent or was sent something" {
        /// Packets it sent.
        packets_out [""] "flow_minute",
        /// Packets it was sent.
        packets_in [""] "flow_minute",
        /// Bytes of the IP packets it sent (of the frames where there is no IP).
        bytes_out ["B"] "flow_minute",
        /// Bytes of the IP packets it was sent.
        bytes_in ["B"] "flow_minute",
        /// Producer and consumer ratio: payload bytes sent less those received, divided by their sum. Absent without payload.
        pcr [""] "flow_minute; Bullard, Gerth 2014",
        /// Conversations it took part in.
        conversations [""] "flow_minute",
        /// Devices it spoke with.
        peers [""] "flow_minute",
        /// Conversations it began.
        begun [""] "fact FlowStart",
        /// Devices it turned to by itself.
        contacted [""] "fact FlowStart",
        /// Different ports it turned to.
        ports [""] "fact FlowStart",
        /// Networks of 24 bits (IPv6: 64) it turned to.
        networks [""] "fact FlowStart",
        /// Devices on the internet it spoke with.
        internet_peers [""] "flow_minute",
        /// Devices it turned to for the first time. Absent in the first ten minutes of the input.
        new_peers [""] "fact FlowStart",
        /// Pairs of device and port it turned to for the first time. Absent in the first ten minutes of the input.
        new_services [""] "fact FlowStart",
        /// Conversations begun by it that ended without an answer or refused.
        failed [""] "fact FlowEnd: S0, REJ, RSTOS0, RSTRH, SH",
        /// Share of failed ones among those begun by it that ended. Absent where none ended.
        failed_share [""] "fact FlowEnd",
        /// Highest beacon score of its pairs in the last hour. Absent where no pair had four connections.
        beacon [""] "fact FlowStart, FlowEnd; RITA 5.1 `beacon score` over one hour",
        /// Addresses it asked for on its segment.
        asked [""] "fact Asked (ARP, neighbour discovery)",
        /// MAC addresses other than its own last one that claimed its address.
        claims_changed [""] "fact Claim",
        /// Reads it asked for.
        reads_sent [""] "fact Op: Read",
        /// Commands to outputs it sent: select, operate, cancel.
        controls_sent [""] "fact Op: Select, Control, Cancel",
        /// Set points it sent.
        setpoints_sent [""] "fact Op: SetPoint",
        /// Parameters, modes, restarts, times, clearing, programs and files it sent or asked for.
        engineering_sent [""] "fact Op: Parameter, Mode, Restart, TimeSet, Clear, Download, Upload, Delete",
        /// Identity and diagnostics it asked for.
        identify_sent [""] "fact Op: Identify",
        /// Times it stopped or started reports.
        reporting_sent [""] "fact Op: ReportsOff, ReportsOn",
        /// Requests for anything else.
        other_sent [""] "fact Op: the rest",
        /// Different functions it asked for, by protocol.
        functions_sent [""] "fact Op",
        /// Functions it asked a device for that it never asked it for before. Absent in the first ten minutes of the input.
        new_functions_sent [""] "fact Op",
        /// Points it commanded or set.
        points_commanded [""] "fact Op",
        /// Of those, points it never commanded before. Absent in the first ten minutes of the input.
        new_points_commanded [""] "fact Op",
        /// Devices it commanded, set or changed.
        devices_commanded [""] "fact Op",
        /// Requests it made that were refused.
        refusals_received [""] "fact Op: answers that refuse",
        /// Requests it was sent.
        requests_received [""] "fact Op",
        /// Commands, set points and engineering requests it was sent.
        commands_received [""] "fact Op",
        /// Devices that sent it requests.
        masters [""] "fact Op",
        /// Requests it refused.
        refusals_sent [""] "fact Op: answers that refuse",
        /// Messages it sent unasked: spontaneous, cyclic, unsolicited.
        reported [""] "fact Reported",
        /// Numbered messages it published.
        published [""] "fact Published (GOOSE)",
        /// State changes among them.
        published_changes [""] "fact Published",
        /// Times a state or sequence number did not follow from the one before.
        published_jumps [""] "fact Published; IEC 61850-8-1 §18",
        /// Values of points it reported.
        samples [""] "fact Sample",
        /// Of those, values outside all seen before of a point with 30 or more.
        samples_outside [""] "fact Sample",
        /// Log-ins it tried.
        logins [""] "fact Login",
        /// Of those, refused ones.
        logins_refused [""] "fact Login",
        /// Things wrong with what it sent.
        anomalies [""] "fact Anomaly",
    }
}

/// The first ten minutes of an input teach what is not new.
const WARM_UP: i64 = 10 * MINUTE;
/// States of a TCP connection that nobody answered, or that was refused (Zeek's words).
const FAILED: &[&str] = &["S0", "REJ", "RSTOS0", "RSTRH", "SH"];
/// Members of one set in a window; beyond it the count stays.
const MEMBERS: usize = 4_096;
/// Values of a point that have to be known before one is outside them.
const KNOWN_VALUES: u32 = 30;

/// How many of each kind.
#[derive(Default)]
struct Sent {
    reads: u64,
    controls: u64,
    setpoints: u64,
    engineering: u64,
    identify: u64,
    reporting: u64,
    other: u64,
}

impl Sent {
    fn add(&mut self, class: OpClass) {
        use OpClass::*;
        *match class {
            Read => &mut self.reads,
            Select | Control | Cancel => &mut self.controls,
            SetPoint => &mut self.setpoints,
            Parameter | Mode | Restart | TimeSet | Clear | Download | Upload | Delete => &mut self.engineering,
            Identify => &mut self.identify,
            ReportsOff | ReportsOn => &mut self.reporting,
            Freeze | Authenticate | Other => &mut self.other,
        } += 1;
    }
}

/// Whether a request changes something.
pub(crate) fn is_change(class: OpClass) -> bool {
    use OpClass::*;
    matches!(
        class,
        Select | Control | Cancel | SetPoint | Parameter | Mode | Restart | TimeSet | Clear | Download | Delete
    )
}

/// A set that stops growing.
#[derive(Default)]
struct Few<T: Ord>(BTreeSet<T>);

impl<T: Ord> Few<T> {
    fn add(&mut self, x: T) {
        if self.0.len() < MEMBERS {
            self.0.insert(x);
        }
    }
    fn count(&self) -> Option<f64> {
        Some(self.0.len() as f64)
    }
}

#[derive(Default)]
struct Window {
    frame: (u32, u64),
    traffic: Traffic,
    conversations: u64,
    peers: Few<Addr>,
    internet: Few<Addr>,
    begun: u64,
    contacted: Few<Addr>,
    ports: Few<u16>,
    networks: Few<[u8; 8]>,
    new_peers: u64,
    new_services: u64,
    failed: u64,
    ended: u64,
    asked: Few<Addr>,
    claims_changed: u64,
    sent: Sent,
    functions: Few<(&'static str, u16)>,
    new_functions: u64,
    points: Few<(Addr, &'static str, u32, u32)>,
    new_points: u64,
    commanded: Few<Addr>,
    refusals_received: u64,
    requests_received: u64,
    commands_received: u64,
    masters: Few<Addr>,
    refusals_sent: u64,
    reported: u64,
    published: u64,
    published_changes: u64,
    published_jumps: u64,
    samples: u64,
    samples_outside: u64,
    logins: u64,
    logins_refused: u64,
    anomalies: u64,
}

/// What was seen before.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Known {
    Peer(Addr, Addr),
    Service(Addr, Addr, u16),
    Function(Addr, Addr, &'static str, u16),
    Point(Addr, Addr, &'static str, u32, u32),
}

type PointOf = (Addr, &'static str, &'static str, u32, u32);

/// Gathers the minutes of all devices; rows come out in order of time and address.
pub struct Hosts {
    minute: Option<Ts>,
    first: Option<Ts>,
    windows: BTreeMap<Addr, Window>,
    known: AgedTable<Known, ()>,
    points: AgedTable<PointOf, (u32, f64, f64)>,
    claims: AgedTable<Addr, gwcore::Mac>,
    streams: AgedTable<(Addr, Box<str>), (u64, u64)>,
    beacons: beacon::Beacons,
    limit: usize,
    /// Limits hit.
    pub hits: LimitHits,
}

impl Hosts {
    /// Nothing seen yet.
    pub fn new(limits: &Limits) -> Hosts {
        let table = |limit| limits.get(limit);
        Hosts {
            minute: None,
            first: None,
            windows: BTreeMap::new(),
            known: AgedTable::new(Limit::BaselineKeys, table(Limit::BaselineKeys)),
            points: AgedTable::new(Limit::Points, table(Limit::Points)),
            claims: AgedTable::new(Limit::Devices, table(Limit::Devices)),
            streams: AgedTable::new(Limit::Publishers, table(Limit::Publishers)),
            beacons: beacon::Beacons::new(limits),
            limit: table(Limit::DetectorSources),
            hits: LimitHits::default(),
        }
    }

    /// The family.
    pub fn family() -> Family {
        Host::family()
    }

    fn window(&mut self, host: Addr, fact: Option<&Fact>, flow: &FlowConst) -> Option<&mut Window> {
        if host.is_none() || host.is_multicast() || is_group(host) {
            return None;
        }
        if self.windows.len() >= self.limit && !self.windows.contains_key(&host) {
            self.hits.hit(Limit::DetectorSources);
            return None;
        }
        let window = self.windows.entry(host).or_default();
        if let Some(f) = fact.filter(|f| f.frame != 0) {
            window.frame = (flow.file, f.frame);
        }
        Some(window)
    }

    fn is_new(&mut self, key: Known) -> u64 {
        if self.known.get(&key).is_some() {
            return 0;
        }
        if self.known.insert(key, ()).is_some() {
            self.hits.hit(Limit::BaselineKeys);
        }
        1
    }

    /// Takes a fact in.
    pub fn fact(&mut self, fact: &Fact, flow: &FlowConst) {
        self.first.get_or_insert(fact.ts.minute());
        self.minute.get_or_insert(fact.ts.minute());
        let (from, to) = ends(flow, fact.flow);
        match &fact.body {
            Body::FlowStart => self.begun(fact, flow, from, to),
            Body::FlowEnd { state, bytes, start, .. } => {
                let (orig, resp) = ends(flow, gwcore::FlowRef(fact.flow.0 & !1));
                self.beacons.ended(orig, resp, *start, bytes[0]);
                let failed = FAILED.contains(state);
                if let Some(w) = self.window(orig, Some(fact), flow) {
                    w.ended += 1;
                    w.failed += u64::from(failed);
                }
            }
            Body::Asked { addr } => {
                if let Some(w) = self.window(from, Some(fact), flow) {
                    w.asked.add(*addr);
                }
            }
            Body::Claim { addr, mac, .. } => {
                let changed = self.claims.get(addr).is_some_and(|before| before != mac);
                if changed || self.claims.get(addr).is_none() {
                    self.claims.insert(*addr, *mac);
                }
                if changed && let Some(w) = self.window(*addr, Some(fact), flow) {
                    w.claims_changed += 1;
                }
            }
            Body::Op(op) => self.op(fact, flow, op, from, to),
            Body::Reported { .. } => {
                if let Some(w) = self.window(from, Some(fact), flow) {
                    w.reported += 1;
                }
            }
            Body::Published(p) => {
                let key = (from, p.stream.clone());
                let before = self.streams.get(&key).copied();
                match self.streams.get_mut(&key) {
                    Some(s) => *s = (p.state, p.sequence),
                    None => {
                        self.streams.insert(key, (p.state, p.sequence));
                    }
                }
                if let Some(w) = self.window(from, Some(fact), flow) {
                    w.published += 1;
                    w.published_changes += u64::from(before.is_some_and(|b| b.0 != p.state));
                    w.published_jumps += u64::from(before.is_some_and(|b| !follows(b, (p.state, p.sequence))));
                }
            }
            Body::Sample(s) if !s.write => {
                let key = (from, s.proto, s.point.table, s.point.unit, s.point.address);
                let mut outside = false;
                match self.points.get_mut(&key) {
                    Some((n, min, max)) => {
                        outside = *n >= KNOWN_VALUES && (s.value < *min || s.value > *max);
                        *n = n.saturating_add(1);
                        (*min, *max) = (min.min(s.value), max.max(s.value));
                    }
                    None => {
                        self.points.insert(key, (1, s.value, s.value));
                    }
                }
                if let Some(w) = self.window(from, Some(fact), flow) {
                    w.samples += 1;
                    w.samples_outside += u64::from(outside);
                }
            }
            Body::Login { accepted, .. } => {
                if let Some(w) = self.window(from, Some(fact), flow) {
                    w.logins += 1;
                    w.logins_refused += u64::from(*accepted == Some(false));
                }
            }
            Body::Anomaly { .. } => {
                if let Some(w) = self.window(from, Some(fact), flow) {
                    w.anomalies += 1;
                }
            }
            _ => {}
        }
    }

    fn begun(&mut self, fact: &Fact, flow: &FlowConst, from: Addr, to: Addr) {
        let (peer, service) =
            (self.is_new(Known::Peer(from, to)), self.is_new(Known::Service(from, to, flow.dst_port)));
        self.beacons.began(from, to, fact.ts);
        let Some(w) = self.window(from, Some(fact), flow) else { return };
        w.begun += 1;
        w.contacted.add(to);
        w.ports.add(flow.dst_port);
        let net = match to.as_v4() {
            Some([a, b, c, _]) => [a, b, c, 0, 0, 0, 0, 4],
            None => to.0.first_chunk().copied().unwrap_or_default(),
        };
        w.networks.add(net);
        w.new_peers += peer;
        w.new_services += service;
    }

    fn op(&mut self, fact: &Fact, flow: &FlowConst, op: &gwcore::Op, from: Addr, to: Addr) {
        if op.is_answer {
            if op.refused.is_some() {
                if let Some(w) = self.window(from, Some(fact), flow) {
                    w.refusals_sent += 1;
                }
                if let Some(w) = self.window(to, Some(fact), flow) {
                    w.refusals_received += 1;
                }
            }
            return;
        }
        let change = is_change(op.class);
        let function = self.is_new(Known::Function(from, to, op.proto, op.function));
        let point = op.point.filter(|_| change);
        let new_point = point.map_or(0, |p| self.is_new(Known::Point(from, to, p.table, p.unit, p.address)));
        if let Some(w) = self.window(from, Some(fact), flow) {
            w.sent.add(op.class);
            w.functions.add((op.proto, op.function));
            w.new_functions += function;
            w.new_points += new_point;
            if let Some(p) = point {
                w.points.add((to, p.table, p.unit, p.address));
            }
            if change {
                w.commanded.add(to);
            }
        }
        if let Some(w) = self.window(to, Some(fact), flow) {
            w.requests_received += 1;
            w.commands_received += u64::from(change);
            w.masters.add(from);
        }
    }

    /// Takes the minutes of flows in.
    pub fn minutes(&mut self, m: &FlowMinutes<'_>) {
        let flow = m.flow;
        for (host, peer, t) in [(m.orig, m.resp, m.traffic), (m.resp, m.orig, m.traffic.turned())] {
            if let Some(w) = self.window(host, None, flow) {
                w.traffic.add(&t);
                w.conversations += 1;
                w.peers.add(peer);
                if peer.is_internet() && !is_mac(peer) {
                    w.internet.add(peer);
                }
                w.frame = w.frame.max((flow.file, m.frame));
            }
        }
    }

    /// Writes the minute at hand; the next one is that of `ts`.
    pub fn flush(&mut self, ts: Ts, rows: &mut Vec<Row>) {
        let Some(minute) = self.minute.replace(ts.minute()) else { return };
        let warm = self.first.is_some_and(|f| minute.since(f) >= WARM_UP);
        self.beacons.forget(minute);
        for (host, w) in std::mem::take(&mut self.windows) {
            let n = |x: u64| Some(x as f64);
            let known = |x: u64| warm.then_some(x as f64);
            let t = &w.traffic;
            let values = Host {
                packets_out: n(t.packets[0]),
                packets_in: n(t.packets[1]),
                bytes_out: n(t.bytes[0]),
                bytes_in: n(t.bytes[1]),
                pcr: t.pcr(),
                conversations: n(w.conversations),
                peers: w.peers.count(),
                begun: n(w.begun),
                contacted: w.contacted.count(),
                ports: w.ports.count(),
                networks: w.networks.count(),
                internet_peers: w.internet.count(),
                new_peers: known(w.new_peers),
                new_services: known(w.new_services),
                failed: n(w.failed),
                failed_share: (w.ended > 0).then(|| w.failed as f64 / w.ended as f64),
                beacon: self.beacons.of(host),
                asked: w.asked.count(),
                claims_changed: n(w.claims_changed),
                reads_sent: n(w.sent.reads),
                controls_sent: n(w.sent.controls),
                setpoints_sent: n(w.sent.setpoints),
                engineering_sent: n(w.sent.engineering),
                identify_sent: n(w.sent.identify),
                reporting_sent: n(w.sent.reporting),
                other_sent: n(w.sent.other),
                functions_sent: w.functions.count(),
                new_functions_sent: known(w.new_functions),
                points_commanded: w.points.count(),
                new_points_commanded: known(w.new_points),
                devices_commanded: w.commanded.count(),
                refusals_received: n(w.refusals_received),
                requests_received: n(w.requests_received),
                commands_received: n(w.commands_received),
                masters: w.masters.count(),
                refusals_sent: n(w.refusals_sent),
                reported: n(w.reported),
                published: n(w.published),
                published_changes: n(w.published_changes),
                published_jumps: n(w.published_jumps),
                samples: n(w.samples),
                samples_outside: n(w.samples_outside),
                logins: n(w.logins),
                logins_refused: n(w.logins_refused),
                anomalies: n(w.anomalies),
            };
            let identity = Identity {
                ts: minute,
                end: minute.plus(MINUTE),
                src: host,
                dst: Addr::NONE,
                uid: None,
                frame: w.frame,
            };
            rows.push(Row { identity, values: values.values() });
        }
    }
}

/// Whether a state and sequence number follow those before: the next repetition of the same state, or the first of the next one
/// (IEC 61850-8-1 §18.1: sqNum 0 with a new stNum, 1 after a restart or a roll-over).
pub(crate) fn follows(before: (u64, u64), now: (u64, u64)) -> bool {
    let ((st, sq), (state, sequence)) = (before, now);
    (state == st && (sequence == sq.wrapping_add(1) || sequence == 1 && sq == u64::from(u32::MAX)))
        || (state == st.wrapping_add(1) && sequence <= 1)
}

/// A MAC address in 16 bytes.
pub(crate) fn is_mac(a: Addr) -> bool {
    a.0.first_chunk::<10>() == Some(&[0; 10]) && !a.is_v4() && a.0.get(10..15) != Some(&[0; 5])
}

/// A group MAC address in 16 bytes.
pub(crate) fn is_group(a: Addr) -> bool {
    is_mac(a) && a.0[10] & 1 == 1 || a.0 == [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]
}
