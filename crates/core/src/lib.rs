//! Vocabulary of the product: packet time, addresses, limits, schemas and columns, facts and findings.
#![deny(missing_docs)]

mod addr;
mod limits;
pub mod time;

pub use addr::{Addr, Mac};
pub use limits::{Limit, LimitHits, Limits};
pub use time::Ts;
