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
    ]
}
