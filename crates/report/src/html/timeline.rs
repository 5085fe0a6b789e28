//! The timeline: activity of the utility protocols, and under it one lane for each thing that is told, with its episodes.

use std::fmt::Write as _;

use gwcore::time::HOUR;
use gwcore::{Finding, Severity, Ts};

use super::text::{cut, e, time};
use crate::Overview;
use crate::groups::{by_gravity, same};
use crate::terminal::{duration, number};

/// Lanes drawn: the gravest things.
const LANES: usize = 14;
/// Episodes drawn in a lane.
const EPISODES: usize = 400;
const WIDTH: usize = 1140;
const LEFT: usize = 300;
const HEIGHT: usize = 70;
const LANE: usize = 22;

/// Draws it; nothing where there is neither activity nor a finding.
pub(super) fn timeline(page: &mut String, o: &Overview, findings: &[Finding]) {
    let Some((first, last)) = o.span.filter(|(a, b)| b > a) else { return };
    let mut told: Vec<&Finding> =
        findings.iter().filter(|f| f.severity > Severity::Info || f.detector == "control-operation").collect();
    if told.is_empty() && o.activity.is_empty() {
        return;
    }
    by_gravity(&mut told);
    let mut lanes = same(&told);
    let more = lanes.len().saturating_sub(LANES);
    lanes.truncate(LANES);
    let begin = |lane: &[&Finding]| lane.iter().map(|f| (f.ts, f.id.clone())).min();
    lanes.sort_by_cached_key(|lane| begin(lane));
    let height = HEIGHT + 34 + lanes.len() * LANE;
    let _ = write!(
        page,
        "<h2 id=\"timeline\">Timeline</h2><div class=\"wide\" role=\"region\" tabindex=\"0\" aria-label=\"Timeline\"><svg class=\"time\" viewBox=\"0 0 {WIDTH} {height}\" role=\"img\" aria-label=\"Activity and findings over time\">"
    );
    let scale = Scale { first, last };
    bars(page, o, &scale);
    axis(page, &scale);
    for (i, told) in lanes.iter().enumerate() {
        lane(page, told, HEIGHT + 34 + i * LANE, &scale);
    }
    page.push_str("</svg></div>");
    if more > 0 {
        let _ = write!(page, "<p>{} further ones are not drawn; all are listed below.</p>", number(more as u64));
    }
}

struct Scale {
    first: Ts,
    last: Ts,
}

impl Scale {
    fn x(&self, at: Ts) -> f64 {
        let whole = self.last.since(self.first).max(1) as f64;
        let part = (at.since(self.first) as f64 / whole).clamp(0.0, 1.0);
        LEFT as f64 + part * (WIDTH - LEFT - 8) as f64
    }
}

fn bars(page: &mut String, o: &Overview, scale: &Scale) {
    let most = o.activity.iter().copied().max().unwrap_or(0).max(1) as f64;
    let _ = write!(
        page,
        "<text x=\"0\" y=\"30\">Utility values and operations</text><text class=\"s\" x=\"0\" y=\"47\">at most {} in {}</text>",
        number(most as u64),
        duration(o.step as f64 / 1e9)
    );
    for (i, n) in o.activity.iter().enumerate().filter(|(_, n)| **n > 0) {
        let at = o.start.plus((i as i64).saturating_mul(o.step));
        let (x, end) = (scale.x(at), scale.x(at.plus(o.step)));
        // A step with anything in it is seen, however small.
        let h = (*n as f64 / most * (HEIGHT - 10) as f64).max(2.0);
        let _ = write!(
            page,
            "<rect class=\"bar\" x=\"{x:.1}\" y=\"{:.1}\" width=\"{:.1}\" height=\"{h:.1}\"><title>{} at {}</title></rect>",
            HEIGHT as f64 - h,
            (end - x - 0.6).max(1.0),
            number(*n),
            time(Some(&at.to_string()))
        );
    }
}

fn axis(page: &mut String, scale: &Scale) {
    let whole = scale.last.since(scale.first);
    // The first mark bears the date; the others what tells them apart over this span.
    let part = match whole / HOUR {
        0..20 => 11..19,
        20..8_760 => 5..16,
        _ => 0..10,
    };
    for i in 0..=4_i64 {
        let at = scale.first.plus(whole / 4 * i);
        let (x, anchor) = (scale.x(at), ["start", "middle", "middle", "middle", "end"][i as usize]);
        let text = time(Some(&at.to_string()));
        let text = if i == 0 { text } else { text.get(part.clone()).unwrap_or_default().to_owned() };
        let _ = write!(
            page,
            "<line class=\"tick\" x1=\"{x:.1}\" y1=\"{HEIGHT}\" x2=\"{x:.1}\" y2=\"{}\"/><text class=\"s\" x=\"{x:.1}\" y=\"{}\" text-anchor=\"{anchor}\">{text}</text>",
            HEIGHT + 6,
            HEIGHT + 20
        );
    }
}

fn lane(page: &mut String, told: &[&Finding], y: usize, scale: &Scale) {
    let Some(f) = told.first() else { return };
    // Facts have no entry of their own; commands stand in their table.
    let link = if f.severity == Severity::Info { "commands".to_owned() } else { format!("f-{}", f.id) };
    let _ = write!(
        page,
        "<a href=\"#{}\"><title>{5}</title><text x=\"0\" y=\"{}\">{}</text></a><line class=\"lane\" x1=\"{LEFT}\" y1=\"{3}\" x2=\"{4}\" y2=\"{3}\"/>",
        e(&link),
        y + 14,
        e(&cut(&f.title, 38)),
        y + 10,
        WIDTH - 8,
        e(&cut(&f.title, 200)),
    );
    for (f, p) in told.iter().flat_map(|f| f.episodes.iter().map(move |p| (f, p))).take(EPISODES) {
        let (x, end) = (scale.x(p.ts), scale.x(p.ts_end));
        let _ = write!(
            page,
            "<rect class=\"sev {}\" x=\"{x:.1}\" y=\"{}\" width=\"{:.1}\" height=\"12\" rx=\"2\"><title>{} to {}: {}</title></rect>",
            f.severity.name(),
            y + 4,
            (end - x).max(3.0),
            time(Some(&p.ts.to_string())),
            time(Some(&p.ts_end.to_string())),
            super::text::times(p.count)
        );
    }
}
