//! The attacks that can be laid over a benign run, each in its own file.

mod scan;
mod unauthorized_control;

use std::fmt;
use std::str::FromStr;

use crate::actors::Actor;
use crate::capture::Label;
use crate::network::{self, Host};
use crate::time::Micros;

/// An attack. All of its randomness is its own, so the benign frames of a seed do not change beside it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Attack {
    /// `scan`: a new host sends SYNs to a range of ports on several devices.
    Scan,
    /// `unauthorized-control`: a host that never commanded trips by DNP3, Modbus and IEC 104.
    UnauthorizedControl,
}

impl Attack {
    /// All attacks, in the order of their names.
    pub const ALL: [Attack; 2] = [Attack::Scan, Attack::UnauthorizedControl];

    /// The name on the command line and in the labels.
    pub fn name(self) -> &'static str {
        match self {
            Attack::Scan => "scan",
            Attack::UnauthorizedControl => "unauthorized-control",
        }
    }

    pub(crate) fn actor(self, seed: u64, start: Micros, end: Micros) -> Box<dyn Actor> {
        match self {
            Attack::Scan => Box::new(scan::Scan::new(seed, start, end)),
            Attack::UnauthorizedControl => Box::new(unauthorized_control::Control::new(seed, start, end)),
        }
    }

    pub(crate) fn label(self) -> Label {
        let (actor, targets): (&Host, Vec<&Host>) = match self {
            Attack::Scan => (&network::SCANNER, scan::TARGETS.to_vec()),
            Attack::UnauthorizedControl => (&network::INTRUDER, unauthorized_control::TARGETS.to_vec()),
        };
        let targets: Vec<String> = targets.iter().map(|host| host.ip().to_string()).collect();
        Label {
            attack: self.name(),
            actor: actor.ip().to_string(),
            target: targets.join(" "),
            start: 0,
            end: 0,
            first_frame: 0,
            last_frame: 0,
            frames: 0,
        }
    }
}

impl fmt::Display for Attack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The name of an attack that does not exist.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownAttack(pub String);

impl fmt::Display for UnknownAttack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let known = Attack::ALL.map(Attack::name).join("`, `");
        write!(f, "no attack is called `{}`, there are `{known}`", self.0)
    }
}

impl std::error::Error for UnknownAttack {}

impl FromStr for Attack {
    type Err = UnknownAttack;

    fn from_str(name: &str) -> Result<Attack, UnknownAttack> {
        Attack::ALL.into_iter().find(|attack| attack.name() == name).ok_or_else(|| UnknownAttack(name.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_come_back() {
        for attack in Attack::ALL {
            assert_eq!(attack.to_string().parse(), Ok(attack));
        }
        let error = "flood".parse::<Attack>().unwrap_err().to_string();
        assert_eq!(error, "no attack is called `flood`, there are `scan`, `unauthorized-control`");
    }
}
