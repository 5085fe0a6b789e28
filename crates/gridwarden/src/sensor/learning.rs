//! Learning while the site observes: what was seen becomes a proposed baseline, which a person approves; from then on the site is watched.
//!
//! What the sensor tells of it is a message `baseline`, the newest of which the console shows:
//! `{"type":"baseline","state":"observing"|"proposed"|"watching","text":…,"sha256":…,"measured_hours":…,"needed_hours":…,"devices":…,
//! "conversations":…,"points":…,"new_last_day":{CLASS:N},"proposal":{"sha256":…,"items":[{"item":…,"text":…,"odd":…,"suspicion":…}],"more":N}}`.
//! An `item` is `device ADDRESS` or `pair CLIENT SERVER PROTOCOL`, as `gridwarden baseline approve` takes it.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, TryRecvError, channel};

use anyhow::Context;
use detect::{Baseline, Class, Learner, Maintenance};
use gwcore::time::{HOUR, MINUTE};
use gwcore::{Fact, Finding, FlowConst, Limits, Severity, Ts};
use serde_json::{Value, json};

use crate::facts::hash;

/// Packet time between two words on how far it is, in nanoseconds.
const TELL_EVERY: i64 = MINUTE;
/// Packet time between two times that it is kept, in nanoseconds.
const KEEP_EVERY: i64 = HOUR;
/// The last stretch in which nothing new may have come, in nanoseconds.
const LAST: i64 = 24 * HOUR;
/// Items of a proposal that are told; the odd ones come first.
const ITEMS: usize = 2_000;
/// Pairs under suspicion that are remembered.
const SUSPECTED: usize = 1_000;

/// What is learned of a site that observes.
pub struct Learning {
    dir: PathBuf,
    learner: Learner,
    /// What earlier sensors learned.
    before: Baseline,
    /// Time that has to be watched, in nanoseconds.
    needed: i64,
    /// Pairs that stand in a finding of medium or above, with its title.
    suspected: BTreeMap<(String, String), String>,
    told: Option<Ts>,
    kept: Option<Ts>,
    proposal: Option<(String, Vec<Value>)>,
}

