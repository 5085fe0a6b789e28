//! Devices, whom they talk with, and the points they serve.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use serde::Deserialize;
use serde_json::{Value, json};
use state::{Filter, Store};

use crate::app::App;
use crate::call::{Call, Problem};
use crate::routes::Answer;

type Later = Pin<Box<dyn Future<Output = Answer> + Send>>;

pub(crate) fn list(app: &App, call: &Call) -> Answer {
    let limit = call.number("limit")?.unwrap_or(200);
    let (items, next) = app.db.devices(call.asked("text").unwrap_or(""), call.asked("cursor").unwrap_or(""), limit)?;
    Ok(json!({ "items": items, "next": next }).into())
}

pub(crate) fn one(app: &App, call: &Call) -> Answer {
    let device = app.db.device(call.part("id"))?.ok_or_else(|| Problem::missing("such device"))?;
    let mut findings = Vec::new();
    let lists = [&device.device["ips"], &device.device["macs"]];
    let addresses = lists.iter().filter_map(|l| l.as_array()).flatten().filter_map(Value::as_str).take(8);
    for end in std::iter::once(device.id.as_str()).chain(addresses) {
        let filter = Filter { device: Some(end.to_owned()), with_suppressed: true, ..Filter::default() };
        findings.extend(app.db.findings(&filter, None, 100)?.items);
    }
    findings.sort_by_key(|f| std::cmp::Reverse(f.seq));
    findings.dedup_by(|a, b| a.id == b.id);
    Ok(json!({ "item": device, "findings": findings }).into())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Description {
    owner: Option<String>,
    criticality: Option<String>,
    notes: Option<String>,
}

pub(crate) fn describe(app: &App, call: &Call) -> Answer {
    let d: Description = call.body()?;
    app.db.describe_device(call.part("id"), d.owner.as_deref(), d.criticality.as_deref(), d.notes.as_deref())?;
    app.notify("device", &json!({ "id": call.part("id") }));
    Ok(json!({}).into())
}

/// A text as SQL: it can never be more than a value.
fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

pub(crate) fn peers(app: Arc<App>, call: Call) -> Later {
    Box::pin(async move {
        let keep = Arc::clone(&app);
        let id = call.part("id").to_owned();
        let device = tokio::task::spawn_blocking(move || keep.db.device(&id)).await;
        let device =
            device.map_err(|e| Problem::bad(e.to_string()))??.ok_or_else(|| Problem::missing("such device"))?;
        let list = |field: &str| -> Vec<String> {
            device.device[field].as_array().into_iter().flatten().filter_map(Value::as_str).map(literal).collect()
        };
        let (ips, macs) = (list("ips"), list("macs"));
        let (column, own) = if ips.is_empty() { ("mac", macs) } else { ("ip", ips) };
        let engine = app.engine().await?;
        if own.is_empty() || !engine.tables().iter().any(|t| t.name == "conn") {
            return Ok(json!({ "columns": [], "rows": [], "cut": false }).into());
        }
        let own = own.join(", ");
        let sql = format!(
            "SELECT CASE WHEN src_{column} IN ({own}) THEN dst_{column} ELSE src_{column} END AS peer,
                 coalesce(asset(CASE WHEN src_{column} IN ({own}) THEN dst_{column} ELSE src_{column} END), '') AS name,
                 CASE WHEN src_{column} IN ({own}) THEN 'to' ELSE 'from' END AS direction, service, dst_port AS port,
                 count(*) AS conversations, sum(coalesce(orig_bytes, 0) + coalesce(resp_bytes, 0)) AS bytes, min(ts) AS first, max(ts) AS last
             FROM conn WHERE src_{column} IN ({own}) OR dst_{column} IN ({own}) GROUP BY 1, 2, 3, 4, 5 ORDER BY conversations DESC LIMIT 200"
        );
        Ok(super::hunt::rows(&engine, &sql, 200).await?.into())
    })
}

pub(crate) fn points(app: Arc<App>, call: Call) -> Later {
    Box::pin(async move {
        let engine = app.engine().await?;
        if !engine.tables().iter().any(|t| t.name == "point") {
            return Ok(json!({ "columns": [], "rows": [], "cut": false }).into());
        }
        let wanted = match call.asked("server") {
            Some(server) => format!("WHERE server = {0} OR server_mac = {0}", literal(server)),
            None => String::new(),
        };
        let sql = format!(
            "SELECT coalesce(server, server_mac) AS server, coalesce(asset(coalesce(server, server_mac)), '') AS name, proto, \"table\", unit, address,
                 last_value(last ORDER BY ts) AS value, last_value(good ORDER BY ts) AS good, min(min) AS min, max(max) AS max,
                 sum(reads) AS reads, sum(writes) AS writes, count(*) FILTER (WHERE event = 'command') AS commands, max(ts) AS last
             FROM point {wanted} GROUP BY 1, 2, 3, 4, 5, 6 ORDER BY commands DESC, server, proto, \"table\", unit, address"
        );
        let limit = call.number("limit")?.unwrap_or(2_000).min(10_000);
        Ok(super::hunt::rows(&engine, &sql, limit).await?.into())
    })
}

pub(crate) fn point_values(app: Arc<App>, call: Call) -> Later {
    Box::pin(async move {
        let needed = |name: &str| call.asked(name).ok_or_else(|| Problem::bad(format!("`{name}` is missing")));
        let server = literal(needed("server")?);
        let (proto, table) = (literal(needed("proto")?), literal(needed("table")?));
        let unit: u32 = call.number("unit")?.ok_or_else(|| Problem::bad("`unit` is missing"))?;
        let address: u32 = call.number("address")?.ok_or_else(|| Problem::bad("`address` is missing"))?;
        let engine = app.engine().await?;
        if !engine.tables().iter().any(|t| t.name == "point") {
            return Ok(json!({ "columns": [], "rows": [], "cut": false }).into());
        }
        let mut wanted = format!(
            "(server = {server} OR server_mac = {server}) AND proto = {proto} AND \"table\" = {table} AND unit = {unit} AND address = {address}"
        );
        if let Some(from) = call.time("from")? {
            wanted += &format!(" AND ts >= to_timestamp_micros({})", from / 1_000);
        }
        if let Some(to) = call.time("to")? {
            wanted += &format!(" AND ts < to_timestamp_micros({})", to / 1_000);
        }
        let sql = format!(
            "SELECT ts, event, first, last, min, max, mean, good, reads, writes, src_ip, coalesce(asset(src_ip), '') AS source, frame, file
             FROM point WHERE {wanted} ORDER BY ts"
        );
        Ok(super::hunt::rows(&engine, &sql, 10_000).await?.into())
    })
}
