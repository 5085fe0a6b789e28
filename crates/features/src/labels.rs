//! What a row of features is labelled with, from the label file of a simulated capture: who attacked whom, and when.

use std::collections::{BTreeMap, BTreeSet};

use gwcore::time::parse_rfc3339;
use gwcore::{Addr, Mac, Ts};

use crate::family::Identity;
use crate::host::is_group;

/// The label of what is not attacked.
pub const NORMAL: &str = "normal";

/// What was wrong with a label file.
#[derive(Debug, thiserror::Error)]
#[error("line {line}: {what}")]
pub struct LabelError {
    /// From 1.
    pub line: usize,
    /// What is wrong.
    pub what: String,
}

struct Window {
    start: Ts,
    end: Ts,
    label: String,
    actors: BTreeSet<Addr>,
    targets: BTreeSet<Addr>,
}

/// Attacks and unusual benign events by time and address.
#[derive(Default)]
pub struct Labels {
    windows: Vec<Window>,
    /// Label by frame of the one input.
    frames: BTreeMap<u64, String>,
    /// Minutes in which a label has a frame; empty where frames are not known.
    minutes: BTreeMap<String, BTreeSet<Ts>>,
}

impl Labels {
    /// From `start,end,attack,actor,target,…`: times in RFC 3339, several addresses with spaces between. Without an actor it is a benign
    /// event: the row stays normal, and the event stands in `situation`.
    pub fn parse(text: &str) -> Result<Labels, LabelError> {
        let (names, lines) = table(text)?;
        let at = |name: &str| names.iter().position(|n| n == name);
        let missing = |what: &str| LabelError { line: 1, what: format!("no column `{what}`") };
        let (start, end) = (at("start").ok_or(missing("start"))?, at("end").ok_or(missing("end"))?);
        let label = at("attack").or_else(|| at("label")).ok_or(missing("attack"))?;
        let mut windows = Vec::new();
        for (line, fields) in lines {
            let field = |i: usize| fields.get(i).copied().unwrap_or_default();
            let time = |i: usize| {
                parse_rfc3339(field(i)).ok_or(LabelError { line, what: format!("`{}` is no time", field(i)) })
            };
            let addresses = |name: &str| -> Result<BTreeSet<Addr>, LabelError> {
                let text = at(name).map_or("", field);
                let one = |a: &str| address(a).ok_or(LabelError { line, what: format!("`{a}` is no address") });
                text.split_whitespace().map(one).collect()
            };
            let (actors, targets) = (addresses("actor")?, addresses("target")?);
            windows.push(Window {
                start: time(start)?,
                end: time(end)?,
                label: field(label).to_owned(),
                actors,
                targets,
            });
        }
        Ok(Labels { windows, ..Labels::default() })
    }

    /// Adds `frame,label`: then a minute is an attack's only where one of its frames lies.
    pub fn frames(mut self, text: &str) -> Result<Labels, LabelError> {
        let (names, lines) = table(text)?;
        let at = |name: &str| names.iter().position(|n| n == name);
        let (Some(frame), Some(label)) = (at("frame"), at("label")) else {
            return Err(LabelError { line: 1, what: "the columns are `frame,label`".to_owned() });
        };
        for (line, fields) in lines {
            let text = fields.get(frame).copied().unwrap_or_default();
            let n: u64 = text.parse().map_err(|_| LabelError { line, what: format!("`{text}` is no frame") })?;
            self.frames.insert(n, fields.get(label).copied().unwrap_or_default().to_owned());
        }
        for w in &self.windows {
            self.minutes.entry(w.label.clone()).or_default();
        }
        Ok(self)
    }

    /// A frame was read.
    pub fn see(&mut self, frame: u64, ts: Ts) {
        if let Some(minutes) = self.frames.get(&frame).and_then(|label| self.minutes.get_mut(label)) {
            minutes.insert(ts.minute());
        }
    }

    /// Label and benign event of a row.
    pub fn of(&self, row: &Identity) -> (&str, &str) {
        let mut situation = "";
        for w in self.windows.iter().filter(|w| w.start < row.end && w.end >= row.ts && self.is_in(w, row)) {
            if !w.actors.is_empty() {
                return (&w.label, situation);
            }
            if situation.is_empty() {
                situation = &w.label;
            }
        }
        (NORMAL, situation)
    }

