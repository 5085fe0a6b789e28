//! The top of the page: the verdict in one line, what is gravest, what it covers, and around which devices to look first.

use std::fmt::Write as _;

use gwcore::{Finding, OpClass, Severity};

use super::text::{cut, e, time, times};
use super::{View, until};
use crate::groups::{Group, things};
use crate::terminal::{bytes, duration, number};

/// Devices that are explained at the top; the findings name all.
const SOURCES: usize = 5;
/// Commands and devices named in one sentence.
const NAMED: usize = 4;

/// Header and figures.
pub(super) fn verdict(page: &mut String, v: &View<'_>) {
    let s = v.s;
    let alarms = things(v.findings.iter());
    let class = match (alarms, crate::Verdict::of(s, 0).all_clear) {
        (0, false) => "none",
        (0, true) => "calm",
        _ => "alarm",
    };
    let files = match &s.files[..] {
        // Its folder stands in the record.
        [one] => one.path.rsplit('/').next().unwrap_or_default().to_owned(),
        all => format!("{} files", number(all.iter().filter(|f| f.status != "not_capture").count() as u64)),
    };
    let _ = write!(
        page,
        "<header class=\"{class}\"><p class=\"brand\">Gridwarden</p><h1>{}</h1><p>{} · {} to {} UTC · {}</p>",
        e(&words(v, alarms)),
        e(&cut(&files, 200)),
        e(&time(s.first.as_deref())),
        e(&time(s.last.as_deref())),
        duration(s.span_seconds)
    );
    if let Some(worst) = v.groups.first().and_then(|g| g.findings.first()) {
        let _ = write!(page, "<p class=\"lead\">Gravest: {}</p>", e(&cut(&worst.why, 400)));
    }
    for line in caveats(v) {
        let _ = write!(page, "<p class=\"but\">{}</p>", e(&line));
    }
    page.push_str("</header>");
    cards(page, v);
}

fn words(v: &View<'_>, alarms: usize) -> String {
    let around = v.groups.iter().max_by_key(|g| (g.things(), g.worst())).map(|g| (g.things(), g.label.clone()));
    match (alarms, v.s.frames, around) {
        (0, ..) | (_, 0, _) => crate::Verdict::of(v.s, 0).sentence,
        (1, _, Some((_, label))) => format!("One thing asks for attention, around {label}"),
        (n, _, Some((all, label))) if all == n => format!("{n} things ask for attention, all around {label}"),
        (n, _, Some((most, label))) if most > 1 => {
            format!("{n} things ask for attention, {most} of them around {label}")
        }
        (n, ..) => format!("{n} things ask for attention"),
    }
}

/// What the verdict cannot say: it is part of it.
fn caveats(v: &View<'_>) -> Vec<String> {
    let mut lines = crate::Verdict::of(v.s, 0).cannot_judge;
    if v.s.frames == 0 {
        return lines;
    }
    lines.extend(v.s.remarks.iter().cloned());
    if !v.origin.has("Baseline") {
        lines.push(
            "No baseline was given: what was seen is judged by the protocols alone, and nothing for being new.".into(),
        );
    }
    lines
}

fn cards(page: &mut String, v: &View<'_>) {
    let s = v.s;
    let not = s.frames.saturating_sub(s.decoded);
    let count = |severity: Severity| s.findings.get(severity.name()).copied().unwrap_or(0);
    let alarms = count(Severity::Critical) + count(Severity::High) + count(Severity::Medium);
    let going = v
        .findings
        .iter()
        .filter(|f| f.severity >= Severity::Medium && until(v, f.ts_end).starts_with("went on"))
        .count();
    let cards = [
        (
            "Ask for attention",
            number(things(v.findings.iter()) as u64),
            format!(
                "{} {}, {} low, {} facts",
                number(alarms),
                if alarms == 1 { "finding" } else { "findings" },
                number(count(Severity::Low)),
                number(count(Severity::Info))
            ),
        ),
        (
            "Going on at the end",
            number(going as u64),
            if v.o.span.is_some() {
                "findings within five minutes of it".into()
            } else {
                "not known file by file".into()
            },
        ),
        ("Devices", number(s.assets), format!("{} conversations", number(s.records.get("conn").copied().unwrap_or(0)))),
        (
            "Packets",
            number(s.frames),
            match not {
                0 => format!("{}, all decoded to their conversation", bytes(s.bytes)),
                n => format!("{}, {} not decoded", bytes(s.bytes), number(n)),
            },
        ),
        (
            "Read to their content",
            number(s.read_to_content.packets),
            format!("of {} packets with payload", number(s.read_to_content.payload_packets)),
        ),
    ];
    page.push_str("<div class=\"cards\">");
    for (name, value, note) in cards {
        let _ = write!(page, "<div><b>{value}</b><span>{name}</span><small>{note}</small></div>");
    }
    page.push_str("</div>");
}

