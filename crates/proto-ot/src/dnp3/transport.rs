//! The transport function (IEEE 1815 §8): segments of one sender and receiver become application fragments.

use gwcore::{AgedTable, Limit, Limits};

use super::link::Header;

/// A transport octet: FIN, FIR and a sequence number modulo 64.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Octet(pub u8);

impl Octet {
    /// Last segment of a fragment.
    pub fn fin(self) -> bool {
        self.0 & 0x80 != 0
    }
    /// First segment of a fragment.
    pub fn fir(self) -> bool {
        self.0 & 0x40 != 0
    }
    /// Sequence number.
    pub fn seq(self) -> u8 {
        self.0 & 0x3f
    }
}

/// What a segment led to.
#[derive(Debug, PartialEq, Eq)]
pub enum Segment {
    /// The fragment is whole; how many segments it took.
    Whole(Vec<u8>, u16),
    /// More must come.
    Part,
    /// It fits nowhere.
    Stray(&'static str),
}

struct Assembly {
    bytes: Vec<u8>,
    next: u8,
    segments: u16,
    epoch: u64,
}

/// Fragments under reassembly, one per link address pair: several outstations may share a session.
/// At most [`Limit::LinkPairs`] of them with [`Limit::ParserBytes`] together.
#[derive(Default)]
pub struct Transport {
    open: Option<AgedTable<(u16, u16), Assembly>>,
    held: usize,
}

impl Transport {
    /// Takes a segment in. `epoch` counts the gaps of the sender's direction: what was begun before one is given up.
    /// The second value says what was lost by the way, if anything.
    pub fn segment(
        &mut self,
        header: Header,
        octet: Octet,
        data: &[u8],
        epoch: u64,
        limits: &Limits,
    ) -> (Segment, Option<&'static str>) {
        let key = (header.src, header.dst);
        let open = self.open.get_or_insert_with(|| AgedTable::new(Limit::LinkPairs, limits.get(Limit::LinkPairs)));
        let begun = open.remove(&key);
        self.held = self.held.saturating_sub(begun.as_ref().map_or(0, |a| a.bytes.len()));
        let begun = begun.filter(|a| a.epoch == epoch);
        if octet.fir() {
            let lost = begun.map(|_| "fragment_unfinished");
            if octet.fin() {
                return (Segment::Whole(data.to_vec(), 1), lost);
            }
            let fresh = Assembly { bytes: Vec::new(), next: octet.seq(), segments: 0, epoch };
            return self.keep(key, fresh, octet, data, limits).map_or((Segment::Part, lost), |s| (s, lost));
        }
        let Some(begun) = begun else { return (Segment::Stray("segment_without_first"), None) };
        if begun.next != octet.seq() {
            return (Segment::Stray("segment_out_of_sequence"), None);
        }
        (self.keep(key, begun, octet, data, limits).unwrap_or(Segment::Part), None)
    }

    /// Appends a segment; gives it back whole with the last one, keeps it otherwise.
    fn keep(
        &mut self,
        key: (u16, u16),
        mut a: Assembly,
        octet: Octet,
        data: &[u8],
        limits: &Limits,
    ) -> Option<Segment> {
        a.bytes.extend_from_slice(data);
        a.next = octet.seq().wrapping_add(1) & 0x3f;
        a.segments = a.segments.saturating_add(1);
        if octet.fin() {
            return Some(Segment::Whole(a.bytes, a.segments));
        }
        if self.held.saturating_add(a.bytes.len()) > limits.get(Limit::ParserBytes) {
            return Some(Segment::Stray("fragment_too_long"));
        }
        self.held = self.held.saturating_add(a.bytes.len());
        if let Some((_, gone)) = self.open.as_mut()?.insert(key, a) {
            self.held = self.held.saturating_sub(gone.bytes.len());
        }
        None
    }

    /// Whether fragments wait for their rest.
    pub fn unfinished(&self) -> bool {
        self.open.as_ref().is_some_and(|o| !o.is_empty())
    }
}
