//! What decides last whether something is done to the plant: the kill switch, the no-touch list, approvals by other people, time limits.
//! Nothing passes by it; playbooks, people and other systems are refused alike.

use std::collections::BTreeSet;
use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::finding::Device;

/// Words in the protocols or services of a device that speaks a utility protocol.
const UTILITY: &[&str] = &[
    "modbus", "dnp3", "iec104", "s7", "goose", "mms", "iccp", "opc", "bacnet", "enip", "cip", "profinet", "ethercat",
    "c37118", "ptp", "sv", "tpkt", "cotp", "iec61850", "hart",
];
/// Longest time that an action may last, minutes.
pub const LONGEST: u64 = 24 * 60;

/// Roles, from the least to the most.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Reads.
    Viewer,
    /// Works on findings and cases, proposes.
    Analyst,
    /// Approves what others proposed.
    Approver,
    /// All of it, but not approving what he proposed himself.
    Admin,
}

/// Who approved.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Approval {
    /// User name.
    pub by: String,
    /// Role at that time.
    pub role: Role,
    /// When.
    #[serde(with = "crate::text::rfc3339")]
    pub at: gwcore::Ts,
}

/// Why something is not done.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Denied {
    /// The kill switch is on.
    #[error("the kill switch is on: nothing is done")]
    Killed,
    /// It would concern an asset that must not be touched.
    #[error("{address} is on the no-touch list ({reason})")]
    NoTouch {
        /// Address asked for.
        address: String,
        /// Why it is on the list.
        reason: String,
    },
    /// People are missing.
    #[error("{0}")]
    Approval(String),
    /// Too long, or without an end.
    #[error("an action lasts 1 to {LONGEST} minutes, not {0}")]
    Limit(u64),
    /// No address, or one that is nobody's.
    #[error("`{0}` is no address that can be acted upon")]
    Address(String),
}

/// An asset that nothing is done to.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Entry {
    /// Device id, where known.
    pub asset: String,
    /// Addresses.
    pub ips: BTreeSet<IpAddr>,
    /// MAC addresses, lower case.
    pub macs: BTreeSet<String>,
    /// Why.
    pub reason: String,
}

/// The list of assets that nothing is done to.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct NoTouch {
    entries: Vec<Entry>,
}

impl NoTouch {
    /// Every device of an approved baseline or site model that speaks a utility protocol. A later newcomer is not among them.
    pub fn from_devices(devices: &[Device]) -> NoTouch {
        let mut list = NoTouch::default();
        for d in devices.iter().filter(|d| speaks_utility(d)) {
            let ips = d.ips.iter().filter_map(|ip| ip.parse().ok()).collect();
            let macs = d.macs.iter().map(|m| m.to_lowercase()).collect();
            list.add(Entry { asset: d.id.clone(), ips, macs, reason: "speaks a utility protocol".to_owned() });
        }
        list
    }

    /// Adds an asset; anybody may.
    pub fn add(&mut self, entry: Entry) {
        self.entries.push(entry);
    }

    /// Takes an asset from the list; only an approver may.
    pub fn remove(&mut self, asset: &str, role: Role) -> Result<bool, Denied> {
        if role < Role::Approver {
            return Err(Denied::Approval("only an approver shortens the no-touch list".to_owned()));
        }
        let before = self.entries.len();
        self.entries.retain(|e| e.asset != asset);
        Ok(self.entries.len() < before)
    }

    /// The entries.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// The entry that an address belongs to.
    pub fn covers(&self, address: &IpAddr) -> Option<&Entry> {
        let address = address.to_canonical();
        self.entries.iter().find(|e| e.ips.iter().any(|ip| ip.to_canonical() == address))
    }

    /// The entry that a MAC address belongs to.
    pub fn covers_mac(&self, mac: &str) -> Option<&Entry> {
        let mac = mac.to_lowercase();
        self.entries.iter().find(|e| e.macs.contains(&mac))
    }
}

/// Whether a device speaks a utility protocol, on either side.
pub fn speaks_utility(d: &Device) -> bool {
    let words = d.protocols.iter().chain(&d.services).map(|w| w.to_lowercase());
    words.into_iter().any(|w| {
        let first = w.split(|c: char| !c.is_ascii_alphanumeric()).next().unwrap_or("");
        UTILITY.iter().any(|u| first.starts_with(u))
    })
}

/// What is asked for.
#[derive(Clone, Debug)]
pub struct Ask<'a> {
    /// Address that is to be cut off.
    pub address: &'a str,
    /// For how long, minutes.
    pub minutes: u64,
    /// Who proposed it.
    pub proposed_by: &'a crate::case::Actor,
    /// Who approved it.
    pub approvals: &'a [Approval],
    /// Whether it concerns the control network; what is not known to be an office device does.
    pub is_ot: bool,
}

/// The state against which everything is held.
#[derive(Clone, Debug, Default)]
pub struct Guard {
    /// The no-touch list.
    pub no_touch: NoTouch,
    /// Whether the kill switch is on.
    pub killed: bool,
}

impl Guard {
    /// Whether this may be done; gives the address as it is to be used.
    pub fn allows(&self, ask: &Ask<'_>) -> Result<IpAddr, Denied> {
        if self.killed {
            return Err(Denied::Killed);
        }
        let address = self.target(ask.address)?;
        if !(1..=LONGEST).contains(&ask.minutes) {
            return Err(Denied::Limit(ask.minutes));
        }
        enough(ask.proposed_by, ask.approvals, ask.is_ot)?;
        Ok(address)
    }

    /// The address of a target that may be acted upon at all: one host, not everybody's, not on the no-touch list.
    pub fn target(&self, address: &str) -> Result<IpAddr, Denied> {
        let parsed: IpAddr = address.trim().parse().map_err(|_| Denied::Address(address.to_owned()))?;
        let parsed = parsed.to_canonical();
        if parsed.is_unspecified() || parsed.is_multicast() || parsed.is_loopback() || parsed == IpAddr::from([255; 4])
        {
            return Err(Denied::Address(address.to_owned()));
        }
        match self.no_touch.covers(&parsed) {
            Some(entry) => Err(Denied::NoTouch { address: address.to_owned(), reason: entry.reason.clone() }),
            None => Ok(parsed),
        }
    }
}

/// Whether the approvals suffice: an approver other than who proposed it, and for the control network two people in all.
pub fn enough(proposed_by: &crate::case::Actor, approvals: &[Approval], is_ot: bool) -> Result<(), Denied> {
    let others: BTreeSet<&str> = approvals
        .iter()
        .filter(|a| a.role >= Role::Approver && a.by != proposed_by.name)
        .map(|a| a.by.as_str())
        .collect();
    let eyes = others.len() + usize::from(proposed_by.is_person);
    let needed = if is_ot { 2 } else { 1 };
    match (others.is_empty(), eyes < needed) {
        (true, _) => Err(Denied::Approval("an approver other than who proposed it must approve".to_owned())),
        (_, true) => {
            Err(Denied::Approval("the control network is concerned: a second approver must approve".to_owned()))
        }
        _ => Ok(()),
    }
}
