//! `gridwarden clean` and `gridwarden select`: what to learn from, and from which columns.

use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::Args;
use learn::{Data, Setup};
use serde_json::Value;

use crate::say::say;
use crate::tables::{DataOptions, TrainOptions};

/// Cleans rows of CSV or Parquet files; every row and cell that is removed or changed has a counted reason.
#[derive(Args, Clone)]
pub struct Clean {
    /// CSV (also .gz; comma or semicolon) or Parquet files, read as one table.
    #[arg(required = true)]
    pub data: Vec<PathBuf>,
    /// The column that says what each row is: contradictions and doubtful labels are looked for.
    #[arg(long, value_name = "COLUMN")]
    pub label: Option<String>,
    /// Labels that mean normal, in any case [default: normal, benign, 0].
    #[arg(long, value_delimiter = ',', value_name = "VALUE")]
    pub normal: Vec<String>,
    /// Columns that are not looked at when labels contradict each other, such as times.
    #[arg(long, value_delimiter = ',', value_name = "COLUMN")]
    pub drop: Vec<String>,
    #[command(flatten)]
    pub input: DataOptions,
    /// The clean rows.
    #[arg(short = 'o', long = "output", value_name = "OUT.parquet")]
    pub output: PathBuf,
    /// The account of what was removed and changed.
    #[arg(long, value_name = "F.json")]
    pub json: Option<PathBuf>,
}

/// Ranks columns by what they say of the label, and tells shortcuts.
#[derive(Args, Clone)]
pub struct Select {
    /// CSV (also .gz; comma or semicolon) or Parquet files, read as one table.
    #[arg(required = true)]
    pub data: Vec<PathBuf>,
    #[command(flatten)]
    pub options: TrainOptions,
    #[command(flatten)]
    pub input: DataOptions,
    /// The ranking.
    #[arg(long, value_name = "F.json")]
    pub json: Option<PathBuf>,
}

/// Runs `clean`.
pub fn run(args: &Clean) -> anyhow::Result<u8> {
    let mut setup = Setup { label: args.label.clone(), drop: args.drop.clone(), ..Setup::default() };
    if !args.normal.is_empty() {
        setup.normal = args.normal.clone();
    }
    let table = args.input.load(&args.data)?;
    let progress = |what: &str, share: f64| args.input.progress(what, share);
    let (out, account) = learn::clean::clean(&table, &setup, &progress)?;
    learn::table::write_parquet(&out, &args.output)?;
    write(args.json.as_deref(), &account)?;
    if !args.input.quiet {
        say!(
            "{}: {} of {} rows, {} of {} columns",
            args.output.display(),
            out.rows,
            table.rows,
            out.names.len(),
            table.names.len()
        );
        for (why, n) in account["removed_rows"].as_object().into_iter().flatten() {
            say!("  {n} rows removed: {why}");
        }
        for (column, why) in account["removed_columns"].as_object().into_iter().flatten() {
            say!("  column {} removed: {}", report::plain(column), why.as_str().unwrap_or_default());
        }
        if let Some(n) = account["doubted_labels"]["count"].as_u64() {
            say!("  {n} labels are doubtful (listed, not removed)");
        }
    }
    Ok(0)
}

/// Runs `select`.
pub fn select(args: &Select) -> anyhow::Result<u8> {
    let setup = args.options.setup(None)?;
    let data = Data::new(args.input.load(&args.data)?, &setup)?;
    let found = learn::select::select(&data, &setup, &|what, share| args.input.progress(what, share))?;
    write(args.json.as_deref(), &found)?;
    if !args.input.quiet {
        say!(
            "{:>4}  {:<32} {:>10} {:>12} {:>10} {:>9}",
            "rank",
            "column",
            "shap",
            "permutation",
            "mutual",
            "stability"
        );
        for f in found["features"].as_array().into_iter().flatten().take(20) {
            // What the rows cannot tell, as the loss of a figure where none of those judged is an attack, is no number.
            let number = |name: &str| f[name].as_f64().map_or_else(|| "–".to_owned(), |n| format!("{n:.4}"));
            let name = report::plain(f["feature"].as_str().unwrap_or_default());
            let mark = if f["shortcut"] == true { "  shortcut?" } else { "" };
            say!(
                "{:>4}  {name:<32} {:>10} {:>12} {:>10} {:>9.2}{mark}",
                f["rank"],
                number("shap"),
                number("permutation"),
                number("mutual_information"),
                f["stability"].as_f64().unwrap_or(0.0)
            );
        }
    }
    Ok(0)
}

fn write(path: Option<&Path>, json: &Value) -> anyhow::Result<()> {
    let Some(path) = path else { return Ok(()) };
    std::fs::write(path, serde_json::to_string_pretty(json)? + "\n").with_context(|| format!("`{}`", path.display()))
}
