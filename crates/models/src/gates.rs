//! What a challenger must pass before it takes the place of the active model: it finds no family of stored attacks worse, by exact test.

use std::collections::BTreeMap;

/// Beyond it a difference is no chance (one-sided).
const ALPHA: f64 = 0.05;

/// One family of attacks, judged by both models on the same rows.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Family {
    /// Rows.
    pub rows: usize,
    /// Rows that the active model finds, and the challenger.
    pub found: [usize; 2],
    /// Rows that only the active model finds, and only the challenger.
    pub only: [usize; 2],
}

impl Family {
    /// Why the challenger is worse here; none where it is not.
    pub fn worse(&self) -> Option<String> {
        let [active, new] = self.found;
        if active > 0 && new == 0 {
            return Some(format!("finds none of {} rows, the active model {active}", self.rows));
        }
        let [b, c] = self.only;
        let p = tail(b, b + c);
        (b > c && p < ALPHA)
            .then(|| format!("finds {new} of {} rows, the active model {active} (McNemar, exact: p {p:.3})", self.rows))
    }
}

/// P(X ≥ k) of n fair coins.
fn tail(k: usize, n: usize) -> f64 {
    let ln = |x: usize| (1..=x).map(|i| (i as f64).ln()).sum::<f64>();
    let all = ln(n);
    let half = n as f64 * 0.5f64.ln();
    (k..=n).map(|i| (all - ln(i) - ln(n - i) + half).exp()).sum::<f64>().min(1.0)
}

/// Families of a labelled library: for each row its label and whether the active model and the challenger find it.
pub fn families<'a>(rows: impl Iterator<Item = (&'a str, bool, bool)>) -> BTreeMap<String, Family> {
    let mut all: BTreeMap<String, Family> = BTreeMap::new();
    for (label, active, new) in rows {
        let f = all.entry(label.to_owned()).or_default();
        f.rows += 1;
        f.found[0] += usize::from(active);
        f.found[1] += usize::from(new);
        f.only[0] += usize::from(active && !new);
        f.only[1] += usize::from(new && !active);
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_family_that_is_found_less_is_refused_and_chance_is_not() {
        let rows = |only_active: usize, only_new: usize, both: usize| {
            let row = |a: bool, n: bool| ("scan", a, n);
            let all = std::iter::repeat_n(row(true, false), only_active)
                .chain(std::iter::repeat_n(row(false, true), only_new))
                .chain(std::iter::repeat_n(row(true, true), both));
            families(all)["scan"].worse()
        };
        assert!(rows(8, 1, 20).is_some());
        assert!(rows(3, 2, 20).is_none());
        assert!(rows(1, 0, 0).unwrap().contains("none"));
        assert!(rows(0, 9, 3).is_none());
        assert!((tail(5, 5) - 1.0 / 32.0).abs() < 1e-12 && (tail(0, 7) - 1.0).abs() < 1e-12);
    }
}
