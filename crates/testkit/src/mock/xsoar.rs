//! Cortex XSOAR: incidents created, changed under a version, searched and closed; keys of version 6 and advanced keys of version 8.

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::{KEY, Request, Response, State};

pub(super) fn answer(request: &Request, state: &mut State, is_8: bool) -> Response {
    if !accepted(request, is_8) {
        let body = json!({ "id": "forbidden", "status": 403, "title": "Forbidden", "detail": "Issue with CSRF code",
            "error": "http: named cookie not present", "encrypted": false, "multires": null });
        return Response::json(403, &body);
    }
    let path = if is_8 {
        let path = request.path.strip_prefix("/xsoar/public/v1").or_else(|| request.path.strip_prefix("/xsoar"));
        match path {
            Some(path) => path,
            None => return Response::json(404, &json!({ "id": "bad_request", "status": 404, "title": "Not found" })),
        }
    } else {
        request.path.as_str()
    };
    let body: Value = serde_json::from_slice(&request.body).unwrap_or_default();
    match (request.method.as_str(), path) {
        ("POST", "/incident") => store(body, state),
        ("POST", "/incidents/search") => search(&body, state),
        ("POST", "/incident/close") => {
            let id = body["id"].as_str().unwrap_or("");
            let Some(incident) = state.records.iter_mut().find(|r| r["id"] == id) else {
                return Response::json(400, &json!({ "id": "bad_request", "status": 400, "title": "Bad request" }));
            };
            incident["status"] = json!(2);
            incident["closeReason"] = body["closeReason"].clone();
            incident["closeNotes"] = body["closeNotes"].clone();
            incident["version"] = json!(incident["version"].as_i64().unwrap_or(1) + 1);
            Response::json(200, &json!({ "total": 1, "data": [incident.clone()] }))
        }
        ("GET", "/about") => Response::json(200, &json!({ "demistoVersion": "6.14.0", "buildNum": "1" })),
        ("GET", path) if path.starts_with("/incident/load/") => {
            match state.records.iter().find(|r| r["id"] == path["/incident/load/".len()..]) {
                Some(incident) => Response::json(200, incident),
                None => Response::json(404, &json!({ "id": "not_found", "status": 404 })),
            }
        }
        _ => Response::json(404, &json!({ "id": "not_found", "status": 404, "title": "Not found" })),
    }
}

fn accepted(request: &Request, is_8: bool) -> bool {
    let Some(given) = request.header("authorization") else { return false };
    if !is_8 {
        return given == KEY;
    }
    let (Some(nonce), Some(time)) = (request.header("x-xdr-nonce"), request.header("x-xdr-timestamp")) else {
        return given == KEY && request.header("x-xdr-auth-id") == Some("7");
    };
    let hash = Sha256::digest(format!("{KEY}{nonce}{time}").as_bytes());
    let hex: String = hash.iter().map(|b| format!("{b:02x}")).collect();
    nonce.len() == 64 && given == hex && request.header("x-xdr-auth-id") == Some("7")
}

fn store(mut given: Value, state: &mut State) -> Response {
    let id = given["id"].as_str().unwrap_or("").to_owned();
    if id.is_empty() {
        let n = state.number();
        given["id"] = json!(n.to_string());
        given["version"] = json!(1);
        if given.get("status").is_none() {
            given["status"] = json!(if given["createInvestigation"] == true { 1 } else { 0 });
        }
        given["created"] = json!("2026-03-01T10:00:00Z");
        state.records.push(given.clone());
        // What the API answers goes by the product's own name for the id.
        return Response::json(201, &given);
    }
    let Some(at) = state.records.iter().position(|r| r["id"] == id.as_str()) else {
        return Response::json(404, &json!({ "id": "not_found", "status": 404 }));
    };
    let version = state.records[at]["version"].as_i64().unwrap_or(1);
    if given["version"].as_i64().is_some_and(|v| v != version && v != -1) {
        return Response::json(
            412,
            &json!({ "id": "errOptimisticLock", "status": 412, "title": "version conflict", "detail": "optimistic lock" }),
        );
    }
    given["version"] = json!(version + 1);
    state.records[at] = given.clone();
    Response::json(200, &given)
}

/// `field:value` joined by ` and `; quotes around values are allowed.
fn search(body: &Value, state: &State) -> Response {
    let filter = &body["filter"];
    let query = filter["query"].as_str().unwrap_or("");
    let holds = |incident: &Value| {
        query.split(" and ").filter(|c| !c.trim().is_empty()).all(|condition| {
            let Some((field, wanted)) = condition.trim().split_once(':') else { return false };
            let wanted = wanted.trim_matches('"');
            match field {
                "dbotMirrorId" => {
                    incident["dbotMirrorId"] == wanted || incident["CustomFields"]["dbotmirrorid"] == wanted
                }
                "status" => match wanted {
                    "closed" => incident["status"] == 2,
                    _ => incident["status"] != 2,
                },
                field => incident[field].as_str() == Some(wanted),
            }
        })
    };
    let found: Vec<&Value> = state.records.iter().filter(|r| holds(r)).collect();
    let size = filter["size"].as_u64().unwrap_or(100) as usize;
    let page = filter["page"].as_u64().unwrap_or(0) as usize;
    let total = found.len();
    let data: Vec<&Value> = found.into_iter().skip(page.saturating_mul(size)).take(size).collect();
    Response::json(200, &json!({ "total": total, "data": data }))
}
