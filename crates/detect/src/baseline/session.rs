//! Sessions of one client with one server that are at work side by side.

use gwcore::time::SECOND;
use gwcore::{Addr, AgedTable, Body, Fact, FlowConst, Limit, LimitHits, Limits, OpClass, Ts, Uid};
use serde::{Deserialize, Serialize};

use super::{Merge, UTILITY, is_command, who};
use crate::fold::ends;

/// A session that goes on this long after another began is at work beside it: what was on its way has arrived by then.
const BESIDE: i64 = 2 * SECOND;
/// Sessions of a pair under watch.
const KEPT: usize = 32;

/// How a client uses to hold sessions with a server.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Sessions {
    /// Most of them at work side by side.
    pub(crate) most: u32,
    pub(crate) messages: u64,
}

impl Sessions {
    pub(crate) fn note(&mut self, beside: &Beside) {
        self.most = self.most.max(beside.count);
        self.messages = self.messages.saturating_add(1);
    }
}

impl Merge for Sessions {
    fn merge(&mut self, o: &Sessions) {
        self.most = self.most.max(o.most);
        self.messages = self.messages.saturating_add(o.messages);
    }
}

/// Client, server, protocol.
pub(crate) type Pair = (Addr, Addr, &'static str);

#[derive(serde::Serialize, serde::Deserialize)]
#[serde(bound(deserialize = "'de: 'static"))]
struct Live {
    uid: Uid,
    first: Ts,
    last: Ts,
    /// Its data transfer was stopped: link tests keep it, but it is not at work.
    resting: bool,
    command: Option<(Fact, FlowConst)>,
}

/// The sessions of a pair as a message finds them.
pub(crate) struct Beside {
    pub(crate) pair: Pair,
    /// At work side by side.
    pub(crate) count: u32,
    /// The last command given in the youngest of them.
    pub(crate) command: Option<(Fact, FlowConst)>,
}

/// Follows the sessions of clients.
pub(crate) struct SessionWatch {
    pairs: AgedTable<Pair, Vec<Live>>,
    /// The message of the last fact: its further values say nothing new.
    last: Option<(Uid, u64)>,
    pub(crate) hits: LimitHits,
}
gwcore::kept!(SessionWatch { pairs, last });

impl SessionWatch {
    pub(crate) fn new(limits: &Limits) -> SessionWatch {
        let pairs = AgedTable::new(Limit::DetectorSources, limits.get(Limit::DetectorSources));
        SessionWatch { pairs, last: None, hits: LimitHits::default() }
    }

    /// Takes note of a message in a utility protocol over TCP; `keep` says whether commands are wanted. A session that was at work is so
    /// while its link is tested: another one may have taken its data away.
    pub(crate) fn note(&mut self, fact: &Fact, flow: &FlowConst, keep: bool) -> Option<Beside> {
        let (sender, receiver) = ends(fact, flow);
        if let Body::Alive { proto } = fact.body {
            let pairs = [(who(&sender), who(&receiver), proto), (who(&receiver), who(&sender), proto)];
            return pairs.into_iter().find_map(|pair| self.again(pair, flow.uid, fact.ts));
        }
        let (proto, asks, commands) = match &fact.body {
            Body::Op(op) => (op.proto, !op.is_answer, !op.is_answer && is_command(op.class)),
            Body::Sample(s) => (s.proto, s.write, false),
            _ => return None,
        };
        if flow.ip_proto != 6 || !UTILITY.contains(&proto) {
            return None;
        }
        let this = Some((flow.uid, fact.frame));
        if std::mem::replace(&mut self.last, this) == this && !commands {
            return None;
        }
        let (client, server) = if asks { (sender, receiver) } else { (receiver, sender) };
        let pair = (who(&client), who(&server), proto);
        if self.pairs.get(&pair).is_none() && self.pairs.insert(pair, Vec::new()).is_some() {
            self.hits.hit(Limit::DetectorSources);
        }
        let live = self.pairs.get_mut(&pair)?;
        let at = live.iter().position(|l| l.uid == flow.uid).unwrap_or_else(|| {
            if live.len() >= KEPT {
                live.remove(0);
            }
            live.push(Live { uid: flow.uid, first: fact.ts, last: fact.ts, resting: false, command: None });
            live.len() - 1
        });
        let this = live.get_mut(at)?;
        this.last = this.last.max(fact.ts);
        this.resting = matches!(&fact.body, Body::Op(op) if proto == "iec104" && op.class == OpClass::ReportsOff);
        if commands && keep {
            this.command = Some((fact.clone(), *flow));
        }
        beside(pair, live)
    }

    /// A link test in a session that was at work.
    fn again(&mut self, pair: Pair, uid: Uid, at: Ts) -> Option<Beside> {
        let live = self.pairs.get_mut(&pair)?;
        let this = live.iter_mut().find(|l| l.uid == uid && !l.resting)?;
        this.last = this.last.max(at);
        beside(pair, live)
    }

    /// A session is over.
    pub(crate) fn end(&mut self, flow: &FlowConst) {
        let (a, b) = (addr(flow, true), addr(flow, false));
        for proto in UTILITY {
            for pair in [(a, b, *proto), (b, a, *proto)] {
                if let Some(live) = self.pairs.get_mut(&pair) {
                    live.retain(|l| l.uid != flow.uid);
                }
            }
        }
    }
}

fn beside(pair: Pair, live: &[Live]) -> Option<Beside> {
    let youngest = live.iter().max_by_key(|l| l.first)?;
    let alive = |l: &&Live| l.uid != youngest.uid && l.last.since(youngest.first) >= BESIDE;
    let count = 1 + u32::try_from(live.iter().filter(alive).count()).unwrap_or(0);
    Some(Beside { pair, count, command: youngest.command.clone().filter(|_| count > 1) })
}

fn addr(flow: &FlowConst, source: bool) -> Addr {
    let (addr, mac) = if source { (flow.src, flow.src_mac) } else { (flow.dst, flow.dst_mac) };
    if addr.is_none() { mac.padded() } else { addr }
}
