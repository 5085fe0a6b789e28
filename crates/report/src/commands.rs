//! What was commanded and what came back: one entry per source, device, function and point, with its answers and the value read afterwards.

use std::collections::BTreeMap;

use gwcore::time::SECOND;
use gwcore::{Addr, Fact, FlowConst, Limit, LimitHits, Mac, Op, OpClass, PointId, Table, Ts};

use crate::overview::End;

/// Time after a command within which the last value read tells: a poll that crosses the command still shows the state before it.
const SETTLED: i64 = 30 * SECOND;

/// What makes two commands one entry.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Asked {
    pub(crate) source: End,
    pub(crate) device: End,
    pub(crate) proto: &'static str,
    pub(crate) name: &'static str,
    pub(crate) action: &'static str,
    pub(crate) class: OpClass,
    pub(crate) point: Option<PointId>,
}

/// What became of it.
#[derive(Clone, Copy)]
pub(crate) struct Came {
    pub(crate) first: Ts,
    pub(crate) last: Ts,
    pub(crate) count: u64,
    pub(crate) values: Option<(f64, f64)>,
    pub(crate) accepted: u64,
    pub(crate) refused: u64,
    pub(crate) reason: Option<&'static str>,
    pub(crate) before: Option<f64>,
    pub(crate) after: Option<(Ts, f64)>,
    pub(crate) file: u32,
    pub(crate) frame: u64,
}

