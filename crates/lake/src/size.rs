//! The size that a row is counted with: a fixed sum per value, so that row groups are cut the same way whatever the batches were.

use gwcore::{AnyRows, Column, ColumnData};

/// Bytes counted for the common fields of a row: time, frame, flow, and its share of the flow constants.
pub const ROW: usize = 64;
/// Bytes counted for an offset or a dictionary key.
const KEY: usize = 4;

/// Bytes counted for rows `from..to`.
pub fn rows(rows: &dyn AnyRows, from: usize, to: usize) -> usize {
    columns(&rows.columns(), from, to)
}

/// The same for columns at hand.
pub(crate) fn columns(columns: &[&dyn Column], from: usize, to: usize) -> usize {
    columns.iter().map(|c| values(*c, from, to)).sum::<usize>() + ROW * to.saturating_sub(from)
}

fn values(column: &dyn Column, from: usize, to: usize) -> usize {
    let n = to.saturating_sub(from);
    let fixed = match column.data() {
        ColumnData::Bool(_) | ColumnData::U8(_) => 1,
        ColumnData::U16(_) => 2,
        ColumnData::U32(_) | ColumnData::Sym(_) => KEY,
        ColumnData::U64(_) | ColumnData::I64(_) | ColumnData::F64(_) | ColumnData::Span(_) => 8,
        ColumnData::Ts(_) => 10,
        ColumnData::Addr(_) => KEY + 16,
        ColumnData::Mac(_) => KEY + 6,
        ColumnData::Text { ends, .. } => return KEY * n + span(ends, from, to).len(),
        ColumnData::Hex { ends, .. } => return KEY * n + 2 * span(ends, from, to).len(),
        ColumnData::List { ends, inner } => {
            let elements = span(ends, from, to);
            return KEY * n + values(inner, elements.start, elements.end);
        }
    };
    fixed * n
}

/// What values `from..to` take of the storage that `ends` describes.
pub(crate) fn span(ends: &[u32], from: usize, to: usize) -> std::ops::Range<usize> {
    let end_of = |n: usize| n.checked_sub(1).and_then(|i| ends.get(i)).map_or(0, |e| *e as usize);
    end_of(from)..end_of(to)
}
