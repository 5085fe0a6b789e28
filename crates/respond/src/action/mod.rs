//! Actions, one file each: what is done, for how long, how it is undone. Each is noted before it is done, so that a crash leaves nothing that
//! is not undone at its time.

pub mod blocklist;
pub mod gateway;

use std::collections::BTreeMap;
use std::net::IpAddr;

use gwcore::Ts;
use gwcore::time::MINUTE;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::case::Actor;
use crate::guard::{Approval, Ask, Denied, Guard};
use crate::text;

/// What can be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ActionKind {
    /// An address goes on the list that firewalls fetch.
    Blocklist,
    /// A gateway drops what comes from or goes to an address.
    Gateway,
}

impl ActionKind {
    /// From its word.
    pub fn parse(word: &str) -> Option<ActionKind> {
        match word {
            "blocklist" => Some(ActionKind::Blocklist),
            "gateway" => Some(ActionKind::Gateway),
            _ => None,
        }
    }

    /// The word.
    pub fn name(self) -> &'static str {
        match self {
            ActionKind::Blocklist => "blocklist",
            ActionKind::Gateway => "gateway",
        }
    }
}

/// Where an action stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ActionState {
    /// Noted, about to be done; after a crash it may or may not be.
    Begun,
    /// In force.
    Applied,
    /// Undone.
    Undone,
    /// Could not be done; undone as far as it was.
    Failed,
}

/// Something done.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Action {
    /// `action-N`.
    pub id: String,
    /// What.
    pub kind: ActionKind,
    /// On whom.
    pub address: IpAddr,
    /// For which case.
    pub case: String,
    /// Why.
    pub reason: String,
    /// Who proposed it.
    pub proposed_by: Actor,
    /// Who approved it.
    pub approvals: Vec<Approval>,
    /// When it was begun.
    #[serde(with = "text::rfc3339")]
    pub begun: Ts,
    /// When it ends.
    #[serde(with = "text::rfc3339")]
    pub expires: Ts,
    /// When it was undone.
    #[serde(with = "text::rfc3339_option")]
    pub undone: Option<Ts>,
    /// Where it stands.
    pub state: ActionState,
    /// What the last step said.
    pub outcome: String,
}

/// What does one kind of action. Both calls may be repeated: the second changes nothing.
pub trait Effector: Send {
    /// Puts it in force until `expires`; a sentence for the record.
    fn apply(&mut self, action: &Action, now: Ts) -> Result<String, String>;
    /// Takes it back.
    fn undo(&mut self, action: &Action) -> Result<String, String>;
}

/// Keeps actions and the ledger; a failure to write is a reason not to act.
pub trait Journal: Send {
    /// Stores the action as it is now, before anything else happens.
    fn keep(&mut self, action: &Action) -> Result<(), String>;
    /// A line for the ledger.
    fn record(&mut self, kind: &str, actor: &str, data: &Value) -> Result<(), String>;
}

/// All actions in force, what does them, and the guard before them.
pub struct Actions {
    /// The guard.
    pub guard: Guard,
    effectors: BTreeMap<ActionKind, Box<dyn Effector>>,
    journal: Box<dyn Journal>,
    all: BTreeMap<String, Action>,
    next: u64,
}

/// Why an action did not come about.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The guard refused it.
    #[error(transparent)]
    Denied(#[from] Denied),
    /// There is nothing that does it.
    #[error("no {0} is configured")]
    None(&'static str),
    /// It did not work.
    #[error("{0}")]
    Failed(String),
}

/// What is asked for.
#[derive(Clone, Debug)]
pub struct Wanted<'a> {
    /// What.
    pub kind: ActionKind,
    /// On whom.
    pub address: &'a str,
    /// For how long, minutes.
    pub minutes: u64,
    /// For which case.
    pub case: &'a str,
    /// Why.
    pub reason: &'a str,
    /// Who proposed it.
    pub proposed_by: &'a Actor,
    /// Who approved it.
    pub approvals: &'a [Approval],
    /// Whether it concerns the control network.
    pub is_ot: bool,
}

impl Actions {
    /// With what was kept of former actions.
    pub fn new(guard: Guard, journal: Box<dyn Journal>, kept: impl IntoIterator<Item = Action>) -> Actions {
        let all: BTreeMap<String, Action> = kept.into_iter().map(|a| (a.id.clone(), a)).collect();
        let next = all.keys().filter_map(|id| id.strip_prefix("action-")?.parse::<u64>().ok()).max().unwrap_or(0) + 1;
        Actions { guard, effectors: BTreeMap::new(), journal, all, next }
    }

    /// What does a kind of action.
    pub fn install(&mut self, kind: ActionKind, effector: Box<dyn Effector>) {
        self.effectors.insert(kind, effector);
    }

    /// All actions.
    pub fn all(&self) -> impl Iterator<Item = &Action> {
        self.all.values()
    }

