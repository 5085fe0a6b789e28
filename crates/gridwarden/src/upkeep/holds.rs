//! What open findings and cases on hold keep from being deleted: conversations in the lake, segments of the ring of packets.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::path::Path;

use serde_json::Value;
use state::{Db, Store};

/// Findings read at a time.
const PAGE: usize = 500;

/// What one finding rests on.
#[derive(Clone, Debug, Default)]
struct Rests {
    is_open: bool,
    uids: Vec<String>,
    segments: BTreeSet<String>,
}

/// What is held; follows the findings of the state database, or where there is none those that the sensor keeps.
#[derive(Default)]
pub struct Holds {
    db: Option<Db>,
    seq: i64,
    findings: BTreeMap<String, Rests>,
    /// Findings of cases on hold: not deleted although closed.
    on_hold: BTreeSet<String>,
}

impl Holds {
    /// Looks at what changed.
    pub fn follow(&mut self, data: &Path) -> anyhow::Result<()> {
        let path = data.join("state.sqlite");
        if self.db.is_none() && path.is_file() {
            self.db = Some(Db::open(&path)?);
            self.findings.clear();
        }
        match &self.db {
            Some(db) => {
                loop {
                    let changed = db.findings_since(self.seq, PAGE)?;
                    let Some(last) = changed.last() else { break };
                    self.seq = last.seq;
                    for stored in &changed {
                        let is_open = stored.status != "closed";
                        self.findings.insert(stored.id.clone(), rests(&stored.finding, is_open));
                    }
                }
                let store = respond::store::Store::open(db)?;
                self.on_hold.clear();
                for hold in store.holds()?.iter().filter(|h| h.released.is_none()) {
                    let case = store.case(&hold.case)?;
                    self.on_hold.extend(case.into_iter().flat_map(|c| c.findings).map(|m| m.id));
                }
            }
            None => {
                // Nobody closes findings where there is no state.
                self.findings.clear();
                for entry in std::fs::read_dir(data.join("sensor/findings")).into_iter().flatten().flatten() {
                    let text = std::fs::read(entry.path()).unwrap_or_default();
                    if let Ok(finding) = serde_json::from_slice::<Value>(&text) {
                        let id = finding.get("id").and_then(Value::as_str).unwrap_or_default().to_owned();
                        self.findings.insert(id, rests(&finding, true));
                    }
                }
            }
        }
        Ok(())
    }

    /// Conversations whose records are held.
    pub fn uids(&self) -> HashSet<String> {
        self.held().flat_map(|r| r.uids.iter().cloned()).collect()
    }

    /// Of these segments of the ring those that closed findings rest on and nothing holds any more.
    pub fn released<'a>(&self, ring: impl Iterator<Item = &'a String>) -> Vec<&'a String> {
        let held: BTreeSet<&String> = self.held().flat_map(|r| &r.segments).collect();
        let closed: BTreeSet<&String> = self.findings.values().flat_map(|r| &r.segments).collect();
        ring.filter(|name| closed.contains(name) && !held.contains(name)).collect()
    }

    /// Open findings, and those of cases on hold.
    pub fn count(&self) -> usize {
        self.held().count()
    }

    fn held(&self) -> impl Iterator<Item = &Rests> {
        self.findings.iter().filter(|(id, r)| r.is_open || self.on_hold.contains(*id)).map(|(_, r)| r)
    }
}

/// Facts (severity `info`) hold nothing.
fn rests(finding: &Value, is_open: bool) -> Rests {
    if finding.get("severity").and_then(Value::as_str).is_none_or(|s| s == "info") {
        return Rests::default();
    }
    let list = |name: &str| finding.get(name).and_then(Value::as_array).into_iter().flatten();
    Rests {
        is_open,
        uids: list("uids").filter_map(|u| Some(u.as_str()?.to_owned())).collect(),
        segments: list("packets").filter_map(|p| Some(p.get("file")?.as_str()?.to_owned())).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use state::{Triage, Verdict};

    fn finding(id: &str, severity: &str, uid: &str, segment: &str) -> Value {
        json!({ "id": id, "rev": 1, "ts": "2026-11-01T00:00:00Z", "ts_end": "2026-11-01T00:00:01Z", "severity": severity, "detector": "scan",
            "title": "t", "dedup_key": id, "uids": [uid], "packets": [{ "file": segment, "frame": 1 }] })
    }

    #[test]
    fn open_findings_hold_and_closed_ones_let_go() {
        let dir = tempfile::tempdir().unwrap();
        let db = Db::open(&dir.path().join("state.sqlite")).unwrap();
        for (id, severity, uid, segment) in
            [("a", "high", "Ca", "ring/1"), ("b", "medium", "Cb", "ring/2"), ("c", "info", "Cc", "ring/3")]
        {
            db.upsert_finding(&finding(id, severity, uid, segment), true, "live", 1).unwrap();
        }
        let mut holds = Holds::default();
        holds.follow(dir.path()).unwrap();
        let ring: Vec<String> = (1..=3).map(|n| format!("ring/{n}")).collect();
        assert_eq!(holds.uids(), ["Ca".to_owned(), "Cb".to_owned()].into());
        assert!(holds.released(ring.iter()).is_empty());
        let closed = Triage::Close { verdict: Verdict::Expected, reason: "known".into() };
        db.triage(&["a".to_owned()], &closed, "anna", 2).unwrap();
        holds.follow(dir.path()).unwrap();
        assert_eq!(holds.uids(), ["Cb".to_owned()].into());
        assert_eq!(holds.released(ring.iter()), ["ring/1"]);
        assert_eq!(holds.count(), 1);
    }
}
