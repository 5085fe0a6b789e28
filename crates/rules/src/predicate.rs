//! Predicates over one row of a record kind.

use gwcore::{Addr, AnyRows, Column, Ends, Names, Out, Span, Stamp, Value};

use crate::source::{Part, Place};
use crate::strings::Glob;

/// A compiled detection.
#[derive(Debug)]
pub(crate) enum Predicate {
    And(Vec<Predicate>),
    Or(Vec<Predicate>),
    Not(Box<Predicate>),
    /// A field, how its name is written in the rule, and what its value must be.
    Field(Place, Box<str>, Test),
    /// Any text of the row.
    Anywhere(Glob),
}

/// What a value must be.
#[derive(Debug)]
pub(crate) enum Test {
    Glob(Glob),
    /// Any of many plain texts, in lower case.
    OneOf(std::collections::HashSet<String>),
    Number(f64),
    Less(f64, bool),
    Greater(f64, bool),
    Regex(regex::Regex),
    Net(Addr, u8),
    Null,
    Exists(bool),
    /// Equal to, or starting with, ending in, containing the value of another field.
    Same(Place, Affix),
    /// Minute, hour, day, week, month or year of a moment.
    Clock(Unit, i64),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Affix {
    Whole,
    Start,
    End,
    Inside,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unit {
    Minute,
    Hour,
    Day,
    Week,
    Month,
    Year,
}

/// One row, its values as text made when they are asked for.
pub(crate) struct Row<'a> {
    pub(crate) rows: &'a dyn AnyRows,
    pub(crate) columns: Vec<&'a dyn Column>,
    pub(crate) row: usize,
    pub(crate) stamp: &'a Stamp,
    ends: Option<Ends>,
    out: &'a Out,
}

/// A value of a row.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Cell<'a> {
    Null,
    Text(std::borrow::Cow<'a, str>),
    Number(f64, String),
    Bool(bool),
    Addr(Addr),
    Moment(gwcore::Ts),
}

impl Cell<'_> {
    pub(crate) fn text(&self) -> std::borrow::Cow<'_, str> {
        match self {
            Cell::Null => "".into(),
            Cell::Text(t) => t.as_ref().into(),
            Cell::Number(_, t) => t.as_str().into(),
            Cell::Bool(true) => "true".into(),
            Cell::Bool(false) => "false".into(),
            Cell::Addr(a) => a.to_string().into(),
            Cell::Moment(t) => t.to_string().into(),
        }
    }

    fn number(&self) -> Option<f64> {
        match self {
            Cell::Number(n, _) => Some(*n),
            Cell::Text(t) => t.trim().parse().ok(),
            _ => None,
        }
    }
}

