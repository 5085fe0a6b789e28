//! `gridwarden prove`: each attack by each actor onto a copy of the site's own traffic, judged by its baseline: what would be found.
//!
//! A cell is found as `show/judge.py` has it: an episode at medium or above (low with `--low`) that begins within the attack or at most a
//! minute after it, lasts at most three times as long plus five minutes, names actor or target, and is absent from the untouched capture.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ::simulate::{Attack, Failure, Role};
use anyhow::Context;
use capture::{Inputs, Single, Status};
use detect::Setup;
use gwcore::time::{MINUTE, parse_rfc3339};
use gwcore::{Limits, Party, Severity, Ts};
use serde::Serialize;

use crate::analyze::engine_options;
use crate::cli::Prove;
use crate::knowledge;
use crate::platform::{Platform, Tally};
use crate::progress::Progress;
use crate::say::{complaint, passing, say};
use crate::simulate::onto;

/// Runs it; the exit code is 1 when something was missed.
pub fn run(args: &Prove) -> anyhow::Result<u8> {
    let chosen = |names: &[String]| names.iter().map(|name| name.parse::<Attack>()).collect::<Result<Vec<_>, _>>();
    let attacks = if args.attack.is_empty() { Attack::ALL.to_vec() } else { chosen(&args.attack)? };
    let actors = args.actor.iter().map(|name| name.parse::<Role>()).collect::<Result<Vec<_>, _>>()?;
    let actors = if actors.is_empty() { Role::ALL.to_vec() } else { actors };
    let limits = Limits::default();
    let job = Job::new(args, &limits)?;
    let mut cells = Vec::new();
    let scratch = Scratch::new(args.output.as_deref())?;
    let (all, mut done) = (attacks.len() * actors.len(), 0);
    for attack in attacks {
        for actor in &actors {
            done += 1;
            job.say(&format!("{done} of {all}: {attack} by {actor}"));
            cells.push(job.cell(attack, *actor, &scratch.0)?);
        }
    }
    job.say("");
    for line in table(&cells, &actors) {
        say!("{line}");
    }
    if let Some(dir) = &args.output {
        let path = dir.join("prove.json");
        let text = serde_json::to_string_pretty(&cells)?;
        std::fs::write(&path, text).with_context(|| format!("cannot write `{}`", path.display()))?;
        let csv: String = cells.iter().map(Cell::csv).collect();
        let path = dir.join("prove.csv");
        let text = format!("{HEADER}\n{csv}");
        std::fs::write(&path, text).with_context(|| format!("cannot write `{}`", path.display()))?;
    }
    Ok(u8::from(cells.iter().any(|cell| cell.result == Outcome::Missed)))
}

/// Columns of `prove.csv`.
const HEADER: &str = "attack,actor,result,technique,detectors,delay_seconds,capture,why";

/// How an attack by an actor came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
enum Outcome {
    Found,
    Missed,
    Untried,
}

/// An attack by an actor.
#[derive(Clone, Debug, Serialize)]
struct Cell {
    attack: &'static str,
    actor: &'static str,
    result: Outcome,
    /// The most telling technique of ATT&CK for ICS.
    technique: &'static str,
    /// What found it, the earliest first; what spoke too softly, where it was missed.
    detectors: Vec<&'static str>,
    /// From the attack's first frame to the first finding.
    delay_seconds: Option<f64>,
    /// The capture on which it was tried.
    capture: Option<String>,
    /// Why it could not be tried.
    why: Option<String>,
}

impl Cell {
    fn csv(&self) -> String {
        let quoted = |text: &str| format!("\"{}\"", text.replace('"', "\"\""));
        let result = match self.result {
            Outcome::Found => "found",
            Outcome::Missed => "missed",
            Outcome::Untried => "untried",
        };
        let delay = self.delay_seconds.map(|s| format!("{s:.1}")).unwrap_or_default();
        let (capture, why) = (self.capture.as_deref().unwrap_or_default(), self.why.as_deref().unwrap_or_default());
        let (attack, actor, technique) = (self.attack, self.actor, self.technique);
        let by = self.detectors.join(" ");
        format!("{attack},{actor},{result},{technique},{by},{delay},{},{}\n", quoted(capture), quoted(why))
    }
}

