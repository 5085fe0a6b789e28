//! A small decision tree (Gini impurity) and the area under its ROC curve, for tests only.

use crate::packet::FEATURES;

/// A binary tree over rows of features; a leaf is the share of marked rows in it.
#[derive(Debug)]
pub enum Tree {
    Leaf(f64),
    Node { feature: usize, limit: f64, low: Box<Tree>, high: Box<Tree> },
}

impl Tree {
    /// Grows a tree of at most this depth; both classes weigh the same, whatever their number, and no leaf has fewer than four rows.
    pub fn grow(rows: &[&[f64; FEATURES]], marks: &[bool], depth: usize) -> Tree {
        let hostile = marks.iter().filter(|mark| **mark).count() as f64;
        let weights = [0.5 / (marks.len() as f64 - hostile).max(1.0), 0.5 / hostile.max(1.0)];
        grow(rows, marks, depth, weights)
    }

    pub fn score(&self, row: &[f64; FEATURES]) -> f64 {
        match self {
            Tree::Leaf(share) => *share,
            Tree::Node { feature, limit, low, high } => {
                if row[*feature] <= *limit {
                    low.score(row)
                } else {
                    high.score(row)
                }
            }
        }
    }
}

fn gini(weight: [f64; 2]) -> f64 {
    let all = weight[0] + weight[1];
    if all == 0.0 { 0.0 } else { 2.0 * weight[0] * weight[1] / all }
}

fn grow(rows: &[&[f64; FEATURES]], marks: &[bool], depth: usize, weights: [f64; 2]) -> Tree {
    let mut total = [0.0; 2];
    for mark in marks {
        total[usize::from(*mark)] += weights[usize::from(*mark)];
    }
    let leaf = Tree::Leaf(total[1] / (total[0] + total[1]).max(f64::MIN_POSITIVE));
    if depth == 0 || rows.len() < 8 || total[0] == 0.0 || total[1] == 0.0 {
        return leaf;
    }
    let mut best: Option<(f64, usize, f64)> = None;
    for feature in 0..FEATURES {
        let mut order: Vec<usize> = (0..rows.len()).collect();
        order.sort_by(|a, b| rows[*a][feature].total_cmp(&rows[*b][feature]));
        let mut below = [0.0; 2];
        for (place, pair) in (1..).zip(order.windows(2)) {
            let mark = usize::from(marks[pair[0]]);
            below[mark] += weights[mark];
            let (here, next) = (rows[pair[0]][feature], rows[pair[1]][feature]);
            if here == next || place < 4 || rows.len() - place < 4 {
                continue;
            }
            let impurity = gini(below) + gini([total[0] - below[0], total[1] - below[1]]);
            if best.is_none_or(|(least, ..)| impurity < least) {
                best = Some((impurity, feature, (here + next) / 2.0));
            }
        }
    }
    let Some((_, feature, limit)) = best.filter(|best| best.0 < gini(total) - 1e-9) else { return leaf };
    let half = |is_low: bool| {
        let chosen = || rows.iter().zip(marks).filter(move |(row, _)| (row[feature] <= limit) == is_low);
        let (rows, marks): (Vec<_>, Vec<_>) = chosen().map(|(row, mark)| (*row, *mark)).unzip();
        Box::new(grow(&rows, &marks, depth - 1, weights))
    };
    Tree::Node { feature, limit, low: half(true), high: half(false) }
}

/// The share of pairs in which the hostile one scores higher; ties count half.
pub fn auc(benign: &[f64], hostile: &[f64]) -> f64 {
    let mut sum = 0.0;
    for h in hostile {
        sum += benign.iter().map(|b| if h > b { 1.0 } else { f64::from(u8::from(h == b)) / 2.0 }).sum::<f64>();
    }
    sum / (benign.len() as f64 * hostile.len() as f64)
}

#[test]
fn a_tree_finds_what_is_there_and_nothing_else() {
    let row = |value: f64| {
        let mut row = [1.0; FEATURES];
        row[3] = value;
        row
    };
    let rows: Vec<[f64; FEATURES]> = (0..40).map(|i| row(f64::from(i))).collect();
    let rows: Vec<&[f64; FEATURES]> = rows.iter().collect();
    // The middle is hostile, which takes two cuts.
    let marks: Vec<bool> = (0..40).map(|i| (10..20).contains(&i)).collect();
    let tree = Tree::grow(&rows, &marks, 4);
    assert_eq!((tree.score(&row(15.0)), tree.score(&row(3.0)), tree.score(&row(30.0))), (1.0, 0.0, 0.0));
    let same: Vec<&[f64; FEATURES]> = vec![rows[0]; 40];
    assert!(matches!(Tree::grow(&same, &marks, 4), Tree::Leaf(share) if (share - 0.5).abs() < 1e-9));
    assert_eq!(auc(&[0.0, 1.0], &[1.0, 2.0]), 0.875);
}
