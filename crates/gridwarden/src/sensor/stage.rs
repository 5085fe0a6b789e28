//! The ordered stage of a running sensor: devices, detectors, the lake, and what is told to the centre.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;

use detect::{Detectors, DeviceChange, Devices, Setup};
use engine::{Points, Seen, Stage};
use gwcore::time::{MINUTE, SECOND};
use gwcore::{Body, Key, Names, Out, Severity, Sink, State, Ts};
use lake::{LiveLake, Written};
use serde_json::{Value, json};

use super::feed::{Gap, Minutes, Shared, row};
use super::keep::Kept;
use super::known::Known;
use super::learning::{self, Learning, Switch};
use super::link::{Asked, Link};

/// Packet time between two messages about the state of the sensor, in nanoseconds.
const STATE_EVERY: i64 = 2 * SECOND;
/// Packet time between two states that are kept, in nanoseconds.
const KEEP_EVERY: i64 = MINUTE;

/// State of the ordered stage, and where its results go.
pub struct LiveStage {
    setup: Setup,
    points: Points,
    devices: Devices,
    detectors: Detectors,
    lake: LiveLake,
    link: Link,
    shared: Rc<RefCell<Shared>>,
    asked: Arc<Asked>,
    minutes: Minutes,
    records: BTreeMap<&'static str, u64>,
    anomalies: u64,
    told: Ts,
    interfaces: BTreeMap<u32, Value>,
    complaints: u64,
    unwatched: Option<Ts>,
    /// Promoted models, at work.
    models: Vec<models::Live>,
    /// Indicators and rules.
    known: Known,
    /// None where a baseline is at work.
    learning: Option<Learning>,
    switch: Switch,
    /// Where the centre puts another baseline.
    approved: PathBuf,
    /// None where nothing is to be kept: then findings close with the run.
    kept: Option<Kept>,
    kept_at: Option<Ts>,
    /// Where the centre lays what a reload takes over.
    reload: std::path::PathBuf,
}

impl LiveStage {
    /// A stage that has seen nothing.
    pub fn new(setup: Setup, lake: LiveLake, link: Link, shared: Rc<RefCell<Shared>>, asked: Arc<Asked>) -> LiveStage {
        LiveStage {
            points: Points::new(&setup.limits),
            devices: Devices::new(&setup.limits),
            detectors: Detectors::new(&setup, &[], &[]),
            setup,
            lake,
            link,
            shared,
            asked,
            minutes: Minutes::default(),
            records: BTreeMap::new(),
            anomalies: 0,
            told: Ts(i64::MIN),
            interfaces: BTreeMap::new(),
            complaints: 0,
            unwatched: None,
            models: Vec::new(),
            known: Known::default(),
            learning: None,
            switch: Switch::default(),
            approved: PathBuf::new(),
            kept: None,
            kept_at: None,
            reload: std::path::PathBuf::new(),
        }
    }

    /// Where a reload reads from.
    pub fn reload_from(&mut self, folder: std::path::PathBuf) {
        self.reload = folder;
    }

    /// Takes over what is declared and learned anew; what the stage knows goes on. Where anything is wrong nothing changes.
    fn reload(&mut self) -> anyhow::Result<()> {
        let there = |name: &str| Some(self.reload.join(name)).filter(|p| p.exists());
        let mut setup = self.setup.clone();
        if let Some(path) = there("site.toml") {
            setup.site = Arc::new(crate::knowledge::site(&path)?);
        }
        if let Some(path) = there("maintenance.csv") {
            setup.maintenance = Arc::new(crate::knowledge::maintenance(&path)?);
        }
        if let Some(path) = there("baseline") {
            setup.baseline = Some(Arc::new(crate::knowledge::baseline(&path, &setup.limits)?));
        }
        let mut state = State::default();
        self.detectors.keep(&mut state);
        let mut detectors = Detectors::new(&setup, &[], &[]);
        detectors.restore(&state)?;
        (self.setup, self.detectors) = (setup, detectors);
        Ok(())
    }

    /// Nothing was watched from then until the first input, because an earlier sensor ended.
    pub fn unwatched_since(&mut self, since: Option<Ts>) {
        self.unwatched = since;
    }

