//! Trees that other programs wrote in their own formats: XGBoost's JSON and LightGBM's text, read into the same checked ensemble.

use std::collections::HashMap;

use serde_json::Value;

use crate::onnx::OnnxError;
use crate::onnx::trees::{Forest, Mode, PlainNode, Post};

/// Trees of another program.
#[derive(Debug)]
pub struct Foreign {
    /// The trees.
    pub forest: Forest,
    /// Number of features.
    pub width: usize,
    /// Their names where the file has them.
    pub names: Vec<String>,
    /// Classes: 1 for a regression, 2 or more.
    pub classes: usize,
    /// The program and what it learned for.
    pub about: String,
}

type Result<T> = std::result::Result<T, OnnxError>;

fn bad<T>(what: impl Into<String>) -> Result<T> {
    Err(OnnxError::Model(what.into()))
}

/// The largest number of trees.
const MAX_TREES: usize = 100_000;

/// Reads what XGBoost's `save_model("F.json")` wrote.
pub fn xgboost(text: &str) -> Result<Foreign> {
    let Ok(root) = serde_json::from_str::<Value>(text) else { return bad("it is no JSON") };
    let Some(learner) = root.get("learner") else { return bad("it is no model of XGBoost: it has no `learner`") };
    // XGBoost 3 writes a list: of one, or of one for each class.
    let numbers = |name: &str| -> Option<Vec<f64>> {
        match learner.get("learner_model_param")?.get(name)? {
            Value::String(s) => s.trim_matches(['[', ']']).split(',').map(|n| n.trim().parse().ok()).collect(),
            v => Some(vec![v.as_f64()?]),
        }
    };
    let param = |name: &str| numbers(name)?.first().copied();
    let objective = learner.pointer("/objective/name").and_then(Value::as_str).unwrap_or("").to_owned();
    let booster = learner.pointer("/gradient_booster/name").and_then(Value::as_str).unwrap_or("gbtree");
    if booster != "gbtree" {
        return bad(format!("a booster `{booster}` is not read: gbtree is"));
    }
    let class_count = param("num_class").unwrap_or(0.0) as usize;
    let width = param("num_feature").unwrap_or(0.0) as usize;
    let bases = numbers("base_score").unwrap_or_else(|| vec![0.5]);
    let base = bases.first().copied().unwrap_or(0.5);
    if bases.len() != 1 && bases.len() != class_count {
        return bad(format!("`base_score` has {} values for {class_count} classes", bases.len()));
    }
    let (outputs, post, base) = match objective.as_str() {
        "binary:logistic" if base > 0.0 && base < 1.0 => (1, Post::Logistic, vec![(base / (1.0 - base)).ln() as f32]),
        "binary:logitraw" => (1, Post::Logistic, vec![base as f32]),
        "multi:softprob" | "multi:softmax" if (2..=4_096).contains(&class_count) => {
            let each = (0..class_count).map(|c| bases.get(c).copied().unwrap_or(base) as f32);
            (class_count, Post::Softmax, each.collect())
        }
        o if o.starts_with("reg:squared") || o == "reg:absoluteerror" => (1, Post::None, vec![base as f32]),
        o => {
            return bad(format!(
                "the objective `{o}` is not read: binary:logistic, multi:softprob and reg:squarederror are"
            ));
        }
    };
    let Some(trees) = learner.pointer("/gradient_booster/model/trees").and_then(Value::as_array) else {
        return bad("it has no trees");
    };
    if trees.len() > MAX_TREES {
        return bad("it has too many trees");
    }
    let info = learner.pointer("/gradient_booster/model/tree_info").and_then(Value::as_array);
    let mut all = Vec::with_capacity(trees.len());
    for (i, tree) in trees.iter().enumerate() {
        let class = info.and_then(|v| v.get(i)).and_then(Value::as_u64).unwrap_or(0) as u32;
        let list = |name: &str| tree.get(name).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        let (left, right) = (list("left_children"), list("right_children"));
        let (feature, cut, default) = (list("split_indices"), list("split_conditions"), list("default_left"));
        if [right.len(), feature.len(), cut.len(), default.len()].iter().any(|n| *n != left.len()) || left.is_empty() {
            return bad(format!("the lists of tree {i} differ in length"));
        }
        if list("split_type").iter().any(|t| t.as_i64() == Some(1)) {
            return bad(format!("tree {i} divides categories, which is not read: encode them as numbers"));
        }
        let mut nodes = Vec::with_capacity(left.len());
        for k in 0..left.len() {
            let (l, r) = (left[k].as_i64().unwrap_or(-1), right[k].as_i64().unwrap_or(-1));
            let threshold = cut[k].as_f64().unwrap_or(f64::NAN) as f32;
            let missing_yes = default[k].as_bool().unwrap_or_else(|| default[k].as_i64() == Some(1));
            let mode = if l < 0 { Mode::Leaf } else { Mode::Lt };
            let at = |n: i64| usize::try_from(n).unwrap_or(0);
            let feature = u32::try_from(feature[k].as_u64().unwrap_or(u64::MAX)).unwrap_or(u32::MAX);
            nodes.push(PlainNode {
                mode,
                feature: if l < 0 { 0 } else { feature },
                threshold,
                yes: at(l),
                no: at(r),
                missing_yes,
            });
        }
        all.push((class, nodes));
    }
    let forest = Forest::plain(&all, outputs, base, post)?;
    let names = learner.get("feature_names").and_then(Value::as_array);
    let names = names.into_iter().flatten().filter_map(|n| n.as_str().map(str::to_owned)).collect();
    let classes = match post {
        Post::None => 1,
        _ => outputs.max(2),
    };
    finish(forest, width, names, classes, format!("XGBoost, {objective}, {} trees", all.len()))
}

