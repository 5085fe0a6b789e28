//! The ordered stage as the program wires it: points, devices, detectors, counts, and the sinks that write records.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use detect::{Detectors, Devices, Heard, Inventory, Setup, Site};
use engine::{Points, Seen, Stage};
use gwcore::{Body, Finding, KeptError, Key, LimitHits, Names, Out, Sink, State, Ts};
use report::{Overview, Unread, Watch};

use crate::known_bad::Matchers;
use crate::progress::Progress;

/// State of one world (one timeline) and the sinks shared by all.
pub struct Platform<'a> {
    pub points: Points,
    pub devices: Devices,
    pub detectors: Detectors,
    pub watch: Option<Watch>,
    /// Indicators and rules.
    pub matchers: Matchers,
    pub site: Arc<Site>,
    pub sinks: &'a mut [Box<dyn Sink>],
    pub files: &'a [String],
    pub shared_files: &'a [Arc<str>],
    pub tally: &'a mut Tally,
    pub progress: &'a Progress,
    /// Models that score while traffic is read.
    pub models: Vec<models::Live>,
    pub restarts: Option<Restarts>,
}

/// Restarts of the ordered stage within a run: a test of what is kept.
pub struct Restarts {
    /// Packet time between two of them, in nanoseconds.
    pub every: i64,
    pub next: Option<Ts>,
    /// Where the state is written.
    pub path: PathBuf,
    pub setup: Setup,
    pub only: Vec<String>,
    pub without: Vec<String>,
}

/// Counts over all worlds.
#[derive(Default)]
pub struct Tally {
    pub records: BTreeMap<String, u64>,
    pub anomalies: BTreeMap<String, u64>,
    pub services: BTreeMap<String, u64>,
    pub hits: LimitHits,
    pub unread: Unread,
    pub heard: Heard,
    pub bytes_done: u64,
}

impl<'a> Platform<'a> {
    /// A new world.
    pub fn new(
        setup: &Setup,
        (only, without): (&[String], &[String]),
        sinks: &'a mut [Box<dyn Sink>],
        (files, shared_files): (&'a [String], &'a [Arc<str>]),
        tally: &'a mut Tally,
        progress: &'a Progress,
    ) -> Self {
        Platform {
            points: Points::new(&setup.limits),
            devices: Devices::new(&setup.limits),
            detectors: Detectors::new(setup, only, without),
            watch: None,
            matchers: Matchers::default(),
            site: Arc::clone(&setup.site),
            sinks,
            files,
            shared_files,
            tally,
            progress,
            restarts: None,
            models: Vec::new(),
        }
    }

    /// What this world found.
    pub fn result(mut self, span: Option<(Ts, Ts)>) -> (Inventory, Vec<Finding>, Option<Overview>) {
        let mut inventory = self.devices.finish();
        inventory.declare(&self.site);
        let files = self.shared_files;
        let name = |i: u32| files.get(i as usize).cloned().unwrap_or_else(|| Arc::from(""));
        let mut findings = self.detectors.finish(&inventory, &name);
        for model in &self.models {
            findings.extend(model.findings(&name));
            self.tally.hits.add(&model.hits());
        }
        findings.sort_by(|a, b| (a.ts, &a.id).cmp(&(b.ts, &b.id)));
        self.tally.hits.add(&self.points.hits);
        self.tally.hits.add(&self.devices.hits);
        self.tally.hits.add(&self.detectors.hits());
        let overview = self.watch.map(|watch| {
            self.tally.hits.add(&watch.hits);
            watch.finish(&inventory, &self.site, files, span)
        });
        (inventory, findings, overview)
    }

    /// What the ordered stage knows.
    pub fn keep(&self) -> State {
        let mut state = State::default();
        self.points.keep(&mut state);
        self.devices.keep(&mut state);
        self.detectors.keep(&mut state);
        state
    }

    /// Goes on where a state stands.
    pub fn restore(&mut self, state: &State) -> Result<(), KeptError> {
        self.points.restore(state)?;
        self.devices.restore(state)?;
        self.detectors.restore(state)
    }

    /// Where a restart is due at the last tick of a batch, everything that was learned from facts is written, dropped and read.
    fn restart(&mut self, now: Option<Ts>) -> std::io::Result<()> {
        let Some((now, restarts)) = now.zip(self.restarts.as_mut()) else { return Ok(()) };
        let next = *restarts.next.get_or_insert(now.plus(restarts.every));
        if now < next {
            return Ok(());
        }
        restarts.next = Some(now.plus(restarts.every));
        let Restarts { path, setup, only, without, .. } = restarts;
        let (path, setup, only, without) = (path.clone(), setup.clone(), only.clone(), without.clone());
        std::fs::write(&path, self.keep().to_bytes())?;
        let state = State::from_bytes(std::fs::read(&path)?).map_err(std::io::Error::other)?;
        for hits in [&self.points.hits, &self.devices.hits, &self.detectors.hits()] {
            self.tally.hits.add(hits);
        }
        self.points = Points::new(&setup.limits);
        self.devices = Devices::new(&setup.limits);
        self.detectors = Detectors::new(&setup, &only, &without);
        self.restore(&state).map_err(std::io::Error::other)
    }

    fn write(&mut self, out: &Out, interfaces: &[String]) -> std::io::Result<()> {
        let plain = out.without_repeats();
        let plain = plain.as_ref().unwrap_or(out);
        for kind in plain.kinds() {
            *self.tally.records.entry(kind.kind().name.to_owned()).or_default() += kind.stamps().len() as u64;
        }
        let names = Names { files: self.files, interfaces };
        self.sinks.iter_mut().try_for_each(|s| s.rows(if s.shows_repeats() { out } else { plain }, names))
    }
}

impl Stage for Platform<'_> {
    fn batch(&mut self, out: &mut Out, seen: Seen<'_>) -> std::io::Result<()> {
        for fact in &out.facts {
            if let Some(flow) = out.flows.get(fact.flow.index()) {
                self.tally.unread.fact(fact, flow);
                self.tally.heard.fact(fact, flow);
            }
            match &fact.body {
                Body::Anomaly { proto, reason } => {
                    *self.tally.anomalies.entry(format!("{proto}.{reason}")).or_default() += 1;
                }
                Body::FlowEnd { service, .. } if !service.is_empty() => match self.tally.services.get_mut(*service) {
                    Some(n) => *n += 1,
                    None => {
                        self.tally.services.insert((*service).to_owned(), 1);
                    }
                },
                _ => {}
            }
        }
        self.points.batch(out);
        self.devices.batch(&out.facts, &out.flows);
        if let Some(watch) = &mut self.watch {
            watch.batch(&out.facts, &out.flows);
        }
        let files = self.shared_files;
        let name = |i: u32| files.get(i as usize).cloned().unwrap_or_else(|| Arc::from(""));
        let outside = self.matchers.look(out);
        self.detectors.batch_with(&out.facts, &out.flows, &outside, &name);
        self.models.iter_mut().try_for_each(|m| m.batch(out)).map_err(std::io::Error::other)?;
        self.progress.at(self.tally.bytes_done + seen.bytes);
        self.write(out, seen.interfaces)?;
        let tick = out.facts.iter().rfind(|f| matches!(f.body, Body::Tick { .. }));
        self.restart(tick.map(|f| f.ts))
    }

    fn finish(&mut self, at: Key, now: Ts, interfaces: &[String]) -> std::io::Result<()> {
        self.models.iter_mut().try_for_each(|m| m.finish(now)).map_err(std::io::Error::other)?;
        let mut out = Out::default();
        self.points.finish(at, &mut out);
        self.write(&out, interfaces)
    }
}
