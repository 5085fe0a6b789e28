//! How a column of tshark's truth reads in our records: per protocol the rows that are its messages, and per column the words.

use serde_json::Value;

use crate::csv;
use crate::truth::cells;

/// A protocol: how tshark names it in the first column, our kind, and its columns.
pub struct Protocol {
    pub name: &'static str,
    /// Truth rows whose first column begins with one of these belong to it.
    pub labels: &'static [&'static str],
    pub kind: &'static str,
    /// The columns whose cells count messages.
    pub primary: &'static [&'static str],
    /// Words of those columns that are compared, where not all are: messages of other types have no record.
    pub only: &'static [&'static str],
    /// Truth rows that are not compared.
    pub skips: fn(&csv::Row) -> bool,
    /// The messages of our row, each with the frame that tshark shows it in.
    pub parts: fn(Value) -> Vec<(u64, Value)>,
    /// For each column the words of a message; none where tshark shows nothing.
    pub columns: &'static [(&'static str, fn(&Value) -> Vec<String>)],
}

impl Protocol {
    /// Messages of this protocol in a truth row.
    pub fn messages_in(&self, row: &csv::Row) -> u64 {
        if !self.labels.iter().any(|l| row["protocol"].starts_with(l)) || (self.skips)(row) {
            return 0;
        }
        let counted = |column: &&str| cells(row, column).0.iter().filter(|w| self.counts(column, w)).count();
        self.primary.iter().map(counted).sum::<usize>() as u64
    }

    /// Whether a word of a column is of a message that is compared.
    pub fn counts(&self, column: &str, word: &str) -> bool {
        self.only.is_empty() || !self.primary.contains(&column) || self.only.contains(&word)
    }
}

/// All rows are compared.
pub fn none(_: &csv::Row) -> bool {
    false
}

/// A row that is one message.
pub fn one(row: Value) -> Vec<(u64, Value)> {
    vec![(row["frame"].as_u64().unwrap_or(0), row)]
}

pub fn num(v: &Value, field: &str) -> Vec<String> {
    v[field].as_u64().map(|n| n.to_string()).into_iter().collect()
}

pub fn hex(v: &Value, field: &str, width: usize) -> Vec<String> {
    v[field].as_u64().map(|n| format!("0x{n:0width$x}")).into_iter().collect()
}

pub fn text(v: &Value, field: &str) -> Vec<String> {
    v[field].as_str().map(str::to_owned).into_iter().collect()
}

fn function(v: &Value) -> u64 {
    v["function_code"].as_u64().unwrap_or(0)
}

fn is_request(v: &Value) -> bool {
    v["is_request"] == true
}

fn is_exception(v: &Value) -> bool {
    !v["exception_code"].is_null()
}

/// tshark shows addresses and counts in requests, and in those answers that repeat them on the wire.
fn on_wire(v: &Value) -> bool {
    !is_exception(v) && (is_request(v) || matches!(function(v), 5 | 6 | 15 | 16 | 22))
}

fn children(v: &Value, f: impl Fn(&Value) -> Option<String>) -> Vec<String> {
    v["objects"].as_array().into_iter().flatten().filter_map(f).collect()
}

/// Of the variables that a job names; answers repeat them, tshark does not.
fn variables(v: &Value, f: impl Fn(&Value) -> Vec<String>) -> Vec<String> {
    if !is_request(v) {
        return Vec::new();
    }
    v["items"].as_array().into_iter().flatten().flat_map(f).collect()
}

/// Group and variation of each object header: the rows of one header carry its number.
fn headers(v: &Value) -> Vec<String> {
    let head = |o: &Value| {
        Some((o["header"].as_u64()?, format!("0x{:02x}{:02x}", o["group"].as_u64()?, o["variation"].as_u64()?)))
    };
    let mut all: Vec<_> = v["objects"].as_array().into_iter().flatten().filter_map(head).collect();
    all.dedup();
    all.into_iter().map(|h| h.1).collect()
}

fn user_function(v: &Value, primary: bool) -> Vec<String> {
    if v["prm"].as_bool() == Some(primary) { num(v, "link_function") } else { Vec::new() }
}

