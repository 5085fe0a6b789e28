//! `gridwarden playbook` over a data folder: proposed, approved by others, answered, run, stopped; the kill switch; and cases taken over.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, bail};
use clap::{Args, Subcommand};
use console::Wish;
use respond::guard::Role;
use respond::{Actor, Case, Correlator, Finding, Rules};
use serde_json::json;

use crate::desk::{Office, waits};
use crate::say::say;

/// Where, and with which configuration.
#[derive(Args, Clone)]
pub struct Place {
    /// The data folder.
    #[arg(long, default_value = "/var/lib/gridwarden")]
    data: PathBuf,
    /// Configuration with `[respond]` and `[[destination]]` tables.
    #[arg(long)]
    config: Option<PathBuf>,
}

/// What is done with runs.
#[derive(Subcommand, Clone)]
pub enum Live {
    /// Takes the cases of an analysis into the data folder.
    Take {
        /// Folder that `analyze` wrote.
        dir: PathBuf,
        #[command(flatten)]
        place: Place,
    },
    /// Proposes a run for a case; live only with `--live`, and only after others approved what needs it.
    Propose {
        /// The case.
        case: String,
        /// A shipped playbook; without it the one that fits the case.
        playbook: Option<String>,
        /// Does it, after approvals; without it a dry run.
        #[arg(long)]
        live: bool,
        /// Who proposes it; without it the program does.
        #[arg(long)]
        by: Option<String>,
        /// Sets a variable, `NAME=VALUE` without the underscores; may be repeated.
        #[arg(long = "set", value_name = "NAME=VALUE")]
        set: Vec<String>,
        #[command(flatten)]
        place: Place,
    },
    /// Lists runs and what they wait for.
    Runs {
        #[command(flatten)]
        place: Place,
    },
    /// Approves a run that somebody else proposed.
    Approve {
        /// The run.
        run: String,
        /// Who: an approver or admin.
        #[arg(long)]
        by: String,
        #[command(flatten)]
        place: Place,
    },
    /// Answers what a run asks.
    Answer {
        /// The run.
        run: String,
        /// `yes` or `no`.
        answer: String,
        /// Who: an analyst or above.
        #[arg(long)]
        by: String,
        #[command(flatten)]
        place: Place,
    },
    /// Brings runs as far as they go, takes back what is at its time, delivers what waits. The running platform does this by itself.
    Tick {
        /// Seconds for deliveries.
        #[arg(long, default_value_t = 10)]
        deliver: u64,
        /// Takes over what was done to our tickets in other systems.
        #[arg(long)]
        mirror: bool,
        #[command(flatten)]
        place: Place,
    },
    /// Lists actions in force and past.
    Actions {
        #[command(flatten)]
        place: Place,
    },
    /// Takes an action back before its time.
    Undo {
        /// The action.
        action: String,
        /// Who.
        #[arg(long)]
        by: String,
        #[command(flatten)]
        place: Place,
    },
    /// Stops a run.
    Stop {
        /// The run.
        run: String,
        /// Who.
        #[arg(long)]
        by: String,
        #[command(flatten)]
        place: Place,
    },
    /// Takes back everything in force and lets nothing more be done, until `--off`.
    Kill {
        /// Who.
        #[arg(long)]
        by: String,
        /// Turns it off: an approver.
        #[arg(long)]
        off: bool,
        #[command(flatten)]
        place: Place,
    },
}

fn office(place: &Place) -> anyhow::Result<Office> {
    Office::open(&place.data, place.config.as_deref())
}

