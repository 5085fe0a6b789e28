//! Cases, runs, declared work over HTTP: who may, what stands in the ledger, pages.

use std::sync::{Arc, Mutex};

use console::{Destination, Office, Person, Playbook, Refusal, Wish};
use respond::Case;
use respond::action::Action;
use respond::playbook::Run;
use serde_json::{Value, json};

use crate::centre::{Answer, Centre, finding};

/// A program that writes down what it was asked.
#[derive(Debug, Default)]
struct Asked(Mutex<Vec<String>>);

impl Asked {
    fn note(&self, what: String) {
        self.0.lock().unwrap().push(what);
    }
}

impl Office for Asked {
    fn playbooks(&self) -> Vec<Playbook> {
        Vec::new()
    }
    fn propose(&self, who: &Person, wish: &Wish) -> Result<Run, Refusal> {
        self.note(format!("{} proposes {}", who.name, wish.case));
        Err(Refusal::Failed("no".into()))
    }
    fn approve(&self, who: &Person, run: &str) -> Result<Run, Refusal> {
        self.note(format!("{} approves {run}", who.name));
        Err(Refusal::Forbidden("nobody approves what they proposed".into()))
    }
    fn answer(&self, _: &Person, run: &str, _: bool) -> Result<Run, Refusal> {
        Err(Refusal::Missing(format!("run `{run}`")))
    }
    fn stop(&self, _: &Person, run: &str, _: &str) -> Result<Run, Refusal> {
        Err(Refusal::Missing(format!("run `{run}`")))
    }
    fn undo(&self, _: &Person, action: &str) -> Result<Action, Refusal> {
        Err(Refusal::Missing(format!("action `{action}`")))
    }
    fn killed_by(&self) -> Option<String> {
        None
    }
    fn kill(&self, who: &Person, on: bool, _: &str) -> Result<Vec<String>, Refusal> {
        self.note(format!("{} turns it {on}", who.name));
        Ok(Vec::new())
    }
    fn destinations(&self) -> Vec<Destination> {
        Vec::new()
    }
    fn probe(&self, name: &str) -> Result<String, Refusal> {
        Err(Refusal::Missing(format!("destination `{name}`")))
    }
    fn test(&self, _: &Person, name: &str) -> Result<String, Refusal> {
        Err(Refusal::Missing(format!("destination `{name}`")))
    }
    fn dead(&self, _: &str, _: usize, _: usize) -> Result<Vec<Value>, Refusal> {
        Ok((0..3).map(|n| json!({ "id": n })).collect())
    }
    fn resend(&self, _: &Person, _: &str, ids: &[String]) -> Result<usize, Refusal> {
        Ok(ids.len())
    }
    fn approve_baseline(&self, who: &Person, sha256: &str, _: &[String], out: &[String]) -> Result<Value, Refusal> {
        self.note(format!("{} approves {sha256}", who.name));
        Ok(json!({ "entries": 1, "left_out": out }))
    }
    fn packets(&self, _: &Value) -> Result<Vec<u8>, Refusal> {
        Ok(b"packets".to_vec())
    }
    fn evidence(&self, _: &Person, case: &Case) -> Result<(String, Vec<u8>), Refusal> {
        Ok((format!("{}.tar", case.id), b"evidence".to_vec()))
    }
}

fn check(c: &Centre, who: &str, method: &str, path: &str, body: Value, expect: u16) -> Answer {
    let answer = c.by(who, method, path, body);
    assert_eq!(answer.status, expect, "{method} {path}: {}", answer.body);
    answer
}

