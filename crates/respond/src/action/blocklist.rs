//! An external dynamic list: a text file of addresses, one a line, that firewalls fetch. Written whole or not at all.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::PathBuf;

use gwcore::Ts;

use crate::action::{Action, Effector};

/// Addresses on the list at most; small firewalls take no more.
const ADDRESSES: usize = 5_000;

/// The list in one file.
pub struct Blocklist {
    path: PathBuf,
    /// By action, so that two actions on one address do not undo each other.
    listed: BTreeMap<String, IpAddr>,
}

impl Blocklist {
    /// In this file, with the actions in force.
    pub fn new(path: PathBuf, in_force: impl IntoIterator<Item = (String, IpAddr)>) -> Blocklist {
        Blocklist { path, listed: in_force.into_iter().collect() }
    }

    fn write(&self) -> Result<(), String> {
        let mut addresses: Vec<IpAddr> = self.listed.values().copied().collect();
        addresses.sort();
        addresses.dedup();
        let text: String = addresses.iter().map(|a| format!("{a}\n")).collect();
        let beside = self.path.with_extension("new");
        std::fs::write(&beside, text)
            .and_then(|()| std::fs::rename(&beside, &self.path))
            .map_err(|e| format!("cannot write `{}`: {e}", self.path.display()))
    }
}

impl Effector for Blocklist {
    fn apply(&mut self, action: &Action, _now: Ts) -> Result<String, String> {
        if self.listed.len() >= ADDRESSES {
            return Err(format!("the list is full: {ADDRESSES} addresses"));
        }
        self.listed.insert(action.id.clone(), action.address);
        self.write()?;
        Ok(format!("{} is on the list", action.address))
    }

    fn undo(&mut self, action: &Action) -> Result<String, String> {
        self.listed.remove(&action.id);
        self.write()?;
        Ok(format!("{} is off the list, as far as this action is concerned", action.address))
    }
}
