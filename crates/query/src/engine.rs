//! The engine: which tables there are, the limits of a search, and its rows as they come.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::datatypes::{DataType, SchemaRef};
use arrow::record_batch::RecordBatch;
use datafusion::config::TableParquetOptions;
use datafusion::datasource::file_format::parquet::ParquetFormat;
use datafusion::datasource::listing::{ListingOptions, ListingTable, ListingTableConfig, ListingTableUrl};
use datafusion::error::DataFusionError;
use datafusion::execution::context::SQLOptions;
use datafusion::execution::disk_manager::{DiskManagerBuilder, DiskManagerMode};
use datafusion::execution::memory_pool::{FairSpillPool, TrackConsumersPool};
use datafusion::execution::runtime_env::RuntimeEnvBuilder;
use datafusion::prelude::{SessionConfig, SessionContext};
use futures::{Stream, StreamExt};

use crate::{Error, Result, functions, tables};

/// Limits of one search.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Memory that sorting, grouping and joining may hold, in bytes.
    pub memory: usize,
    /// Threads; 0 takes the machine's.
    pub threads: usize,
}

impl Default for Options {
    fn default() -> Self {
        Options { memory: 512 << 20, threads: 0 }
    }
}

/// A table: what completion and the reference show of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Table {
    /// Name in SQL.
    pub name: String,
    /// Columns: name and type.
    pub columns: Vec<(String, String)>,
}

/// Tables of one or several places, and the functions; searches of one engine share its caches, not its memory limit.
pub struct Engine {
    options: Options,
    tables: BTreeMap<String, Arc<dyn datafusion::catalog::TableProvider>>,
    assets: functions::Assets,
    /// Lakes among the places.
    lakes: Vec<PathBuf>,
    /// Some file of others has floating-point columns: the figures in its footer do not count NaN and are not believed.
    doubts_footers: bool,
}

/// Rows of a search as they come; dropping it ends the search.
pub struct Rows {
    /// Columns.
    pub schema: SchemaRef,
    stream: std::pin::Pin<Box<dyn Stream<Item = std::result::Result<RecordBatch, DataFusionError>> + Send>>,
    memory: usize,
    /// Files stay where they are until the last row is read.
    _reading: Vec<lake::Reading>,
}

impl Rows {
    /// Columns: name and type in words.
    pub fn columns(&self) -> Vec<(String, String)> {
        columns(&self.schema)
    }

    /// The next rows; none at the end.
    pub async fn next(&mut self) -> Option<Result<RecordBatch>> {
        let batch = self.stream.next().await?;
        Some(batch.map_err(|e| explain(e, self.memory)))
    }
}

impl Engine {
    /// Opens places: a data folder (with `lake/`), a folder that `analyze` wrote (with `records/`), a folder of Parquet files, or a Parquet
    /// file. Tables of one name from several places are one table. Nothing found is an error only where nothing is found at all.
    pub async fn open(places: &[PathBuf], options: Options) -> Result<Engine> {
        let lakes = places.iter().map(|p| p.join("lake")).filter(|p| p.is_dir()).collect();
        let (tables, assets) = (BTreeMap::new(), functions::Assets::default());
        let mut engine = Engine { options, tables, assets, lakes, doubts_footers: false };
        let _reading = engine.reading()?;
        let found = tables::find(places)?;
        let context = engine.context()?;
        for (name, sources) in found.parquet {
            let (table, is_doubtful) = listing(&context, &name, &sources).await?;
            engine.doubts_footers |= is_doubtful;
            engine.tables.insert(name, table);
        }
        engine.add_documents("device", &found.devices)?;
        engine.add_documents("finding", &found.findings)?;
        Ok(engine)
    }

    /// Adds a table of documents (`finding` or `device`), as lines of `alerts.ndjson` or `assets.ndjson`; `asset` learns names from devices.
    pub fn add_documents(&mut self, table: &str, documents: &[serde_json::Value]) -> Result<()> {
        if table == "device" {
            self.assets = functions::Assets::of(documents);
        }
        if !documents.is_empty() {
            let provider = tables::documents(table, documents)?;
            self.tables.insert(table.to_owned(), provider);
        }
        Ok(())
    }

    /// The tables by name.
    pub fn tables(&self) -> Vec<Table> {
        self.tables.iter().map(|(name, t)| Table { name: name.clone(), columns: columns(&t.schema()) }).collect()
    }

    /// Starts a search. Its memory limit is its own.
    pub async fn search(&self, sql: &str) -> Result<Rows> {
        let reading = self.reading()?;
        let context = self.context()?;
        let memory = self.options.memory;
        let fail = |e| explain(e, memory);
        let read_only = SQLOptions::new().with_allow_ddl(false).with_allow_dml(false).with_allow_statements(false);
        let frame = context.sql_with_options(sql, read_only).await.map_err(fail)?;
        let schema = Arc::clone(frame.schema().inner());
        let stream = frame.execute_stream().await.map_err(fail)?;
        Ok(Rows { schema, stream: Box::pin(stream), memory, _reading: reading })
    }

    /// Keeps upkeep from exchanging files while a search reads them.
    fn reading(&self) -> Result<Vec<lake::Reading>> {
        let lock = |lake: &PathBuf| {
            lake::reading(lake).map_err(|e| Error::Data(format!("cannot lock `{}`: {e}", lake.display())))
        };
        Ok(self.lakes.iter().map(lock).collect::<Result<Vec<_>>>()?.into_iter().flatten().collect())
    }

