//! conn.log of Zeek 8.

use super::{HEAD, Log};
use crate::bind::{
    Common,
    Source::{Common as C, Field, Missing},
    ViewField, When, field,
};

pub(super) static LOG: Log =
    Log { path: "conn", origin: "Zeek 8", kind: "conn", when: When::Always, fields: &[HEAD, FIELDS] };

const FIELDS: &[ViewField] = &[
    field("proto", "enum", Field("proto")),
    field("service", "string", Field("service")),
    field("duration", "interval", Field("duration")),
    field("orig_bytes", "count", Field("orig_bytes")),
    field("resp_bytes", "count", Field("resp_bytes")),
    field("conn_state", "string", Field("conn_state")),
    field("local_orig", "bool", Field("local_orig")),
    field("local_resp", "bool", Field("local_resp")),
    field("missed_bytes", "count", Field("missed_bytes")),
    field("history", "string", Field("history")),
    field("orig_pkts", "count", Field("orig_pkts")),
    field("orig_ip_bytes", "count", Field("orig_ip_bytes")),
    field("resp_pkts", "count", Field("resp_pkts")),
    field("resp_ip_bytes", "count", Field("resp_ip_bytes")),
    field("tunnel_parents", "set[string]", Missing("tunnels are named by kind, not by uid")),
    field("ip_proto", "count", C(Common::IpProto)),
    field("community_id", "string", C(Common::CommunityId)),
    field("orig_l2_addr", "string", C(Common::OrigMac)),
    field("resp_l2_addr", "string", C(Common::RespMac)),
    field("vlan", "int", C(Common::Vlan)),
    field("inner_vlan", "int", C(Common::InnerVlan)),
];
