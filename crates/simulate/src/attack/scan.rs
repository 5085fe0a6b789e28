//! A host looks which ports of which devices are open: half-open probes, one device after the other.

use super::{Cast, moment};
use crate::actors::services::arp;
use crate::cx::Cx;
use crate::episode::Episode;
use crate::label::Label;
use crate::network::{Host, METER, OUTSTATION, PLC, RELAYS, RTUS, services};
use crate::plant::Plant;
use crate::rng::Rng;
use crate::tcp::{Port, probe};
use crate::time::{MS, Micros, SECOND};

/// Whose ports are probed, in this order.
static TARGETS: [&Host; 5] = [&RTUS[0], &METER, &PLC, &OUTSTATION, &RELAYS[0]];

/// Ports of control protocols that are always among the probed.
const CONTROL_PORTS: [u16; 8] = [102, 502, 2_404, 4_840, 20_000, 34_980, 44_818, 47_808];

/// A scan, hostile or of the site's own inventory.
pub(crate) struct Scan {
    label: Label,
    host: &'static Host,
    rng: Rng,
    begin: Micros,
    ports: Vec<u16>,
    source: u16,
    /// Least time between two probes.
    pace: Micros,
    /// How many probes are out, over all targets.
    done: usize,
}

impl Scan {
    /// Between a third and six tenths of the run.
    pub(crate) fn hostile(cast: Cast, mut rng: Rng, plant: &Plant) -> Scan {
        let begin = moment(&mut rng, plant, 33, 60);
        let ports: Vec<u16> = (0..96).map(|_| rng.between(1, 1_025) as u16).collect();
        Scan::new(cast.label(), cast.host, rng, begin, ports, 10 * MS)
    }

    /// Probes the usual ports and these `more`.
    pub(crate) fn new(
        label: Label,
        host: &'static Host,
        mut rng: Rng,
        begin: Micros,
        more: Vec<u16>,
        pace: Micros,
    ) -> Scan {
        let mut ports: Vec<u16> = CONTROL_PORTS.to_vec();
        ports.extend([21, 22, 23, 25, 53, 80, 110, 111, 135, 139, 143, 161, 389, 443, 445, 993]);
        ports.extend(more);
        ports.sort_unstable();
        ports.dedup();
        for i in (1..ports.len()).rev() {
            ports.swap(i, rng.between(0, i as u64 + 1) as usize);
        }
        let source = rng.between(33_000, 60_000) as u16;
        Scan { label, host, rng, begin, ports, source, pace, done: 0 }
    }
}

impl Episode for Scan {
    fn label(&self) -> Label {
        self.label
    }

    fn parties(&self) -> (&'static Host, Vec<&'static Host>) {
        (self.host, TARGETS.to_vec())
    }

    fn begin(&self) -> Micros {
        self.begin
    }

    fn wake(&mut self, now: Micros, cx: &mut Cx<'_>) -> Option<Micros> {
        let target = TARGETS.get(self.done / self.ports.len())?;
        let place = self.done % self.ports.len();
        if place == 0 {
            arp(cx, now, self.host, target, &mut self.rng);
        }
        let number = self.ports[place];
        let at = now + if place == 0 { MS } else { 0 };
        self.source += 1;
        probe(cx, at, (self.host, self.source), (target, number), state(target, number), &mut self.rng);
        self.done += 1;
        let pause = if self.done.is_multiple_of(self.ports.len()) { SECOND } else { 0 };
        Some(now + self.pace + self.rng.between(0, 5 * self.pace) + pause)
    }
}

/// What a device does with a SYN: its service answers, closed ports reset; the relay drops what it does not know.
fn state(host: &Host, port: u16) -> Port {
    if services(host).contains(&port) {
        Port::Open
    } else if host.last == RELAYS[0].last {
        Port::Filtered
    } else {
        Port::Closed
    }
}
