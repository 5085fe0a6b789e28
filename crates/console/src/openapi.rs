//! The OpenAPI 3.1 document, made from the table of routes.

use serde_json::{Map, Value, json};

use crate::routes::{Param, ROUTES};

/// Routes that answer with a file.
const FILES: &[(&str, &str)] = &[
    ("/cases/{id}/evidence", "application/x-tar"),
    ("/findings/{id}/packets", "application/x-pcapng"),
    ("/maintenance/file", "text/csv"),
];

fn schema(ty: &str) -> Value {
    match ty {
        "integer" => json!({ "type": "integer", "format": "int64" }),
        "boolean" => json!({ "type": "boolean" }),
        "time" => json!({ "type": "string", "description": "RFC 3339, or nanoseconds since 1970." }),
        "texts" => json!({ "type": "array", "items": { "type": "string" } }),
        "object" => json!({ "type": "object" }),
        _ => json!({ "type": "string" }),
    }
}

fn parameter(place: &str, (name, ty, needed, doc): &Param) -> Value {
    json!({ "name": name, "in": place, "required": needed, "description": doc, "schema": schema(ty) })
}

/// The document.
pub(crate) fn document() -> Value {
    let mut paths = Map::new();
    for route in ROUTES {
        let in_path = route.path.split('/').filter_map(|p| p.strip_prefix('{')?.strip_suffix('}'));
        let mut parameters: Vec<Value> = in_path.map(|n| parameter("path", &(n, "text", true, "Which one."))).collect();
        parameters.extend(route.query.iter().map(|p| parameter("query", p)));
        let refusal = |text: &str| json!({ "description": text, "content": { "application/json": { "schema": { "$ref": "#/components/schemas/Error" } } } });
        let mut content = json!({ "application/json": { "schema": {} } });
        for (path, ty) in FILES {
            if route.path == *path {
                content = json!({ *ty: { "schema": { "type": "string", "format": "binary" } } });
            }
        }
        if route.path == "/hunt" {
            for ty in ["text/csv", "application/vnd.apache.parquet", "application/vnd.apache.arrow.file"] {
                content[ty] = json!({ "schema": {} });
            }
        }
        let mut operation = json!({
            "summary": route.summary,
            "operationId": format!("{}{}", route.method.to_lowercase(), route.path.replace(['/', '{', '}'], "_")),
            "parameters": parameters,
            "responses": {
                "200": { "description": "Done.", "content": content },
                "400": refusal("What was asked makes no sense; the text says why."),
                "404": refusal("There is no such thing."),
            },
        });
        let responses = &mut operation["responses"];
        if let Some(role) = route.role {
            responses["401"] = refusal("Not logged in.");
            responses["403"] = refusal("The role does not suffice.");
            operation["x-role"] = json!(role.name());
            operation["security"] = json!([{ "session": [] }, { "token": [] }]);
        } else {
            responses["401"] = refusal("Name, password or token is wrong.");
            responses["429"] = refusal("Locked out for a while.");
            operation["security"] = json!([]);
        }
        if matches!(route.handler, crate::routes::Handler::Later(_)) {
            operation["responses"]["422"] = refusal("The search cannot be run: memory, or unreadable files.");
            operation["responses"]["503"] = refusal("Too many searches at once.");
        }
        let acts =
            ["/baseline", "/runs", "/actions", "/kill-switch", "/destinations", "/cases", "/models", "/intelligence"];
        if acts.iter().any(|a| route.path.starts_with(a)) || route.path.ends_with("/packets") {
            operation["responses"]["422"] = refusal("It was tried and did not work; the text says why.");
        }
        if route.method != "GET" {
            operation["responses"]["413"] = refusal("The body is too large.");
            operation["responses"]["415"] = refusal("The body is not JSON.");
        }
        if !route.body.is_empty() {
            let members: Map<String, Value> = route
                .body
                .iter()
                .map(|(name, ty, _, doc)| {
                    let mut schema = schema(ty);
                    schema["description"] = json!(doc);
                    ((*name).to_owned(), schema)
                })
                .collect();
            let needed: Vec<&str> = route.body.iter().filter(|b| b.2).map(|b| b.0).collect();
            operation["requestBody"] = json!({ "required": true, "content": { "application/json": {
                "schema": { "type": "object", "properties": members, "required": needed } } } });
        }
        paths.entry(route.path).or_insert_with(|| json!({}))[route.method.to_lowercase()] = operation;
    }
    let text = |what: &str| json!({ "type": "string", "description": what });
    paths.insert("/events".to_owned(), json!({ "get": { "summary": "Server-sent events: `finding` (id: its seq), `feed`, `device`, `import`, `case`, `run`, `model`, `destination`. Goes on after `Last-Event-ID`.",
        "operationId": "get_events", "security": [{ "session": [] }, { "token": [] }], "x-role": "viewer",
        "responses": { "200": { "description": "The stream.", "content": { "text/event-stream": { "schema": text("Events.") } } },
            "401": { "description": "Not logged in." } } } }));
    let imports = paths.entry("/imports").or_insert_with(|| json!({}));
    imports["post"] = json!({ "summary": "Imports a capture: it is analysed in a process of its own, its findings are marked with its name.",
        "operationId": "post_imports", "security": [{ "session": [] }, { "token": [] }], "x-role": "analyst",
        "parameters": [parameter("query", &("name", "text", true, "File name."))],
        "requestBody": { "required": true, "content": { "application/octet-stream": { "schema": { "type": "string", "format": "binary" } } } },
        "responses": { "200": { "description": "It is being analysed.", "content": { "application/json": { "schema": {} } } },
            "400": { "description": "No name, or nothing in it." }, "401": { "description": "Not logged in." },
            "403": { "description": "The role does not suffice." }, "503": { "description": "Nothing can be imported here." } } });
    json!({
        "openapi": "3.1.0",
        "info": { "title": "Gridwarden", "version": env!("CARGO_PKG_VERSION"),
            "description": "Findings, devices, searches and decisions of a Gridwarden centre. Changes by a session need the header `x-gridwarden: 1`." },
        "servers": [{ "url": "/api/v1" }],
        "paths": paths,
        "components": {
            "schemas": { "Error": { "type": "object", "properties": { "error": { "type": "string" } }, "required": ["error"] } },
            "securitySchemes": {
                "session": { "type": "apiKey", "in": "cookie", "name": "gridwarden" },
                "token": { "type": "http", "scheme": "bearer" },
            },
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_route_is_documented() {
        let document = document();
        for route in ROUTES {
            let operation = &document["paths"][route.path][route.method.to_lowercase()];
            assert_eq!(operation["summary"], route.summary);
            assert!(
                route.method == "GET"
                    || !route.audit.is_empty()
                    || route.path.ends_with("/login")
                    || route.path.ends_with("/preview")
            );
        }
        let ids: Vec<String> = ROUTES.iter().map(|r| format!("{} {}", r.method, r.path)).collect();
        assert_eq!(ids.iter().collect::<std::collections::BTreeSet<_>>().len(), ids.len());
    }
}
