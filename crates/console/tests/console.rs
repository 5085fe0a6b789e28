//! The console over HTTP: set-up, roles, decisions, events in time, hostile requests and hostile names.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

struct Centre {
    dir: tempfile::TempDir,
    address: SocketAddr,
    token: String,
    messages: Sender<Value>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Centre {
    fn start() -> Centre {
        let dir = tempfile::tempdir().unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (messages, rx) = channel();
        let stop = Arc::new(AtomicBool::new(false));
        let (to, started) = mpsc::channel();
        let config = console::Config { data: dir.path().join("data"), ..console::Config::default() };
        let keep = Arc::clone(&stop);
        let thread = std::thread::spawn(move || {
            console::serve(listener, config, rx, keep, |s| to.send(s.clone()).unwrap()).unwrap();
        });
        let started = started.recv_timeout(Duration::from_secs(20)).unwrap();
        let token = started.setup_token.unwrap();
        Centre { dir, address: started.address, token, messages, stop, thread: Some(thread) }
    }

    fn ask(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
        let mut stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        let mut text = format!("{method} {path} HTTP/1.1\r\nconnection: close\r\n");
        if !headers.iter().any(|h| h.0 == "host") {
            text += &format!("host: {}\r\n", self.address);
        }
        for (name, value) in headers {
            text += &format!("{name}: {value}\r\n");
        }
        if !body.is_empty() {
            text += &format!("content-length: {}\r\n", body.len());
            if !headers.iter().any(|h| h.0 == "content-type") {
                text += "content-type: application/json\r\n";
            }
        }
        stream.write_all((text + "\r\n" + body).as_bytes()).unwrap();
        let mut all = Vec::new();
        stream.read_to_end(&mut all).unwrap();
        let all = String::from_utf8_lossy(&all).into_owned();
        let (head, body) = all.split_once("\r\n\r\n").unwrap_or((&all, ""));
        let status = head.split(' ').nth(1).and_then(|s| s.parse().ok()).unwrap_or(0);
        Answer { status, head: head.to_lowercase(), body: body.to_owned() }
    }

    fn setup(&self) -> String {
        let body = json!({ "token": self.token, "name": "anna", "password": "correct horse battery" }).to_string();
        let answer = self.ask("POST", "/api/v1/setup", &[], &body);
        assert_eq!(answer.status, 200, "{}", answer.body);
        answer.cookie()
    }

    fn by(&self, cookie: &str, method: &str, path: &str, body: Value) -> Answer {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        self.ask(method, &format!("/api/v1{path}"), &[("cookie", cookie), ("x-gridwarden", "1")], &body)
    }

    fn add(&self, admin: &str, name: &str, role: &str) -> String {
        let password = "correct horse battery";
        let made = self.by(admin, "POST", "/users", json!({ "name": name, "role": role, "password": password }));
        assert_eq!(made.status, 200, "{}", made.body);
        self.ask("POST", "/api/v1/login", &[], &json!({ "name": name, "password": password }).to_string()).cookie()
    }

    fn tell(&self, id: &str, title: &str) {
        self.messages.send(json!({ "type": "finding", "change": "opened", "finding": finding(id, title) })).unwrap();
    }

    fn wait_for(&self, cookie: &str, id: &str) {
        let begin = Instant::now();
        while self.by(cookie, "GET", &format!("/findings/{id}"), Value::Null).status != 200 {
            assert!(begin.elapsed() < Duration::from_secs(10), "`{id}` did not come");
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Centre {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let ended = thread.join();
            assert!(ended.is_ok() || std::thread::panicking());
        }
    }
}

struct Answer {
    status: u16,
    head: String,
    body: String,
}

impl Answer {
    fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|e| panic!("{e}: {}", self.body))
    }

    fn cookie(&self) -> String {
        let line = self.head.lines().find_map(|l| l.strip_prefix("set-cookie: ")).expect("a cookie");
        assert!(line.contains("httponly") && line.contains("samesite=strict"), "{line}");
        line.split(';').next().unwrap().to_owned()
    }
}

fn finding(id: &str, title: &str) -> Value {
    json!({ "id": id, "rev": 1, "ts": "2026-01-01T00:00:00Z", "ts_end": "2026-01-01T00:00:01Z", "raised": "2026-01-01T00:00:01Z",
        "episodes": [], "detector": "scan", "title": title, "severity": "medium", "basis": "decoded", "attack": ["T0846"],
        "src": { "ip": "10.0.0.1" }, "dst": { "ip": "10.0.0.2" }, "proto": "tcp", "uids": [], "packets": [], "why": "w",
        "evidence": { "observed": "o" }, "dedup_key": id, "count": 1 })
}

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
