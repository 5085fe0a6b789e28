//! A new host looks which ports of which devices are open: half-open probes, one device after the other.

use crate::actors::Actor;
use crate::actors::services::arp;
use crate::network::{Host, METER, OUTSTATION, PLC, RELAYS, RTUS, SCANNER};
use crate::queue::Cx;
use crate::rng::Rng;
use crate::tcp::{Port, probe};
use crate::time::{MS, Micros, SECOND};

/// Whose ports are probed, in this order.
pub(crate) static TARGETS: [&Host; 5] = [&RTUS[0], &METER, &PLC, &OUTSTATION, &RELAYS[0]];

/// Ports of control protocols that are always among the probed.
const CONTROL_PORTS: [u16; 8] = [102, 502, 2_404, 4_840, 20_000, 34_980, 44_818, 47_808];

pub(crate) struct Scan {
    rng: Rng,
    begin: Micros,
    ports: Vec<u16>,
    source: u16,
    /// How many probes are out, over all targets.
    done: usize,
}

impl Scan {
    /// Between a third and six tenths of the run.
    pub(crate) fn new(seed: u64, start: Micros, end: Micros) -> Scan {
        let mut rng = Rng::new(seed, "attack scan");
        let span = end.saturating_sub(start);
        let begin = start + rng.between(span / 3, span * 6 / 10);
        let mut ports: Vec<u16> = CONTROL_PORTS.to_vec();
        ports.extend([21, 22, 23, 25, 53, 80, 110, 111, 135, 139, 143, 161, 389, 443, 445, 993]);
        ports.extend((0..96).map(|_| rng.between(1, 1_025) as u16));
        ports.sort_unstable();
        ports.dedup();
        for i in (1..ports.len()).rev() {
            ports.swap(i, rng.between(0, i as u64 + 1) as usize);
        }
        let source = rng.between(33_000, 60_000) as u16;
        Scan { rng, begin, ports, source, done: 0 }
    }
}

impl Actor for Scan {
    fn begin(&self, _: Micros) -> Micros {
        self.begin
    }

    fn wake(&mut self, now: Micros, cx: &mut Cx<'_>) -> Option<Micros> {
        let target = TARGETS.get(self.done / self.ports.len())?;
        let place = self.done % self.ports.len();
        if place == 0 {
            arp(cx, now, &SCANNER, target, &mut self.rng);
        }
        let number = self.ports[place];
        let at = now + if place == 0 { MS } else { 0 };
        self.source += 1;
        probe(cx, at, (&SCANNER, self.source), (target, number), state(target, number), &mut self.rng);
        self.done += 1;
        let pause = if self.done.is_multiple_of(self.ports.len()) { SECOND } else { 0 };
        Some(now + 2 * MS + self.rng.between(8 * MS, 60 * MS) + pause)
    }
}

/// What a device does with a SYN: its service answers, closed ports reset; the relay drops what it does not know.
fn state(host: &Host, port: u16) -> Port {
    let open: &[u16] = match host.last {
        51 => &[20_000, 22],
        61 | 62 => &[502, 80],
        71 => &[2_404],
        _ => &[80, 102],
    };
    if open.contains(&port) {
        Port::Open
    } else if host.last == RELAYS[0].last {
        Port::Filtered
    } else {
        Port::Closed
    }
}
