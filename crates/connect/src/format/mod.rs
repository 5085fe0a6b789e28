//! Formats: one file each, a finding in, text or JSON out. None of them knows a transport.

pub mod cef;
pub mod cim;
pub mod ecs;
pub mod leef;
pub mod ocsf;
pub mod syslog;
