//! What of the peers' fields the views provide, for the reference page and for the test that holds the tables to the kinds.

use gwcore::{COMMON, Kind};

use crate::bind::{Source, ViewField, When, column};
use crate::eve::{EVENTS, Event};
use crate::zeek::{LOGS, Log};

/// One field of a peer's log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Coverage {
    /// `zeek/NAME.log` or `eve.json TYPE`.
    pub log: String,
    /// Who defines it.
    pub origin: &'static str,
    /// Record kind it is made of.
    pub kind: &'static str,
    /// The peer's field.
    pub field: &'static str,
    /// The peer's type; empty for EVE.
    pub ty: &'static str,
    /// Where it comes from, in words; the reason where it is not provided.
    pub from: String,
    /// Whether it is provided.
    pub provided: bool,
}

/// Every field of every peer's log, in the order of the logs.
pub fn coverage() -> Vec<Coverage> {
    views().flat_map(|view| view.fields.iter().map(|f| view.cover(f)).collect::<Vec<_>>()).collect()
}

/// Names in the views that the given kinds do not have, views of kinds that are not given, fields that repeat a common one, and children
/// whose parent is not given or is a child itself. Empty when views and kinds fit.
pub fn unresolved(kinds: &[&Kind]) -> Vec<String> {
    let find = |name: &str| kinds.iter().find(|k| k.name == name).copied();
    let mut all = Vec::new();
    for view in views() {
        match find(view.kind) {
            Some(kind) => view.check(kind, kinds, &mut all),
            None => all.push(format!("{}: no kind `{}`", view.log, view.kind)),
        }
    }
    for kind in kinds {
        let repeats = kind.fields.iter().filter(|f| COMMON.iter().any(|c| c.name == f.name));
        all.extend(repeats.map(|f| format!("{}.{} repeats a common field", kind.name, f.name)));
        match kind.parent.map(|(name, _)| (name, find(name))) {
            Some((name, None)) => all.push(format!("{}: no parent kind `{name}`", kind.name)),
            Some((name, Some(parent))) if parent.parent.is_some() => {
                all.push(format!("{}: its parent `{name}` is a child itself", kind.name));
            }
            _ => {}
        }
    }
    all
}

/// A log or event type.
struct View {
    log: String,
    origin: &'static str,
    kind: &'static str,
    when: When,
    fields: Vec<&'static ViewField>,
    more: Vec<&'static str>,
}

fn views() -> impl Iterator<Item = View> {
    let logs = LOGS.iter().map(|log: &&Log| View {
        log: format!("zeek/{}.log", log.path),
        origin: log.origin,
        kind: log.kind,
        when: log.when,
        fields: log.fields.iter().flat_map(|f| f.iter()).collect(),
        more: Vec::new(),
    });
    let events = EVENTS.iter().map(|event: &&Event| View {
        log: format!("eve.json {}", event.event_type),
        origin: "Suricata 8",
        kind: event.kind,
        when: event.when,
        fields: event.fields.iter().collect(),
        more: event.delay.into_iter().chain(event.frame).collect(),
    });
    logs.chain(events)
}

impl View {
    fn cover(&self, field: &'static ViewField) -> Coverage {
        Coverage {
            log: self.log.clone(),
            origin: self.origin,
            kind: self.kind,
            field: field.name,
            ty: field.ty,
            from: words(&field.from),
            provided: !matches!(field.from, Source::Missing(_)),
        }
    }

    fn check(&self, kind: &Kind, kinds: &[&Kind], all: &mut Vec<String>) {
        let parent = kind.parent.and_then(|(name, _)| kinds.iter().find(|k| k.name == name));
        let mut named = |name: &'static str, of_parent: bool| {
            let kind = if of_parent { parent.copied() } else { Some(kind) };
            if kind.is_none_or(|k| column(k, name).is_none()) {
                let kind = kind.map_or("no parent", |k| k.name);
                let line = format!("{}: no field `{kind}.{name}`", self.log);
                if !all.contains(&line) {
                    all.push(line);
                }
            }
        };
        self.fields.iter().for_each(|f| f.from.names(&mut named));
        self.when.names(&mut named);
        self.more.iter().for_each(|name| named(name, false));
        for field in &self.fields {
            let Source::Children(child, names, _) = field.from else { continue };
            match kinds.iter().find(|k| k.name == child) {
                None => all.push(format!("{}: no kind `{child}`", self.log)),
                Some(child) => {
                    let lacking = names.iter().filter(|n| column(child, n).is_none());
                    all.extend(lacking.map(|n| format!("{}: no field `{}.{n}`", self.log, child.name)));
                }
            }
        }
    }
}

fn words(source: &Source) -> String {
    match source {
        Source::Common(c) => format!("every record ({c:?})"),
        Source::Field(name) => (*name).to_owned(),
        Source::Pair(name) => format!("{name} of the request or answer"),
        Source::Parent(name) => format!("{name} of the parent"),
        Source::Const(text) => format!("always `{text}`"),
        Source::With([], _) => "always the same".to_owned(),
        Source::With(sources, _) => sources.iter().map(words).collect::<Vec<_>>().join(", "),
        Source::Children(kind, ..) => format!("rows of {kind}"),
        Source::Missing(why) => format!("not provided: {why}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bind::MOST_SOURCES;
    use crate::eve::MOST_LEVELS;

    fn sources(source: &Source) -> usize {
        match source {
            Source::With(all, _) => all.iter().map(sources).max().unwrap_or(0).max(all.len()),
            _ => 0,
        }
    }

    #[test]
    fn tables_keep_the_engines_bounds() {
        for view in views() {
            let mut names: Vec<_> = view.fields.iter().map(|f| f.name).collect();
            for field in &view.fields {
                assert!(sources(&field.from) <= MOST_SOURCES, "{} {}", view.log, field.name);
                assert!(field.name.split('.').count() <= MOST_LEVELS + 1, "{} {}", view.log, field.name);
                assert_eq!(field.ty.is_empty(), view.log.starts_with("eve"), "{} {}", view.log, field.name);
            }
            names.sort_unstable();
            names.dedup();
            assert_eq!(names.len(), view.fields.len(), "{} names a field twice", view.log);
        }
    }

    #[test]
    fn every_missing_field_says_why() {
        let all = coverage();
        assert!(all.iter().any(|c| !c.provided) && all.iter().any(|c| c.provided));
        for c in all.iter().filter(|c| !c.provided) {
            assert!(c.from.len() > "not provided: ".len(), "{c:?}");
        }
    }

    #[test]
    fn without_kinds_every_view_is_unresolved() {
        assert_eq!(unresolved(&[]).len(), LOGS.len() + EVENTS.len());
    }
}
