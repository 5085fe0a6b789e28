//! How regularly something repeats: a histogram of the times between, on a logarithmic scale, small enough to keep for every poll.

use std::collections::BTreeMap;

use gwcore::time::MILLI;
use serde::{Deserialize, Serialize};

/// Steps of the scale to a factor of two: neighbouring steps differ by a fifth.
const STEPS: f64 = 4.0;
/// Times from which there is a period.
const ENOUGH: u64 = 20;
/// Share of times that lie at the period, for there to be one.
const REGULAR: f64 = 0.75;
/// Steps to each side that still belong to the period.
const JITTER: i16 = 2;

/// Times between repetitions.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Rhythm {
    steps: BTreeMap<i16, u64>,
}

impl Rhythm {
    pub(crate) fn add(&mut self, between: i64) {
        let times = self.steps.entry(step(between)).or_default();
        *times = times.saturating_add(1);
    }

    pub(crate) fn merge(&mut self, other: &Rhythm) {
        for (s, n) in &other.steps {
            let mine = self.steps.entry(*s).or_default();
            *mine = mine.saturating_add(*n);
        }
    }

    pub(crate) fn count(&self) -> u64 {
        self.steps.values().fold(0, |sum, n| sum.saturating_add(*n))
    }

    /// The period in nanoseconds, if the times are regular enough to have one.
    pub(crate) fn period(&self) -> Option<i64> {
        let total = self.count();
        if total < ENOUGH {
            return None;
        }
        let mut below = 0;
        let median = self.steps.iter().find(|(_, n)| {
            below = n.saturating_add(below);
            below.saturating_mul(2) >= total
        })?;
        let near: u64 = self
            .steps
            .range(median.0.saturating_sub(JITTER)..=median.0.saturating_add(JITTER))
            .fold(0, |sum, (_, n)| sum.saturating_add(*n));
        (near as f64 >= REGULAR * total as f64).then(|| nanos(*median.0))
    }

    /// Whether a time between repetitions was ever as long as this one or longer.
    pub(crate) fn longest(&self) -> i64 {
        self.steps.keys().next_back().map_or(0, |s| nanos(s.saturating_add(1)))
    }
}

/// Whether two periods differ by more than jitter.
pub(crate) fn differs(a: i64, b: i64) -> bool {
    step(a).abs_diff(step(b)) > JITTER.unsigned_abs()
}

fn step(ns: i64) -> i16 {
    let ms = (ns.max(MILLI) as f64) / MILLI as f64;
    (ms.log2() * STEPS).round() as i16
}

fn nanos(step: i16) -> i64 {
    (f64::from(step) / STEPS).exp2().mul_add(MILLI as f64, 0.0) as i64
}

#[cfg(test)]
mod tests {
    use super::*;
    use gwcore::time::SECOND;

    fn rhythm(times: &[i64]) -> Rhythm {
        let mut r = Rhythm::default();
        times.iter().for_each(|t| r.add(*t));
        r
    }

    #[test]
    fn a_poll_with_jitter_has_a_period_and_two_mixed_ones_have_none() {
        let jittered: Vec<i64> = (0..40).map(|i| 2 * SECOND + (i % 5) * 50 * MILLI).collect();
        let period = rhythm(&jittered).period().unwrap();
        assert!(!differs(period, 2 * SECOND + 100 * MILLI), "{period}");
        assert_eq!(rhythm(&jittered[..19]).period(), None, "too few");
        let mixed: Vec<i64> = (0..40).map(|i| if i % 2 == 0 { SECOND } else { 10 * SECOND }).collect();
        assert_eq!(rhythm(&mixed).period(), None);
    }

    #[test]
    fn a_third_is_no_jitter_twice_is_a_change() {
        assert!(!differs(SECOND, 1_300 * MILLI));
        assert!(differs(SECOND, 2 * SECOND) && differs(2 * SECOND, SECOND));
    }
}
