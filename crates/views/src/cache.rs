//! Text that is the same for every row of a flow, rendered once a batch.

use gwcore::{Ends, Out, Stamp};

/// Rendered texts of a batch's flows and directions, each in two parts.
#[derive(Default)]
pub(crate) struct FlowTexts {
    mark: u32,
    /// By the raw flow reference: the mark of the batch, start, split and end in `text`.
    places: Vec<(u32, usize, usize, usize)>,
    text: Vec<u8>,
}

impl FlowTexts {
    /// Forgets the flows of the batch before.
    pub(crate) fn start(&mut self, out: &Out) {
        self.text.clear();
        self.mark = self.mark.wrapping_add(1);
        if self.mark == 0 {
            self.places.clear();
            self.mark = 1;
        }
        // One more pair for rows without flow.
        let wanted = 2 * out.flows.len() + 2;
        if self.places.len() < wanted {
            self.places.resize(wanted, (0, 0, 0, 0));
        }
    }

    /// The two parts for a row, the responder first where `swap` is set; `render` appends both and returns where the second begins.
    #[inline]
    pub(crate) fn of(
        &mut self,
        out: &Out,
        stamp: &Stamp,
        swap: bool,
        render: impl FnOnce(&mut Vec<u8>, &Ends) -> usize,
    ) -> (&[u8], &[u8]) {
        let place = ((stamp.flow.0 & !1) as usize | usize::from(swap)).min(2 * out.flows.len());
        let (start, split, end) = match self.places.get(place) {
            Some((mark, start, split, end)) if *mark == self.mark => (*start, *split, *end),
            _ => {
                let start = self.text.len();
                let split = render(&mut self.text, &Ends::of_index(out, stamp.flow.index(), swap));
                let end = self.text.len();
                if let Some(p) = self.places.get_mut(place) {
                    *p = (self.mark, start, split, end);
                }
                (start, split, end)
            }
        };
        (self.text.get(start..split).unwrap_or_default(), self.text.get(split..end).unwrap_or_default())
    }
}
