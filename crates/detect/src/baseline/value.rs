//! Types a point from its data, then learns the range of what has one: a state, a measurement, a counter, a number over two registers.

use serde::{Deserialize, Serialize};

/// Different values from which a point is no state.
const STATES: usize = 8;
/// Largest number that is taken for the code of a state without having come again.
const CODE: f64 = 255.0;
/// Changes from which a type is judged.
const ENOUGH: u64 = 20;
/// Mean step over range from which a series looks random: uniform noise has a third.
const ROUGH: f64 = 0.2;
/// Mean step over range up to which a series is a smooth one.
const SMOOTH: f64 = 0.15;

/// What a point turned out to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Too little seen to say.
    Unknown,
    /// A few values.
    State,
    /// A measurement or set point with a range.
    Measurement,
    /// Only grows: no range.
    Counter,
    /// Looks random: no range.
    Random,
    /// First of two registers that hold one number.
    Pair(Wide),
    /// Second of two such registers.
    PairEnd,
}

impl Kind {
    /// The word for it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Kind::Unknown => "not enough seen",
            Kind::State => "state",
            Kind::Measurement => "measurement",
            Kind::Counter => "counter (only grows: no range)",
            Kind::Random => "looks random (no range)",
            Kind::Pair(_) => "number over two registers",
            Kind::PairEnd => "second half of a number over two registers",
        }
    }
}

/// How two registers hold one number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wide {
    /// 32-bit integer, high word first.
    IntHigh,
    /// 32-bit integer, low word first.
    IntLow,
    /// IEEE 754 single, high word first.
    FloatHigh,
    /// IEEE 754 single, low word first.
    FloatLow,
}

impl Wide {
    const ALL: [Wide; 4] = [Wide::IntHigh, Wide::IntLow, Wide::FloatHigh, Wide::FloatLow];

    /// The number in two registers.
    pub(crate) fn read(self, first: u16, second: u16) -> f64 {
        let join = |high: u16, low: u16| u32::from(high) << 16 | u32::from(low);
        match self {
            Wide::IntHigh => f64::from(join(first, second)),
            Wide::IntLow => f64::from(join(second, first)),
            Wide::FloatHigh => f64::from(f32::from_bits(join(first, second))),
            Wide::FloatLow => f64::from(f32::from_bits(join(second, first))),
        }
    }
}

/// A series of numbers in a few figures.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Series {
    pub(crate) count: u64,
    pub(crate) min: f64,
    pub(crate) max: f64,
    last: f64,
    changes: u64,
    falls: u64,
    moved: f64,
    /// Values that no measurement has: not finite, or a float of an absurd magnitude.
    absurd: u64,
}

impl Default for Series {
    fn default() -> Self {
        let (min, max) = (f64::MAX, f64::MIN);
        Series { count: 0, min, max, last: 0.0, changes: 0, falls: 0, moved: 0.0, absurd: 0 }
    }
}

impl Series {
    pub(crate) fn add(&mut self, v: f64) {
        if !v.is_finite() || v.abs() > 1e12 || (v != 0.0 && v.abs() < 1e-9) {
            self.absurd += 1;
            return;
        }
        if self.count > 0 && v != self.last {
            self.changes += 1;
            self.falls += u64::from(v < self.last);
            self.moved += (v - self.last).abs();
        }
        self.count += 1;
        self.last = v;
        self.min = self.min.min(v);
        self.max = self.max.max(v);
    }

    fn merge(&mut self, o: &Series) {
        let empty = self.count == 0;
        self.count = self.count.saturating_add(o.count);
        self.min = self.min.min(o.min);
        self.max = self.max.max(o.max);
        self.changes = self.changes.saturating_add(o.changes);
        self.falls = self.falls.saturating_add(o.falls);
        self.moved += o.moved;
        self.absurd = self.absurd.saturating_add(o.absurd);
        self.last = if empty || o.count > 0 { o.last } else { self.last };
    }

    pub(crate) fn span(&self) -> f64 {
        if self.count == 0 { 0.0 } else { self.max - self.min }
    }

    /// Mean step between different values over the range: 0 is smooth, a third is noise.
    fn roughness(&self) -> f64 {
        if self.changes == 0 || self.span() <= 0.0 { 0.0 } else { self.moved / self.changes as f64 / self.span() }
    }
}

