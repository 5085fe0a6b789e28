//! The columns of the office protocols: their rows are exchanges, which are taken apart into messages.

use serde_json::Value;

use crate::csv;
use crate::truth_columns::{Protocol, hex, none, num, one, text};

/// A message of an exchange: the row with the name of the part.
fn part(row: &Value, name: &str, frames: &[&str]) -> Option<(u64, Value)> {
    let frame = frames.iter().find_map(|f| row[*f].as_u64())?;
    let mut message = row.clone();
    message["part"] = name.into();
    Some((frame, message))
}

fn is(v: &Value, part: &str) -> bool {
    v["part"] == part
}

fn only(v: &Value, part: &str, words: fn(&Value) -> Vec<String>) -> Vec<String> {
    if is(v, part) { words(v) } else { Vec::new() }
}

fn dns_parts(row: Value) -> Vec<(u64, Value)> {
    [part(&row, "query", &["query_frame"]), part(&row, "response", &["response_frame"])].into_iter().flatten().collect()
}

/// A name as tshark writes it: the root by its name, other bytes as they are, and what is no UTF-8 replaced.
fn dns_names(v: &Value) -> Vec<String> {
    let Some(name) = v["query"].as_str() else { return Vec::new() };
    if name == "." {
        return vec!["<Root>".to_owned()];
    }
    let (mut bytes, mut rest) = (Vec::new(), name.as_bytes());
    while let [byte, tail @ ..] = rest {
        rest = tail;
        match (byte, tail) {
            (b'\\', [b'x', digits @ ..]) if digits.len() > 1 => {
                let digits = std::str::from_utf8(&digits[..2]).unwrap();
                bytes.push(u8::from_str_radix(digits, 16).unwrap());
                rest = &tail[3..];
            }
            (b'\\', [plain, ..]) => {
                bytes.push(*plain);
                rest = &tail[1..];
            }
            _ => bytes.push(*byte),
        }
    }
    vec![String::from_utf8_lossy(&bytes).into_owned()]
}

