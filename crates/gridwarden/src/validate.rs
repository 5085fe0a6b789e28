//! `gridwarden validate`: how good a model, or this way of training one, is on data it has not seen.

use std::path::PathBuf;

use anyhow::Context;
use clap::Args;
use learn::validate::{Options, Outcome, Split, judge, page, run as validate};
use learn::{Data, Model};

use crate::say::say;
use crate::tables::{DataOptions, TrainOptions};

/// Judges a model, or trains and judges anew by several splits, with intervals and rules that must be beaten.
#[derive(Args, Clone)]
pub struct Validate {
    /// A model and the data to judge it on, or the data to train and judge on.
    #[arg(required = true, value_name = "MODEL|DATA")]
    pub data: Vec<PathBuf>,
    /// Data to judge on (the official split).
    #[arg(long, value_name = "DATA", num_args = 1..)]
    pub test: Vec<PathBuf>,
    /// `official`, `temporal`, `grouped`, `family` or `random` [default: all that the data allow].
    #[arg(long, value_delimiter = ',', value_name = "SPLIT")]
    pub split: Vec<Split>,
    /// The column that says which family an attack belongs to: never a feature; one family after the other is left out.
    #[arg(long, value_name = "COLUMN")]
    pub family: Option<String>,
    /// How many times, each with another seed [default: 5, fewer where that would take very long].
    #[arg(long, value_name = "N")]
    pub seeds: Option<u64>,
    #[command(flatten)]
    pub options: TrainOptions,
    #[command(flatten)]
    pub input: DataOptions,
    /// The figures.
    #[arg(long, value_name = "F.json")]
    pub json: Option<PathBuf>,
    /// A report for people.
    #[arg(long, value_name = "F.html")]
    pub report: Option<PathBuf>,
}

/// Runs it.
pub fn run(args: &Validate) -> anyhow::Result<u8> {
    let progress = |what: &str, share: f64| args.input.progress(what, share);
    let outcome = if Model::is_model(&args.data[0]) {
        let model = Model::load(&args.data[0])?;
        let paths = if args.test.is_empty() { &args.data[1..] } else { &args.test[..] };
        anyhow::ensure!(!paths.is_empty(), "no data to judge the model on: name them after the model or with --test");
        let mut setup = model.setup.clone();
        if args.options.label.is_some() {
            setup.label = args.options.label.clone();
        }
        anyhow::ensure!(setup.label.is_some(), "--label is needed: the column that says what each row is");
        let data = Data::of_test(args.input.load(paths)?, &setup)?;
        judge(&model, &data, &progress)?
    } else {
        let setup = args.options.setup(args.family.as_deref())?;
        let data = Data::new(args.input.load(&args.data)?, &setup)?;
        let test = match &args.test[..] {
            [] => None,
            paths => Some(Data::of_test(args.input.load(paths)?, &setup)?),
        };
        let options = Options { splits: args.split.clone(), seeds: args.seeds };
        validate(&data, test.as_ref(), &setup, &options, &progress)?
    };
    if let Some(path) = &args.json {
        let text = serde_json::to_string_pretty(&outcome.json)? + "\n";
        std::fs::write(path, text).with_context(|| format!("`{}`", path.display()))?;
    }
    if let Some(path) = &args.report {
        std::fs::write(path, page(&outcome)).with_context(|| format!("`{}`", path.display()))?;
    }
    if !args.input.quiet {
        tell(&outcome);
    }
    Ok(0)
}

fn tell(outcome: &Outcome) {
    let j = &outcome.json;
    for column in j["shortcuts"]["suspicious"].as_array().into_iter().flatten() {
        say!("shortcut? {} alone ranks nearly all attacks", column.as_str().unwrap_or_default());
    }
    for note in j["notes"].as_array().into_iter().flatten() {
        say!("note: {}", note.as_str().unwrap_or_default());
    }
    say!(
        "{:<10} {:>4} {:>8} {:>9} {:>9} {:>9} {:>9} {:>9} {:>9}",
        "split",
        "seed",
        "rows",
        "accuracy",
        "macro_f1",
        "roc_auc",
        "pr_auc",
        "recall",
        "fpr"
    );
    for p in j["splits"].as_array().into_iter().flatten() {
        let f = |name: &str| p[name].as_f64().map_or_else(|| "-".to_owned(), |x| format!("{x:.4}"));
        say!(
            "{:<10} {:>4} {:>8} {:>9} {:>9} {:>9} {:>9} {:>9} {:>9}",
            p["split"].as_str().unwrap_or_default(),
            p["seed"],
            p["n"],
            f("accuracy"),
            f("macro_f1"),
            f("roc_auc"),
            f("pr_auc"),
            f("recall"),
            f("fpr")
        );
    }
    for (split, gap) in j["optimism_gap"].as_object().into_iter().flatten() {
        let f = |name: &str| gap[name].as_f64().unwrap_or(f64::NAN);
        say!(
            "a random split promises {:.4} more accuracy and {:.4} more macro F1 than {split}",
            f("accuracy"),
            f("macro_f1")
        );
    }
}
