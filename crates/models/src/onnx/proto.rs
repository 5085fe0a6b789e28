//! The part of ONNX's messages that models of ours and of others use (onnx.proto 1.23), with bounds on everything read.

use super::wire::{self, Reader, WireError};

/// The largest file read.
pub const MAX_FILE: usize = 256 << 20;
/// Nodes of a graph.
pub const MAX_NODES: usize = 100_000;
/// Numbers in one tensor or attribute.
pub const MAX_NUMBERS: usize = 64 << 20;

/// What is wrong with a model.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OnnxError {
    /// Not protobuf.
    #[error(transparent)]
    Wire(#[from] WireError),
    /// Protobuf, but not what is needed.
    #[error("{0}")]
    Model(String),
}

pub(crate) fn bad<T>(what: impl Into<String>) -> Result<T, OnnxError> {
    Err(OnnxError::Model(what.into()))
}

/// A whole model.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ModelProto {
    /// Format of the file.
    pub ir_version: i64,
    /// Who wrote it.
    pub producer: (String, String),
    /// Domain and version of the operators.
    pub opsets: Vec<(String, i64)>,
    /// The graph.
    pub graph: Graph,
    /// Further texts.
    pub metadata: Vec<(String, String)>,
}

/// Nodes from inputs to outputs.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Graph {
    /// Its name.
    pub name: String,
    /// In an order in which each finds what it needs.
    pub nodes: Vec<Node>,
    /// Constants.
    pub initializers: Vec<Tensor>,
    /// What is put in.
    pub inputs: Vec<ValueInfo>,
    /// What comes out.
    pub outputs: Vec<ValueInfo>,
}

/// One operation.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Node {
    /// Operator.
    pub op: String,
    /// Its domain; empty for the standard one.
    pub domain: String,
    /// Names of what goes in; empty for what is left out.
    pub inputs: Vec<String>,
    /// Names of what comes out.
    pub outputs: Vec<String>,
    /// Settings.
    pub attributes: Vec<(String, Attribute)>,
}

/// A setting of a node.
#[derive(Clone, Debug, PartialEq)]
pub enum Attribute {
    /// A float.
    Float(f32),
    /// An integer.
    Int(i64),
    /// A text.
    Text(String),
    /// A tensor.
    Tensor(Tensor),
    /// Floats.
    Floats(Vec<f32>),
    /// Integers.
    Ints(Vec<i64>),
    /// Texts.
    Texts(Vec<String>),
    /// Something else, which no operator here takes.
    Other,
}

/// Numbers or texts with a shape.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Tensor {
    /// Its name.
    pub name: String,
    /// Sizes, outermost first.
    pub shape: Vec<i64>,
    /// The numbers.
    pub data: Data,
}

/// What a tensor holds.
#[derive(Clone, Debug, PartialEq)]
pub enum Data {
    /// FLOAT (1), and DOUBLE (11) where it was exact.
    Floats(Vec<f32>),
    /// INT64 (7), INT32 (6) and the like.
    Ints(Vec<i64>),
    /// STRING (8).
    Texts(Vec<String>),
    /// BOOL (9).
    Bools(Vec<bool>),
}

impl Default for Data {
    fn default() -> Data {
        Data::Floats(Vec::new())
    }
}

/// Name, type and shape of an input or output.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ValueInfo {
    /// Its name.
    pub name: String,
    /// Element type: 1 float, 7 int64, 8 text; 0 for what is no tensor.
    pub elem: i64,
    /// Sizes; -1 for any.
    pub shape: Vec<i64>,
}

impl Node {
    /// A setting by name.
    pub fn attribute(&self, name: &str) -> Option<&Attribute> {
        self.attributes.iter().find(|(n, _)| n == name).map(|(_, a)| a)
    }
    /// An integer setting.
    pub fn int(&self, name: &str) -> Option<i64> {
        match self.attribute(name)? {
            Attribute::Int(n) => Some(*n),
            _ => None,
        }
    }
    /// A float setting.
    pub fn float(&self, name: &str) -> Option<f32> {
        match self.attribute(name)? {
            Attribute::Float(x) => Some(*x),
            _ => None,
        }
    }
    /// A text setting; empty for none.
    pub fn text(&self, name: &str) -> &str {
        match self.attribute(name) {
            Some(Attribute::Text(t)) => t,
            _ => "",
        }
    }
    /// Integers of a setting; empty for none.
    pub fn ints(&self, name: &str) -> &[i64] {
        match self.attribute(name) {
            Some(Attribute::Ints(n)) => n,
            _ => &[],
        }
    }
    /// Floats of a setting; empty for none.
    pub fn floats(&self, name: &str) -> &[f32] {
        match self.attribute(name) {
            Some(Attribute::Floats(x)) => x,
            _ => &[],
        }
    }
    /// Texts of a setting; empty for none.
    pub fn texts(&self, name: &str) -> &[String] {
        match self.attribute(name) {
            Some(Attribute::Texts(t)) => t,
            _ => &[],
        }
    }
}

