//! What the baseline is worth: the alarms that the learned days would have raised, what was left out, and how complete each kind is.

use std::fmt::Write as _;

use detect::{Class, Known};
use gwcore::{Finding, Severity};

use super::super::text::{cut, e, episodes, time};
use super::{Learned, capital};
use crate::terminal::number;

/// Alarms shown whole; further ones are counted.
const ALARMS: usize = 100;
/// Windows shown.
const WINDOWS: usize = 50;

/// The replay: a promise, and what it rests on.
pub(super) fn replay(page: &mut String, l: &Learned<'_>) {
    let (alarms, low) = l.episodes();
    let per_day = |n: u64| n as f64 / f64::from(l.days.max(1));
    page.push_str("<h2 id=\"replay\">Replayed alarms</h2>");
    let days = if l.days == 1 { "one day".to_owned() } else { format!("{} days", l.days) };
    let _ = write!(
        page,
        "<p>The learned time was cut into {} parts, and each was judged by what the others taught. That gave {alarms} alarm episodes in {days}, \
         {:.1} a day, and {low} low ones, {:.1} a day. Each \
         part was judged by a baseline of one part less than this one. Of 20 further days like these 19 have 0 to {} alarm episodes.</p>",
        l.parts,
        per_day(alarms),
        per_day(low),
        l.most_a_day()
    );
    if l.baseline.is_young() {
        page.push_str("<p><b>This promises nothing yet:</b> with under six hours of packets everything speaks as low. Learn more days, and add them with <code>--add</code>.</p>");
    }
    by_detector(page, l);
    let mut low: Vec<&Finding> = l.findings.iter().filter(|f| f.severity == Severity::Low).collect();
    low.sort_by_key(|f| (f.ts, &f.id));
    let all = l.alarms();
    for f in all.iter().take(ALARMS) {
        alarm(page, f);
    }
    if all.len() > ALARMS {
        let _ = write!(page, "<p>{} more alarms are not shown.</p>", number((all.len() - ALARMS) as u64));
    }
    if low.is_empty() {
        return;
    }
    page.push_str("<h3>Low ones</h3><div class=\"wide\"><table><thead><tr><th>First</th><th>What</th><th>Episodes</th></tr></thead><tbody>");
    for f in low.iter().take(ALARMS) {
        let _ = write!(
            page,
            "<tr><td class=\"a\">{}</td><td>{}</td><td class=\"n\">{}</td></tr>",
            e(&time(Some(&f.ts.to_string()))),
            e(&f.why),
            number(f.episodes.len() as u64 + f.episodes_more)
        );
    }
    page.push_str("</tbody></table></div>");
    super::more(page, low.len(), ALARMS);
}

fn by_detector(page: &mut String, l: &Learned<'_>) {
    let by = l.by_detector();
    if by.is_empty() {
        return;
    }
    page.push_str("<table><thead><tr><th>Detector</th><th>Finds</th><th>Alarms</th><th>Low</th></tr></thead><tbody>");
    for (id, (alarms, low)) in by {
        let finds = detect::META.iter().find(|m| m.id == id).map_or("", |m| m.finds);
        let _ = write!(
            page,
            "<tr><td>{}</td><td>{}</td><td class=\"n\">{}</td><td class=\"n\">{}</td></tr>",
            e(id),
            e(finds),
            number(alarms),
            number(low)
        );
    }
    page.push_str("</tbody></table>");
}

fn alarm(page: &mut String, f: &Finding) {
    let _ = write!(
        page,
        "<article class=\"{0}\"><h3><span class=\"sev {0}\">{0}</span> {1}</h3><p>{2}</p><dl><dt>When</dt><dd>{3} to {4}, {5}</dd><dt>Observed</dt><dd>{6}</dd>",
        f.severity.name(),
        e(&f.title),
        e(&f.why),
        e(&time(Some(&f.ts.to_string()))),
        e(&time(Some(&f.ts_end.to_string()))),
        episodes(f.episodes.len() as u64 + f.episodes_more),
        e(&f.evidence.observed),
    );
    if let Some(expected) = &f.evidence.expected {
        let _ = write!(page, "<dt>Expected</dt><dd>{}</dd>", e(expected));
    }
    if let Some(first) = f.packets.first() {
        let _ = write!(page, "<dt>First packet</dt><dd>{} of {}</dd>", first.frame, e(&first.file));
    }
    if let Some(meta) = detect::META.iter().find(|m| m.id == f.detector) {
        let _ =
            write!(page, "<dt>Innocent causes</dt><dd>{}</dd><dt>Ask</dt><dd>{}</dd>", e(meta.innocent), e(meta.call));
    }
    page.push_str("</dl></article>");
}

