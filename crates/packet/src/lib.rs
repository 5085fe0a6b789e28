//! Frames to packets: link, network and tunnel decoding, and defragmentation.
//!
//! [`Decoder::decode`] takes one [`capture::Frame`] and answers with exactly one [`Outcome`]. It takes off every encapsulation it
//! knows, down to the innermost addresses and transport header; what it does not know stays the payload of the last header it did.
//! Broken headers are evidence: the frame remains a packet of the layer below and carries the reason among its anomalies.
//!
//! Invariants: no I/O, no clock, no panic on any bytes; a frame that is no IP fragment allocates nothing; memory is bounded by
//! `twin_frames`, `fragment_datagrams`, `fragments_per_datagram` and `fragment_bytes`.
//!
//! The modules [`arp`], [`icmp`], [`igmp`], [`lldp`], [`nd`] and [`stp`] are views of payloads that tell about devices.
#![deny(missing_docs)]

pub mod arp;
mod checksum;
mod cursor;
mod decoder;
mod fragments;
pub mod icmp;
pub mod igmp;
mod link;
pub mod lldp;
pub mod nd;
mod network;
mod nflog;
mod outcome;
mod packet;
pub mod stp;
mod transport;
mod tunnel;
mod twins;
mod walk;
mod wlan;

pub use decoder::{Checksums, Decoder, Options};
pub use fragments::{FragmentCounts, Incomplete};
pub use outcome::{Anomalies, Decoded, Outcome};
pub use packet::{Link, Packet, Redundancy, Tcp, Transport, flag};
