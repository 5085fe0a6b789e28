//! A registered model as it scores rows of features: ours, an ONNX graph, or another program's trees, behind one face.

use features::{Family, Row, Value};
use learn::Model;
use learn::encode::Kind;
use learn::matrix::Matrix;
use learn::table::Table;

use crate::foreign::{self, Foreign};
use crate::onnx::{ModelProto, Session};
use crate::registry::{Form, Loaded, Schema};

/// Why a model does not load or score.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ScoreError(pub String);

type Result<T> = std::result::Result<T, ScoreError>;

fn err<T>(what: impl std::fmt::Display) -> Result<T> {
    Err(ScoreError(what.to_string()))
}

/// How far golden samples may be off, relative to one.
const TOLERANCE: f32 = 1e-4;

enum Body {
    Ours(Box<Model>),
    Onnx(Box<Session>),
    Foreign(Box<Foreign>),
}

/// A model ready to score.
pub struct Scorer {
    body: Body,
    /// Names of the columns that go in, in order.
    pub features: Vec<String>,
    /// Above it a row is an attack; none where nothing says so.
    pub threshold: Option<f64>,
    /// Which output is normal, where classes come out.
    normal: Option<usize>,
}

impl Scorer {
    /// Opens and checks a model of any form; golden samples of the schema must come out as they say.
    pub fn open(form: Form, bytes: &[u8], schema: &Schema) -> Result<Scorer> {
        let text = || std::str::from_utf8(bytes).map_err(|_| ScoreError("it is no text".into()));
        let body = match form {
            Form::Gridwarden => Body::Ours(Box::new(Model::from_bytes(bytes).map_err(|e| ScoreError(e.to_string()))?)),
            Form::Onnx => {
                let proto = ModelProto::from_bytes(bytes).map_err(|e| ScoreError(e.to_string()))?;
                Body::Onnx(Box::new(Session::new(proto).map_err(|e| ScoreError(e.to_string()))?))
            }
            Form::Xgboost => Body::Foreign(Box::new(foreign::xgboost(text()?).map_err(|e| ScoreError(e.to_string()))?)),
            Form::Lightgbm => {
                Body::Foreign(Box::new(foreign::lightgbm(text()?).map_err(|e| ScoreError(e.to_string()))?))
            }
        };
        let mut scorer = Scorer { body, features: schema.features.clone(), threshold: schema.threshold, normal: None };
        scorer.fit(schema)?;
        scorer.golden(schema)?;
        Ok(scorer)
    }

    /// Opens a version of the registry.
    pub fn of(loaded: &Loaded) -> Result<Scorer> {
        Scorer::open(loaded.manifest.form, &loaded.model, &loaded.manifest.schema)
    }

    /// Compares the model with its schema.
    fn fit(&mut self, schema: &Schema) -> Result<()> {
        let position = |classes: &[String]| match &schema.normal {
            Some(n) => classes.iter().position(|c| c == n).map_or_else(
                || err(format!("the class `{n}` is none of the model's: {}", classes.join(", "))),
                |p| Ok(Some(p)),
            ),
            None => Ok(None),
        };
        match &self.body {
            Body::Ours(m) => {
                if let Some(bad) = m.encoder.features.iter().find(|f| matches!(f.kind, Kind::Step(_) | Kind::Pause)) {
                    return err(format!(
                        "`{}` depends on earlier rows: train without --time and --group together",
                        bad.name
                    ));
                }
                self.features = m.encoder.features.iter().map(|f| f.name.clone()).collect();
                self.threshold = schema.threshold.or(m.calibration.as_ref().map(|c| c.threshold));
                self.normal = m.normal;
            }
            Body::Onnx(s) => {
                if self.features.is_empty() {
                    return err(
                        "the schema names no features: `{\"features\": [\"name\", …]}` in the order of the model's input",
                    );
                }
                if let Some(d) = s.width().filter(|d| *d != self.features.len()) {
                    return err(format!(
                        "the model takes {d} features, the schema names {} (shape_mismatch)",
                        self.features.len()
                    ));
                }
                let classes = if schema.classes.is_empty() { s.classes.clone() } else { schema.classes.clone() };
                self.normal = position(&classes)?;
            }
            Body::Foreign(f) => {
                if self.features.is_empty() {
                    self.features = f.names.clone();
                }
                if f.width != self.features.len() {
                    return err(format!(
                        "the model takes {} features, the schema names {} (shape_mismatch)",
                        f.width,
                        self.features.len()
                    ));
                }
                self.normal = position(&schema.classes)?;
            }
        }
        Ok(())
    }

