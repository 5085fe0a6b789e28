//! `gridwarden hunt`: SQL over what was recorded.

use std::io::{BufWriter, Write};
use std::path::PathBuf;

use anyhow::{Context, ensure};
use clap::{Args, ValueEnum};

use crate::audit::DATA;
use crate::say::{complaint, line};

/// Searches with SQL in the lake, in folders that `analyze` wrote, or in Parquet files.
#[derive(Args, Clone)]
pub struct Hunt {
    /// The statement (read only); without it the tables, their columns and the functions are listed.
    pub sql: Option<String>,
    /// Where to search: folders that `analyze` wrote, folders with Parquet files, or Parquet files.
    pub paths: Vec<PathBuf>,
    /// Data folder of the platform; without it and without paths /var/lib/gridwarden.
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// How the result is written.
    #[arg(long, value_enum, default_value_t = Form::Table)]
    pub format: Form,
    /// File for the result; without it standard output.
    #[arg(short = 'o', long = "output")]
    pub output: Option<PathBuf>,
    /// Rows at most; 0 for all.
    #[arg(long, default_value_t = 0)]
    pub limit: usize,
    /// Memory for sorting, grouping and joining, in MB; what needs more is refused.
    #[arg(long, default_value_t = 512, value_name = "MB")]
    pub memory: usize,
    /// Worker threads; 0 takes the machine's.
    #[arg(short = 'j', long, default_value_t = 0)]
    pub threads: usize,
}

/// Forms of a result.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Form {
    /// Aligned columns, 100,000 rows at most.
    Table,
    /// RFC 4180; text is never a formula.
    Csv,
    /// One array of objects.
    Json,
    /// An Apache Parquet file.
    Parquet,
    /// An Apache Arrow IPC file.
    Arrow,
}

/// Searches.
pub fn run(args: &Hunt) -> anyhow::Result<u8> {
    let mut places = args.paths.clone();
    let data = args.data.clone().or_else(|| places.is_empty().then(|| PathBuf::from(DATA)));
    let mut documents = Vec::new();
    if let Some(data) = data {
        ensure!(
            data.is_dir(),
            "there is no data folder `{}`: name one with --data, or a folder that `analyze` wrote",
            data.display()
        );
        documents = stored(&data)?;
        places.insert(0, data);
    }
    let options = query::Options { memory: args.memory.max(1) << 20, threads: args.threads };
    let format = match args.format {
        Form::Table => query::Format::Table,
        Form::Csv => query::Format::Csv,
        Form::Json => query::Format::Json,
        Form::Parquet => query::Format::Parquet,
        Form::Arrow => query::Format::Arrow,
    };
    let sql = args.sql.as_deref().unwrap_or(
        "SELECT table_name AS \"table\", string_agg(column_name, ' ' ORDER BY ordinal_position) AS columns
         FROM information_schema.columns WHERE table_schema = 'public' GROUP BY 1 ORDER BY 1",
    );
    let mut to: Box<dyn Write + Send> = match &args.output {
        Some(path) => {
            let file = std::fs::File::create(path).with_context(|| format!("cannot create `{}`", path.display()))?;
            Box::new(BufWriter::new(file))
        }
        None => Box::new(BufWriter::new(std::io::stdout())),
    };
    let done = query::run(&places, &documents, sql, options, (format, args.limit), &mut to).and_then(|s| {
        to.flush()?;
        Ok(s)
    });
    match done {
        Ok(summary) => {
            if args.sql.is_none() {
                for (_, form, doc) in query::FUNCTIONS {
                    line(format_args!("{form}: {doc}"));
                }
            }
            if summary.cut {
                complaint(format_args!(
                    "there are more than the {} rows that were written: raise --limit",
                    summary.rows
                ));
            }
            Ok(0)
        }
        // `| head` is no error.
        Err(query::Error::Output(e)) if e.kind() == std::io::ErrorKind::BrokenPipe => Ok(0),
        Err(e) => {
            if let Some(path) = &args.output {
                // Half a result is worse than none.
                let _ = std::fs::remove_file(path);
            }
            Err(e.into())
        }
    }
}

/// Findings and devices of a data folder.
fn stored(data: &std::path::Path) -> anyhow::Result<Vec<(&'static str, Vec<serde_json::Value>)>> {
    use state::Store;
    let path = data.join("state.sqlite");
    if !path.is_file() {
        return Ok(Vec::new());
    }
    let db = state::Db::open(&path)?;
    let filter = state::Filter { with_suppressed: true, ..state::Filter::default() };
    let (mut findings, mut cursor) = (Vec::new(), None::<String>);
    loop {
        let page = db.findings(&filter, cursor.as_deref(), 500)?;
        findings.extend(page.items.into_iter().map(|f| f.finding));
        cursor = page.next;
        if cursor.is_none() {
            break;
        }
    }
    let (mut devices, mut cursor) = (Vec::new(), String::new());
    loop {
        let (rows, next) = db.devices("", &cursor, 1_000)?;
        devices.extend(rows.into_iter().map(|d| d.device));
        match next {
            Some(next) => cursor = next,
            None => break,
        }
    }
    Ok(vec![("finding", findings), ("device", devices)])
}
