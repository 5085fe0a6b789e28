//! For an audit: what was monitored and how whole, by which methods and against what it was judged, that no person has concluded anything
//! yet, where everything is kept, and how to do it again.

use std::fmt::Write as _;

use gwcore::{Finding, Severity};

use super::text::{cut, e, moment, stretch, time};
use super::{View, end_table, table};
use crate::groups::by_gravity;
use crate::terminal::{bytes, duration, number};
use crate::{Hashed, Ran};

/// Captures, and alarms, listed.
const SHOWN: usize = 200;

/// The section.
pub(super) fn record(page: &mut String, v: &View<'_>) {
    page.push_str("<h2 id=\"record\">Record for an audit</h2>");
    page.push_str("<p>This page is evidence of what one run of a program did with captures it was given. It concludes nothing: whether a finding is anomalous, and what follows, is for a named person to determine.</p>");
    monitored(page, v);
    judged_by(page, v);
    methods(page, v);
    evaluation(page, v);
    kept(page, v);
}

fn monitored(page: &mut String, v: &View<'_>) {
    page.push_str("<h3>What was monitored</h3>");
    let other = v.s.files.iter().filter(|f| f.status == "not_capture").count();
    table(page, "Captures", &["Capture", "#Frames", "Link types", "First to last (UTC)", "SHA-256 of the file"]);
    for i in v.origin.inputs.iter().take(SHOWN) {
        let f = v.s.files.iter().find(|f| f.path == i.file.path);
        let span = i.span.as_ref().map(|(a, b)| stretch(a, b)).unwrap_or_default();
        let links: Vec<String> = i.links.iter().take(6).map(|(name, n)| format!("{name} {}", number(*n))).collect();
        let mut notes = Vec::new();
        if let Some(f) = f.filter(|f| f.status != "read") {
            notes.push(f.status.to_owned());
        }
        if f.is_some_and(|f| f.truncated) {
            notes.push("last record cut off".into());
        }
        if i.skipped > 0 {
            notes.push(format!("{} records too long or contradictory", number(i.skipped)));
        }
        if i.untimed > 0 {
            notes.push(format!("{} frames without a usable time", number(i.untimed)));
        }
        let _ = write!(
            page,
            "<tr><td class=\"p\">{}<br><small>{} {}{}</small></td><td class=\"n\">{}</td><td>{}</td><td class=\"t\">{}</td><td><code>{}</code></td></tr>",
            e(&i.file.path),
            bytes(i.file.bytes),
            e(f.and_then(|f| f.format.as_deref()).unwrap_or_default()),
            e(&notes.iter().map(|n| format!("; {n}")).collect::<String>()),
            number(f.map_or(0, |f| f.frames)),
            e(&links.join(", ")),
            span,
            e(&i.file.sha256)
        );
    }
    end_table(page);
    if v.origin.inputs.len() > SHOWN {
        let _ = write!(page, "<p>{} more stand in summary.json.</p>", number((v.origin.inputs.len() - SHOWN) as u64));
    }
    page.push_str("<dl>");
    if other > 0 {
        row(page, "Not captures", &format!("{} files were found beside them and not read.", number(other as u64)));
    }
    row(page, "Feeds", &feeds(v));
    row(page, "Span", &span(v));
    row(page, "Loss", &loss(v));
    row(page, "Not seen", "Reasons and counts stand under What was not seen, also where a count is zero.");
    page.push_str("</dl>");
}

fn row(page: &mut String, name: &str, text: &str) {
    let _ = write!(page, "<dt>{name}</dt><dd>{}</dd>", e(text));
}

fn feeds(v: &View<'_>) -> String {
    let named: Vec<String> = v.origin.interfaces.iter().take(20).map(|i| cut(i, 60)).collect();
    let named = match named.is_empty() {
        true => "the captures name no interface".to_owned(),
        false => format!("interfaces as the captures number or name them: {}", named.join(", ")),
    };
    format!(
        "{named}. Which segments they stand for, and why these feeds were chosen, no capture says: it stands in the entity's feed inventory."
    )
}

fn span(v: &View<'_>) -> String {
    let (Some(first), Some(last)) = (&v.s.first, &v.s.last) else { return "no packet".into() };
    let whole = format!("{} to {} UTC, {}", time(Some(first)), time(Some(last)), duration(v.s.span_seconds));
    let feed = &v.o.feed;
    match (v.o.span, feed.paused) {
        (None, _) => format!("{whole}; pauses are not told where each file is a world of its own"),
        (_, 0) => format!("{whole}; no minute without a packet"),
        (_, n) => format!(
            "{whole}; {} pauses of a minute or longer, {} in all (listed under What was not seen)",
            number(n),
            duration(feed.silent as f64 / 1e9)
        ),
    }
}

fn loss(v: &View<'_>) -> String {
    let feed = &v.o.feed;
    let gaps = match (v.o.span, feed.gaps) {
        (None, _) => "gaps in streams are not told where each file is a world of its own".to_owned(),
        (_, 0) => "no byte of a followed stream is missing".to_owned(),
        (_, n) => format!("{} of followed streams are missing, in {} gaps", bytes(feed.missing), number(n)),
    };
    let dropped = match v.s.lost.iter().map(|(by, n)| told(by, *n)).collect::<Vec<_>>() {
        none if none.is_empty() => {
            "the captures tell of no frame lost before it was written (only pcapng can): ask whoever captured"
                .to_owned()
        }
        some => format!("frames lost before they were written, as the captures tell: {}", some.join(", ")),
    };
    format!(
        "{gaps}; {} of {} frames were cut by the snap length; {dropped}.",
        number(v.s.cut_by_snaplen),
        number(v.s.frames)
    )
}

