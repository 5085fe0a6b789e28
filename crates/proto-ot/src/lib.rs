//! OT protocol parsers, one folder each.
#![deny(missing_docs)]

pub mod cotp;
pub mod dnp3;
pub mod goose;
pub mod iec104;
pub mod modbus;
pub mod ptp;
pub mod s7;
pub mod tpkt;

use gwcore::{Columns, Kind};

/// What a protocol carries that no parser takes apart: protocol, code, name. Its octets are kept whole in the row.
pub fn left_raw() -> Vec<(&'static str, String, &'static str)> {
    let dnp3 = dnp3::left_raw().map(|(code, name)| ("dnp3", code, name));
    let iec104 = iec104::left_raw().map(|(t, name)| ("iec104", format!("type {t}"), name));
    let modbus = modbus::left_raw().map(|(code, name)| ("modbus", code, name));
    let s7comm = s7::left_raw().map(|(what, name)| ("s7comm", what.to_owned(), name));
    dnp3.chain(iec104).chain(modbus).chain(s7comm).collect()
}

/// What a device says of itself, as facts have it.
fn fact_text(text: &[u8]) -> Box<str> {
    let mut shown = Vec::new();
    gwcore::column::push_text(&mut shown, text);
    String::from_utf8_lossy(&shown).into()
}

/// Every record kind of this crate.
pub fn kinds() -> Vec<&'static Kind> {
    vec![
        cotp::CotpColumns::kind(),
        dnp3::Dnp3Columns::kind(),
        dnp3::Dnp3ObjectColumns::kind(),
        goose::GooseColumns::kind(),
        iec104::Iec104Columns::kind(),
        iec104::Iec104ObjectColumns::kind(),
        modbus::ModbusColumns::kind(),
        ptp::PtpColumns::kind(),
        s7::S7Columns::kind(),
        s7::S7ItemColumns::kind(),
    ]
}
