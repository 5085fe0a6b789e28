//! A second session of a client with a device, at work beside the one it always has alone, and the commands given in it.

use gwcore::{Basis, Body, Fact, FactKinds, FlowConst, LimitHits, Severity};

use super::{Detector, Look, Meta};
use crate::Setup;
use crate::baseline::{Class, SessionWatch};
use crate::fold::Sighting;
use crate::novelty::{Novelty, end_of};

pub(super) static META: Meta = Meta {
    id: "second-session",
    number: 57,
    finds: "A client held more sessions with a device side by side than it ever did; graver where it commands in the new one.",
    innocent: "A front end with a second process or channel in test, a session that a firewall kept alive.",
    call: "the owner of the client: which of its programs holds the second session",
    attack: &["T0848", "T1692.001"],
    needs: "a baseline of the conversation; utility protocol over TCP",
    severity: Severity::Low,
};

/// Learned messages of the pair from which it is known how many sessions it holds.
const ENOUGH: u64 = 100;

/// Compares the sessions of pairs with those learned.
pub(super) struct SecondSession {
    novelty: Option<Novelty>,
    watch: SessionWatch,
}

impl SecondSession {
    pub(super) fn new(setup: &Setup) -> Self {
        SecondSession { novelty: Novelty::new(setup, Class::Conversation), watch: SessionWatch::new(&setup.limits) }
    }
}

impl Detector for SecondSession {
    super::keeps!(watch);

    fn wants(&self) -> FactKinds {
        (FactKinds::FLOW_END
            | FactKinds::ALIVE
            | FactKinds::ASKS
            | FactKinds::ANSWER
            | FactKinds::SAMPLE
            | FactKinds::WRITTEN)
            .only_if(self.novelty.is_some())
    }

    fn learned(&mut self, setup: &Setup) {
        *self = Self::new(setup);
    }

    fn fact(&mut self, fact: &Fact, flow: &FlowConst, look: &mut Look<'_>) {
        let Some(novelty) = &self.novelty else { return };
        if let Body::FlowEnd { .. } = fact.body {
            return self.watch.end(flow);
        }
        let Some(beside) = self.watch.note(fact, flow, true).filter(|b| b.count > 1) else { return };
        let (client, server, proto) = beside.pair;
        let key = novelty.baseline.key(Class::Conversation, (client, server), proto, "", (0, 0));
        let Some(s) = key.and_then(|k| novelty.baseline.conduct.sessions.get(&k)) else { return };
        if s.messages < ENOUGH || beside.count <= s.most {
            return;
        }
        let (from, to) = (end_of(client), end_of(server));
        let (severity, commands) = match &beside.command {
            Some(_) => (Severity::Medium, true),
            None => (Severity::Low, false),
        };
        let (fact, flow) = beside.command.as_ref().map_or((fact, flow), |(f, l)| (f, l));
        look.see(&Sighting {
            dedup_key: format!("{}:{proto}:{}", from.name(), if commands { "commands" } else { "sessions" }),
            severity: novelty.weigh(severity, &to),
            basis: Basis::Learned,
            attack: if commands { &["T1692.001", "T0848"] } else { &["T0848"] },
            proto,
            src: from,
            dst: to,
            words: &|site| {
                let (a, b, n) = (site.name(&from), site.name(&to), beside.count);
                let title = format!("{a} holds {n} sessions with {b} side by side");
                let command = if commands { ", and commands in the newest" } else { "" };
                let why = format!(
                    "{a} holds {n} {proto} sessions with {b} side by side{command}; in {} there were at most {}.",
                    novelty.learned(),
                    s.most
                );
                let mut e = novelty.evidence(format!("{n} sessions at work"), Some(format!("at most {}", s.most)));
                e.seen = Some(s.messages);
                (title, why, e)
            },
            ..Sighting::of(&META, fact, flow)
        });
    }
    fn hits(&self) -> LimitHits {
        self.watch.hits.clone()
    }
}
