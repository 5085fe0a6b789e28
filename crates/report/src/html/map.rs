//! The network map: devices in three rows by what they do, a line for every pair that talks, drawn without script.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use detect::Device;
use gwcore::{Finding, Severity};

use super::text::{cut, e};
use crate::Overview;
use crate::names::Names;
use crate::terminal::number;

/// Devices drawn; the ones with the most utility traffic come first.
const DRAWN: usize = 36;
/// Boxes in a line.
const ACROSS: usize = 7;
const WIDTH: usize = 1140;
const BOX: (usize, usize) = (148, 46);
const GAP: usize = 14;
/// Space between the lines, for the conversations.
const LINE: usize = 112;

const ROWS: [(&str, &[&str]); 3] = [
    ("Control and engineering", &["master", "engineering_station", "client", "subscriber"]),
    ("Field devices", &["outstation", "server", "publisher", "relay", "slave"]),
    ("Network and services", &[]),
];

/// Utility protocols, whose lines are drawn strong.
pub(crate) fn is_utility(proto: &str) -> bool {
    matches!(
        proto,
        "modbus" | "dnp3" | "iec104" | "goose" | "sv" | "mms" | "s7comm" | "cotp" | "synchrophasor" | "enip" | "iccp"
    )
}

struct Node<'a> {
    device: &'a Device,
    row: usize,
    weight: u64,
    at: (usize, usize),
}

/// Draws the map; nothing where no two devices talk.
pub(super) fn map(page: &mut String, o: &Overview, devices: &[Device], findings: &[Finding], names: &Names<'_>) {
    let mut nodes = nodes(o, devices);
    if nodes.len() < 2 {
        return;
    }
    let left_out = devices.len() - nodes.len();
    let (height, titles) = place(&mut nodes);
    page.push_str("<h2 id=\"map\">Network map</h2>");
    let _ = write!(
        page,
        "<div class=\"wide\" role=\"region\" tabindex=\"0\" aria-label=\"Network map\"><svg class=\"map\" viewBox=\"0 0 {WIDTH} {height}\" role=\"img\" aria-label=\"Devices and who talks to whom\">"
    );
    let (alarmed, pairs) = alarmed(findings);
    lines(page, o, &nodes, &pairs);
    for (y, title) in titles {
        let _ = write!(page, "<text class=\"row\" x=\"8\" y=\"{y}\">{title}</text>");
    }
    for node in &nodes {
        draw(page, node, alarmed.contains(node.device.id.as_str()), names);
    }
    page.push_str("</svg></div><p class=\"legend\"><i class=\"ot\"></i> utility protocol <i class=\"cmd\"></i> with commands <i class=\"it\"></i> other <i class=\"hot\"></i> device or pair in a finding of medium or above");
    if left_out > 0 {
        let _ = write!(page, " · {} further devices are in the table below", number(left_out as u64));
    }
    page.push_str("</p>");
}

fn nodes<'a>(o: &Overview, devices: &'a [Device]) -> Vec<Node<'a>> {
    let mut weight: BTreeMap<&str, u64> = BTreeMap::new();
    for t in &o.talks {
        let w = t.packets.saturating_add(1).saturating_mul(if is_utility(t.proto) { 1_000 } else { 1 });
        for id in [&t.client, &t.server] {
            let sum = weight.entry(id).or_default();
            *sum = sum.saturating_add(w);
        }
    }
    let mut nodes: Vec<Node<'a>> = devices
        .iter()
        .filter_map(|device| Some((device, *weight.get(device.id.as_str())?)))
        .map(|(device, weight)| Node { device, row: row(device), weight, at: (0, 0) })
        .collect();
    nodes.sort_by(|a, b| b.weight.cmp(&a.weight).then(a.device.id.cmp(&b.device.id)));
    nodes.truncate(DRAWN);
    nodes.sort_by(|a, b| (a.row, &a.device.ips, &a.device.id).cmp(&(b.row, &b.device.ips, &b.device.id)));
    nodes
}

fn row(device: &Device) -> usize {
    let has = |names: &[&str]| device.roles.iter().any(|r| names.contains(r));
    // What serves the process stands with the field devices, whatever else it asks for.
    [1, 0].into_iter().find(|r| has(ROWS[*r].1)).unwrap_or(2)
}

/// Gives every node its place; the height of the drawing and the titles of its rows.
fn place(nodes: &mut [Node<'_>]) -> (usize, Vec<(usize, &'static str)>) {
    let (mut y, mut titles) = (0, Vec::new());
    for (row, (title, _)) in ROWS.iter().enumerate() {
        let mine: Vec<usize> = (0..nodes.len()).filter(|i| nodes[*i].row == row).collect();
        if mine.is_empty() {
            continue;
        }
        titles.push((y + 18, *title));
        for line in mine.chunks(ACROSS) {
            let span = line.len() * (BOX.0 + GAP) - GAP;
            for (i, node) in line.iter().enumerate() {
                nodes[*node].at = ((WIDTH - span) / 2 + i * (BOX.0 + GAP), y + 28);
            }
            y += BOX.1 + 24;
        }
        y += LINE - 24;
    }
    (y.saturating_sub(LINE - 50), titles)
}

