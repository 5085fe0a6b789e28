//! Where runs of playbooks meet what they may do: our own actions by name, each said before it is done.

use std::collections::BTreeSet;
use std::net::IpAddr;

use gwcore::Ts;
use serde_json::Value;

use crate::action::{ActionKind, Actions, Wanted};
use crate::playbook::{Host, Run};

/// What leaves the program through connectors, and what is kept beside.
pub trait Outlet: Send {
    /// Tells people; a sentence for the record.
    fn notify(&mut self, case: &str, text: &str) -> Result<String, String>;
    /// Opens or updates tickets of a case.
    fn ticket(&mut self, case: &str) -> Result<String, String>;
    /// A note in the case.
    fn note(&mut self, case: &str, text: &str) -> Result<String, String>;
    /// Keeps the evidence of a case from being deleted.
    fn hold(&mut self, case: &str) -> Result<String, String>;
}

/// The desk.
pub struct Desk {
    /// Actions with their guard.
    pub actions: Actions,
    outlet: Box<dyn Outlet>,
    /// Addresses that are declared to be office devices: all others count as the control network.
    office: BTreeSet<IpAddr>,
    now: Box<dyn Fn() -> Ts + Send>,
}

impl Desk {
    /// With actions, connectors, addresses declared as office, and a clock.
    pub fn new(
        actions: Actions,
        outlet: Box<dyn Outlet>,
        office: BTreeSet<IpAddr>,
        now: Box<dyn Fn() -> Ts + Send>,
    ) -> Desk {
        Desk { actions, outlet, office, now }
    }

    fn block<'a>(&self, run: &'a Run, parameters: &'a Value) -> Result<Wanted<'a>, String> {
        let text = |key: &str| parameters[key].as_str().unwrap_or("");
        let kind = ActionKind::parse(text("with"))
            .ok_or_else(|| format!("`{}` is neither blocklist nor gateway", text("with")))?;
        let minutes = parameters["minutes"].as_u64().or_else(|| text("minutes").parse().ok()).unwrap_or(0);
        Ok(Wanted {
            kind,
            address: parameters["address"].as_str().unwrap_or(""),
            minutes,
            case: &run.case,
            reason: parameters["reason"].as_str().unwrap_or(""),
            proposed_by: &run.proposed_by,
            approvals: &run.approvals,
            is_ot: self.is_ot("block", parameters),
        })
    }
}

impl Host for Desk {
    fn now(&self) -> Ts {
        (self.now)()
    }

    fn needs_approval(&self, action: &str) -> bool {
        !matches!(action, "notify" | "ticket" | "note" | "hold")
    }

    fn is_ot(&self, _action: &str, parameters: &Value) -> bool {
        let address = parameters["address"].as_str().and_then(|a| a.trim().parse::<IpAddr>().ok());
        address.is_none_or(|a| !self.office.contains(&a.to_canonical()))
    }

    fn plan(&mut self, run: &Run, action: &str, parameters: &Value) -> Result<String, String> {
        let text = || parameters["text"].as_str().unwrap_or("");
        match action {
            "notify" => Ok(format!("tell the people on duty: {}", text())),
            "ticket" => Ok("open or update the tickets of the case".to_owned()),
            "note" => Ok(format!("note in the case: {}", text())),
            "hold" => Ok("keep the evidence of the case".to_owned()),
            "block" => {
                let wanted = self.block(run, parameters)?;
                if self.actions.guard.killed {
                    return Err("the kill switch is on: nothing is done".to_owned());
                }
                let address = self.actions.guard.target(wanted.address).map_err(|e| e.to_string())?;
                Ok(format!("cut off {address} by {} for {} minutes", wanted.kind.name(), wanted.minutes))
            }
            other => Err(format!("there is no action `{other}`")),
        }
    }

    fn act(&mut self, run: &Run, action: &str, parameters: &Value) -> Result<String, String> {
        let text = parameters["text"].as_str().unwrap_or("");
        match action {
            "notify" => self.outlet.notify(&run.case, text),
            "ticket" => self.outlet.ticket(&run.case),
            "note" => self.outlet.note(&run.case, text),
            "hold" => self.outlet.hold(&run.case),
            "block" => {
                let now = self.now();
                let wanted = self.block(run, parameters)?;
                let done = self.actions.apply(&wanted, now).map_err(|e| e.to_string())?;
                Ok(format!("{}: {}, until {}", done.id, done.outcome, done.expires))
            }
            other => Err(format!("there is no action `{other}`")),
        }
    }
}
