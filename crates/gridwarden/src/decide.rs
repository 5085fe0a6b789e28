//! What people decide about runs of playbooks and what is in force: the same for the command line and the console. One decision at a time in a
//! data folder, whichever process makes it; each is in the ledger, the refused ones too.

use std::fmt::Display;
use std::fs::File;

use anyhow::Context;
use console::{Refusal, Wish};
use respond::Actor;
use respond::action::{Action, Failure};
use respond::guard::Role;
use respond::playbook::{Engine, Mode, Run, RunState, Values, shipped};
use serde_json::json;

use crate::desk::Office;
use crate::playbook::load;

fn failed(e: impl Display) -> Refusal {
    // A chain of causes is told whole.
    Refusal::Failed(format!("{e:#}"))
}

fn bad(e: impl Display) -> Refusal {
    Refusal::Bad(e.to_string())
}

fn needs(role: Role, least: Role, what: &str) -> Result<(), Refusal> {
    let text = || Refusal::Forbidden(format!("{what}: the role is missing"));
    if role >= least { Ok(()) } else { Err(text()) }
}

impl Office {
    /// Holds everybody else off until it is dropped: a run must not be brought on twice at once.
    pub fn turn(&self) -> anyhow::Result<File> {
        let path = self.folder().join("respond.lock");
        let file = File::create(&path).with_context(|| format!("cannot write `{}`", path.display()))?;
        rustix::fs::flock(&file, rustix::fs::FlockOperation::LockExclusive)
            .context("cannot wait for other decisions")?;
        Ok(file)
    }

    /// Proposes a run and brings it as far as it goes without anybody.
    pub fn propose(&self, by: &Actor, wish: &Wish) -> Result<Run, Refusal> {
        let _turn = self.turn().map_err(failed)?;
        let store = self.store().map_err(failed)?;
        let case = store.case(&wish.case).map_err(failed)?;
        let case = case.ok_or_else(|| Refusal::Missing(format!("case `{}`", wish.case)))?;
        let name = wish.playbook.as_deref().or(shipped::proposed_for(&case));
        let name = name.ok_or_else(|| bad(format!("no shipped playbook fits {}: name one", case.id)))?;
        let playbook = load(name).map_err(|e| Refusal::Missing(format!("playbook: {e:#}")))?;
        let mut values: Values = shipped::values_for(&case)
            .into_iter()
            .filter(|(k, _)| playbook.playbook_variables.contains_key(k))
            .collect();
        values.extend(wish.values.iter().map(|(k, v)| (format!("__{k}__"), v.clone())));
        let runs = store.runs().map_err(failed)?;
        let last = runs.iter().filter_map(|r| r.id.strip_prefix("run-")?.parse::<u64>().ok()).max().unwrap_or(0);
        let mode = if wish.live { Mode::Live } else { Mode::Dry };
        let mut run = Engine::new(&playbook)
            .propose(&format!("run-{}", last + 1), &case.id, by, mode, &values, respond::clock::now())
            .map_err(bad)?;
        let data =
            json!({ "run": run.id, "playbook": run.playbook, "case": case.id, "mode": mode, "values": run.values });
        self.record("playbook-proposed", &by.name, &data).map_err(failed)?;
        self.go_on(&mut run)?;
        Ok(run)
    }

    /// Approves a run that somebody else proposed.
    pub fn approve(&self, by: &str, role: Role, run: &str) -> Result<Run, Refusal> {
        let _turn = self.turn().map_err(failed)?;
        let mut run = self.open_run(run)?;
        let approved = run.approve(by, role, respond::clock::now());
        let why = approved.as_ref().err().map(ToString::to_string);
        let data = json!({ "run": run.id, "case": run.case, "refused": why });
        let kind = if why.is_none() { "playbook-approved" } else { "playbook-approval-refused" };
        self.record(kind, by, &data).map_err(failed)?;
        if let Some(why) = why {
            return Err(Refusal::Forbidden(why));
        }
        self.go_on(&mut run)?;
        Ok(run)
    }

