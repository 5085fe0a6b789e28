//! What is known of an input once it was read: frames, span, and everything that was wrong with it.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::PathBuf;

use gwcore::Ts;

use crate::error::{Damage, Error};
use crate::frame::LinkType;

/// One input and what came of it.
#[derive(Clone, Debug)]
pub struct FileReport {
    /// The path as found under the path that was asked for; `-` for standard input.
    pub path: PathBuf,
    /// Whether it was read at all.
    pub status: Status,
    /// The layout of the file, once known.
    pub format: Option<Format>,
    /// How the file was packed.
    pub compression: Compression,
    /// Frames handed out.
    pub frames: u64,
    /// Frames that did not pass the filter: numbered, not handed out.
    pub filtered: u64,
    /// Captured bytes of these frames, without file and record headers.
    pub bytes: u64,
    /// The earliest time of a frame.
    pub first: Option<Ts>,
    /// The latest time of a frame.
    pub last: Option<Ts>,
    /// Frames by link type.
    pub link_types: BTreeMap<LinkType, u64>,
    /// Where the last record was cut by the end of the file: an anomaly, not an error.
    pub truncated: Option<Place>,
    /// Where the file was damaged before its end: an error; the frames before it were read.
    pub damage: Option<Damage>,
    /// Records longer than `Limit::FrameBytes`: numbered, not handed out.
    pub skipped_long: u64,
    /// Packet blocks of an interface that no block describes, or with lengths that contradict each other: numbered, not handed out.
    pub skipped_invalid: u64,
    /// Frames whose time is out of range (years 1677 to 2262) or has a fraction of more than a second; it was clamped or added up.
    pub bad_times: u64,
    /// Frames without a time (simple packet blocks): they bear the time of the frame before.
    pub untimed: u64,
    /// Frames that the capture itself says were lost before they could be written.
    pub lost: Lost,
    /// pcapng sections.
    pub sections: u64,
    /// Comments in the options of pcapng blocks.
    pub comments: u64,
    /// Decryption secrets blocks.
    pub secrets: u64,
    /// Addresses and names of the name resolution blocks, in file order, at most `Limit::ResolvedNames`.
    pub names: Vec<(IpAddr, String)>,
    /// Pairs of address and name beyond the limit.
    pub names_left_out: u64,
    /// Blocks that carry no frame and are not read, custom and unknown ones.
    pub other_blocks: u64,
}

impl FileReport {
    /// A report of an input of which nothing is known yet.
    pub(crate) fn new(path: PathBuf, status: Status) -> FileReport {
        FileReport {
            path,
            status,
            format: None,
            compression: Compression::None,
            frames: 0,
            filtered: 0,
            bytes: 0,
            first: None,
            last: None,
            link_types: BTreeMap::new(),
            truncated: None,
            damage: None,
            skipped_long: 0,
            skipped_invalid: 0,
            bad_times: 0,
            untimed: 0,
            lost: Lost::default(),
            sections: 0,
            comments: 0,
            secrets: 0,
            names: Vec::new(),
            names_left_out: 0,
            other_blocks: 0,
        }
    }

    /// Whether the command failed in part because of this input: unreadable, or damaged before its end.
    pub fn failed(&self) -> bool {
        self.damage.is_some() || matches!(self.status, Status::Unreadable(_))
    }

    /// The reason in one line, if the input failed.
    pub fn reason(&self) -> Option<String> {
        match (&self.status, &self.damage) {
            (Status::Unreadable(err), _) => Some(err.to_string()),
            (_, Some(damage)) => Some(damage.to_string()),
            _ => None,
        }
    }

    /// What to do about it, if the input failed.
    pub fn remedy(&self) -> Option<&'static str> {
        match (&self.status, &self.damage) {
            (Status::Unreadable(err), _) => Some(err.remedy()),
            (_, Some(_)) => Some("copy the file again, or record again; what comes before the damage was read"),
            _ => None,
        }
    }
}

/// Frames lost on the way into a capture, by who counted them (draft-ietf-opsawg-pcapng sections 4.3 and 4.6).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Lost {
    /// By interfaces, for want of room there (`isb_ifdrop`).
    pub interface: u64,
    /// By the operating system (`isb_osdrop`).
    pub system: u64,
    /// Told by packet blocks of the time since the packet before (`epb_dropcount`).
    pub between: u64,
}

impl Lost {
    /// Frames lost: packet blocks tell of the same losses as the statistics, so the greater count holds.
    pub fn total(&self) -> u64 {
        self.interface.saturating_add(self.system).max(self.between)
    }
}

/// A stretch of time in which an interface lost frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Loss {
    /// The last moment up to which nothing is known to be missing.
    pub from: Ts,
    /// The moment at which the loss was counted.
    pub to: Ts,
    /// Frames lost.
    pub lost: u64,
    /// Frames of the interface that were captured in it.
    pub seen: u64,
}

/// Whether an input can be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Status {
    /// It is a capture, or was asked for by name.
    Capture,
    /// A file in a folder that does not begin like a capture, also after unpacking: listed, no error.
    NotCapture,
    /// It cannot be read.
    Unreadable(Error),
}

/// The layout of a capture file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// libpcap's savefile format, any variant.
    Pcap,
    /// draft-ietf-opsawg-pcapng.
    Pcapng,
}

impl Format {
    /// The name used in reports.
    pub fn name(self) -> &'static str {
        match self {
            Format::Pcap => "pcap",
            Format::Pcapng => "pcapng",
        }
    }
}

/// How a file is packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compression {
    /// Not at all.
    None,
    /// RFC 1952, one or several members.
    Gzip,
    /// RFC 8878, one or several frames.
    Zstd,
}

impl Compression {
    /// The name used in reports; none for a plain file.
    pub fn name(self) -> Option<&'static str> {
        match self {
            Compression::None => None,
            Compression::Gzip => Some("gzip"),
            Compression::Zstd => Some("zstd"),
        }
    }
}

/// A place in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// Offset of the record in the file, in unpacked bytes.
    pub offset: u64,
    /// Number of the last frame before it, 0 when there is none.
    pub frame: u64,
}
