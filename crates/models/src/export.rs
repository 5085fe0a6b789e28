//! A model of ours as ONNX, with all that it does to a row in the graph, so that others need nothing but the file.
//!
//! IR 8, opset 17, ml 3. Two classes stand as class id 0 in every leaf, without base values and with what the trees begin with folded into
//! the first one: runtimes do not agree on anything else (measured, `learning-crates.md` T2). Thresholds are 32-bit floats as in the model.

use learn::Model;
use learn::dense::{Dense, Part};
use learn::detector::Detector;
use learn::encode::Kind;
use learn::gbdt::Ensemble;
use learn::model::Body;
use learn::net::{CUT, Net};

use crate::onnx::proto::{Attribute, Data, Graph, ModelProto, Node, Tensor, ValueInfo};

/// Why a model cannot be written as ONNX.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ExportError(pub String);

type Result<T> = std::result::Result<T, ExportError>;

/// Input of a model whose columns are all numbers.
pub const FEATURES: &str = "features";

#[derive(Default)]
struct Builder {
    graph: Graph,
    next: usize,
}

impl Builder {
    fn name(&mut self, of: &str) -> String {
        self.next += 1;
        format!("{of}_{}", self.next)
    }

    fn node(&mut self, op: &str, inputs: &[&str], attributes: Vec<(&str, Attribute)>) -> String {
        let out = self.name(&op.to_lowercase());
        self.node_to(op, "", inputs, &[&out], attributes);
        out
    }

    fn node_to(
        &mut self,
        op: &str,
        domain: &str,
        inputs: &[&str],
        outputs: &[&str],
        attributes: Vec<(&str, Attribute)>,
    ) {
        let owned = |names: &[&str]| names.iter().map(|n| (*n).to_owned()).collect();
        self.graph.nodes.push(Node {
            op: op.to_owned(),
            domain: domain.to_owned(),
            inputs: owned(inputs),
            outputs: owned(outputs),
            attributes: attributes.into_iter().map(|(k, a)| (k.to_owned(), a)).collect(),
        });
    }

    fn constant(&mut self, shape: Vec<i64>, data: Data) -> String {
        let name = self.name("c");
        self.graph.initializers.push(Tensor { name: name.clone(), shape, data });
        name
    }

    fn row(&mut self, x: Vec<f32>) -> String {
        self.constant(vec![1, x.len() as i64], Data::Floats(x))
    }

    fn one(&mut self, x: f32) -> String {
        self.constant(vec![], Data::Floats(vec![x]))
    }

    /// Columns of a table, in this order.
    fn columns(&mut self, x: &str, at: Vec<i64>) -> String {
        let at = self.constant(vec![at.len() as i64], Data::Ints(at));
        self.node("Gather", &[x, &at], vec![("axis", Attribute::Int(1))])
    }

    fn concat(&mut self, parts: &[String]) -> String {
        match parts {
            [one] => one.clone(),
            _ => {
                let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
                self.node("Concat", &parts, vec![("axis", Attribute::Int(1))])
            }
        }
    }
}

/// The ONNX file of a model.
pub fn onnx(model: &Model) -> Result<Vec<u8>> {
    let mut b = Builder::default();
    b.graph.name = "gridwarden".to_owned();
    let x = inputs(&mut b, model)?;
    let float = |name: &str, width: i64| ValueInfo { name: name.to_owned(), elem: 1, shape: vec![-1, width] };
    let classes = model.classes.len() as i64;
    let threshold = model.calibration.as_ref().map(|c| c.threshold);
    match &model.body {
        Body::Trees { ensemble } => {
            trees(&mut b, ensemble, &model.classes, &x)?;
            b.graph.outputs.push(ValueInfo { name: "label".to_owned(), elem: 8, shape: vec![-1] });
            b.graph.outputs.push(float("probabilities", classes));
        }
        Body::Net { dense, net } => {
            let z = standardised(&mut b, dense, &x);
            let out = layers(&mut b, net, &z);
            b.node_to("Softmax", "", &[&out], &["probabilities"], vec![("axis", Attribute::Int(1))]);
            b.graph.outputs.push(float("probabilities", classes));
        }
        Body::Detectors { dense, members } => match &members[..] {
            [one] => detector(&mut b, dense, &one.detector, &x)?,
            _ => return Err(ExportError("a fusion of detectors has no form in ONNX: export its members".into())),
        },
    }
    if !matches!(model.body, Body::Detectors { .. }) {
        let Some(normal) = model.normal else {
            return finish(b, model, threshold);
        };
        let p = b.columns("probabilities", vec![normal as i64]);
        let one = b.one(1.0);
        b.node_to("Sub", "", &[&one, &p], &["score"], vec![]);
    }
    b.graph.outputs.push(float("score", 1));
    if let Some(t) = threshold {
        let t = b.one(t as f32);
        b.node_to("Greater", "", &["score", &t], &["is_attack"], vec![]);
        b.graph.outputs.push(ValueInfo { name: "is_attack".to_owned(), elem: 9, shape: vec![-1, 1] });
    }
    finish(b, model, threshold)
}

