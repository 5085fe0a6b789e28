//! Views as tables: every field of a peer's log names its source, which is bound to a kind's columns once, by name.

use std::cell::OnceCell;
use std::ops::Range;

use gwcore::{AnyRows, Column, Ends, FlowConst, Key, Kind, Out, Span, Stamp, Ts, Value};

use crate::cell::Cell;
use crate::text;

/// Fills a cell from some values, in the order of their sources.
pub type Write = fn(&[Value<'_>], &mut Cell<'_>);

/// Fills a cell from child rows.
pub type WriteRows = fn(&ChildRows<'_>, &mut Cell<'_>);

/// Gives the Community ID of a flow.
#[derive(Clone, Copy)]
pub struct CommunityId {
    /// Computes it under a seed.
    pub of: fn(&FlowConst, u16) -> Option<String>,
    /// The seed.
    pub seed: u16,
}

impl CommunityId {
    pub(crate) fn text(self, flow: &FlowConst) -> Option<String> {
        (self.of)(flow, self.seed)
    }
}

/// Most sources of one [`Source::With`].
pub const MOST_SOURCES: usize = 8;

/// Where the content of a peer's field comes from.
#[derive(Clone, Copy)]
pub enum Source {
    /// What every record carries.
    Common(Common),
    /// A field of the record.
    Field(&'static str),
    /// A field of the request or answer that belongs to the record.
    Pair(&'static str),
    /// A field of the parent's record.
    Parent(&'static str),
    /// Always the same text.
    Const(&'static str),
    /// Made of several fields.
    With(&'static [Source], Write),
    /// Made of the child rows of a kind, of which some fields are read.
    Children(&'static str, &'static [&'static str], WriteRows),
    /// Not provided, and why.
    Missing(&'static str),
}

/// What every record carries, as peers want it: by originator and responder, or by sender and receiver.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Common {
    /// Time.
    Ts,
    /// Time of the request that belongs to it, or its own.
    PairTs,
    /// Conversation.
    Uid,
    /// Address of the originator.
    OrigH,
    /// Its port; for ICMP the type.
    OrigP,
    /// Address of the responder.
    RespH,
    /// Its port; for ICMP the type of the answer or the code.
    RespP,
    /// Transport in lower case.
    Proto,
    /// Whether the originator sent it.
    IsOrig,
    /// Address of the sender.
    SourceH,
    /// Port of the sender.
    SourceP,
    /// Address of the receiver.
    DestinationH,
    /// Port of the receiver.
    DestinationP,
    /// MAC address of the originator.
    OrigMac,
    /// MAC address of the responder.
    RespMac,
    /// Outer VLAN.
    Vlan,
    /// Inner VLAN.
    InnerVlan,
    /// IP protocol.
    IpProto,
    /// Community ID v1.
    CommunityId,
}

/// Which rows of a kind make a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// All.
    Always,
    /// Those without a partner, and of a request and its answer the request.
    OncePerPair,
    /// Those in which one of the fields holds something.
    Any(&'static [&'static str]),
    /// Those in which the field holds a number from..=to.
    Within(&'static str, u64, u64),
}

/// One field of a view.
pub struct ViewField {
    /// Its name at the peer; in EVE a path with dots.
    pub name: &'static str,
    /// Its type at the peer (Zeek's words; empty for EVE).
    pub ty: &'static str,
    /// Where it comes from.
    pub from: Source,
}

/// States a field of a view.
pub(crate) const fn field(name: &'static str, ty: &'static str, from: Source) -> ViewField {
    ViewField { name, ty, from }
}

/// A [`Source`] bound to the columns of a kind.
pub(crate) enum Bound {
    Common(Common),
    Value(Place, usize),
    Text(&'static str),
    With(Vec<Bound>, Write),
    /// Columns are found when the first child row is seen.
    Children(&'static str, &'static [&'static str], OnceCell<Vec<Option<usize>>>, WriteRows),
    Nothing,
}

/// Whose column it is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    Own,
    Pair,
    Parent,
}

impl Source {
    /// Binds to a kind; what the kind (or its parent) does not have stays empty.
    pub(crate) fn bind(&self, kind: &Kind, parent: Option<&Kind>) -> Bound {
        let at = |kind: &Kind, place, name: &str| column(kind, name).map_or(Bound::Nothing, |i| Bound::Value(place, i));
        match self {
            Source::Common(c) => Bound::Common(*c),
            Source::Field(name) => at(kind, Place::Own, name),
            Source::Pair(name) => at(kind, Place::Pair, name),
            Source::Parent(name) => parent.map_or(Bound::Nothing, |p| at(p, Place::Parent, name)),
            Source::Const(text) => Bound::Text(text),
            Source::With(sources, write) => Bound::With(sources.iter().map(|s| s.bind(kind, parent)).collect(), *write),
            Source::Children(kind, fields, write) => Bound::Children(kind, fields, OnceCell::new(), *write),
            Source::Missing(_) => Bound::Nothing,
        }
    }

    /// Calls `each` for every field named, with whether it is the parent's.
    pub(crate) fn names(&self, each: &mut dyn FnMut(&'static str, bool)) {
        match self {
            Source::Field(name) | Source::Pair(name) => each(name, false),
            Source::Parent(name) => each(name, true),
            Source::With(sources, _) => sources.iter().for_each(|s| s.names(each)),
            Source::Common(_) | Source::Const(_) | Source::Children(..) | Source::Missing(_) => {}
        }
    }
}

/// Index of a kind's field.
pub(crate) fn column(kind: &Kind, name: &str) -> Option<usize> {
    kind.fields.iter().position(|f| f.name == name)
}

/// The rows of a kind with their columns at hand.
pub(crate) struct Table<'a> {
    pub(crate) rows: &'a dyn AnyRows,
    pub(crate) columns: Vec<&'a dyn Column>,
    pair: Option<usize>,
}

/// How far apart the rows of a request and its answer may stand.
const PAIR_REACH: usize = 32;

impl<'a> Table<'a> {
    pub(crate) fn new(rows: &'a dyn AnyRows) -> Table<'a> {
        Table { rows, columns: rows.columns(), pair: column(rows.kind(), "pair") }
    }

    fn value(&self, column: usize, row: usize) -> Value<'a> {
        self.columns.get(column).map_or(Value::Null, |c| c.value(row))
    }

    /// The row under a key; `from` moves forward, so keys must come in order.
    pub(crate) fn row_of(&self, key: Key, from: &mut usize) -> Option<usize> {
        let stamps = self.rows.stamps();
        *from += stamps.get(*from..)?.iter().take_while(|s| s.key < key).count();
        stamps.get(*from).filter(|s| s.key == key).map(|_| *from)
    }

    /// The rows under a key; `from` moves forward, so keys must come in order.
    pub(crate) fn rows_of(&self, key: Key, from: &mut usize) -> Range<usize> {
        let start = self.row_of(key, from).unwrap_or(*from);
        let same = self.rows.stamps().get(start..).unwrap_or_default().iter().take_while(|s| s.key == key);
        let range = start..start + same.count();
        *from = range.end;
        range
    }

    /// The row of the request or answer that belongs to a row: same flow, each names the other's frame.
    fn partner(&self, row: usize) -> Option<usize> {
        let frame_of_pair = |row| match self.value(self.pair?, row) {
            Value::U64(frame) => Some(frame),
            _ => None,
        };
        let wanted = frame_of_pair(row)?;
        let stamps = self.rows.stamps();
        let stamp = stamps.get(row)?;
        let fits = |other: &usize| {
            *other != row
                && stamps
                    .get(*other)
                    .is_some_and(|s| s.frame == wanted && s.flow.index() == stamp.flow.index() && s.flow != stamp.flow)
                && frame_of_pair(*other) == Some(stamp.frame)
        };
        let near = (1..=PAIR_REACH).flat_map(|d| [row.checked_add(d), row.checked_sub(d)]).flatten();
        near.into_iter().find(fits)
    }
}

/// One row as the views read it.
pub(crate) struct RowCx<'a> {
    pub(crate) out: &'a Out,
    pub(crate) table: &'a Table<'a>,
    pub(crate) stamp: &'a Stamp,
    pub(crate) row: usize,
    pub(crate) pair: Option<usize>,
    pub(crate) parent: Option<(&'a Table<'a>, usize)>,
    /// The child rows of this row, by kind.
    pub(crate) children: &'a [(Table<'a>, Range<usize>)],
    pub(crate) community_id: CommunityId,
}

/// The rows of one child kind that belong to one row.
pub struct ChildRows<'a> {
    table: &'a Table<'a>,
    columns: &'a [Option<usize>],
    /// Which rows.
    pub range: Range<usize>,
}

impl<'a> ChildRows<'a> {
    /// The value of the field at `field` in the source's list.
    pub fn value(&self, field: usize, row: usize) -> Value<'a> {
        self.columns.get(field).copied().flatten().map_or(Value::Null, |c| self.table.value(c, row))
    }
}

impl<'a> RowCx<'a> {
    fn bound_value(&self, place: Place, column: usize) -> Value<'a> {
        match place {
            Place::Own => self.table.value(column, self.row),
            Place::Pair => self.pair.map_or(Value::Null, |row| self.table.value(column, row)),
            Place::Parent => self.parent.map_or(Value::Null, |(table, row)| table.value(column, row)),
        }
    }

    fn value(&self, bound: &Bound) -> Value<'a> {
        match bound {
            Bound::Value(place, column) => self.bound_value(*place, *column),
            Bound::Text(text) => Value::Text(text),
            Bound::Common(Common::Ts) => Value::Ts(self.stamp.ts),
            Bound::Common(Common::IsOrig) => Value::Bool(!self.stamp.flow.reversed()),
            Bound::Common(Common::Proto) => self.flow().map_or(Value::Null, |f| Value::Text(transport(f.ip_proto))),
            Bound::Common(_) | Bound::With(..) | Bound::Children(..) | Bound::Nothing => Value::Null,
        }
    }

    fn flow(&self) -> Option<&'a FlowConst> {
        self.out.flows.get(self.stamp.flow.index())
    }

    /// Fills a cell.
    pub(crate) fn write(&self, bound: &Bound, cell: &mut Cell<'_>) {
        match bound {
            Bound::Value(place, column) => cell.value(self.bound_value(*place, *column)),
            Bound::Text(text) => cell.text(text),
            Bound::Common(common) => self.write_common(*common, cell),
            Bound::With(sources, write) => {
                let mut values = [Value::Null; MOST_SOURCES];
                for (value, source) in values.iter_mut().zip(sources) {
                    *value = self.value(source);
                }
                write(values.get(..sources.len().min(MOST_SOURCES)).unwrap_or_default(), cell);
            }
            Bound::Children(kind, fields, columns, write) => {
                let Some((table, range)) = self.children.iter().find(|(t, _)| t.rows.kind().name == *kind) else {
                    return;
                };
                let find = || fields.iter().map(|f| column(table.rows.kind(), f)).collect();
                write(&ChildRows { table, columns: columns.get_or_init(find), range: range.clone() }, cell);
            }
            Bound::Nothing => {}
        }
    }

    fn write_common(&self, common: Common, cell: &mut Cell<'_>) {
        let Some(flow) = self.flow() else {
            if matches!(common, Common::Ts | Common::PairTs) {
                cell.value(Value::Ts(self.stamp.ts));
            }
            return;
        };
        let reversed = self.stamp.flow.reversed();
        let sender =
            |source: bool| if source == reversed { (flow.dst, flow.dst_port) } else { (flow.src, flow.src_port) };
        let has_ip = !flow.src.is_none() || !flow.dst.is_none();
        let address = |a| if has_ip { Value::Addr(a) } else { Value::Null };
        let port = |p| if has_ip { Value::U64(u64::from(p)) } else { Value::Null };
        let number = |n: Option<u16>| n.map_or(Value::Null, |n| Value::U64(u64::from(n)));
        let ends = || Ends::of(flow, false);
        cell.value(match common {
            Common::Ts => Value::Ts(self.stamp.ts),
            Common::PairTs => {
                let request = self.pair.and_then(|row| self.table.rows.stamps().get(row));
                Value::Ts(request.map_or(self.stamp.ts, |s| s.ts.min(self.stamp.ts)))
            }
            Common::Uid => return write_uid(flow, cell),
            Common::OrigH => address(flow.src),
            Common::OrigP => port(flow.src_port),
            Common::RespH => address(flow.dst),
            Common::RespP => port(flow.dst_port),
            Common::Proto => Value::Text(transport(flow.ip_proto)),
            Common::IsOrig => Value::Bool(!reversed),
            Common::SourceH => address(sender(true).0),
            Common::SourceP => port(sender(true).1),
            Common::DestinationH => address(sender(false).0),
            Common::DestinationP => port(sender(false).1),
            Common::OrigMac => ends().src_mac.map_or(Value::Null, Value::Mac),
            Common::RespMac => ends().dst_mac.map_or(Value::Null, Value::Mac),
            Common::Vlan => number(ends().vlan),
            Common::InnerVlan => number(ends().inner_vlan),
            Common::IpProto => number(ends().ip_proto.map(u16::from)),
            Common::CommunityId => {
                if let Some(id) = self.community_id.text(flow) {
                    cell.text(&id);
                }
                return;
            }
        });
    }
}

fn write_uid(flow: &FlowConst, cell: &mut Cell<'_>) {
    let uid = flow.uid.text();
    cell.text(std::str::from_utf8(&uid).unwrap_or_default());
}

/// Zeek's word for a transport.
fn transport(ip_proto: u8) -> &'static str {
    match ip_proto {
        6 => "tcp",
        17 => "udp",
        1 | 58 => "icmp",
        _ => "unknown_transport",
    }
}

