//! Frames to packets: link, network and tunnel decoding, and defragmentation.
#![deny(missing_docs)]

mod packet;

pub use packet::{Link, Packet, Redundancy, Tcp, Transport, flag};
