//! What can go wrong while learning or scoring, with the remedy where there is one.

use std::path::PathBuf;

/// A failure of this crate.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file could not be opened, read or written.
    #[error("`{}`: {what}", path.display())]
    File { path: PathBuf, what: String },
    /// A table has no such column.
    #[error("no column `{name}`; there are: {have}")]
    NoColumn { name: String, have: String },
    /// The data do not allow what was asked.
    #[error("{0}")]
    Data(String),
    /// A model file is damaged, newer than this program, or made for something else.
    #[error("model: {0}")]
    Model(String),
    /// The option's value makes no sense.
    #[error("{0}")]
    Option(String),
}

/// Result of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// A failure with a file.
    pub fn file(path: &std::path::Path, what: impl std::fmt::Display) -> Error {
        Error::File { path: path.to_owned(), what: what.to_string() }
    }
}
