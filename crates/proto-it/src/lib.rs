//! IT protocol parsers, one folder each.
pub mod http;
pub mod tls;
