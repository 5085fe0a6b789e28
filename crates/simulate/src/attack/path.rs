//! A host between the front end and devices: it poisons their address resolution, and from then on their frames pass through it.
//!
//! The tap hangs on the front end's side, so each frame is seen once, with the hardware address of the host in the middle. That
//! host is a proxy for both ends: it keeps what their stacks look like, and what it withholds leaves no gap in any numbering.
//! It gives false and at last true addresses one at a time, as often as address resolution is heard on a quiet network.

use testkit::{Arp, Stack};

use crate::cx::Cx;
use crate::episode::Fate;
use crate::network::{Host, SCADA};
use crate::plant::Plant;
use crate::rng::Rng;
use crate::time::{Micros, SECOND};

pub(crate) struct Path {
    host: &'static Host,
    devices: Vec<&'static Host>,
    pub(crate) begin: Micros,
    pub(crate) until: Micros,
    /// For each device, when it and the front end first heard the false address, and when one of them heard the true one again.
    held: Vec<(Option<Micros>, Micros)>,
    /// Replies sent, false ones, then true ones.
    told: usize,
    restored: usize,
}

impl Path {
    /// `host` stands between the front end and these devices from `begin` to `until`.
    pub(crate) fn new(host: &'static Host, devices: Vec<&'static Host>, begin: Micros, until: Micros) -> Path {
        let held = devices.iter().map(|_| (None, Micros::MAX)).collect();
        Path { host, devices, begin, until, held, told: 0, restored: 0 }
    }

    /// As above, beginning between these shares of the run (per cent), for a tenth of it but at most ten minutes.
    pub(crate) fn planned(
        host: &'static Host,
        devices: Vec<&'static Host>,
        rng: &mut Rng,
        plant: &Plant,
        (from, to): (u64, u64),
    ) -> Path {
        let begin = super::moment(rng, plant, from, to);
        let until = begin + super::share(plant, 10, (20 * SECOND, 600 * SECOND));
        Path::new(host, devices, begin, until)
    }

    pub(crate) fn devices(&self) -> Vec<&'static Host> {
        self.devices.clone()
    }

    /// Whether frames of this device pass through the host at that time: both ends have been misled.
    pub(crate) fn holds(&self, device: &Host, at: Micros) -> bool {
        let place = self.devices.iter().position(|other| other.last == device.last);
        let held = place.and_then(|place| self.held.get(place));
        held.is_some_and(|(from, until)| from.is_some_and(|from| at >= from) && at < *until)
    }

    /// Tells one end of a device's conversation a false hardware address, and after the end the true one; when to go on.
    pub(crate) fn wake(&mut self, now: Micros, cx: &mut Cx<'_>, rng: &mut Rng) -> Option<Micros> {
        let is_over = now >= self.until;
        let count = if is_over { &mut self.restored } else { &mut self.told };
        let turn = *count;
        *count += 1;
        let (place, is_second) = (turn / 2 % self.devices.len(), turn % 2 == 1);
        let device = self.devices[place];
        let (owner, hearer) = if is_second { (&SCADA, device) } else { (device, &SCADA) };
        let reply = Arp {
            op: 2,
            sender_mac: if is_over { owner.mac } else { self.host.mac },
            sender_ip: owner.ip().octets(),
            target_mac: hearer.mac,
            target_ip: hearer.ip().octets(),
        };
        cx.send(now, Stack::new().eth(self.host.mac, hearer.mac).add(reply));
        if is_over {
            self.held[place].1 = self.held[place].1.min(now);
        } else if is_second {
            self.held[place].0.get_or_insert(now);
        }
        let all = 2 * self.devices.len();
        if self.restored == all {
            return None;
        }
        if !is_over && self.told == all {
            return Some(self.until);
        }
        // While it lies, the last of two devices is held after three of these at most, two thirds of the time.
        let longest = (self.until - self.begin) / 5;
        let pause = rng.exponential(longest);
        let next = now + (4 * SECOND).min(longest / 8) + if is_over { pause } else { pause.min(longest) };
        Some(if is_over { next } else { next.min(self.until) })
    }

    /// Puts the host's hardware address into a frame that passes through it; the ends, which hear from each other, need not ask.
    pub(crate) fn frame(&self, at: Micros, bytes: &mut [u8]) -> Fate {
        // Where the two addresses stand in IPv4 and in ARP.
        let (from, to) = match bytes[12..14] {
            [8, 0] => (26, 30),
            [8, 6] => (28, 38),
            _ => return Fate::Pass,
        };
        let ends =
            |a: &Host, b: &Host| bytes[from..from + 4] == a.ip().octets() && bytes[to..to + 4] == b.ip().octets();
        let held = || self.devices.iter().filter(|device| self.holds(device, at));
        let (to_front, from_front) = (held().any(|d| ends(d, &SCADA)), held().any(|d| ends(&SCADA, d)));
        if !to_front && !from_front {
            return Fate::Pass;
        }
        if from == 28 {
            return Fate::Lost;
        }
        let place = if to_front { 6..12 } else { 0..6 };
        bytes[place].copy_from_slice(&self.host.mac);
        Fate::Changed
    }
}
