//! The learned time in parts that are judged by each other: the days, or pieces of equal length.

use std::collections::BTreeSet;

use gwcore::time::HOUR;
use gwcore::{Body, Fact, Ts};

/// Nanoseconds in a day.
pub const DAY: i64 = 24 * HOUR;
/// Days from which each is judged by the others; fewer are judged by halves.
pub const DAYS: usize = 3;
/// Parts at most: each needs a baseline of its own in memory. Longer spans are cut into as many.
const PARTS: usize = 31;
/// Different days followed; a capture of more is damaged.
const DATES: usize = 100_000;

/// The span of the input, frame by frame.
#[derive(Default)]
pub struct Span {
    pub span: Option<(Ts, Ts)>,
    dates: BTreeSet<i64>,
}

impl Span {
    /// One more frame.
    pub fn frame(&mut self, ts: Ts) {
        let (a, b) = self.span.unwrap_or((ts, ts));
        self.span = Some((a.min(ts), b.max(ts)));
        if self.dates.len() <= DATES {
            self.dates.insert(ts.0.div_euclid(DAY));
        }
    }

    /// The parts: the days where there are some, else two halves, or many pieces; none without a frame.
    pub fn parts(&self) -> Vec<(Ts, Ts)> {
        let Some((first, last)) = self.span else { return Vec::new() };
        if (DAYS..=PARTS).contains(&self.dates.len()) {
            let day = |d: &i64| (Ts(d.saturating_mul(DAY)), Ts(d.saturating_add(1).saturating_mul(DAY)));
            return self.dates.iter().map(day).collect();
        }
        let n = if self.dates.len() > PARTS { PARTS as i64 } else { 2 };
        let length = (last.since(first) / n).saturating_add(1);
        let at = |i: i64| first.plus(i.saturating_mul(length));
        (0..n).map(|i| (at(i), at(i + 1))).collect()
    }
}

/// The part that packet time has reached; a part once left is not entered again.
pub struct At<'a> {
    parts: &'a [(Ts, Ts)],
    part: usize,
}

impl At<'_> {
    pub fn new(parts: &[(Ts, Ts)]) -> At<'_> {
        At { parts, part: 0 }
    }

    /// Hands out facts in runs of one part. A part begins with the first tick that lies in it.
    pub fn split(&mut self, facts: &[Fact], mut give: impl FnMut(usize, &[Fact])) {
        let mut from = 0;
        for (i, fact) in facts.iter().enumerate() {
            if !matches!(fact.body, Body::Tick { .. }) {
                continue;
            }
            let reached = self.parts.partition_point(|(start, _)| *start <= fact.ts).saturating_sub(1);
            if reached > self.part {
                give(self.part, facts.get(from..i).unwrap_or_default());
                (self.part, from) = (reached, i);
            }
        }
        give(self.part, facts.get(from..).unwrap_or_default());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use gwcore::Key;

    #[test]
    fn facts_are_handed_out_by_part() {
        let tick = |h: i64| Fact {
            key: Key::default(),
            ts: Ts(h * HOUR),
            frame: 0,
            flow: gwcore::FlowRef(0),
            body: Body::Tick { frames: 1 },
        };
        let facts: Vec<Fact> = [1, 2, 5, 4, 9].map(tick).to_vec();
        let parts = [(Ts(0), Ts(5 * HOUR)), (Ts(5 * HOUR), Ts(8 * HOUR)), (Ts(8 * HOUR), Ts(10 * HOUR))];
        let (mut at, mut runs) = (At::new(&parts), Vec::new());
        at.split(&facts, |part, facts| runs.push((part, facts.len())));
        assert_eq!(runs, [(0, 2), (1, 2), (2, 1)], "a part once left is not entered again");
    }

    #[test]
    fn three_days_are_parts_and_two_are_halves() {
        let parts = |hours: &[i64]| {
            let mut span = Span::default();
            hours.iter().for_each(|h| span.frame(Ts(h * HOUR)));
            span.parts()
        };
        assert_eq!(parts(&[]), []);
        assert_eq!(parts(&[30, 1, 50]), [(0, 24), (24, 48), (48, 72)].map(|(a, b)| (Ts(a * HOUR), Ts(b * HOUR))));
        assert_eq!(parts(&[0, 30]), [(Ts(0), Ts(15 * HOUR + 1)), (Ts(15 * HOUR + 1), Ts(30 * HOUR + 2))]);
        let many: Vec<i64> = (0..40).map(|d| d * 24).collect();
        assert_eq!(parts(&many).len(), PARTS);
        assert!(parts(&[0]).iter().all(|(a, b)| a < b), "one frame");
        let mut wide = Span::default();
        [i64::MIN, i64::MAX].into_iter().for_each(|t| wide.frame(Ts(t)));
        assert_eq!(wide.parts().len(), 2);
    }
}
