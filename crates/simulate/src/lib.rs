//! A substation that never was: realistic captures with labels, sharing no code with the parsers.
//!
//! [`substation`] takes a seed and gives a [`Simulation`], which writes a capture frame by frame:
//!
//! ```
//! let simulation = simulate::substation(&simulate::Options { minutes: 1, ..Default::default() });
//! let mut pcap = Vec::new();
//! let summary = simulation.write(&mut pcap, std::io::sink(), std::io::sink()).unwrap();
//! assert_eq!(summary.bytes, pcap.len() as u64);
//! ```
//!
//! How it works: the electric process (`plant`) is planned from the seed before the first frame. Each actor (a DNP3 master with its outstation,
//! a GOOSE publisher, the switch …) has a random stream of its own, sleeps until its next moment, and then sends the frames of one
//! exchange into the queue, each with its own time. The queue puts them in order and the writer takes them out; no clock is ever read.
//!
//! Invariants: the same options give the same bytes; a day needs no more memory than a minute; an attack changes no benign frame
//! (what it commands are spare outputs that are wired to nothing), so the same seed without it is its twin.
#![deny(missing_docs)]

mod actors;
mod attack;
mod capture;
mod dhcp;
mod dnp3;
mod dns;
mod goose;
mod http;
mod iec104;
mod lldp;
mod modbus;
mod network;
mod ntp;
mod plant;
mod ptp;
mod queue;
mod rng;
mod stp;
mod tcp;
mod time;
mod tls;

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::io::{self, Write};

pub use attack::{Attack, UnknownAttack};

use actors::Actor;
use capture::{Capture, Label};
use plant::Plant;
use queue::{Cx, Queue};
use rng::Rng;
use time::{DAY, HOUR, MINUTE, Micros, rfc3339};

/// What to simulate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// Chooses the date, all times, all values and what the operators do.
    pub seed: u64,
    /// Length of the run in minutes; 1440 make a day.
    pub minutes: u32,
    /// What is laid over the benign run; doubles count once.
    pub attacks: Vec<Attack>,
}

impl Default for Options {
    fn default() -> Options {
        Options { seed: 1, minutes: 60, attacks: Vec::new() }
    }
}

/// What was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Summary {
    /// Frames in the capture.
    pub frames: u64,
    /// How many of them are labelled.
    pub labelled_frames: u64,
    /// Size of the capture in bytes.
    pub bytes: u64,
    /// Begin of the run, RFC 3339 in UTC.
    pub start: String,
    /// End of the run, RFC 3339 in UTC.
    pub end: String,
}

/// A run that can be written, as often as wanted and always the same.
#[derive(Clone, Debug)]
pub struct Simulation {
    options: Options,
}

/// An electric substation with its control network: DNP3, Modbus, IEC 104, GOOSE, PTP and the services around them.
pub fn substation(options: &Options) -> Simulation {
    Simulation { options: options.clone() }
}

impl Simulation {
    /// Writes the capture (classic pcap, microseconds), the labels of its attacks, and the labels of single frames.
    ///
    /// `labels` gets `start,end,attack,actor,target,first_frame,last_frame,frames`, a row for each attack, several targets with
    /// spaces between them; `frame_labels` gets `frame,label` for the frames of attacks, benign ones are not listed. Frames count from 1.
    pub fn write(&self, pcap: impl Write, labels: impl Write, mut frame_labels: impl Write) -> io::Result<Summary> {
        let mut attacks = self.options.attacks.clone();
        attacks.sort_unstable();
        attacks.dedup();
        let mut rows: Vec<Label> = attacks.iter().map(|attack| attack.label()).collect();
        let mut run = Run::new(self.options.seed, self.options.minutes, &attacks);
        let mut capture = Capture::new(pcap)?;
        writeln!(frame_labels, "frame,label")?;
        while let Some(until) = run.step() {
            while let Some(frame) = run.queue.pop(until) {
                capture.frame(frame.at, &frame.bytes)?;
                let Some(attack) = frame.attack else { continue };
                writeln!(frame_labels, "{},{attack}", capture.frames)?;
                let row = rows.iter_mut().zip(&attacks).find(|(_, a)| **a == attack);
                if let Some((row, _)) = row {
                    row.see(frame.at, capture.frames);
                }
            }
        }
        let summary = Summary {
            frames: capture.frames,
            labelled_frames: rows.iter().map(|row| row.frames).sum(),
            bytes: capture.bytes,
            start: rfc3339(run.start),
            end: rfc3339(run.end),
        };
        capture.finish()?;
        frame_labels.flush()?;
        capture::write_labels(labels, &rows)?;
        Ok(summary)
    }
}

/// A run in progress.
struct Run {
    start: Micros,
    end: Micros,
    plant: Plant,
    queue: Queue,
    actors: Vec<(Option<Attack>, Box<dyn Actor>)>,
    /// When each actor wakes next, by its place in `actors`.
    wakes: BinaryHeap<Reverse<(Micros, usize)>>,
    over: bool,
}

impl Run {
    fn new(seed: u64, minutes: u32, attacks: &[Attack]) -> Run {
        let mut rng = Rng::new(seed, "calendar");
        // A morning between 2024-01-01 and 2025-12-30, at six o'clock and some minutes.
        let start = 19_723 * DAY + rng.between(0, 730) * DAY + 6 * HOUR + rng.between(0, 20 * MINUTE);
        let end = start + u64::from(minutes) * MINUTE;
        let plant = Plant::new(seed, start, end);
        let benign = actors::substation(seed, &plant).into_iter().map(|actor| (None, actor));
        let hostile = attacks.iter().map(|attack| (Some(*attack), attack.actor(seed, start, end)));
        let actors: Vec<_> = benign.chain(hostile).collect();
        let wakes = actors.iter().enumerate().map(|(i, (_, actor))| Reverse((actor.begin(start), i))).collect();
        Run { start, end, plant, queue: Queue::default(), actors, wakes, over: false }
    }

    /// Wakes the next actor; returns until when the frames in the queue are complete, none after the end.
    fn step(&mut self) -> Option<Micros> {
        if self.over {
            return None;
        }
        if let Some(Reverse((now, i))) = self.wakes.pop().filter(|next| next.0.0 < self.end) {
            let (attack, actor) = &mut self.actors[i];
            let mut cx = Cx { plant: &self.plant, queue: &mut self.queue, attack: *attack };
            if let Some(next) = actor.wake(now, &mut cx) {
                self.wakes.push(Reverse((next.max(now + 1), i)));
            }
            if let Some(Reverse((next, _))) = self.wakes.peek() {
                return Some(self.end.min(*next));
            }
        }
        self.over = true;
        Some(self.end)
    }
}