/// What was seen of one point.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Value {
    /// Its values.
    pub(crate) own: Series,
    /// Different values, while they are few.
    pub(crate) states: Vec<f64>,
    many: bool,
    /// This register with the next one, read in each of the four ways.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    wide: Option<Box<[Series; 4]>>,
    /// The protocol calls it a state.
    discrete: bool,
}

impl Value {
    pub(crate) fn add(&mut self, v: f64, discrete: bool) {
        self.own.add(v);
        self.discrete |= discrete;
        if !self.many && !self.states.contains(&v) {
            self.many = self.states.len() >= STATES;
            if !self.many {
                self.states.push(v);
                self.states.sort_by(f64::total_cmp);
            }
        }
    }

    /// The value it had last.
    pub(crate) fn last(&self) -> Option<f64> {
        (self.own.count > 0).then_some(self.own.last)
    }

    /// Takes note of this register together with the next one.
    pub(crate) fn add_pair(&mut self, first: u16, second: u16) {
        let wide = self.wide.get_or_insert_default();
        for (series, way) in wide.iter_mut().zip(Wide::ALL) {
            series.add(way.read(first, second));
        }
    }

    pub(crate) fn merge(&mut self, o: &Value) {
        self.own.merge(&o.own);
        self.many |= o.many;
        self.discrete |= o.discrete;
        for v in &o.states {
            if !self.states.contains(v) {
                self.many |= self.states.len() >= STATES;
                if self.states.len() < STATES {
                    self.states.push(*v);
                }
            }
        }
        self.states.sort_by(f64::total_cmp);
        if let Some(theirs) = &o.wide {
            let mine = self.wide.get_or_insert_default();
            mine.iter_mut().zip(theirs.iter()).for_each(|(m, t)| m.merge(t));
        }
    }

    /// What it is by itself, not looking at its neighbour.
    fn alone(&self) -> Kind {
        let s = &self.own;
        if self.discrete {
            return Kind::State;
        }
        let different = self.states.len() as u64;
        if !self.many {
            // A few values that come again and again are states; a few that hardly do are a set point's. A number with a fraction, or a large
            // one, that was only said again and again has not shown yet where it goes.
            let said_again = s.count >= ENOUGH && s.count >= 4 * different;
            let code = self.states.iter().all(|v| v.fract() == 0.0 && (0.0..=CODE).contains(v));
            let came_again = s.changes >= 2 * different && self.states.iter().all(|v| v.fract() == 0.0);
            return match () {
                () if said_again && (different == 1 || code || came_again) => Kind::State,
                () if said_again && s.changes < ENOUGH => Kind::Unknown,
                () if different >= 3 => Kind::Measurement,
                () => Kind::Unknown,
            };
        }
        if s.changes >= ENOUGH && s.falls == 0 {
            return Kind::Counter;
        }
        if s.changes >= ENOUGH && s.roughness() > ROUGH {
            return Kind::Random;
        }
        Kind::Measurement
    }

    /// What it is; `next` is the register after it, `before` the one before it.
    pub(crate) fn kind(&self, before: Option<&Value>, next: Option<&Value>) -> Kind {
        if let Some(way) = self.pair(next) {
            return Kind::Pair(way);
        }
        if before.is_some_and(|b| b.pair(Some(self)).is_some()) {
            return Kind::PairEnd;
        }
        self.alone()
    }

    /// How it makes one number with the next register: one word alone looks random, both together are smooth.
    fn pair(&self, next: Option<&Value>) -> Option<Wide> {
        let (next, wide) = (next?, self.wide.as_deref()?);
        let rough = |v: &Value| v.many && v.own.changes >= ENOUGH && v.own.roughness() > ROUGH;
        let (high_first, low_first) = (rough(next), rough(self));
        if high_first == low_first {
            return None;
        }
        let fits = |way: Wide| match way {
            Wide::IntHigh | Wide::FloatHigh => high_first,
            Wide::IntLow | Wide::FloatLow => low_first,
        };
        let candidates = wide.iter().zip(Wide::ALL).filter(|(s, way)| {
            // Registers wrap within an integer: without a change of the high word there is nothing that two registers explain.
            let carries = s.span() >= 65_536.0 || matches!(way, Wide::FloatHigh | Wide::FloatLow);
            fits(*way) && s.absurd == 0 && s.changes >= ENOUGH && s.roughness() < SMOOTH && carries
        });
        // The bits of floats grow with them, so they are smooth as integers too; integers below 770 million are absurd as floats.
        let ways: Vec<Wide> = candidates.map(|(_, way)| way).collect();
        ways.iter().copied().find(|w| matches!(w, Wide::FloatHigh | Wide::FloatLow)).or(ways.first().copied())
    }

