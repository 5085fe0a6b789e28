//! Zeek logs: tab-separated as `zeek-cut` reads them, or JSON. One log a file of this folder; kinds without one become `KIND.log`.

mod conn;
mod dhcp;
mod dnp3;
mod dns;
mod ftp;
mod http;
mod modbus;
mod modbus_detailed;
mod notice;
mod ntp;
mod s7comm;
mod ssl;
mod weird;
mod writer;

pub use writer::ZeekSink;

use crate::bind::{Common, Source, ViewField, When, field};

/// A Zeek log.
pub struct Log {
    /// Its path: the file's name without `.log`.
    pub path: &'static str,
    /// Who defines it.
    pub origin: &'static str,
    /// Record kind it shows.
    pub kind: &'static str,
    /// Which of its rows.
    pub when: When,
    /// Its fields in order.
    pub fields: &'static [&'static [ViewField]],
}

/// All logs of which the peers define the fields.
pub static LOGS: &[&Log] = &[
    &conn::LOG,
    &dhcp::LOG,
    &dnp3::LOG,
    &dnp3::CONTROL,
    &dnp3::OBJECTS,
    &dns::LOG,
    &ftp::LOG,
    &http::LOG,
    &modbus::LOG,
    &modbus_detailed::LOG,
    &modbus_detailed::MASK_WRITE,
    &modbus_detailed::READ_WRITE,
    &modbus_detailed::DEVICE_IDENTIFICATION,
    &ntp::LOG,
    &s7comm::COTP,
    &s7comm::LOG,
    &ssl::LOG,
    &weird::LOG,
];

/// `ts uid id.*`, with which nearly every log begins.
const HEAD: &[ViewField] = &[
    field("ts", "time", Source::Common(Common::Ts)),
    field("uid", "string", Source::Common(Common::Uid)),
    field("id.orig_h", "addr", Source::Common(Common::OrigH)),
    field("id.orig_p", "port", Source::Common(Common::OrigP)),
    field("id.resp_h", "addr", Source::Common(Common::RespH)),
    field("id.resp_p", "port", Source::Common(Common::RespP)),
];

/// What ICSNPP puts behind the head.
const SENDER: &[ViewField] = &[
    field("is_orig", "bool", Source::Common(Common::IsOrig)),
    field("source_h", "addr", Source::Common(Common::SourceH)),
    field("source_p", "port", Source::Common(Common::SourceP)),
    field("destination_h", "addr", Source::Common(Common::DestinationH)),
    field("destination_p", "port", Source::Common(Common::DestinationP)),
];
