//! IT protocol parsers, one folder each.
pub mod dhcp;
pub mod dns;

use gwcore::{Columns, Kind};

/// Every record kind of this crate.
pub fn kinds() -> Vec<&'static Kind> {
    vec![dns::DnsColumns::kind()]
}
pub mod http;
pub mod tls;