fn cell(value: Value<'_>) -> Cell<'_> {
    match value {
        Value::Null | Value::List(..) => Cell::Null,
        Value::Bool(b) => Cell::Bool(b),
        Value::U64(n) => Cell::Number(n as f64, n.to_string()),
        Value::I64(n) => Cell::Number(n as f64, n.to_string()),
        Value::F64(n) => Cell::Number(n, n.to_string()),
        Value::Text(t) => Cell::Text(t.into()),
        Value::Hex(b) => Cell::Text(b.iter().map(|b| format!("{b:02x}")).collect::<String>().into()),
        Value::Addr(a) => Cell::Addr(a),
        Value::Mac(m) => Cell::Text(m.to_string().into()),
        Value::Ts(t) => Cell::Moment(t),
        Value::Span(Span(ns)) => Cell::Number(ns as f64 / 1e9, (ns as f64 / 1e9).to_string()),
    }
}

/// Elements of a list that are looked at.
const ELEMENTS: usize = 4_096;

impl<'a> Row<'a> {
    pub(crate) fn new(
        out: &'a Out,
        rows: &'a dyn AnyRows,
        columns: &[&'a dyn Column],
        row: usize,
        stamp: &'a Stamp,
    ) -> Row<'a> {
        Row { rows, columns: columns.to_vec(), row, stamp, ends: None, out }
    }

    /// Goes on to another row of the same kind.
    pub(crate) fn at(&mut self, row: usize, stamp: &'a Stamp) {
        (self.row, self.stamp, self.ends) = (row, stamp, None);
    }

    fn own(&self, i: usize) -> Value<'a> {
        match self.columns.get(i).copied() {
            Some(column) => column.value(self.row),
            None => Value::Null,
        }
    }

    fn ends(&mut self) -> Ends {
        let (out, rows, stamp) = (self.out, self.rows, self.stamp);
        *self.ends.get_or_insert_with(|| Ends::of_row(out, stamp, rows.kind().grain))
    }

    /// Gives each value of a place (a list has several) until one suffices; no value at all gives null.
    pub(crate) fn each(&mut self, place: Place, give: &mut dyn FnMut(&Cell<'_>) -> bool) -> bool {
        match place {
            Place::Common(i) => {
                let one = self.common(i);
                give(&one)
            }
            Place::Own(i) => match self.own(i) {
                Value::List(inner, from, to) if from < to => {
                    (from..to.min(from + ELEMENTS)).any(|n| give(&cell(inner.value(n))))
                }
                value => give(&cell(value)),
            },
            Place::Url(host, uri) => match (self.own(host), self.own(uri)) {
                (_, Value::Text(uri)) if uri.contains("://") => give(&Cell::Text(uri.into())),
                (Value::Text(host), Value::Text(uri)) => give(&Cell::Text(format!("http://{host}{uri}").into())),
                (_, Value::Text(uri)) => give(&Cell::Text(uri.into())),
                _ => give(&Cell::Null),
            },
            Place::Target(uri, part) => match self.own(uri) {
                Value::Text(uri) => {
                    let (stem, query) = uri.split_once('?').unwrap_or((uri, ""));
                    let text = match part {
                        Part::Stem => stem,
                        Part::Query => query,
                        Part::Extension => {
                            let name = stem.rsplit('/').next().unwrap_or_default();
                            name.rsplit_once('.').map_or("", |(_, e)| e)
                        }
                    };
                    give(&Cell::Text(text.into()))
                }
                _ => give(&Cell::Null),
            },
        }
    }

    /// The first value of a place as text; empty for none.
    pub(crate) fn text(&mut self, place: Place) -> String {
        let mut text = String::new();
        self.each(place, &mut |c| {
            text = c.text().into_owned();
            true
        });
        text
    }

    fn common(&mut self, i: usize) -> Cell<'a> {
        let e = self.ends();
        let number = |n: Option<u64>| n.map_or(Cell::Null, |n| Cell::Number(n as f64, n.to_string()));
        let text = |t: Option<String>| t.map_or(Cell::Null, |t| Cell::Text(t.into()));
        match i {
            0 => Cell::Moment(self.stamp.ts),
            1 => text(e.uid.map(|u| u.to_string())),
            2 => e.src_ip.map_or(Cell::Null, Cell::Addr),
            3 => number(e.src_port.map(u64::from)),
            4 => e.dst_ip.map_or(Cell::Null, Cell::Addr),
            5 => number(e.dst_port.map(u64::from)),
            6 => text(e.src_mac.map(|m| m.to_string())),
            7 => text(e.dst_mac.map(|m| m.to_string())),
            8 => number(e.vlan.map(u64::from)),
            9 => number(e.inner_vlan.map(u64::from)),
            10 => number(e.ip_proto.map(u64::from)),
            11 => text(e.file_name(Names::default()).map(str::to_owned)),
            12 => number(gwcore::common::frame_of(self.stamp)),
            _ => text(e.interface_name(Names::default()).map(str::to_owned)),
        }
    }
}

impl Predicate {
    /// Whether a row meets it.
    pub(crate) fn is_met(&self, row: &mut Row<'_>) -> bool {
        match self {
            Predicate::And(parts) => parts.iter().all(|p| p.is_met(row)),
            Predicate::Or(parts) => parts.iter().any(|p| p.is_met(row)),
            Predicate::Not(inner) => !inner.is_met(row),
            Predicate::Field(place, _, Test::Same(other, affix)) => {
                let other = row.text(*other).to_lowercase();
                row.each(*place, &mut |c| {
                    let text = c.text().to_lowercase();
                    !text.is_empty()
                        && match affix {
                            Affix::Whole => text == other,
                            Affix::Start => text.starts_with(&other),
                            Affix::End => text.ends_with(&other),
                            Affix::Inside => text.contains(&other),
                        }
                })
            }
            // A list that holds anything is not null, so null asks of the place as a whole.
            Predicate::Field(place, _, test) => row.each(*place, &mut |c| test.is_met(c)),
            Predicate::Anywhere(glob) => (0..row.columns.len()).any(|i| {
                row.each(Place::Own(i), &mut |c| match c {
                    Cell::Text(t) => glob.is_met(t, &t.to_lowercase()),
                    Cell::Addr(_) => {
                        let t = c.text();
                        glob.is_met(&t, &t)
                    }
                    _ => false,
                })
            }),
        }
    }

