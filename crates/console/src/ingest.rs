//! The sensor's messages into the state database, and the folders that `analyze` writes.

use std::io::BufRead;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::thread::JoinHandle;
use std::time::Duration;

use serde_json::{Value, json};
use state::{Store, Upserted};

use crate::app::{App, lock};

/// How often ended suppressions let go.
const EXPIRE: i64 = 60 * 1_000_000_000;

/// Takes messages until `stop`.
pub(crate) fn spawn(
    app: Arc<App>,
    messages: Receiver<Value>,
    stop: Arc<AtomicBool>,
) -> std::io::Result<JoinHandle<()>> {
    std::thread::Builder::new().name("ingest".to_owned()).spawn(move || {
        let mut expired = 0;
        while !stop.load(Ordering::Relaxed) {
            match messages.recv_timeout(Duration::from_millis(200)) {
                Ok(message) => {
                    App::count(&app.counters.messages);
                    app.heard.store(ledger::now().0, Ordering::Relaxed);
                    if let Err(what) = take(&app, &message) {
                        App::count(&app.counters.bad_messages);
                        // The ledger may be what fails: the counter stays.
                        let _ = app.record("sensor.message-refused", "system", &json!({ "why": what }));
                    }
                }
                Err(RecvTimeoutError::Timeout) => {}
                // No sensor any more, the console stays.
                Err(RecvTimeoutError::Disconnected) => std::thread::sleep(Duration::from_millis(200)),
            }
            let now = ledger::now().0;
            if now - expired > EXPIRE {
                expired = now;
                if app.db.expire_suppressions(now).is_ok_and(|n| n > 0) {
                    app.changed();
                }
            }
        }
    })
}

/// One message; an error says why it was refused.
fn take(app: &App, message: &Value) -> Result<(), String> {
    let text = |e: &dyn std::fmt::Display| e.to_string();
    match message["type"].as_str() {
        Some("finding") => {
            let ended = message["change"] == "closed";
            let doc = &crate::windows::lowered(&app.db, message["finding"].clone()).map_err(|e| text(&e))?;
            let now = ledger::now().0;
            let done = app.db.upsert_finding(doc, ended, "live", now).map_err(|e| text(&e))?;
            if let Upserted::New(_) = done {
                App::count(&app.counters.findings_new);
                let data = json!({ "id": doc["id"], "detector": doc["detector"], "severity": doc["severity"], "ts": doc["ts"],
                    "raised": doc["raised"], "detected": gwcore::Ts(now).to_string() });
                app.record("finding.opened", "system", &data).map_err(|e| text(&e))?;
                let raised = doc["raised"].as_str().and_then(gwcore::time::parse_rfc3339).map_or(now, |t| t.0);
                app.counters.delay.fetch_add((now - raised).max(0).unsigned_abs(), Ordering::Relaxed);
            }
            if done != Upserted::Known {
                app.changed();
            }
        }
        Some("device") => match message["gone"].as_str() {
            Some(gone) => {
                app.db.drop_device(gone).map_err(|e| text(&e))?;
                app.notify("device", &json!({ "id": gone, "gone": true }));
            }
            None => {
                app.db.upsert_device(&message["device"], "live").map_err(|e| text(&e))?;
                app.notify("device", &json!({ "id": message["device"]["id"] }));
            }
        },
        Some("minute") => {
            app.db.add_minute(message).map_err(|e| text(&e))?;
            app.notify("feed", message);
        }
        Some("gap") => {
            app.db.add_gap(message).map_err(|e| text(&e))?;
            app.record("feed.gap", "system", message).map_err(|e| text(&e))?;
            app.notify("feed", message);
        }
        Some(kind @ ("started" | "ended" | "sensor")) => {
            lock(&app.sensor).insert(kind.to_owned(), message.clone());
            app.record(&format!("sensor.{kind}"), "system", message).map_err(|e| text(&e))?;
            app.notify("feed", message);
        }
        Some("problem") => {
            lock(&app.sensor).insert("problem".to_owned(), message.clone());
            let what: String = message["what"].as_str().unwrap_or_default().chars().take(300).collect();
            app.record_read("sensor.problem", "system", &what).map_err(|e| text(&e))?;
            app.notify("feed", message);
        }
        Some("case") => app.notify("case", message),
        Some("run") => app.notify("run", message),
        Some("destination") => app.notify("destination", message),
        Some(kind @ ("baseline" | "known" | "models")) => {
            let before = lock(&app.sensor).insert(kind.to_owned(), message.clone());
            if before.as_ref() != Some(message) {
                if kind == "baseline" {
                    // Known also before the next sensor tells it.
                    app.db.set("baseline", message, "system", ledger::now().0).map_err(|e| text(&e))?;
                }
                app.notify("feed", message);
            }
        }
        // What else it tells of itself: the newest of each kind is shown.
        Some(kind) if kind.len() <= 40 => {
            let mut sensor = lock(&app.sensor);
            if sensor.len() < 64 || sensor.contains_key(kind) {
                sensor.insert(kind.to_owned(), message.clone());
            }
        }
        Some(_) => return Err("an unknown type".to_owned()),
        None => return Err("a message without `type`".to_owned()),
    }
    Ok(())
}

/// Takes in the findings, with their cases, and devices of a folder that `analyze` wrote, under a source's name; how many findings were new or later ones.
pub fn import_folder(db: &state::Db, dir: &Path, source: &str) -> Result<usize, state::Error> {
    let now = ledger::now().0;
    let mut n = 0;
    let mut new = Vec::new();
    for doc in lines(&dir.join("alerts.ndjson"))? {
        if db.upsert_finding(&doc, true, source, now)? != Upserted::Known {
            n += 1;
            new.push(doc);
        }
    }
    crate::correlate(db, &new)?;
    for doc in lines(&dir.join("assets.ndjson"))? {
        db.upsert_device(&doc, source)?;
    }
    Ok(n)
}

fn lines(path: &Path) -> Result<Vec<Value>, state::Error> {
    let io = |source| state::Error::Io { doing: "read", path: path.display().to_string(), source };
    let file = std::fs::File::open(path).map_err(io)?;
    let mut all = Vec::new();
    for line in std::io::BufReader::new(file).lines() {
        let line = line.map_err(io)?;
        let bad = |e: serde_json::Error| state::Error::Refused(format!("`{}`: {e}", path.display()));
        all.push(serde_json::from_str(&line).map_err(bad)?);
    }
    Ok(all)
}