/// A condition bound to a kind.
pub(crate) enum BoundWhen {
    Always,
    OncePerPair(Option<usize>),
    Any(Vec<usize>),
    Within(Option<usize>, u64, u64),
}

impl When {
    pub(crate) fn bind(&self, kind: &Kind) -> BoundWhen {
        match self {
            When::Always => BoundWhen::Always,
            When::OncePerPair => BoundWhen::OncePerPair(column(kind, "is_request")),
            When::Any(names) => BoundWhen::Any(names.iter().filter_map(|n| column(kind, n)).collect()),
            When::Within(name, from, to) => BoundWhen::Within(column(kind, name), *from, *to),
        }
    }

    pub(crate) fn names(&self, each: &mut dyn FnMut(&'static str, bool)) {
        match self {
            When::Any(names) => names.iter().for_each(|n| each(n, false)),
            When::Within(name, ..) => each(name, false),
            When::Always | When::OncePerPair => {}
        }
    }
}

impl BoundWhen {
    /// Whether the row makes a line.
    pub(crate) fn holds(&self, table: &Table<'_>, row: usize, pair: Option<usize>) -> bool {
        match self {
            BoundWhen::Always => true,
            BoundWhen::OncePerPair(is_request) => {
                pair.is_none() || is_request.is_none_or(|c| matches!(table.value(c, row), Value::Bool(true)))
            }
            BoundWhen::Any(columns) => columns.iter().any(|c| !matches!(table.value(*c, row), Value::Null)),
            BoundWhen::Within(column, from, to) => column.is_some_and(|c| match table.value(c, row) {
                Value::U64(n) => (*from..=*to).contains(&n),
                _ => false,
            }),
        }
    }
}

/// A view's need of partners: looked for only when a source or condition asks.
pub(crate) fn wants_pair(bounds: &[Bound], when: &BoundWhen) -> bool {
    fn pair(bound: &Bound) -> bool {
        match bound {
            Bound::Value(place, _) => *place == Place::Pair,
            Bound::With(sources, _) => sources.iter().any(pair),
            Bound::Common(_) | Bound::Text(_) | Bound::Children(..) | Bound::Nothing => false,
        }
    }
    matches!(when, BoundWhen::OncePerPair(_)) || bounds.iter().any(pair)
}

/// The partner's row where a view wants one.
pub(crate) fn partner(table: &Table<'_>, row: usize, wanted: bool) -> Option<usize> {
    if wanted { table.partner(row) } else { None }
}

/// A moment later by a span held in a column, as answers are later than their question.
pub(crate) fn later(ts: Ts, by: Value<'_>) -> Ts {
    match by {
        Value::Span(Span(ns)) => ts.plus(ns),
        _ => ts,
    }
}

/// Writes a number's low bits that are set as words, in the order of `words`.
pub(crate) fn bit_names(n: u64, words: &'static [(u64, &'static str)]) -> impl Iterator<Item = &'static str> {
    words.iter().filter(move |(bit, _)| n & bit != 0).map(|(_, word)| *word)
}

/// Appends a JSON key, with a comma unless it is the first member.
pub(crate) fn json_key(out: &mut Vec<u8>, name: &str) {
    if out.last() != Some(&b'{') {
        out.push(b',');
    }
    text::json_string(out, name);
    out.push(b':');
}
