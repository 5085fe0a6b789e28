//! `anomaly` events.

use gwcore::Value;

use super::{End, Event};
use crate::bind::{
    Source::{Field, Missing, With},
    ViewField, When, field,
};
use crate::cell::Cell;

pub(super) static EVENT: Event = Event {
    event_type: "anomaly",
    kind: "anomaly",
    when: When::Always,
    source: End::Sender,
    delay: None,
    frame: None,
    fields: FIELDS,
};

const FIELDS: &[ViewField] = &[
    field("anomaly.app_proto", "", With(&[Field("proto")], app_proto)),
    field("anomaly.type", "", With(&[Field("proto")], |v, c| c.text(layer(v)))),
    field("anomaly.event", "", Field("reason")),
    field("anomaly.layer", "", With(&[Field("proto")], parser)),
    field("anomaly.code", "", Missing("reasons have names, not numbers")),
    // Ours.
    field("anomaly.detail", "", Field("detail")),
    field("anomaly.count", "", Field("count")),
];

/// Suricata's three types: what the decoder, the stream engine or an application parser noticed.
fn layer(values: &[Value<'_>]) -> &'static str {
    match values {
        [
            Value::Text(
                "packet" | "ethernet" | "arp" | "vlan" | "mpls" | "ip" | "ipv4" | "ipv6" | "icmp" | "icmpv6" | "igmp"
                | "udp" | "capture",
            ),
        ] => "decode",
        [Value::Text("tcp" | "flow" | "stream")] => "stream",
        _ => "applayer",
    }
}

fn app_proto(values: &[Value<'_>], cell: &mut Cell<'_>) {
    if let ([value], "applayer") = (values, layer(values)) {
        cell.value(*value);
    }
}

fn parser(values: &[Value<'_>], cell: &mut Cell<'_>) {
    if layer(values) == "applayer" {
        cell.text("proto_parser");
    }
}
