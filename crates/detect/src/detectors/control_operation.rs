//! Control commands and set points as they were sent, with what the device answered: a fact for the operator's log, not an alarm.

use std::collections::VecDeque;

use gwcore::time::SECOND;
use gwcore::{Body, Fact, FactKinds, FlowConst, Op, OpClass, Severity, Ts};

use super::{Detector, Look, Meta};
use crate::Setup;
use crate::fold::{Sighting, ends, evidence, words};
use crate::say::{observed, request, request_with_value, thing};

pub(super) static META: Meta = Meta {
    id: "control-operation",
    number: 1,
    finds: "A control command or set point was sent to a device.",
    innocent: "Operators and automatic control do this all day; it is shown so that it can be accounted for.",
    call: "the control room, with the time and the point",
    attack: &["T1692.001", "T0836"],
    needs: "decoded utility protocol",
    severity: Severity::Info,
};

/// How long a command waits for its answer before it is told without one.
const WAIT: i64 = 10 * SECOND;
/// Commands that wait; the oldest are told without an answer beyond them.
const WAITING: usize = 4_096;

/// A command whose answer has not come.
#[derive(serde::Serialize, serde::Deserialize)]
#[serde(bound(deserialize = "'de: 'static"))]
struct Sent {
    fact: Fact,
    flow: FlowConst,
}

/// What came of a command.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Outcome {
    Accepted,
    Refused(u16, &'static str),
    Unknown,
}

/// Commands that wait for their answers, in the order of the input.
#[derive(Default)]
pub(super) struct ControlOperation {
    waiting: VecDeque<Sent>,
}

impl ControlOperation {
    pub(super) fn new(_: &Setup) -> Self {
        ControlOperation::default()
    }

    /// Takes out the first command that an answer of this flow belongs to.
    fn answered(&mut self, answer: &Op, fact: &Fact, flow: &FlowConst) -> Option<Sent> {
        let fits = |s: &Sent| {
            let Body::Op(op) = &s.fact.body else { return false };
            let same = (op.proto, op.function) == (answer.proto, answer.function);
            let point = answer.point.is_none() || answer.point == op.point;
            s.flow.uid == flow.uid && s.fact.flow.reversed() != fact.flow.reversed() && same && point
        };
        let at = self.waiting.iter().position(fits)?;
        self.waiting.remove(at)
    }

    fn tell_older_than(&mut self, now: Ts, look: &mut Look<'_>) {
        while self.waiting.front().is_some_and(|s| now.since(s.fact.ts) >= WAIT) {
            if let Some(sent) = self.waiting.pop_front() {
                tell(&sent, Outcome::Unknown, look);
            }
        }
    }
}

impl Detector for ControlOperation {
    super::keeps!(waiting);

    fn wants(&self) -> FactKinds {
        FactKinds::REQUEST | FactKinds::ANSWER | FactKinds::TICK | FactKinds::TIME_BREAK
    }

    fn fact(&mut self, fact: &Fact, flow: &FlowConst, look: &mut Look<'_>) {
        let op = match &fact.body {
            Body::Op(op) => op,
            // Ages across a clock that went back mean nothing: who waits by the old one would hold up all others.
            Body::TimeBreak { .. } => return self.finish(look),
            _ => return,
        };
        if op.is_answer {
            let Some(sent) = self.answered(op, fact, flow) else { return };
            let outcome = op.refused.map_or(Outcome::Accepted, |(code, name)| Outcome::Refused(code, name));
            return tell(&sent, outcome, look);
        }
        if !matches!(op.class, OpClass::Control | OpClass::SetPoint) {
            return;
        }
        if self.waiting.len() >= WAITING
            && let Some(oldest) = self.waiting.pop_front()
        {
            tell(&oldest, Outcome::Unknown, look);
        }
        self.waiting.push_back(Sent { fact: fact.clone(), flow: *flow });
    }

    fn tick(&mut self, look: &mut Look<'_>) {
        self.tell_older_than(look.now, look);
    }

    fn finish(&mut self, look: &mut Look<'_>) {
        while let Some(sent) = self.waiting.pop_front() {
            tell(&sent, Outcome::Unknown, look);
        }
    }
}

fn tell(sent: &Sent, outcome: Outcome, look: &mut Look<'_>) {
    let (fact, flow) = (&sent.fact, &sent.flow);
    let Body::Op(op) = &fact.body else { return };
    let (src, dst) = ends(fact, flow);
    let attack: &[&str] = if op.class == OpClass::Control { &["T1692.001"] } else { &["T0836"] };
    let how = if matches!(outcome, Outcome::Refused(..)) { ":refused" } else { "" };
    look.see(&Sighting {
        dedup_key: format!("{}>{}:{}:{}:{}{how}", src.name(), dst.name(), op.proto, op.name, thing(op)),
        severity: Severity::Info,
        attack,
        proto: op.proto,
        src,
        dst,
        words: &|site| {
            let (from, to) = (site.name(&src), site.name(&dst));
            let (what, sent) = (request(op, &dst, site), request_with_value(op, &dst, site));
            let (title, said) = match outcome {
                Outcome::Refused(code, reason) => {
                    let reason = words(reason);
                    (
                        format!("{what} from {from} to {to}, refused"),
                        format!("{from} sent {sent} to {to}, which refused it: {reason} ({code})."),
                    )
                }
                _ => (format!("{what} from {from} to {to}"), format!("{from} sent {sent} to {to}.")),
            };
            let mut e = evidence(observed(op, &dst, site), None, None);
            let outcome = match outcome {
                Outcome::Accepted => "accepted",
                Outcome::Refused(..) => "refused",
                Outcome::Unknown => "no answer seen",
            };
            e.more.insert("outcome".into(), outcome.into());
            if op.points > 1 {
                e.more.insert("points".into(), op.points.into());
            }
            (title, said, e)
        },
        ..Sighting::of(&META, fact, flow)
    });
}
