//! http.log of Zeek 8.

use super::{HEAD, Log};
use crate::bind::{
    Source::{Field, Missing},
    ViewField, When, field,
};

pub(super) static LOG: Log =
    Log { path: "http", origin: "Zeek 8", kind: "http", when: When::Always, fields: &[HEAD, FIELDS] };

const NO_FILES: &str = "bodies are hashed in the http record, there is no files.log";

const FIELDS: &[ViewField] = &[
    field("trans_depth", "count", Field("trans_depth")),
    field("method", "string", Field("method")),
    field("host", "string", Field("host")),
    field("uri", "string", Field("uri")),
    field("referrer", "string", Field("referrer")),
    field("version", "string", Field("version")),
    field("user_agent", "string", Field("user_agent")),
    field("origin", "string", Field("origin")),
    field("request_body_len", "count", Field("request_body_len")),
    field("response_body_len", "count", Field("response_body_len")),
    field("status_code", "count", Field("status_code")),
    field("status_msg", "string", Field("status_msg")),
    field("info_code", "count", Field("info_code")),
    field("info_msg", "string", Field("info_msg")),
    field("tags", "set[enum]", Missing("detections are findings")),
    field("username", "string", Field("username")),
    field("password", "string", Missing("passwords are never kept")),
    field("proxied", "set[string]", Field("proxied")),
    field("orig_fuids", "vector[string]", Missing(NO_FILES)),
    field("orig_filenames", "vector[string]", Missing(NO_FILES)),
    field("orig_mime_types", "vector[string]", Field("orig_mime_types")),
    field("resp_fuids", "vector[string]", Missing(NO_FILES)),
    field("resp_filenames", "vector[string]", Missing(NO_FILES)),
    field("resp_mime_types", "vector[string]", Field("resp_mime_types")),
    field("client_header_names", "vector[string]", Field("client_header_names")),
    field("server_header_names", "vector[string]", Field("server_header_names")),
];
