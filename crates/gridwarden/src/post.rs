//! What goes to other people's systems from a running platform: letters from the store into the queues of destinations, and the threads that
//! deliver these.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

use anyhow::Context;
use connect::{Config, Health, Kind, New, Queue, Settings, Worker};
use respond::outbox::Letter;
use respond::store::Store;
use respond::{Case, Finding};
use serde_json::json;
use serde_json::value::RawValue;

use crate::queues;

/// Letters handed on at a time.
const HANDED: usize = 500;
/// A destination that could not be set up is tried again after this long.
const AGAIN: Duration = Duration::from_secs(30);
/// How often the health of destinations is written down.
const HEALTH: Duration = Duration::from_secs(2);
/// How long a request under way is waited for at the end.
const PATIENCE: Duration = Duration::from_secs(5);

/// A finding for a destination.
pub fn of_finding(destination: &str, f: &Finding) -> serde_json::Result<Letter> {
    let body = serde_json::to_string(&f.raw)?;
    let (id, key) = (connect::event::revision_id(f), f.id.clone());
    Ok(Letter { n: 0, destination: destination.to_owned(), kind: Kind::Finding.name().to_owned(), id, key, body })
}

/// A case for a destination.
pub fn of_case(destination: &str, case: &Case) -> serde_json::Result<Letter> {
    let body = serde_json::to_string(case)?;
    let (id, key) = (format!("{}-{}", case.id, case.rev), case.id.clone());
    Ok(Letter { n: 0, destination: destination.to_owned(), kind: Kind::Case.name().to_owned(), id, key, body })
}

/// Moves what waits for one destination into its queue: first into the queue, then out of the store, so that a stop between the two tells
/// an event again under its id, never not at all.
pub fn hand_on(store: &Store<'_>, name: &str, queue: &Queue) -> anyhow::Result<usize> {
    let mut moved = 0;
    loop {
        let all = store.letters_to(name, HANDED)?;
        if all.is_empty() {
            return Ok(moved);
        }
        moved += all.len();
        hand(store, &all, queue)?;
    }
}

fn hand(store: &Store<'_>, letters: &[Letter], queue: &Queue) -> anyhow::Result<()> {
    let bodies: Vec<Box<RawValue>> =
        letters.iter().map(|l| RawValue::from_string(l.body.clone())).collect::<Result<_, _>>()?;
    let new: Vec<New<'_>> = letters
        .iter()
        .zip(&bodies)
        .filter_map(|(l, body)| Some(New { kind: Kind::parse(&l.kind)?, id: &l.id, key: &l.key, body }))
        .collect();
    queue.push(&new)?;
    let done: Vec<i64> = letters.iter().map(|l| l.n).collect();
    store.handed_on(&done)?;
    Ok(())
}

/// One destination of a running platform.
struct Line {
    settings: Settings,
    queue: Option<Arc<Queue>>,
    worker: Option<Worker>,
    fault: String,
    tried: Option<Instant>,
}

/// All destinations of a running platform.
pub struct PostOffice {
    dir: PathBuf,
    config: Config,
    lines: Vec<Line>,
    health: Instant,
}

impl PostOffice {
    /// For these destinations; their queues lie below `data`.
    pub fn new(data: &Path, config: &Config) -> PostOffice {
        let lines = config.destinations.iter().cloned();
        let lines =
            lines.map(|settings| Line { settings, queue: None, worker: None, fault: String::new(), tried: None });
        PostOffice { dir: data.join("queue"), config: config.clone(), lines: lines.collect(), health: Instant::now() }
    }

    /// Destinations that hear of findings or cases.
    pub fn wanting(&self, kind: Kind) -> impl Iterator<Item = &Settings> {
        self.lines.iter().map(|l| &l.settings).filter(move |s| s.events.contains(&kind))
    }