impl ModelProto {
    /// The file.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = Vec::new();
        wire::int(&mut out, 1, self.ir_version);
        wire::text(&mut out, 2, &self.producer.0);
        wire::text(&mut out, 3, &self.producer.1);
        wire::bytes(&mut out, 7, &graph(&self.graph));
        for (domain, version) in &self.opsets {
            let mut o = Vec::new();
            wire::text(&mut o, 1, domain);
            wire::int(&mut o, 2, *version);
            wire::bytes(&mut out, 8, &o);
        }
        for (k, v) in &self.metadata {
            let mut o = Vec::new();
            wire::text(&mut o, 1, k);
            wire::text(&mut o, 2, v);
            wire::bytes(&mut out, 14, &o);
        }
        out
    }

    /// Reads a file.
    pub fn from_bytes(bytes: &[u8]) -> Result<ModelProto, OnnxError> {
        if bytes.len() > MAX_FILE {
            return bad(format!("the file has {} bytes; {MAX_FILE} are read at most", bytes.len()));
        }
        let mut model = ModelProto::default();
        let mut has_graph = false;
        let mut r = Reader(bytes);
        while let Some((field, value)) = r.field()? {
            match field {
                1 => model.ir_version = value.int()?,
                2 => model.producer.0 = value.text()?,
                3 => model.producer.1 = value.text()?,
                7 => {
                    model.graph = read_graph(value.bytes()?)?;
                    has_graph = true;
                }
                8 => {
                    let (mut domain, mut version) = (String::new(), 1);
                    let mut r = Reader(value.bytes()?);
                    while let Some((field, value)) = r.field()? {
                        match field {
                            1 => domain = value.text()?,
                            2 => version = value.int()?,
                            _ => {}
                        }
                    }
                    model.opsets.push((domain, version));
                }
                14 => {
                    let (mut k, mut v) = (String::new(), String::new());
                    let mut r = Reader(value.bytes()?);
                    while let Some((field, value)) = r.field()? {
                        match field {
                            1 => k = value.text()?,
                            2 => v = value.text()?,
                            _ => {}
                        }
                    }
                    model.metadata.push((k, v));
                }
                25 => return bad("it defines functions of its own, which are not run"),
                _ => {}
            }
        }
        if !has_graph {
            return bad("it is no ONNX model: it has no graph");
        }
        Ok(model)
    }
}

fn graph(g: &Graph) -> Vec<u8> {
    let mut out = Vec::new();
    for node in &g.nodes {
        let mut o = Vec::new();
        node.inputs.iter().for_each(|i| wire::bytes(&mut o, 1, i.as_bytes()));
        node.outputs.iter().for_each(|i| wire::bytes(&mut o, 2, i.as_bytes()));
        wire::text(&mut o, 4, &node.op);
        for (name, a) in &node.attributes {
            wire::bytes(&mut o, 5, &attribute(name, a));
        }
        wire::text(&mut o, 7, &node.domain);
        wire::bytes(&mut out, 1, &o);
    }
    wire::text(&mut out, 2, &g.name);
    g.initializers.iter().for_each(|t| wire::bytes(&mut out, 5, &tensor(t)));
    g.inputs.iter().for_each(|v| wire::bytes(&mut out, 11, &value_info(v)));
    g.outputs.iter().for_each(|v| wire::bytes(&mut out, 12, &value_info(v)));
    out
}

/// Repeated numbers stand one by one: onnx.proto is proto2, where packing is an error for some readers.
fn attribute(name: &str, a: &Attribute) -> Vec<u8> {
    let mut o = Vec::new();
    wire::text(&mut o, 1, name);
    let ty = match a {
        Attribute::Float(x) => {
            wire::float(&mut o, 2, *x);
            1
        }
        Attribute::Int(n) => {
            wire::int(&mut o, 3, *n);
            2
        }
        Attribute::Text(t) => {
            wire::bytes(&mut o, 4, t.as_bytes());
            3
        }
        Attribute::Tensor(t) => {
            wire::bytes(&mut o, 5, &tensor(t));
            4
        }
        Attribute::Floats(xs) => {
            xs.iter().for_each(|x| wire::float(&mut o, 7, *x));
            6
        }
        Attribute::Ints(ns) => {
            ns.iter().for_each(|n| wire::int(&mut o, 8, *n));
            7
        }
        Attribute::Texts(ts) => {
            ts.iter().for_each(|t| wire::bytes(&mut o, 9, t.as_bytes()));
            8
        }
        Attribute::Other => 0,
    };
    wire::int(&mut o, 20, ty);
    o
}

