//! A point switched or set back and forth, or many points switched in a row, faster than plant is ever operated.

use std::sync::Arc;

use gwcore::time::MINUTE;
use gwcore::{Addr, Body, Fact, FactKinds, FlowConst, LimitHits, Op, OpClass, PointId, Severity, Ts};

use super::{Detector, Look, Meta};
use crate::baseline::{Class, StrokeWatch, Strokes, source_key, who};
use crate::fold::{Sighting, ends, evidence};
use crate::window::Windows;
use crate::{Baseline, Setup};

pub(super) static META: Meta = Meta {
    id: "repeated-commands",
    number: 20,
    finds: "A point was commanded back and forth, a set point hundreds of times, or many points of a device one after the other, within a minute, and neither what was learned nor the capture from its beginning on knows it so.",
    innocent: "A test of outputs during commissioning, a sequence of switching operations, an automatic control that was put into service.",
    call: "the control room, with the time and the points",
    attack: &["T0806"],
    needs: "decoded utility protocol",
    severity: Severity::Medium,
};

/// Reversals of one point within a minute. A breaker's rated sequence O-0.3s-CO-3min-CO (IEC 62271-100) has two in that time.
const REVERSALS: u32 = 4;
/// The same of a bit in a controller's memory: there stand the buttons of panels, of which every press is two, and people press them again.
const PRESSES: u32 = 20;
/// Returns of a set point to the value before within the same time: twenty a second. Automatic controls write as often, but no such pattern,
/// and lamps of life change sign a few times a second.
const RETURNS: u32 = 1_200;
/// Commands of a set point within a minute, whatever their values: hundreds are no operator's.
const WRITES: u32 = 200;
/// Different points of one device commanded within a minute: a dispatcher selects, checks and operates one in about ten seconds.
const POINTS: usize = 10;
/// Different points kept of a window.
const KEPT: usize = 64;
/// Times that a minute must be beyond the busiest that was learned.
const TIMES: u32 = 2;

type Pair = (Addr, Addr, &'static str);

/// Commands by point, and points by device.
pub(super) struct RepeatedCommands {
    strokes: StrokeWatch,
    devices: Windows<Pair, PointId>,
    baseline: Option<Arc<Baseline>>,
}

impl RepeatedCommands {
    pub(super) fn new(setup: &Setup) -> Self {
        RepeatedCommands {
            strokes: StrokeWatch::new(&setup.limits),
            devices: Windows::new(setup, MINUTE, KEPT),
            baseline: setup.baseline.clone(),
        }
    }

    /// Changes back and commands of a point within the busiest minute that was learned, and points of a device.
    fn busiest(&self, (a, b): (Addr, Addr), op: &Op, point: PointId) -> (u32, u32, u32) {
        let Some(baseline) = self.baseline.as_deref() else { return (0, 0, 0) };
        let key = baseline.point(Class::Control, (a, b), op.proto, point);
        let pace = key.and_then(|k| baseline.conduct.paces.get(&k));
        let points = baseline.conduct.sources.get(&source_key(a)).map_or(0, |s| s.points);
        pace.map_or((0, 0, points), |p| (p.reversals, p.writes, points))
    }
}

/// What was too much, since when, how much, how much is allowed, and the most that was learned.
type TooMuch = (&'static str, Ts, u32, u32, u32);

/// What is too much about the last minute of a point, as far as it was not learned.
fn beyond(op: &Op, point: &PointId, s: &Strokes, (reversals, writes): (u32, u32)) -> Option<TooMuch> {
    let of = |kind, n: u32, limit, most: u32| {
        (n >= limit && n / TIMES >= most.max(1)).then_some((kind, s.since, n, limit, most))
    };
    let by_value = of("reversals of one point", s.reversals, limit(op, point), reversals);
    let set_point = op.class == OpClass::SetPoint;
    by_value.or_else(|| of("commands of one point", s.writes, WRITES, writes).filter(|_| set_point))
}

/// Reversals within a minute that are too many.
fn limit(op: &Op, point: &PointId) -> u32 {
    match (op.class, op.proto) {
        (OpClass::Control, "s7comm") if !point.table.starts_with("output") => PRESSES,
        (OpClass::Control, _) => REVERSALS,
        _ => RETURNS,
    }
}

impl Detector for RepeatedCommands {
    super::keeps!(strokes, devices);

    fn wants(&self) -> FactKinds {
        FactKinds::REQUEST
    }

    fn learned(&mut self, setup: &Setup) {
        self.baseline = setup.baseline.clone();
    }

    fn fact(&mut self, fact: &Fact, flow: &FlowConst, look: &mut Look<'_>) {
        let Body::Op(op) = &fact.body else { return };
        let is_control = op.class == OpClass::Control;
        let Some(point) = op.point.filter(|_| (is_control || op.class == OpClass::SetPoint) && !op.is_answer) else {
            return;
        };
        let (src, dst) = ends(fact, flow);
        let pair = (src.addr, dst.addr, op.proto);
        let (reversals, writes, points) = self.busiest((who(&src), who(&dst)), op, point);
        let strokes = self.strokes.note(op, fact, flow);
        let told = strokes.and_then(|s| beyond(op, &point, &s, (reversals, writes)));
        // What was so ever since the capture began is the plant's own cycle, and a fact; but no control returns to a value twenty times a second.
        let is_cycle = |s: &Strokes| s.is_even_since(look.seen.began()) && (is_control || s.reversals < RETURNS);
        let even = told.is_some() && strokes.is_some_and(|s| is_cycle(&s));
        let many = if is_control { self.devices.count(pair, fact.ts, point) } else { None };
        let many = many.map(|w| (w.since, w.kinds.len())).filter(|(_, n)| *n >= POINTS && *n as u32 / TIMES >= points);
        let (kind, since, count, threshold, most) = match (told, many) {
            (Some((kind, since, n, limit, most)), _) => (kind, since, n, limit, most),
            (None, Some((since, n))) => ("different points commanded", since, n as u32, POINTS as u32, points),
            _ => return,
        };
        look.see(&Sighting {
            dedup_key: format!("{}>{}:{}:{kind}", src.name(), dst.name(), op.proto),
            severity: if even { Severity::Info } else { META.severity },
            attack: if even { &[] } else { &["T0806"] },
            proto: op.proto,
            words: &|site| {
                let (a, b) = (site.name(&src), site.name(&dst));
                let title = format!("{a} commands {b} in quick succession");
                let at = site.say_point(&dst, op.proto, point);
                let more = match (even, most) {
                    (true, _) => {
                        ", evenly ever since the capture began, as a watchdog or an automatic control does".to_owned()
                    }
                    (_, 1..) => format!("; while the baseline was learned there were at most {most}"),
                    _ => String::new(),
                };
                let why = format!("{a} sent {b} {count} {kind} within a minute, the last for {at}{more}.");
                (title, why, evidence(format!("{count} {kind} in a minute"), None, Some(f64::from(threshold))))
            },
            since: Some(since),
            ..Sighting::of(&META, fact, flow)
        });
    }
    fn hits(&self) -> LimitHits {
        let mut hits = self.strokes.hits.clone();
        hits.add(&self.devices.hits);
        hits
    }
}
