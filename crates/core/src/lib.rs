//! Vocabulary of the product: packet time, addresses, limits, schemas and columns, facts and findings.
#![deny(missing_docs)]

mod addr;
pub mod column;
mod limits;
pub mod schema;
pub mod time;

pub use addr::{Addr, Mac};
pub use column::{Column, ColumnData, DataType, FieldType, Hex, List, Span, Sym, Text, TypedColumn, Value};
pub use limits::{Limit, LimitHits, Limits};
pub use schema::{Columns, Field, Grain, Kind, Record};
pub use time::Ts;
