//! What the console asks of the program that embeds it, because it needs that program's configuration: playbooks, actions, destinations, the
//! evidence of a case.

use std::collections::BTreeMap;

use respond::Case;
use respond::action::Action;
use respond::guard::Role;
use respond::playbook::Run;
use serde::Serialize;
use serde_json::Value;

/// Who asks, as the session says.
#[derive(Clone, Debug)]
pub struct Person {
    /// User name.
    pub name: String,
    /// Role.
    pub role: Role,
}

/// A run that somebody wants.
#[derive(Clone, Debug, Default)]
pub struct Wish {
    /// The case.
    pub case: String,
    /// Name of the playbook; without it the one that fits the case.
    pub playbook: Option<String>,
    /// Does it after approvals; otherwise a dry run.
    pub live: bool,
    /// Variables that differ from what the case gives, by name without the underscores.
    pub values: BTreeMap<String, String>,
}

/// A playbook as people choose it.
#[derive(Clone, Debug, Serialize)]
pub struct Playbook {
    /// Name under which it is proposed.
    pub name: String,
    /// CACAO id, as runs name it.
    pub id: String,
    /// Title.
    pub title: String,
    /// What it is for.
    pub description: String,
    /// Its steps in the order of its document: name and what it does.
    pub steps: Vec<(String, String)>,
    /// Variables with their values where they are set: name without the underscores, meaning, value.
    pub variables: Vec<(String, String, Option<String>)>,
}

/// A destination and how it does.
#[derive(Clone, Debug, Serialize)]
pub struct Destination {
    /// Name.
    pub name: String,
    /// Kind of system.
    pub kind: String,
    /// Least severity that is sent.
    pub severity: String,
    /// What is sent.
    pub events: Vec<String>,
    /// Events that wait; none where another process holds the queue.
    pub waiting: Option<u64>,
    /// Events the receiver refused for good.
    pub dead: Option<u64>,
    /// Bytes of the queue on the disk.
    pub bytes: Option<u64>,
    /// How its deliveries do, where this process delivers: as `connect::Health` says.
    pub health: Option<Value>,
}

/// Why something was not done; the text is for whoever asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// It makes no sense.
    #[error("{0}")]
    Bad(String),
    /// There is no such thing.
    #[error("there is no {0}")]
    Missing(String),
    /// The person may not.
    #[error("{0}")]
    Forbidden(String),
    /// It was tried and did not work: another system, or the guard, refused.
    #[error("{0}")]
    Failed(String),
}

/// The program behind the console. Every call may block; each change is in the ledger when it returns.
pub trait Office: Send + Sync + std::fmt::Debug {
    /// Playbooks that can be proposed.
    fn playbooks(&self) -> Vec<Playbook>;
    /// Proposes a run and brings it as far as it goes without anybody.
    fn propose(&self, who: &Person, wish: &Wish) -> Result<Run, Refusal>;
    /// Approves a run that somebody else proposed.
    fn approve(&self, who: &Person, run: &str) -> Result<Run, Refusal>;
    /// Answers what a run asks of people.
    fn answer(&self, who: &Person, run: &str, yes: bool) -> Result<Run, Refusal>;
    /// Ends a run for good: refused by an approver, or stopped.
    fn stop(&self, who: &Person, run: &str, reason: &str) -> Result<Run, Refusal>;
    /// Takes an action back before its time.
    fn undo(&self, who: &Person, action: &str) -> Result<Action, Refusal>;
    /// Who turned the kill switch on; none while it is off.
    fn killed_by(&self) -> Option<String>;
    /// Turns the kill switch; what could not be taken back, a sentence each.
    fn kill(&self, who: &Person, on: bool, reason: &str) -> Result<Vec<String>, Refusal>;
    /// The destinations of the configuration.
    fn destinations(&self) -> Vec<Destination>;
    /// Asks a destination whether it is there and accepts us; sends nothing.
    fn probe(&self, destination: &str) -> Result<String, Refusal>;
    /// Sends one event that says of itself that it is a test.
    fn test(&self, who: &Person, destination: &str) -> Result<String, Refusal>;
    /// What a destination refused for good, oldest first, at most `limit` after the first `skip`.
    fn dead(&self, destination: &str, skip: usize, limit: usize) -> Result<Vec<Value>, Refusal>;
    /// Puts what was refused back into the queue: these, or all; how many.
    fn resend(&self, who: &Person, destination: &str, ids: &[String]) -> Result<usize, Refusal>;
    /// Approves the baseline that the running platform proposes: `sha256` is that of the proposal that was looked at; what is under suspicion is
    /// left out unless it is accepted. What was taken (`entries`) and left out (`left_out`).
    fn approve_baseline(
        &self,
        who: &Person,
        sha256: &str,
        accept: &[String],
        leave_out: &[String],
    ) -> Result<Value, Refusal>;
    /// The packets of a finding (a line of `alerts.ndjson`) as pcapng: those it cites, and what its parties said around them where the ring
    /// still holds it.
    fn packets(&self, finding: &Value) -> Result<Vec<u8>, Refusal>;
    /// The evidence of a case as a tar archive that opens without us: file name and bytes.
    fn evidence(&self, who: &Person, case: &Case) -> Result<(String, Vec<u8>), Refusal>;
}
