//! Operators of `ai.onnx.ml` beside the trees: scalers, imputers, linear models, encoders.

use super::proto::{Data, Node, OnnxError, bad};
use super::tensor::Value;
use super::trees::{Forest, Post};

type Result<T> = std::result::Result<T, OnnxError>;

/// Names of the classes that a graph's classifier gives.
pub fn classes(nodes: &[Node]) -> Vec<String> {
    let named = nodes.iter().find(|n| n.op == "TreeEnsembleClassifier" || n.op == "LinearClassifier");
    named.map(class_names).unwrap_or_default()
}

fn class_names(node: &Node) -> Vec<String> {
    let texts = ["classlabels_strings"].iter().flat_map(|n| node.texts(n).to_vec());
    let ints = ["classlabels_int64s", "classlabels_ints"].iter().flat_map(|n| node.ints(n).to_vec());
    texts.chain(ints.map(|n| n.to_string())).collect()
}

/// Runs trees: a classifier gives labels (as numbers of classes) and probabilities, a regressor its sums.
pub fn trees(node: &Node, forest: &Forest, x: Option<&Value>) -> Result<Vec<Value>> {
    let Some(x) = x else { return bad(format!("{} lacks its input", node.op)) };
    let (n, d) = x.rows()?;
    if forest.width > d {
        return bad(format!("the trees ask for {} features where {d} come in (shape_mismatch)", forest.width));
    }
    let rows = x.as_floats()?;
    if node.op == "TreeEnsembleRegressor" {
        let mut out = vec![0f32; n * forest.outputs];
        for (row, out) in rows.chunks_exact(d.max(1)).zip(out.chunks_exact_mut(forest.outputs)) {
            forest.row(row, out);
            forest.post.apply(out);
        }
        return Ok(vec![Value::floats(vec![n, forest.outputs], out)]);
    }
    let (mut out, mut work) = (Vec::new(), Vec::new());
    for row in rows.chunks_exact(d.max(1)) {
        out.extend(forest.classes(row, &mut work));
    }
    labelled(out, n)
}

/// The number of the likeliest class of each row, and the probabilities.
fn labelled(p: Vec<f32>, n: usize) -> Result<Vec<Value>> {
    let k = p.len() / n.max(1);
    let most = |row: &[f32]| {
        row.iter().enumerate().fold((0, f32::NEG_INFINITY), |b, (i, x)| if *x > b.1 { (i, *x) } else { b }).0
    };
    let labels = if k == 0 { vec![] } else { p.chunks_exact(k).map(|row| most(row) as i64).collect() };
    Ok(vec![Value { shape: vec![n], data: Data::Ints(labels) }, Value::floats(vec![n, k], p)])
}

/// Runs one node.
pub fn run<'a>(node: &Node, input: &dyn Fn(usize) -> Option<&'a Value>) -> Result<Vec<Value>> {
    let need = |at: usize| -> Result<&'a Value> {
        input(at).map_or_else(|| bad(format!("{} lacks its input {}", node.op, at + 1)), Ok)
    };
    let x = need(0)?;
    match node.op.as_str() {
        "ZipMap" => Ok(vec![x.clone()]),
        "Scaler" => {
            let (_, d) = x.rows()?;
            let (offset, scale) = (node.floats("offset"), node.floats("scale"));
            let at = |list: &[f32], i: usize, default: f32| match list.len() {
                0 => default,
                1 => list[0],
                _ => list.get(i % d).copied().unwrap_or(default),
            };
            if [offset.len(), scale.len()].iter().any(|n| *n > 1 && *n != d) {
                return bad("Scaler of another width (shape_mismatch)");
            }
            let x = x_floats(x)?;
            let out = x.1.iter().enumerate().map(|(i, x)| (x - at(offset, i, 0.0)) * at(scale, i, 1.0)).collect();
            Ok(vec![Value::floats(x.0, out)])
        }
        "Imputer" => {
            let (_, d) = x.rows()?;
            let fill = node.floats("imputed_value_floats");
            let absent = node.float("replaced_value_float").unwrap_or(f32::NAN);
            if fill.is_empty() || (fill.len() > 1 && fill.len() != d) {
                return bad("Imputer of another width (shape_mismatch)");
            }
            let is = |x: f32| if absent.is_nan() { x.is_nan() } else { x == absent };
            let x = x_floats(x)?;
            let out = x.1.iter().enumerate().map(|(i, x)| if is(*x) { fill[i % d % fill.len()] } else { *x }).collect();
            Ok(vec![Value::floats(x.0, out)])
        }
        "Binarizer" => {
            let t = node.float("threshold").unwrap_or(0.0);
            let x = x_floats(x)?;
            Ok(vec![Value::floats(x.0, x.1.iter().map(|x| f32::from(u8::from(*x > t))).collect())])
        }
        "Normalizer" => {
            let (_, d) = x.rows()?;
            let norm = node.text("norm").to_owned();
            let x = x_floats(x)?;
            let mut out = x.1.clone();
            for row in out.chunks_exact_mut(d.max(1)) {
                let size: f32 = match norm.as_str() {
                    "L1" => row.iter().map(|x| x.abs()).sum(),
                    "L2" => row.iter().map(|x| x * x).sum::<f32>().sqrt(),
                    _ => row.iter().map(|x| x.abs()).fold(0.0, f32::max),
                };
                if size > 0.0 {
                    row.iter_mut().for_each(|x| *x /= size);
                }
            }
            Ok(vec![Value::floats(x.0, out)])
        }
        "ArrayFeatureExtractor" => {
            let (n, d) = x.rows()?;
            let at = need(1)?.as_ints()?;
            if let Some(beyond) = at.iter().find(|i| !(0..d as i64).contains(*i)) {
                return bad(format!("feature {beyond} of {d} is asked for (shape_mismatch)"));
            }
            macro_rules! take {
                ($v:expr, $variant:ident) => {
                    Data::$variant(
                        (0..n)
                            .flat_map(|r| at.iter().map(move |i| (r, *i as usize)))
                            .map(|(r, i)| $v[r * d + i].clone())
                            .collect(),
                    )
                };
            }
            let data = match &x.data {
                Data::Floats(v) => take!(v, Floats),
                Data::Ints(v) => take!(v, Ints),
                Data::Texts(v) => take!(v, Texts),
                Data::Bools(v) => take!(v, Bools),
            };
            Ok(vec![Value { shape: vec![n, at.len()], data }])
        }
        "LinearRegressor" | "LinearClassifier" => linear(node, x),
        "LabelEncoder" => encode(node, x),
        other => bad(format!("the operator {other} is not run")),
    }
}

