//! The parser harness: trait, context, protocol detection.