impl Learning {
    /// Goes on with what was kept in `dir`; what cannot be read is told and put aside.
    pub fn open(dir: &Path, needed: i64, limits: &Limits) -> (Learning, Option<String>) {
        let path = dir.join("learning.baseline");
        let mut problem = None;
        let before = match File::open(&path) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => Baseline::default(),
            Err(e) => {
                problem = Some(format!("what was learned cannot be read, learning begins anew: {e}"));
                Baseline::default()
            }
            Ok(file) => Baseline::read(&mut BufReader::new(file), limits).unwrap_or_else(|e| {
                problem = Some(format!("what was learned cannot be read, learning begins anew: {e}"));
                // Where it cannot be put aside either, the next state takes its place.
                let _ = std::fs::rename(&path, dir.join("learning.unreadable"));
                Baseline::default()
            }),
        };
        let learning = Learning {
            dir: dir.to_owned(),
            learner: Learner::new(limits, Maintenance::default(), std::collections::BTreeSet::new()),
            before,
            needed,
            suspected: BTreeMap::new(),
            told: None,
            kept: None,
            proposal: None,
        };
        (learning, problem)
    }

    /// Takes the facts of a batch.
    pub fn batch(&mut self, facts: &[Fact], flows: &[FlowConst]) {
        self.learner.batch(facts, flows);
    }

    /// What stands in a finding is proposed only as suspicious.
    pub fn suspect(&mut self, finding: &Finding) {
        let end = |p: &gwcore::Party| p.ip.clone().or_else(|| p.mac.clone());
        if finding.severity >= Severity::Medium
            && self.suspected.len() < SUSPECTED
            && let Some(src) = end(&finding.src)
        {
            let dst = end(&finding.dst).unwrap_or_default();
            self.suspected.entry((src, dst)).or_insert_with(|| finding.title.clone());
        }
    }

    fn whole(&self) -> Baseline {
        let mut whole = self.before.clone();
        whole.merge(self.learner.so_far());
        whole
    }

    /// Once a minute how far it is; a baseline is proposed when enough was watched and the last day brought nothing new.
    pub fn tell(&mut self, now: Ts) -> io::Result<Option<Value>> {
        if self.told.is_some_and(|at| now.since(at) < TELL_EVERY && now >= at) {
            return Ok(None);
        }
        self.told = Some(now);
        let whole = self.whole();
        if self.kept.is_none_or(|at| now.since(at) >= KEEP_EVERY || now < at) {
            self.kept = Some(now);
            self.keep(&whole)?;
        }
        let new = whole.new_since(now.plus(-LAST));
        let is_enough = whole.measured() >= self.needed;
        // A site that learns for less than a day at will has no day without news.
        let is_settled = new.is_empty() || self.needed < LAST;
        if is_enough && is_settled && self.proposal.is_none() {
            self.propose(&whole)?;
        }
        let hours = |ns: i64| ns as f64 / HOUR as f64;
        let mut message = json!({
            "type": "baseline", "ts": now.to_string(), "state": if self.proposal.is_some() { "proposed" } else { "observing" },
            "measured_hours": (hours(whole.measured()) * 10.0).round() / 10.0, "needed_hours": hours(self.needed),
            "devices": whole.entries(Class::Device), "conversations": whole.entries(Class::Conversation), "points": whole.entries(Class::Point),
            "new_last_day": new,
        });
        message["text"] = match &self.proposal {
            None => format!("observing, {} of {}; nothing is asked of you", span(whole.measured()), span(self.needed)),
            Some((_, items)) => {
                let odd = items.iter().filter(|i| i["odd"] == true).count();
                format!(
                    "{} devices, {} conversations, {} points; {odd} entries look odd",
                    whole.entries(Class::Device),
                    whole.entries(Class::Conversation),
                    whole.entries(Class::Point)
                )
            }
        }
        .into();
        if let Some((sha256, items)) = &self.proposal {
            let told = items.get(..ITEMS).unwrap_or(items);
            message["proposal"] = json!({ "sha256": sha256, "items": told, "more": items.len() - told.len() });
        }
        Ok(Some(message))
    }

    /// The run ends: what was learned is kept.
    pub fn finish(&mut self) -> io::Result<()> {
        self.keep(&self.whole())
    }

    fn keep(&self, whole: &Baseline) -> io::Result<()> {
        write(&self.dir.join("learning.baseline"), whole).map(drop)
    }

    fn propose(&mut self, whole: &Baseline) -> io::Result<()> {
        let bytes = write(&self.dir.join("proposed.baseline"), whole)?;
        let items = items(whole, &self.suspected);
        let sha256 = hash(&bytes);
        let beside = json!({ "sha256": sha256, "items": items });
        let temporary = self.dir.join("proposed.tmp");
        std::fs::write(&temporary, beside.to_string())?;
        std::fs::rename(&temporary, self.dir.join("proposed.json"))?;
        self.proposal = Some((sha256, items));
        Ok(())
    }
}

/// What the message says of a baseline that is at work.
pub fn watching(baseline: &Baseline, sha256: &str) -> Value {
    let hours = (baseline.measured() as f64 / HOUR as f64 * 10.0).round() / 10.0;
    json!({
        "type": "baseline", "state": "watching", "sha256": sha256, "measured_hours": hours, "young": baseline.is_young(),
        "devices": baseline.entries(Class::Device), "conversations": baseline.entries(Class::Conversation),
        "points": baseline.entries(Class::Point),
        "text": format!("watching by what was learned in {}", span(baseline.measured())),
    })
}

