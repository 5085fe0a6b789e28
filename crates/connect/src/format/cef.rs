//! CEF (ArcSight Common Event Format, implementation standard 27; `specs/cef.md`). The meaning of `cs1`…`cn3` is fixed and documented there.

use std::fmt::Write;

use respond::Finding;

use crate::event::{Sender, cut, millis, observed, score, transport};

/// A finding as one line, without a syslog header.
pub fn line(f: &Finding, sender: &Sender) -> String {
    let mut out = format!(
        "CEF:0|Gridwarden|Gridwarden|{}|{}|{}|{}|",
        header(cut(&sender.version, 31)),
        header(cut(&f.detector, 1023)),
        header(cut(&name(f), 512)),
        score(f.severity) / 10
    );
    let mut first = true;
    let mut put = |key: &str, value: &str, limit: usize| {
        if value.is_empty() {
            return;
        }
        if !first {
            out.push(' ');
        }
        first = false;
        // Writing to a string cannot fail.
        let _ = write!(out, "{key}={}", extension(cut(value, limit)));
    };
    put("rt", &millis(f.raised).to_string(), 20);
    put("start", &millis(f.ts).to_string(), 20);
    put("end", &millis(f.ts_end).to_string(), 20);
    put("externalId", cut(&f.id, 40), 40);
    for (party, v4, v6, v6_label, label, port, mac, host, user) in [
        (&f.src, "src", "c6a2", "c6a2Label", "Source IPv6 Address", "spt", "smac", "shost", "suser"),
        (&f.dst, "dst", "c6a3", "c6a3Label", "Destination IPv6 Address", "dpt", "dmac", "dhost", "duser"),
    ] {
        let ip = party.ip.as_deref().unwrap_or("");
        if ip.contains(':') {
            put(v6, ip, 64);
            put(v6_label, label, 64);
        } else {
            put(v4, ip, 64);
        }
        put(port, &party.port.map(|p| p.to_string()).unwrap_or_default(), 5);
        put(mac, party.mac.as_deref().unwrap_or(""), 17);
        put(host, party.name.as_deref().unwrap_or(""), 1023);
        put(user, party.user.as_deref().unwrap_or(""), 1023);
    }
    put("proto", &transport(f).unwrap_or("").to_uppercase(), 31);
    put("app", &f.proto, 31);
    put("act", "alert", 63);
    put("cat", &f.detector, 1023);
    put("cnt", &f.count.to_string(), 20);
    put("msg", &f.why, 1023);
    for (n, label, value) in [
        (1, "RuleName", f.detector.clone()),
        (2, "Technique", f.attack.join(",")),
        (5, "Evidence", observed(f).to_owned()),
        (6, "Link", sender.link(&f.id).unwrap_or_default()),
    ] {
        if !value.is_empty() {
            put(&format!("cs{n}"), &value, 4000);
            put(&format!("cs{n}Label"), label, 1023);
        }
    }
    put("cn3", &score(f.severity).to_string(), 20);
    put("cn3Label", "Risk", 1023);
    put("GridwardenFindingRevision", &f.rev.to_string(), 20);
    put("dvchost", &sender.host, 100);
    out
}

/// The name must hold no address: the detector's own words do not.
fn name(f: &Finding) -> String {
    f.detector.replace('-', " ")
}

fn header(text: &str) -> String {
    text.replace('\\', "\\\\").replace('|', "\\|").replace(['\n', '\r'], " ")
}

fn extension(text: &str) -> String {
    text.replace('\\', "\\\\").replace('=', "\\=").replace('\n', "\\n").replace('\r', "\\r")
}

/// Reads a line again: header fields and extension. For tests of this format and of what other programs send.
pub fn parse(line: &str) -> Option<(Vec<String>, Vec<(String, String)>)> {
    let rest = line.strip_prefix("CEF:")?;
    let (mut fields, mut field, mut chars) = (Vec::new(), String::new(), rest.char_indices());
    let mut at = rest.len();
    while let Some((i, c)) = chars.next() {
        match c {
            '\\' => match chars.next() {
                Some((_, n @ ('\\' | '|'))) => field.push(n),
                Some((_, n)) => field.extend(['\\', n]),
                None => field.push('\\'),
            },
            '|' => {
                fields.push(std::mem::take(&mut field));
                if fields.len() == 7 {
                    at = i + 1;
                    break;
                }
            }
            c => field.push(c),
        }
    }
    if fields.len() < 7 {
        return None;
    }
    let rest = &rest[at..];
    // Where keys begin: a word directly before an unescaped `=`, at the start or after a blank.
    let bytes = rest.as_bytes();
    let mut keys = Vec::new();
    for (i, b) in bytes.iter().enumerate() {
        let escaped = bytes[..i].iter().rev().take_while(|b| **b == b'\\').count() % 2 == 1;
        if *b != b'=' || escaped {
            continue;
        }
        let is_key = |b: &u8| b.is_ascii_alphanumeric() || b"_.[]-".contains(b);
        let from = i - bytes[..i].iter().rev().take_while(|b| is_key(b)).count();
        if from < i && (from == 0 || matches!(bytes[from - 1], b' ' | b'\t')) {
            keys.push((from, i));
        }
    }
    let mut pairs = Vec::new();
    for (n, (from, equals)) in keys.iter().enumerate() {
        let to = keys.get(n + 1).map_or(rest.len(), |(next, _)| next - 1);
        pairs.push((rest[*from..*equals].to_owned(), unescape(&rest[equals + 1..to.max(equals + 1)])));
    }
    Some((fields, pairs))
}

fn unescape(text: &str) -> String {
    let (mut out, mut chars) = (String::with_capacity(text.len()), text.chars());
    while let Some(c) = chars.next() {
        match c {
            '\\' => match chars.next() {
                Some('n') => out.push('\n'),
                Some('r') => out.push('\r'),
                Some(c) => out.push(c),
                None => out.push('\\'),
            },
            c => out.push(c),
        }
    }
    out
}
