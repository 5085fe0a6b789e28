//! TOML: the configuration and the site file. Tables are compared with what they may hold, then their meaning is looked at.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::path::Path;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::{Problem, nearest};
use crate::upkeep::kind_names;

/// What a value must be.
enum Shape {
    Text,
    Bool,
    Whole,
    Texts,
    /// A table of these members: name, shape, whether it is needed.
    Table(&'static [(&'static str, Shape, bool)]),
    /// Any number of such tables.
    List(&'static Shape),
    /// Any names, each such a value.
    Map(&'static Shape),
    /// Looked at elsewhere.
    Other,
}

const SITE: Shape = Shape::Table(&[(
    "device",
    Shape::List(&Shape::Table(&[
        ("name", Shape::Text, true),
        ("addresses", Shape::Texts, true),
        ("roles", Shape::Texts, false),
        ("critical", Shape::Bool, false),
        ("masters", Shape::Texts, false),
        ("backup_masters", Shape::Texts, false),
        ("points", Shape::Text, false),
    ])),
    false,
)]);

const CONFIG: Shape = Shape::Table(&[
    ("sender", Shape::Table(&[("host", Shape::Text, false), ("link", Shape::Text, false)]), false),
    ("destination", Shape::Other, false),
    (
        "respond",
        Shape::Table(&[
            ("blocklist", Shape::Text, false),
            ("gateway", Shape::Texts, false),
            ("office", Shape::Texts, false),
            ("baseline_devices", Shape::Text, false),
            ("propose", Shape::Text, false),
            ("values", Shape::Map(&Shape::Text), false),
            ("mirror_seconds", Shape::Whole, false),
        ]),
        false,
    ),
    // As the flags of `run`; clap looks at the values.
    ("run", Shape::Other, false),
    (
        "retention",
        Shape::Table(&[
            ("days", Shape::Whole, false),
            ("lake_mb", Shape::Whole, false),
            ("held_percent", Shape::Whole, false),
            ("reserve_mb", Shape::Whole, false),
            ("kinds", Shape::Map(&Shape::Table(&[("days", Shape::Whole, false), ("mb", Shape::Whole, false)])), false),
        ]),
        false,
    ),
]);

/// Problems of a configuration.
pub fn config(text: &str) -> Vec<Problem> {
    let mut found = Vec::new();
    let Some(root) = parsed(text, &mut found) else { return found };
    table(text, root.get_ref(), root.span().start, &CONFIG, "", &mut found);
    meaning(text, root.get_ref(), &mut found);
    destinations(text, root.get_ref(), &mut found);
    found.sort_by_key(|p| (p.line, p.column));
    found
}

/// What of a configuration has the right shape and makes no sense.
fn meaning(text: &str, root: &DeTable<'_>, found: &mut Vec<Problem>) {
    if let Some((key, run)) = entry(root, "run") {
        let names = crate::config::names();
        let Some(table) = run.get_ref().as_table() else {
            return found.push(Problem::at(text, key.span().start, "`run` must be a table"));
        };
        for name in table.keys().filter(|k| !names.iter().any(|n| *n == k.get_ref().as_ref())) {
            let meant = nearest(name.get_ref(), names.iter().map(String::as_str));
            let what = format!("there is no `{}` in `run`", name.get_ref());
            found.push(Problem::at(text, name.span().start, what).meant(meant));
        }
    }
    if let Some((_, kinds)) = entry(root, "retention").and_then(|(_, v)| entry(v.get_ref().as_table()?, "kinds")) {
        let known = kind_names();
        for name in kinds.get_ref().as_table().into_iter().flat_map(|t| t.keys()) {
            if !known.contains(&name.get_ref().as_ref()) {
                let what = format!("there is no kind of record `{}`", name.get_ref());
                let meant = nearest(name.get_ref(), known.iter().copied());
                found.push(Problem::at(text, name.span().start, what).meant(meant));
            }
        }
    }
    if !found.is_empty() {
        return;
    }
    let section = |name: &str| {
        let table: toml::Table = toml::from_str(text).ok()?;
        table.get(name).cloned()
    };
    let place = |name: &str| entry(root, name).map_or(0, |(k, _)| k.span().start);
    if let Some(value) = section("respond")
        && let Err(e) = value.try_into::<crate::desk::Settings>()
    {
        found.push(Problem::at(text, place("respond"), e.message().to_owned()));
    }
}

/// Destinations know themselves what they take; their complaints get a place.
fn destinations(text: &str, root: &DeTable<'_>, found: &mut Vec<Problem>) {
    let Err(problems) = connect::Config::parse(text) else { return };
    let list = entry(root, "destination").and_then(|(_, v)| v.get_ref().as_array());
    for problem in problems {
        let Some(rest) = problem.strip_prefix("[[destination]] ") else { continue };
        let (n, what) = rest.split_once(": ").unwrap_or(("1", rest));
        let n: usize = n.parse().unwrap_or(1);
        let element = list.and_then(|l| l.get(n.saturating_sub(1)));
        // Names in back quotes: the member that is wrong, and what there could be.
        let quoted: Vec<&str> = what.split('`').skip(1).step_by(2).collect();
        let member = element.and_then(|e| {
            let table = e.get_ref().as_table()?;
            quoted.iter().find_map(|q| entry(table, q)).map(|(k, _)| k.span().start)
        });
        let at = member.or(element.map(|e| e.span().start)).unwrap_or(0);
        let meant = what.find("unknown field").and_then(|_| {
            let wrong = what.split("unknown field `").nth(1)?.split('`').next()?;
            nearest(wrong, quoted.iter().copied().filter(|q| *q != wrong))
        });
        found.push(Problem::at(text, at, what).meant(meant));
    }
}

/// Problems of a site file and of the point lists beside it.
pub fn site(text: &str, path: &Path) -> Vec<Problem> {
    let mut found = Vec::new();
    let Some(root) = parsed(text, &mut found) else { return found };
    table(text, root.get_ref(), root.span().start, &SITE, "", &mut found);
    let devices = entry(root.get_ref(), "device").and_then(|(_, v)| v.get_ref().as_array());
    let devices: Vec<_> = devices.into_iter().flat_map(|l| l.iter()).filter_map(|d| d.get_ref().as_table()).collect();
    let mut names = BTreeMap::new();
    let mut addresses = BTreeSet::new();
    for device in &devices {
        if let Some((name, at)) = entry(device, "name").and_then(|(_, v)| Some((v.get_ref().as_str()?, v.span().start)))
            && names.insert(name, at).is_some()
        {
            found.push(Problem::at(text, at, format!("the name `{name}` stands twice")));
        }
        for (address, at) in texts(device, "addresses") {
            match canonical(address).map(|key| addresses.insert(key)) {
                None => found.push(Problem::at(text, at, format!("`{address}` is neither an IP nor a MAC address"))),
                Some(false) => found.push(Problem::at(text, at, format!("`{address}` is declared twice"))),
                Some(true) => {}
            }
        }
    }
    for device in &devices {
        for (master, at) in texts(device, "masters").into_iter().chain(texts(device, "backup_masters")) {
            if !names.contains_key(master) {
                let what = format!("the master `{master}` is not declared");
                found.push(Problem::at(text, at, what).meant(nearest(master, names.keys().copied())));
            }
        }
        let Some((_, points)) = entry(device, "points") else { continue };
        let Some(name) = points.get_ref().as_str() else { continue };
        let list = path.with_file_name(name);
        match std::fs::read_to_string(&list) {
            Err(e) => {
                found.push(Problem::at(text, points.span().start, format!("cannot read `{}`: {e}", list.display())))
            }
            Ok(csv) => {
                let wrong = super::lists::points(&csv);
                if let Some(first) = wrong.first() {
                    let what = format!("`{name}` has {} problems, the first: {first}", wrong.len());
                    found.push(Problem::at(text, points.span().start, what));
                }
            }
        }
    }
    found.sort_by_key(|p| (p.line, p.column));
    found
}

/// The document; what cannot be read as TOML is told with its place, as far as it can be gone on behind it.
fn parsed<'a>(text: &'a str, found: &mut Vec<Problem>) -> Option<Spanned<DeTable<'a>>> {
    let (root, errors) = DeTable::parse_recoverable(text);
    for e in &errors {
        let at = e.span().map_or(0, |s| s.start);
        found.push(Problem::at(text, at, e.message().to_owned()));
    }
    errors.is_empty().then_some(root)
}