/// Reads what LightGBM's `save_model("F.txt")` wrote.
pub fn lightgbm(text: &str) -> Result<Foreign> {
    if !text.starts_with("tree") {
        return bad("it is no model of LightGBM: it does not begin with `tree`");
    }
    let mut blocks = text.split("\nTree=");
    let head = fields(blocks.next().unwrap_or_default());
    let get = |name: &str| head.get(name).copied().unwrap_or_default();
    let objective = get("objective").to_owned();
    let class_count: usize = get("num_class").parse().unwrap_or(1);
    let per_round: usize = get("num_tree_per_iteration").parse().unwrap_or(1);
    let width = get("max_feature_idx").parse::<usize>().map_or(0, |n| n.saturating_add(1));
    if text.lines().take(20).any(|l| l.trim() == "average_output") {
        return bad("a random forest of LightGBM is not read: its boosting is");
    }
    let sigmoid = objective.split_whitespace().find_map(|w| w.strip_prefix("sigmoid:")).unwrap_or("1");
    let scale: f32 = sigmoid.parse().unwrap_or(1.0);
    let kind = objective.split_whitespace().next().unwrap_or("");
    let (outputs, post) = match kind {
        "binary" => (1, Post::Logistic),
        "multiclass" if (2..=4_096).contains(&class_count) && per_round == class_count => (class_count, Post::Softmax),
        "regression" | "regression_l1" | "huber" | "" => (1, Post::None),
        o => return bad(format!("the objective `{o}` is not read: binary, multiclass and regression are")),
    };
    let mut all = Vec::new();
    for (i, block) in blocks.enumerate() {
        if i >= MAX_TREES {
            return bad("it has too many trees");
        }
        let block = block.split("\nend of trees").next().unwrap_or_default();
        let tree = fields(block);
        if tree.get("is_linear").copied().unwrap_or("0") != "0" || tree.get("num_cat").copied().unwrap_or("0") != "0" {
            return bad(format!("tree {i} is linear or divides categories, which is not read"));
        }
        let scale = if kind == "binary" { scale } else { 1.0 };
        all.push(((i % outputs) as u32, lightgbm_tree(&tree, i, scale)?));
    }
    let names: Vec<String> = get("feature_names").split_whitespace().map(str::to_owned).collect();
    let forest = Forest::plain(&all, outputs, vec![0.0; outputs], post)?;
    let classes = match post {
        Post::None => 1,
        _ => outputs.max(2),
    };
    finish(forest, width, names, classes, format!("LightGBM, {kind}, {} trees", all.len()))
}

fn finish(forest: Forest, width: usize, names: Vec<String>, classes: usize, about: String) -> Result<Foreign> {
    if forest.width > width || (!names.is_empty() && names.len() != width) {
        return bad(format!("its trees, its {} names and its {width} features do not fit each other", names.len()));
    }
    Ok(Foreign { forest, width, names, classes, about })
}

fn fields(block: &str) -> HashMap<&str, &str> {
    block.lines().filter_map(|l| l.split_once('=')).map(|(k, v)| (k.trim(), v.trim())).collect()
}

fn lightgbm_tree(tree: &HashMap<&str, &str>, index: usize, scale: f32) -> Result<Vec<PlainNode>> {
    fn list<T: std::str::FromStr>(tree: &HashMap<&str, &str>, name: &str, index: usize) -> Result<Vec<T>> {
        let text = tree.get(name).copied().unwrap_or_default();
        let all: std::result::Result<Vec<T>, _> = text.split_whitespace().map(str::parse).collect();
        all.or_else(|_| bad(format!("tree {index}: `{name}` is damaged")))
    }
    let leaves: Vec<f64> = list(tree, "leaf_value", index)?;
    let features: Vec<u32> = list(tree, "split_feature", index)?;
    let thresholds: Vec<f64> = list(tree, "threshold", index)?;
    let kinds: Vec<u8> = list(tree, "decision_type", index)?;
    let (left, right): (Vec<i64>, Vec<i64>) = (list(tree, "left_child", index)?, list(tree, "right_child", index)?);
    let n = features.len();
    if leaves.len() != n + 1 || [thresholds.len(), kinds.len(), left.len(), right.len()].iter().any(|l| *l != n) {
        return bad(format!("the lists of tree {index} differ in length"));
    }
    let place = |child: i64| if child >= 0 { child as usize } else { n + (!child) as usize };
    let mut nodes = Vec::with_capacity(2 * n + 1);
    for i in 0..n {
        let missing_yes = match kinds[i] >> 2 & 3 {
            // A missing value counts as zero.
            0 => 0.0 <= thresholds[i],
            2 => kinds[i] & 2 != 0,
            _ => return bad(format!("tree {index} takes zero for missing, which is not read")),
        };
        nodes.push(PlainNode {
            mode: Mode::Leq,
            feature: features[i],
            threshold: down(thresholds[i]),
            yes: place(left[i]),
            no: place(right[i]),
            missing_yes,
        });
    }
    nodes.extend(leaves.iter().map(|v| PlainNode {
        mode: Mode::Leaf,
        feature: 0,
        threshold: *v as f32 * scale,
        yes: 0,
        no: 0,
        missing_yes: false,
    }));
    Ok(nodes)
}