/// A folder that goes when the run ends: one copy of a capture at a time lies in it.
struct Scratch(PathBuf);

impl Scratch {
    fn new(output: Option<&Path>) -> anyhow::Result<Scratch> {
        let name = format!("gridwarden-prove-{}", std::process::id());
        let dir = output.map_or_else(std::env::temp_dir, Path::to_owned).join(name);
        std::fs::create_dir_all(&dir).with_context(|| format!("cannot make the folder `{}`", dir.display()))?;
        Ok(Scratch(dir))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // What cannot be removed is no reason to lose the result.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

struct Job<'a> {
    args: &'a Prove,
    limits: &'a Limits,
    setup: Setup,
    captures: Vec<PathBuf>,
    /// Episodes of each untouched capture.
    twins: Vec<Vec<Episode>>,
    floor: Severity,
}

/// One episode of a finding, with every name of its two ends.
#[derive(Clone, Debug)]
struct Episode {
    detector: &'static str,
    key: String,
    severity: Severity,
    start: Ts,
    end: Ts,
    raised: Ts,
    names: BTreeSet<String>,
}

impl Episode {
    fn begins_in(&self, start: Ts, end: Ts) -> bool {
        start <= self.start && self.start <= end.plus(MINUTE)
    }

    fn fits(&self, start: Ts, end: Ts) -> bool {
        let most = end.since(start).saturating_mul(3).saturating_add(5 * MINUTE);
        self.begins_in(start, end) && self.end.since(self.start) <= most
    }

    /// Whether it was there without the attack: the same thing, begun about then.
    fn is_in(&self, twin: &[Episode], start: Ts, end: Ts) -> bool {
        let same = |t: &&Episode| t.detector == self.detector && t.key == self.key;
        twin.iter().filter(same).any(|t| t.begins_in(start.plus(-MINUTE), end))
    }
}

impl<'a> Job<'a> {
    fn new(args: &'a Prove, limits: &'a Limits) -> anyhow::Result<Job<'a>> {
        let baseline = knowledge::baseline(&args.baseline, limits)?;
        let floor = if args.low { Severity::Low } else { Severity::Medium };
        if baseline.is_young() && !args.low {
            complaint(format_args!(
                "the baseline is of under six hours, so what rests on it speaks as low; `--low` counts that as found"
            ));
        }
        let setup = Setup { baseline: Some(Arc::new(baseline)), ..Setup::new(limits) };
        let inputs = Inputs::find(&args.paths, limits);
        if let Some(bad) = inputs.list.iter().find(|i| matches!(i.status, Status::Unreadable(_))) {
            anyhow::bail!("cannot read `{}`", bad.path.display());
        }
        let is_capture = |i: &&capture::Input| matches!(i.status, Status::Capture);
        let captures: Vec<PathBuf> = inputs.list.iter().filter(is_capture).map(|i| i.path.clone()).collect();
        anyhow::ensure!(!captures.is_empty(), "no capture among the inputs");
        let mut job = Job { args, limits, setup, captures, twins: Vec::new(), floor };
        for capture in job.captures.clone() {
            job.say(&format!("{}: as it is", capture.display()));
            let twin = job.episodes(&capture)?;
            job.twins.push(twin);
        }
        Ok(job)
    }

    /// What is being done, unless it is to be quiet.
    fn say(&self, what: &str) {
        if !self.args.quiet {
            passing(what);
        }
    }

