//! `gridwarden playbook`: what playbooks there are, whether a file is sound, and what one would do for a case.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use clap::{Args, Subcommand};
use respond::action::{Action, Actions, Journal};
use respond::desk::{Desk, Outlet};
use respond::guard::{Guard, NoTouch};
use respond::playbook::{Engine, Mode, Playbook, Values, check, shipped, unrunnable};
use respond::{Actor, Case, Device};

use crate::say::say;

/// Playbooks in CACAO 2.0: listed, checked, and shown what one would do for a case.
#[derive(Args, Clone)]
pub struct PlaybookArgs {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand, Clone)]
enum What {
    #[command(flatten)]
    Live(crate::runs::Live),
    /// Lists the playbooks that come with the program.
    List,
    /// Prints a shipped playbook as CACAO 2.0.
    Show {
        /// Its name.
        name: String,
    },
    /// Checks playbooks: the standard's rules, references, and what of them is run here.
    Check {
        /// Files.
        #[arg(required = true)]
        files: Vec<PathBuf>,
    },
    /// Says what a playbook would do for a case; nothing is done.
    DryRun {
        /// Folder that `analyze` wrote.
        dir: PathBuf,
        /// The case.
        case: String,
        /// A shipped playbook or a file; without it the one that fits the case.
        playbook: Option<String>,
        /// Sets a variable, `NAME=VALUE` without the underscores; may be repeated.
        #[arg(long = "set", value_name = "NAME=VALUE")]
        set: Vec<String>,
        /// Devices of the approved baseline (`assets.ndjson`) for the no-touch list; without it those of the analysis.
        #[arg(long)]
        baseline_devices: Option<PathBuf>,
    },
}

/// Runs it.
pub fn run(args: &PlaybookArgs) -> anyhow::Result<u8> {
    match &args.what {
        What::Live(what) => crate::runs::run(what),
        What::List => {
            for (name, _) in shipped::ALL {
                let playbook = load(name)?;
                say!("{name:26} {:45} {} steps", playbook.name, playbook.workflow.len());
            }
            Ok(0)
        }
        What::Show { name } => {
            let document = shipped::document(name).with_context(|| format!("there is no playbook `{name}`"))?;
            say!("{}", serde_json::to_string_pretty(&document)?);
            Ok(0)
        }
        What::Check { files } => check_files(files),
        What::DryRun { dir, case, playbook, set, baseline_devices } => {
            dry_run(dir, case, playbook.as_deref(), set, baseline_devices.as_deref())
        }
    }
}

fn check_files(files: &[PathBuf]) -> anyhow::Result<u8> {
    let mut bad = false;
    for file in files {
        let text = std::fs::read_to_string(file).with_context(|| format!("cannot read `{}`", file.display()))?;
        let document = serde_json::from_str(&text).with_context(|| format!("`{}` is no JSON", file.display()))?;
        match check(&document) {
            Err(problems) => {
                bad = true;
                for p in problems {
                    say!("{}: {}", file.display(), report::plain(&p.to_string()));
                }
            }
            Ok(playbook) => {
                let not_run = unrunnable(&playbook);
                for p in &not_run {
                    say!("{}: sound, but not run here: {}", file.display(), report::plain(&p.to_string()));
                }
                if not_run.is_empty() {
                    say!("{}: sound, can be run", file.display());
                }
            }
        }
    }
    Ok(if bad { 2 } else { 0 })
}

/// A shipped playbook by name or id, or a file.
pub fn load(name: &str) -> anyhow::Result<Playbook> {
    let by_id = || shipped::ALL.iter().find_map(|(n, _)| shipped::document(n).filter(|d| d["id"] == name));
    let document = match shipped::document(name).or_else(by_id) {
        Some(document) => document,
        None => {
            let text = std::fs::read_to_string(name)
                .with_context(|| format!("`{name}` is no shipped playbook and no file"))?;
            serde_json::from_str(&text).with_context(|| format!("`{name}` is no JSON"))?
        }
    };
    check(&document)
        .map_err(|p| anyhow::anyhow!("`{name}`: {}", p.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")))
}

/// Values for a playbook: what it has variables for of the case, and what was set.
pub fn values(playbook: &Playbook, case: &Case, set: &[String]) -> anyhow::Result<Values> {
    let mut values: Values =
        shipped::values_for(case).into_iter().filter(|(k, _)| playbook.playbook_variables.contains_key(k)).collect();
    for pair in set {
        let (name, value) = pair.split_once('=').with_context(|| format!("`{pair}` is no NAME=VALUE"))?;
        values.insert(format!("__{name}__"), value.to_owned());
    }
    Ok(values)
}

/// Does nothing, and says so where it is asked: a dry run asks for nothing.
struct Nothing;

impl Journal for Nothing {
    fn keep(&mut self, _: &Action) -> Result<(), String> {
        Err("a dry run does nothing".to_owned())
    }

    fn record(&mut self, _: &str, _: &str, _: &serde_json::Value) -> Result<(), String> {
        Err("a dry run does nothing".to_owned())
    }
}

impl Outlet for Nothing {
    fn notify(&mut self, _: &str, _: &str) -> Result<String, String> {
        Err("a dry run does nothing".to_owned())
    }

    fn ticket(&mut self, _: &str) -> Result<String, String> {
        Err("a dry run does nothing".to_owned())
    }

    fn note(&mut self, _: &str, _: &str) -> Result<String, String> {
        Err("a dry run does nothing".to_owned())
    }

    fn hold(&mut self, _: &str) -> Result<String, String> {
        Err("a dry run does nothing".to_owned())
    }
}

fn dry_run(dir: &Path, case: &str, name: Option<&str>, set: &[String], baseline: Option<&Path>) -> anyhow::Result<u8> {
    let text =
        std::fs::read_to_string(dir.join("cases.ndjson")).context("no cases: run `gridwarden case build` first")?;
    let cases = text.lines().map(serde_json::from_str::<Case>).collect::<Result<Vec<_>, _>>()?;
    let case = cases.iter().find(|c| c.id == case).with_context(|| format!("there is no case `{case}`"))?;
    let name = match name.or(shipped::proposed_for(case)) {
        Some(name) => name,
        None => bail!("no shipped playbook fits {}: name one", case.id),
    };
    let playbook = load(name)?;
    let devices = Device::read_all(&baseline.map_or_else(|| dir.join("assets.ndjson"), Path::to_owned))?;
    let guard = Guard { no_touch: NoTouch::from_devices(&devices), killed: false };
    let actions = Actions::new(guard, Box::new(Nothing), []);
    let mut desk = Desk::new(actions, Box::new(Nothing), BTreeSet::new(), Box::new(respond::clock::now));
    let engine = Engine::new(&playbook);
    let values = values(&playbook, case, set)?;
    let mut run = engine
        .propose("dry-run", &case.id, &Actor::gridwarden(), Mode::Dry, &values, respond::clock::now())
        .map_err(anyhow::Error::msg)?;
    engine.advance(&mut run, &mut desk);
    say!("{name}: {} (nothing is done)", report::plain(&playbook.name));
    for step in &run.log {
        say!("  {} {}: {}", if step.ok { "→" } else { "✗" }, report::plain(&step.name), report::plain(&step.text));
    }
    Ok(0)
}
