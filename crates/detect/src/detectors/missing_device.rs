//! A device that used to speak all the time and fell silent while the feed went on.

use gwcore::time::MINUTE;
use gwcore::{Addr, Basis, Fact, FactKinds, FlowConst, Limit, LimitHits, Severity, Table};

use super::{Detector, Look, Meta};
use crate::Setup;
use crate::baseline::{Activity, Class, speaker};
use crate::fold::{Sighting, ends};
use crate::novelty::Novelty;

pub(super) static META: Meta = Meta {
    id: "missing-device",
    number: 49,
    finds: "A device that spoke all the time while the baseline was learned has fallen silent, while others were still heard.",
    innocent: "Maintenance, a power or link failure, a device taken out of service, a changed mirror port.",
    call: "whoever is in charge of the device; look at its link first",
    attack: &["T1691.002", "T0814"],
    needs: "a baseline of at least three hours of the device; a feed without pauses",
    severity: Severity::Low,
};

/// Hours in which a device must have been heard to be missed.
const HOURS: u32 = 3;
/// A silence this many times the longest learned one, and this many minutes longer, is missed.
const TIMES: u64 = 3;
const BEYOND: u64 = 5;
/// Devices whose longest silence is longer than this many minutes are not missed: nobody expects them.
const REGULAR: u64 = 20;

#[derive(serde::Serialize, serde::Deserialize)]
#[serde(bound(deserialize = "'de: 'static"))]
struct Last {
    fact: Fact,
    flow: FlowConst,
    told: bool,
}

/// Follows the devices that the baseline expects.
pub(super) struct MissingDevice {
    novelty: Option<Novelty>,
    expected: Table<Addr, Activity>,
    last: Table<Addr, Last>,
    hits: LimitHits,
}

impl MissingDevice {
    pub(super) fn new(setup: &Setup) -> Self {
        let novelty = Novelty::new(setup, Class::Device);
        let mut expected: Table<Addr, Activity> = Table::default();
        if let Some(n) = &novelty {
            let hours = n.baseline.hours();
            // Heard in nearly every hour learned, never silent for long.
            let regular = |a: &Activity| a.hours >= HOURS && a.hours * 5 >= hours * 4 && a.longest <= REGULAR;
            let all = n.baseline.activity.iter().filter(|(_, a)| regular(a)).map(|(addr, a)| (*addr, *a));
            expected.extend(all);
        }
        let mut hits = LimitHits::default();
        hits.hit_by(Limit::DetectorSources, keep_steadiest(&mut expected, setup.limits.get(Limit::DetectorSources)));
        MissingDevice { novelty, expected, last: Table::default(), hits }
    }

    /// The devices silent for too long, in the order of their addresses.
    fn silent(&self, look: &Look<'_>) -> Vec<(Addr, i64)> {
        let mut silent: Vec<(Addr, i64)> = Vec::new();
        for (addr, last) in self.last.iter().filter(|(_, l)| !l.told) {
            let Some(a) = self.expected.get(addr) else { continue };
            let allowed = a.longest.saturating_mul(TIMES).saturating_add(BEYOND) as i64 * MINUTE;
            let pause = look.now.since(last.fact.ts);
            if pause > allowed && !look.seen.was_silent(last.fact.ts, look.now) {
                silent.push((*addr, pause));
            }
        }
        silent.sort_unstable();
        silent
    }
}

/// Leaves those of the learned devices that were heard in most hours and were silent for the shortest time: who is missed is settled by what
/// was learned, and no traffic can change it. How many had to go.
fn keep_steadiest(expected: &mut Table<Addr, Activity>, limit: usize) -> u64 {
    let mut order: Vec<_> = expected.iter().map(|(addr, a)| (std::cmp::Reverse(a.hours), a.longest, *addr)).collect();
    order.sort_unstable();
    let beyond = order.get(limit..).unwrap_or_default();
    beyond.iter().for_each(|(_, _, addr)| _ = expected.remove(addr));
    beyond.len() as u64
}

impl Detector for MissingDevice {
    super::keeps!(last);

    fn wants(&self) -> FactKinds {
        FactKinds::ALL.only_if(!self.expected.is_empty())
    }

    fn learned(&mut self, setup: &Setup) {
        let fresh = Self::new(setup);
        (self.novelty, self.expected) = (fresh.novelty, fresh.expected);
        self.hits.add(&fresh.hits);
        self.last.retain(|addr, _| self.expected.contains_key(addr));
    }

    fn fact(&mut self, fact: &Fact, flow: &FlowConst, _look: &mut Look<'_>) {
        let Some(addr) = speaker(fact, flow).filter(|a| self.expected.contains_key(a)) else { return };
        if let Some(last) = self.last.get_mut(&addr) {
            // One fact a moment is enough, and one told late does not make a device older.
            if fact.ts > last.fact.ts {
                *last = Last { fact: fact.clone(), flow: *flow, told: false };
            }
        } else {
            self.last.insert(addr, Last { fact: fact.clone(), flow: *flow, told: false });
        }
    }
    fn minute(&mut self, look: &mut Look<'_>) {
        let Some(novelty) = &self.novelty else { return };
        for (addr, pause) in self.silent(look) {
            let (Some(last), Some(a)) = (self.last.get_mut(&addr), self.expected.get(&addr)) else { continue };
            last.told = true;
            let (device, peer) = ends(&last.fact, &last.flow);
            let minutes = pause / MINUTE;
            look.see(&Sighting {
                dedup_key: device.name(),
                severity: Severity::Low,
                basis: Basis::Learned,
                attack: &["T1691.002"],
                src: device,
                dst: peer,
                words: &|site| {
                    let name = site.name(&device);
                    let title = format!("{name} fell silent");
                    let why = format!(
                        "{name} has not been heard for {minutes} minutes, while others were; its longest silence in {} was {}.",
                        novelty.learned(),
                        if a.longest <= 1 { "under two minutes".to_owned() } else { format!("{} minutes", a.longest) }
                    );
                    let e = novelty.evidence(format!("{minutes} minutes"), Some(format!("{} minutes", a.longest.max(1))));
                    (title, why, e)
                },
                ..Sighting::of(&META, &last.fact, &last.flow)
            });
        }
    }
    fn hits(&self) -> LimitHits {
        self.hits.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_too_many_learned_devices_the_steadiest_are_missed() {
        let device = |n: u8, hours, longest| (Addr::v4([10, 0, 0, n]), Activity { minutes: 1, longest, hours });
        let mut expected: Table<Addr, Activity> =
            [device(1, 5, 2), device(2, 9, 9), device(3, 9, 1), device(4, 5, 3)].into_iter().collect();
        assert_eq!(keep_steadiest(&mut expected, 3), 1);
        assert!(!expected.contains_key(&device(4, 0, 0).0));
        assert_eq!(keep_steadiest(&mut expected, 1), 2);
        assert!(expected.contains_key(&device(3, 0, 0).0) && keep_steadiest(&mut expected, 1) == 0);
    }
}