    /// Tries one attack by one actor on the first capture that holds what it needs.
    fn cell(&self, attack: Attack, actor: Role, scratch: &Path) -> anyhow::Result<Cell> {
        let (pcap, labels) = (scratch.join("copy.pcap"), scratch.join("copy.csv"));
        let technique = attack.techniques().first().copied().unwrap_or_default();
        let mut cell = Cell {
            attack: attack.name(),
            actor: actor.name(),
            result: Outcome::Untried,
            technique,
            detectors: Vec::new(),
            delay_seconds: None,
            capture: None,
            why: None,
        };
        for (capture, twin) in self.captures.iter().zip(&self.twins) {
            match onto(capture, (attack, actor, self.args.seed), &pcap, &labels) {
                Ok(_) => {}
                Err(Failure::Untried(why)) => {
                    cell.why.get_or_insert(why);
                    continue;
                }
                Err(other) => return Err(other).with_context(|| format!("attack `{attack}` by `{actor}`")),
            }
            let label = Label::read(&labels)?;
            let episodes = self.episodes(&pcap)?;
            (cell.capture, cell.why) = (Some(capture.display().to_string()), None);
            self.judge(&mut cell, &episodes, twin, &label);
            break;
        }
        Ok(cell)
    }

    fn judge(&self, cell: &mut Cell, episodes: &[Episode], twin: &[Episode], label: &Label) {
        let (start, end) = (label.start, label.end);
        let own = |e: &&Episode| !e.names.is_disjoint(&label.names) && !e.is_in(twin, start, end);
        let found: Vec<&Episode> =
            episodes.iter().filter(|e| e.severity >= self.floor && e.fits(start, end)).filter(own).collect();
        cell.result = if found.is_empty() { Outcome::Missed } else { Outcome::Found };
        cell.delay_seconds = found.first().map(|e| e.raised.since(start) as f64 / 1e9);
        let soft = episodes.iter().filter(|e| e.severity == Severity::Low && e.begins_in(start, end)).filter(own);
        let by = if found.is_empty() { soft.collect() } else { found };
        for episode in by {
            if !cell.detectors.contains(&episode.detector) {
                cell.detectors.push(episode.detector);
            }
        }
    }

    /// Everything at low or above that the detectors raise on a capture, by when it was raised.
    fn episodes(&self, path: &Path) -> anyhow::Result<Vec<Episode>> {
        let inputs = Inputs::find(&[path.to_owned()], self.limits);
        let name = path.display().to_string();
        let (files, shared) = ([name.clone()], [Arc::<str>::from(name.as_str())]);
        let (mut tally, progress) = (Tally::default(), Progress::new(0, true));
        let mut source = Single::open(&inputs, 0, self.limits).context("no such capture")?;
        let options = engine_options(self.args.threads, self.args.checksums, gwcore::Detail::Summary, self.limits);
        let mut stage = Platform::new(&self.setup, (&[], &[]), &mut [], (&files, &shared), &mut tally, &progress);
        let counts = engine::analyze(&mut source, &options, &mut stage)?;
        if let Some(report) = source.finish().filter(|report| report.failed()) {
            anyhow::bail!("`{name}`: {}", report.reason().unwrap_or_default());
        }
        let (inventory, findings, _) = stage.result(counts.span);
        let assets: BTreeMap<&str, _> =
            inventory.devices.iter().map(|d| (d.id.as_str(), d.ips.iter().chain(&d.macs))).collect();
        let mut out = Vec::new();
        for finding in findings.iter().filter(|f| f.severity >= Severity::Low) {
            let names = |party: &Party| {
                let device = party.asset.as_deref().and_then(|id| assets.get(id)).cloned().into_iter().flatten();
                party.ip.iter().chain(&party.mac).chain(device).cloned().collect::<BTreeSet<String>>()
            };
            let names: BTreeSet<String> = &names(&finding.src) | &names(&finding.dst);
            out.extend(finding.episodes.iter().map(|e| Episode {
                detector: finding.detector,
                key: finding.dedup_key.clone(),
                severity: finding.severity,
                start: e.ts,
                end: e.ts_end,
                raised: e.raised,
                names: names.clone(),
            }));
        }
        out.sort_by(|a, b| (a.raised, a.detector, &a.key).cmp(&(b.raised, b.detector, &b.key)));
        Ok(out)
    }
}

/// When an attack was, and the names of actor and targets.
struct Label {
    start: Ts,
    end: Ts,
    names: BTreeSet<String>,
}

