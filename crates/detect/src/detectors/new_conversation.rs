//! Two devices that never talked in this protocol.

use gwcore::time::MINUTE;
use gwcore::{Addr, AgedTable, Basis, Body, Fact, FactKinds, FlowConst, Limit, LimitHits, Severity, Table};

use super::{Detector, Look, Meta, new_master};
use crate::Setup;
use crate::baseline::{Class, DYNAMIC, Thing, has_masters, things};
use crate::fold::{End, Sighting, ends};
use crate::novelty::{Novelty, is_utility, sources_by_server};

pub(super) static META: Meta = Meta {
    id: "new-conversation",
    number: 41,
    finds: "Two devices talked in a protocol in which they never talked while the baseline was learned.",
    innocent: "A new function of a system, a front end that polls one more device, maintenance access, a fail-over to a backup.",
    call: "the owner of the client, then the automation engineer",
    attack: &["T0886", "T0861", "T0869", "T0848"],
    needs: "a baseline",
    severity: Severity::Low,
};

/// Bytes sent out from which a conversation with the internet is no telemetry, look-up or log-in any more.
const BULK: u64 = 1 << 20;
/// Times that more must be sent than received: what is fetched comes in.
const OUTWARD: u64 = 4;
/// Time after which a conversation without a request is told by what is known of it.
const WAIT: i64 = MINUTE;

/// Compares conversations with the baseline.
pub(super) struct NewConversation {
    novelty: Option<Novelty>,
    /// Masters known of each outstation; a further one is told as a new master.
    masters: Table<(Addr, u16), u32>,
    /// New conversations of protocols with masters, which wait for a request to say who is who.
    waiting: AgedTable<(Addr, Addr, &'static str), (Thing, Fact, FlowConst)>,
    hits: LimitHits,
}

impl NewConversation {
    pub(super) fn new(setup: &Setup) -> Self {
        let masters = setup.baseline.as_deref().map(|b| sources_by_server(b, Class::Master));
        NewConversation {
            novelty: Novelty::new(setup, Class::Conversation),
            masters: masters.unwrap_or_default(),
            waiting: AgedTable::new(Limit::DetectorSources, setup.limits.get(Limit::DetectorSources)),
            hits: LimitHits::default(),
        }
    }

    fn late(&mut self, look: &mut Look<'_>, all: bool) {
        while self.waiting.oldest().is_some_and(|(_, (_, f, _))| all || look.now.since(f.ts) > WAIT) {
            let Some((_, (thing, fact, flow))) = self.waiting.pop_oldest() else { return };
            if let Some(novelty) = &self.novelty {
                see(novelty, &thing, &fact, &flow, look);
            }
        }
    }
}

impl Detector for NewConversation {
    super::keeps!(waiting);

    fn wants(&self) -> FactKinds {
        (FactKinds::SERVICE | FactKinds::UNREAD | FactKinds::ASKS | FactKinds::FLOW_END | FactKinds::TICK)
            .only_if(self.novelty.is_some())
    }

    fn learned(&mut self, setup: &Setup) {
        let fresh = Self::new(setup);
        (self.novelty, self.masters) = (fresh.novelty, fresh.masters);
    }