type Key<'k, 'a> = &'k Spanned<std::borrow::Cow<'a, str>>;

fn entry<'t, 'a>(table: &'t DeTable<'a>, name: &str) -> Option<(Key<'t, 'a>, &'t Spanned<DeValue<'a>>)> {
    table.iter().find(|(k, _)| k.get_ref() == name)
}

fn texts<'t>(table: &'t DeTable<'_>, name: &str) -> Vec<(&'t str, usize)> {
    let list = entry(table, name).and_then(|(_, v)| v.get_ref().as_array());
    list.into_iter().flat_map(|l| l.iter()).filter_map(|v| Some((v.get_ref().as_str()?, v.span().start))).collect()
}

fn table(text: &str, is: &DeTable<'_>, at: usize, shape: &Shape, path: &str, found: &mut Vec<Problem>) {
    let Shape::Table(members) = shape else { return };
    for (key, value) in is.iter() {
        let name = key.get_ref().as_ref();
        let here = if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
        match members.iter().find(|(n, ..)| *n == name) {
            None => {
                let within = if path.is_empty() { "here".to_owned() } else { format!("in `{path}`") };
                let meant = nearest(name, members.iter().map(|(n, ..)| *n));
                found.push(Problem::at(text, key.span().start, format!("there is no `{name}` {within}")).meant(meant));
            }
            Some((_, shape, _)) => value_of(text, value, shape, &here, found),
        }
    }
    for (name, _, needed) in *members {
        if *needed && entry(is, name).is_none() {
            found.push(Problem::at(text, at, format!("`{name}` is missing in `{path}`")));
        }
    }
}

