//! ServiceNow Table API: create, read, query, change; all values are text.

use serde_json::{Map, Value, json};

use super::{KEY, Request, Response, State};

pub(super) fn answer(request: &Request, state: &mut State) -> Response {
    let fail = |status, message: &str| {
        Response::json(status, &json!({ "error": { "message": message, "detail": null }, "status": "failure" }))
    };
    let credentials = request.header("authorization").and_then(|a| a.strip_prefix("Basic ")).map(decode);
    if credentials.as_deref() != Some(&format!("gridwarden:{KEY}")) {
        return fail(401, "User Not Authenticated");
    }
    let Some(rest) =
        request.path.strip_prefix("/api/now/table/").or_else(|| request.path.strip_prefix("/api/now/v2/table/"))
    else {
        return fail(404, "Requested URI does not represent any resource");
    };
    let (table, id) =
        rest.trim_end_matches('/').split_once('/').map_or((rest.trim_end_matches('/'), None), |(t, i)| (t, Some(i)));
    if table != "incident" {
        return fail(400, &format!("Invalid table {table}"));
    }
    let body: Value = serde_json::from_slice(&request.body).unwrap_or_default();
    match (request.method.as_str(), id) {
        ("GET", None) => {
            let query = request.asked("sysparm_query").unwrap_or("");
            let mut found: Vec<&Value> = state.records.iter().filter(|r| matches(r, query)).collect();
            let total = found.len();
            let number = |name| request.asked(name).and_then(|n| n.parse::<usize>().ok());
            found = found
                .into_iter()
                .skip(number("sysparm_offset").unwrap_or(0))
                .take(number("sysparm_limit").unwrap_or(10_000))
                .collect();
            let found: Vec<Value> = found.into_iter().map(|r| shown(r, request)).collect();
            Response::json(200, &json!({ "result": found })).with("X-Total-Count", &total.to_string())
        }
        ("POST", None) => {
            let Some(given) = body.as_object() else { return fail(400, "no object") };
            let n = state.number();
            let mut record = Map::new();
            for (key, value) in [
                ("sys_id", format!("{n:032x}")),
                ("number", format!("INC{n:07}")),
                ("state", "1".to_owned()),
                ("sys_created_on", "2026-03-01 10:00:00".to_owned()),
                ("sys_updated_on", stamp(n)),
                ("sys_updated_by", "gridwarden".to_owned()),
                ("work_notes", String::new()),
            ] {
                record.insert(key.to_owned(), json!(value));
            }
            merge(&mut record, given);
            let record = Value::Object(record);
            let location = format!("/api/now/table/{table}/{n:032x}");
            let answer = Response::json(201, &json!({ "result": shown(&record, request) })).with("Location", &location);
            state.records.push(record);
            answer
        }
        ("GET" | "PATCH" | "PUT" | "DELETE", Some(id)) => {
            let n = state.number();
            let Some(at) = state.records.iter().position(|r| r["sys_id"] == id) else {
                return fail(404, "No Record found");
            };
            if request.method == "DELETE" {
                state.records.remove(at);
                return Response::new(204, "application/json", "");
            }
            if request.method != "GET"
                && let (Some(record), Some(given)) = (state.records[at].as_object_mut(), body.as_object())
            {
                merge(record, given);
                record.insert("sys_updated_on".to_owned(), json!(stamp(n)));
            }
            Response::json(200, &json!({ "result": shown(&state.records[at], request) }))
        }
        _ => fail(405, "Method not supported"),
    }
}

fn stamp(n: u64) -> String {
    format!("2026-03-01 {:02}:{:02}:{:02}", 10 + n / 3_600, n / 60 % 60, n % 60)
}

/// Journal fields are added to, all others replaced; every value is text.
fn merge(record: &mut Map<String, Value>, given: &Map<String, Value>) {
    for (key, value) in given {
        let text = value
            .as_str()
            .map_or_else(|| if value.is_null() { String::new() } else { value.to_string() }, str::to_owned);
        if matches!(key.as_str(), "work_notes" | "comments") && !text.is_empty() {
            let before = record.get(key).and_then(Value::as_str).unwrap_or("");
            record.insert(key.clone(), json!(format!("{before}{text}\n")));
        } else if key != "sys_id" && key != "number" {
            record.insert(key.clone(), json!(text));
        }
    }
}

fn shown(record: &Value, request: &Request) -> Value {
    let Some(fields) = request.asked("sysparm_fields").filter(|f| !f.is_empty()) else { return record.clone() };
    let with_display = request.asked("sysparm_display_value") == Some("all");
    let one = |f: &str| {
        let value = record.get(f).cloned().unwrap_or_else(|| json!(""));
        if with_display { json!({ "display_value": value.clone(), "value": value }) } else { value }
    };
    Value::Object(fields.split(',').map(|f| (f.to_owned(), one(f))).collect())
}

/// Conditions joined by `^`: `=`, `!=`, `>=`, `>`; `ORDERBY` is the order in which records came.
fn matches(record: &Value, query: &str) -> bool {
    query.split('^').filter(|c| !c.is_empty() && !c.starts_with("ORDERBY")).all(|condition| {
        for (operator, holds) in [
            ("!=", (|a: &str, b: &str| a != b) as fn(&str, &str) -> bool),
            (">=", |a, b| a >= b),
            (">", |a, b| a > b),
            ("=", |a, b| a == b),
        ] {
            if let Some((field, wanted)) = condition.split_once(operator) {
                return holds(record.get(field).and_then(Value::as_str).unwrap_or(""), wanted);
            }
        }
        false
    })
}

/// Base64, reading only what a client sends as credentials.
fn decode(text: &str) -> String {
    const WORDS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let (mut out, mut bits, mut n) = (Vec::new(), 0_u32, 0);
    for b in text.bytes().filter(|b| *b != b'=') {
        let Some(value) = WORDS.iter().position(|w| *w == b) else { return String::new() };
        bits = bits << 6 | value as u32;
        n += 6;
        if n >= 8 {
            n -= 8;
            out.push((bits >> n) as u8);
            bits &= (1 << n) - 1;
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}
