//! What is sent: a finding, a case or a line of the audit log, with the words and numbers that all formats share.

use gwcore::{Severity, Ts};
use respond::Finding;
use serde_json::Value;

/// Kind of what is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// A finding, or a later revision of one.
    Finding,
    /// A case for a ticket system.
    Case,
    /// A line of the audit log.
    Audit,
    /// A test event: made by a person who wants to see it arrive.
    Test,
}

impl Kind {
    /// The word.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Finding => "finding",
            Kind::Case => "case",
            Kind::Audit => "audit",
            Kind::Test => "test",
        }
    }

    /// From its word.
    pub fn parse(word: &str) -> Option<Kind> {
        [Kind::Finding, Kind::Case, Kind::Audit, Kind::Test].into_iter().find(|k| k.name() == word)
    }
}

/// What every event is told with: who we are.
#[derive(Clone, Debug)]
pub struct Sender {
    /// Host name of this installation.
    pub host: String,
    /// Version of the program.
    pub version: String,
    /// Where a finding is shown; `{id}` stands for its id. Empty: no link.
    pub link: String,
}

impl Default for Sender {
    fn default() -> Sender {
        Sender { host: host_name(), version: env!("CARGO_PKG_VERSION").to_owned(), link: String::new() }
    }
}

impl Sender {
    /// Link to a finding or case.
    pub fn link(&self, id: &str) -> Option<String> {
        (!self.link.is_empty()).then(|| self.link.replace("{id}", id))
    }
}

/// The machine's name, `gridwarden` where it has none.
fn host_name() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let name = name.trim();
    if name.is_empty() { "gridwarden".to_owned() } else { name.to_owned() }
}

/// Severity as 0–100 (the middle of each band).
pub fn score(severity: Severity) -> u8 {
    match severity {
        Severity::Info => 10,
        Severity::Low => 30,
        Severity::Medium => 50,
        Severity::High => 80,
        Severity::Critical => 95,
    }
}

/// Text of a JSON value at a path of names, empty where there is none.
pub fn text<'a>(value: &'a Value, path: &[&str]) -> &'a str {
    path.iter().try_fold(value, |v, name| v.get(name)).and_then(Value::as_str).unwrap_or("")
}

/// The transport below an application protocol: as far as the finding's ports tell.
pub fn transport(f: &Finding) -> Option<&'static str> {
    let has_port = f.src.port.is_some() || f.dst.port.is_some();
    let named = f.proto.as_str();
    match named {
        "tcp" | "modbus" | "dnp3" | "iec104" | "s7comm" | "s7" | "http" | "tls" | "ftp" | "cotp" | "tpkt"
            if has_port =>
        {
            Some("tcp")
        }
        "udp" | "dns" | "ntp" | "dhcp" | "snmp" | "mdns" | "llmnr" if has_port => Some("udp"),
        _ => None,
    }
}

/// Milliseconds since 1970.
pub fn millis(ts: Ts) -> i64 {
    ts.0.div_euclid(1_000_000)
}

/// The sentence of what was observed.
pub fn observed(f: &Finding) -> &str {
    text(&f.raw, &["evidence", "observed"])
}

/// An id for this revision: that of the finding, and the revision.
pub fn revision_id(f: &Finding) -> String {
    format!("{}-{}", f.id, f.rev)
}

/// Cuts text at a number of bytes without breaking a character.
pub fn cut(text: &str, bytes: usize) -> &str {
    if text.len() <= bytes {
        return text;
    }
    let mut end = bytes;
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}
