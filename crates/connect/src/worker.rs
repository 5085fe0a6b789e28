//! Delivers a queue to its destination: a batch at a time in order, again after a pause where it failed, dead letters for what is refused.

use std::collections::{HashSet, VecDeque};
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use serde::Serialize;

use crate::dest::Destination;
use crate::queue::{Item, Queue};
use crate::{Fault, FaultKind, Verdict};

/// First pause after a failure, doubled up to [`LONGEST_PAUSE`].
const PAUSE: Duration = Duration::from_secs(1);
/// Longest pause.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);
/// How often one event is tried that fails while others of its batch arrive.
const TRIES: u32 = 12;
/// How long a thread waits for new events before it looks whether it shall stop.
const IDLE: Duration = Duration::from_millis(500);

/// How a destination does.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Health {
    /// Events the receiver has.
    pub sent: u64,
    /// Requests that failed.
    pub failures: u64,
    /// Failures since the last success.
    pub failing: u64,
    /// What the last failure was, kind and text; none after a success.
    pub fault: Option<(String, String)>,
    /// Events that wait, dead letters, bytes on the disk.
    pub queued: (u64, u64, u64),
    /// Why the queue itself stopped, where the disk failed.
    pub stopped: Option<String>,
}

/// What is under way.
struct Window {
    items: VecDeque<(Item, bool, u32)>,
    /// How many of them go in one request; halved where a request is too large.
    size: usize,
}

/// A thread that delivers.
pub struct Worker {
    queue: Arc<Queue>,
    stop: Arc<AtomicBool>,
    health: Arc<Mutex<Health>>,
    thread: Option<JoinHandle<()>>,
}

impl Worker {
    /// Starts the thread.
    pub fn start(name: &str, queue: Arc<Queue>, mut destination: Box<dyn Destination>) -> io::Result<Worker> {
        let stop = Arc::new(AtomicBool::new(false));
        let health = Arc::new(Mutex::new(Health::default()));
        let (q, s, h) = (queue.clone(), stop.clone(), health.clone());
        let thread = std::thread::Builder::new().name(format!("to {name}")).spawn(move || {
            if let Err(e) = deliver(&q, destination.as_mut(), &h, PAUSE, &mut || !s.load(Ordering::Relaxed), false) {
                h.lock().unwrap_or_else(PoisonError::into_inner).stopped = Some(e.to_string());
            }
        })?;
        Ok(Worker { queue, stop, health, thread: Some(thread) })
    }

    /// How it does.
    pub fn health(&self) -> Health {
        let mut health = self.health.lock().unwrap_or_else(PoisonError::into_inner).clone();
        health.queued = self.queue.counts();
        health
    }

    /// Ends the thread after the request under way; what waits stays on the disk.
    pub fn stop(mut self) {
        self.end();
    }

    fn end(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        self.queue.wake();
        if let Some(thread) = self.thread.take() {
            // A destination that panicked ended its thread; its events wait on the disk.
            let _ = thread.join();
        }
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.end();
    }
}

/// Delivers what waits and returns when the queue is empty or the time is up; tells how it went. `pause` is the first pause after a failure.
pub fn drain(
    queue: &Queue,
    destination: &mut dyn Destination,
    within: Duration,
    pause: Duration,
) -> io::Result<Health> {
    let health = Mutex::new(Health::default());
    let until = Instant::now() + within;
    deliver(queue, destination, &health, pause, &mut || Instant::now() < until, true)?;
    let mut health = health.into_inner().unwrap_or_else(PoisonError::into_inner);
    health.queued = queue.counts();
    Ok(health)
}

/// Delivers; whatever of a batch is left when it ends is given again by the queue.
fn deliver(
    queue: &Queue,
    destination: &mut dyn Destination,
    health: &Mutex<Health>,
    first_pause: Duration,
    go_on: &mut dyn FnMut() -> bool,
    until_empty: bool,
) -> io::Result<()> {
    let result = batches(queue, destination, health, first_pause, go_on, until_empty);
    queue.rewind();
    result
}

