//! Logs that Zeek and Suricata wrote: their conversations become `conn` rows, what else they tell stays a counted line.

use std::collections::HashMap;
use std::net::IpAddr;

use gwcore::time::parse_rfc3339;
use gwcore::{Addr, Body, FlowConst, Span, Ts, Uid};
use serde_json::Value;

use engine::Ingested;
use flow::Conn;

/// How a log file is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LineFormat {
    /// Zeek's tab-separated values with their header.
    ZeekTsv,
    /// Zeek's JSON, one object a line.
    ZeekJson,
    /// Suricata's EVE.
    Eve,
}

impl LineFormat {
    /// Told by the first line of a file.
    pub fn of(line: &str) -> Option<LineFormat> {
        if line.starts_with("#separator") || line.starts_with("#fields") {
            return Some(LineFormat::ZeekTsv);
        }
        let value: Value = serde_json::from_str(line).ok()?;
        match (value.get("event_type"), value.get("ts").or_else(|| value.get("_path"))) {
            (Some(_), _) => Some(LineFormat::Eve),
            (None, Some(_)) => Some(LineFormat::ZeekJson),
            _ => None,
        }
    }
}

/// Headers of the TSV files being read.
#[derive(Default)]
pub(crate) struct Files {
    headers: HashMap<String, Header>,
}

#[derive(Default)]
struct Header {
    fields: Vec<String>,
    path: String,
    unset: String,
}

/// One line's conversation, or why there is none and when.
type Outcome = Result<(Box<Ingested>, Ts), (&'static str, Ts)>;

/// What all three say of a conversation.
#[derive(Default)]
struct Told {
    ts: Option<Ts>,
    uid: String,
    src: Option<Addr>,
    dst: Option<Addr>,
    ports: (u16, u16),
    proto: String,
    duration: Option<f64>,
    bytes: (Option<u64>, Option<u64>),
    packets: (u64, u64),
    ip_bytes: (u64, u64),
    state: String,
}

impl Files {
    pub(crate) fn line(&mut self, name: &str, format: LineFormat, line: &str, at: (u32, u64)) -> Option<Outcome> {
        let line = line.trim_end_matches(['\r', '\n']);
        if line.is_empty() {
            return None;
        }
        match format {
            LineFormat::ZeekTsv => self.tsv(name, line, at),
            LineFormat::ZeekJson => Some(json(line).and_then(|v| conn(&zeek_json(&v)?, at))),
            LineFormat::Eve => Some(json(line).and_then(|v| conn(&eve(&v)?, at))),
        }
    }

    fn tsv(&mut self, name: &str, line: &str, at: (u32, u64)) -> Option<Outcome> {
        if self.headers.len() > 1_024 {
            self.headers.clear();
        }
        let header = self.headers.entry(name.to_owned()).or_default();
        if let Some(rest) = line.strip_prefix('#') {
            let mut cells = rest.split('\t');
            match cells.next() {
                Some("fields") => header.fields = cells.map(str::to_owned).collect(),
                Some("path") => header.path = cells.next().unwrap_or_default().to_owned(),
                Some("unset_field") => header.unset = cells.next().unwrap_or("-").to_owned(),
                _ => {}
            }
            return None;
        }
        let cells: Vec<&str> = line.split('\t').collect();
        let get = |name: &str| {
            let place = header.fields.iter().position(|f| f == name)?;
            cells.get(place).copied().filter(|c| *c != header.unset && *c != "-" && *c != "(empty)")
        };
        let ts = get("ts").and_then(seconds);
        if !header.path.is_empty() && header.path != "conn" {
            return Some(Err(("log_not_read", ts.unwrap_or(Ts(0)))));
        }
        if cells.len() != header.fields.len() {
            return Some(Err(("wrong_number_of_cells", ts.unwrap_or(Ts(0)))));
        }
        let number = |n: &str| -> Option<u64> { get(n)?.parse().ok() };
        let told = Told {
            ts,
            uid: get("uid").unwrap_or_default().to_owned(),
            src: get("id.orig_h").and_then(addr),
            dst: get("id.resp_h").and_then(addr),
            ports: (number("id.orig_p").unwrap_or(0) as u16, number("id.resp_p").unwrap_or(0) as u16),
            proto: get("proto").unwrap_or_default().to_owned(),
            duration: get("duration").and_then(|d| d.parse().ok()),
            bytes: (number("orig_bytes"), number("resp_bytes")),
            packets: (number("orig_pkts").unwrap_or(0), number("resp_pkts").unwrap_or(0)),
            ip_bytes: (number("orig_ip_bytes").unwrap_or(0), number("resp_ip_bytes").unwrap_or(0)),
            state: get("conn_state").unwrap_or_default().to_owned(),
        };
        Some(conn(&told, at))
    }
}

fn json(line: &str) -> Result<Value, (&'static str, Ts)> {
    serde_json::from_str(line).map_err(|_| ("not_json", Ts(0)))
}

fn seconds(text: &str) -> Option<Ts> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let fraction: String = fraction.chars().chain("000000000".chars()).take(9).collect();
    Some(Ts::from_parts(whole.parse().ok()?, fraction.parse().ok()?))
}

fn addr(text: &str) -> Option<Addr> {
    text.parse::<IpAddr>().ok().map(Addr::from)
}

