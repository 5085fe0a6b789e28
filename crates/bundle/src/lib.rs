//! Signed packages of indicators, rules and other knowledge, carried on a stick: verified, staged, switched in one step, reversible.
//!
//! A bundle is `NAME.tar.zst` with the signature of minisign beside it (`NAME.tar.zst.minisig`); inside, `bundle.json` comes first and lists
//! every other file with its size and SHA-256. Invariants: nothing of a bundle is written before its signature is verified; whenever the
//! machine stops, what was in force before or what comes after is in force, whole.
#![deny(missing_docs)]

mod install;
mod package;

pub use install::{Installed, Store};
pub use package::{Bundle, Entry, Manifest};

use std::path::PathBuf;

/// Why a bundle is refused or cannot be put in force.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file cannot be read or written.
    #[error("cannot use `{path}`: {error}")]
    Io {
        /// Which.
        path: PathBuf,
        /// Why.
        error: std::io::Error,
    },
    /// The signature is missing or is no signature.
    #[error("the signature cannot be read: {0}")]
    Signature(String),
    /// None of the trusted keys made the signature.
    #[error("the signature does not fit: the bundle was altered, or signed by a key that is not trusted here")]
    Untrusted,
    /// The package contradicts its own list, or is no package.
    #[error("the bundle is not sound: {0}")]
    Unsound(String),
    /// It is no longer in force.
    #[error("the bundle expired at {0}")]
    Expired(String),
    /// It is older than, or the same as, what is in force.
    #[error("the bundle has the serial {offered}, and {installed} is in force already: an older one is not taken")]
    Downgrade {
        /// Its serial.
        offered: u64,
        /// That in force, or the highest that ever was.
        installed: u64,
    },
    /// There is nothing to go back to.
    #[error("there is no earlier bundle `{0}` to go back to")]
    NothingBefore(String),
    /// A newer program wrote the store.
    #[error("the store of bundles was written by a newer program (format {0})")]
    Newer(u32),
}
