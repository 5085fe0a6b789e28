//! What the centre must not forget: findings with their revisions and what people decided about them, devices, users, sessions, tokens,
//! saved searches, suppressions and measured minutes, in one SQLite file (`state.sqlite`).
//!
//! Each part of the program that keeps something brings its own [`Module`] of numbered migrations ([`Db::migrate`]). A file that a newer
//! version wrote is refused in one line, and a backup is taken before a migration. What a method has returned is on the disk
//! (`synchronous=FULL`). Time is a parameter everywhere: this crate reads no clock.

pub mod conformance;
mod db;
mod findings;
mod people;
mod rules;
mod schema;
mod secret;
mod store;
mod things;

pub use db::{Db, Module};
pub use findings::{Change, Filter, Page, Stored, Triage, Upserted, Verdict};
pub use people::{Login, Role, Session, Token, User};
pub use rules::{Scope, Suppression};
/// The SQL library, for modules of other crates: this crate alone depends on it.
pub use rusqlite as sql;
pub use secret::{fingerprint, random_hex};
pub use store::Store;
pub use things::{DeviceRow, Gap, Minute, Search};

/// Why the store could not do it.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// SQLite refused.
    #[error("the state database: {0}")]
    Sql(#[from] rusqlite::Error),
    /// A later version wrote it.
    #[error(
        "`{path}` holds `{module}` in format {found}, this version of gridwarden knows {known}: use the version that wrote it, or restore a backup"
    )]
    Newer {
        /// The file.
        path: String,
        /// Which module.
        module: String,
        /// Its version there.
        found: i64,
        /// The newest that is known here.
        known: i64,
    },
    /// Another program's file.
    #[error("`{0}` is an SQLite file of another program: name another data folder")]
    Foreign(String),
    /// The file system refused.
    #[error("cannot {doing} `{path}`: {source}")]
    Io {
        /// What was tried.
        doing: &'static str,
        /// On which file.
        path: String,
        /// Why not.
        source: std::io::Error,
    },
    /// What was asked makes no sense; the text says why.
    #[error("{0}")]
    Refused(String),
    /// There is no such thing.
    #[error("there is no {0}")]
    Missing(String),
}

/// What this crate's functions return.
pub type Result<T> = std::result::Result<T, Error>;
