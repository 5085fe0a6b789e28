//! Lists and documents: point lists, windows of work, rules of Sigma, known-bad values, playbooks.

use std::path::Path;

use detect::Maintenance;

use super::place::{csv_fields, in_json};
use super::{Problem, nearest};

/// Columns of a point list: name, whether it is needed.
const POINT_COLUMNS: [(&str, bool); 10] = [
    ("proto", true),
    ("table", true),
    ("unit_id", true),
    ("address", true),
    ("name", true),
    ("unit", false),
    ("scale", false),
    ("low", false),
    ("high", false),
    ("states", false),
];

/// Problems of a point list.
pub fn points(text: &str) -> Vec<Problem> {
    let mut found = Vec::new();
    let mut lines = lines(text).filter(|(_, _, l)| !l.trim().is_empty());
    let Some((start, _, heading)) = lines.next() else {
        return vec![Problem::in_line(
            1,
            "the file is empty: it begins with a heading proto,table,unit_id,address,name",
        )];
    };
    let heading = csv_fields(heading);
    for (at, name) in &heading {
        if !POINT_COLUMNS.iter().any(|(n, _)| n == name) {
            let meant = nearest(name, POINT_COLUMNS.iter().map(|(n, _)| *n));
            found.push(Problem::at(text, start + at, format!("there is no column `{name}`")).meant(meant));
        }
    }
    for (name, _) in POINT_COLUMNS.iter().filter(|(_, needed)| *needed) {
        if !heading.iter().any(|(_, h)| h == name) {
            found.push(Problem::at(text, start, format!("the heading has no `{name}`")));
        }
    }
    let protos: Vec<&str> = engine::kinds().into_iter().map(|k| k.name).collect();
    let mut seen = std::collections::BTreeMap::new();
    for (start, line, text_of) in lines {
        let fields = csv_fields(text_of);
        let mut bad = |at: usize, what: String| found.push(Problem::at(text, start + at, what));
        if fields.len() > heading.len() {
            bad(
                fields.get(heading.len()).map_or(0, |f| f.0),
                format!("{} fields under {} columns", fields.len(), heading.len()),
            );
        }
        let field = |name: &str| {
            let n = heading.iter().position(|(_, h)| h == name)?;
            Some(fields.get(n).map_or((text_of.len(), ""), |(at, f)| (*at, f.as_str())))
        };
        for name in ["unit_id", "address"] {
            if let Some((at, value)) = field(name)
                && value.parse::<u32>().is_err()
            {
                bad(at, format!("`{name}` is `{value}`, not a whole number"));
            }
        }
        for name in ["scale", "low", "high"] {
            if let Some((at, value)) = field(name)
                && !value.is_empty()
                && value.parse::<f64>().is_err()
            {
                bad(at, format!("`{name}` is `{value}`, not a number"));
            }
        }
        for state in field("states").map_or("", |f| f.1).split(';').filter(|s| !s.is_empty()) {
            if state.split_once('=').is_none_or(|(raw, _)| raw.trim().parse::<i64>().is_err()) {
                bad(field("states").map_or(0, |f| f.0), format!("the state `{state}` is not of the form 0=open"));
            }
        }
        for name in ["proto", "table", "name"] {
            if let Some((at, "")) = field(name) {
                bad(at, format!("`{name}` is empty"));
            }
        }
        if let Some((at, proto)) = field("proto")
            && !proto.is_empty()
            && !protos.contains(&proto)
        {
            let what = format!("there is no protocol `{proto}`");
            found.push(Problem::at(text, start + at, what).meant(nearest(proto, protos.iter().copied())));
        }
        let key: Vec<String> =
            ["proto", "table", "unit_id", "address"].iter().map(|n| field(n).map_or("", |f| f.1).to_owned()).collect();
        if let Some(first) = seen.insert(key, line) {
            found.push(Problem::at(text, start, format!("the point stands in line {first} already")));
        }
    }
    found.sort_by_key(|p| (p.line, p.column));
    found
}

/// Lines with the byte each begins at and its number, from 1.
fn lines(text: &str) -> impl Iterator<Item = (usize, usize, &str)> {
    let mut at = 0;
    text.split_inclusive('\n').zip(1..).map(move |(line, n)| {
        let start = at;
        at += line.len();
        (start, n, line.trim_end_matches(['\n', '\r']))
    })
}

/// Problems of windows of work: each line for itself, since one wrong line refuses the file.
pub fn maintenance(text: &str) -> Vec<Problem> {
    let mut found = Vec::new();
    let heading = lines(text).next().map(|(_, _, l)| l).filter(|l| l.starts_with("start"));
    for (start, _, line) in lines(text).skip(usize::from(heading.is_some())) {
        let alone = match heading {
            Some(heading) => format!("{heading}\n{line}"),
            None => line.to_owned(),
        };
        if let Err(e) = Maintenance::parse(&alone) {
            let what = e.split_once(": ").map_or(e.as_str(), |(_, what)| what);
            let second = csv_fields(line).get(1).map_or(0, |f| f.0);
            let at = if what.contains("ends before") { second } else { 0 };
            found.push(Problem::at(text, start + at, what));
        }
    }
    found
}

/// Problems of rules.
pub fn rules(path: &Path) -> anyhow::Result<Vec<Problem>> {
    let loaded = rules::load(&[path.to_owned()], &crate::known_bad::kinds())?;
    Ok(loaded.problems.iter().map(|p| Problem::in_line(p.line, format!("{}: {}", p.rule, p.reason))).collect())
}

/// Problems of lists of known-bad values.
pub fn intel(path: &Path, text: &str) -> anyhow::Result<Vec<Problem>> {
    if path.extension().is_some_and(|e| e == "json")
        && let Err(e) = serde_json::from_str::<serde::de::IgnoredAny>(text)
    {
        return Ok(vec![json_error(&e)]);
    }
    let loaded = intel::load(&[path.to_owned()])?;
    let mut found = Vec::new();
    for refused in loaded.reports.iter().flat_map(|r| &r.refused) {
        let what = format!("{}: {}", refused.what, refused.reason);
        found.push(match refused.line {
            Some(line) => Problem::in_line(usize::try_from(line).unwrap_or(usize::MAX), what),
            None => Problem::at(text, text.find(&refused.what).unwrap_or(0), what),
        });
    }
    found.sort_by_key(|p| (p.line, p.column));
    Ok(found)
}

/// Problems of a playbook.
pub fn playbook(text: &str) -> Vec<Problem> {
    let document = match serde_json::from_str(text) {
        Ok(document) => document,
        Err(e) => return vec![json_error(&e)],
    };
    let problems = match respond::playbook::check(&document) {
        Err(problems) => problems,
        Ok(playbook) => respond::playbook::unrunnable(&playbook),
    };
    let place = |p: &respond::playbook::Problem| {
        let path: Vec<&str> = p.at.split('.').collect();
        Problem::at(text, in_json(text, &path), format!("{}: {}", p.at, p.what))
    };
    problems.iter().map(place).collect()
}

fn json_error(e: &serde_json::Error) -> Problem {
    let what = e.to_string();
    let what = what.split(" at line ").next().unwrap_or_default();
    Problem { line: e.line().max(1), column: e.column().max(1), what: what.to_owned(), meant: None }
}
