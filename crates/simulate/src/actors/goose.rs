//! A protection relay that publishes its breaker by GOOSE: steady retransmission, and a burst that backs off after a change.

use testkit::{Stack, Vlan};

use super::{Actor, News, Plan};
use crate::cx::Cx;
use crate::goose::{Message, Value};
use crate::label::Label;
use crate::network::RELAYS;
use crate::plant::{Change, Plant, Signal};
use crate::rng::Rng;
use crate::time::{MS, Micros, SECOND};

/// First retransmission after a change; each next one waits twice as long.
const T1: Micros = 4 * MS;

pub(crate) struct Publisher {
    relay: usize,
    rng: Rng,
    message: Message,
    steady: Micros,
    wait: Micros,
    next: Micros,
    changes: Plan<Change>,
    /// Carried by the burst after a change.
    label: Option<Label>,
    /// Whether protection opened the breaker.
    tripped: bool,
    /// Where the breaker stood in the message before.
    stood: Option<bool>,
}

impl Publisher {
    pub(crate) fn new(seed: u64, relay: usize, plant: &Plant) -> Publisher {
        let mut rng = Rng::new(seed, ["goose a", "goose b", "goose c"][relay % 3]);
        let name = format!("RELAY{:02}", relay + 1);
        let steady = [SECOND, 2 * SECOND, SECOND][relay % 3];
        let message = Message {
            app_id: relay as u16 + 1,
            control_block: format!("{name}CTRL/LLN0$GO$gcbBreaker"),
            data_set: format!("{name}CTRL/LLN0$dsBreaker"),
            go_id: format!("{name}_BRK"),
            ttl_ms: 0,
            changed: 0,
            st_num: rng.between(2, 60) as u32,
            sq_num: rng.between(1_000, 400_000) as u32,
            conf_rev: [1, 1, 3][relay % 3],
            values: Vec::new(),
        };
        // The relay's input filter sees the auxiliary contact some milliseconds after the breaker moved.
        let changes = plant.changes(relay).into_iter().map(|c| (c.at + rng.between(2 * MS, 5 * MS), c)).collect();
        Publisher {
            relay,
            rng,
            message,
            steady,
            wait: steady,
            next: 0,
            changes: Plan::new(changes),
            label: None,
            tripped: false,
            stood: None,
        }
    }
}

impl Actor for Publisher {
    fn begin(&self, start: Micros) -> Micros {
        start + (self.relay as u64 * 170 + 40) * MS
    }

    fn wake(&mut self, now: Micros, cx: &mut Cx<'_>) -> Option<Micros> {
        if self.message.changed == 0 {
            self.message.changed = now - self.rng.between(3_600 * SECOND, 900_000 * SECOND);
        }
        // An order to a breaker that stands there already changes no value: only a change of values is a new state (IEC 61850-7-2, StNum).
        let is_new = |c: &Change| self.stood != Some(c.closed) || self.tripped != (c.is_trip && !c.closed);
        if let Some((_, change)) = self.changes.take(now).filter(|(_, c)| is_new(c)) {
            (self.label, self.tripped) = (change.label, change.is_trip && !change.closed);
            self.message.st_num += 1;
            self.message.sq_num = 0;
            self.message.changed = change.at;
            self.stood = Some(change.closed);
            self.wait = T1;
        }
        if self.wait >= self.steady {
            self.label = None;
        }
        cx.label = self.label;
        // What the relay has seen, not where the breaker stands: a message within the filter's milliseconds has the old state and the old values.
        let stands = cx.plant.closed(self.relay, now);
        let closed = self.stood.unwrap_or(stands);
        self.stood = Some(closed);
        let current = cx.plant.value(Signal::Current, self.relay, self.message.changed) as f32;
        let position = Value::Position(if closed { 2 } else { 1 });
        self.message.values =
            vec![position, Value::Good, Value::Boolean(self.tripped), Value::Good, Value::Float(current), Value::Good];
        // A receiver may miss one message before the publisher counts as lost.
        self.message.ttl_ms = ((self.wait * 2 / MS) as u32).max(20);
        let host = &RELAYS[self.relay % 3];
        let tag = Vlan { vid: 100, pcp: 4, ethertype: Some(0x88b8), ..Vlan::default() };
        let group = [0x01, 0x0c, 0xcd, 0x01, 0, self.relay as u8 + 1];
        cx.send(now, Stack::new().eth(host.mac, group).add(tag).payload(&self.message.bytes()));
        self.message.sq_num += 1;
        self.next = now + self.wait + self.rng.between(0, 300);
        self.wait = (self.wait * 2).min(self.steady);
        Some(self.next.min(self.changes.due()))
    }

    fn news(&mut self, news: News) -> Option<Micros> {
        let News::Change(change) = news else { return None };
        if change.breaker != self.relay {
            return None;
        }
        let at = change.at + 3 * MS;
        self.changes.insert(at, change);
        Some(at)
    }
}
