//! Small kinds with the names that the views bind to, and sinks run over them.

use std::collections::BTreeMap;
use std::path::Path;

pub use gwcore::Stamp;
use gwcore::{Addr, FlowConst, FlowRef, Key, List, Mac, Names, Out, Sink, Span, Sym, Text, Ts, Uid};

gwcore::record! {
    /// Modbus.
    pub struct Modbus, ModbusColumns = "modbus", Pdu {
        /// Request.
        is_request: bool,
        /// Id.
        transaction_id: Option<u16>,
        /// Unit.
        unit_id: u8,
        /// Function.
        function_code: u8,
        /// Name.
        function_name: Sym,
        /// Address.
        address: Option<u16>,
        /// Quantity.
        quantity: Option<u16>,
        /// Values.
        values: Option<List<u32>>,
        /// Exception.
        exception_code: Option<u8>,
        /// Name.
        exception_name: Option<Sym>,
        /// Partner.
        pair: Option<u64>,
    }
}

gwcore::record! {
    /// DNP3.
    pub struct Dnp3, Dnp3Columns = "dnp3", Pdu {
        /// Request.
        is_request: Option<bool>,
        /// Function.
        function_code: Option<u8>,
        /// Indications.
        iin: Option<u16>,
    }
}

gwcore::record! {
    /// Object.
    pub struct Object, ObjectColumns = "dnp3_object", Child of "dnp3" as "objects" {
        /// Header.
        header: u16,
        /// Group.
        group: u8,
        /// Variation.
        variation: u8,
        /// Qualifier.
        qualifier: u8,
        /// Index.
        index: Option<u32>,
        /// Value.
        value: Option<f64>,
        /// Flags.
        flags: Option<u8>,
    }
}

gwcore::record! {
    /// DNS.
    pub struct Dns, DnsColumns = "dns", Transaction {
        /// Id.
        trans_id: u16,
        /// Frame.
        query_frame: Option<u64>,
        /// Frame.
        response_frame: Option<u64>,
        /// Time.
        rtt: Option<Span>,
        /// Name.
        query: Option<Text>,
        /// Type.
        qtype: Option<u16>,
        /// Flags.
        query_flags: Option<u16>,
        /// Flags.
        response_flags: Option<u16>,
        /// Data.
        answers: List<Text>,
        /// Owners.
        answer_names: List<Text>,
        /// Types.
        answer_types: List<u16>,
        /// Times.
        ttls: List<f64>,
    }
}

gwcore::record! {
    /// A kind that no peer knows.
    pub struct Goose, GooseColumns = "goose", Pdu {
        /// Values.
        values: List<f64>,
    }
}

gwcore::record! {
    /// Anomaly.
    pub struct Anomaly, AnomalyColumns = "anomaly", Event {
        /// Protocol.
        proto: Sym,
        /// Reason.
        reason: Sym,
        /// Detail.
        detail: Option<Text>,
        /// Count.
        count: u64,
    }
}

/// A batch with one flow.
pub fn out() -> Out {
    let mut out = Out::default();
    out.flows.push(FlowConst {
        uid: Uid(0x1234),
        src: Addr::v4([10, 0, 0, 1]),
        dst: Addr::v4([10, 0, 0, 2]),
        src_port: 1024,
        dst_port: 502,
        src_mac: Mac([2, 0, 0, 0, 0, 1]),
        vlans: [5, 0xffff],
        ip_proto: 6,
        ..FlowConst::default()
    });
    out
}

/// The stamp of frame `step`, sent by the originator (0) or the responder (1).
pub fn stamp(step: u64, reversed: u32) -> Stamp {
    let key = Key { step, shard: 0, sub: 0 };
    Stamp { key, ts: Ts(1_500_000_000_830_079_000), frame: step, flow: FlowRef(reversed), repeat: false }
}

/// A read request, or its refusal with values.
pub fn modbus(is_request: bool, transaction_id: u16, pair: Option<u64>) -> Modbus<'static> {
    Modbus {
        is_request,
        transaction_id: Some(transaction_id),
        unit_id: 9,
        function_code: 3,
        function_name: "read holding registers",
        address: Some(100),
        quantity: Some(2),
        values: Some(if is_request { &[1, 2] } else { &[3, 200] }),
        exception_code: (!is_request).then_some(2),
        exception_name: (!is_request).then_some("illegal data address"),
        pair,
    }
}

/// A fragment.
pub fn dnp3(function: u8, is_request: bool) -> Dnp3<'static> {
    let iin = (!is_request).then_some(0x8200);
    Dnp3 { is_request: Some(is_request), function_code: Some(function), iin }
}

/// An object.
pub fn object(header: u16, group: u8, index: Option<u32>, value: Option<f64>) -> Object<'static> {
    Object { header, group, variation: 1, qualifier: 0x28, index, value, flags: index.map(|_| 0x81) }
}

/// A question, and where wanted its answer 2 ms later, five frames on.
pub fn dns(answered: bool) -> Dns<'static> {
    Dns {
        trans_id: 77,
        query_frame: Some(1),
        response_frame: answered.then_some(6),
        rtt: answered.then_some(Span(2_000_000)),
        query: Some(b"relay.example"),
        qtype: Some(1),
        query_flags: Some(0x0100),
        response_flags: answered.then_some(0x8180),
        answers: if answered { &[b"10.0.0.9", b"x"] } else { &[] },
        answer_names: if answered { &[b"relay.example", b"relay.example"] } else { &[] },
        answer_types: if answered { &[1, 65_280] } else { &[] },
        ttls: if answered { &[300.0, 0.0] } else { &[] },
    }
}

/// Values.
pub fn goose(values: &[f64]) -> Goose<'_> {
    Goose { values }
}

/// An anomaly.
pub fn anomaly(detail: &[u8]) -> Anomaly<'_> {
    Anomaly { proto: "modbus", reason: "bad_length", detail: Some(detail), count: 1 }
}

/// Files written by a sink.
pub struct Written(BTreeMap<String, String>);

impl Written {
    /// The text of one.
    pub fn read(&self, name: &str) -> &str {
        self.0.get(name).unwrap_or_else(|| panic!("no `{name}`"))
    }
}

/// Runs a sink over one batch and reads what it wrote.
pub fn written(out: &Out, sink: impl FnOnce(&Path) -> Box<dyn Sink>) -> Written {
    written_with(out, &[], sink)
}

/// The same with findings behind the rows.
pub fn written_with(out: &Out, findings: &[&gwcore::Finding], sink: impl FnOnce(&Path) -> Box<dyn Sink>) -> Written {
    let dir = tempfile::tempdir().unwrap();
    let (files, interfaces) = (["a.pcap".to_owned()], ["eth0".to_owned()]);
    let names = Names { files: &files, interfaces: &interfaces };
    let mut sink = sink(dir.path());
    sink.rows(out, names).unwrap();
    sink.findings(findings, names).unwrap();
    sink.finish(names).unwrap();
    let mut all = BTreeMap::new();
    for folder in ["", "zeek/", "ndjson/"] {
        for entry in std::fs::read_dir(dir.path().join(folder)).into_iter().flatten().flatten() {
            if let Ok(text) = std::fs::read_to_string(entry.path()) {
                all.insert(format!("{folder}{}", entry.file_name().to_string_lossy()), text);
            }
        }
    }
    Written(all)
}