#[test]
fn a_case_is_worked_by_people() {
    let c = Centre::with(Some(Arc::new(Asked::default())));
    let anna = c.setup();
    let (viewer, analyst) = (c.add(&anna, "vera", "viewer"), c.add(&anna, "alan", "analyst"));
    for id in ["f-one", "f-two", "f-three"] {
        c.tell(id, "a scan");
        c.wait_for(&viewer, id);
    }
    check(&c, &viewer, "POST", "/cases", json!({ "findings": ["f-one"] }), 403);
    check(&c, &analyst, "POST", "/cases", json!({ "findings": [] }), 400);
    check(&c, &analyst, "POST", "/cases", json!({ "findings": ["f-none"] }), 404);
    let made = check(&c, &analyst, "POST", "/cases", json!({ "findings": ["f-one", "f-two"] }), 200).json();
    let id = made["item"]["id"].as_str().unwrap().to_owned();
    check(&c, &analyst, "POST", "/cases", json!({ "findings": ["f-one"] }), 400);
    check(&c, &analyst, "POST", "/cases", json!({ "findings": ["f-three"] }), 200);
    let at = format!("/cases/{id}");
    let page = check(&c, &viewer, "GET", "/cases?limit=1", Value::Null, 200).json();
    assert_eq!((page["total"].as_i64(), page["items"].as_array().map(Vec::len)), (Some(2), Some(1)));
    let next = format!("/cases?limit=1&cursor={}", page["next"].as_str().unwrap());
    let second = check(&c, &viewer, "GET", &next, Value::Null, 200).json();
    assert_ne!(second["items"][0]["id"], page["items"][0]["id"]);
    assert_eq!(second["next"], Value::Null);
    check(&c, &viewer, "GET", "/cases?cursor=x", Value::Null, 400);
    check(&c, &viewer, "POST", &format!("{at}/note"), json!({ "text": "mine" }), 403);
    check(&c, &analyst, "POST", &format!("{at}/note"), json!({ "text": " " }), 400);
    check(&c, &analyst, "POST", &format!("{at}/note"), json!({ "text": "called the control room" }), 200);
    check(&c, &analyst, "POST", &format!("{at}/assign"), json!({ "owner": "nobody" }), 400);
    check(&c, &analyst, "POST", &format!("{at}/assign"), json!({ "owner": "anna" }), 200);
    check(&c, &analyst, "POST", &format!("{at}/state"), json!({ "state": "closed" }), 400);
    check(&c, &analyst, "POST", &format!("{at}/state"), json!({ "state": "waiting" }), 200);
    let shown = check(&c, &viewer, "GET", &at, Value::Null, 200).json();
    assert_eq!((shown["item"]["owner"].as_str(), shown["item"]["state"].as_str()), (Some("anna"), Some("waiting")));
    assert_eq!(shown["edges"][0]["findings"].as_array().map(Vec::len), Some(2));
    assert_eq!(shown["is_incident"], false);
    let determined = json!({ "what": "attempt", "reason": "a stranger asked for every port" });
    check(&c, &analyst, "POST", &format!("{at}/determine"), determined, 200);
    let taken = check(&c, &analyst, "POST", &format!("{at}/evidence"), Value::Null, 200);
    assert!(taken.head.contains("application/x-tar") && taken.body == "evidence", "{}", taken.head);
    let of_finding = check(&c, &viewer, "GET", "/findings/f-two", Value::Null, 200).json();
    assert_eq!(of_finding["cases"][0]["id"], id.as_str());
    // A program with a token works on cases, and closes none, nor a finding.
    let token = json!({ "name": "soar", "role": "admin", "expires": "2099-01-01T00:00:00Z" });
    let token = check(&c, &anna, "POST", "/tokens", token, 200).json()["secret"].as_str().unwrap().to_owned();
    let bearer = format!("Bearer {token}");
    let by_token = |path: &str, body: Value| {
        c.ask("POST", &format!("/api/v1{path}"), &[("authorization", &bearer)], &body.to_string())
    };
    let closing = json!({ "conclusion": "benign", "method": "procedure 7" });
    assert_eq!(by_token(&format!("{at}/note"), json!({ "text": "seen" })).status, 200);
    assert_eq!(by_token(&format!("{at}/close"), closing.clone()).status, 403);
    let close_finding = json!({ "ids": ["f-one"], "action": "close", "verdict": "true", "reason": "r" });
    assert_eq!(by_token("/findings/triage", close_finding).status, 403);
    check(&c, &analyst, "POST", &format!("{at}/close"), json!({ "conclusion": "benign", "method": "" }), 400);
    check(&c, &analyst, "POST", &format!("{at}/close"), closing, 200);
    check(&c, &analyst, "POST", &format!("{at}/note"), json!({ "text": "afterwards" }), 200);
    let audit = check(&c, &viewer, "GET", "/audit?limit=1000", Value::Null, 200).body;
    for kind in ["case.make", "case.viewed", "case.assign", "case.determine", "case.evidence", "case.close"] {
        assert!(audit.contains(kind), "{kind}");
    }
}

