//! Record kinds: one statement of field, type, unit and documentation from which columns, texts and reference pages derive.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::column::{Column, DataType};

/// What one row of a kind stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Grain {
    /// One protocol data unit; a request and its answer are two rows.
    Pdu,
    /// One exchange: request and answer together.
    Transaction,
    /// A part of its parent's row; carries the parent's uid and frame, and `place`.
    Child,
    /// A flow.
    Flow,
    /// A point and a minute.
    Point,
    /// An observation about the traffic itself.
    Event,
}

/// One field of a kind.
#[derive(Debug)]
pub struct Field {
    /// Name as written in NDJSON and Parquet.
    pub name: &'static str,
    /// Type.
    pub ty: DataType,
    /// Whether it may be absent.
    pub nullable: bool,
    /// Unit, empty for none.
    pub unit: &'static str,
    /// What it means, and the clause it comes from.
    pub doc: &'static str,
}

/// A record kind.
#[derive(Debug)]
pub struct Kind {
    /// Name: file name of its table and `event_type` where a peer has none.
    pub name: &'static str,
    /// What it holds.
    pub doc: &'static str,
    /// What a row stands for.
    pub grain: Grain,
    /// For a child kind, the kind of its parent and the field it is nested under.
    pub parent: Option<(&'static str, &'static str)>,
    /// Its own fields, after the common ones.
    pub fields: &'static [Field],
    #[doc(hidden)]
    pub slot: OnceLock<usize>,
}

impl Kind {
    /// A small number for this kind in this process; differs between runs, so no output may depend on it.
    #[inline]
    pub fn slot(&self) -> usize {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        *self.slot.get_or_init(|| NEXT.fetch_add(1, Ordering::Relaxed))
    }
}

/// A record as a parser fills it: borrowed, appended to columns, gone.
pub trait Record {
    /// Its columns.
    type Columns: Columns;
    /// Appends this record.
    fn append(self, to: &mut Self::Columns);
}

/// The typed columns of one kind.
pub trait Columns: Default + Send + 'static {
    /// The kind.
    fn kind() -> &'static Kind;
    /// Appends row `row` of another.
    fn append_from(&mut self, other: &Self, row: usize);
    /// The columns in the order of `Kind::fields`.
    fn columns(&self) -> Vec<&dyn Column>;
    /// Forgets all rows, keeps the memory.
    fn clear(&mut self);
}

/// States a record kind: a borrowed struct, its columns and its schema from one list of fields.
///
/// ```
/// use gwcore::{Column, Columns, Record, Span, Text};
/// gwcore::record! {
///     /// One answer.
///     pub struct Answer, AnswerColumns = "answer", Pdu {
///         /// How long it took.
///         rtt: Option<Span> ["s"],
///         /// The name asked for.
///         name: Text,
///     }
/// }
/// let mut columns = AnswerColumns::default();
/// Answer { rtt: None, name: b"relay-7" }.append(&mut columns);
/// assert_eq!(columns.columns()[1].len(), 1);
/// assert_eq!(AnswerColumns::kind().fields[0].unit, "s");
/// ```
#[macro_export]
macro_rules! record {
    (
        $(#[doc = $doc:literal])+
        pub struct $name:ident, $columns:ident = $kind:literal, $grain:ident $(of $parent:literal as $nested:literal)? {
            $($(#[doc = $fdoc:literal])+ $field:ident: $ty:ty $([$unit:literal])?,)+
        }
    ) => {
        $(#[doc = $doc])+
        pub struct $name<'a> {
            $($(#[doc = $fdoc])+ pub $field: <$ty as $crate::FieldType>::Cell<'a>,)+
        }

        #[doc = concat!("Columns of `", $kind, "`.")]
        #[derive(Default)]
        pub struct $columns {
            $($field: <$ty as $crate::FieldType>::Col,)+
        }

        impl $crate::Record for $name<'_> {
            type Columns = $columns;
            #[inline]
            fn append(self, to: &mut $columns) {
                $(<$ty as $crate::FieldType>::push(&mut to.$field, self.$field);)+
            }
        }

        impl $crate::Columns for $columns {
            fn kind() -> &'static $crate::Kind {
                static KIND: $crate::Kind = $crate::Kind {
                    name: $kind,
                    doc: concat!($($doc),+),
                    grain: $crate::Grain::$grain,
                    parent: $crate::record!(@parent $($parent $nested)?),
                    fields: &[$($crate::Field {
                        name: stringify!($field),
                        ty: <$ty as $crate::FieldType>::TYPE,
                        nullable: <$ty as $crate::FieldType>::NULLABLE,
                        unit: concat!($($unit)?),
                        doc: concat!($($fdoc),+),
                    }),+],
                    slot: std::sync::OnceLock::new(),
                };
                &KIND
            }
            fn append_from(&mut self, other: &Self, row: usize) {
                $($crate::TypedColumn::append_from(&mut self.$field, &other.$field, row);)+
            }
            fn columns(&self) -> Vec<&dyn $crate::Column> {
                vec![$(&self.$field),+]
            }
            fn clear(&mut self) {
                $($crate::TypedColumn::clear(&mut self.$field);)+
            }
        }
    };
    (@parent) => { None };
    (@parent $parent:literal $nested:literal) => { Some(($parent, $nested)) };
}
