//! `gridwarden explain`: why a model scores rows as it does.

use std::path::PathBuf;

use clap::Args;
use learn::Model;

use crate::say::say;
use crate::tables::DataOptions;

/// Says why a model scores rows as it does: value, what is usual, and each feature's part.
#[derive(Args, Clone)]
pub struct Explain {
    /// As `train` wrote it.
    pub model: PathBuf,
    /// CSV (also .gz; comma or semicolon) or Parquet files, read as one table.
    #[arg(required = true)]
    pub data: Vec<PathBuf>,
    /// Rows to explain, from 1.
    #[arg(long, value_delimiter = ',', required = true, value_name = "N")]
    pub rows: Vec<usize>,
    #[command(flatten)]
    pub input: DataOptions,
    /// All parts of all features, as JSON on standard output.
    #[arg(long)]
    pub json: bool,
}

/// Runs it.
pub fn run(args: &Explain) -> anyhow::Result<u8> {
    let model = Model::load(&args.model)?;
    let table = args.input.load(&args.data)?;
    args.input.progress("", 1.0);
    let explained = model.explain(&table, &args.rows)?;
    if args.json {
        say!("{}", serde_json::to_string_pretty(&explained)?);
        return Ok(0);
    }
    for row in explained["rows"].as_array().into_iter().flatten() {
        if let Some(error) = row["error"].as_str() {
            say!("row {}: no score: {error}", row["row"]);
            continue;
        }
        let text = |name: &str| report::plain(row[name].as_str().unwrap_or_default());
        say!(
            "row {}: {}, score {:.6}; {}",
            row["row"],
            text("label"),
            row["score"].as_f64().unwrap_or(f64::NAN),
            text("verdict")
        );
        for reason in row["reasons"].as_array().into_iter().flatten() {
            let sentence = reason["sentence"].as_str().unwrap_or_default();
            say!("  {:+10.4}  {}", reason["part"].as_f64().unwrap_or(f64::NAN), report::plain(sentence));
        }
        let number = |name: &str| row[name].as_f64().unwrap_or(f64::NAN);
        say!(
            "  the parts add up to {}: {:.6} from {:.6} expected",
            text("explains"),
            number("total"),
            number("expected")
        );
    }
    Ok(0)
}