/// Devices and pairs of a baseline; suspicious ones first, then odd ones: what was seen in few hours, and what commands.
fn items(whole: &Baseline, suspected: &BTreeMap<(String, String), String>) -> Vec<Value> {
    let known = whole.known();
    let mut all: Vec<((bool, bool), String, Value)> = Vec::new();
    for d in &known.devices {
        let item = format!("device {}", d.address);
        let text = format!("{}: heard in {} minutes", d.address, d.minutes);
        all.push(((false, d.is_young), item.clone(), json!({ "item": item, "text": text, "odd": d.is_young })));
    }
    for p in &known.pairs {
        let of = (p.client.clone(), p.server.clone());
        let suspicion = suspected.get(&of).or_else(|| suspected.get(&(p.client.clone(), String::new())));
        let odd = p.is_young() || suspicion.is_some();
        let item = format!("pair {} {} {}", p.client.replace(' ', "-"), p.server, p.proto);
        let commands = if p.commands > 0 { format!(", {} commands", p.commands) } else { String::new() };
        let text = format!(
            "{} asks {} by {}: {}{commands}, in {} hours",
            p.client,
            p.server,
            p.proto,
            if p.functions.is_empty() { "nothing by name".to_owned() } else { p.functions.join(", ") },
            p.hours
        );
        let value = json!({ "item": item, "text": text, "odd": odd, "suspicion": suspicion });
        all.push(((suspicion.is_some(), odd), item, value));
    }
    all.sort_by(|a, b| b.0.cmp(&a.0).then_with(|| a.1.cmp(&b.1)));
    all.into_iter().map(|(_, _, value)| value).collect()
}

/// Time as people read it.
fn span(ns: i64) -> String {
    let minutes = ns / MINUTE;
    match (minutes / 1_440, minutes / 60, minutes % 60) {
        (0, hours, minutes) => format!("{hours} h {minutes:02}"),
        (days, hours, _) if hours % 24 == 0 => format!("{days} d"),
        (days, hours, _) => format!("{days} d {} h", hours % 24),
    }
}

/// Writes it whole or not at all; its bytes.
fn write(path: &Path, baseline: &Baseline) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    baseline.write(&mut bytes)?;
    let temporary = path.with_extension("tmp");
    let mut file = BufWriter::new(File::create(&temporary)?);
    file.write_all(&bytes)?;
    file.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()?;
    std::fs::rename(&temporary, path)?;
    Ok(bytes)
}

/// Another baseline that is being read, on a thread of its own.
#[derive(Default)]
pub struct Switch(Option<Receiver<anyhow::Result<(Baseline, String)>>>);

impl Switch {
    /// Reads the baseline that the centre put there.
    pub fn begin(&mut self, path: PathBuf, limits: &Limits) -> io::Result<()> {
        let (to, from) = channel();
        let limits = limits.clone();
        std::thread::Builder::new().name("baseline".into()).spawn(move || {
            // The run may have ended meanwhile.
            let _ = to.send(read(&path, &limits));
        })?;
        self.0 = Some(from);
        Ok(())
    }

    /// What came of it, once.
    pub fn done(&mut self) -> Option<anyhow::Result<(Baseline, String)>> {
        let done = self.0.as_ref()?.try_recv();
        if !matches!(done, Err(TryRecvError::Empty)) {
            self.0 = None;
        }
        done.ok()
    }
}

/// A baseline and the hash of its file.
pub fn read(path: &Path, limits: &Limits) -> anyhow::Result<(Baseline, String)> {
    let bytes = std::fs::read(path).with_context(|| format!("cannot read the baseline `{}`", path.display()))?;
    let baseline = Baseline::read(&mut bytes.as_slice(), limits).with_context(|| format!("`{}`", path.display()))?;
    Ok((baseline, hash(&bytes)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_read_easily() {
        assert_eq!([span(25 * MINUTE), span(7 * 24 * HOUR), span(26 * HOUR)], ["0 h 25", "7 d", "1 d 2 h"]);
    }

    #[test]
    fn learning_goes_on_after_a_restart_and_proposes_once_enough_was_watched() {
        let dir = tempfile::tempdir().unwrap();
        let limits = Limits::default();
        let (mut learning, problem) = Learning::open(dir.path(), HOUR, &limits);
        assert!(problem.is_none());
        let told = learning.tell(Ts(0)).unwrap().unwrap();
        assert_eq!(
            (&told["state"], &told["text"]),
            (&"observing".into(), &"observing, 0 h 00 of 1 h 00; nothing is asked of you".into())
        );
        assert_eq!(learning.tell(Ts(1)).unwrap(), None);
        learning.finish().unwrap();
        // What cannot be read is put aside, and learning begins anew.
        std::fs::write(dir.path().join("learning.baseline"), "no baseline").unwrap();
        let (_, problem) = Learning::open(dir.path(), HOUR, &limits);
        assert!(problem.unwrap().contains("begins anew"));
        assert!(dir.path().join("learning.unreadable").is_file());
    }
}