    /// The fields of the rule that speak of this row, with their values: what the finding shows.
    pub(crate) fn explain(&self, row: &mut Row<'_>, out: &mut Vec<(String, String)>) {
        if out.len() >= 12 {
            return;
        }
        match self {
            Predicate::And(parts) | Predicate::Or(parts) => {
                for p in parts {
                    if p.is_met(row) {
                        p.explain(row, out);
                    }
                }
            }
            Predicate::Field(place, name, test) => {
                let mut value = String::new();
                row.each(*place, &mut |c| {
                    let met = matches!(test, Test::Same(..)) || test.is_met(c);
                    if met {
                        value = c.text().chars().take(200).collect();
                    }
                    met
                });
                if !out.iter().any(|(n, _)| **n == **name) {
                    out.push((name.to_string(), value));
                }
            }
            Predicate::Anywhere(glob) => {
                let mut found = String::new();
                for i in 0..row.columns.len() {
                    row.each(Place::Own(i), &mut |c| {
                        let t = c.text();
                        let met = glob.is_met(&t, &t.to_lowercase());
                        if met && found.is_empty() {
                            found = t.chars().take(200).collect();
                        }
                        met
                    });
                }
                out.push(("text".into(), found));
            }
            Predicate::Not(_) => {}
        }
    }
}

impl Test {
    fn is_met(&self, c: &Cell<'_>) -> bool {
        let is_null = matches!(c, Cell::Null);
        match self {
            Test::Null => is_null,
            Test::Exists(wanted) => is_null != *wanted,
            _ if is_null => false,
            Test::Glob(glob) => {
                let text = c.text();
                glob.is_met(&text, &text.to_lowercase())
            }
            Test::OneOf(all) => all.contains(&c.text().to_lowercase()),
            Test::Number(n) => c.number() == Some(*n),
            Test::Less(n, or_equal) => c.number().is_some_and(|v| v < *n || (*or_equal && v == *n)),
            Test::Greater(n, or_equal) => c.number().is_some_and(|v| v > *n || (*or_equal && v == *n)),
            Test::Regex(regex) => regex.is_match(&c.text()),
            Test::Net(base, bits) => match c {
                Cell::Addr(a) => within(*a, *base, *bits),
                _ => c.text().parse::<std::net::IpAddr>().is_ok_and(|a| within(a.into(), *base, *bits)),
            },
            Test::Clock(unit, n) => match c {
                Cell::Moment(t) => clock(*t, *unit) == *n,
                _ => false,
            },
            Test::Same(..) => false,
        }
    }
}

/// Whether an address begins with the first `bits` bits of a base.
fn within(a: Addr, base: Addr, bits: u8) -> bool {
    let keep = if bits == 0 { 0 } else { u128::MAX << (128 - u32::from(bits.min(128))) };
    u128::from_be_bytes(a.0) & keep == u128::from_be_bytes(base.0) & keep
}

fn clock(t: gwcore::Ts, unit: Unit) -> i64 {
    use gwcore::time::{HOUR, MINUTE, civil};
    let days = t.0.div_euclid(24 * HOUR);
    let (year, month, day) = civil(days);
    match unit {
        Unit::Minute => t.0.div_euclid(MINUTE).rem_euclid(60),
        Unit::Hour => t.0.div_euclid(HOUR).rem_euclid(24),
        Unit::Day => day,
        Unit::Month => month,
        Unit::Year => year,
        // ISO 8601: the week of the year's Thursday.
        Unit::Week => {
            let thursday = days - (days + 3).rem_euclid(7) + 3;
            let (year, ..) = civil(thursday);
            (thursday - gwcore::time::days_from_civil(year, 1, 1)) / 7 + 1
        }
    }
}