    fn is_in(&self, w: &Window, row: &Identity) -> bool {
        let timely = self.minutes.get(&w.label).is_none_or(|m| m.range(row.ts.minute()..row.end).next().is_some());
        let any = |set: &BTreeSet<Addr>| set.contains(&row.src) || set.contains(&row.dst);
        timely
            && match (w.actors.is_empty(), row.dst.is_none()) {
                (true, _) => w.targets.is_empty() || any(&w.targets),
                (false, true) => w.actors.contains(&row.src),
                (false, false) => {
                    let one = |a: &Addr| w.actors.contains(a) || w.targets.contains(a) || is_group(*a);
                    let both = one(&row.src) && one(&row.dst);
                    // Who stands between two alters what they say to each other.
                    both || (w.targets.is_empty() && any(&w.actors))
                }
            }
    }
}

type Line<'a> = (usize, Vec<&'a str>);

fn table(text: &str) -> Result<(Vec<String>, Vec<Line<'_>>), LabelError> {
    let mut lines = text.trim_start_matches('\u{feff}').lines().enumerate().filter(|(_, l)| !l.trim().is_empty());
    let fields = |l: &'_ str| -> Vec<String> { l.split(',').map(|f| bare(f).to_ascii_lowercase()).collect() };
    let (_, head) = lines.next().ok_or(LabelError { line: 1, what: "the file is empty".to_owned() })?;
    Ok((fields(head), lines.map(|(i, l)| (i + 1, l.split(',').map(bare).collect())).collect()))
}

fn bare(field: &str) -> &str {
    field.trim().trim_matches('"').trim()
}

fn address(text: &str) -> Option<Addr> {
    if let Ok(ip) = text.parse::<std::net::IpAddr>() {
        return Some(ip.into());
    }
    let bytes: Option<Vec<u8>> =
        text.split([':', '-']).map(|b| (b.len() == 2).then(|| u8::from_str_radix(b, 16).ok()).flatten()).collect();
    Some(Mac(bytes?.try_into().ok()?).padded())
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "start,end,attack,actor,target,first_frame,last_frame,frames\n\
        2026-01-05T10:00:30.000000Z,2026-01-05T10:03:00Z,scan,10.0.0.9,10.0.0.1 10.0.0.2,5,9,5\n\
        2026-01-05T10:00:00Z,2026-01-05T10:10:00Z,relay-test,,,1,9,9\n";

    fn row(minute: i64, src: &str, dst: &str) -> Identity {
        let ts = parse_rfc3339("2026-01-05T10:00:00Z").unwrap().plus(minute * 60_000_000_000);
        let addr = |t: &str| if t.is_empty() { Addr::NONE } else { address(t).unwrap() };
        Identity { ts, end: ts.plus(60_000_000_000), src: addr(src), dst: addr(dst), uid: None, frame: (0, 0) }
    }

    #[test]
    fn a_row_is_an_attack_by_time_and_by_who_took_part() {
        let mut labels = Labels::parse(TEXT).unwrap();
        assert_eq!(labels.of(&row(0, "10.0.0.9", "")), ("scan", ""));
        assert_eq!(labels.of(&row(0, "10.0.0.1", "")), (NORMAL, "relay-test"));
        assert_eq!(labels.of(&row(2, "10.0.0.9", "10.0.0.2")), ("scan", ""));
        assert_eq!(labels.of(&row(2, "10.0.0.3", "10.0.0.2")), (NORMAL, "relay-test"));
        assert_eq!(labels.of(&row(20, "10.0.0.9", "")), (NORMAL, ""));
        labels = labels.frames("frame,label\n5,scan\n6,scan\n").unwrap();
        labels.see(5, row(1, "10.0.0.9", "").ts);
        assert_eq!(labels.of(&row(0, "10.0.0.9", "")), (NORMAL, ""));
        assert_eq!(labels.of(&row(1, "10.0.0.9", "")), ("scan", ""));
    }

    #[test]
    fn what_is_wrong_with_a_label_file_is_said_by_line() {
        let wrong = |text: &str| Labels::parse(text).err().unwrap().to_string();
        assert_eq!(wrong(""), "line 1: the file is empty");
        assert_eq!(wrong("start,end,attack\n1,2,x"), "line 2: `1` is no time");
        assert_eq!(wrong("start,attack\n"), "line 1: no column `end`");
        let odd = "start,end,attack,actor\n2026-01-05T10:00:00Z,2026-01-05T10:00:00Z,x,nobody";
        assert_eq!(wrong(odd), "line 2: `nobody` is no address");
    }
}
