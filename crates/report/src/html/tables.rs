//! Tables of devices, protocols, conversations and points; what is left out is counted and its place named.

use std::fmt::Write as _;

use detect::Device;
use gwcore::{PointId, Severity};

use super::text::{cut, e, party_cell, stretch};
use super::{View, end_table, table};
use crate::terminal::{bytes, number};
use crate::{PointSeen, Summary, Talk};

/// Devices shown, and those that stand unfolded.
const DEVICES: (usize, usize) = (500, 40);
/// Points shown, and those that stand unfolded.
const POINTS: (usize, usize) = (300, 30);
/// Pairs of devices shown, and those that stand unfolded.
const TALKS: (usize, usize) = (150, 30);

/// A table whose first rows stand open, further ones folded, and the rest counted.
fn folded<T>(
    page: &mut String,
    rows: &[T],
    (most, open): (usize, usize),
    caption: (&str, &[&str]),
    place: &str,
    draw: impl Fn(&mut String, &T),
) {
    let shown = rows.get(..most).unwrap_or(rows);
    let (head, tail) = shown.split_at(open.min(shown.len()));
    table(page, caption.0, caption.1);
    head.iter().for_each(|row| draw(page, row));
    end_table(page);
    if !tail.is_empty() {
        let _ = write!(page, "<details><summary>{} more</summary>", number(tail.len() as u64));
        table(page, &format!("{}, continued", caption.0), caption.1);
        tail.iter().for_each(|row| draw(page, row));
        end_table(page);
        page.push_str("</details>");
    }
    if rows.len() > most {
        let _ = write!(page, "<p>{} further ones are not shown; {place}.</p>", number((rows.len() - most) as u64));
    }
}

/// Devices: those in alarms first, then what has a role.
pub(super) fn devices(page: &mut String, v: &View<'_>) {
    page.push_str("<h2 id=\"devices\">Devices</h2>");
    if v.devices.is_empty() {
        page.push_str("<p>No device was seen.</p>");
        return;
    }
    let mut alarmed: std::collections::BTreeMap<&str, u64> = Default::default();
    for f in v.findings.iter().filter(|f| f.severity >= Severity::Medium) {
        let ends: std::collections::BTreeSet<&str> =
            [&f.src, &f.dst].into_iter().filter_map(|p| p.asset.as_deref()).collect();
        ends.into_iter().for_each(|id| *alarmed.entry(id).or_default() += 1);
    }
    let alarms = |d: &Device| alarmed.get(d.id.as_str()).copied().unwrap_or(0);
    let mut sorted: Vec<&Device> = v.devices.iter().collect();
    sorted.sort_by(|a, b| {
        let order = alarms(b).cmp(&alarms(a)).then(a.roles.is_empty().cmp(&b.roles.is_empty()));
        order.then(ip(v, a).cmp(&ip(v, b))).then(a.id.cmp(&b.id))
    });
    let heads = ["Device", "MAC, maker", "Roles, level", "Speaks, says it is", "Seen (UTC)", "#Alarms"];
    folded(page, &sorted, DEVICES, ("Devices", &heads), "assets.ndjson has all of them", |page, d| {
        device(page, v, d, alarms(d));
    });
}

/// An address in the order of numbers.
fn ip(v: &View<'_>, d: &Device) -> Option<std::net::IpAddr> {
    v.names.address(d).parse().ok()
}

/// What a device says it is, once each: maker, model and release before the rest.
fn says(d: &Device) -> String {
    const FIRST: &[&str] = &["vendor", "model", "product", "firmware", "version", "serial"];
    let rank = |field: &str| FIRST.iter().position(|f| field.rsplit('.').next() == Some(*f)).unwrap_or(FIRST.len());
    let mut all: Vec<(&String, &String)> = d.identity.iter().collect();
    all.sort_by_key(|(field, _)| rank(field));
    let mut said: Vec<&str> = Vec::new();
    for (_, value) in all {
        if !said.contains(&value.as_str()) {
            said.push(value);
        }
    }
    said.join(", ")
}

