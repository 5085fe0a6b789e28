//! Scans: one source tries many ports of a host, one port of many hosts, or asks for many addresses, and is mostly not answered.

use std::collections::{BTreeSet, VecDeque};

use gwcore::time::{MINUTE, SECOND};
use gwcore::{Addr, AgedTable, Body, Fact, FactKinds, FlowConst, Limit, LimitHits, Mac, Severity, Ts};

use super::{Detector, Look, Meta};
use crate::Setup;
use crate::fold::{Sighting, ends, evidence};

pub(super) static META: Meta = Meta {
    id: "scan",
    number: 4,
    finds: "One source tried many ports or IP protocols of a host, many hosts, or many addresses of its segment, within five minutes, mostly without an answer.",
    innocent: "An inventory or vulnerability scanner, a management system that looks for devices, a client whose server is down.",
    call: "the owner of the source address",
    attack: &["T0846.001", "T0846"],
    needs: "connection attempts or echo requests in both directions; ARP on the captured segment",
    severity: Severity::Medium,
};

/// Time a window covers.
const WINDOW: i64 = 5 * MINUTE;
/// Different targets without an answer in a window that make a scan.
const TARGETS: usize = 20;
/// Attempts with a pause up to this, or up to so many usual ones, are of one scan.
const SOON: i64 = 2 * SECOND;
const USUAL: i64 = 5;
/// Targets remembered of a scan; of more it is said that there were at least so many.
const KEPT: usize = 1_024;

#[derive(serde::Serialize, serde::Deserialize)]
struct Window {
    since: Ts,
    /// When it was tried last. A scan that was told goes on until it pauses, so that its figures are those of all of it.
    last: Ts,
    told: bool,
    /// When the last of them were tried.
    recent: VecDeque<Ts>,
    tried: BTreeSet<(Addr, u16)>,
    hosts: BTreeSet<Addr>,
    ports: BTreeSet<u16>,
    answered: u32,
    /// Sessions in which the source went on without an answer: its peers' direction was not captured.
    deaf: usize,
}

/// Addresses that one device asked for by ARP.
#[derive(serde::Serialize, serde::Deserialize)]
struct Questions {
    since: Ts,
    asked: BTreeSet<Addr>,
    answered: BTreeSet<Addr>,
}

/// Attempts by source, and questions by device.
pub(super) struct Scan {
    sources: AgedTable<Addr, Window>,
    asking: AgedTable<Mac, Questions>,
    hits: LimitHits,
}

impl Scan {
    pub(super) fn new(setup: &Setup) -> Self {
        let limit = setup.limits.get(Limit::DetectorSources);
        let sources = AgedTable::new(Limit::DetectorSources, limit);
        Scan { sources, asking: AgedTable::new(Limit::DetectorSources, limit), hits: LimitHits::default() }
    }

    /// A device asks who has an address. Questions that were answered are those of a device at work.
    fn asked(&mut self, addr: Addr, fact: &Fact, flow: &FlowConst, look: &mut Look<'_>) {
        let (src, dst) = ends(fact, flow);
        if self.asking.get(&src.mac).is_none_or(|q| fact.ts.since(q.since) > WINDOW) {
            let questions = Questions { since: fact.ts, asked: BTreeSet::new(), answered: BTreeSet::new() };
            if self.asking.insert(src.mac, questions).is_some() {
                self.hits.hit(Limit::DetectorSources);
            }
        }
        let Some(q) = self.asking.get_mut(&src.mac) else { return };
        if q.asked.len() < KEPT {
            q.asked.insert(addr);
        }
        let (asked, answered, since) = (q.asked.len(), q.answered.len(), q.since);
        if asked < TARGETS || answered * 2 > asked {
            return;
        }
        look.see(&Sighting {
            dedup_key: format!("{}:addresses", src.mac),
            severity: Severity::Medium,
            attack: &["T0846"],
            proto: "arp",
            src,
            dst,
            words: &|site| {
                let name = site.name(&src);
                let why = format!(
                    "{name} asked for {asked} addresses of its segment within five minutes; {answered} answered."
                );
                let e =
                    evidence(format!("{asked} addresses asked for, {answered} answered"), None, Some(TARGETS as f64));
                (format!("{name} asks for many addresses"), why, e)
            },
            since: Some(since),
            ..Sighting::of(&META, fact, flow)
        });
    }

