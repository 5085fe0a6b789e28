//! Tree ensembles of `ai.onnx.ml`, checked whole before the first row: `TreeEnsembleClassifier` and `TreeEnsembleRegressor`, versions 1 to 4.

use std::collections::HashMap;

use super::proto::{Node, OnnxError, bad};

/// Nodes of all trees.
const MAX_TREE_NODES: usize = 16 << 20;

/// How a node compares its feature with its threshold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// x ≤ t.
    Leq,
    /// x < t.
    Lt,
    /// x ≥ t.
    Gte,
    /// x > t.
    Gt,
    /// x = t.
    Eq,
    /// x ≠ t.
    Neq,
    /// A leaf.
    Leaf,
}

/// A node; a leaf's weights stand in [`Forest::weights`].
#[derive(Clone, Copy, Debug)]
pub struct TreeNode {
    /// Comparison.
    pub mode: Mode,
    /// Feature.
    pub feature: u32,
    /// Threshold.
    pub threshold: f32,
    /// Place of the node when the comparison holds; of a leaf, where its weights begin.
    pub yes: u32,
    /// Place of the node otherwise; of a leaf, where its weights end.
    pub no: u32,
    /// A missing value takes the way of a comparison that holds.
    pub missing_yes: bool,
}

/// How the trees' weights come together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sum {
    /// Added.
    Add,
    /// Divided by the number of trees.
    Average,
}

/// What is made of the sums.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Post {
    /// Nothing.
    None,
    /// 1/(1+e^-x).
    Logistic,
    /// e^x over their sum.
    Softmax,
    /// The same, zeros stay zero.
    SoftmaxZero,
}

impl Post {
    pub(crate) fn parse(text: &str) -> Result<Post, OnnxError> {
        match text {
            "" | "NONE" => Ok(Post::None),
            "LOGISTIC" => Ok(Post::Logistic),
            "SOFTMAX" => Ok(Post::Softmax),
            "SOFTMAX_ZERO" => Ok(Post::SoftmaxZero),
            other => bad(format!("the transformation `{other}` is not run")),
        }
    }

    pub(crate) fn apply(self, x: &mut [f32]) {
        match self {
            Post::None => {}
            Post::Logistic => x.iter_mut().for_each(|x| *x = 1.0 / (1.0 + (-*x).exp())),
            Post::Softmax | Post::SoftmaxZero => {
                let keep = |x: f32| self == Post::SoftmaxZero && x == 0.0;
                let most = x.iter().copied().fold(f32::NEG_INFINITY, f32::max);
                let sum: f32 = x.iter().filter(|x| !keep(**x)).map(|x| (x - most).exp()).sum();
                x.iter_mut().filter(|x| !keep(**x)).for_each(|x| *x = (*x - most).exp() / sum);
            }
        }
    }
}

/// A checked ensemble.
#[derive(Clone, Debug)]
pub struct Forest {
    nodes: Vec<TreeNode>,
    roots: Vec<u32>,
    /// Output and weight.
    weights: Vec<(u32, f32)>,
    base: Vec<f32>,
    /// Numbers that come out of the sums.
    pub outputs: usize,
    /// Features needed.
    pub width: usize,
    sum: Sum,
    /// Applied to the sums.
    pub post: Post,
    /// The one score is that of the second of two classes.
    pub binary: bool,
}

/// A tree as other formats give it: nodes with places of children, leaves with one weight.
#[derive(Clone, Debug)]
pub struct PlainNode {
    /// Comparison; a leaf's weight stands in `threshold`.
    pub mode: Mode,
    /// Feature.
    pub feature: u32,
    /// Threshold, or the weight of a leaf.
    pub threshold: f32,
    /// Place of the node when the comparison holds.
    pub yes: usize,
    /// Place of the node otherwise.
    pub no: usize,
    /// A missing value takes the way of a comparison that holds.
    pub missing_yes: bool,
}

impl Forest {
    /// From trees that each add to one output; root is node 0 of each.
    pub fn plain(
        trees: &[(u32, Vec<PlainNode>)],
        outputs: usize,
        base: Vec<f32>,
        post: Post,
    ) -> Result<Forest, OnnxError> {
        let mut f = Forest {
            nodes: Vec::new(),
            roots: Vec::new(),
            weights: Vec::new(),
            base,
            outputs,
            width: 0,
            sum: Sum::Add,
            post,
            binary: outputs == 1,
        };
        for (output, nodes) in trees {
            let start = f.nodes.len();
            f.roots.push(u32::try_from(start).map_err(|_| OnnxError::Model("too many nodes".into()))?);
            for n in nodes {
                let place = |at: usize| u32::try_from(start.saturating_add(at)).unwrap_or(u32::MAX);
                let mut node = TreeNode {
                    mode: n.mode,
                    feature: n.feature,
                    threshold: n.threshold,
                    yes: place(n.yes),
                    no: place(n.no),
                    missing_yes: n.missing_yes,
                };
                if n.mode == Mode::Leaf {
                    let at = f.weights.len() as u32;
                    f.weights.push((*output, n.threshold));
                    (node.yes, node.no, node.threshold) = (at, at + 1, 0.0);
                }
                f.nodes.push(node);
            }
        }
        f.check()?;
        Ok(f)
    }