fn x_floats(x: &Value) -> Result<(Vec<usize>, Vec<f32>)> {
    let (n, d) = x.rows()?;
    let data = match &x.data {
        Data::Floats(v) => v.clone(),
        Data::Ints(v) => v.iter().map(|n| *n as f32).collect(),
        _ => return bad("numbers are needed where something else comes in (dtype_mismatch)"),
    };
    Ok((vec![n, d], data))
}

fn linear(node: &Node, x: &Value) -> Result<Vec<Value>> {
    let (shape, rows) = x_floats(x)?;
    let (n, d) = (shape[0], shape[1].max(1));
    let (w, b) = (node.floats("coefficients"), node.floats("intercepts"));
    let k = if w.is_empty() { 0 } else { w.len() / d };
    if k == 0 || k * d != w.len() || !(b.is_empty() || b.len() == k) {
        return bad(format!("{} has {} coefficients for {d} features (shape_mismatch)", node.op, w.len()));
    }
    let classifier = node.op == "LinearClassifier";
    let post = Post::parse(node.text("post_transform"))?;
    let mut out = Vec::with_capacity(n * k);
    for row in rows.chunks_exact(d) {
        let mut sums: Vec<f32> = w.chunks_exact(d).map(|w| w.iter().zip(row).map(|(w, x)| w * x).sum()).collect();
        sums.iter_mut().zip(b).for_each(|(s, b)| *s += b);
        match sums[..] {
            // One score of two classes.
            [s] if classifier && class_names(node).len() == 2 => {
                let p = if post == Post::Logistic { 1.0 / (1.0 + (-s).exp()) } else { s };
                out.extend(if post == Post::Logistic { [1.0 - p, p] } else { [-p, p] });
            }
            _ => {
                post.apply(&mut sums);
                out.extend(sums);
            }
        }
    }
    if classifier {
        return labelled(out, n);
    }
    Ok(vec![Value::floats(vec![n, k], out)])
}

fn encode(node: &Node, x: &Value) -> Result<Vec<Value>> {
    enum Key {
        Text(String),
        Int(i64),
        Float(u32),
    }
    let keys: Vec<Key> = node
        .texts("keys_strings")
        .iter()
        .map(|t| Key::Text(t.clone()))
        .chain(node.ints("keys_int64s").iter().map(|n| Key::Int(*n)))
        .chain(node.floats("keys_floats").iter().map(|x| Key::Float(x.to_bits())))
        .collect();
    let find = |k: &dyn Fn(&Key) -> bool| keys.iter().position(k);
    let at: Vec<Option<usize>> = match &x.data {
        Data::Texts(v) => v.iter().map(|t| find(&|k| matches!(k, Key::Text(x) if x == t))).collect(),
        Data::Ints(v) => v.iter().map(|n| find(&|k| matches!(k, Key::Int(x) if x == n))).collect(),
        Data::Floats(v) => v.iter().map(|f| find(&|k| matches!(k, Key::Float(x) if *x == f.to_bits()))).collect(),
        Data::Bools(_) => return bad("LabelEncoder of truths is not run"),
    };
    let (texts, ints, floats) =
        (node.texts("values_strings"), node.ints("values_int64s"), node.floats("values_floats"));
    let data = if !texts.is_empty() {
        let other = match node.text("default_string") {
            "" => "_Unused",
            t => t,
        };
        Data::Texts(
            at.iter().map(|i| i.and_then(|i| texts.get(i).cloned()).unwrap_or_else(|| other.to_owned())).collect(),
        )
    } else if !ints.is_empty() {
        let other = node.int("default_int64").unwrap_or(-1);
        Data::Ints(at.iter().map(|i| i.and_then(|i| ints.get(i).copied()).unwrap_or(other)).collect())
    } else {
        let other = node.float("default_float").unwrap_or(-0.0);
        Data::Floats(at.iter().map(|i| i.and_then(|i| floats.get(i).copied()).unwrap_or(other)).collect())
    };
    Ok(vec![Value { shape: x.shape.clone(), data }])
}