    /// The answer to a device's question.
    fn answered(&mut self, addr: Addr, asker: Mac) {
        if let Some(q) = self.asking.get_mut(&asker).filter(|q| q.asked.contains(&addr)) {
            q.answered.insert(addr);
        }
    }
}

/// Whether nobody served: no answer or a refusal, or a lone probe (FIN, ACK, Xmas) and its reset, without a byte of content.
///
/// The states of a session whose beginning was not captured read the same; such a session has content, or packets of both sides.
fn unanswered(state: &str, packets: [u64; 2], bytes: [u64; 2]) -> bool {
    let probe = matches!(state, "RSTR" | "OTH") && packets[0] == 1;
    let cut = matches!(state, "RSTOS0" | "SH" | "RSTRH") || probe;
    matches!(state, "S0" | "REJ") && bytes[1] == 0 || cut && packets[1] <= 1 && bytes == [0, 0]
}

/// Whether a flow is an echo request, by its type (RFC 792, RFC 4443 §4.1).
fn is_echo(flow: &FlowConst) -> bool {
    matches!((flow.ip_proto, flow.src_port), (1, 8) | (58, 128))
}

/// Whether a flow is of an IP protocol that a scan of protocols tries: not ICMP, IGMP, TCP, UDP, nor what routers send each other.
fn is_protocol_probe(flow: &FlowConst) -> bool {
    !flow.src.is_none() && !matches!(flow.ip_proto, 0 | 1 | 2 | 6 | 17 | 47 | 50 | 51 | 58 | 88 | 89 | 103 | 112)
}

/// Whether all that was seen is one side ending or keeping up a session, as idle ones do that are older than the capture. A probe that
/// looks so goes to one host: whoever leaves a browser ends sessions with many.
fn may_be_old(state: &str, packets: [u64; 2]) -> bool {
    matches!(state, "SH" | "OTH") && packets[1] == 0
}

/// When what was tried last began to be tried one soon after the other: a failure long before has nothing to do with it.
fn burst(recent: &VecDeque<Ts>) -> Option<Ts> {
    let mut times: Vec<Ts> = recent.iter().copied().collect();
    times.sort_unstable();
    let pauses: Vec<i64> = times.iter().zip(times.iter().skip(1)).map(|(a, b)| b.since(*a)).collect();
    let mut sorted = pauses.clone();
    sorted.sort_unstable();
    let soon = sorted.get(sorted.len() / 2).map_or(SOON, |usual| usual.saturating_mul(USUAL).max(SOON));
    let from = pauses.iter().rposition(|pause| *pause > soon).map_or(0, |at| at + 1);
    times.get(from).copied()
}

impl Window {
    /// Whether what is tried at `at` belongs to another scan.
    fn is_over(&self, at: Ts) -> bool {
        at.since(if self.told { self.last } else { self.since }) > WINDOW
    }
}

/// A time that all of it fits in: five minutes, else whole minutes.
fn within(ns: i64) -> String {
    if ns <= WINDOW { "five minutes".to_owned() } else { format!("{} minutes", ns / MINUTE + 1) }
}

fn counted(n: usize, what: &str) -> String {
    if n == 1 { format!("one {what}") } else { format!("{n} {what}s") }
}

impl Detector for Scan {
    super::keeps!(sources, asking);

    fn wants(&self) -> FactKinds {
        FactKinds::ASKED | FactKinds::CLAIM | FactKinds::FLOW_END
    }

