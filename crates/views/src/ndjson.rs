//! Records as NDJSON under their native names: one file a kind, child rows nested under their parents.

use std::io;
use std::path::{Path, PathBuf};

use gwcore::{Kind, Names, Out, Sink};

use crate::cache::FlowTexts;
use crate::file::TextFile;
use crate::object::{self, Children, Keys};
use crate::text::{self, Clock};

/// Writes `ndjson/KIND.ndjson`, one object a line, files created with their first row. Absent values are left out.
pub struct NdjsonSink {
    folder: PathBuf,
    /// By the kind's slot.
    kinds: Vec<Option<KindText>>,
    flows: FlowTexts,
    clock: Clock,
}

/// What of a kind is the same for every row.
struct KindText {
    file: TextFile,
    keys: Keys,
}

impl NdjsonSink {
    /// Writes below `dir`.
    pub fn new(dir: &Path) -> NdjsonSink {
        NdjsonSink {
            folder: dir.join("ndjson"),
            kinds: Vec::new(),
            flows: FlowTexts::default(),
            clock: Clock::default(),
        }
    }

    fn kind(&mut self, kind: &'static Kind) -> io::Result<Option<&mut KindText>> {
        let slot = kind.slot();
        if self.kinds.len() <= slot {
            self.kinds.resize_with(slot + 1, || None);
        }
        let Some(place) = self.kinds.get_mut(slot) else { return Ok(None) };
        if place.is_none() {
            let file = TextFile::create(&self.folder, &format!("{}.ndjson", kind.name))?;
            *place = Some(KindText { file, keys: Keys::new(kind) });
        }
        Ok(place.as_mut())
    }
}

impl Sink for NdjsonSink {
    fn rows(&mut self, out: &Out, names: Names<'_>) -> io::Result<()> {
        let kinds = out.kinds();
        let (mut flows, mut clock) = (std::mem::take(&mut self.flows), std::mem::take(&mut self.clock));
        flows.start(out);
        for rows in kinds.iter().filter(|r| r.kind().parent.is_none()) {
            let mut children = Children::of(rows.kind(), &kinds);
            let Some(kind) = self.kind(rows.kind())? else { continue };
            let columns = rows.columns();
            for (row, stamp) in rows.stamps().iter().enumerate() {
                let text = &mut kind.file.buffer;
                text.extend_from_slice(b"{\"ts\":");
                text::quoted(text, |text| clock.rfc3339(text, stamp.ts));
                object::common(text, &mut flows, out, *rows, stamp, names);
                kind.keys.write(text, &columns, row, &mut clock);
                children.write(text, stamp.key, &mut clock);
                text.extend_from_slice(b"}\n");
                kind.file.spill()?;
            }
        }
        (self.flows, self.clock) = (flows, clock);
        Ok(())
    }

    fn finish(&mut self, _: Names<'_>) -> io::Result<()> {
        self.kinds.drain(..).flatten().try_for_each(|mut k| k.file.finish())
    }
}
