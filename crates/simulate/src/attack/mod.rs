//! The attacks that can be laid over a benign run, each in its own file.
//!
//! A new attack is a file with an [`Episode`] (that module says what an episode can do), a variant of [`Attack`], and a line in each of its
//! three matches. Its parts:
//!
//! - [`Cast`] says who acts: `cast.host` sends, and `cast.session(…)` gives the session to act in, the front end's own for `master`
//!   and a new one of the host for the others. Such a session starts up and polls as the front end does, so that nothing but the
//!   meaning gives it away; `cast.leave(…)` closes it (the front end's own goes on).
//! - Commands, writes and questions are [`Task`](crate::actors::order::Task)s, given by `cx.order`, in which the `rng` is the attack's own.
//! - What happens to others' messages is told by `message` and `frame` of the episode; `seal::seal` puts right the checksums of a frame.
//! - `parties` names who acts and the targets: label rows come from it.
//! - An attack that rate, size or port define says so in [`Attack::told_by`]; all others must pass the leak test.

mod replay;
mod rogue_master;
mod scan;
mod setpoint;
mod unauthorized_control;

use std::fmt;
use std::str::FromStr;

use crate::actors::order::{Session, Task};
use crate::cx::{Cx, Handle};
use crate::episode::Episode;
use crate::label::Label;
use crate::network::{self, Host};
use crate::plant::Plant;
use crate::rng::Rng;
use crate::role::{self, Role, UnknownName};
use crate::time::{Micros, SECOND};

/// An attack. All of its randomness is its own, so benign frames change beside it only where it changes them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Attack {
    /// `replay`: commands of the dispatcher, recorded earlier, are given again.
    Replay,
    /// `rogue-master`: a second master connects to two RTUs and a PLC, polls them, and commands one.
    RogueMaster,
    /// `scan`: SYNs to a range of ports on several devices.
    Scan,
    /// `setpoint`: the voltage set point is written far outside what operators write.
    Setpoint,
    /// `unauthorized-control`: breakers are tripped by DNP3, Modbus and IEC 104.
    UnauthorizedControl,
}

impl Attack {
    /// All attacks, in the order of their names.
    pub const ALL: [Attack; 5] =
        [Attack::Replay, Attack::RogueMaster, Attack::Scan, Attack::Setpoint, Attack::UnauthorizedControl];

    /// The name on the command line and in the labels.
    pub fn name(self) -> &'static str {
        match self {
            Attack::Replay => "replay",
            Attack::RogueMaster => "rogue-master",
            Attack::Scan => "scan",
            Attack::Setpoint => "setpoint",
            Attack::UnauthorizedControl => "unauthorized-control",
        }
    }

    /// What of rate, size or port makes the attack what it is, so that no disguise can hide it.
    pub fn told_by(self) -> Option<&'static str> {
        match self {
            Attack::Scan => Some("rate and port: probes of many ports"),
            Attack::Replay | Attack::RogueMaster | Attack::Setpoint | Attack::UnauthorizedControl => None,
        }
    }
}

/// The attack as an episode of a run.
pub(crate) fn episode(attack: Attack, role: Role, seed: u64, plant: &Plant) -> Box<dyn Episode> {
    let cast = Cast::new(attack, role);
    let rng = Rng::new(seed, &format!("attack {attack}"));
    match attack {
        Attack::Replay => Box::new(replay::Replay::new(cast, rng, plant)),
        Attack::RogueMaster => Box::new(rogue_master::RogueMaster::new(cast, rng, plant)),
        Attack::Scan => Box::new(scan::Scan::hostile(cast, rng, plant)),
        Attack::Setpoint => Box::new(setpoint::Setpoint::new(cast, rng, plant)),
        Attack::UnauthorizedControl => Box::new(unauthorized_control::Control::new(cast, rng, plant)),
    }
}

pub(crate) use scan::Scan;

/// Who acts.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cast {
    pub(crate) attack: Attack,
    pub(crate) role: Role,
    /// The device that sends: a strange one, the historian (which has the stack of the front end), or the front end.
    pub(crate) host: &'static Host,
}

impl Cast {
    fn new(attack: Attack, role: Role) -> Cast {
        let host = match role {
            Role::New if attack == Attack::Scan => &network::SCANNER,
            Role::New => &network::INTRUDER,
            Role::Known => &network::HISTORIAN,
            Role::Master => &network::SCADA,
        };
        Cast { attack, role, host }
    }

    pub(crate) fn label(&self) -> Label {
        Label::Attack(self.attack)
    }

    /// The session to act in, and from when on it will be up.
    pub(crate) fn session(&self, session: Session, at: Micros, cx: &mut Cx<'_>, rng: &mut Rng) -> (Handle, Micros) {
        match self.role {
            Role::Master => (cx.benign(session), at),
            Role::New | Role::Known => (cx.open(session, self.host, at, rng), at + 4 * SECOND),
        }
    }

    /// Closes a session that the attack has opened.
    pub(crate) fn leave(&self, handle: Handle, at: Micros, cx: &mut Cx<'_>, rng: &mut Rng) {
        if self.role != Role::Master {
            cx.order(handle, at, Task::Leave, rng);
        }
    }
}

/// A moment between these shares of the run (per cent).
pub(crate) fn moment(rng: &mut Rng, plant: &Plant, from: u64, to: u64) -> Micros {
    let span = plant.end.saturating_sub(plant.start);
    plant.start + rng.between(span * from / 100, span * to / 100)
}

impl fmt::Display for Attack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Attack {
    type Err = UnknownName;

    fn from_str(name: &str) -> Result<Attack, UnknownName> {
        role::parse("attack", &Attack::ALL, Attack::name, name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_come_back_and_are_sorted() {
        for attack in Attack::ALL {
            assert_eq!(attack.to_string().parse(), Ok(attack));
        }
        assert!(Attack::ALL.map(Attack::name).is_sorted());
        let error = "flood".parse::<Attack>().unwrap_err().to_string();
        assert!(error.starts_with("no attack is called `flood`, there are `"), "{error}");
    }
}
