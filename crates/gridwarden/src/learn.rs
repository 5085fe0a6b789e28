//! `gridwarden learn`: captures in, a baseline out, with what it is worth: what it knows, and what alarms it would have raised.
//!
//! The input is read for its span, once to find what looks suspicious, once to learn in parts without that, and once more to judge each part
//! by what the others taught.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;
use std::sync::Arc;

use anyhow::Context;
use capture::{Inputs, Merge, Status};
use detect::{Baseline, Class, Detectors, Inventory, Learner, Maintenance, Setup, Window};
use engine::{Seen, Stage};
use gwcore::time::{HOUR, MINUTE};
use gwcore::{Body, Fact, Finding, FlowConst, Key, LimitHits, Limits, Out, Severity, Ts};

use crate::analyze::engine_options;
use crate::cli::Learn;
use crate::knowledge;

/// Nanoseconds in a day.
const DAY: i64 = 24 * HOUR;
/// Days from which each is judged by the others; fewer are judged by halves.
const DAYS: usize = 3;
/// Days judged at most: each needs a baseline of its own in memory. Longer spans are cut into as many parts.
const PARTS: usize = 31;
/// Time around a suspicious stretch that is left out with it.
const AROUND: i64 = MINUTE;
/// Alarms of the replay that are shown.
const ALARMS: usize = 10;
/// Labels of frames that are learned.
const BENIGN: &[&str] = &["", "0", "benign", "normal"];

/// Runs it.
pub fn run(args: &Learn) -> anyhow::Result<u8> {
    let limits = Limits::scaled(args.limits_divisor);
    let job = Job::new(args, &limits)?;
    let parts = job.parts()?;
    let (suspicions, mut exclude) = job.suspicions()?;
    exclude.extend(job.exclude.windows().iter().cloned());
    let (learned, hits) = job.learn(&parts, exclude)?;
    let before = if args.add { Some(knowledge::baseline(&args.baseline, &limits)?) } else { None };
    let findings = job.replay(&parts, &learned, before.as_ref())?;
    let mut whole = before.unwrap_or_default();
    learned.iter().for_each(|part| whole.merge(part));
    suspicions.iter().for_each(|(item, sentence)| whole.suspect(item.clone(), sentence.clone()));
    anyhow::ensure!(whole.hours() > 0, "nothing was learned: no packets outside what was excluded");
    write(&whole, &args.baseline)?;
    if !args.quiet {
        let days = days(&parts, &whole);
        for line in page(&whole, &suspicions, &findings, days, &hits) {
            println!("{line}");
        }
        println!("{}: written", args.baseline.display());
    }
    Ok(0)
}

/// What is read, and how.
struct Job<'a> {
    inputs: Inputs,
    limits: &'a Limits,
    args: &'a Learn,
    exclude: Maintenance,
    frames: BTreeSet<u64>,
}

