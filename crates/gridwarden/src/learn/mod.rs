//! `gridwarden learn`: captures in, a baseline out, with what it is worth: what it knows, and what alarms it would have raised.
//!
//! The frames are read once for their span, without decoding. One decoding pass looks for what is suspicious and learns in parts; where
//! something is left out for it, another one learns without that. The last pass judges each part by what the others taught.

mod input;
mod page;
mod parts;
mod target;

use std::sync::Arc;

use anyhow::Context;
use capture::Merge;
use detect::{Baseline, Detectors, Devices, Inventory, Learner, Maintenance, Setup, Window};
use engine::{Counts, Seen, Stage};
use gwcore::time::MINUTE;
use gwcore::{Fact, Finding, FlowConst, Key, LimitHits, Limits, Out, Severity, Ts};

use crate::analyze::engine_options;
use crate::cli::Learn;
use crate::knowledge;
use crate::say::say;
use input::Input;
use parts::{At, Span};
use target::Target;

/// Time around a suspicious stretch that is left out with it.
const AROUND: i64 = MINUTE;
/// What a detector finds for so large a part of the time is how the plant works; and a source heard for less of it is a visitor. Halves.
const MOST: u64 = 2;
/// Addresses of one device from which its MAC address may be a router's, behind which others are.
const ROUTER: usize = 4;
/// The word that accepts every item.
const ALL: &str = "all";

/// Runs it.
pub fn run(args: &Learn) -> anyhow::Result<u8> {
    let limits = Limits::scaled(args.limits_divisor);
    let before = if args.add { Some(earlier(args, &limits)?) } else { None };
    let target = Target::create(&args.baseline)?;
    let input = Input::open(args, &limits)?;
    let files = input.names.iter().map(|n| Arc::from(n.as_str())).collect();
    let job = Job { input: &input, limits: &limits, args, files };
    let span = job.span()?;
    let parts = span.parts();
    let mut look = job.look(&parts)?;
    known_items(&args.accept, &look.suspicions, before.as_ref())?;
    let accepted = |s: &Suspicion| args.accept.iter().any(|a| *a == s.item || a == ALL);
    let (taken, left): (Vec<_>, Vec<_>) = look.suspicions.drain(..).partition(accepted);
    if !left.is_empty() {
        let windows = left.iter().flat_map(|s| s.windows.iter().cloned());
        (look.learned, look.hits) = job.learn(&parts, windows.collect())?;
    }
    let mut notes = job.notes(&look, &span);
    notes.extend(
        look.usual
            .drain(..)
            .map(|s| format!("{s} This went on for most of the time: it was learned as how the plant works")),
    );
    if parts.iter().all(|(from, to)| to.since(*from) < parts::DAY) {
        notes.push(
            "halves of less than a day judge each other: what is done once a day, or at one time of day, counts as new, so the figure of the \
             replay may be too high; three days give a better one"
                .to_owned(),
        );
    }
    let mut whole = before.clone().unwrap_or_default();
    let twice = whole.hours_shared(&look.learned);
    if twice > 0 {
        let hours = page::hours(twice.into());
        notes.push(format!("{hours} of these captures had been learned before: they now count twice, and the replay judges them by themselves"));
    }
    for part in &look.learned {
        whole.merge(part);
        whole.keep_within(&limits);
    }
    taken.iter().for_each(|s| whole.accept(&s.item));
    left.into_iter().for_each(|s| whole.suspect(s.item, s.sentence));
    anyhow::ensure!(whole.hours() > 0, "nothing was learned: no packets outside what was excluded");
    whole.learned_from(input.sources());
    let findings = job.replay(&parts, &look, before.as_ref(), &whole)?;
    target.write(&whole)?;
    let told =
        Told { args, whole: &whole, findings: &findings, look: &look, parts: &parts, notes: &notes, input: &input };
    told.tell()?;
    Ok(0)
}

/// The baseline that is added to.
fn earlier(args: &Learn, limits: &Limits) -> anyhow::Result<Baseline> {
    anyhow::ensure!(
        args.baseline.exists(),
        "`{}` does not exist, so nothing can be added to it: leave out --add to begin anew",
        args.baseline.display()
    );
    knowledge::baseline(&args.baseline, limits)
}

/// Refuses to accept what was not found: a slip of the pen would pass unseen.
fn known_items(accept: &[String], found: &[Suspicion], before: Option<&Baseline>) -> anyhow::Result<()> {
    let Some(unknown) = accept.iter().find(|a| *a != ALL && found.iter().all(|s| s.item != **a)) else { return Ok(()) };
    if before.is_some_and(|b| b.suspicions().iter().any(|(item, _)| item == unknown)) {
        anyhow::bail!("`{unknown}` was left out of captures learned before: name them as inputs to learn it");
    }
    if found.is_empty() {
        anyhow::bail!("`{unknown}` cannot be accepted: nothing in these captures looks suspicious");
    }
    let items: Vec<String> = found.iter().map(|s| format!("`{}`", s.item)).collect();
    anyhow::bail!("`{unknown}` is not among what looks suspicious here: {}", items.join(", "))
}