    /// Goes on where an earlier sensor stood, and keeps what this one comes to know. A state that cannot be taken over is put aside and told.
    pub fn keep_in(&mut self, kept: Kept) {
        let restored = kept.state().and_then(|state| match state {
            Some(state) => {
                self.points.restore(&state)?;
                self.devices.restore(&state)?;
                self.detectors.restore(&state)?;
                Ok(())
            }
            None => Ok(()),
        });
        if let Err(e) = restored {
            kept.refuse_state();
            self.points = Points::new(&self.setup.limits);
            self.devices = Devices::new(&self.setup.limits);
            self.detectors = Detectors::new(&self.setup, &[], &[]);
            let what = format!("the kept state is not taken over, the sensor begins anew: {e:#}");
            self.link.tell(&json!({ "type": "problem", "what": what }));
        }
        if let Some(store) = &mut self.shared.borrow_mut().store {
            store.hold(kept.held().iter().map(String::as_str));
        }
        self.kept = Some(kept);
    }

    /// Keeps the state of the stage, a minute after the last time or at the end.
    fn keep(&mut self, now: Ts, is_end: bool) {
        let is_due = self.kept_at.is_none_or(|at| now.since(at) >= KEEP_EVERY || now < at);
        let Some(kept) = self.kept.as_ref().filter(|_| is_due || is_end) else { return };
        self.kept_at = Some(now);
        let mut state = State::default();
        self.points.keep(&mut state);
        self.devices.keep(&mut state);
        self.detectors.keep(&mut state);
        if let Err(e) = kept.keep_state(&state) {
            let what = format!("the state of the sensor is not kept: {e}");
            self.link.tell(&json!({ "type": "problem", "ts": now.to_string(), "what": what }));
        }
    }

    /// Models that score while traffic is read.
    pub fn work_with(&mut self, models: Vec<models::Live>) {
        self.models = models;
    }

    /// Indicators and rules that records are compared with.
    pub fn compare_with(&mut self, known: Known) {
        self.known = known;
    }

    /// The site observes: what is seen is learned.
    pub fn learn(&mut self, learning: Option<Learning>, approved: PathBuf) {
        self.learning = learning;
        self.approved = approved;
    }

    /// How far learning is, and what came of another baseline.
    fn learned(&mut self, now: Ts) {
        let told = self.learning.as_mut().map(|l| l.tell(now));
        match told {
            Some(Ok(Some(message))) => self.link.tell(&message),
            Some(Err(e)) => self.problem(now, &format!("what is learned is not kept: {e}")),
            _ => {}
        }
        match self.switch.done() {
            Some(Ok((baseline, sha256))) => {
                self.link.tell(&learning::watching(&baseline, &sha256));
                let baseline = Arc::new(baseline);
                self.detectors.learned(&baseline);
                self.setup.baseline = Some(baseline);
                self.learning = None;
            }
            Some(Err(e)) => self.problem(now, &format!("the approved baseline is not taken over: {e:#}")),
            None => {}
        }
    }

    fn problem(&mut self, now: Ts, what: &str) {
        self.link.tell(&json!({ "type": "problem", "ts": now.to_string(), "what": what }));
    }

    /// What models found. One that cannot score any more is told once and works no further.
    fn judged(&mut self, out: Option<&Out>, now: Ts) {
        let (mut told, mut lost) = (Vec::new(), Vec::new());
        let files = Rc::clone(&self.shared);
        let name = |i: u32| files.borrow().name(i);
        self.models.retain_mut(|model| {
            let done = match out {
                Some(out) => model.batch(out),
                None => model.finish(now),
            };
            told.extend(model.changes(out.is_none(), &name));
            lost.extend(done.as_ref().err().map(|e| format!("the model `{}` works no further: {e}", model.name())));
            done.is_ok()
        });
        for (change, finding) in told {
            if let Some(store) = &mut self.shared.borrow_mut().store {
                store.hold(finding.packets.iter().map(|p| &*p.file));
            }
            if let Some(Err(e)) = self.kept.as_mut().map(|k| k.keep_finding(&finding)) {
                lost.push(format!("the finding {} is not kept: {e}", finding.id));
            }
            self.link.tell(&json!({ "type": "finding", "change": change, "finding": finding }));
        }
        for what in lost {
            self.link.tell(&json!({ "type": "problem", "ts": now.to_string(), "what": what }));
        }
    }

    /// Tells the centre something.
    pub fn tell(&mut self, message: &Value) {
        self.link.tell(message);
    }

    /// Everything is done: the last words, then the socket is closed.
    pub fn close(self) {
        self.link.close();
    }

