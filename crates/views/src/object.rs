//! A record as the members of a JSON object: common fields, own fields, nested children.

use gwcore::{AnyRows, COMMON, Column, Ends, Key, Kind, Names, Out, Stamp, common};

use crate::cache::FlowTexts;
use crate::text::{self, Clock};

/// The keys of a kind's own fields, `,"name":` each.
pub(crate) struct Keys(Vec<Vec<u8>>);

impl Keys {
    pub(crate) fn new(kind: &Kind) -> Keys {
        Keys(kind.fields.iter().map(|f| member(f.name)).collect())
    }

    /// Appends `,"name":value` for every field that holds one.
    pub(crate) fn write(&self, to: &mut Vec<u8>, columns: &[&dyn Column], row: usize, clock: &mut Clock) {
        for (key, column) in self.0.iter().zip(columns) {
            let before = to.len();
            to.extend_from_slice(key);
            if !text::json_value(to, column.value(row), clock) {
                to.truncate(before);
            }
        }
    }
}

/// `,"name":`.
fn member(name: &str) -> Vec<u8> {
    let mut key = b",".to_vec();
    text::json_string(&mut key, name);
    key.push(b':');
    key
}

/// Appends all common fields but `ts`, each with a comma before it.
pub(crate) fn common(
    to: &mut Vec<u8>,
    flows: &mut FlowTexts,
    out: &Out,
    rows: &dyn AnyRows,
    stamp: &Stamp,
    names: Names<'_>,
) {
    let swap = stamp.flow.reversed() && rows.kind().grain.shows_sender();
    let (head, tail) = flows.of(out, stamp, swap, |to, ends| flow_constants(to, ends, names));
    to.extend_from_slice(head);
    if let Some(frame) = common::frame_of(stamp) {
        to.extend_from_slice(b",\"frame\":");
        text::uint(to, frame);
    }
    to.extend_from_slice(tail);
}

/// Appends the flow's part of the common fields; returns where that behind `frame` begins.
fn flow_constants(to: &mut Vec<u8>, ends: &Ends, names: Names<'_>) -> usize {
    let mut split = to.len();
    for field in &COMMON {
        let before = to.len();
        to.extend_from_slice(b",\"");
        to.extend_from_slice(field.name.as_bytes());
        to.extend_from_slice(b"\":");
        if field.name == "frame" {
            split = before;
        }
        if !flow_constant(to, field.name, ends, names) {
            to.truncate(before);
        }
    }
    split
}

fn flow_constant(to: &mut Vec<u8>, name: &str, ends: &Ends, names: Names<'_>) -> bool {
    let number = |to: &mut Vec<u8>, n: Option<u16>| n.map(|n| text::uint(to, u64::from(n)));
    let address = |to: &mut Vec<u8>, a| Option::map(a, |a| text::quoted(to, |to| text::addr(to, a)));
    let mac = |to: &mut Vec<u8>, m| Option::map(m, |m| text::quoted(to, |to| text::mac(to, m)));
    match name {
        "uid" => ends.uid.map(|u| text::quoted(to, |to| text::uid(to, u))),
        "src_ip" => address(to, ends.src_ip),
        "src_port" => number(to, ends.src_port),
        "dst_ip" => address(to, ends.dst_ip),
        "dst_port" => number(to, ends.dst_port),
        "src_mac" => mac(to, ends.src_mac),
        "dst_mac" => mac(to, ends.dst_mac),
        "vlan" => number(to, ends.vlan),
        "inner_vlan" => number(to, ends.inner_vlan),
        "ip_proto" => number(to, ends.ip_proto.map(u16::from)),
        "file" => ends.file_name(names).map(|n| text::json_string(to, n)),
        "interface" => ends.interface_name(names).map(|n| text::json_string(to, n)),
        _ => None,
    }
    .is_some()
}

/// The child kinds of a parent in one batch, each read along with the parent's rows.
pub(crate) struct Children<'a>(Vec<Child<'a>>);

struct Child<'a> {
    key: Vec<u8>,
    names: Keys,
    rows: &'a dyn AnyRows,
    columns: Vec<&'a dyn Column>,
    next: usize,
}

impl<'a> Children<'a> {
    /// Of all kinds of the batch, those whose parent is `parent`.
    pub(crate) fn of(parent: &Kind, kinds: &[&'a dyn AnyRows]) -> Children<'a> {
        let child = |rows: &&'a dyn AnyRows| {
            let kind = rows.kind();
            let (_, field) = kind.parent.filter(|(name, _)| *name == parent.name)?;
            Some(Child { key: member(field), names: Keys::new(kind), rows: *rows, columns: rows.columns(), next: 0 })
        };
        Children(kinds.iter().filter_map(child).collect())
    }

    /// Appends `,"field":[{…},…]` for the child rows of the parent's row under `key`; parents must come in order.
    pub(crate) fn write(&mut self, to: &mut Vec<u8>, key: Key, clock: &mut Clock) {
        for child in &mut self.0 {
            let stamps = child.rows.stamps();
            let skip = stamps.get(child.next..).unwrap_or_default().iter().take_while(|s| s.key < key).count();
            child.next += skip;
            let count = stamps.get(child.next..).unwrap_or_default().iter().take_while(|s| s.key == key).count();
            if count == 0 {
                continue;
            }
            to.extend_from_slice(&child.key);
            to.push(b'[');
            for row in child.next..child.next + count {
                if row > child.next {
                    to.push(b',');
                }
                let open = to.len();
                child.names.write(to, &child.columns, row, clock);
                // The first member's comma becomes the brace.
                match to.get_mut(open) {
                    Some(comma) => *comma = b'{',
                    None => to.push(b'{'),
                }
                to.push(b'}');
            }
            to.push(b']');
            child.next += count;
        }
    }
}
