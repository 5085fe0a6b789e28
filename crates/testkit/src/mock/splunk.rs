//! Splunk HTTP Event Collector: concatenated envelopes, refused events by number, acknowledgement by channel.

use serde_json::{Deserializer, Value, json};

use super::{KEY, Request, Response, State};

/// How often an acknowledgement is asked for before it is given.
const ASKED: u32 = 2;

pub(super) fn answer(request: &Request, state: &mut State, ack: bool, partial: bool) -> Response {
    let fail = |status, code: u64, text: &str| Response::json(status, &json!({ "text": text, "code": code }));
    if request.path.starts_with("/services/collector/health") {
        return Response::json(200, &json!({ "text": "HEC is healthy", "code": 17 }));
    }
    match request.header("authorization").and_then(|a| a.split_once(' ')) {
        None => return fail(401, 2, "Token is required"),
        Some((scheme, _)) if !scheme.eq_ignore_ascii_case("splunk") => return fail(401, 3, "Invalid authorization"),
        Some((_, token)) if token != KEY => return fail(403, 4, "Invalid token"),
        Some(_) => {}
    }
    let channel = request.asked("channel").or_else(|| request.header("x-splunk-request-channel"));
    if ack && channel.is_none_or(str::is_empty) {
        return fail(400, 10, "Data channel is missing");
    }
    match request.path.as_str() {
        "/services/collector/ack" if !ack => fail(400, 14, "ACK is disabled"),
        "/services/collector/ack" => {
            let asked: Value = serde_json::from_slice(&request.body).unwrap_or_default();
            let mut out = serde_json::Map::new();
            for id in asked["acks"].as_array().into_iter().flatten().filter_map(Value::as_u64) {
                let given = state.acks.iter_mut().find(|(known, _)| *known == id).is_some_and(|(_, n)| {
                    *n += 1;
                    *n >= ASKED
                });
                if given {
                    state.acks.retain(|(known, _)| *known != id);
                }
                out.insert(id.to_string(), json!(given));
            }
            Response::json(200, &json!({ "acks": out }))
        }
        "/services/collector" | "/services/collector/event" | "/services/collector/event/1.0" => {
            events(request, state, ack, partial)
        }
        "/services/collector/raw" | "/services/collector/raw/1.0" => {
            let text = String::from_utf8_lossy(&request.body);
            for line in text.lines().filter(|l| !l.trim().is_empty()) {
                state.records.push(json!({ "raw": line }));
            }
            success(state, ack)
        }
        _ => Response::json(404, &json!({ "text": "The requested URL was not found on this server.", "code": 404 })),
    }
}

fn events(request: &Request, state: &mut State, ack: bool, partial: bool) -> Response {
    let fail = |code: u64, text: &str, n: usize| {
        Response::json(400, &json!({ "text": text, "code": code, "invalid-event-number": n }))
    };
    let mut n = 0;
    for event in Deserializer::from_slice(&request.body).into_iter::<Value>() {
        let Ok(event) = event else { return fail(6, "Invalid data format", n) };
        match event.get("event") {
            None => return fail(12, "Event field is required", n),
            Some(Value::String(s)) if s.is_empty() => return fail(13, "Event field cannot be blank", n),
            Some(_) => {}
        }
        if event.get("index").is_some_and(|i| i == "no_such_index") {
            return fail(7, "Incorrect index", n);
        }
        // What the tests call poison: an indexed field that is an object.
        let is_poison = partial && n == 1;
        if is_poison || event["fields"].as_object().is_some_and(|f| f.values().any(Value::is_object)) {
            return fail(15, "Error in handling indexed fields", n);
        }
        state.records.push(event);
        n += 1;
    }
    if n == 0 {
        return Response::json(400, &json!({ "text": "No data", "code": 5 }));
    }
    success(state, ack)
}

fn success(state: &mut State, ack: bool) -> Response {
    let mut out = json!({ "text": "Success", "code": 0 });
    if ack {
        let id = state.number();
        state.acks.push((id, 0));
        out["ackId"] = json!(id);
    }
    Response::json(200, &out)
}
