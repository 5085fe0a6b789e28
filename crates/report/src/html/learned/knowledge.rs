//! What the baseline knows of the plant: who asks and commands whom, points with their ranges, periods, devices.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use detect::{Known, KnownDevice, KnownPoint, Pair};
use gwcore::time::{MILLI, SECOND};

use super::super::text::{cut, e, value};
use super::{Learned, Names, more};
use crate::terminal::number;

/// Pairs shown, those that command first.
const PAIRS: usize = 300;
/// Points shown, commanded ones first.
const POINTS: usize = 1_000;
/// Polls shown.
const PERIODS: usize = 300;
/// Devices shown.
const DEVICES: usize = 500;

/// Who asks and commands whom.
pub(super) fn pairs(page: &mut String, l: &Learned<'_>, known: &Known) {
    page.push_str("<h2 id=\"pairs\">Who asks and commands whom</h2>");
    if known.pairs.is_empty() {
        page.push_str("<p>No device was seen to ask or command another in a protocol that is decoded.</p>");
        return;
    }
    page.push_str("<p>Once approved, a command along a line that is not here is an alarm. Look at those who command first: should they?</p><div class=\"wide\"><table><thead><tr><th>Source</th><th>Device</th><th>Protocol</th><th>Functions</th><th>Commands</th><th>On points</th><th>Hours</th></tr></thead><tbody>");
    let names = Names::of(l.inventory);
    let mut rows: Vec<&Pair> = known.pairs.iter().collect();
    rows.sort_by_key(|p| (p.commands == 0, std::cmp::Reverse(p.commands)));
    for p in rows.iter().take(PAIRS) {
        let functions = if p.publishes {
            "publishes".to_owned()
        } else {
            p.functions.iter().map(|f| words(f)).collect::<Vec<_>>().join(", ")
        };
        let some = |n: u64| if n > 0 { number(n) } else { String::new() };
        let _ = write!(
            page,
            "<tr><td class=\"a\">{}</td><td class=\"a\">{}</td><td>{}</td><td>{}</td><td class=\"n\">{}</td><td class=\"n\">{}</td><td class=\"n\">{}</td></tr>",
            names.say(&p.client),
            names.say(&p.server),
            e(&p.proto),
            e(&cut(&functions, 300)),
            some(p.commands),
            some(p.commanded),
            p.hours
        );
    }
    page.push_str("</tbody></table></div>");
    more(page, rows.len(), PAIRS);
}

/// Points: what each is, its range, or why it has none.
pub(super) fn points(page: &mut String, l: &Learned<'_>, known: &Known) {
    page.push_str("<h2 id=\"points\">Points and ranges</h2>");
    if known.points.is_empty() {
        page.push_str("<p>No value of a point was seen.</p>");
        return;
    }
    let without = known.points.iter().filter(|p| p.without.is_some()).count();
    let _ = write!(
        page,
        "<p>A command outside its range is an alarm, a report outside it is noted. Of {} points {} have no range; each says why. Do the ranges match the plant?</p>",
        number(known.points.len() as u64),
        number(without as u64)
    );
    page.push_str("<div class=\"wide\"><table><thead><tr><th>Device</th><th>Point</th><th>Is</th><th>Range or states</th><th>Values</th></tr></thead><tbody>");
    let names = Names::of(l.inventory);
    let mut rows: Vec<&KnownPoint> = known.points.iter().collect();
    rows.sort_by_key(|p| !p.commanded);
    for p in rows.iter().take(POINTS) {
        let _ = write!(
            page,
            "<tr><td class=\"a\">{}</td><td>{}</td><td>{}{}</td><td>{}</td><td class=\"n\">{}</td></tr>",
            names.say(&p.server),
            e(&point(p)),
            if p.commanded { "commanded " } else { "" },
            e(p.kind),
            range(p),
            number(p.values)
        );
    }
    page.push_str("</tbody></table></div>");
    more(page, rows.len(), POINTS);
}

