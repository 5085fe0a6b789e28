//! SQL over what was recorded: the lake of a data folder, the folders that `analyze` writes, or single Parquet files, as one table per
//! kind of record. Read only: a statement that would change anything is refused.
//!
//! Besides DataFusion's functions there are `in_subnet`, `community_id`, `time_bucket`, `entropy` and `asset` ([`FUNCTIONS`]).

mod dictionary;
mod engine;
mod functions;
mod output;
mod tables;

pub use engine::{Engine, Options, Rows, Table};
pub use functions::FUNCTIONS;
pub use output::{Format, Summary, write};

/// Why a search came to nothing.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The SQL makes no sense, or would change something.
    #[error("{0}")]
    Sql(String),
    /// The limit of memory was reached.
    #[error("the search needs more than its {limit_mb} MB of memory: {what}")]
    Memory {
        /// The limit.
        limit_mb: usize,
        /// Which step asked for more.
        what: String,
    },
    /// A file cannot be read.
    #[error("{0}")]
    Data(String),
    /// The result cannot be written.
    #[error("cannot write the result: {0}")]
    Output(#[from] std::io::Error),
}

/// Runs one search over places and writes its rows; for callers that know no asynchronous runtime. `documents` are tables (`finding`, `device`) with lines of
/// `assets.ndjson` and `alerts.ndjson` instead of those in the places, where they are given.
pub fn run(
    places: &[std::path::PathBuf],
    documents: &[(&str, Vec<serde_json::Value>)],
    sql: &str,
    options: Options,
    (format, limit): (Format, usize),
    to: &mut (dyn std::io::Write + Send),
) -> Result<Summary> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.map_err(|e| Error::Data(format!("cannot start threads: {e}")))?;
    runtime.block_on(async {
        let mut engine = Engine::open(places, options).await?;
        for (table, documents) in documents {
            engine.add_documents(table, documents)?;
        }
        let mut rows = engine.search(sql).await?;
        write(&mut rows, format, to, limit).await
    })
}

/// What this crate's functions return.
pub type Result<T> = std::result::Result<T, Error>;
