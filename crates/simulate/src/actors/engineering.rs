//! Engineering access: on some days the workstation reads relays, their event files, and the PLC's registers.

use super::{Actor, Plan, modbus, web};
use crate::actors::services::lookup;
use crate::cx::Cx;
use crate::network::{RELAYS, WORKSTATION};
use crate::rng::Rng;
use crate::time::{HOUR, MINUTE, MS, Micros};

/// What an engineer does in one go.
#[derive(Clone, Copy, Debug)]
enum Visit {
    Settings,
    Events,
    Registers,
}

pub(crate) fn actors(seed: u64) -> Vec<Box<dyn Actor>> {
    vec![Box::new(Engineer::new(seed))]
}

struct Engineer {
    rng: Rng,
    port: u16,
    /// Times after the start of the run.
    plan: Plan<Visit>,
    start: Micros,
}

impl Engineer {
    /// Two days of three somebody works at the station; then one to four visits in eight hours, the first in the first hour.
    fn new(seed: u64) -> Engineer {
        let mut rng = Rng::new(seed, "engineering");
        let mut plan = Vec::new();
        if rng.between(0, 3) > 0 {
            let mut at = rng.between(3 * MINUTE, HOUR);
            while at < 24 * HOUR {
                let kinds = [Visit::Settings, Visit::Events, Visit::Registers];
                plan.push((at, kinds[rng.between(0, 3) as usize % 3]));
                at += 20 * MINUTE + rng.exponential(3 * HOUR);
            }
        }
        let port = rng.port();
        Engineer { rng, port, plan: Plan::new(plan), start: 0 }
    }
}

impl Actor for Engineer {
    fn begin(&self, start: Micros) -> Micros {
        start + self.plan.due().min(48 * HOUR)
    }

    fn wake(&mut self, now: Micros, cx: &mut Cx<'_>) -> Option<Micros> {
        self.start = cx.plant.start;
        let (_, visit) = self.plan.take(now - self.start)?;
        let relay = &RELAYS[self.rng.between(0, 3) as usize % 3];
        self.port = if self.port < 65_000 { self.port + 1 } else { 49_152 };
        let (client, rng) = ((&WORKSTATION, self.port), &mut self.rng);
        if matches!(visit, Visit::Registers) {
            modbus::read_set_points(cx, now, &WORKSTATION, rng);
        } else {
            let at = lookup(cx, now, &WORKSTATION, relay.name, Some(relay), rng) + MS;
            let pages: &[&str] = match visit {
                Visit::Events => &["/", "/events.html", "/files/event_0412.cev"],
                Visit::Settings | Visit::Registers => &["/", "/settings.html", "/status.html"],
            };
            web::visit(cx, at, client, relay, pages, rng);
        }
        Some(self.start + self.plan.due().min(48 * HOUR))
    }
}
