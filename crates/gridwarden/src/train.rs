//! `gridwarden train`: a model from labelled rows, calibrated on later normal ones.

use std::path::PathBuf;

use clap::Args;
use learn::Data;

use crate::say::say;
use crate::tables::{DataOptions, TrainOptions};

/// Trains a model on rows of CSV or Parquet files.
#[derive(Args, Clone)]
pub struct Train {
    /// CSV (also .gz; comma or semicolon) or Parquet files, read as one table.
    #[arg(required = true)]
    pub data: Vec<PathBuf>,
    #[command(flatten)]
    pub options: TrainOptions,
    #[command(flatten)]
    pub input: DataOptions,
    /// The model to write.
    #[arg(short = 'o', long = "output", value_name = "MODEL")]
    pub output: PathBuf,
}

/// Runs it.
pub fn run(args: &Train) -> anyhow::Result<u8> {
    let setup = args.options.setup(None)?;
    let data = Data::new(args.input.load(&args.data)?, &setup)?;
    let model = learn::fit(&data, &setup, &|what, share| args.input.progress(what, share))?;
    args.input.progress("", 1.0);
    model.save(&args.output)?;
    if !args.input.quiet {
        let card = &model.card;
        let rows: Vec<_> = card.rows.iter().map(|(class, n)| format!("{n} {class}")).collect();
        say!("{}: {} by {}", args.output.display(), setup.task.name(), setup.algorithm.name());
        say!("  learned from {} rows: {}", card.rows.iter().map(|r| r.1).sum::<usize>(), rows.join(", "));
        for (why, n) in &card.left_out {
            say!("  left out {n} rows: {why}");
        }
        if let Some(c) = &model.calibration {
            let (n, by) = (card.calibration_rows, &card.calibration_by);
            say!("  labels attack above {:.4}: {} % of {n} later normal rows ({by})", c.threshold, setup.fpr * 100.0);
        }
        for note in &card.notes {
            say!("  note: {note}");
        }
    }
    Ok(0)
}
