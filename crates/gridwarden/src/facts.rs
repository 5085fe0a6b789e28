//! What the ledger says of a running platform beside its findings: what detected (hashes of everything that findings depend on, at each start
//! of a sensor and at each change), which feeds stopped and came back.
//!
//! `respond::cip` reads these kinds: `detection.configuration`, `config.changed`, `rules.changed`, `model.deployed`, `baseline.approved`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use state::Store as _;

use crate::desk::Office;
use crate::sensor::Watch;

/// Key of the setting that holds what was recorded last.
const RECORDED: &str = "detection.configuration";
/// Who does what nobody did by hand.
const PROGRAM: &str = "gridwarden";
/// Interfaces that are followed.
const FEEDS: usize = 1_000;

/// What detects, by part: a hash, a version, or options.
type Parts = BTreeMap<String, String>;

/// The record of a running platform.
pub struct Facts {
    files: Vec<(&'static str, PathBuf)>,
    parts: Parts,
    /// The sensor has told everything that it begins with.
    running: bool,
    feeds: BTreeMap<String, bool>,
}

impl Facts {
    /// For a run with these options.
    pub fn new(watch: &Watch, config: Option<&Path>) -> Facts {
        let named = [
            ("baseline", watch.baseline.as_deref()),
            ("site", watch.site.as_deref()),
            ("maintenance", watch.maintenance.as_deref()),
            ("response", config),
        ];
        let files = named.into_iter().filter_map(|(part, path)| Some((part, path?.to_owned()))).collect();
        let mut parts = Parts::new();
        parts.insert("version".into(), env!("CARGO_PKG_VERSION").into());
        let detectors: Vec<&str> = detect::META.iter().map(|m| m.id).collect();
        parts.insert("detectors".into(), hash(detectors.join(",").as_bytes()));
        let filter = watch.filter.as_deref().unwrap_or("");
        parts.insert("filter".into(), filter.to_owned());
        Facts { files, parts, running: false, feeds: BTreeMap::new() }
    }

    #[cfg(test)]
    pub fn none() -> Facts {
        Facts { files: Vec::new(), parts: Parts::new(), running: false, feeds: BTreeMap::new() }
    }

