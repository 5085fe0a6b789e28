//! OT protocol parsers, one folder each.