/// Something that looks like an attack in the learning span.
struct Suspicion {
    item: String,
    sentence: String,
    windows: Vec<Window>,
}

/// What the first decoding pass gave.
struct Look {
    suspicions: Vec<Suspicion>,
    /// Sentences of findings that go on for most of the time.
    usual: Vec<String>,
    learned: Vec<Baseline>,
    hits: LimitHits,
    inventory: Inventory,
    /// Frames read; the most of one input.
    frames: (u64, u64),
    /// Frames that the captures say were lost.
    lost: u64,
}

/// What is read, and how.
struct Job<'a> {
    input: &'a Input,
    limits: &'a Limits,
    args: &'a Learn,
    files: Vec<Arc<str>>,
}

impl Job<'_> {
    fn file(&self, index: u32) -> Arc<str> {
        self.files.get(index as usize).cloned().unwrap_or_else(|| Arc::from(""))
    }

    fn span(&self) -> anyhow::Result<Span> {
        let mut source = Merge::open(&self.input.inputs, self.limits);
        let mut span = Span::default();
        while let Some(frame) = source.next() {
            span.frame(frame.ts);
        }
        self.check(source)?;
        anyhow::ensure!(span.span.is_some(), "the inputs hold no packet");
        Ok(span)
    }

    /// Closes the inputs; damage is an error, since nobody knows what a baseline of half a file lacks. The frames that were lost.
    fn check(&self, source: Merge) -> anyhow::Result<u64> {
        let reports = source.finish();
        if let Some((report, name)) = reports.iter().zip(&self.input.names).find(|(r, _)| r.failed()) {
            let (why, remedy) = (report.reason().unwrap_or_default(), report.remedy().unwrap_or_default());
            anyhow::bail!("`{name}`: {why}: {remedy}");
        }
        Ok(reports.iter().fold(0, |sum, r| r.lost.total().saturating_add(sum)))
    }

    fn read(&self, give: &mut dyn FnMut(&[Fact], &[FlowConst])) -> anyhow::Result<(Counts, u64)> {
        let options = engine_options(self.args.threads, self.args.checksums, gwcore::Detail::Summary, self.limits);
        let mut source = Merge::open(&self.input.inputs, self.limits);
        let counts = engine::analyze(&mut source, &options, &mut Facts(give))?;
        Ok((counts, self.check(source)?))
    }

    /// Finds what decoding alone calls medium or above, which devices there are, and learns all of it.
    fn look(&self, parts: &[(Ts, Ts)]) -> anyhow::Result<Look> {
        let mut detectors = Detectors::new(&Setup::new(self.limits), &[], &[]);
        let mut devices = Devices::new(self.limits);
        let mut learners = Learners::new(self, parts, Vec::new());
        let (counts, lost) = self.read(&mut |facts, flows| {
            detectors.batch(facts, flows, &|i| self.file(i));
            devices.batch(facts, flows);
            learners.batch(facts, flows);
        })?;
        let inventory = devices.finish();
        let findings = detectors.finish(&inventory, &|i| self.file(i));
        let (learned, mut hits) = learners.finish();
        hits.add(&devices.hits);
        let of = |f: fn(&mut dyn Iterator<Item = u64>) -> u64| f(&mut counts.files.iter().map(|c| c.frames));
        let frames = (of(|all| all.sum()), of(|all| all.max().unwrap_or(0)));
        let (suspicions, usual) = self.suspicions(&findings, &learned, &inventory);
        Ok(Look { suspicions, usual, learned, hits, inventory, frames, lost })
    }

    /// What looks like an attack, and sentences of what looks so for most of the time.
    fn suspicions(
        &self,
        findings: &[Finding],
        learned: &[Baseline],
        inventory: &Inventory,
    ) -> (Vec<Suspicion>, Vec<String>) {
        let (mut items, mut usual): (Vec<Suspicion>, Vec<String>) = Default::default();
        let measured = learned.iter().fold(0u64, |sum, b| sum.saturating_add(b.measured().max(0).unsigned_abs()));
        let hours = learned.iter().fold(0u64, |sum, b| sum + u64::from(b.hours()));
        let is_visitor = |name: &String| {
            let heard = learned.iter().fold(0u64, |sum, b| sum + u64::from(b.hours_heard(name)));
            heard.saturating_mul(MOST) < hours
        };
        let always = (Ts(i64::MIN), Ts(i64::MAX));
        for f in findings.iter().filter(|f| f.severity >= Severity::Medium) {
            // Of a crowd of sources only the first ones are named: what the device they turn to had to do then is left out instead.
            let party = if f.dedup_key.starts_with(detect::CROWD_KEY) { &f.dst } else { &f.src };
            let Some(source) = party.ip.clone().or_else(|| party.mac.clone()) else { continue };
            if self.is_excluded(f, &source) {
                continue;
            }
            let lasted = f.episodes.iter().fold(0i64, |sum, e| sum.saturating_add(e.ts_end.since(e.ts).max(0)));
            if lasted.max(0).unsigned_abs().saturating_mul(MOST) > measured {
                usual.push(f.why.clone());
                continue;
            }
            let item = format!("{}:{source}", f.detector);
            let window =
                |(start, end), name: &String| Window { start, end, asset: Some(name.clone()), reason: item.clone() };
            let mut windows: Vec<Window> = Vec::new();
            if is_visitor(&source) {
                // Nothing that it did is known to be of the plant, under whatever address.
                windows.extend(names(party, inventory).iter().map(|n| window(always, n)));
            } else {
                // Who visits under an address of the plant is known by its MAC address.
                windows.extend(
                    party.mac.iter().filter(|m| party.ip.is_some() && is_visitor(m)).map(|m| window(always, m)),
                );
                for e in &f.episodes {
                    let around = (e.ts.plus(-AROUND), e.ts_end.plus(AROUND));
                    // By both addresses: what it says without IP gives it away as a device too.
                    windows.extend(party.ip.iter().chain(&party.mac).map(|n| window(around, n)));
                }
            }
            match items.iter_mut().find(|s| s.item == item) {
                Some(s) => s.windows.append(&mut windows),
                None => items.push(Suspicion { item, sentence: format!("{} (first {})", f.why, f.ts), windows }),
            }
        }
        usual.dedup();
        (items, usual)
    }

    /// Whether a finding lies in what is excluded anyway.
    fn is_excluded(&self, f: &Finding, source: &str) -> bool {
        self.input.exclude.covers(f.ts, |name| name == source).is_some()
            || f.packets.first().is_some_and(|p| self.input.frames.contains(&p.frame))
    }

    fn learn(&self, parts: &[(Ts, Ts)], windows: Vec<Window>) -> anyhow::Result<(Vec<Baseline>, LimitHits)> {
        let mut learners = Learners::new(self, parts, windows);
        self.read(&mut |facts, flows| learners.batch(facts, flows))?;
        Ok(learners.finish())
    }

    /// Judges each part by what the others taught, as old as the whole is.
    fn replay(
        &self,
        parts: &[(Ts, Ts)],
        look: &Look,
        before: Option<&Baseline>,
        whole: &Baseline,
    ) -> anyhow::Result<Vec<Finding>> {
        let others = |part: usize| {
            let mut b = before.cloned().unwrap_or_default();
            let others = look.learned.iter().enumerate().filter(|(i, _)| *i != part);
            others.for_each(|(_, l)| {
                b.merge(l);
                b.keep_within(self.limits);
            });
            b.stand_for(whole);
            Setup { baseline: Some(Arc::new(b)), ..Setup::new(self.limits) }
        };
        let mut findings = Vec::new();
        let mut now: Option<(usize, Detectors)> = None;
        let mut at = At::new(parts);
        let done = |d: Option<(usize, Detectors)>| {
            d.map(|(_, mut d)| d.finish(&look.inventory, &|i| self.file(i))).unwrap_or_default()
        };
        self.read(&mut |facts, flows| {
            at.split(facts, |part, facts| {
                if now.as_ref().is_none_or(|(p, _)| *p != part) {
                    let next = Detectors::new(&others(part), &[], &[]);
                    findings.extend(done(now.replace((part, next))));
                }
                if let Some((_, d)) = &mut now {
                    d.batch(facts, flows, &|i| self.file(i));
                }
            });
        })?;
        findings.extend(done(now));
        findings.retain(|f| f.packets.first().is_none_or(|p| !self.input.frames.contains(&p.frame)));
        findings.retain_mut(|f| self.keep_undeclared(f));
        Ok(findings)
    }

    /// Leaves out the episodes in declared windows, since nobody asks what a clean day is by those; whether any is left.
    fn keep_undeclared(&self, f: &mut Finding) -> bool {
        let parties = [&f.src, &f.dst];
        let named = |name: &str| {
            let is = |n: &Option<String>| n.as_deref().is_some_and(|n| n.eq_ignore_ascii_case(name));
            parties.iter().any(|p| is(&p.ip) || is(&p.mac))
        };
        f.episodes.retain(|e| self.input.exclude.covers(e.ts, named).is_none());
        !f.episodes.is_empty()
    }

    /// What the user should know of input and exclusions.
    fn notes(&self, look: &Look, span: &Span) -> Vec<String> {
        let mut notes = self.input.notes.clone();
        if let Some(beyond) = self.input.frames.last().filter(|n| **n > look.frames.1) {
            let most = look.frames.1;
            notes.push(format!("frame {beyond} is labelled, but the capture has {most}: are these its labels?"));
        }
        if let Some((first, last)) = span.span {
            let windows = self.input.exclude.windows();
            let outside = windows.iter().filter(|w| w.end < first || w.start > last).count();
            if outside > 0 {
                let all = windows.len();
                notes.push(format!("{outside} of {all} excluded windows lie outside the captures, {first} to {last}"));
            }
        }
        if look.lost > 0 {
            let lost = look.lost;
            notes.push(format!(
                "the captures say that {lost} frames were lost: periods and silences there were not learned"
            ));
        }
        notes
    }
}