fn value_of(text: &str, value: &Spanned<DeValue<'_>>, shape: &Shape, path: &str, found: &mut Vec<Problem>) {
    let (is, at) = (value.get_ref(), value.span().start);
    let mut wrong = |what: &str| found.push(Problem::at(text, at, format!("`{path}` must be {what}")));
    match (shape, is) {
        (Shape::Other, _) | (Shape::Text, DeValue::String(_)) | (Shape::Bool, DeValue::Boolean(_)) => {}
        (Shape::Whole, DeValue::Integer(n)) if !n.as_str().starts_with('-') => {}
        (Shape::Texts, DeValue::Array(list)) => {
            for v in list.iter().filter(|v| !v.get_ref().is_str()) {
                found.push(Problem::at(text, v.span().start, format!("`{path}` must be a list of texts")));
            }
        }
        (Shape::Table(_), DeValue::Table(t)) => table(text, t, at, shape, path, found),
        (Shape::List(of), DeValue::Array(list)) => {
            for v in list.iter() {
                value_of(text, v, of, path, found);
            }
        }
        (Shape::Map(of), DeValue::Table(t)) => {
            for (key, v) in t.iter() {
                value_of(text, v, of, &format!("{path}.{}", key.get_ref()), found);
            }
        }
        (Shape::Text, _) => wrong("a text in quotes"),
        (Shape::Bool, _) => wrong("true or false"),
        (Shape::Whole, _) => wrong("a whole number, not negative"),
        (Shape::Texts, _) => wrong("a list of texts"),
        (Shape::List(_), _) => wrong("a list of tables: write it in double brackets"),
        (Shape::Table(_) | Shape::Map(_), _) => wrong("a table"),
    }
}

/// An address as it is compared; none for what is none.
fn canonical(address: &str) -> Option<String> {
    if let Ok(ip) = address.parse::<IpAddr>() {
        return Some(ip.to_string());
    }
    let text = address.to_ascii_lowercase().replace('-', ":");
    let parts: Vec<&str> = text.split(':').collect();
    let is_mac = parts.len() == 6 && parts.iter().all(|p| p.len() == 2 && p.bytes().all(|b| b.is_ascii_hexdigit()));
    is_mac.then_some(text)
}