/// Around which devices to look first, and what to do.
pub(super) fn sources(page: &mut String, v: &View<'_>) {
    if v.groups.is_empty() {
        return;
    }
    page.push_str("<h2 id=\"sources\">Where to look first</h2>");
    let alarming: Vec<_> = v.groups.iter().enumerate().filter(|(_, g)| g.alarms() > 0).collect();
    let shown = if alarming.is_empty() { v.groups.iter().enumerate().take(1).collect() } else { alarming };
    for (i, g) in shown.iter().take(SOURCES) {
        source(page, v, *i, g);
    }
    let rest = v.groups.len().saturating_sub(shown.len().min(SOURCES));
    if rest > 0 {
        let devices = if rest == 1 { "one further device" } else { "further devices" };
        let count = if rest == 1 { String::new() } else { format!("{} ", number(rest as u64)) };
        let _ = write!(page, "<p>Findings around {count}{devices} stand below.</p>");
    }
}

fn source(page: &mut String, v: &View<'_>, place: usize, g: &Group<'_>) {
    let (first, last) = g.span();
    let _ = write!(
        page,
        "<section class=\"source {}\"><h3><span class=\"sev {0}\">{0}</span> <a href=\"#g-{place}\">{}</a></h3><dl>",
        g.worst().name(),
        e(&g.label)
    );
    row(page, "Who it is", who(v, g));
    row(page, "What", what(g));
    row(
        page,
        "When",
        format!("{} to {} UTC; {}", time(Some(&first.to_string())), time(Some(&last.to_string())), until(v, last)),
    );
    row(page, "Devices concerned", concerned(v, g));
    commanded(page, v, g);
    row(page, "Check first", check(v, g));
    row(page, "Ask", calls(g));
    page.push_str("</dl></section>");
}

fn row(page: &mut String, name: &str, text: String) {
    if !text.is_empty() {
        let _ = write!(page, "<dt>{name}</dt><dd>{}</dd>", e(&text));
    }
}

fn who(v: &View<'_>, g: &Group<'_>) -> String {
    let Some(d) = v.names.device(&g.key) else {
        return "not in the inventory: it is known by this address alone".into();
    };
    let mut parts = Vec::new();
    if !d.macs.is_empty() {
        parts.push(format!("MAC {}", d.macs.iter().take(NAMED).cloned().collect::<Vec<_>>().join(", ")));
    }
    parts.push(d.vendor.unwrap_or("maker unknown").to_owned());
    if !d.roles.is_empty() {
        parts.push(format!("seen as {}", d.roles.join(", ").replace('_', " ")));
    }
    parts.push(format!("first packet {} UTC", time(Some(&d.first_seen))));
    if g.findings.iter().any(|f| f.detector == "new-device" && f.src.asset.as_deref() == Some(&g.key)) {
        parts.push("never seen while the baseline was learned".into());
    }
    let claims = v.names.claims(d);
    if !claims.is_empty() {
        let all: Vec<_> = claims.iter().take(NAMED + 1).map(|c| cut(c, 60)).collect();
        parts.push(format!("it also claims what belongs to another device: {}", all.join(", ")));
    }
    parts.join("; ")
}

fn what(g: &Group<'_>) -> String {
    let mut kinds: Vec<(&str, u64)> = Vec::new();
    for f in g.findings.iter().filter(|f| g.alarms() == 0 || f.severity >= Severity::Medium) {
        match kinds.iter_mut().find(|(name, _)| *name == f.detector) {
            Some((_, n)) => *n += 1,
            None => kinds.push((f.detector, 1)),
        }
    }
    let said: Vec<String> = kinds
        .iter()
        .map(|(name, n)| if *n == 1 { name.replace('-', " ") } else { format!("{} ({n})", name.replace('-', " ")) })
        .collect();
    let low = g.findings.len() - g.alarms();
    let low = if low > 0 && g.alarms() > 0 { format!("; {low} low beside them") } else { String::new() };
    format!("{}{low}", said.join(", "))
}

