//! The page about a baseline, read before it is approved: what it is worth, what was left out, who commands whom, points with their ranges.
//! The same shell as the report of an analysis: one file, no script, nothing loaded from anywhere.

mod knowledge;
mod trust;

use std::collections::BTreeMap;
use std::fmt::Write as _;

use detect::{Baseline, Device, Inventory, Known, Window};
use gwcore::{Finding, LimitHits, Severity};

use super::text::{cut, e, time};
use super::{STYLE, end_table, table};
use crate::terminal::number;

/// Captures listed: the latest.
const SOURCES: usize = 200;

/// What `learn` can tell of a baseline.
pub struct Learned<'a> {
    /// Version of the program.
    pub version: &'a str,
    /// What was learned, with what was there before.
    pub baseline: &'a Baseline,
    /// Its file.
    pub path: &'a str,
    /// The command that made it.
    pub command: &'a str,
    /// The captures.
    pub files: &'a [String],
    /// It was added to a baseline that was there.
    pub added: bool,
    /// Devices of these captures.
    pub inventory: &'a Inventory,
    /// What the replay found, each part judged by the others.
    pub findings: &'a [Finding],
    /// Parts judged by each other.
    pub parts: u32,
    /// Days that the figures are divided by.
    pub days: u32,
    /// Frames read.
    pub frames: u64,
    /// What the user should know of the input.
    pub notes: &'a [String],
    /// Windows declared as not to be learned.
    pub windows: &'a [Window],
    /// Frames declared as not to be learned.
    pub excluded_frames: u64,
    /// Limits that were reached.
    pub hits: &'a LimitHits,
}

impl Learned<'_> {
    /// Episodes of alarms, and of low findings, that the replay gave.
    pub fn episodes(&self) -> (u64, u64) {
        self.by_detector().values().fold((0, 0), |a, n| (a.0 + n.0, a.1 + n.1))
    }

    /// The same by detector.
    pub fn by_detector(&self) -> BTreeMap<&'static str, (u64, u64)> {
        let mut by: BTreeMap<&'static str, (u64, u64)> = BTreeMap::new();
        for f in self.findings.iter().filter(|f| f.severity >= Severity::Low) {
            let n = f.episodes.len() as u64 + f.episodes_more;
            let entry = by.entry(f.detector).or_default();
            if f.severity >= Severity::Medium { entry.0 += n } else { entry.1 += n }
        }
        by
    }

    /// Alarm episodes that 19 of 20 further days of the same kind have at most, by what the replayed days had.
    pub fn most_a_day(&self) -> u64 {
        most_a_day(self.episodes().0, self.days)
    }

    /// The alarms of the replay in the order of time.
    pub fn alarms(&self) -> Vec<&Finding> {
        let mut alarms: Vec<&Finding> = self.findings.iter().filter(|f| f.severity >= Severity::Medium).collect();
        alarms.sort_by_key(|f| (f.ts, &f.id));
        alarms
    }
}

/// Episodes that a further day has at most in 19 of 20 cases, where `days` days had `seen` together: the predictive distribution of a Poisson
/// count whose rate is known from these days alone (Jeffreys prior), a negative binomial.
fn most_a_day(seen: u64, days: u32) -> u64 {
    /// No site has more; the sum is over long before.
    const END: u64 = 1 << 20;
    let (r, days) = (seen as f64 + 0.5, f64::from(days.max(1)));
    let mut chance = (r * (days / (days + 1.0)).ln()).exp();
    let (mut sum, mut k) = (chance, 0u64);
    while sum < 0.95 && k < END {
        k += 1;
        chance *= (r + k as f64 - 1.0) / k as f64 / (days + 1.0);
        sum += chance;
    }
    k
}