impl<'a> Job<'a> {
    fn new(args: &'a Learn, limits: &'a Limits) -> anyhow::Result<Job<'a>> {
        anyhow::ensure!(
            args.paths.iter().all(|p| p.as_os_str() != "-"),
            "learn reads its input several times: name a file, not -"
        );
        let inputs = Inputs::find(&args.paths, limits);
        if let Some(bad) = inputs.list.iter().find(|i| matches!(i.status, Status::Unreadable(_))) {
            anyhow::bail!("cannot read `{}`", bad.path.display());
        }
        let captures = inputs.list.iter().filter(|i| matches!(i.status, Status::Capture)).count();
        anyhow::ensure!(captures > 0, "no capture among the inputs");
        let (mut windows, mut frames) = (Vec::new(), BTreeSet::new());
        for path in &args.exclude {
            let text = knowledge::read(path)?;
            if text.trim_start().starts_with("frame,") {
                anyhow::ensure!(captures == 1, "`{}` names frames, which need exactly one capture", path.display());
                frames.extend(labelled(&text).with_context(|| format!("`{}`", path.display()))?);
            } else {
                windows.extend(knowledge::maintenance(path)?.windows().iter().cloned());
            }
        }
        Ok(Job { inputs, limits, args, exclude: Maintenance::new(windows), frames })
    }

    /// The stretches that are judged by each other: the days, or two halves.
    fn parts(&self) -> anyhow::Result<Vec<(Ts, Ts)>> {
        let mut source = Merge::open(&self.inputs, self.limits);
        let (mut span, mut dates) = (None, BTreeSet::new());
        while let Some(frame) = source.next() {
            let (a, b) = span.unwrap_or((frame.ts, frame.ts));
            span = Some((a.min(frame.ts), b.max(frame.ts)));
            if dates.len() <= 100_000 {
                dates.insert(frame.ts.0.div_euclid(DAY));
            }
        }
        let (first, last) = span.context("the inputs hold no packet")?;
        if (DAYS..=PARTS).contains(&dates.len()) {
            let day = |d: &i64| (Ts(d.saturating_mul(DAY)), Ts(d.saturating_add(1).saturating_mul(DAY)));
            return Ok(dates.iter().map(day).collect());
        }
        let n = if dates.len() > PARTS { PARTS as i64 } else { 2 };
        let length = last.since(first) / n + 1;
        Ok((0..n).map(|i| (first.plus(i * length), first.plus((i + 1) * length))).collect())
    }

    fn read(&self, stage: &mut dyn Stage) -> anyhow::Result<()> {
        let options = engine_options(self.args.threads, self.args.checksums, false, self.limits);
        let mut source = Merge::open(&self.inputs, self.limits);
        engine::analyze(&mut source, &options, stage)?;
        if let Some(bad) = source.finish().iter().find(|r| r.failed()) {
            anyhow::bail!("`{}`: {}", bad.path.display(), bad.reason().unwrap_or_default());
        }
        Ok(())
    }

    /// What decoding alone finds at medium or above, as items with their sentences, and as windows that are not learned unless accepted.
    fn suspicions(&self) -> anyhow::Result<(Vec<(String, String)>, Vec<Window>)> {
        let mut detectors = Detectors::new(&Setup::new(self.limits), &[], &[]);
        self.read(&mut Facts(&mut |facts, flows| detectors.batch(facts, flows, &|_| Arc::from(""))))?;
        let findings = detectors.finish(&Inventory::default(), &|_| Arc::from(""));
        let accepted = |item: &str| self.args.accept.iter().any(|a| a == item || a == "all");
        let (mut items, mut windows) = (Vec::new(), Vec::new());
        for f in findings.iter().filter(|f| f.severity >= Severity::Medium) {
            let Some(source) = f.src.ip.clone().or_else(|| f.src.mac.clone()) else { continue };
            let item = format!("{}:{source}", f.detector);
            if accepted(&item) || self.declared(f, &source) {
                continue;
            }
            for e in &f.episodes {
                let (start, end) = (e.ts.plus(-AROUND), e.ts_end.plus(AROUND));
                // By both addresses: what it says without IP gives it away as a device too.
                let named = f.src.ip.iter().chain(&f.src.mac);
                windows.extend(named.map(|n| Window { start, end, asset: Some(n.clone()), reason: item.clone() }));
            }
            if items.iter().all(|(i, _)| *i != item) {
                items.push((item, format!("{} (first {})", f.why, f.ts)));
            }
        }
        Ok((items, windows))
    }

    /// Whether a finding lies in what is excluded anyway.
    fn declared(&self, f: &Finding, source: &str) -> bool {
        self.exclude.covers(f.ts, |name| name == source).is_some()
            || f.packets.first().is_some_and(|p| self.frames.contains(&p.frame))
    }

    fn learn(&self, parts: &[(Ts, Ts)], exclude: Vec<Window>) -> anyhow::Result<(Vec<Baseline>, LimitHits)> {
        let exclude = Maintenance::new(exclude);
        let new = |_| Learner::new(self.limits, exclude.clone(), self.frames.clone());
        let mut learners: Vec<Learner> = (0..parts.len()).map(new).collect();
        let mut at = At::new(parts);
        self.read(&mut Facts(&mut |facts, flows| {
            at.split(facts, |part, facts| {
                if let Some(l) = learners.get_mut(part) {
                    l.batch(facts, flows);
                }
            });
        }))?;
        let mut hits = LimitHits::default();
        let learned = learners.into_iter().map(|l| {
            let (baseline, h) = l.finish();
            hits.add(&h);
            baseline
        });
        Ok((learned.collect(), hits))
    }

    /// Judges each part by what the others taught.
    fn replay(
        &self,
        parts: &[(Ts, Ts)],
        learned: &[Baseline],
        before: Option<&Baseline>,
    ) -> anyhow::Result<Vec<Finding>> {
        let others = |part: usize| {
            let mut b = before.cloned().unwrap_or_default();
            learned.iter().enumerate().filter(|(i, _)| *i != part).for_each(|(_, l)| b.merge(l));
            Setup { baseline: Some(Arc::new(b)), ..Setup::new(self.limits) }
        };
        let mut findings = Vec::new();
        let mut now: Option<(usize, Detectors)> = None;
        let mut at = At::new(parts);
        let done = |d: Option<(usize, Detectors)>| {
            d.map(|(_, mut d)| d.finish(&Inventory::default(), &|_| Arc::from(""))).unwrap_or_default()
        };
        self.read(&mut Facts(&mut |facts, flows| {
            at.split(facts, |part, facts| {
                if now.as_ref().is_none_or(|(p, _)| *p != part) {
                    let next = Detectors::new(&others(part), &[], &[]);
                    findings.extend(done(now.replace((part, next))));
                }
                if let Some((_, d)) = &mut now {
                    d.batch(facts, flows, &|_| Arc::from(""));
                }
            });
        }))?;
        findings.extend(done(now));
        findings.retain(|f| f.packets.first().is_none_or(|p| !self.frames.contains(&p.frame)));
        Ok(findings)
    }
}

