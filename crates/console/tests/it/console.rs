//! The console over HTTP: set-up, roles, decisions, events in time, hostile requests and hostile names.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::centre::Centre;

#[test]
fn the_first_administrator_is_made_once() {
    let c = Centre::start();
    let wrong = json!({ "token": "0", "name": "eve", "password": "correct horse battery" }).to_string();
    assert_eq!(c.ask("POST", "/api/v1/setup", &[], &wrong).status, 401);
    let anna = c.setup();
    assert_eq!(c.by(&anna, "GET", "/me", Value::Null).json()["role"], "admin");
    let again = json!({ "token": c.token, "name": "eve", "password": "correct horse battery" }).to_string();
    assert_eq!(c.ask("POST", "/api/v1/setup", &[], &again).status, 401);
    assert_eq!(c.by(&anna, "POST", "/logout", Value::Null).status, 200);
    assert_eq!(c.by(&anna, "GET", "/me", Value::Null).status, 401);
}

#[test]
fn each_role_may_what_it_may() {
    let c = Centre::start();
    let anna = c.setup();
    let (viewer, analyst, approver) =
        (c.add(&anna, "vera", "viewer"), c.add(&anna, "alan", "analyst"), c.add(&anna, "april", "approver"));
    c.tell("f1", "a scan");
    c.wait_for(&viewer, "f1");
    let ack = json!({ "ids": ["f1"], "action": "acknowledge" });
    let check = |who: &str, method: &str, path: &str, body: &Value, expect: u16| {
        let answer = c.by(who, method, path, body.clone());
        assert_eq!(answer.status, expect, "{method} {path}: {}", answer.body);
        answer
    };
    check(&viewer, "POST", "/findings/triage", &ack, 403);
    check(&analyst, "POST", "/findings/triage", &ack, 200);
    check(&viewer, "GET", "/users", &Value::Null, 200);
    check(
        &approver,
        "POST",
        "/users",
        &json!({ "name": "x", "role": "admin", "password": "correct horse battery" }),
        403,
    );
    check(&viewer, "POST", "/hunt", &json!({ "sql": "SELECT 1" }), 403);
    check(&viewer, "GET", "/tokens", &Value::Null, 403);
    let close = json!({ "ids": ["f1"], "action": "close", "verdict": "expected", "reason": "the site's own scanner" });
    let batch = check(&analyst, "POST", "/findings/triage", &close, 200).json()["batch"].clone();
    assert_eq!(check(&viewer, "GET", "/findings/f1", &Value::Null, 200).json()["item"]["status"], "closed");
    check(&analyst, "POST", "/findings/undo", &json!({ "batch": batch }), 200);
    let scope = json!({ "detector": "scan", "src": "10.0.0.1" });
    let p = json!({ "scope": scope, "reason": "ours", "owner": "april", "expires": "2099-01-01T00:00:00Z" });
    let mine = check(&approver, "POST", "/suppressions", &p, 200).json()["id"].as_str().unwrap().to_owned();
    let refusal = check(&approver, "POST", &format!("/suppressions/{mine}/approve"), &Value::Null, 400);
    assert!(refusal.body.contains("nobody approves what they proposed"));
    check(&analyst, "POST", &format!("/suppressions/{mine}/approve"), &Value::Null, 403);
    check(&anna, "POST", &format!("/suppressions/{mine}/approve"), &Value::Null, 200);
    assert_eq!(check(&viewer, "GET", "/findings", &Value::Null, 200).json()["total"], 0);
    // What was done stands in the ledger, without secrets, and its chain holds.
    let audit = check(&viewer, "GET", "/audit?limit=1000", &Value::Null, 200);
    for kind in [
        "user.setup",
        "user.added",
        "finding.opened",
        "finding.triage",
        "finding.viewed",
        "access.refused",
        "suppression.approved",
    ] {
        assert!(audit.body.contains(kind), "{kind}");
    }
    assert!(!audit.body.contains("correct horse"));
    assert_eq!(check(&viewer, "POST", "/audit/verify", &Value::Null, 200).json()["broken"], Value::Null);
    assert!(ledger::verify(&c.dir.path().join("data/ledger")).unwrap().entries > 10);
}