/// All names of a party: its addresses, and of its device those that no other one claims too, since who takes an address over is not its owner.
/// The MAC address of a router, or of whoever speaks for many, names more than the party.
fn names(party: &gwcore::Party, inventory: &Inventory) -> Vec<String> {
    let mut names: Vec<String> = party.ip.iter().cloned().collect();
    match party.asset.as_deref().and_then(|id| inventory.device(id)) {
        Some(d) if d.ips.len() < ROUTER => {
            names.extend(d.ips.iter().filter(|ip| !d.contested.contains(ip)).cloned());
            names.extend(d.macs.iter().cloned());
        }
        Some(_) => {}
        None => names.extend(party.mac.clone()),
    }
    names.sort();
    names.dedup();
    names
}

/// A learner for each part.
struct Learners<'a> {
    learners: Vec<Learner>,
    at: At<'a>,
}

impl<'a> Learners<'a> {
    fn new(job: &Job<'_>, parts: &'a [(Ts, Ts)], mut windows: Vec<Window>) -> Learners<'a> {
        windows.extend(job.input.exclude.windows().iter().cloned());
        let exclude = Maintenance::new(windows);
        let new = |_| Learner::new(job.limits, exclude.clone(), job.input.frames.clone());
        Learners { learners: (0..parts.len()).map(new).collect(), at: At::new(parts) }
    }

    fn batch(&mut self, facts: &[Fact], flows: &[FlowConst]) {
        let learners = &mut self.learners;
        self.at.split(facts, |part, facts| {
            if let Some(l) = learners.get_mut(part) {
                l.batch(facts, flows);
            }
        });
    }

    fn finish(self) -> (Vec<Baseline>, LimitHits) {
        let mut hits = LimitHits::default();
        let learned = self.learners.into_iter().map(|l| {
            let (baseline, h) = l.finish();
            hits.add(&h);
            baseline
        });
        (learned.collect(), hits)
    }
}

