//! `ntp` events.

use super::{End, Event};
use crate::bind::{Source::Field, ViewField, When, field};

pub(super) static EVENT: Event = Event {
    event_type: "ntp",
    kind: "ntp",
    when: When::Always,
    source: End::Sender,
    delay: None,
    frame: None,
    fields: FIELDS,
};

const FIELDS: &[ViewField] = &[
    field("ntp.version", "", Field("version")),
    field("ntp.mode", "", Field("mode")),
    field("ntp.stratum", "", Field("stratum")),
    field("ntp.reference_id", "", Field("ref_id")),
];
