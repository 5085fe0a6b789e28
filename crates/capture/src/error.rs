//! Why an input cannot be read, and where a file was found damaged.

use std::io;

/// Why nothing could be read from an input. The text is the reason; [`Error::remedy`] says what to do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The path does not exist, or may not be opened.
    #[error("cannot be opened: {0}")]
    Open(String),
    /// A pattern that no file matches.
    #[error("no file matches")]
    NoMatch,
    /// A file of no bytes.
    #[error("empty file")]
    Empty,
    /// The first bytes are those of no capture format.
    #[error("not a capture file")]
    NotCapture,
    /// A capture in a format that is known but not read.
    #[error("capture in the format `{0}`, which is not read")]
    Unsupported(&'static str),
    /// A file packed in a way that is not unpacked here.
    #[error("packed as `{0}`, which is not unpacked")]
    Packed(&'static str),
    /// A pcap of a version before 2.0.
    #[error("unsupported pcap version `{0}.{1}`")]
    PcapVersion(u16, u16),
    /// A pcapng whose first section has another version than 1.0 or 1.2.
    #[error("unsupported pcapng version `{0}.{1}`")]
    PcapngVersion(u16, u16),
    /// The file ends within its header.
    #[error("cut within the file header")]
    CutHeader,
    /// The first bytes could not be read or unpacked.
    #[error("cannot be read: {0}")]
    Read(String),
}

impl Error {
    /// What to do about it, in one line.
    pub fn remedy(&self) -> &'static str {
        match self {
            Error::Open(_) => "check the path and its permissions",
            Error::NoMatch => "check the pattern; quote it when the shell should not expand it",
            Error::Empty => "record again; the capture process wrote nothing",
            Error::NotCapture => "pass a pcap or pcapng file, plain or packed by gzip or zstd",
            Error::Unsupported(_) => "convert it with `editcap -F pcapng IN OUT`",
            Error::Packed(_) => "unpack it first, or pack it by gzip or zstd",
            Error::PcapVersion(..) | Error::PcapngVersion(..) => "convert it with `editcap -F pcapng IN OUT`",
            Error::CutHeader => "copy the file again; it ends before its first frame",
            Error::Read(_) => "check the disk, or pack the file again",
        }
    }

    /// An open error in our words, without the numbers of one operating system.
    pub(crate) fn open(err: &io::Error) -> Error {
        Error::Open(plain(err))
    }
}

/// Damage before the end of a file: nothing after it was read, the frames before it stand.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("damaged at byte `{offset}` after frame `{frame}`: {cause}")]
pub struct Damage {
    /// Offset of the damaged record in the file, in unpacked bytes.
    pub offset: u64,
    /// Number of the last frame before it, 0 when there is none.
    pub frame: u64,
    /// What is wrong there.
    pub cause: DamageCause,
}

/// What makes a record impossible to read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DamageCause {
    /// A pcap record of a length that nothing after it confirms, in bytes.
    #[error("a record of `{0}` bytes")]
    RecordLength(u32),
    /// A pcapng block of an impossible length, in bytes.
    #[error("a block of `{0}` bytes")]
    BlockLength(u32),
    /// The lengths before and after a pcapng block differ.
    #[error("a block of `{0}` bytes that ends as one of `{1}`")]
    BlockEnd(u32, u32),
    /// A pcapng section header without a known byte-order magic.
    #[error("a section with the byte-order magic `{0:#010x}`")]
    ByteOrder(u32),
    /// A later pcapng section of a version that is not read.
    #[error("a section of version `{0}.{1}`")]
    SectionVersion(u16, u16),
    /// The bytes could not be read or unpacked any further.
    #[error("cannot be read: {0}")]
    Read(String),
}

/// The text of an I/O error, lower case and without error numbers.
pub(crate) fn plain(err: &io::Error) -> String {
    match err.kind() {
        io::ErrorKind::NotFound => "no such file".into(),
        io::ErrorKind::PermissionDenied => "permission denied".into(),
        _ => {
            let text = err.to_string();
            let text = text.split(" (os error").next().unwrap_or_default();
            text.to_lowercase()
        }
    }
}
