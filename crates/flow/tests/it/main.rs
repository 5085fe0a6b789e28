//! Flows from packets.
