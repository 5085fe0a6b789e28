//! Where a report comes from: what was read and with what, what it was judged by, what ran, what was written, and how to do it again.

/// A file with what tells it from any other.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Hashed {
    /// Its path as given.
    pub path: String,
    /// Its length.
    pub bytes: u64,
    /// SHA-256 in hexadecimal, or why there is none.
    pub sha256: String,
}

/// A capture that was read.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Input {
    /// The file.
    pub file: Hashed,
    /// Link types with their frames.
    pub links: Vec<(String, u64)>,
    /// First and last frame, RFC 3339.
    pub span: Option<(String, String)>,
    /// Records that were not handed out: too long, or of an interface that no block describes.
    pub skipped: u64,
    /// Frames whose time had to be guessed: none, or outside what can be told.
    pub untimed: u64,
}

/// Something the findings rest on.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Ground {
    /// `Baseline`, `Site`, `Declared work`.
    pub what: &'static str,
    /// The file; none where nothing was given.
    pub file: Option<Hashed>,
    /// What it says, or what its absence means: sentences.
    pub says: Vec<String>,
}

/// Whether a detector was at work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ran {
    /// It was.
    Yes,
    /// What it looks at was not in the capture.
    Unheard,
    /// Nothing it rests on was given.
    Mute,
    /// The command line left it out.
    LeftOut,
}

/// All of it.
#[derive(Clone, Debug, Default)]
pub struct Origin {
    /// Program and version.
    pub program: String,
    /// The command as it was given, quoted for a shell.
    pub command: String,
    /// The folder it was given in.
    pub folder: String,
    /// Captures, in their order.
    pub inputs: Vec<Input>,
    /// Interfaces that the captures name.
    pub interfaces: Vec<String>,
    /// Baseline, site, declared work.
    pub grounds: Vec<Ground>,
    /// Detectors by id.
    pub detectors: Vec<(&'static str, Ran)>,
    /// What was written.
    pub outputs: Vec<Hashed>,
}

impl Origin {
    /// Whether a ground was given.
    pub fn has(&self, what: &str) -> bool {
        self.grounds.iter().any(|g| g.what == what && g.file.is_some())
    }
}
