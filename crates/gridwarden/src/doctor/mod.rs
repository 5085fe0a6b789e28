//! `gridwarden doctor`: is this machine, its network card, its mirror port and its data fit to watch a network, and if not, what fixes it.

mod machine;
mod observe;

use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::Context;
use capture::{Inputs, Merge, Status};
use clap::Args;
use gwcore::Limits;
use serde::Serialize;

use crate::say::say;
use observe::Observed;

/// Where the configuration lies without `--config`.
const CONFIG: &str = "/etc/gridwarden/gridwarden.toml";

/// Check rights, network cards, the mirror port, clock, disk, memory, configuration and stored data, and suggest what fixes each problem.
#[derive(Args, Clone)]
pub struct Doctor {
    /// Captures to examine: what they tell about the mirror port they came from.
    pub paths: Vec<PathBuf>,
    /// Interfaces to examine; each is watched for some seconds.
    #[arg(short = 'i', long = "interface", value_name = "IFACE", num_args = 1..)]
    pub interface: Vec<String>,
    /// Seconds to watch each interface.
    #[arg(long, value_name = "N", default_value_t = 5)]
    pub seconds: u64,
    /// Kernel buffer of each interface in MB, as for `run`.
    #[arg(long, value_name = "MB", default_value_t = 32)]
    pub ring: usize,
    /// Data folder of `run`.
    #[arg(long, value_name = "DIR", default_value = crate::audit::DATA)]
    pub data: PathBuf,
    /// Configuration file; default: /etc/gridwarden/gridwarden.toml, if it exists.
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Address of the console.
    #[arg(long, value_name = "ADDRESS:PORT", default_value_t = crate::console::LISTEN)]
    pub listen: SocketAddr,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}

/// Result of a check.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// As it should be.
    #[serde(rename = "ok")]
    Good,
    /// It works, but not as well as it could.
    Warning,
    /// It does not work, or its results cannot be relied on.
    Error,
    /// Could not be checked.
    NotChecked,
}

/// One check.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Check {
    /// What.
    pub name: String,
    /// Its result.
    pub verdict: Verdict,
    /// What was found.
    pub found: String,
    /// What that means for monitoring.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub meaning: String,
    /// How to fix it.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub fix: String,
}

impl Check {
    fn new(name: impl Into<String>, verdict: Verdict, found: impl Into<String>) -> Check {
        Check { name: name.into(), verdict, found: found.into(), meaning: String::new(), fix: String::new() }
    }

    fn good(name: impl Into<String>, found: impl Into<String>) -> Check {
        Check::new(name, Verdict::Good, found)
    }

    fn not(name: impl Into<String>, found: impl Into<String>) -> Check {
        Check::new(name, Verdict::NotChecked, found)
    }

    fn warning(name: impl Into<String>, found: impl Into<String>, meaning: &str, fix: impl Into<String>) -> Check {
        Check { meaning: meaning.to_owned(), fix: fix.into(), ..Check::new(name, Verdict::Warning, found) }
    }

    fn error(name: impl Into<String>, found: impl Into<String>, meaning: &str, fix: impl Into<String>) -> Check {
        Check { meaning: meaning.to_owned(), fix: fix.into(), ..Check::new(name, Verdict::Error, found) }
    }
}

/// Runs all checks: 0 if everything is fine, 1 if there is a warning or an error.
pub fn run(args: &Doctor) -> anyhow::Result<u8> {
    let mut all = Vec::new();
    let mut rate = None;
    for path in &args.paths {
        let seen = capture(path)?;
        all.extend(seen.checks(&path.display().to_string()));
        rate = Some(seen.bytes as f64 / seen.seconds().max(1.0)).filter(|_| seen.frames > 0).or(rate);
    }
    if args.paths.is_empty() || !args.interface.is_empty() {
        all.push(machine::rights());
        if args.interface.is_empty() {
            all.push(machine::interfaces());
        }
        for name in &args.interface {
            all.extend(machine::interface(name, args.ring, args.seconds.max(1)));
        }
        all.push(machine::clock());
    }
    all.extend(machine::disk(&args.data, rate));
    all.push(machine::memory());
    all.push(machine::port(args.listen));
    all.push(configuration(args));
    all.extend(machine::stored(&args.data));
    if args.json {
        say!("{}", serde_json::to_string_pretty(&all)?);
    } else {
        for check in &all {
            tell(check);
        }
        let count = |v: Verdict| all.iter().filter(|c| c.verdict == v).count();
        say!(
            "{} ok, {} warnings, {} errors, {} not checked",
            count(Verdict::Good),
            count(Verdict::Warning),
            count(Verdict::Error),
            count(Verdict::NotChecked)
        );
    }
    Ok(u8::from(all.iter().any(|c| matches!(c.verdict, Verdict::Warning | Verdict::Error))))
}

fn tell(check: &Check) {
    let word = match check.verdict {
        Verdict::Good => "ok",
        Verdict::Warning => "WARN",
        Verdict::Error => "FAIL",
        Verdict::NotChecked => "-",
    };
    let (name, found) = (report::plain(&check.name), report::plain(&check.found));
    say!("{word:5} {name}: {found}");
    if !check.meaning.is_empty() {
        say!("        meaning: {}", report::plain(&check.meaning));
        say!("        fix:     {}", report::plain(&check.fix));
    }
}

/// All frames of a capture.
fn capture(path: &PathBuf) -> anyhow::Result<Observed> {
    let limits = Limits::default();
    let inputs = Inputs::find(std::slice::from_ref(path), &limits);
    for input in &inputs.list {
        if let Status::Unreadable(e) = &input.status {
            anyhow::bail!("cannot read `{}`: {e}", input.path.display());
        }
    }
    let mut merge = Merge::open(&inputs, &limits);
    let mut seen = Observed::new(None);
    while let Some(frame) = merge.next() {
        seen.see(&frame);
    }
    Ok(seen)
}

fn configuration(args: &Doctor) -> Check {
    let path = args.config.clone().unwrap_or_else(|| PathBuf::from(CONFIG));
    if args.config.is_none() && !path.exists() {
        return Check::not("configuration", format!("there is no `{CONFIG}`; defaults and flags apply"));
    }
    let problems = std::fs::read_to_string(&path)
        .with_context(|| format!("cannot read `{}`", path.display()))
        .map(|text| crate::check::config(&text));
    match problems {
        Ok(list) if list.is_empty() => Check::good("configuration", format!("`{}` is valid", path.display())),
        Ok(list) => Check::error(
            "configuration",
            format!("{} problems; first: {}", list.len(), list[0]),
            "the platform does not start with this configuration",
            format!("gridwarden check {}", path.display()),
        ),
        Err(e) => Check::error(
            "configuration",
            format!("{e:#}"),
            "the platform does not start with this configuration",
            "check the permissions of the file",
        ),
    }
}