/// The protocols of control that are compared.
pub const OT: &[Protocol] = &[
    Protocol {
        name: "modbus",
        labels: &["Modbus"],
        kind: "modbus",
        primary: &["modbus.func_code"],
        only: &[],
        skips: none,
        parts: one,
        columns: &[
            ("modbus.func_code", |v| num(v, "function_code")),
            ("mbtcp.trans_id", |v| num(v, "transaction_id")),
            ("mbtcp.unit_id", |v| num(v, "unit_id")),
            ("modbus.exception_code", |v| num(v, "exception_code")),
            ("modbus.reference_num", |v| {
                if on_wire(v) && (function(v) < 20 || matches!(function(v), 22 | 24)) {
                    num(v, "address")
                } else {
                    Vec::new()
                }
            }),
            ("modbus.bit_cnt", |v| {
                if on_wire(v) && matches!(function(v), 1 | 2 | 15) { num(v, "quantity") } else { Vec::new() }
            }),
        ],
    },
    Protocol {
        name: "dnp3",
        labels: &["DNP 3.0"],
        kind: "dnp3",
        primary: &["dnp3.src"],
        only: &[],
        skips: none,
        parts: one,
        columns: &[
            ("dnp3.src", |v| num(v, "link_src")),
            ("dnp3.dst", |v| num(v, "link_dst")),
            ("dnp3.ctl.prifunc", |v| user_function(v, true)),
            ("dnp3.ctl.secfunc", |v| user_function(v, false)),
            ("dnp3.ctl.dir", |v| num(v, "dir")),
            ("dnp3.tr.seq", |v| num(v, "transport_seq")),
            ("dnp3.al.func", |v| num(v, "function_code")),
            ("dnp3.al.seq", |v| num(v, "app_seq")),
            ("dnp3.al.iin", |v| hex(v, "iin", 4)),
            ("dnp3.al.obj", headers),
        ],
    },
    Protocol {
        name: "iec104",
        labels: &["IEC 60870-5"],
        kind: "iec104",
        primary: &["iec60870_104.type"],
        only: &[],
        skips: none,
        parts: one,
        columns: &[
            ("iec60870_104.type", |v| {
                let code = match v["apci"].as_str() {
                    Some("I") => "0x00000000",
                    Some("S") => "0x00000001",
                    Some("U") => "0x00000003",
                    _ => return Vec::new(),
                };
                vec![code.to_owned()]
            }),
            ("iec60870_104.tx", |v| num(v, "send_seq")),
            ("iec60870_104.rx", |v| num(v, "recv_seq")),
            ("iec60870_asdu.typeid", |v| num(v, "type_id")),
            ("iec60870_asdu.causetx", |v| num(v, "cause")),
            ("iec60870_asdu.addr", |v| num(v, "common_address")),
            ("iec60870_asdu.ioa", |v| children(v, |o| Some(o["ioa"].as_u64()?.to_string()))),
        ],
    },
    Protocol {
        name: "goose",
        labels: &["GOOSE"],
        kind: "goose",
        primary: &["goose.stNum"],
        only: &[],
        skips: none,
        parts: one,
        columns: &[
            ("goose.stNum", |v| num(v, "st_num")),
            ("goose.sqNum", |v| num(v, "sq_num")),
            ("goose.appid", |v| hex(v, "appid", 4)),
            ("goose.gocbRef", |v| text(v, "gocb_ref")),
            ("goose.datSet", |v| text(v, "data_set")),
            ("goose.goID", |v| text(v, "go_id")),
            ("goose.timeAllowedtoLive", |v| num(v, "ttl_ms")),
            ("goose.confRev", |v| num(v, "conf_rev")),
            ("goose.numDatSetEntries", |v| num(v, "num_entries")),
        ],
    },
    Protocol {
        name: "s7comm",
        labels: &["S7COMM"],
        kind: "s7comm",
        primary: &["s7comm.header.rosctr"],
        only: &[],
        skips: none,
        parts: one,
        columns: &[
            ("s7comm.header.rosctr", |v| num(v, "rosctr")),
            ("s7comm.header.pduref", |v| num(v, "pdu_ref")),
            ("s7comm.param.func", |v| hex(v, "function_code", 2)),
            ("s7comm.header.errcls", |v| hex(v, "error_class", 2)),
            ("s7comm.header.errcod", |v| hex(v, "error_code", 2)),
            ("s7comm.param.itemcount", |v| num(v, "item_count")),
            ("s7comm.param.userdata.funcgroup", |v| num(v, "user_group")),
            ("s7comm.param.item.area", |v| variables(v, |i| hex(i, "area", 2))),
            ("s7comm.param.item.db", |v| variables(v, |i| num(i, "db"))),
            ("s7comm.param.item.address", |v| variables(v, |i| hex(i, "address", 6))),
        ],
    },
    Protocol {
        name: "ptp",
        labels: &["PTPv2"],
        kind: "ptp",
        primary: &["ptp.v2.messagetype"],
        only: &[],
        skips: none,
        parts: one,
        columns: &[
            ("ptp.v2.messagetype", |v| {
                let code = match v["message_type"].as_str() {
                    Some("sync") => 0,
                    Some("delay_req") => 1,
                    Some("pdelay_req") => 2,
                    Some("pdelay_resp") => 3,
                    Some("follow_up") => 8,
                    Some("delay_resp") => 9,
                    Some("pdelay_resp_follow_up") => 10,
                    Some("announce") => 11,
                    Some("signaling") => 12,
                    Some("management") => 13,
                    _ => return Vec::new(),
                };
                vec![format!("0x{code:02x}")]
            }),
            ("ptp.v2.sequenceid", |v| num(v, "sequence_id")),
            ("ptp.v2.domainnumber", |v| num(v, "domain")),
        ],
    },
];
