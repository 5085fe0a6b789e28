//! Runs playbooks step by step. A run waits for people and can be stopped at any step; what it would do it says in a dry run, which is the default.

use std::collections::BTreeMap;

use gwcore::Ts;
use gwcore::time::{HOUR, MILLI};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::case::Actor;
use crate::guard::{Approval, Denied, Role, enough};
use crate::playbook::OURSELVES;
use crate::playbook::condition::evaluate;
use crate::playbook::model::{Command, Playbook, Step, StepKind};
use crate::playbook::variables::{Context, Values, fits, insert};
use crate::text;

/// Steps that a run may take.
const STEPS: u32 = 1_000;
/// Rounds of one while step.
const ROUNDS: u32 = 100;
/// Longest time of a run, ns.
const RUN: i64 = 72 * HOUR;
/// How long people are waited for where the step sets no time, ns.
const PEOPLE_WAIT: i64 = 24 * HOUR;

/// Whether anything is done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    /// Says what it would do.
    #[default]
    Dry,
    /// Does it.
    Live,
}

/// Where a run stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RunState {
    /// Goes on with the next call.
    Running,
    /// Waits for somebody or for a time.
    Waiting,
    /// At its end.
    Done,
    /// Ended by a failure.
    Failed,
    /// Stopped by a person or the kill switch.
    Stopped,
}

/// What a run waits for.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Waiting {
    /// The step.
    pub step: String,
    /// For what.
    pub pending: Pending,
    /// Until when; then the step has failed, or the pause is over.
    #[serde(with = "text::rfc3339")]
    pub until: Ts,
}

/// Kinds of waiting.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Pending {
    /// A person confirms or refuses.
    Person(String),
    /// An approval; the text says which.
    Approval(String),
    /// A pause.
    Pause,
}

/// What a step did.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct StepRecord {
    /// The step.
    pub step: String,
    /// Its name.
    pub name: String,
    /// When.
    #[serde(with = "text::rfc3339")]
    pub at: Ts,
    /// Whether it worked.
    pub ok: bool,
    /// What came of it.
    pub text: String,
}

/// One run of a playbook.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Run {
    /// `run-N`.
    pub id: String,
    /// The playbook.
    pub playbook: String,
    /// Its version.
    pub modified: String,
    /// For which case.
    pub case: String,
    /// Dry or live.
    pub mode: Mode,
    /// Who proposed it.
    pub proposed_by: Actor,
    /// Who approved it.
    pub approvals: Vec<Approval>,
    /// Values of variables.
    pub values: Values,
    /// Where it stands.
    pub state: RunState,
    /// Next step.
    pub at: Option<String>,
    /// Steps to go on with where a branch ends.
    pub after: Vec<String>,
    /// What it waits for.
    pub waiting: Option<Waiting>,
    /// What a person answered to the step that waits.
    pub answer: Option<bool>,
    /// What was done.
    pub log: Vec<StepRecord>,
    /// Steps taken, also those that only lead on.
    #[serde(default)]
    pub steps: u32,
    /// Rounds by while step.
    pub rounds: BTreeMap<String, u32>,
    /// When it began.
    #[serde(with = "text::rfc3339")]
    pub begun: Ts,
}

/// What carries out our actions for a run.
pub trait Host {
    /// Now.
    fn now(&self) -> Ts;
    /// Whether an action changes something outside: then it needs approvals.
    fn needs_approval(&self, action: &str) -> bool;
    /// Whether an action with these parameters concerns the control network.
    fn is_ot(&self, action: &str, parameters: &Value) -> bool;
    /// Says what an action would do, or why it would be refused.
    fn plan(&mut self, run: &Run, action: &str, parameters: &Value) -> Result<String, String>;
    /// Does it.
    fn act(&mut self, run: &Run, action: &str, parameters: &Value) -> Result<String, String>;
}

/// Runs one playbook.
pub struct Engine<'a> {
    playbook: &'a Playbook,
}

