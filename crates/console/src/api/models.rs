//! The registry of models: what each version is and is worth, which is active, promotion and roll-back by an approver.

use axum::http::StatusCode;
use models::Registry;
use models::registry::RegistryError;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::api::response::only_people;
use crate::app::App;
use crate::call::{Call, Problem};
use crate::routes::Answer;

/// Characters of a model card that are shown.
const CARD: usize = 100_000;

impl From<RegistryError> for Problem {
    fn from(e: RegistryError) -> Self {
        match e {
            RegistryError::Other(text) => Problem::bad(text),
            file => Problem::new(StatusCode::UNPROCESSABLE_ENTITY, file.to_string()),
        }
    }
}

fn registry(app: &App) -> Registry {
    Registry::new(&app.config.data)
}

pub(crate) fn list(app: &App, _: &Call) -> Answer {
    let registry = registry(app);
    let mut items = Vec::new();
    for name in registry.names()? {
        let state = registry.state(&name)?;
        let mut versions = Vec::new();
        for version in registry.versions(&name)? {
            let entry = match registry.load(&name, version) {
                Ok(l) => {
                    json!({ "version": version, "form": l.manifest.form, "about": l.manifest.about, "created": l.manifest.created,
                    "by": l.manifest.by, "family": l.manifest.schema.family, "features": l.manifest.schema.features.len(), "hash": l.hash,
                    "threshold": l.manifest.schema.threshold, "has_validation": l.manifest.files.contains_key("validation.json") })
                }
                Err(e) => json!({ "version": version, "problem": e.to_string() }),
            };
            versions.push(entry);
        }
        versions.reverse();
        items.push(json!({ "name": name, "active": state.active, "before": state.before, "changes": state.changes, "versions": versions }));
    }
    Ok(json!({ "items": items }).into())
}

pub(crate) fn one(app: &App, call: &Call) -> Answer {
    let registry = registry(app);
    let (name, version) = (call.part("name"), version(call)?);
    if !registry.versions(name)?.contains(&version) {
        return Err(Problem::missing("such version of this model"));
    }
    let state = registry.state(name)?;
    let loaded = registry.load(name, version)?;
    let validation = registry.validation(&loaded)?;
    let path = loaded.folder.join("MODEL_CARD.md");
    let card = std::fs::read_to_string(&path).unwrap_or_default().chars().take(CARD).collect::<String>();
    Ok(json!({ "manifest": loaded.manifest, "hash": loaded.hash, "card": card, "validation": validation, "active": state.active, "changes": state.changes })
        .into())
}

fn version(call: &Call) -> Result<u32, Problem> {
    call.part("version").parse().map_err(|_| Problem::missing("such version of this model"))
}

#[derive(Deserialize)]
struct Promotion {
    version: u32,
    reason: String,
}

#[derive(Deserialize)]
struct Back {
    reason: String,
}

fn needs_reason(reason: &str) -> Result<(), Problem> {
    if reason.trim().is_empty() { Err(Problem::bad("a reason is needed")) } else { Ok(()) }
}

pub(crate) fn promote(app: &App, call: &Call) -> Answer {
    only_people(call)?;
    let wanted: Promotion = call.body()?;
    needs_reason(&wanted.reason)?;
    let (registry, name) = (registry(app), call.part("name"));
    if !registry.versions(name)?.contains(&wanted.version) {
        return Err(Problem::missing("such version of this model"));
    }
    let loaded = registry.load(name, wanted.version)?;
    if loaded.manifest.by == call.who.actor {
        return Err(Problem::new(StatusCode::FORBIDDEN, "nobody promotes what they registered: ask another approver"));
    }
    if loaded.manifest.schema.threshold.is_none() {
        return Err(Problem::bad("this version has no threshold, so it finds nothing: register it with clean days"));
    }
    let at = gwcore::Ts(call.now).to_string();
    let state = registry.promote(name, wanted.version, (&at, &call.who.actor, wanted.reason.trim()))?;
    deployed(app, call, name, state.active, &wanted.reason, &loaded.hash)?;
    Ok(json!({ "active": state.active }).into())
}

pub(crate) fn rollback(app: &App, call: &Call) -> Answer {
    only_people(call)?;
    let Back { reason } = call.body()?;
    needs_reason(&reason)?;
    let (registry, name) = (registry(app), call.part("name"));
    let at = gwcore::Ts(call.now).to_string();
    let state = registry.rollback(name, (&at, &call.who.actor, reason.trim()))?;
    let hash = registry.active(name)?.map(|l| l.hash).unwrap_or_default();
    deployed(app, call, name, state.active, &reason, &hash)?;
    Ok(json!({ "active": state.active }).into())
}

/// The line of the ledger that evidence of the detection method reads.
fn deployed(app: &App, call: &Call, name: &str, version: Option<u32>, reason: &str, hash: &str) -> Result<(), Problem> {
    let data: Value = json!({ "model": name, "version": version, "hash": hash, "reason": reason.trim(), "approved_by": call.who.actor });
    app.record("model.deployed", &call.who.actor, &data)?;
    app.notify("model", &json!({ "name": name, "version": version }));
    Ok(())
}
