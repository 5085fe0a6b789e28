//! IT protocol parsers, one folder each.
