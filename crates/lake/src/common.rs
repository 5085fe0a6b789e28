//! The common columns between batches and row group: time, frame and a reference to the constants of the flow, which are kept once.

use std::hash::Hash;
use std::ops::Range;

use arrow::array::ArrayRef;
use arrow::buffer::{BooleanBuffer, NullBuffer};
use arrow::datatypes::{ArrowPrimitiveType, UInt8Type, UInt16Type, UInt64Type};
use arrow::error::ArrowError;
use gwcore::{AnyRows, Ends, Names, Out, Table, Ts};

use crate::column::{dictionary, moments, plain};

/// Time, frame and flow of every row.
#[derive(Default)]
pub(crate) struct CommonBuf {
    ts: Vec<Ts>,
    frames: Vec<u64>,
    flows: Vec<u32>,
    constants: Vec<Ends>,
    known: Table<Ends, u32>,
}

/// Which of a batch's flows a kind has met already, by the raw reference; told apart by a mark so that nothing need be cleared.
#[derive(Default)]
pub(crate) struct Seen {
    mark: u32,
    places: Vec<(u32, u32)>,
}

impl Seen {
    /// Forgets all, in time constant but for new flows of the batch.
    pub(crate) fn start(&mut self, out: &Out) {
        self.mark = self.mark.wrapping_add(1);
        if self.mark == 0 {
            self.places.clear();
            self.mark = 1;
        }
        // One more pair for rows without flow.
        let wanted = 2 * out.flows.len() + 2;
        if self.places.len() < wanted {
            self.places.resize(wanted, (0, 0));
        }
    }
}

impl CommonBuf {
    /// Rows held.
    pub(crate) fn len(&self) -> usize {
        self.ts.len()
    }

    /// Appends the stamps of some rows.
    pub(crate) fn append(&mut self, out: &Out, rows: &dyn AnyRows, range: Range<usize>, seen: &mut Seen) {
        let grain = rows.kind().grain;
        let nowhere = 2 * out.flows.len();
        for stamp in rows.stamps().get(range).unwrap_or_default() {
            self.ts.push(stamp.ts);
            self.frames.push(stamp.frame);
            let place = (stamp.flow.0 as usize).min(nowhere);
            let flow = match seen.places.get(place) {
                Some((mark, flow)) if *mark == seen.mark => *flow,
                _ => {
                    let flow = self.constant(Ends::of_row(out, stamp, grain));
                    if let Some(p) = seen.places.get_mut(place) {
                        *p = (seen.mark, flow);
                    }
                    flow
                }
            };
            self.flows.push(flow);
        }
    }

    fn constant(&mut self, ends: Ends) -> u32 {
        let next = u32::try_from(self.constants.len()).unwrap_or(u32::MAX);
        let place = *self.known.entry(ends).or_insert(next);
        if place == next {
            self.constants.push(ends);
        }
        place
    }

    /// Takes the rows as arrays, in the order of [`gwcore::COMMON`].
    pub(crate) fn finish(&mut self, names: Names<'_>) -> Result<Vec<ArrayRef>, ArrowError> {
        let CommonBuf { ts, frames, flows, constants, .. } = std::mem::take(self);
        let c = Constants { flows: &flows, constants: &constants };
        let mut arrays = moments(&ts, None);
        arrays.extend([
            c.words(|e| e.uid, |u| u.to_string())?,
            c.words(|e| e.src_ip, |a| a.to_string())?,
            c.numbers::<UInt16Type>(|e| e.src_port),
            c.words(|e| e.dst_ip, |a| a.to_string())?,
            c.numbers::<UInt16Type>(|e| e.dst_port),
            c.words(|e| e.src_mac, |m| m.to_string())?,
            c.words(|e| e.dst_mac, |m| m.to_string())?,
            c.numbers::<UInt16Type>(|e| e.vlan),
            c.numbers::<UInt16Type>(|e| e.inner_vlan),
            c.numbers::<UInt8Type>(|e| e.ip_proto),
            c.words(|e| e.file_name(names), |n| n.to_string())?,
        ]);
        let known: BooleanBuffer = frames.iter().map(|f| *f != 0).collect();
        arrays.push(plain::<UInt64Type>(frames, nulls(known)));
        arrays.push(c.words(|e| e.interface_name(names), |n| n.to_string())?);
        Ok(arrays)
    }
}

/// The flows of the rows and what they refer to.
struct Constants<'a> {
    flows: &'a [u32],
    constants: &'a [Ends],
}

impl Constants<'_> {
    /// A dictionary column: each flow is looked at once, each value written once.
    fn words<T: Copy + Eq + Hash>(
        &self,
        get: impl Fn(&Ends) -> Option<T>,
        text: impl Fn(&T) -> String,
    ) -> Result<ArrayRef, ArrowError> {
        let (mut values, mut known) = (Vec::new(), Table::<T, i32>::default());
        let keys = self.constants.iter().map(|ends| {
            get(ends).map(|value| {
                let next = i32::try_from(values.len()).unwrap_or(i32::MAX);
                let key = *known.entry(value).or_insert(next);
                if key == next {
                    values.push(value);
                }
                key
            })
        });
        let keys: Vec<Option<i32>> = keys.collect();
        let (keys, nulls) = self.gather(&keys);
        dictionary(keys, values.iter().map(text), nulls)
    }

    fn numbers<T: ArrowPrimitiveType>(&self, get: impl Fn(&Ends) -> Option<T::Native>) -> ArrayRef {
        let values: Vec<_> = self.constants.iter().map(get).collect();
        let (values, nulls) = self.gather(&values);
        plain::<T>(values, nulls)
    }

    /// From a value a flow to a value a row.
    fn gather<T: Copy + Default>(&self, values: &[Option<T>]) -> (Vec<T>, Option<NullBuffer>) {
        let at = |flow: &u32| values.get(*flow as usize).copied().flatten();
        let any_null = values.iter().any(Option::is_none);
        let known = any_null.then(|| self.flows.iter().map(|f| at(f).is_some()).collect::<BooleanBuffer>());
        (self.flows.iter().map(|f| at(f).unwrap_or_default()).collect(), known.and_then(nulls))
    }
}

fn nulls(known: BooleanBuffer) -> Option<NullBuffer> {
    Some(NullBuffer::new(known)).filter(|n| n.null_count() > 0)
}