fn device(page: &mut String, v: &View<'_>, d: &Device, alarms: u64) {
    let claims = v.names.claims(d);
    let own: Vec<&str> = d.ips.iter().map(String::as_str).filter(|ip| !claims.contains(ip)).collect();
    let some = |all: &[&str]| match all.len() {
        0..4 => all.join(", "),
        n => format!("{} and {} more", all.iter().take(3).copied().collect::<Vec<_>>().join(", "), n - 3),
    };
    let name = v.names.name(d).map(|n| format!("<b>{}</b><br>", e(&cut(n, 60)))).unwrap_or_default();
    let also = match claims.is_empty() {
        true => String::new(),
        false => format!("<br><small>claims too: {}</small>", e(&cut(&some(&claims), 120))),
    };
    let level = d.level.as_ref().map(|l| format!("<br><small>level {}: {}</small>", l.level, e(&l.reason)));
    let says = cut(&says(d), 80);
    let _ = write!(
        page,
        "<tr{}><td>{name}{}{also}</td><td><span class=\"m\">{}</span><br><small>{}</small></td><td>{}{}</td><td>{}<br><small>{}</small></td><td class=\"t\">{}</td><td class=\"n\">{}</td></tr>",
        if alarms > 0 { " class=\"hot\"" } else { "" },
        e(&if own.is_empty() { "no IP of its own".to_owned() } else { some(&own) }),
        d.macs.iter().take(3).map(|m| e(m)).collect::<Vec<_>>().join("<br>"),
        e(d.vendor.unwrap_or("maker unknown")),
        e(&d.roles.join(", ").replace('_', " ")),
        level.unwrap_or_default(),
        e(&d.protocols.iter().take(8).map(|p| cut(p, 40)).collect::<Vec<_>>().join(", ")),
        e(&says),
        stretch(&d.first_seen, &d.last_seen),
        if alarms > 0 { number(alarms) } else { String::new() }
    );
}

/// Protocols that were recognised.
pub(super) fn protocols(page: &mut String, s: &Summary) {
    page.push_str("<h2 id=\"protocols\">Protocols</h2>");
    if s.services.is_empty() {
        page.push_str("<p>No protocol was recognised.</p>");
        return;
    }
    let mut rows: Vec<_> = s.services.iter().collect();
    rows.sort_by(|a, b| b.1.cmp(a.1).then(a.0.cmp(b.0)));
    table(page, "Protocols", &["Protocol", "#Conversations", "#Records"]);
    for (name, n) in rows {
        let records = s.records.get(name.as_str()).map_or_else(String::new, |r| number(*r));
        let _ = write!(
            page,
            "<tr><td>{}</td><td class=\"n\">{}</td><td class=\"n\">{records}</td></tr>",
            e(name),
            number(*n)
        );
    }
    end_table(page);
}

/// Who talks to whom, most packets first.
pub(super) fn conversations(page: &mut String, v: &View<'_>) {
    if v.o.talks.is_empty() {
        return;
    }
    page.push_str("<h2 id=\"conversations\">Who talks to whom</h2>");
    let heads = ["Client", "Server", "Protocol", "#Conversations", "#Packets", "#Payload", "#Commands"];
    let place = "the records of kind conn have all of them";
    folded(page, &v.o.talks, TALKS, ("Who talks to whom", &heads), place, |page, t: &Talk| {
        let _ = write!(
            page,
            "<tr><td>{}</td><td>{}</td><td>{}</td><td class=\"n\">{}</td><td class=\"n\">{}</td><td class=\"n\">{}</td><td class=\"n\">{}</td></tr>",
            party_cell(&v.names.of(&t.client)),
            party_cell(&v.names.of(&t.server)),
            e(if t.proto.is_empty() { "not recognised" } else { t.proto }),
            number(t.conversations),
            number(t.packets),
            bytes(t.bytes),
            if t.commands > 0 { number(t.commands) } else { String::new() }
        );
    });
}

/// Points, commanded ones first: they are what an operator is asked about.
pub(super) fn points(page: &mut String, v: &View<'_>) {
    if v.o.points.is_empty() {
        return;
    }
    page.push_str("<h2 id=\"points\">Points</h2>");
    let mut rows: Vec<&PointSeen> = v.o.points.iter().collect();
    rows.sort_by_key(|p| p.writes == 0);
    let heads = ["Device", "Point", "#Read", "#Commanded", "First", "Last", "Range", "#Bad quality"];
    let place = "the records of kind point have all of them";
    folded(page, &rows, POINTS, ("Points", &heads), place, |page, p| {
        let [first, last, min, max] = p.values.each_ref().map(|text| e(&cut(text, 40)));
        let address = match p.proto {
            "s7comm" => format!("s7comm {}", p.point.say(p.proto)),
            proto => {
                let PointId { table, unit, address } = p.point;
                format!("{proto} {}, device address {unit}, point {address}", table.replace('_', " "))
            }
        };
        let point = match p.name.as_str() {
            "" => e(&address),
            name => format!("<b>{}</b><br><small>{}</small>", e(&cut(name, 80)), e(&address)),
        };
        let _ = write!(
            page,
            "<tr><td>{}</td><td>{point}</td><td class=\"n\">{}</td><td class=\"n\">{}</td><td>{first}</td><td>{last}</td><td>{min} to {max}</td><td class=\"n\">{}</td></tr>",
            party_cell(&v.names.of(&p.server)),
            number(p.reads),
            if p.writes > 0 { number(p.writes) } else { String::new() },
            if p.bad > 0 { number(p.bad) } else { String::new() }
        );
    });
}