fn finish(b: Builder, model: &Model, threshold: Option<f64>) -> Result<Vec<u8>> {
    let names: Vec<&str> = model.encoder.features.iter().map(|f| f.name.as_str()).collect();
    let json = |v: serde_json::Value| v.to_string();
    let mut metadata = vec![
        ("ndr.schema".to_owned(), json(serde_json::json!({ "features": names }))),
        ("ndr.version".to_owned(), env!("CARGO_PKG_VERSION").to_owned()),
        ("gridwarden.classes".to_owned(), json(serde_json::json!(model.classes))),
        ("gridwarden.training_data".to_owned(), model.card.data.clone()),
    ];
    if let Some(t) = threshold {
        metadata.push(("gridwarden.threshold".to_owned(), t.to_string()));
    }
    let file = ModelProto {
        ir_version: 8,
        producer: ("gridwarden".to_owned(), env!("CARGO_PKG_VERSION").to_owned()),
        opsets: vec![(String::new(), 17), ("ai.onnx.ml".to_owned(), 3)],
        graph: b.graph,
        metadata,
    };
    Ok(file.to_bytes())
}

/// The encoded row: numbers as they come; words by their place, unknown ones missing.
fn inputs(b: &mut Builder, model: &Model) -> Result<String> {
    let features = &model.encoder.features;
    if model.encoder.sequence.is_some() {
        let why = "a model with steps and pauses depends on earlier rows, for which ONNX has no place: train it without --time and --group together";
        return Err(ExportError(why.into()));
    }
    let words: Vec<usize> = (0..features.len()).filter(|i| matches!(features[*i].kind, Kind::Category(_))).collect();
    let numbers: Vec<usize> = (0..features.len()).filter(|i| !words.contains(i)).collect();
    let table = |name: &str, n: usize, elem: i64| ValueInfo { name: name.to_owned(), elem, shape: vec![-1, n as i64] };
    let mut parts = Vec::new();
    if !numbers.is_empty() {
        b.graph.inputs.push(table(FEATURES, numbers.len(), 1));
        parts.push(FEATURES.to_owned());
    }
    for i in &words {
        let feature = &features[*i];
        let Kind::Category(values) = &feature.kind else { continue };
        let name = format!("word:{}", feature.name);
        b.graph.inputs.push(table(&name, 1, 8));
        let out = b.name("code");
        let codes = (0..values.len()).map(|c| c as f32).collect();
        let attributes = vec![
            ("keys_strings", Attribute::Texts(values.clone())),
            ("values_floats", Attribute::Floats(codes)),
            ("default_float", Attribute::Float(f32::NAN)),
        ];
        b.node_to("LabelEncoder", "ai.onnx.ml", &[&name], &[&out], attributes);
        parts.push(out);
    }
    let x = b.concat(&parts);
    if words.is_empty() {
        return Ok(x);
    }
    // Back to the order of the model's columns.
    let order: Vec<usize> = numbers.iter().chain(&words).copied().collect();
    let at = (0..features.len()).map(|f| order.iter().position(|o| *o == f).unwrap_or(0) as i64).collect();
    Ok(b.columns(&x, at))
}

