//! `dhcp` events.

use super::{End, Event};
use crate::bind::{
    Source::{Field, Missing},
    ViewField, When, field,
};

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
    field("dhcp.type", "", Missing("an event shows the whole exchange, not one message")),
    field("dhcp.id", "", Field("trans_id")),
    field("dhcp.client_mac", "", Field("mac")),
    field("dhcp.assigned_ip", "", Field("assigned_addr")),
    field("dhcp.requested_ip", "", Field("requested_addr")),
    field("dhcp.client_ip", "", Field("client_addr")),
    field("dhcp.dhcp_type", "", Field("msg_type")),
    field("dhcp.lease_time", "", Field("lease_time")),
    field("dhcp.hostname", "", Field("host_name")),
];