/// The page.
pub fn learned(l: &Learned<'_>) -> String {
    let known = l.baseline.known();
    let mut page = String::with_capacity(64 * 1024);
    let _ = write!(
        page,
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\
         <title>Gridwarden baseline</title><style>{STYLE}</style></head><body><main>"
    );
    verdict(&mut page, l, &known);
    contents(&mut page);
    trust::replay(&mut page, l);
    trust::left_out(&mut page, l);
    trust::worth(&mut page, l, &known);
    knowledge::pairs(&mut page, l, &known);
    knowledge::points(&mut page, l, &known);
    knowledge::periods(&mut page, l, &known);
    knowledge::devices(&mut page, l, &known);
    sources(&mut page, l);
    let _ = write!(
        page,
        "<footer>Gridwarden {}. Made by <code>{}</code>. Times are UTC. Figures are counted; estimated is only what a further day may have.</footer></main></body></html>",
        e(l.version),
        e(l.command)
    );
    page
}

/// From what it was learned, so that anyone can learn it again.
fn sources(page: &mut String, l: &Learned<'_>) {
    page.push_str("<h2 id=\"sources\">Learned from</h2>");
    let all = l.baseline.sources();
    table(page, "Captures", &["Capture", "#Bytes", "SHA-256"]);
    for s in all.iter().rev().take(SOURCES).rev() {
        let _ = write!(
            page,
            "<tr><td class=\"p\">{}</td><td class=\"n\">{}</td><td><code>{}</code></td></tr>",
            e(&s.name),
            number(s.bytes),
            e(&s.sha256)
        );
    }
    end_table(page);
    if let Some(earlier) = all.len().checked_sub(SOURCES).filter(|n| *n > 0) {
        let _ = write!(page, "<p>{} earlier ones stand in the baseline.</p>", number(earlier as u64));
    }
}

fn verdict(page: &mut String, l: &Learned<'_>, known: &Known) {
    let (alarms, _) = l.episodes();
    let left = l.baseline.suspicions().len();
    let (class, words) = match (l.baseline.is_young(), alarms, left) {
        (true, ..) => ("none", "Too young to raise alarms".to_owned()),
        (_, 0, 0) => ("calm", "The learned days raise no alarm".to_owned()),
        (_, 0, n) => ("none", format!("{} left out, for you to judge", things(n as u64))),
        (_, n, _) => (
            "alarm",
            format!("The learned days raise {}", if n == 1 { "one alarm".into() } else { format!("{n} alarms") }),
        ),
    };
    let files = if let [one] = l.files { one.clone() } else { format!("{} captures", l.files.len()) };
    let (from, to) = known.span.map_or((None, None), |(a, b)| (Some(a.to_string()), Some(b.to_string())));
    let added = if l.added { ", added to what was there" } else { "" };
    let _ = write!(
        page,
        "<header class=\"{class}\"><p class=\"brand\">Gridwarden baseline</p><h1>{words}</h1><p>{} · learned from {}{added} · {} to {}</p></header>",
        e(l.path),
        e(&files),
        e(&time(from.as_deref())),
        e(&time(to.as_deref())),
    );
    let ranges = known.points.iter().filter(|p| p.range.is_some() || !p.states.is_empty()).count();
    let devices = knowledge::heard(l, known);
    let cards = [
        (
            "Traffic learned",
            gwcore::time::length(l.baseline.measured()),
            format!("{} between without a packet", gwcore::time::length(l.baseline.paused())),
        ),
        (
            "Alarms a day",
            format!("{:.1}", alarms as f64 / f64::from(l.days.max(1))),
            if l.baseline.is_young() {
                "promises nothing yet".into()
            } else {
                format!("{} parts judged by each other", l.parts)
            },
        ),
        (
            "Devices",
            number(devices.len() as u64),
            format!("{} heard in under three hours", devices.iter().filter(|d| d.is_young).count()),
        ),
        ("Points", number(known.points.len() as u64), format!("{} with a range or states", number(ranges as u64))),
    ];
    page.push_str("<section class=\"cards\">");
    for (name, value, note) in cards {
        let _ = write!(page, "<div><b>{value}</b><span>{name}</span><small>{note}</small></div>");
    }
    page.push_str("</section>");
    for note in l.notes {
        let _ = write!(page, "<p>{}.</p>", e(&capital(note)));
    }
}

