//! A finding: what was seen, why it matters and what it rests on. It states observations, never intent.

use serde::Serialize;

use crate::{FlowConst, Ts, ids};

/// Consequence for the plant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// A fact.
    Info,
    /// Novelty.
    Low,
    /// An alarm: scan, refused commands, a new utility conversation.
    Medium,
    /// A command, mode or program change from a source that never commanded this device.
    High,
    /// The same on primary equipment or protection of an asset marked critical.
    Critical,
}

impl Severity {
    /// The word.
    pub fn name(self) -> &'static str {
        match self {
            Severity::Info => "info",
            Severity::Low => "low",
            Severity::Medium => "medium",
            Severity::High => "high",
            Severity::Critical => "critical",
        }
    }
}

/// What a finding rests on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Basis {
    /// Decoding alone.
    Decoded,
    /// What the operator declared.
    Declared,
    /// A learned baseline.
    Learned,
    /// A statistic.
    Statistical,
    /// A signature.
    Signature,
    /// Threat intelligence.
    Intelligence,
}

/// One end of what was seen.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Party {
    /// Device id in the inventory.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub asset: Option<String>,
    /// Name, where known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// MAC address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mac: Option<String>,
    /// IP address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ip: Option<String>,
    /// Port.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
    /// User.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
}

/// A packet by file and frame number.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct PacketRef {
    /// File as found under PATH.
    pub file: std::sync::Arc<str>,
    /// Frame number from 1.
    pub frame: u64,
}

/// One stretch of the same thing; five minutes of silence end it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Episode {
    /// First packet.
    #[serde(serialize_with = "rfc3339")]
    pub ts: Ts,
    /// Last packet.
    #[serde(serialize_with = "rfc3339")]
    pub ts_end: Ts,
    /// When the evidence sufficed.
    #[serde(serialize_with = "rfc3339")]
    pub raised: Ts,
    /// How often.
    pub count: u64,
    /// First frame.
    pub first_frame: u64,
    /// Last frame.
    pub last_frame: u64,
}

/// A value that stands in packets of a finding, so that a program can find it there and put an expected one in its place.
///
/// The first of the finding's `packets` carries it as `observed`. A value of one message (a function code, a point, a set point) stands in
/// the packets named; an address or an identity is its sender's, and stands in every frame of the conversations that they belong to.
#[derive(Clone, Debug, PartialEq, Serialize, serde::Deserialize)]
pub struct InPacket {
    /// Its field in the records (`docs/records.md`), the kind before a dot where not every kind has it: `src_ip`, `modbus.function_code`;
    /// `arp.sender_mac` is in no record.
    pub field: &'static str,
    /// Whose value it is where that is not clear from field and frame: a point's table and unit, a control block, an address.
    #[serde(default, skip_serializing_if = "serde_json::Value::is_null")]
    pub of: serde_json::Value,
    /// As the first packet carries it.
    pub observed: serde_json::Value,
    /// Learned or declared set, or what stood before: at most 32; empty where nothing of the kind was ever seen, or where a range says it.
    pub expected: Vec<serde_json::Value>,
    /// Smallest and largest expected value; none for a side without a limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub range: Option<[Option<f64>; 2]>,
}

impl InPacket {
    /// Expected values that are listed.
    pub const LISTED: usize = 32;

    /// A value and those expected in its place.
    pub fn new<V: Into<serde_json::Value>>(
        field: &'static str,
        observed: impl Into<serde_json::Value>,
        expected: impl IntoIterator<Item = V>,
    ) -> InPacket {
        let expected = expected.into_iter().take(InPacket::LISTED).map(Into::into).collect();
        InPacket { field, of: serde_json::Value::Null, observed: observed.into(), expected, range: None }
    }

    /// Whose value it is.
    pub fn of(self, of: impl Into<serde_json::Value>) -> InPacket {
        InPacket { of: of.into(), ..self }
    }
}

/// What was observed, what was expected.
#[derive(Clone, Debug, Default, PartialEq, Serialize, serde::Deserialize)]
#[serde(bound(deserialize = "'de: 'static"))]
pub struct Evidence {
    /// Observed value.
    pub observed: String,
    /// Expected value, learned set or threshold.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expected: Option<String>,
    /// How often the observed value was seen.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seen: Option<u64>,
    /// Threshold crossed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub threshold: Option<f64>,
    /// The observed value as it stands in the packets, where it is one that stands in packets: rates and absence do not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub in_packet: Option<Box<InPacket>>,
    /// Further named values.
    #[serde(flatten)]
    pub more: std::collections::BTreeMap<String, serde_json::Value>,
}

impl Evidence {
    /// With the value as it stands in the packets.
    pub fn naming(self, value: impl Into<Option<InPacket>>) -> Evidence {
        Evidence { in_packet: value.into().map(Box::new), ..self }
    }
}

/// A finding; the fields of design §5 in their order.
#[derive(Clone, Debug, Serialize)]
pub struct Finding {
    /// Hash of detector, dedup key and first time.
    pub id: String,
    /// Rises with each change.
    pub rev: u32,
    /// First packet.
    #[serde(serialize_with = "rfc3339")]
    pub ts: Ts,
    /// Last packet.
    #[serde(serialize_with = "rfc3339")]
    pub ts_end: Ts,
    /// Packet time at which the evidence sufficed.
    #[serde(serialize_with = "rfc3339")]
    pub raised: Ts,
    /// Its parts, at most 200; the rest is counted in `episodes_more`.
    pub episodes: Vec<Episode>,
    /// Episodes beyond the first 200.
    #[serde(skip_serializing_if = "is_zero")]
    pub episodes_more: u64,
    /// Detector, from the fixed list.
    pub detector: &'static str,
    /// Headline.
    pub title: String,
    /// Consequence.
    pub severity: Severity,
    /// What it rests on.
    pub basis: Basis,
    /// ATT&CK technique ids, the most fitting first.
    pub attack: Vec<&'static str>,
    /// Who did it.
    pub src: Party,
    /// To whom.
    pub dst: Party,
    /// Protocol.
    pub proto: &'static str,
    /// Conversations, first 100.
    pub uids: Vec<String>,
    /// Community ID of the first conversation with IP.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub community_id: Option<String>,
    /// The packet that the sentence is of, then the first in order: 100 at most.
    pub packets: Vec<PacketRef>,
    /// One sentence that a plant engineer understands.
    pub why: String,
    /// What it rests on, in values.
    pub evidence: Evidence,
    /// What makes two observations the same finding.
    pub dedup_key: String,
    /// Observations folded into it.
    pub count: u64,
    /// Its first conversation, for formats that show its identity, ports and transport.
    #[serde(skip)]
    pub flow: FlowConst,
}

impl Finding {
    /// The id of a finding that begins at `ts`.
    pub fn id_of(detector: &str, dedup_key: &str, ts: Ts) -> String {
        ids::hash_hex(&[detector.as_bytes(), dedup_key.as_bytes(), &ts.0.to_le_bytes()])
    }
}

fn is_zero(n: &u64) -> bool {
    *n == 0
}

fn rfc3339<S: serde::Serializer>(ts: &Ts, s: S) -> Result<S::Ok, S::Error> {
    s.collect_str(ts)
}
