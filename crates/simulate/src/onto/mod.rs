//! An attack put into a real capture, with the devices, points and sessions found there.
//!
//! The capture is read three times and never held in memory: once to see who is there (`site`), once to find pauses in the session to
//! act in (`gaps`), once to write the copy. Only what is added differs, and in the session of a master whatever counts what was said
//! there (`live`). Limits: Ethernet and IPv4; connections, hosts and exchanges as `SiteConnections`, `SiteHosts` and `SiteExchanges` say.
//!
//! Its reader (`reader`, `pdu`, `goose`) is its own: it examines the product's parsers and shares nothing with them.

mod asks;
mod exchange;
mod gaps;
mod goose;
mod live;
mod outside;
mod pdu;
mod plot;
mod reader;
mod segment;
mod site;
mod source;
#[cfg(test)]
mod tests;
mod wire;

use std::fmt;
use std::io::{self, Write};
use std::path::Path;

use gwcore::Limits;

use crate::label::{Label, Row};
use crate::rng::Rng;
use crate::time::rfc3339;
use crate::{Attack, Role, Summary, label};
use plot::{Plot, Scene};
use site::{Nanos, Site};
use source::Source;

/// Why an attack was not put onto a capture.
#[derive(Debug)]
pub enum Failure {
    /// The capture lacks what the attack needs; what it is.
    Untried(String),
    /// The capture cannot be read: which, and why.
    Unreadable(String, String),
    /// What was made cannot be written.
    Write(io::Error),
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::Untried(why) => write!(f, "cannot be tried: {why}"),
            Failure::Unreadable(path, why) => write!(f, "cannot read `{path}`: {why}"),
            Failure::Write(error) => write!(f, "cannot write: {error}"),
        }
    }
}

impl std::error::Error for Failure {}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Failure {
        Failure::Write(error)
    }
}

/// An attack, planned for one capture: it can be written.
pub struct Onto<'a> {
    source: Source<'a>,
    site: Site,
    attack: Attack,
    plot: Plot,
}

impl<'a> Onto<'a> {
    /// Looks at a capture and plans the attack; the same seed plans the same.
    ///
    /// Times of the capture must lie between 1970 and 2106, as a classic capture holds them.
    pub fn plan(
        capture: &Path,
        attack: Attack,
        role: Role,
        seed: u64,
        limits: &'a Limits,
    ) -> Result<Onto<'a>, Failure> {
        attack.check(role).map_err(|senseless| Failure::Untried(senseless.to_string()))?;
        let source = Source::new(capture, limits)?;
        let mut site = Site::new(limits);
        source.each(|frame| {
            if let Some(seen) = reader::read(frame.data) {
                site.see(frame.ts.0, frame.data, &seen);
            }
            Ok(true)
        })?;
        if site.frames == 0 {
            return plot::untried("the capture holds no frame");
        }
        let rng = Rng::new(seed, &format!("onto {attack} {role}"));
        let mut plot = Scene { site: &site, source: &source, attack, role, rng }.plot()?;
        // What would come after the capture's end was not captured.
        plot.frames.retain(|(at, _)| *at <= site.end);
        plot.frames.sort_by_key(|(at, _)| *at);
        for (_, planned) in &mut plot.sessions {
            planned.sort_by_key(|planned| planned.at);
        }
        Ok(Onto { source, site, attack, plot })
    }

    /// Writes the copy of the capture (classic pcap, nanoseconds), the label, and the labels of single frames, as `Simulation::write`
    /// does. Frames of the capture keep their time and their octets but for numbers that count on.
    pub fn write(mut self, pcap: impl Write, labels: impl Write, frame_labels: impl Write) -> Result<Summary, Failure> {
        let row = Row::new(Label::Attack(self.attack), self.plot.actor.clone(), self.plot.targets.join(" "));
        let mut out = Out::new(pcap, frame_labels, self.attack, row)?;
        let mut ready = std::mem::take(&mut self.plot.frames);
        ready.reverse();
        let mut sessions = std::mem::take(&mut self.plot.sessions);
        sessions.iter_mut().for_each(|(_, planned)| planned.reverse());
        let mut bytes = Vec::new();
        self.source.each(|frame| {
            let at = frame.ts.0;
            for (live, planned) in &mut sessions {
                while let Some(next) = planned.pop_if(|next| next.at < at) {
                    // Sorted from the last to the first, as the others are.
                    for frame in live.insert(&next.exchange, next.at, next.answered, next.acked) {
                        let place = ready.partition_point(|(time, _)| *time > frame.0);
                        ready.insert(place, frame);
                    }
                }
            }
            while let Some((time, bytes)) = ready.pop_if(|next| next.0 < at) {
                out.frame(time, &bytes, bytes.len() as u32, true)?;
            }
            bytes.clear();
            bytes.extend_from_slice(frame.data);
            if let Some(seen) = reader::read(frame.data) {
                for (live, _) in &mut sessions {
                    if let Some(side) = live.side(&seen) {
                        live.pass(at, &mut bytes, side);
                    }
                }
            }
            out.frame(at, &bytes, frame.wire_len, false)?;
            Ok(true)
        })?;
        // A session may be quiet to the end of the capture.
        for (live, planned) in &mut sessions {
            while let Some(next) = planned.pop() {
                let frames = live.insert(&next.exchange, next.at, next.answered, next.acked);
                ready.extend(frames.into_iter().filter(|(at, _)| *at <= self.site.end));
            }
        }
        ready.sort_by_key(|(at, _)| std::cmp::Reverse(*at));
        while let Some((time, bytes)) = ready.pop() {
            out.frame(time, &bytes, bytes.len() as u32, true)?;
        }
        out.finish(labels, (self.site.start, self.site.end))
    }
}

