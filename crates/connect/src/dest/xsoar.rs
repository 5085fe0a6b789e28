//! Cortex XSOAR 6 and 8: an incident per case, found again by `dbotMirrorId`, its state mirrored; standard and advanced keys (`specs/cortex_xsoar.md`).

use respond::manifest::hex;
use respond::{Case, State};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::config::{self, Settings};
use crate::dest::servicenow::in_order;
use crate::dest::{Destination, Mirrored, case};
use crate::event::{Sender, score};
use crate::http::{Http, Method};
use crate::queue::Item;
use crate::{Fault, FaultKind, Verdict};

/// Characters of a nonce.
const NONCE: usize = 64;

/// One tenant.
pub struct Xsoar {
    http: Http,
    base: String,
    key: String,
    key_id: Option<String>,
    is_advanced: bool,
    incident_type: String,
    sender: Sender,
}

impl Xsoar {
    /// Reads the key.
    pub fn new(c: &config::Xsoar, settings: &Settings, sender: &Sender) -> Result<Xsoar, String> {
        if c.advanced && c.key_id.is_none() {
            return Err("an advanced key needs `key_id`".to_owned());
        }
        let usual = if c.key_id.is_some() { "/xsoar/public/v1" } else { "" };
        let prefix = c.prefix.clone().unwrap_or_else(|| usual.to_owned());
        Ok(Xsoar {
            http: Http::new(
                &settings.tls,
                settings.timeout,
                vec![("Accept".to_owned(), "application/json".to_owned())],
            )?,
            base: format!("{}{}", c.url.trim_end_matches('/'), prefix.trim_end_matches('/')),
            key: c.key.read()?,
            key_id: c.key_id.clone(),
            is_advanced: c.advanced,
            incident_type: c.incident_type.clone(),
            sender: sender.clone(),
        })
    }

    /// Headers that prove who we are; those of an advanced key hold for one request.
    fn signed(&self) -> Vec<(String, String)> {
        let mut out = Vec::new();
        if let Some(id) = &self.key_id {
            out.push(("x-xdr-auth-id".to_owned(), id.clone()));
        }
        if self.is_advanced {
            let millis = (respond::clock::now().0 / 1_000_000).to_string();
            let nonce = nonce();
            let hash = Sha256::digest(format!("{}{nonce}{millis}", self.key).as_bytes());
            out.push(("x-xdr-nonce".to_owned(), nonce));
            out.push(("x-xdr-timestamp".to_owned(), millis));
            out.push(("Authorization".to_owned(), hex(&hash)));
        } else {
            out.push(("Authorization".to_owned(), self.key.clone()));
        }
        out
    }

    fn post(&self, path: &str, body: &Value) -> Result<Value, Fault> {
        let url = format!("{}{path}", self.base);
        let reply =
            self.http.send_with(Method::Post, &url, "application/json", &self.signed(), body.to_string().as_bytes())?;
        match reply.fault() {
            // A stale version: somebody else changed it meanwhile.
            Some(fault) if reply.status == 412 || reply.status == 409 => {
                Err(Fault { kind: FaultKind::Throttled, ..fault })
            }
            Some(fault) => Err(fault),
            None => reply.json(),
        }
    }

    fn search(&self, query: &str) -> Result<Vec<Value>, Fault> {
        let filter = json!({ "filter": { "page": 0, "size": 100, "query": query, "sort": [{ "field": "modified", "asc": false }] } });
        let mut answer = self.post("/incidents/search", &filter)?;
        match answer.get_mut("data").map(Value::take) {
            Some(Value::Array(list)) => Ok(list),
            Some(Value::Null) => Ok(Vec::new()),
            _ => Err(Fault::new(FaultKind::Malformed, "a search without `data`")),
        }
    }

