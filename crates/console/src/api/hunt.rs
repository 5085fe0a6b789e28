//! Searches with SQL, and saved ones.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use axum::http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};
use state::{Role, Store};

use crate::app::App;
use crate::call::{Call, Problem, Reply};
use crate::routes::Answer;

/// A search is ended after this long.
const LONGEST: Duration = Duration::from_secs(120);
/// How long a search waits for a place among those that run.
const WAIT: Duration = Duration::from_secs(10);
const ROWS: usize = 10_000;
const ROWS_OF_FILES: usize = 1_000_000;

#[derive(Deserialize)]
struct Search {
    sql: String,
    #[serde(default)]
    format: String,
    limit: Option<usize>,
}

/// Runs a search; who goes away ends it.
pub(crate) fn search(app: Arc<App>, call: Call) -> Pin<Box<dyn Future<Output = Answer> + Send>> {
    Box::pin(async move {
        let search: Search = call.body()?;
        App::count(&app.counters.searches);
        let permit = tokio::time::timeout(WAIT, app.searches.acquire()).await;
        let busy =
            || Problem::new(StatusCode::SERVICE_UNAVAILABLE, "other searches are running: try again in a moment");
        let _permit = permit.map_err(|_| busy())?.map_err(|_| busy())?;
        let engine = app.engine().await?;
        let run = async {
            let is_table = search.format.is_empty() || search.format == "json";
            let limit = search.limit.unwrap_or(if is_table { ROWS } else { ROWS_OF_FILES });
            if is_table {
                return Ok(Reply::Json(rows(&engine, &search.sql, limit.min(ROWS)).await?));
            }
            let (format, ty, end) = match search.format.as_str() {
                "csv" => (query::Format::Csv, "text/csv; charset=utf-8", "csv"),
                "parquet" => (query::Format::Parquet, "application/vnd.apache.parquet", "parquet"),
                "arrow" => (query::Format::Arrow, "application/vnd.apache.arrow.file", "arrow"),
                _ => return Err(Problem::bad("`format` is json, csv, parquet or arrow")),
            };
            let mut bytes = Vec::new();
            let mut found = engine.search(&search.sql).await?;
            query::write(&mut found, format, &mut bytes, limit.min(ROWS_OF_FILES)).await?;
            Ok(Reply::File(ty, format!("gridwarden-search.{end}"), bytes))
        };
        let result = tokio::time::timeout(LONGEST, run).await;
        let result = result.unwrap_or_else(|_| {
            Err(Problem::new(
                StatusCode::UNPROCESSABLE_ENTITY,
                format!("the search was ended after {} s", LONGEST.as_secs()),
            ))
        });
        if result.is_err() {
            App::count(&app.counters.searches_failed);
        }
        result
    })
}

/// Rows as JSON: columns with types, rows as objects, whether there were more.
pub(crate) async fn rows(engine: &query::Engine, sql: &str, limit: usize) -> Result<Value, Problem> {
    let mut found = engine.search(sql).await?;
    let columns: Vec<Value> = found.columns().into_iter().map(|(n, ty)| json!({ "name": n, "type": ty })).collect();
    let mut bytes = Vec::new();
    let summary = query::write(&mut found, query::Format::Json, &mut bytes, limit).await?;
    let bad = |e: serde_json::Error| Problem::new(StatusCode::INTERNAL_SERVER_ERROR, e.to_string());
    let rows: Value = serde_json::from_slice(&bytes).map_err(bad)?;
    Ok(json!({ "columns": columns, "rows": rows, "cut": summary.cut }))
}

pub(crate) fn tables(app: Arc<App>, _: Call) -> Pin<Box<dyn Future<Output = Answer> + Send>> {
    Box::pin(async move {
        let engine = app.engine().await?;
        let tables: Vec<Value> = engine
            .tables()
            .into_iter()
            .map(|t| {
                let columns: Vec<Value> = t.columns.iter().map(|(n, ty)| json!({ "name": n, "type": ty })).collect();
                json!({ "name": t.name, "columns": columns })
            })
            .collect();
        let functions: Vec<Value> =
            query::FUNCTIONS.iter().map(|(n, f, d)| json!({ "name": n, "form": f, "doc": d })).collect();
        Ok(json!({ "tables": tables, "functions": functions }).into())
    })
}

pub(crate) fn saved(app: &App, _: &Call) -> Answer {
    Ok(json!({ "items": app.db.searches()? }).into())
}

#[derive(Deserialize)]
struct Saved {
    name: String,
    sql: String,
}

pub(crate) fn save(app: &App, call: &Call) -> Answer {
    let saved: Saved = call.body()?;
    let id = app.db.save_search(&saved.name, &saved.sql, &call.who.actor, call.now)?;
    Ok(json!({ "id": id }).into())
}

pub(crate) fn forget(app: &App, call: &Call) -> Answer {
    let id = call.part("id");
    let owner = app.db.searches()?.into_iter().find(|s| s.id == id).map(|s| s.owner);
    if owner.is_some_and(|o| o != call.who.actor) && !call.may(Role::Admin) {
        return Err(Problem::new(StatusCode::FORBIDDEN, "it is somebody else's: its owner or an admin forgets it"));
    }
    app.db.drop_search(id)?;
    Ok(json!({}).into())
}