/// The copy on its way to the disk.
struct Out<P, F> {
    pcap: P,
    frame_labels: F,
    attack: Attack,
    row: Row,
    frames: u64,
    bytes: u64,
}

impl<P: Write, F: Write> Out<P, F> {
    fn new(mut pcap: P, mut frame_labels: F, attack: Attack, row: Row) -> Result<Out<P, F>, Failure> {
        let mut header = [0; 24];
        header[..8].copy_from_slice(&[0x4d, 0x3c, 0xb2, 0xa1, 2, 0, 4, 0]);
        header[16..20].copy_from_slice(&262_144u32.to_le_bytes());
        header[20] = 1;
        pcap.write_all(&header)?;
        writeln!(frame_labels, "frame,label")?;
        Ok(Out { pcap, frame_labels, attack, row, frames: 0, bytes: 24 })
    }

    fn frame(&mut self, at: Nanos, frame: &[u8], wire: u32, is_added: bool) -> Result<(), Failure> {
        let (len, at) = (frame.len() as u32, at.max(0) as u64);
        for field in [(at / 1_000_000_000) as u32, (at % 1_000_000_000) as u32, len, wire] {
            self.pcap.write_all(&field.to_le_bytes())?;
        }
        self.pcap.write_all(frame)?;
        self.frames += 1;
        self.bytes += 16 + u64::from(len);
        if is_added {
            writeln!(self.frame_labels, "{},{}", self.frames, self.attack)?;
            self.row.see(at / 1_000, self.frames);
        }
        Ok(())
    }

    fn finish(mut self, labels: impl Write, (start, end): (Nanos, Nanos)) -> Result<Summary, Failure> {
        self.pcap.flush()?;
        self.frame_labels.flush()?;
        label::write(labels, std::slice::from_ref(&self.row))?;
        let text = |at: Nanos| rfc3339(at.max(0) as u64 / 1_000);
        Ok(Summary {
            frames: self.frames,
            labelled_frames: self.row.frames,
            bytes: self.bytes,
            start: text(start),
            end: text(end),
        })
    }
}
