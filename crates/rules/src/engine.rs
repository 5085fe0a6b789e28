//! Rules at work: each row of a batch against the rules of its kind, correlations over what matched.

use std::sync::Arc;

use gwcore::{FlowRef, Key, Out, Severity, Ts};

use crate::correlate::State;
use crate::load::Rules;
use crate::predicate::Row;

/// A rule, or a correlation of several, that is met.
#[derive(Clone, Debug)]
pub struct Hit {
    /// Place in the ordered stage.
    pub key: Key,
    /// Time of the record.
    pub ts: Ts,
    /// Its frame.
    pub frame: u64,
    /// Its flow; reversed where the responder sent the record.
    pub flow: FlowRef,
    /// Kind of the record.
    pub kind: &'static str,
    /// Id of the rule.
    pub id: String,
    /// Title of the rule.
    pub title: String,
    /// Its description.
    pub description: String,
    /// What its author knows to look the same.
    pub innocent: String,
    /// How grave its author thinks it is.
    pub severity: Severity,
    /// ATT&CK techniques.
    pub attack: &'static [&'static str],
    /// File and line of the rule.
    pub place: String,
    /// Fields that the rule asks for, with the values of the record.
    pub fields: Vec<(String, String)>,
    /// For a correlation: since when, and how many events or values.
    pub counted: Option<(Ts, u64)>,
    /// For a correlation: the values of its group.
    pub group: Vec<String>,
}

/// Runs rules over batches.
pub struct Engine {
    rules: Arc<Rules>,
    states: Vec<State>,
    /// By rule: the correlations it is a part of.
    parts: Vec<Vec<usize>>,
    /// Rows that rules looked at.
    pub rows: u64,
}

impl Engine {
    /// For what was loaded.
    pub fn new(rules: Arc<Rules>) -> Engine {
        let parts = (0..rules.rules.len())
            .map(|r| (0..rules.correlations.len()).filter(|c| rules.correlations[*c].parts.contains(&r)).collect())
            .collect();
        let states = rules.correlations.iter().map(|_| State::default()).collect();
        Engine { rules, states, parts, rows: 0 }
    }

    /// What was loaded.
    pub fn rules(&self) -> &Arc<Rules> {
        &self.rules
    }

    /// The rules that the rows of a batch meet, in the order of their keys.
    pub fn batch(&mut self, out: &Out) -> Vec<Hit> {
        let rules = Arc::clone(&self.rules);
        let mut met: Vec<Met> = Vec::new();
        for rows in out.kinds() {
            let kind = rows.kind();
            let wanted: Vec<usize> = (0..rules.rules.len()).filter(|i| rules.rules[*i].kind == kind.name).collect();
            if wanted.is_empty() {
                continue;
            }
            let columns = rows.columns();
            let stamps = rows.stamps();
            let Some(first) = stamps.first() else { continue };
            let mut row = Row::new(out, rows, &columns, 0, first);
            for (n, stamp) in stamps.iter().enumerate() {
                row.at(n, stamp);
                self.rows += 1;
                for i in &wanted {
                    let Some(rule) = rules.rules.get(*i) else { continue };
                    if !rule.predicate.is_met(&mut row) {
                        continue;
                    }
                    let flow = if kind.grain.shows_sender() { stamp.flow } else { FlowRef(stamp.flow.0 & !1) };
                    let hit = |fields| Hit {
                        key: stamp.key,
                        ts: stamp.ts,
                        frame: stamp.frame,
                        flow,
                        kind: kind.name,
                        id: rule.id.clone(),
                        title: rule.title.clone(),
                        description: rule.description.clone(),
                        innocent: rule.innocent.clone(),
                        severity: rule.severity,
                        attack: rule.attack,
                        place: format!("{}:{}", rule.place.0.display(), rule.place.1),
                        fields,
                        counted: None,
                        group: Vec::new(),
                    };
                    let mut fields = Vec::new();
                    rule.predicate.explain(&mut row, &mut fields);
                    let base = hit(fields);
                    let mut parts = Vec::new();
                    for c in self.parts.get(*i).into_iter().flatten() {
                        let Some((group, field)) = rules.correlations.get(*c).and_then(|c| c.places(*i)) else {
                            continue;
                        };
                        let group: Vec<String> = group.iter().map(|p| row.text(*p)).collect();
                        let value = field.map(|f| row.text(f)).unwrap_or_default();
                        parts.push((*c, group, hash(&value)));
                    }
                    met.push(Met { hit: base, rule: *i, speaks: rule.speaks, parts });
                }
            }
        }
        // Kinds come one after the other; time goes across them.
        met.sort_by_key(|m| (m.hit.key, m.rule));
        let mut hits = Vec::new();
        for m in met {
            for (c, group, value) in &m.parts {
                let (Some(correlation), Some(state)) = (rules.correlations.get(*c), self.states.get_mut(*c)) else {
                    continue;
                };
                if let Some(met) = state.see(correlation, m.rule, m.hit.ts, group, *value) {
                    hits.push(Hit {
                        id: correlation.id.clone(),
                        title: correlation.title.clone(),
                        description: correlation.description.clone(),
                        innocent: correlation.innocent.clone(),
                        severity: correlation.severity,
                        attack: correlation.attack,
                        place: format!("{}:{}", correlation.place.0.display(), correlation.place.1),
                        fields: correlation.group_names.iter().cloned().zip(group.iter().cloned()).collect(),
                        counted: Some((met.since, met.count)),
                        group: group.clone(),
                        ..m.hit.clone()
                    });
                }
            }
            if m.speaks {
                hits.push(m.hit);
            }
        }
        hits
    }
}

struct Met {
    hit: Hit,
    rule: usize,
    speaks: bool,
    /// Correlation, group, counted value.
    parts: Vec<(usize, Vec<String>, u64)>,
}

/// The same in every run: only equality counts.
fn hash(text: &str) -> u64 {
    use std::hash::{BuildHasher, Hasher};
    let mut h = std::hash::BuildHasherDefault::<std::hash::DefaultHasher>::default().build_hasher();
    h.write(text.as_bytes());
    h.finish()
}
