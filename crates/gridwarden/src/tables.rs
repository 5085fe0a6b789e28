//! What `train`, `validate` and `select` have in common: how data are read and what is learned from them.

use std::path::PathBuf;

use clap::Args;
use learn::table::Table;
use learn::{Algorithm, Setup, Task};

use crate::say::passing;

/// What is learned, and from which columns.
#[derive(Args, Clone)]
pub struct TrainOptions {
    /// The column that says what each row is.
    #[arg(long, value_name = "COLUMN")]
    pub label: Option<String>,
    /// Labels that mean normal, in any case [default: normal, benign, 0].
    #[arg(long, value_delimiter = ',', value_name = "VALUE")]
    pub normal: Vec<String>,
    /// Classes of labels (CSV: value,class).
    #[arg(long, value_name = "CLASSES.csv")]
    pub map: Option<PathBuf>,
    /// Leaves out rows with these labels.
    #[arg(long, value_delimiter = ',', value_name = "VALUE")]
    pub ignore: Vec<String>,
    /// Columns that are no features.
    #[arg(long, value_delimiter = ',', value_name = "COLUMN")]
    pub drop: Vec<String>,
    /// The column with each row's time: never a feature; orders rows, so that calibration and tests come later than training.
    #[arg(long, value_name = "COLUMN")]
    pub time: Option<String>,
    /// Columns that say which rows belong together (a recording, a conversation): never features; with `--time`, steps and pauses within a
    /// group become features.
    #[arg(long, value_delimiter = ',', value_name = "COLUMN")]
    pub group: Vec<String>,
    /// Share of normal rows that may be labelled as attack.
    #[arg(long, default_value_t = 0.01, value_name = "SHARE")]
    pub fpr: f64,
    /// `binary` (normal or attack), `multiclass`, or `benign-only`, which learns from normal rows alone [default: binary].
    #[arg(long)]
    pub task: Option<Task>,
    /// `gbdt` or `mlp`; benign-only: `fusion`, `mahalanobis`, `iforest`, `hst` or `autoencoder` [default: gbdt, benign-only: fusion].
    #[arg(long)]
    pub algorithm: Option<Algorithm>,
    /// Tries several settings and takes the best on rows set apart.
    #[arg(long)]
    pub tune: bool,
    /// Chooses samples; the same seed gives the same model.
    #[arg(long, default_value_t = 0, value_name = "N")]
    pub seed: u64,
}

impl TrainOptions {
    /// As the library wants it; `family` is validation's own.
    pub fn setup(&self, family: Option<&str>) -> anyhow::Result<Setup> {
        let by_algorithm = match self.algorithm {
            Some(a) if a.is_benign_only() => Task::BenignOnly,
            _ => Task::Binary,
        };
        let task = self.task.unwrap_or(by_algorithm);
        let usual = if task == Task::BenignOnly { Algorithm::Fusion } else { Algorithm::Gbdt };
        let given = Setup::default();
        let setup = Setup {
            label: self.label.clone(),
            normal: if self.normal.is_empty() { given.normal } else { self.normal.clone() },
            map: self.map.as_deref().map(learn::read_map).transpose()?.unwrap_or_default(),
            ignore: self.ignore.clone(),
            drop: self.drop.clone(),
            time: self.time.clone(),
            group: self.group.clone(),
            family: family.map(str::to_owned),
            fpr: self.fpr,
            task,
            algorithm: self.algorithm.unwrap_or(usual),
            tune: self.tune,
            seed: self.seed,
        };
        setup.check()?;
        Ok(setup)
    }
}

/// Where rows come from.
#[derive(Args, Clone)]
pub struct DataOptions {
    /// Names of the columns, one a line, for text files that have no header.
    #[arg(long, value_name = "NAMES.txt")]
    pub columns: Option<PathBuf>,
    /// Says nothing but errors.
    #[arg(long, short = 'q')]
    pub quiet: bool,
}

impl DataOptions {
    /// Reads CSV (also gzip; comma or semicolon) and Parquet files as one table.
    pub fn load(&self, paths: &[PathBuf]) -> anyhow::Result<Table> {
        self.progress("reading", 0.0);
        Ok(Table::load(paths, self.columns.as_deref())?)
    }

    /// A line on a terminal that says what is going on.
    pub fn progress(&self, what: &str, share: f64) {
        if !self.quiet {
            if share >= 1.0 {
                passing("");
            } else if share > 0.0 {
                let bar = "#".repeat((share * 30.0) as usize);
                passing(&format!("{what:<12} [{bar:<30}] {:3.0} %", share * 100.0));
            } else {
                passing(what);
            }
        }
    }
}
