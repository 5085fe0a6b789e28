//! The ledger: what was done, by whom and when, in a chain of hashes that shows any later change.
//!
//! One text file per UTC day (`ledger/2026-12-01.ndjson`), one entry per line, written and synced before the caller goes on. Each line
//! ends with the SHA-256 of everything before it on that line, which includes the hash of the line before; the file `head` names the last
//! entry, so that removing the newest lines shows as well. The chain proves that nothing was changed since `head` was last copied
//! elsewhere; whoever can write to the folder and recompute every hash is not stopped by it.

mod clock;
mod entry;
mod head;
mod verify;
mod write;

pub use clock::now;
pub use entry::Entry;
pub use verify::{Break, Report, entries, tail, verify};
pub use write::Ledger;

/// Version of the line format; a newer one is refused.
pub const FORMAT: u64 = 1;

/// Why the ledger could not be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
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
    /// Nothing is appended to a chain that does not hold.
    #[error("the ledger is broken at {0}; run `gridwarden audit verify`, keep the folder as it is and start a new one")]
    Broken(String),
    /// A later version wrote it.
    #[error("the ledger has format {0}, this version of gridwarden knows {FORMAT}: use the version that wrote it")]
    Newer(u64),
}

impl Error {
    fn io(doing: &'static str, path: &std::path::Path, source: std::io::Error) -> Error {
        Error::Io { doing, path: path.display().to_string(), source }
    }
}
