//! `gridwarden case`: findings become cases; people give them an owner, join and split them, decide, and take the evidence along.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use clap::{Args, Subcommand};
use respond::bundle::{self, Source};
use respond::{Actor, Case, Correlator, Determined, Device, Disposition, Finding, Rules, State};

use crate::say::say;

/// Findings become cases: built, listed, given to people, joined, split, decided; their evidence taken along.
#[derive(Args, Clone)]
pub struct CaseArgs {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand, Clone)]
enum What {
    /// Correlates the findings of an analysis (`alerts.ndjson`) into cases and writes `cases.ndjson` beside them.
    Build {
        /// Folder that `analyze` wrote.
        dir: PathBuf,
        /// Prints the cases as JSON lines.
        #[arg(long)]
        json: bool,
    },
    /// Lists cases, the gravest first.
    List {
        /// Folder that `analyze` wrote.
        dir: PathBuf,
        /// As JSON lines.
        #[arg(long)]
        json: bool,
    },
    /// Shows one case: findings with the reason of each join, timeline, who did what to whom.
    Show {
        /// Folder that `analyze` wrote.
        dir: PathBuf,
        /// The case.
        id: String,
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
    /// Writes the evidence of a case into a new folder that opens without this program.
    Evidence {
        /// Folder that `analyze` wrote.
        dir: PathBuf,
        /// The case.
        id: String,
        /// The new folder.
        #[arg(short = 'o', long)]
        output: PathBuf,
        /// Where captures lie that are not found by the name in the findings; may be repeated.
        #[arg(long)]
        captures: Vec<PathBuf>,
        /// Who takes it.
        #[arg(long)]
        by: String,
    },
    /// Gives a case to somebody.
    Assign {
        /// Folder that `analyze` wrote.
        dir: PathBuf,
        /// The case.
        id: String,
        /// To whom.
        owner: String,
        /// Who does it.
        #[arg(long)]
        by: String,
    },
    /// Moves a case to `open`, `waiting` or back to `new`.
    State {
        /// Folder that `analyze` wrote.
        dir: PathBuf,
        /// The case.
        id: String,
        /// The state.
        state: String,
        /// Who does it.
        #[arg(long)]
        by: String,
    },
    /// Adds a note to the timeline.
    Note {
        /// Folder that `analyze` wrote.
        dir: PathBuf,
        /// The case.
        id: String,
        /// The note.
        text: String,
        /// Whose note.
        #[arg(long)]
        by: String,
    },
    /// Joins a second case into the first.
    Merge {
        /// Folder that `analyze` wrote.
        dir: PathBuf,
        /// The case that stays.
        id: String,
        /// The case that goes into it.
        other: String,
        /// Who does it.
        #[arg(long)]
        by: String,
    },
    /// Takes findings out into a case of their own.
    Split {
        /// Folder that `analyze` wrote.
        dir: PathBuf,
        /// The case.
        id: String,
        /// The findings.
        #[arg(required = true)]
        findings: Vec<String>,
        /// Who does it.
        #[arg(long)]
        by: String,
    },
    /// Closes a case with a conclusion: `true-positive`, `benign`, `expected-work`, `false-positive` or `undetermined`.
    Close {
        /// Folder that `analyze` wrote.
        dir: PathBuf,
        /// The case.
        id: String,
        /// The conclusion.
        conclusion: String,
        /// The procedure that was followed.
        #[arg(long)]
        method: String,
        /// What is done further, or that nothing is.
        #[arg(long, default_value = "no further action")]
        action: String,
        /// Who evaluated it: a person.
        #[arg(long)]
        by: String,
    },
    /// Records what a person determined: `reportable`, `attempt`, `not-reportable` or `no-incident`. Only this makes a case an incident.
    Determine {
        /// Folder that `analyze` wrote.
        dir: PathBuf,
        /// The case.
        id: String,
        /// What was determined.
        what: String,
        /// Why.
        #[arg(long)]
        reason: String,
        /// Who determined it: a person.
        #[arg(long)]
        by: String,
    },
}

/// Runs it.
pub fn run(args: &CaseArgs) -> anyhow::Result<u8> {
    let now = respond::clock::now();
    match &args.what {
        What::Build { dir, json } => build(dir, *json),
        What::List { dir, json } => {
            let mut cases = read(dir)?;
            cases.sort_by(|a, b| b.severity.cmp(&a.severity).then(a.occurred.cmp(&b.occurred)));
            for case in &cases {
                list_line(case, *json)?;
            }
            Ok(0)
        }
        What::Show { dir, id, json } => {
            let cases = read(dir)?;
            let case = &cases[find(&cases, id)?];
            if *json {
                say!("{}", serde_json::to_string_pretty(case)?);
            } else {
                show(case);
            }
            Ok(0)
        }
        What::Evidence { dir, id, output, captures, by } => evidence(dir, id, output, captures, by),
        What::Assign { dir, id, owner, by } => change(dir, id, |c, _| Ok(c.assign(now, &Actor::person(by), owner)?)),
        What::State { dir, id, state, by } => change(dir, id, |c, _| {
            let state = State::parse(state).with_context(|| format!("`{state}` is none of new, open, waiting"))?;
            Ok(c.set_state(now, &Actor::person(by), state)?)
        }),
        What::Note { dir, id, text, by } => change(dir, id, |c, _| {
            c.note(now, &Actor::person(by), "note", text);
            Ok(())
        }),
        What::Merge { dir, id, other, by } => change(dir, id, |c, all| {
            let at = find(all, other)?;
            Ok(c.merge(now, &Actor::person(by), &mut all[at])?)
        }),
        What::Split { dir, id, findings, by } => change(dir, id, |c, all| {
            let new = c.split(now, &Actor::person(by), findings)?;
            say!("{} holds {} findings", new.id, new.findings.len());
            all.push(new);
            Ok(())
        }),
        What::Close { dir, id, conclusion, method, action, by } => change(dir, id, |c, _| {
            let disposition = Disposition {
                conclusion: conclusion.clone(),
                by: by.clone(),
                at: now,
                method: method.clone(),
                action: action.clone(),
            };
            Ok(c.close(&Actor::person(by), disposition)?)
        }),
        What::Determine { dir, id, what, reason, by } => change(dir, id, |c, _| {
            let what = Determined::parse(what)
                .with_context(|| format!("`{what}` is none of reportable, attempt, not-reportable, no-incident"))?;
            Ok(c.determine(now, &Actor::person(by), what, reason)?)
        }),
    }
}

fn build(dir: &Path, json: bool) -> anyhow::Result<u8> {
    let findings = Finding::read_all(&dir.join("alerts.ndjson"))?;
    let old = if dir.join("cases.ndjson").exists() { read(dir)? } else { Vec::new() };
    let mut correlator = Correlator::new(Rules::default(), old);
    for finding in &findings {
        correlator.take(finding);
    }
    let cases = correlator.into_cases();
    write(dir, &cases)?;
    for case in &cases {
        list_line(case, json)?;
    }
    if !json {
        let joined: usize = cases.iter().map(|c| c.findings.len()).sum();
        say!(
            "{} of {} findings are part of {} cases: {}",
            joined,
            findings.len(),
            cases.len(),
            dir.join("cases.ndjson").display()
        );
    }
    Ok(0)
}

fn list_line(case: &Case, json: bool) -> anyhow::Result<()> {
    if json {
        say!("{}", serde_json::to_string(case)?);
    } else {
        let owner = case.owner.as_deref().unwrap_or("nobody");
        say!(
            "{:18} {:8} {:7} {:10} {}  {}",
            case.id,
            case.severity.name(),
            case.state.name(),
            report::plain(owner),
            case.occurred,
            report::plain(&case.title)
        );
    }
    Ok(())
}

fn show(case: &Case) {
    let plain = |text: &str| report::plain(text).to_string();
    say!("{}", plain(&case.title));
    say!(
        "{}  severity {}  state {}  owner {}",
        case.id,
        case.severity.name(),
        case.state.name(),
        plain(case.owner.as_deref().unwrap_or("nobody"))
    );
    say!("{} to {}; first raised {}", case.occurred, case.ended, case.detected);
    match &case.determination {
        Some(d) => say!("determined as {} by {} at {}: {}", d.what.name(), plain(&d.by), d.at, plain(&d.reason)),
        None => say!("nobody has determined whether this is an incident"),
    }
    say!("\nfindings");
    for m in &case.findings {
        say!("  {}  {:8} {}", m.ts, m.severity.name(), plain(&m.title));
        say!("      {}", plain(&m.join.reason));
    }
    say!("\nwho did what to whom");
    for edge in case.edges() {
        say!(
            "  {} → {}: {} findings, {}",
            plain(&edge.from),
            plain(&edge.to),
            edge.findings.len(),
            plain(&edge.protos.join(", "))
        );
    }
    say!("\ntechniques");
    for (id, name, tactic) in case.techniques() {
        say!("  {id} {name} ({})", tactic.named().1);
    }
    for (other, reason) in &case.related {
        say!("related: {other}: {}", plain(reason));
    }
    say!("\ntimeline");
    for entry in &case.timeline {
        say!("  {}  {}: {}", entry.at, plain(&entry.by.name), plain(&entry.text));
    }
}

fn evidence(dir: &Path, id: &str, output: &Path, captures: &[PathBuf], by: &str) -> anyhow::Result<u8> {
    let cases = read(dir)?;
    let case = &cases[find(&cases, id)?];
    let findings = Finding::read_all(&dir.join("alerts.ndjson"))?;
    let devices = Device::read_all(&dir.join("assets.ndjson"))?;
    let source = Source { dir, findings: &findings, devices: &devices, captures };
    let made = bundle::write(case, &source, output, by, respond::clock::now())?;
    say!(
        "{}: {} findings, {} of {} cited packets, {} records",
        made.dir.display(),
        made.findings,
        made.packets,
        made.cited,
        made.records
    );
    for gap in &made.gaps {
        say!("missing: {gap}");
    }
    Ok(u8::from(!made.gaps.is_empty()) * 2)
}

fn change(
    dir: &Path,
    id: &str,
    what: impl FnOnce(&mut Case, &mut Vec<Case>) -> anyhow::Result<()>,
) -> anyhow::Result<u8> {
    let mut cases = read(dir)?;
    let at = find(&cases, id)?;
    let mut case = cases.remove(at);
    what(&mut case, &mut cases)?;
    let line = case.clone();
    cases.push(case);
    write(dir, &cases)?;
    list_line(&line, false)?;
    Ok(0)
}

fn find(cases: &[Case], id: &str) -> anyhow::Result<usize> {
    cases
        .iter()
        .position(|c| c.id == id)
        .with_context(|| format!("there is no case `{id}`; `gridwarden case list` lists them"))
}

fn read(dir: &Path) -> anyhow::Result<Vec<Case>> {
    let path = dir.join("cases.ndjson");
    if !path.exists() {
        bail!("`{}` does not exist: run `gridwarden case build {}` first", path.display(), dir.display());
    }
    let text = std::fs::read_to_string(&path).with_context(|| format!("cannot read `{}`", path.display()))?;
    let lines = text.lines().filter(|l| !l.trim().is_empty()).enumerate();
    lines
        .map(|(n, l)| serde_json::from_str(l).with_context(|| format!("`{}` line {}", path.display(), n + 1)))
        .collect()
}

/// Whole or not at all.
fn write(dir: &Path, cases: &[Case]) -> anyhow::Result<()> {
    let mut list: Vec<&Case> = cases.iter().collect();
    list.sort_by(|a, b| (a.occurred, &a.id).cmp(&(b.occurred, &b.id)));
    let mut text = String::new();
    for case in list {
        text += &serde_json::to_string(case)?;
        text.push('\n');
    }
    let (path, beside) = (dir.join("cases.ndjson"), dir.join("cases.ndjson.new"));
    let done = std::fs::write(&beside, text).and_then(|()| std::fs::rename(&beside, &path));
    done.with_context(|| format!("cannot write `{}`", path.display()))
}