    /// Hands letters on and sees to it that each queue has its worker; what went wrong for the first time.
    pub fn work(&mut self, store: &Store<'_>) -> Vec<String> {
        let mut said = Vec::new();
        for line in &mut self.lines {
            let done = line.open(&self.dir, &self.config).and_then(|queue| match queue {
                Some(queue) => {
                    if let Some(n) = queue.resend_asked()? {
                        said.push(format!("{}: {n} events wait again", line.settings.name));
                    }
                    hand_on(store, &line.settings.name, &queue).map(drop)
                }
                None => Ok(()),
            });
            let fault = done.err().map(|e| format!("{}: {e:#}", line.settings.name)).unwrap_or_default();
            if !fault.is_empty() && fault != line.fault {
                said.push(fault.clone());
            }
            if !fault.is_empty() || line.worker.is_some() {
                line.fault = fault;
            }
        }
        if self.health.elapsed() > HEALTH {
            self.health = Instant::now();
            if let Err(e) = self.write_health(store) {
                said.push(format!("the health of destinations is not written: {e:#}"));
            }
        }
        said
    }

    /// How each destination does.
    pub fn health(&self) -> BTreeMap<&str, Health> {
        let of = |l: &Line| {
            let mut health = l.worker.as_ref().map(Worker::health).unwrap_or_default();
            if let Some(queue) = l.queue.as_ref().filter(|_| l.worker.is_none()) {
                health.queued = queue.counts();
            }
            if !l.fault.is_empty() {
                health.stopped = Some(l.fault.clone());
            }
            health
        };
        self.lines.iter().map(|l| (l.settings.name.as_str(), of(l))).collect()
    }

    /// `queue/health.json`: what `gridwarden connect health` and the API show.
    fn write_health(&self, store: &Store<'_>) -> anyhow::Result<()> {
        let kinds: HashMap<&str, &str> =
            self.lines.iter().map(|l| (l.settings.name.as_str(), l.settings.kind.name())).collect();
        let mut items = Vec::new();
        for (name, health) in self.health() {
            queues::tell(&self.dir.join(name), health.clone());
            let (waiting, dead, bytes) = health.queued;
            let waiting = waiting + store.letters_of(name)?;
            items.push(json!({
                "name": name, "kind": kinds.get(name), "sent": health.sent, "failures": health.failures, "failing": health.failing,
                "fault": health.fault.map(|(kind, text)| format!("{kind}: {text}")), "stopped": health.stopped,
                "waiting": waiting, "dead": dead, "bytes": bytes,
            }));
        }
        std::fs::create_dir_all(&self.dir)?;
        let beside = self.dir.join("health.new");
        let text = json!({ "at": respond::clock::now().to_string(), "items": items }).to_string();
        std::fs::write(&beside, text + "\n").and_then(|()| std::fs::rename(&beside, self.dir.join("health.json")))?;
        Ok(())
    }

    /// Whether something waits that could still be delivered.
    pub fn is_waiting(&self) -> bool {
        self.lines.iter().filter_map(|l| l.queue.as_ref()).any(|q| q.counts().0 > 0)
    }

    /// Ends the workers after the requests under way, five seconds at most; what is left lies in the queues.
    pub fn close(mut self, store: &Store<'_>) {
        // The last figures stay to be read.
        let _ = self.write_health(store);
        let (done, wait) = channel::<()>();
        let workers: Vec<Worker> = self.lines.drain(..).filter_map(|l| l.worker).collect();
        let mut left = 0;
        for worker in workers {
            let done = done.clone();
            let ending = std::thread::Builder::new().name("ending".into()).spawn(move || {
                worker.stop();
                let _ = done.send(());
            });
            left += usize::from(ending.is_ok());
        }
        let until = Instant::now() + PATIENCE;
        while left > 0 && wait.recv_timeout(until.saturating_duration_since(Instant::now())).is_ok() {
            left -= 1;
        }
    }
}

impl Line {
    /// Its queue, with a worker where one can be had.
    fn open(&mut self, dir: &Path, config: &Config) -> anyhow::Result<Option<Arc<Queue>>> {
        if self.worker.is_none() && self.tried.is_none_or(|t| t.elapsed() > AGAIN) {
            self.tried = Some(Instant::now());
            let queue = queues::open(&dir.join(&self.settings.name)).context("cannot open its queue")?;
            self.queue = Some(Arc::clone(&queue));
            let destination = connect::build(&self.settings, &config.sender).map_err(anyhow::Error::msg)?;
            self.worker =
                Some(Worker::start(&self.settings.name, queue, destination).context("cannot start a thread")?);
        }
        Ok(self.queue.clone())
    }
}