/// A name of a protocol as words; those with capitals are the standard's own.
fn words(name: &str) -> String {
    if name.chars().any(char::is_uppercase) { name.to_owned() } else { name.replace('_', " ") }
}

/// Which point of a device, in its protocol's own terms.
fn point(p: &KnownPoint) -> String {
    let table = if p.table == p.proto { String::new() } else { format!(" {}", words(&p.table)) };
    let (unit, address) = match p.proto.as_str() {
        "modbus" => ("unit", "address"),
        "dnp3" => ("outstation", "index"),
        "iec104" => ("common address", "object address"),
        "goose" => ("APPID", "entry"),
        "s7comm" => return format!("s7comm {}", gwcore::say_point(&p.proto, &p.table, p.unit, p.address)),
        _ => ("device address", "point"),
    };
    format!("{}{table}, {unit} {}, {address} {}", p.proto, p.unit, p.address)
}

fn range(p: &KnownPoint) -> String {
    match (p.range, p.without) {
        (Some((min, max)), _) if min == max => format!("always {}", value(min)),
        (Some((min, max)), _) => format!("{} to {}", value(min), value(max)),
        (None, Some(why)) => format!("<small>none: {}</small>", e(why)),
        (None, None) if p.states.len() == 1 => {
            format!("always {}", p.states.iter().map(|v| value(*v)).collect::<String>())
        }
        (None, None) => p.states.iter().map(|v| value(*v)).collect::<Vec<_>>().join(", "),
    }
}

/// How often what is asked for.
pub(super) fn periods(page: &mut String, l: &Learned<'_>, known: &Known) {
    page.push_str("<h2 id=\"periods\">Periods</h2>");
    if known.periods.is_empty() {
        page.push_str("<p>Nothing was asked for again and again.</p>");
        return;
    }
    page.push_str("<p>A poll that keeps its period is missed when it changes; without one, nothing is said of its pace.</p><div class=\"wide\"><table><thead><tr><th>Source</th><th>Device</th><th>Function</th><th>Every</th></tr></thead><tbody>");
    let names = Names::of(l.inventory);
    for p in known.periods.iter().take(PERIODS) {
        let mut every: Vec<String> = p.periods.iter().map(|ns| duration(*ns)).collect();
        every.dedup();
        if p.irregular > 0 {
            let polls = if p.irregular == 1 { "one poll".into() } else { format!("{} polls", p.irregular) };
            every.push(format!("{polls} without a period (too few or irregular)"));
        }
        let _ = write!(
            page,
            "<tr><td class=\"a\">{}</td><td class=\"a\">{}</td><td>{} {}</td><td>{}</td></tr>",
            names.say(&p.client),
            names.say(&p.server),
            e(&p.proto),
            e(&words(&p.function)),
            every.join(", ")
        );
    }
    page.push_str("</tbody></table></div>");
    more(page, known.periods.len(), PERIODS);
}

/// A period to two digits: more are not known.
fn duration(ns: i64) -> String {
    match ns {
        _ if ns < SECOND => format!("{} ms", two_digits(ns / MILLI)),
        _ if ns < 100 * SECOND => format!("{:.1} s", ns as f64 / SECOND as f64),
        _ if ns < 7_200 * SECOND => format!("{} min", (ns + 30 * SECOND) / (60 * SECOND)),
        _ => format!("{:.1} h", ns as f64 / (3_600 * SECOND) as f64),
    }
}

fn two_digits(n: i64) -> i64 {
    if n < 100 { n } else { (n + 5) / 10 * 10 }
}