    fn golden(&self, schema: &Schema) -> Result<()> {
        for (i, sample) in schema.samples.iter().enumerate() {
            if sample.input.len() != self.features.len() {
                return err(format!(
                    "sample {} has {} values for {} features",
                    i + 1,
                    sample.input.len(),
                    self.features.len()
                ));
            }
            let row: Vec<f32> = sample.input.iter().map(|x| x.unwrap_or(f32::NAN)).collect();
            let (have, _) = self.raw(&row)?;
            let far = |(a, b): (&f32, &f32)| (a - b).abs() > TOLERANCE * b.abs().max(1.0) || a.is_nan() != b.is_nan();
            if have.len() != sample.output.len() || have.iter().zip(&sample.output).any(far) {
                return err(format!("sample {} gives {have:?} where {:?} should come out", i + 1, sample.output));
            }
        }
        Ok(())
    }

    /// What comes out for rows of as many numbers as features, and how many numbers each row gives.
    pub fn raw(&self, rows: &[f32]) -> Result<(Vec<f32>, usize)> {
        let width = self.features.len();
        match &self.body {
            Body::Ours(m) => {
                let x = Matrix { width, cells: rows.to_vec() };
                Ok((m.raw_scores(&x).into_iter().map(|s| s as f32).collect(), 1))
            }
            Body::Onnx(s) => s.rows(rows, width).map_err(|e| ScoreError(e.to_string())),
            Body::Foreign(f) => Ok(f.rows(rows)),
        }
    }

    /// Scores of rows: larger is more suspicious.
    pub fn scores(&self, rows: &[f32]) -> Result<Vec<f64>> {
        let (out, k) = self.raw(rows)?;
        let one = |p: &[f32]| match (k, self.normal) {
            (1, _) | (_, None) => f64::from(p[p.len() - 1]),
            (_, Some(n)) => p.iter().enumerate().filter(|(c, _)| *c != n).map(|(_, p)| f64::from(*p)).sum(),
        };
        Ok(out.chunks_exact(k.max(1)).map(one).collect())
    }

    /// What is usual of each feature, where the model itself knows.
    pub fn usual(&self) -> Vec<crate::live::Usual> {
        let Body::Ours(m) = &self.body else { return Vec::new() };
        let known = self.features.iter().zip(&m.usual).filter(|(_, u)| !u.middle.is_nan());
        known.map(|(n, u)| crate::live::Usual { name: n.clone(), low: u.low, middle: u.middle, high: u.high }).collect()
    }

    /// The rows of a table as the model takes them.
    pub fn table(&self, table: &Table) -> Result<Vec<f32>> {
        if let Body::Ours(m) = &self.body {
            return Ok(m.encoder.encode(table).map_err(|e| ScoreError(e.to_string()))?.matrix.cells);
        }
        let absent: Vec<&str> = self.features.iter().filter(|n| table.find(n).is_none()).map(String::as_str).collect();
        if !absent.is_empty() {
            return err(format!("the data lack {}, which the model needs", absent.join(", ")));
        }
        let columns: Vec<_> = self.features.iter().filter_map(|n| table.columns.get(table.find(n)?)).collect();
        Ok((0..table.rows).flat_map(|r| columns.iter().map(move |c| c.number(r) as f32)).collect())
    }

    /// How rows of a family become rows of this model; an error names what the family lacks.
    pub fn bind(&self, family: &Family) -> Result<Bound> {
        let mut at = Vec::with_capacity(self.features.len());
        let mut absent = Vec::new();
        for (i, name) in self.features.iter().enumerate() {
            let words = match &self.body {
                Body::Ours(m) => match m.encoder.features.get(i).map(|f| &f.kind) {
                    Some(Kind::Category(values)) => values.clone(),
                    _ => Vec::new(),
                },
                _ => Vec::new(),
            };
            match family.features.iter().position(|f| f.name == *name) {
                Some(p) => at.push((p, words)),
                None => absent.push(name.as_str()),
            }
        }
        if !absent.is_empty() {
            let family_name = family.name;
            return err(format!(
                "the model needs {}, which the family `{family_name}` does not have",
                absent.join(", ")
            ));
        }
        Ok(Bound { at })
    }
}

/// Where each column of a model stands in a family's rows.
pub struct Bound {
    at: Vec<(usize, Vec<String>)>,
}

impl Bound {
    /// The numbers of a row as the model takes them: missing ones NaN, words by their place.
    pub fn row(&self, row: &Row) -> Vec<f32> {
        let one = |(p, words): &(usize, Vec<String>)| match row.values.get(*p) {
            Some(Value::Number(x)) => *x as f32,
            Some(Value::Word(w)) => words.iter().position(|v| v == w).map_or(f32::NAN, |i| i as f32),
            _ => f32::NAN,
        };
        self.at.iter().map(one).collect()
    }
}
