//! The attacks that can be laid over a benign run, each in its own file.
//!
//! A new attack is a file with an [`Episode`] (that module says what an episode can do) and a line in the table below: variant, name,
//! ATT&CK techniques, who can do it, what gives it away, constructor. Its parts:
//!
//! - [`Cast`] says who acts: `cast.host` sends, and `cast.session(…)` gives the session to act in, the front end's own for `master`
//!   and a new one of the host for the others. Such a session starts up and polls as the front end does, so that nothing but the
//!   meaning gives it away; `cast.leave(…)` closes it (the front end's own goes on).
//! - Commands, writes and questions are [`Task`](crate::actors::order::Task)s, given by `cx.order`, in which the `rng` is the attack's own.
//! - What happens to others' messages is told by `message` and `frame` of the episode; `seal::seal` puts right the checksums of a frame.
//! - `parties` names who acts and the targets: label rows come from it.
//! - What goes on within a session is told in one call by `cast.perform(…)`.
//! - [`path`] puts somebody between the front end and devices.
//! - An attack that rate, size or port define says so in [`Attack::told_by`]; all others must pass the leak test.

mod alarm_suppression;
mod beacon;
mod block_command;
mod block_reporting;
mod brute_force_io;
mod dos;
mod exfiltration;
mod frozen;
mod function_enumeration;
mod goose_spoof;
mod mass_trip;
mod mitm;
mod mode;
mod outside;
mod path;
mod program;
mod ramp;
mod replay;
mod rogue_master;
mod scan;
mod setpoint;
mod takeover;
mod time;
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

/// Who can do an attack, and why others cannot.
#[derive(Clone, Copy, Debug)]
struct Actors {
    roles: &'static [Role],
    why: &'static str,
}

const ANYONE: Actors = Actors { roles: &Role::ALL, why: "" };
const BETWEEN: Actors =
    Actors { roles: &[Role::New, Role::Known], why: "the front end is an end of its sessions, nobody in between" };
const PUBLISHER: Actors = Actors { roles: &[Role::New, Role::Known], why: "the front end publishes no GOOSE" };
const MASTER: Actors =
    Actors { roles: &[Role::Master], why: "anybody else is no legitimate master, see `unauthorized-control`" };

macro_rules! attacks {
    ($($(#[$doc:meta])* $variant:ident: $name:literal, $techniques:expr, $actors:expr, $told_by:expr, $new:path;)*) => {
        /// An attack. All of its randomness is its own, so benign frames change beside it only where it changes them.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Attack {
            $($(#[$doc])* $variant,)*
        }

        impl Attack {
            /// All attacks, in the order of their names.
            pub const ALL: [Attack; [$($name),*].len()] = [$(Attack::$variant),*];

            /// The name on the command line and in the labels.
            pub fn name(self) -> &'static str {
                match self {
                    $(Attack::$variant => $name,)*
                }
            }

            /// Techniques of ATT&CK for ICS 19 that it shows, the most telling first.
            pub fn techniques(self) -> &'static [&'static str] {
                match self {
                    $(Attack::$variant => &$techniques,)*
                }
            }

            fn actors(self) -> Actors {
                match self {
                    $(Attack::$variant => $actors,)*
                }
            }

            /// What of rate, size or port makes the attack what it is, so that no disguise can hide it.
            pub fn told_by(self) -> Option<&'static str> {
                match self {
                    $(Attack::$variant => $told_by,)*
                }
            }
        }

        /// The attack as an episode of a run.
        pub(crate) fn episode(attack: Attack, role: Role, seed: u64, plant: &Plant) -> Box<dyn Episode> {
            let cast = Cast::new(attack, role);
            let rng = Rng::new(seed, &format!("attack {attack}"));
            match attack {
                $(Attack::$variant => Box::new($new(cast, rng, plant)),)*
            }
        }
    };
}

