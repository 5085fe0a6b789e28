//! What a run found, for people: the summary, the terminal page and the HTML report. Text from the wire is hostile here: it is escaped at
//! every edge and never trusted to be a name, a link or markup.
#![deny(missing_docs)]

mod commands;
mod feed;
mod groups;
mod html;
mod names;
pub mod ops;
mod origin;
mod overview;
mod summary;
mod terminal;
#[cfg(test)]
mod testing;
mod unread;
mod verdict;

pub use commands::Command;
pub use feed::Feed;
pub use html::{Learned, Page, html, learned};
pub use origin::{Ground, Hashed, Input, Origin, Ran};
pub use overview::{Overview, PointSeen, Talk, Watch};
pub use summary::{DetectorSummary, FileSummary, Summary};
pub use terminal::{page, plain};
pub use unread::{ReadToContent, Unread, UnreadRow};
pub use verdict::Verdict;
