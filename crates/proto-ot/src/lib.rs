//! OT protocol parsers, one folder each.

pub mod cotp;
pub mod modbus;
pub mod s7;
pub mod tpkt;
pub mod dnp3;