    fn fact(&mut self, fact: &Fact, flow: &FlowConst, look: &mut Look<'_>) {
        let Some(novelty) = &self.novelty else { return };
        if !matches!(fact.body, Body::Service { .. } | Body::Unread | Body::Op(_) | Body::FlowEnd { .. }) {
            return;
        }
        bulk(novelty, fact, flow, look);
        let (masters, waiting, hits) = (&self.masters, &mut self.waiting, &mut self.hits);
        things(fact, flow, &mut |t| {
            let declared = || novelty.site.may_command(&t.from, &t.to) == Some(true);
            if t.class != Class::Conversation || !novelty.is_new(&t) || is_trivial(&t, novelty) || declared() {
                return;
            }
            if !has_masters(t.proto) {
                return see(novelty, &t, fact, flow, look);
            }
            let (a, b) = t.pair();
            // Who asks is not known before a request: the conversation may be a known one the other way round.
            let new_turned = novelty.is_new_as(Class::Conversation, (b, a), &t);
            if matches!(fact.body, Body::Op(_)) {
                waiting.remove(&(a, b, t.proto));
                let server = novelty.baseline.words.find(t.proto).map(|w| (b, w));
                if server.is_none_or(|s| !masters.contains_key(&s)) {
                    see(novelty, &t, fact, flow, look);
                }
            } else if new_turned
                && waiting.get(&(a, b, t.proto)).is_none()
                && waiting.insert((a, b, t.proto), (t, fact.clone(), *flow)).is_some()
            {
                hits.hit(Limit::DetectorSources);
            }
        });
    }
    fn minute(&mut self, look: &mut Look<'_>) {
        self.late(look, false);
    }
    fn finish(&mut self, look: &mut Look<'_>) {
        self.late(look, true);
    }
    fn hits(&self) -> LimitHits {
        self.hits.clone()
    }
}

/// What another detector says already, or what has no name of its own.
fn is_trivial(t: &Thing, novelty: &Novelty) -> bool {
    if is_utility(t.proto) {
        return false;
    }
    let nameless = matches!(t.proto, "tcp" | "udp") && t.n.0 == 0;
    nameless
        || novelty.is_broken_off(t)
        || novelty.is_stranger(&t.from)
        || novelty.is_stranger(&t.to)
        || novelty.is_new_service(t)
}

/// Megabytes that left for the internet in a conversation of a kind that the device never had.
fn bulk(novelty: &Novelty, fact: &Fact, flow: &FlowConst, look: &mut Look<'_>) {
    let Body::FlowEnd { start, bytes: [sent, received], service, .. } = fact.body else { return };
    let outward = flow.dst.is_internet() && flow.src.is_local() && sent >= BULK && sent / OUTWARD >= received;
    let transport = match flow.ip_proto {
        6 => "tcp",
        17 => "udp",
        _ => return,
    };
    let (from, to) = ends(fact, flow);
    let (proto, port) = if service.is_empty() {
        (transport, u32::from(Some(flow.dst_port).filter(|p| *p < DYNAMIC).unwrap_or(0)))
    } else {
        (service, 0)
    };
    let t = Thing { class: Class::Conversation, from, to, proto, word: "", n: (port, 0) };
    if !outward || !novelty.is_new(&t) {
        return;
    }
    look.see(&Sighting {
        dedup_key: format!("{}:bulk", from.name()),
        severity: novelty.weigh(Severity::Medium, &from),
        basis: Basis::Learned,
        attack: &["T0869"],
        proto,
        src: from,
        dst: to,
        since: Some(start),
        words: &|site| {
            let (from, to, mb) = (site.name(&from), site.name(&to), sent >> 20);
            let title = format!("{from} sent {mb} MB to the internet");
            let why = format!(
                "{from} sent {mb} MB to {to} by {proto}, which it never spoke to the internet in {}.",
                novelty.learned()
            );
            let mut e = novelty.evidence(format!("{sent} bytes sent, {received} received"), None);
            e.threshold = Some(BULK as f64);
            (title, why, e)
        },
        ..Sighting::of(&META, fact, flow)
    });
}

/// How conversations of a source are folded.
pub(super) fn dedup_key(from: &End, proto: &str, n: u32) -> String {
    format!("{}:{proto}:{n}", from.name())
}

fn see(novelty: &Novelty, t: &Thing, fact: &Fact, flow: &FlowConst, look: &mut Look<'_>) {
    let utility = is_utility(t.proto);
    let severity = if utility { novelty.weigh(Severity::Medium, &t.to) } else { Severity::Low };
    let what = match (t.proto, t.n.0) {
        (p, 0) => p.to_owned(),
        (p, n) => format!("{p} port {n}"),
    };
    look.see(&Sighting {
        dedup_key: dedup_key(&t.from, t.proto, t.n.0),
        severity,
        // A front end that takes over is a new master first of all, and polls what has no masters too.
        told_by: utility.then(|| (new_master::META.id, t.from.name())),
        basis: Basis::Learned,
        // Who asks an outstation that had no master makes itself one.
        attack: match (utility, has_masters(t.proto)) {
            (_, true) => &["T0848", "T0861", "T0886"],
            (true, false) => &["T0861", "T0886"],
            (false, false) => &["T0886"],
        },
        proto: t.proto,
        src: t.from,
        dst: t.to,
        words: &|site| {
            let (from, to) = (site.name(&t.from), site.name(&t.to));
            let title = format!("New conversation: {from} talks {what} to {to}");
            let left_out = novelty.left_out(&t.from);
            let why = format!("{from} talked {what} to {to}, which it never did in {}.{left_out}", novelty.learned());
            let expected = if utility { novelty.known_sources(&t.to, t.proto) } else { None };
            let e = novelty.evidence(format!("{from} to {to}"), expected);
            (title, why, e.naming(novelty.source_in_packet(t)))
        },
        ..Sighting::of(&META, fact, flow)
    });
}