#[test]
fn a_finding_is_told_within_two_seconds() {
    let c = Centre::start();
    let anna = c.setup();
    let mut stream = TcpStream::connect(c.address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    write!(stream, "GET /api/v1/events HTTP/1.1\r\nhost: {}\r\ncookie: {anna}\r\n\r\n", c.address).unwrap();
    let mut lines = BufReader::new(stream).lines().map_while(Result::ok);
    assert!(lines.any(|l| l == "event: hello"));
    let mut worst = Duration::ZERO;
    for n in 0..50 {
        let begin = Instant::now();
        c.tell(&format!("f{n}"), "a scan");
        let data = lines.find(|l| l.starts_with("data: ") && l.contains("\"finding\"")).unwrap();
        assert!(data.contains(&format!("\"f{n}\"")), "{data}");
        worst = worst.max(begin.elapsed());
    }
    assert!(worst < Duration::from_secs(2), "the slowest took {worst:?}");
    // Who comes back gets what was missed.
    let mut stream = TcpStream::connect(c.address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    write!(stream, "GET /api/v1/events HTTP/1.1\r\nhost: {}\r\ncookie: {anna}\r\nlast-event-id: 0\r\n\r\n", c.address)
        .unwrap();
    let missed =
        BufReader::new(stream).lines().map_while(Result::ok).filter(|l| l == "event: finding").take(50).count();
    assert_eq!(missed, 50);
}

#[test]
fn other_sites_and_strangers_are_refused() {
    let c = Centre::start();
    let anna = c.setup();
    let status =
        |method: &str, path: &str, headers: &[(&str, &str)], body: &str| c.ask(method, path, headers, body).status;
    let cookie = ("cookie", anna.as_str());
    assert_eq!(status("GET", "/api/v1/me", &[("host", "evil.example"), cookie], ""), 421, "DNS rebinding");
    assert_eq!(status("POST", "/api/v1/logout", &[cookie], ""), 403, "without the header that other sites cannot set");
    assert_eq!(status("GET", "/api/v1/findings", &[], ""), 401);
    assert_eq!(status("GET", "/api/v1/findings", &[("authorization", "Bearer gw_0")], ""), 401);
    assert_eq!(status("GET", "/api/v1/findings", &[("cookie", "gridwarden=0")], ""), 401);
    assert_eq!(status("DELETE", "/api/v1/findings", &[cookie], ""), 405);
    assert_eq!(status("GET", "/api/v1/nothing", &[cookie], ""), 404);
    assert_eq!(status("GET", "/app.map", &[], ""), 404);
    let post = |body: &str| status("POST", "/api/v1/findings/triage", &[cookie, ("x-gridwarden", "1")], body);
    for bad in
        ["{", "[]", "7", "{\"ids\":7}", "{\"ids\":[],\"action\":\"close\"}", "{\"ids\":[\"x\"],\"action\":\"explode\"}"]
    {
        assert_eq!(post(bad), 400, "{bad}");
    }
    assert_eq!(post("{\"ids\":[\"x\"],\"action\":\"acknowledge\"}"), 404);
    assert_eq!(
        status(
            "POST",
            "/api/v1/findings/triage",
            &[cookie, ("x-gridwarden", "1"), ("content-type", "text/plain")],
            "{}"
        ),
        415
    );
    let big = format!("\"{}\"", "x".repeat(2 << 20));
    assert_eq!(post(&big), 413);
    for query in ["severity=grim", "limit=many", "from=yesterday", "cursor=x", "limit=-1"] {
        assert_eq!(status("GET", &format!("/api/v1/findings?{query}"), &[cookie], ""), 400, "{query}");
    }
    let page = c.ask("GET", "/findings/some-id", &[], "");
    assert_eq!(page.status, 200);
    assert!(
        page.head.contains("default-src 'none'; script-src 'self'") && !page.head.contains("unsafe"),
        "{}",
        page.head
    );
    assert!(!page.body.contains("<script>"), "no inline script");
}

#[test]
fn a_token_opens_what_its_role_opens() {
    let c = Centre::start();
    let anna = c.setup();
    let made = c
        .by(&anna, "POST", "/tokens", json!({ "name": "siem", "role": "viewer", "expires": "2099-01-01T00:00:00Z" }))
        .json();
    let bearer = format!("Bearer {}", made["secret"].as_str().unwrap());
    let headers = [("authorization", bearer.as_str())];
    assert_eq!(c.ask("GET", "/api/v1/me", &headers, "").json()["name"], "token:siem");
    assert_eq!(
        c.ask("POST", "/api/v1/findings/triage", &headers, "{\"ids\":[\"x\"],\"action\":\"acknowledge\"}").status,
        403
    );
    assert_eq!(c.by(&anna, "DELETE", &format!("/tokens/{}", made["id"].as_str().unwrap()), Value::Null).status, 200);
    assert_eq!(c.ask("GET", "/api/v1/me", &headers, "").status, 401);
}

#[test]
fn hostile_names_stay_text_and_bad_messages_are_refused() {
    let c = Centre::start();
    let anna = c.setup();
    let hostile = "<script>alert(1)</script>\u{1b}[31m=cmd|'/c calc'!A1{{7*7}}\r\nevent: finding";
    for bad in [
        json!({}),
        json!({ "type": "finding" }),
        json!({ "type": "finding", "finding": { "id": 7 } }),
        json!({ "type": "minute" }),
    ] {
        c.messages.send(bad).unwrap();
    }
    c.tell("f1", hostile);
    c.wait_for(&anna, "f1");
    let answer = c.by(&anna, "GET", "/findings/f1", Value::Null);
    assert_eq!(answer.json()["item"]["finding"]["title"], hostile);
    assert!(answer.head.contains("application/json") && answer.head.contains("nosniff"));
    let metrics = c.ask("GET", "/metrics", &[("accept", "application/openmetrics-text")], "");
    assert!(
        metrics.body.ends_with("# EOF\n") && metrics.body.contains("gridwarden_sensor_messages_refused_total 4\n"),
        "{}",
        metrics.body
    );
    assert!(!metrics.body.contains("script"));
    let mut stream = TcpStream::connect(c.address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    write!(stream, "GET /api/v1/events HTTP/1.1\r\nhost: {}\r\ncookie: {anna}\r\nlast-event-id: 0\r\n\r\n", c.address)
        .unwrap();
    let mut lines = BufReader::new(stream).lines().map_while(Result::ok);
    assert_eq!(lines.find(|l| l.starts_with("event: ")).as_deref(), Some("event: hello"));
    assert_eq!(lines.find(|l| l.starts_with("event: ")).as_deref(), Some("event: finding"));
    let data = lines.find(|l| l.starts_with("data: ")).unwrap();
    assert!(data.contains("<script>") && data.contains("\\r\\nevent: finding"), "one line of JSON: {data}");
}
