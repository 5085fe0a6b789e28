//! Commands and what came back: who asked which device for what, whether it accepted, and what the point showed afterwards.

use std::fmt::Write as _;

use gwcore::OpClass;

use super::text::{cut, e, moment, party_cell};
use super::{View, end_table, table};
use crate::Command;
use crate::terminal::number;

/// Rows shown of each of the two tables.
const SHOWN: usize = 150;

/// The section: what operates or changes a device first, routine below.
pub(super) fn commands(page: &mut String, v: &View<'_>) {
    if v.o.commands.is_empty() {
        return;
    }
    page.push_str("<h2 id=\"commands\">Commands and answers</h2>");
    let routine = |c: &&Command| matches!(c.class, OpClass::TimeSet | OpClass::ReportsOn | OpClass::Freeze);
    let (usual, mut grave): (Vec<&Command>, Vec<&Command>) = v.o.commands.iter().partition(routine);
    // Commands of those who are named in an alarm come first; the rest by time.
    let alarming: Vec<&str> = v.groups.iter().filter(|g| g.alarms() > 0).map(|g| g.key.as_str()).collect();
    grave.sort_by_key(|c| !alarming.contains(&c.source.as_str()));
    if grave.is_empty() {
        page.push_str("<p>Nothing was operated or changed.</p>");
    } else {
        rows(page, v, "Commands and changes", &grave, &alarming);
    }
    if !usual.is_empty() {
        let _ = write!(
            page,
            "<details><summary>{} kinds of routine: time set, reports switched on, counters frozen</summary>",
            number(usual.len() as u64)
        );
        rows(page, v, "Routine commands", &usual, &alarming);
        page.push_str("</details>");
    }
}

fn rows(page: &mut String, v: &View<'_>, caption: &str, all: &[&Command], alarming: &[&str]) {
    table(
        page,
        caption,
        &["First", "From", "To", "Command", "Asked for", "#Times", "Answer", "The point afterwards", "#Packet"],
    );
    for c in all.iter().take(SHOWN) {
        let hot = if alarming.contains(&c.source.as_str()) { " class=\"hot\"" } else { "" };
        let _ = write!(
            page,
            "<tr{hot}><td class=\"t\">{}</td><td>{}</td><td>{}</td><td>{}{}</td><td>{}</td><td class=\"n\">{}</td><td>{}</td><td>{}</td><td class=\"n\">{}</td></tr>",
            moment(&c.span.0.to_string()),
            party_cell(&v.names.of(&c.source)),
            party_cell(&v.names.of(&c.device)),
            e(&c.name),
            if c.point.is_empty() { String::new() } else { format!("<br><small>{}</small>", e(&cut(&c.point, 120))) },
            e(&asked_for(c)),
            number(c.count),
            e(&outcome(c)),
            e(&afterwards(c)),
            c.packet.1
        );
    }
    end_table(page);
    if all.len() > SHOWN {
        let _ =
            write!(page, "<p>{} more stand in the records of their protocols.</p>", number((all.len() - SHOWN) as u64));
    }
}

fn asked_for(c: &Command) -> String {
    match &c.values {
        None => String::new(),
        Some((first, last)) if first == last => first.clone(),
        Some((first, last)) => format!("{first}, last {last}"),
    }
}

/// What the device said.
pub(super) fn outcome(c: &Command) -> String {
    let silent = c.count.saturating_sub(c.accepted).saturating_sub(c.refused.0);
    let refused = match c.refused {
        (0, _) => String::new(),
        (n, reason) => format!(
            "{}refused{}",
            if n == c.count { String::new() } else { format!("{} ", number(n)) },
            match reason {
                Some(reason) => format!(" ({})", reason.replace('_', " ")),
                None => String::new(),
            }
        ),
    };
    let some = |n: u64, word: &str| match n {
        0 => String::new(),
        n if n == c.count => word.to_owned(),
        n => format!("{} {word}", number(n)),
    };
    let parts = [some(c.accepted, "accepted"), refused, some(silent, "no answer seen")];
    parts.into_iter().filter(|p| !p.is_empty()).collect::<Vec<_>>().join(", ")
}

fn afterwards(c: &Command) -> String {
    match (&c.before, &c.after) {
        (_, None) if c.point.is_empty() => String::new(),
        (_, None) => "not read afterwards under this address".to_owned(),
        (before, Some((ts, value))) => {
            let at = ts.to_string();
            let was = before.as_ref().map(|b| format!(" (was {b})")).unwrap_or_default();
            format!("{value}{was} at {}", at.get(11..19).unwrap_or(&at))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use gwcore::Ts;

    fn check(count: u64, accepted: u64, refused: (u64, Option<&'static str>), expect: &str) {
        let c = Command {
            source: "a".into(),
            device: "b".into(),
            proto: "dnp3",
            name: "operate (trip)".into(),
            class: OpClass::Control,
            point: String::new(),
            values: None,
            span: (Ts(0), Ts(0)),
            count,
            accepted,
            refused,
            before: None,
            after: None,
            packet: (String::new(), 1),
        };
        assert_eq!(outcome(&c), expect);
    }

    #[test]
    fn outcomes_add_up_to_the_commands() {
        check(2, 2, (0, None), "accepted");
        check(1, 0, (1, Some("no_select")), "refused (no select)");
        check(4, 1, (2, None), "1 accepted, 2 refused, 1 no answer seen");
        check(3, 0, (0, None), "no answer seen");
        check(1, 2, (0, None), "2 accepted");
    }
}