/// Frames that a table of labels names as anything but benign.
fn labelled(text: &str) -> anyhow::Result<BTreeSet<u64>> {
    let mut frames = BTreeSet::new();
    for (i, line) in text.lines().enumerate().skip(1).filter(|(_, l)| !l.trim().is_empty()) {
        let (frame, label) = line.trim().split_once(',').with_context(|| format!("line {} has no label", i + 1))?;
        let frame: u64 =
            frame.trim().parse().with_context(|| format!("line {}: `{frame}` is no frame number", i + 1))?;
        if !BENIGN.contains(&label.trim().to_ascii_lowercase().as_str()) {
            frames.insert(frame);
        }
    }
    Ok(frames)
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

/// The part that packet time has reached; a part once left is not entered again.
struct At<'a> {
    parts: &'a [(Ts, Ts)],
    part: usize,
}

impl At<'_> {
    fn new(parts: &[(Ts, Ts)]) -> At<'_> {
        At { parts, part: 0 }
    }

    /// Hands out facts in runs of one part. A part begins with the first tick that lies in it.
    fn split(&mut self, facts: &[Fact], mut give: impl FnMut(usize, &[Fact])) {
        let mut from = 0;
        for (i, fact) in facts.iter().enumerate() {
            if !matches!(fact.body, Body::Tick { .. }) {
                continue;
            }
            let reached = self.parts.partition_point(|(start, _)| *start <= fact.ts).saturating_sub(1);
            if reached > self.part {
                give(self.part, facts.get(from..i).unwrap_or_default());
                (self.part, from) = (reached, i);
            }
        }
        give(self.part, facts.get(from..).unwrap_or_default());
    }
}

fn write(baseline: &Baseline, path: &Path) -> anyhow::Result<()> {
    // Written beside and renamed: a baseline is never half there.
    let beside = path.with_extension("part");
    let cannot = || format!("cannot write `{}`", path.display());
    let mut file = BufWriter::new(File::create(&beside).with_context(cannot)?);
    baseline.write(&mut file).with_context(cannot)?;
    file.flush().with_context(cannot)?;
    drop(file);
    std::fs::rename(&beside, path).with_context(cannot)
}