/// Devices by the address they were heard most under: what else they say tells little of how they use to speak.
pub(super) fn heard<'a>(l: &Learned<'_>, known: &'a Known) -> Vec<&'a KnownDevice> {
    let names = Names::of(l.inventory);
    let mut most: BTreeMap<&str, &KnownDevice> = BTreeMap::new();
    for d in &known.devices {
        let id = names.device(&d.address).map_or(d.address.as_str(), |o| o.id.as_str());
        let best = most.entry(id).or_insert(d);
        // The IP address comes last, and is the better name where both are heard alike.
        if d.minutes >= best.minutes {
            *best = d;
        }
    }
    let chosen: BTreeSet<&str> = most.values().map(|d| d.address.as_str()).collect();
    known.devices.iter().filter(|d| chosen.contains(d.address.as_str())).collect()
}

/// Devices with what they are and how long they use to be silent.
pub(super) fn devices(page: &mut String, l: &Learned<'_>, known: &Known) {
    page.push_str("<h2 id=\"devices\">Devices</h2><div class=\"wide\"><table><thead><tr><th>Address</th><th>MAC, maker</th><th>Roles</th><th>Level</th><th>Heard in</th><th>Silent at most</th><th></th></tr></thead><tbody>");
    let names = Names::of(l.inventory);
    let rows = heard(l, known);
    for d in rows.iter().take(DEVICES) {
        let device = names.device(&d.address);
        let macs = device.map_or_else(String::new, |d| d.macs.join(", "));
        let maker = device.and_then(|d| d.vendor).unwrap_or("");
        let level = device.and_then(|d| d.level.as_ref());
        let _ = write!(
            page,
            "<tr><td class=\"a\">{}</td><td>{}<br><small>{}</small></td><td>{}</td><td>{}</td><td class=\"n\">{} min</td><td class=\"n\">{} min</td><td>{}</td></tr>",
            names.say(&d.address),
            e(&macs),
            e(maker),
            e(&device.map_or_else(|| "learned before".to_owned(), |d| d.roles.join(", ").replace('_', " "))),
            level.map_or_else(String::new, |l| format!("{}<br><small>{}</small>", l.level, e(&l.reason))),
            number(d.minutes),
            number(d.longest),
            if d.is_young { "young" } else { "" }
        );
    }
    page.push_str("</tbody></table></div>");
    more(page, rows.len(), DEVICES);
    not_learned(page, l);
}

/// Devices of the captures that the baseline does not know: what was excluded, and what spoke only in the suspicious.
fn not_learned(page: &mut String, l: &Learned<'_>) {
    let unknown = l.inventory.devices.iter().filter(|d| {
        let is_local = d.level.as_ref().is_none_or(|l| l.level < 5);
        is_local && !d.ips.iter().chain(&d.macs).any(|a| l.baseline.knows_device(a))
    });
    let named: Vec<String> =
        unknown.map(|d| d.ips.first().or(d.macs.first()).cloned().unwrap_or_default()).take(50).collect();
    if !named.is_empty() {
        let _ = write!(page, "<p>Seen in the captures, but not learned: {}.</p>", e(&named.join(", ")));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn periods_are_written_as_people_say_them() {
        let check = |ns: i64, expect: &str| assert_eq!(duration(ns), expect);
        check(95 * MILLI, "95 ms");
        check(304 * MILLI, "300 ms");
        check(2 * SECOND + 30 * MILLI, "2.0 s");
        check(300 * SECOND, "5 min");
        check(7_200 * SECOND, "2.0 h");
    }

    #[test]
    fn a_point_without_a_range_says_why() {
        let mut p = KnownPoint {
            server: "a".into(),
            proto: "modbus".into(),
            table: "coil".into(),
            unit: 1,
            address: 1,
            commanded: false,
            kind: "state",
            range: None,
            states: vec![0.0, 1.0],
            values: 2,
            without: None,
        };
        assert_eq!((range(&p).as_str(), point(&p).as_str()), ("0, 1", "modbus coil, unit 1, address 1"));
        p.states.pop();
        assert_eq!(range(&p), "always 0");
        p.without = Some("jumps");
        assert!(range(&p).contains("none: jumps"));
        p.range = Some((1.5, 1.5));
        assert_eq!(range(&p), "always 1.5");
    }
}
