//! The Zeek sink: every log bound to its kind, headers with packet time.

use std::io;
use std::path::PathBuf;

use gwcore::{DataType, Finding, Kind, Names, Out, Sink, Ts};

use super::{HEAD, LOGS, Log, SENDER, notice};
use crate::bind::{self, Bound, BoundWhen, CommunityId, RowCx, Source, Table};
use crate::cell::{Cell, Style};
use crate::file::TextFile;
use crate::text::{self, Clock};

/// Writes NAME.log files, each created with its first line.
pub struct ZeekSink {
    folder: PathBuf,
    style: Style,
    community_id: CommunityId,
    /// By the kind's slot, once the kind was seen.
    kinds: Vec<Option<Vec<Open>>>,
    clock: Clock,
}

/// A log bound to its kind.
struct Open {
    path: &'static str,
    columns: Vec<Column>,
    bounds: Vec<Bound>,
    when: BoundWhen,
    wants_pair: bool,
    file: Option<TextFile>,
    last: Ts,
}

/// A field of a log with its key in JSON.
pub(super) struct Column {
    name: &'static str,
    ty: String,
    json: Vec<u8>,
}

impl Column {
    /// A field by its name and Zeek's type.
    pub(super) fn new(name: &'static str, ty: String) -> Column {
        let mut json = b",".to_vec();
        text::json_string(&mut json, name);
        json.push(b':');
        Column { name, ty, json }
    }
}

impl ZeekSink {
    /// Writes into `folder`, as JSON or tab-separated.
    pub fn new(folder: PathBuf, json: bool, community_id: CommunityId) -> ZeekSink {
        let style = if json { Style::ZeekJson } else { Style::Tsv };
        ZeekSink { folder, style, community_id, kinds: Vec::new(), clock: Clock::default() }
    }

    /// Writes `notice.log`.
    fn notices(&mut self, findings: &[&Finding]) -> io::Result<()> {
        let (Some(first), Some(last)) = (findings.first(), findings.last()) else { return Ok(()) };
        let columns = notice::columns();
        let mut file = TextFile::create(&self.folder, "notice.log")?;
        if self.style == Style::Tsv {
            header(&mut file.buffer, "notice", &columns, first.ts);
        }
        for f in findings {
            let (style, clock) = (self.style, &mut self.clock);
            line(&mut file.buffer, style, &columns, |i, out| {
                let name = columns.get(i).map_or("", |c| c.name);
                notice::cell(name, f, &mut Cell { out, style, clock });
            });
            file.spill()?;
        }
        if self.style == Style::Tsv {
            close(&mut file.buffer, last.ts);
        }
        file.finish()
    }

    fn open(&mut self, kind: &'static Kind, parent: Option<&Kind>) -> Vec<Open> {
        let place = self.kinds.get_mut(kind.slot());
        place.and_then(Option::take).unwrap_or_else(|| bind_logs(kind, parent))
    }
}

impl Sink for ZeekSink {
    fn rows(&mut self, out: &Out, _: Names<'_>) -> io::Result<()> {
        let kinds = out.kinds();
        let slots = kinds.iter().map(|k| k.kind().slot() + 1).max().unwrap_or(0);
        if self.kinds.len() < slots {
            self.kinds.resize_with(slots, || None);
        }
        for rows in &kinds {
            let kind = rows.kind();
            let parent = kind.parent.and_then(|(name, _)| kinds.iter().find(|k| k.kind().name == name));
            let mut logs = self.open(kind, parent.map(|p| p.kind()));
            let (table, parent) = (Table::new(*rows), parent.map(|p| Table::new(*p)));
            for log in &mut logs {
                self.write(log, out, &table, parent.as_ref())?;
            }
            if let Some(place) = self.kinds.get_mut(kind.slot()) {
                *place = Some(logs);
            }
        }
        Ok(())
    }

    fn shows_repeats(&self) -> bool {
        true
    }

    fn findings(&mut self, findings: &[&Finding], _: Names<'_>) -> io::Result<()> {
        self.notices(findings)
    }

    fn finish(&mut self, _: Names<'_>) -> io::Result<()> {
        for log in self.kinds.drain(..).flatten().flatten() {
            let Some(mut file) = log.file else { continue };
            if self.style == Style::Tsv {
                close(&mut file.buffer, log.last);
            }
            file.finish()?;
        }
        Ok(())
    }
}

impl ZeekSink {
    fn write(&mut self, log: &mut Open, out: &Out, table: &Table<'_>, parent: Option<&Table<'_>>) -> io::Result<()> {
        let mut at_parent = 0;
        for (row, stamp) in table.rows.stamps().iter().enumerate() {
            let parent = parent.and_then(|p| Some((p, p.row_of(stamp.key, &mut at_parent)?)));
            let pair = bind::partner(table, row, log.wants_pair);
            if !log.when.holds(table, row, pair) {
                continue;
            }
            let file = match &mut log.file {
                Some(file) => file,
                empty => {
                    let mut file = TextFile::create(&self.folder, &format!("{}.log", log.path))?;
                    if self.style == Style::Tsv {
                        header(&mut file.buffer, log.path, &log.columns, stamp.ts);
                    }
                    empty.insert(file)
                }
            };
            let cx = RowCx { out, table, stamp, row, pair, parent, children: &[], community_id: self.community_id };
            let (style, clock, bounds) = (self.style, &mut self.clock, &log.bounds);
            line(&mut file.buffer, style, &log.columns, |i, out| {
                if let Some(bound) = bounds.get(i) {
                    cx.write(bound, &mut Cell { out, style, clock });
                }
            });
            log.last = log.last.max(stamp.ts);
            file.spill()?;
        }
        Ok(())
    }
}

