//! Correlation rules: events counted, values counted, rules that come together or in order, by group and within a span of packet time.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};

use gwcore::{AgedTable, Limit, Severity, Ts};

use crate::compile::Fault;
use crate::load::{Rule, severity, techniques, text};
use crate::source::Place;
use crate::yaml::{Body, Node};

/// Groups followed at once; the oldest is forgotten.
const GROUPS: usize = 65_536;
/// Events kept of a group; the oldest is forgotten, so that a threshold beyond this is refused.
const EVENTS: usize = 4_096;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Type {
    EventCount,
    ValueCount,
    Temporal,
    TemporalOrdered,
}

/// A correlation.
pub(crate) struct Correlation {
    pub(crate) id: String,
    pub(crate) title: String,
    pub(crate) description: String,
    pub(crate) severity: Severity,
    pub(crate) attack: &'static [&'static str],
    pub(crate) innocent: String,
    pub(crate) place: (PathBuf, usize),
    /// Places of its rules.
    pub(crate) parts: Vec<usize>,
    pub(crate) generate: bool,
    ty: Type,
    /// By rule: where the fields of the group stand, and the one that is counted.
    group: Vec<Vec<Place>>,
    field: Vec<Option<Place>>,
    pub(crate) group_names: Vec<String>,
    span: i64,
    /// Lower and upper bound, both allowed.
    at_least: u64,
    at_most: u64,
}

impl Correlation {
    pub(crate) fn of(path: &Path, node: &Node, rules: &[Rule]) -> Result<Correlation, Fault> {
        let c = node.get("correlation").ok_or((node.line, "no correlation".to_owned()))?;
        let line = c.line;
        let ty = match text(c, "type") {
            "event_count" => Type::EventCount,
            "value_count" => Type::ValueCount,
            "temporal" => Type::Temporal,
            "temporal_ordered" | "ordered_temporal" => Type::TemporalOrdered,
            other => return Err((line, format!("correlation of type `{other}` is not read"))),
        };
        let mut parts = Vec::new();
        for name in c.texts("rules") {
            match rules.iter().position(|r| r.id == name || (!r.name.is_empty() && r.name == name)) {
                Some(i) => parts.push(i),
                None => return Err((line, format!("the rule `{name}` is not loaded, or is a correlation itself"))),
            }
        }
        if parts.is_empty() {
            return Err((line, "a correlation names its rules".into()));
        }
        let span = span(text(c, "timespan")).ok_or((line, "`timespan` is a number with s, m, h or d".to_owned()))?;
        let condition = c.get("condition");
        let (at_least, at_most) = bounds(condition, ty, parts.len(), line)?;
        if at_least > EVENTS as u64 {
            return Err((line, format!("a threshold of more than {EVENTS} events in a group")));
        }
        let group_names: Vec<String> = c.texts("group-by").into_iter().map(str::to_owned).collect();
        let alias = |name: &str, rule: &Rule| {
            let named = c.get("aliases").and_then(|a| a.get(name));
            let of = |key: &str| named.and_then(|n| n.get(key)).and_then(Node::text).map(str::to_owned);
            of(&rule.id).or_else(|| of(&rule.name)).unwrap_or_else(|| name.to_owned())
        };
        let counted = condition.map(|n| text(n, "field")).filter(|f| !f.is_empty());
        if ty == Type::ValueCount && counted.is_none() {
            return Err((line, "`value_count` names the field whose values it counts".into()));
        }
        let (mut group, mut field) = (Vec::new(), Vec::new());
        for rule in parts.iter().filter_map(|i| rules.get(*i)) {
            let places: Result<Vec<Place>, String> =
                group_names.iter().map(|n| rule.source.place(&alias(n, rule))).collect();
            group.push(places.map_err(|e| (line, e))?);
            let place = counted.map(|f| rule.source.place(&alias(f, rule))).transpose();
            field.push(place.map_err(|e| (line, e))?);
        }
        let (id, name, title) = (text(node, "id"), text(node, "name"), text(node, "title"));
        let id = [id, name, title].into_iter().find(|t| !t.is_empty()).unwrap_or_default();
        Ok(Correlation {
            id: id.chars().take(200).collect(),
            title: title.chars().take(256).collect(),
            description: text(node, "description").chars().take(400).collect(),
            severity: severity(node),
            attack: techniques(node),
            innocent: node.texts("falsepositives").join("; ").chars().take(300).collect(),
            place: (path.to_path_buf(), node.line),
            parts,
            generate: c.get("generate").is_some_and(|g| matches!(g.body, Body::Bool(true, _))),
            ty,
            group,
            field,
            group_names,
            span,
            at_least,
            at_most,
        })
    }

