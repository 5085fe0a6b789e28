//! Playbooks: CACAO 2.0 read, checked and run; dry run by default, people approve, the guard decides last.

mod check;
mod condition;
mod model;
mod run;
pub mod shipped;
mod variables;

pub use check::{Problem, check, unrunnable};
pub use condition::evaluate;
pub use model::{Agent, Command, Playbook, Step, StepKind, Variable};
pub use run::{Engine, Host, Mode, Pending, Run, RunState, StepRecord, Waiting};
pub use variables::{Context, Values, insert};

/// The agent that stands for this program: `http-api` commands to it are our actions, and never go over a network.
pub const OURSELVES: &str = "http-api--7a1d5c3e-52b0-5d1b-9d35-1f0c6b9f7a01";
/// The group whose members confirm what a playbook asks of people.
pub const PEOPLE: &str = "group--2f6b8f0a-6a58-5c88-8f0b-7f1f2b0f9c02";
