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
//! Attacks and traps are episodes (`episode`), which act beside the actors, order things of sessions, and see what others send.
//!
//! Invariants: the same options give the same bytes; a day needs no more memory than a minute; all days are days of the same site, whose
//! devices, addresses and points do not depend on the seed; attacks and traps take nothing from the random streams of others, so a run
//! without an attack is its twin: what the attack does not touch is the same byte for byte.
#![deny(missing_docs)]

mod actors;
mod attack;
mod capture;
mod cx;
mod dhcp;
mod dnp3;
mod dns;
mod episode;
mod goose;
mod http;
mod iec104;
mod label;
mod lldp;
mod modbus;
mod network;
mod ntp;
mod onto;
mod plant;
mod ptp;
mod queue;
mod rng;
mod role;
mod run;
mod seal;
mod site;
mod stp;
mod tcp;
mod time;
mod tls;
mod trap;

use std::io::{self, Write};

pub use attack::{Attack, Senseless};
pub use onto::{Failure, Onto};
pub use role::{Role, UnknownName};
pub use trap::Trap;

use capture::Capture;
use run::Run;
use time::rfc3339;

/// What to simulate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// Chooses the date, all times, all values and what the operators do.
    pub seed: u64,
    /// Length of the run in minutes; 1440 make a day.
    pub minutes: u32,
    /// Benign events that fool detection; doubles count once.
    pub traps: Vec<Trap>,
    /// What is laid over the benign run; doubles count once.
    pub attacks: Vec<Attack>,
    /// Who acts in the attacks.
    pub actor: Role,
}

impl Default for Options {
    fn default() -> Options {
        Options { seed: 1, minutes: 60, traps: Vec::new(), attacks: Vec::new(), actor: Role::New }
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
    /// Writes the capture (classic pcap, microseconds), the labels of its attacks and traps, and the labels of single frames.
    ///
    /// `labels` gets `start,end,attack,actor,target,first_frame,last_frame,frames`, a row for each attack and each trap, whose actor is
    /// empty, several targets with spaces between them; `frame_labels` gets `frame,label` for their frames, benign ones are not listed.
    /// Frames count from 1. An attack that makes no sense by the actor is an error before anything is written.
    pub fn write(&self, pcap: impl Write, labels: impl Write, mut frame_labels: impl Write) -> io::Result<Summary> {
        for attack in &self.options.attacks {
            attack.check(self.options.actor).map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))?;
        }
        let mut run = Run::new(&self.options);
        let mut rows = run.rows();
        let mut capture = Capture::new(pcap)?;
        writeln!(frame_labels, "frame,label")?;
        while let Some(until) = run.step() {
            while let Some(frame) = run.queue.pop(until) {
                capture.frame(frame.at, &frame.bytes)?;
                let Some(label) = frame.label else { continue };
                writeln!(frame_labels, "{},{label}", capture.frames)?;
                if let Some(row) = rows.iter_mut().find(|row| row.label == label) {
                    row.see(frame.at, capture.frames);
                }
            }
        }
        // Some learn their target on the way.
        for (row, now) in rows.iter_mut().zip(run.rows()) {
            row.target = now.target;
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
        label::write(labels, &rows)?;
        Ok(summary)
    }
}
