//! STIX patterns (STIX 2.1 §9): parsed whole, evaluated over what records show; what a network cannot show is listed, never dropped.

mod eval;
mod parse;

use std::sync::Arc;

use gwcore::Ts;

pub use eval::Observed;
pub(crate) use eval::{Seen, State, supports};
pub(crate) use parse::parse;

use crate::store::Tlp;
use crate::value::Kind;

/// Why a pattern is not one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what} at character {at}")]
pub struct PatternError {
    /// Place in the pattern, from 1.
    pub at: usize,
    /// What is wrong.
    pub what: String,
}

/// A literal.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Literal {
    Text(String),
    Int(i64),
    Float(f64),
    Bool(bool),
    Time(Ts),
    Bytes(Vec<u8>),
}

/// How a value is compared.
#[derive(Clone, Debug)]
pub(crate) enum Test {
    Equal(Literal),
    NotEqual(Literal),
    Less(Literal),
    LessOrEqual(Literal),
    Greater(Literal),
    GreaterOrEqual(Literal),
    In(Vec<Literal>),
    Like(String),
    Matches(Box<regex::Regex>),
    IsSubset(crate::Net),
    IsSuperset(crate::Net),
    Exists,
}

/// A comparison within one observation.
#[derive(Clone, Debug)]
pub(crate) enum Compare {
    /// Object type, path within it (list steps as `*` or a number), negated or not.
    Test {
        object: String,
        path: String,
        negated: bool,
        test: Test,
    },
    And(Vec<Compare>),
    Or(Vec<Compare>),
}

/// A combination of observations.
#[derive(Clone, Debug)]
pub(crate) enum Expr {
    /// One observation, by its number among the pattern's.
    One(usize),
    And(Box<Expr>, Box<Expr>),
    Or(Box<Expr>, Box<Expr>),
    FollowedBy(Box<Expr>, Box<Expr>),
    /// All within so many nanoseconds.
    Within(Box<Expr>, i64),
    /// So often.
    Repeats(Box<Expr>, u32),
    /// All from a moment on and before another.
    Between(Box<Expr>, Ts, Ts),
}

/// A parsed pattern.
#[derive(Clone, Debug)]
pub(crate) struct Parsed {
    pub(crate) leaves: Vec<Compare>,
    pub(crate) expr: Expr,
}

/// A pattern that is evaluated as such, with what is said of it.
#[derive(Clone, Debug)]
pub struct Pattern {
    /// The text.
    pub text: String,
    /// Its id.
    pub id: String,
    /// Who says so.
    pub source: String,
    /// What it is said to be.
    pub label: String,
    /// 0–100, where stated.
    pub confidence: Option<u8>,
    /// Who may be told.
    pub tlp: Tlp,
    /// From when on it holds.
    pub from: Option<Ts>,
    /// Until when.
    pub until: Option<Ts>,
    pub(crate) parsed: Arc<Parsed>,
}

impl Pattern {
    /// Whether it holds at a moment.
    pub fn holds_at(&self, ts: Ts) -> bool {
        self.from.is_none_or(|f| f <= ts) && self.until.is_none_or(|u| ts < u)
    }
}

/// What becomes of a pattern.
pub(crate) enum Use {
    /// Values, any one of which suffices.
    Values(Vec<(Kind, String)>),
    /// More than values.
    Evaluate(Parsed),
    /// Nothing of it can be seen.
    Nothing,
}

/// Reduces a pattern to what can be seen on a network; the reasons name each part that cannot.
pub(crate) fn reduce(parsed: Parsed, reasons: &mut Vec<String>) -> Use {
    let leaves: Vec<Option<Compare>> = parsed.leaves.into_iter().map(|l| seen(l, reasons)).collect();
    let Some(expr) = seen_expr(&parsed.expr, &leaves) else { return Use::Nothing };
    let mut values = Vec::new();
    if is_values(&expr, &leaves, &mut values) {
        return Use::Values(values);
    }
    let leaves = leaves.into_iter().map(|l| l.unwrap_or(Compare::Or(Vec::new()))).collect();
    Use::Evaluate(Parsed { leaves, expr })
}