    fn one(&self, item: &Item) -> Result<(), Fault> {
        let case = case(item).map_err(|e| Fault::new(FaultKind::Refused, e))?;
        let there = self.search(&format!("dbotMirrorId:\"{}\"", case.id.replace(['"', '\\'], "")))?;
        let Some(there) = there.first() else {
            let stored = self.post("/incident", &self.incident(&case))?;
            return match stored["id"].as_str() {
                Some(_) => Ok(()),
                None => Err(Fault::new(FaultKind::Malformed, "the stored incident has no id")),
            };
        };
        let mut body = self.incident(&case);
        body["id"] = there["id"].clone();
        body["version"] = there["version"].clone();
        // What people did over there stays.
        for key in ["owner", "status", "closeReason", "closeNotes", "type", "investigationId"] {
            if let Some(value) = there.get(key) {
                body[key] = value.clone();
            }
        }
        body["createInvestigation"] = json!(false);
        self.post("/incident", &body)?;
        if case.state == State::Closed
            && there["status"].as_u64() != Some(2)
            && let Some(d) = &case.disposition
        {
            let body = json!({ "id": there["id"], "version": -1, "closeReason": close_reason(&d.conclusion),
                "closeNotes": format!("{}, by {}: {}", d.conclusion, d.by, d.action) });
            self.post("/incident/close", &body)?;
        }
        Ok(())
    }

    fn incident(&self, case: &Case) -> Value {
        let ends = case.findings.first();
        let details: Vec<String> =
            case.findings.iter().take(50).map(|m| format!("{} {}: {}", m.ts, m.title, m.why)).collect();
        json!({
            "name": case.title, "type": self.incident_type, "severity": severity(score(case.severity)), "occurred": case.occurred.to_string(),
            "details": details.join("\n"), "createInvestigation": true, "sourceBrand": "Gridwarden", "sourceInstance": self.sender.host,
            "labels": [{ "type": "ndr_alert_id", "value": case.id }, { "type": "link", "value": self.sender.link(&case.id).unwrap_or_default() }],
            "dbotMirrorId": case.id,
            "CustomFields": {
                "dbotmirrorid": case.id,
                "sourceip": ends.and_then(|m| m.src.ip.clone()).unwrap_or_default(),
                "destinationip": ends.and_then(|m| m.dst.ip.clone()).unwrap_or_default(),
            },
            "rawJSON": json!({ "id": case.id, "rev": case.rev, "findings": case.findings.iter().map(|m| &m.id).collect::<Vec<_>>() }).to_string(),
        })
    }
}

/// Severity of the product: 0.5 info, 1 low, 2 medium, 3 high, 4 critical.
fn severity(score: u8) -> f64 {
    match score {
        0..20 => 0.5,
        20..40 => 1.0,
        40..70 => 2.0,
        70..90 => 3.0,
        _ => 4.0,
    }
}

fn close_reason(conclusion: &str) -> &'static str {
    match conclusion {
        "true-positive" => "Resolved",
        "false-positive" => "False Positive",
        _ => "Other",
    }
}

/// Random letters and digits. The standard library's hash keys are random per process and differ per instance; that is what a nonce needs.
fn nonce() -> String {
    use std::hash::{BuildHasher, RandomState};
    const WORDS: &[u8] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    let mut out = String::new();
    while out.len() < NONCE {
        let mut n = RandomState::new().hash_one(out.len());
        for _ in 0..10 {
            out.push(char::from(WORDS[(n % 62) as usize]));
            n /= 62;
        }
    }
    out.truncate(NONCE);
    out
}

impl Destination for Xsoar {
    fn send(&mut self, items: &[&Item]) -> Vec<Verdict> {
        in_order(items, |item| self.one(item))
    }

    fn probe(&mut self) -> Result<String, Fault> {
        let found = self.search("sourceBrand:Gridwarden")?;
        Ok(format!("incidents can be searched, {} of ours there", found.len()))
    }

    fn mirror(&mut self) -> Result<Vec<Mirrored>, Fault> {
        let list = self.search("sourceBrand:Gridwarden")?;
        let text = |v: &Value, key: &str| v[key].as_str().unwrap_or("").to_owned();
        Ok(list
            .iter()
            .filter_map(|i| {
                let case = i["CustomFields"]["dbotmirrorid"].as_str().or(i["dbotMirrorId"].as_str())?.to_owned();
                let state = match i["status"].as_u64() {
                    Some(0) => "new",
                    Some(2 | 3) => "closed",
                    _ => "open",
                };
                Some(Mirrored {
                    case,
                    ticket: text(i, "id"),
                    state: state.to_owned(),
                    reason: text(i, "closeReason"),
                    notes: text(i, "closeNotes"),
                    by: text(i, "closingUserId"),
                })
            })
            .collect())
    }
}