    fn context(&self) -> Result<SessionContext> {
        let fail = |e| explain(e, self.options.memory);
        // What does not fit is said, not written to a disk that packets need.
        let disk = DiskManagerBuilder::default().with_mode(DiskManagerMode::Disabled);
        let pool = TrackConsumersPool::new(FairSpillPool::new(self.options.memory), std::num::NonZeroUsize::MIN);
        let runtime = RuntimeEnvBuilder::new().with_disk_manager_builder(disk).with_memory_pool(Arc::new(pool));
        let mut config = SessionConfig::new().with_information_schema(true);
        if self.options.threads > 0 {
            config = config.with_target_partitions(self.options.threads);
        }
        let execution = &mut config.options_mut().execution;
        execution.parquet.pushdown_filters = true;
        execution.parquet.reorder_filters = true;
        execution.parquet.pruning = !self.doubts_footers;
        execution.parquet.enable_page_index = !self.doubts_footers;
        execution.collect_statistics = !self.doubts_footers;
        let context = SessionContext::new_with_config_rt(config, runtime.build_arc().map_err(fail)?);
        for function in functions::all(&self.assets) {
            context.register_udf(function);
        }
        for (name, table) in &self.tables {
            context
                .register_table(datafusion::common::TableReference::bare(name.clone()), Arc::clone(table))
                .map_err(fail)?;
        }
        Ok(context)
    }
}

/// One table over files and folders of one kind, and whether what its footers say of its columns may be untrue (NaN is left out there; the lake's own
/// files say nothing of such columns).
async fn listing(
    context: &SessionContext,
    name: &str,
    sources: &[tables::Source],
) -> Result<(Arc<dyn datafusion::catalog::TableProvider>, bool)> {
    let bad = |path: &Path, e: DataFusionError| {
        Error::Data(format!("cannot read `{}` as table `{name}`: {e}", path.display()))
    };
    let mut urls = Vec::new();
    for source in sources {
        let text =
            source.path.to_str().ok_or_else(|| Error::Data(format!("`{}` is not UTF-8", source.path.display())))?;
        let text = if source.path.is_dir() { format!("{text}/") } else { text.to_owned() };
        urls.push(ListingTableUrl::parse(text).map_err(|e| bad(&source.path, e))?);
    }
    let is_lake = sources.iter().all(|s| s.is_lake);
    let options = |prunes: bool| {
        let mut parquet = TableParquetOptions::default();
        (parquet.global.pruning, parquet.global.enable_page_index) = (prunes, prunes);
        let format = ParquetFormat::default().with_options(parquet).with_skip_metadata(true);
        let options = ListingOptions::new(Arc::new(format)).with_file_extension(".parquet");
        let text = |n: &str| (n.to_owned(), DataType::Utf8);
        if is_lake { options.with_table_partition_cols(vec![text("day"), text("hour")]) } else { options }
    };
    let first = sources.first().map(|s| s.path.as_path()).unwrap_or(Path::new(""));
    let state = context.state();
    let config = ListingTableConfig::new_with_multi_paths(urls).with_listing_options(options(true));
    let mut config = config.infer_schema(&state).await.map_err(|e| bad(first, e))?;
    let has_floats = |s: &SchemaRef| s.fields().iter().any(|f| f.data_type().is_floating());
    let is_doubtful = !is_lake && config.file_schema.as_ref().is_some_and(has_floats);
    if is_doubtful {
        config = config.with_listing_options(options(false));
    }
    let table = ListingTable::try_new(config).map_err(|e| bad(first, e))?;
    let table = table.with_cache(state.runtime_env().cache_manager.get_file_statistic_cache());
    Ok((Arc::new(table), is_doubtful))
}

fn columns(schema: &SchemaRef) -> Vec<(String, String)> {
    schema.fields().iter().map(|f| (f.name().clone(), type_name(f.data_type()))).collect()
}

/// A type in words.
fn type_name(ty: &DataType) -> String {
    match ty {
        DataType::Dictionary(_, value) => type_name(value),
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => "text".to_owned(),
        DataType::Timestamp(..) => "time".to_owned(),
        DataType::Duration(_) => "duration".to_owned(),
        DataType::List(item) => format!("list of {}", type_name(item.data_type())),
        DataType::Boolean => "true or false".to_owned(),
        DataType::Float32 | DataType::Float64 => "number".to_owned(),
        t if t.is_integer() => "integer".to_owned(),
        other => other.to_string(),
    }
}

/// Tells the reader what is wrong, in one line, without the library's decoration.
fn explain(e: DataFusionError, memory: usize) -> Error {
    let root = e.find_root();
    let text = |what: &dyn std::fmt::Display| what.to_string().lines().next().unwrap_or_default().to_owned();
    match root {
        DataFusionError::ResourcesExhausted(what) => Error::Memory { limit_mb: memory >> 20, what: text(what) },
        DataFusionError::SQL(what, _) => Error::Sql(text(what)),
        DataFusionError::Plan(what) => Error::Sql(text(what)),
        DataFusionError::SchemaError(what, _) => Error::Sql(text(what)),
        DataFusionError::Execution(what) => Error::Data(text(what)),
        other => Error::Data(text(other)),
    }
}