fn zeek_json(v: &Value) -> Result<Told, (&'static str, Ts)> {
    let text = |k: &str| v.get(k).and_then(Value::as_str).unwrap_or_default();
    let number = |k: &str| v.get(k).and_then(Value::as_u64);
    let ts = match v.get("ts") {
        Some(Value::String(t)) => parse_rfc3339(t),
        Some(Value::Number(n)) => seconds(&n.to_string()),
        _ => None,
    };
    if v.get("_path").is_some_and(|p| p != "conn") || v.get("conn_state").is_none() {
        return Err(("log_not_read", ts.unwrap_or(Ts(0))));
    }
    Ok(Told {
        ts,
        uid: text("uid").to_owned(),
        src: addr(text("id.orig_h")),
        dst: addr(text("id.resp_h")),
        ports: (number("id.orig_p").unwrap_or(0) as u16, number("id.resp_p").unwrap_or(0) as u16),
        proto: text("proto").to_owned(),
        duration: v.get("duration").and_then(Value::as_f64),
        bytes: (number("orig_bytes"), number("resp_bytes")),
        packets: (number("orig_pkts").unwrap_or(0), number("resp_pkts").unwrap_or(0)),
        ip_bytes: (number("orig_ip_bytes").unwrap_or(0), number("resp_ip_bytes").unwrap_or(0)),
        state: text("conn_state").to_owned(),
    })
}

fn eve(v: &Value) -> Result<Told, (&'static str, Ts)> {
    let text = |p: &str| v.pointer(p).and_then(Value::as_str).unwrap_or_default();
    let number = |p: &str| v.pointer(p).and_then(Value::as_u64).unwrap_or(0);
    // Suricata writes `+0000` where RFC 3339 wants a colon.
    let time = |t: &str| {
        let fixed = match t.len().checked_sub(5).and_then(|i| Some((t.get(..i)?, t.get(i..)?))) {
            Some((head, zone)) if zone.starts_with(['+', '-']) => {
                format!("{head}{}:{}", zone.get(..3)?, zone.get(3..)?)
            }
            _ => t.to_owned(),
        };
        parse_rfc3339(&fixed)
    };
    let ts = time(text("/timestamp"));
    if text("/event_type") != "flow" {
        return Err(("log_not_read", ts.unwrap_or(Ts(0))));
    }
    let (start, end) = (time(text("/flow/start")), time(text("/flow/end")));
    Ok(Told {
        ts: start.or(ts),
        uid: v.get("flow_id").map(Value::to_string).unwrap_or_default(),
        src: addr(text("/src_ip")),
        dst: addr(text("/dest_ip")),
        ports: (number("/src_port") as u16, number("/dest_port") as u16),
        proto: text("/proto").to_lowercase(),
        duration: start.zip(end).map(|(s, e)| e.since(s) as f64 / 1e9).filter(|d| *d >= 0.0),
        bytes: (None, None),
        packets: (number("/flow/pkts_toserver"), number("/flow/pkts_toclient")),
        ip_bytes: (number("/flow/bytes_toserver"), number("/flow/bytes_toclient")),
        state: String::new(),
    })
}

fn conn(told: &Told, at: (u32, u64)) -> Outcome {
    let ts = told.ts.ok_or(("no_time", Ts(0)))?;
    let (Some(src), Some(dst)) = (told.src, told.dst) else { return Err(("no_addresses", ts)) };
    let lasted = told.duration.filter(|d| d.is_finite() && *d >= 0.0 && *d < 4e9).map(|d| (d * 1e9) as i64);
    let end = ts.plus(lasted.unwrap_or(0));
    let mut to = Box::new(Ingested::new(end));
    let proto = match told.proto.as_str() {
        "tcp" => ("tcp", 6),
        "udp" => ("udp", 17),
        "icmp" => ("icmp", 1),
        "ipv6-icmp" | "icmpv6" => ("icmp", 58),
        _ => ("unknown_transport", 0),
    };
    const STATES: [&str; 13] =
        ["S0", "S1", "SF", "REJ", "S2", "S3", "RSTO", "RSTR", "RSTOS0", "RSTRH", "SH", "SHR", "OTH"];
    let state = STATES.into_iter().find(|s| *s == told.state).unwrap_or("OTH");
    let mut identity = Vec::new();
    identity.extend_from_slice(told.uid.as_bytes());
    identity.extend_from_slice(&src.0);
    identity.extend_from_slice(&dst.0);
    identity.extend_from_slice(&ts.0.to_be_bytes());
    let flow = to.flow(FlowConst {
        uid: Uid::new(&identity, 0),
        src,
        dst,
        src_port: told.ports.0,
        dst_port: told.ports.1,
        vlans: [0xffff; 2],
        ip_proto: proto.1,
        interface: u32::MAX,
        file: at.0,
        ..FlowConst::default()
    });
    to.fact(ts, at.1, flow, Body::FlowStart);
    to.row(
        ts,
        at.1,
        flow,
        Conn {
            proto: proto.0,
            service: None,
            duration: lasted.map(Span),
            orig_bytes: told.bytes.0,
            resp_bytes: told.bytes.1,
            conn_state: state,
            local_orig: src.is_local(),
            local_resp: dst.is_local(),
            missed_bytes: 0,
            history: None,
            orig_pkts: told.packets.0,
            orig_ip_bytes: told.ip_bytes.0,
            resp_pkts: told.packets.1,
            resp_ip_bytes: told.ip_bytes.1,
            tunnel: None,
            dup_pkts: 0,
            handshake_rtt: None,
            data_rtt_min: None,
            data_rtt_mean: None,
            orig_retransmitted_bytes: 0,
            resp_retransmitted_bytes: 0,
            zero_window: Span(0),
            out_of_order: 0,
            overlaps: 0,
            end_reason: "exported",
        },
    );
    let (packets, bytes) = (told.packets, told.ip_bytes);
    to.fact(
        end,
        at.1,
        flow,
        Body::FlowEnd { state, packets: [packets.0, packets.1], bytes: [bytes.0, bytes.1], start: ts, service: "" },
    );
    Ok((to, end))
}