    /// Where its group's fields stand for the part that is this rule, and the field it counts.
    pub(crate) fn places(&self, rule: usize) -> Option<(&[Place], Option<Place>)> {
        let part = self.parts.iter().position(|p| *p == rule)?;
        Some((self.group.get(part)?, self.field.get(part).copied().flatten()))
    }
}

fn span(text: &str) -> Option<i64> {
    let unit = match text.chars().last()? {
        's' => 1,
        'm' => 60,
        'h' => 3_600,
        'd' => 86_400,
        _ => return None,
    };
    let n: i64 = text.get(..text.len() - 1)?.trim().parse().ok()?;
    (1..=366 * 86_400).contains(&n).then(|| n.saturating_mul(unit).saturating_mul(gwcore::time::SECOND))
}

fn bounds(condition: Option<&Node>, ty: Type, parts: usize, line: usize) -> Result<(u64, u64), Fault> {
    let (mut low, mut high) = (1, u64::MAX);
    let Some(Body::Map(pairs)) = condition.map(|c| &c.body) else {
        return match ty {
            Type::Temporal | Type::TemporalOrdered => Ok((parts as u64, u64::MAX)),
            _ => Err((line, "a correlation that counts has a condition".into())),
        };
    };
    for (key, line, value) in pairs {
        let number = || match value.body {
            Body::Int(n, _) if n >= 0 => Ok(n as u64),
            _ => Err((*line, "a whole number is compared with".to_owned())),
        };
        match key.as_str() {
            "field" => {}
            "gte" => low = number()?,
            "gt" => low = number()?.saturating_add(1),
            "lte" => high = number()?,
            "lt" => high = number()?.saturating_sub(1),
            "eq" => (low, high) = (number()?, number()?),
            other => return Err((*line, format!("`{other}` in the condition of a correlation is not read"))),
        }
    }
    if low == 0 || high != u64::MAX && low <= 1 && ty == Type::EventCount {
        return Err((line, "a correlation that is met by too few events, or none, is not read".into()));
    }
    Ok((low, high))
}

/// Events of a group: time, which part, hash of the counted value.
#[derive(Default)]
struct Group {
    events: VecDeque<(Ts, usize, u64)>,
    told: Option<Ts>,
}

/// What a correlation has seen.
pub(crate) struct State {
    groups: AgedTable<Vec<String>, Group>,
}

impl Default for State {
    fn default() -> Self {
        State { groups: AgedTable::new(Limit::DetectorSources, GROUPS) }
    }
}

/// A correlation that is met.
pub(crate) struct Met {
    pub(crate) since: Ts,
    pub(crate) count: u64,
}

impl State {
    /// One event of one of its rules; told once a span of time and group.
    pub(crate) fn see(&mut self, c: &Correlation, rule: usize, ts: Ts, group: &[String], value: u64) -> Option<Met> {
        let part = c.parts.iter().position(|p| *p == rule)?;
        if self.groups.get(&group.to_vec()).is_none() {
            self.groups.insert(group.to_vec(), Group::default());
        }
        let g = self.groups.get_mut(&group.to_vec())?;
        while g.events.front().is_some_and(|(t, ..)| ts.since(*t) > c.span) || g.events.len() >= EVENTS {
            g.events.pop_front();
        }
        g.events.push_back((ts, part, value));
        if g.told.is_some_and(|t| ts.since(t) <= c.span) {
            return None;
        }
        let count = match c.ty {
            Type::EventCount => g.events.len() as u64,
            Type::ValueCount => distinct(g.events.iter().map(|e| e.2)),
            Type::Temporal => distinct(g.events.iter().map(|e| e.1 as u64)),
            Type::TemporalOrdered => {
                let mut next = 0;
                for (_, part, _) in &g.events {
                    next += usize::from(*part == next);
                }
                next as u64
            }
        };
        if count < c.at_least || count > c.at_most {
            return None;
        }
        g.told = Some(ts);
        Some(Met { since: g.events.front().map_or(ts, |e| e.0), count })
    }
}

fn distinct(values: impl Iterator<Item = u64>) -> u64 {
    let mut all: Vec<u64> = values.collect();
    all.sort_unstable();
    all.dedup();
    all.len() as u64
}
