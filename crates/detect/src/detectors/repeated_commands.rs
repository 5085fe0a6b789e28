//! A point switched or set back and forth, or many points switched in a row, faster than plant is ever operated.

use gwcore::time::MINUTE;
use gwcore::{Addr, AgedTable, Body, Fact, FactKinds, FlowConst, Limit, LimitHits, Op, OpClass, PointId, Severity, Ts};

use super::{Detector, Look, Meta};
use crate::Setup;
use crate::fold::{Sighting, ends, evidence};
use crate::window::Windows;

pub(super) static META: Meta = Meta {
    id: "repeated-commands",
    number: 20,
    finds: "A point was commanded back and forth, a set point so twenty times a second, or many points of a device one after the other, within a minute.",
    innocent: "A test of outputs during commissioning, a sequence of switching operations, an automatic control that cycles.",
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
/// Different points of one device commanded within a minute: a dispatcher selects, checks and operates one in about ten seconds.
const POINTS: usize = 10;
/// Different points kept of a window.
const KEPT: usize = 64;

type Pair = (Addr, Addr, &'static str);

/// How often a point was reversed since when, and what it was commanded to last and before.
#[derive(serde::Serialize, serde::Deserialize)]
struct Reversals {
    since: Ts,
    count: u32,
    values: [u64; 2],
}

/// Reversals by point, and points by device.
pub(super) struct RepeatedCommands {
    points: AgedTable<(Pair, PointId), Reversals>,
    devices: Windows<Pair, PointId>,
    hits: LimitHits,
}

impl RepeatedCommands {
    pub(super) fn new(setup: &Setup) -> Self {
        let points = AgedTable::new(Limit::DetectorSources, setup.limits.get(Limit::DetectorSources));
        RepeatedCommands { points, devices: Windows::new(setup, MINUTE, KEPT), hits: LimitHits::default() }
    }

    /// Notes a command; gives back the reversals of its point when there are too many.
    fn reversed(&mut self, key: (Pair, PointId), op: &Op, ts: Ts) -> Option<(Ts, u32)> {
        let value = op.value?.to_bits();
        let Some(r) = self.points.get_mut(&key) else {
            if self.points.insert(key, Reversals { since: ts, count: 0, values: [value; 2] }).is_some() {
                self.hits.hit(Limit::DetectorSources);
            }
            return None;
        };
        if ts.since(r.since) > MINUTE {
            (r.since, r.count) = (ts, 0);
        }
        let [before, last] = r.values;
        if value != last {
            // A switch has two positions, a set point returns where it is set to what it was before.
            let is_reversal = op.class == OpClass::Control || value == before;
            r.count = r.count.saturating_add(u32::from(is_reversal));
            r.values = [last, value];
        }
        (r.count >= limit(op, &key.1)).then_some((r.since, r.count))
    }
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
    super::keeps!(points, devices);

    fn wants(&self) -> FactKinds {
        FactKinds::REQUEST
    }

    fn fact(&mut self, fact: &Fact, flow: &FlowConst, look: &mut Look<'_>) {
        let Body::Op(op) = &fact.body else { return };
        let is_control = op.class == OpClass::Control;
        let Some(point) = op.point.filter(|_| (is_control || op.class == OpClass::SetPoint) && !op.is_answer) else {
            return;
        };
        let (src, dst) = ends(fact, flow);
        let pair = (src.addr, dst.addr, op.proto);
        let reversed = self.reversed((pair, point), op, fact.ts);
        let many = if is_control { self.devices.count(pair, fact.ts, point) } else { None };
        let many = many.filter(|w| w.kinds.len() >= POINTS).map(|w| (w.since, w.kinds.len()));
        let (kind, since, count, threshold) = match (reversed, many) {
            (Some((since, n)), _) => ("reversals of one point", since, n as usize, limit(op, &point) as usize),
            (None, Some((since, n))) => ("different points commanded", since, n, POINTS),
            _ => return,
        };
        look.see(&Sighting {
            dedup_key: format!("{}>{}:{}:{kind}", src.name(), dst.name(), op.proto),
            attack: &["T0806"],
            proto: op.proto,
            words: &|site| {
                let (a, b) = (site.name(&src), site.name(&dst));
                let title = format!("{a} commands {b} in quick succession");
                let at = site.say_point(&dst, op.proto, point);
                let why = format!("{a} sent {b} {count} {kind} within a minute, the last for {at}.");
                (title, why, evidence(format!("{count} {kind} in a minute"), None, Some(threshold as f64)))
            },
            since: Some(since),
            ..Sighting::of(&META, fact, flow)
        });
    }
    fn hits(&self) -> LimitHits {
        let mut hits = self.hits.clone();
        hits.add(&self.devices.hits);
        hits
    }
}
