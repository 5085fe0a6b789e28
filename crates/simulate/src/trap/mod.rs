//! Benign events that look like attacks; each is an [`Episode`] whose rows in the label file name no actor.

mod failover;
mod line;
mod planned;
mod relay_test;
mod time_loss;
mod vendor;

use std::fmt;
use std::str::FromStr;

use crate::attack::Scan;
use crate::episode::Episode;
use crate::label::Label;
use crate::network::SITE_SCANNER;
use crate::plant::Plant;
use crate::rng::Rng;
use crate::role::{self, UnknownName};
use crate::time::SECOND;

/// A benign event that fools detection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Trap {
    /// `failover`: the backup front end takes over all sessions, and gives them back.
    Failover,
    /// `fault`: protection trips a feeder and recloses: GOOSE bursts and a storm of events.
    Fault,
    /// `link-loss`: a device is not reached for minutes; then a new connection and an integrity poll or interrogation.
    LinkLoss,
    /// `relay-test`: a technician's laptop on a relay, which publishes with the test flag.
    RelayTest,
    /// `replacement`: the meter is exchanged: same address, other hardware address.
    Replacement,
    /// `rtu-restart`: an RTU boots: restart indication or end of initialisation, time, everything anew.
    RtuRestart,
    /// `site-scanner`: the site's own inventory scanner looks at some ports of some devices.
    SiteScanner,
    /// `switching`: a dispatcher's programme over all feeders.
    Switching,
    /// `time-loss`: the clock loses its satellites; outstations need time.
    TimeLoss,
    /// `vendor`: a vendor comes through the jump host and looks at the PLC and a relay.
    Vendor,
}

impl Trap {
    /// All traps, in the order of their names.
    pub const ALL: [Trap; 10] = [
        Trap::Failover,
        Trap::Fault,
        Trap::LinkLoss,
        Trap::RelayTest,
        Trap::Replacement,
        Trap::RtuRestart,
        Trap::SiteScanner,
        Trap::Switching,
        Trap::TimeLoss,
        Trap::Vendor,
    ];

    /// The name on the command line and in the labels.
    pub fn name(self) -> &'static str {
        match self {
            Trap::Failover => "failover",
            Trap::Fault => "fault",
            Trap::LinkLoss => "link-loss",
            Trap::RelayTest => "relay-test",
            Trap::Replacement => "replacement",
            Trap::RtuRestart => "rtu-restart",
            Trap::SiteScanner => "site-scanner",
            Trap::Switching => "switching",
            Trap::TimeLoss => "time-loss",
            Trap::Vendor => "vendor",
        }
    }
}

/// The trap as an episode of a run; what belongs to the process is planned in [`Plant::new`].
pub(crate) fn episode(trap: Trap, seed: u64, plant: &Plant) -> Box<dyn Episode> {
    let mut rng = Rng::new(seed, &format!("trap {trap}"));
    match trap {
        Trap::Failover => Box::new(failover::Failover::new(rng, plant)),
        Trap::Fault | Trap::Switching => Box::new(planned::Planned { trap }),
        Trap::LinkLoss => Box::new(line::Line::link_loss(rng, plant)),
        Trap::RtuRestart => Box::new(line::Line::rtu_restart(rng, plant)),
        Trap::Replacement => Box::new(line::Line::replacement(rng, plant)),
        Trap::RelayTest => Box::new(relay_test::RelayTest::new(rng, plant)),
        Trap::SiteScanner => {
            let begin = crate::attack::moment(&mut rng, plant, 10, 50);
            Box::new(Scan::new(Label::Trap(trap), &SITE_SCANNER, rng, begin, Vec::new(), SECOND / 20))
        }
        Trap::TimeLoss => Box::new(time_loss::TimeLoss::new(rng, plant)),
        Trap::Vendor => Box::new(vendor::Vendor::new(rng, plant)),
    }
}

impl fmt::Display for Trap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Trap {
    type Err = UnknownName;

    fn from_str(name: &str) -> Result<Trap, UnknownName> {
        role::parse("trap", &Trap::ALL, Trap::name, name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_come_back_and_are_sorted() {
        for trap in Trap::ALL {
            assert_eq!(trap.to_string().parse(), Ok(trap));
        }
        assert!(Trap::ALL.map(Trap::name).is_sorted());
    }
}
