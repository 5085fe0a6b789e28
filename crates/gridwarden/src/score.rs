//! `gridwarden score`: what a model says of each row.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::PathBuf;

use anyhow::Context;
use clap::Args;
use learn::Model;

use crate::say::say;
use crate::tables::DataOptions;

/// Scores rows of CSV or Parquet files with a model: one line for each row, in order.
#[derive(Args, Clone)]
pub struct Score {
    /// As `train` wrote it.
    pub model: PathBuf,
    /// CSV (also .gz; comma or semicolon) or Parquet files, read as one table.
    #[arg(required = true)]
    pub data: Vec<PathBuf>,
    #[command(flatten)]
    pub input: DataOptions,
    /// The scores (CSV: row, score, label, p_value, error; several classes: score_CLASS).
    #[arg(short = 'o', long = "output", value_name = "OUT.csv")]
    pub output: PathBuf,
}

/// Runs it.
pub fn run(args: &Score) -> anyhow::Result<u8> {
    let model = Model::load(&args.model)?;
    let table = args.input.load(&args.data)?;
    args.input.progress("scoring", 0.5);
    let context = || format!("`{}`", args.output.display());
    let mut out = BufWriter::new(File::create(&args.output).with_context(context)?);
    let written = model.write_scores(&table, &mut out)?;
    out.flush().with_context(context)?;
    args.input.progress("", 1.0);
    if !args.input.quiet {
        let (rows, attacks) = (written.rows, written.attacks);
        say!("{}: {rows} rows, {attacks} not normal, {} without a score", args.output.display(), written.errors);
    }
    Ok(0)
}
