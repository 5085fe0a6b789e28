//! LEEF 2.0 for QRadar (`specs/leef.md`): delimiter `^`, which values cannot hold since the format has no escape.

use std::fmt::Write;

use gwcore::Ts;
use respond::Finding;

use crate::event::{Sender, cut, observed, score, transport};

/// Months as LEEF's date format names them, whatever the locale.
const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// A finding as one line, without a syslog header.
pub fn line(f: &Finding, sender: &Sender) -> String {
    let mut out =
        format!("LEEF:2.0|Gridwarden|Gridwarden|{}|{}|^|", header(&sender.version), header(cut(&f.detector, 255)));
    let mut first = true;
    let mut put = |key: &str, value: &str| {
        if value.is_empty() {
            return;
        }
        if !first {
            out.push('^');
        }
        first = false;
        // Writing to a string cannot fail.
        let _ = write!(out, "{key}={}", value.replace('^', "_").replace(['\n', '\r'], " "));
    };
    put("cat", &f.detector);
    put("devTime", &date(f.ts));
    put("devTimeFormat", "MMM dd yyyy HH:mm:ss.SSS z");
    put("sev", &(score(f.severity) / 10).max(1).to_string());
    put("proto", transport(f).unwrap_or(""));
    for (party, ip, port, mac) in [(&f.src, "src", "srcPort", "srcMAC"), (&f.dst, "dst", "dstPort", "dstMAC")] {
        put(ip, party.ip.as_deref().unwrap_or(""));
        put(port, &party.port.map(|p| p.to_string()).unwrap_or_default());
        put(mac, party.mac.as_deref().unwrap_or(""));
    }
    put("usrName", cut(f.src.user.as_deref().unwrap_or(""), 255));
    put("resource", cut(f.dst.name.as_deref().unwrap_or(""), 255));
    put("url", &sender.link(&f.id).unwrap_or_default());
    put("ndrAlertId", &f.id);
    put("ndrRevision", &f.rev.to_string());
    put("ndrCount", &f.count.to_string());
    put("ndrTechnique", &f.attack.join(","));
    put("ndrProtocol", &f.proto);
    put("ndrSensor", &sender.host);
    put("ndrEvidence", observed(f));
    put("ndrTitle", &f.title);
    put("msg", &f.why);
    out
}

fn header(text: &str) -> String {
    text.replace('|', "/").replace(['\n', '\r', '\t'], " ")
}

/// `Mar 01 2026 10:00:00.000 UTC`.
fn date(ts: Ts) -> String {
    let text = ts.to_string();
    let part = |from: usize, to: usize| text.get(from..to).unwrap_or("");
    let month = part(5, 7).parse::<usize>().ok().and_then(|m| MONTHS.get(m.wrapping_sub(1))).unwrap_or(&"Jan");
    format!("{month} {} {} {} UTC", part(8, 10), part(0, 4), part(11, 23))
}

/// Reads a line of LEEF 1.0 or 2.0 again: header fields and attributes; the first of two equal keys stays.
pub fn parse(line: &str) -> Option<(Vec<String>, Vec<(String, String)>)> {
    let rest = line.strip_prefix("LEEF:")?;
    let heads = if rest.starts_with("1.0|") { 5 } else { 6 };
    let mut parts = rest.splitn(heads + 1, '|');
    let fields: Vec<String> = parts.by_ref().take(heads).map(str::to_owned).collect();
    let body = parts.next()?;
    let delimiter = match fields.get(5).map(String::as_str) {
        None | Some("") => '\t',
        Some(text) => {
            let hex = text.strip_prefix("0x").or_else(|| text.strip_prefix('x'));
            match hex.and_then(|h| u32::from_str_radix(h, 16).ok()).and_then(char::from_u32) {
                Some(c) if text.len() > 1 => c,
                _ => text.chars().next()?,
            }
        }
    };
    let mut pairs: Vec<(String, String)> = Vec::new();
    for (key, value) in body.split(delimiter).filter_map(|a| a.split_once('=')) {
        if !pairs.iter().any(|(k, _)| k == key) {
            pairs.push((key.to_owned(), value.to_owned()));
        }
    }
    Some((fields, pairs))
}
