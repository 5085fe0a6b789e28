//! What a training run was asked for; kept in the model, so that validation can repeat it.

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// What is to be told of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Task {
    /// Normal or attack.
    Binary,
    /// Which class.
    Multiclass,
    /// How unlike the normal rows; attacks are not looked at.
    BenignOnly,
}

/// How it is learned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Algorithm {
    /// Gradient-boosted trees.
    Gbdt,
    /// A neural net with hidden layers.
    Mlp,
    /// A neural net that gives its input back; what it cannot is anomalous.
    Autoencoder,
    /// Distance from the middle, by the spread of the normal rows.
    Mahalanobis,
    /// Isolation forest.
    Iforest,
    /// Half-space trees.
    Hst,
    /// The smallest p-value of several detectors times their number.
    Fusion,
}

macro_rules! named {
    ($type:ident: $($variant:ident = $name:literal),*) => {
        impl $type {
            /// Every value with its name.
            pub const ALL: &[($type, &str)] = &[$(($type::$variant, $name)),*];
            /// As it is written on the command line.
            pub fn name(self) -> &'static str {
                match self { $($type::$variant => $name),* }
            }
        }
        impl std::str::FromStr for $type {
            type Err = Error;
            fn from_str(s: &str) -> Result<$type> {
                let found = $type::ALL.iter().find(|(_, n)| *n == s).map(|(v, _)| *v);
                found.ok_or_else(|| {
                    let all: Vec<_> = $type::ALL.iter().map(|(_, n)| *n).collect();
                    Error::Option(format!("`{s}` is none of {}", all.join(", ")))
                })
            }
        }
    };
}
named!(Task: Binary = "binary", Multiclass = "multiclass", BenignOnly = "benign-only");
named!(Algorithm: Gbdt = "gbdt", Mlp = "mlp", Autoencoder = "autoencoder", Mahalanobis = "mahalanobis", Iforest = "iforest",
    Hst = "hst", Fusion = "fusion");

impl Algorithm {
    /// Whether it learns from normal rows alone.
    pub fn is_benign_only(self) -> bool {
        !matches!(self, Algorithm::Gbdt | Algorithm::Mlp)
    }
}

/// The options of `train`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Setup {
    /// The column that says what a row is; without it every row is taken as normal.
    pub label: Option<String>,
    /// Labels that mean normal, in any case.
    pub normal: Vec<String>,
    /// Label to class.
    pub map: BTreeMap<String, String>,
    /// Rows with these labels are left out.
    pub ignore: Vec<String>,
    /// Columns that are no features.
    pub drop: Vec<String>,
    pub time: Option<String>,
    pub group: Vec<String>,
    pub family: Option<String>,
    /// Share of normal rows that may be called attack.
    pub fpr: f64,
    pub task: Task,
    pub algorithm: Algorithm,
    pub tune: bool,
    pub seed: u64,
}

impl Default for Setup {
    fn default() -> Setup {
        Setup {
            label: None,
            normal: ["normal", "benign", "0"].map(String::from).to_vec(),
            map: BTreeMap::new(),
            ignore: Vec::new(),
            drop: Vec::new(),
            time: None,
            group: Vec::new(),
            family: None,
            fpr: 0.01,
            task: Task::Binary,
            algorithm: Algorithm::Gbdt,
            tune: false,
            seed: 0,
        }
    }
}

impl Setup {
    /// Whether a label means normal: by itself or by the class it is mapped to.
    pub fn is_normal(&self, label: &str) -> bool {
        let says = |l: &str| self.normal.iter().any(|n| same(n, l));
        says(label) || self.class(label).is_some_and(says)
    }

    /// The class a label is mapped to.
    pub fn class(&self, label: &str) -> Option<&str> {
        let exact = self.map.get(label);
        exact.or_else(|| self.map.iter().find(|(k, _)| same(k, label)).map(|(_, v)| v)).map(String::as_str)
    }

    /// Whether rows with this label are left out.
    pub fn is_ignored(&self, label: &str) -> bool {
        self.ignore.iter().any(|v| same(v, label))
    }

    /// Checks what cannot be meant.
    pub fn check(&self) -> Result<()> {
        if !(self.fpr > 0.0 && self.fpr < 1.0) {
            return Err(Error::Option(format!("--fpr {}: it lies between 0 and 1", self.fpr)));
        }
        if self.label.is_none() && self.task != Task::BenignOnly {
            return Err(Error::Option("--label is needed: the column that says what a row is".into()));
        }
        if (self.task == Task::BenignOnly) != self.algorithm.is_benign_only() {
            let (t, a) = (self.task.name(), self.algorithm.name());
            return Err(Error::Option(format!("--algorithm {a} does not fit --task {t}")));
        }
        Ok(())
    }
}

/// Equal but for case, spaces around, and how a number is written (`1.0` is `1`).
fn same(a: &str, b: &str) -> bool {
    let (a, b) = (a.trim(), b.trim());
    a.eq_ignore_ascii_case(b) || matches!((a.parse::<f64>(), b.parse::<f64>()), (Ok(x), Ok(y)) if x == y)
}

/// Reads `value,class` lines; a first line that says `value,class` or `label,class` is a header.
pub fn read_map(path: &Path) -> Result<BTreeMap<String, String>> {
    let text = std::fs::read_to_string(path).map_err(|e| Error::file(path, e))?;
    let mut map = BTreeMap::new();
    for (at, line) in text.lines().enumerate().filter(|(_, l)| !l.trim().is_empty()) {
        let (value, class) = line
            .split_once([',', ';', '\t'])
            .ok_or_else(|| Error::file(path, format!("line {}: `value,class` is expected", at + 1)))?;
        let clean = |s: &str| s.trim().trim_matches('"').to_owned();
        let (value, class) = (clean(value), clean(class));
        if at == 0 && class.eq_ignore_ascii_case("class") {
            continue;
        }
        map.insert(value, class);
    }
    Ok(map)
}
