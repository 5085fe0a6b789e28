//! An ONNX model that was checked whole and can be run: dense layers, pre-processing and the trees, scalers and linear models of `ai.onnx.ml`.
//!
//! Accepted are IR 3–14 and opset 8–28, by a list of operators: what is not on it is refused by name before the first row. Doubles are read
//! as floats where constants have them; arithmetic is in 32 bits.

use std::collections::{BTreeMap, HashMap};

use super::ml;
use super::ops;
use super::proto::{Attribute, Graph, ModelProto, Node, OnnxError, bad};
use super::tensor::{Value, size};
use super::trees::Forest;

/// Operators that are run.
pub const OPERATORS: &[&str] = &[
    "Abs",
    "Add",
    "And",
    "ArgMax",
    "BatchNormalization",
    "Cast",
    "Ceil",
    "Clip",
    "Concat",
    "Constant",
    "Div",
    "Dropout",
    "Elu",
    "Equal",
    "Erf",
    "Exp",
    "Flatten",
    "Floor",
    "Gather",
    "Gelu",
    "Gemm",
    "Greater",
    "GreaterOrEqual",
    "HardSigmoid",
    "Identity",
    "IsInf",
    "IsNaN",
    "LeakyRelu",
    "Less",
    "LessOrEqual",
    "Log",
    "LogSoftmax",
    "MatMul",
    "Max",
    "Min",
    "Mul",
    "Neg",
    "Not",
    "Or",
    "Pow",
    "PRelu",
    "Reciprocal",
    "ReduceMax",
    "ReduceMean",
    "ReduceMin",
    "ReduceSum",
    "ReduceSumSquare",
    "Relu",
    "Reshape",
    "Selu",
    "Shape",
    "Sigmoid",
    "Sign",
    "Slice",
    "Softmax",
    "Softplus",
    "Sqrt",
    "Squeeze",
    "Sub",
    "Sum",
    "Tanh",
    "Transpose",
    "Unsqueeze",
    "Where",
];
/// Operators of `ai.onnx.ml` that are run.
pub const ML_OPERATORS: &[&str] = &[
    "ArrayFeatureExtractor",
    "Binarizer",
    "Imputer",
    "LabelEncoder",
    "LinearClassifier",
    "LinearRegressor",
    "Normalizer",
    "Scaler",
    "TreeEnsembleClassifier",
    "TreeEnsembleRegressor",
    "ZipMap",
];
/// Rows run at once.
const BATCH: usize = 1_024;

/// A model that can be run.
#[derive(Debug)]
pub struct Session {
    graph: Graph,
    constants: HashMap<String, Value>,
    forests: BTreeMap<usize, Forest>,
    /// Inputs that are no constants.
    pub inputs: Vec<super::proto::ValueInfo>,
    /// Where the probabilities or scores come out.
    output: String,
    /// Names of the classes, where the model says them.
    pub classes: Vec<String>,
    /// Its further texts.
    pub metadata: Vec<(String, String)>,
}

impl Session {
    /// Checks a model.
    pub fn new(model: ModelProto) -> Result<Session, OnnxError> {
        if !(3..=14).contains(&model.ir_version) {
            return bad(format!("it has IR version {}; 3 to 14 are read", model.ir_version));
        }
        for (domain, version) in &model.opsets {
            match domain.as_str() {
                "" | "ai.onnx" if !(8..=28).contains(version) => {
                    return bad(format!("it has opset {version}; 8 to 28 are run"));
                }
                "" | "ai.onnx" => {}
                "ai.onnx.ml" if !(1..=4).contains(version) => {
                    return bad(format!("it has version {version} of ai.onnx.ml; 1 to 4 are run"));
                }
                "ai.onnx.ml" => {}
                // A domain that no node names does no harm.
                other if model.graph.nodes.iter().any(|n| n.domain == *other) => {
                    return bad(format!("operators of the domain `{other}` are not run"));
                }
                _ => {}
            }
        }
        let mut graph = model.graph;
        let mut missing: Vec<String> = graph
            .nodes
            .iter()
            .filter(|n| {
                let list = if n.domain == "ai.onnx.ml" { ML_OPERATORS } else { OPERATORS };
                !list.contains(&n.op.as_str())
            })
            .map(|n| n.op.clone())
            .collect();
        missing.sort();
        missing.dedup();
        if !missing.is_empty() {
            return bad(format!("operators that are not run: {}", missing.join(", ")));
        }
        let mut constants = HashMap::new();
        for t in std::mem::take(&mut graph.initializers) {
            constants.insert(t.name.clone(), Value::of(&t)?);
        }
        let inputs: Vec<_> = graph.inputs.iter().filter(|i| !constants.contains_key(&i.name)).cloned().collect();
        if inputs.is_empty() {
            return bad("it has no input");
        }
        // Every name is made before it is used; so there is no ring.
        let mut known: std::collections::HashSet<&str> = constants.keys().map(String::as_str).collect();
        known.extend(inputs.iter().map(|i| i.name.as_str()));
        let mut forests = BTreeMap::new();
        for (i, node) in graph.nodes.iter().enumerate() {
            if let Some(unknown) = node.inputs.iter().find(|n| !n.is_empty() && !known.contains(n.as_str())) {
                return bad(format!("node {} ({}) needs `{unknown}`, which nothing before it makes", i + 1, node.op));
            }
            known.extend(node.outputs.iter().map(String::as_str));
            if node.op.starts_with("TreeEnsemble") {
                forests.insert(i, Forest::of(node)?);
            }
        }
        let classes = ml::classes(&graph.nodes);
        let output = output(&graph)?;
        if !known.contains(output.as_str()) {
            return bad(format!("nothing makes the output `{output}`"));
        }
        Ok(Session { graph, constants, forests, inputs, output, classes, metadata: model.metadata })
    }

