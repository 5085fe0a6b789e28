//! A host between the front end and devices: it poisons their address resolution, and from then on their frames pass through it.
//!
//! The tap hangs on the front end's side, so each frame is seen once, with the hardware address of the host in the middle. That
//! host is a proxy for both ends: it keeps what their stacks look like, and what it withholds leaves no gap in any numbering.

use testkit::{Arp, Stack};

use crate::cx::Cx;
use crate::episode::Fate;
use crate::network::{Host, SCADA};
use crate::rng::Rng;
use crate::time::{MS, Micros, SECOND};

pub(crate) struct Path {
    host: &'static Host,
    devices: Vec<&'static Host>,
    begin: Micros,
    until: Micros,
}

impl Path {
    /// `host` stands between the front end and these devices from `begin` to `until`.
    pub(crate) fn new(host: &'static Host, devices: Vec<&'static Host>, begin: Micros, until: Micros) -> Path {
        Path { host, devices, begin, until }
    }

    pub(crate) fn devices(&self) -> Vec<&'static Host> {
        self.devices.clone()
    }

    pub(crate) fn begin(&self) -> Micros {
        self.begin
    }

    pub(crate) fn until(&self) -> Micros {
        self.until
    }

    /// Whether frames of this time pass through the host: both ends have heard it by then.
    pub(crate) fn holds(&self, at: Micros) -> bool {
        at >= self.begin + 20 * MS * self.devices.len() as u64 && at < self.until
    }

    /// Tells both ends of each device's conversation a false hardware address, again each ten seconds, and at the end the true one.
    pub(crate) fn wake(&self, now: Micros, cx: &mut Cx<'_>, rng: &mut Rng) -> Option<Micros> {
        let over = now >= self.until;
        let mut at = now;
        for device in &self.devices {
            for (owner, hearer) in [(*device, &SCADA), (&SCADA, *device)] {
                let reply = Arp {
                    op: 2,
                    sender_mac: if over { owner.mac } else { self.host.mac },
                    sender_ip: owner.ip().octets(),
                    target_mac: hearer.mac,
                    target_ip: hearer.ip().octets(),
                };
                cx.send(at, Stack::new().eth(self.host.mac, hearer.mac).add(reply));
                at += rng.between(MS, 9 * MS);
            }
        }
        (!over).then(|| (now + 10 * SECOND + rng.between(0, 40 * MS)).min(self.until))
    }

    /// Puts the host's hardware address into a frame that passes through it.
    pub(crate) fn frame(&self, at: Micros, bytes: &mut [u8]) -> Fate {
        if !self.holds(at) || bytes[12..14] != [8, 0] {
            return Fate::Pass;
        }
        let ends = |from: &Host, to: &Host| bytes[26..30] == from.ip().octets() && bytes[30..34] == to.ip().octets();
        let (to_front, from_front) =
            (self.devices.iter().any(|d| ends(d, &SCADA)), self.devices.iter().any(|d| ends(&SCADA, d)));
        if to_front {
            bytes[6..12].copy_from_slice(&self.host.mac);
        } else if from_front {
            bytes[..6].copy_from_slice(&self.host.mac);
        } else {
            return Fate::Pass;
        }
        Fate::Changed
    }
}