fn batches(
    queue: &Queue,
    destination: &mut dyn Destination,
    health: &Mutex<Health>,
    first_pause: Duration,
    go_on: &mut dyn FnMut() -> bool,
    until_empty: bool,
) -> io::Result<()> {
    let mut window = Window { items: VecDeque::new(), size: usize::MAX };
    let mut pause = first_pause;
    while go_on() {
        if window.items.is_empty() {
            let wait = if until_empty { Duration::ZERO } else { IDLE };
            let items = queue.take(destination.batch().max(1), wait)?;
            if items.is_empty() {
                if until_empty && queue.counts().0 == 0 {
                    return Ok(());
                }
                if until_empty {
                    // What is left was damaged and lies among the dead letters.
                    return queue.done_before(u64::MAX);
                }
                continue;
            }
            window.items = items.into_iter().map(|i| (i, false, 0)).collect();
            window.size = window.items.len();
        }
        let fault = one_request(queue, destination, health, &mut window)?;
        while window.items.front().is_some_and(|(_, done, _)| *done) {
            let seq = window.items.pop_front().map_or(0, |(i, ..)| i.seq);
            if window.items.is_empty() {
                queue.done_before(seq + 1)?;
            }
        }
        if let Some((next, ..)) = window.items.front() {
            queue.done_before(next.seq)?;
        }
        match fault {
            None => pause = first_pause,
            Some(fault) if matches!(fault.kind, FaultKind::TooLarge | FaultKind::NotReached) => {}
            Some(fault) => {
                let wait = fault.wait.unwrap_or(pause).max(pause);
                pause = (pause * 2).min(LONGEST_PAUSE);
                sleep(wait, go_on);
            }
        }
    }
    Ok(())
}

/// Sends the first items of the window that are not done; the first fault, where there was one.
fn one_request(
    queue: &Queue,
    destination: &mut dyn Destination,
    health: &Mutex<Health>,
    window: &mut Window,
) -> io::Result<Option<Fault>> {
    let mut keys = HashSet::new();
    let is_partial = destination.is_partial();
    let open: Vec<usize> = (0..window.items.len())
        .filter(|i| !window.items[*i].1)
        .take_while(|i| !is_partial || keys.insert(window.items[*i].0.key.clone()))
        .take(window.size.max(1))
        .collect();
    let items: Vec<&Item> = open.iter().map(|i| &window.items[*i].0).collect();
    let verdicts = destination.send(&items);
    let any_done = verdicts.iter().any(|v| matches!(v, Verdict::Done));
    let (mut fault, mut sent): (Option<Fault>, u64) = (None, 0);
    for (n, at) in open.iter().enumerate() {
        let (item, done, tries) = &mut window.items[*at];
        match verdicts.get(n) {
            Some(Verdict::Done) => {
                *done = true;
                sent += 1;
            }
            Some(Verdict::Dead(reason)) => {
                queue.bury(item, reason)?;
                *done = true;
            }
            Some(Verdict::Again(f)) => {
                if f.kind == FaultKind::TooLarge && open.len() == 1 {
                    queue.bury(item, &f.text)?;
                    *done = true;
                    continue;
                }
                *tries += u32::from(any_done && !matches!(f.kind, FaultKind::TooLarge | FaultKind::NotReached));
                if *tries >= TRIES {
                    queue.bury(item, &format!("given up after {TRIES} tries: {f}"))?;
                    *done = true;
                } else if fault.as_ref().is_none_or(|first| first.kind == FaultKind::NotReached) {
                    fault = Some(f.clone());
                }
            }
            None => fault = fault.or_else(|| Some(Fault::new(FaultKind::Malformed, "no verdict"))),
        }
    }
    if fault.as_ref().is_some_and(|f| f.kind == FaultKind::TooLarge) {
        window.size = (open.len() / 2).max(1);
    } else if fault.is_none() {
        window.size = usize::MAX;
    }
    let mut health = health.lock().unwrap_or_else(PoisonError::into_inner);
    health.sent += sent;
    match &fault {
        None => {
            health.failing = 0;
            health.fault = None;
        }
        Some(f) => {
            health.failures += 1;
            health.failing += 1;
            health.fault = Some((f.kind.name().to_owned(), f.text.clone()));
        }
    }
    Ok(fault)
}

fn sleep(wait: Duration, go_on: &mut dyn FnMut() -> bool) {
    let until = Instant::now() + wait;
    while go_on() {
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return;
        }
        std::thread::sleep(left.min(Duration::from_millis(100)));
    }
}
