//! Packet builders and the golden runner on which all fixtures stand.
//!
//! A frame is a [`Stack`] of layers written from the outside in; lengths, types and checksums are right unless a field says otherwise:
//!
//! ```
//! use testkit::Stack;
//! let frame = Stack::new().eth([2; 6], [4; 6]).vlan(7).ipv4([10, 0, 0, 1], [10, 0, 0, 2]).tcp(1025, 502).payload(b"hello").bytes();
//! assert_eq!(frame.len(), 14 + 4 + 20 + 20 + 5);
//! ```
//!
//! [`Session`] makes a whole TCP conversation, [`Pcap`] puts frames into a capture file, [`corpus`] finds the captures outside the tree.
#![deny(missing_docs)]

mod checksum;
mod corpus;
mod layers;
#[cfg(feature = "mock")]
pub mod mock;
mod pcap;
mod session;
mod stack;

pub use checksum::{checksum, transport_checksum};
pub use corpus::corpus;
pub use layers::{
    Arp, Eth, Extension, Geneve, Gre, Hsr, Icmp, Ipv4, Ipv6, Layer, Llc, Mpls, Ppp, Pppoe, Prp, Snap, Tcp, Udp, Vlan,
    Vxlan,
};
pub use pcap::Pcap;
pub use session::{Session, Side};
pub use stack::Stack;

/// Names of the TCP flag bits.
pub mod flag {
    /// No more data from the sender.
    pub const FIN: u8 = 1;
    /// Synchronise sequence numbers.
    pub const SYN: u8 = 2;
    /// Reset.
    pub const RST: u8 = 4;
    /// Push.
    pub const PSH: u8 = 8;
    /// Acknowledgement field is valid.
    pub const ACK: u8 = 16;
    /// Urgent pointer is valid.
    pub const URG: u8 = 32;
}
