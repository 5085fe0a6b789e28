//! The model: everything that scoring needs, in one file with a version and a hash.

use std::path::Path;

use serde::{Deserialize, Serialize};
use sha2::Digest;

use crate::calibrate::Calibration;
use crate::dense::Dense;
use crate::detector::Detector;
use crate::encode::Encoder;
use crate::error::{Error, Result};
use crate::gbdt::Ensemble;
use crate::setup::Setup;
use crate::table::hex;

/// The first bytes of a model file.
pub const MAGIC: &[u8] = b"GWMODEL ";
/// The format this program writes.
pub const FORMAT: u32 = 1;
/// A model never unfolds to more.
const MAX_UNFOLDED: usize = 1 << 30;

/// A trained model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Model {
    /// What training was asked for.
    pub setup: Setup,
    /// Table to numbers.
    pub encoder: Encoder,
    /// Class names; of a benign-only model normal and attack.
    pub classes: Vec<String>,
    /// Which class is normal.
    pub normal: Option<usize>,
    pub body: Body,
    /// What normal rows usually hold, by feature.
    pub usual: Vec<Usual>,
    /// Ranks of the final score among later normal rows; `None` where there were none.
    pub calibration: Option<Calibration>,
    /// What it was made of.
    pub card: Card,
}

/// What scores.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Body {
    /// Trees on the encoded row.
    Trees { ensemble: Ensemble },
    /// A net on the dense row that gives class probabilities (softmax over `classes`).
    Net { dense: Dense, net: crate::net::Net },
    /// Detectors on the dense row, each with its own ranks; more than one are fused.
    Detectors { dense: Dense, members: Vec<Member> },
}

/// The middle of a feature's values among normal rows (its commonest code for a category), and the range of nine in ten; NaN (null) is missing.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Usual {
    #[serde(with = "nan")]
    pub middle: f32,
    #[serde(with = "nan")]
    pub low: f32,
    #[serde(with = "nan")]
    pub high: f32,
}

impl PartialEq for Usual {
    fn eq(&self, other: &Usual) -> bool {
        let bits = |u: &Usual| [u.middle.to_bits(), u.low.to_bits(), u.high.to_bits()];
        bits(self) == bits(other)
    }
}

/// Numbers that may be missing, as null.
mod nan {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub fn serialize<S: Serializer>(x: &f32, s: S) -> Result<S::Ok, S::Error> {
        x.is_finite().then_some(*x).serialize(s)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<f32, D::Error> {
        Ok(Option::<f32>::deserialize(d)?.unwrap_or(f32::NAN))
    }
}

/// A detector and what its scores are worth.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Member {
    pub detector: Detector,
    pub calibration: Calibration,
}

/// What a model was made of: for people, and for the registry.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Card {
    /// Version of this program.
    pub program: String,
    /// Hash over the names and bytes of the training files' contents, in order.
    pub data: String,
    /// Rows that were learned from, by class.
    pub rows: Vec<(String, usize)>,
    /// Normal rows set apart for calibration.
    pub calibration_rows: usize,
    /// How they were chosen: `latest by COLUMN` or `by row hash`.
    pub calibration_by: String,
    /// Rows that were not used, by reason.
    pub left_out: Vec<(String, usize)>,
    /// Columns that are no features, and other notes.
    pub notes: Vec<String>,
    /// Trees, leaves, rate and so on, as they came out.
    pub parameters: serde_json::Value,
}

impl Model {
    /// The bytes of the file: `GWMODEL format sha256\n`, then the body as zstd-compressed JSON, of which the hash is.
    pub fn to_bytes(&self) -> Result<Vec<u8>> {
        let json = serde_json::to_vec(self).map_err(|e| Error::Model(e.to_string()))?;
        let body = zstd::encode_all(&json[..], 9).map_err(|e| Error::Model(e.to_string()))?;
        let mut out = format!("GWMODEL {FORMAT} {}\n", hex(&sha2::Sha256::digest(&body))).into_bytes();
        out.extend_from_slice(&body);
        Ok(out)
    }