/// The largest 32-bit number that is not above: for numbers of 32 bits `x ≤ t` holds for the same.
fn down(t: f64) -> f32 {
    let x = t as f32;
    if f64::from(x) > t { x.next_down() } else { x }
}

impl Foreign {
    /// What it says of rows of `width` numbers: probabilities of the classes, or one number of a regression, row after row.
    pub fn rows(&self, rows: &[f32]) -> (Vec<f32>, usize) {
        let mut work = Vec::new();
        let mut out = Vec::new();
        for row in rows.chunks_exact(self.width.max(1)) {
            if self.classes == 1 {
                work.clear();
                work.resize(1, 0.0);
                self.forest.row(row, &mut work);
                out.push(work[0]);
            } else {
                out.extend(self.forest.classes(row, &mut work));
            }
        }
        (out, self.classes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIGHT: &str = "tree\nversion=v4\nnum_class=1\nnum_tree_per_iteration=1\nmax_feature_idx=1\nobjective=binary sigmoid:1\n\
        feature_names=a b\n\nTree=0\nnum_leaves=2\nnum_cat=0\nsplit_feature=1\nthreshold=0.5\ndecision_type=10\nleft_child=-1\n\
        right_child=-2\nleaf_value=-1 1\nis_linear=0\n\nend of trees\n";

    const XG: &str = r#"{"learner":{"learner_model_param":{"base_score":"[5E-1]","num_class":"0","num_feature":"2"},
        "objective":{"name":"binary:logistic"},"feature_names":["a","b"],"gradient_booster":{"name":"gbtree","model":{"tree_info":[0],
        "trees":[{"left_children":[1,-1,-1],"right_children":[2,-1,-1],"split_indices":[1,0,0],"split_conditions":[0.5,-1.0,1.0],
        "default_left":[1,0,0],"split_type":[0,0,0]}]}}}}"#;

    #[test]
    fn a_tree_of_each_says_what_its_program_would() {
        for (model, at_edge) in [(lightgbm(LIGHT).unwrap(), 0.268_941_4), (xgboost(XG).unwrap(), 0.731_058_6)] {
            assert_eq!((model.width, model.classes, &model.names[..]), (2, 2, &["a".to_owned(), "b".to_owned()][..]));
            let (p, k) = model.rows(&[0.0, 0.25, 0.0, 0.5, 0.0, 0.75, 0.0, f32::NAN]);
            let attack: Vec<f32> = p.chunks(k).map(|p| p[1]).collect();
            for (have, want) in attack.iter().zip([0.268_941_4, at_edge, 0.731_058_6, 0.268_941_4]) {
                assert!((have - want).abs() < 1e-6, "{}: {attack:?}", model.about);
            }
        }
    }

    #[test]
    fn each_class_begins_at_its_own_base_score() {
        let text =
            XG.replace("binary:logistic", "multi:softprob").replace("\"num_class\":\"0\"", "\"num_class\":\"3\"");
        let (p, k) = xgboost(&text.replace("[5E-1]", "[1E0,2E0,3E0]")).unwrap().rows(&[0.0, 0.75]);
        // The one tree adds 1 to the first class.
        let [a, b, c] = [2.0_f32, 2.0, 3.0].map(f32::exp);
        assert_eq!(k, 3);
        for (have, want) in p.iter().zip([a, b, c].map(|e| e / (a + b + c))) {
            assert!((have - want).abs() < 1e-6, "{p:?}");
        }
        assert!(
            xgboost(&text.replace("[5E-1]", "[1E0,2E0]")).unwrap_err().to_string().contains("2 values for 3 classes")
        );
    }

    #[test]
    fn damage_is_an_error_and_never_a_panic() {
        for (text, read) in [(LIGHT, lightgbm as fn(&str) -> Result<Foreign>), (XG, xgboost)] {
            for i in 0..text.len() {
                let _ = read(&text[..i]);
                for c in ["9", "-", "", "{", "="] {
                    let _ = read(&format!("{}{c}{}", &text[..i], &text[i + 1..]));
                }
            }
        }
        let ring = XG.replace("[1,-1,-1],\"right", "[0,-1,-1],\"right");
        assert!(xgboost(&ring).is_err());
        let far = LIGHT.replace("split_feature=1", "split_feature=9");
        assert!(lightgbm(&far).unwrap_err().to_string().contains("do not fit"));
    }
}
