//! A point that was never read or reported, and the first command of a known master on a point.

use gwcore::{Basis, Body, Fact, FactKinds, FlowConst, PointId, Severity};

use super::{Detector, Look, Meta};
use crate::Setup;
use crate::baseline::{Class, Thing, things};
use crate::fold::Sighting;
use crate::novelty::Novelty;

pub(super) static META: Meta = Meta {
    id: "new-point",
    number: 44,
    finds: "A known pair of devices exchanged a point, or a known master commanded one, that it never did while the baseline was learned.",
    innocent: "A point list that was extended, a breaker that is operated once a year.",
    call: "the control room for a command, else the automation engineer",
    attack: &["T0861", "T1692.001"],
    needs: "a baseline, decoded utility protocol",
    severity: Severity::Low,
};

/// Compares points with the baseline.
pub(super) struct NewPoint {
    points: Option<Novelty>,
    controls: Option<Novelty>,
}

impl NewPoint {
    pub(super) fn new(setup: &Setup) -> Self {
        NewPoint { points: Novelty::new(setup, Class::Point), controls: Novelty::new(setup, Class::Control) }
    }
}

impl Detector for NewPoint {
    fn wants(&self) -> FactKinds {
        (FactKinds::REQUEST | FactKinds::SAMPLE | FactKinds::WRITTEN)
            .only_if(self.points.is_some() || self.controls.is_some())
    }

    fn learned(&mut self, setup: &Setup) {
        *self = Self::new(setup);
    }

    fn fact(&mut self, fact: &Fact, flow: &FlowConst, look: &mut Look<'_>) {
        if !matches!(fact.body, Body::Op(_) | Body::Sample(_)) {
            return;
        }
        things(fact, flow, &mut |t| {
            let (novelty, control) = match t.class {
                // What a write says of its point, its command says.
                Class::Point if matches!(&fact.body, Body::Sample(s) if s.write) => return,
                Class::Point => (&self.points, false),
                Class::Control => (&self.controls, true),
                _ => return,
            };
            let Some(novelty) = novelty.as_ref().filter(|n| n.is_new(&t)) else { return };
            let Some(point) = point(&t) else { return };
            let declared = novelty.site.point(&t.to, t.proto, point).is_some() && !control;
            if !declared && is_known_pair(novelty, &t, control) {
                see(novelty, &t, point, control, fact, flow, look);
            }
        });
    }
}

fn point(t: &Thing) -> Option<PointId> {
    (!t.word.is_empty()).then_some(PointId { table: t.word, unit: t.n.0, address: t.n.1 })
}

/// A new conversation or a source that never commanded is told as such, not by each of its points.
fn is_known_pair(novelty: &Novelty, t: &Thing, control: bool) -> bool {
    let pair = Thing { class: Class::Conversation, ..*t }.pair();
    let class = if control { Class::Command } else { Class::Conversation };
    let turned = (pair.1, pair.0);
    let published = !control && !novelty.is_new_as(Class::Conversation, turned, &Thing { class: Class::Point, ..*t });
    published || !novelty.is_new_as(class, pair, t)
}

fn see(
    novelty: &Novelty,
    t: &Thing,
    point: PointId,
    control: bool,
    fact: &Fact,
    flow: &FlowConst,
    look: &mut Look<'_>,
) {
    let kind = if control { "command" } else { "value" };
    // A command of each point is a thing of its own; whoever reads a device anew reads hundreds of points.
    let at = if control { format!(":{}:{}", point.unit, point.address) } else { String::new() };
    look.see(&Sighting {
        dedup_key: format!("{}>{}:{}:{}:{kind}{at}", t.from.name(), t.to.name(), t.proto, t.word),
        basis: Basis::Learned,
        attack: if control { &["T1692.001"] } else { &["T0861"] },
        proto: t.proto,
        src: t.from,
        dst: t.to,
        words: &|site| {
            let (from, to) = (site.name(&t.from), site.name(&t.to));
            let what = site.say_point(&t.to, t.proto, point);
            let (title, did) = if control {
                (format!("First command of {from} on {what} of {to}"), "commanded")
            } else {
                (format!("New point of {to}: {what}"), "exchanged")
            };
            let why = format!("{from} {did} {what} of {to}, which it never did in {}.", novelty.learned());
            (title, why, novelty.evidence(what, None).naming(novelty.point_in_packet(t, point)))
        },
        ..Sighting::of(&META, fact, flow)
    });
}