/// Runs it.
pub fn run(what: &Live) -> anyhow::Result<u8> {
    match what {
        Live::Take { dir, place } => {
            let office = office(place)?;
            let store = office.store()?;
            let open: Vec<Case> = store.open_cases()?;
            let before: std::collections::HashMap<String, u32> = open.iter().map(|c| (c.id.clone(), c.rev)).collect();
            let mut correlator = Correlator::new(Rules::default(), open);
            for finding in Finding::read_all(&dir.join("alerts.ndjson"))? {
                correlator.take(&finding);
            }
            for case in correlator.into_cases() {
                if before.get(&case.id).is_none_or(|rev| *rev < case.rev) {
                    store.keep_case(&case)?;
                    office.record(
                        "case-kept",
                        "gridwarden",
                        &json!({ "case": case.id, "rev": case.rev, "findings": case.findings.len() }),
                    )?;
                    say!("{} {} {}", case.id, case.severity.name(), report::plain(&case.title));
                }
            }
            Ok(0)
        }
        Live::Propose { case, playbook, live, by, set, place } => {
            let office = office(place)?;
            let by = match by {
                None => Actor::gridwarden(),
                Some(name) => {
                    let may = office.role(name)? >= Role::Analyst;
                    anyhow::ensure!(may, "`{name}` may not propose: the role is missing");
                    Actor::person(name)
                }
            };
            let mut wish = Wish { case: case.clone(), playbook: playbook.clone(), live: *live, ..Wish::default() };
            for pair in set {
                let (name, value) = pair.split_once('=').with_context(|| format!("`{pair}` is no NAME=VALUE"))?;
                wish.values.insert(name.to_owned(), value.to_owned());
            }
            shown(&office.propose(&by, &wish)?);
            Ok(0)
        }
        Live::Runs { place } => {
            for run in office(place)?.store()?.runs()? {
                let state = serde_json::to_value(run.state)?;
                say!("{} {} {} {}", run.id, run.case, state.as_str().unwrap_or(""), report::plain(&waits(&run)));
            }
            Ok(0)
        }
        Live::Approve { run, by, place } => {
            let office = office(place)?;
            shown(&office.approve(by, office.role(by)?, run)?);
            Ok(0)
        }
        Live::Answer { run, answer, by, place } => {
            let office = office(place)?;
            let yes = match answer.as_str() {
                "yes" => true,
                "no" => false,
                other => bail!("`{other}` is neither yes nor no"),
            };
            shown(&office.answer(by, office.role(by)?, run, yes)?);
            Ok(0)
        }
        Live::Tick { deliver, mirror, place } => {
            let office = office(place)?;
            for line in office.tick(Duration::from_secs(*deliver))? {
                say!("{}", report::plain(&line));
            }
            if *mirror {
                for line in office.mirror()? {
                    say!("{}", report::plain(&line));
                }
            }
            Ok(0)
        }
        Live::Actions { place } => {
            for a in office(place)?.store()?.actions()? {
                let state = serde_json::to_value(a.state)?;
                say!(
                    "{} {} {} {} until {}: {}",
                    a.id,
                    a.kind.name(),
                    a.address,
                    state.as_str().unwrap_or(""),
                    a.expires,
                    report::plain(&a.outcome)
                );
            }
            Ok(0)
        }
        Live::Undo { action, by, place } => {
            let office = office(place)?;
            let undone = office.undo(by, office.role(by)?, action)?;
            say!("{}: {}", undone.id, report::plain(&undone.outcome));
            Ok(0)
        }
        Live::Stop { run, by, place } => {
            let office = office(place)?;
            shown(&office.stop(by, office.role(by)?, run, "")?);
            Ok(0)
        }
        Live::Kill { by, off, place } => {
            let office = office(place)?;
            let failures = office.kill(by, office.role(by)?, !off)?;
            if *off {
                say!("the kill switch is off");
                return Ok(0);
            }
            for f in &failures {
                say!("not taken back: {}", report::plain(&f.to_string()));
            }
            say!("the kill switch is on: nothing is done any more, and what was in force is taken back");
            Ok(if failures.is_empty() { 0 } else { 2 })
        }
    }
}

fn shown(run: &respond::playbook::Run) {
    for step in &run.log {
        say!("  {} {}: {}", if step.ok { "→" } else { "✗" }, report::plain(&step.name), report::plain(&step.text));
    }
    let state = serde_json::to_value(run.state).unwrap_or_default();
    say!("{} {} {}", run.id, state.as_str().unwrap_or(""), report::plain(&waits(run)));
}