impl<'a> Engine<'a> {
    /// For this playbook, which was checked before.
    pub fn new(playbook: &'a Playbook) -> Engine<'a> {
        Engine { playbook }
    }

    /// A run that has done nothing yet. Every external variable needs a value of its type.
    pub fn propose(
        &self,
        id: &str,
        case: &str,
        by: &Actor,
        mode: Mode,
        given: &Values,
        now: Ts,
    ) -> Result<Run, String> {
        let mut values = Values::new();
        for (name, v) in &self.playbook.playbook_variables {
            let value = match given.get(name) {
                Some(_) if v.constant => return Err(format!("`{name}` is constant")),
                Some(value) => Some(value),
                None => v.value.as_ref(),
            };
            match value {
                Some(value) if fits(&v.kind, value) => {
                    values.insert(name.clone(), value.clone());
                }
                Some(value) => return Err(format!("`{name}`: `{value}` is no {}", v.kind)),
                None if v.external => return Err(format!("`{name}` needs a value")),
                None => {}
            }
        }
        if let Some(name) = given.keys().find(|n| !self.playbook.playbook_variables.contains_key(*n)) {
            return Err(format!("the playbook has no variable `{name}`"));
        }
        Ok(Run {
            id: id.to_owned(),
            playbook: self.playbook.id.clone(),
            modified: self.playbook.modified.clone(),
            case: case.to_owned(),
            mode,
            proposed_by: by.clone(),
            approvals: Vec::new(),
            values,
            state: RunState::Running,
            at: Some(self.playbook.workflow_start.clone()),
            after: Vec::new(),
            waiting: None,
            answer: None,
            log: Vec::new(),
            steps: 0,
            rounds: BTreeMap::new(),
            begun: now,
        })
    }

    /// Goes on until the run waits or ends.
    pub fn advance(&self, run: &mut Run, host: &mut dyn Host) {
        while matches!(run.state, RunState::Running | RunState::Waiting) {
            // A run that waits is looked at again and again; that is no step.
            run.steps += u32::from(run.waiting.is_none());
            if host.now().since(run.begun) > RUN || run.steps > STEPS {
                note(run, host.now(), "", "limit", false, "the run took too long".to_owned());
                run.state = RunState::Failed;
                return;
            }
            let Some(id) = run.at.clone() else {
                run.state = RunState::Done;
                return;
            };
            let Some(step) = self.playbook.workflow.get(&id) else {
                note(run, host.now(), &id, "", false, "there is no such step".to_owned());
                run.state = RunState::Failed;
                return;
            };
            if !self.step(run, &id, step, host) {
                return;
            }
        }
    }

    /// One step; false where the run waits.
    fn step(&self, run: &mut Run, id: &str, step: &Step, host: &mut dyn Host) -> bool {
        if let Some(delay) = step.delay.filter(|_| run.mode == Mode::Live)
            && !self.paused(run, id, delay, host.now())
        {
            return false;
        }
        match step.kind {
            StepKind::Start => run.at = next(step, true),
            StepKind::End => run.at = run.after.pop(),
            StepKind::IfCondition => match evaluate(step.condition.as_deref().unwrap_or(""), &self.values(run, step)) {
                Ok(holds) => {
                    note(
                        run,
                        host.now(),
                        id,
                        &step.name,
                        true,
                        format!("the condition {}", if holds { "holds" } else { "does not hold" }),
                    );
                    let branch = if holds { step.on_true.clone() } else { step.on_false.clone() };
                    self.enter(run, branch.into_iter().collect(), next(step, true));
                }
                Err(why) => self.fail(run, id, step, host.now(), why),
            },
            StepKind::WhileCondition => {
                match evaluate(step.condition.as_deref().unwrap_or(""), &self.values(run, step)) {
                    Ok(true) => {
                        let rounds = run.rounds.entry(id.to_owned()).or_default();
                        *rounds += 1;
                        if *rounds > ROUNDS {
                            self.fail(run, id, step, host.now(), format!("more than {ROUNDS} rounds"));
                        } else {
                            self.enter(run, step.on_true.iter().cloned().collect(), Some(id.to_owned()));
                        }
                    }
                    Ok(false) => run.at = next(step, true).or_else(|| run.after.pop()),
                    Err(why) => self.fail(run, id, step, host.now(), why),
                }
            }
            StepKind::SwitchCondition => {
                let name = step.switch.clone().unwrap_or_default();
                let name = name.strip_suffix(":value").unwrap_or(&name);
                let value = self.values(run, step).get(name).cloned().unwrap_or_default();
                match step.cases.get(&value).or_else(|| step.cases.get("default")) {
                    Some(branch) => self.enter(run, vec![branch.clone()], next(step, true)),
                    None => self.fail(run, id, step, host.now(), format!("no case for `{value}`")),
                }
            }
            StepKind::Parallel => self.enter(run, step.next_steps.clone(), next(step, true)),
            StepKind::PlaybookAction => {
                self.fail(run, id, step, host.now(), "playbooks inside playbooks are not run".to_owned());
            }
            StepKind::Action => return self.action(run, id, step, host),
        }
        true
    }

    /// Takes branches one after the other, then goes on with `then`. Branches that the standard calls parallel may be taken in any order.
    fn enter(&self, run: &mut Run, mut branches: Vec<String>, then: Option<String>) {
        run.after.extend(then);
        branches.reverse();
        let first = branches.pop();
        run.after.extend(branches);
        run.at = first.or_else(|| run.after.pop());
    }

    /// Whether the pause before a step is over.
    fn paused(&self, run: &mut Run, id: &str, delay: u64, now: Ts) -> bool {
        match &run.waiting {
            Some(w) if w.step == id && w.pending == Pending::Pause => {
                if now < w.until {
                    return false;
                }
                run.waiting = None;
                run.state = RunState::Running;
                // So that the pause is not made again while the step itself waits.
                run.rounds.insert(format!("pause {id}"), 1);
                true
            }
            _ if run.rounds.contains_key(&format!("pause {id}")) => true,
            _ => {
                let until = now.plus(i64::try_from(delay).unwrap_or(i64::MAX).saturating_mul(MILLI));
                run.waiting = Some(Waiting { step: id.to_owned(), pending: Pending::Pause, until });
                run.state = RunState::Waiting;
                false
            }
        }
    }

    fn values(&self, run: &Run, step: &Step) -> Values {
        let mut values = run.values.clone();
        for (name, v) in &step.step_variables {
            if let Some(value) = &v.value {
                values.insert(name.clone(), value.clone());
            }
        }
        values
    }

    fn action(&self, run: &mut Run, id: &str, step: &Step, host: &mut dyn Host) -> bool {
        let values = self.values(run, step);
        let now = host.now();
        // After a wait it goes on where it stopped.
        let counter = format!("commands {id}");
        let done = run.rounds.get(&counter).copied().unwrap_or(0) as usize;
        for command in step.commands.iter().skip(done) {
            let result = match command.kind.as_str() {
                "manual" => match insert(&command.command, &values, Context::Text) {
                    Ok(text) if run.mode == Mode::Dry => Ok(format!("would ask people: {text}")),
                    Ok(text) => match self.asked(run, id, step, &text, now) {
                        Some(result) => result,
                        None => return false,
                    },
                    Err(why) => Err(why),
                },
                "http-api" if step.agent.as_deref() == Some(OURSELVES) => match ours(command, &values) {
                    Ok((action, parameters)) => match self.ours(run, id, step, &action, &parameters, host) {
                        Some(result) => result,
                        None => return false,
                    },
                    Err(why) => Err(why),
                },
                other => Err(format!("`{other}` is not run here")),
            };
            match result {
                Ok(text) => {
                    note(run, now, id, &step.name, true, text);
                    *run.rounds.entry(counter.clone()).or_default() += 1;
                }
                Err(why) => {
                    leave(run, id);
                    self.fail(run, id, step, now, why);
                    return true;
                }
            }
        }
        leave(run, id);
        run.at = next(step, true).or_else(|| run.after.pop());
        true
    }

    /// The answer of a person; none while nobody answered.
    fn asked(&self, run: &mut Run, id: &str, step: &Step, text: &str, now: Ts) -> Option<Result<String, String>> {
        let is_asked = run.waiting.as_ref().is_some_and(|w| w.step == id && matches!(w.pending, Pending::Person(_)));
        if is_asked {
            let is_late = run.waiting.as_ref().is_some_and(|w| now >= w.until);
            let answer = run.answer.take();
            if answer.is_none() && !is_late {
                return None;
            }
            run.waiting = None;
            run.state = RunState::Running;
            return Some(match answer {
                Some(true) => Ok(format!("confirmed: {text}")),
                Some(false) => Err(format!("refused: {text}")),
                None => Err(format!("nobody answered in time: {text}")),
            });
        }
        run.answer = None;
        run.waiting = Some(Waiting {
            step: id.to_owned(),
            pending: Pending::Person(text.to_owned()),
            until: deadline(step, now),
        });
        run.state = RunState::Waiting;
        None
    }

    /// What came of an action of ours; none while approvals are missing.
    fn ours(
        &self,
        run: &mut Run,
        id: &str,
        step: &Step,
        action: &str,
        parameters: &Value,
        host: &mut dyn Host,
    ) -> Option<Result<String, String>> {
        if run.mode == Mode::Dry {
            return Some(host.plan(run, action, parameters).map(|text| format!("would do: {text}")));
        }
        if host.needs_approval(action)
            && let Err(Denied::Approval(missing)) =
                enough(&run.proposed_by, &run.approvals, host.is_ot(action, parameters))
        {
            // What would be refused anyway is not put before people.
            if let Err(why) = host.plan(run, action, parameters) {
                return Some(Err(why));
            }
            let now = host.now();
            if run.waiting.as_ref().is_some_and(|w| w.step == id && now >= w.until) {
                run.waiting = None;
                run.state = RunState::Running;
                return Some(Err("nobody approved it in time".to_owned()));
            }
            let until = run.waiting.as_ref().filter(|w| w.step == id).map_or_else(|| deadline(step, now), |w| w.until);
            run.waiting = Some(Waiting { step: id.to_owned(), pending: Pending::Approval(missing), until });
            run.state = RunState::Waiting;
            return None;
        }
        run.waiting = None;
        run.state = RunState::Running;
        Some(host.act(run, action, parameters))
    }

    fn fail(&self, run: &mut Run, id: &str, step: &Step, now: Ts, why: String) {
        note(run, now, id, &step.name, false, why);
        match next(step, false).or_else(|| self.playbook.workflow_exception.clone().filter(|e| e != id)) {
            Some(to) => run.at = Some(to),
            None => run.state = RunState::Failed,
        }
    }
}

impl Run {
    /// A person approves it. Whoever proposed it cannot.
    pub fn approve(&mut self, by: &str, role: Role, now: Ts) -> Result<(), Denied> {
        if role < Role::Approver {
            return Err(Denied::Approval(format!("`{by}` may not approve: the role is missing")));
        }
        if by == self.proposed_by.name {
            return Err(Denied::Approval("nobody approves what they proposed".to_owned()));
        }
        if self.approvals.iter().any(|a| a.by == by) {
            return Err(Denied::Approval(format!("`{by}` approved it already")));
        }
        self.approvals.push(Approval { by: by.to_owned(), role, at: now });
        Ok(())
    }