impl Label {
    fn read(path: &Path) -> anyhow::Result<Label> {
        let text = knowledge::read(path)?;
        let row = text.lines().nth(1).context("the attack sent nothing within the capture")?;
        let mut fields = row.split(',');
        let mut next = || fields.next().unwrap_or_default();
        let (start, end, _) = (parse_rfc3339(next()), parse_rfc3339(next()), next());
        let names = [next(), next()].iter().flat_map(|list| list.split(' ')).map(str::to_owned).collect();
        Ok(Label { start: start.context("no time")?, end: end.context("no time")?, names })
    }
}

/// The table: a line an attack, a column an actor, then what could not be tried and why.
fn table(cells: &[Cell], actors: &[Role]) -> Vec<String> {
    let columns: String = actors.iter().map(|actor| format!("{:46}", actor.name())).collect();
    let mut lines = vec![format!("{:22}{:11}{}", "attack", "technique", columns.trim_end())];
    let mut reasons: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for row in cells.chunks(actors.len().max(1)) {
        let Some(first) = row.first() else { continue };
        let mut line = format!("{:22}{:11}", first.attack, first.technique);
        for cell in row {
            let more = if cell.detectors.len() > 1 { format!(" +{}", cell.detectors.len() - 1) } else { String::new() };
            let by = cell.detectors.first().map(|by| format!("{by}{more}"));
            let text = match (cell.result, by, cell.delay_seconds) {
                (Outcome::Found, Some(by), Some(delay)) => format!("found {by} {delay:.1} s"),
                (Outcome::Missed, Some(by), _) => format!("missed, low: {by}"),
                (Outcome::Untried, ..) => "–".to_owned(),
                _ => "missed".to_owned(),
            };
            line.push_str(&format!("{text:46}"));
            if let Some(why) = &cell.why {
                reasons.entry(why).or_default().push(format!("{}/{}", cell.attack, cell.actor));
            }
        }
        lines.push(line.trim_end().to_owned());
    }
    for actor in actors {
        let of = |result| cells.iter().filter(|c| c.actor == actor.name() && c.result == result).count();
        let (found, missed) = (of(Outcome::Found), of(Outcome::Missed));
        lines.push(format!(
            "{actor}: {found} of {} found, {} could not be tried",
            found + missed,
            of(Outcome::Untried)
        ));
    }
    lines.extend(
        reasons.iter().map(|(why, of)| format!("could not be tried: {}: {}", of.join(" "), report::plain(why))),
    );
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: i64 = 1_000_000_000;

    fn episode(start: i64, end: i64) -> Episode {
        let (start, end) = (Ts(start * SECOND), Ts(end * SECOND));
        Episode {
            detector: "scan",
            key: "k".into(),
            severity: Severity::Medium,
            start,
            end,
            raised: start,
            names: BTreeSet::new(),
        }
    }

    #[test]
    fn found_is_within_the_label_or_a_minute_after_and_not_much_longer() {
        let fits = |start, end| episode(start, end).fits(Ts(1_000 * SECOND), Ts(1_100 * SECOND));
        assert!(fits(1_000, 1_000) && fits(1_160, 1_160) && fits(1_000, 1_600));
        assert!(!fits(999, 1_010) && !fits(1_161, 1_161) && !fits(1_000, 1_601));
    }

    #[test]
    fn what_the_twin_has_is_no_finding() {
        let is_in = |at| episode(1_000, 1_001).is_in(&[episode(at, at)], Ts(1_000 * SECOND), Ts(1_010 * SECOND));
        assert!(is_in(940) && is_in(1_070));
        assert!(!is_in(939) && !is_in(1_071));
    }

    #[test]
    fn a_cell_is_one_line_of_csv() {
        let cell = Cell {
            attack: "scan",
            actor: "new",
            result: Outcome::Found,
            technique: "T0846.001",
            detectors: vec!["scan", "new-device"],
            delay_seconds: Some(1.25),
            capture: Some("a \"b\", c.pcap".into()),
            why: None,
        };
        assert_eq!(cell.csv(), "scan,new,found,T0846.001,scan new-device,1.2,\"a \"\"b\"\", c.pcap\",\"\"\n");
        assert_eq!(HEADER.split(',').count(), 8);
    }
}
