//! ntp.log of Zeek 8.

use super::{HEAD, Log};
use crate::bind::{Source::Field, ViewField, When, field};

pub(super) static LOG: Log =
    Log { path: "ntp", origin: "Zeek 8", kind: "ntp", when: When::Always, fields: &[HEAD, FIELDS] };

const FIELDS: &[ViewField] = &[
    field("version", "count", Field("version")),
    field("mode", "count", Field("mode")),
    field("stratum", "count", Field("stratum")),
    field("poll", "interval", Field("poll")),
    field("precision", "interval", Field("precision")),
    field("root_delay", "interval", Field("root_delay")),
    field("root_disp", "interval", Field("root_disp")),
    field("ref_id", "string", Field("ref_id")),
    field("ref_time", "time", Field("ref_time")),
    field("org_time", "time", Field("org_time")),
    field("rec_time", "time", Field("rec_time")),
    field("xmt_time", "time", Field("xmt_time")),
    field("num_exts", "count", Field("num_exts")),
];