    /// Does it, if the guard allows it; noted before and after.
    pub fn apply(&mut self, wanted: &Wanted<'_>, now: Ts) -> Result<Action, Failure> {
        let ask = Ask {
            address: wanted.address,
            minutes: wanted.minutes,
            proposed_by: wanted.proposed_by,
            approvals: wanted.approvals,
            is_ot: wanted.is_ot,
        };
        let address = match self.guard.allows(&ask) {
            Ok(address) => address,
            Err(denied) => {
                let data = json!({ "action": wanted.kind.name(), "address": wanted.address, "case": wanted.case, "why": denied.to_string() });
                self.journal.record("action-denied", &wanted.proposed_by.name, &data).map_err(Failure::Failed)?;
                return Err(denied.into());
            }
        };
        if !self.effectors.contains_key(&wanted.kind) {
            return Err(Failure::None(wanted.kind.name()));
        }
        let mut action = Action {
            id: format!("action-{}", self.next),
            kind: wanted.kind,
            address,
            case: wanted.case.to_owned(),
            reason: wanted.reason.to_owned(),
            proposed_by: wanted.proposed_by.clone(),
            approvals: wanted.approvals.to_vec(),
            begun: now,
            expires: now.plus(i64::try_from(wanted.minutes).unwrap_or(0).saturating_mul(MINUTE)),
            undone: None,
            state: ActionState::Begun,
            outcome: "begun".to_owned(),
        };
        self.next += 1;
        // Without a record there is no action.
        self.journal.keep(&action).map_err(Failure::Failed)?;
        self.note("action-begun", &action)?;
        self.all.insert(action.id.clone(), action.clone());
        let Some(effector) = self.effectors.get_mut(&wanted.kind) else {
            return Err(Failure::None(wanted.kind.name()));
        };
        match effector.apply(&action, now) {
            Ok(outcome) => {
                (action.state, action.outcome) = (ActionState::Applied, outcome);
                self.settle("action-applied", &action)?;
                Ok(action)
            }
            Err(why) => {
                // Half of it may be in force.
                let undone =
                    effector.undo(&action).err().map(|e| format!("; undoing failed too: {e}")).unwrap_or_default();
                (action.state, action.outcome) = (
                    if undone.is_empty() { ActionState::Failed } else { ActionState::Begun },
                    format!("{why}{undone}"),
                );
                self.settle("action-failed", &action)?;
                Err(Failure::Failed(action.outcome))
            }
        }
    }

    /// Takes an action back before its time.
    pub fn undo(&mut self, id: &str, by: &str, now: Ts) -> Result<Action, Failure> {
        let Some(mut action) = self.all.get(id).cloned() else {
            return Err(Failure::Failed(format!("there is no `{id}`")));
        };
        if matches!(action.state, ActionState::Undone | ActionState::Failed) {
            return Ok(action);
        }
        let effector = self.effectors.get_mut(&action.kind).ok_or(Failure::None(action.kind.name()))?;
        match effector.undo(&action) {
            Ok(outcome) => {
                action.state = ActionState::Undone;
                action.undone = Some(now);
                action.outcome = format!("{outcome}, by {by}");
                self.settle("action-undone", &action)?;
                Ok(action)
            }
            Err(why) => {
                action.outcome = format!("undoing failed: {why}");
                self.settle("action-undo-failed", &action)?;
                Err(Failure::Failed(action.outcome))
            }
        }
    }

    /// Undoes what is at its end, also what a crash left; tells what could not be undone, which is tried again with the next call.
    pub fn expire(&mut self, now: Ts) -> Vec<Failure> {
        let due: Vec<String> = self
            .all
            .values()
            .filter(|a| matches!(a.state, ActionState::Begun | ActionState::Applied) && a.expires <= now)
            .map(|a| a.id.clone())
            .collect();
        due.iter().filter_map(|id| self.undo(id, "time limit", now).err()).collect()
    }

    /// The kill switch: nothing more is done, and everything in force is taken back.
    pub fn kill(&mut self, by: &str, now: Ts) -> Vec<Failure> {
        self.guard.killed = true;
        let active: Vec<String> = self
            .all
            .values()
            .filter(|a| matches!(a.state, ActionState::Begun | ActionState::Applied))
            .map(|a| a.id.clone())
            .collect();
        let record = self.journal.record("kill-switch", by, &json!({ "on": true, "taken_back": active }));
        let mut failures: Vec<Failure> = record.err().map(Failure::Failed).into_iter().collect();
        failures.extend(active.iter().filter_map(|id| self.undo(id, "kill switch", now).err()));
        failures
    }

    fn settle(&mut self, kind: &str, action: &Action) -> Result<(), Failure> {
        self.all.insert(action.id.clone(), action.clone());
        self.journal.keep(action).map_err(Failure::Failed)?;
        self.note(kind, action)
    }

    fn note(&mut self, kind: &str, action: &Action) -> Result<(), Failure> {
        let data = serde_json::to_value(action).map_err(|e| Failure::Failed(e.to_string()))?;
        self.journal.record(kind, &action.proposed_by.name, &data).map_err(Failure::Failed)
    }
}