    /// Answers what a run asks.
    pub fn answer(&self, by: &str, role: Role, run: &str, yes: bool) -> Result<Run, Refusal> {
        needs(role, Role::Analyst, &format!("`{by}` may not answer"))?;
        let _turn = self.turn().map_err(failed)?;
        let mut run = self.open_run(run)?;
        run.answer(by, yes, respond::clock::now()).map_err(bad)?;
        let data = json!({ "run": run.id, "case": run.case, "answer": yes });
        self.record("playbook-answered", by, &data).map_err(failed)?;
        self.go_on(&mut run)?;
        Ok(run)
    }

    /// Stops a run for good; what it has put in force stays until its time, or until it is undone.
    pub fn stop(&self, by: &str, role: Role, run: &str, reason: &str) -> Result<Run, Refusal> {
        needs(role, Role::Analyst, &format!("`{by}` may not stop it"))?;
        let _turn = self.turn().map_err(failed)?;
        let mut run = self.open_run(run)?;
        let by_whom = if reason.trim().is_empty() { by.to_owned() } else { format!("{by}: {}", reason.trim()) };
        run.stop(&by_whom, respond::clock::now());
        self.store().and_then(|s| Ok(s.keep_run(&run)?)).map_err(failed)?;
        let data = json!({ "run": run.id, "case": run.case, "reason": reason });
        self.record("playbook-stopped", by, &data).map_err(failed)?;
        Ok(run)
    }

    /// Takes an action back before its time.
    pub fn undo(&self, by: &str, role: Role, action: &str) -> Result<Action, Refusal> {
        needs(role, Role::Analyst, &format!("`{by}` may not undo"))?;
        let _turn = self.turn().map_err(failed)?;
        let mut desk = self.desk().map_err(failed)?;
        if !desk.actions.all().any(|a| a.id == action) {
            return Err(Refusal::Missing(format!("action `{action}`")));
        }
        desk.actions.undo(action, by, respond::clock::now()).map_err(failed)
    }

    /// Turns the kill switch on, which stops every run and takes back what is in force, or off; what could not be taken back.
    pub fn kill(&self, by: &str, role: Role, on: bool) -> Result<Vec<Failure>, Refusal> {
        let _turn = self.turn().map_err(failed)?;
        if !on {
            needs(role, Role::Approver, "only an approver turns the kill switch off")?;
            if !self.is_killed() {
                return Err(bad("the kill switch is off"));
            }
            self.set_killed(false, by).map_err(failed)?;
            return Ok(Vec::new());
        }
        needs(role, Role::Analyst, &format!("`{by}` may not turn the kill switch on"))?;
        let now = respond::clock::now();
        self.set_killed(true, by).map_err(failed)?;
        let failures = self.desk().map_err(failed)?.actions.kill(by, now);
        let store = self.store().map_err(failed)?;
        for mut run in store.runs().map_err(failed)? {
            if matches!(run.state, RunState::Running | RunState::Waiting) {
                run.stop(&format!("{by} (kill switch)"), now);
                store.keep_run(&run).map_err(failed)?;
            }
        }
        Ok(failures)
    }

    fn open_run(&self, id: &str) -> Result<Run, Refusal> {
        let run = self.store().and_then(|s| Ok(s.run(id)?)).map_err(failed)?;
        let run = run.ok_or_else(|| Refusal::Missing(format!("run `{id}`")))?;
        match run.state {
            RunState::Running | RunState::Waiting => Ok(run),
            _ => Err(bad(format!("{id} has ended"))),
        }
    }

    fn go_on(&self, run: &mut Run) -> Result<(), Refusal> {
        let mut desk = self.desk().map_err(failed)?;
        self.advance(run, &mut desk).map_err(failed)
    }
}
