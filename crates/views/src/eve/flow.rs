//! `flow` events, from the `conn` kind; their time is the flow's last packet.

use gwcore::{Ts, Value};

use super::{End, Event};
use crate::bind::{
    Common,
    Source::{self, Common as C, Field, Missing, With},
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
    field("flow.age", "", With(&[C(Common::Ts), Field("duration")], age)),
    field("flow.state", "", With(STATE, state)),
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

/// From the second of the first packet to that of the last.
fn age(values: &[Value<'_>], cell: &mut Cell<'_>) {
    let [Value::Ts(ts), duration] = values else { return };
    let second = |at: Ts| at.0.div_euclid(gwcore::time::SECOND);
    cell.uint(u64::try_from(second(later(*ts, *duration)) - second(*ts)).unwrap_or(0));
}

const STATE: &[Source] = &[Field("proto"), Field("conn_state"), Field("orig_pkts"), Field("resp_pkts")];

/// Without TCP a flow is established once both sides spoke, and never closed.
fn state(values: &[Value<'_>], cell: &mut Cell<'_>) {
    cell.text(match values {
        [Value::Text("tcp"), Value::Text("S0" | "SH"), ..] => "new",
        [Value::Text("tcp"), Value::Text("S1" | "S2" | "S3" | "OTH"), ..] => "established",
        [Value::Text("tcp"), Value::Text(_), ..] => "closed",
        [Value::Text(_), _, Value::U64(1..), Value::U64(1..)] => "established",
        [Value::Text(_), ..] => "new",
        _ => return,
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

#[cfg(test)]
mod tests {
    use super::super::shown;
    use super::*;

    #[test]
    fn only_tcp_flows_close() {
        let check = |proto, conn_state, pkts: [u64; 2], expect: &str| {
            let [to, from] = pkts.map(Value::U64);
            assert_eq!(shown(state, &[Value::Text(proto), Value::Text(conn_state), to, from]), format!("{expect:?}"));
        };
        check("tcp", "S0", [1, 0], "new");
        check("tcp", "S1", [3, 2], "established");
        check("tcp", "S3", [3, 2], "established");
        check("tcp", "SF", [3, 2], "closed");
        check("udp", "SF", [1, 1], "established");
        check("udp", "S0", [2, 0], "new");
        check("icmp", "OTH", [1, 0], "new");
    }

    #[test]
    fn age_counts_the_seconds_that_begin() {
        let check = |ts, duration, expect: &str| {
            let span = Value::Span(gwcore::Span(duration));
            assert_eq!(shown(age, &[Value::Ts(Ts(ts)), span]), expect);
        };
        check(1_999_999_999, 1, "1");
        check(1_000_000_000, 999_999_999, "0");
        check(0, 0, "0");
    }
}