    /// A person answers what the run asks.
    pub fn answer(&mut self, by: &str, yes: bool, now: Ts) -> Result<(), String> {
        let Some(Waiting { step, pending: Pending::Person(text), .. }) = self.waiting.clone() else {
            return Err("the run asks nothing".to_owned());
        };
        self.answer = Some(yes);
        let word = if yes { "confirms" } else { "refuses" };
        note(self, now, &step, "", true, format!("{by} {word}: {text}"));
        Ok(())
    }

    /// Stops it for good.
    pub fn stop(&mut self, by: &str, now: Ts) {
        if matches!(self.state, RunState::Running | RunState::Waiting) {
            note(self, now, "", "", false, format!("stopped by {by}"));
            self.state = RunState::Stopped;
            self.waiting = None;
        }
    }
}

/// Forgets how far a step came, so that a loop begins it anew.
fn leave(run: &mut Run, id: &str) {
    run.rounds.remove(&format!("commands {id}"));
    run.rounds.remove(&format!("pause {id}"));
}

fn deadline(step: &Step, now: Ts) -> Ts {
    let wait = step.timeout.map_or(PEOPLE_WAIT, |ms| i64::try_from(ms).unwrap_or(i64::MAX).saturating_mul(MILLI));
    now.plus(wait)
}

/// The step after success or failure.
fn next(step: &Step, ok: bool) -> Option<String> {
    let own = if ok { &step.on_success } else { &step.on_failure };
    own.clone().or_else(|| if ok { step.on_completion.clone() } else { None })
}

fn note(run: &mut Run, at: Ts, step: &str, name: &str, ok: bool, text: String) {
    run.log.push(StepRecord { step: step.to_owned(), name: name.to_owned(), at, ok, text });
}

/// The action and parameters of a command to ourselves: `POST /api/v1/actions/NAME HTTP/1.1` with a JSON body.
fn ours(command: &Command, values: &Values) -> Result<(String, Value), String> {
    let mut parts = command.command.split(' ');
    let (Some("POST"), Some(path), Some("HTTP/1.1"), None) = (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return Err(format!("`{}` is no request line", command.command));
    };
    let action = path.strip_prefix("/api/v1/actions/").ok_or_else(|| format!("`{path}` is no action"))?;
    let is_word = !action.is_empty() && action.bytes().all(|b| b.is_ascii_lowercase() || b == b'-');
    if !is_word {
        return Err(format!("`{action}` is no action"));
    }
    let body = insert(command.content.as_deref().unwrap_or("{}"), values, Context::Json)?;
    let parameters: Value = serde_json::from_str(&body).map_err(|e| format!("the parameters are no JSON: {e}"))?;
    Ok((action.to_owned(), parameters))
}