fn trees(b: &mut Builder, ensemble: &Ensemble, classes: &[String], x: &str) -> Result<()> {
    let binary = ensemble.outputs() == 1;
    if binary && classes.len() != 2 {
        return Err(ExportError("one output of trees for other than two classes".into()));
    }
    let (mut tree_ids, mut node_ids, mut features, mut values) = (vec![], vec![], vec![], vec![]);
    let (mut modes, mut yes, mut no, mut missing) = (vec![], vec![], vec![], vec![]);
    let (mut leaf_trees, mut leaf_nodes, mut leaf_classes, mut leaf_weights) = (vec![], vec![], vec![], vec![]);
    let k = ensemble.outputs();
    // What an output begins with goes into its first tree; an output without trees gets one of a single leaf.
    let stump = learn::gbdt::Tree { nodes: vec![], leaves: vec![0.0], covers: vec![0.0] };
    let mut all: Vec<&learn::gbdt::Tree> = ensemble.trees.iter().collect();
    if all.is_empty() {
        all = vec![&stump; k];
    }
    for (t, tree) in all.iter().enumerate() {
        let output = t % k;
        let begin = if t < k { ensemble.base[output] } else { 0.0 };
        let n = tree.nodes.len();
        let place = |child: i32| if child >= 0 { i64::from(child) } else { (n as i64) + i64::from(!child) };
        for (i, node) in tree.nodes.iter().enumerate() {
            tree_ids.push(t as i64);
            node_ids.push(i as i64);
            features.push(i64::from(node.feature));
            values.push(node.threshold);
            modes.push("BRANCH_LEQ".to_owned());
            yes.push(place(node.left));
            no.push(place(node.right));
            missing.push(i64::from(node.missing_left));
        }
        for (i, leaf) in tree.leaves.iter().enumerate() {
            tree_ids.push(t as i64);
            node_ids.push((n + i) as i64);
            features.push(0);
            values.push(0.0);
            modes.push("LEAF".to_owned());
            yes.push(0);
            no.push(0);
            missing.push(0);
            leaf_trees.push(t as i64);
            leaf_nodes.push((n + i) as i64);
            leaf_classes.push(if binary { 0 } else { output as i64 });
            leaf_weights.push((f64::from(*leaf) + begin) as f32);
        }
    }
    let attributes = vec![
        ("nodes_treeids", Attribute::Ints(tree_ids)),
        ("nodes_nodeids", Attribute::Ints(node_ids)),
        ("nodes_featureids", Attribute::Ints(features)),
        ("nodes_values", Attribute::Floats(values)),
        ("nodes_modes", Attribute::Texts(modes)),
        ("nodes_truenodeids", Attribute::Ints(yes)),
        ("nodes_falsenodeids", Attribute::Ints(no)),
        ("nodes_missing_value_tracks_true", Attribute::Ints(missing)),
        ("class_treeids", Attribute::Ints(leaf_trees)),
        ("class_nodeids", Attribute::Ints(leaf_nodes)),
        ("class_ids", Attribute::Ints(leaf_classes)),
        ("class_weights", Attribute::Floats(leaf_weights)),
        ("classlabels_strings", Attribute::Texts(classes.to_vec())),
        ("post_transform", Attribute::Text(if binary { "LOGISTIC" } else { "SOFTMAX" }.to_owned())),
    ];
    b.node_to("TreeEnsembleClassifier", "ai.onnx.ml", &[x], &["label", "probabilities"], attributes);
    Ok(())
}

