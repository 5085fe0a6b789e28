//! IT protocol parsers, one folder each.
pub mod dhcp;
pub mod dns;
pub mod ntp;
