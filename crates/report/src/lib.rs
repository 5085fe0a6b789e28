//! What a run found, for people: the summary, the terminal page and the HTML report. Text from the wire is hostile here: it is escaped at
//! every edge and never trusted to be a name, a link or markup.
#![deny(missing_docs)]

mod html;
mod overview;
mod summary;
mod terminal;

pub use html::{Learned, html, learned};
pub use overview::{Overview, PointSeen, Talk, Watch};
pub use summary::{FileSummary, Summary};
pub use terminal::{page, plain};