fn things(n: u64) -> String {
    if n == 1 { "One thing was".to_owned() } else { format!("{} things were", number(n)) }
}

fn contents(page: &mut String) {
    page.push_str("<nav>");
    let sections = [
        ("replay", "Replayed alarms"),
        ("left", "What was left out"),
        ("worth", "What it is worth"),
        ("pairs", "Who asks and commands whom"),
        ("points", "Points and ranges"),
        ("periods", "Periods"),
        ("devices", "Devices"),
        ("sources", "Learned from"),
    ];
    for (id, name) in sections {
        let _ = write!(page, "<a href=\"#{id}\">{name}</a>");
    }
    page.push_str("</nav>");
}

fn capital(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |c| c.to_uppercase().chain(chars).collect())
}

/// Names of devices by address and MAC.
struct Names<'a>(BTreeMap<&'a str, &'a Device>);

impl<'a> Names<'a> {
    fn of(inventory: &'a Inventory) -> Names<'a> {
        let all = inventory.devices.iter().flat_map(|d| d.ips.iter().chain(&d.macs).map(move |a| (a.as_str(), d)));
        Names(all.collect())
    }

    fn device(&self, address: &str) -> Option<&'a Device> {
        self.0.get(address).copied()
    }

    /// What people call it, escaped: its name with the address, else the address.
    fn say(&self, address: &str) -> String {
        let name = self.device(address).and_then(|d| d.names.first());
        match name {
            Some(n) => format!("{}<br><small>{}</small>", e(&cut(&n.name, 28)), e(address)),
            None => e(address),
        }
    }
}

/// Says what a table left out.
fn more(page: &mut String, all: usize, shown: usize) {
    if all > shown {
        let _ = write!(page, "<p>{} more are not shown.</p>", number((all - shown) as u64));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(suspicion: &str, note: &str, file: &str) -> String {
        let mut baseline = Baseline::default();
        baseline.suspect(suspicion.to_owned(), "a sentence".to_owned());
        learned(&Learned {
            version: "0",
            baseline: &baseline,
            path: "site.baseline",
            command: "gridwarden learn x --baseline site.baseline",
            files: &[file.to_owned()],
            added: false,
            inventory: &Inventory::default(),
            findings: &[],
            parts: 2,
            days: 1,
            frames: 0,
            notes: &[note.to_owned()],
            windows: &[],
            excluded_frames: 0,
            hits: &LimitHits::default(),
        })
    }

    #[test]
    fn text_from_outside_stays_text() {
        let bad = "<script>alert(1)</script>\"onload=x\u{1b}[0m";
        let page = page(bad, bad, bad);
        assert!(!page.contains("<script") && !page.contains("\"onload") && !page.contains('\u{1b}'), "{page}");
        assert!(page.contains("default-src 'none'") && page.matches("&lt;script&gt;").count() >= 3);
    }

    #[test]
    fn few_days_without_an_alarm_promise_no_day_without_one() {
        let most = |seen, days| most_a_day(seen, days);
        assert_eq!([most(0, 1), most(0, 2), most(0, 3), most(0, 30)], [2, 1, 1, 0]);
        // A Poisson count of mean 1 is at most 3 in 19 of 20 cases; two days leave room for more.
        assert_eq!([most(1_000, 1_000), most(2, 2), most(0, 0)], [3, 4, 2]);
        assert!((0..50).all(|n| most(n, 2) <= most(n + 1, 2) && most(n, 3) <= most(n, 2)));
    }

    #[test]
    fn the_command_that_accepts_stands_beside_what_was_left_out() {
        let page = page("scan:10.0.0.9", "", "a");
        assert!(page.contains("gridwarden learn x --baseline site.baseline --accept scan:10.0.0.9"), "{page}");
        assert!(page.contains("Too young to raise alarms"), "an empty baseline is young");
    }
}
