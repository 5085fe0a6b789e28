//! Other people's systems, one file each, over one queue on disk: findings and cases go out at least once, in order per finding, with our id
//! as the receiver's key; what a receiver refuses lies among the dead letters; what it does not answer is tried again.
//!
//! Synchronous: a destination has a thread of its own ([`Worker`]). Nothing is sent to where the configuration does not point.
#![deny(missing_docs)]

mod base64;
pub mod config;
mod dest;
pub mod event;
pub mod format;
pub mod gate;
pub mod http;
pub mod queue;
mod secret;
mod tls;
mod worker;

use std::fmt;
use std::time::Duration;

pub use config::{Config, Kind as DestinationKind, Settings};
pub use dest::{Destination, Mirrored, build};
pub use event::{Kind, Sender};
pub use queue::{Dead, Item, New, Queue};
pub use secret::Secret;
pub use tls::Tls;
pub use worker::{Health, Worker, drain};

/// What kind of thing went wrong: decides who can help, and whether trying again makes sense.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FaultKind {
    /// Address, path, index or table is wrong: an administrator must look; nothing is thrown away.
    Config,
    /// The credentials are not accepted: the same.
    Unauthorized,
    /// The receiver asks for patience.
    Throttled,
    /// The receiver is down, slow, cut the connection or failed.
    Unavailable,
    /// The answer is not what the protocol says.
    Malformed,
    /// The request is too large: it is sent in halves.
    TooLarge,
    /// It was not tried, because something before it failed.
    NotReached,
    /// The receiver refuses this event for good.
    Refused,
}

impl FaultKind {
    /// A word for health pages.
    pub fn name(self) -> &'static str {
        match self {
            FaultKind::Config => "configuration",
            FaultKind::Unauthorized => "unauthorized",
            FaultKind::Throttled => "throttled",
            FaultKind::Unavailable => "unavailable",
            FaultKind::Malformed => "malformed answer",
            FaultKind::TooLarge => "too large",
            FaultKind::NotReached => "not reached",
            FaultKind::Refused => "refused",
        }
    }
}

/// What went wrong.
#[derive(Clone, Debug)]
pub struct Fault {
    /// Kind.
    pub kind: FaultKind,
    /// The receiver's words, without secrets.
    pub text: String,
    /// How long the receiver asks us to wait.
    pub wait: Option<Duration>,
}

impl Fault {
    /// Without a wish to wait.
    pub fn new(kind: FaultKind, text: impl Into<String>) -> Fault {
        Fault { kind, text: text.into(), wait: None }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.kind.name(), self.text)
    }
}

/// What became of an item.
#[derive(Clone, Debug)]
pub enum Verdict {
    /// The receiver has it.
    Done,
    /// Not yet: it is tried again.
    Again(Fault),
    /// Never: it goes to the dead letters.
    Dead(String),
}
