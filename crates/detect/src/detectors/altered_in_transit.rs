//! A connection whose bytes came out other than they went in, seen on both sides of whoever passes them on.

use std::collections::VecDeque;

use gwcore::time::SECOND;
use gwcore::{
    Addr, AgedTable, Body, Fact, FactKinds, FlowConst, Limit, LimitHits, Mac, PointId, Sample, Severity, Ts, Uid,
};

use super::{Detector, Look, Meta};
use crate::fold::{End, Sighting, ends, evidence};
use crate::{Setup, Site};

pub(super) static META: Meta = Meta {
    id: "altered-in-transit",
    number: 63,
    finds: "Bytes of a TCP connection were seen in two versions, one between other MAC addresses than the other: what arrived is not what was sent.",
    innocent: "A proxy, an application gateway or an accelerator that rewrites content, captured on both its sides.",
    call: "the network engineer, then the owners of both ends",
    attack: &["T0830"],
    needs: "both sides of whoever alters it on the captured segment",
    severity: Severity::High,
};

/// How long a message may take from one side of whoever passes it on to the other.
const PASSAGE: i64 = SECOND;
/// Values remembered of a point: a device may report it more than once in that time.
const VALUES: usize = 8;
/// MAC addresses remembered of those that claim an IP address: its owner, and others.
const CLAIMS: usize = 4;

/// Both ends of a TCP session, the smaller first.
type Session = [(Addr, u16); 2];

/// A session that was altered.
#[derive(serde::Serialize, serde::Deserialize)]
struct Known {
    /// The flow of the version seen first.
    first: Uid,
    /// Who sent each version of the bytes, the earlier first.
    senders: [Mac; 2],
}

/// A value as one flow carried it.
#[derive(Clone, Copy, serde::Serialize, serde::Deserialize)]
struct Carried {
    uid: Uid,
    value: f64,
    ts: Ts,
    at: (u32, u64),
}

/// The reassembly of TCP compares the bytes; this follows who claims which address, and which values went in and came out.
pub(super) struct AlteredInTransit {
    /// By address: who claims it, in the order of their first claims.
    claims: AgedTable<Addr, Vec<Mac>>,
    sessions: AgedTable<Session, Known>,
    /// Last values of a session's points on both sides; of sessions that are not known to be altered only values written.
    values: AgedTable<(Session, bool, PointId), VecDeque<Carried>>,
    hits: LimitHits,
}

impl AlteredInTransit {
    pub(super) fn new(setup: &Setup) -> Self {
        let limit = setup.limits.get(Limit::DetectorSources);
        AlteredInTransit {
            claims: AgedTable::new(Limit::DetectorSources, limit),
            sessions: AgedTable::new(Limit::DetectorSources, limit),
            values: AgedTable::new(Limit::DetectorSources, limit),
            hits: LimitHits::default(),
        }
    }

    fn claim(&mut self, addr: Addr, mac: Mac) {
        if self.claims.get(&addr).is_none() && self.claims.insert(addr, Vec::new()).is_some() {
            self.hits.hit(Limit::DetectorSources);
        }
        let Some(known) = self.claims.get_mut(&addr) else { return };
        if known.len() < CLAIMS && !known.contains(&mac) {
            known.push(mac);
        }
    }

    /// Which of the two senders stands between: who claims the addresses of both ends, or one that another claimed before. Where no claim
    /// was heard it is the sender of the later version.
    fn between(&self, senders: [Mac; 2], session: &Session) -> Mac {
        let [earlier, later] = senders;
        let claimed = |mac: Mac| {
            let places = session.iter().filter_map(|(addr, _)| self.claims.get(addr)?.iter().position(|m| *m == mac));
            places.map(|place| 1 + usize::from(place > 0)).sum::<usize>()
        };
        if claimed(earlier) > claimed(later).max(1) { earlier } else { later }
    }