/// The place of a point: the device without its MAC where it has an address, since another one may stand in for it.
type Place = (&'static str, End, PointId);

/// Collects commands and their outcomes.
pub(crate) struct Commands {
    seen: Table<Asked, Came>,
    /// The last command of a source to a device by function: a refusal may not name its point.
    last: Table<(End, End, &'static str, u16), Asked>,
    /// Points whose next values show what a command did.
    waiting: Table<Place, (Ts, Asked)>,
    limit: usize,
}

/// Whether the report lists a class: what changes something.
fn is_listed(class: OpClass) -> bool {
    !matches!(
        class,
        OpClass::Read | OpClass::Identify | OpClass::Select | OpClass::Authenticate | OpClass::Upload | OpClass::Other
    )
}

fn place(proto: &'static str, (mac, addr): End, point: PointId) -> Place {
    (proto, (if addr.is_none() { mac } else { Mac::NONE }, addr), point)
}

impl Commands {
    pub(crate) fn new(limit: usize) -> Commands {
        Commands { seen: Table::default(), last: Table::default(), waiting: Table::default(), limit }
    }

    /// A command, with the value that its point had before.
    pub(crate) fn asked(
        &mut self,
        (fact, flow): (&Fact, &FlowConst),
        op: &Op,
        (source, device): (End, End),
        before: Option<f64>,
        hits: &mut LimitHits,
    ) {
        if !is_listed(op.class) {
            return;
        }
        let asked = asked(op, source, device);
        if self.seen.len() >= self.limit && !self.seen.contains_key(&asked) {
            return hits.hit(Limit::ReportCommands);
        }
        let came = self.seen.entry(asked).or_insert(Came {
            first: fact.ts,
            last: fact.ts,
            count: 0,
            values: op.value.map(|v| (v, v)),
            accepted: 0,
            refused: 0,
            reason: None,
            before,
            after: None,
            file: flow.file,
            frame: fact.frame,
        });
        came.count += 1;
        came.last = came.last.max(fact.ts);
        if let (Some((_, last)), Some(v)) = (&mut came.values, op.value) {
            *last = v;
        }
        self.last.insert((source, device, op.proto, op.function), asked);
        if let Some(point) = op.point {
            self.waiting.insert(place(op.proto, device, point), (fact.ts, asked));
        }
    }

    /// The device's answer.
    pub(crate) fn answered(&mut self, op: &Op, (source, device): (End, End)) {
        let exact = asked(op, source, device);
        let key = match (self.seen.contains_key(&exact), op.refused) {
            (true, _) => Some(&exact),
            // A refusal need not name what it refuses.
            (false, Some(_)) => self.last.get(&(source, device, op.proto, op.function)),
            (false, None) => None,
        };
        if let Some(came) = key.and_then(|key| self.seen.get_mut(key)) {
            match op.refused {
                Some((_, reason)) => {
                    came.refused += 1;
                    came.reason = Some(reason);
                }
                None => came.accepted += 1,
            }
        }
    }

    /// A value that was read or reported: the last one within half a minute of a command, or else the first later one, shows what it did.
    pub(crate) fn read(&mut self, proto: &'static str, device: End, point: PointId, ts: Ts, value: f64) {
        if self.waiting.is_empty() {
            return;
        }
        let place = place(proto, device, point);
        let Some((since, asked)) = self.waiting.get(&place).copied() else { return };
        let Some(came) = self.seen.get_mut(&asked) else { return };
        let in_time = ts.since(since) <= SETTLED;
        if in_time || came.after.is_none_or(|(at, _)| at < since) {
            came.after = Some((ts, value));
        }
        if !in_time {
            self.waiting.remove(&place);
        }
    }

    /// All of them, by time.
    pub(crate) fn finish(self) -> Vec<(Asked, Came)> {
        let mut order: BTreeMap<(Ts, u32, u64, String), (Asked, Came)> = BTreeMap::new();
        for (asked, came) in self.seen {
            // One message may command several points: what else tells entries apart follows the frame.
            let rest = format!("{:?} {} {} {:?}", asked.point, asked.name, asked.action, (asked.source, asked.device));
            order.insert((came.first, came.file, came.frame, rest), (asked, came));
        }
        order.into_values().collect()
    }
}

fn asked(op: &Op, source: End, device: End) -> Asked {
    let Op { proto, name, action, class, point, .. } = *op;
    Asked { source, device, proto, name, action, class, point }
}

/// One kind of command as the report shows it.
#[derive(Clone, Debug, PartialEq)]
pub struct Command {
    /// Device id of who sent it, or its address.
    pub source: String,
    /// Device id of the commanded device, or its address.
    pub device: String,
    /// Protocol.
    pub proto: &'static str,
    /// The protocol's function, with what the panel would say.
    pub name: String,
    /// What it asks for.
    pub class: OpClass,
    /// The point in the site's words; empty where none is named.
    pub point: String,
    /// First and last value asked for.
    pub values: Option<(String, String)>,
    /// When first and last.
    pub span: (Ts, Ts),
    /// How often.
    pub count: u64,
    /// Answers that accept.
    pub accepted: u64,
    /// Answers that refuse, and the last reason.
    pub refused: (u64, Option<&'static str>),
    /// The point's last value read before the first one.
    pub before: Option<String>,
    /// When the point was read after the last one, and its value.
    pub after: Option<(Ts, String)>,
    /// Capture and number of the first packet.
    pub packet: (String, u64),
}

/// A function as people call it; IEC 60870-5-101 §7.3 names its types by codes.
pub(crate) fn function(name: &str) -> String {
    let words = match name.get(..4) {
        Some("C_SC") => "single command",
        Some("C_DC") => "double command",
        Some("C_RC") => "raise or lower",
        Some("C_SE") => "set point",
        Some("C_BO") => "bit string",
        Some("C_CS") => "clock synchronisation",
        Some("C_RP") => "reset process",
        Some("P_ME") => "parameter of a measured value",
        Some("P_AC") => "parameter activation",
        _ if name.starts_with(|c: char| c.is_ascii_uppercase()) => return name.to_owned(),
        _ => return name.replace('_', " "),
    };
    format!("{words} {name}")
}

/// An address where nothing better is known.
pub(crate) fn address((mac, addr): (Mac, Addr)) -> String {
    if addr.is_none() { mac.to_string() } else { addr.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use gwcore::{FlowRef, Key};

    fn end(n: u8) -> End {
        (Mac::NONE, Addr::v4([10, 0, 0, n]))
    }

    fn op(point: Option<u32>, is_answer: bool, refused: Option<(u16, &'static str)>) -> Op {
        let point = point.map(|address| PointId { table: "coil", unit: 1, address });
        Op {
            proto: "modbus",
            class: OpClass::Control,
            function: 5,
            name: "write single coil",
            point,
            points: 1,
            value: Some(1.0),
            action: "on",
            is_answer,
            refused,
        }
    }

    fn run(told: &[(Op, Option<f64>)], reads: &[(i64, f64)]) -> Vec<(Asked, Came)> {
        let (mut c, mut hits) = (Commands::new(2), LimitHits::default());
        for (i, (op, before)) in told.iter().enumerate() {
            let fact = Fact {
                key: Key::default(),
                ts: Ts(i as i64),
                frame: i as u64 + 1,
                flow: FlowRef(0),
                body: gwcore::Body::FlowStart,
            };
            if op.is_answer {
                c.answered(op, (end(1), end(2)));
            } else {
                c.asked((&fact, &FlowConst::default()), op, (end(1), end(2)), *before, &mut hits);
            }
        }
        for (at, value) in reads {
            c.read("modbus", end(2), PointId { table: "coil", unit: 1, address: 7 }, Ts(at * SECOND), *value);
        }
        assert_eq!(hits.count(Limit::ReportCommands), u64::from(told.len() > 5));
        c.finish()
    }

    #[test]
    fn a_command_has_its_answers_and_the_value_half_a_minute_after_it() {
        let refusal = Some((2, "illegal data address"));
        let told =
            [(op(Some(7), false, None), Some(0.0)), (op(Some(7), true, None), None), (op(Some(7), false, None), None)];
        let check = |reads: &[(i64, f64)], after| {
            let all = run(&told, reads);
            let [(_, c)] = &all[..] else { panic!("{} entries", all.len()) };
            assert_eq!((c.count, c.accepted, c.refused, c.before), (2, 1, 0, Some(0.0)));
            assert_eq!((c.after, c.frame, c.last), (after, 1, Ts(2)));
        };
        check(&[], None);
        check(&[(1, 0.0), (30, 1.0), (31, 2.0), (32, 3.0)], Some((Ts(30 * SECOND), 1.0)));
        check(&[(31, 2.0), (32, 3.0)], Some((Ts(31 * SECOND), 2.0)));
        // A refusal that names no point is that of the last command of its function; an acceptance of something else is not.
        let all = run(
            &[(op(Some(8), false, None), None), (op(None, true, refusal), None), (op(None, true, None), None)],
            &[],
        );
        assert_eq!((all[0].1.refused, all[0].1.reason, all[0].1.after), (1, Some("illegal data address"), None));
        assert_eq!(all[0].1.accepted, 0);
    }

    #[test]
    fn what_has_no_room_is_counted() {
        let told: Vec<_> = [1, 1, 2, 2, 1, 3].iter().map(|n| (op(Some(*n), false, None), None)).collect();
        assert_eq!(run(&told, &[]).iter().map(|(_, c)| c.count).collect::<Vec<_>>(), [3, 2]);
    }
}