/// The part of a comparison that can be seen; none when without the rest nothing is left.
fn seen(compare: Compare, reasons: &mut Vec<String>) -> Option<Compare> {
    match compare {
        Compare::Test { ref object, ref path, .. } => match supports(object, path) {
            true => Some(compare),
            false => {
                reasons.push(format!("`{object}:{path}` is in no record of the network"));
                None
            }
        },
        Compare::And(parts) => {
            let whole = parts.len();
            let kept: Vec<Compare> = parts.into_iter().filter_map(|p| seen(p, reasons)).collect();
            (kept.len() == whole).then_some(Compare::And(kept))
        }
        Compare::Or(parts) => {
            let mut kept: Vec<Compare> = parts.into_iter().filter_map(|p| seen(p, reasons)).collect();
            match kept.len() {
                0 => None,
                1 => kept.pop(),
                _ => Some(Compare::Or(kept)),
            }
        }
    }
}

fn seen_expr(expr: &Expr, leaves: &[Option<Compare>]) -> Option<Expr> {
    let go = |e: &Expr| seen_expr(e, leaves).map(Box::new);
    Some(match expr {
        Expr::One(i) => {
            leaves.get(*i)?.as_ref()?;
            Expr::One(*i)
        }
        Expr::And(a, b) => Expr::And(go(a)?, go(b)?),
        Expr::FollowedBy(a, b) => Expr::FollowedBy(go(a)?, go(b)?),
        Expr::Or(a, b) => match (go(a), go(b)) {
            (Some(a), Some(b)) => Expr::Or(a, b),
            (Some(one), None) | (None, Some(one)) => *one,
            (None, None) => return None,
        },
        Expr::Within(e, n) => Expr::Within(go(e)?, *n),
        Expr::Repeats(e, n) => Expr::Repeats(go(e)?, *n),
        Expr::Between(e, a, b) => Expr::Between(go(e)?, *a, *b),
    })
}

fn is_values(expr: &Expr, leaves: &[Option<Compare>], values: &mut Vec<(Kind, String)>) -> bool {
    match expr {
        Expr::One(i) => leaves.get(*i).and_then(Option::as_ref).is_some_and(|l| values_of(l, values)),
        Expr::Or(a, b) => is_values(a, leaves, values) && is_values(b, leaves, values),
        _ => false,
    }
}

/// Adds the values of a comparison that is nothing but equality with values, any of which suffices.
fn values_of(compare: &Compare, values: &mut Vec<(Kind, String)>) -> bool {
    match compare {
        Compare::Or(parts) => parts.iter().all(|p| values_of(p, values)),
        Compare::And(parts) => matches!(&parts[..], [one] if values_of(one, values)),
        Compare::Test { object, path, negated: false, test } => {
            let mut add = |text: &str| match kind_of(object, path, text) {
                Some(kind) => {
                    values.push((kind, text.to_owned()));
                    true
                }
                None => false,
            };
            match test {
                Test::Equal(Literal::Text(t)) => add(t),
                Test::In(all) => all.iter().all(|l| matches!(l, Literal::Text(t) if add(t))),
                Test::IsSubset(net) if path == "value" && object.starts_with("ipv") => {
                    values.push(match net.is_one() {
                        true => (Kind::Address, net.base.to_string()),
                        false => (Kind::Network, net.text()),
                    });
                    true
                }
                _ => false,
            }
        }
        Compare::Test { .. } => false,
    }
}

fn kind_of(object: &str, path: &str, value: &str) -> Option<Kind> {
    let hash = |md5, sha1, sha256| match path.to_ascii_lowercase().replace('-', "").as_str() {
        "hashes.md5" => md5,
        "hashes.sha1" => Some(sha1),
        "hashes.sha256" => Some(sha256),
        _ => None,
    };
    match (object, path) {
        ("ipv4-addr" | "ipv6-addr", "value") => {
            crate::Net::parse(value).map(|n| if n.is_one() { Kind::Address } else { Kind::Network })
        }
        ("domain-name", "value") => Some(Kind::Domain),
        ("url", "value") => Some(Kind::Url),
        ("file", _) => hash(Some(Kind::Md5), Kind::Sha1, Kind::Sha256),
        ("x509-certificate", _) => hash(None, Kind::CertSha1, Kind::CertSha256),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