/// One line; `write` appends the value of a column by its place, or nothing.
fn line(to: &mut Vec<u8>, style: Style, columns: &[Column], mut write: impl FnMut(usize, &mut Vec<u8>)) {
    let start = to.len();
    for (i, column) in columns.iter().enumerate() {
        if style == Style::Tsv {
            if i > 0 {
                to.push(b'\t');
            }
            let before = to.len();
            write(i, to);
            if to.len() == before {
                to.push(b'-');
            }
            continue;
        }
        let before = to.len();
        to.extend_from_slice(&column.json);
        let value = to.len();
        write(i, to);
        if to.len() == value {
            to.truncate(before);
        }
    }
    if style == Style::Tsv {
        return to.push(b'\n');
    }
    // The first member's comma becomes the brace; `ts` is always there.
    if let Some(comma) = to.get_mut(start) {
        *comma = b'{';
    }
    to.extend_from_slice(b"}\n");
}

/// The line with which a log ends.
fn close(to: &mut Vec<u8>, last: Ts) {
    to.extend_from_slice(b"#close\t");
    header_time(to, last);
    to.push(b'\n');
}

/// Zeek's header; times are those of the packets, so that the same capture gives the same bytes.
fn header(to: &mut Vec<u8>, path: &str, columns: &[Column], open: Ts) {
    to.extend_from_slice(b"#separator \\x09\n#set_separator\t,\n#empty_field\t(empty)\n#unset_field\t-\n#path\t");
    to.extend_from_slice(path.as_bytes());
    to.extend_from_slice(b"\n#open\t");
    header_time(to, open);
    to.extend_from_slice(b"\n#fields");
    for column in columns {
        to.push(b'\t');
        to.extend_from_slice(column.name.as_bytes());
    }
    to.extend_from_slice(b"\n#types");
    for column in columns {
        to.push(b'\t');
        to.extend_from_slice(column.ty.as_bytes());
    }
    to.push(b'\n');
}

/// `2017-07-14-02-40-00`.
fn header_time(to: &mut Vec<u8>, ts: Ts) {
    let mut text = Vec::new();
    ts.write_micros(&mut text);
    text.truncate("2017-07-14T02:40:00".len());
    to.extend(text.into_iter().map(|b| if b == b'T' || b == b':' { b'-' } else { b }));
}

/// The peers' logs of a kind; a log of its own where they have none.
fn bind_logs(kind: &'static Kind, parent: Option<&Kind>) -> Vec<Open> {
    let logs: Vec<&Log> = LOGS.iter().copied().filter(|l| l.kind == kind.name).collect();
    if logs.is_empty() {
        let own = kind.fields.iter().map(|f| (f.name, zeek_type(&f.ty), Source::Field(f.name)));
        let sender = SENDER.iter().take(usize::from(kind.grain.shows_sender()));
        let head = HEAD.iter().chain(sender).map(|f| (f.name, f.ty.to_owned(), f.from));
        return vec![bind_log(kind.name, head.chain(own).collect(), BoundWhen::Always, kind, parent)];
    }
    let bound = logs.iter().map(|log| {
        let fields = log.fields.iter().flat_map(|f| f.iter()).map(|f| (f.name, f.ty.to_owned(), f.from));
        bind_log(log.path, fields.collect(), log.when.bind(kind), kind, parent)
    });
    bound.collect()
}

fn bind_log(
    path: &'static str,
    fields: Vec<(&'static str, String, Source)>,
    when: BoundWhen,
    kind: &Kind,
    parent: Option<&Kind>,
) -> Open {
    let bounds: Vec<Bound> = fields.iter().map(|(_, _, from)| from.bind(kind, parent)).collect();
    let columns = fields.into_iter().map(|(name, ty, _)| Column::new(name, ty));
    let wants_pair = bind::wants_pair(&bounds, &when);
    Open { path, columns: columns.collect(), bounds, when, wants_pair, file: None, last: Ts(i64::MIN) }
}

/// Zeek's word for a type of ours.
fn zeek_type(ty: &DataType) -> String {
    match ty {
        DataType::Bool => "bool".into(),
        DataType::U8 | DataType::U16 | DataType::U32 | DataType::U64 => "count".into(),
        DataType::I64 => "int".into(),
        DataType::F64 => "double".into(),
        DataType::Text | DataType::Sym | DataType::Hex | DataType::Mac => "string".into(),
        DataType::Addr => "addr".into(),
        DataType::Ts => "time".into(),
        DataType::Span => "interval".into(),
        DataType::List(of) => format!("vector[{}]", zeek_type(of)),
    }
}
