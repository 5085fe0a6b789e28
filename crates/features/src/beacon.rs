//! How regularly a device turns to another: the timestamp and size scores of RITA 5.1 (`analysis/beacons.go`) over the last hour.
//!
//! RITA adds a duration and a histogram score, which need a day of connections and are left out: the score here is the mean of the two.

use std::collections::{BTreeMap, VecDeque};

use gwcore::time::HOUR;
use gwcore::{Addr, Limit, LimitHits, Limits, Ts};

/// Connections of a pair that are kept.
const KEPT: usize = 512;
/// Connections needed for a score.
const LEAST: usize = 4;

/// Recent connections by pair.
pub(crate) struct Beacons {
    pairs: BTreeMap<(Addr, Addr), VecDeque<(Ts, Option<u64>)>>,
    limit: usize,
    pub(crate) hits: LimitHits,
}

impl Beacons {
    pub(crate) fn new(limits: &Limits) -> Beacons {
        Beacons { pairs: BTreeMap::new(), limit: limits.get(Limit::DetectorSources), hits: LimitHits::default() }
    }

    /// A connection began.
    pub(crate) fn began(&mut self, from: Addr, to: Addr, at: Ts) {
        if to.is_multicast() {
            return;
        }
        if self.pairs.len() >= self.limit && !self.pairs.contains_key(&(from, to)) {
            self.hits.hit(Limit::DetectorSources);
            return;
        }
        let starts = self.pairs.entry((from, to)).or_default();
        if starts.len() >= KEPT {
            starts.pop_front();
        }
        starts.push_back((at, None));
    }

    /// A connection that began at `start` ended; the originator sent so many bytes.
    pub(crate) fn ended(&mut self, from: Addr, to: Addr, start: Ts, bytes: u64) {
        let Some(starts) = self.pairs.get_mut(&(from, to)) else { return };
        if let Some((_, b)) = starts.iter_mut().rev().find(|(at, _)| *at == start) {
            *b = Some(bytes);
        }
    }

    /// Forgets what lies more than an hour before `now`.
    pub(crate) fn forget(&mut self, now: Ts) {
        self.pairs.retain(|_, starts| {
            while starts.front().is_some_and(|(at, _)| now.since(*at) > HOUR) {
                starts.pop_front();
            }
            !starts.is_empty()
        });
    }

    /// The highest score among the pairs that `host` opened.
    pub(crate) fn of(&self, host: Addr) -> Option<f64> {
        let own = self.pairs.range((host, Addr::NONE)..).take_while(|((from, _), _)| *from == host);
        own.filter_map(|(_, starts)| score(starts)).max_by(f64::total_cmp)
    }
}

fn score(starts: &VecDeque<(Ts, Option<u64>)>) -> Option<f64> {
    if starts.len() < LEAST {
        return None;
    }
    let pairs = starts.iter().zip(starts.iter().skip(1));
    let mut gaps: Vec<f64> = pairs.map(|(a, b)| b.0.since(a.0) as f64 / 1e9).filter(|g| *g > 0.0).collect();
    let mut sizes: Vec<f64> = starts.iter().filter_map(|s| s.1).map(|b| b as f64).collect();
    let ts = spread(&mut gaps, 1.0)?;
    // Sizes are known when connections end; what still goes on has none yet.
    Some(spread(&mut sizes, 0.0).map_or(ts, |ds| (ts + ds) / 2.0))
}

/// RITA's mean of the skew score and of the dispersion score; `small` is the latter where the median is below one.
fn spread(values: &mut [f64], small: f64) -> Option<f64> {
    if values.len() < 2 {
        return None;
    }
    values.sort_by(f64::total_cmp);
    let (q1, q2, q3) = (quantile(values, 0.25), quantile(values, 0.5), quantile(values, 0.75));
    let skewed = q3 - q1 >= 10.0 && q2 != q1 && q2 != q3;
    let skew = if skewed { (q1 + q3 - 2.0 * q2) / (q3 - q1) } else { 0.0 };
    let mut off: Vec<f64> = values.iter().map(|v| (v - q2).abs()).collect();
    off.sort_by(f64::total_cmp);
    let dispersion = if q2 < 1.0 { small } else { ((q2 - quantile(&off, 0.5)) / q2).max(0.0) };
    Some(((1.0 - skew.abs()) + dispersion) / 2.0)
}

/// By linear interpolation between order statistics.
fn quantile(sorted: &[f64], q: f64) -> f64 {
    let at = q * (sorted.len().saturating_sub(1)) as f64;
    let (low, part) = (at.floor() as usize, at.fract());
    let a = sorted.get(low).copied().unwrap_or(0.0);
    let b = sorted.get(low + 1).copied().unwrap_or(a);
    a + (b - a) * part
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_by_the_clock_scores_high_and_what_does_not_scores_lower() {
        let by = |times: &[i64]| {
            let mut b = Beacons::new(&Limits::default());
            let (from, to) = (Addr::v4([10, 0, 0, 5]), Addr::v4([8, 8, 8, 8]));
            for t in times {
                b.began(from, to, Ts(t * 1_000_000_000));
                b.ended(from, to, Ts(t * 1_000_000_000), 200);
            }
            b.of(from)
        };
        assert_eq!(by(&[0, 60, 120]), None);
        assert_eq!(by(&[0, 60, 120, 180, 240]), Some(1.0));
        let uneven = by(&[0, 3, 200, 230, 900, 910, 1800]).unwrap();
        assert!(uneven < 0.9, "{uneven}");
    }
}