/// Devices in alarms, and the pairs between which something is alarming, in either order.
fn alarmed(findings: &[Finding]) -> (BTreeSet<&str>, BTreeSet<(&str, &str)>) {
    let grave = findings.iter().filter(|f| f.severity >= Severity::Medium);
    let ends: Vec<_> = grave.map(|f| (f.src.asset.as_deref(), f.dst.asset.as_deref())).collect();
    let pairs = ends.iter().filter_map(|(a, b)| Some(((*a)?, (*b)?))).flat_map(|(a, b)| [(a, b), (b, a)]).collect();
    (ends.iter().flat_map(|(a, b)| [*a, *b]).flatten().collect(), pairs)
}

fn lines(page: &mut String, o: &Overview, nodes: &[Node<'_>], alarmed: &BTreeSet<(&str, &str)>) {
    let at: BTreeMap<&str, (usize, usize)> = nodes.iter().map(|n| (n.device.id.as_str(), n.at)).collect();
    // Commands over utility over other: drawn last, they lie on top.
    let mut pairs: BTreeMap<(&str, &str), (u8, Vec<String>)> = BTreeMap::new();
    for t in &o.talks {
        let (Some(_), Some(_)) = (at.get(t.client.as_str()), at.get(t.server.as_str())) else { continue };
        if t.client == t.server {
            continue;
        }
        let class = match (is_utility(t.proto), t.commands) {
            (true, 1..) => 2,
            (true, 0) => 1,
            _ => 0,
        };
        let pair = pairs.entry((&t.client, &t.server)).or_default();
        pair.0 = pair.0.max(class);
        let what = if t.proto.is_empty() { "unknown protocol" } else { t.proto };
        let commands = if t.commands > 0 { format!(", {} commands", number(t.commands)) } else { String::new() };
        pair.1.push(format!("{what}: {} packets{commands}", number(t.packets)));
    }
    let mut drawn: Vec<_> = pairs.into_iter().collect();
    drawn.sort_by_key(|(_, (class, _))| *class);
    for ((client, server), (class, what)) in drawn {
        let (Some(a), Some(b)) = (at.get(client), at.get(server)) else { continue };
        let hot = alarmed.contains(&(client, server));
        let class = match (hot, class) {
            (true, _) => "hot",
            (_, 2) => "cmd",
            (_, 1) => "ot",
            _ => "it",
        };
        let _ = write!(
            page,
            "<path class=\"{class}\" d=\"{}\"><title>{}</title></path>",
            curve(*a, *b),
            e(&what.join("\n"))
        );
    }
}

/// From the lower edge of the upper box to the upper edge of the lower one; boxes of one line are joined by an arc above them.
fn curve(a: (usize, usize), b: (usize, usize)) -> String {
    let (top, low) = if a.1 <= b.1 { (a, b) } else { (b, a) };
    let (x1, x2) = (top.0 + BOX.0 / 2, low.0 + BOX.0 / 2);
    if top.1 == low.1 {
        let y = top.1 + BOX.1;
        return format!("M{x1} {y}C{x1} {0},{x2} {0},{x2} {y}", y + 30);
    }
    let (y1, y2) = (top.1 + BOX.1, low.1);
    let middle = (y1 + y2) / 2;
    format!("M{x1} {y1}C{x1} {middle},{x2} {middle},{x2} {y2}")
}

fn draw(page: &mut String, node: &Node<'_>, hot: bool, names: &Names<'_>) {
    let d = node.device;
    let (address, named) = (names.address(d), names.name(d));
    let (first, second) = match named {
        Some(name) => (name, address),
        None => (address, d.roles.first().copied().or(d.vendor).unwrap_or_default()),
    };
    let (x, y) = node.at;
    let _ = write!(
        page,
        "<g><title>{}</title><rect class=\"{}\" x=\"{x}\" y=\"{y}\" width=\"{}\" height=\"{}\" rx=\"7\"/>\
         <text x=\"{}\" y=\"{}\">{}</text><text class=\"s\" x=\"{}\" y=\"{}\">{}</text></g>",
        e(&format!("{} {}\n{}", d.ips.join(", "), d.macs.join(", "), d.roles.join(", ").replace('_', " "))),
        if hot { "hot" } else { "" },
        BOX.0,
        BOX.1,
        x + BOX.0 / 2,
        y + 20,
        e(&cut(first, 18)),
        x + BOX.0 / 2,
        y + 36,
        e(&cut(&second.replace('_', " "), 17)),
    );
}
