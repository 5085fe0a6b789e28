//! RFC 5424 headers and framing (`specs/syslog.md`): at most six fraction digits, structured data in lower case, messages of at most 8,000
//! octets by default; octet counting on streams (RFC 6587 §3.4.1, RFC 5425).

use gwcore::{Severity, Ts};

use crate::event::cut;

/// Local use 0, for alerts.
pub const LOCAL0: u8 = 16;
/// Log audit, for the audit log.
pub const AUDIT: u8 = 13;
/// Octets of a message by default: rsyslog and others cut at 8,096.
pub const OCTETS: usize = 8_000;
/// What marks text that was shortened.
const SHORTENED: &str = " [shortened]";

/// A message before its body.
#[derive(Clone, Copy, Debug)]
pub struct Header<'a> {
    /// Facility.
    pub facility: u8,
    /// Severity of the finding.
    pub severity: Severity,
    /// When it was seen.
    pub ts: Ts,
    /// Host name.
    pub host: &'a str,
    /// `ALERT`, `AUDIT`, `HEALTH`.
    pub msgid: &'a str,
    /// Structured data: names in lower case, each once.
    pub data: &'a [(&'a str, &'a str)],
}

/// Severity of RFC 5424 §6.2.1.
pub fn level(severity: Severity) -> u8 {
    match severity {
        Severity::Critical => 2,
        Severity::High => 3,
        Severity::Medium => 4,
        Severity::Low => 5,
        Severity::Info => 6,
    }
}

/// One message of at most `octets` octets: the head is kept whole, the body shortened.
pub fn message(header: &Header<'_>, body: &str, octets: usize) -> Vec<u8> {
    let mut out = format!("<{}>1 ", u16::from(header.facility) * 8 + u16::from(level(header.severity))).into_bytes();
    header.ts.write_micros(&mut out);
    out.extend_from_slice(b" ");
    out.extend_from_slice(word(header.host, 255).as_bytes());
    out.extend_from_slice(b" gridwarden - ");
    out.extend_from_slice(word(header.msgid, 32).as_bytes());
    out.push(b' ');
    if header.data.is_empty() {
        out.push(b'-');
    } else {
        // 32473 is the number that RFC 5612 reserves for documentation; the product has none of its own.
        out.extend_from_slice(b"[alert@32473");
        for (name, value) in header.data {
            out.extend_from_slice(format!(" {name}=\"").as_bytes());
            for c in value.chars() {
                if matches!(c, '"' | '\\' | ']') {
                    out.push(b'\\');
                }
                let mut buffer = [0; 4];
                out.extend_from_slice(if c.is_control() { b" " } else { c.encode_utf8(&mut buffer).as_bytes() });
            }
            out.push(b'"');
        }
        out.push(b']');
    }
    out.push(b' ');
    let left = octets.saturating_sub(out.len());
    let clean = body.replace(['\n', '\r', '\0'], " ");
    if clean.len() <= left {
        out.extend_from_slice(clean.as_bytes());
    } else {
        out.extend_from_slice(cut(&clean, left.saturating_sub(SHORTENED.len())).as_bytes());
        out.extend_from_slice(SHORTENED.as_bytes());
    }
    out
}

/// Octet counting.
pub fn framed(message: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(message.len().to_string().as_bytes());
    out.push(b' ');
    out.extend_from_slice(message);
}

/// Printable ASCII of at most `limit` characters, `-` for nothing.
fn word(text: &str, limit: usize) -> String {
    let out: String = text.chars().filter(char::is_ascii_graphic).take(limit).collect();
    if out.is_empty() { "-".to_owned() } else { out }
}