/// The standardised row of a net: logarithms, one column a word, missing numbers at the mean.
fn standardised(b: &mut Builder, dense: &Dense, x: &str) -> String {
    let mut parts = Vec::new();
    let mut order: Vec<usize> = Vec::new();
    let of = |want: fn(&Part) -> bool| -> Vec<usize> {
        (0..dense.columns.len()).filter(|i| want(&dense.columns[*i].part)).collect()
    };
    let sources = |at: &[usize]| -> Vec<i64> { at.iter().map(|i| i64::from(dense.columns[*i].source)).collect() };
    let numbers = of(|p| matches!(p, Part::Number));
    if !numbers.is_empty() {
        let c = b.columns(x, sources(&numbers));
        let (low, high) = (b.one(-f32::MAX), b.one(f32::MAX));
        parts.push(b.node("Clip", &[&c, &low, &high], vec![]));
        order.extend(numbers);
    }
    let logs = of(|p| matches!(p, Part::Log));
    if !logs.is_empty() {
        let c = b.columns(x, sources(&logs));
        let sign = b.node("Sign", &[&c], vec![]);
        let size = b.node("Abs", &[&c], vec![]);
        let high = b.one(f32::MAX);
        let size = b.node("Min", &[&size, &high], vec![]);
        let one = b.one(1.0);
        let more = b.node("Add", &[&size, &one], vec![]);
        let log = b.node("Log", &[&more], vec![]);
        parts.push(b.node("Mul", &[&sign, &log], vec![]));
        order.extend(logs);
    }
    let is = of(|p| matches!(p, Part::Is(_)));
    if !is.is_empty() {
        let c = b.columns(x, sources(&is));
        let codes = is.iter().map(|i| if let Part::Is(code) = dense.columns[*i].part { code as f32 } else { 0.0 });
        let codes = b.row(codes.collect());
        let same = b.node("Equal", &[&c, &codes], vec![]);
        parts.push(b.node("Cast", &[&same], vec![("to", Attribute::Int(1))]));
        order.extend(is);
    }
    let missing = of(|p| matches!(p, Part::Missing));
    if !missing.is_empty() {
        let c = b.columns(x, sources(&missing));
        let nan = b.node("IsNaN", &[&c], vec![]);
        parts.push(b.node("Cast", &[&nan], vec![("to", Attribute::Int(1))]));
        order.extend(missing);
    }
    let all = b.concat(&parts);
    let back = (0..dense.columns.len()).map(|i| order.iter().position(|o| *o == i).unwrap_or(0) as i64).collect();
    let all = b.columns(&all, back);
    let (mean, spread) = (
        b.row(dense.columns.iter().map(|c| c.mean).collect()),
        b.row(dense.columns.iter().map(|c| c.spread).collect()),
    );
    let off = b.node("Sub", &[&all, &mean], vec![]);
    let z = b.node("Div", &[&off, &spread], vec![]);
    let nan = b.node("IsNaN", &[&z], vec![]);
    let zero = b.one(0.0);
    let z = b.node("Where", &[&nan, &zero, &z], vec![]);
    // Tighter than the cut of the dense row, which it therefore holds too.
    let (low, high) = (b.one(-CUT), b.one(CUT));
    b.node("Clip", &[&z, &low, &high], vec![])
}

fn layers(b: &mut Builder, net: &Net, z: &str) -> String {
    let mut x = z.to_owned();
    for (i, layer) in net.layers.iter().enumerate() {
        let out = layer.bias.len() as i64;
        let width = layer.weights.len() as i64 / out.max(1);
        let w = b.constant(vec![out, width], Data::Floats(layer.weights.clone()));
        let bias = b.constant(vec![out], Data::Floats(layer.bias.clone()));
        x = b.node("Gemm", &[&x, &w, &bias], vec![("transB", Attribute::Int(1))]);
        if i + 1 < net.layers.len() {
            x = b.node("Relu", &[&x], vec![]);
        }
    }
    x
}

/// The mean squared error of what an autoencoder gives back.
fn detector(b: &mut Builder, dense: &Dense, detector: &Detector, x: &str) -> Result<()> {
    let Detector::Autoencoder(net) = detector else {
        return Err(ExportError(format!("a model of kind {} is not written as ONNX", detector.name())));
    };
    let z = standardised(b, dense, x);
    let back = layers(b, net, &z);
    let off = b.node("Sub", &[&back, &z], vec![]);
    let square = b.node("Mul", &[&off, &off], vec![]);
    let mean = vec![("axes", Attribute::Ints(vec![1])), ("keepdims", Attribute::Int(1))];
    b.node_to("ReduceMean", "", &[&square], &["score"], mean);
    Ok(())
}
