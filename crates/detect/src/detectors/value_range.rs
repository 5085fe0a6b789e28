//! A command or set point outside the range it had, and measurements outside theirs as facts.

use std::sync::Arc;

use gwcore::{Addr, Basis, Body, Fact, FactKinds, FlowConst, InPacket, PointId, Sample, Severity};

use super::{Detector, Look, Meta};
use crate::baseline::{Baseline, Class, Key, Kind, Series, Value, float, is_register, who};
use crate::fold::{End, Sighting, ends, evidence};
use crate::novelty::Novelty;
use crate::site::number;
use crate::{Setup, Site};

pub(super) static META: Meta = Meta {
    id: "value-range",
    number: 47,
    finds: "A command or set point lay outside the range that was learned or declared for its point; a measurement outside it is a fact.",
    innocent: "An unusual but wanted operating point, a season that was not learned, a test.",
    call: "the control room, with point and value",
    attack: &["T0836"],
    needs: "a baseline or declared limits, decoded utility protocol",
    severity: Severity::Info,
};

/// Part of the learned range that a value may lie beyond it.
const MARGIN: f64 = 0.1;
/// Part of the largest value that is allowed beyond it, for ranges of a single value.
const SINGLE: f64 = 0.02;
/// How many widths beyond its learned range one more value of a hundred lies by chance (Student's prediction interval, the deviation taken
/// from the range): for three, four and five values, then this over their number. Fewer are no range.
const CHANCE: [f64; 3] = [6.3, 2.7, 1.7];
const CHANCE_OF_MANY: f64 = 6.0;

/// Compares values with the baseline and the declaration.
pub(super) struct ValueRange {
    points: Option<Novelty>,
    controls: Option<Novelty>,
    site: Arc<Site>,
    /// The register before, with its frame: the other half of a number over two.
    before: Option<(Key, u64, u16)>,
}

impl ValueRange {
    pub(super) fn new(setup: &Setup) -> Self {
        ValueRange {
            points: Novelty::new(setup, Class::Point),
            controls: Novelty::new(setup, Class::Control),
            site: setup.site.clone(),
            before: None,
        }
    }
}

/// What was expected of a value that is not so.
struct Outside {
    value: f64,
    at: PointId,
    expected: String,
    kind: Kind,
    seen: u64,
    /// Beyond what the learned range is uncertain by.
    far: bool,
}

impl Detector for ValueRange {
    super::keeps!(learned words; before);

    fn wants(&self) -> FactKinds {
        FactKinds::SAMPLE | FactKinds::WRITTEN
    }

    fn learned(&mut self, setup: &Setup) {
        *self = Self::new(setup);
    }

    fn fact(&mut self, fact: &Fact, flow: &FlowConst, look: &mut Look<'_>) {
        let Body::Sample(s) = fact.body else { return };
        let (sender, receiver) = ends(fact, flow);
        let (client, server) = if s.write { (sender, receiver) } else { (receiver, sender) };
        if let Some(expected) = self.declared(&s, &server) {
            let outside =
                Outside { value: s.value, at: s.point, expected, kind: Kind::Measurement, seen: 0, far: true };
            return see(&s, (client, server), &outside, None, fact, flow, look);
        }
        let novelty = if s.write { &self.controls } else { &self.points };
        let Some(novelty) = novelty.as_ref().filter(|_| s.good) else { return };
        let class = if s.write { Class::Control } else { Class::Point };
        let Some(key) = novelty.baseline.point(class, (Addr::NONE, who(&server)), s.proto, s.point) else { return };
        // A source that never commanded this point is told as such.
        if s.write && novelty.baseline.seen(&Key { a: who(&client), ..key }).is_none() {
            return;
        }
        let before = self.before.take();
        let outside = outside(&novelty.baseline, key, &s, before, fact.frame);
        self.before = if is_register(&s) { float(s.value).map(|w| (key, fact.frame, w)) } else { None };
        if let Some(outside) = outside {
            see(&s, (client, server), &outside, Some(novelty), fact, flow, look);
        }
    }
}

impl ValueRange {
    /// The declared limits, if the value lies outside them.
    fn declared(&self, s: &Sample, server: &End) -> Option<String> {
        let p = self.site.point(server, s.proto, s.point)?;
        let v = s.value * p.scale;
        let (low, high) = p.limits;
        let out = low.is_some_and(|l| v < l) || high.is_some_and(|h| v > h);
        let say = |limit: Option<f64>| limit.map_or("any".to_owned(), number);
        out.then(|| format!("{} to {} {}", say(low), say(high), p.unit).trim_end().to_owned())
    }
}

fn outside(b: &Baseline, key: Key, s: &Sample, before: Option<(Key, u64, u16)>, frame: u64) -> Option<Outside> {
    let (kind, value, range) = b.value(&key)?;
    match kind {
        Kind::State => state(value, s),
        Kind::Measurement => beyond(range?, s.value, s.point, kind),
        Kind::PairEnd => {
            let (first, at, word) = before?;
            let follows = at == frame && Key { n: (first.n.0, first.n.1.wrapping_add(1)), ..first } == key;
            let (Kind::Pair(way), _, Some(range)) = b.value(&first)? else { return None };
            let joined = way.read(word, float(s.value)?);
            let at = PointId { address: first.n.1, ..s.point };
            if follows { beyond(range, joined, at, Kind::Pair(way)) } else { None }
        }
        _ => None,
    }
}

/// Widths beyond the range of so many values that are chance; none where they are no range.
fn chance(values: u64) -> Option<f64> {
    let at = usize::try_from(values.checked_sub(3)?).unwrap_or(usize::MAX);
    Some(CHANCE.get(at).copied().unwrap_or(CHANCE_OF_MANY / values as f64))
}

