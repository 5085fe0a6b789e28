//! The common columns between batches and row group: time, frame and a reference to the constants of the flow, which are kept once.

use std::hash::{BuildHasher, Hash};
use std::io;
use std::ops::Range;

use arrow::buffer::{BooleanBuffer, NullBuffer};
use arrow::datatypes::UInt64Type;
use gwcore::ids::TableState;
use gwcore::{AnyRows, Ends, Names, Out, Table, Ts};
use hashbrown::HashTable;

use crate::coded::Coded;
use crate::column::{moments, plain};
use crate::group::{Group, Values};

/// Time, frame and flow of every row.
#[derive(Default)]
pub(crate) struct CommonBuf {
    ts: Vec<Ts>,
    frames: Vec<u64>,
    flows: Vec<u32>,
    constants: Vec<Ends>,
    /// Places in `constants` by the hash of what stands there.
    known: HashTable<u32>,
    state: TableState,
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
        let CommonBuf { constants, known, state, .. } = self;
        let at = |place: &u32| constants.get(*place as usize);
        let is_it = |place: &u32| at(place) == Some(&ends);
        let place =
            *known.entry(state.hash_one(Some(&ends)), is_it, |place| state.hash_one(at(place))).or_insert(next).get();
        if place == next {
            constants.push(ends);
        }
        place
    }

    /// Takes the rows and writes them as columns, in the order of [`gwcore::COMMON`].
    pub(crate) fn write(&mut self, names: Names<'_>, to: &mut Group<'_>) -> io::Result<()> {
        let CommonBuf { ts, frames, flows, constants, .. } = std::mem::take(self);
        let c = Constants { flows: &flows, constants: &constants };
        for array in moments(&ts, None) {
            to.write(Values::Array(array))?;
        }
        to.write(c.words(|e| e.uid, |u| u.to_string()))?;
        to.write(c.words(|e| e.src_ip, |a| a.to_string()))?;
        to.write(c.numbers(|e| e.src_port))?;
        to.write(c.words(|e| e.dst_ip, |a| a.to_string()))?;
        to.write(c.numbers(|e| e.dst_port))?;
        to.write(c.words(|e| e.src_mac, |m| m.to_string()))?;
        to.write(c.words(|e| e.dst_mac, |m| m.to_string()))?;
        to.write(c.numbers(|e| e.vlan))?;
        to.write(c.numbers(|e| e.inner_vlan))?;
        to.write(c.numbers(|e| e.ip_proto))?;
        to.write(c.words(|e| e.file_name(names), |n| n.to_string()))?;
        let known: BooleanBuffer = frames.iter().map(|f| *f != 0).collect();
        to.write(Values::Array(plain::<UInt64Type>(frames, nulls(known))))?;
        to.write(c.words(|e| e.interface_name(names), |n| n.to_string()))
    }
}

/// The flows of the rows and what they refer to.
struct Constants<'a> {
    flows: &'a [u32],
    constants: &'a [Ends],
}

impl Constants<'_> {
    fn words<T: Copy + Eq + Hash>(&self, get: impl Fn(&Ends) -> Option<T>, text: impl Fn(&T) -> String) -> Values {
        let (column, values) = self.coded(get);
        Values::Coded(column.texts(values.iter().map(text)))
    }

    fn numbers<T: Copy + Eq + Hash + Into<i32>>(&self, get: impl Fn(&Ends) -> Option<T>) -> Values {
        let (column, values) = self.coded(get);
        Values::Coded(column.numbers(values.into_iter().map(Into::into)))
    }

    /// Each flow is looked at once; each different value stands once, in the order of the flows.
    fn coded<T: Copy + Eq + Hash>(&self, get: impl Fn(&Ends) -> Option<T>) -> (Coded, Vec<T>) {
        let (mut values, mut known) = (Vec::new(), Table::<T, u32>::default());
        let keys: Vec<Option<u32>> = self
            .constants
            .iter()
            .map(|ends| {
                let value = get(ends)?;
                let next = u32::try_from(values.len()).unwrap_or(u32::MAX);
                let key = *known.entry(value).or_insert(next);
                if key == next {
                    values.push(value);
                }
                Some(key)
            })
            .collect();
        let at = |flow: &u32| keys.get(*flow as usize).copied().flatten();
        let any_null = keys.iter().any(Option::is_none);
        let known = any_null.then(|| self.flows.iter().map(|f| at(f).is_some()).collect::<BooleanBuffer>());
        let rows = self.flows.iter().map(|f| at(f).unwrap_or_default()).collect();
        (Coded::new(rows, known.and_then(nulls)), values)
    }
}

fn nulls(known: BooleanBuffer) -> Option<NullBuffer> {
    Some(NullBuffer::new(known)).filter(|n| n.null_count() > 0)
}
