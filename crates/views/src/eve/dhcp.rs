//! `dhcp` events, with what Suricata's `extended` adds.

use gwcore::Value;

use super::{End, Event};
use crate::bind::{
    Source::{Field, Missing, With},
    ViewField, When, field,
};
use crate::cell::Cell;

pub(super) static EVENT: Event = Event {
    event_type: "dhcp",
    kind: "dhcp",
    when: When::Always,
    source: End::Sender,
    delay: None,
    frame: None,
    fields: FIELDS,
};

const FIELDS: &[ViewField] = &[
    field("dhcp.type", "", With(&[Field("is_reply")], kind)),
    field("dhcp.id", "", Field("trans_id")),
    field("dhcp.client_mac", "", Field("mac")),
    field("dhcp.assigned_ip", "", With(&[Field("assigned_addr")], address)),
    field("dhcp.client_ip", "", With(&[Field("client_addr")], address)),
    field("dhcp.relay_ip", "", With(&[Field("relay_addr"), Field("is_reply")], address_of_reply)),
    field("dhcp.next_server_ip", "", With(&[Field("next_server"), Field("is_reply")], address_of_reply)),
    field("dhcp.dhcp_type", "", With(&[Field("msg_type")], message_type)),
    field("dhcp.requested_ip", "", Field("requested_addr")),
    field("dhcp.lease_time", "", Field("lease_time")),
    field("dhcp.rebinding_time", "", Missing("option 59 is not kept")),
    field("dhcp.renewal_time", "", Missing("option 58 is not kept")),
    field("dhcp.subnet_mask", "", Field("subnet_mask")),
    field("dhcp.routers", "", With(&[Field("router")], some)),
    field("dhcp.dns_servers", "", With(&[Field("dns_servers")], some)),
    field("dhcp.hostname", "", Field("host_name")),
    field("dhcp.client_id", "", With(&[Field("client_id")], client_id)),
    field("dhcp.vendor_class_identifier", "", With(&[Field("vendor_class"), Field("is_reply")], of_request)),
    field("dhcp.params", "", With(&[Field("param_list")], parameters)),
];

fn kind(values: &[Value<'_>], cell: &mut Cell<'_>) {
    if let [Value::Bool(reply)] = values {
        cell.text(if *reply { "reply" } else { "request" });
    }
}

/// Suricata writes the addresses of the header also where they are zero.
fn address(values: &[Value<'_>], cell: &mut Cell<'_>) {
    match values.first() {
        Some(Value::Null) | None => cell.text("0.0.0.0"),
        Some(value) => cell.value(*value),
    }
}

fn address_of_reply(values: &[Value<'_>], cell: &mut Cell<'_>) {
    if let [_, Value::Bool(true)] = values {
        address(values, cell);
    }
}

fn of_request(values: &[Value<'_>], cell: &mut Cell<'_>) {
    if let [value, Value::Bool(false)] = values {
        cell.value(*value);
    }
}

fn message_type(values: &[Value<'_>], cell: &mut Cell<'_>) {
    if let [Value::Text(name)] = values {
        cell.text(&name.to_ascii_lowercase());
    }
}

/// Behind the type of the identifier, in hexadecimal.
fn client_id(values: &[Value<'_>], cell: &mut Cell<'_>) {
    if let [Value::Hex([_, id @ ..])] = values {
        let octets: Vec<String> = id.iter().map(|b| format!("{b:02x}")).collect();
        cell.text(&octets.join(":"));
    }
}

/// Absent rather than empty.
fn some(values: &[Value<'_>], cell: &mut Cell<'_>) {
    if let [list @ Value::List(_, from, to)] = values
        && from < to
    {
        cell.value(*list);
    }
}

/// Suricata's names of the options asked for; it leaves out all others.
fn parameters(values: &[Value<'_>], cell: &mut Cell<'_>) {
    let [Value::List(column, from, to)] = values else { return };
    if from == to {
        return;
    }
    cell.texts((*from..*to).filter_map(|row| match column.value(row) {
        Value::U64(1) => Some("subnet_mask"),
        Value::U64(3) => Some("router"),
        Value::U64(6) => Some("dns_server"),
        Value::U64(15) => Some("domain"),
        Value::U64(35) => Some("arp_timeout"),
        Value::U64(42) => Some("ntp_server"),
        Value::U64(66) => Some("tftp_server_name"),
        Value::U64(150) => Some("tftp_server_ip"),
        _ => None,
    }));
}

#[cfg(test)]
mod tests {
    use super::super::shown;
    use super::*;

    #[test]
    fn values_are_spelled_as_suricata_spells_them() {
        assert_eq!(shown(message_type, &[Value::Text("DISCOVER")]), r#""discover""#);
        assert_eq!(shown(address, &[Value::Null]), r#""0.0.0.0""#);
        assert_eq!(shown(address_of_reply, &[Value::Null, Value::Bool(false)]), "");
        assert_eq!(shown(client_id, &[Value::Hex(&[1, 0x0a, 0xff])]), r#""0a:ff""#);
        assert_eq!(shown(client_id, &[Value::Hex(&[])]), "");
        assert_eq!(shown(kind, &[Value::Bool(true)]), r#""reply""#);
    }
}
