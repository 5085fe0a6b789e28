//! Families that are records as they stand: a conversation's statistics, and what Zeek says of it.

use gwcore::{AnyRows, Column, Columns, FlowRef, Kind, Out, Span, Value as Cell};

use crate::family::{Family, Feature, Identity, Row, Type, Value};
use crate::minutes::ends;

/// Fields of `flow_stats` that say which part a row is, not what it did.
const PLACE: &[&str] = &["part", "continued"];
/// Letters of Zeek's `history` that are counted, for the originator and the responder.
const LETTERS: &[u8] = b"shadfrcgtwqi^";
/// Fields of `conn` that are no features: `history` is counted by letter, `local_orig` and the like follow from addresses.
const NOT_CONN: &[&str] = &["history", "local_orig", "local_resp", "end_reason", "tunnel", "dup_pkts"];

/// Statistics of conversations by nfstream's names.
pub fn flow_family() -> Family {
    let kind = flow::FlowStatsColumns::kind();
    Family {
        name: "flow",
        version: 1,
        doc: "Statistics of a conversation: sizes, pauses and flags by direction, named as nfstream names them.",
        row: "a conversation, or five minutes of one that is older than five minutes",
        features: fields(kind, PLACE).map(|(_, f)| feature(f, "flow_stats; names of nfstream 6.5")).collect(),
    }
}

/// What Zeek's conn.log gives.
pub fn conn_family() -> Family {
    let kind = flow::ConnColumns::kind();
    let mut features: Vec<Feature> =
        fields(kind, NOT_CONN).map(|(_, f)| feature(f, "conn; Zeek 8 conn.log, and ours")).collect();
    for (side, who) in [(true, "originator"), (false, "responder")] {
        for letter in LETTERS {
            let l = letter_of(*letter, side);
            let case = if side { "upper" } else { "lower" };
            let what = if l == '^' { "flip".to_owned() } else { l.to_ascii_lowercase().to_string() };
            if l == '^' && !side {
                continue;
            }
            features.push(Feature {
                name: format!("history_{}_{what}", if side { "orig" } else { "resp" }).into(),
                ty: Type::Number,
                unit: "".into(),
                doc: format!("How often `{l}` ({case} case: {who}) stands in `history`.").into(),
                source: "conn.history; Zeek 8".into(),
            });
        }
    }
    Family {
        name: "conn",
        version: 1,
        doc: "A conversation as Zeek's conn.log tells it.",
        row: "a conversation that has ended",
        features,
    }
}

fn letter_of(letter: u8, orig: bool) -> char {
    char::from(if orig { letter.to_ascii_uppercase() } else { letter })
}

fn fields(
    kind: &'static Kind,
    without: &'static [&'static str],
) -> impl Iterator<Item = (usize, &'static gwcore::Field)> {
    kind.fields.iter().enumerate().filter(|(_, f)| !without.contains(&f.name))
}

fn feature(f: &'static gwcore::Field, source: &'static str) -> Feature {
    let word = matches!(f.ty, gwcore::DataType::Sym);
    Feature {
        name: f.name.into(),
        ty: if word { Type::Word } else { Type::Number },
        unit: (if f.ty == gwcore::DataType::Span { "s" } else { f.unit }).into(),
        doc: f.doc.trim().into(),
        source: source.into(),
    }
}

fn value(column: &dyn Column, row: usize) -> Value {
    match column.value(row) {
        Cell::U64(n) => Value::Number(n as f64),
        Cell::I64(n) => Value::Number(n as f64),
        Cell::F64(x) => Value::Number(x),
        Cell::Bool(b) => Value::Number(f64::from(u8::from(b))),
        Cell::Span(Span(ns)) => Value::Number(ns as f64 / 1e9),
        _ => Value::Null,
    }
}

fn word(column: &dyn Column, row: usize) -> Value {
    // Only the raw storage of words has their lifetime.
    let held = column.validity().is_none_or(|v| v.get(row).copied().unwrap_or(false));
    match column.data() {
        gwcore::ColumnData::Sym(words) if held => words.get(row).map_or(Value::Null, |w| Value::Word(w)),
        _ => Value::Null,
    }
}

fn cells<'a>(rows: &'a dyn AnyRows, without: &'static [&'static str]) -> Vec<(&'static gwcore::Field, &'a dyn Column)> {
    let columns = rows.columns();
    fields(rows.kind(), without).filter_map(|(i, f)| Some((f, *columns.get(i)?))).collect()
}

fn take(field: &gwcore::Field, column: &dyn Column, row: usize) -> Value {
    if matches!(field.ty, gwcore::DataType::Sym) { word(column, row) } else { value(column, row) }
}

/// Appends the rows of the flow family that a batch holds.
pub(crate) fn flows(out: &Out, rows: &mut Vec<Row>) {
    let Some(from) = out.rows(flow::FlowStatsColumns::kind().slot()) else { return };
    let cells = cells(from, PLACE);
    let length = cells.iter().find(|(f, _)| f.name == "bidirectional_duration_ms").map(|(_, c)| *c);
    for (i, stamp) in from.stamps().iter().enumerate() {
        let Some(flow) = out.flows.get(stamp.flow.index()) else { continue };
        let (src, dst) = ends(flow, FlowRef(stamp.flow.0 & !1));
        let ms = match length.map(|c| c.value(i)) {
            Some(Cell::F64(ms)) => ms,
            _ => 0.0,
        };
        let end = stamp.ts.plus((ms * 1e6) as i64 + 1);
        let frame = (flow.file, stamp.frame);
        let identity = Identity { ts: stamp.ts, end, src, dst, uid: Some(flow.uid), frame };
        rows.push(Row { identity, values: cells.iter().map(|(f, c)| take(f, *c, i)).collect() });
    }
}

/// Appends the rows of the conn family that a batch holds.
pub(crate) fn conns(out: &Out, rows: &mut Vec<Row>) {
    let Some(from) = out.rows(flow::ConnColumns::kind().slot()) else { return };
    let cells = cells(from, NOT_CONN);
    let column = |name: &str| {
        let at = from.kind().fields.iter().position(|f| f.name == name)?;
        from.columns().get(at).copied()
    };
    let (history, duration) = (column("history"), column("duration"));
    for (i, stamp) in from.stamps().iter().enumerate() {
        let Some(flow) = out.flows.get(stamp.flow.index()) else { continue };
        let (src, dst) = ends(flow, FlowRef(stamp.flow.0 & !1));
        let span = match duration.map(|c| c.value(i)) {
            Some(Cell::Span(Span(ns))) => ns,
            _ => 0,
        };
        let mut values: Vec<Value> = cells.iter().map(|(f, c)| take(f, *c, i)).collect();
        let text = match history.map(|c| c.value(i)) {
            Some(Cell::Text(t)) => t.as_bytes(),
            _ => &[],
        };
        for side in [true, false] {
            for letter in LETTERS.iter().filter(|l| side || **l != b'^') {
                let l = if side { letter.to_ascii_uppercase() } else { *letter };
                values.push(Value::Number(text.iter().filter(|t| **t == l).count() as f64));
            }
        }
        let end = stamp.ts.plus(span.saturating_add(1));
        let frame = (flow.file, stamp.frame);
        let identity = Identity { ts: stamp.ts, end, src, dst, uid: Some(flow.uid), frame };
        rows.push(Row { identity, values });
    }
}