    /// From a node of `ai.onnx.ml`.
    pub fn of(node: &Node) -> Result<Forest, OnnxError> {
        let classifier = node.op == "TreeEnsembleClassifier";
        let (trees, ids) = (node.ints("nodes_treeids"), node.ints("nodes_nodeids"));
        let (features, modes) = (node.ints("nodes_featureids"), node.texts("nodes_modes"));
        let (values, missing) = (node.floats("nodes_values"), node.ints("nodes_missing_value_tracks_true"));
        let (yes, no) = (node.ints("nodes_truenodeids"), node.ints("nodes_falsenodeids"));
        let n = ids.len();
        let lists = [trees.len(), features.len(), modes.len(), values.len(), yes.len(), no.len()];
        if n == 0 || n > MAX_TREE_NODES || lists.iter().any(|l| *l != n) || !(missing.is_empty() || missing.len() == n)
        {
            return bad("the lists of the trees' nodes differ in length, or there are none");
        }
        let mut place: HashMap<(i64, i64), u32> = HashMap::with_capacity(n);
        for (i, key) in trees.iter().copied().zip(ids.iter().copied()).enumerate() {
            if place.insert(key, i as u32).is_some() {
                return bad(format!("node {} of tree {} stands twice", key.1, key.0));
            }
        }
        let mut nodes = Vec::with_capacity(n);
        for i in 0..n {
            let mode = match modes[i].as_str() {
                "BRANCH_LEQ" => Mode::Leq,
                "BRANCH_LT" => Mode::Lt,
                "BRANCH_GTE" => Mode::Gte,
                "BRANCH_GT" => Mode::Gt,
                "BRANCH_EQ" => Mode::Eq,
                "BRANCH_NEQ" => Mode::Neq,
                "LEAF" => Mode::Leaf,
                other => return bad(format!("the comparison `{other}` is not known")),
            };
            let child = |id: i64| match mode {
                Mode::Leaf => Ok(0),
                _ => place
                    .get(&(trees[i], id))
                    .copied()
                    .ok_or_else(|| OnnxError::Model(format!("node {id} of tree {} does not exist", trees[i]))),
            };
            nodes.push(TreeNode {
                mode,
                feature: u32::try_from(features[i])
                    .map_err(|_| OnnxError::Model("a feature's number is negative".into()))?,
                threshold: values[i],
                yes: child(yes[i])?,
                no: child(no[i])?,
                missing_yes: missing.get(i).is_some_and(|m| *m != 0),
            });
        }
        // Roots are the nodes that are nobody's child, in the order of the trees.
        let mut is_child = vec![false; n];
        for node in nodes.iter().filter(|n| n.mode != Mode::Leaf) {
            for at in [node.yes, node.no] {
                if std::mem::replace(&mut is_child[at as usize], true) {
                    return bad("a tree's node has two parents");
                }
            }
        }
        let roots: Vec<u32> = (0..n as u32).filter(|i| !is_child[*i as usize]).collect();
        let mut of: Vec<i64> = roots.iter().map(|r| trees[*r as usize]).collect();
        of.sort_unstable();
        of.dedup();
        if of.len() != roots.len() {
            return bad("a tree has two roots");
        }
        let (prefix, which) = if classifier { ("class", "class_ids") } else { ("target", "target_ids") };
        let get = |name: &str| node.ints(&format!("{prefix}_{name}"));
        let (wt, wn, wi, ww) =
            (get("treeids"), get("nodeids"), node.ints(which), node.floats(&format!("{prefix}_weights")));
        if [wt.len(), wn.len(), wi.len()].iter().any(|l| *l != ww.len()) {
            return bad("the lists of the leaves' weights differ in length");
        }
        let labels = node.texts("classlabels_strings").len().max(node.ints("classlabels_int64s").len());
        let mut leaves: Vec<(u32, u32, f32)> = Vec::with_capacity(ww.len());
        for (((t, id), output), w) in wt.iter().zip(wn).zip(wi).zip(ww) {
            let at = place.get(&(*t, *id)).copied().filter(|at| nodes[*at as usize].mode == Mode::Leaf);
            let Some(at) = at else { return bad(format!("a weight is of node {id} of tree {t}, which is no leaf")) };
            let output = u32::try_from(*output).map_err(|_| OnnxError::Model("a class is negative".into()))?;
            if !w.is_finite() {
                return bad("a leaf's weight is no number");
            }
            leaves.push((at, output, *w));
        }
        // The order of weights of one leaf is kept: sums of floats depend on it.
        leaves.sort_by_key(|l| l.0);
        let mut weights = Vec::with_capacity(leaves.len());
        let mut next = leaves.iter().peekable();
        for (i, node) in nodes.iter_mut().enumerate().filter(|(_, n)| n.mode == Mode::Leaf) {
            node.yes = weights.len() as u32;
            while let Some((_, output, w)) = next.next_if(|l| l.0 as usize == i) {
                weights.push((*output, *w));
            }
            node.no = weights.len() as u32;
        }
        let most = weights.iter().map(|w| w.0 as usize + 1).max().unwrap_or(1);
        let binary = classifier
            && labels == 2
            && most <= 2
            && weights.iter().map(|w| w.0).collect::<std::collections::BTreeSet<_>>().len() <= 1;
        let outputs = match (classifier, binary) {
            (_, true) => 1,
            (true, false) => labels,
            (false, _) => node.int("n_targets").and_then(|n| usize::try_from(n).ok()).unwrap_or(1),
        };
        if binary {
            weights.iter_mut().for_each(|w| w.0 = 0);
        }
        let sum = match node.text("aggregate_function") {
            "" | "SUM" => Sum::Add,
            "AVERAGE" => Sum::Average,
            other => return bad(format!("trees that come together by `{other}` are not run")),
        };
        let base = node.floats("base_values").to_vec();
        if binary && base.len() > 1 {
            return bad("two base values for one score: runtimes do not agree on what that means");
        }
        let post = Post::parse(node.text("post_transform"))?;
        let f = Forest { nodes, roots, weights, base, outputs, width: 0, sum, post, binary };
        let mut f = f;
        f.check()?;
        Ok(f)
    }