/// What was not learned: suspicious things with the command that accepts them, declared windows and frames, limits.
pub(super) fn left_out(page: &mut String, l: &Learned<'_>) {
    page.push_str("<h2 id=\"left\">What was left out</h2>");
    let list = l.baseline.suspicions();
    if list.is_empty() {
        page.push_str("<p>Nothing in these captures looked like an attack, so nothing was left out for suspicion.</p>");
    } else {
        page.push_str("<p>Learned under suspicion: this looks like an attack, so what its source did meanwhile is not part of the baseline, and will be a finding when it comes again. If it is usual here, accept it:</p>");
    }
    for (item, sentence) in list {
        let _ = write!(
            page,
            "<article class=\"medium\"><h3>{}</h3><p>{}</p><dl><dt>To accept it</dt><dd><code>{} --accept {}</code></dd></dl></article>",
            e(item),
            e(sentence),
            e(l.command),
            e(item)
        );
    }
    if !l.windows.is_empty() {
        page.push_str("<h3>Declared windows</h3><div class=\"wide\"><table><thead><tr><th>From</th><th>To</th><th>Device</th><th>Reason</th></tr></thead><tbody>");
        for w in l.windows.iter().take(WINDOWS) {
            let _ = write!(
                page,
                "<tr><td>{}</td><td>{}</td><td>{}</td><td>{}</td></tr>",
                time(Some(&w.start.to_string())),
                time(Some(&w.end.to_string())),
                e(w.asset.as_deref().unwrap_or("all")),
                e(&cut(&w.reason, 200))
            );
        }
        page.push_str("</tbody></table></div>");
        super::more(page, l.windows.len(), WINDOWS);
    }
    if l.excluded_frames > 0 {
        let _ = write!(
            page,
            "<p>{} of {} frames are labelled as something else than benign and were not learned.</p>",
            number(l.excluded_frames),
            number(l.frames)
        );
    }
    for (limit, n) in l.hits.iter() {
        let _ = write!(page, "<p>The limit {} was reached {} times: {}</p>", e(limit.key()), number(n), e(limit.doc()));
    }
}

/// How complete the knowledge of each kind is, and what follows.
pub(super) fn worth(page: &mut String, l: &Learned<'_>, known: &Known) {
    page.push_str("<h2 id=\"worth\">What it is worth</h2><p>What was seen in a single hour tells how much was never seen at all: its share is about the chance that the next thing of that kind is a new one. Where new things are usual, one more is no alarm.</p>");
    page.push_str("<div class=\"wide\"><table><thead><tr><th>Kind</th><th>Known</th><th>In one hour only</th><th>In under three</th><th>Days with new ones</th><th>A new one is</th></tr></thead><tbody>");
    for c in &known.classes {
        let w = &c.worth;
        let once = if w.kinds == 0 { "–".to_owned() } else { format!("{:.0} %", w.share_once() * 100.0) };
        let _ = write!(
            page,
            "<tr><td>{}</td><td class=\"n\">{}</td><td class=\"n\">{once}</td><td class=\"n\">{}</td><td class=\"n\">{} of {}</td><td>{}</td></tr>",
            e(&kind(c.class)),
            number(w.kinds),
            number(c.young),
            w.days_with_new,
            w.days,
            new_one(l, c)
        );
    }
    page.push_str("</tbody></table></div>");
    let ot = |class| known.classes.iter().any(|c| c.class == class && c.worth.kinds > 0);
    if !ot(Class::Point) && !ot(Class::Function) {
        page.push_str("<p><b>No message of a utility protocol was seen.</b> Devices, conversations and services are all that this baseline knows: does the mirror port show the station bus?</p>");
    }
}

fn kind(class: Class) -> String {
    // Each stands there by its MAC, and by its address where it has one.
    let which = if class == Class::Device { ", by MAC and by address" } else { "" };
    format!("{}s{which}", capital(class.name()))
}

fn new_one(l: &Learned<'_>, c: &detect::KnownClass) -> &'static str {
    match () {
        () if c.full => "not told: there was no room for more",
        () if l.baseline.is_young() => "low: the baseline is young",
        () if c.worth.new_is_usual() => "low: new ones are usual here",
        () => "told at its full severity",
    }
}