    /// Reads and checks a model: nothing in it can make scoring panic.
    pub fn from_bytes(bytes: &[u8]) -> Result<Model> {
        let wrong = |what: &str| Error::Model(what.to_owned());
        let rest = bytes.strip_prefix(MAGIC).ok_or_else(|| wrong("this is no model of gridwarden"))?;
        let end = rest.iter().take(100).position(|&b| b == b'\n').ok_or_else(|| wrong("its first line is damaged"))?;
        let line = std::str::from_utf8(&rest[..end]).map_err(|_| wrong("its first line is damaged"))?;
        let (format, hash) = line.split_once(' ').ok_or_else(|| wrong("its first line is damaged"))?;
        match format.parse::<u32>() {
            Ok(FORMAT) => {}
            Ok(newer) if newer > FORMAT => {
                let what =
                    format!("it has format {newer}, this program reads up to {FORMAT}: a newer program wrote it");
                return Err(Error::Model(what));
            }
            _ => return Err(wrong("its format is no number")),
        }
        let body = &rest[end + 1..];
        if hex(&sha2::Sha256::digest(body)) != hash.trim() {
            return Err(wrong("it is damaged: its hash does not fit"));
        }
        let json = zstd::bulk::decompress(body, MAX_UNFOLDED).map_err(|e| Error::Model(e.to_string()))?;
        let model: Model = serde_json::from_slice(&json).map_err(|e| Error::Model(e.to_string()))?;
        model.check().map_err(Error::Model)?;
        Ok(model)
    }

    /// Writes the file.
    pub fn save(&self, path: &Path) -> Result<()> {
        std::fs::write(path, self.to_bytes()?).map_err(|e| Error::file(path, e))
    }

    /// Reads the file.
    pub fn load(path: &Path) -> Result<Model> {
        let bytes = std::fs::read(path).map_err(|e| Error::file(path, e))?;
        Model::from_bytes(&bytes).map_err(|e| match e {
            Error::Model(what) => Error::file(path, what),
            other => other,
        })
    }

    /// Whether a file begins like a model.
    pub fn is_model(path: &Path) -> bool {
        use std::io::Read;
        let mut head = [0u8; 8];
        std::fs::File::open(path).and_then(|mut f| f.read_exact(&mut head)).is_ok() && head == *MAGIC
    }

    /// Which class a row's label names; `None` for labels the model does not know.
    pub fn class_name(&self, class: usize) -> &str {
        self.classes.get(class).map_or("", String::as_str)
    }

    fn check(&self) -> Result<(), String> {
        if self.classes.is_empty() || self.normal.is_some_and(|n| n >= self.classes.len()) {
            return Err("its classes do not fit".into());
        }
        let width = self.encoder.width();
        let dense_fits = |dense: &Dense| {
            let good =
                dense.columns.iter().all(|c| (c.source as usize) < width && c.spread != 0.0 && c.mean.is_finite());
            if good && !dense.columns.is_empty() { Ok(dense.columns.len()) } else { Err("its columns do not fit") }
        };
        for feature in &self.encoder.features {
            use crate::encode::Kind;
            if matches!(feature.kind, Kind::Pause | Kind::Step(_)) && self.encoder.sequence.is_none() {
                return Err("it has steps without a sequence".into());
            }
        }
        match &self.body {
            Body::Trees { ensemble } => {
                let outputs = if self.classes.len() == 2 { 1 } else { self.classes.len() };
                if ensemble.width != width || ensemble.outputs() != outputs {
                    return Err("its trees do not fit its features and classes".into());
                }
                ensemble.check()?;
            }
            Body::Net { dense, net } => net.check(dense_fits(dense)?, self.classes.len())?,
            Body::Detectors { dense, members } => {
                let width = dense_fits(dense)?;
                if members.is_empty() {
                    return Err("it has no detector".into());
                }
                for member in members {
                    member.detector.check(width)?;
                    member.calibration.check()?;
                }
            }
        }
        self.calibration.as_ref().map_or(Ok(()), Calibration::check)
    }
}
