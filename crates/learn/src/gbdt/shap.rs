//! Exact path-dependent Shapley values of trees by quadrature: linear in leaves and depth.
//!
//! With the features of S known, a leaf of value v counts v ∏ o over S ∏ z over the rest, where o is 1 if the row answers all decisions on a
//! feature as the leaf's path does and z is the share of training rows that do. The Shapley value of feature i is then
//! v (o − z) ∫₀¹ ∏ over the others (z + t (o − z)) dt, a polynomial in t that Gauss and Legendre's points integrate exactly. Going down, the
//! product is carried at each point; going up, sums over the leaves below an edge give the edge's feature its part.

use super::tree::{Ensemble, Tree};

/// An edge into a child: what its feature counts below it.
#[derive(Debug)]
struct Edge {
    /// The child: another node, or a leaf as `!index`.
    child: i32,
    feature: u32,
    threshold: f32,
    missing_left: bool,
    is_left: bool,
    /// The nearest edge above with the same feature.
    above: Option<u32>,
    /// Depth in edges, from 0.
    depth: u32,
    /// z over all edges of this feature down to here.
    share: f64,
}

/// An ensemble made ready for explanations.
#[derive(Debug)]
pub struct Explainer<'a> {
    ensemble: &'a Ensemble,
    trees: Vec<Vec<Edge>>,
    /// By tree: for each edge, for o = 0 and 1, one over z + t (o − z) at each point.
    inverses: Vec<Vec<[f64; 4]>>,
    points: Vec<[f64; 4]>,
    weights: Vec<[f64; 4]>,
    depth: usize,
    /// What each output expects of an unknown row.
    expected: Vec<f64>,
}

