//! Evaluation: which observation satisfies which part of a pattern, and which of those together satisfy the whole.

use std::collections::VecDeque;

use gwcore::{Addr, Ts};

use super::{Compare, Expr, Literal, Parsed, Test};
use crate::Net;

/// A value of an observed object.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Seen<'a> {
    Text(&'a str),
    Owned(String),
    Int(i64),
    Addr(Addr),
    Time(Ts),
}

/// What one record shows, as objects of STIX with their properties.
#[derive(Default)]
pub struct Observed<'a> {
    /// Object type, number of the object within the observation, path, value.
    values: Vec<(&'static str, u8, &'static str, Seen<'a>)>,
}

impl<'a> Observed<'a> {
    pub(crate) fn push(&mut self, object: &'static str, number: u8, path: &'static str, value: Seen<'a>) {
        self.values.push((object, number, path, value));
    }

    pub(crate) fn clear(&mut self) {
        self.values.clear();
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.values.is_empty()
    }
}

/// Object types and paths that records fill; see `observe.rs`.
pub(crate) const PATHS: &[(&str, &[&str])] = &[
    ("ipv4-addr", &["value"]),
    ("ipv6-addr", &["value"]),
    ("mac-addr", &["value"]),
    ("domain-name", &["value", "resolves_to_refs[*].value"]),
    ("url", &["value"]),
    ("file", &["hashes.MD5", "hashes.SHA-1", "hashes.SHA-256", "size", "mime_type"]),
    (
        "network-traffic",
        &[
            "src_ref.value",
            "dst_ref.value",
            "src_ref.type",
            "dst_ref.type",
            "src_port",
            "dst_port",
            "protocols[*]",
            "extensions.http-request-ext.request_method",
            "extensions.http-request-ext.request_value",
            "extensions.http-request-ext.request_version",
            "extensions.http-request-ext.request_header.User-Agent",
            "extensions.http-request-ext.request_header.Host",
            "extensions.http-request-ext.request_header.Referer",
        ],
    ),
    (
        "x509-certificate",
        &[
            "hashes.SHA-1",
            "hashes.SHA-256",
            "serial_number",
            "subject",
            "issuer",
            "validity_not_before",
            "validity_not_after",
        ],
    ),
    ("user-account", &["user_id", "account_login"]),
];

/// Whether records can show this.
pub(crate) fn supports(object: &str, path: &str) -> bool {
    PATHS.iter().any(|(o, paths)| *o == object && paths.iter().any(|p| same_path(p, path)))
}

/// Hash names are written in several ways; a numbered step of a list may be any.
fn same_path(known: &str, asked: &str) -> bool {
    let plain = |s: &str| s.to_ascii_lowercase().replace(['-', '\''], "");
    known == asked || (known.starts_with("hashes.") && plain(known) == plain(asked))
}

impl Compare {
    /// Whether an observation satisfies it: all parts of an AND on one object.
    pub(crate) fn is_met(&self, seen: &Observed<'_>) -> bool {
        match self {
            Compare::Or(parts) => parts.iter().any(|p| p.is_met(seen)),
            _ => {
                let Some(object) = self.object() else { return false };
                let mut numbers: Vec<u8> =
                    seen.values.iter().filter(|(o, ..)| *o == object).map(|(_, n, ..)| *n).collect();
                numbers.dedup();
                numbers.into_iter().any(|n| self.is_met_by(object, n, seen))
            }
        }
    }

    fn object(&self) -> Option<&str> {
        match self {
            Compare::Test { object, .. } => Some(object),
            Compare::And(parts) | Compare::Or(parts) => parts.first().and_then(Compare::object),
        }
    }

    fn is_met_by(&self, of: &str, number: u8, seen: &Observed<'_>) -> bool {
        match self {
            Compare::And(parts) => parts.iter().all(|p| p.is_met_by(of, number, seen)),
            Compare::Or(parts) => parts.iter().any(|p| p.is_met_by(of, number, seen)),
            Compare::Test { object, path, negated, test } => {
                object == of
                    && seen
                        .values
                        .iter()
                        .filter(|(o, n, p, _)| *o == of && *n == number && same_path(p, path))
                        .any(|(.., v)| test.is_met(v).is_some_and(|met| met != *negated))
            }
        }
    }
}

