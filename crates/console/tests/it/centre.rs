//! A console on a port of its own, and requests to it.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

pub struct Centre {
    pub dir: tempfile::TempDir,
    pub address: SocketAddr,
    pub token: String,
    pub messages: Sender<Value>,
    pub stop: Arc<AtomicBool>,
    pub thread: Option<JoinHandle<()>>,
}

impl Centre {
    pub fn start() -> Centre {
        Centre::with(None)
    }

    /// With a program behind it.
    pub fn with(office: Option<Arc<dyn console::Office>>) -> Centre {
        let dir = tempfile::tempdir().unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (messages, rx) = channel();
        let stop = Arc::new(AtomicBool::new(false));
        let (to, started) = mpsc::channel();
        let config = console::Config { data: dir.path().join("data"), office, ..console::Config::default() };
        let keep = Arc::clone(&stop);
        let thread = std::thread::spawn(move || {
            console::serve(listener, config, rx, keep, |s| to.send(s.clone()).unwrap()).unwrap();
        });
        let started = started.recv_timeout(Duration::from_secs(20)).unwrap();
        let token = started.setup_token.unwrap();
        Centre { dir, address: started.address, token, messages, stop, thread: Some(thread) }
    }

    pub fn ask(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
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

    pub fn setup(&self) -> String {
        let body = json!({ "token": self.token, "name": "anna", "password": "correct horse battery" }).to_string();
        let answer = self.ask("POST", "/api/v1/setup", &[], &body);
        assert_eq!(answer.status, 200, "{}", answer.body);
        answer.cookie()
    }

    pub fn by(&self, cookie: &str, method: &str, path: &str, body: Value) -> Answer {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        self.ask(method, &format!("/api/v1{path}"), &[("cookie", cookie), ("x-gridwarden", "1")], &body)
    }

    pub fn add(&self, admin: &str, name: &str, role: &str) -> String {
        let password = "correct horse battery";
        let made = self.by(admin, "POST", "/users", json!({ "name": name, "role": role, "password": password }));
        assert_eq!(made.status, 200, "{}", made.body);
        self.ask("POST", "/api/v1/login", &[], &json!({ "name": name, "password": password }).to_string()).cookie()
    }

    pub fn tell(&self, id: &str, title: &str) {
        self.messages.send(json!({ "type": "finding", "change": "opened", "finding": finding(id, title) })).unwrap();
    }

    pub fn wait_for(&self, cookie: &str, id: &str) {
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

pub struct Answer {
    pub status: u16,
    pub head: String,
    pub body: String,
}

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|e| panic!("{e}: {}", self.body))
    }

    pub fn cookie(&self) -> String {
        let line = self.head.lines().find_map(|l| l.strip_prefix("set-cookie: ")).expect("a cookie");
        assert!(line.contains("httponly") && line.contains("samesite=strict"), "{line}");
        line.split(';').next().unwrap().to_owned()
    }
}

pub fn finding(id: &str, title: &str) -> Value {
    json!({ "id": id, "rev": 1, "ts": "2026-01-01T00:00:00Z", "ts_end": "2026-01-01T00:00:01Z", "raised": "2026-01-01T00:00:01Z",
        "episodes": [], "detector": "scan", "title": title, "severity": "medium", "basis": "decoded", "attack": ["T0846"],
        "src": { "ip": "10.0.0.1" }, "dst": { "ip": "10.0.0.2" }, "proto": "tcp", "uids": [], "packets": [], "why": "w",
        "evidence": { "observed": "o" }, "dedup_key": id, "count": 1 })
}
