//! dhcp.log of Zeek 8.

use gwcore::Value;

use super::Log;
use crate::bind::{
    Common,
    Source::{Common as C, Field, Missing, With},
    ViewField, When, field,
};
use crate::cell::Cell;

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
    field("client_message", "string", With(&[Field("is_reply"), Field("message")], |v, c| message(v, c, false))),
    field("server_message", "string", With(&[Field("is_reply"), Field("message")], |v, c| message(v, c, true))),
    field("msg_types", "vector[string]", Field("msg_type")),
    field("duration", "interval", Missing("one line a message, not one an exchange")),
];

/// Option 56 where that side sent it.
fn message(values: &[Value<'_>], cell: &mut Cell<'_>, by_server: bool) {
    if let [Value::Bool(reply), text] = values
        && *reply == by_server
    {
        cell.value(*text);
    }
}