    /// Takes note of what the sensor told.
    pub fn heard(&mut self, office: &Office, message: &Value) -> anyhow::Result<()> {
        match message["type"].as_str() {
            Some("started") => self.running = false,
            Some("known") if message.get("refused").is_none() => {
                for part in ["intel", "rules"] {
                    let hash = message["sha256"][part].as_str().unwrap_or("").to_owned();
                    self.parts.insert(part.to_owned(), hash);
                }
                if self.running {
                    self.record(office)?;
                }
            }
            Some("models") => {
                let names = message["active"].as_array().into_iter().flatten().filter_map(Value::as_str);
                self.parts.insert("models".into(), names.collect::<Vec<_>>().join(","));
                for (part, path) in &self.files {
                    // What cannot be read now was not used either; the sensor says so.
                    let bytes = std::fs::read(path).unwrap_or_default();
                    self.parts.insert((*part).to_owned(), hash(&bytes));
                }
                self.running = true;
                self.record(office)?;
            }
            // Its approval is in the ledger already.
            Some("baseline") if message["state"] == "watching" => {
                let sha256 = message["sha256"].as_str().unwrap_or("").to_owned();
                self.parts.insert("baseline".to_owned(), sha256);
                self.files.retain(|(part, _)| *part != "baseline");
            }
            Some("state") => {
                for interface in message["interfaces"].as_array().into_iter().flatten() {
                    let name = interface["name"].as_str().unwrap_or("");
                    let up = interface["up"].as_bool().unwrap_or(true);
                    let before = self.feeds.get(name).copied();
                    if before == Some(up) || (before.is_none() && self.feeds.len() >= FEEDS) {
                        continue;
                    }
                    self.feeds.insert(name.to_owned(), up);
                    let kind = if up { "feed.started" } else { "feed.stopped" };
                    office.record(kind, PROGRAM, &json!({ "interface": name, "ts": message["ts"] }))?;
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// Writes what detects from now on: as a change, with what changed, or as the same as before.
    fn record(&self, office: &Office) -> anyhow::Result<()> {
        let (last, before) = recorded(office)?;
        let changed = changed(&before, &self.parts);
        let is_same = last.is_null() || changed.is_empty();
        let kind = if is_same { RECORDED } else { kind_of(&changed) };
        let changed: Vec<Value> = changed
            .iter()
            .filter(|_| !last.is_null())
            .map(|part| json!({ "part": part, "before": before.get(*part), "after": self.parts.get(*part) }))
            .collect();
        let hash = hash_of(&self.parts);
        let data = json!({ "hash": hash, "parts": self.parts, "changed": changed, "approved_by": "", "reference": "" });
        office.record(kind, PROGRAM, &data)?;
        keep(office, &self.parts)
    }
}

/// A person approved another baseline: the change of what detects, with its approval.
pub fn approved(office: &Office, by: &str, sha256: &str, about: &Value) -> anyhow::Result<()> {
    let (_, before) = recorded(office)?;
    let mut parts = before.clone();
    parts.insert("baseline".into(), sha256.to_owned());
    let changed = [json!({ "part": "baseline", "before": before.get("baseline"), "after": sha256 })];
    let data = json!({
        "hash": hash_of(&parts), "parts": parts, "changed": changed, "proposed_by": PROGRAM, "approved_by": by, "reference": "",
        "baseline": about,
    });
    office.record("baseline.approved", by, &data)?;
    keep(office, &parts)
}

fn hash_of(parts: &Parts) -> String {
    hash(json!(parts).to_string().as_bytes())
}

/// What was recorded last.
fn recorded(office: &Office) -> anyhow::Result<(Value, Parts)> {
    let last = office.db.setting(RECORDED)?.unwrap_or_default();
    let parts = serde_json::from_value(last["parts"].clone()).unwrap_or_default();
    Ok((last, parts))
}

fn keep(office: &Office, parts: &Parts) -> anyhow::Result<()> {
    let kept = json!({ "hash": hash_of(parts), "parts": parts });
    Ok(office.db.set(RECORDED, &kept, PROGRAM, respond::clock::now().0)?)
}

/// The parts that differ.
fn changed<'a>(before: &'a Parts, now: &'a Parts) -> Vec<&'a str> {
    let all: std::collections::BTreeSet<&str> = before.keys().chain(now.keys()).map(String::as_str).collect();
    all.into_iter().filter(|part| before.get(*part) != now.get(*part)).collect()
}

/// Under which kind a change of these parts is recorded.
fn kind_of(changed: &[&str]) -> &'static str {
    let all = |parts: &[&str]| changed.iter().all(|part| parts.contains(part));
    match () {
        () if all(&["models"]) => "model.deployed",
        () if all(&["intel", "rules"]) => "rules.changed",
        () => "config.changed",
    }
}

/// SHA-256, hexadecimal.
pub fn hash(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|b| format!("{b:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kinds(dir: &Path) -> Vec<String> {
        ledger::entries(&dir.join("ledger"), "", "", 100).unwrap().into_iter().map(|e| e.kind).collect()
    }

    #[test]
    fn a_start_is_recorded_and_a_change_under_its_kind() {
        let dir = tempfile::tempdir().unwrap();
        let office = Office::open(dir.path(), None).unwrap();
        let start = |known: &str, models: &[&str], filter: &str| {
            let mut parts = Parts::new();
            parts.insert("filter".into(), filter.into());
            let mut facts = Facts { files: Vec::new(), parts, running: false, feeds: BTreeMap::new() };
            facts.heard(&office, &json!({ "type": "started" })).unwrap();
            let known = json!({ "type": "known", "set": 1, "sha256": { "intel": known, "rules": "" } });
            facts.heard(&office, &known).unwrap();
            facts.heard(&office, &json!({ "type": "models", "active": models })).unwrap();
            facts
        };
        start("a", &["m@1"], "");
        start("a", &["m@1"], "");
        let mut facts = start("b", &["m@1"], "");
        facts.heard(&office, &json!({ "type": "known", "set": 2, "refused": "damaged" })).unwrap();
        let other = json!({ "type": "known", "set": 3, "sha256": { "intel": "c", "rules": "" } });
        facts.heard(&office, &other).unwrap();
        start("c", &["m@2"], "");
        start("c", &["m@2"], "not port 22");
        let want = [
            "detection.configuration",
            "detection.configuration",
            "rules.changed",
            "rules.changed",
            "model.deployed",
            "config.changed",
        ];
        assert_eq!(kinds(dir.path()), want);
        let all = ledger::entries(&dir.path().join("ledger"), "", "", 100).unwrap();
        assert_eq!(all[0].data["hash"], all[1].data["hash"]);
        assert_eq!(all[2].data["changed"], json!([{ "part": "intel", "before": "a", "after": "b" }]));
    }

    #[test]
    fn a_feed_that_stops_and_comes_back_is_recorded_once_each() {
        let dir = tempfile::tempdir().unwrap();
        let office = Office::open(dir.path(), None).unwrap();
        let mut facts = Facts { files: Vec::new(), parts: Parts::new(), running: true, feeds: BTreeMap::new() };
        for up in [true, true, false, false, true] {
            let state =
                json!({ "type": "state", "ts": "2026-12-01T00:00:00Z", "interfaces": [{ "name": "span0", "up": up }] });
            facts.heard(&office, &state).unwrap();
        }
        assert_eq!(kinds(dir.path()), ["feed.started", "feed.stopped", "feed.started"]);
    }
}
