//! What a baseline is worth, in lines for a terminal.

use detect::Baseline;
use gwcore::Ts;
use gwcore::time::{HOUR, MINUTE, length};
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
        "learned     {} of traffic, {}",
        length(b.measured()),
        if b.paused() < 10 * MINUTE {
            "no pause".to_owned()
        } else {
            format!("{} without a packet between", length(b.paused()))
        },
    ));
    if b.is_young() {
        lines.push(
            "            short baseline (under 6 h of traffic): findings based on it are reported as low".to_owned(),
        );
    }
    lines.extend(l.notes.iter().map(|n| format!("note        {}", plain(n))));
    for class in detect::Class::ALL {
        let w = b.worth(class);
        if w.kinds > 0 {
            lines.push(format!(
                "{:<24} {:>7} known, {:>3.0} % of them seen in one hour only, something new on {} of {} days",
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
            "            no message of a utility protocol was seen: the baseline knows devices and conversations only"
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
    if !l.baseline.is_young() {
        let most = l.most_a_day();
        lines.push(format!(
            "            judged so is a baseline of one part less than this one; of 20 further days like these 19 have 0 to {most} alarm episodes"
        ));
    }
    if l.baseline.is_young() {
        lines.push("            this promises nothing yet: a short baseline raises no alarm".to_owned());
    }
    lines.extend(l.by_detector().iter().map(|(d, (a, low))| format!("            {d}: {a} alarm, {low} low")));
    lines.extend(l.alarms().iter().take(ALARMS).map(|f| format!("            {}: {}", f.ts, plain(&f.why))));
    let more = l.alarms().len().saturating_sub(ALARMS);
    if more > 0 {
        lines.push(format!("            {more} more; --report FILE.html shows them all"));
    }
}