impl Test {
    /// Whether a value passes; none where the two cannot be compared.
    fn is_met(&self, v: &Seen<'_>) -> Option<bool> {
        use std::cmp::Ordering::{Equal, Greater, Less};
        let order = |l: &Literal| compare(v, l);
        Some(match self {
            Test::Exists => true,
            Test::Equal(l) => order(l)? == Equal,
            Test::NotEqual(l) => order(l)? != Equal,
            Test::Less(l) => order(l)? == Less,
            Test::LessOrEqual(l) => order(l)? != Greater,
            Test::Greater(l) => order(l)? == Greater,
            Test::GreaterOrEqual(l) => order(l)? != Less,
            Test::In(all) => all.iter().any(|l| order(l) == Some(Equal)),
            Test::Like(pattern) => like(pattern, &text(v)),
            Test::Matches(regex) => regex.is_match(&text(v)),
            Test::IsSubset(net) => net.covers(&network(v)?),
            Test::IsSuperset(net) => network(v)?.covers(net),
        })
    }
}

fn text<'a>(v: &'a Seen<'_>) -> std::borrow::Cow<'a, str> {
    match v {
        Seen::Text(t) => (*t).into(),
        Seen::Owned(t) => t.as_str().into(),
        Seen::Int(n) => n.to_string().into(),
        Seen::Addr(a) => a.to_string().into(),
        Seen::Time(t) => t.to_string().into(),
    }
}

fn network(v: &Seen<'_>) -> Option<Net> {
    match v {
        Seen::Addr(a) => Some(Net { base: *a, bits: 128 }),
        v => Net::parse(&text(v)),
    }
}

fn compare(v: &Seen<'_>, literal: &Literal) -> Option<std::cmp::Ordering> {
    match (v, literal) {
        (Seen::Int(a), Literal::Int(b)) => Some(a.cmp(b)),
        (Seen::Int(a), Literal::Float(b)) => (*a as f64).partial_cmp(b),
        (Seen::Time(a), Literal::Time(b)) => Some(a.cmp(b)),
        (Seen::Time(a), Literal::Text(b)) => Some(a.cmp(&gwcore::time::parse_rfc3339(b)?)),
        (Seen::Addr(a), Literal::Text(b)) => {
            let net = Net::parse(b)?;
            Some(if net.has(*a) { std::cmp::Ordering::Equal } else { a.cmp(&net.base) })
        }
        (Seen::Text(_) | Seen::Owned(_), Literal::Text(b)) => Some(text(v).as_ref().cmp(b.as_str())),
        (Seen::Text(_) | Seen::Owned(_), Literal::Bytes(b)) => Some(text(v).as_bytes().cmp(b)),
        (Seen::Text(_) | Seen::Owned(_), Literal::Bool(b)) => {
            Some(text(v).as_ref().cmp(if *b { "true" } else { "false" }))
        }
        _ => None,
    }
}

/// SQL's LIKE: `%` any characters, `_` one. Linear in the product of both lengths at worst.
fn like(pattern: &str, text: &str) -> bool {
    let (p, t): (Vec<char>, Vec<char>) = (pattern.chars().collect(), text.chars().collect());
    let (mut i, mut j, mut star, mut mark) = (0, 0, None, 0);
    while j < t.len() {
        match p.get(i) {
            Some('%') => {
                star = Some(i);
                mark = j;
                i += 1;
            }
            Some(c) if *c == '_' || t.get(j) == Some(c) => {
                i += 1;
                j += 1;
            }
            _ => match star {
                Some(s) => {
                    i = s + 1;
                    mark += 1;
                    j = mark;
                }
                None => return false,
            },
        }
    }
    p.get(i..).unwrap_or_default().iter().all(|c| *c == '%')
}

/// Observations kept of each part of a pattern; the oldest is forgotten.
const KEPT: usize = 64;
/// Combinations looked at for each part of an expression.
const COMBINATIONS: usize = 64;

