//! What can be chosen: checksums, overlap policies and the time-outs, which bear Zeek's names and defaults.

use gwcore::time::{HOUR, MINUTE, SECOND};

use crate::Targets;

/// What is made of wrong transport checksums.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Checksums {
    /// Believed only from a source, within one address pair, once 8 of its last 16 were wrong (offload).
    #[default]
    Auto,
    /// Always believed.
    None,
    /// Never believed: the packet is an anomaly and is left out.
    All,
}

/// How a shard treats packets.
#[derive(Clone, Debug)]
pub struct Options {
    /// What is made of wrong checksums.
    pub checksums: Checksums,
    /// Which version of overlapping data is kept, by the address of its receiver.
    pub overlap: Targets,
    /// TCP sessions without a packet for this long are over, in ns (5 min).
    pub tcp_inactivity_timeout: i64,
    /// The same for established TCP sessions of a utility protocol, in ns (24 h).
    pub ot_inactivity_timeout: i64,
    /// UDP and other IP protocols, in ns (1 min).
    pub udp_inactivity_timeout: i64,
    /// ICMP, in ns (1 min).
    pub icmp_inactivity_timeout: i64,
    /// Conversations without IP, in ns (1 h).
    pub link_inactivity_timeout: i64,
    /// An attempt that nobody answers, in ns (5 s).
    pub tcp_attempt_delay: i64,
    /// After both sides closed, one closed that was alone, or a reset, in ns (5 s).
    pub tcp_close_delay: i64,
    /// A SYN on a session that was silent for this long opens a new flow, in ns (5 s).
    pub tcp_connection_linger: i64,
    /// A flow older than this gives a `conn_part` row every so often, in ns (5 min).
    pub part_interval: i64,
    /// VLANs tell conversations apart, whatever their sequence numbers and MAC addresses say.
    pub vlan_in_key: bool,
    /// Whether statistics for learning are kept and told ([`crate::Handler::stats`], [`crate::Handler::minute`]).
    pub stats: bool,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            checksums: Checksums::Auto,
            overlap: Targets::default(),
            tcp_inactivity_timeout: 5 * MINUTE,
            ot_inactivity_timeout: 24 * HOUR,
            udp_inactivity_timeout: MINUTE,
            icmp_inactivity_timeout: MINUTE,
            link_inactivity_timeout: HOUR,
            tcp_attempt_delay: 5 * SECOND,
            tcp_close_delay: 5 * SECOND,
            tcp_connection_linger: 5 * SECOND,
            part_interval: 5 * MINUTE,
            vlan_in_key: false,
            stats: false,
        }
    }
}