/// A stage that takes nothing but facts.
struct Facts<'a>(&'a mut dyn FnMut(&[Fact], &[FlowConst]));

impl Stage for Facts<'_> {
    fn batch(&mut self, out: &mut Out, _seen: Seen<'_>) -> std::io::Result<()> {
        (self.0)(&out.facts, &out.flows);
        Ok(())
    }
    fn finish(&mut self, _at: Key, _now: Ts, _interfaces: &[String]) -> std::io::Result<()> {
        Ok(())
    }
}

/// All that is told of a baseline once it is written.
struct Told<'a> {
    args: &'a Learn,
    whole: &'a Baseline,
    findings: &'a [Finding],
    look: &'a Look,
    parts: &'a [(Ts, Ts)],
    notes: &'a [String],
    input: &'a Input,
}

impl Told<'_> {
    fn tell(&self) -> anyhow::Result<()> {
        let days = page::days(self.parts, self.whole);
        let command = page::command(self.args);
        let learned = report::Learned {
            version: env!("CARGO_PKG_VERSION"),
            baseline: self.whole,
            path: &self.args.baseline.display().to_string(),
            command: &command,
            files: &self.input.names,
            added: self.args.add,
            inventory: &self.look.inventory,
            findings: self.findings,
            parts: self.parts.len() as u32,
            days,
            frames: self.look.frames.0,
            notes: self.notes,
            windows: self.input.exclude.windows(),
            excluded_frames: self.input.frames.len() as u64,
            hits: &self.look.hits,
        };
        if let Some(path) = &self.args.report {
            std::fs::write(path, report::learned(&learned))
                .with_context(|| format!("cannot write `{}`", path.display()))?;
        }
        if !self.args.quiet {
            page::page(&learned).iter().for_each(|line| say!("{line}"));
            say!("{}: written", self.args.baseline.display());
            if let Some(path) = &self.args.report {
                say!("{}: written", path.display());
            }
        }
        Ok(())
    }
}