/// What a pattern has seen so far.
pub(crate) struct State {
    /// By part: number and time of the observations that satisfy it.
    seen: Vec<VecDeque<(u64, Ts)>>,
    next: u64,
}

/// Observations that together satisfy an expression, by number, and the time they span.
#[derive(Clone)]
struct Bound {
    ids: Vec<u64>,
    first: Ts,
    last: Ts,
}

impl State {
    pub(crate) fn new(parsed: &Parsed) -> State {
        State { seen: vec![VecDeque::new(); parsed.leaves.len()], next: 0 }
    }

    /// Whether this observation completes the pattern.
    pub(crate) fn see(&mut self, parsed: &Parsed, ts: Ts, observed: &Observed<'_>) -> bool {
        let is_new: Vec<bool> = parsed.leaves.iter().map(|l| l.is_met(observed)).collect();
        if !is_new.contains(&true) {
            return false;
        }
        if let Expr::One(i) = parsed.expr {
            return is_new.get(i).copied().unwrap_or(false);
        }
        let id = self.next;
        self.next += 1;
        for (kept, _) in self.seen.iter_mut().zip(&is_new).filter(|(_, new)| **new) {
            if kept.len() >= KEPT {
                kept.pop_front();
            }
            kept.push_back((id, ts));
        }
        self.bind(&parsed.expr).iter().any(|b| b.ids.contains(&id))
    }

    fn bind(&self, expr: &Expr) -> Vec<Bound> {
        let mut out = match expr {
            Expr::One(i) => {
                let one = |(id, ts): &(u64, Ts)| Bound { ids: vec![*id], first: *ts, last: *ts };
                self.seen.get(*i).map(|kept| kept.iter().rev().map(one).collect()).unwrap_or_default()
            }
            Expr::Or(a, b) => {
                let mut both = self.bind(a);
                both.extend(self.bind(b));
                both.sort_by_key(|b| std::cmp::Reverse(b.ids.iter().max().copied()));
                both
            }
            Expr::And(a, b) => join(&self.bind(a), &self.bind(b), |_, _| true),
            Expr::FollowedBy(a, b) => join(&self.bind(a), &self.bind(b), |a, b| a.last <= b.first),
            Expr::Within(e, span) => {
                let mut all = self.bind(e);
                all.retain(|b| b.last.since(b.first) <= *span);
                all
            }
            Expr::Between(e, from, to) => {
                let mut all = self.bind(e);
                all.retain(|b| b.first >= *from && b.last < *to);
                all
            }
            Expr::Repeats(e, n) => {
                let mut all = self.bind(e);
                all.sort_by_key(|b| (b.first, b.ids.first().copied()));
                let mut apart: Vec<Bound> = Vec::new();
                for b in all {
                    if apart.last().is_none_or(|l| l.ids.iter().all(|i| !b.ids.contains(i))) {
                        apart.push(b);
                    }
                }
                let n = *n as usize;
                apart.windows(n).rev().map(|w| w.iter().skip(1).fold(first(w), |a, b| merged(&a, b))).collect()
            }
        };
        out.truncate(COMBINATIONS);
        out
    }
}

fn first(w: &[Bound]) -> Bound {
    w.first().cloned().unwrap_or(Bound { ids: Vec::new(), first: Ts(0), last: Ts(0) })
}

fn merged(a: &Bound, b: &Bound) -> Bound {
    let mut ids = a.ids.clone();
    ids.extend(&b.ids);
    Bound { ids, first: a.first.min(b.first), last: a.last.max(b.last) }
}

fn join(a: &[Bound], b: &[Bound], fits: impl Fn(&Bound, &Bound) -> bool) -> Vec<Bound> {
    let apart = |x: &Bound, y: &Bound| x.ids.iter().all(|i| !y.ids.contains(i));
    let pairs = b.iter().flat_map(|y| a.iter().map(move |x| (x, y)));
    pairs.filter(|(x, y)| apart(x, y) && fits(x, y)).take(COMBINATIONS).map(|(x, y)| merged(x, y)).collect()
}