fn tensor(t: &Tensor) -> Vec<u8> {
    let mut o = Vec::new();
    t.shape.iter().for_each(|d| wire::int(&mut o, 1, *d));
    let (ty, raw): (i64, Vec<u8>) = match &t.data {
        Data::Floats(x) => (1, x.iter().flat_map(|x| x.to_le_bytes()).collect()),
        Data::Ints(x) => (7, x.iter().flat_map(|x| x.to_le_bytes()).collect()),
        Data::Bools(x) => (9, x.iter().map(|b| u8::from(*b)).collect()),
        Data::Texts(_) => (8, Vec::new()),
    };
    wire::int(&mut o, 2, ty);
    if let Data::Texts(texts) = &t.data {
        texts.iter().for_each(|s| wire::bytes(&mut o, 6, s.as_bytes()));
    }
    wire::text(&mut o, 8, &t.name);
    if ty != 8 {
        wire::bytes(&mut o, 9, &raw);
    }
    o
}

fn value_info(v: &ValueInfo) -> Vec<u8> {
    let mut shape = Vec::new();
    for d in &v.shape {
        let mut dim = Vec::new();
        if *d < 0 {
            wire::text(&mut dim, 2, "batch")
        } else {
            wire::int(&mut dim, 1, *d)
        }
        wire::bytes(&mut shape, 1, &dim);
    }
    let mut t = Vec::new();
    wire::int(&mut t, 1, v.elem);
    wire::bytes(&mut t, 2, &shape);
    let mut ty = Vec::new();
    wire::bytes(&mut ty, 1, &t);
    let mut o = Vec::new();
    wire::text(&mut o, 1, &v.name);
    wire::bytes(&mut o, 2, &ty);
    o
}

fn read_graph(bytes: &[u8]) -> Result<Graph, OnnxError> {
    let mut g = Graph::default();
    let mut r = Reader(bytes);
    while let Some((field, value)) = r.field()? {
        match field {
            1 if g.nodes.len() >= MAX_NODES => return bad(format!("it has more than {MAX_NODES} nodes")),
            1 => g.nodes.push(read_node(value.bytes()?)?),
            2 => g.name = value.text()?,
            5 if g.initializers.len() >= MAX_NODES => return bad("it has too many constants"),
            5 => g.initializers.push(read_tensor(value.bytes()?)?),
            11 => g.inputs.push(read_value_info(value.bytes()?)?),
            12 => g.outputs.push(read_value_info(value.bytes()?)?),
            15 => return bad("it has sparse constants, which are not read"),
            _ => {}
        }
    }
    Ok(g)
}

fn read_node(bytes: &[u8]) -> Result<Node, OnnxError> {
    let mut n = Node::default();
    let mut r = Reader(bytes);
    while let Some((field, value)) = r.field()? {
        match field {
            1 => n.inputs.push(value.text()?),
            2 => n.outputs.push(value.text()?),
            4 => n.op = value.text()?,
            5 => n.attributes.push(read_attribute(value.bytes()?)?),
            7 => n.domain = value.text()?,
            _ => {}
        }
    }
    if n.domain == "ai.onnx" {
        n.domain.clear();
    }
    Ok(n)
}

fn read_attribute(bytes: &[u8]) -> Result<(String, Attribute), OnnxError> {
    let mut name = String::new();
    let (mut one, mut ty) = (None, 0);
    let (mut floats, mut ints, mut texts) = (Vec::new(), Vec::new(), Vec::new());
    let mut r = Reader(bytes);
    while let Some((field, value)) = r.field()? {
        match field {
            1 => name = value.text()?,
            2 => one = Some(Attribute::Float(value.float()?)),
            3 => one = Some(Attribute::Int(value.int()?)),
            4 => one = Some(Attribute::Text(String::from_utf8_lossy(value.bytes()?).into_owned())),
            5 => one = Some(Attribute::Tensor(read_tensor(value.bytes()?)?)),
            7 => value.floats(&mut floats)?,
            8 => value.ints(&mut ints)?,
            9 => texts.push(value.text()?),
            20 => ty = value.int()?,
            6 | 10 | 11 => one = Some(Attribute::Other),
            _ => {}
        }
    }
    let value = match (ty, one) {
        (6, _) => Attribute::Floats(floats),
        (7, _) => Attribute::Ints(ints),
        (8, _) => Attribute::Texts(texts),
        (_, Some(one)) => one,
        // Files of before the type was written.
        (1, None) => Attribute::Float(0.0),
        (2, None) => Attribute::Int(0),
        (3, None) => Attribute::Text(String::new()),
        (_, None) if !floats.is_empty() => Attribute::Floats(floats),
        (_, None) if !ints.is_empty() => Attribute::Ints(ints),
        (_, None) if !texts.is_empty() => Attribute::Texts(texts),
        _ => Attribute::Other,
    };
    Ok((name, value))
}

