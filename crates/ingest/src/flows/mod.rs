//! Flow exports: NetFlow 5 and 9, IPFIX, sFlow 5, decoded to one shape; templates, samplers and sequences are kept by exporter and domain.

mod elements;
mod netflow5;
mod sflow;
mod template;

use std::collections::BTreeMap;

use gwcore::{Addr, AgedTable, Limit, Mac, Ts};

/// One exported flow. Counters are scaled by the sampling rate; what was exported stands beside them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Exported {
    /// Source address.
    pub src: Addr,
    /// Destination address.
    pub dst: Addr,
    /// Source port; for ICMP its type.
    pub src_port: u16,
    /// Destination port; for ICMP its code.
    pub dst_port: u16,
    /// IP protocol.
    pub proto: u8,
    /// IP bytes from source to destination, scaled.
    pub bytes: u64,
    /// Packets from source to destination, scaled.
    pub packets: u64,
    /// The same as exported.
    pub raw: (u64, u64),
    /// Bytes and packets of the other direction, where the exporter pairs them (RFC 5103).
    pub reverse: Option<(u64, u64)>,
    /// First packet.
    pub start: Option<Ts>,
    /// Last packet.
    pub end: Option<Ts>,
    /// TCP flags seen, all packets together.
    pub tcp_flags: u16,
    /// Interface it came in by (SNMP index), 0 for unknown.
    pub ingress: u32,
    /// Interface it went out by.
    pub egress: u32,
    /// VLAN, 0 for none.
    pub vlan: u16,
    /// Source MAC.
    pub src_mac: Mac,
    /// Destination MAC.
    pub dst_mac: Mac,
    /// Type of service.
    pub tos: u8,
    /// Why it ended (IANA ipfix 136), 0 for not stated.
    pub end_reason: u8,
    /// 0 ingress, 1 egress; none where not stated.
    pub direction: Option<u8>,
    /// One packet of so many was looked at; 1 for all.
    pub sampling: u32,
    /// Autonomous systems.
    pub asn: (u32, u32),
    /// Next hop.
    pub next_hop: Addr,
    /// Name of the application, as the exporter says.
    pub application: Option<String>,
}

/// Which version a message is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Version {
    /// NetFlow version 5.
    Netflow5,
    /// NetFlow version 9 (RFC 3954).
    Netflow9,
    /// IPFIX (RFC 7011).
    Ipfix,
    /// sFlow version 5.
    Sflow5,
}

impl Version {
    /// The word in records.
    pub fn name(self) -> &'static str {
        match self {
            Version::Netflow5 => "netflow5",
            Version::Netflow9 => "netflow9",
            Version::Ipfix => "ipfix",
            Version::Sflow5 => "sflow5",
        }
    }
}

/// What a message said of itself.
#[derive(Clone, Debug, PartialEq)]
pub struct Message {
    /// Version.
    pub version: Version,
    /// Observation domain, source or engine.
    pub domain: u32,
    /// When it was sent, by the exporter's clock; sFlow does not say.
    pub exported: Option<Ts>,
    /// Flows it held, those that were decoded late for want of a template too.
    pub flows: Vec<Exported>,
}

/// Why a message is none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Shorter than its header or than it says.
    Short,
    /// A version that is not read.
    Version(u16),
    /// Longer than it says: what follows is not read.
    Inconsistent(&'static str),
}

impl Fault {
    /// As a counter's name.
    pub fn name(&self) -> &'static str {
        match self {
            Fault::Short => "message_short",
            Fault::Version(_) => "version_unknown",
            Fault::Inconsistent(_) => "message_inconsistent",
        }
    }
}

/// Counts of one exporter and domain.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Messages.
    pub messages: u64,
    /// Flows decoded.
    pub flows: u64,
    /// Data sets that waited for their template.
    pub waited: u64,
    /// Data sets whose template did not come.
    pub no_template: u64,
    /// What the sequence numbers say was lost: flows (NetFlow 5, IPFIX) or messages (NetFlow 9, sFlow).
    pub lost: u64,
    /// Messages that came out of order or twice.
    pub out_of_order: u64,
    /// Templates taken.
    pub templates: u64,
    /// Records of options.
    pub options: u64,
    /// Samples of counters (sFlow).
    pub counter_samples: u64,
    /// Records that are not flows of IP.
    pub not_ip: u64,
    /// Sets or records that contradict their template or length.
    pub malformed: u64,
}