attacks! {
    /// `alarm-suppression`: unsolicited reports are disabled, the data transfer of IEC 104 is stopped.
    AlarmSuppression: "alarm-suppression", ["T0878"], ANYONE, Some("rate: what begins a session comes in its middle"),
        alarm_suppression::AlarmSuppression::new;
    /// `beacon`: an implant reports to a server on the internet, again and again.
    Beacon: "beacon", ["T0869", "T0885"], ANYONE, Some("rate and port: a server outside in a steady rhythm"),
        beacon::Beacon::new;
    /// `block-command`: commands of the dispatcher are swallowed on their way, again and again.
    BlockCommand: "block-command", ["T1691.001", "T0830"], BETWEEN, None, block_command::BlockCommand::new;
    /// `block-reporting`: reports of two outstations are withheld while their connections stay up.
    BlockReporting: "block-reporting", ["T1691.002", "T0830"], BETWEEN, Some("rate: link tests where reports were"),
        block_reporting::BlockReporting::new;
    /// `brute-force-io`: outputs are driven one after the other, as fast as the device answers.
    BruteForceIo: "brute-force-io", ["T0806", "T1692.001"], ANYONE, Some("rate: commands without a pause"),
        brute_force_io::BruteForce::new;
    /// `dos`: SYNs to the PLC's port until it answers nobody.
    Dos: "dos", ["T0814"], ANYONE, Some("rate: a flood"), dos::Dos::new;
    /// `exfiltration`: megabytes go to a server on the internet.
    Exfiltration: "exfiltration", ["T0869", "T0885"], ANYONE, Some("size and port: megabytes to a server outside"),
        exfiltration::Exfiltration::new;
    /// `frozen`: a meter's earlier answers are given again while its feeder moves.
    Frozen: "frozen", ["T1692.002"], BETWEEN, None, frozen::Frozen::new;
    /// `function-enumeration`: functions and types are tried, most of them refused.
    FunctionEnumeration: "function-enumeration", ["T0861", "T0888"], ANYONE, Some("rate: one question after the other"),
        function_enumeration::Enumeration::new;
    /// `goose-spoof`: a relay's breaker is published as open by somebody else.
    GooseSpoof: "goose-spoof", ["T1692.002"], PUBLISHER, Some("rate: a second publisher, and its burst"),
        goose_spoof::GooseSpoof::new;
    /// `mass-trip`: the legitimate master opens all breakers within seconds.
    MassTrip: "mass-trip", ["T1692.001"], MASTER, None, mass_trip::MassTrip::new;
    /// `mitm`: measurements are scaled on their way to the front end.
    Mitm: "mitm", ["T0830", "T1692.002"], BETWEEN, None, mitm::Mitm::new;
    /// `mode`: a meter is made to listen only, the application of an RTU is stopped; both go on later.
    Mode: "mode", ["T0858", "T0816"], ANYONE, None, mode::Mode::new;
    /// `program`: a new configuration is loaded into an RTU and made the valid one.
    Program: "program", ["T0843", "T0889"], ANYONE, Some("size and rate: a file, block after block"), program::Program::new;
    /// `ramp`: the voltage is walked up in steps that operators could have made.
    Ramp: "ramp", ["T0836", "T1692.001"], ANYONE, None, ramp::Ramp::new;
    /// `replay`: commands of the dispatcher, recorded earlier, are given again.
    Replay: "replay", ["T1692.001"], ANYONE, None, replay::Replay::new;
    /// `rogue-master`: a second master connects to two RTUs and a PLC, polls them, and commands one.
    RogueMaster: "rogue-master", ["T0848", "T1692.001"], ANYONE, None, rogue_master::RogueMaster::new;
    /// `scan`: SYNs to a range of ports on several devices.
    Scan: "scan", ["T0846.001"], ANYONE, Some("rate and port: probes of many ports"), scan::Scan::hostile;
    /// `setpoint`: the voltage set point is written far outside what operators write.
    Setpoint: "setpoint", ["T0836"], ANYONE, None, setpoint::Setpoint::new;
    /// `takeover`: a second client starts the IEC 104 outstation, asks for everything and commands.
    Takeover: "takeover", ["T0848", "T1692.001", "T0861"], ANYONE, None, takeover::Takeover::new;
    /// `time`: clocks are set wrong by DNP3 and IEC 104, and by a false grandmaster.
    Time: "time", ["T0836", "T0830"], ANYONE, None, time::WrongTime::new;
    /// `unauthorized-control`: breakers are tripped by DNP3, Modbus and IEC 104.
    UnauthorizedControl: "unauthorized-control", ["T1692.001"], ANYONE, None, unauthorized_control::Control::new;
}

impl Attack {
    /// Who can do it.
    pub fn roles(self) -> &'static [Role] {
        self.actors().roles
    }

    /// All attacks that make sense by this actor.
    pub fn by(role: Role) -> Vec<Attack> {
        Attack::ALL.into_iter().filter(|attack| attack.roles().contains(&role)).collect()
    }

    /// Says why an attack makes no sense by an actor.
    pub fn check(self, role: Role) -> Result<(), Senseless> {
        if self.roles().contains(&role) { Ok(()) } else { Err(Senseless { attack: self, role }) }
    }
}

/// An attack by an actor who cannot do it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Senseless {
    attack: Attack,
    role: Role,
}

impl fmt::Display for Senseless {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Actors { roles, why } = self.attack.actors();
        let able: Vec<&str> = roles.iter().map(|role| role.name()).collect();
        write!(f, "attack `{}` makes no sense by `{}`, only by `{}`: {why}", self.attack, self.role, able.join("`, `"))
    }
}

impl std::error::Error for Senseless {}

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
            // Another publisher, and the meter itself.
            Role::Known if attack == Attack::GooseSpoof => &network::RELAYS[2],
            Role::Known if attack == Attack::Frozen => &network::METER,
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

    /// Has these tasks done in a session, each so long after it is up, and leaves; returns when the last one is due.
    pub(crate) fn perform(
        &self,
        session: Session,
        at: Micros,
        tasks: Vec<(Micros, Task)>,
        cx: &mut Cx<'_>,
        rng: &mut Rng,
    ) -> Micros {
        let (handle, up) = self.session(session, at, cx, rng);
        let mut last = up;
        for (after, task) in tasks {
            last = up + after;
            cx.order(handle, last, task, rng);
        }
        self.leave(handle, last + rng.between(2 * SECOND, 8 * SECOND), cx, rng);
        last
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

/// A part of the run's length, within bounds.
pub(crate) fn share(plant: &Plant, parts: u64, (least, most): (Micros, Micros)) -> Micros {
    ((plant.end.saturating_sub(plant.start)) / parts).clamp(least, most)
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

    #[test]
    fn every_technique_has_the_shape_of_an_id() {
        for attack in Attack::ALL {
            assert!(!attack.techniques().is_empty() && !attack.roles().is_empty(), "{attack}");
            for id in attack.techniques() {
                let (parent, child) = id.split_once('.').unwrap_or((id, "001"));
                assert!(parent.len() == 5 && parent.starts_with('T') && child.len() == 3, "{attack}: {id}");
            }
        }
    }

    #[test]
    fn who_cannot_do_it_is_told_who_can() {
        assert_eq!(Attack::Scan.check(Role::Master), Ok(()));
        let error = Attack::BlockCommand.check(Role::Master).unwrap_err().to_string();
        assert!(
            error.starts_with("attack `block-command` makes no sense by `master`, only by `new`, `known`: "),
            "{error}"
        );
        assert!(!Attack::by(Role::Master).contains(&Attack::BlockCommand));
    }
}