/// Days learned, as a site counts them.
fn days(parts: &[(Ts, Ts)], whole: &Baseline) -> u32 {
    if parts.len() >= DAYS {
        parts.len() as u32
    } else if whole.span() <= DAY + HOUR {
        1
    } else {
        whole.days()
    }
}

/// What the baseline is worth, in lines.
fn page(
    b: &Baseline,
    suspicions: &[(String, String)],
    findings: &[Finding],
    days: u32,
    hits: &LimitHits,
) -> Vec<String> {
    let mut lines = Vec::new();
    let (hours, minutes) = (b.span() / HOUR, b.span() % HOUR / MINUTE);
    lines.push(format!(
        "learned     {hours} h {minutes:02} min: {} hours with packets, {} without",
        b.hours(),
        b.hours_without()
    ));
    if b.is_young() {
        lines.push("            young: under six hours of packets, so what rests on it speaks as low".to_owned());
    }
    for class in Class::ALL {
        let w = b.worth(class);
        if w.kinds > 0 {
            lines.push(format!(
                "{:<24} {:>7} known, {:>3.0} % of them seen in a single hour, something new on {} of {} days",
                format!("{}s", class.name()),
                w.kinds,
                w.share_once() * 100.0,
                w.days_with_new,
                w.days
            ));
        }
    }
    let mut by: BTreeMap<&str, (u64, u64)> = BTreeMap::new();
    for f in findings.iter().filter(|f| f.severity >= Severity::Low) {
        let n = f.episodes.len() as u64 + f.episodes_more;
        let entry = by.entry(f.detector).or_default();
        if f.severity >= Severity::Medium { entry.0 += n } else { entry.1 += n }
    }
    let (alarms, low) = by.values().fold((0, 0), |a, n| (a.0 + n.0, a.1 + n.1));
    let per_day = |n: u64| n as f64 / f64::from(days.max(1));
    lines.push(format!(
        "replayed    each part judged by the others: {:.1} alarm episodes a day ({alarms} in {days} days), {:.1} low ones",
        per_day(alarms),
        per_day(low)
    ));
    lines.extend(by.iter().map(|(d, (a, l))| format!("            {d}: {a} alarm, {l} low")));
    let mut alarms: Vec<&Finding> = findings.iter().filter(|f| f.severity >= Severity::Medium).collect();
    alarms.sort_by_key(|f| (f.ts, &f.id));
    lines.extend(alarms.iter().take(ALARMS).map(|f| format!("            {}: {}", f.ts, report::plain(&f.why))));
    if !suspicions.is_empty() {
        lines.push("left out    learned under suspicion; `--accept ITEM` learns it:".to_owned());
        lines.extend(
            suspicions.iter().map(|(item, s)| format!("            {}: {}", report::plain(item), report::plain(s))),
        );
    }
    lines.extend(hits.iter().map(|(l, n)| format!("limit       {} was hit {n} times", l.key())));
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_say_what_is_not_learned() {
        let frames = labelled("frame,label\n1,0\n2,1\n3,benign\n4,nmap\n5,\n").unwrap();
        assert_eq!(frames.into_iter().collect::<Vec<_>>(), [2, 4]);
        assert!(labelled("frame,label\nx,1").is_err() && labelled("frame,label\n7").is_err());
    }

    #[test]
    fn facts_are_handed_out_by_part() {
        let tick = |h: i64| Fact {
            key: Key::default(),
            ts: Ts(h * HOUR),
            frame: 0,
            flow: gwcore::FlowRef(0),
            body: Body::Tick { frames: 1 },
        };
        let facts: Vec<Fact> = [1, 2, 5, 4, 9].map(tick).to_vec();
        let parts = [(Ts(0), Ts(5 * HOUR)), (Ts(5 * HOUR), Ts(8 * HOUR)), (Ts(8 * HOUR), Ts(10 * HOUR))];
        let (mut at, mut runs) = (At::new(&parts), Vec::new());
        at.split(&facts, |part, facts| runs.push((part, facts.len())));
        assert_eq!(runs, [(0, 2), (1, 2), (2, 1)], "a part once left is not entered again");
    }
}