    /// Every child is of a later level, every index in range, every number a number.
    fn check(&mut self) -> Result<(), OnnxError> {
        if self.outputs == 0 || self.outputs > 4_096 || !(self.base.is_empty() || self.base.len() == self.outputs) {
            return bad("base values and outputs of the trees do not fit each other");
        }
        if self.base.iter().any(|b| !b.is_finite()) {
            return bad("a base value is no number");
        }
        let mut reached = vec![false; self.nodes.len()];
        let mut open = self.roots.clone();
        let mut count = 0;
        while let Some(at) = open.pop() {
            let Some(seen) = reached.get_mut(at as usize) else { return bad("a tree's child is out of range") };
            if std::mem::replace(seen, true) {
                return bad("a tree's node has two parents");
            }
            count += 1;
            let node = self.nodes[at as usize];
            if node.mode == Mode::Leaf {
                let Some(w) = self.weights.get(node.yes as usize..node.no as usize) else {
                    return bad("a leaf's weights are out of range");
                };
                if w.iter().any(|w| w.0 as usize >= self.outputs || !w.1.is_finite()) {
                    return bad("a leaf adds to a class that does not exist");
                }
                continue;
            }
            if node.threshold.is_nan() {
                return bad("a threshold is no number");
            }
            self.width = self.width.max(node.feature as usize + 1);
            open.extend([node.no, node.yes]);
        }
        if count != self.nodes.len() {
            return bad("a tree has a ring, or parts that nothing leads to");
        }
        if self.width > 1 << 20 {
            return bad("a tree asks for a feature beyond a million");
        }
        Ok(())
    }

    /// Sums of one row, of `width` features at least, into `out` (`outputs` numbers), transformed unless binary.
    pub fn row(&self, row: &[f32], out: &mut [f32]) {
        out.fill(0.0);
        out.iter_mut().zip(&self.base).for_each(|(o, b)| *o = *b);
        let share = if self.sum == Sum::Average { 1.0 / self.roots.len().max(1) as f32 } else { 1.0 };
        for root in &self.roots {
            let mut node = self.nodes[*root as usize];
            while node.mode != Mode::Leaf {
                let x = row[node.feature as usize];
                let t = node.threshold;
                let yes = match node.mode {
                    _ if x.is_nan() => node.missing_yes,
                    Mode::Leq => x <= t,
                    Mode::Lt => x < t,
                    Mode::Gte => x >= t,
                    Mode::Gt => x > t,
                    Mode::Eq => x == t,
                    Mode::Neq | Mode::Leaf => x != t,
                };
                node = self.nodes[if yes { node.yes } else { node.no } as usize];
            }
            for (output, w) in &self.weights[node.yes as usize..node.no as usize] {
                out[*output as usize] += w * share;
            }
        }
    }

    /// Probabilities of one row: for one score of two classes both.
    pub fn classes(&self, row: &[f32], work: &mut Vec<f32>) -> Vec<f32> {
        work.clear();
        work.resize(self.outputs, 0.0);
        self.row(row, work);
        if self.binary {
            let s = work[0];
            return match self.post {
                Post::Logistic => {
                    let p = 1.0 / (1.0 + (-s).exp());
                    vec![1.0 - p, p]
                }
                Post::Softmax | Post::SoftmaxZero => {
                    let mut two = [-s, s];
                    self.post.apply(&mut two);
                    two.to_vec()
                }
                Post::None => vec![1.0 - s, s],
            };
        }
        self.post.apply(work);
        work.clone()
    }
}
