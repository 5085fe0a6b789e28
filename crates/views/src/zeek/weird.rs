//! weird.log of Zeek 8, from the `anomaly` kind.

use super::{HEAD, Log};
use crate::bind::{
    Source::{Const, Field, Missing},
    ViewField, When, field,
};

pub(super) static LOG: Log =
    Log { path: "weird", origin: "Zeek 8", kind: "anomaly", when: When::Always, fields: &[HEAD, FIELDS] };

const FIELDS: &[ViewField] = &[
    field("name", "string", Field("reason")),
    field("addl", "string", Field("detail")),
    field("notice", "bool", Missing("findings go to notice.log")),
    field("peer", "string", Const("gridwarden")),
    field("source", "string", Field("proto")),
];