    /// Keeps a value that a flow carried; gives back the one that the flow of the first version carried just before, where none was the same.
    fn carried(&mut self, s: &Sample, now: Carried, session: Session) -> Option<Carried> {
        if self.sessions.is_empty() && !s.write {
            return None;
        }
        let first = self.sessions.get(&session).map(|known| known.first);
        if first.is_none() && !s.write {
            return None;
        }
        let key = (session, s.write, s.point);
        if self.values.get(&key).is_none() && self.values.insert(key, VecDeque::new()).is_some() {
            self.hits.hit(Limit::DetectorSources);
        }
        let kept = self.values.get_mut(&key)?;
        let is_before = |c: &&Carried| Some(c.uid) == first && (0..=PASSAGE).contains(&now.ts.since(c.ts));
        let before = kept.iter().rfind(|c| is_before(c)).copied();
        let is_other = kept.iter().filter(is_before).all(|c| c.value != now.value);
        if kept.len() >= VALUES {
            kept.pop_front();
        }
        kept.push_back(now);
        before.filter(|_| is_other && Some(now.uid) != first)
    }
}

fn session(flow: &FlowConst) -> Session {
    let (a, b) = ((flow.src, flow.src_port), (flow.dst, flow.dst_port));
    if a <= b { [a, b] } else { [b, a] }
}

impl Detector for AlteredInTransit {
    super::keeps!(claims, sessions, values);

    fn wants(&self) -> FactKinds {
        FactKinds::ALTERED | FactKinds::CLAIM | FactKinds::SAMPLE | FactKinds::WRITTEN
    }

    fn fact(&mut self, fact: &Fact, flow: &FlowConst, look: &mut Look<'_>) {
        match &fact.body {
            Body::Claim { addr, mac, source: "arp" | "nd" } => self.claim(*addr, *mac),
            Body::Altered { senders } => {
                let known = Known { first: flow.uid, senders: *senders };
                if self.sessions.insert(session(flow), known).is_some() {
                    self.hits.hit(Limit::DetectorSources);
                }
                tell(fact, flow, self.between(*senders, &session(flow)), None, look);
            }
            Body::Sample(s) if flow.ip_proto == 6 => {
                let session = session(flow);
                let now = Carried { uid: flow.uid, value: s.value, ts: fact.ts, at: (flow.file, fact.frame) };
                let Some(before) = self.carried(s, now, session) else { return };
                let Some(senders) = self.sessions.get(&session).map(|known| known.senders) else { return };
                let between = self.between(senders, &session);
                // What whoever stands between sent is what arrived.
                let (sent, arrived) = if between == senders[0] { (now, before) } else { (before, now) };
                tell(fact, flow, between, Some((s, sent, arrived)), look);
            }
            _ => {}
        }
    }

    fn hits(&self) -> LimitHits {
        self.hits.clone()
    }
}

fn tell(fact: &Fact, flow: &FlowConst, between: Mac, value: Option<(&Sample, Carried, Carried)>, look: &mut Look<'_>) {
    let (from, to) = ends(fact, flow);
    // On one side the receiver's MAC address is that of whoever stands between.
    let to = if to.mac == between { End { mac: Mac::NONE, ..to } } else { to };
    let between = End { mac: between, addr: Addr::NONE, port: None };
    let words = |site: &Site| {
        let (a, b, m) = (site.name(&from), site.name(&to), site.name(&between));
        let title = format!("{m} alters what {a} sends to {b}");
        let Some((s, sent, arrived)) = value else {
            let why = format!(
                "Bytes that {a} sent to {b} were seen in two versions, one of them passed on by {m}: the anomaly record of the frame named \
                 shows both."
            );
            return (title, why, evidence("two versions of the same bytes".into(), Some("one"), None));
        };
        // A point is served by the flow's responder.
        let server = if s.write { &to } else { &from };
        let point = site.say_point(server, s.proto, s.point);
        let say = |c: Carried| site.say_value(server, s.proto, s.point, c.value);
        let why = format!(
            "{a} sent {} for {point} to {b}, and {} arrived: {m} stands between and passed it on.",
            say(sent),
            say(arrived)
        );
        let mut e = evidence(format!("{point} = {}", say(arrived)), Some(&say(sent)), None);
        e.more.insert("point".into(), point.into());
        e.more.insert("sent".into(), sent.value.into());
        e.more.insert("arrived".into(), arrived.value.into());
        (title, why, e)
    };
    look.see(&Sighting {
        dedup_key: format!("{}>{}", from.name(), to.name()),
        attack: &["T0830"],
        proto: "tcp",
        src: between,
        dst: to,
        words: &words,
        carried_by: value.and_then(|(_, sent, arrived)| (arrived.at.1 < sent.at.1).then_some(arrived.at)),
        ..Sighting::of(&META, fact, flow)
    });
}
