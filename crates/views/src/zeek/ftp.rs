//! ftp.log of Zeek 8.

use super::{HEAD, Log};
use crate::bind::{
    Source::{Field, Missing},
    ViewField, When, field,
};

pub(super) static LOG: Log =
    Log { path: "ftp", origin: "Zeek 8", kind: "ftp", when: When::Any(&["command"]), fields: &[HEAD, FIELDS] };

const FIELDS: &[ViewField] = &[
    field("user", "string", Field("user")),
    field("password", "string", Missing("passwords are not kept")),
    field("command", "string", Field("command")),
    field("arg", "string", Field("arg")),
    field("mime_type", "string", Missing("data connections are not read")),
    field("file_size", "count", Field("file_size")),
    field("reply_code", "count", Field("reply_code")),
    field("reply_msg", "string", Field("reply_msg")),
    field("data_channel.passive", "bool", Field("data_passive")),
    field("data_channel.orig_h", "addr", Missing("the end of the conversation that does not wait; conn has it")),
    field("data_channel.resp_h", "addr", Field("data_host")),
    field("data_channel.resp_p", "port", Field("data_port")),
    field("fuid", "string", Missing("data connections are not read")),
];