    fn fact(&mut self, fact: &Fact, flow: &FlowConst, look: &mut Look<'_>) {
        match &fact.body {
            Body::Asked { addr } => return self.asked(*addr, fact, flow, look),
            Body::Claim { addr, source: "arp", .. } => return self.answered(*addr, ends(fact, flow).1.mac),
            _ => {}
        }
        let Body::FlowEnd { state, start, packets, bytes, .. } = &fact.body else { return };
        let is_echo = is_echo(flow);
        let is_protocol = is_protocol_probe(flow);
        let is_attempt = matches!(flow.ip_proto, 6 | 17) || is_echo || is_protocol;
        if flow.src.is_none() || flow.dst.is_multicast() || !is_attempt || packets[0] == 0 {
            return;
        }
        let is_deaf = *state == "OTH" && flow.ip_proto == 6 && bytes[0] > 0 && packets[1] == 0;
        let stale = self.sources.get(&flow.src).is_none_or(|w| w.is_over(*start));
        let unanswered = if is_echo || is_protocol { packets[1] == 0 } else { unanswered(state, *packets, *bytes) };
        if !unanswered {
            if let (Some(w), false) = (self.sources.get_mut(&flow.src), stale) {
                if is_deaf {
                    w.deaf += 1;
                } else {
                    w.answered += 1;
                }
            }
            return;
        }
        if stale {
            let (recent, tried, hosts, ports) = Default::default();
            let window =
                Window { since: *start, last: *start, told: false, recent, tried, hosts, ports, answered: 0, deaf: 0 };
            if self.sources.insert(flow.src, window).is_some() {
                self.hits.hit(Limit::DetectorSources);
            }
        }
        let Some(w) = self.sources.get_mut(&flow.src) else { return };
        if !is_echo && !is_protocol && may_be_old(state, *packets) && w.hosts.iter().any(|h| *h != flow.dst) {
            return;
        }
        w.last = w.last.max(*start);
        let port = if is_protocol { u16::from(flow.ip_proto) } else { flow.dst_port };
        if w.tried.len() < KEPT && w.tried.insert((flow.dst, port)) {
            w.hosts.insert(flow.dst);
            w.ports.insert(port);
            if w.recent.len() >= TARGETS {
                w.recent.pop_front();
            }
            w.recent.push_back(*start);
        }
        if w.tried.len() < TARGETS || w.answered as usize > w.tried.len() || w.deaf * 2 > w.tried.len() {
            return;
        }
        let (hosts, ports) = (&w.hosts, &w.ports);
        if hosts.len().max(ports.len()) < TARGETS {
            return;
        }
        if !w.told {
            (w.told, w.since) = (true, burst(&w.recent).unwrap_or(w.since));
        }
        let (since, answered, tried, last) = (w.since, w.answered, w.tried.len(), w.last);
        let (src, dst) = ends(fact, flow);
        let vertical = ports.len() > hosts.len();
        let of = match (vertical, is_protocol) {
            (true, true) => "IP protocols",
            (true, false) => "ports",
            (false, _) => "hosts",
        };
        look.see(&Sighting {
            dedup_key: format!("{}:{of}", src.name()),
            severity: Severity::Medium,
            attack: if vertical { &["T0846.001"] } else { &["T0846.001", "T0846"] },
            proto: match flow.ip_proto {
                6 => "tcp",
                17 => "udp",
                _ if is_protocol => "ip",
                _ => "icmp",
            },
            src,
            dst,
            words: &|site| {
                let title = format!("{} tries many {of}", site.name(&src));
                let what = if is_echo {
                    "echo requests".to_owned()
                } else {
                    counted(ports.len(), if is_protocol { "IP protocol" } else { "port" })
                };
                let least = if tried < KEPT { "" } else { "at least " };
                let time = within(last.since(since));
                let why = format!(
                    "{} tried {what} on {} within {time}; {least}{tried} of these did not answer.",
                    site.name(&src),
                    counted(hosts.len(), "host")
                );
                let mut e = evidence(
                    format!("{least}{tried} targets without an answer, {answered} answered"),
                    None,
                    Some(TARGETS as f64),
                );
                if !is_echo && !is_protocol {
                    let listed: Vec<String> = ports.iter().take(20).map(u16::to_string).collect();
                    e.more.insert("ports".into(), listed.join(" ").into());
                }
                (title, why, e)
            },
            since: Some(since),
            ..Sighting::of(&META, fact, flow)
        });
    }
    fn hits(&self) -> LimitHits {
        self.hits.clone()
    }
}
