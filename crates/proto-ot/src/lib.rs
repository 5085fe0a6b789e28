//! OT protocol parsers, one folder each.

pub mod dnp3;
