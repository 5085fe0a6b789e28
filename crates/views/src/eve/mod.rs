//! EVE of Suricata 8: one file of events, all kinds in the order of the stream. One event type a file of this folder; kinds that EVE does not
//! know keep our name as `event_type`, with our fields under it.

mod alert;
mod anomaly;
mod dhcp;
mod dnp3;
mod dns;
mod flow;
mod ftp;
mod head;
mod http;
mod modbus;
mod ntp;
mod tls;
mod writer;

pub use alert::GID;
#[cfg(test)]
pub(crate) use writer::MOST_LEVELS;
pub use writer::{EveSink, Own};

use crate::bind::{ViewField, When};

/// An event type of EVE.
pub struct Event {
    /// `event_type`.
    pub event_type: &'static str,
    /// Record kind it shows.
    pub kind: &'static str,
    /// Which of its rows.
    pub when: When,
    /// Which end of the flow is `src_ip`.
    pub source: End,
    /// A record field with the span by which the event is later than the record.
    pub delay: Option<&'static str>,
    /// A record field with the frame of the event, where that is not the record's.
    pub frame: Option<&'static str>,
    /// Its fields in order, by their paths below the event.
    pub fields: &'static [ViewField],
}

/// An end of a flow, or of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// Who opened the flow.
    Originator,
    /// The other.
    Responder,
    /// Who sent the record's frame.
    Sender,
}

/// All event types of which EVE defines the fields.
pub static EVENTS: &[&Event] = &[
    &anomaly::EVENT,
    &dhcp::EVENT,
    &dnp3::EVENT,
    &dns::REQUEST,
    &dns::RESPONSE,
    &flow::EVENT,
    &ftp::EVENT,
    &http::EVENT,
    &modbus::EVENT,
    &ntp::EVENT,
    &tls::EVENT,
];

/// What a field of an event shows of some values.
#[cfg(test)]
fn shown(write: crate::bind::Write, values: &[gwcore::Value<'_>]) -> String {
    let (mut out, mut clock) = (Vec::new(), crate::text::Clock::default());
    write(values, &mut crate::cell::Cell { out: &mut out, style: crate::cell::Style::Eve, clock: &mut clock });
    String::from_utf8(out).unwrap()
}
