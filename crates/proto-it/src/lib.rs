//! IT protocol parsers, one folder each.
#![deny(missing_docs)]

pub mod dhcp;
pub mod dns;
pub mod ftp;
pub mod http;
pub mod ntp;
mod passwords;
mod text;
pub mod tls;

use gwcore::{Columns, Kind};

/// Every record kind of this crate.
pub fn kinds() -> Vec<&'static Kind> {
    vec![
        dhcp::DhcpColumns::kind(),
        dns::DnsColumns::kind(),
        ftp::FtpColumns::kind(),
        http::HttpColumns::kind(),
        ntp::NtpColumns::kind(),
        tls::TlsColumns::kind(),
    ]
}
