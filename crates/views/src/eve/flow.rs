//! `flow` events, from the `conn` kind; their time is the flow's last packet.

use gwcore::Value;

use super::{End, Event};
use crate::bind::{
    Common,
    Source::{Common as C, Field, Missing, With},
    ViewField, When, field, later,
};
use crate::cell::Cell;

pub(super) static EVENT: Event = Event {
    event_type: "flow",
    kind: "conn",
    when: When::Always,
    source: End::Originator,
    delay: Some("duration"),
    frame: None,
    fields: FIELDS,
};

const FIELDS: &[ViewField] = &[
    field("app_proto", "", With(&[Field("service")], app_proto)),
    field("flow.pkts_toserver", "", Field("orig_pkts")),
    field("flow.pkts_toclient", "", Field("resp_pkts")),
    // Bytes of the IP packets; Suricata counts frames.
    field("flow.bytes_toserver", "", Field("orig_ip_bytes")),
    field("flow.bytes_toclient", "", Field("resp_ip_bytes")),
    field("flow.start", "", C(Common::Ts)),
    field("flow.end", "", With(&[C(Common::Ts), Field("duration")], end)),
    field("flow.age", "", With(&[Field("duration")], age)),
    field("flow.state", "", With(&[Field("conn_state")], state)),
    field("flow.reason", "", With(&[Field("end_reason")], reason)),
    field("flow.alerted", "", Missing("signatures are a matter of findings")),
    field("flow.tx_cnt", "", Missing("transactions are not counted by flow")),
    field("tcp.tcp_flags", "", Missing("history tells which flags were seen, not all bits")),
    field("tcp.syn", "", With(&[Field("proto"), Field("history")], |v, c| flag(v, c, "sShH"))),
    field("tcp.fin", "", With(&[Field("proto"), Field("history")], |v, c| flag(v, c, "fF"))),
    field("tcp.rst", "", With(&[Field("proto"), Field("history")], |v, c| flag(v, c, "rR"))),
    field("tcp.ack", "", With(&[Field("proto"), Field("history")], |v, c| flag(v, c, "aAhHdD"))),
    field("tcp.state", "", With(&[Field("proto"), Field("conn_state")], tcp_state)),
];

/// Suricata's names of protocols where Zeek's differ.
fn app_proto(values: &[Value<'_>], cell: &mut Cell<'_>) {
    match values {
        [Value::Text("ssl")] => cell.text("tls"),
        [value] => cell.value(*value),
        _ => {}
    }
}

fn end(values: &[Value<'_>], cell: &mut Cell<'_>) {
    if let [Value::Ts(ts), duration] = values {
        cell.value(Value::Ts(later(*ts, *duration)));
    }
}

/// Whole seconds.
fn age(values: &[Value<'_>], cell: &mut Cell<'_>) {
    match values {
        [Value::Span(s)] => cell.uint(u64::try_from(s.0 / gwcore::time::SECOND).unwrap_or(0)),
        _ => cell.uint(0),
    }
}

fn state(values: &[Value<'_>], cell: &mut Cell<'_>) {
    let [Value::Text(state)] = values else { return };
    cell.text(match *state {
        "S0" | "SH" => "new",
        "S1" | "OTH" => "established",
        _ => "closed",
    });
}

fn reason(values: &[Value<'_>], cell: &mut Cell<'_>) {
    let [Value::Text(reason)] = values else { return };
    cell.text(match *reason {
        "finish" => "shutdown",
        "evicted" => "forced",
        "reused" => "tcp_reuse",
        _ => "timeout",
    });
}

fn flag(values: &[Value<'_>], cell: &mut Cell<'_>, letters: &str) {
    if let [Value::Text("tcp"), Value::Text(history)] = values
        && history.contains(|c| letters.contains(c))
    {
        cell.bool(true);
    }
}

fn tcp_state(values: &[Value<'_>], cell: &mut Cell<'_>) {
    let [Value::Text("tcp"), Value::Text(state)] = values else { return };
    cell.text(match *state {
        "S0" | "SH" => "syn_sent",
        "SHR" => "syn_recv",
        "S1" | "OTH" => "established",
        "S2" => "fin_wait1",
        "S3" => "close_wait",
        _ => "closed",
    });
}