/// Lost frames by who counted them.
fn told(by: &str, n: u64) -> String {
    let who = match by {
        "between_packets" => "as packet blocks count the same losses",
        "interface" => "by the interface",
        _ => "by the system",
    };
    format!("{} {who}", number(n))
}

fn judged_by(page: &mut String, v: &View<'_>) {
    page.push_str("<h3>What it was judged by</h3>");
    table(page, "Baseline and declarations", &["What", "File", "SHA-256", "What it says"]);
    for g in &v.origin.grounds {
        let (path, hash) = g.file.as_ref().map_or(("none given", ""), |f| (f.path.as_str(), f.sha256.as_str()));
        let _ = write!(
            page,
            "<tr><td>{}</td><td class=\"p\">{}</td><td class=\"p\"><code>{}</code></td><td>{}</td></tr>",
            g.what,
            e(path),
            e(hash),
            e(&g.says.iter().take(16).map(|s| cut(s, 300)).collect::<Vec<_>>().join(" "))
        );
    }
    end_table(page);
}

fn methods(page: &mut String, v: &View<'_>) {
    page.push_str("<h3>Which methods ran</h3>");
    let count = |ran: Ran| v.origin.detectors.iter().filter(|(_, r)| *r == ran).count();
    let _ = write!(
        page,
        "<p>{}: {} detectors at work, {} without their input in the captures, {} not given what they rest on, {} left out on the command line. Their version is the program's.</p>",
        e(&v.origin.program),
        count(Ran::Yes),
        count(Ran::Unheard),
        count(Ran::Mute),
        count(Ran::LeftOut)
    );
    page.push_str("<details><summary>All detectors with what each found</summary>");
    table(page, "Detectors", &["Detector", "Finds", "Needs", "At work", "#Findings", "#Facts"]);
    for (id, ran) in &v.origin.detectors {
        let Some(meta) = detect::META.iter().find(|m| m.id == *id) else { continue };
        let of = |info: bool| {
            v.findings.iter().filter(|f| f.detector == *id && (f.severity == Severity::Info) == info).count()
        };
        let ran = match ran {
            Ran::Yes => "yes",
            Ran::Unheard => "no: its input was not seen",
            Ran::Mute => "no: not given what it rests on",
            Ran::LeftOut => "left out on the command line",
        };
        let _ = write!(
            page,
            "<tr><td>{id}</td><td>{}</td><td>{}</td><td>{ran}</td><td class=\"n\">{}</td><td class=\"n\">{}</td></tr>",
            e(meta.finds),
            e(meta.needs),
            of(false),
            of(true)
        );
    }
    end_table(page);
    page.push_str("</details>");
}

fn evaluation(page: &mut String, v: &View<'_>) {
    page.push_str("<h3>What was evaluated, and by whom</h3>");
    let mut alarms: Vec<&Finding> = v.findings.iter().filter(|f| f.severity >= Severity::Medium).collect();
    by_gravity(&mut alarms);
    if alarms.is_empty() {
        page.push_str("<p>No finding of medium or above: nothing to evaluate. That is no proof of absence beyond what was monitored.</p>");
        return;
    }
    let _ = write!(
        page,
        "<p>{} findings of medium or above. None has been evaluated: this run knows no person. The last two columns are for whoever does.</p>",
        number(alarms.len() as u64)
    );
    table(
        page,
        "Findings to be evaluated",
        &["Finding", "Evidence sufficed (UTC)", "Severity", "What", "Evaluated by, when", "Conclusion"],
    );
    for f in alarms.iter().take(SHOWN) {
        let _ = write!(
            page,
            "<tr><td><a href=\"#f-{0}\"><code>{0}</code></a></td><td class=\"t\">{1}</td><td>{2}</td><td>{3}</td><td>nobody yet</td><td>not determined</td></tr>",
            e(&f.id),
            moment(&f.raised.to_string()),
            f.severity.name(),
            e(&cut(&f.title, 120))
        );
    }
    end_table(page);
    if alarms.len() > SHOWN {
        let _ = write!(page, "<p>{} more stand in alerts.ndjson.</p>", number((alarms.len() - SHOWN) as u64));
    }
}

fn kept(page: &mut String, v: &View<'_>) {
    page.push_str("<h3>Where it is kept, and how to do it again</h3>");
    table(page, "Written by this run", &["File", "#Bytes", "SHA-256"]);
    for Hashed { path, bytes, sha256 } in v.origin.outputs.iter().take(SHOWN) {
        let _ = write!(
            page,
            "<tr><td>{}</td><td class=\"n\">{}</td><td><code>{}</code></td></tr>",
            e(path),
            number(*bytes),
            e(sha256)
        );
    }
    end_table(page);
    page.push_str("<dl>");
    row(
        page,
        "Packets",
        "They stay in the captures named above; this program copies none, deletes none and protects none: retention is the entity's.",
    );
    row(page, "Program", &v.origin.program);
    let _ = write!(page, "<dt>Command</dt><dd><code class=\"copy\">{}</code></dd>", e(&cut(&v.origin.command, 8_000)));
    row(page, "Given in", &v.origin.folder);
    row(
        page,
        "Repeats",
        "The same program, captures, baseline and options give the same findings, devices and records, byte for byte, on any number of threads; only the seconds in summary.json differ. This page bears no time of its own: its file's date says when it was written.",
    );
    page.push_str("</dl>");
}