fn concerned(v: &View<'_>, g: &Group<'_>) -> String {
    let mut all: Vec<String> = Vec::new();
    for f in g.findings.iter().filter(|f| g.alarms() == 0 || f.severity >= Severity::Medium) {
        for other in [&f.src, &f.dst].into_iter().filter_map(crate::groups::key).filter(|k| *k != g.key && !is_many(k))
        {
            let name = v.names.of(other);
            if !all.contains(&name) {
                all.push(name);
            }
        }
    }
    let more = all.len().saturating_sub(NAMED * 2);
    all.truncate(NAMED * 2);
    if more > 0 {
        all.push(format!("{more} more"));
    }
    all.join(", ")
}

/// Whether an address is that of a group or of all: no device to look at.
fn is_many(key: &str) -> bool {
    let first_octet = key.get(..2).filter(|_| key.len() == 17).and_then(|hex| u8::from_str_radix(hex, 16).ok());
    first_octet.is_some_and(|octet| octet & 1 == 1)
        || key.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_multicast() || ip.to_string() == "255.255.255.255")
}

/// The order in which commands are told: what moves the process, what changes the device, what is routine (none).
fn rank(class: OpClass) -> Option<u8> {
    match class {
        OpClass::Control | OpClass::SetPoint => Some(0),
        OpClass::Download | OpClass::Mode | OpClass::Restart | OpClass::Parameter | OpClass::Delete => Some(1),
        OpClass::ReportsOff | OpClass::Clear => Some(2),
        _ => None,
    }
}

fn commanded(page: &mut String, v: &View<'_>, g: &Group<'_>) {
    let mut mine: Vec<_> =
        v.o.commands.iter().filter(|c| c.source == g.key).filter_map(|c| Some((rank(c.class)?, c))).collect();
    if mine.is_empty() {
        return;
    }
    mine.sort_by_key(|(rank, _)| *rank);
    page.push_str("<dt>It commanded</dt><dd><ul>");
    for (_, c) in mine.iter().take(NAMED + 1) {
        let point = if c.point.is_empty() { String::new() } else { format!(" for {}", c.point) };
        let text = format!(
            "{} UTC: {}{point} at {}, {}: {}",
            time(Some(&c.span.0.to_string())),
            c.name,
            v.names.of(&c.device),
            times(c.count),
            super::commands::outcome(c)
        );
        let _ = write!(page, "<li>{}</li>", e(&text));
    }
    page.push_str("</ul>");
    if mine.len() > NAMED + 1 {
        let _ = write!(page, "<a href=\"#commands\">{} more</a>", number((mine.len() - NAMED - 1) as u64));
    }
    page.push_str("</dd>");
}

fn check(v: &View<'_>, g: &Group<'_>) -> String {
    let mut said = Vec::new();
    let points = v.o.commands.iter().filter(|c| c.source == g.key && rank(c.class).is_some() && !c.point.is_empty());
    if points.count() > 0 {
        said.push(
            "at the devices or their panels, whether the commanded points stand as the control room shows them"
                .to_owned(),
        );
    }
    if v.names.device(&g.key).is_some_and(|d| !d.macs.is_empty()) {
        said.push("in the switch's address table, at which port this MAC is, and what stands there".into());
    }
    said.push(match v.origin.has("Declared work") {
        true => "whether the work that was declared covers it".into(),
        false => "whether work was announced (none was declared to this run)".into(),
    });
    said.join("; ")
}

/// Whom to call, the gravest finding's first.
fn calls(g: &Group<'_>) -> String {
    let mut all: Vec<&str> = Vec::new();
    let call = |f: &&Finding| detect::META.iter().find(|m| m.id == f.detector).map(|m| m.call);
    for call in g.findings.iter().filter(|f| g.alarms() == 0 || f.severity >= Severity::Medium).filter_map(call) {
        if !all.contains(&call) && all.len() < NAMED {
            all.push(call);
        }
    }
    all.join("; then ")
}