    /// Tells what became of findings and devices.
    fn changes(&mut self, is_end: bool) {
        let files = Rc::clone(&self.shared);
        let name = |i: u32| files.borrow().name(i);
        let inventory = self.devices.inventory(&self.setup.site);
        let changes = if is_end { self.detectors.end(&inventory, &name) } else { self.detectors.changes(&inventory) };
        for change in &changes {
            let finding = change.finding();
            if let Some(learning) = &mut self.learning {
                learning.suspect(finding);
            }
            if finding.severity > Severity::Info
                && let Some(store) = &mut self.shared.borrow_mut().store
            {
                store.hold(finding.packets.iter().map(|p| &*p.file));
            }
            if let Some(Err(e)) = self.kept.as_mut().map(|k| k.keep_finding(finding)) {
                let what = format!("the finding {} is not kept: {e}", finding.id);
                self.link.tell(&json!({ "type": "problem", "what": what }));
            }
            self.link.tell(&json!({ "type": "finding", "change": change.name(), "finding": finding }));
        }
        if is_end {
            // The last words on every device, where a change of `last_seen` alone was not worth telling before.
            let mut inventory = self.devices.finish();
            inventory.declare(&self.setup.site);
            for device in &inventory.devices {
                self.link.tell(&json!({ "type": "device", "device": device }));
            }
        }
        for change in self.devices.changes(&self.setup.site) {
            self.link.tell(&match change {
                DeviceChange::Seen(device) => json!({ "type": "device", "device": device }),
                DeviceChange::Gone(id) => json!({ "type": "device", "gone": id }),
            });
        }
    }

    /// Tells what the interfaces did and what the sensor lost, every other second.
    fn state(&mut self, now: Ts) {
        if now.since(self.told) < STATE_EVERY && now >= self.told {
            return;
        }
        self.told = now;
        let interfaces: Vec<&Value> = self.interfaces.values().collect();
        let mut shared = self.shared.borrow_mut();
        let (stored, problem) = match &mut shared.store {
            Some(store) => (Some(store.counts()), store.problem()),
            None => (None, None),
        };
        let stored = stored.map(|c| {
            json!({ "frames": c.frames, "not_stored": c.not_stored, "deleted": c.deleted, "held_deleted": c.held_deleted })
        });
        if let (Some(store), Some(kept)) = (&mut shared.store, &self.kept) {
            let deleted = store.take_deleted();
            // On a full disk they wait until there is room again.
            if !deleted.is_empty() && kept.keep_deleted(&deleted).is_err() {
                store.untold(deleted);
            }
        }
        let (t, collected) = (shared.totals, shared.collected.clone());
        drop(shared);
        let mut hits = self.points.hits.clone();
        hits.add(&self.devices.hits);
        hits.add(&self.detectors.hits());
        let hits: BTreeMap<&str, u64> = hits.iter().map(|(l, n)| (l.key(), n)).collect();
        self.link.tell(&json!({
            "type": "state", "ts": now.to_string(), "interfaces": interfaces,
            "frames": { "received": t.received, "given": t.given, "dropped": t.dropped, "own": t.own, "filtered": t.filtered },
            "reopened": t.reopened, "stored": stored, "records": self.records, "anomalies": self.anomalies,
            "lake": { "waiting_bytes": self.lake.held(), "given_up": self.lake.given_up() },
            "limits": hits, "messages_lost": self.link.lost(), "collected": collected,
        }));
        if let Some(problem) = problem {
            self.link.tell(&json!({ "type": "problem", "ts": now.to_string(), "what": problem }));
        }
    }

    fn written(&mut self, (files, result): (Vec<Written>, std::io::Result<()>), now: Ts) {
        for w in files {
            let path = w.path.to_string_lossy().into_owned();
            self.link.tell(&json!({ "type": "lake", "kind": w.kind, "path": path, "rows": w.rows, "bytes": w.bytes }));
        }
        if let Err(e) = result {
            // Packets go before records.
            if e.kind() == std::io::ErrorKind::StorageFull
                && let Some(store) = &mut self.shared.borrow_mut().store
            {
                store.give_way();
            }
            // A full disk stays full for a while: the first of a hundred complaints is told.
            if self.complaints.is_multiple_of(100) {
                let what = format!("records wait in memory: {e}");
                self.link.tell(&json!({ "type": "problem", "ts": now.to_string(), "what": what }));
            }
            self.complaints += 1;
        }
    }