fn read_tensor(bytes: &[u8]) -> Result<Tensor, OnnxError> {
    let mut t = Tensor::default();
    let mut ty = 0;
    let (mut floats, mut ints, mut texts, mut doubles): (Vec<f32>, Vec<i64>, Vec<String>, Vec<f64>) =
        Default::default();
    let mut raw: Option<&[u8]> = None;
    let mut r = Reader(bytes);
    while let Some((field, value)) = r.field()? {
        match field {
            1 => value.ints(&mut t.shape)?,
            2 => ty = value.int()?,
            4 => value.floats(&mut floats)?,
            5 | 7 => value.ints(&mut ints)?,
            6 => texts.push(value.text()?),
            8 => t.name = value.text()?,
            9 => raw = Some(value.bytes()?),
            10 => match value {
                wire::Field::Fixed64(n) => doubles.push(f64::from_bits(n)),
                wire::Field::Bytes(b) => doubles.extend(b.chunks_exact(8).map(le_f64)),
                _ => return bad("a constant is damaged"),
            },
            13 | 14 if !matches!(value, wire::Field::Int(0)) => {
                return bad("its numbers lie in another file: save the model with all data in one file");
            }
            _ => {}
        }
    }
    let shape_of = t.shape.iter().try_fold(1usize, |n, d| {
        let d = usize::try_from(*d).ok()?;
        n.checked_mul(d).filter(|n| *n <= MAX_NUMBERS)
    });
    let Some(count) = shape_of else { return bad(format!("the constant `{}` has an impossible shape", t.name)) };
    t.data = match (ty, raw) {
        (1, Some(raw)) => {
            Data::Floats(raw.chunks_exact(4).map(|c| f32::from_le_bytes([c[0], c[1], c[2], c[3]])).collect())
        }
        (1, None) => Data::Floats(floats),
        (11, Some(raw)) => Data::Floats(raw.chunks_exact(8).map(|c| le_f64(c) as f32).collect()),
        (11, None) => Data::Floats(doubles.iter().map(|x| *x as f32).collect()),
        (7, Some(raw)) => Data::Ints(raw.chunks_exact(8).map(|c| le_f64(c).to_bits() as i64).collect()),
        (6, Some(raw)) => {
            Data::Ints(raw.chunks_exact(4).map(|c| i64::from(i32::from_le_bytes([c[0], c[1], c[2], c[3]]))).collect())
        }
        (6 | 7, None) => Data::Ints(ints),
        (8, _) => Data::Texts(texts),
        (9, Some(raw)) => Data::Bools(raw.iter().map(|b| *b != 0).collect()),
        (9, None) => Data::Bools(ints.iter().map(|b| *b != 0).collect()),
        (other, _) => return bad(format!("the constant `{}` has element type {other}, which is not read", t.name)),
    };
    let len = match &t.data {
        Data::Floats(x) => x.len(),
        Data::Ints(x) => x.len(),
        Data::Texts(x) => x.len(),
        Data::Bools(x) => x.len(),
    };
    if len != count {
        return bad(format!("the constant `{}` has {len} values where its shape says {count}", t.name));
    }
    Ok(t)
}

fn le_f64(c: &[u8]) -> f64 {
    f64::from_le_bytes(c.try_into().unwrap_or_default())
}

fn read_value_info(bytes: &[u8]) -> Result<ValueInfo, OnnxError> {
    let mut v = ValueInfo::default();
    let mut r = Reader(bytes);
    while let Some((field, value)) = r.field()? {
        match field {
            1 => v.name = value.text()?,
            2 => {
                let mut ty = Reader(value.bytes()?);
                while let Some((field, value)) = ty.field()? {
                    if field != 1 {
                        continue;
                    }
                    let mut t = Reader(value.bytes()?);
                    while let Some((field, value)) = t.field()? {
                        match field {
                            1 => v.elem = value.int()?,
                            2 => v.shape = read_shape(value.bytes()?)?,
                            _ => {}
                        }
                    }
                }
            }
            _ => {}
        }
    }
    Ok(v)
}

fn read_shape(bytes: &[u8]) -> Result<Vec<i64>, OnnxError> {
    let mut shape = Vec::new();
    let mut r = Reader(bytes);
    while let Some((field, value)) = r.field()? {
        if field != 1 {
            continue;
        }
        let mut dim = -1;
        let mut d = Reader(value.bytes()?);
        while let Some((field, value)) = d.field()? {
            if field == 1 {
                dim = value.int()?;
            }
        }
        if shape.len() >= 16 {
            return bad("a shape has more than 16 dimensions");
        }
        shape.push(dim);
    }
    Ok(shape)
}