fn state(value: &Value, s: &Sample) -> Option<Outside> {
    if value.states.contains(&s.value) {
        return None;
    }
    let known: Vec<String> = value.states.iter().map(|v| number(*v)).collect();
    let expected = known.join(", ");
    Some(Outside { value: s.value, at: s.point, expected, kind: Kind::State, seen: value.own.count, far: false })
}

fn beyond(range: &Series, v: f64, at: PointId, kind: Kind) -> Option<Outside> {
    let margin = (MARGIN * range.span()).max(SINGLE * range.min.abs().max(range.max.abs()));
    let within = |margin: f64| v >= range.min - margin && v <= range.max + margin;
    let far = chance(range.count).is_some_and(|widths| !within(margin.max(widths * range.span())));
    let expected = format!("{} to {}", number(range.min), number(range.max));
    (!within(margin)).then_some(Outside { value: v, at, expected, kind, seen: range.count, far })
}

/// The value as it stands in the packets, with the learned states or range, else the declared limits in raw values; a number over two
/// registers stands in neither of them.
fn in_packet(s: &Sample, o: &Outside, server: &End, novelty: Option<&Novelty>, site: &Site) -> Option<InPacket> {
    let field = match s.proto {
        "modbus" => "modbus.values",
        "dnp3" => "dnp3.objects.value",
        "iec104" => "iec104.objects.value",
        "s7comm" => "s7comm.items.values",
        _ => return None,
    };
    let class = if s.write { Class::Control } else { Class::Point };
    let (states, range) = match novelty {
        Some(n) => {
            let key = n.baseline.point(class, (Addr::NONE, who(server)), s.proto, o.at)?;
            let (kind, value, range) = n.baseline.value(&key)?;
            let states = if kind == Kind::State { value.states.clone() } else { Vec::new() };
            (states, range.filter(|_| kind == Kind::Measurement).map(|r| [Some(r.min), Some(r.max)]))
        }
        None => {
            let p = site.point(server, s.proto, s.point)?;
            let (low, high) = (p.limits.0.map(|v| v / p.scale), p.limits.1.map(|v| v / p.scale));
            (Vec::new(), Some(if p.scale < 0.0 { [high, low] } else { [low, high] }))
        }
    };
    let of = serde_json::json!({"table": o.at.table, "unit": o.at.unit, "address": o.at.address});
    let named = InPacket { range, ..InPacket::new(field, o.value, states) };
    (!matches!(o.kind, Kind::Pair(_))).then(|| named.of(of))
}

fn see(
    s: &Sample,
    (client, server): (End, End),
    o: &Outside,
    novelty: Option<&Novelty>,
    fact: &Fact,
    flow: &FlowConst,
    look: &mut Look<'_>,
) {
    let severity = match (s.write, novelty) {
        (false, _) => Severity::Info,
        (true, None) => Severity::Medium,
        (true, Some(_)) if !o.far => Severity::Low,
        (true, Some(n)) => n.weigh(Severity::Medium, &server),
    };
    let kind = if s.write { "command" } else { "value" };
    look.see(&Sighting {
        dedup_key: format!("{}:{}:{}:{}:{}:{kind}", server.name(), s.proto, o.at.table, o.at.unit, o.at.address),
        severity,
        basis: if novelty.is_some() { Basis::Learned } else { Basis::Declared },
        attack: if s.write { &["T0836"] } else { &[] },
        proto: s.proto,
        src: if s.write { client } else { server },
        dst: if s.write { server } else { client },
        words: &|site| {
            let (point, to) = (site.say_point(&server, s.proto, o.at), site.name(&server));
            let value = match o.kind {
                Kind::Pair(_) => number(o.value),
                _ => site.say_value(&server, s.proto, o.at, o.value),
            };
            let title = format!("{point} of {to} outside its range: {value}");
            let what = if s.write {
                format!("{} set {point} of {to} to {value}", site.name(&client))
            } else {
                format!("{to} reported {value} for {point}")
            };
            let why = match (novelty, o.kind) {
                (None, _) => format!("{what}; its declared limits are {}.", o.expected),
                (_, Kind::State) if o.expected.contains(", ") => {
                    format!("{what}; before, it was one of {}.", o.expected)
                }
                (_, Kind::State) => format!("{what}; before, it was always {}.", o.expected),
                _ => format!("{what}; before, it lay within {}.", o.expected),
            };
            let mut e = match novelty {
                Some(n) => n.evidence(value, Some(o.expected.clone())),
                None => evidence(value, Some(&o.expected), None),
            };
            e.seen = Some(o.seen);
            e.more.insert("type".into(), o.kind.name().into());
            (title, why, e.naming(in_packet(s, o, &server, novelty, site)))
        },
        ..Sighting::of(&META, fact, flow)
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_values_make_a_wide_range_and_two_make_none() {
        assert_eq!([2, 3, 5, 6, 60].map(chance), [None, Some(6.3), Some(1.7), Some(1.0), Some(0.1)]);
        let point = PointId { table: "holding_register", unit: 1, address: 1 };
        let far = |values: &[f64], v: f64| {
            let mut s = Series::default();
            values.iter().for_each(|v| s.add(*v));
            beyond(&s, v, point, Kind::Measurement).map(|o| o.far)
        };
        assert_eq!(far(&[100.0, 110.0, 120.0], 120.4), None);
        assert_eq!(far(&[100.0, 110.0, 120.0], 245.0), Some(false));
        assert_eq!(far(&[100.0, 110.0, 120.0], 247.0), Some(true));
        assert_eq!(far(&[100.0, 120.0], 900.0), Some(false));
    }
}
