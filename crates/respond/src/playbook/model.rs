//! The parts of a CACAO 2.0 playbook that are read (OASIS, Security Playbooks 2.0; `specs/cacao.md`).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A playbook.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Playbook {
    /// `playbook--UUID`.
    pub id: String,
    /// Name.
    pub name: String,
    /// What it is for.
    #[serde(default)]
    pub description: String,
    /// Version.
    pub modified: String,
    /// Not to be used any more.
    #[serde(default)]
    pub revoked: bool,
    /// First step.
    pub workflow_start: String,
    /// Where failures without a way of their own lead.
    #[serde(default)]
    pub workflow_exception: Option<String>,
    /// Steps by id.
    pub workflow: BTreeMap<String, Step>,
    /// Variables by name, `__name__`.
    #[serde(default)]
    pub playbook_variables: BTreeMap<String, Variable>,
    /// Who executes.
    #[serde(default)]
    pub agent_definitions: BTreeMap<String, Agent>,
    /// On whom.
    #[serde(default)]
    pub target_definitions: BTreeMap<String, Agent>,
    /// Labels.
    #[serde(default)]
    pub labels: Vec<String>,
}

/// Kind of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StepKind {
    /// Where it begins.
    Start,
    /// Where it or a branch ends.
    End,
    /// Commands.
    Action,
    /// Another playbook.
    PlaybookAction,
    /// Branches that are all taken.
    Parallel,
    /// One of two ways.
    IfCondition,
    /// A way as long as a condition holds.
    WhileCondition,
    /// One of several ways.
    SwitchCondition,
}

/// A step.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Step {
    /// Kind.
    #[serde(rename = "type")]
    pub kind: StepKind,
    /// Name.
    #[serde(default)]
    pub name: String,
    /// Pause before it, ms.
    #[serde(default)]
    pub delay: Option<u64>,
    /// Longest time, ms.
    #[serde(default)]
    pub timeout: Option<u64>,
    /// Next, whatever came of it.
    #[serde(default)]
    pub on_completion: Option<String>,
    /// Next after success.
    #[serde(default)]
    pub on_success: Option<String>,
    /// Next after failure.
    #[serde(default)]
    pub on_failure: Option<String>,
    /// Commands of an action.
    #[serde(default)]
    pub commands: Vec<Command>,
    /// Who executes them.
    #[serde(default)]
    pub agent: Option<String>,
    /// On whom.
    #[serde(default)]
    pub targets: Vec<String>,
    /// Condition of if and while.
    #[serde(default)]
    pub condition: Option<String>,
    /// Way where it holds.
    #[serde(default)]
    pub on_true: Option<String>,
    /// Way where it does not.
    #[serde(default)]
    pub on_false: Option<String>,
    /// Branches.
    #[serde(default)]
    pub next_steps: Vec<String>,
    /// Variable of a switch.
    #[serde(default)]
    pub switch: Option<String>,
    /// Ways of a switch by value; `default` where none fits.
    #[serde(default)]
    pub cases: BTreeMap<String, String>,
    /// Variables of this step.
    #[serde(default)]
    pub step_variables: BTreeMap<String, Variable>,
}

/// A command.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Command {
    /// `manual`, `http-api`, …
    #[serde(rename = "type")]
    pub kind: String,
    /// Text, or request line.
    #[serde(default)]
    pub command: String,
    /// Description.
    #[serde(default)]
    pub description: String,
    /// Headers of an HTTP request.
    #[serde(default)]
    pub headers: BTreeMap<String, Vec<String>>,
    /// Body of an HTTP request.
    #[serde(default)]
    pub content: Option<String>,
}

/// An agent or target.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Agent {
    /// `group`, `http-api`, …
    #[serde(rename = "type")]
    pub kind: String,
    /// Name.
    #[serde(default)]
    pub name: String,
    /// Where it is reached.
    #[serde(default)]
    pub address: Value,
    /// Port.
    #[serde(default)]
    pub port: Option<String>,
}

/// A variable.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Variable {
    /// `string`, `ipv4-addr`, …
    #[serde(rename = "type")]
    pub kind: String,
    /// What it is for.
    #[serde(default)]
    pub description: String,
    /// Value, always text.
    #[serde(default)]
    pub value: Option<String>,
    /// Cannot be set.
    #[serde(default)]
    pub constant: bool,
    /// Given by whoever starts the playbook.
    #[serde(default)]
    pub external: bool,
}
