//! `gridwarden doctor`: is this machine, its card, its mirror and its data fit to watch a network, and if not, what mends it.

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

/// Checks rights, cards, the mirror, clock, disk, memory, port, configuration and stored data, and says what mends what is wrong.
#[derive(Args, Clone)]
pub struct Doctor {
    /// Captures to look at, as if their mirror were asked.
    pub paths: Vec<PathBuf>,
    /// Interfaces to look at; each is watched for a while.
    #[arg(short = 'i', long = "interface", value_name = "IFACE", num_args = 1..)]
    pub interface: Vec<String>,
    /// Seconds that an interface is watched.
    #[arg(long, value_name = "N", default_value_t = 5)]
    pub seconds: u64,
    /// Megabytes of an interface's buffer in the kernel, as for `run`.
    #[arg(long, value_name = "MB", default_value_t = 32)]
    pub ring: usize,
    /// Folder that `run` keeps everything in.
    #[arg(long, value_name = "DIR", default_value = crate::audit::DATA)]
    pub data: PathBuf,
    /// The configuration; without it /etc/gridwarden/gridwarden.toml where that is there.
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Where the console listens.
    #[arg(long, value_name = "ADDRESS:PORT", default_value_t = crate::console::LISTEN)]
    pub listen: SocketAddr,
    /// As JSON.
    #[arg(long)]
    pub json: bool,
}

/// How a check came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// As it should be.
    Good,
    /// It works, worse than it could.
    Notice,
    /// It does not work, or what it gives is not to be relied on.
    Bad,
    /// Could not be looked at.
    NotChecked,
}

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Check {
    /// What.
    pub name: String,
    /// How it came out.
    pub verdict: Verdict,
    /// What was found.
    pub found: String,
    /// What that means for watching.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub means: String,
    /// What mends it.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub mend: String,
}

impl Check {
    fn new(name: impl Into<String>, verdict: Verdict, found: impl Into<String>) -> Check {
        Check { name: name.into(), verdict, found: found.into(), means: String::new(), mend: String::new() }
    }

    fn good(name: impl Into<String>, found: impl Into<String>) -> Check {
        Check::new(name, Verdict::Good, found)
    }

    fn not(name: impl Into<String>, found: impl Into<String>) -> Check {
        Check::new(name, Verdict::NotChecked, found)
    }

    fn notice(name: impl Into<String>, found: impl Into<String>, means: &str, mend: impl Into<String>) -> Check {
        Check { means: means.to_owned(), mend: mend.into(), ..Check::new(name, Verdict::Notice, found) }
    }

    fn bad(name: impl Into<String>, found: impl Into<String>, means: &str, mend: impl Into<String>) -> Check {
        Check { means: means.to_owned(), mend: mend.into(), ..Check::new(name, Verdict::Bad, found) }
    }
}

/// Looks at everything: 0 where all is good, 1 where something is not.
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
            "{} good, {} to look at, {} bad, {} not checked",
            count(Verdict::Good),
            count(Verdict::Notice),
            count(Verdict::Bad),
            count(Verdict::NotChecked)
        );
    }
    Ok(u8::from(all.iter().any(|c| matches!(c.verdict, Verdict::Notice | Verdict::Bad))))
}

fn tell(check: &Check) {
    let word = match check.verdict {
        Verdict::Good => "good",
        Verdict::Notice => "LOOK",
        Verdict::Bad => "BAD",
        Verdict::NotChecked => "-",
    };
    let (name, found) = (report::plain(&check.name), report::plain(&check.found));
    say!("{word:5} {name}: {found}");
    if !check.means.is_empty() {
        say!("        means: {}", report::plain(&check.means));
        say!("        mend:  {}", report::plain(&check.mend));
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
        return Check::not("configuration", format!("there is no `{CONFIG}`: defaults and flags hold"));
    }
    let problems = std::fs::read_to_string(&path)
        .with_context(|| format!("cannot read `{}`", path.display()))
        .map(|text| crate::check::config(&text));
    match problems {
        Ok(list) if list.is_empty() => Check::good("configuration", format!("`{}` is right", path.display())),
        Ok(list) => Check::bad(
            "configuration",
            format!("{} problems, the first: {}", list.len(), list[0]),
            "the platform does not start with it",
            format!("gridwarden check {}", path.display()),
        ),
        Err(e) => Check::bad(
            "configuration",
            format!("{e:#}"),
            "the platform does not start with it",
            "check the rights of the file",
        ),
    }
}