    /// The range of a number over two registers.
    pub(crate) fn wide(&self, way: Wide) -> Option<&Series> {
        let at = Wide::ALL.iter().position(|w| *w == way)?;
        self.wide.as_deref().and_then(|w| w.get(at))
    }
}

/// Whether a value is a whole register.
pub(crate) fn float(v: f64) -> Option<u16> {
    (v.fract() == 0.0 && (0.0..=65_535.0).contains(&v)).then_some(v as u16)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A slow swing between 100 and 200 with fractions.
    fn swing(i: u32) -> f64 {
        150.0 + 50.0 * (f64::from(i) / 40.0).sin()
    }

    fn two(f: impl Fn(u32) -> (u16, u16)) -> (Value, Value) {
        let (mut a, mut b) = (Value::default(), Value::default());
        for i in 0..400 {
            let (x, y) = f(i);
            a.add(f64::from(x), false);
            b.add(f64::from(y), false);
            a.add_pair(x, y);
        }
        (a, b)
    }

    fn one(f: impl Fn(u32) -> f64) -> Kind {
        let mut v = Value::default();
        (0..400).for_each(|i| v.add(f(i), false));
        v.kind(None, None)
    }

    #[test]
    fn single_registers() {
        assert_eq!(one(|i| swing(i).round()), Kind::Measurement);
        assert_eq!(one(|i| f64::from(i * 3)), Kind::Counter);
        assert_eq!(one(|i| f64::from(i % 3)), Kind::State);
        assert_eq!(one(|i| f64::from(i.wrapping_mul(40_503) % 65_536)), Kind::Random);
        let mut few = Value::default();
        few.add(3.0, false);
        assert_eq!(few.kind(None, None), Kind::Unknown);
        // Said four hundred times, changed once: a code is a state, a measurement may be anything.
        let step = |a: f64, b: f64| one(move |i| if i < 200 { a } else { b });
        assert_eq!(
            [step(1.0, 2.0), step(112.8, 220.7), step(5_000.0, 7_000.0)],
            [Kind::State, Kind::Unknown, Kind::Unknown]
        );
        assert_eq!(one(|i| f64::from(i / 50 % 2) * 5_000.0), Kind::State);
        assert_eq!(one(|_| 48.3), Kind::State);
        assert_eq!(one(|i| f64::from(i / 10 % 5) * 0.7), Kind::Measurement);
    }

    #[test]
    fn floats_and_integers_over_two_registers_in_either_order() {
        let check = |f: &dyn Fn(u32) -> u32, high: Wide, low: Wide| {
            let split = |i| ((f(i) >> 16) as u16, f(i) as u16);
            let (a, b) = two(split);
            assert_eq!((a.kind(None, Some(&b)), b.kind(Some(&a), None)), (Kind::Pair(high), Kind::PairEnd));
            let (a, b) = two(|i| (split(i).1, split(i).0));
            assert_eq!(a.kind(None, Some(&b)), Kind::Pair(low));
        };
        check(&|i| (swing(i) as f32).to_bits(), Wide::FloatHigh, Wide::FloatLow);
        check(&|i| (swing(i) * 10_000.0) as u32, Wide::IntHigh, Wide::IntLow);
        let (a, b) = two(|i| (swing(i) as u16, swing(i + 60) as u16));
        assert_eq!((a.kind(None, Some(&b)), b.kind(Some(&a), None)), (Kind::Measurement, Kind::Measurement));
    }

    #[test]
    fn merged_halves_are_the_whole() {
        let fill = |range: std::ops::Range<u32>| {
            let mut v = Value::default();
            range.for_each(|i| v.add(swing(i).round(), false));
            v
        };
        let mut halves = fill(0..200);
        halves.merge(&fill(200..400));
        let whole = fill(0..400);
        assert_eq!((halves.own.min, halves.own.max, halves.own.count), (whole.own.min, whole.own.max, whole.own.count));
        assert_eq!(halves.kind(None, None), whole.kind(None, None));
    }
}
