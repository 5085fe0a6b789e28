//! The Parquet sink: one budget for all kinds, the largest written first.

use std::io;
use std::path::{Path, PathBuf};

use gwcore::{AnyRows, Column, Kind, Limit, Limits, Names, Out, Sink};

use crate::common::Seen;
use crate::size;
use crate::table::KindTable;

/// Arrow's offsets are 32 bits: no budget lets a row group come near that.
const LARGEST_BUDGET: usize = 512 << 20;

/// Writes `records/KIND.parquet`, one file for each kind that has rows, created with its first row group.
pub struct ParquetSink {
    folder: PathBuf,
    budget: usize,
    held: usize,
    /// By the kind's slot.
    tables: Vec<Option<Box<KindTable>>>,
    seen: Seen,
}

impl ParquetSink {
    /// Writes below `dir`; [`Limit::RowGroupBytes`] is the budget.
    pub fn new(dir: &Path, limits: &Limits) -> ParquetSink {
        let budget = limits.get(Limit::RowGroupBytes).min(LARGEST_BUDGET);
        ParquetSink { folder: dir.join("records"), budget, held: 0, tables: Vec::new(), seen: Seen::default() }
    }

    fn table(&mut self, kind: &'static Kind) -> Option<&mut KindTable> {
        let slot = kind.slot();
        if self.tables.len() <= slot {
            self.tables.resize_with(slot + 1, || None);
        }
        let place = self.tables.get_mut(slot)?;
        Some(place.get_or_insert_with(|| Box::new(KindTable::new(&self.folder, kind))))
    }

    fn append(&mut self, out: &Out, rows: &dyn AnyRows, range: std::ops::Range<usize>, bytes: usize) {
        if range.is_empty() {
            return;
        }
        let mut seen = std::mem::take(&mut self.seen);
        seen.start(out);
        if let Some(table) = self.table(rows.kind()) {
            table.append(out, rows, range, &mut seen);
            table.bytes = table.bytes.saturating_add(bytes);
        }
        self.seen = seen;
    }

    /// Takes a batch that goes beyond the budget: row by row in the order of the stream, so that the cut lies behind the same row
    /// however the stream came in batches.
    fn rows_with_cut(&mut self, out: &Out, kinds: &[&dyn AnyRows], names: Names<'_>) -> io::Result<()> {
        let columns: Vec<Vec<&dyn Column>> = kinds.iter().map(|k| k.columns()).collect();
        let keys =
            |(at, kind): (usize, &&dyn AnyRows)| kind.stamps().iter().map(move |s| (s.key, at)).collect::<Vec<_>>();
        let mut order: Vec<_> = kinds.iter().enumerate().flat_map(keys).collect();
        order.sort_by_key(|(key, _)| *key);
        let mut waiting = vec![(0, 0, 0); kinds.len()];
        for (_, at) in order {
            let (Some(wait), Some(columns)) = (waiting.get_mut(at), columns.get(at)) else { continue };
            let bytes = size::columns(columns, wait.1, wait.1 + 1);
            wait.1 += 1;
            wait.2 += bytes;
            self.held = self.held.saturating_add(bytes);
            if self.held > self.budget {
                self.append_waiting(out, kinds, &mut waiting);
                while self.held > self.budget {
                    self.flush_largest(names)?;
                }
            }
        }
        self.append_waiting(out, kinds, &mut waiting);
        Ok(())
    }

    fn append_waiting(&mut self, out: &Out, kinds: &[&dyn AnyRows], waiting: &mut [(usize, usize, usize)]) {
        for (kind, (from, to, bytes)) in kinds.iter().zip(waiting) {
            self.append(out, *kind, *from..*to, *bytes);
            (*from, *bytes) = (*to, 0);
        }
    }

    fn flush_largest(&mut self, names: Names<'_>) -> io::Result<()> {
        let tables = self.tables.iter_mut().flatten().filter(|t| t.bytes > 0);
        match tables.max_by_key(|t| (t.bytes, std::cmp::Reverse(t.kind.name))) {
            Some(table) => {
                self.held = self.held.saturating_sub(table.bytes);
                table.flush(names)
            }
            None => {
                self.held = 0;
                Ok(())
            }
        }
    }
}

impl Sink for ParquetSink {
    fn rows(&mut self, out: &Out, names: Names<'_>) -> io::Result<()> {
        let kinds = out.kinds();
        let sizes: Vec<usize> = kinds.iter().map(|k| size::rows(*k, 0, k.stamps().len())).collect();
        let batch: usize = sizes.iter().sum();
        if self.held.saturating_add(batch) > self.budget {
            return self.rows_with_cut(out, &kinds, names);
        }
        self.held += batch;
        for (kind, bytes) in kinds.iter().zip(sizes) {
            self.append(out, *kind, 0..kind.stamps().len(), bytes);
        }
        Ok(())
    }

    fn finish(&mut self, names: Names<'_>) -> io::Result<()> {
        self.held = 0;
        self.tables.drain(..).flatten().try_for_each(|t| t.close(names))
    }
}
