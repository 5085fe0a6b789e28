//! Vocabulary of the product: packet time, addresses, limits, schemas and columns, facts and findings.
#![deny(missing_docs)]

mod addr;
pub mod column;
pub mod common;
pub mod fact;
mod fact_kinds;
pub mod finding;
pub mod ids;
mod kept;
mod limits;
pub mod out;
mod registered;
pub mod schema;
pub mod time;

pub use addr::{Addr, Mac};
pub use column::{Column, ColumnData, DataType, FieldType, Hex, List, Span, Sym, Text, TypedColumn, Value};
pub use common::{COMMON, Ends};
pub use fact::{Body, Fact, Op, OpClass, PointId, Published, Sample, say_point};
pub use fact_kinds::FactKinds;
pub use finding::{Basis, Episode, Evidence, Finding, InPacket, PacketRef, Party, Severity};
pub use ids::{AgedTable, Table, TableState, Uid};
pub use kept::{KEPT_VERSION, Kept, KeptError, Restore, State};
pub use limits::{Limit, LimitHits, Limits};
pub use out::{AnyRows, Detail, FlowConst, FlowRef, Key, Names, Out, Rows, Sink, Stamp};
pub use registered::{Numbered, Registered, registered};
pub use schema::{Columns, Field, Grain, Kind, Record};
pub use time::Ts;
