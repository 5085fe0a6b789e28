//! A technician tests a relay: the laptop reads its pages, and the relay publishes with the test flag meanwhile.

use crate::Trap;
use crate::actors::services::{arp, lookup};
use crate::actors::web;
use crate::cx::Cx;
use crate::episode::{Episode, Fate};
use crate::label::Label;
use crate::network::{GATEWAY, Host, LAPTOP, RELAYS};
use crate::plant::Plant;
use crate::rng::Rng;
use crate::time::{MINUTE, MS, Micros, SECOND};

pub(crate) struct RelayTest {
    rng: Rng,
    begin: Micros,
    until: Micros,
    relay: &'static Host,
    port: u16,
    visits: u8,
}

impl RelayTest {
    /// For up to forty minutes.
    pub(crate) fn new(mut rng: Rng, plant: &Plant) -> RelayTest {
        let length = ((plant.end - plant.start) / 6).min(40 * MINUTE);
        let begin = crate::attack::moment(&mut rng, plant, 10, 75);
        let relay = &RELAYS[rng.between(0, 3) as usize % 3];
        let port = rng.port();
        RelayTest { rng, begin, until: begin + length, relay, port, visits: 0 }
    }
}

impl Episode for RelayTest {
    fn label(&self) -> Label {
        Label::Trap(Trap::RelayTest)
    }

    fn parties(&self) -> (&'static Host, Vec<&'static Host>) {
        (&LAPTOP, vec![self.relay])
    }

    fn begin(&self) -> Micros {
        self.begin
    }

    fn wake(&mut self, now: Micros, cx: &mut Cx<'_>) -> Option<Micros> {
        if self.visits == 0 {
            arp(cx, now, &LAPTOP, &GATEWAY, &mut self.rng);
            lookup(cx, now + 2 * MS, &LAPTOP, "wpad", None, &mut self.rng);
        }
        let at = now + SECOND;
        arp(cx, at, &LAPTOP, self.relay, &mut self.rng);
        self.port += 1;
        let pages = ["/", "/settings.html", "/test.html", "/events.html", "/files/event_0412.cev"];
        web::visit(cx, at + 2 * MS, (&LAPTOP, self.port), self.relay, &pages, &mut self.rng);
        self.visits += 1;
        let next = now + (self.until - self.begin) / 5 + self.rng.between(20 * SECOND, 60 * SECOND);
        (next < self.until).then_some(next)
    }

    /// The test flag of IEC 61850-8-1 (`test`, 0x87), from after the first visit until before the end.
    fn frame(&mut self, at: Micros, bytes: &mut Vec<u8>) -> Fate {
        let edge = (self.until - self.begin) / 6;
        let is_goose = bytes[6..12] == self.relay.mac && bytes[16..18] == [0x88, 0xb8];
        if !is_goose || at < self.begin + edge || at >= self.until - edge {
            return Fate::Pass;
        }
        let flag = (26..bytes.len() - 6).rev().find(|i| bytes[*i..*i + 4] == [0x87, 1, 0, 0x88] && bytes[*i + 4] == 1);
        if let Some(place) = flag {
            bytes[place + 2] = 1;
        }
        Fate::Changed
    }
}
