//! notice.log of Zeek 8, from findings: one line for the last revision of each.

use std::net::IpAddr;

use gwcore::{Addr, Ends, Finding, Party, Severity, Value};

use super::writer::Column;
use crate::cell::Cell;

/// Name and type of each field, in Zeek's order.
pub(super) const FIELDS: [(&str, &str); 26] = [
    ("ts", "time"),
    ("uid", "string"),
    ("id.orig_h", "addr"),
    ("id.orig_p", "port"),
    ("id.resp_h", "addr"),
    ("id.resp_p", "port"),
    ("fuid", "string"),
    ("file_mime_type", "string"),
    ("file_desc", "string"),
    ("proto", "enum"),
    ("note", "enum"),
    ("msg", "string"),
    ("sub", "string"),
    ("src", "addr"),
    ("dst", "addr"),
    ("p", "port"),
    ("n", "count"),
    ("peer_descr", "string"),
    ("actions", "set[enum]"),
    ("email_dest", "set[string]"),
    ("suppress_for", "interval"),
    ("remote_location.country_code", "string"),
    ("remote_location.region", "string"),
    ("remote_location.city", "string"),
    ("remote_location.latitude", "double"),
    ("remote_location.longitude", "double"),
];

/// Columns of the log for a writer of this style.
pub(super) fn columns() -> Vec<Column> {
    FIELDS.iter().map(|(name, ty)| Column::new(name, (*ty).to_owned())).collect()
}

/// Writes the cell of one field; nothing where the notice has none.
pub(super) fn cell(field: &str, f: &Finding, cell: &mut Cell<'_>) {
    let ends = Ends::of(&f.flow, false);
    let addr = |a: Option<Addr>| a.map_or(Value::Null, Value::Addr);
    let port = |p: Option<u16>| p.map_or(Value::Null, |p| Value::U64(u64::from(p)));
    let party = |p: &Party| addr(p.ip.as_ref().and_then(|ip| ip.parse::<IpAddr>().ok()).map(Addr::from));
    match field {
        "ts" => cell.value(Value::Ts(f.ts)),
        "uid" => {
            if let Some(uid) = f.uids.first() {
                cell.text(uid);
            }
        }
        "id.orig_h" => cell.value(addr(ends.src_ip)),
        "id.orig_p" => cell.value(port(ends.src_port)),
        "id.resp_h" => cell.value(addr(ends.dst_ip)),
        "id.resp_p" => cell.value(port(ends.dst_port)),
        "proto" => match ends.ip_proto {
            Some(6) => cell.text("tcp"),
            Some(17) => cell.text("udp"),
            Some(1 | 58) => cell.text("icmp"),
            Some(_) => cell.text("unknown_transport"),
            None => {}
        },
        "note" => cell.text(&note(f.detector)),
        "msg" => cell.text(&f.title),
        "sub" => cell.text(&f.why),
        "src" => cell.value(party(&f.src)),
        "dst" => cell.value(party(&f.dst)),
        "p" => cell.value(port(f.dst.port.or(ends.dst_port))),
        "n" => cell.uint(f.count),
        "peer_descr" => cell.text("gridwarden"),
        "actions" => cell.texts(["Notice::ACTION_LOG"].into_iter().take(usize::from(f.severity > Severity::Info))),
        _ => {}
    }
}

/// Zeek's way to name a notice: `Gridwarden::New_Device`.
fn note(detector: &str) -> String {
    let words = detector.split('-').map(|word| {
        let mut letters = word.chars();
        letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
    });
    format!("Gridwarden::{}", words.collect::<Vec<_>>().join("_"))
}