/// State of an exporter's domain.
#[derive(Default)]
struct Domain {
    templates: template::Templates,
    next: Option<u32>,
    counters: Counters,
}

impl Domain {
    /// Compares a sequence number with the one expected; `step` is what the message adds. A difference of more than half the range is a
    /// message that came late, one of more than 2^24 a restart.
    fn sequence(&mut self, number: u32, step: u32) {
        if let Some(expected) = self.next {
            let ahead = number.wrapping_sub(expected);
            if ahead >= 1 << 31 {
                self.counters.out_of_order += 1;
                // A late message does not set the clock back; a restart at zero does.
                if number > 1_000 {
                    return;
                }
            } else if ahead < 1 << 24 {
                self.counters.lost += u64::from(ahead);
            }
        }
        self.next = Some(number.wrapping_add(step));
    }
}

/// Exporters and domains followed at once; the oldest is forgotten with its templates.
const DOMAINS: usize = 1_024;

/// Decodes messages of any number of exporters.
pub struct Decoder {
    domains: AgedTable<(Addr, Version, u32), Domain>,
    /// Messages that are none, by reason.
    pub faults: BTreeMap<&'static str, u64>,
}

impl Default for Decoder {
    fn default() -> Self {
        Decoder { domains: AgedTable::new(Limit::DetectorSources, DOMAINS), faults: BTreeMap::new() }
    }
}

impl Decoder {
    /// Decodes one message of an exporter.
    pub fn decode(&mut self, exporter: Addr, bytes: &[u8]) -> Result<Message, Fault> {
        let result = self.any(exporter, bytes);
        if let Err(fault) = &result {
            *self.faults.entry(fault.name()).or_default() += 1;
        }
        result
    }

    fn any(&mut self, exporter: Addr, bytes: &[u8]) -> Result<Message, Fault> {
        let version = match (be16(bytes, 0), be32(bytes, 0)) {
            (_, Some(5)) => Version::Sflow5,
            (Some(5), _) => Version::Netflow5,
            (Some(9), _) => Version::Netflow9,
            (Some(10), _) => Version::Ipfix,
            (Some(v), _) => return Err(Fault::Version(v)),
            (None, _) => return Err(Fault::Short),
        };
        let domain = match version {
            Version::Netflow5 => netflow5::domain(bytes),
            Version::Netflow9 => be32(bytes, 16),
            Version::Ipfix => be32(bytes, 12),
            Version::Sflow5 => sflow::domain(bytes),
        };
        let domain = domain.ok_or(Fault::Short)?;
        let key = (exporter, version, domain);
        if self.domains.get(&key).is_none() {
            self.domains.insert(key, Domain::default());
        }
        let Some(state) = self.domains.get_mut(&key) else { return Err(Fault::Short) };
        state.counters.messages += 1;
        let (exported, flows) = match version {
            Version::Netflow5 => netflow5::decode(bytes, state)?,
            Version::Netflow9 => template::netflow9(bytes, state)?,
            Version::Ipfix => template::ipfix(bytes, state)?,
            Version::Sflow5 => sflow::decode(bytes, state)?,
        };
        state.counters.flows += flows.len() as u64;
        Ok(Message { version, domain, exported, flows })
    }

    /// Counts of one exporter's domain.
    pub fn counters(&self, exporter: Addr, version: Version, domain: u32) -> Counters {
        self.domains.get(&(exporter, version, domain)).map(|d| d.counters.clone()).unwrap_or_default()
    }
}

pub(crate) fn be16(b: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes(b.get(at..at.checked_add(2)?)?.try_into().ok()?))
}

pub(crate) fn be32(b: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_be_bytes(b.get(at..at.checked_add(4)?)?.try_into().ok()?))
}

pub(crate) fn v4(b: &[u8], at: usize) -> Option<Addr> {
    Some(Addr::v4(b.get(at..at.checked_add(4)?)?.try_into().ok()?))
}
