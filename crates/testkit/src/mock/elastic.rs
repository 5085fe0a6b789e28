//! Elasticsearch: `_bulk` with a status per item, data streams that take only `create`, `_search` over what is held.

use serde_json::{Value, json};

use super::{KEY, Request, Response, State};

pub(super) fn answer(request: &Request, state: &mut State, partial: bool) -> Response {
    if request.header("authorization") != Some(&format!("ApiKey {KEY}")) {
        let cause = json!({ "type": "security_exception", "reason": "missing authentication credentials" });
        return product(Response::json(
            401,
            &json!({ "error": { "root_cause": [cause], "type": "security_exception", "reason": "missing authentication credentials" }, "status": 401 }),
        ));
    }
    let path = request.path.trim_end_matches('/');
    let last = path.rsplit('/').next().unwrap_or("");
    product(match (request.method.as_str(), last) {
        ("GET" | "HEAD", "") => Response::json(
            200,
            &json!({ "name": "mock", "cluster_name": "mock", "cluster_uuid": "m", "tagline": "You Know, for Search",
                "version": { "number": "9.4.0", "build_flavor": "default", "lucene_version": "10.3.0",
                    "minimum_wire_compatibility_version": "8.19.0", "minimum_index_compatibility_version": "8.0.0" } }),
        ),
        ("POST" | "PUT", "_bulk") => bulk(request, state, partial),
        ("GET" | "POST", "_count") => Response::json(
            200,
            &json!({ "count": state.records.len(), "_shards": { "total": 1, "successful": 1, "skipped": 0, "failed": 0 } }),
        ),
        ("GET" | "POST", "_search") => {
            let hits: Vec<Value> = state.records.iter().take(1_000).cloned().collect();
            Response::json(
                200,
                &json!({ "took": 1, "timed_out": false, "_shards": { "total": 1, "successful": 1, "skipped": 0, "failed": 0 },
                    "hits": { "total": { "value": state.records.len(), "relation": "eq" }, "max_score": 1.0, "hits": hits } }),
            )
        }
        ("POST", "_refresh") => {
            Response::json(200, &json!({ "_shards": { "total": 1, "successful": 1, "failed": 0 } }))
        }
        ("PUT", _) if path.starts_with("/_index_template/") || path.starts_with("/_component_template/") => {
            Response::json(200, &json!({ "acknowledged": true }))
        }
        _ => Response::json(
            404,
            &json!({ "error": { "type": "index_not_found_exception", "reason": "no such index" }, "status": 404 }),
        ),
    })
}

fn product(response: Response) -> Response {
    // Answers in the media type that newer clients ask for are refused by older ones; plain JSON is understood by all.
    response.with("X-Elastic-Product", "Elasticsearch")
}

fn bulk(request: &Request, state: &mut State, partial: bool) -> Response {
    let text = String::from_utf8_lossy(&request.body).into_owned();
    let refuse = |reason: &str| {
        Response::json(
            400,
            &json!({ "error": { "type": "illegal_argument_exception", "reason": reason }, "status": 400 }),
        )
    };
    if !text.ends_with('\n') {
        return refuse("The bulk request must be terminated by a newline [\\n]");
    }
    let target = request.path.trim_matches('/').strip_suffix("/_bulk").unwrap_or("").to_owned();
    let (mut items, mut errors, mut lines) = (Vec::new(), false, text.lines());
    while let Some(line) = lines.next() {
        let Ok(action) = serde_json::from_str::<Value>(line) else { return refuse("Malformed action/metadata line") };
        let Some((verb, meta)) = action.as_object().and_then(|o| o.iter().next()) else {
            return refuse("Malformed action/metadata line");
        };
        let Some(document) = lines.next() else { return refuse("no document") };
        let index = meta["_index"].as_str().unwrap_or(&target).to_owned();
        let id = meta["_id"].as_str().map_or_else(|| state.number().to_string(), str::to_owned);
        let mut item = json!({ "_index": format!(".ds-{index}-2026.01.01-000001"), "_id": id });
        let fail = |status: u16, kind: &str, reason: &str| (status, Some(json!({ "type": kind, "reason": reason })));
        let parsed: Option<Value> = serde_json::from_str(document).ok();
        let (status, error) = match &parsed {
            None => fail(400, "document_parsing_exception", "failed to parse"),
            _ if partial && items.is_empty() => {
                fail(429, "es_rejected_execution_exception", "rejected execution of coordinating operation")
            }
            _ if index.starts_with("logs-") && verb != "create" => fail(
                400,
                "illegal_argument_exception",
                "only write ops with an op_type of create are allowed in data streams",
            ),
            Some(d) if index.starts_with("logs-") && d["@timestamp"].as_str().is_none() => {
                fail(400, "document_parsing_exception", "data stream timestamp field [@timestamp] is missing")
            }
            Some(d) if d["source"]["ip"].as_str().is_some_and(|ip| ip.parse::<std::net::IpAddr>().is_err()) => {
                fail(400, "document_parsing_exception", "failed to parse field [source.ip] of type [ip]")
            }
            _ if state.records.iter().any(|r| r["_id"] == id.as_str()) => {
                fail(409, "version_conflict_engine_exception", "document already exists")
            }
            Some(d) => {
                state.records.push(json!({ "_index": index, "_id": id, "_score": 1.0, "_source": d }));
                (201, None)
            }
        };
        item["status"] = json!(status);
        match error {
            Some(error) => {
                errors = true;
                item["error"] = error;
            }
            None => {
                item["_version"] = json!(1);
                item["result"] = json!("created");
                item["_shards"] = json!({ "total": 1, "successful": 1, "failed": 0 });
                item["_seq_no"] = json!(state.records.len());
                item["_primary_term"] = json!(1);
            }
        }
        let verb = verb.clone();
        items.push(json!({ verb: item }));
    }
    Response::json(200, &json!({ "took": 3, "errors": errors, "items": items }))
}
