//! dhcp.log of Zeek 8.

use super::Log;
use crate::bind::{
    Common,
    Source::{Common as C, Field, Missing},
    ViewField, When, field,
};

pub(super) static LOG: Log =
    Log { path: "dhcp", origin: "Zeek 8", kind: "dhcp", when: When::Always, fields: &[FIELDS] };

const FIELDS: &[ViewField] = &[
    field("ts", "time", C(Common::Ts)),
    field("uids", "set[string]", C(Common::Uid)),
    field("client_addr", "addr", Field("client_addr")),
    field("server_addr", "addr", Field("server_addr")),
    field("client_port", "port", Missing("always 68 and 67; conn has them")),
    field("server_port", "port", Missing("always 68 and 67; conn has them")),
    field("mac", "string", Field("mac")),
    field("host_name", "string", Field("host_name")),
    field("client_fqdn", "string", Field("client_fqdn")),
    field("domain", "string", Field("domain")),
    field("requested_addr", "addr", Field("requested_addr")),
    field("assigned_addr", "addr", Field("assigned_addr")),
    field("lease_time", "interval", Field("lease_time")),
    field("client_message", "string", Missing("option 56 is not kept")),
    field("server_message", "string", Missing("option 56 is not kept")),
    field("msg_types", "vector[string]", Field("msg_type")),
    field("duration", "interval", Missing("one line a message, not one an exchange")),
];