#[test]
fn runs_are_decided_by_those_who_may() {
    let asked = Arc::new(Asked::default());
    let c = Centre::with(Some(Arc::clone(&asked) as Arc<dyn Office>));
    let anna = c.setup();
    let (viewer, analyst, approver) =
        (c.add(&anna, "vera", "viewer"), c.add(&anna, "alan", "analyst"), c.add(&anna, "april", "approver"));
    let wish = json!({ "case": "case-1", "live": true });
    check(&c, &viewer, "POST", "/runs", wish.clone(), 403);
    assert!(check(&c, &analyst, "POST", "/runs", wish, 422).body.contains("no"));
    check(&c, &analyst, "POST", "/runs/run-1/approve", Value::Null, 403);
    let own = check(&c, &approver, "POST", "/runs/run-1/approve", Value::Null, 403);
    assert!(own.body.contains("nobody approves what they proposed"));
    check(&c, &approver, "POST", "/runs/run-1/refuse", json!({ "reason": " " }), 400);
    check(&c, &approver, "POST", "/runs/run-1/refuse", json!({ "reason": "not now" }), 404);
    check(&c, &viewer, "GET", "/runs/run-1", Value::Null, 404);
    check(&c, &analyst, "POST", "/baseline/approve", json!({ "sha256": "ab" }), 403);
    check(&c, &approver, "POST", "/baseline/approve", json!({ "sha256": "ab", "leave_out": ["device x"] }), 200);
    check(&c, &viewer, "POST", "/kill-switch", json!({ "on": true, "reason": "r" }), 403);
    check(&c, &analyst, "POST", "/kill-switch", json!({ "on": true, "reason": "" }), 400);
    check(&c, &analyst, "POST", "/kill-switch", json!({ "on": true, "reason": "work in bay 4" }), 200);
    assert_eq!(check(&c, &viewer, "GET", "/kill-switch", Value::Null, 200).json()["on"], false);
    let dead = check(&c, &viewer, "GET", "/destinations/siem/dead?limit=2", Value::Null, 200).json();
    assert_eq!((dead["items"].as_array().map(Vec::len), dead["next"].as_str()), (Some(2), Some("2")));
    check(&c, &viewer, "POST", "/destinations/siem/test", Value::Null, 403);
    check(&c, &analyst, "POST", "/destinations/siem/test", Value::Null, 404);
    assert_eq!(
        *asked.0.lock().unwrap(),
        ["alan proposes case-1", "april approves run-1", "april approves ab", "alan turns it true"]
    );
    // Without a program behind it the console shows and does nothing.
    let alone = Centre::start();
    let anna = alone.setup();
    check(&alone, &anna, "GET", "/playbooks", Value::Null, 200);
    check(&alone, &anna, "GET", "/models", Value::Null, 200);
    check(&alone, &anna, "GET", "/models/pump/versions/1", Value::Null, 404);
    check(&alone, &anna, "GET", "/intelligence", Value::Null, 200);
    check(&alone, &anna, "POST", "/runs", json!({ "case": "case-1" }), 422);
}

#[test]
fn declared_work_lowers_what_comes_and_closes_what_is_there() {
    let c = Centre::start();
    let anna = c.setup();
    let analyst = c.add(&anna, "alan", "analyst");
    c.tell("before", "a scan");
    c.wait_for(&anna, "before");
    let window = json!({ "start": "2025-12-31T23:00:00Z", "end": "2026-01-01T01:00:00Z", "device": "10.0.0.1", "reason": "port check" });
    check(&c, &analyst, "POST", "/maintenance", window.clone(), 403);
    assert_eq!(check(&c, &anna, "POST", "/maintenance", window, 200).json()["declared"], 1);
    let file = check(&c, &analyst, "GET", "/maintenance/file", Value::Null, 200);
    assert!(file.head.contains("text/csv") && file.body.contains("port check"), "{}", file.body);
    assert_eq!(check(&c, &anna, "POST", "/maintenance/import", json!({ "csv": file.body }), 200).json()["declared"], 0);
    check(&c, &anna, "POST", "/maintenance/import", json!({ "csv": "nonsense" }), 400);
    let mut inside = finding("inside", "a scan");
    inside["evidence"] = json!({ "observed": "o" });
    c.messages.send(json!({ "type": "finding", "change": "opened", "finding": inside })).unwrap();
    c.wait_for(&anna, "inside");
    let stored = check(&c, &anna, "GET", "/findings/inside", Value::Null, 200).json();
    assert_eq!(stored["item"]["finding"]["severity"], "low");
    assert_eq!(stored["item"]["finding"]["evidence"]["maintenance"], "port check");
    let listed = check(&c, &analyst, "GET", "/maintenance", Value::Null, 200).json();
    assert_eq!(listed["items"][0]["findings"], 2);
    let at = format!("/maintenance/{}", listed["items"][0]["id"].as_str().unwrap());
    assert_eq!(check(&c, &analyst, "POST", &format!("{at}/close"), Value::Null, 200).json()["findings"], 2);
    assert_eq!(check(&c, &anna, "GET", "/findings/before", Value::Null, 200).json()["item"]["verdict"], "maintenance");
    check(&c, &anna, "POST", &format!("{at}/withdraw"), Value::Null, 200);
    check(&c, &anna, "POST", &format!("{at}/withdraw"), Value::Null, 404);
}
