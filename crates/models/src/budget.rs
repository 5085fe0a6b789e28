//! A threshold from the site's own clean days: the lowest one at which they would have raised no more alarm episodes a day than allowed.

use crate::live::Usual;

/// Silence that ends an episode, in seconds.
const SILENCE: f64 = 300.0;

/// A scored row of a clean day.
#[derive(Clone, Debug)]
pub struct Clean {
    /// Beginning of its minute, in seconds.
    pub at: f64,
    /// Device or pair.
    pub who: u64,
    /// Score.
    pub score: f64,
}

/// A threshold and what it would have raised.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Budget {
    /// The threshold.
    pub threshold: f64,
    /// Alarm episodes that the clean days would have raised.
    pub episodes: usize,
    /// Days with rows among them.
    pub days: f64,
}

/// Episodes of rows above a threshold: five minutes without one end an episode of a device. `rows` stand in order of device, then time.
fn episodes(rows: &[Clean], threshold: f64) -> usize {
    let mut count = 0;
    let mut last: Option<(u64, f64)> = None;
    for r in rows.iter().filter(|r| r.score > threshold) {
        if !last.is_some_and(|(who, at)| who == r.who && r.at - at <= SILENCE) {
            count += 1;
        }
        last = Some((r.who, r.at));
    }
    count
}

/// The lowest threshold with at most `per_day` episodes a day; none without rows. Under a day of rows counts as a day: a part of a day says
/// nothing of its other hours, and the allowance does not shrink below one day's.
pub fn budget(mut rows: Vec<Clean>, per_day: f64) -> Option<Budget> {
    rows.retain(|r| r.score.is_finite());
    rows.sort_by(|a, b| a.who.cmp(&b.who).then(a.at.total_cmp(&b.at)));
    let (first, last) = rows.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(a, b), r| (a.min(r.at), b.max(r.at)));
    let span = (last - first) / 86_400.0;
    if rows.is_empty() {
        return None;
    }
    let days = span.max(1.0);
    let allowed = (per_day * days).floor() as usize;
    let mut scores: Vec<f64> = rows.iter().map(|r| r.score).collect();
    scores.sort_by(f64::total_cmp);
    scores.dedup();
    // Episodes fall as the threshold rises, but for episodes that a higher one cuts in two: look upwards from where the count fits.
    let (mut low, mut high) = (0, scores.len() - 1);
    while low < high {
        let middle = (low + high) / 2;
        if episodes(&rows, scores[middle]) <= allowed { high = middle } else { low = middle + 1 }
    }
    let at = (low..scores.len()).find(|i| episodes(&rows, scores[*i]) <= allowed).unwrap_or(scores.len() - 1);
    // Half-way to the next one, so that a score of the same row is no matter of the last bit.
    let threshold = scores.get(at + 1).map_or(scores[at], |next| scores[at] + (next - scores[at]) / 2.0);
    Some(Budget { threshold, episodes: episodes(&rows, threshold), days: span })
}

/// What is usual of each column of rows.
pub fn usual(names: &[String], rows: &[f32]) -> Vec<Usual> {
    let width = names.len();
    let mut all = Vec::with_capacity(width);
    for (i, name) in names.iter().enumerate() {
        let mut column: Vec<f32> = rows.iter().skip(i).step_by(width.max(1)).copied().filter(|x| !x.is_nan()).collect();
        column.sort_by(f32::total_cmp);
        let Some(last) = column.len().checked_sub(1) else { continue };
        let at = |q: f64| column[(last as f64 * q).round() as usize];
        all.push(Usual { name: name.clone(), low: at(0.01), middle: at(0.5), high: at(0.99) });
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clean_days_raise_no_more_than_the_budget() {
        let rows: Vec<Clean> = (0..2_880)
            .map(|m| Clean {
                at: f64::from(m) * 60.0,
                who: u64::from(m as u32 % 7),
                score: f64::from((m * 7_919) % 1_000) / 1_000.0,
            })
            .collect();
        for per_day in [0.0, 1.0, 3.0, 10.0] {
            let b = budget(rows.clone(), per_day).unwrap();
            assert!(b.episodes as f64 <= per_day * b.days.max(1.0), "{b:?}");
        }
        assert!(budget(rows.clone(), 10.0).unwrap().threshold < budget(rows, 1.0).unwrap().threshold);
        assert_eq!(budget(Vec::new(), 3.0), None);
    }

    #[test]
    fn minutes_in_a_row_are_one_episode() {
        let at = |m: f64, who| Clean { at: m * 60.0, who, score: 1.0 };
        let rows = vec![at(0.0, 1), at(1.0, 1), at(6.0, 1), at(12.0, 1), at(12.0, 2)];
        assert_eq!(episodes(&rows, 0.5), 3);
    }

    #[test]
    fn usual_leaves_out_what_is_missing() {
        let rows: Vec<f32> = (0..200).flat_map(|i| [i as f32, f32::NAN]).collect();
        let u = usual(&["a".into(), "b".into()], &rows);
        assert_eq!(u.len(), 1);
        assert_eq!((u[0].low, u[0].middle, u[0].high), (2.0, 100.0, 197.0));
    }
}
