//! `cargo xtask fuzz`: broken traffic at every parser, from mutated captures; stable toolchain, same seed, same inputs.
//!
//! Inputs begin as conversations and frames of a simulated substation and, where it is there, of the corpus. What leads to an anomaly or a
//! row of a shape that no input led to before is kept and mutated further. A panic (also a contained one), an input that takes too long or memory that
//! grows without end saves the input under `fuzz/` of the target folder; `--replay FILE` runs one again.

mod input;
mod mutate;
mod seeds;
mod target;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};

use crate::sh;
use input::Input;
use mutate::Rng;
use target::{Kind, Runner};

/// Inputs kept because they led to something new, for each target.
const POOL: usize = 4_096;
/// An input that takes this long three times running is too slow.
const SLOW: Duration = Duration::from_millis(400);
/// Resident memory beyond this is a leak or an allocation by a length from the wire.
const MEMORY: usize = 1 << 30;
/// Findings after which a target is left.
const ENOUGH: usize = 20;

/// What to run.
pub struct Options {
    /// The only target, or all.
    pub target: Option<String>,
    /// Where mutation begins.
    pub seed: u64,
    /// When a target ends.
    pub until: Until,
    /// Whether captures of the corpus are seeds too.
    pub corpus: bool,
}

/// When a target ends.
#[derive(Clone, Copy)]
pub enum Until {
    /// After so many inputs: the same on any machine.
    Runs(u64),
    /// After so many seconds.
    Seconds(u64),
}

impl Options {
    /// The run that every change must pass.
    pub fn short() -> Options {
        Options { target: None, seed: 1, until: Until::Runs(4_000), corpus: false }
    }

    /// From the command line: `[--target NAME] [--seed N] [--seconds N | --runs N]`.
    pub fn parse(args: &[String]) -> anyhow::Result<Options> {
        let value = |name: &str| args.iter().position(|a| a == name).and_then(|i| args.get(i + 1));
        let number = |name: &str| {
            value(name)
                .map(|v| v.parse::<u64>().with_context(|| format!("`{name}` wants a number, not `{v}`")))
                .transpose()
        };
        let until = match (number("--runs")?, number("--seconds")?) {
            (Some(runs), _) => Until::Runs(runs),
            (None, seconds) => Until::Seconds(seconds.unwrap_or(60)),
        };
        Ok(Options { target: value("--target").cloned(), seed: number("--seed")?.unwrap_or(1), until, corpus: true })
    }
}

/// Runs the command: `--replay FILE`, or mutation.
pub fn command(args: &[String]) -> anyhow::Result<()> {
    match args.iter().position(|a| a == "--replay").and_then(|i| args.get(i + 1)) {
        Some(file) => replay(Path::new(file)),
        None => run(&Options::parse(args)?),
    }
}

/// Fuzzes; fails when anything was found.
pub fn run(options: &Options) -> anyhow::Result<()> {
    let mut runner = Runner::new(folder()?);
    let seeds = seeds::all(options.corpus)?;
    let mut found = 0;
    for kind in Kind::ALL {
        if options.target.as_deref().is_none_or(|t| t == kind.name()) {
            let own: Vec<Input> = seeds.iter().filter(|s| s.kind == *kind).cloned().collect();
            ensure!(!own.is_empty(), "no seeds for `{}`", kind.name());
            found += fuzz(*kind, own, options, &mut runner)?;
        }
    }
    ensure!(found == 0, "{found} inputs were saved under `{}`", runner.folder.display());
    Ok(())
}

fn fuzz(kind: Kind, mut pool: Vec<Input>, options: &Options, runner: &mut Runner) -> anyhow::Result<usize> {
    let seeds = pool.len();
    let mut rng = Rng::new(options.seed ^ kind.name().bytes().fold(0, |h, b| h * 31 + u64::from(b)));
    let mut features = BTreeSet::new();
    let mut saved = BTreeSet::new();
    let (start, mut runs) = (Instant::now(), 0u64);
    let over = |runs: u64| match options.until {
        Until::Runs(n) => runs >= n,
        Until::Seconds(n) => start.elapsed().as_secs() >= n,
    };
    while !over(runs) && saved.len() < ENOUGH {
        // Every seed first as it is, so that what mutants add is known.
        let fresh = match pool.get(runs as usize).filter(|_| (runs as usize) < seeds) {
            Some(seed) => seed.clone(),
            None => mutate::mutant(&pool, &mut rng),
        };
        let divisor = if runs % 4 == 3 { 100 } else { 1 };
        let (fault, seen) = judge(runner, &fresh, divisor);
        if let Some(fault) = fault
            && saved.insert(fault.clone())
        {
            let path = runner.folder.join(format!("{}-{}-{}.txt", kind.name(), options.seed, saved.len()));
            std::fs::write(&path, format!("# {fault}\n# limits divided by {divisor}\n{}", fresh.text()))?;
            println!("fuzz {}: {fault}: {}", kind.name(), path.display());
        }
        let known = features.len();
        features.extend(seen);
        if features.len() > known && runs as usize >= seeds && pool.len() < POOL {
            pool.push(fresh);
        }
        runs += 1;
    }
    let seconds = start.elapsed().as_secs_f64();
    println!(
        "fuzz {:<9} {runs} inputs, {:.0} a second, from {seeds} seeds; {} kept; {} shapes of rows; {} findings",
        kind.name(),
        runs as f64 / seconds.max(0.001),
        pool.len() - seeds,
        features.len(),
        saved.len()
    );
    Ok(saved.len())
}

/// Runs one input: what is wrong with how it was taken, and what it led to.
fn judge(runner: &mut Runner, input: &Input, divisor: usize) -> (Option<String>, Vec<String>) {
    let start = Instant::now();
    let (fault, seen) = match runner.run(input, divisor) {
        Ok(seen) => (None, seen),
        Err(panic) => (Some(panic), Vec::new()),
    };
    if fault.is_none() && start.elapsed() > SLOW && (0..3).all(|_| took(runner, input, divisor) > SLOW) {
        return (Some(format!("slow: {} bytes", input.size())), seen);
    }
    if fault.is_none() && target::resident() > MEMORY {
        return (Some("memory".to_owned()), seen);
    }
    (fault, seen)
}

fn took(runner: &mut Runner, input: &Input, divisor: usize) -> Duration {
    let start = Instant::now();
    let _ = runner.run(input, divisor);
    start.elapsed()
}

fn replay(file: &Path) -> anyhow::Result<()> {
    let text = std::fs::read_to_string(file).with_context(|| format!("cannot read `{}`", file.display()))?;
    let input = Input::parse(&text).with_context(|| format!("`{}` is no saved input", file.display()))?;
    let mut runner = Runner::new(folder()?);
    for divisor in [1, 100] {
        let start = Instant::now();
        let (fault, seen) = judge(&mut runner, &input, divisor);
        let took = start.elapsed().as_millis();
        println!(
            "limits divided by {divisor}: {} in {took} ms; {}",
            fault.as_deref().unwrap_or("sound"),
            seen.join(", ")
        );
    }
    Ok(())
}

fn folder() -> anyhow::Result<PathBuf> {
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| sh::root().join("target"), PathBuf::from);
    let folder = target.join("fuzz");
    std::fs::create_dir_all(&folder)?;
    Ok(folder)
}