impl<'a> Explainer<'a> {
    /// Of an ensemble that was checked.
    pub fn new(ensemble: &'a Ensemble) -> Explainer<'a> {
        let k = ensemble.outputs();
        let mut expected = ensemble.base.clone();
        let (mut trees, mut most, mut depth) = (Vec::new(), 1, 0);
        for (at, tree) in ensemble.trees.iter().enumerate() {
            let edges = edges(tree);
            for edge in &edges {
                depth = depth.max(edge.depth as usize + 1);
            }
            most = most.max(most_features(&edges));
            expected[at % k] += mean(tree);
            trees.push(edges);
        }
        // n points are exact to degree 2n − 1; the polynomial's degree is the features of a path less one. Groups of four for the machine.
        let (p, w) = gauss_legendre(most.div_ceil(2).next_multiple_of(4));
        let groups = match p.len() / 4 {
            few @ 1..=4 => few,
            _ => 8,
        };
        let mut points = vec![[0.5; 4]; groups];
        let mut weights = vec![[0.0; 4]; groups];
        for (at, (p, w)) in p.iter().zip(&w).enumerate() {
            points[at / 4][at % 4] = *p;
            weights[at / 4][at % 4] = *w;
        }
        let inverses = trees.iter().map(|edges: &Vec<Edge>| inverses(edges, &points)).collect();
        Explainer { ensemble, trees, inverses, points, weights, depth, expected }
    }

    /// What each output expects of an unknown row; the values of a row add up to its margin less this.
    pub fn expected(&self) -> &[f64] {
        &self.expected
    }

    /// Values of a row: output by output, feature by feature.
    pub fn values(&self, row: &[f32]) -> Vec<f64> {
        let (k, width) = (self.ensemble.outputs(), self.ensemble.width);
        let mut out = vec![0.0; k * width];
        match self.points.len() {
            1 => self.run::<1>(row, &mut out),
            2 => self.run::<2>(row, &mut out),
            3 => self.run::<3>(row, &mut out),
            4 => self.run::<4>(row, &mut out),
            _ => self.run::<8>(row, &mut out),
        }
        out
    }

    fn run<const C: usize>(&self, row: &[f32], out: &mut [f64]) {
        let (k, width) = (self.ensemble.outputs(), self.ensemble.width);
        let mut points = [[0.5f64; 4]; C];
        let mut weights = [[0.0f64; 4]; C];
        points.copy_from_slice(&self.points);
        weights.copy_from_slice(&self.weights);
        // By depth: the product down to there, the sums from below, whether the row follows, and which edge it is.
        let mut levels = vec![Level::<C>::default(); self.depth + 1];
        let mut agrees: Vec<bool> = Vec::new();
        for (at, (edges, tree)) in self.trees.iter().zip(&self.ensemble.trees).enumerate() {
            let inverses = &self.inverses[at];
            if edges.is_empty() {
                continue;
            }
            let out = &mut out[at % k * width..at % k * width + width];
            agrees.clear();
            agrees.resize(edges.len(), false);
            levels[0].product = [[1.0; 4]; C];
            let mut open = 0usize;
            for (number, edge) in edges.iter().enumerate() {
                let depth = edge.depth as usize;
                // Edges that lie beside this one are done: they hand their sums up.
                while open > depth {
                    close(&mut levels, open, edges, &agrees, inverses, &weights, out);
                    open -= 1;
                }
                let x = row[edge.feature as usize];
                let left = if x.is_nan() { edge.missing_left } else { x <= edge.threshold };
                let over = edge.above.map(|a| (agrees[a as usize], edges[a as usize].share));
                let o = (left == edge.is_left) && over.is_none_or(|(o, _)| o);
                agrees[number] = o;
                let (lower, upper) = levels.split_at_mut(depth + 1);
                let (from, to) = (&lower[depth], &mut upper[0]);
                to.edge = number;
                let z = edge.share;
                let slope = f64::from(u8::from(o)) - z;
                match over {
                    None => {
                        for c in 0..C {
                            for l in 0..4 {
                                to.product[c][l] = from.product[c][l] * (z + points[c][l] * slope);
                            }
                        }
                    }
                    Some((o2, _)) => {
                        let above = edge.above.map_or(0, |a| a as usize);
                        let inverse = &inverses[(above * 2 + usize::from(o2)) * C..][..C];
                        for c in 0..C {
                            for l in 0..4 {
                                to.product[c][l] = from.product[c][l] * ((z + points[c][l] * slope) * inverse[c][l]);
                            }
                        }
                    }
                }
                if edge.child < 0 {
                    let value = f64::from(tree.leaves[!edge.child as usize]);
                    for c in 0..C {
                        for l in 0..4 {
                            to.sum[c][l] = to.product[c][l] * value;
                        }
                    }
                } else {
                    to.sum = [[0.0; 4]; C];
                }
                open = depth + 1;
            }
            while open > 0 {
                close(&mut levels, open, edges, &agrees, inverses, &weights, out);
                open -= 1;
            }
        }
    }
}

/// The edge at a level is done: its feature gets its part, its sums go up.
#[inline]
fn close<const C: usize>(
    levels: &mut [Level<C>],
    level: usize,
    edges: &[Edge],
    agrees: &[bool],
    inverses: &[[f64; 4]],
    weights: &[[f64; 4]; C],
    out: &mut [f64],
) {
    let (lower, upper) = levels.split_at_mut(level);
    let (from, to) = (&upper[0], &mut lower[level - 1]);
    let edge = &edges[from.edge];
    let part = |edge: usize| {
        let o = usize::from(agrees[edge]);
        let inverse = &inverses[(edge * 2 + o) * C..][..C];
        let mut part = [0.0f64; 4];
        for c in 0..C {
            for l in 0..4 {
                part[l] += weights[c][l] * from.sum[c][l] * inverse[c][l];
            }
        }
        (o as f64 - edges[edge].share) * ((part[0] + part[1]) + (part[2] + part[3]))
    };
    out[edge.feature as usize] += part(from.edge) - edge.above.map_or(0.0, |above| part(above as usize));
    if level > 1 {
        for c in 0..C {
            for l in 0..4 {
                to.sum[c][l] += from.sum[c][l];
            }
        }
    }
}

/// One over z + t (o − z), for each edge, o and point.
fn inverses(edges: &[Edge], points: &[[f64; 4]]) -> Vec<[f64; 4]> {
    let mut out = Vec::with_capacity(edges.len() * 2 * points.len());
    for edge in edges {
        for o in [0.0, 1.0] {
            out.extend(points.iter().map(|p| p.map(|t| 1.0 / (edge.share + t * (o - edge.share)))));
        }
    }
    out
}

#[derive(Clone)]
struct Level<const C: usize> {
    product: [[f64; 4]; C],
    sum: [[f64; 4]; C],
    edge: usize,
}

impl<const C: usize> Default for Level<C> {
    fn default() -> Self {
        Level { product: [[0.0; 4]; C], sum: [[0.0; 4]; C], edge: 0 }
    }
}

/// The edges of a tree, each before those below it.
fn edges(tree: &Tree) -> Vec<Edge> {
    let mut out: Vec<Edge> = Vec::with_capacity(tree.nodes.len() * 2);
    let cover = |child: i32| {
        let cover = if child < 0 { tree.covers[!child as usize] } else { tree.nodes[child as usize].cover };
        f64::from(cover).max(1e-9)
    };
    if tree.nodes.is_empty() {
        return out;
    }
    // Node, depth, and for each feature on the path its nearest edge.
    let mut open: Vec<(i32, bool, u32, Vec<(u32, u32)>)> = vec![(0, false, 0, vec![]), (0, true, 0, vec![])];
    while let Some((node, is_left, depth, path)) = open.pop() {
        let n = &tree.nodes[node as usize];
        let child = if is_left { n.left } else { n.right };
        let above = path.iter().find(|(f, _)| *f == n.feature).map(|(_, e)| *e);
        let ratio = cover(child) / (cover(n.left) + cover(n.right));
        let share = ratio * above.map_or(1.0, |e| out[e as usize].share);
        let number = out.len() as u32;
        out.push(Edge {
            child,
            feature: n.feature,
            threshold: n.threshold,
            missing_left: n.missing_left,
            is_left,
            above,
            depth,
            share,
        });
        if child >= 0 {
            let mut path = path;
            path.retain(|(f, _)| *f != n.feature);
            path.push((n.feature, number));
            open.push((child, false, depth + 1, path.clone()));
            open.push((child, true, depth + 1, path));
        }
    }
    out
}

/// The most different features on one path.
fn most_features(edges: &[Edge]) -> usize {
    let mut counts: Vec<usize> = Vec::new();
    let mut most = 1;
    for edge in edges {
        counts.truncate(edge.depth as usize);
        let before = counts.last().copied().unwrap_or(0);
        counts.push(before + usize::from(edge.above.is_none()));
        most = most.max(before + 1);
    }
    most
}

/// What a tree expects of an unknown row: its leaves, weighted by the shares of their paths.
fn mean(tree: &Tree) -> f64 {
    let mut open = vec![(if tree.nodes.is_empty() { !0 } else { 0 }, 1.0f64)];
    let mut sum = 0.0;
    while let Some((at, weight)) = open.pop() {
        if at < 0 {
            sum += weight * f64::from(tree.leaves[!at as usize]);
            continue;
        }
        let node = &tree.nodes[at as usize];
        let cover = |child: i32| {
            let c = if child < 0 { tree.covers[!child as usize] } else { tree.nodes[child as usize].cover };
            f64::from(c).max(1e-9)
        };
        let (l, r) = (cover(node.left), cover(node.right));
        open.extend([(node.left, weight * l / (l + r)), (node.right, weight * r / (l + r))]);
    }
    sum
}

/// Points and weights on [0, 1], by Newton's method on Legendre's polynomials.
fn gauss_legendre(n: usize) -> (Vec<f64>, Vec<f64>) {
    let n = n.min(32);
    let (mut points, mut weights) = (vec![0.0; n], vec![0.0; n]);
    for i in 0..n {
        let mut x = (std::f64::consts::PI * (i as f64 + 0.75) / (n as f64 + 0.5)).cos();
        let mut slope = 1.0;
        for _ in 0..100 {
            let (mut p0, mut p1) = (1.0, x);
            for j in 2..=n {
                let j = j as f64;
                (p0, p1) = (p1, ((2.0 * j - 1.0) * x * p1 - (j - 1.0) * p0) / j);
            }
            slope = n as f64 * (x * p1 - p0) / (x * x - 1.0);
            let step = p1 / slope;
            x -= step;
            if step.abs() < 1e-16 {
                break;
            }
        }
        points[i] = (x + 1.0) / 2.0;
        weights[i] = 1.0 / ((1.0 - x * x) * slope * slope);
    }
    (points, weights)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gbdt::{Params, Target, train};
    use crate::matrix::Matrix;
    use crate::rng::Rng;

    /// Shapley values by their definition: all orders of the features, unknown ones weighted by cover.
    fn plain(tree: &Tree, row: &[f32], known: u32, at: i32) -> f64 {
        if at < 0 {
            return f64::from(tree.leaves[!at as usize]);
        }
        let node = &tree.nodes[at as usize];
        if known & (1 << node.feature) != 0 {
            let x = row[node.feature as usize];
            let left = if x.is_nan() { node.missing_left } else { x <= node.threshold };
            return plain(tree, row, known, if left { node.left } else { node.right });
        }
        let cover = |c: i32| f64::from(if c < 0 { tree.covers[!c as usize] } else { tree.nodes[c as usize].cover });
        let (l, r) = (cover(node.left), cover(node.right));
        (l * plain(tree, row, known, node.left) + r * plain(tree, row, known, node.right)) / (l + r)
    }

    #[test]
    fn values_are_shapleys_and_add_up() {
        let (n, d) = (600, 6);
        let mut rng = Rng::new(3, 0);
        let mut x = Matrix { width: d, cells: (0..n * d).map(|_| (rng.unit() * 10.0).floor() as f32).collect() };
        (0..n).step_by(7).for_each(|r| x.cells[r * d + 2] = f32::NAN);
        let class: Vec<u32> = (0..n).map(|r| u32::from(x.row(r)[0] * x.row(r)[1] + x.row(r)[3] > 25.0)).collect();
        let weight = vec![1.0; n];
        let params = Params { rounds: 6, leaves: 24, min_rows: 3, ..Params::default() };
        let target = Target { class: &class, classes: 2, weight: &weight };
        let model = train(&x, target, &[], &params, &|_| ()).ensemble;
        let explainer = Explainer::new(&model);
        for r in (0..n).step_by(53) {
            let row = x.row(r);
            let values = explainer.values(row);
            let mut margin = [0.0];
            model.margins(row, &mut margin);
            let sum: f64 = values.iter().sum::<f64>() + explainer.expected()[0];
            assert!((sum - margin[0]).abs() < 1e-9, "{sum} {}", margin[0]);
            for (i, value) in values.iter().enumerate() {
                let mut expected = 0.0;
                for known in (0..1u32 << d).filter(|s| s & (1 << i) == 0) {
                    let size = known.count_ones() as f64;
                    let weight: f64 = 1.0 / (d as f64 * choose(d as f64 - 1.0, size));
                    for tree in &model.trees {
                        expected += weight * (plain(tree, row, known | 1 << i, 0) - plain(tree, row, known, 0));
                    }
                }
                assert!((value - expected).abs() < 1e-9, "feature {i}: {value} {expected}");
            }
        }
    }

    fn choose(n: f64, k: f64) -> f64 {
        (0..k as usize).fold(1.0, |c, i| c * (n - i as f64) / (i as f64 + 1.0))
    }
}