/// tshark shows a request and a response where they end.
fn http_parts(row: Value) -> Vec<(u64, Value)> {
    [
        part(&row, "request", &["request_end_frame", "request_frame"]),
        part(&row, "info", &["info_frame"]),
        part(&row, "response", &["response_end_frame", "response_frame"]).map(|(frame, mut message)| {
            message["open"] = message["response_end_frame"].is_null().into();
            (frame, message)
        }),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// tshark shows a ServerHello where its record ends, which may hold the certificates too.
fn tls_parts(row: Value) -> Vec<(u64, Value)> {
    [
        part(&row, "client", &["client_frame"]),
        part(&row, "retry", &["retry_frame"]),
        part(&row, "retry_client", &["retry_client_frame"]),
        part(&row, "server", &["server_frame"]).map(|(frame, mut message)| {
            message["open"] = true.into();
            (frame, message)
        }),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// tshark shows the code of a reply in every frame that has a line of it with the code.
fn ftp_parts(row: Value) -> Vec<(u64, Value)> {
    let frames = row["reply_frame"].as_u64().zip(row["reply_end_frame"].as_u64());
    let reply = part(&row, "reply", &["reply_frame"]).into_iter().flat_map(|(_, message)| {
        frames.into_iter().flat_map(|(a, b)| a..=b).map(move |frame| (frame, message.clone()))
    });
    [part(&row, "request", &["request_frame"]), part(&row, "preliminary", &["preliminary_frame"])]
        .into_iter()
        .flatten()
        .chain(reply)
        .collect()
}

/// Passwords are not kept. A word longer than any command is none: tshark goes by the port.
fn ftp_skips(row: &csv::Row) -> bool {
    let command = row.get("ftp.request.command").map(String::as_str).unwrap_or_default();
    command == "PASS" || command.len() > 8
}

fn ftp_code(v: &Value) -> Vec<String> {
    match v["part"].as_str() {
        Some("reply") => num(v, "reply_code"),
        Some("preliminary") => num(v, "preliminary_code"),
        _ => Vec::new(),
    }
}

/// The address of the header, and again where the client identifier is one (RFC 2132 section 9.14).
fn dhcp_macs(v: &Value) -> Vec<String> {
    let id = v["client_id"].as_str().and_then(|id| id.strip_prefix("01")).filter(|id| id.len() == 12);
    let id = id.map(|id| id.as_bytes().chunks(2).map(|b| String::from_utf8_lossy(b)).collect::<Vec<_>>().join(":"));
    text(v, "mac").into_iter().chain(id).collect()
}

/// The office protocols that are compared.
pub const IT: &[Protocol] = &[
    Protocol {
        name: "dns",
        labels: &["DNS", "MDNS", "LLMNR"],
        kind: "dns",
        primary: &["dns.id"],
        only: &[],
        skips: none,
        parts: dns_parts,
        columns: &[
            ("dns.id", |v| hex(v, "trans_id", 4)),
            ("dns.flags.response", |v| vec![u8::from(is(v, "response")).to_string()]),
            ("dns.qry.name", dns_names),
            ("dns.qry.type", |v| num(v, "qtype")),
            ("dns.flags.rcode", |v| only(v, "response", |v| num(v, "rcode"))),
            ("dns.count.answers", |v| if is(v, "response") { num(v, "num_answers") } else { vec!["0".to_owned()] }),
        ],
    },
    Protocol {
        name: "http",
        labels: &["HTTP", "OCSP", "WebSocket"],
        kind: "http",
        primary: &["http.request.method", "http.response.code"],
        only: &[],
        skips: none,
        parts: http_parts,
        columns: &[
            ("http.request.method", |v| only(v, "request", |v| text(v, "method"))),
            ("http.request.uri", |v| only(v, "request", |v| text(v, "uri"))),
            ("http.host", |v| only(v, "request", |v| text(v, "host"))),
            ("http.user_agent", |v| only(v, "request", |v| text(v, "user_agent"))),
            ("http.response.code", |v| match v["part"].as_str() {
                Some("info") => num(v, "info_code"),
                Some("response") => num(v, "status_code"),
                _ => Vec::new(),
            }),
        ],
    },
    Protocol {
        name: "tls",
        labels: &["TLS", "TCP", "GTP <TLS"],
        kind: "tls",
        primary: &["tls.handshake.type"],
        only: &["1", "2"],
        skips: none,
        parts: tls_parts,
        columns: &[
            ("tls.handshake.type", |v| {
                vec![if is(v, "client") || is(v, "retry_client") { "1" } else { "2" }.to_owned()]
            }),
            ("tls.handshake.ja3", |v| match v["part"].as_str() {
                Some("client") => text(v, "ja3"),
                Some("retry_client") => text(v, "retry_ja3"),
                _ => Vec::new(),
            }),
            ("tls.handshake.ja3s", |v| match v["part"].as_str() {
                Some("server") => text(v, "ja3s"),
                Some("retry") => text(v, "retry_ja3s"),
                _ => Vec::new(),
            }),
            ("tls.handshake.extensions_server_name", |v| {
                if is(v, "client") || is(v, "retry_client") { text(v, "server_name") } else { Vec::new() }
            }),
        ],
    },
    Protocol {
        name: "ssl2",
        labels: &["SSLv2"],
        kind: "tls",
        primary: &["tls.handshake.type"],
        // CLIENT-HELLO and SERVER-HELLO of SSL 2, which numbers its messages otherwise.
        only: &["1", "4"],
        skips: none,
        parts: tls_parts,
        columns: &[("tls.handshake.type", |v| vec![if is(v, "client") { "1" } else { "4" }.to_owned()])],
    },
    Protocol {
        name: "ftp",
        labels: &["FTP"],
        kind: "ftp",
        primary: &["ftp.request.command", "ftp.response.code"],
        only: &[],
        skips: ftp_skips,
        parts: ftp_parts,
        columns: &[
            ("ftp.request.command", |v| only(v, "request", |v| text(v, "command"))),
            ("ftp.request.arg", |v| only(v, "request", |v| text(v, "arg"))),
            ("ftp.response.code", ftp_code),
        ],
    },
    Protocol {
        name: "dhcp",
        labels: &["DHCP", "BOOTP"],
        kind: "dhcp",
        primary: &["dhcp.ip.your"],
        only: &[],
        skips: none,
        parts: one,
        columns: &[
            ("dhcp.option.dhcp", |v| num(v, "msg_type_code")),
            ("dhcp.option.hostname", |v| text(v, "host_name")),
            ("dhcp.hw.mac_addr", dhcp_macs),
            ("dhcp.ip.your", |v| vec![v["assigned_addr"].as_str().unwrap_or("0.0.0.0").to_owned()]),
        ],
    },
    Protocol {
        name: "ntp",
        labels: &["NTP"],
        kind: "ntp",
        primary: &["ntp.flags.vn"],
        only: &[],
        skips: none,
        parts: one,
        columns: &[
            ("ntp.flags.vn", |v| num(v, "version")),
            ("ntp.flags.mode", |v| num(v, "mode")),
            ("ntp.stratum", |v| num(v, "stratum")),
        ],
    },
];