    /// Features of a row; none where the model leaves that open.
    pub fn width(&self) -> Option<usize> {
        let i = self.inputs.first()?;
        i.shape.last().and_then(|d| usize::try_from(*d).ok()).filter(|_| i.shape.len() >= 2 && self.inputs.len() == 1)
    }

    /// Runs rows of `width` floats through a model with one input: what comes out, row after row, and how many numbers of each row.
    pub fn rows(&self, rows: &[f32], width: usize) -> Result<(Vec<f32>, usize), OnnxError> {
        let [input] = &self.inputs[..] else {
            let names: Vec<_> = self.inputs.iter().map(|i| format!("`{}`", i.name)).collect();
            return bad(format!(
                "it has {} inputs ({}): one table of floats is given (shape_mismatch)",
                names.len(),
                names.join(", ")
            ));
        };
        if input.elem != 1 {
            return bad(format!(
                "its input `{}` has element type {}: floats are given (dtype_mismatch)",
                input.name, input.elem
            ));
        }
        match self.width() {
            Some(d) if d != width => {
                return bad(format!(
                    "its input `{}` has {d} features where {width} are given (shape_mismatch)",
                    input.name
                ));
            }
            _ if width == 0 || !rows.len().is_multiple_of(width) => {
                return bad("rows of another width (shape_mismatch)");
            }
            _ => {}
        }
        if let Some(needed) = self
            .forests
            .values()
            .map(|f| f.width)
            .max()
            .filter(|w| *w > width && self.forests.len() == self.graph.nodes.len())
        {
            return bad(format!("its trees ask for feature {needed} of {width} (shape_mismatch)"));
        }
        // Some writers leave a batch of one fixed.
        let fixed = input.shape.first().is_some_and(|n| *n == 1);
        let step = if fixed { 1 } else { BATCH };
        let (mut out, mut per_row) = (Vec::new(), 0);
        for chunk in rows.chunks(step * width) {
            let n = chunk.len() / width;
            let mut given = HashMap::new();
            given.insert(input.name.clone(), Value::floats(vec![n, width], chunk.to_vec()));
            let value = self.run(given)?;
            let numbers = value.as_floats()?;
            per_row = numbers.len() / n.max(1);
            if per_row * n != numbers.len() || per_row == 0 {
                return bad(format!("it gives {} numbers for {n} rows", numbers.len()));
            }
            out.extend_from_slice(numbers);
        }
        Ok((out, per_row))
    }

    /// Runs named inputs.
    pub fn run(&self, given: HashMap<String, Value>) -> Result<Value, OnnxError> {
        let mut values = given;
        for (i, node) in self.graph.nodes.iter().enumerate() {
            let input = |at: usize| -> Option<&Value> {
                let name = node.inputs.get(at).filter(|n| !n.is_empty())?;
                values.get(name).or_else(|| self.constants.get(name))
            };
            let made = match self.forests.get(&i) {
                Some(forest) => ml::trees(node, forest, input(0))?,
                None if node.domain == "ai.onnx.ml" => ml::run(node, &input)?,
                None => ops::run(node, &input)?,
            };
            for v in &made {
                size(&v.shape)?;
            }
            for (name, value) in node.outputs.iter().zip(made).filter(|(n, _)| !n.is_empty()) {
                values.insert(name.clone(), value);
            }
        }
        match values.remove(&self.output) {
            Some(v) => Ok(v),
            None => bad(format!("nothing made the output `{}`", self.output)),
        }
    }
}

/// The output that holds scores or probabilities: the last that is no label, seen through a ZipMap.
fn output(graph: &Graph) -> Result<String, OnnxError> {
    let made_by = |name: &str| graph.nodes.iter().find(|n| n.outputs.iter().any(|o| o == name));
    let mut best: Option<String> = None;
    for o in &graph.outputs {
        let node = made_by(&o.name);
        match node {
            Some(n) if n.op == "ZipMap" => best = n.inputs.first().cloned(),
            // Labels are integers, texts or truths.
            _ if matches!(o.elem, 6..=9) => {}
            // Ours gives the score beside the probabilities, which say more.
            _ if o.name == "score" && best.is_some() => {}
            _ => best = Some(o.name.clone()),
        }
    }
    best.map_or_else(|| bad("no output holds scores: labels alone cannot be used"), Ok)
}

/// An attribute's tensor.
pub(crate) fn constant(node: &Node) -> Result<Value, OnnxError> {
    for (name, a) in &node.attributes {
        match (name.as_str(), a) {
            ("value", Attribute::Tensor(t)) => return Value::of(t),
            ("value_float", Attribute::Float(x)) => return Ok(Value::floats(vec![], vec![*x])),
            ("value_floats", Attribute::Floats(x)) => return Ok(Value::floats(vec![x.len()], x.clone())),
            ("value_int", Attribute::Int(n)) => {
                return Ok(Value { shape: vec![], data: super::proto::Data::Ints(vec![*n]) });
            }
            ("value_ints", Attribute::Ints(n)) => {
                return Ok(Value { shape: vec![n.len()], data: super::proto::Data::Ints(n.clone()) });
            }
            _ => {}
        }
    }
    bad("a constant without a value")
}
