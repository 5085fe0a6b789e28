//! What a baseline is worth, in lines for a terminal.

use detect::Baseline;
use gwcore::Ts;
use gwcore::time::{HOUR, MINUTE};
use report::{Learned, plain};

use super::parts::{DAY, DAYS};
use crate::cli::Learn;
use crate::origin::quoted;

/// Alarms of the replay that are shown.
const ALARMS: usize = 10;

/// Days learned, as a site counts them.
pub fn days(parts: &[(Ts, Ts)], whole: &Baseline) -> u32 {
    if parts.len() >= DAYS {
        parts.len() as u32
    } else if whole.span() <= DAY + HOUR {
        1
    } else {
        whole.days()
    }
}

/// So many hours, in words.
pub fn hours(n: u64) -> String {
    if n == 1 { "one hour".to_owned() } else { format!("{n} hours") }
}

/// A span of time, in words.
fn span(ns: i64) -> String {
    if ns < 2 * DAY {
        format!("{} h {:02} min", ns / HOUR, ns % HOUR / MINUTE)
    } else {
        format!("{} days {} h", ns / DAY, ns % DAY / HOUR)
    }
}

/// The command that made the baseline, to be given again with `--accept`.
pub fn command(args: &Learn) -> String {
    let mut words = vec!["gridwarden".to_owned(), "learn".to_owned()];
    words.extend(args.paths.iter().map(|p| quoted(&p.display().to_string())));
    words.extend(["--baseline".to_owned(), quoted(&args.baseline.display().to_string())]);
    words.extend(args.add.then(|| "--add".to_owned()));
    for path in &args.exclude {
        words.extend(["--exclude".to_owned(), quoted(&path.display().to_string())]);
    }
    words.join(" ")
}

/// The lines.
pub fn page(l: &Learned<'_>) -> Vec<String> {
    let (b, mut lines) = (l.baseline, Vec::new());
    lines.push(format!(
        "learned     {} with packets and {} without, in {}",
        hours(b.hours().into()),
        hours(b.hours_without()),
        span(b.span())
    ));
    if b.is_young() {
        lines.push("            young: under six hours of packets, so what rests on it speaks as low".to_owned());
    }
    lines.extend(l.notes.iter().map(|n| format!("note        {}", plain(n))));
    for class in detect::Class::ALL {
        let w = b.worth(class);
        if w.kinds > 0 {
            lines.push(format!(
                "{:<24} {:>7} known, {:>3.0} % of them seen in a single hour, something new on {} of {} days",
                format!("{}s", class.name()),
                w.kinds,
                w.share_once() * 100.0,
                w.days_with_new,
                w.days
            ));
        }
    }
    if b.worth(detect::Class::Point).kinds + b.worth(detect::Class::Function).kinds == 0 {
        lines.push(
            "            no message of a utility protocol was seen: devices and conversations are all it knows"
                .to_owned(),
        );
    }
    replayed(l, &mut lines);
    if !b.suspicions().is_empty() {
        lines.push("left out    learned under suspicion; `--accept ITEM` learns it:".to_owned());
        lines.extend(b.suspicions().iter().map(|(item, s)| format!("            {}: {}", plain(item), plain(s))));
    }
    lines.extend(l.hits.iter().map(|(l, n)| format!("limit       {} was hit {n} times", l.key())));
    lines
}

fn replayed(l: &Learned<'_>, lines: &mut Vec<String>) {
    let (alarms, low) = l.episodes();
    let per_day = |n: u64| n as f64 / f64::from(l.days.max(1));
    lines.push(format!(
        "replayed    each part judged by the others: {:.1} alarm episodes a day ({alarms} in {} days), {:.1} low ones",
        per_day(alarms),
        l.days,
        per_day(low)
    ));
    if l.baseline.is_young() {
        lines.push("            this promises nothing yet: what is young raises no alarm".to_owned());
    }
    lines.extend(l.by_detector().iter().map(|(d, (a, low))| format!("            {d}: {a} alarm, {low} low")));
    lines.extend(l.alarms().iter().take(ALARMS).map(|f| format!("            {}: {}", f.ts, plain(&f.why))));
    let more = l.alarms().len().saturating_sub(ALARMS);
    if more > 0 {
        lines.push(format!("            {more} more; --report FILE.html shows them all"));
    }
}
