//! `summary.json`: what was read, what was made of it, and what was not, in counts that add up.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::{ReadToContent, UnreadRow, Verdict};

/// One input file.
#[derive(Clone, Debug, Default, Serialize)]
pub struct FileSummary {
    /// Path as found under PATH.
    pub path: String,
    /// `read`, `not_capture`, `unreadable` or `damaged`.
    pub status: &'static str,
    /// Format, and what it was compressed with.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub format: Option<String>,
    /// Frames read.
    pub frames: u64,
    /// Frames that `--filter` left out; they are not among the frames read.
    #[serde(skip_serializing_if = "is_none")]
    pub filtered: u64,
    /// Frames decoded; with the reasons it adds up to the frames.
    pub decoded: u64,
    /// Frames not decoded, by reason.
    pub reasons: BTreeMap<String, u64>,
    /// Bytes of frames on the wire.
    pub bytes: u64,
    /// Frames of which not all was captured (snap length); what is missing of a TCP stream is a gap.
    pub cut_by_snaplen: u64,
    /// Frames that the file says were lost before they were captured: by the `interface`, by the `system` (pcapng statistics), and
    /// `between_packets` (counts in packet blocks, which tell of the same losses).
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub lost: BTreeMap<&'static str, u64>,
    /// The last record was cut off.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub truncated: bool,
    /// What is to be known of a file that could be read: it holds no packet, ends within one, or has a link type that is not read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// What is wrong with the file, and the remedy.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
}

/// Nothing to tell.
fn is_none(n: &u64) -> bool {
    *n == 0
}

/// Whether a detector was at work.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct DetectorSummary {
    /// The detector.
    pub detector: &'static str,
    /// It was given what it rests on, and its input was in the capture.
    pub at_work: bool,
    /// `at_work`, `input_not_seen`, `not_given` (no baseline or declaration), `left_out` (on the command line).
    pub state: &'static str,
    /// What it needs.
    pub needs: &'static str,
}

/// The whole run.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Summary {
    /// Version of this file's format.
    pub format_version: u32,
    /// Version of the program.
    pub version: String,
    /// Every file.
    pub files: Vec<FileSummary>,
    /// Frames of all files.
    pub frames: u64,
    /// What frames had to pass to be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub filter: Option<String>,
    /// Frames that did not pass; they are not among the frames read.
    #[serde(skip_serializing_if = "is_none")]
    pub filtered: u64,
    /// Frames decoded.
    pub decoded: u64,
    /// Frames not decoded, by reason.
    pub reasons: BTreeMap<String, u64>,
    /// Whether the run may say that all is well, and what it could not judge.
    pub verdict: Verdict,
    /// What is to be known of the baseline that it was judged by: sentences.
    pub remarks: Vec<String>,
    /// How much of the payload was read to its content.
    pub read_to_content: ReadToContent,
    /// Payload that no parser read, by protocol and port: utility protocols first, then by packets.
    pub unread: Vec<UnreadRow>,
    /// Which detectors were at work.
    pub detectors: Vec<DetectorSummary>,
    /// Frames of which not all was captured.
    pub cut_by_snaplen: u64,
    /// Frames that the files say were lost before they were captured, as in each.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub lost: BTreeMap<&'static str, u64>,
    /// Bytes of frames on the wire.
    pub bytes: u64,
    /// First frame, RFC 3339.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first: Option<String>,
    /// Last frame.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last: Option<String>,
    /// Seconds of packet time between them.
    pub span_seconds: f64,
    /// Records written, by kind.
    pub records: BTreeMap<String, u64>,
    /// `summary` or `full`.
    pub detail: &'static str,
    /// Limits hit, by name.
    pub drops: BTreeMap<String, u64>,
    /// Anomalies, by `protocol.reason`, exact.
    pub anomalies: BTreeMap<String, u64>,
    /// Mirrored copies left out.
    pub twins: u64,
    /// Times packet time went back.
    pub time_breaks: u64,
    /// Panics contained in parsers.
    pub panics: u64,
    /// Devices.
    pub assets: u64,
    /// Findings, by severity.
    pub findings: BTreeMap<&'static str, u64>,
    /// Conversations by protocol.
    pub services: BTreeMap<String, u64>,
    /// Shards that work was cut into.
    pub shards: u32,
    /// Wall-clock seconds; the only figure that differs between runs.
    pub seconds: f64,
}
