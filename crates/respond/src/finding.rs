//! Findings and devices as other programs see them: a line of `alerts.ndjson` or `assets.ndjson`, read back.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::path::Path;

use gwcore::{Severity, Ts};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::text;

/// Bytes of the longest line that is read; a longer one is an error.
const LINE: usize = 16 << 20;

/// What went wrong while a file of lines was read.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file could not be read or written.
    #[error("cannot read or write `{path}`: {cause}")]
    File {
        /// Which.
        path: String,
        /// Why.
        cause: std::io::Error,
    },
    /// A line that is not what it should be.
    #[error("`{path}` line {line}: {cause}")]
    Line {
        /// Which file.
        path: String,
        /// Line number from 1.
        line: usize,
        /// Why.
        cause: String,
    },
}

impl Error {
    /// For `map_err`.
    pub fn file(path: &Path) -> impl FnOnce(std::io::Error) -> Error + use<> {
        let path = path.display().to_string();
        move |cause| Error::File { path, cause }
    }
}

/// One end of a finding; every part may be unknown.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Party {
    /// Device id in the inventory.
    pub asset: Option<String>,
    /// Name.
    pub name: Option<String>,
    /// MAC address.
    pub mac: Option<String>,
    /// IP address.
    pub ip: Option<String>,
    /// Port.
    pub port: Option<u16>,
    /// User.
    pub user: Option<String>,
}

impl Party {
    /// What tells this device from others: its id in the inventory, else its address, else its MAC; none where nothing is known.
    pub fn key(&self) -> Option<&str> {
        self.asset.as_deref().or(self.ip.as_deref()).or(self.mac.as_deref())
    }

    /// What people call it: name and address, or what there is.
    pub fn shown(&self) -> String {
        let address = self.ip.as_deref().or(self.mac.as_deref());
        match (self.name.as_deref(), address) {
            (Some(name), Some(address)) => format!("{name} ({address})"),
            (Some(one), None) | (None, Some(one)) => one.to_owned(),
            (None, None) => self.asset.clone().unwrap_or_else(|| "an unknown device".to_owned()),
        }
    }
}

/// A packet by file and frame number.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct PacketRef {
    /// File as the analysis named it.
    pub file: String,
    /// Frame number from 1.
    pub frame: u64,
}

#[derive(Deserialize)]
struct Line {
    id: String,
    #[serde(default)]
    rev: u32,
    #[serde(with = "text::rfc3339")]
    ts: Ts,
    #[serde(with = "text::rfc3339")]
    ts_end: Ts,
    #[serde(with = "text::rfc3339")]
    raised: Ts,
    detector: String,
    title: String,
    #[serde(with = "text::severity")]
    severity: Severity,
    #[serde(default)]
    attack: Vec<String>,
    #[serde(default)]
    src: Party,
    #[serde(default)]
    dst: Party,
    #[serde(default)]
    proto: String,
    #[serde(default)]
    uids: Vec<String>,
    #[serde(default)]
    packets: Vec<PacketRef>,
    #[serde(default)]
    why: String,
    #[serde(default)]
    count: u64,
}

/// A finding: the fields that cases and actions need, and the whole of it as it came.
#[derive(Clone, Debug)]
pub struct Finding {
    /// Its id; stays the same over all revisions.
    pub id: String,
    /// Rises with each change.
    pub rev: u32,
    /// First packet.
    pub ts: Ts,
    /// Last packet.
    pub ts_end: Ts,
    /// When the evidence sufficed.
    pub raised: Ts,
    /// Detector.
    pub detector: String,
    /// Headline.
    pub title: String,
    /// Consequence for the plant.
    pub severity: Severity,
    /// ATT&CK technique ids, the most fitting first.
    pub attack: Vec<String>,
    /// Who did it.
    pub src: Party,
    /// To whom.
    pub dst: Party,
    /// Protocol.
    pub proto: String,
    /// Conversations.
    pub uids: Vec<String>,
    /// Packets.
    pub packets: Vec<PacketRef>,
    /// One sentence.
    pub why: String,
    /// Observations folded into it.
    pub count: u64,
    /// The whole line.
    pub raw: Value,
}

impl Finding {
    /// From the JSON of one finding.
    pub fn from_json(raw: Value) -> Result<Finding, serde_json::Error> {
        let l = Line::deserialize(&raw)?;
        Ok(Finding {
            id: l.id,
            rev: l.rev,
            ts: l.ts,
            ts_end: l.ts_end,
            raised: l.raised,
            detector: l.detector,
            title: l.title,
            severity: l.severity,
            attack: l.attack,
            src: l.src,
            dst: l.dst,
            proto: l.proto,
            uids: l.uids,
            packets: l.packets,
            why: l.why,
            count: l.count,
            raw,
        })
    }

    /// All findings of an `alerts.ndjson`.
    pub fn read_all(path: &Path) -> Result<Vec<Finding>, Error> {
        let mut out = Vec::new();
        lines(path, |n, raw| {
            out.push(Finding::from_json(raw).map_err(|e| bad_line(path, n, &e))?);
            Ok(())
        })?;
        Ok(out)
    }
}

/// A device of the inventory: what actions and reports need of it, and the whole line.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub struct Device {
    /// Its id.
    pub id: String,
    /// MAC addresses.
    #[serde(default)]
    pub macs: Vec<String>,
    /// IP addresses.
    #[serde(default)]
    pub ips: Vec<String>,
    /// Roles.
    #[serde(default)]
    pub roles: Vec<String>,
    /// What it serves.
    #[serde(default)]
    pub services: Vec<String>,
    /// Protocols spoken, with the side it takes.
    #[serde(default)]
    pub protocols: Vec<String>,
    /// The rest.
    #[serde(flatten)]
    pub more: BTreeMap<String, Value>,
}

impl Device {
    /// All devices of an `assets.ndjson`.
    pub fn read_all(path: &Path) -> Result<Vec<Device>, Error> {
        let mut out = Vec::new();
        lines(path, |n, raw| {
            out.push(Device::deserialize(raw).map_err(|e| bad_line(path, n, &e))?);
            Ok(())
        })?;
        Ok(out)
    }

    /// The best name it is known by.
    pub fn name(&self) -> Option<&str> {
        self.more.get("names")?.as_array()?.first()?.get("name")?.as_str()
    }
}

fn bad_line(path: &Path, line: usize, cause: &dyn std::fmt::Display) -> Error {
    Error::Line { path: path.display().to_string(), line, cause: cause.to_string() }
}

fn lines(path: &Path, mut each: impl FnMut(usize, Value) -> Result<(), Error>) -> Result<(), Error> {
    let file = std::fs::File::open(path).map_err(Error::file(path))?;
    let mut reader = BufReader::new(file);
    let mut line = Vec::new();
    for n in 1.. {
        line.clear();
        let read =
            std::io::Read::take(&mut reader, LINE as u64).read_until(b'\n', &mut line).map_err(Error::file(path))?;
        if read == 0 {
            break;
        }
        if read == LINE {
            return Err(bad_line(path, n, &"longer than 16 MiB"));
        }
        if line.iter().all(u8::is_ascii_whitespace) {
            continue;
        }
        let value = serde_json::from_slice(&line).map_err(|e| bad_line(path, n, &e))?;
        each(n, value)?;
    }
    Ok(())
}