    fn commands(&mut self) {
        if let Some(message) = self.known.settle() {
            self.link.tell(&message);
        }
        for command in self.asked.commands() {
            match command["type"].as_str() {
                Some("known") => {
                    self.known.ask(&command);
                    continue;
                }
                Some("baseline") => {
                    if let Err(e) = self.switch.begin(self.approved.clone(), &self.setup.limits) {
                        let what = format!("the approved baseline is not taken over: {e}");
                        self.link.tell(&json!({ "type": "problem", "what": what }));
                    }
                    continue;
                }
                Some("reload") => {
                    let done = self.reload();
                    let what = done.as_ref().err().map(|e| format!("{e:#}"));
                    let number = command.get("number");
                    self.link.tell(&json!({ "type": "reloaded", "number": number, "ok": done.is_ok(), "what": what }));
                    continue;
                }
                _ => {}
            }
            let segments = || command.get("segments").and_then(Value::as_array).into_iter().flatten();
            let names = || segments().filter_map(Value::as_str);
            let mut shared = self.shared.borrow_mut();
            let Some(store) = &mut shared.store else { continue };
            match command.get("type").and_then(Value::as_str) {
                Some("release") => store.release(names()),
                Some("hold") => store.hold(names()),
                Some("rotate") => store.end_segment(),
                Some("give-way") => store.give_way(),
                _ => {}
            }
        }
    }
}

impl Stage for LiveStage {
    fn batch(&mut self, out: &mut Out, seen: Seen<'_>) -> std::io::Result<()> {
        self.anomalies += out.facts.iter().filter(|f| matches!(f.body, Body::Anomaly { .. })).count() as u64;
        self.points.batch(out);
        self.devices.batch(&out.facts, &out.flows);
        let files = Rc::clone(&self.shared);
        let name = |i: u32| files.borrow().name(i);
        let outside = self.known.look(out);
        self.detectors.batch_with(&out.facts, &out.flows, &outside, &name);
        drop(outside);
        if let Some(learning) = &mut self.learning {
            learning.batch(&out.facts, &out.flows);
        }
        self.changes(false);
        self.judged(Some(out), seen.now);
        if let Some(from) = self.unwatched.take_if(|from| seen.now > *from) {
            row(out, from, 0, Gap { from, to: seen.now, cause: "sensor_ended" });
            let (from, to) = (from.to_string(), seen.now.to_string());
            self.link.tell(&json!({ "type": "gap", "from": from, "to": to, "cause": "sensor_ended" }));
        }
        let seconds = std::mem::take(&mut self.shared.borrow_mut().seconds);
        for second in &seconds {
            if let Some(message) = self.minutes.second(second, seen.interfaces, out) {
                self.link.tell(&message);
            }
            let name = seen.interfaces.get(second.interface as usize).map_or("", String::as_str);
            let told = json!({ "name": name, "packets": second.frames, "bytes": second.bytes, "dropped": second.dropped, "up": second.up });
            self.interfaces.insert(second.interface, told);
        }
        // With rules every message came by; what the summary leaves out is not kept.
        let plain = out.without_repeats();
        let plain = plain.as_ref().unwrap_or(out);
        for kind in plain.kinds() {
            *self.records.entry(kind.kind().name).or_default() += kind.stamps().len() as u64;
        }
        let files: Vec<String> = file_names(&self.shared.borrow());
        let names = Names { files: &files, interfaces: seen.interfaces };
        self.lake.rows(plain, names)?;
        let written = self.lake.roll(seen.now, names);
        self.written(written, seen.now);
        self.keep(seen.now, false);
        self.state(seen.now);
        self.learned(seen.now);
        self.commands();
        self.link.push();
        Ok(())
    }

    fn finish(&mut self, at: Key, now: Ts, interfaces: &[String]) -> std::io::Result<()> {
        let mut out = Out::default();
        // What is kept goes on with the next run: its minute is not over, and its findings stay open.
        self.keep(now, true);
        if let Some(Err(e)) = self.learning.as_mut().filter(|_| self.kept.is_some()).map(Learning::finish) {
            self.problem(now, &format!("what is learned is not kept: {e}"));
        }
        if self.kept.is_none() {
            self.points.finish(at, &mut out);
        }
        self.changes(self.kept.is_none());
        self.judged(None, now);
        for message in self.minutes.finish(interfaces, &mut out) {
            self.link.tell(&message);
        }
        for kind in out.kinds() {
            *self.records.entry(kind.kind().name).or_default() += kind.stamps().len() as u64;
        }
        let files: Vec<String> = file_names(&self.shared.borrow());
        let names = Names { files: &files, interfaces };
        self.lake.rows(&out, names)?;
        let written = self.lake.close(names);
        self.written(written, now);
        if let Some(store) = &mut self.shared.borrow_mut().store {
            store.close();
        }
        self.told = Ts(i64::MIN);
        self.state(now);
        Ok(())
    }
}

/// Names of segments as rows cite them.
fn file_names(shared: &Shared) -> Vec<String> {
    shared.store.as_ref().map(|s| s.names().to_vec()).unwrap_or_default()
}
