//! Captures that somebody brings: stored, analysed in a process of its own, their findings and devices taken in under the file's name.

use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use futures::StreamExt;
use serde::Deserialize;
use serde_json::json;
use state::Role;

use crate::app::{App, Import, lock, make_private};
use crate::call::{Call, Problem};
use crate::http::{identify, permit, problem};
use crate::routes::Answer;

/// Folder beside the capture that the analysis writes.
pub(crate) const ANALYSIS: &str = "analysis";
/// Bytes of a line of the analysis that are read at once.
const LINE: u64 = 4_096;
/// Largest capture that is taken.
const LARGEST: u64 = 16 << 30;

pub(crate) fn list(app: &App, _: &Call) -> Answer {
    let mut items = lock(&app.imports).clone();
    items.reverse();
    Ok(json!({ "items": items }).into())
}

#[derive(Deserialize)]
pub(crate) struct Named {
    #[serde(default)]
    name: String,
}

/// Takes a capture as the body.
pub(crate) async fn upload(
    State(app): State<Arc<App>>,
    Query(named): Query<Named>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    match take(app, named.name, headers, body).await {
        Ok(import) => axum::Json(json!({ "import": import })).into_response(),
        Err(e) => problem(&e),
    }
}

async fn take(app: Arc<App>, name: String, headers: HeaderMap, body: Body) -> Result<Import, Problem> {
    let keep = Arc::clone(&app);
    let who = tokio::task::spawn_blocking(move || identify(&keep, &Method::POST, &headers)).await;
    let (who, _) = who.map_err(|e| Problem::bad(e.to_string()))??;
    permit(&who, Role::Analyst)?;
    if app.config.program.is_none() {
        return Err(Problem::new(StatusCode::SERVICE_UNAVAILABLE, "captures cannot be imported here"));
    }
    let name: String =
        name.rsplit(['/', '\\']).next().unwrap_or_default().chars().filter(|c| !c.is_control()).take(120).collect();
    if name.trim_matches('.').is_empty() {
        return Err(Problem::bad("`name` is missing: the file's name"));
    }
    let id = state::random_hex(6)?;
    let dir = app.config.data.join("imports").join(&id);
    make_private(&dir).map_err(|e| Problem::new(StatusCode::INTERNAL_SERVER_ERROR, e.to_string()))?;
    let file = dir.join(file_name(&name));
    let written = store(&file, body).await;
    let bytes = match written {
        Ok(bytes) if bytes > 0 => bytes,
        other => {
            // What was not taken whole is not kept.
            let _ = std::fs::remove_dir_all(&dir);
            return Err(other.err().unwrap_or_else(|| Problem::bad("the capture is empty")));
        }
    };
    app.record("import.begun", &who.actor, &json!({ "id": id, "name": name, "bytes": bytes }))?;
    let import =
        Import { id, name, by: who.actor, bytes, state: "analysing", message: String::new(), findings: 0, percent: 0 };
    lock(&app.imports).push(import.clone());
    app.notify("import", &json!(import));
    let (keep, begun) = (Arc::clone(&app), import.clone());
    tokio::task::spawn_blocking(move || {
        let done = analyse(&keep, begun, &dir);
        if let Some(slot) = lock(&keep.imports).iter_mut().find(|i| i.id == done.id) {
            *slot = done.clone();
        }
        keep.notify("import", &json!(done));
    });
    Ok(import)
}

/// The name under which a capture is kept: shown with its packets.
fn file_name(name: &str) -> String {
    let plain: String = name.chars().map(|c| if c.is_alphanumeric() || "._-+".contains(c) { c } else { '_' }).collect();
    format!("capture-{plain}")
}

async fn store(file: &Path, body: Body) -> Result<u64, Problem> {
    let io = |e: std::io::Error| {
        Problem::new(StatusCode::INTERNAL_SERVER_ERROR, format!("the capture cannot be stored: {e}"))
    };
    let mut to = std::fs::File::create(file).map_err(io)?;
    let mut stream = body.into_data_stream();
    let mut bytes = 0;
    while let Some(chunk) = stream.next().await {
        let chunk = chunk.map_err(|e| Problem::bad(format!("the capture did not arrive whole: {e}")))?;
        bytes += chunk.len() as u64;
        if bytes > LARGEST {
            return Err(Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "a capture of 16 GB at most is taken"));
        }
        tokio::task::block_in_place(|| to.write_all(&chunk)).map_err(io)?;
    }
    tokio::task::block_in_place(|| to.sync_data()).map_err(io)?;
    Ok(bytes)
}

/// Hundredths that a line `progress BYTES TOTAL` tells.
fn percent(line: &str) -> Option<u8> {
    let mut parts = line.split(' ');
    let is_progress = parts.by_ref().find(|p| *p == "progress").is_some();
    let (done, total): (u64, u64) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
    (is_progress && total > 0).then(|| u8::try_from(done.saturating_mul(100) / total).unwrap_or(100).min(100))
}

fn progressed(app: &App, import: &Import, percent: u8) {
    if let Some(slot) = lock(&app.imports).iter_mut().find(|i| i.id == import.id) {
        slot.percent = percent;
    }
    app.notify("import", &json!(Import { percent, ..import.clone() }));
}

fn analyse(app: &Arc<App>, import: Import, dir: &Path) -> Import {
    let to = dir.join(ANALYSIS);
    let program: PathBuf = app.config.program.clone().unwrap_or_default();
    let mut command = Command::new(program);
    command
        .arg("analyze")
        .arg(dir.join(file_name(&import.name)))
        .arg("-o")
        .arg(&to)
        .arg("--quiet")
        .stdin(Stdio::null());
    if let Some(baseline) = &app.config.baseline {
        command.arg("--baseline").arg(baseline);
    }
    let failed = |message: String| Import { state: "failed", message, ..import.clone() };
    command.env("GRIDWARDEN_PROGRESS", "lines");
    let mut child = match command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn() {
        Ok(child) => child,
        Err(e) => return failed(format!("the analysis did not start: {e}")),
    };
    let mut said = String::new();
    if let Some(stderr) = child.stderr.take() {
        // Lines of our own program; one that is cut is still a line.
        let mut lines = BufReader::new(stderr);
        let mut line = Vec::new();
        while Read::take(&mut lines, LINE).read_until(b'\n', &mut line).is_ok_and(|n| n > 0) {
            let text = String::from_utf8_lossy(&line).trim().chars().take(300).collect::<String>();
            match percent(&text) {
                Some(percent) => progressed(app, &import, percent),
                None if !text.is_empty() => said = text,
                None => {}
            }
            line.clear();
        }
    }
    let status = match child.wait() {
        Ok(status) => status,
        Err(e) => return failed(format!("the analysis was lost: {e}")),
    };
    if !to.join("alerts.ndjson").is_file() {
        return failed(if said.is_empty() { format!("the analysis ended with {status}") } else { said });
    }
    match crate::import_folder(&app.db, &to, &import.name) {
        Ok(findings) => {
            app.changed();
            if let Err(e) = app.record("import.done", &import.by, &json!({ "id": import.id, "findings": findings })) {
                return failed(e.to_string());
            }
            Import { state: "done", message: said, findings, percent: 100, ..import.clone() }
        }
        Err(e) => failed(e.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn progress_is_told_by_lines_of_the_analysis() {
        let cases = [
            ("gridwarden: progress 50 200", Some(25)),
            ("progress 200 200", Some(100)),
            ("progress 1 0", None),
            ("damaged: 3 4", None),
        ];
        for (line, expected) in cases {
            assert_eq!(percent(line), expected, "{line}");
        }
    }
}
